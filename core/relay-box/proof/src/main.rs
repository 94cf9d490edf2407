//! Links what a box uses of the core, with a panic handler that calls a function that there is not:
//! a panic that could be reached would fail the link. Each function is an entry of its own with
//! arguments that nothing is known of, so that no check is optimised away because it happens to be
//! needless.
#![no_std]
#![no_main]
#![expect(unsafe_code, reason = "symbols that the linker has to see")]
#![expect(
    clippy::no_mangle_with_rust_abi,
    reason = "the entries are found by their names, and nobody calls them"
)]

use core::mem::MaybeUninit;

use embassy_time::{Duration, Instant};
use lvmbeat_core::delivery::{Command, Delivery, Limits, Step};
use lvmbeat_core::emission::Pace;
use lvmbeat_core::watchdog::Recovery;
use lvmbeat_core::{
    BeatError, Config, ConfigError, Decision, HeartbeatId, Outcome, Reason, Supervisor, Ticket,
    Watchdog,
};

type Sixteen = Supervisor<16, 0>;
type Setup = Config<16, 0>;

unsafe extern "C" {
    fn a_panic_can_be_reached() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe { a_panic_can_be_reached() }
}

/// What the machines keep: their RAM.
#[unsafe(no_mangle)]
pub static mut SUPERVISOR: MaybeUninit<Sixteen> = MaybeUninit::uninit();
#[unsafe(no_mangle)]
pub static mut WATCHDOG: MaybeUninit<Watchdog> = MaybeUninit::uninit();

#[unsafe(no_mangle)]
pub fn config(attention: Duration, pace: Pace) -> Setup {
    Config::new(attention, pace)
}

#[unsafe(no_mangle)]
pub fn add(
    config: &mut Setup,
    name: &str,
    critical: bool,
    timeout: Duration,
) -> Result<HeartbeatId, ConfigError> {
    config.add_heartbeat(name, critical, timeout)
}

#[unsafe(no_mangle)]
pub fn new(config: Setup, now: Instant) -> Sixteen {
    Supervisor::new(config, now)
}

#[unsafe(no_mangle)]
pub fn tick(supervisor: &mut Sixteen, now: Instant) -> bool {
    supervisor.tick(now).is_ok()
}

#[unsafe(no_mangle)]
pub fn beat(supervisor: &mut Sixteen, name: &str, now: Instant) -> Result<Decision, BeatError> {
    #[cfg(feature = "panics")]
    if name.as_bytes()[32] == 0 {
        return Err(BeatError::Unknown);
    }
    supervisor.beat(name, now)
}

#[unsafe(no_mangle)]
pub fn emission_ended(
    supervisor: &mut Sixteen,
    ticket: Ticket,
    outcome: Outcome,
    now: Instant,
) -> bool {
    supervisor.emission_ended(ticket, outcome, now)
}

#[unsafe(no_mangle)]
pub fn may_send(supervisor: &Sixteen, ticket: Ticket, now: Instant) -> bool {
    supervisor.may_send(ticket, now)
}

#[unsafe(no_mangle)]
pub fn forget(supervisor: &mut Sixteen, now: Instant) {
    supervisor.forget(now);
}

#[unsafe(no_mangle)]
pub fn hold(supervisor: &Sixteen, now: Instant) -> Option<Reason> {
    supervisor.hold(now)
}

#[unsafe(no_mangle)]
pub fn tripped(timeout: Duration, recovery: Recovery) -> Watchdog {
    Watchdog::tripped(timeout, recovery)
}

#[unsafe(no_mangle)]
pub fn feed(watchdog: &mut Watchdog, now: Instant) -> bool {
    watchdog.feed(now).is_some()
}

#[unsafe(no_mangle)]
pub fn poll(watchdog: &mut Watchdog, now: Instant) -> bool {
    watchdog.poll(now).is_some()
}

#[unsafe(no_mangle)]
pub fn remaining(watchdog: &Watchdog, now: Instant) -> Option<Duration> {
    watchdog.remaining(now)
}

#[unsafe(no_mangle)]
pub fn rearm(watchdog: &mut Watchdog) {
    watchdog.rearm();
}

#[unsafe(no_mangle)]
pub fn delivery(limits: Limits) -> Delivery {
    Delivery::new(limits)
}

#[unsafe(no_mangle)]
pub fn begin(delivery: &mut Delivery, ticket: Ticket, decided: Instant) -> Step {
    delivery.begin(ticket, decided)
}

#[unsafe(no_mangle)]
pub fn answered(
    delivery: &mut Delivery,
    ticket: Ticket,
    (command, outcome): (Command, Outcome),
    supervisor: &Sixteen,
    now: Instant,
) -> Step {
    delivery.answered(ticket, command, outcome, supervisor, now)
}

#[unsafe(no_mangle)]
pub fn deadline(delivery: &Delivery) -> Option<Instant> {
    delivery.deadline()
}

#[unsafe(no_mangle)]
pub fn advance(delivery: &mut Delivery, now: Instant) -> Step {
    delivery.advance(now)
}

/// What the box reads and writes on its line.
#[cfg(feature = "serial")]
mod serial {
    use heapless::String;
    use lvmbeat_core::serial::{Escaped, Frame, FrameError, MAX_REPORT, Report, Unescape};

    #[unsafe(no_mangle)]
    pub(crate) fn unescape(unescape: &mut Unescape, byte: u8) -> Escaped {
        unescape.push(byte)
    }

    #[unsafe(no_mangle)]
    pub(crate) fn decode(body: &[u8]) -> Result<Frame, FrameError> {
        Frame::decode(body)
    }

    #[unsafe(no_mangle)]
    pub(crate) fn emit(report: &Report) -> String<MAX_REPORT> {
        report.emit()
    }
}

macro_rules! entries {
    ($($(#[$when:meta])? $function:path),* $(,)?) => {
        /// Keeps every function, and nothing that none of them needs.
        #[unsafe(no_mangle)]
        pub extern "C" fn _start() -> usize {
            let mut kept = &raw const SUPERVISOR as usize + &raw const WATCHDOG as usize;
            $($(#[$when])? { kept += core::hint::black_box($function as *const () as usize); })*
            kept
        }
    };
}
entries!(
    config,
    add,
    new,
    tick,
    beat,
    emission_ended,
    may_send,
    forget,
    hold,
    tripped,
    feed,
    poll,
    remaining,
    rearm,
    delivery,
    begin,
    answered,
    deadline,
    advance,
    #[cfg(feature = "serial")]
    serial::unescape,
    #[cfg(feature = "serial")]
    serial::decode,
    #[cfg(feature = "serial")]
    serial::emit,
);
