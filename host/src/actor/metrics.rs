//! The actor's metrics in OpenMetrics text, which Prometheus reads. Made anew from one snapshot for
//! each scrape, so that a scrape is consistent in itself and the decision loop keeps no metrics.

use std::fmt;
use std::sync::atomic::AtomicU64;

use lvmbeat_core::{Cause, LinkState, Outcome};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use embassy_time::Instant;

use super::box_view::BoxView;
use super::snapshot::{SessionState, Snapshot};
use crate::clock;

type Seconds = Gauge<f64, AtomicU64>;

#[derive(Clone, PartialEq, Eq, Hash, EncodeLabelSet, Debug)]
struct Named {
    name: String,
}

#[derive(Clone, PartialEq, Eq, Hash, EncodeLabelSet, Debug)]
struct ForReason {
    reason: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, EncodeLabelSet, Debug)]
struct WithOutcome {
    outcome: &'static str,
}

/// All metrics of that moment. What is not known is left out.
pub(super) fn encode(snapshot: &Snapshot) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("lvmbeat");
    heartbeats(&mut registry, snapshot);
    links(&mut registry, snapshot);
    decisions(&mut registry, snapshot);
    enclosure(&mut registry, snapshot);
    if let Some(view) = &snapshot.relay_box {
        relay_box(&mut registry, view, snapshot.at);
    }
    process(&mut registry, snapshot);
    let mut shown = String::new();
    text::encode(&mut shown, &registry)?;
    Ok(shown)
}

fn heartbeats(registry: &mut Registry, snapshot: &Snapshot) {
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
    registry.register(
        "heartbeat_age_seconds",
        "Time since the last heartbeat of this session",
        age,
    );
    registry.register("heartbeat_current", "Whether the heartbeat counts", current);
    registry.register(
        "heartbeat_critical",
        "Whether the dome heartbeat is withheld without it",
        critical,
    );
    registry.register(
        "heartbeat_smallest_margin_seconds",
        "Timeout minus the longest time between two heartbeats",
        margin,
    );
}

fn links(registry: &mut Registry, snapshot: &Snapshot) {
    let up = Family::<Named, Gauge>::default();
    for link in &snapshot.links {
        up.get_or_create(&Named {
            name: link.name.clone(),
        })
        .set((link.state == LinkState::Up).into());
    }
    registry.register(
        "link_up",
        "Whether the network link has been reached and is not down",
        up,
    );
}

fn decisions(registry: &mut Registry, snapshot: &Snapshot) {
    let emissions = Family::<WithOutcome, Counter>::default();
    for outcome in Outcome::ALL {
        emissions
            .get_or_create(&WithOutcome {
                outcome: outcome.as_str(),
            })
            .inc_by(snapshot.emissions.of(outcome).into());
    }
    registry.register(
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
    registry.register(
        "holds",
        "Critical heartbeats that were not passed on, by first cause",
        holds,
    );
    registry.register(
        "hold",
        "Whether this is the first cause why the dome heartbeat is held now",
        now,
    );
}

fn enclosure(registry: &mut Registry, snapshot: &Snapshot) {
    let mut seconds = |name: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            let gauge = Seconds::default();
            gauge.set(value);
            registry.register(name, help, gauge);
        }
    };
    seconds(
        "ecp_acknowledged_age_seconds",
        "Time since the enclosure acknowledged a heartbeat",
        snapshot.acknowledged_age,
    );
    seconds(
        "ecp_smallest_margin_seconds",
        "PLC timeout minus the longest time between two acknowledged heartbeats",
        snapshot.smallest_margin,
    );
    let known = &snapshot.enclosure;
    let acknowledged = known
        .plc_acknowledged_at
        .and_then(|at| snapshot.at.checked_duration_since(at));
    seconds(
        "plc_acknowledged_age_seconds",
        "Time since the PLC was last heard to acknowledge the heartbeat",
        acknowledged.map(clock::seconds),
    );
    let states = [
        (
            "plc_heartbeat_error",
            "Whether the PLC has missed the heartbeat for its whole timeout",
            known.plc_heartbeat_error,
        ),
        (
            "dome_open",
            "Whether the dome is open, as the enclosure says",
            known.dome_open,
        ),
        (
            "engineering_mode",
            "Whether the enclosure beats to the PLC whatever lvmbeat decides",
            known.engineering_mode,
        ),
    ];
    for (name, help, state) in states {
        if let Some(state) = state {
            let gauge = Gauge::<i64>::default();
            gauge.set(state.into());
            registry.register(name, help, gauge);
        }
    }
}

fn relay_box(registry: &mut Registry, view: &BoxView, at: Instant) {
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
    registry.register(
        "box_heartbeats",
        "Heartbeats to the watchdog box by what became of them",
        heartbeats,
    );
    if let Some(energised) = view.energised {
        let gauge = Gauge::<i64>::default();
        gauge.set(energised.into());
        registry.register(
            "box_relay_energised",
            "Whether the watchdog box's relay is energised, as it said last",
            gauge,
        );
    }
    let counted = view
        .counted_at
        .and_then(|counted| at.checked_duration_since(counted));
    if let Some(age) = counted {
        let gauge = Seconds::default();
        gauge.set(clock::seconds(age));
        registry.register(
            "box_counted_age_seconds",
            "Time since a heartbeat counted for the watchdog box",
            gauge,
        );
    }
}

fn process(registry: &mut Registry, snapshot: &Snapshot) {
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
        let counter = Counter::<u64>::default();
        counter.inc_by(count);
        registry.register(name, help, counter);
    }
    let open = Gauge::<i64>::default();
    open.set((snapshot.session == SessionState::Open).into());
    registry.register(
        "amqp_session_open",
        "Whether this actor has a session and is the active one",
        open,
    );
    let uptime = Seconds::default();
    uptime.set(snapshot.uptime);
    registry.register("uptime_seconds", "Time since the start", uptime);
    if let Some(age) = snapshot.path_age {
        let gauge = Seconds::default();
        gauge.set(age);
        registry.register(
            "path_age_seconds",
            "How long what is received may have been on its way",
            gauge,
        );
    }
    let outside = Family::<Named, Gauge>::default();
    for monitor in &snapshot.outside {
        outside
            .get_or_create(&Named {
                name: monitor.url.clone(),
            })
            .set((monitor.last_beat.is_some() && monitor.failure.is_none()).into());
    }
    registry.register(
        "outside_monitor_reached",
        "Whether the last beat to the monitor was taken",
        outside,
    );
}
