//! How deep the stack was: it is painted at the start, and looked at later.
#![expect(unsafe_code, reason = "the part of the stack that nobody has used yet")]

const PAINT: u32 = 0xC5C5_C5C5;

unsafe extern "C" {
    static mut _stack_end: u32;
    static _stack_start: u32;
}

/// Paints what is free below the caller.
#[inline(never)]
pub(crate) fn paint() {
    let top = cortex_m::register::msp::read() as usize - 64;
    let mut word = &raw mut _stack_end;
    while (word as usize) < top {
        unsafe {
            word.write_volatile(PAINT);
            word = word.add(1);
        }
    }
}

/// The bytes that were used at most since it was painted.
pub(crate) fn deepest() -> usize {
    let top = &raw const _stack_start;
    let mut word: *const u32 = &raw const _stack_end;
    while word < top && unsafe { word.read_volatile() } == PAINT {
        word = unsafe { word.add(1) };
    }
    top as usize - word as usize
}
