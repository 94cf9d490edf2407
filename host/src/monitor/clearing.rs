//! The all-clear after a silence waits until the observatory has been heard for some time, so that
//! a link that comes and goes is one incident. Pure: no I/O, time is an argument.
//!
//! It is given by a beat, never by the passing of time: one beat alone proves nothing. A gap
//! between two beats that is as long as the whole wait begins it anew, and so does a lapse.

use embassy_time::{Duration, Instant};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::{Moment, seconds};

/// What people know of a silence, and whether it seems to be over.
#[derive(Debug)]
pub(super) struct Clearing {
    after: Duration,
    outage: Outage,
    waiting: Option<Waiting>,
}

/// The silence that people were notified of, with all its relapses.
#[derive(Serialize, Deserialize, Clone, PartialEq, Default, Debug)]
#[serde(default)]
pub(super) struct Outage {
    /// The last beat before it.
    pub(super) from: Option<Timestamp>,
    /// The observed silence that is over, in seconds.
    pub(super) observed: f64,
    /// How often it began again.
    pub(super) relapses: u32,
    /// When it was heard again.
    pub(super) heard_again: Option<Timestamp>,
    /// The actor's farewell before it.
    pub(super) stopped: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Waiting {
    /// Before `since`: boot time may be shorter than that.
    waited: Duration,
    since: Instant,
    /// The last beat.
    heard: Instant,
}

/// What survives a restart. Times are milliseconds; that during which the monitor was not running
/// does not count.
#[derive(Serialize, Deserialize, Clone, PartialEq, Default, Debug)]
#[serde(default)]
pub(super) struct Saved {
    outage: Outage,
    waits: Option<u64>,
}

impl Clearing {
    pub(super) fn restore(after: Duration, saved: Saved, now: Instant) -> Self {
        let waiting = saved.waits.map(|millis| Waiting {
            waited: Duration::from_millis(millis.min(u64::from(u32::MAX))),
            since: now,
            heard: now,
        });
        Self {
            after,
            outage: saved.outage,
            waiting,
        }
    }

    pub(super) fn save(&self) -> Saved {
        let waited = |waiting: Waiting| waiting.so_far().as_millis();
        Saved {
            outage: self.outage.clone(),
            waits: self.waiting.map(waited),
        }
    }

    /// People are notified of a silence after that last beat.
    pub(super) fn notified(&mut self, from: Option<Timestamp>, stopped: Option<String>) {
        self.waiting = None;
        self.outage = Outage {
            from,
            stopped,
            ..Outage::default()
        };
    }

    /// The silence seems to be over, after so much of it.
    pub(super) fn heard_again(&mut self, observed: Duration, at: Moment) {
        self.outage.observed += seconds(observed);
        self.outage.heard_again = Some(at.wall);
        self.waiting = Some(Waiting {
            waited: Duration::MIN,
            since: at.now,
            heard: at.now,
        });
    }

    /// It is silent again, long enough to alarm: gives whether people think that it is silent all
    /// the time.
    pub(super) fn relapsed(&mut self) -> bool {
        let waited = self.waiting.take().is_some();
        if waited {
            self.outage.relapses = self.outage.relapses.saturating_add(1);
        }
        waited
    }

    /// A beat was received: gives the outage if people have to be notified that it is over.
    #[must_use = "an all-clear that is dropped is lost (M2)"]
    pub(super) fn beat(&mut self, now: Instant) -> Option<Outage> {
        let waiting = self.waiting.as_mut()?;
        let gap = stretch(waiting.heard, now);
        if gap >= self.after && gap > Duration::MIN {
            waiting.begin(now);
        }
        waiting.heard = now;
        if waiting.so_far() < self.after {
            return None;
        }
        self.end()
    }

    /// Ends the wait, if there is one: gives the outage.
    pub(super) fn end(&mut self) -> Option<Outage> {
        self.waiting
            .take()
            .map(|_| std::mem::take(&mut self.outage))
    }

    /// The process was not listening.
    pub(super) fn lapse(&mut self, now: Instant) {
        if let Some(waiting) = &mut self.waiting {
            waiting.begin(now);
        }
    }

    /// When it was heard again, if the all-clear still waits.
    pub(super) fn waits_since(&self) -> Option<Timestamp> {
        self.waiting.and(self.outage.heard_again)
    }

    /// What is known of the silence that people were notified of.
    pub(super) fn outage(&self) -> &Outage {
        &self.outage
    }
}

impl Waiting {
    fn begin(&mut self, now: Instant) {
        *self = Self {
            waited: Duration::MIN,
            since: now,
            heard: now,
        };
    }

    fn so_far(&self) -> Duration {
        let now = stretch(self.since, self.heard);
        self.waited.checked_add(now).unwrap_or(Duration::MAX)
    }
}

/// Nothing if the clock went back.
fn stretch(from: Instant, to: Instant) -> Duration {
    to.checked_duration_since(from).unwrap_or(Duration::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Instant = Instant::from_secs(10_000);
    const AFTER: Duration = Duration::from_secs(120);

    fn at(secs: u64) -> Moment {
        Moment {
            now: T0 + Duration::from_secs(secs),
            wall: Timestamp::UNIX_EPOCH,
        }
    }

    /// Alerted, and heard again at `T0`.
    fn heard_again() -> Clearing {
        let mut clearing = Clearing::restore(AFTER, Saved::default(), T0);
        clearing.notified(None, None);
        clearing.heard_again(Duration::from_secs(300), at(0));
        assert_eq!(clearing.beat(T0), None);
        clearing
    }

    #[test]
    fn m2_the_all_clear_comes_with_the_first_beat_after_the_wait() {
        let mut clearing = heard_again();
        for secs in [15, 60, 119] {
            assert_eq!(clearing.beat(at(secs).now), None, "{secs}");
        }
        assert!(clearing.waits_since().is_some());
        assert!(clearing.beat(at(120).now).is_some());
        assert_eq!(clearing.waits_since(), None);
        assert_eq!(clearing.beat(at(300).now), None);
    }

    #[test]
    fn one_beat_alone_is_no_all_clear_however_long_ago() {
        let mut clearing = heard_again();
        // The gap was as long as the wait.
        assert_eq!(clearing.beat(at(250).now), None);
        assert_eq!(clearing.beat(at(369).now), None);
        assert!(clearing.beat(at(370).now).is_some());
    }

    #[test]
    fn a_relapse_is_the_same_incident_and_counted() {
        let mut clearing = heard_again();
        for _ in 0..4 {
            assert!(clearing.relapsed());
            assert!(!clearing.relapsed());
            clearing.heard_again(Duration::from_secs(300), at(400));
        }
        assert_eq!(clearing.beat(at(460).now), None);
        let outage = clearing.beat(at(520).now).unwrap();
        assert_eq!((outage.relapses, outage.observed), (4, 1500.0));
    }

    #[test]
    fn m4_a_restart_goes_on_with_the_wait() {
        let mut clearing = heard_again();
        assert_eq!(clearing.beat(at(100).now), None);
        let start = Instant::from_secs(5);
        let mut clearing = Clearing::restore(AFTER, clearing.save(), start);
        assert_eq!(clearing.beat(start + Duration::from_secs(19)), None);
        assert!(clearing.beat(start + Duration::from_secs(20)).is_some());
    }

    #[test]
    fn m3_a_lapse_begins_the_wait_anew() {
        let mut clearing = heard_again();
        clearing.lapse(at(100).now);
        assert_eq!(clearing.beat(at(219).now), None);
        assert!(clearing.beat(at(220).now).is_some());
    }

    #[test]
    fn without_a_wait_the_first_beat_is_the_all_clear() {
        let mut clearing = Clearing::restore(Duration::MIN, Saved::default(), T0);
        clearing.notified(None, None);
        clearing.heard_again(Duration::from_secs(300), at(0));
        assert!(clearing.beat(T0).is_some());
    }
}
