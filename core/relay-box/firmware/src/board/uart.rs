//! The serial line: CMSDK UART 0, 115 200 baud, by interrupts, through a bounded buffer each way.

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;
use portable_atomic::{AtomicU32, Ordering};

use super::CLOCK_HZ;
use super::register::Register;

const DATA: Register = Register(0x4000_4000);
const STATE: Register = Register(0x4000_4004);
const CONTROL: Register = Register(0x4000_4008);
const INTERRUPT: Register = Register(0x4000_400C);
const DIVIDER: Register = Register(0x4000_4010);

const TX_FULL: u32 = 0b0001;
const RX_FULL: u32 = 0b0010;
const RX_OVERRUN: u32 = 0b1000;
/// Transmit, receive, and an interrupt for each.
const ENABLE: u32 = 0b1111;
const TX_DONE: u32 = 0b01;
const RX_HERE: u32 = 0b10;
const BAUD: u32 = 115_200;

/// Room for a few frames: they are taken out several times faster than they can come.
const RX_BYTES: usize = 512;
/// Room for the answers to as many commands as may come at once.
const TX_BYTES: usize = 2048;

static RX: Pipe<CriticalSectionRawMutex, RX_BYTES> = Pipe::new();
static TX: Pipe<CriticalSectionRawMutex, TX_BYTES> = Pipe::new();
static OVERRUNS: AtomicU32 = AtomicU32::new(0);

/// Starts it.
pub(crate) fn start() {
    DIVIDER.write(CLOCK_HZ / BAUD);
    CONTROL.write(ENABLE);
}

/// Waits for bytes.
pub(crate) async fn read(buffer: &mut [u8]) -> usize {
    RX.read(buffer).await
}

/// So many bytes were lost since this was asked last.
pub(crate) fn overruns() -> u32 {
    OVERRUNS.swap(0, Ordering::Relaxed)
}

/// Sends all of it, or nothing: a line that nobody takes delays nothing, and no half line is sent.
pub(crate) fn send(line: &str) -> bool {
    if TX.free_capacity() < line.len() {
        return false;
    }
    // The buffer is a ring: what does not fit before its end goes to its beginning.
    let mut rest = line.as_bytes();
    while let Ok(written) = TX.try_write(rest) {
        rest = rest.get(written..).unwrap_or_default();
        if rest.is_empty() {
            break;
        }
    }
    critical_section::with(|_| pump());
    true
}

/// Whether all was handed to the hardware.
#[cfg(feature = "bench")]
pub(crate) fn is_drained() -> bool {
    TX.is_empty() && STATE.read() & TX_FULL == 0
}

/// Bytes as if they had come over the line.
#[cfg(feature = "bench")]
pub(crate) fn inject(bytes: &[u8]) {
    for byte in bytes {
        keep(*byte);
    }
}

pub(super) fn received() {
    INTERRUPT.write(RX_HERE);
    while STATE.read() & RX_FULL != 0 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the register holds one byte"
        )]
        keep(DATA.read() as u8);
    }
    if STATE.read() & RX_OVERRUN != 0 {
        STATE.write(RX_OVERRUN);
        OVERRUNS.add(1, Ordering::Relaxed);
    }
}

pub(super) fn transmitted() {
    INTERRUPT.write(TX_DONE);
    pump();
}

fn keep(byte: u8) {
    if RX.try_write(&[byte]).is_err() {
        OVERRUNS.add(1, Ordering::Relaxed);
    }
}

/// Hands bytes over for as long as the hardware takes them. Not to be interrupted by itself.
fn pump() {
    let mut byte = [0];
    while STATE.read() & TX_FULL == 0 && TX.try_read(&mut byte) == Ok(1) {
        let [byte] = byte;
        DATA.write(u32::from(byte));
    }
}
