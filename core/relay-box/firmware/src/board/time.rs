//! The clock of all decisions: embassy's time driver on two CMSDK timers.
//!
//! Timer 0 never stops and wraps every 171 s; each look adds what has passed since the last
//! look. Timer 1 is the alarm, at most a minute away, so that somebody always looks in time. There
//! is no periodic interrupt.

use core::cell::RefCell;
use core::task::Waker;

use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

use super::CYCLES_PER_TICK;
use super::register::Register;

struct Timer {
    control: Register,
    value: Register,
    reload: Register,
    interrupt: Register,
}

const fn timer(base: usize) -> Timer {
    Timer {
        control: Register(base),
        value: Register(base + 4),
        reload: Register(base + 8),
        interrupt: Register(base + 12),
    }
}

const FREE: Timer = timer(0x4000_0000);
const ALARM: Timer = timer(0x4000_1000);
const ENABLE: u32 = 0b0001;
const INTERRUPT: u32 = 0b1000;
/// The longest alarm, well below half of what timer 0 can count.
const LONGEST_ALARM: u64 = 60 * embassy_time::TICK_HZ;

struct Clock {
    ticks: u64,
    /// Cycles that are no whole tick yet.
    cycles: u32,
    /// Timer 0 at the last look; it counts down.
    last: u32,
    #[cfg(feature = "bench")]
    warp: Warp,
}

/// A clock that is broken, for the bench.
#[cfg(feature = "bench")]
#[derive(Clone, Copy)]
pub(crate) enum Warp {
    None,
    Stopped,
    Half,
    Double,
}

struct Time {
    clock: Mutex<RefCell<Clock>>,
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static TIME: Time = Time {
    clock: Mutex::new(RefCell::new(Clock {
        ticks: 0,
        cycles: 0,
        last: u32::MAX,
        #[cfg(feature = "bench")]
        warp: Warp::None,
    })),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

impl Clock {
    fn look(&mut self) -> u64 {
        let value = FREE.value.read();
        let passed = self.last.wrapping_sub(value);
        self.last = value;
        #[cfg(feature = "bench")]
        let passed = match self.warp {
            Warp::None => passed,
            Warp::Stopped => 0,
            Warp::Half => passed / 2,
            Warp::Double => passed * 2,
        };
        let cycles = self.cycles.saturating_add(passed);
        self.cycles = cycles % CYCLES_PER_TICK;
        self.ticks += u64::from(cycles / CYCLES_PER_TICK);
        self.ticks
    }
}

impl Time {
    /// Sets the alarm for the first who waits.
    fn set_alarm(&self, cs: CriticalSection<'_>) {
        loop {
            let mut clock = self.clock.borrow(cs).borrow_mut();
            // Wakes all that are due.
            let next = self
                .queue
                .borrow(cs)
                .borrow_mut()
                .next_expiration(clock.look());
            let now = clock.look();
            let ticks = next.saturating_sub(now).min(LONGEST_ALARM);
            // At most 1.5e9 cycles.
            let Some(cycles) = (ticks as u32 * CYCLES_PER_TICK).checked_sub(clock.cycles) else {
                continue;
            };
            if cycles == 0 {
                continue;
            }
            ALARM.control.write(0);
            ALARM.interrupt.write(1);
            ALARM.reload.write(0);
            ALARM.value.write(cycles);
            ALARM.control.write(ENABLE | INTERRUPT);
            return;
        }
    }
}

impl Driver for Time {
    fn now(&self) -> u64 {
        critical_section::with(|cs| self.clock.borrow(cs).borrow_mut().look())
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            let is_first = self.queue.borrow(cs).borrow_mut().schedule_wake(at, waker);
            if is_first {
                self.set_alarm(cs);
            }
        });
    }
}

/// Starts the clock.
pub(crate) fn start() {
    FREE.reload.write(u32::MAX);
    FREE.value.write(u32::MAX);
    FREE.control.write(ENABLE);
    critical_section::with(|cs| TIME.set_alarm(cs));
}

/// The alarm went off.
pub(super) fn alarm() {
    ALARM.interrupt.write(1);
    critical_section::with(|cs| TIME.set_alarm(cs));
}

/// The cycles since timer 0 began: what somebody outside does at a moment of their own choice makes
/// it a number by chance.
#[cfg(not(feature = "bench"))]
pub(crate) fn chance() -> u32 {
    FREE.value.read()
}

/// Lets the clock begin elsewhere.
#[cfg(feature = "bench")]
pub(crate) fn begin_at(ticks: u64) {
    critical_section::with(|cs| TIME.clock.borrow(cs).borrow_mut().ticks = ticks);
}

/// Sets the clock back.
#[cfg(feature = "bench")]
pub(crate) fn set_back(ticks: u64) {
    critical_section::with(|cs| {
        let mut clock = TIME.clock.borrow(cs).borrow_mut();
        clock.ticks = clock.ticks.saturating_sub(ticks);
    });
}

/// Breaks the clock.
#[cfg(feature = "bench")]
pub(crate) fn warp(warp: Warp) {
    critical_section::with(|cs| {
        let mut clock = TIME.clock.borrow(cs).borrow_mut();
        clock.look();
        clock.warp = warp;
    });
}
