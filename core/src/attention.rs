//! Was the process listening all the time between then and now?
//!
//! A process that was stopped, swapped out, suspended with its machine or blocked finds, when it goes on, messages that
//! may be old, and silence that it may have slept through. So it stamps this machine several times a second; a gap
//! between two stamps that is longer than the limit is a [`Lapse`]. The actor then discards what waited (S3), the monitor
//! does not count the gap as silence (M3).

use embassy_time::{Duration, Instant};

/// The process was not listening.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
pub enum Lapse {
    /// Nothing was stamped for this long.
    Gap(
        #[cfg_attr(
            feature = "serde",
            serde(serialize_with = "crate::as_millis::duration")
        )]
        Duration,
    ),
    /// The clock went back by this much, so that nothing is known about the time in between.
    ClockWentBack(
        #[cfg_attr(
            feature = "serde",
            serde(serialize_with = "crate::as_millis::duration")
        )]
        Duration,
    ),
}

/// Watches the gaps between stamps. Every call costs a constant number of steps.
///
/// Let whoever owns it read the clock, just before each call: an instant that was read before another one, but is told
/// after it, looks like a clock that went back.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Attention {
    limit: Duration,
    /// The last stamp.
    last: Instant,
    /// The latest instant seen since; never before `last`.
    seen: Instant,
}

impl Attention {
    /// Attentive from `now` on. A gap of exactly `limit` is a lapse.
    pub fn new(limit: Duration, now: Instant) -> Self {
        Self {
            limit,
            last: now,
            seen: now,
        }
    }

    /// The gap from which on a process counts as not listening.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// What would [`Self::stamp`] say? Changes nothing.
    pub fn check(&self, now: Instant) -> Result<Duration, Lapse> {
        if now < self.seen {
            return Err(Lapse::ClockWentBack(
                self.seen.saturating_duration_since(now),
            ));
        }
        let gap = now.saturating_duration_since(self.last);
        if gap < self.limit {
            Ok(gap)
        } else {
            Err(Lapse::Gap(gap))
        }
    }

    /// Looks at the clock for another purpose than to stamp it: the same as [`Self::check`], but a clock that is behind
    /// `now` later is a lapse then.
    pub fn look(&mut self, now: Instant) -> Result<Duration, Lapse> {
        let gap = self.check(now);
        self.seen = self.seen.max(now);
        gap
    }

    /// Says that the process is listening at `now`, and gives the gap since it last said so. After a lapse the
    /// process counts as attentive again from `now` on.
    pub fn stamp(&mut self, now: Instant) -> Result<Duration, Lapse> {
        let gap = self.check(now);
        *self = Self::new(self.limit, now);
        gap
    }
}
