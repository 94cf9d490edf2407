//! Two numbers that follow from a configuration: the worst-case time until the dome begins to close
//! (S4), and the margin with which it stays open while all is well (L1).

use embassy_time::Duration;

use crate::heartbeat::saturating_sub;

/// One source of heartbeats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Source {
    /// T: it counts as alive for less than this long after it is known to have been alive.
    pub timeout: Duration,
    /// L: its beat emits only if it was for sure sent less than this long before.
    pub lateness: Duration,
    /// p: it beats this often while all is well.
    pub interval: Duration,
    /// Its beats prove when they were sent, and no others count.
    pub proves: bool,
}

/// Everything that the two numbers depend on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Chain {
    /// s: what a stall has kept back arrives within this time when it ends.
    pub burst: Duration,
    /// g: while all is well, the path is known to be younger than this.
    pub echo: Duration,
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

impl Chain {
    /// The greatest age that a beat of this source can have when it is received, while all is well:
    /// a beat is as old as the one that confirms it, or as what it repeats.
    pub fn lateness(&self, source: &Source) -> Duration {
        if source.proves {
            return source.interval;
        }
        sum([self.between_confirming(source), self.echo].into_iter())
    }

    /// The longest time, while all is well, for which nothing newer proves this source alive: until
    /// the beat after that comes.
    pub fn silence(&self, source: &Source) -> Duration {
        if source.proves {
            return sum([source.interval; 2].into_iter());
        }
        let between = self.between_confirming(source);
        sum([between, between, self.echo].into_iter())
    }

    /// How far two beats are apart of which the second confirms the first. Beats that are closer
    /// than a burst count as one: a client whose beats may be, even if one is half an interval
    /// late, is confirmed once in a burst and a beat.
    fn between_confirming(&self, source: &Source) -> Duration {
        let apart = sum([self.burst, self.echo].into_iter());
        if source.interval >= sum([apart, apart].into_iter()) {
            source.interval
        } else {
            sum([apart, source.interval].into_iter())
        }
    }
}

/// What follows from a [`Chain`] and its critical sources.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Budget {
    /// S4: after the last beat that a critical client sent, the dome has begun to close at the
    /// latest after this time, whatever single part dies.
    pub closing: Duration,
    /// The part of `closing` for which that beat may count: T of the slowest source, for which the
    /// others may still emit; with a single critical source, whose own beat alone can emit,
    /// its L.
    pub counts: Duration,
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
    /// The source with this number (from 0) beats too seldom for its timeout ([`Chain::silence`]),
    /// or never.
    TimeoutTooShort(usize),
    /// The source with this number (from 0) beats too seldom for its lateness
    /// ([`Chain::lateness`]).
    LatenessTooShort(usize),
    /// The dome would close although all is well: the gap between two writes is as long as P or
    /// longer.
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
        for (index, source) in critical.iter().enumerate() {
            if source.interval == Duration::MIN || source.timeout <= chain.silence(source) {
                return Err(Impossible::TimeoutTooShort(index));
            }
            if source.lateness <= chain.lateness(source) {
                return Err(Impossible::LatenessTooShort(index));
            }
        }
        // Any critical beat can emit, so the most frequent one sets the pace.
        let interval = critical
            .iter()
            .map(|source| source.interval)
            .min()
            .unwrap_or(Duration::MAX);
        let counts = match critical {
            [single] => single.lateness.min(single.timeout),
            _ => largest_timeout,
        };
        let emission = [chain.expiration, chain.write];

        let closing = sum([counts, chain.attention, chain.plc]
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
            counts,
            gap,
            margin,
        })
    }
}

/// The longest time from an emission to the first beat that the cut-off lets through: (⌊c/p⌋ +
/// 1)·p. A beat that is due just when the cut-off ends may come a little early and miss it, so a
/// whole period is added even if p divides c.
///
/// An emission that is still under way when the cut-off ends holds the next one, too, but makes no
/// longer gap between two writes: it ends with its own write, and the next beat is at most p later.
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

    /// Its lateness is the timeout, as by default.
    const fn source(timeout: u64, interval: u64) -> Source {
        Source {
            timeout: secs(timeout),
            lateness: secs(timeout),
            interval: secs(interval),
            proves: false,
        }
    }

    /// Every part of the sum is another power of two, so that it shows which parts are in it.
    const PARTS: Chain = Chain {
        burst: secs(1),
        echo: secs(2),
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
    fn s4_a_single_source_closes_within_its_lateness_a_e_w_and_p() {
        let budget = budget(&PARTS, &[source(128, 7)]);
        assert_eq!(budget.closing, secs(128 + 4 + 8 + 16 + 64));
        assert_eq!(budget.counts, secs(128));

        let late = Source {
            lateness: secs(32),
            ..source(128, 7)
        };
        let budget = Budget::new(&PARTS, &[late]).unwrap();
        assert_eq!(budget.closing, secs(32 + 4 + 8 + 16 + 64));
    }

    #[test]
    fn s4_a_lateness_beyond_the_timeout_adds_nothing() {
        let late = Source {
            lateness: Duration::MAX,
            ..source(128, 7)
        };
        assert_eq!(budget(&PARTS, &[late]), budget(&PARTS, &[source(128, 7)]));
    }

    #[test]
    fn s4_with_several_sources_their_lateness_changes_nothing() {
        let late = Source {
            lateness: secs(32),
            ..source(128, 7)
        };
        let both = budget(&PARTS, &[late, late]);
        assert_eq!(both.counts, secs(128));
    }

    #[test]
    fn s4_with_several_sources_the_largest_timeout_is_added() {
        for sources in [
            [source(128, 7), source(30, 7), source(40, 7)],
            [source(30, 7), source(128, 7), source(40, 7)],
            [source(30, 7), source(40, 7), source(128, 7)],
        ] {
            let budget = budget(&PARTS, &sources);
            assert_eq!(budget.closing, secs(4 + 8 + 16 + 64 + 128));
            assert_eq!(budget.counts, secs(128));
        }
    }

    #[test]
    fn s4_two_sources_are_several() {
        let budget = budget(&PARTS, &[source(30, 7), source(30, 7)]);
        assert_eq!(budget.closing, secs(4 + 8 + 16 + 64 + 30));
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
        let several = budget(&PARTS, &[source(60, 25), source(30, 7), source(60, 20)]);
        assert_eq!(several.gap, budget(&PARTS, &[source(30, 7)]).gap);
    }

    #[test]
    fn without_a_critical_source_there_is_no_budget() {
        assert_eq!(Budget::new(&PARTS, &[]), Err(Impossible::NothingCritical));
    }

    #[test]
    fn l1_a_source_is_silent_for_two_beats_and_an_echo() {
        assert_eq!(PARTS.silence(&source(30, 7)), secs(7 + 7 + 2));
        assert_eq!(PARTS.lateness(&source(30, 7)), secs(7 + 2));
        assert_eq!(PARTS.silence(&source(30, 6)), secs(6 + 6 + 2));
        // More often than once in two bursts and echoes: confirmed once in a burst, an echo and a
        // beat.
        assert_eq!(PARTS.silence(&source(30, 5)), secs(8 + 8 + 2));
        assert_eq!(PARTS.silence(&source(30, 1)), secs(4 + 4 + 2));
        assert_eq!(PARTS.lateness(&source(30, 1)), secs(4 + 2));
    }

    #[test]
    fn l1_a_source_that_proves_is_silent_for_two_beats() {
        let proves = Source {
            proves: true,
            ..source(30, 1)
        };
        assert_eq!(PARTS.silence(&proves), secs(2));
        assert_eq!(PARTS.lateness(&proves), secs(1));
    }

    #[test]
    fn l1_a_timeout_as_short_as_the_silence_is_too_short() {
        assert_eq!(
            Budget::new(&PARTS, &[source(30, 6), source(14, 6)]),
            Err(Impossible::TimeoutTooShort(1))
        );
        assert_eq!(
            Budget::new(&PARTS, &[source(4, 5), source(5, 5)]),
            Err(Impossible::TimeoutTooShort(0))
        );
        let just_enough = Source {
            timeout: secs(14) + TICK,
            ..source(30, 6)
        };
        assert!(Budget::new(&PARTS, &[just_enough]).is_ok());
    }

    #[test]
    fn l1_a_lateness_as_short_as_a_beats_is_too_short() {
        let late = |lateness| Source {
            lateness,
            ..source(30, 6)
        };
        assert_eq!(
            Budget::new(&PARTS, &[source(30, 6), late(secs(8))]),
            Err(Impossible::LatenessTooShort(1))
        );
        assert!(Budget::new(&PARTS, &[late(secs(8) + TICK)]).is_ok());
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
            attention: Duration::MAX,
            ..PARTS
        };
        assert_eq!(budget(&endless, &[source(30, 7)]).closing, Duration::MAX);

        let slow = Chain {
            cutoff: Duration::MAX,
            plc: Duration::MAX,
            ..PARTS
        };
        let fast = Source {
            interval: TICK,
            timeout: Duration::MAX,
            lateness: Duration::MAX,
            proves: false,
        };
        assert_eq!(
            Budget::new(&slow, &[fast]),
            Err(Impossible::NoMargin { gap: Duration::MAX })
        );
    }
}
