//! The dome's side: a timer that has to be fed.
//!
//! The PLC closes the dome when nobody feeds it; a watchdog box drops its relay. Both are this machine, either
//! self-clearing (the next feed gives the permit back) or latching (somebody has to re-arm it first).

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
    },
    /// Permit withheld; a feed gives it back.
    Expired,
    /// Permit withheld; feeds are ignored.
    Latched,
}

/// A timer that withholds its permit unless it is fed.
///
/// Call [`feed`](Self::feed) for each heartbeat and [`poll`](Self::poll) as often as the expiry has to be noticed. The permit
/// ends when the last feed is as old as the timeout, or when the clock goes back behind an instant that one of the two was
/// told. With a timeout of zero there is never a permit. Every call costs a constant number of steps.
///
/// Let whoever owns it read the clock, just before each call: an instant that was read before another one, but is told
/// after it, looks like a clock that went back.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Watchdog {
    timeout: Duration,
    recovery: Recovery,
    state: State,
}

impl Watchdog {
    /// Starts without the permit, as a safety relay does. A latching one has to be armed first.
    pub fn tripped(timeout: Duration, recovery: Recovery) -> Self {
        let state = match recovery {
            Recovery::SelfClearing => State::Expired,
            Recovery::Latching => State::Latched,
        };
        Self {
            timeout,
            recovery,
            state,
        }
    }

    /// Starts as if fed at `now`, as the dome's PLC does when it is switched on.
    pub fn fed_at(now: Instant, timeout: Duration, recovery: Recovery) -> Self {
        Self {
            timeout,
            recovery,
            state: State::Fed { at: now, seen: now },
        }
    }

    /// A heartbeat was received at `now`.
    ///
    /// If the last one was too old by then, the permit had ended, whether or not `poll` noticed. This feed then only
    /// reports the expiry, as `poll` would have, and does not count: no permit goes on over a gap that is too long.
    pub fn feed(&mut self, now: Instant) -> Option<Change> {
        let expired = self.poll(now);
        if expired.is_some() || self.timeout == Duration::MIN {
            return expired;
        }
        let fed = State::Fed { at: now, seen: now };
        match self.state {
            State::Fed { .. } => {
                self.state = fed;
                None
            }
            State::Expired => {
                self.state = fed;
                Some(Change::Recovered)
            }
            State::Latched => None,
        }
    }

    /// Looks at the time; gives the expiry once.
    pub fn poll(&mut self, now: Instant) -> Option<Change> {
        let fed = self.is_fed(now);
        let State::Fed { seen, .. } = &mut self.state else {
            return None;
        };
        if fed {
            *seen = now;
            return None;
        }
        self.state = match self.recovery {
            Recovery::SelfClearing => State::Expired,
            Recovery::Latching => State::Latched,
        };
        Some(Change::Expired)
    }

    /// Ends a latch. The permit comes back with the next feed, not before.
    pub fn rearm(&mut self) {
        if self.state == State::Latched {
            self.state = State::Expired;
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
        let State::Fed { at, seen } = self.state else {
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
