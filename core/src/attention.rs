//! Was the process listening all the time between then and now?
//!
//! A process that was stopped, swapped out, suspended with its machine or blocked finds, when it
//! goes on, messages that may be old, and silence that it may have slept through. So it stamps this
//! machine several times a second; a gap between two stamps that is longer than the limit is a
//! [`Lapse`]. The actor then discards what waited (S3), the monitor does not count the gap as
//! silence (M3).

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
            serde(serialize_with = "crate::as_millis::serialize")
        )]
        Duration,
    ),
    /// The clock went back by this much, so that nothing is known about the time in between.
    ClockWentBack(
        #[cfg_attr(
            feature = "serde",
            serde(serialize_with = "crate::as_millis::serialize")
        )]
        Duration,
    ),
}

/// Watches the gaps between stamps. Every call costs a constant number of steps.
///
/// Let the caller read the clock, just before each call: an instant that was read before
/// another one, but arrives after it, looks like a clock that went back.
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

    /// Looks at the clock for another purpose than to stamp it: the same as [`Self::check`], but a
    /// clock that is behind `now` later is a lapse then.
    pub fn look(&mut self, now: Instant) -> Result<Duration, Lapse> {
        let gap = self.check(now);
        self.seen = self.seen.max(now);
        gap
    }

    /// Says that the process is listening at `now`, and gives the gap since it last said so. After
    /// a lapse the process counts as attentive again from `now` on.
    pub fn stamp(&mut self, now: Instant) -> Result<Duration, Lapse> {
        let gap = self.check(now);
        *self = Self::new(self.limit, now);
        gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Instant = Instant::from_secs(1000);
    const LIMIT: Duration = Duration::from_secs(2);
    const TICK: Duration = Duration::from_ticks(1);

    #[test]
    fn s3_a_gap_of_exactly_the_limit_is_a_lapse() {
        let mut attention = Attention::new(LIMIT, T0);
        assert_eq!(attention.stamp(T0 + LIMIT), Err(Lapse::Gap(LIMIT)));
    }

    #[test]
    fn a_gap_one_tick_shorter_than_the_limit_is_none() {
        let mut attention = Attention::new(LIMIT, T0);
        assert_eq!(attention.stamp(T0 + LIMIT - TICK), Ok(LIMIT - TICK));
    }

    #[test]
    fn gaps_are_counted_from_the_last_stamp() {
        let mut attention = Attention::new(LIMIT, T0);
        let first = T0 + Duration::from_millis(1500);
        assert!(attention.stamp(first).is_ok());
        let second = T0 + Duration::from_secs(3);
        assert_eq!(attention.stamp(second), Ok(second - first));
    }

    #[test]
    fn two_stamps_at_the_same_instant_are_fine() {
        let mut attention = Attention::new(LIMIT, T0);
        assert_eq!(attention.stamp(T0), Ok(Duration::MIN));
        assert_eq!(attention.stamp(T0), Ok(Duration::MIN));
    }

    #[test]
    fn s3_a_clock_that_goes_back_by_one_tick_is_a_lapse() {
        let mut attention = Attention::new(LIMIT, T0);
        assert_eq!(attention.stamp(T0 - TICK), Err(Lapse::ClockWentBack(TICK)));
    }

    #[test]
    fn s3_a_clock_that_goes_back_behind_a_look_is_a_lapse() {
        let mut attention = Attention::new(LIMIT, T0);
        let look = T0 + Duration::from_secs(1);
        assert_eq!(attention.look(look), Ok(Duration::from_secs(1)));
        assert_eq!(attention.check(look), Ok(Duration::from_secs(1)));
        let back = Err(Lapse::ClockWentBack(TICK));
        assert_eq!(attention.check(look - TICK), back);
        assert_eq!(attention.look(look - TICK), back);
        assert_eq!(attention.stamp(look - TICK), back);
    }

    #[test]
    fn a_look_back_does_not_move_the_latest_instant_back() {
        let mut attention = Attention::new(LIMIT, T0);
        assert!(attention.look(T0 + TICK).is_ok());
        assert!(attention.look(T0).is_err());
        assert_eq!(attention.check(T0), Err(Lapse::ClockWentBack(TICK)));
    }

    #[test]
    fn looking_is_not_stamping() {
        let mut attention = Attention::new(LIMIT, T0);
        assert!(attention.look(T0 + LIMIT - TICK).is_ok());
        assert_eq!(attention.check(T0 + LIMIT), Err(Lapse::Gap(LIMIT)));
        assert_eq!(attention.stamp(T0 + LIMIT), Err(Lapse::Gap(LIMIT)));
    }

    #[test]
    fn checking_changes_nothing() {
        let attention = Attention::new(LIMIT, T0);
        let before = attention.clone();
        assert!(attention.check(T0 + LIMIT).is_err());
        assert_eq!(attention, before);
    }

    #[test]
    fn after_a_lapse_it_is_attentive_from_then_on() {
        let mut attention = Attention::new(LIMIT, T0);
        let late = T0 + Duration::from_secs(100);
        assert!(attention.stamp(late).is_err());
        assert_eq!(attention.stamp(late + TICK), Ok(TICK));

        assert!(attention.stamp(T0).is_err());
        assert_eq!(attention.stamp(T0 + TICK), Ok(TICK));
    }

    #[test]
    fn a_limit_of_zero_is_always_a_lapse() {
        let mut attention = Attention::new(Duration::MIN, T0);
        assert_eq!(attention.stamp(T0), Err(Lapse::Gap(Duration::MIN)));
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        let mut attention = Attention::new(Duration::MAX, Instant::MIN);
        assert_eq!(attention.limit(), Duration::MAX);
        assert_eq!(
            attention.stamp(Instant::MAX - TICK),
            Ok(Duration::MAX - TICK)
        );
        assert_eq!(attention.stamp(Instant::MAX), Ok(TICK));
        assert_eq!(
            attention.stamp(Instant::MIN),
            Err(Lapse::ClockWentBack(Duration::MAX))
        );
        assert_eq!(
            attention.stamp(Instant::MAX),
            Err(Lapse::Gap(Duration::MAX))
        );
    }
}
