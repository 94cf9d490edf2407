//! The monitor's metrics, made anew from one view for each scrape.

use std::fmt;
use std::sync::atomic::AtomicU64;

use lvmbeat_core::alarm::State;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::status::{age, kind};
use crate::clock;
use crate::monitor::view::View;

type Seconds = Gauge<f64, AtomicU64>;

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
pub(super) fn encode(view: &View) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("lvmbeat_monitor");
    alarm(&mut registry, view);
    ages(&mut registry, view);
    channels(&mut registry, view);
    own_beat(&mut registry, view);
    counters(&mut registry, view);
    let mut shown = String::new();
    text::encode(&mut shown, &registry)?;
    Ok(shown)
}

fn alarm(registry: &mut Registry, view: &View) {
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
    registry.register("state", "What is known of the observatory", states);
    let mut truth = |name: &str, help: &str, value: bool| {
        let gauge = Gauge::<i64>::default();
        gauge.set(value.into());
        registry.register(name, help, gauge);
    };
    truth(
        "enabled",
        "Whether alarms are raised",
        view.alarm.mode.is_enabled(),
    );
    truth(
        "alerts",
        "Whether the monitor alerts by itself at all",
        view.alerts,
    );
    truth(
        "state_file_failing",
        "Whether the state file cannot be written",
        view.store.failure.is_some(),
    );
}

fn ages(registry: &mut Registry, view: &View) {
    let mut seconds = |name: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            let gauge = Seconds::default();
            gauge.set(value);
            registry.register(name, help, gauge);
        }
    };
    seconds(
        "observed_silence_seconds",
        "Silence observed since the last heartbeat",
        Some(clock::seconds(view.alarm.silence)),
    );
    seconds(
        "alert_after_seconds",
        "The observed silence that is an alarm",
        Some(view.alert_after.as_secs_f64()),
    );
    seconds(
        "uptime_seconds",
        "Time since the start, by the wall clock",
        Some(age(view, view.started)),
    );
    seconds(
        "heartbeat_age_seconds",
        "Time since the last heartbeat, by the wall clock",
        view.last_seen.map(|at| age(view, at)),
    );
    seconds(
        "report_age_seconds",
        "Time since the last report of the actor, by the wall clock",
        view.report.as_ref().map(|(_, at)| age(view, *at)),
    );
}

fn channels(registry: &mut Registry, view: &View) {
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
    registry.register(
        "channel_pending",
        "Notices that the channel has not delivered yet",
        pending,
    );
    registry.register(
        "channel_failures_in_row",
        "Tries in a row that failed",
        failures,
    );
}

fn own_beat(registry: &mut Registry, view: &View) {
    let Some(own) = &view.own_beat else {
        return;
    };
    let failures = Gauge::<i64>::default();
    failures.set(own.failures.into());
    registry.register(
        "own_beat_failures_in_row",
        "Beats in a row that the other dead-man's service did not accept",
        failures,
    );
    if let Some(taken) = own.last_taken {
        let taken_ago = Seconds::default();
        taken_ago.set(age(view, taken));
        registry.register(
            "own_beat_age_seconds",
            "Time since the other dead-man's service last accepted a beat, by the wall clock",
            taken_ago,
        );
    }
}

fn counters(registry: &mut Registry, view: &View) {
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
        let counter = Counter::<u64>::default();
        counter.inc_by(count);
        registry.register(name, help, counter);
    }
}
