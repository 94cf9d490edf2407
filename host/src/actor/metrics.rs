//! The actor's metrics. Made anew from one snapshot for each scrape, so that a scrape is consistent
//! in itself and the decision loop keeps no metrics.

use std::fmt;

use lvmbeat_core::{Cause, LinkState, Outcome};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use embassy_time::Instant;
use jiff::Timestamp;

use super::box_view::BoxView;
use super::health::Undelivered;
use super::snapshot::{SessionState, Snapshot};
use crate::clock::{self, Moment};
use crate::probes::{Form, Metrics, Seconds, unix};
use crate::report::{Dome, Health, before};

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

#[derive(Clone, PartialEq, Eq, Hash, EncodeLabelSet, Debug)]
struct OfFact {
    fact: &'static str,
}

/// All metrics of that snapshot, which are asked for at that moment. What is not known is left out.
pub(super) fn encode(snapshot: &Snapshot, at: Moment, form: Form) -> Result<String, fmt::Error> {
    let mut metrics = Metrics::new("lvmbeat");
    heartbeats(&mut metrics, snapshot);
    links(&mut metrics, snapshot);
    health(&mut metrics, snapshot, at);
    decisions(&mut metrics, snapshot);
    enclosure(&mut metrics, snapshot, at);
    drill(&mut metrics, snapshot);
    if let Some(view) = &snapshot.relay_box {
        relay_box(&mut metrics, view);
    }
    process(&mut metrics, snapshot);
    metrics.encode(form)
}

/// The wall clock's time then, for showing.
fn wall(then: Option<Instant>, at: Moment) -> Option<Timestamp> {
    let age = at.now.checked_duration_since(then?)?;
    before(at.wall, clock::seconds(age))
}

fn heartbeats(metrics: &mut Metrics, snapshot: &Snapshot) {
    let seconds = || Family::<Named, Seconds>::default();
    let (seen, timeout, margin) = (seconds(), seconds(), seconds());
    let flags = || Family::<Named, Gauge>::default();
    let (current, critical) = (flags(), flags());
    let counts = || Family::<Named, Counter>::default();
    let (received, refused) = (counts(), counts());
    for heartbeat in &snapshot.heartbeats {
        let name = Named {
            name: heartbeat.name.clone(),
        };
        current.get_or_create(&name).set(heartbeat.current.into());
        critical.get_or_create(&name).set(heartbeat.critical.into());
        timeout.get_or_create(&name).set(heartbeat.timeout);
        received.get_or_create(&name).inc_by(heartbeat.beats);
        refused
            .get_or_create(&name)
            .inc_by(heartbeat.setters.refused);
        if let Some(at) = heartbeat.last_seen {
            seen.get_or_create(&name).set(unix(at));
        }
        if let Some(seconds) = heartbeat.smallest_margin {
            margin.get_or_create(&name).set(seconds);
        }
    }
    metrics.add(
        "heartbeat_timestamp_seconds",
        "When the heartbeat was last received",
        seen,
    );
    metrics.add("heartbeat_current", "Whether the heartbeat counts", current);
    metrics.add(
        "heartbeat_critical",
        "Whether the dome heartbeat is withheld without it",
        critical,
    );
    metrics.add(
        "heartbeat_timeout_seconds",
        "How long the heartbeat counts",
        timeout,
    );
    metrics.add(
        "heartbeat_smallest_margin_seconds",
        "The least that was ever left of the timeout when the next heartbeat of a session came",
        margin,
    );
    metrics.add(
        "heartbeat_received",
        "How often the heartbeat was received, whether or not it counted",
        received,
    );
    metrics.add(
        "heartbeat_refused",
        "How often the heartbeat was set by a program that heartbeats[].from does not name",
        refused,
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

fn health(metrics: &mut Metrics, snapshot: &Snapshot, at: Moment) {
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
    let closes_in = delivery.closes_in.or(delivery.closing_for.map(|ago| -ago));
    let taken = wall(Some(snapshot.at), at);
    metrics.timestamp(
        "plc_closes_timestamp_seconds",
        "When the PLC's time runs out, at the latest, if nothing arrives; in the past: it has run out",
        taken.zip(closes_in).and_then(|(taken, left)| before(taken, -left)),
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

    holds(metrics, snapshot, true);
    holds(metrics, snapshot, false);
    metrics.add(
        "emission_duration_seconds",
        "From the decision to emit to the enclosure's answer",
        snapshot.latencies,
    );
}

/// Faults, or else the pace between two emissions.
fn holds(metrics: &mut Metrics, snapshot: &Snapshot, faults: bool) {
    let (holds, now) = (
        Family::<ForReason, Counter>::default(),
        Family::<ForReason, Gauge>::default(),
    );
    let causes = Cause::ALL.into_iter().zip(snapshot.counters.holds);
    for (cause, count) in causes.filter(|(cause, _)| cause.is_fault() == faults) {
        let reason = ForReason {
            reason: cause.as_str(),
        };
        holds.get_or_create(&reason).inc_by(count);
        let hold = snapshot.hold.as_ref();
        let holding = hold.is_some_and(|hold| hold.cause == cause);
        now.get_or_create(&reason).set(holding.into());
    }
    let [counted, is] = if faults {
        [
            (
                "holds",
                "Critical heartbeats that were not passed on because of a fault, by first cause",
            ),
            (
                "hold",
                "Whether this fault is the first cause why the dome heartbeat is held now",
            ),
        ]
    } else {
        [
            (
                "paced",
                "Critical heartbeats that were not passed on because another was a moment ago",
            ),
            (
                "pace",
                "Whether the next heartbeat is not passed on because another was a moment ago",
            ),
        ]
    };
    metrics.add(counted.0, counted.1, holds);
    metrics.add(is.0, is.1, now);
}

fn drill(metrics: &mut Metrics, snapshot: &Snapshot) {
    metrics.timestamp(
        "drill_passed_timestamp_seconds",
        "When a drill last proved that the PLC misses the heartbeat, as far as the journal knows",
        snapshot.drill.proved_at,
    );
    let flags = [
        (
            "drill_due",
            "Whether no drill has passed for longer than ecp.drill_days",
            snapshot.drill.due,
        ),
        (
            "drill_under_way",
            "Whether a drill withholds the dome heartbeat, or waits for the PLC to hear it again",
            snapshot.drill.phase.is_some(),
        ),
    ];
    for (name, help, on) in flags {
        metrics.flag(name, help, on);
    }
}

fn enclosure(metrics: &mut Metrics, snapshot: &Snapshot, at: Moment) {
    metrics.timestamp(
        "ecp_acknowledged_timestamp_seconds",
        "When the enclosure last acknowledged a heartbeat",
        snapshot.last_emitted_ecp,
    );
    metrics.seconds(
        "ecp_smallest_margin_seconds",
        "PLC timeout minus the longest time between two acknowledged heartbeats between which nothing withheld one",
        snapshot.smallest_margin,
    );
    let known = &snapshot.enclosure;
    metrics.timestamp(
        "plc_acknowledged_timestamp_seconds",
        "When the PLC was last heard to acknowledge the heartbeat",
        wall(known.plc_acknowledged_at, at),
    );
    metrics.timestamp(
        "enclosure_heard_timestamp_seconds",
        "When the enclosure last said anything",
        wall(known.last_heard, at),
    );
    let said = Family::<OfFact, Seconds>::default();
    for (fact, at) in known.said() {
        if let Some(at) = at {
            said.get_or_create(&OfFact { fact }).set(unix(at));
        }
    }
    metrics.add(
        "enclosure_said_timestamp_seconds",
        "When the enclosure last said this of itself",
        said,
    );
    let states = [
        (
            "plc_acknowledges",
            "Whether the PLC sees the heartbeat",
            known.plc_acknowledges(snapshot.at),
        ),
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
}

fn relay_box(metrics: &mut Metrics, view: &BoxView) {
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
    metrics.timestamp(
        "box_counted_timestamp_seconds",
        "When a heartbeat last counted for the watchdog box",
        view.last_counted,
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
            "detours",
            "Sets that came another way than straight through the exchange, and do not count",
            counters.detours,
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
    let journal = snapshot.journal.as_ref();
    metrics.flag(
        "journal_written",
        "Whether the file of the journal could be written the last time",
        journal.map(|disk| disk.failure.is_none()),
    );
    metrics.seconds(
        "path_delay_seconds",
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
