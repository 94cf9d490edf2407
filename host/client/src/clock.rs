//! Time: a boot-time clock for decisions, a wall clock for showing.
//!
//! Decisions use `CLOCK_BOOTTIME`: it is not stepped by NTP or by hand, and it counts the time that
//! the machine was suspended, so that what is old after a suspend is seen to be old (S3, M3). The
//! wall clock is only ever shown.

use embassy_time::{Duration, Instant};
use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// Gives the time. A trait, so that tests and the simulation can run on paused time.
pub trait Clock: Send + Sync + 'static {
    /// Time since boot, for decisions.
    fn now(&self) -> Instant;

    /// The wall clock, for showing only: it may be stepped at any moment.
    fn wall(&self) -> Timestamp;
}

/// The machine's clocks.
#[derive(Clone, Copy, Default, Debug)]
pub struct BootClock;

impl Clock for BootClock {
    fn now(&self) -> Instant {
        let time = clock_gettime(ClockId::Boottime);
        // The boot-time clock starts at zero: neither part is ever negative.
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
        Instant::from_micros(
            seconds
                .saturating_mul(1_000_000)
                .saturating_add(nanos / 1000),
        )
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The clock of the tokio runtime, which can be paused: for simulation and tests.
#[derive(Clone, Copy, Debug)]
pub struct RuntimeClock {
    start: tokio::time::Instant,
    wall: Timestamp,
}

impl RuntimeClock {
    /// Starts at zero, with that wall time.
    pub fn new(wall: Timestamp) -> Self {
        Self {
            start: tokio::time::Instant::now(),
            wall,
        }
    }
}

impl Clock for RuntimeClock {
    fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn wall(&self) -> Timestamp {
        self.wall
            .saturating_add(self.start.elapsed())
            .unwrap_or(self.wall)
    }
}

/// One moment by both clocks. A loop reads it once for each thing that it looks at, and hands it
/// down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// For decisions.
    pub now: Instant,
    /// For showing only.
    pub wall: Timestamp,
}

impl Moment {
    /// This moment.
    pub fn read(clock: &dyn Clock) -> Self {
        Self {
            now: clock.now(),
            wall: clock.wall(),
        }
    }
}

/// How often a loop looks at the clock: several times within its limit of attention, so that only a
/// real gap is one, and twice a second.
pub fn tick_within(attention: std::time::Duration) -> std::time::Duration {
    use std::time::Duration;
    (attention / 4).clamp(Duration::from_millis(5), Duration::from_millis(500))
}

/// A duration as it is shown: seconds, to the millisecond.
#[expect(clippy::cast_precision_loss, reason = "2^52 ms are 140 000 years")]
pub fn seconds(duration: Duration) -> f64 {
    duration.as_millis() as f64 / 1000.0
}

/// A duration as the core counts it; what is too long to count is as good as for ever.
pub fn core_duration(duration: std::time::Duration) -> Duration {
    u64::try_from(duration.as_micros()).map_or(Duration::MAX, Duration::from_micros)
}

/// A duration of the core as the rest of the world counts it.
pub fn std_duration(duration: Duration) -> std::time::Duration {
    std::time::Duration::from_micros(duration.as_micros())
}
