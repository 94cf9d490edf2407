//! What outlives a reset, in RAM that nobody clears: how often the box has started, and why it had
//! to do so again.

use lvmbeat_core::serial::{ResetCause, crc32};

/// The words as they lie in RAM.
pub type Words = [u32; 5];
/// Changes when the meaning of the words does.
const VERSION: u32 = 0x4C56_4D02;

/// What is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Record {
    /// How often it has started since it was given power; stops at `u32::MAX`.
    pub starts: u32,
    /// Why it will have to start again; [`ResetCause::External`] while nothing is wrong.
    pub cause: ResetCause,
    /// The place where it happened: the line of a panic, or the program counter.
    pub place: u32,
}

impl Record {
    /// The first start: what was in RAM was not written by this program.
    pub const FIRST: Self = Self {
        starts: 0,
        cause: ResetCause::PowerOn,
        place: 0,
    };

    /// Reads what a reset has left. Without power RAM holds anything: only what the checksum fits
    /// counts.
    pub fn from_words(words: Words) -> Self {
        let [version, starts, cause, place, check] = words;
        let cause = usize::try_from(cause)
            .ok()
            .and_then(|index| ResetCause::ALL.get(index));
        match cause {
            Some(cause) if version == VERSION && check == checksum(words) => Self {
                starts,
                cause: *cause,
                place,
            },
            _ => Self::FIRST,
        }
    }

    /// What is to be left for after the reset.
    pub fn to_words(self) -> Words {
        let index = ResetCause::ALL
            .iter()
            .position(|cause| *cause == self.cause);
        let cause = index
            .and_then(|index| u32::try_from(index).ok())
            .unwrap_or(u32::MAX);
        let words = [VERSION, self.starts, cause, self.place, 0];
        let [version, starts, cause, place, _] = words;
        [version, starts, cause, place, checksum(words)]
    }

    /// The record of the start that follows: nothing is wrong yet.
    #[must_use]
    pub fn started(self) -> Self {
        Self {
            starts: self.starts.saturating_add(1),
            cause: ResetCause::External,
            place: 0,
        }
    }

    /// Something is wrong. The first cause stays: what follows from it is not what has to be known.
    #[must_use]
    pub fn because(self, cause: ResetCause, place: u32) -> Self {
        if self.cause == ResetCause::External {
            Self {
                cause,
                place,
                ..self
            }
        } else {
            self
        }
    }
}

fn checksum(words: Words) -> u32 {
    let [version, starts, cause, place, _] = words.map(u32::to_le_bytes);
    let mut all = [0; 16];
    for (byte, word) in all
        .iter_mut()
        .zip([version, starts, cause, place].iter().flatten())
    {
        *byte = *word;
    }
    crc32(&all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_found_again_after_the_reset() {
        for cause in ResetCause::ALL {
            let record = Record {
                starts: 3,
                cause,
                place: 0x1234,
            };
            assert_eq!(Record::from_words(record.to_words()), record);
        }
    }

    #[test]
    fn what_is_left_in_ram_by_chance_is_no_record() {
        for words in [[0; 5], [u32::MAX; 5], [VERSION, 0, 0, 0, 0]] {
            assert_eq!(Record::from_words(words), Record::FIRST);
        }
        let good = Record::FIRST.started().to_words();
        for bit in 0..160 {
            let mut bad = good;
            bad[bit / 32] ^= 1 << (bit % 32);
            assert_eq!(Record::from_words(bad), Record::FIRST, "bit {bit}");
        }
    }

    #[test]
    fn the_first_cause_stays() {
        let record = Record::FIRST.started().because(ResetCause::Panic, 7);
        assert_eq!(record.because(ResetCause::Hung, 8), record);
        assert_eq!(
            (record.cause, record.place, record.starts),
            (ResetCause::Panic, 7, 1)
        );
    }

    #[test]
    fn a_start_counts_and_begins_without_a_cause() {
        let record = Record::FIRST
            .started()
            .because(ResetCause::Panic, 7)
            .started();
        assert_eq!(
            record,
            Record {
                starts: 2,
                cause: ResetCause::External,
                place: 0
            }
        );
        let last = Record {
            starts: u32::MAX,
            ..record
        };
        assert_eq!(last.started().starts, u32::MAX);
    }
}
