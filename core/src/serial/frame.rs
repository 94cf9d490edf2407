//! What is said to the box: one frame each.
//!
//! ```text
//! STX  body with STX, ETX, DLE, CR and LF escaped (DLE, byte ^ 0x40)  ETX
//!
//! body:  kind 1 | session 4 | sequence 4 | length of source 1 | source | CRC-32 of all before 4
//!        (numbers are little endian)
//! kind:  h hello   s set   a arm   p ping   q status
//! ```
//!
//! No byte of a frame but its own STX and ETX looks like one, and none ends a line, so that a
//! listener finds the next frame or line after any disturbance. The *session* is a number that the
//! box gives in answer to `hello`; it dies with the next `hello` of that source and with a reset of
//! the box, and with it every frame that is still on its way (S3, S5). Within a session sequence
//! numbers go up.

use heapless::Vec;

use super::crc::crc32;
use crate::name::{MAX_NAME_BYTES, Name};

/// Begins a frame.
pub const STX: u8 = 0x02;
/// Ends a frame.
const ETX: u8 = 0x03;
/// The next byte was changed by [`ESCAPE_MASK`].
const DLE: u8 = 0x10;
/// What an escaped byte was changed by.
const ESCAPE_MASK: u8 = 0x40;
/// The longest body in bytes.
pub const MAX_BODY: usize = HEAD + MAX_NAME_BYTES + CRC;
/// The longest frame in bytes, when every byte of the body is escaped.
pub const MAX_WIRE: usize = MAX_BODY * 2 + 2;

const HEAD: usize = 1 + 4 + 4 + 1;
const CRC: usize = 4;

/// Why some bytes are no frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FrameError {
    /// The CRC does not fit.
    Checksum,
    /// It makes no sense, or was cut off.
    Malformed,
}

/// One frame.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Frame {
    /// What is said.
    pub kind: Kind,
    /// The session that the box gave to the source; of no meaning for `hello`.
    pub session: u32,
    /// Larger than that of any frame before in the session; of no meaning for `hello`.
    pub sequence: u32,
    /// Who says it.
    pub source: Name,
}

/// What a frame says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Kind {
    /// Asks for a session.
    Hello,
    /// A heartbeat of the source.
    Set,
    /// Ends a latch.
    Arm,
    /// Are you there?
    Ping,
    /// What do you know?
    Status,
}

impl Kind {
    /// Every kind with its byte.
    pub const ALL: [(u8, Self); 5] = [
        (b'h', Self::Hello),
        (b's', Self::Set),
        (b'a', Self::Arm),
        (b'p', Self::Ping),
        (b'q', Self::Status),
    ];

    fn byte(self) -> u8 {
        match self {
            Self::Hello => b'h',
            Self::Set => b's',
            Self::Arm => b'a',
            Self::Ping => b'p',
            Self::Status => b'q',
        }
    }
}

/// Undoes the escapes of a frame, byte by byte, from the one after its [`STX`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Unescape {
    is_escaped: bool,
}

/// What a byte of a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Escaped {
    /// It says something of the next byte.
    Prefix,
    /// This byte of the body.
    Body(u8),
    /// The end of the frame.
    End,
}

impl Unescape {
    /// Takes the next byte.
    pub fn push(&mut self, byte: u8) -> Escaped {
        if self.is_escaped {
            self.is_escaped = false;
            return Escaped::Body(byte ^ ESCAPE_MASK);
        }
        match byte {
            DLE => {
                self.is_escaped = true;
                Escaped::Prefix
            }
            ETX => Escaped::End,
            byte => Escaped::Body(byte),
        }
    }
}

impl Frame {
    /// The bytes that go over the line.
    pub fn encode(&self) -> Vec<u8, MAX_WIRE> {
        let mut body: Vec<u8, MAX_BODY> = Vec::new();
        let name = self.source.as_str().as_bytes();
        let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
        // A name has at most 32 bytes, so that everything fits.
        let _ = body.push(self.kind.byte());
        let _ = body.extend_from_slice(&self.session.to_le_bytes());
        let _ = body.extend_from_slice(&self.sequence.to_le_bytes());
        let _ = body.push(length);
        let _ = body.extend_from_slice(name);
        let _ = body.extend_from_slice(&crc32(&body).to_le_bytes());
        let mut wire = Vec::new();
        let _ = wire.push(STX);
        for byte in body {
            if matches!(byte, STX | ETX | DLE | b'\r' | b'\n') {
                let _ = wire.extend_from_slice(&[DLE, byte ^ ESCAPE_MASK]);
            } else {
                let _ = wire.push(byte);
            }
        }
        let _ = wire.push(ETX);
        wire
    }

    /// Reads a body, with its escapes undone.
    pub fn decode(body: &[u8]) -> Result<Self, FrameError> {
        let (content, crc) = body
            .split_last_chunk::<CRC>()
            .ok_or(FrameError::Malformed)?;
        if crc32(content) != u32::from_le_bytes(*crc) {
            return Err(FrameError::Checksum);
        }
        // From here on somebody meant it so.
        let (&[kind, s0, s1, s2, s3, n0, n1, n2, n3, length], name) = content
            .split_first_chunk::<HEAD>()
            .ok_or(FrameError::Malformed)?;
        if name.len() != usize::from(length) {
            return Err(FrameError::Malformed);
        }
        let kind = Kind::ALL
            .iter()
            .find(|(byte, _)| *byte == kind)
            .map(|(_, kind)| *kind)
            .ok_or(FrameError::Malformed)?;
        let source = core::str::from_utf8(name)
            .ok()
            .and_then(|name| Name::new(name).ok())
            .ok_or(FrameError::Malformed)?;
        Ok(Self {
            kind,
            session: u32::from_le_bytes([s0, s1, s2, s3]),
            sequence: u32::from_le_bytes([n0, n1, n2, n3]),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn frame(kind: Kind) -> Frame {
        Frame {
            kind,
            session: 0x0203_100A,
            sequence: 0x0D00_FF02,
            source: Name::new("overwatcher").unwrap(),
        }
    }

    fn body(frame: &Frame) -> Vec<u8> {
        let mut unescape = Unescape::default();
        let wire = frame.encode();
        let mut bytes = wire[1..].iter().map(|byte| unescape.push(*byte));
        let mut body = vec![];
        loop {
            match bytes.next().unwrap() {
                Escaped::Prefix => {}
                Escaped::Body(byte) => body.push(byte),
                Escaped::End => break,
            }
        }
        assert_eq!(bytes.next(), None);
        body
    }

    proptest! {
        #[test]
        fn any_frame_is_read_as_it_was_written(
            (kind, session, sequence) in (0..Kind::ALL.len(), any::<u32>(), any::<u32>()),
            source in "[^\\s\\p{Cc}]{1,8}",
        ) {
            let frame = Frame {
                kind: Kind::ALL[kind].1,
                session,
                sequence,
                source: Name::new(&source).unwrap(),
            };
            prop_assert_eq!(Frame::decode(&body(&frame)), Ok(frame));
        }

        #[test]
        fn x2_any_bytes_are_a_frame_or_an_error(bytes: Vec<u8>) {
            let mut unescape = Unescape::default();
            let body: Vec<u8> = bytes
                .iter()
                .filter_map(|byte| match unescape.push(*byte) {
                    Escaped::Body(byte) => Some(byte),
                    Escaped::Prefix | Escaped::End => None,
                })
                .collect();
            // Its checksum cannot be guessed.
            prop_assert!(Frame::decode(&body).is_err());
            let sealed = [&body[..], &crc32(&body).to_le_bytes()].concat();
            prop_assert_ne!(Frame::decode(&sealed), Err(FrameError::Checksum));
        }
    }

    #[test]
    fn what_was_encoded_is_decoded() {
        for (_, kind) in Kind::ALL {
            assert_eq!(Frame::decode(&body(&frame(kind))), Ok(frame(kind)));
        }
    }

    #[test]
    fn inside_a_frame_nothing_looks_like_its_ends_or_like_the_end_of_a_line() {
        let wire = frame(Kind::Set).encode();
        assert_eq!((wire.first(), wire.last()), (Some(&STX), Some(&ETX)));
        for byte in &wire[1..wire.len() - 1] {
            assert!(![STX, ETX, b'\r', b'\n'].contains(byte), "{byte:#x}");
        }
    }

    #[test]
    fn the_longest_frame_has_room() {
        let frame = Frame {
            session: 0x0202_0202,
            sequence: 0x0303_0303,
            source: Name::new("abcdefghijklmnopqrstuvwxyz-12345").unwrap(),
            kind: Kind::Set,
        };
        assert_eq!(body(&frame).len(), MAX_BODY);
        assert_eq!(Frame::decode(&body(&frame)), Ok(frame));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let good = body(&frame(Kind::Set));
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Frame::decode(&bad), Err(FrameError::Checksum), "bit {bit}");
        }
    }

    #[test]
    fn x2_a_frame_that_is_cut_off_is_refused() {
        let good = body(&frame(Kind::Set));
        for length in 0..good.len() {
            assert!(Frame::decode(&good[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn x2_what_has_a_good_checksum_and_no_sense_is_malformed() {
        let sealed = |content: &[u8]| [content, &crc32(content).to_le_bytes()].concat();
        for content in [
            &b""[..],
            b"s",
            b"x\0\0\0\0\0\0\0\0\x01a",
            b"s\0\0\0\0\0\0\0\0\x02a",
            b"s\0\0\0\0\0\0\0\0\0",
            b"s\0\0\0\0\0\0\0\0\x01\xFF",
            b"s\0\0\0\0\0\0\0\0\x01 ",
        ] {
            assert_eq!(
                Frame::decode(&sealed(content)),
                Err(FrameError::Malformed),
                "{content:?}"
            );
        }
    }
}
