//! The hardware: the only module that knows the board, and the only one with `unsafe`.
//!
//! For another board write these again:
//!
//! * [`relay`]: an output that is released by a reset, and energised only by [`relay::drive`]
//! * [`time`]: a clock that never goes back, and an alarm
//! * [`uart`]: bytes in and out, by interrupts, through bounded buffers
//! * [`watchdog`]: a timer of the hardware that resets the chip, and how much of it has passed: the
//!   second clock
//! * [`retained`]: twenty bytes that a reset leaves alone
//! * [`faults`]: panic, fault and watchdog handlers: release the relay, note the cause, reset
//! * [`stack`]: how deep the stack was

pub(crate) mod faults;
mod register;
pub(crate) mod relay;
pub(crate) mod retained;
#[cfg(feature = "bench")]
pub(crate) mod stack;
pub(crate) mod time;
pub(crate) mod uart;
pub(crate) mod vectors;
pub(crate) mod watchdog;

/// The frequency of the processor, of the timers and of the watchdog.
const CLOCK_HZ: u32 = 25_000_000;
/// So many of its cycles are one tick of the clock.
#[expect(clippy::cast_possible_truncation, reason = "1000 ticks a second")]
const CYCLES_PER_TICK: u32 = CLOCK_HZ / embassy_time::TICK_HZ as u32;

/// Runs the tasks without end, and sleeps while there is nothing to do.
///
/// Not embassy's own thread executor: that one sleeps by WFE, which QEMU takes for no sleep at all.
#[expect(
    unsafe_code,
    reason = "`poll` must not be called recursively; it is called here only"
)]
pub(crate) fn run(
    executor: &'static embassy_executor::raw::Executor,
    spawn: impl FnOnce(embassy_executor::Spawner),
) -> ! {
    use core::sync::atomic::Ordering;
    spawn(executor.spawner());
    loop {
        PENDING.store(false, Ordering::Relaxed);
        unsafe { executor.poll() };
        // With interrupts off, so that none comes between looking and sleeping; it still ends the
        // sleep.
        cortex_m::interrupt::disable();
        if !PENDING.load(Ordering::Acquire) {
            cortex_m::asm::wfi();
        }
        unsafe { cortex_m::interrupt::enable() };
    }
}

static PENDING: portable_atomic::AtomicBool = portable_atomic::AtomicBool::new(true);

#[expect(unsafe_code, reason = "the executor calls this by its name")]
#[unsafe(export_name = "__pender")]
fn pender(_context: *mut ()) {
    PENDING.store(true, core::sync::atomic::Ordering::Release);
}
