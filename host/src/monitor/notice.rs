//! Notices: one record for each alarm, all-clear and reminder.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::report::{Dome, Health};

/// Numbers the notices of one state file, in the order in which they were raised.
#[derive(
    Serialize, Deserialize, ToSchema, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug,
)]
#[serde(transparent)]
pub struct NoticeId(pub u64);

/// One notification. It is on disk before it is delivered (M2).
#[derive(Serialize, Deserialize, ToSchema, Clone, PartialEq, Debug)]
pub struct Notice {
    /// Its number.
    pub id: NoticeId,
    /// The outage that it is about: each alarm begins one, and its reminders and its all-clear
    /// have the same, so that they become one thread.
    pub incident: Uuid,
    /// When it was raised, by the wall clock: for showing only.
    pub raised: Timestamp,
    /// What it says.
    pub event: Event,
}

/// What happened.
#[derive(Serialize, Deserialize, ToSchema, Clone, PartialEq, Debug)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// The observatory is silent.
    Down(Silence),
    /// It is still silent.
    Reminder(Silence),
    /// It is heard again, or somebody says that all is well.
    Up(Silence),
    /// The time is over for which alarms were disabled.
    EnabledAgain,
    /// The PLC gets no heartbeat, and the dome is not known to be closed.
    Held(Box<Trouble>),
    /// That goes on.
    HeldReminder(Box<Trouble>),
    /// That is over.
    Released(Box<Trouble>),
    /// The message that is sent from time to time, so that a dead channel is noticed.
    Test,
    /// What happened since the last one.
    Summary(Summary),
}

/// What happened since the last summary.
#[derive(Serialize, Deserialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Since when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// Alarms because the observatory was silent.
    pub silences: u32,
    /// Alarms because the dome was about to close.
    pub held: u32,
    /// Incidents that are open.
    pub open: usize,
    /// When the observatory was last heard.
    pub last_seen: Option<Timestamp>,
    /// Channels that fail.
    pub failing: usize,
}

impl Event {
    /// It is of an incident, and not by itself.
    pub(super) fn is_of_incident(&self) -> bool {
        !matches!(self, Self::EnabledAgain | Self::Test | Self::Summary(_))
    }

    /// Its incident is over.
    pub(super) fn is_end(&self) -> bool {
        matches!(self, Self::Up(_) | Self::Released(_))
    }

    /// It is about a dome that is about to close.
    pub(super) fn is_trouble(&self) -> bool {
        match self {
            Self::Held(_) | Self::HeldReminder(_) | Self::Released(_) => true,
            Self::Down(_)
            | Self::Reminder(_)
            | Self::Up(_)
            | Self::EnabledAgain
            | Self::Test
            | Self::Summary(_) => false,
        }
    }
}

/// A dome that closes, or is about to. What it says is as of when the notice was raised.
#[derive(Serialize, Deserialize, ToSchema, Clone, PartialEq, Debug)]
pub struct Trouble {
    /// How the whole was, in one word.
    pub health: Health,
    /// When it began.
    pub began: Timestamp,
    /// How long it has lasted, in seconds.
    pub lasted: f64,
    /// When the actor last reported.
    pub reported: Timestamp,
    /// Why, at that time.
    pub causes: Vec<Cause>,
    /// Why, all the time.
    pub all_causes: Vec<Cause>,
    /// When the PLC closes the dome at the latest, if nothing arrives before.
    pub plc_closes: Option<Timestamp>,
    /// Where the dome was, if that was known.
    pub dome: Option<Dome>,
    /// Since when that was not known.
    pub dome_unknown_since: Option<Timestamp>,
    /// Whether engineering mode kept the dome open whatever lvmbeat decided.
    pub engineering_mode: Option<bool>,
    /// What the dome did.
    pub moves: Vec<Moved>,
    /// Since when it was over.
    pub ended: Option<Timestamp>,
}

/// One cause.
#[derive(Serialize, Deserialize, ToSchema, Clone, PartialEq, Eq, Debug)]
pub struct Cause {
    /// What it is about: `overwatcher`; may be empty.
    pub what: String,
    /// What is the matter with it: `silent 31 s`.
    pub text: String,
}

/// The dome was heard to be elsewhere.
#[derive(Serialize, Deserialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moved {
    /// When.
    pub at: Timestamp,
    /// Where; nothing: that was not known any more.
    pub dome: Option<Dome>,
}

/// Causes that one incident keeps.
const MOST_CAUSES: usize = 64;

impl Cause {
    pub(super) fn new(what: &str, text: &str) -> Self {
        Self {
            what: what.to_owned(),
            text: text.to_owned(),
        }
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.what.is_empty() {
            return f.write_str(&self.text);
        }
        write!(f, "{} {}", self.what, self.text)
    }
}

impl Trouble {
    /// Nothing is known of it yet but this.
    pub(super) fn begins(began: Timestamp, health: Health) -> Self {
        Self {
            health,
            began,
            lasted: 0.0,
            reported: began,
            causes: Vec::new(),
            all_causes: Vec::new(),
            plc_closes: None,
            dome: None,
            dome_unknown_since: None,
            engineering_mode: None,
            moves: Vec::new(),
            ended: None,
        }
    }

    /// What is a cause now was one; of one thing the latest is kept.
    pub(super) fn remember(&mut self) {
        for cause in &self.causes {
            let same = |known: &Cause| {
                known.what == cause.what && (!cause.what.is_empty() || known.text == cause.text)
            };
            if let Some(place) = self.all_causes.iter().position(same) {
                self.all_causes[place].text.clone_from(&cause.text);
            } else if self.all_causes.len() < MOST_CAUSES {
                self.all_causes.push(cause.clone());
            }
        }
    }

    /// The words of others in it.
    pub(super) fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let causes = self.causes.iter_mut().chain(&mut self.all_causes);
        causes.flat_map(|cause| [&mut cause.what, &mut cause.text])
    }
}

/// The silence that a notice is about.
#[derive(Serialize, Deserialize, ToSchema, Clone, PartialEq, Debug)]
pub struct Silence {
    /// The last beat before it, by the wall clock; none if there never was one.
    pub last_seen: Option<Timestamp>,
    /// How much of it was observed, in seconds (M3). It may have lasted longer.
    pub observed: f64,
    /// Somebody asked for this notice by hand.
    pub by_hand: bool,
    /// What the observatory last said: why the dome heartbeat was held, if something was wrong.
    pub last_hold: Option<String>,
    /// What the observatory last said: where the dome was, if that was known.
    #[serde(default)]
    pub dome: Option<Dome>,
    /// Since when that was not known, by the wall clock.
    #[serde(default)]
    pub dome_unknown_since: Option<Timestamp>,
    /// Of an all-clear: when it was heard again.
    #[serde(default)]
    pub heard_again: Option<Timestamp>,
    /// How often it fell silent again before it was heard for long enough.
    #[serde(default)]
    pub relapses: u32,
    /// The actor's farewell, if nothing was heard after that: `stopped by SIGTERM`.
    #[serde(default)]
    pub stopped: Option<String>,
    /// What the observatory last said: whether the dome was open.
    pub dome_open: Option<bool>,
    /// What the observatory last said: whether engineering mode held the dome open whatever
    /// lvmbeat decides.
    pub engineering_mode: Option<bool>,
}

impl Silence {
    /// Where the dome was. Notices of earlier versions say only whether it was open.
    pub(super) fn dome(&self) -> Option<Dome> {
        self.dome
            .or_else(|| (self.dome_open == Some(true)).then_some(Dome::Open))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_of_an_earlier_version_says_no_more_of_the_dome_than_it_knew() {
        for (open, dome) in [("true", Some(Dome::Open)), ("false", None), ("null", None)] {
            let saved = format!(
                r#"{{"last_seen": null, "observed": 1.0, "by_hand": false, "last_hold": null, "dome_open": {open}, "engineering_mode": null}}"#
            );
            let silence: Silence = serde_json::from_str(&saved).unwrap();
            assert_eq!(silence.dome(), dome, "{open}");
        }
    }
}
