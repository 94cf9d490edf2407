//! When was a beat sent, at the earliest?
//!
//! A beat may have waited in its client, on the client's connection, or in the broker while that
//! does not read. None of this is seen from here. But a connection keeps the order, and a stall
//! that ends lets everything go at once. So when a beat *j* has come in, whatever its client had
//! sent before comes in within a short while too, the *burst*. A beat *i* that comes in later than
//! that was sent after *j* was received: it proves that its client lived then. Of a first beat, and
//! of a burst, nothing is known; the next beat confirms it (S3).
//!
//! The [path](crate::path) says when a beat came in at the earliest (`entered`); it came in at the
//! latest when it was received. With these, the rule is: *i* was sent after *j* had entered if *j*
//! was received at least one burst before *i* entered.
//!
//! It does not hold for a connection that stalls again before it has let everything go. A client
//! that can repeat a value that it was given proves exactly when it sent (`proof`), whatever its
//! connection does.

use embassy_time::{Duration, Instant};

/// What the beats of one source prove, in one session. Every call costs a constant number of steps.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SentAfter(Option<Beats>);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Beats {
    last: Instant,
    /// This one will confirm those that come in at least a burst later. Of beats that are closer
    /// together only the first is kept: what it proves is older, and so safe.
    candidate: Received,
    newest: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Received {
    entered: Instant,
    at: Instant,
}

impl SentAfter {
    /// A beat was received at `now`, and had come in after `entered`. Without a `burst` nothing is
    /// made of that.
    pub(crate) fn received(&mut self, entered: Instant, now: Instant, burst: Option<Duration>) {
        let this = Received { entered, at: now };
        let Some(beats) = &mut self.0 else {
            self.0 = Some(Beats {
                last: now,
                candidate: this,
                newest: None,
            });
            return;
        };
        beats.last = now;
        let apart = entered.checked_duration_since(beats.candidate.at);
        if burst.is_some_and(|burst| apart.is_some_and(|apart| apart >= burst)) {
            beats.newest = beats.newest.max(Some(beats.candidate.entered));
            beats.candidate = this;
        }
    }

    /// The beat that was just received was sent after `at`, for sure.
    pub(crate) fn proven(&mut self, at: Instant) {
        if let Some(beats) = &mut self.0 {
            beats.newest = beats.newest.max(Some(at));
        }
    }

    /// When the last beat was received.
    pub fn last(&self) -> Option<Instant> {
        self.0.map(|beats| beats.last)
    }

    /// The last beat was sent after then. `None`: nothing is known of it.
    pub fn get(&self) -> Option<Instant> {
        self.0?.newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Instant = Instant::from_secs(1000);
    const BURST: Duration = Duration::from_secs(1);
    const TICK: Duration = Duration::from_ticks(1);

    fn at(millis: u64) -> Instant {
        T0 + Duration::from_millis(millis)
    }

    /// Beats that enter as they are received.
    fn beats<const N: usize>(millis: [u64; N]) -> Option<Instant> {
        let mut sent_after = SentAfter::default();
        for now in millis.map(at) {
            sent_after.received(now, now, Some(BURST));
        }
        sent_after.get()
    }

    #[test]
    fn s3_a_first_beat_proves_nothing() {
        assert_eq!(beats([]), None);
        assert_eq!(beats([0]), None);
    }

    #[test]
    fn s3_a_beat_was_sent_after_the_one_before_was_received() {
        assert_eq!(beats([0, 5000]), Some(at(0)));
        assert_eq!(beats([0, 5000, 10_000]), Some(at(5000)));
    }

    #[test]
    fn s3_after_a_stall_a_beat_is_as_old_as_the_stall_however_many_come_at_once() {
        assert_eq!(beats([0, 5000, 45_000]), Some(at(5000)));
        assert_eq!(beats([0, 5000, 45_000, 45_001, 45_999]), Some(at(5000)));
        assert_eq!(
            beats([0, 5000, 45_000, 45_001, 45_999, 46_000]),
            Some(at(45_000))
        );
    }

    #[test]
    fn s3_beats_a_tick_less_than_a_burst_apart_are_one() {
        let mut sent_after = SentAfter::default();
        sent_after.received(T0, T0, Some(BURST));
        let almost = T0 + BURST - TICK;
        sent_after.received(almost, almost, Some(BURST));
        assert_eq!(sent_after.get(), None);
        sent_after.received(T0 + BURST, T0 + BURST, Some(BURST));
        assert_eq!(sent_after.get(), Some(T0));
    }

    #[test]
    fn l1_a_client_that_beats_faster_than_a_burst_is_at_most_two_bursts_and_a_beat_behind() {
        let mut sent_after = SentAfter::default();
        for beat in 0..100 {
            let now = at(beat * 300);
            sent_after.received(now, now, Some(BURST));
            if beat >= 4 {
                let behind = now - sent_after.get().unwrap();
                assert!(behind <= 2 * BURST + Duration::from_millis(300), "{beat}");
            }
        }
    }

    #[test]
    fn s3_what_may_have_waited_in_the_queue_is_as_old_as_that() {
        let mut sent_after = SentAfter::default();
        // Received at 4 s, but it may have entered at 0 s.
        sent_after.received(at(0), at(4000), Some(BURST));
        // May have entered 0.9 s after that was received.
        sent_after.received(at(4900), at(9000), Some(BURST));
        assert_eq!(sent_after.get(), None);
        sent_after.received(at(5000), at(9001), Some(BURST));
        assert_eq!(sent_after.get(), Some(at(0)));
    }

    #[test]
    fn s3_a_proof_counts_at_once_and_never_makes_a_beat_older() {
        let mut sent_after = SentAfter::default();
        sent_after.received(at(0), at(0), Some(BURST));
        sent_after.proven(at(7));
        assert_eq!(sent_after.get(), Some(at(7)));
        sent_after.proven(at(3));
        assert_eq!(sent_after.get(), Some(at(7)));
        sent_after.received(at(5000), at(5000), Some(BURST));
        assert_eq!(sent_after.get(), Some(at(7)));
    }

    #[test]
    fn s3_without_a_burst_a_beat_confirms_nothing() {
        let mut sent_after = SentAfter::default();
        sent_after.received(at(0), at(0), None);
        sent_after.received(at(5000), at(5000), None);
        assert_eq!(sent_after.get(), None);
        assert_eq!(sent_after.last(), Some(at(5000)));
    }

    #[test]
    fn s3_a_clock_that_went_back_confirms_nothing() {
        let mut sent_after = SentAfter::default();
        sent_after.received(at(5000), at(5000), Some(BURST));
        sent_after.received(at(0), at(0), Some(BURST));
        assert_eq!(sent_after.get(), None);
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        let mut sent_after = SentAfter::default();
        sent_after.received(Instant::MIN, Instant::MIN, Some(Duration::MAX));
        sent_after.received(Instant::MAX, Instant::MAX, Some(Duration::MAX));
        assert_eq!(sent_after.get(), Some(Instant::MIN));
        sent_after.received(Instant::MIN, Instant::MIN, Some(Duration::MIN));
        assert_eq!(sent_after.get(), Some(Instant::MIN));
    }
}
