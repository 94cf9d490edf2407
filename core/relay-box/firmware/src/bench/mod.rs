//! The test bench: a scenario from the host, and faults on demand. Not part of the box as it is
//! shipped.
//!
//! The scenario is the file `scenario` in the folder where QEMU was started, read by semihosting:
//! no time passes meanwhile. Its bytes go into the buffer behind the serial line's hardware at
//! their time, by the clock of the decisions, so that a run is the same each time.

mod reader;

use core::cell::RefCell;
use core::fmt::Write as _;

use box_logic::command::Fault;
use box_logic::permit::Setup;
use box_logic::scenario::Step;
use critical_section::Mutex;
use embassy_time::{Duration, Instant, Timer};
use lvmbeat_core::watchdog::Recovery;

use self::reader::Reader;
use crate::SOURCES;
use crate::board::{faults, relay, stack, time, uart};

/// QEMU's exit codes.
const DONE: i32 = 0;
const BAD_SCENARIO: i32 = 97;
const NO_RESET: i32 = 98;
const NO_WATCHDOG_RESET: i32 = 99;
const RELAY_HELD: i32 = 96;
const NO_END: i32 = 95;

static READER: Mutex<RefCell<Option<Reader>>> = Mutex::new(RefCell::new(None));

/// Reads the head of the scenario, and goes to the part that is played after so many starts. Gives
/// also the moment from which its times count.
pub(crate) fn setup(starts: u32) -> (Setup<SOURCES>, Instant) {
    // No scenario has so many: it is one reset after the other.
    if starts > 10 {
        exit(NO_END);
    }
    let Some(mut reader) = Reader::open() else {
        exit(BAD_SCENARIO)
    };
    let mut timeout = Duration::from_secs(60);
    let mut cutoff = Duration::from_secs(10);
    let mut recovery = Recovery::SelfClearing;
    let mut setup = None;
    let mut origin = Instant::MIN;
    loop {
        let ended = reader.with_next(|step| match step {
            Step::Timeout(value) => timeout = value,
            Step::Cutoff(value) => cutoff = value,
            Step::Recovery(value) => recovery = value,
            // Only the first start: a reset begins at zero.
            Step::Clock(ticks) if starts == 1 => {
                time::begin_at(ticks);
                origin = Instant::from_ticks(ticks);
            }
            Step::Source {
                name,
                critical,
                timeout: source_timeout,
            } => {
                let setup = setup.get_or_insert_with(|| Setup::new(timeout, cutoff, recovery));
                if setup.add(name, critical, source_timeout).is_err() {
                    exit(BAD_SCENARIO);
                }
            }
            Step::Clock(_) => {}
            Step::Input { .. } | Step::Reset | Step::End { .. } => exit(BAD_SCENARIO),
        });
        if ended {
            break;
        }
    }
    for _ in 1..starts {
        reader.skip_to_reset();
    }
    critical_section::with(|cs| READER.borrow(cs).replace(Some(reader)));
    let setup = setup.unwrap_or_else(|| Setup::new(timeout, cutoff, recovery));
    (setup, origin)
}

/// Plays what follows.
#[embassy_executor::task]
pub(crate) async fn play(origin: Instant) -> ! {
    let Some(mut reader) = critical_section::with(|cs| READER.borrow(cs).take()) else {
        exit(BAD_SCENARIO)
    };
    loop {
        match reader.next_timed() {
            reader::Timed::Input { at, bytes } => {
                Timer::at(origin + at).await;
                uart::inject(&bytes);
            }
            reader::Timed::Reset => {
                Timer::after_secs(30).await;
                exit(NO_RESET)
            }
            reader::Timed::End { at } => {
                Timer::at(origin + at).await;
                // What is due now goes first.
                embassy_futures::yield_now().await;
                let mut line = heapless::String::<32>::new();
                if writeln!(line, "stack {}", stack::deepest()).is_ok() {
                    uart::send(&line);
                }
                while !uart::is_drained() {
                    embassy_futures::yield_now().await;
                }
                exit(DONE)
            }
        }
    }
}

/// The hardware watchdog has interrupted: a reset must come within its time (which this waits for
/// on QEMU's slow processor).
pub(crate) fn wait_for_reset() {
    cortex_m::asm::delay(15_000_000);
    exit(if relay::is_energised() {
        RELAY_HELD
    } else {
        NO_WATCHDOG_RESET
    })
}

/// Shows a fault of the serial task, if it is one.
pub(crate) async fn show_in_listen(fault: Fault) {
    match fault {
        Fault::HangUart => hang(),
        Fault::StallUart => core::future::pending().await,
        Fault::Hang
        | Fault::InterruptsOff
        | Fault::Panic
        | Fault::StackOverflow
        | Fault::BusFault
        | Fault::ClockStops
        | Fault::ClockSlow
        | Fault::ClockFast
        | Fault::ClockBack => {}
    }
}

/// Shows any other fault.
pub(crate) fn show(fault: Fault) {
    match fault {
        Fault::HangUart | Fault::StallUart => {}
        Fault::Hang => hang(),
        Fault::InterruptsOff => {
            cortex_m::interrupt::disable();
            hang()
        }
        #[expect(clippy::panic, reason = "it is what is to be shown")]
        Fault::Panic => panic!("as the bench asked"),
        Fault::StackOverflow => {
            overflow(0);
        }
        Fault::BusFault => faults::access_nothing(),
        Fault::ClockStops => time::warp(time::Warp::Stopped),
        Fault::ClockSlow => time::warp(time::Warp::Half),
        Fault::ClockFast => time::warp(time::Warp::Double),
        Fault::ClockBack => time::set_back(Duration::from_secs(10).as_ticks()),
    }
}

fn hang() -> ! {
    loop {
        core::hint::spin_loop();
    }
}

#[expect(unconditional_recursion, reason = "it is what is to be shown")]
#[inline(never)]
fn overflow(depth: u32) -> u32 {
    let ballast = core::hint::black_box([depth; 16]);
    overflow(depth.wrapping_add(1)).wrapping_add(ballast.iter().sum())
}

fn exit(code: i32) -> ! {
    semihosting::process::exit(code)
}
