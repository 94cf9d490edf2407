//! Reads the scenario line by line.

use box_logic::scenario::{MAX_INPUT, Senseless, Step, parse};
use embassy_time::Duration;
use heapless::Vec;
use semihosting::fs::File;
use semihosting::io::Read as _;

use super::{BAD_SCENARIO, exit};

/// The longest line.
const LONGEST: usize = 512;

/// The scenario, and the line that was read last.
pub(super) struct Reader {
    file: File,
    block: [u8; 512],
    filled: usize,
    taken: usize,
    line: Vec<u8, LONGEST>,
    /// The line is still to be looked at.
    is_kept: bool,
}

/// What happens at a time.
pub(super) enum Timed {
    Input {
        at: Duration,
        bytes: Vec<u8, MAX_INPUT>,
    },
    Reset,
    End {
        at: Duration,
    },
}

impl Reader {
    pub(super) fn open() -> Option<Self> {
        Some(Self {
            file: File::open(c"scenario").ok()?,
            block: [0; 512],
            filled: 0,
            taken: 0,
            line: Vec::new(),
            is_kept: false,
        })
    }

    /// Hands the next step of the head to somebody. Says true, and keeps it, if it is one that has
    /// a time.
    pub(super) fn with_next(&mut self, take: impl FnOnce(Step<'_>)) -> bool {
        self.read();
        match self.step() {
            Some(Step::Input { .. } | Step::Reset | Step::End { .. }) => {
                self.is_kept = true;
                true
            }
            Some(step) => {
                take(step);
                false
            }
            None => false,
        }
    }

    pub(super) fn skip_to_reset(&mut self) {
        loop {
            self.read();
            if self.step() == Some(Step::Reset) {
                return;
            }
        }
    }

    pub(super) fn next_timed(&mut self) -> Timed {
        loop {
            self.read();
            match self.step() {
                Some(Step::Input { at, bytes }) => return Timed::Input { at, bytes },
                Some(Step::Reset) => return Timed::Reset,
                Some(Step::End { at }) => return Timed::End { at },
                None => {}
                Some(
                    Step::Timeout(_)
                    | Step::Cutoff(_)
                    | Step::Recovery(_)
                    | Step::Clock(_)
                    | Step::Source { .. },
                ) => exit(BAD_SCENARIO),
            }
        }
    }

    fn step(&self) -> Option<Step<'_>> {
        let line = core::str::from_utf8(&self.line).ok();
        match line.map(parse) {
            Some(Ok(step)) => step,
            Some(Err(Senseless)) | None => exit(BAD_SCENARIO),
        }
    }

    /// Reads one line, unless one is kept. A scenario that has no end is a bad one.
    fn read(&mut self) {
        if core::mem::take(&mut self.is_kept) {
            return;
        }
        self.line.clear();
        loop {
            while let Some(byte) = self
                .block
                .get(self.taken..self.filled)
                .and_then(<[u8]>::first)
            {
                self.taken += 1;
                if *byte == b'\n' {
                    return;
                }
                if self.line.push(*byte).is_err() {
                    exit(BAD_SCENARIO);
                }
            }
            self.taken = 0;
            self.filled = match self.file.read(&mut self.block) {
                Ok(count) if count > 0 => count,
                Ok(_) | Err(_) => exit(BAD_SCENARIO),
            };
        }
    }
}
