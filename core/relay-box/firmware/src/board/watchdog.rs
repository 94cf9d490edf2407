//! The hardware watchdog, a CMSDK one. Unless it is fed in time it interrupts (NMI, which releases
//! the relay), and resets the chip after as long again. It is also the second clock: it can be read
//! how much of its time has passed.

use box_logic::vitals::HARDWARE_TIMEOUT;
use embassy_time::Duration;

use super::CYCLES_PER_TICK;
use super::register::Register;

const LOAD: Register = Register(0x4000_8000);
const VALUE: Register = Register(0x4000_8004);
const CONTROL: Register = Register(0x4000_8008);
const CLEAR: Register = Register(0x4000_800C);
const LOCK: Register = Register(0x4000_8C00);
const KEY: u32 = 0x1ACC_E551;
/// Interrupt, then reset.
const ENABLE: u32 = 0b11;
#[expect(clippy::cast_possible_truncation, reason = "a few seconds of cycles")]
const CYCLES: u32 = HARDWARE_TIMEOUT.as_ticks() as u32 * CYCLES_PER_TICK;

/// Starts it. Nothing stops it again.
pub(crate) fn start() {
    unlocked(|| {
        LOAD.write(CYCLES);
        CONTROL.write(ENABLE);
    });
}

/// Begins its time anew.
pub(crate) fn feed() {
    unlocked(|| CLEAR.write(1));
}

/// How much of its time has passed.
pub(crate) fn passed() -> Duration {
    let cycles = CYCLES.saturating_sub(VALUE.read());
    Duration::from_ticks(u64::from(cycles / CYCLES_PER_TICK))
}

fn unlocked(change: impl FnOnce()) {
    LOCK.write(KEY);
    change();
    LOCK.write(0);
}
