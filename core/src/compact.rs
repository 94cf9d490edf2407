//! A duration in four bytes, for the table of heartbeats: on a microcontroller it is most of what the core keeps.

use embassy_time::Duration;

/// Marks a duration in coarse steps.
const COARSE: u32 = 1 << 31;
/// A coarse step is two to this many ticks.
const STEP_BITS: u32 = 21;
/// More steps are not counted. One more pattern is left, for [`Compact::NONE`].
const MOST_STEPS: u32 = COARSE - 2;

/// A duration, exact below 2³¹ ticks: 24 days at 1 kHz, 18 hours at 32 768 Hz, 35 minutes at 1 MHz. A longer one is rounded **down** to a
/// multiple of 2²¹ ticks, which is less than a thousandth of it, and 2⁵² ticks and more to just below that (142 years at 1 MHz).
///
/// Down is the safe side for all that is kept so: a beat counts for a little shorter, and a margin is shown a little smaller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct Compact(u32);

impl Compact {
    /// Longer than any duration that [`new`](Self::new) gives.
    pub(crate) const NONE: Self = Self(u32::MAX);

    pub(crate) fn new(duration: Duration) -> Self {
        match u32::try_from(duration.as_ticks()) {
            Ok(ticks) if ticks < COARSE => Self(ticks),
            _ => {
                let steps = u32::try_from(duration.as_ticks() >> STEP_BITS).unwrap_or(MOST_STEPS);
                Self(COARSE | steps.min(MOST_STEPS))
            }
        }
    }

    pub(crate) fn get(self) -> Duration {
        if self.0 < COARSE {
            Duration::from_ticks(self.0.into())
        } else {
            Duration::from_ticks(u64::from(self.0 & !COARSE) << STEP_BITS)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FINE: u64 = 1 << 31;
    const STEP: u64 = 1 << 21;
    const END: u64 = 1 << 52;

    fn kept(ticks: u64) -> u64 {
        Compact::new(Duration::from_ticks(ticks)).get().as_ticks()
    }

    #[test]
    fn a_duration_below_2_to_the_31_ticks_is_kept_as_it_is() {
        for ticks in [0, 1, 30_000_000, FINE - 1] {
            assert_eq!(kept(ticks), ticks);
        }
    }

    #[test]
    fn s1_a_longer_one_is_rounded_down() {
        for (ticks, rounded) in [
            (FINE, FINE),
            (FINE + 1, FINE),
            (FINE + STEP - 1, FINE),
            (FINE + STEP, FINE + STEP),
            (u64::from(u32::MAX), (1 << 32) - STEP),
            (1 << 32, 1 << 32),
            (END - STEP - 1, END - 2 * STEP),
        ] {
            assert_eq!(kept(ticks), rounded, "{ticks}");
        }
    }

    #[test]
    fn s1_what_is_too_long_is_the_longest() {
        for ticks in [END - STEP, END, 1 << 53, 1 << 63, u64::MAX] {
            assert_eq!(kept(ticks), END - 2 * STEP, "{ticks}");
        }
    }

    #[test]
    fn none_is_longer_than_the_longest() {
        assert!(Compact::new(Duration::MAX) < Compact::NONE);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn s1_none_gets_longer_nor_shorter_by_more_than_a_thousandth(bits in 0..52_u32, any in any::<u64>()) {
            let ticks = any % (1 << bits);
            prop_assert!(kept(ticks) <= ticks);
            prop_assert!(ticks - kept(ticks) <= ticks / 1000);
            prop_assert_eq!(kept(kept(ticks)), kept(ticks));
        }

        #[test]
        fn the_order_of_durations_is_kept(a in any::<u64>(), b in any::<u64>(), by in 0..64_u32) {
            let compact = |ticks| Compact::new(Duration::from_ticks(ticks));
            let (a, b) = (a >> by, b >> by);
            prop_assert!(a > b || compact(a) <= compact(b));
            prop_assert!(compact(a) > compact(b) || kept(a) <= kept(b));
        }
    }
}
