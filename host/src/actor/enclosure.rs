//! What the enclosure says of itself.
//!
//! lvmecp sends itself `status` every 30 s, and the actor overhears what lvmecp answers to anybody: so it knows, without
//! asking, whether the PLC acknowledges the heartbeat, whether the dome is open, and whether engineering mode holds it open in
//! spite of lvmbeat (lvmecp 1.3). Shown only; nothing is decided on it.

use embassy_time::Instant;
use serde_json::{Map, Value, json};

use crate::clock::seconds;
use crate::report::EnclosureReport;

/// What is known of the enclosure; nothing until it speaks.
#[derive(Clone, Default, Debug)]
pub struct Enclosure {
    /// When it last said anything.
    pub last_heard: Option<Instant>,
    /// Register `hb_ack`: the PLC sees the heartbeat.
    pub plc_acknowledges: Option<bool>,
    /// Register `hb_error`: the PLC has missed the heartbeat for its whole timeout.
    pub plc_heartbeat_error: Option<bool>,
    /// When the PLC was last heard to acknowledge.
    pub plc_acknowledged_at: Option<Instant>,
    /// Register `dome_open`.
    pub dome_open: Option<bool>,
    /// Register `dome_closed`.
    pub dome_closed: Option<bool>,
    /// Whether lvmecp beats to the PLC by itself, whatever lvmbeat decides.
    pub engineering_mode: Option<bool>,
    heartbeat_ack: Option<String>,
}

impl Enclosure {
    /// Takes the keywords of one reply of the enclosure. Keywords that are missing or of another type change nothing (X2).
    pub fn observe(&mut self, keywords: &Map<String, Value>, now: Instant) {
        self.last_heard = Some(now);
        let register = |name| {
            keywords
                .get("registers")
                .and_then(|registers| registers.get(name))
                .and_then(Value::as_bool)
        };
        let update = |known: &mut Option<bool>, said: Option<bool>| *known = said.or(*known);
        update(&mut self.plc_acknowledges, register("hb_ack"));
        update(&mut self.plc_heartbeat_error, register("hb_error"));
        update(&mut self.dome_open, register("dome_open"));
        update(&mut self.dome_closed, register("dome_closed"));
        let engineering = keywords.get("engineering_mode");
        update(
            &mut self.engineering_mode,
            engineering.and_then(|mode| mode.get("enabled").unwrap_or(mode).as_bool()),
        );
        if register("hb_ack") == Some(true) {
            self.plc_acknowledged_at = Some(now);
        }
        // The time that lvmecp gives is of its own wall clock: that it changes is what counts.
        if let Some(said) = keywords.get("heartbeat_ack").and_then(Value::as_str)
            && self.heartbeat_ack.as_deref() != Some(said)
        {
            self.heartbeat_ack = Some(said.chars().take(64).collect());
            self.plc_acknowledged_at = Some(now);
        }
    }

    /// For the monitor outside; nothing until the enclosure has spoken.
    pub fn report(&self, now: Instant) -> Option<EnclosureReport> {
        let age = |at: Option<Instant>| {
            at.and_then(|at| now.checked_duration_since(at))
                .map(seconds)
        };
        self.last_heard.map(|_| EnclosureReport {
            age: age(self.last_heard),
            dome_open: self.dome_open,
            dome_closed: self.dome_closed,
            engineering_mode: self.engineering_mode,
            plc_acknowledges: self.plc_acknowledges,
            plc_heartbeat_error: self.plc_heartbeat_error,
            plc_acknowledged_age: age(self.plc_acknowledged_at),
        })
    }

    /// For `status`: the same; null until the enclosure has spoken.
    pub fn keywords(&self, now: Instant) -> Value {
        json!(self.report(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observe(enclosure: &mut Enclosure, keywords: &Value, seconds: u64) {
        enclosure.observe(keywords.as_object().unwrap(), Instant::from_secs(seconds));
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
        assert_eq!(enclosure.dome_open, Some(true));
        assert_eq!(enclosure.engineering_mode, Some(true));
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
        assert_eq!(enclosure.dome_open, Some(true));
        assert_eq!(enclosure.engineering_mode, None);
        assert_eq!(enclosure.plc_acknowledged_at, None);
    }
}
