//! From bytes of the serial line to typed lines and frames.

use embassy_time::{Duration, Instant};
use heapless::Vec;
use lvmbeat_core::serial::{Escaped, Frame, MAX_BODY, Refusal, STX, Unescape};

use crate::command::{Received, parse_line};

/// The longest line in bytes, and so the longest of both.
const MAX_BYTES: usize = 64;
const _: () = assert!(MAX_BODY <= MAX_BYTES);

/// S3: from its first byte to its last a message may take less than this long. What took longer has
/// waited somewhere.
pub const COMPLETE_WITHIN: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Line,
    Frame(Unescape),
    /// What is wrong was said; waits for the next end of a line or beginning of a frame.
    Skipping,
}

/// Collects bytes until they are something. Costs a constant number of steps for each byte, but for
/// the last of a frame, which costs one pass over it.
#[derive(Clone, Debug)]
pub struct Input {
    state: State,
    bytes: Vec<u8, MAX_BYTES>,
    began: Option<Instant>,
}

impl Default for Input {
    fn default() -> Self {
        Self::new()
    }
}

impl Input {
    /// Waits for the first byte.
    pub const fn new() -> Self {
        Self {
            state: State::Line,
            bytes: Vec::new(),
            began: None,
        }
    }

    /// Takes one byte. Gives what it completed, or what was found wrong with it.
    pub fn push(&mut self, byte: u8, now: Instant) -> Option<Result<Received, Refusal>> {
        match (byte, self.state) {
            // Wherever it comes: the end of a line and the beginning of a frame begin anew.
            (STX, state) => {
                let cut_off = !self.bytes.is_empty() || matches!(state, State::Frame(_));
                self.restart(State::Frame(Unescape::default()));
                self.began = Some(now);
                cut_off.then_some(Err(Refusal::Malformed))
            }
            (b'\r' | b'\n', State::Line) => self.end_line(now),
            (b'\r' | b'\n', State::Frame(_)) => {
                self.restart(State::Line);
                Some(Err(Refusal::Malformed))
            }
            (b'\r' | b'\n', State::Skipping) => {
                self.restart(State::Line);
                None
            }
            (_, State::Skipping) => None,
            (_, State::Frame(mut unescape)) => {
                let escaped = unescape.push(byte);
                self.state = State::Frame(unescape);
                match escaped {
                    Escaped::Prefix => None,
                    Escaped::Body(byte) => self.keep(byte, now),
                    Escaped::End => Some(self.end_frame(now)),
                }
            }
            (b' '..=b'~' | b'\t', State::Line) => self.keep(byte, now),
            (_, State::Line) => Some(self.skip(Refusal::Malformed)),
        }
    }

    /// Bytes were lost: what was begun is not to be trusted.
    pub fn gap(&mut self) {
        self.restart(State::Skipping);
    }

    fn keep(&mut self, byte: u8, now: Instant) -> Option<Result<Received, Refusal>> {
        self.began.get_or_insert(now);
        match self.bytes.push(byte) {
            Ok(()) => None,
            Err(_) => Some(self.skip(Refusal::TooLong)),
        }
    }

    fn end_line(&mut self, now: Instant) -> Option<Result<Received, Refusal>> {
        let late = self.is_late(now);
        let text = core::str::from_utf8(&self.bytes).unwrap_or_default();
        let result = if self.bytes.is_empty() {
            None
        } else if late {
            Some(Err(Refusal::Slow))
        } else {
            Some(parse_line(text))
        };
        self.restart(State::Line);
        result
    }

    fn end_frame(&mut self, now: Instant) -> Result<Received, Refusal> {
        let result = if self.is_late(now) {
            Err(Refusal::Slow)
        } else {
            Frame::decode(&self.bytes)
                .map(Received::Frame)
                .map_err(Refusal::from)
        };
        self.restart(State::Line);
        result
    }

    /// A clock that went back is late, too.
    fn is_late(&self, now: Instant) -> bool {
        self.began.is_some_and(|began| {
            now.checked_duration_since(began)
                .is_none_or(|took| took >= COMPLETE_WITHIN)
        })
    }

    fn skip(&mut self, refusal: Refusal) -> Result<Received, Refusal> {
        self.restart(State::Skipping);
        Err(refusal)
    }

    fn restart(&mut self, state: State) {
        self.state = state;
        self.bytes.clear();
        self.began = None;
    }
}

#[cfg(test)]
mod tests {
    use lvmbeat_core::Name;
    use lvmbeat_core::serial::Kind;
    use proptest::prelude::*;

    use super::*;
    use crate::command::Command;

    const T0: Instant = Instant::from_secs(1000);

    fn feed(input: &mut Input, bytes: &[u8]) -> std::vec::Vec<Result<Received, Refusal>> {
        bytes
            .iter()
            .filter_map(|byte| input.push(*byte, T0))
            .collect()
    }

    fn all(bytes: &[u8]) -> std::vec::Vec<Result<Received, Refusal>> {
        feed(&mut Input::new(), bytes)
    }

    fn frame() -> Frame {
        Frame {
            kind: Kind::Set,
            session: 0x0302_0A0D,
            sequence: 16,
            source: Name::new("overwatcher").unwrap(),
        }
    }

    const PING: Result<Received, Refusal> = Ok(Received::Line(Command::Ping));

    #[test]
    fn lines_end_as_terminals_end_them() {
        assert_eq!(all(b"ping\n"), [PING]);
        assert_eq!(all(b"ping\r\n\r\nping\r"), [PING, PING]);
    }

    #[test]
    fn a_frame_is_found_among_lines() {
        let bytes = [
            b"ping\n",
            &frame().encode()[..],
            &frame().encode(),
            b"ping\n",
        ]
        .concat();
        let frame = Ok(Received::Frame(frame()));
        assert_eq!(all(&bytes), [PING, frame.clone(), frame, PING]);
    }

    #[test]
    fn a_frame_that_is_cut_off_costs_no_other_one() {
        let wire = frame().encode();
        let good = Ok(Received::Frame(frame()));
        for length in 1..wire.len() {
            let bytes = [&wire[..length], &wire].concat();
            assert_eq!(
                all(&bytes),
                [Err(Refusal::Malformed), good.clone()],
                "{length}"
            );
            let bytes = [&wire[..length], b"\nping\n"].concat();
            assert_eq!(all(&bytes), [Err(Refusal::Malformed), PING], "{length}");
        }
    }

    #[test]
    fn a_frame_without_its_beginning_costs_no_other_one() {
        let wire = frame().encode();
        let good = Ok(Received::Frame(frame()));
        for start in 1..wire.len() {
            let found = all(&[&wire[start..], &wire].concat());
            assert_eq!(found.last(), Some(&good), "{start}");
            assert!(
                found[..found.len() - 1].iter().all(Result::is_err),
                "{start}"
            );
        }
    }

    #[test]
    fn x2_what_is_too_long_is_refused_once() {
        let line = [&[b'a'; 1000][..], b"\nping\n"].concat();
        assert_eq!(all(&line), [Err(Refusal::TooLong), PING]);
        let frame = [&[STX][..], &[b'a'; 1000], b"\nping\n"].concat();
        assert_eq!(all(&frame), [Err(Refusal::TooLong), PING]);
    }

    #[test]
    fn x2_a_line_of_other_characters_is_refused_once() {
        assert_eq!(
            all("ping \u{e9}\u{e9}\nping\n".as_bytes()),
            [Err(Refusal::Malformed), PING]
        );
        assert_eq!(all(b"pi\x00ng\nping\n"), [Err(Refusal::Malformed), PING]);
    }

    #[test]
    fn s3_what_takes_ten_seconds_from_its_first_byte_to_its_last_is_refused() {
        let just = T0 + COMPLETE_WITHIN - Duration::from_ticks(1);
        for (end, expected) in [
            (just, PING),
            (T0 + COMPLETE_WITHIN, Err(Refusal::Slow)),
            (T0 - Duration::from_ticks(1), Err(Refusal::Slow)),
        ] {
            let mut input = Input::new();
            assert_eq!(feed(&mut input, b"ping"), []);
            assert_eq!(input.push(b'\n', end), Some(expected));
        }
        let wire = frame().encode();
        let (last, first) = wire.split_last().unwrap();
        for (end, refusal) in [(just, None), (T0 + COMPLETE_WITHIN, Some(Refusal::Slow))] {
            let mut input = Input::new();
            feed(&mut input, first);
            assert_eq!(input.push(*last, end).unwrap().err(), refusal);
        }
    }

    #[test]
    fn after_a_gap_the_next_whole_one_counts() {
        let mut input = Input::new();
        assert_eq!(feed(&mut input, b"set over"), []);
        input.gap();
        assert_eq!(feed(&mut input, b"watcher\nping\n"), [PING]);
    }

    proptest! {
        #[test]
        fn x2_any_bytes_are_survived_and_the_next_frame_is_found(noise: std::vec::Vec<u8>) {
            let mut input = Input::new();
            feed(&mut input, &noise);
            let found = feed(&mut input, &frame().encode());
            prop_assert_eq!(found.last(), Some(&Ok(Received::Frame(frame()))));
            prop_assert_eq!(feed(&mut input, b"ping\n"), [PING]);
        }
    }
}
