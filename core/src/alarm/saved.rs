//! What survives a restart.

use embassy_time::Duration;

use super::State;
use crate::heartbeat::saturating_sub;

/// Whether alarms are raised.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Mode {
    /// Yes.
    #[default]
    Enabled,
    /// Not until somebody enables them.
    DisabledForGood,
    /// Not for so long. With nothing left they are enabled, and that has still to be reported.
    DisabledFor(#[cfg_attr(feature = "serde", serde(with = "crate::as_millis"))] Duration),
}

impl Mode {
    /// Whether alarms are raised.
    pub fn is_enabled(self) -> bool {
        matches!(self, Self::Enabled | Self::DisabledFor(Duration::MIN))
    }
}

/// All that has to survive a restart.
///
/// Any values can be restored, also those of a file that was damaged or written by hand. No
/// combination is a wrong one. A field that is missing has its default, durations are milliseconds,
/// and one that is too long for the clock becomes the longest that it has.
///
/// The state of the Python version knows whether an alarm was on, and whether a beat was ever seen:
///
/// ```
/// # use lvmbeat_core::alarm::Saved;
/// # let (active, last_seen) = (true, Some(1_735_230_745));
/// let saved = Saved { down: active, ever_seen: last_seen.is_some(), ..Saved::default() };
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default)
)]
pub struct Saved {
    /// Whether there ever was a beat.
    pub ever_seen: bool,
    /// `Down` was reported, and not yet that it is over.
    pub down: bool,
    /// Silence observed since the last beat.
    #[cfg_attr(feature = "serde", serde(with = "crate::as_millis"))]
    pub silence: Duration,
    /// The part of it since the last report that it is down. It means nothing while it is
    /// not.
    #[cfg_attr(feature = "serde", serde(with = "crate::as_millis"))]
    pub since_reported: Duration,
    /// Whether alarms are raised.
    pub mode: Mode,
}

impl Saved {
    /// The same after `by` during which nobody was listening: nothing was observed, but a timed
    /// disable goes on. For the time that the monitor was not running.
    #[must_use]
    pub fn aged(mut self, by: Duration) -> Self {
        if let Mode::DisabledFor(left) = &mut self.mode {
            *left = saturating_sub(*left, by);
        }
        self
    }

    /// The same after `by` of silence that was listened to.
    pub(super) fn observed(mut self, by: Duration) -> Self {
        self.silence = saturating_add(self.silence, by);
        if self.down {
            self.since_reported = saturating_add(self.since_reported, by);
        }
        self
    }

    pub(super) fn state(&self) -> State {
        match (self.down, self.ever_seen) {
            (true, _) => State::Down,
            (false, true) => State::Up,
            (false, false) => State::Waiting,
        }
    }
}

fn saturating_add(a: Duration, b: Duration) -> Duration {
    a.checked_add(b).unwrap_or(Duration::MAX)
}
