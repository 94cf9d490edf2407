//! What is refused, and how often it was.

use embassy_time::{Duration, Instant};
use heapless::Vec;
use lvmbeat_core::serial::{Counts, Frame, Kind, Refusal};

/// Lets a number of events through at once, and then one for each period.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Limiter {
    burst: u8,
    period: Duration,
    left: u8,
    /// When the last one was given back.
    refilled: Instant,
}

impl Limiter {
    pub(crate) const fn new(burst: u8, period: Duration, now: Instant) -> Self {
        Self {
            burst,
            period,
            left: burst,
            refilled: now,
        }
    }

    pub(crate) fn lets_through(&mut self, now: Instant) -> bool {
        while self.left < self.burst
            && now
                .checked_duration_since(self.refilled)
                .is_some_and(|passed| passed >= self.period)
        {
            self.left = self.left.saturating_add(1);
            self.refilled = self.refilled.saturating_add(self.period);
        }
        if self.left == self.burst {
            // What it could have been given beyond its burst is not saved.
            self.refilled = now;
        }
        let Some(left) = self.left.checked_sub(1) else {
            return false;
        };
        self.left = left;
        true
    }
}

/// A source may say so much at once …
pub const BURST: u8 = 10;
/// … and then so often.
pub const PERIOD: Duration = Duration::from_millis(200);

#[derive(Clone, Debug)]
struct Source {
    session: Option<u32>,
    last: u32,
    limiter: Limiter,
}

/// Knows the sources by their place in the supervisor's table, and what they said last.
#[derive(Clone, Debug)]
pub struct Intake<const H: usize> {
    sources: Vec<Source, H>,
    /// A sender without a name.
    others: Limiter,
    /// So many sessions were given.
    sessions: u32,
    /// Every refusal so far.
    pub counts: Counts,
}

impl<const H: usize> Intake<H> {
    /// For `sources` sources.
    pub fn new(sources: usize, now: Instant) -> Self {
        let limiter = Limiter::new(BURST, PERIOD, now);
        let source = Source {
            session: None,
            last: 0,
            limiter: limiter.clone(),
        };
        Self {
            sources: (0..sources.min(H)).map(|_| source.clone()).collect(),
            others: limiter,
            sessions: 0,
            counts: Counts::default(),
        }
    }

    /// Says whether the sender at that place, or one without a place, may say something at `now`.
    pub fn may_speak(&mut self, source: Option<usize>, now: Instant) -> Result<(), Refusal> {
        let limiter = match source.map(|index| self.sources.get_mut(index)) {
            None => &mut self.others,
            Some(Some(source)) => &mut source.limiter,
            Some(None) => return Err(Refusal::Unknown),
        };
        limiter
            .lets_through(now)
            .then_some(())
            .ok_or(Refusal::Flood)
    }

    /// Begins a session of that source. Whatever it sent before does not count any more. `chance`
    /// makes the number one that was not there before, also after a reset.
    pub fn hello(&mut self, source: usize, chance: u32) -> Result<u32, Refusal> {
        self.sessions = self.sessions.wrapping_add(1);
        // An odd factor: a bijection, so that no two sessions since the reset meet for one and the
        // same chance.
        let session = chance ^ self.sessions.wrapping_mul(0x9E37_79B1);
        let source = self.sources.get_mut(source).ok_or(Refusal::Unknown)?;
        source.session = Some(session);
        source.last = 0;
        Ok(session)
    }

    /// S3: the box was not listening. Whatever frames wait somewhere may be old.
    pub fn end_sessions(&mut self) {
        for source in &mut self.sources {
            source.session = None;
        }
    }

    /// Whether a frame of that source is of its session and newer than the one before. The first
    /// sequence number of a session is at least 1.
    pub fn frame(&mut self, source: usize, frame: &Frame) -> Result<(), Refusal> {
        if frame.kind == Kind::Hello {
            return Ok(());
        }
        let source = self.sources.get_mut(source).ok_or(Refusal::Unknown)?;
        if source.session != Some(frame.session) {
            return Err(Refusal::Session);
        }
        if frame.sequence <= source.last {
            return Err(Refusal::Sequence);
        }
        source.last = frame.sequence;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use lvmbeat_core::Name;

    use super::*;

    const T0: Instant = Instant::from_secs(1000);

    fn frame(session: u32, sequence: u32) -> Frame {
        Frame {
            kind: Kind::Set,
            session,
            sequence,
            source: Name::new("a").unwrap(),
        }
    }

    #[test]
    fn s5_before_hello_nothing_counts() {
        let mut intake = Intake::<4>::new(2, T0);
        assert_eq!(intake.frame(0, &frame(0, 1)), Err(Refusal::Session));
    }

    #[test]
    fn repeated_and_old_sequence_numbers_are_refused() {
        let mut intake = Intake::<4>::new(2, T0);
        let session = intake.hello(0, 7).unwrap();
        assert_eq!(intake.frame(0, &frame(session, 0)), Err(Refusal::Sequence));
        assert_eq!(intake.frame(0, &frame(session, 1)), Ok(()));
        assert_eq!(intake.frame(0, &frame(session, 1)), Err(Refusal::Sequence));
        assert_eq!(intake.frame(0, &frame(session, 9)), Ok(()));
        assert_eq!(intake.frame(0, &frame(session, 8)), Err(Refusal::Sequence));
        assert_eq!(intake.frame(0, &frame(session, u32::MAX)), Ok(()));
        assert_eq!(intake.frame(0, &frame(session, 0)), Err(Refusal::Sequence));
    }

    #[test]
    fn s3_what_is_left_of_an_older_session_is_refused() {
        let mut intake = Intake::<4>::new(2, T0);
        let old = intake.hello(0, 7).unwrap();
        let new = intake.hello(0, 7).unwrap();
        assert_ne!(old, new);
        assert_eq!(intake.frame(0, &frame(old, 100)), Err(Refusal::Session));
        assert_eq!(intake.frame(0, &frame(new, 1)), Ok(()));
    }

    #[test]
    fn the_session_of_one_source_is_not_that_of_another() {
        let mut intake = Intake::<4>::new(2, T0);
        let first = intake.hello(0, 7).unwrap();
        let second = intake.hello(1, 7).unwrap();
        assert_eq!(intake.frame(1, &frame(first, 1)), Err(Refusal::Session));
        assert_eq!(intake.frame(0, &frame(first, 1)), Ok(()));
        assert_eq!(intake.frame(1, &frame(second, 1)), Ok(()));
        assert_eq!(intake.frame(2, &frame(second, 1)), Err(Refusal::Unknown));
        assert_eq!(intake.hello(2, 7), Err(Refusal::Unknown));
    }

    #[test]
    fn a_flood_of_one_source_drowns_no_other() {
        let mut intake = Intake::<4>::new(2, T0);
        for _ in 0..BURST {
            assert_eq!(intake.may_speak(Some(0), T0), Ok(()));
        }
        assert_eq!(intake.may_speak(Some(0), T0), Err(Refusal::Flood));
        assert_eq!(intake.may_speak(Some(1), T0), Ok(()));
        assert_eq!(intake.may_speak(None, T0), Ok(()));
        assert_eq!(intake.may_speak(Some(2), T0), Err(Refusal::Unknown));
    }

    #[test]
    fn a_flood_lets_one_through_for_each_period() {
        let mut limiter = Limiter::new(2, PERIOD, T0);
        let ticks = PERIOD.as_ticks() * 10;
        let through = (0..ticks)
            .filter(|tick| limiter.lets_through(T0 + Duration::from_ticks(*tick)))
            .count();
        assert_eq!(through, 2 + 9);
    }

    #[test]
    fn l1_after_a_pause_the_whole_burst_is_there_and_no_more() {
        let mut limiter = Limiter::new(2, PERIOD, T0);
        let later = T0 + Duration::from_secs(86_400);
        assert!(limiter.lets_through(later));
        assert!(limiter.lets_through(later));
        assert!(!limiter.lets_through(later));
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let mut limiter = Limiter::new(1, PERIOD, T0);
        assert!(limiter.lets_through(T0));
        assert!(!limiter.lets_through(Instant::MIN));
    }
}
