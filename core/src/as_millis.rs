//! How durations are shown: whole milliseconds.

use embassy_time::{Duration, TICK_HZ};
use serde::Serializer;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
pub(crate) fn duration<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(millis(*value))
}

/// As `Duration::as_millis`, which overflows for long durations where a tick is not a fraction of a millisecond.
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
            duration(&self.0, f)
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
}
