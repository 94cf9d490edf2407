//! The actor's metrics in OpenMetrics text, which Prometheus reads. Made anew from one snapshot for
//! each scrape, so that a scrape is consistent in itself and the decision loop keeps no metrics.

use std::fmt;

use lvmbeat_core::{Cause, LinkState, Outcome};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use embassy_time::Instant;

use super::box_view::BoxView;
use super::health::Undelivered;
use super::snapshot::{SessionState, Snapshot};
use crate::clock;
use crate::probes::{Metrics, Seconds};
use crate::report::{Dome, Health};

#[derive(Clone, PartialEq, Eq, Hash, EncodeLabelSet, Debug)]
struct Named {
    name: String,
}

#[derive(Clone, PartialEq, Eq, Hash, EncodeLabelSet, Debug)]
struct ForReason {
    reason: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, EncodeLabelSet, Debug)]
struct InState {
    state: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, EncodeLabelSet, Debug)]
struct WithOutcome {
    outcome: &'static str,
}

/// All metrics of that moment. What is not known is left out.
pub(super) fn encode(snapshot: &Snapshot) -> Result<String, fmt::Error> {
    let mut metrics = Metrics::new("lvmbeat");
    heartbeats(&mut metrics, snapshot);
    links(&mut metrics, snapshot);
    health(&mut metrics, snapshot);
    decisions(&mut metrics, snapshot);
    enclosure(&mut metrics, snapshot);
    if let Some(view) = &snapshot.relay_box {
        relay_box(&mut metrics, view, snapshot.at);
    }
    process(&mut metrics, snapshot);
    metrics.encode()
}

fn heartbeats(metrics: &mut Metrics, snapshot: &Snapshot) {
    let (age, margin) = (
        Family::<Named, Seconds>::default(),
        Family::<Named, Seconds>::default(),
    );
    let (current, critical) = (
        Family::<Named, Gauge>::default(),
        Family::<Named, Gauge>::default(),
    );
    for heartbeat in &snapshot.heartbeats {
        let name = Named {
            name: heartbeat.name.clone(),
        };
        current.get_or_create(&name).set(heartbeat.current.into());
        critical.get_or_create(&name).set(heartbeat.critical.into());
        if let Some(seconds) = heartbeat.age {
            age.get_or_create(&name).set(seconds);
        }
        if let Some(seconds) = heartbeat.smallest_margin {
            margin.get_or_create(&name).set(seconds);
        }
    }
    metrics.add(
        "heartbeat_age_seconds",
        "Time since the last heartbeat of this session",
        age,
    );
    metrics.add("heartbeat_current", "Whether the heartbeat counts", current);
    metrics.add(
        "heartbeat_critical",
        "Whether the dome heartbeat is withheld without it",
        critical,
    );
    metrics.add(
        "heartbeat_smallest_margin_seconds",
        "The least that was ever left of the timeout when the next heartbeat of a session came",
        margin,
    );
}

fn links(metrics: &mut Metrics, snapshot: &Snapshot) {
    let up = Family::<Named, Gauge>::default();
    for link in &snapshot.links {
        up.get_or_create(&Named {
            name: link.name.clone(),
        })
        .set((link.state == LinkState::Up).into());
    }
    metrics.add(
        "link_up",
        "Whether the network link has been reached and is not down",
        up,
    );
}

fn health(metrics: &mut Metrics, snapshot: &Snapshot) {
    let states = Family::<InState, Gauge>::default();
    for state in Health::ALL {
        let in_state = InState {
            state: state.as_str(),
        };
        let is = state == snapshot.health.state;
        states.get_or_create(&in_state).set(is.into());
    }
    metrics.add("health", "How the whole is", states);
    let delivery = &snapshot.delivery;
    let causes = Family::<ForReason, Gauge>::default();
    for cause in Undelivered::ALL {
        let reason = ForReason {
            reason: cause.as_str(),
        };
        let is = delivery.cause == Some(cause);
        causes.get_or_create(&reason).set(is.into());
    }
    metrics.add(
        "undelivered",
        "Whether this is why no dome heartbeat is acknowledged",
        causes,
    );
    metrics.seconds(
        "plc_closes_in_seconds",
        "Time until the PLC closes the dome, at the latest, if nothing arrives",
        delivery.closes_in,
    );
    metrics.seconds(
        "plc_closing_seconds",
        "Time since the PLC's time ran out; absent if it has not",
        delivery.closing_for,
    );
    metrics.seconds(
        "plc_least_left_seconds",
        "The least that was left of the PLC's time in 24 hours, while the dome was not known to be closed",
        delivery.least_left,
    );
}

fn decisions(metrics: &mut Metrics, snapshot: &Snapshot) {
    let emissions = Family::<WithOutcome, Counter>::default();
    for outcome in Outcome::ALL {
        emissions
            .get_or_create(&WithOutcome {
                outcome: outcome.as_str(),
            })
            .inc_by(snapshot.emissions.of(outcome).into());
    }
    metrics.add(
        "emissions",
        "Dome heartbeats by what became of them",
        emissions,
    );

    let (holds, now) = (
        Family::<ForReason, Counter>::default(),
        Family::<ForReason, Gauge>::default(),
    );
    for (cause, count) in Cause::ALL.into_iter().zip(snapshot.counters.holds) {
        let reason = ForReason {
            reason: cause.as_str(),
        };
        holds.get_or_create(&reason).inc_by(count);
        let hold = snapshot.hold.as_ref();
        let holding = hold.is_some_and(|hold| hold.cause == cause);
        now.get_or_create(&reason).set(holding.into());
    }
    metrics.add(
        "holds",
        "Critical heartbeats that were not passed on, by first cause",
        holds,
    );
    metrics.add(
        "hold",
        "Whether this is the first cause why the dome heartbeat is held now",
        now,
    );
}

fn enclosure(metrics: &mut Metrics, snapshot: &Snapshot) {
    metrics.seconds(
        "ecp_acknowledged_age_seconds",
        "Time since the enclosure acknowledged a heartbeat",
        snapshot.acknowledged_age,
    );
    metrics.seconds(
        "ecp_smallest_margin_seconds",
        "PLC timeout minus the longest time between two acknowledged heartbeats between which nothing withheld one",
        snapshot.smallest_margin,
    );
    let known = &snapshot.enclosure;
    let acknowledged = known
        .plc_acknowledged_at
        .and_then(|at| snapshot.at.checked_duration_since(at));
    metrics.seconds(
        "plc_acknowledged_age_seconds",
        "Time since the PLC was last heard to acknowledge the heartbeat",
        acknowledged.map(clock::seconds),
    );
    let states = [
        (
            "plc_heartbeat_error",
            "Whether the PLC has missed the heartbeat for its whole timeout",
            known.plc_heartbeat_error(snapshot.at),
        ),
        (
            "dome_open",
            "Whether the dome is open, as the enclosure says",
            known.dome(snapshot.at).and_then(Dome::is_open),
        ),
        (
            "engineering_mode",
            "Whether the enclosure beats to the PLC whatever lvmbeat decides",
            known.engineering_mode(snapshot.at),
        ),
    ];
    for (name, help, state) in states {
        metrics.flag(name, help, state);
    }
    if let Some(dome) = known.dome(snapshot.at) {
        let family = Family::<InState, Gauge>::default();
        for state in Dome::ALL {
            family
                .get_or_create(&InState {
                    state: state.as_str(),
                })
                .set((state == dome).into());
        }
        metrics.add(
            "dome",
            "Where the dome is; absent if that is not known",
            family,
        );
    }
    metrics.seconds(
        "dome_age_seconds",
        "Time since the enclosure said where the dome is",
        known.dome_age(snapshot.at),
    );
}

fn relay_box(metrics: &mut Metrics, view: &BoxView, at: Instant) {
    let heartbeats = Family::<WithOutcome, Counter>::default();
    for (outcome, count) in [
        ("counted", view.counted),
        ("held", view.answered.saturating_sub(view.counted)),
        ("failed", view.failed),
    ] {
        heartbeats
            .get_or_create(&WithOutcome { outcome })
            .inc_by(count);
    }
    metrics.add(
        "box_heartbeats",
        "Heartbeats to the watchdog box by what became of them",
        heartbeats,
    );
    metrics.flag(
        "box_relay_energised",
        "Whether the watchdog box's relay is energised, as it said last",
        view.energised,
    );
    let counted = view
        .counted_at
        .and_then(|counted| at.checked_duration_since(counted));
    metrics.seconds(
        "box_counted_age_seconds",
        "Time since a heartbeat counted for the watchdog box",
        counted.map(clock::seconds),
    );
}

fn process(metrics: &mut Metrics, snapshot: &Snapshot) {
    let counters = &snapshot.counters;
    let counts = [
        ("beats", "Heartbeats received", counters.beats),
        ("commands", "Commands understood", counters.commands),
        (
            "malformed_messages",
            "Messages that were no command",
            counters.malformed,
        ),
        (
            "busy_commands",
            "Commands refused because too many came",
            counters.busy,
        ),
        (
            "foreign_echoes",
            "Messages that pass for the actor's own, and are not",
            counters.foreign_echoes,
        ),
        (
            "foreign_replies",
            "Messages that pass for answers of the enclosure, and are not",
            counters.foreign_replies,
        ),
        (
            "amqp_sessions",
            "Sessions opened with the broker",
            counters.sessions,
        ),
        (
            "amqp_failed_sessions",
            "Attempts to open a session that failed",
            counters.failed_sessions,
        ),
        (
            "attention_lapses",
            "Times that the process was not running",
            counters.lapses,
        ),
        (
            "dropped_replies",
            "Replies that could not be sent",
            counters.dropped_replies,
        ),
    ];
    for (name, help, count) in counts {
        metrics.count(name, help, count);
    }
    metrics.flag(
        "amqp_session_open",
        "Whether this actor has a session and is the active one",
        snapshot.session == SessionState::Open,
    );
    metrics.seconds("uptime_seconds", "Time since the start", snapshot.uptime);
    metrics.seconds(
        "path_age_seconds",
        "How long what is received may have been on its way",
        snapshot.path_age,
    );
    let outside = Family::<Named, Gauge>::default();
    for monitor in &snapshot.outside {
        outside
            .get_or_create(&Named {
                name: monitor.url.clone(),
            })
            .set((monitor.last_beat.is_some() && monitor.failure.is_none()).into());
    }
    metrics.add(
        "outside_monitor_reached",
        "Whether the last beat to the monitor was taken",
        outside,
    );
}
