//! What the actor shows of itself: to CLU clients by `status`, to the monitor by a report, to
//! machines by metrics.

mod report;
mod status;

use embassy_time::Instant;
use jiff::Timestamp;
use lvmbeat_core::emission::Counts;
use lvmbeat_core::{Cause, LinkState, Outcome};

pub use super::box_view::BoxView;
pub use super::commanders::Setters;
pub use super::drill::DrillView;
pub use super::enclosure::Enclosure;
pub use super::health::{DeliveryView, HealthView};
pub use super::outside::OutsideView;
pub use super::session_view::SessionState;
pub use crate::journal::Disk;
use crate::probes::Latencies;

/// The actor at one moment. All ages and margins are seconds.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field is named as it is shown")]
pub struct Snapshot {
    /// When it was taken.
    pub at: Instant,
    /// How the whole is.
    pub health: HealthView,
    pub name: String,
    pub ecp: String,
    pub uptime: f64,
    pub session: SessionState,
    pub session_error: Option<String>,
    /// Why the last session ended.
    pub session_ended: Option<&'static str>,
    /// How long what is received may have been on its way.
    pub path_age: Option<f64>,
    pub heartbeats: Vec<HeartbeatView>,
    pub links: Vec<LinkView>,
    /// Why the next critical heartbeat would not be passed on.
    pub hold: Option<Hold>,
    pub last_emitted_ecp: Option<Timestamp>,
    pub last_outcome: Option<Outcome>,
    /// Time since the enclosure last acknowledged a heartbeat.
    pub acknowledged_age: Option<f64>,
    pub in_flight: bool,
    pub emissions: Counts,
    /// From the decision to emit to the enclosure's answer.
    pub latencies: Latencies,
    /// Whether the dome heartbeat arrives at the PLC.
    pub delivery: DeliveryView,
    /// L1: the PLC's timeout minus the longest time between two acknowledged heartbeats between
    /// which nothing but the pace withheld one.
    pub smallest_margin: Option<f64>,
    pub enclosure: Enclosure,
    pub outside: Vec<OutsideView>,
    /// The watchdog box, if one is configured.
    pub relay_box: Option<BoxView>,
    pub drill: DrillView,
    pub counters: Counters,
    /// How it stands with the journal's file, if there is one.
    pub journal: Option<Disk>,
    /// By what the actor was stopped; this is its last word.
    pub stopping: Option<String>,
}

/// How often things happened since the start.
#[derive(Clone, Default, Debug)]
pub struct Counters {
    /// Commands that were understood.
    pub commands: u64,
    /// Messages that were not.
    pub malformed: u64,
    /// Commands that were refused because too many came.
    pub busy: u64,
    /// Messages that pass for the actor's own, and are not.
    pub foreign_echoes: u64,
    /// Messages that pass for answers of the enclosure, and are not.
    pub foreign_replies: u64,
    /// `set`s that came another way than straight through the exchange.
    pub detours: u64,
    /// Heartbeats that were received, whether or not they counted.
    pub beats: u64,
    /// Decisions to hold, by cause, in the order of [`Cause::ALL`].
    pub holds: [u64; Cause::ALL.len()],
    /// Sessions that were opened.
    pub sessions: u64,
    /// Attempts to open one that failed, those of an actor that stands by included.
    pub failed_sessions: u64,
    /// Lapses of attention.
    pub lapses: u64,
    /// Replies that could not be handed over for sending.
    pub dropped_replies: u64,
}

/// One source of heartbeats.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field is named as it is shown")]
pub struct HeartbeatView {
    pub name: String,
    pub critical: bool,
    pub current: bool,
    pub last_seen: Option<Timestamp>,
    pub age: Option<f64>,
    /// Time since when it is known to have been alive; this is what counts.
    pub proven_age: Option<f64>,
    pub timeout: f64,
    /// How often it beats while all is well.
    pub interval: f64,
    pub smallest_margin: Option<f64>,
    /// How often it was received, whether or not it counted.
    pub beats: u64,
    /// Who sets it.
    pub setters: Setters,
}

/// One network link.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field is named as it is shown")]
pub struct LinkView {
    pub name: String,
    pub state: LinkState,
    pub up: bool,
    pub failures: u8,
}

/// Why the dome heartbeat is held.
#[derive(Clone, Debug)]
pub struct Hold {
    /// The kind.
    pub cause: Cause,
    /// Whether something is wrong; otherwise it is only the pace.
    pub fault: bool,
    /// In words.
    pub text: String,
    /// How long this has been the first cause; only of a fault.
    pub seconds: Option<f64>,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::health::{self, Around, Kind, Late, Undelivered};
    use super::*;
    use crate::report::{Dome, Health};

    /// A dome heartbeat was acknowledged a moment ago.
    pub(crate) fn delivered() -> DeliveryView {
        DeliveryView {
            cause: None,
            text: None,
            failures: 0,
            seconds: 1.0,
            acknowledged: true,
            closes_in: Some(59.0),
            closing_for: None,
            confirmed: None,
            unfed: None,
            least_left: Some(47.0),
            overdue: false,
            sent_in_vain: false,
        }
    }

    /// With the health that follows from the rest.
    pub(crate) fn assessed(snapshot: &Snapshot) -> Snapshot {
        let (enclosure, now) = (&snapshot.enclosure, snapshot.at);
        let around = Around {
            held: snapshot.hold.as_ref().is_some_and(|hold| hold.fault),
            engineering: enclosure.engineering_mode(now) == Some(true),
            standing_by: snapshot.session == SessionState::StandBy,
            closed: enclosure.dome(now) == Some(Dome::Closed),
            error: enclosure.plc_error(now),
        };
        let health = health::of(&health::Known {
            around: &around,
            hold: snapshot.hold.as_ref(),
            heartbeats: &snapshot.heartbeats,
            links: &snapshot.links,
            delivery: &snapshot.delivery,
            dome: enclosure.dome(now),
            ecp: &snapshot.ecp,
        });
        Snapshot {
            health,
            ..snapshot.clone()
        }
    }

    /// An actor whose overwatcher has gone silent.
    pub(crate) fn snapshot() -> Snapshot {
        let mut counters = Counters {
            sessions: 2,
            ..Counters::default()
        };
        counters.holds[Cause::CutOff.index()] = 7;
        Snapshot {
            at: Instant::from_secs(100),
            health: HealthView {
                state: Health::Held,
                seconds: 1.5,
                text: "the dome heartbeat is held, and the PLC closes the dome in 27 s at the latest: overwatcher silent for 32 s (timeout 30 s)".to_owned(),
                late: vec![Late {
                    key: (Kind::Holds(Cause::Stale), "overwatcher".to_owned()),
                    holds: true,
                    text: "overwatcher silent for 32 s (timeout 30 s)".to_owned(),
                }],
            },
            delivery: DeliveryView {
                cause: Some(Undelivered::Held),
                text: Some("it is held".to_owned()),
                seconds: 33.0,
                closes_in: Some(27.0),
                least_left: Some(27.0),
                overdue: true,
                ..delivered()
            },
            name: "lvmbeat".to_owned(),
            ecp: "lvmecp".to_owned(),
            uptime: 100.0,
            session: SessionState::Open,
            session_error: None,
            session_ended: None,
            path_age: Some(0.25),
            heartbeats: vec![HeartbeatView {
                name: "overwatcher".to_owned(),
                critical: true,
                current: false,
                last_seen: Some("2026-01-02T03:04:05.678Z".parse().unwrap()),
                age: Some(31.5),
                proven_age: Some(36.5),
                timeout: 30.0,
                interval: 5.0,
                smallest_margin: Some(24.5),
                beats: 12,
                setters: Setters {
                    last_by: Some("Gort-client-1a2b".to_owned()),
                    ..Setters::default()
                },
            }],
            links: vec![LinkView {
                name: "lco".to_owned(),
                state: LinkState::Up,
                up: true,
                failures: 0,
            }],
            hold: Some(Hold {
                cause: Cause::Stale,
                fault: true,
                text: "heartbeat overwatcher was last received 31.5 s ago (timeout 30 s)"
                    .to_owned(),
                seconds: Some(1.5),
            }),
            last_emitted_ecp: None,
            last_outcome: Some(Outcome::Acknowledged),
            acknowledged_age: Some(33.0),
            in_flight: false,
            emissions: Counts {
                acknowledged: 3,
                ..Counts::default()
            },
            latencies: Latencies::default(),
            smallest_margin: None,
            enclosure: Enclosure::default(),
            outside: Vec::new(),
            relay_box: None,
            drill: DrillView::default(),
            counters,
            journal: None,
            stopping: None,
        }
    }
}
