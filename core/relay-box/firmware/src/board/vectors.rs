//! The interrupts of this board.
#![expect(
    unsafe_code,
    reason = "the processor calls these by their place in the vector table"
)]

use super::{faults, time, uart};

extern "C" fn timer1() {
    time::alarm();
}

extern "C" fn uart0_rx() {
    uart::received();
}

extern "C" fn uart0_tx() {
    uart::transmitted();
}

#[cortex_m_rt::exception]
unsafe fn NonMaskableInt() -> ! {
    faults::watchdog_expired()
}

type Handler = Option<extern "C" fn()>;

#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [Handler; 10] = [
    Some(uart0_rx),
    Some(uart0_tx),
    None,
    None,
    None,
    None,
    None,
    None,
    None,
    Some(timer1),
];

/// Lets them come.
pub(crate) fn enable() {
    const ENABLED: u32 = 1 << 0 | 1 << 1 | 1 << 9;
    super::register::Register(0xE000_E100).write(ENABLED);
}
