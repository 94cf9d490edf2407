//! The dome's side: a timer that has to be fed.
//!
//! The PLC closes the dome when nobody feeds it; a watchdog box drops its relay. Both are this
//! machine, either self-clearing (the next feed gives the permit back) or latching (somebody has to
//! re-arm it first).

use embassy_time::{Duration, Instant};

use crate::heartbeat::saturating_sub;

/// What ends an expiry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Recovery {
    /// The next feed.
    SelfClearing,
    /// [`Watchdog::rearm`], and then the next feed.
    Latching,
}

/// A change that the world has to hear of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Change {
    /// The permit is gone: close the dome, drop the relay.
    Expired,
    /// The permit is back.
    Recovered,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum State {
    /// Permit given.
    Fed {
        /// The last feed.
        at: Instant,
        /// The latest instant seen since; never before `at`.
        seen: Instant,
        /// What ends the expiry that is to come.
        recovery: Recovery,
    },
    /// Permit withheld; a feed gives it back.
    Expired(Recovery),
    /// Permit withheld; feeds are ignored. Only a latching one gets here.
    Latched,
}

impl State {
    fn fed(now: Instant, recovery: Recovery) -> Self {
        Self::Fed {
            at: now,
            seen: now,
            recovery,
        }
    }

    fn tripped(recovery: Recovery) -> Self {
        match recovery {
            Recovery::SelfClearing => Self::Expired(recovery),
            Recovery::Latching => Self::Latched,
        }
    }
}

/// A timer that withholds its permit unless it is fed.
///
/// Call [`feed`](Self::feed) for each heartbeat and [`poll`](Self::poll) as often as the expiry has
/// to be noticed. The permit ends when the last feed is as old as the timeout, or when the clock
/// goes back behind an instant that one of the two was given. With a timeout of zero there is never
/// a permit. Every call costs a constant number of steps.
///
/// Let the caller read the clock, just before each call: an instant that was read before
/// another one, but arrives after it, looks like a clock that went back.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Watchdog {
    timeout: Duration,
    state: State,
}

impl Watchdog {
    /// Starts without the permit, as a safety relay does. A latching one has to be armed first.
    pub fn tripped(timeout: Duration, recovery: Recovery) -> Self {
        Self {
            timeout,
            state: State::tripped(recovery),
        }
    }

    /// Starts as if fed at `now`, as the dome's PLC does when it is switched on.
    pub fn fed_at(now: Instant, timeout: Duration, recovery: Recovery) -> Self {
        Self {
            timeout,
            state: State::fed(now, recovery),
        }
    }

    /// A heartbeat was received at `now`.
    ///
    /// If the last one was too old by then, the permit had ended, whether or not `poll` noticed.
    /// This feed then only reports the expiry, as `poll` would have, and does not count: no
    /// permit goes on over a gap that is too long.
    pub fn feed(&mut self, now: Instant) -> Option<Change> {
        let expired = self.poll(now);
        if expired.is_some() || self.timeout == Duration::MIN {
            return expired;
        }
        match self.state {
            State::Fed { recovery, .. } => {
                self.state = State::fed(now, recovery);
                None
            }
            State::Expired(recovery) => {
                self.state = State::fed(now, recovery);
                Some(Change::Recovered)
            }
            State::Latched => None,
        }
    }

    /// Looks at the time; gives the expiry once.
    pub fn poll(&mut self, now: Instant) -> Option<Change> {
        let fed = self.is_fed(now);
        let State::Fed { seen, recovery, .. } = &mut self.state else {
            return None;
        };
        if fed {
            *seen = now;
            return None;
        }
        self.state = State::tripped(*recovery);
        Some(Change::Expired)
    }

    /// Ends a latch. The permit comes back with the next feed, not before.
    pub fn rearm(&mut self) {
        if self.state == State::Latched {
            self.state = State::Expired(Recovery::Latching);
        }
    }

    /// Whether the permit is given at `now`, without noting anything.
    pub fn is_fed(&self, now: Instant) -> bool {
        self.remaining(now).is_some()
    }

    /// Whether only [`rearm`](Self::rearm) helps.
    pub fn is_latched(&self) -> bool {
        self.state == State::Latched
    }

    /// Time until the permit ends; `None` without a permit.
    pub fn remaining(&self, now: Instant) -> Option<Duration> {
        let State::Fed { at, seen, .. } = self.state else {
            return None;
        };
        if now < seen {
            // A clock that went back is broken: trip (the safe side).
            return None;
        }
        let age = now.saturating_duration_since(at);
        Some(saturating_sub(self.timeout, age)).filter(|rest| *rest > Duration::MIN)
    }

    /// The longest permitted time between two feeds.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Instant = Instant::from_secs(1000);
    const TIMEOUT: Duration = Duration::from_secs(60);
    const TICK: Duration = Duration::from_ticks(1);

    fn fed(recovery: Recovery) -> Watchdog {
        Watchdog::fed_at(T0, TIMEOUT, recovery)
    }

    #[test]
    fn a_tripped_watchdog_gives_no_permit() {
        for recovery in [Recovery::SelfClearing, Recovery::Latching] {
            let mut watchdog = Watchdog::tripped(TIMEOUT, recovery);
            assert!(!watchdog.is_fed(T0));
            assert_eq!(watchdog.remaining(T0), None);
            assert_eq!(watchdog.poll(T0), None);
            assert_eq!(watchdog.timeout(), TIMEOUT);
        }
    }

    #[test]
    fn a_latching_one_latches_again_after_it_was_rearmed() {
        let mut watchdog = Watchdog::tripped(TIMEOUT, Recovery::Latching);
        watchdog.rearm();
        assert_eq!(watchdog.feed(T0), Some(Change::Recovered));
        assert_eq!(watchdog.poll(T0 + TIMEOUT), Some(Change::Expired));
        assert!(watchdog.is_latched());
        assert_eq!(watchdog.feed(T0 + TIMEOUT), None);
    }

    #[test]
    fn only_a_latching_one_starts_latched() {
        assert!(!Watchdog::tripped(TIMEOUT, Recovery::SelfClearing).is_latched());
        assert!(Watchdog::tripped(TIMEOUT, Recovery::Latching).is_latched());
        assert!(!fed(Recovery::Latching).is_latched());
    }

    #[test]
    fn a_fed_watchdog_counts_down() {
        let watchdog = fed(Recovery::SelfClearing);
        assert_eq!(watchdog.remaining(T0), Some(TIMEOUT));
        assert_eq!(
            watchdog.remaining(T0 + Duration::from_secs(59)),
            Some(Duration::from_secs(1))
        );
    }

    #[test]
    fn the_permit_lasts_until_one_tick_before_the_timeout() {
        let mut watchdog = fed(Recovery::SelfClearing);
        let last = T0 + TIMEOUT - TICK;
        assert_eq!(watchdog.remaining(last), Some(TICK));
        assert_eq!(watchdog.poll(last), None);
        assert!(watchdog.is_fed(last));
    }

    #[test]
    fn s4_the_permit_ends_at_exactly_the_timeout() {
        for recovery in [Recovery::SelfClearing, Recovery::Latching] {
            let mut watchdog = fed(recovery);
            assert!(!watchdog.is_fed(T0 + TIMEOUT));
            assert_eq!(watchdog.remaining(T0 + TIMEOUT), None);
            assert_eq!(watchdog.poll(T0 + TIMEOUT), Some(Change::Expired));
        }
    }

    #[test]
    fn an_expiry_is_reported_once() {
        let mut watchdog = fed(Recovery::SelfClearing);
        assert_eq!(watchdog.poll(T0 + TIMEOUT), Some(Change::Expired));
        assert_eq!(watchdog.poll(T0 + TIMEOUT), None);
        assert_eq!(watchdog.poll(T0 + TIMEOUT + TIMEOUT), None);
    }

    #[test]
    fn s4_an_expiry_that_was_reported_stays_even_if_the_clock_goes_back() {
        let mut watchdog = fed(Recovery::SelfClearing);
        watchdog.poll(T0 + TIMEOUT);
        assert!(!watchdog.is_fed(T0 + TICK));
    }

    #[test]
    fn l1_a_feed_in_time_begins_the_whole_time_anew() {
        let mut watchdog = fed(Recovery::SelfClearing);
        let late = T0 + TIMEOUT - TICK;
        assert_eq!(watchdog.feed(late), None);
        assert_eq!(watchdog.remaining(late), Some(TIMEOUT));
        assert_eq!(watchdog.poll(late + TIMEOUT - TICK), None);
        assert_eq!(watchdog.poll(late + TIMEOUT), Some(Change::Expired));
    }

    #[test]
    fn a_self_clearing_one_recovers_with_the_next_feed() {
        let mut watchdog = fed(Recovery::SelfClearing);
        watchdog.poll(T0 + TIMEOUT);
        assert!(!watchdog.is_latched());
        let again = T0 + Duration::from_secs(100);
        assert_eq!(watchdog.feed(again), Some(Change::Recovered));
        assert_eq!(watchdog.remaining(again), Some(TIMEOUT));
    }

    #[test]
    fn a_latching_one_ignores_feeds_until_it_is_rearmed_and_then_needs_one() {
        let mut watchdog = fed(Recovery::Latching);
        watchdog.poll(T0 + TIMEOUT);
        assert!(watchdog.is_latched());
        let again = T0 + Duration::from_secs(100);
        assert_eq!(watchdog.feed(again), None);
        assert!(!watchdog.is_fed(again));

        watchdog.rearm();
        assert!(!watchdog.is_latched());
        assert!(!watchdog.is_fed(again));
        assert_eq!(watchdog.poll(again), None);

        assert_eq!(watchdog.feed(again), Some(Change::Recovered));
        assert!(watchdog.is_fed(again));
    }

    #[test]
    fn rearming_what_is_not_latched_changes_nothing() {
        let mut watchdog = fed(Recovery::Latching);
        watchdog.rearm();
        assert_eq!(watchdog, fed(Recovery::Latching));
        assert_eq!(watchdog.poll(T0 + TIMEOUT), Some(Change::Expired));
        assert!(watchdog.is_latched());
    }

    #[test]
    fn s4_a_feed_after_an_expiry_that_nobody_noticed_reports_it_and_does_not_count() {
        for recovery in [Recovery::SelfClearing, Recovery::Latching] {
            let mut watchdog = fed(recovery);
            assert_eq!(watchdog.feed(T0 + TIMEOUT), Some(Change::Expired));
            assert!(!watchdog.is_fed(T0 + TIMEOUT));
            assert_eq!(watchdog.is_latched(), recovery == Recovery::Latching);
        }
    }

    #[test]
    fn the_feed_after_a_feed_that_was_too_late_recovers() {
        let mut watchdog = fed(Recovery::SelfClearing);
        watchdog.feed(T0 + TIMEOUT);
        assert_eq!(watchdog.feed(T0 + TIMEOUT + TICK), Some(Change::Recovered));
        assert!(watchdog.is_fed(T0 + TIMEOUT + TICK));
    }

    #[test]
    fn s4_a_clock_that_goes_back_behind_the_last_feed_trips() {
        let mut watchdog = fed(Recovery::SelfClearing);
        assert!(!watchdog.is_fed(T0 - TICK));
        assert_eq!(watchdog.poll(T0 - TICK), Some(Change::Expired));
    }

    #[test]
    fn s4_a_clock_that_goes_back_behind_a_poll_trips() {
        let mut watchdog = fed(Recovery::SelfClearing);
        let polled = T0 + Duration::from_secs(50);
        assert_eq!(watchdog.poll(polled), None);
        assert!(!watchdog.is_fed(polled - TICK));
        assert_eq!(watchdog.feed(polled - TICK), Some(Change::Expired));
    }

    #[test]
    fn asking_notes_nothing() {
        let watchdog = fed(Recovery::SelfClearing);
        assert!(!watchdog.is_fed(T0 + TIMEOUT));
        assert!(watchdog.is_fed(T0));
    }

    #[test]
    fn with_a_timeout_of_zero_there_is_never_a_permit() {
        for recovery in [Recovery::SelfClearing, Recovery::Latching] {
            let mut watchdog = Watchdog::fed_at(T0, Duration::MIN, recovery);
            assert!(!watchdog.is_fed(T0));
            assert_eq!(watchdog.feed(T0), Some(Change::Expired));
            watchdog.rearm();
            assert_eq!(watchdog.feed(T0), None);
            assert!(!watchdog.is_fed(T0));
        }
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        let mut watchdog = Watchdog::fed_at(Instant::MAX - TICK, TIMEOUT, Recovery::SelfClearing);
        assert_eq!(watchdog.remaining(Instant::MAX), Some(TIMEOUT - TICK));
        assert_eq!(watchdog.feed(Instant::MAX), None);
        assert_eq!(watchdog.remaining(Instant::MAX), Some(TIMEOUT));
        assert_eq!(watchdog.poll(Instant::MIN), Some(Change::Expired));

        let mut longest = Watchdog::fed_at(Instant::MIN, Duration::MAX, Recovery::SelfClearing);
        assert_eq!(longest.poll(Instant::MAX - TICK), None);
        assert_eq!(longest.poll(Instant::MAX), Some(Change::Expired));
    }
}
