//! What the enclosure says of itself.
//!
//! lvmecp sends itself `status` every 30 s, and the actor overhears what lvmecp answers to anybody:
//! so it knows, without asking, whether the PLC acknowledges the heartbeat, whether the dome is
//! open, and whether engineering mode holds it open in spite of lvmbeat (lvmecp 1.3). Shown only;
//! nothing is decided on it, and nobody else's word counts ([`speaker`]).

use std::time::Duration;

use embassy_time::Instant;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::health::PlcError;
use crate::clock::{Moment, seconds};
use crate::clu::bus::{Header, Message};
use crate::config::{DEFAULT_FACTS_EXPIRE, core_duration};
use crate::report::{Dome, EnclosureReport};

mod said;

use said::{Voice, dome_said, opening_said};

/// What is known of the enclosure. Each fact has an age of its own, and ends as unknown.
#[derive(Clone, Debug)]
pub struct Enclosure {
    expire: embassy_time::Duration,
    /// The PLC's time runs out then, or ran out, if nobody feeds it.
    runs_out: Option<Instant>,
    /// It ran out then, for the last time.
    ran_out: Option<Instant>,
    /// When it last said anything.
    pub last_heard: Option<Instant>,
    /// When the PLC was last heard to acknowledge.
    pub plc_acknowledged_at: Option<Instant>,
    plc_acknowledges: Option<Fact<bool>>,
    plc_heartbeat_error: Option<Fact<bool>>,
    /// It has been said to be as it is since then.
    plc_error_since: Option<Instant>,
    engineering_mode: Option<Fact<bool>>,
    /// `None` inside: what was said contradicts itself.
    dome: Option<Fact<Option<Dome>>>,
    /// Which way the drive turns, if it does.
    opening: Option<Fact<bool>>,
    heartbeat_ack: Option<String>,
}

/// What was said, and when it was itself last said.
#[derive(Clone, Copy, Debug)]
struct Fact<T> {
    value: T,
    said: Moment,
}

impl Default for Enclosure {
    fn default() -> Self {
        Self::new(DEFAULT_FACTS_EXPIRE)
    }
}

/// Whose word a reply is that names the enclosure as its sender, or was published where the
/// enclosure alone should.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Speaker {
    /// The enclosure's: the sender, the routing key and the commander's id fit.
    Enclosure,
    /// Somebody else's, who says that it is the enclosure.
    Stranger,
    /// Somebody else's; or a broadcast, which anybody may send and which says nothing that is
    /// needed.
    Other,
}

/// Who speaks in that message, if the enclosure is called `ecp`.
pub(super) fn speaker(message: &Message, ecp: &str) -> Speaker {
    let is = |name: &str, value: &str| matches!(message.headers.get(name), Some(Header::Text(text)) if text == value);
    let commander = message.routing_key.strip_prefix("reply.");
    let commander = commander.unwrap_or_default();
    let by_key = commander
        .strip_suffix(ecp)
        .is_some_and(|client| client.ends_with('.'));
    let by_sender = is("sender", ecp);
    if by_key && by_sender && is("commander_id", commander) && !message.from_elsewhere {
        Speaker::Enclosure
    } else if by_key || by_sender && commander != "broadcast" {
        Speaker::Stranger
    } else {
        Speaker::Other
    }
}

impl Enclosure {
    /// Nothing is known until the enclosure speaks, and nothing `expire` after it was last said.
    pub fn new(expire: Duration) -> Self {
        Self {
            expire: core_duration(expire),
            runs_out: None,
            ran_out: None,
            last_heard: None,
            plc_acknowledged_at: None,
            plc_acknowledges: None,
            plc_heartbeat_error: None,
            plc_error_since: None,
            engineering_mode: None,
            dome: None,
            opening: None,
            heartbeat_ack: None,
        }
    }

    /// Takes the keywords of one reply of the enclosure. Keywords that are missing or of another
    /// type change nothing (X2), and renew nothing.
    pub(crate) fn observe(&mut self, keywords: &Map<String, Value>, at: Moment) {
        self.last_heard = Some(at.now);
        let register = |name| {
            keywords
                .get("registers")
                .and_then(|registers| registers.get(name))
                .and_then(Value::as_bool)
        };
        let update = |known: &mut Option<Fact<bool>>, said: Option<bool>| {
            *known = said.map(|value| Fact { value, said: at }).or(*known);
        };
        update(&mut self.plc_acknowledges, register("hb_ack"));
        if self.plc_heartbeat_error(at.now) != register("hb_error")
            && register("hb_error").is_some()
        {
            self.plc_error_since = Some(at.now);
        }
        update(&mut self.plc_heartbeat_error, register("hb_error"));
        let engineering = keywords.get("engineering_mode");
        update(
            &mut self.engineering_mode,
            engineering.and_then(|mode| mode.get("enabled").unwrap_or(mode).as_bool()),
        );
        update(&mut self.opening, opening_said(keywords));
        let known = self.dome(at.now);
        // That the dome is not where it is not known to be says nothing new.
        let voice = dome_said(keywords).filter(|voice| !known.is_some_and(|it| voice.fits(it)));
        if let Some(voice) = voice {
            let value = match voice {
                Voice::Is(dome) => Some(dome),
                Voice::IsNot(_) | Voice::Unclear => None,
            };
            let was_unknown = self.dome.filter(|fact| fact.value.is_none());
            // It is unknown since the first contradiction.
            self.dome = was_unknown
                .filter(|_| value.is_none())
                .or(Some(Fact { value, said: at }));
        }
        if register("hb_ack") == Some(true) {
            self.plc_acknowledged_at = Some(at.now);
        }
        // The time that lvmecp gives is of its own wall clock: that it changes is what counts.
        if let Some(said) = keywords.get("heartbeat_ack").and_then(Value::as_str)
            && self.heartbeat_ack.as_deref() != Some(said)
        {
            self.heartbeat_ack = Some(said.chars().take(64).collect());
            self.plc_acknowledged_at = Some(at.now);
        }
    }

    /// The PLC's time runs out at that moment, if it does; to be called several times a second. What
    /// was said before that of a dome that is not closed, or of a PLC that is fed, is then not known
    /// any more.
    pub(super) fn plc_runs_out(&mut self, at: Option<Instant>, now: Instant) {
        self.runs_out = at;
        self.ran_out = at.filter(|at| *at <= now).or(self.ran_out);
    }

    fn known<T: Copy>(&self, fact: Option<Fact<T>>, now: Instant) -> Option<T> {
        let age = |fact: &Fact<T>| now.checked_duration_since(fact.said.now);
        fact.filter(|fact| age(fact).is_some_and(|age| age < self.expire))
            .map(|fact| fact.value)
    }

    /// The same of a fact that the running out of the PLC's time changes, unless it is this.
    fn known_since<T: Copy + PartialEq>(
        &self,
        fact: Option<Fact<T>>,
        unless: T,
        now: Instant,
    ) -> Option<T> {
        let ran_out = self.runs_out.filter(|at| *at <= now).or(self.ran_out);
        let lasts = |fact: &Fact<T>| {
            fact.value == unless || ran_out.is_none_or(|ran_out| fact.said.now >= ran_out)
        };
        self.known(fact.filter(lasts), now)
    }

    /// The dome's position, if it is known.
    pub fn dome(&self, now: Instant) -> Option<Dome> {
        self.known_since(self.dome, Some(Dome::Closed), now)
            .flatten()
    }

    /// Whether the dome is driven open (`true`) or closed, if it is driven and that is known.
    pub fn dome_opening(&self, now: Instant) -> Option<bool> {
        let moves = self.dome(now) == Some(Dome::Moving);
        self.known(self.opening, now).filter(|_| moves)
    }

    /// Since when the dome's position is not known; `None` also if it never was.
    pub fn dome_unknown_since(&self, now: Instant) -> Option<Timestamp> {
        let fact = self.dome.filter(|_| self.dome(now).is_none());
        fact.map(|fact| fact.said.wall)
    }

    /// Time since the dome's position was last said.
    pub fn dome_age(&self, now: Instant) -> Option<f64> {
        fact_age(self.dome, now)
    }

    /// Register `hb_ack`: the PLC sees the heartbeat.
    pub fn plc_acknowledges(&self, now: Instant) -> Option<bool> {
        self.known_since(self.plc_acknowledges, false, now)
    }

    /// Register `hb_error`: the PLC has missed the heartbeat for its whole timeout.
    pub fn plc_heartbeat_error(&self, now: Instant) -> Option<bool> {
        self.known_since(self.plc_heartbeat_error, true, now)
    }

    /// The same, with the times at which it was said.
    pub(super) fn plc_error(&self, now: Instant) -> Option<PlcError> {
        let on = self.plc_heartbeat_error(now)?;
        let said = self.plc_heartbeat_error?.said.now;
        let since = self.plc_error_since.unwrap_or(said);
        Some(PlcError { on, since, said })
    }

    /// Whether lvmecp beats to the PLC by itself, whatever lvmbeat decides.
    pub fn engineering_mode(&self, now: Instant) -> Option<bool> {
        self.known(self.engineering_mode, now)
    }

    /// When each fact was itself last said.
    pub(super) fn said(&self) -> [(&'static str, Option<Timestamp>); 4] {
        let of = |fact: Option<Fact<bool>>| fact.map(|fact| fact.said.wall);
        [
            ("dome", self.dome.map(|fact| fact.said.wall)),
            ("engineering_mode", of(self.engineering_mode)),
            ("plc_acknowledges", of(self.plc_acknowledges)),
            ("plc_heartbeat_error", of(self.plc_heartbeat_error)),
        ]
    }

    /// For the monitor outside; nothing until the enclosure has spoken.
    pub fn report(&self, now: Instant) -> Option<EnclosureReport> {
        let dome = self.dome(now);
        self.last_heard.map(|_| EnclosureReport {
            age: age(self.last_heard, now),
            dome,
            dome_age: self.dome_age(now),
            facts_expire: Some(seconds(self.expire)),
            dome_open: dome.and_then(Dome::is_open),
            dome_closed: dome.map(|dome| dome == Dome::Closed),
            engineering_mode: self.engineering_mode(now),
            engineering_mode_age: fact_age(self.engineering_mode, now),
            plc_acknowledges: self.plc_acknowledges(now),
            plc_acknowledges_age: fact_age(self.plc_acknowledges, now),
            plc_heartbeat_error: self.plc_heartbeat_error(now),
            plc_heartbeat_error_age: fact_age(self.plc_heartbeat_error, now),
            plc_acknowledged_age: age(self.plc_acknowledged_at, now),
        })
    }

    /// For `status`: the same, and since when the dome is unknown; null until the enclosure has
    /// spoken.
    pub fn keywords(&self, now: Instant) -> Value {
        let mut keywords = json!(self.report(now));
        if let Some(keywords) = keywords.as_object_mut() {
            let since = self.dome_unknown_since(now);
            let since = since.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
            keywords.insert("dome_unknown_since".to_owned(), since.into());
        }
        keywords
    }
}

fn age(at: Option<Instant>, now: Instant) -> Option<f64> {
    at.and_then(|at| now.checked_duration_since(at))
        .map(seconds)
}

fn fact_age<T>(fact: Option<Fact<T>>, now: Instant) -> Option<f64> {
    age(fact.map(|fact| fact.said.now), now)
}

#[cfg(test)]
mod tests {
    use super::said::LONGEST_STATUS;
    use super::*;
    use crate::clu::message::{Code, Keywords, ReplyAddress, encode_reply};

    fn observe(enclosure: &mut Enclosure, keywords: &Value, seconds: u64) {
        enclosure.observe(keywords.as_object().unwrap(), at(seconds));
    }

    fn at(seconds: u64) -> Moment {
        Moment {
            now: Instant::from_secs(seconds),
            wall: Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap(),
        }
    }

    fn after(seconds: u64) -> Instant {
        Instant::from_secs(seconds)
    }

    #[test]
    fn every_keyword_that_says_where_the_dome_is_is_taken() {
        // As lvmecp and its stand-in write them.
        for (says, dome) in [
            (
                json!({"registers": {"dome_open": true, "dome_closed": false, "drive_enabled": false}}),
                Some(Dome::Open),
            ),
            (
                json!({"registers": {"dome_open": false, "dome_closed": true}}),
                Some(Dome::Closed),
            ),
            (
                json!({"registers": {"dome_open": false, "dome_closed": false}}),
                Some(Dome::Between),
            ),
            (
                json!({"registers": {"dome_open": false, "dome_closed": true, "drive_enabled": true}}),
                Some(Dome::Moving),
            ),
            (json!({"dome_status": "0x8001"}), Some(Dome::Open)),
            (json!({"dome_status": 0x8002}), Some(Dome::Closed)),
            (json!({"dome_status": "0x8074"}), Some(Dome::Moving)),
            (json!({"dome_status": "0x8010"}), Some(Dome::Between)),
            (
                json!({"dome_status_labels": "OPEN,DRIVE_AVAILABLE"}),
                Some(Dome::Open),
            ),
            (
                json!({"dome_status_labels": "CLOSED, DRIVE_AVAILABLE"}),
                Some(Dome::Closed),
            ),
            (
                json!({"dome_status_labels": "MOVING,POSITION_UNKNOWN,DRIVE_ENABLED,MOTOR_OPENING"}),
                Some(Dome::Moving),
            ),
            (
                json!({"dome_status": "0x8001", "dome_status_labels": "OPEN,DRIVE_AVAILABLE"}),
                Some(Dome::Open),
            ),
            // Contradictions, and where it is not.
            (
                json!({"registers": {"dome_open": true, "dome_closed": true}}),
                None,
            ),
            (json!({"dome_status": "0x8003"}), None),
            (json!({"registers": {"dome_open": false}}), None),
            (
                json!({"dome_status": "0x8001", "dome_status_labels": "CLOSED,DRIVE_AVAILABLE"}),
                None,
            ),
        ] {
            let mut enclosure = Enclosure::default();
            observe(&mut enclosure, &says, 10);
            assert_eq!(enclosure.dome(after(11)), dome, "{says}");
            let since = enclosure.dome_unknown_since(after(11));
            assert_eq!(since.is_none(), dome.is_some(), "{says}");
        }
    }

    #[test]
    fn a_reply_that_says_nothing_of_the_dome_does_not_renew_it() {
        let mut enclosure = Enclosure::default();
        observe(
            &mut enclosure,
            &json!({"dome_status": "0x8002", "engineering_mode": false}),
            10,
        );
        for second in 11..100 {
            let says = json!({"registers": {"hb_ack": true}, "dome_status": "0x8000", "dome_status_labels": "DRIVE_AVAILABLE", "text": "pong"});
            observe(&mut enclosure, &says, second);
        }
        let report = enclosure.report(after(99)).unwrap();
        assert_eq!(
            (report.dome, report.dome_closed),
            (Some(Dome::Closed), Some(true))
        );
        // It is unknown since it was last said, not since it expired.
        let now = after(100);
        let report = enclosure.report(now).unwrap();
        assert_eq!(
            (report.dome, report.dome_open, report.dome_closed),
            (None, None, None)
        );
        assert_eq!(report.dome_age, Some(90.0));
        assert_eq!(report.engineering_mode, None);
        assert_eq!(report.plc_acknowledges, Some(true));
        assert_eq!(enclosure.dome_unknown_since(now), Some(at(10).wall));
        let keywords = enclosure.keywords(now);
        assert_eq!(keywords["dome_unknown_since"], "1970-01-01T00:00:10Z");
        assert_eq!(keywords["dome"], Value::Null);
    }

    #[test]
    fn a_keyword_that_says_only_where_the_dome_is_not_takes_nothing_back_and_renews_nothing() {
        let not_open = json!({"registers": {"hb_ack": true, "dome_open": false}});
        let mut enclosure = Enclosure::default();
        observe(
            &mut enclosure,
            &json!({"registers": {"dome_open": false}, "dome_status_labels": "CLOSED"}),
            10,
        );
        assert_eq!(enclosure.dome(after(10)), Some(Dome::Closed));
        observe(&mut enclosure, &not_open, 50);
        assert_eq!(enclosure.dome(after(50)), Some(Dome::Closed));
        assert_eq!(enclosure.dome(after(100)), None);
        // An open dome that is said not to be open is anywhere.
        observe(&mut enclosure, &json!({"dome_status": "0x1"}), 110);
        observe(&mut enclosure, &not_open, 111);
        assert_eq!(enclosure.dome(after(111)), None);
        let contradiction = json!({"registers": {"dome_open": false}, "dome_status": "0x1"});
        observe(&mut enclosure, &contradiction, 112);
        assert_eq!(enclosure.dome(after(112)), None);
    }

    #[test]
    fn which_way_the_dome_moves_is_taken_from_every_keyword_that_says_it() {
        for (says, opening) in [
            (json!({"dome_status": "0x8074"}), Some(false)),
            (json!({"dome_status": "0x80b4"}), Some(true)),
            (
                json!({"dome_status_labels": "MOVING,DRIVE_ENABLED,MOTOR_CLOSING"}),
                Some(false),
            ),
            (
                json!({"registers": {"dome_open": false, "dome_closed": false, "drive_enabled": true, "motor_direction": true}}),
                Some(true),
            ),
            (json!({"dome_status": "0x8004"}), None),
            // It does not move.
            (json!({"dome_status": "0x8041"}), None),
        ] {
            let mut enclosure = Enclosure::default();
            observe(&mut enclosure, &says, 10);
            assert_eq!(enclosure.dome_opening(after(10)), opening, "{says}");
            assert_eq!(enclosure.dome_opening(after(100)), None, "{says}");
        }
    }

    #[test]
    fn x2_a_status_of_more_than_512_bytes_says_nothing() {
        for (labels, known) in [("OPEN", true), ("DRIVE_AVAILABLE,OPEN", true)] {
            let mut said = labels.to_owned();
            said.extend(std::iter::repeat_n(' ', LONGEST_STATUS - labels.len()));
            for (said, known) in [(said.clone(), known), (said + " ", false)] {
                let mut enclosure = Enclosure::default();
                observe(&mut enclosure, &json!({"dome_status_labels": said}), 10);
                let dome = enclosure.dome(after(10));
                assert_eq!(dome.is_some(), known, "{} bytes", said.len());
            }
        }
        let bits = |zeros: usize| json!({"dome_status": format!("0x{}1", "0".repeat(zeros))});
        let mut enclosure = Enclosure::default();
        observe(&mut enclosure, &bits(LONGEST_STATUS - 2), 10);
        assert_eq!(enclosure.dome(after(10)), None);
        observe(&mut enclosure, &bits(LONGEST_STATUS - 3), 10);
        assert_eq!(enclosure.dome(after(10)), Some(Dome::Open));
    }

    #[test]
    fn a_dome_that_moves_is_neither_said_to_be_open_nor_closed() {
        let mut enclosure = Enclosure::default();
        observe(&mut enclosure, &json!({"dome_status": "0x80a6"}), 10);
        let report = enclosure.report(after(10)).unwrap();
        assert_eq!((report.dome_open, report.dome_closed), (None, Some(false)));
    }

    #[test]
    fn what_the_plc_does_when_its_time_runs_out_is_not_known_from_before() {
        let runs_out = Some(after(60));
        for (dome, closed) in [
            ("0x1", false),
            ("0x84", false),
            ("0x10", false),
            ("0x2", true),
        ] {
            let mut enclosure = Enclosure::default();
            let registers = json!({"hb_ack": true, "hb_error": false});
            observe(
                &mut enclosure,
                &json!({"dome_status": dome, "registers": registers}),
                30,
            );
            enclosure.plc_runs_out(runs_out, after(59));
            assert!(enclosure.dome(after(59)).is_some(), "{dome}");
            assert_eq!(enclosure.plc_heartbeat_error(after(59)), Some(false));
            // A dome that was closed stays closed.
            let known = |second| enclosure.dome(after(second)).is_some();
            assert_eq!(known(60), closed, "{dome}");
            assert_eq!(enclosure.plc_heartbeat_error(after(60)), None);
            assert_eq!(enclosure.plc_acknowledges(after(60)), None);
            let since = enclosure.dome_unknown_since(after(60));
            assert_eq!(since, (!closed).then(|| at(30).wall));
            // A heartbeat after that does not say where it is.
            enclosure.plc_runs_out(runs_out, after(60));
            enclosure.plc_runs_out(Some(after(125)), after(65));
            assert_eq!(enclosure.dome(after(65)).is_some(), closed, "{dome}");
            let registers = json!({"hb_ack": true, "hb_error": false});
            observe(
                &mut enclosure,
                &json!({"dome_status": "0x84", "registers": registers}),
                66,
            );
            assert_eq!(enclosure.dome(after(66)), Some(Dome::Moving));
            assert_eq!(enclosure.plc_heartbeat_error(after(66)), Some(false));
        }
        // What the PLC says of that itself goes on.
        let mut enclosure = Enclosure::default();
        let registers = json!({"hb_ack": false, "hb_error": true});
        observe(&mut enclosure, &json!({"registers": registers}), 30);
        enclosure.plc_runs_out(runs_out, after(61));
        assert_eq!(enclosure.plc_heartbeat_error(after(61)), Some(true));
        assert_eq!(enclosure.plc_acknowledges(after(61)), Some(false));
    }

    #[test]
    fn a_dome_is_unknown_since_the_first_contradiction() {
        let mut enclosure = Enclosure::default();
        for (status, second) in [("0x1", 10), ("0x3", 20), ("0x3", 30)] {
            observe(&mut enclosure, &json!({"dome_status": status}), second);
        }
        assert_eq!(enclosure.dome_unknown_since(after(30)), Some(at(20).wall));
    }

    #[test]
    fn x2_the_enclosures_word_is_what_it_alone_can_have_published() {
        let address = ReplyAddress {
            commander_id: Some("gort.x.lvmecp".to_owned()),
            ..ReplyAddress::default()
        };
        let (body, wall) = (Keywords::new(), Timestamp::UNIX_EPOCH);
        let message = encode_reply("lvmecp", &address, Code::Info, &body, wall);
        assert_eq!(speaker(&message, "lvmecp"), Speaker::Enclosure);
        assert_eq!(speaker(&message, "ecp"), Speaker::Other);
        let text = |text: &str| Header::Text(text.to_owned());
        let forged = |forge: &dyn Fn(&mut Message)| {
            let mut message = message.clone();
            forge(&mut message);
            speaker(&message, "lvmecp")
        };
        let header = |name: &str, value: Option<&str>| {
            forged(&|message: &mut Message| {
                message.headers.remove(name);
                if let Some(value) = value {
                    message.headers.insert(name.to_owned(), text(value));
                }
            })
        };
        let key =
            |key: &str| forged(&|message: &mut Message| key.clone_into(&mut message.routing_key));
        assert_eq!(header("sender", Some("gort")), Speaker::Stranger);
        assert_eq!(header("sender", None), Speaker::Stranger);
        assert_eq!(header("commander_id", Some("x.lvmecp")), Speaker::Stranger);
        assert_eq!(header("commander_id", None), Speaker::Stranger);
        assert_eq!(key("reply.gort.x.lvmbeat"), Speaker::Stranger);
        assert_eq!(key("lvmbeat_replies"), Speaker::Stranger);
        let elsewhere = forged(&|message| message.from_elsewhere = true);
        assert_eq!(elsewhere, Speaker::Stranger);
        // CLU's actors broadcast, too, and anybody may.
        assert_eq!(key("reply.broadcast"), Speaker::Other);
    }

    #[test]
    fn the_registers_of_a_status_reply_are_taken() {
        let mut enclosure = Enclosure::default();
        let registers = json!({"hb_set": false, "hb_ack": true, "hb_error": false, "dome_open": true, "dome_closed": false});
        observe(
            &mut enclosure,
            &json!({"registers": registers, "engineering_mode": {"enabled": true}}),
            10,
        );
        assert_eq!(enclosure.dome(after(10)), Some(Dome::Open));
        assert_eq!(enclosure.engineering_mode(after(10)), Some(true));
        assert_eq!(enclosure.plc_acknowledged_at, Some(Instant::from_secs(10)));
    }

    #[test]
    fn a_time_of_acknowledgement_counts_when_it_changes() {
        let mut enclosure = Enclosure::default();
        observe(
            &mut enclosure,
            &json!({"heartbeat_ack": "2026-01-01T00:00:00Z"}),
            1,
        );
        observe(
            &mut enclosure,
            &json!({"heartbeat_ack": "2026-01-01T00:00:00Z"}),
            2,
        );
        assert_eq!(enclosure.plc_acknowledged_at, Some(Instant::from_secs(1)));
        observe(
            &mut enclosure,
            &json!({"heartbeat_ack": "2026-01-01T00:00:30Z"}),
            3,
        );
        assert_eq!(enclosure.plc_acknowledged_at, Some(Instant::from_secs(3)));
    }

    #[test]
    fn x2_keywords_of_other_types_change_nothing() {
        let mut enclosure = Enclosure::default();
        observe(
            &mut enclosure,
            &json!({"registers": {"dome_open": true}}),
            1,
        );
        observe(
            &mut enclosure,
            &json!({"registers": [1, 2], "engineering_mode": "yes", "heartbeat_ack": null}),
            2,
        );
        assert_eq!(enclosure.dome(after(2)), Some(Dome::Open));
        assert_eq!(enclosure.engineering_mode(after(2)), None);
        assert_eq!(enclosure.plc_acknowledged_at, None);
    }
}
