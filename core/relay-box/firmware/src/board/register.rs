//! One 32-bit register of the chip.

/// The register at that address.
#[derive(Clone, Copy)]
pub(super) struct Register(pub(super) usize);

#[expect(
    unsafe_code,
    reason = "the addresses are those of this board's registers, and none of them reaches memory"
)]
impl Register {
    pub(super) fn read(self) -> u32 {
        unsafe { core::ptr::read_volatile(self.0 as *const u32) }
    }

    pub(super) fn write(self, value: u32) {
        unsafe { core::ptr::write_volatile(self.0 as *mut u32, value) }
    }
}
