//! What the enclosure says of itself.
//!
//! lvmecp sends itself `status` every 30 s, and the actor overhears what lvmecp answers to anybody:
//! so it knows, without asking, whether the PLC acknowledges the heartbeat, whether the dome is
//! open, and whether engineering mode holds it open in spite of lvmbeat (lvmecp 1.3). Shown only;
//! nothing is decided on it, and nobody else's word counts ([`speaker`]).

use embassy_time::Instant;
use serde_json::{Map, Value, json};

use crate::clock::seconds;
use crate::clu::bus::{Header, Message};
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

/// Whose word a reply is that names the enclosure as its sender, or was published where the
/// enclosure alone should.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Speaker {
    /// The enclosure's: the sender, the routing key and the commander's id fit.
    Enclosure,
    /// Somebody else's, who says that it is the enclosure.
    Stranger,
    /// Somebody else's; or a broadcast, which anybody may send and which tells nothing that is
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
    /// Takes the keywords of one reply of the enclosure. Keywords that are missing or of another
    /// type change nothing (X2).
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
    use jiff::Timestamp;

    use super::*;
    use crate::clu::message::{Code, Keywords, ReplyAddress, encode_reply};

    fn observe(enclosure: &mut Enclosure, keywords: &Value, seconds: u64) {
        enclosure.observe(keywords.as_object().unwrap(), Instant::from_secs(seconds));
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
