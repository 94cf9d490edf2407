//! Modbus TCP without a network: a request's bytes in, the answer's bytes out (Modbus application
//! protocol 1.1b3, Modbus messaging on TCP/IP 1.0b).
//!
//! The framing is done here and not by `tokio-modbus`'s server, because that one (0.17.0) cannot
//! give the exact exceptions: it closes the connection where a request's value or count is illegal,
//! and a write of multiple coils with more bits than bytes (or of more than 32 767 registers)
//! panics in its decoder. The simulator is talked to by it all the same: it is the client
//! here, in the tests and in the `lvmecp` stand-in.
//!
//! Functions 1, 3, 5, 6, 15 and 16 are offered; everything else is an illegal function. Of an
//! offered one, in this order: a length, count or value that the function does not allow is an
//! illegal value; an address that does not exist or cannot be written is an illegal address; and
//! then it is done.

use crate::plc::{Exception, Plc};

/// The header: transaction, protocol (0), length of what follows, unit.
pub const HEADER_BYTES: usize = 7;

/// The longest that follows a header.
pub const MAX_PDU_BYTES: usize = 253;

const READ_COILS: u8 = 1;
const READ_HOLDING_REGISTERS: u8 = 3;
const WRITE_SINGLE_COIL: u8 = 5;
const WRITE_SINGLE_REGISTER: u8 = 6;
const WRITE_MULTIPLE_COILS: u8 = 15;
const WRITE_MULTIPLE_REGISTERS: u8 = 16;

/// The counts that the functions allow.
const READ_BITS: std::ops::RangeInclusive<u16> = 1..=2000;
const READ_REGISTERS: std::ops::RangeInclusive<u16> = 1..=125;
const WRITE_BITS: std::ops::RangeInclusive<u16> = 1..=1968;
const WRITE_REGISTERS: std::ops::RangeInclusive<u16> = 1..=123;

/// A frame's header, understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    transaction: u16,
    unit: u8,
    pdu_bytes: usize,
}

impl Header {
    /// Understands a header; `None` if it is none, and then nothing that follows on that connection
    /// can be understood.
    pub fn parse(bytes: [u8; HEADER_BYTES]) -> Option<Self> {
        let [t1, t2, p1, p2, l1, l2, unit] = bytes;
        let length = usize::from(u16::from_be_bytes([l1, l2]));
        // The length counts the unit, and a PDU is a function at least.
        let pdu_bytes = length.checked_sub(1)?;
        let valid = u16::from_be_bytes([p1, p2]) == 0 && (1..=MAX_PDU_BYTES).contains(&pdu_bytes);
        valid.then_some(Self {
            transaction: u16::from_be_bytes([t1, t2]),
            unit,
            pdu_bytes,
        })
    }

    /// How many bytes follow.
    pub fn pdu_bytes(self) -> usize {
        self.pdu_bytes
    }

    /// The frame of an answer. Every unit is answered: behind the address there is one PLC.
    pub fn frame(self, pdu: &[u8]) -> Vec<u8> {
        let length = u16::try_from(pdu.len().saturating_add(1)).unwrap_or(u16::MAX);
        let mut frame = Vec::with_capacity(HEADER_BYTES.saturating_add(pdu.len()));
        frame.extend_from_slice(&self.transaction.to_be_bytes());
        frame.extend_from_slice(&[0, 0]);
        frame.extend_from_slice(&length.to_be_bytes());
        frame.push(self.unit);
        frame.extend_from_slice(pdu);
        frame
    }
}

/// Does what a request asks for, and gives the answer, which may be an exception. There is an
/// answer to any bytes.
pub fn answer(plc: &mut Plc, request: &[u8]) -> Vec<u8> {
    let (function, data) = request
        .split_first()
        .map_or((0, request), |(f, data)| (*f, data));
    match execute(plc, function, data) {
        Ok(mut answer) => {
            answer.insert(0, function);
            answer
        }
        Err(exception) => vec![function | 0x80, exception.code()],
    }
}

fn execute(plc: &mut Plc, function: u8, data: &[u8]) -> Result<Vec<u8>, Exception> {
    match function {
        READ_COILS => {
            let (address, count) = two_words(data)?;
            within(count, READ_BITS)?;
            Ok(counted(pack(&plc.read_coils(address, count)?)))
        }
        READ_HOLDING_REGISTERS => {
            let (address, count) = two_words(data)?;
            within(count, READ_REGISTERS)?;
            let values = plc.read_holding(address, count)?;
            Ok(counted(
                values.into_iter().flat_map(u16::to_be_bytes).collect(),
            ))
        }
        WRITE_SINGLE_COIL => {
            let (address, value) = two_words(data)?;
            let value = match value {
                0x0000 => false,
                0xFF00 => true,
                _ => return Err(Exception::IllegalValue),
            };
            plc.write_coil(address, value)?;
            Ok(data.to_vec())
        }
        WRITE_SINGLE_REGISTER => {
            let (address, value) = two_words(data)?;
            plc.write_holding(address, &[value])?;
            Ok(data.to_vec())
        }
        WRITE_MULTIPLE_COILS => {
            let (address, count, bytes) = block(data)?;
            within(count, WRITE_BITS)?;
            let bits = usize::from(count);
            if bytes.len() != bits.div_ceil(8) {
                return Err(Exception::IllegalValue);
            }
            plc.write_coils(address, &unpack(bytes, bits))?;
            Ok(echo(address, count))
        }
        WRITE_MULTIPLE_REGISTERS => {
            let (address, count, bytes) = block(data)?;
            within(count, WRITE_REGISTERS)?;
            let (words, rest) = bytes.as_chunks::<2>();
            if words.len() != usize::from(count) || !rest.is_empty() {
                return Err(Exception::IllegalValue);
            }
            let values: Vec<u16> = words.iter().map(|word| u16::from_be_bytes(*word)).collect();
            plc.write_holding(address, &values)?;
            Ok(echo(address, count))
        }
        _ => Err(Exception::IllegalFunction),
    }
}

fn two_words(data: &[u8]) -> Result<(u16, u16), Exception> {
    match *data {
        [a, b, c, d] => Ok((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))),
        _ => Err(Exception::IllegalValue),
    }
}

/// Address, count, and as many bytes as the fifth says.
fn block(data: &[u8]) -> Result<(u16, u16, &[u8]), Exception> {
    let [a, b, c, d, length, bytes @ ..] = data else {
        return Err(Exception::IllegalValue);
    };
    if bytes.len() != usize::from(*length) {
        return Err(Exception::IllegalValue);
    }
    Ok((
        u16::from_be_bytes([*a, *b]),
        u16::from_be_bytes([*c, *d]),
        bytes,
    ))
}

fn within(count: u16, allowed: std::ops::RangeInclusive<u16>) -> Result<(), Exception> {
    if allowed.contains(&count) {
        Ok(())
    } else {
        Err(Exception::IllegalValue)
    }
}

fn counted(bytes: Vec<u8>) -> Vec<u8> {
    let mut answer = Vec::with_capacity(bytes.len().saturating_add(2));
    // 2000 bits or 125 registers are 250 bytes.
    answer.push(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
    answer.extend(bytes);
    answer
}

fn echo(address: u16, count: u16) -> Vec<u8> {
    let mut answer = address.to_be_bytes().to_vec();
    answer.extend_from_slice(&count.to_be_bytes());
    answer
}

/// The first bit is the lowest of the first byte.
fn pack(bits: &[bool]) -> Vec<u8> {
    bits.chunks(8)
        .map(|eight| {
            eight
                .iter()
                .rev()
                .fold(0, |byte, bit| (byte << 1) | u8::from(*bit))
        })
        .collect()
}

fn unpack(bytes: &[u8], bits: usize) -> Vec<bool> {
    bytes
        .iter()
        .flat_map(|byte| (0..8).map(move |place| byte >> place & 1 == 1))
        .take(bits)
        .collect()
}

#[cfg(test)]
mod tests {
    use embassy_time::Instant;
    use proptest::prelude::*;

    use super::*;
    use crate::plc::{Coil, Fault, PlcConfig};

    fn plc() -> Plc {
        Plc::new(PlcConfig::default(), Instant::from_ticks(0))
    }

    fn ask(request: &[u8]) -> Vec<u8> {
        answer(&mut plc(), request)
    }

    #[test]
    fn a_header_is_understood_and_answered_with_its_transaction_and_unit() {
        let header = Header::parse([0x12, 0x34, 0, 0, 0, 6, 0xFE]).unwrap();
        assert_eq!(header.pdu_bytes(), 5);
        let frame = header.frame(&[1, 1, 0]);
        assert_eq!(frame, [0x12, 0x34, 0, 0, 0, 4, 0xFE, 1, 1, 0]);
    }

    #[test]
    fn bytes_that_are_not_a_header_are_refused() {
        // Another protocol, no PDU, nothing at all, and one byte more than there can be.
        assert_eq!(Header::parse([0, 1, 0, 1, 0, 6, 0]), None);
        assert_eq!(Header::parse([0, 1, 0, 0, 0, 1, 0]), None);
        assert_eq!(Header::parse([0, 1, 0, 0, 0, 0, 0]), None);
        assert_eq!(Header::parse([0, 1, 0, 0, 0, 255, 0]), None);
        assert!(Header::parse([0, 1, 0, 0, 0, 254, 0]).is_some());
    }

    #[test]
    fn coils_come_packed_from_the_lowest_bit() {
        // door_locked and door_closed are 1, local is 0.
        assert_eq!(ask(&[1, 0, 0, 0, 3]), [1, 1, 0b011]);
        // 104..=109 of a closed dome: se (105), sw (107) and dome_closed (108).
        assert_eq!(ask(&[1, 0, 104, 0, 6]), [1, 1, 0b01_1010]);
        assert_eq!(ask(&[1, 0, 0, 3, 255]).len(), 2 + 128);
    }

    #[test]
    fn registers_come_with_the_high_byte_first() {
        let mut plc = plc();
        plc.set(Coil::MotorDirection, true);
        plc.set(Coil::DriveEnabled, true);
        plc.set(Coil::HbSet, true);
        plc.advance(Instant::from_secs(30));
        assert_eq!(answer(&mut plc, &[3, 0, 150, 0, 1]), [3, 2, 0x12, 0x84]);
    }

    #[test]
    fn the_counts_have_the_limits_of_the_protocol() {
        let value = |function: u8| vec![function | 0x80, 3];
        let address = |function: u8| vec![function | 0x80, 2];
        assert_eq!(ask(&[1, 0, 0, 0, 0]), value(1));
        assert_eq!(ask(&[1, 0, 0, 0x07, 0xD1]), value(1));
        // 2000 bits are allowed, but do not exist.
        assert_eq!(ask(&[1, 0, 0, 0x07, 0xD0]), address(1));
        assert_eq!(ask(&[3, 0, 0, 0, 0]), value(3));
        assert_eq!(ask(&[3, 0, 0, 0, 126]), value(3));
        assert_eq!(ask(&[3, 0, 0, 0, 125]).len(), 2 + 250);
    }

    #[test]
    fn the_end_is_an_illegal_address_even_where_a_sum_would_overflow() {
        assert_eq!(ask(&[1, 0x03, 0xFF, 0, 1]), [1, 1, 0]);
        assert_eq!(ask(&[1, 0x03, 0xFF, 0, 2]), [0x81, 2]);
        assert_eq!(ask(&[1, 0xFF, 0xFF, 0, 125]), [0x81, 2]);
        assert_eq!(ask(&[3, 0xFF, 0xFF, 0, 125]), [0x83, 2]);
        assert_eq!(ask(&[5, 0xFF, 0xFF, 0xFF, 0]), [0x85, 2]);
    }

    #[test]
    fn a_coil_is_written_and_echoed() {
        let mut plc = plc();
        assert_eq!(answer(&mut plc, &[5, 2, 90, 0xFF, 0]), [5, 2, 90, 0xFF, 0]);
        assert!(plc.coil(Coil::NetworkFailure));
        assert_eq!(answer(&mut plc, &[5, 2, 90, 0, 0]), [5, 2, 90, 0, 0]);
        assert!(!plc.coil(Coil::NetworkFailure));
        assert_eq!(answer(&mut plc, &[5, 2, 90, 0, 1]), [0x85, 3]);
    }

    #[test]
    fn several_coils_are_written_together_or_not_at_all() {
        let mut plc = plc();
        // 899 and 900 can be written, 901 cannot.
        assert_eq!(
            answer(&mut plc, &[15, 3, 131, 0, 2, 1, 0b11]),
            [15, 3, 131, 0, 2]
        );
        assert!(plc.coil(Coil::BypassSoftwareStatus));
        assert_eq!(answer(&mut plc, &[15, 3, 131, 0, 3, 1, 0]), [0x8F, 2]);
        assert!(plc.coil(Coil::BypassSoftwareStatus));
    }

    #[test]
    fn a_block_whose_lengths_disagree_is_an_illegal_value() {
        // More bits than bytes: this aborts a server whose decoder trusts the count.
        assert_eq!(ask(&[15, 0, 0, 0x07, 0xB0, 1, 0]), [0x8F, 3]);
        assert_eq!(ask(&[15, 0, 0, 0, 0, 0]), [0x8F, 3]);
        assert_eq!(ask(&[15, 0, 0, 0, 1, 2, 0, 0]), [0x8F, 3]);
        assert_eq!(ask(&[15, 0, 0, 0, 1, 1]), [0x8F, 3]);
        assert_eq!(ask(&[16, 0, 0, 0xFF, 0xFF, 2, 0, 0]), [0x90, 3]);
        assert_eq!(ask(&[16, 0, 0, 0, 1, 3, 0, 0, 0]), [0x90, 3]);
        assert_eq!(ask(&[16, 0]), [0x90, 3]);
        assert_eq!(ask(&[1, 0, 0, 0]), [0x81, 3]);
        assert_eq!(ask(&[5]), [0x85, 3]);
    }

    #[test]
    fn no_holding_register_can_be_written() {
        assert_eq!(ask(&[6, 0, 150, 0, 1]), [0x86, 2]);
        assert_eq!(ask(&[16, 0, 150, 0, 1, 2, 0, 1]), [0x90, 2]);
    }

    #[test]
    fn other_functions_are_illegal() {
        for function in [0, 2, 4, 7, 8, 11, 17, 22, 23, 43, 99, 0x7F] {
            assert_eq!(ask(&[function, 0, 0, 0, 1]), [function | 0x80, 1]);
        }
        assert_eq!(ask(&[]), [0x80, 1]);
    }

    #[test]
    fn exceptions_on_demand_are_device_failures() {
        let mut plc = plc();
        plc.set_fault(Fault::ReadException, true);
        assert_eq!(answer(&mut plc, &[1, 0, 0, 0, 1]), [0x81, 4]);
        assert_eq!(answer(&mut plc, &[3, 0, 0, 0, 1]), [0x83, 4]);
        assert_eq!(answer(&mut plc, &[5, 2, 87, 0xFF, 0]), [5, 2, 87, 0xFF, 0]);
        plc.set_fault(Fault::ReadException, false);
        plc.set_fault(Fault::WriteException, true);
        assert_eq!(answer(&mut plc, &[5, 2, 90, 0xFF, 0]), [0x85, 4]);
        assert!(!plc.coil(Coil::NetworkFailure));
    }

    proptest! {
        /// X2: any bytes get an answer, and it is that function's.
        #[test]
        fn any_request_gets_an_answer(request in prop::collection::vec(any::<u8>(), 0..MAX_PDU_BYTES)) {
            let answer = ask(&request);
            prop_assert!((2..=MAX_PDU_BYTES).contains(&answer.len()));
            let function = request.first().copied().unwrap_or(0);
            prop_assert_eq!(answer[0] & 0x7F, function & 0x7F);
        }

        #[test]
        fn packing_is_undone_by_unpacking(bits in prop::collection::vec(any::<bool>(), 0..300)) {
            prop_assert_eq!(unpack(&pack(&bits), bits.len()), bits);
        }
    }
}
