//! RAM that a reset leaves alone: the linker puts it where nobody clears it.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;

use box_logic::record::{Record, Words};
use lvmbeat_core::serial::ResetCause;

#[expect(
    unsafe_code,
    reason = "one word after the other, volatile, by one processor"
)]
mod words {
    use super::{MaybeUninit, UnsafeCell, Words};

    struct Kept(UnsafeCell<MaybeUninit<Words>>);
    unsafe impl Sync for Kept {}

    #[unsafe(link_section = ".uninit.RECORD")]
    static KEPT: Kept = Kept(UnsafeCell::new(MaybeUninit::uninit()));

    pub(super) fn read() -> Words {
        // Whatever is there is some number.
        unsafe { core::ptr::read_volatile(KEPT.0.get().cast()) }
    }

    pub(super) fn write(words: Words) {
        unsafe { core::ptr::write_volatile(KEPT.0.get().cast(), words) }
    }
}

/// Gives what the last start left, and begins the record of this one.
pub(crate) fn started() -> (Record, Record) {
    let last = Record::from_words(words::read());
    let this = last.started();
    words::write(this.to_words());
    (last, this)
}

/// Notes why there will be a reset. The first cause stays.
pub(crate) fn because(cause: ResetCause, place: u32) {
    let record = Record::from_words(words::read());
    words::write(record.because(cause, place).to_words());
}
