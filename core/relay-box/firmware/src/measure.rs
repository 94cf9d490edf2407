//! Counts the instructions of one decision, with 1, 4 and 16 sources: QEMU's `-icount` makes time
//! of them.
#![no_std]
#![no_main]
#![expect(unsafe_code, reason = "the timer's two registers")]

use core::hint::black_box;
use core::ptr::{read_volatile, write_volatile};

use cortex_m as _;
use defmt_semihosting as _;
use embassy_time::{Duration, Instant};
use lvmbeat_core::emission::Pace;
use lvmbeat_core::{Config, Decision, Outcome, Supervisor};
use portable_atomic as _;

/// The time driver's hardware is not needed, but somebody asks for its symbols.
struct NoTime;
impl embassy_time_driver::Driver for NoTime {
    fn now(&self) -> u64 {
        0
    }
    fn schedule_wake(&self, _at: u64, _waker: &core::task::Waker) {}
}
embassy_time_driver::time_driver_impl!(static NO_TIME: NoTime = NoTime);

const TIMER: usize = 0x4000_0000;
const ROUNDS: u32 = 1000;
/// Sixteen names of so many bytes that differ in the one at `place`.
const fn names<const BYTES: usize>(place: usize) -> [[u8; BYTES]; 16] {
    let mut names = [[b'-'; BYTES]; 16];
    let mut number = 0;
    let mut letter = b'a';
    while number < names.len() {
        names[number][place] = letter;
        number += 1;
        letter += 1;
    }
    names
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    semihosting::process::exit(1)
}

#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [usize; 1] = [0];

fn cycles() -> u32 {
    u32::MAX - unsafe { read_volatile((TIMER + 4) as *const u32) }
}

#[cortex_m_rt::entry]
fn main() -> ! {
    for (register, value) in [(8, u32::MAX), (4, u32::MAX), (0, 1)] {
        unsafe { write_volatile((TIMER + register) as *mut u32, value) }
    }
    for sources in [1, 4, 16] {
        // The longest names, and in turn all that they can differ in; and shorter ones, down to
        // those that are not compared in blocks.
        let first = measure(&names::<32>(0), sources);
        let mut worst = first;
        for place in 1..32 {
            worst = worst.max(measure(&names::<32>(place), sources));
        }
        for place in 0..31 {
            worst = worst.max(measure(&names::<31>(place), sources));
        }
        worst = worst
            .max(measure(&names::<25>(24), sources))
            .max(measure(&names::<24>(15), sources))
            .max(measure(&names::<8>(7), sources))
            .max(measure(&names::<7>(6), sources))
            .max(measure(&names::<3>(2), sources));
        semihosting::println!("sources {sources} instructions {first} worst {worst}");
    }
    semihosting::process::exit(0)
}

/// The most that a decision costs: the beat of the last of all sources, when all are fresh, and
/// what follows from it.
fn measure<const BYTES: usize>(names: &[[u8; BYTES]; 16], sources: usize) -> u64 {
    let pace = Pace {
        cutoff: Duration::MIN,
        retry: Duration::MIN,
        plc_timeout: Duration::from_secs(60),
    };
    let mut config = Config::<16, 0>::new(Duration::from_secs(4), pace);
    let names = names
        .each_ref()
        .map(|name| str::from_utf8(name).unwrap_or_default());
    let names = names.get(names.len() - sources..).unwrap_or_default();
    for name in names {
        if config
            .add_heartbeat(name, true, Duration::from_secs(30))
            .is_err()
        {
            semihosting::process::exit(2);
        }
    }
    let now = Instant::from_secs(1000);
    let mut supervisor = Supervisor::new(config, now);
    for name in names {
        let _ = supervisor.beat(name, now);
    }
    supervisor.forget(now);
    for name in names.iter().take(sources - 1) {
        let _ = supervisor.beat(name, now);
    }
    let last = names.last().copied().unwrap_or_default();
    let mut emitted = 0;
    let start = cycles();
    for _ in 0..ROUNDS {
        let decision = black_box(&mut supervisor).beat(black_box(last), black_box(now));
        if let Ok(Decision::Emit(ticket)) = decision {
            emitted += 1;
            supervisor.emission_ended(ticket, Outcome::Acknowledged, now);
        }
    }
    // One cycle is 40 ns, one instruction 32 ns.
    let instructions = u64::from(cycles().wrapping_sub(start)) * 40 / 32 / u64::from(ROUNDS);
    if emitted != ROUNDS {
        semihosting::process::exit(3);
    }
    instructions
}
