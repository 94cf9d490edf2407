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
    /// q: a beat waits in the broker's queue for at most this long.
    pub queue: Duration,
    /// n: a beat is under way on a stalled connection for at most this long, before the connection is given up.
    pub transit: Duration,
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

        let closing = sum([
            chain.queue,
            chain.transit,
            chain.attention,
            others,
            chain.plc,
        ]
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
