//! When the program cannot go on: release the relay first, note why, and reset. Nothing here waits,
//! logs or can fail.
#![expect(
    unsafe_code,
    reason = "symbols of the linker, and the frame that the processor has put on the stack"
)]

use lvmbeat_core::serial::ResetCause;

use super::{relay, retained};

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    cortex_m::interrupt::disable();
    end(
        ResetCause::Panic,
        info.location().map_or(0, core::panic::Location::line),
    )
}

fn end(cause: ResetCause, place: u32) -> ! {
    relay::release();
    retained::because(cause, place);
    cortex_m::peripheral::SCB::sys_reset()
}

// A fault of the processor. Its stack may be what is broken: begin at the top of it again. In r0 is
// where the processor has left off.
core::arch::global_asm!(
    ".section .HardFault.on_a_fresh_stack, \"ax\"",
    ".global HardFault",
    ".type HardFault, %function",
    ".thumb_func",
    "HardFault:",
    "mov r0, sp",
    "ldr r1, =_stack_start",
    "mov sp, r1",
    "ldr r1, =relay_box_hard_fault",
    "bx r1",
    ".ltorg",
);

#[unsafe(export_name = "relay_box_hard_fault")]
extern "C" fn hard_fault(frame: *const u32) -> ! {
    unsafe extern "C" {
        static _stack_end: u32;
    }
    relay::release();
    let bottom = &raw const _stack_end as usize;
    // The frame itself had no room, or nearly none.
    if (frame as usize) < bottom + 64 {
        end(ResetCause::StackOverflow, 0)
    }
    // The seventh word is the program counter.
    end(ResetCause::HardFault, unsafe {
        frame.add(6).read_volatile()
    })
}

/// The hardware watchdog was not fed. The reset is its own: feeding it from here would defeat
/// it.
pub(super) fn watchdog_expired() -> ! {
    relay::release();
    retained::because(ResetCause::Hung, 0);
    #[cfg(feature = "bench")]
    crate::bench::wait_for_reset();
    loop {
        relay::release();
    }
}

/// Reads where nothing is.
#[cfg(feature = "bench")]
pub(crate) fn access_nothing() {
    super::register::Register(0xB000_0000).read();
}
