//! What the actor shows of itself: to CLU clients by `status`, to machines by metrics.

use embassy_time::Instant;
use jiff::Timestamp;
use lvmbeat_core::emission::Counts;
use lvmbeat_core::{Cause, LinkState, Outcome};
use serde_json::{Map, Value, json};

use super::VERSION;
use super::enclosure::Enclosure;
use crate::report::{EmissionReport, HeartbeatReport, HoldReport, LinkReport, Report};

/// The actor at one moment. All ages and margins are seconds.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field is named as it is shown")]
pub struct Snapshot {
    /// When it was taken.
    pub at: Instant,
    pub name: String,
    pub ecp: String,
    pub uptime: f64,
    pub session: SessionState,
    pub session_error: Option<String>,
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
    /// L1: the PLC's timeout minus the longest time between two acknowledged heartbeats.
    pub smallest_margin: Option<f64>,
    pub enclosure: Enclosure,
    pub outside: Vec<OutsideView>,
    /// The watchdog box, if one is configured.
    pub relay_box: Option<BoxView>,
    pub counters: Counters,
}

/// The session with the broker, as shown.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum SessionState {
    /// Being opened.
    #[default]
    Connecting,
    /// Another actor of this name is active.
    StandBy,
    /// The broker blocks all who publish.
    Blocked,
    /// Open: this actor is the active one.
    Open,
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
    pub smallest_margin: Option<f64>,
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

/// One monitor outside.
#[derive(Clone, Default, Debug)]
pub struct OutsideView {
    /// Its address, without secrets.
    pub url: String,
    /// The last beat that it took.
    pub last_beat: Option<Timestamp>,
    /// Why the last beat failed, if it did.
    pub failure: Option<String>,
}

/// The watchdog box on a serial line.
#[derive(Clone, Default, Debug)]
pub struct BoxView {
    /// The device.
    pub path: String,
    /// Whether its relay is energised, as it said last.
    pub energised: Option<bool>,
    /// Whether somebody has to arm it first.
    pub latched: Option<bool>,
    /// Its word for why the next heartbeat would not count, or why the relay was released.
    pub hold: Option<&'static str>,
    /// When a heartbeat last counted.
    pub counted_at: Option<Instant>,
    /// The same, by the wall clock.
    pub last_counted: Option<Timestamp>,
    /// Heartbeats that it has taken.
    pub answered: u64,
    /// Those of them that counted: the others came too soon, or something else was missing.
    pub counted: u64,
    /// Heartbeats that did not reach it.
    pub failed: u64,
    /// Why the last one did not, if it did not.
    pub failure: Option<String>,
}

impl Snapshot {
    /// The keywords of `status`. The first four are those of the Python version, with its meanings.
    pub fn keywords(&self) -> Map<String, Value> {
        let heartbeats: Map<String, Value> = self
            .heartbeats
            .iter()
            .map(|heartbeat| {
                let view = json!({
                    "current": heartbeat.current,
                    "last_seen": heartbeat.last_seen.map(time),
                    "critical": heartbeat.critical,
                    "age": heartbeat.age,
                    "proven_age": heartbeat.proven_age,
                    "timeout": heartbeat.timeout,
                    "smallest_margin": heartbeat.smallest_margin,
                });
                (heartbeat.name.clone(), view)
            })
            .collect();
        let last_outside = self
            .outside
            .iter()
            .filter_map(|monitor| monitor.last_beat)
            .max();
        let keywords = json!({
            "heartbeats": heartbeats,
            "last_emitted_ecp": self.last_emitted_ecp.map(time),
            "last_emitted_outside": last_outside.map(time),
            "network": self.network(),
            "hold": self.hold.as_ref().map(|hold| json!({
                "reason": hold.cause.as_str(),
                "fault": hold.fault,
                "text": hold.text,
                "seconds": hold.seconds.filter(|_| hold.fault),
            })),
            "ecp": {
                "actor": self.ecp,
                "last_outcome": self.last_outcome,
                "acknowledged_age": self.acknowledged_age,
                "in_flight": self.in_flight,
                "smallest_margin": self.smallest_margin,
            },
            "enclosure": self.enclosure.keywords(self.at),
            "relay_box": self.relay_box.as_ref().map(|relay_box| json!({
                "path": relay_box.path,
                "energised": relay_box.energised,
                "latched": relay_box.latched,
                "hold": relay_box.hold,
                "last_counted": relay_box.last_counted.map(time),
                "failure": relay_box.failure,
            })),
            "outside_monitors": self.outside.iter().map(|monitor| json!({
                "url": monitor.url,
                "last_beat": monitor.last_beat.map(time),
                "failure": monitor.failure,
            })).collect::<Vec<_>>(),
            "uptime": self.uptime,
        });
        match keywords {
            Value::Object(keywords) => keywords,
            // `json!({…})` is an object.
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Map::new(),
        }
    }

    /// What the monitor outside is told with a beat.
    pub fn report(&self) -> Report {
        let heartbeats = self.heartbeats.iter().map(|heartbeat| HeartbeatReport {
            name: heartbeat.name.clone(),
            critical: heartbeat.critical,
            current: heartbeat.current,
            age: heartbeat.age,
            timeout: Some(heartbeat.timeout),
            smallest_margin: heartbeat.smallest_margin,
        });
        let network = self.links.iter().map(|link| LinkReport {
            name: link.name.clone(),
            up: link.up,
        });
        Report {
            version: VERSION.to_owned(),
            uptime: Some(self.uptime),
            heartbeats: heartbeats.collect(),
            hold: self.hold.as_ref().map(|hold| HoldReport {
                reason: hold.cause.as_str().to_owned(),
                fault: hold.fault,
                text: hold.text.clone(),
                seconds: hold.seconds.filter(|_| hold.fault),
            }),
            emission: EmissionReport {
                last_outcome: self.last_outcome.map(|outcome| outcome.as_str().to_owned()),
                acknowledged_age: self.acknowledged_age,
                smallest_margin: self.smallest_margin,
            },
            enclosure: self.enclosure.report(self.at),
            network: network.collect(),
        }
    }

    /// The user's documentation calls the second network `outside`, the deployed lvmecp reads
    /// `internet`: both are sent. What is not probed is not known to be down.
    fn network(&self) -> Map<String, Value> {
        let state = |names: &[&str]| {
            !self
                .links
                .iter()
                .any(|link| names.contains(&link.name.as_str()) && !link.up)
        };
        let mut network = Map::new();
        network.insert("lco".to_owned(), state(&["lco"]).into());
        network.insert("outside".to_owned(), state(&["outside", "internet"]).into());
        network.insert(
            "internet".to_owned(),
            state(&["outside", "internet"]).into(),
        );
        for link in &self.links {
            network
                .entry(link.name.clone())
                .or_insert_with(|| link.up.into());
        }
        network
    }
}

/// RFC 3339, UTC, whole seconds.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An actor whose overwatcher has gone silent.
    pub(crate) fn snapshot() -> Snapshot {
        let mut counters = Counters {
            sessions: 2,
            ..Counters::default()
        };
        counters.holds[Cause::CutOff.index()] = 7;
        Snapshot {
            at: Instant::from_secs(100),
            name: "lvmbeat".to_owned(),
            ecp: "lvmecp".to_owned(),
            uptime: 100.0,
            session: SessionState::Open,
            session_error: None,
            path_age: Some(0.25),
            heartbeats: vec![HeartbeatView {
                name: "overwatcher".to_owned(),
                critical: true,
                current: false,
                last_seen: Some("2026-01-02T03:04:05.678Z".parse().unwrap()),
                age: Some(31.5),
                proven_age: Some(36.5),
                timeout: 30.0,
                smallest_margin: Some(24.5),
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
            smallest_margin: None,
            enclosure: Enclosure::default(),
            outside: Vec::new(),
            relay_box: None,
            counters,
        }
    }

    #[test]
    fn status_holds_what_the_python_version_holds_with_the_same_meaning() {
        let keywords = snapshot().keywords();
        assert_eq!(keywords["heartbeats"]["overwatcher"]["current"], false);
        assert_eq!(
            keywords["heartbeats"]["overwatcher"]["last_seen"],
            "2026-01-02T03:04:05Z"
        );
        assert_eq!(keywords["last_emitted_ecp"], Value::Null);
        assert_eq!(keywords["last_emitted_outside"], Value::Null);
        assert_eq!(
            keywords["network"],
            json!({"lco": true, "outside": true, "internet": true})
        );
    }

    #[test]
    fn the_report_for_the_monitor_holds_all_that_is_known() {
        let mut snapshot = snapshot();
        let registers =
            json!({"dome_open": true, "dome_closed": false, "hb_ack": true, "hb_error": false});
        let said = json!({"registers": registers, "engineering_mode": {"enabled": false}});
        let at = Instant::from_secs(98);
        snapshot.enclosure.observe(said.as_object().unwrap(), at);
        snapshot.smallest_margin = Some(40.5);
        assert_eq!(
            json!(snapshot.report()),
            json!({
                "version": env!("CARGO_PKG_VERSION"),
                "uptime": 100.0,
                "heartbeats": [{
                    "name": "overwatcher",
                    "critical": true,
                    "current": false,
                    "age": 31.5,
                    "timeout": 30.0,
                    "smallest_margin": 24.5,
                }],
                "hold": {
                    "reason": "heartbeat_stale",
                    "fault": true,
                    "text": "heartbeat overwatcher was last received 31.5 s ago (timeout 30 s)",
                    "seconds": 1.5,
                },
                "emission": {"last_outcome": "acknowledged", "acknowledged_age": 33.0, "smallest_margin": 40.5},
                "enclosure": {
                    "age": 2.0,
                    "dome_open": true,
                    "dome_closed": false,
                    "engineering_mode": false,
                    "plc_acknowledges": true,
                    "plc_heartbeat_error": false,
                    "plc_acknowledged_age": 2.0,
                },
                "network": [{"name": "lco", "up": true}],
            })
        );
    }

    #[test]
    fn the_network_outside_is_called_by_both_names() {
        for name in ["outside", "internet"] {
            let mut snapshot = snapshot();
            snapshot.links = vec![LinkView {
                name: name.to_owned(),
                state: LinkState::Down,
                up: false,
                failures: 3,
            }];
            let network = snapshot.keywords()["network"].clone();
            assert_eq!(
                network,
                json!({"lco": true, "outside": false, "internet": false})
            );
        }
    }

    #[test]
    fn every_status_validates_against_the_schema() {
        let validator = jsonschema::validator_for(&crate::clu::schema::lvmbeat()).unwrap();
        let mut snapshot = snapshot();
        let keywords = Value::Object(snapshot.keywords());
        assert!(validator.is_valid(&keywords), "{keywords}");
        snapshot.hold = None;
        snapshot.relay_box = Some(BoxView::default());
        snapshot.last_emitted_ecp = Some(Timestamp::UNIX_EPOCH);
        snapshot
            .enclosure
            .observe(&Map::new(), Instant::from_secs(99));
        let keywords = Value::Object(snapshot.keywords());
        assert!(validator.is_valid(&keywords), "{keywords}");
    }
}
