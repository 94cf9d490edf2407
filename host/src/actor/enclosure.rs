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
    if by_key && by_sender && is("commander_id", commander) && message.detour().is_none() {
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

    /// The PLC's time runs out at that moment, if it does; to be called several times a second.
    /// What was said before that of a dome that is not closed, or of a PLC that is fed, is then not
    /// known any more.
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
mod tests;
