//! One thing that happened.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::report::{DrillVerdict, Health};

/// One thing that happened, and when by the wall clock.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub struct Entry {
    /// When, by the actor's wall clock.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened. Times in seconds.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The actor started.
    Started {
        /// Its version.
        version: String,
    },
    /// The actor ended in order: by a signal.
    Stopping,
    /// The health of the whole changed.
    Health {
        /// To this, as `status` names it.
        state: String,
        /// In words.
        text: String,
        /// Everything that is wrong or late, in words.
        #[serde(default)]
        causes: Vec<String>,
    },
    /// The health changed between late and ok again and again, which was counted only.
    Flapped {
        /// It became late so often.
        times: u64,
        /// Since then.
        since: Timestamp,
        /// It is this now.
        state: String,
        /// Everything that was late the last time, in words.
        #[serde(default)]
        causes: Vec<String>,
    },
    /// The dome heartbeat is held from now on, or for other causes than before.
    Held {
        /// The first cause, as `status` names it.
        cause: String,
        /// All causes, in words, the first one first.
        causes: Vec<String>,
    },
    /// The dome heartbeat is released.
    Released {
        /// It had been held for so long.
        held_for: Option<f64>,
    },
    /// Heartbeats to the enclosure end otherwise than before.
    Emissions {
        /// How they end now.
        outcome: String,
        /// Why, if they fail.
        #[serde(default)]
        text: Option<String>,
        /// The run of equal outcomes that is over.
        #[serde(default)]
        before: Option<Run>,
    },
    /// The session with the broker changed.
    Session {
        /// To this, as `status` names it.
        state: String,
        /// In words.
        text: String,
    },
    /// The process was not listening.
    Lapse,
    /// The dome was heard to be this: open, closed, opening, closing, moving (which way is not
    /// known), between, or unknown.
    Dome {
        /// What.
        state: String,
    },
    /// Engineering mode was heard to be on or off, or is not known any more.
    EngineeringMode {
        /// Whether it is on.
        on: Option<bool>,
    },
    /// Nothing was acknowledged for as long as the PLC waits: it closes the dome.
    PlcTimeRanOut {
        /// For so long nothing had been acknowledged, and nobody else can have fed the PLC.
        silence: f64,
    },
    /// The PLC says that it has, or no longer has, missed the heartbeat for its whole time.
    PlcError {
        /// Which of both.
        on: bool,
    },
    /// A drill began, or ended.
    Drill {
        /// `began`, `passed`, `failed` or `aborted`.
        state: String,
        /// In words.
        #[serde(default)]
        text: String,
    },
    /// Written by a later version.
    #[serde(other)]
    Unknown,
}

impl Event {
    pub(super) fn is_passed_drill(&self) -> bool {
        matches!(self, Self::Drill { state, .. } if state == DrillVerdict::Passed.as_str())
    }
}

/// Heartbeats to the enclosure that ended alike, one after the other.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub struct Run {
    /// How they ended.
    pub outcome: String,
    /// How many.
    pub count: u64,
    /// When the first of them ended.
    pub since: Timestamp,
}

/// The longest text that is read back, in characters (X2).
const LONGEST: usize = 1000;

impl Entry {
    /// One line of the file, without its end.
    pub(super) fn line(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// Reads one line.
    pub(super) fn parse(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    /// As JSON, with the words for people.
    pub(crate) fn with_words(&self) -> Value {
        let mut entry = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = entry.as_object_mut() {
            fields.insert("words".to_owned(), self.text().into());
        }
        entry
    }

    /// Logs what nobody else logs, so that the log of a closing reads as the journal does.
    pub(super) fn log(&self) {
        let text = self.text();
        match &self.event {
            Event::PlcTimeRanOut { .. }
            | Event::PlcError { on: true }
            | Event::EngineeringMode { on: Some(true) } => tracing::warn!("{text}"),
            Event::PlcError { on: false } | Event::EngineeringMode { .. } | Event::Dome { .. } => {
                tracing::info!("{text}");
            }
            Event::Health { state, .. } if state == Health::NotArriving.as_str() => {
                tracing::warn!("{text}");
            }
            // A client that beats late each time makes it late and well again.
            Event::Health { .. } | Event::Flapped { .. } => tracing::debug!("{text}"),
            Event::Held { .. }
            | Event::Released { .. }
            | Event::Started { .. }
            | Event::Stopping
            | Event::Emissions { .. }
            | Event::Session { .. }
            | Event::Lapse
            | Event::Drill { .. }
            | Event::Unknown => {}
        }
    }

    /// In words, for a timeline.
    pub fn text(&self) -> String {
        let text = match &self.event {
            Event::Started { version } => format!("lvmbeat {version} started"),
            Event::Stopping => "lvmbeat was stopped".to_owned(),
            // Of the others, other entries say more.
            Event::Health { state, text, .. }
                if matches!(state.as_str(), "late" | "not_arriving") =>
            {
                format!("health {}: {text}", state.replace('_', " "))
            }
            Event::Health { state, .. } => format!("health {}", state.replace('_', " ")),
            Event::Flapped {
                times,
                since,
                state,
                causes,
            } => format!(
                "health late and ok by turns, late {times} more {} in {}; now {state}; at last: {}",
                if *times == 1 { "time" } else { "times" },
                span(self.at.duration_since(*since).as_secs_f64().max(0.0)),
                causes.join("; ")
            ),
            Event::Held { causes, .. } => {
                format!("dome heartbeat held: {}", causes.join("; "))
            }
            Event::Released { held_for } => match held_for {
                Some(seconds) => format!("dome heartbeat released, after {}", span(*seconds)),
                None => "dome heartbeat released".to_owned(),
            },
            Event::Emissions {
                outcome,
                text,
                before,
            } => emissions(outcome, text.as_deref(), before.as_ref(), self.at),
            Event::Session { text, .. } => text.clone(),
            Event::Lapse => {
                "lvmbeat itself was not running for a while; what waited does not count".to_owned()
            }
            Event::Dome { state } => match state.as_str() {
                "unknown" => "the dome's position is no longer known".to_owned(),
                "between" => "dome between open and closed".to_owned(),
                state => format!("dome {state}"),
            },
            Event::EngineeringMode { on } => match on {
                Some(true) => {
                    "engineering mode ON: lvmecp feeds the PLC, whatever lvmbeat decides".to_owned()
                }
                Some(false) => "engineering mode off".to_owned(),
                None => "whether engineering mode is on is no longer known".to_owned(),
            },
            Event::PlcTimeRanOut { silence } => format!(
                "the PLC's time ran out: no heartbeat acknowledged for {}",
                span(*silence)
            ),
            Event::PlcError { on: true } => {
                "the PLC says that it missed the heartbeat for its whole time".to_owned()
            }
            Event::PlcError { on: false } => "the PLC hears the heartbeat again".to_owned(),
            Event::Drill { state, text } if text.is_empty() => format!("drill {state}"),
            Event::Drill { state, text } => format!("drill {state}: {text}"),
            Event::Unknown => "something that only a later version of lvmbeat can tell".to_owned(),
        };
        text.chars().take(LONGEST).collect()
    }
}

fn emissions(outcome: &str, text: Option<&str>, before: Option<&Run>, at: Timestamp) -> String {
    let now = match (outcome, text) {
        ("acknowledged", _) => "heartbeats to the PLC are acknowledged".to_owned(),
        (_, Some(text)) => format!("a heartbeat to the PLC was not acknowledged: {text}"),
        (other, None) => format!(
            "a heartbeat to the PLC was not acknowledged: {}",
            words(other)
        ),
    };
    match before {
        Some(run) => format!(
            "{now}; before that {} {} in {}",
            run.count,
            words(&run.outcome),
            span(at.duration_since(run.since).as_secs_f64().max(0.0))
        ),
        None => now,
    }
}

/// What became of a heartbeat.
fn words(outcome: &str) -> String {
    match outcome {
        "timed_out" => "not answered in time".to_owned(),
        "unroutable" => "for which nobody was there".to_owned(),
        "lost" => "lost with the session".to_owned(),
        other => other.replace('_', " "),
    }
}

/// A length of time as people say it, whole seconds from ten seconds on.
pub(crate) fn span(seconds: f64) -> String {
    if seconds < 10.0 {
        return format!("{seconds:.1} s");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative here; what is too large saturates"
    )]
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes} min {seconds} s"),
        _ => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn every_event() -> Vec<Event> {
        let text = || "words".to_owned();
        vec![
            Event::Started { version: text() },
            Event::Stopping,
            Event::Health {
                state: text(),
                text: text(),
                causes: vec![text()],
            },
            Event::Flapped {
                times: 7,
                since: Timestamp::UNIX_EPOCH,
                state: text(),
                causes: vec![text()],
            },
            Event::Held {
                cause: text(),
                causes: vec![text()],
            },
            Event::Released {
                held_for: Some(1.5),
            },
            Event::Emissions {
                outcome: "timed_out".to_owned(),
                text: None,
                before: Some(Run {
                    outcome: "acknowledged".to_owned(),
                    count: 7,
                    since: Timestamp::UNIX_EPOCH,
                }),
            },
            Event::Session {
                state: text(),
                text: text(),
            },
            Event::Lapse,
            Event::Dome { state: text() },
            Event::EngineeringMode { on: None },
            Event::PlcTimeRanOut { silence: 60.0 },
            Event::PlcError { on: true },
            Event::Drill {
                state: text(),
                text: text(),
            },
        ]
    }

    #[test]
    fn every_event_is_read_back_as_it_was_written() {
        for event in every_event() {
            let entry = Entry {
                at: Timestamp::UNIX_EPOCH,
                event,
            };
            let line = entry.line().unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(Entry::parse(&line), Some(entry), "{line}");
        }
    }

    #[test]
    fn an_event_of_a_later_version_is_shown_as_such() {
        let line = r#"{"at":"2026-01-02T03:04:05Z","event":"moon_fell","size":3}"#;
        let entry = Entry::parse(line).unwrap();
        assert_eq!(entry.event, Event::Unknown);
        assert!(entry.text().contains("later version"));
    }

    #[test]
    fn x2_a_text_of_any_length_is_shown_in_part() {
        let entry = Entry {
            at: Timestamp::UNIX_EPOCH,
            event: Event::Dome {
                state: "x".repeat(100_000),
            },
        };
        assert_eq!(entry.text().chars().count(), LONGEST);
    }

    #[test]
    fn spans_are_said_as_people_say_them() {
        for (seconds, said) in [
            (0.0, "0.0 s"),
            (9.94, "9.9 s"),
            (31.2, "31 s"),
            (61.0, "1 min 1 s"),
            (3720.0, "1 h 2 min"),
        ] {
            assert_eq!(span(seconds), said);
        }
    }
}
