//! The relay. Energised: the dome may stay open. Whatever takes its current away closes the dome.
//!
//! On this board it is the first light (`FPGAIO_LED0`). After a reset the register is zero:
//! released.

use super::register::Register;

const LED0: Register = Register(0x4002_8000);
const ENERGISED: u32 = 1;

/// Energises or releases it. Only the task that has just asked the permit calls this with true.
pub(crate) fn drive(energised: bool) {
    LED0.write(if energised { ENERGISED } else { 0 });
}

/// Releases it, from wherever.
pub(crate) fn release() {
    drive(false);
}

/// What the hardware says.
pub(crate) fn is_energised() -> bool {
    LED0.read() & ENERGISED != 0
}
