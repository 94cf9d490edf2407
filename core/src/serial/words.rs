//! The words of a [`Report`](super::Report): why something was refused, why the relay was released,
//! why the box was reset.

use super::frame::FrameError;

/// Why something that the box received does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Refusal {
    /// The CRC does not fit.
    Checksum,
    /// It makes no sense, or was cut off.
    Malformed,
    /// It has more bytes than anything that makes sense.
    TooLong,
    /// It took too long from its first byte to its last (S3).
    Slow,
    /// The hardware or the buffer behind it had no room for some bytes.
    Overrun,
    /// No such source is configured.
    Unknown,
    /// It is not of the session that its source has now (S3, S5).
    Session,
    /// Its sequence number was there before, or is older.
    Sequence,
    /// There was more than anybody has to say.
    Flood,
    /// It asks for a fault, and this is no test bench.
    NotOnBench,
}

impl Refusal {
    /// Every refusal, in the order in which they are shown.
    pub const ALL: [Self; 10] = [
        Self::Checksum,
        Self::Malformed,
        Self::TooLong,
        Self::Slow,
        Self::Overrun,
        Self::Unknown,
        Self::Session,
        Self::Sequence,
        Self::Flood,
        Self::NotOnBench,
    ];

    /// As it is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Checksum => "checksum",
            Self::Malformed => "malformed",
            Self::TooLong => "too_long",
            Self::Slow => "slow",
            Self::Overrun => "overrun",
            Self::Unknown => "unknown",
            Self::Session => "session",
            Self::Sequence => "sequence",
            Self::Flood => "flood",
            Self::NotOnBench => "not_on_bench",
        }
    }
}

impl From<FrameError> for Refusal {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Checksum => Self::Checksum,
            FrameError::Malformed => Self::Malformed,
        }
    }
}

/// How often each refusal was given; stops counting at `u32::MAX`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Counts([u32; Refusal::ALL.len()]);

impl Counts {
    /// One more.
    pub fn count(&mut self, refusal: Refusal) {
        self.set(refusal, self.of(refusal).saturating_add(1));
    }

    /// How often.
    pub fn of(&self, refusal: Refusal) -> u32 {
        self.0.get(refusal as usize).copied().unwrap_or_default()
    }

    pub(super) fn set(&mut self, refusal: Refusal, value: u32) {
        if let Some(count) = self.0.get_mut(refusal as usize) {
            *count = value;
        }
    }
}

/// Why the relay was released.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Release {
    /// No heartbeat counted for too long.
    Expired,
    /// The box was not listening.
    NotAttentive,
    /// The box gives up: its hardware watchdog will reset it.
    Sick(Sick),
}

impl Release {
    /// Every cause of a release.
    pub const ALL: [Self; 5] = [
        Self::Expired,
        Self::NotAttentive,
        Self::Sick(Sick::UartTask),
        Self::Sick(Sick::ClockSlow),
        Self::Sick(Sick::ClockFast),
    ];

    /// As it is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotAttentive => "not_attentive",
            Self::Sick(sick) => sick.as_str(),
        }
    }
}

/// Why the hardware watchdog must not be fed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Sick {
    /// The serial task has not checked in.
    UartTask,
    /// The clock of the decisions is slower than the second one, or stands, or went back.
    ClockSlow,
    /// The clock of the decisions is faster than the second one.
    ClockFast,
}

impl Sick {
    /// As it is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UartTask => "uart_task_stuck",
            Self::ClockSlow => "clock_slow",
            Self::ClockFast => "clock_fast",
        }
    }
}

/// Why the box was reset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ResetCause {
    /// It had no power: nothing of the record is left.
    PowerOn,
    /// From outside, while all was well.
    External,
    /// The deciding task did not run, so that nobody fed the hardware watchdog.
    Hung,
    /// The hardware watchdog was not fed for this.
    Sick(Sick),
    /// A panic: a defect.
    Panic,
    /// The stack had no room.
    StackOverflow,
    /// Any other fault of the processor.
    HardFault,
}

impl ResetCause {
    /// Every cause, in a fixed order: the box keeps the place in it through a reset.
    pub const ALL: [Self; 9] = [
        Self::PowerOn,
        Self::External,
        Self::Hung,
        Self::Sick(Sick::UartTask),
        Self::Sick(Sick::ClockSlow),
        Self::Sick(Sick::ClockFast),
        Self::Panic,
        Self::StackOverflow,
        Self::HardFault,
    ];

    /// As it is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PowerOn => "power_on",
            Self::External => "external",
            Self::Hung => "hung",
            Self::Sick(sick) => sick.as_str(),
            Self::Panic => "panic",
            Self::StackOverflow => "stack_overflow",
            Self::HardFault => "hard_fault",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_by_kind() {
        for (place, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(refusal as usize, place);
            let mut counts = Counts::default();
            counts.count(refusal);
            for other in Refusal::ALL {
                assert_eq!(counts.of(other), u32::from(other == refusal));
            }
        }
    }

    #[test]
    fn a_count_stops_at_its_end() {
        let mut counts = Counts::default();
        counts.set(Refusal::Flood, u32::MAX);
        counts.count(Refusal::Flood);
        assert_eq!(counts.of(Refusal::Flood), u32::MAX);
    }
}
