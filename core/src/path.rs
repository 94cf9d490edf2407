//! How old can a message be that is received now?
//!
//! A message may have waited anywhere on its way: in the broker's queue, in a send buffer of a
//! connection that has stalled, in the socket of a process that was stopped. No time-out of one of
//! these places bounds the sum. But the way keeps the order: so the receiver sends an *echo* to
//! itself the same way, again and again, and remembers when. Whatever it receives after an
//! echo was on the way for no longer than since that echo was sent, or it would have come first. If
//! the newest echo that came back was sent too long ago, what is received may be too old, and does
//! not count (S3).

use embassy_time::{Duration, Instant};

/// Knows how old a message can be. Every call costs a constant number of steps.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Path {
    limit: Duration,
    newest: Option<Instant>,
}

impl Path {
    /// Nothing is proven yet.
    pub fn new(limit: Duration) -> Self {
        Self {
            limit,
            newest: None,
        }
    }

    /// What is received from now on was sent after `sent`: an echo of that moment has come back, or
    /// the way did not exist before. An older proof than the newest changes nothing.
    pub fn proven(&mut self, sent: Instant) {
        self.newest = self.newest.max(Some(sent));
    }

    /// The way is another one now: nothing is proven.
    pub fn forget(&mut self) {
        self.newest = None;
    }

    /// What is received now entered the path after then.
    pub fn entered_after(&self) -> Option<Instant> {
        self.newest
    }

    /// The greatest age of a message that is received at `now`. `None` if nothing is known of it:
    /// without a proof, or if the clock is behind it (a broken clock).
    pub fn greatest_age(&self, now: Instant) -> Option<Duration> {
        now.checked_duration_since(self.newest?)
    }

    /// Whether whatever is received at `now` is younger than the limit. What may be as old as that
    /// is not.
    pub fn is_prompt(&self, now: Instant) -> bool {
        self.greatest_age(now).is_some_and(|age| age < self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    fn at(seconds: u64) -> Instant {
        Instant::from_secs(1000 + seconds)
    }

    #[test]
    fn s3_without_a_proof_nothing_is_prompt() {
        assert!(!Path::new(LIMIT).is_prompt(at(0)));
        assert_eq!(Path::new(LIMIT).greatest_age(at(0)), None);
    }

    #[test]
    fn s3_what_may_be_as_old_as_the_limit_is_not_prompt() {
        let mut path = Path::new(LIMIT);
        path.proven(at(0));
        assert!(path.is_prompt(at(0)));
        assert!(path.is_prompt(at(5).saturating_sub(Duration::from_ticks(1))));
        assert!(!path.is_prompt(at(5)));
    }

    #[test]
    fn s3_an_older_proof_than_the_newest_changes_nothing() {
        let mut path = Path::new(LIMIT);
        path.proven(at(4));
        path.proven(at(1));
        assert_eq!(path.greatest_age(at(6)), Some(Duration::from_secs(2)));
    }

    #[test]
    fn s5_a_new_way_has_to_be_proven_anew() {
        let mut path = Path::new(LIMIT);
        path.proven(at(0));
        path.forget();
        assert!(!path.is_prompt(at(0)));
    }

    #[test]
    fn s3_a_clock_that_went_back_proves_nothing() {
        let mut path = Path::new(LIMIT);
        path.proven(at(10));
        assert!(!path.is_prompt(at(9)));
    }

    #[test]
    fn the_ends_of_the_clock_are_no_special_case() {
        let mut path = Path::new(Duration::MAX);
        path.proven(Instant::MIN);
        assert!(path.is_prompt(Instant::MIN));
        assert!(!path.is_prompt(Instant::MAX));
    }
}
