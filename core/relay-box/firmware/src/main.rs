//! A box with a relay that drops out when heartbeats stop: lvmbeat's core as a hardware watchdog.
//!
//! Two tasks: [`listen`](tasks::listen) makes commands of the bytes of the serial line,
//! [`decide`](tasks::decide) owns all that is known, drives the relay, and alone may feed the
//! hardware watchdog. What they do is in `box-logic`, and is tested on the host; what the
//! hardware does is in [`board`].
#![no_std]
#![no_main]

#[cfg(feature = "bench")]
mod bench;
mod board;
#[cfg(not(feature = "bench"))]
mod site;
mod tasks;

use box_logic::machine::Machine;
use defmt_semihosting as _;
use embassy_executor::raw::Executor;
use embassy_time::Instant;
use lvmbeat_core::serial::{Start, What};
use static_cell::StaticCell;

/// A box has room for so many sources.
const SOURCES: usize = 16;

defmt::timestamp!("{=u64:ms}", Instant::now().as_millis());

#[cortex_m_rt::entry]
fn main() -> ! {
    static MACHINE: StaticCell<Machine<SOURCES>> = StaticCell::new();
    static EXECUTOR: StaticCell<Executor> = StaticCell::new();

    // S5: whatever was before, it begins tripped.
    let was_energised = board::relay::is_energised();
    board::relay::release();
    board::watchdog::start();
    #[cfg(feature = "bench")]
    board::stack::paint();
    let (last, this) = board::retained::started();
    board::time::start();
    board::uart::start();

    defmt::info!("start {=u32} after {}", this.starts, last.cause);
    let start = Start {
        cause: last.cause,
        starts: this.starts,
        place: last.place,
        was_energised,
    };
    tasks::say(&tasks::report(What::Started(start), Instant::now()));
    board::vectors::enable();

    #[cfg(not(feature = "bench"))]
    let setup = site::setup();
    #[cfg(feature = "bench")]
    let (setup, origin) = bench::setup(this.starts);

    #[cfg(not(feature = "bench"))]
    let chance = board::time::chance() ^ this.starts.rotate_left(24);
    // The bench has to know the sessions beforehand.
    #[cfg(feature = "bench")]
    let chance = 0;
    let start = Instant::now();
    let machine = MACHINE.init_with(|| Machine::new(setup, chance, start));

    board::run(
        EXECUTOR.init(Executor::new(core::ptr::null_mut())),
        |spawner| {
            // Each is started once, so that there is always room for it. If there were not, nobody
            // would feed the watchdog.
            if let (Ok(listen), Ok(decide)) = (tasks::listen(), tasks::decide(machine)) {
                spawner.spawn(listen);
                spawner.spawn(decide);
            }
            #[cfg(feature = "bench")]
            if let Ok(task) = bench::play(origin) {
                spawner.spawn(task);
            }
        },
    )
}
