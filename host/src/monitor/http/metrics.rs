//! The monitor's metrics, made anew from one view for each scrape.

use std::fmt;

use lvmbeat_core::alarm::State;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::status::kind;
use crate::clock;
use crate::monitor::view::View;
use crate::probes::{Form, Metrics};

#[derive(Clone, PartialEq, Eq, Hash, EncodeLabelSet, Debug)]
struct InState {
    state: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, EncodeLabelSet, Debug)]
struct ByChannel {
    channel: String,
    kind: &'static str,
}

/// All metrics of that moment. What is not known is left out.
pub(super) fn encode(view: &View, form: Form) -> Result<String, fmt::Error> {
    let mut metrics = Metrics::new("lvmbeat_monitor");
    alarm(&mut metrics, view);
    times(&mut metrics, view);
    channels(&mut metrics, view);
    own_beat(&mut metrics, view);
    counters(&mut metrics, view);
    metrics.encode(form)
}

fn alarm(metrics: &mut Metrics, view: &View) {
    let states = Family::<InState, Gauge>::default();
    for (state, name) in [
        (State::Waiting, "waiting"),
        (State::Up, "up"),
        (State::Down, "down"),
    ] {
        states
            .get_or_create(&InState { state: name })
            .set((view.alarm.state == state).into());
    }
    metrics.add("state", "What is known of the observatory", states);
    metrics.flag(
        "enabled",
        "Whether alarms are raised",
        view.alarm.mode.is_enabled(),
    );
    metrics.flag(
        "alerts",
        "Whether the monitor alerts by itself at all",
        view.alerts,
    );
    metrics.flag(
        "state_file_failing",
        "Whether the state file cannot be written",
        view.store.failure.is_some(),
    );
}

fn times(metrics: &mut Metrics, view: &View) {
    metrics.seconds(
        "observed_silence_seconds",
        "Silence observed since the last heartbeat",
        clock::seconds(view.alarm.silence),
    );
    metrics.seconds(
        "alert_after_seconds",
        "The observed silence that is an alarm",
        view.alert_after.as_secs_f64(),
    );
    metrics.timestamp(
        "heartbeat_timestamp_seconds",
        "When the last heartbeat was received",
        view.last_seen,
    );
    metrics.timestamp(
        "report_timestamp_seconds",
        "When the actor last reported",
        view.report.as_ref().map(|(_, at)| *at),
    );
}

fn channels(metrics: &mut Metrics, view: &View) {
    let (pending, failures) = (
        Family::<ByChannel, Gauge>::default(),
        Family::<ByChannel, Gauge>::default(),
    );
    for channel in &view.channels {
        let label = ByChannel {
            channel: channel.name.clone(),
            kind: kind(channel.kind),
        };
        let waiting = i64::try_from(channel.pending.len()).unwrap_or(i64::MAX);
        pending.get_or_create(&label).set(waiting);
        failures.get_or_create(&label).set(channel.failures.into());
    }
    metrics.add(
        "channel_pending",
        "Notices that the channel has not delivered yet",
        pending,
    );
    metrics.add(
        "channel_failures_in_row",
        "Tries in a row that failed",
        failures,
    );
}

fn own_beat(metrics: &mut Metrics, view: &View) {
    let Some(own) = &view.own_beat else {
        return;
    };
    metrics.number(
        "own_beat_failures_in_row",
        "Beats in a row that the other dead-man's service did not accept",
        i64::from(own.failures),
    );
    metrics.timestamp(
        "own_beat_timestamp_seconds",
        "When the other dead-man's service last accepted a beat",
        own.last_taken,
    );
}

fn counters(metrics: &mut Metrics, view: &View) {
    let counters = view.counters;
    for (name, help, count) in [
        ("heartbeats", "Heartbeats received", counters.beats),
        (
            "deliveries",
            "Messages that were delivered",
            counters.delivered,
        ),
        (
            "failed_deliveries",
            "Tries to deliver that failed",
            counters.failed,
        ),
        (
            "attention_lapses",
            "Times that the monitor was not listening",
            counters.lapses,
        ),
    ] {
        metrics.count(name, help, count);
    }
}
