//! Two numbers that follow from a configuration: the worst-case time until the dome begins to close (S4), and the margin
//! with which it stays open while all is well (L1).

use embassy_time::Duration;

use crate::heartbeat::saturating_sub;

/// One critical source of heartbeats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Source {
    /// T: a beat counts for less than this long.
    pub timeout: Duration,
    /// p: it beats this often while all is well.
    pub interval: Duration,
}

/// Everything that the two numbers depend on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Chain {
    /// q: a beat counts only if it was on its way for less than this long, wherever it waited.
    pub queue: Duration,
    /// a: the process may be inattentive for less than this long without noticing.
    pub attention: Duration,
    /// c: no emission for this long after the last successful one.
    pub cutoff: Duration,
    /// e: an emission that is not delivered within this time expires.
    pub expiration: Duration,
    /// w: the enclosure takes at most this long to write to the controller.
    pub write: Duration,
    /// P: the controller closes the dome after this long without a heartbeat.
    pub plc: Duration,
}

/// What follows from a [`Chain`] and its sources.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Budget {
    /// S4: after the last beat that a critical client sent, the dome has begun to close at the latest after this time,
    /// whatever single part dies.
    pub closing: Duration,
    /// T, the part of `closing` for which other sources may still emit; zero with a single critical source, whose own
    /// beat alone can emit.
    pub others: Duration,
    /// L1: while all is well, two writes to the controller are at most this far apart.
    pub gap: Duration,
    /// P minus `gap`.
    pub margin: Duration,
}

/// Why a configuration cannot work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Impossible {
    /// No heartbeat is critical.
    NothingCritical,
    /// The source with this number (from 0) beats less often than its timeout asks for, or never.
    TimeoutTooShort(usize),
    /// The dome would close although all is well: the gap between two writes is as long as P or longer.
    NoMargin {
        /// The gap.
        gap: Duration,
    },
}

impl Budget {
    /// Computes both numbers, or says why there are none. Costs one pass over the sources.
    pub fn new(chain: &Chain, critical: &[Source]) -> Result<Self, Impossible> {
        let Some(largest_timeout) = critical.iter().map(|source| source.timeout).max() else {
            return Err(Impossible::NothingCritical);
        };
        let too_short =
            |source: &Source| source.interval == Duration::MIN || source.timeout <= source.interval;
        if let Some(index) = critical.iter().position(too_short) {
            return Err(Impossible::TimeoutTooShort(index));
        }
        // Any critical beat can emit, so the most frequent one sets the pace.
        let interval = critical
            .iter()
            .map(|source| source.interval)
            .min()
            .unwrap_or(Duration::MAX);
        let others = if critical.len() == 1 {
            Duration::MIN
        } else {
            largest_timeout
        };
        let emission = [chain.expiration, chain.write];

        let closing = sum([chain.queue, chain.attention, others, chain.plc]
            .into_iter()
            .chain(emission));
        let gap = sum([first_beat_after(chain.cutoff, interval)]
            .into_iter()
            .chain(emission));
        let margin = saturating_sub(chain.plc, gap);
        if margin == Duration::MIN {
            return Err(Impossible::NoMargin { gap });
        }
        Ok(Self {
            closing,
            others,
            gap,
            margin,
        })
    }
}

/// The longest time from an emission to the first beat that the cut-off lets through: (⌊c/p⌋ + 1)·p. A beat that is due
/// just when the cut-off ends may come a little early and miss it, so a whole period is added even if p divides c.
///
/// An emission that is still under way when the cut-off ends holds the next one, too, but makes no longer gap between two
/// writes: it ends with its own write, and the next beat is at most p later.
fn first_beat_after(cutoff: Duration, interval: Duration) -> Duration {
    let beats = cutoff
        .as_ticks()
        .checked_div(interval.as_ticks())
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    Duration::from_ticks(beats.saturating_mul(interval.as_ticks()))
}

fn sum(terms: impl Iterator<Item = Duration>) -> Duration {
    terms.fold(Duration::MIN, |sum, term| {
        sum.checked_add(term).unwrap_or(Duration::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    const fn source(timeout: u64, interval: u64) -> Source {
        Source {
            timeout: secs(timeout),
            interval: secs(interval),
        }
    }

    /// Every part is another power of two, so that a sum shows which parts are in it.
    const PARTS: Chain = Chain {
        queue: secs(1),
        attention: secs(4),
        cutoff: secs(10),
        expiration: secs(8),
        write: secs(16),
        plc: secs(64),
    };

    const TICK: Duration = Duration::from_ticks(1);

    fn budget(chain: &Chain, critical: &[Source]) -> Budget {
        Budget::new(chain, critical).unwrap()
    }

    #[test]
    fn s4_a_single_source_closes_within_q_a_e_w_and_p() {
        let budget = budget(&PARTS, &[source(30, 7)]);
        assert_eq!(budget.closing, secs(1 + 4 + 8 + 16 + 64));
        assert_eq!(budget.others, Duration::MIN);
    }

    #[test]
    fn s4_with_several_sources_the_largest_timeout_is_added() {
        for sources in [
            [source(128, 7), source(30, 7), source(40, 7)],
            [source(30, 7), source(128, 7), source(40, 7)],
            [source(30, 7), source(40, 7), source(128, 7)],
        ] {
            let budget = budget(&PARTS, &sources);
            assert_eq!(budget.closing, secs(1 + 4 + 8 + 16 + 64 + 128));
            assert_eq!(budget.others, secs(128));
        }
    }

    #[test]
    fn s4_two_sources_are_several() {
        let budget = budget(&PARTS, &[source(30, 7), source(30, 7)]);
        assert_eq!(budget.closing, secs(1 + 4 + 8 + 16 + 64 + 30));
    }

    #[test]
    fn l1_the_gap_ends_with_the_first_beat_after_the_cut_off() {
        // Beats at 7 and 14 s; the cut-off lasts for 10 s.
        let budget = budget(&PARTS, &[source(30, 7)]);
        assert_eq!(budget.gap, secs(14 + 8 + 16));
        assert_eq!(budget.margin, secs(64 - 38));
    }

    #[test]
    fn l1_a_beat_that_is_due_as_the_cut_off_ends_may_miss_it() {
        let budget = budget(&PARTS, &[source(30, 5)]);
        assert_eq!(budget.gap, secs(15 + 8 + 16));
        assert_eq!(budget.margin, secs(64 - 39));
    }

    #[test]
    fn l1_without_a_cut_off_the_next_beat_emits() {
        let chain = Chain {
            cutoff: Duration::MIN,
            ..PARTS
        };
        assert_eq!(budget(&chain, &[source(30, 7)]).gap, secs(7 + 8 + 16));
    }

    #[test]
    fn l1_the_source_that_beats_most_often_sets_the_pace() {
        let several = budget(&PARTS, &[source(30, 25), source(30, 7), source(30, 20)]);
        assert_eq!(several.gap, budget(&PARTS, &[source(30, 7)]).gap);
    }

    #[test]
    fn without_a_critical_source_there_is_no_budget() {
        assert_eq!(Budget::new(&PARTS, &[]), Err(Impossible::NothingCritical));
    }

    #[test]
    fn l1_a_timeout_as_short_as_the_interval_is_too_short() {
        assert_eq!(
            Budget::new(&PARTS, &[source(30, 5), source(5, 5)]),
            Err(Impossible::TimeoutTooShort(1))
        );
        assert_eq!(
            Budget::new(&PARTS, &[source(4, 5), source(5, 5)]),
            Err(Impossible::TimeoutTooShort(0))
        );
        let just_enough = Source {
            timeout: secs(5) + TICK,
            interval: secs(5),
        };
        assert!(Budget::new(&PARTS, &[just_enough]).is_ok());
    }

    #[test]
    fn l1_a_source_that_never_beats_is_refused() {
        assert_eq!(
            Budget::new(&PARTS, &[source(30, 0)]),
            Err(Impossible::TimeoutTooShort(0))
        );
    }

    #[test]
    fn l1_a_gap_as_long_as_the_controllers_timeout_is_refused() {
        let gap = secs(14 + 8 + 16);
        let exactly = Chain { plc: gap, ..PARTS };
        assert_eq!(
            Budget::new(&exactly, &[source(30, 7)]),
            Err(Impossible::NoMargin { gap })
        );
        let shorter = Chain {
            plc: secs(1),
            ..PARTS
        };
        assert_eq!(
            Budget::new(&shorter, &[source(30, 7)]),
            Err(Impossible::NoMargin { gap })
        );
        let longer = Chain {
            plc: gap + TICK,
            ..PARTS
        };
        assert_eq!(budget(&longer, &[source(30, 7)]).margin, TICK);
    }

    #[test]
    fn s4_sums_stop_at_the_longest_duration() {
        let endless = Chain {
            queue: Duration::MAX,
            ..PARTS
        };
        assert_eq!(budget(&endless, &[source(30, 7)]).closing, Duration::MAX);

        let slow = Chain {
            cutoff: Duration::MAX,
            plc: Duration::MAX,
            ..PARTS
        };
        let fast = Source {
            timeout: Duration::MAX,
            interval: TICK,
        };
        assert_eq!(
            Budget::new(&slow, &[fast]),
            Err(Impossible::NoMargin { gap: Duration::MAX })
        );
    }
}
