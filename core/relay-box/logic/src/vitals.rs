//! The task watchdog over the hardware watchdog: may it be fed?
//!
//! The hardware watchdog is fed from one place only, the loop that has just let the supervisor run,
//! and only if this machine says so: the serial task has checked in since the last time, and the
//! clock of all decisions has moved as far as a second clock did that is independent of it.
//! Whatever is wrong then trips the relay at once and resets the box a moment later.

use embassy_time::{Duration, Instant};
use lvmbeat_core::serial::Sick;

/// The watchdog is fed this often.
pub const FEED_EVERY: Duration = Duration::from_secs(2);
/// The hardware watchdog drops the relay after this long without being fed, and resets the box
/// after twice as long.
pub const HARDWARE_TIMEOUT: Duration = Duration::from_secs(5);
/// The two clocks may differ by an eighth, and by this much, of which one is read a little later
/// than the other.
const SLACK: Duration = Duration::from_millis(20);

/// Keeps what was true when the hardware watchdog was fed last.
#[derive(Clone, Debug)]
pub struct Vitals {
    fed: Instant,
    uart: u32,
}

impl Vitals {
    /// It was fed at `now`, when the serial task had checked in `uart` times.
    pub const fn new(now: Instant, uart: u32) -> Self {
        Self { fed: now, uart }
    }

    /// When to ask next, by the clock of the decisions. A caller that comes by earlier should ask,
    /// too.
    pub fn next(&self) -> Instant {
        self.fed.saturating_add(FEED_EVERY)
    }

    /// Says whether it is to be fed at `now`; `Ok(false)`: not yet. `passed`: so much time has
    /// passed since it was fed by the second clock. `uart`: so often the serial task has
    /// checked in.
    pub fn check(&mut self, now: Instant, passed: Duration, uart: u32) -> Result<bool, Sick> {
        let Some(moved) = now.checked_duration_since(self.fed) else {
            return Err(Sick::ClockSlow);
        };
        if moved < FEED_EVERY && passed < FEED_EVERY {
            return Ok(false);
        }
        if is_beyond(passed, moved) {
            return Err(Sick::ClockSlow);
        }
        if is_beyond(moved, passed) {
            return Err(Sick::ClockFast);
        }
        if moved < FEED_EVERY {
            return Ok(false);
        }
        if uart == self.uart {
            return Err(Sick::UartTask);
        }
        *self = Self::new(now, uart);
        Ok(true)
    }
}

/// Whether `long` is too long for `short` to be the same time.
fn is_beyond(long: Duration, short: Duration) -> bool {
    let tolerance = Duration::from_ticks(short.as_ticks() / 8);
    long.checked_sub(short)
        .and_then(|excess| excess.checked_sub(tolerance))
        .is_some_and(|excess| excess > SLACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Instant = Instant::from_secs(1000);
    const TICK: Duration = Duration::from_ticks(1);

    fn check(passed: Duration, moved: Duration, uart: u32) -> Result<bool, Sick> {
        Vitals::new(T0, 7).check(T0 + moved, passed, uart)
    }

    #[test]
    fn when_all_is_well_it_is_fed_again_and_again() {
        let mut vitals = Vitals::new(T0, 7);
        for round in 1..10u32 {
            let now = T0 + FEED_EVERY * round;
            assert_eq!(vitals.next(), now);
            assert_eq!(
                vitals.check(now - TICK, FEED_EVERY - TICK, 7 + round),
                Ok(false)
            );
            assert_eq!(vitals.check(now, FEED_EVERY, 7 + round), Ok(true));
        }
    }

    #[test]
    fn it_is_not_fed_unless_the_serial_task_checked_in() {
        assert_eq!(check(FEED_EVERY, FEED_EVERY, 7), Err(Sick::UartTask));
        assert_eq!(check(FEED_EVERY, FEED_EVERY, 8), Ok(true));
    }

    #[test]
    fn it_is_not_fed_by_a_clock_that_stands() {
        assert_eq!(check(FEED_EVERY, Duration::MIN, 8), Err(Sick::ClockSlow));
    }

    #[test]
    fn it_is_not_fed_by_a_clock_that_went_back() {
        let mut vitals = Vitals::new(T0, 7);
        assert_eq!(
            vitals.check(T0 - TICK, Duration::MIN, 8),
            Err(Sick::ClockSlow)
        );
    }

    #[test]
    fn it_is_not_fed_by_a_clock_that_is_more_than_an_eighth_off() {
        let (slow, fast) = (FEED_EVERY * 2, FEED_EVERY / 2);
        assert_eq!(check(FEED_EVERY, fast, 8), Err(Sick::ClockSlow));
        assert_eq!(check(slow, FEED_EVERY, 8), Err(Sick::ClockSlow));
        assert_eq!(check(fast, FEED_EVERY, 8), Err(Sick::ClockFast));
        let eighth = FEED_EVERY + FEED_EVERY / 8;
        assert_eq!(check(eighth, FEED_EVERY, 8), Ok(true));
        assert_eq!(check(FEED_EVERY, eighth, 8), Ok(true));
        let too_far = Duration::from_ticks(eighth.as_ticks() + SLACK.as_ticks() + 1);
        assert_eq!(check(too_far, FEED_EVERY, 8), Err(Sick::ClockSlow));
        assert_eq!(check(FEED_EVERY, too_far, 8), Err(Sick::ClockFast));
    }

    #[test]
    fn a_clock_that_is_a_little_slow_is_waited_for() {
        assert_eq!(check(FEED_EVERY, FEED_EVERY - TICK, 8), Ok(false));
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        let mut vitals = Vitals::new(Instant::MAX, 7);
        assert_eq!(vitals.next(), Instant::MAX);
        assert_eq!(
            vitals.check(Instant::MIN, Duration::MAX, 8),
            Err(Sick::ClockSlow)
        );
        let mut vitals = Vitals::new(Instant::MIN, 7);
        assert_eq!(
            vitals.check(Instant::MAX, Duration::MIN, 8),
            Err(Sick::ClockFast)
        );
    }
}
