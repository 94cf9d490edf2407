//! What the enclosure says of itself, with the ages of what it said.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// Where the dome was heard to be.
#[derive(Serialize, Deserialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Dome {
    /// At its upper switch, and at rest.
    Open,
    /// At its lower switch, and at rest.
    Closed,
    /// Driven.
    Moving,
    /// At rest, and at neither switch.
    Between,
}

impl Dome {
    /// Every position.
    pub const ALL: [Self; 4] = [Self::Open, Self::Closed, Self::Moving, Self::Between];

    /// As `status` and metrics name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Moving => "moving",
            Self::Between => "between",
        }
    }

    /// In words for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Between => "between open and closed",
            Self::Open | Self::Closed | Self::Moving => self.as_str(),
        }
    }

    /// Whether it is open; a dome that moves may be at either end.
    pub(crate) fn is_open(self) -> Option<bool> {
        match self {
            Self::Open => Some(true),
            Self::Closed | Self::Between => Some(false),
            Self::Moving => None,
        }
    }
}

/// A position that a later version names is not known here; the report counts all the same.
fn dome_or_nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Dome>, D::Error> {
    let name = Option::<String>::deserialize(deserializer)?;
    Ok(name.and_then(|name| Dome::ALL.into_iter().find(|dome| dome.as_str() == name)))
}

/// What the enclosure says of itself.
#[derive(Serialize, Deserialize, ToSchema, Clone, PartialEq, Default, Debug)]
#[serde(default)]
pub struct EnclosureReport {
    /// Time since it last said anything.
    pub age: Option<f64>,
    /// Where the dome is; nothing if that is not known (any more).
    #[serde(deserialize_with = "dome_or_nothing")]
    pub dome: Option<Dome>,
    /// Time since that was last said; if it is not known, it is unknown for so long.
    pub dome_age: Option<f64>,
    /// What was not said for so long is not known any more.
    pub facts_expire: Option<f64>,
    /// The dome is open; nothing while it moves or is not known.
    pub dome_open: Option<bool>,
    /// The dome is closed. Neither of both: it is in between.
    pub dome_closed: Option<bool>,
    /// Engineering mode: `lvmecp` beats to the PLC by itself, whatever lvmbeat decides.
    pub engineering_mode: Option<bool>,
    /// Time since that was last said.
    pub engineering_mode_age: Option<f64>,
    /// The PLC sees the heartbeat.
    pub plc_acknowledges: Option<bool>,
    /// Time since that was last said.
    pub plc_acknowledges_age: Option<f64>,
    /// The PLC has missed the heartbeat for its whole timeout.
    pub plc_heartbeat_error: Option<bool>,
    /// Time since that was last said.
    pub plc_heartbeat_error_age: Option<f64>,
    /// Time since the PLC was last heard to acknowledge.
    pub plc_acknowledged_age: Option<f64>,
}

/// So many seconds before that time, if there is such a time (X2).
pub(crate) fn before(at: Timestamp, seconds: f64) -> Option<Timestamp> {
    let span = SignedDuration::try_from_secs_f64(seconds).ok()?;
    at.checked_sub(span).ok()
}

/// An actor that does not say when its facts expire sends no ages of them either.
pub(crate) const FACTS_EXPIRE: f64 = 90.0;

impl EnclosureReport {
    /// Where the dome is so many seconds after the report, if that is known then, and how long ago
    /// it was last said.
    pub(crate) fn dome_after(&self, seconds: f64) -> (Option<Dome>, Option<f64>) {
        // An earlier actor says only what the switches say.
        let said = self.dome.or(match (self.dome_open, self.dome_closed) {
            (Some(true), Some(false) | None) => Some(Dome::Open),
            (Some(false) | None, Some(true)) => Some(Dome::Closed),
            (Some(false), Some(false)) => Some(Dome::Between),
            (Some(true), Some(true)) | (Some(false), None) | (None, Some(false) | None) => None,
        });
        self.after(said, self.dome_age, seconds)
    }

    /// The same of engineering mode.
    pub(crate) fn engineering_mode_after(&self, seconds: f64) -> (Option<bool>, Option<f64>) {
        self.after(self.engineering_mode, self.engineering_mode_age, seconds)
    }

    /// The same of whether the PLC sees the heartbeat.
    pub(crate) fn plc_acknowledges_after(&self, seconds: f64) -> (Option<bool>, Option<f64>) {
        self.after(self.plc_acknowledges, self.plc_acknowledges_age, seconds)
    }

    /// The same of whether the PLC has missed the heartbeat.
    pub(crate) fn plc_heartbeat_error_after(&self, seconds: f64) -> (Option<bool>, Option<f64>) {
        self.after(
            self.plc_heartbeat_error,
            self.plc_heartbeat_error_age,
            seconds,
        )
    }

    /// A fact so many seconds after the report, if it is known then, and how long ago it was last
    /// said. One without an age of its own is at least as old as the enclosure's last word.
    fn after<T>(
        &self,
        said: Option<T>,
        age: Option<f64>,
        seconds: f64,
    ) -> (Option<T>, Option<f64>) {
        let age = age.or(self.age).map(|age| age + seconds);
        let expire = self.facts_expire.unwrap_or(FACTS_EXPIRE);
        (said.filter(|_| age.unwrap_or(seconds) < expire), age)
    }
}
