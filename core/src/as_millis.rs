//! How durations are shown and saved: whole milliseconds.
//!
//! They are rounded down when written and up to a tick when read: what is written, read and written
//! again stays the same, and none gets longer on the way.

use embassy_time::{Duration, TICK_HZ};
use serde::{Deserialize, Deserializer, Serializer};

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
pub(crate) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(millis(*value))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(from_millis)
}

/// As `Duration::from_millis`, which overflows for long durations.
fn from_millis(millis: u64) -> Duration {
    let seconds = millis / 1000;
    let rest = millis % 1000;
    Duration::from_ticks(
        seconds
            .saturating_mul(TICK_HZ)
            .saturating_add(rest.saturating_mul(TICK_HZ).div_ceil(1000)),
    )
}

/// As `Duration::as_millis`, which overflows for long durations where a tick is not a fraction of a
/// millisecond.
fn millis(value: Duration) -> u64 {
    let seconds = value.as_ticks() / TICK_HZ;
    let rest = value.as_ticks() % TICK_HZ;
    seconds
        .saturating_mul(1000)
        .saturating_add(rest.saturating_mul(1000) / TICK_HZ)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use core::fmt;
    use std::string::ToString;

    use super::*;

    struct Shown(Duration);

    impl fmt::Display for Shown {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            serialize(&self.0, f)
        }
    }

    #[test]
    fn a_duration_is_shown_in_whole_milliseconds() {
        assert_eq!(Shown(Duration::MIN).to_string(), "0");
        assert_eq!(Shown(Duration::from_millis(1500)).to_string(), "1500");
        // A tick is less than a millisecond.
        let almost = Duration::from_secs(2) - Duration::from_ticks(1);
        assert_eq!(Shown(almost).to_string(), "1999");
    }

    #[test]
    fn the_longest_duration_does_not_overflow() {
        let exact = u128::from(u64::MAX) * 1000 / u128::from(TICK_HZ);
        let shown = u64::try_from(exact).unwrap_or(u64::MAX);
        assert_eq!(Shown(Duration::MAX).to_string(), shown.to_string());
    }

    #[test]
    fn a_duration_is_read_as_written() {
        for millis in [0, 1, 999, 1000, 1001, 86_400_001] {
            assert_eq!(from_millis(millis), Duration::from_millis(millis));
            assert_eq!(Shown(from_millis(millis)).to_string(), millis.to_string());
        }
    }

    #[test]
    fn no_duration_gets_longer_by_writing_and_reading() {
        for ticks in (0..5000).chain([u64::MAX - 1, u64::MAX]) {
            let duration = Duration::from_ticks(ticks);
            assert!(from_millis(millis(duration)) <= duration);
        }
    }

    #[test]
    fn what_is_too_long_to_read_is_the_longest_duration() {
        assert_eq!(from_millis(millis(Duration::MAX) + 1), Duration::MAX);
        assert_eq!(from_millis(u64::MAX), Duration::MAX);
    }
}
