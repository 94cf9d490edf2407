//! Notices: one record for each alarm, all-clear and reminder.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::report::Dome;

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
