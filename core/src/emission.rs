//! When may a heartbeat be sent to the dome: one at a time, not too often, and what became of the
//! last one.

use embassy_time::{Duration, Instant};

use crate::heartbeat::saturating_sub;

/// The pace of emissions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Pace {
    /// No emission for this long after the start of the last one that succeeded.
    pub cutoff: Duration,
    /// No attempt for this long after the end of one that failed, so that a broken enclosure is
    /// not hammered.
    pub retry: Duration,
    /// The dome's controller closes when it hears nothing for this long; only for
    /// [`Emission::smallest_margin`].
    pub plc_timeout: Duration,
}

/// The right to emit one heartbeat. It is given back with
/// [`Supervisor::emission_ended`](crate::Supervisor::emission_ended).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "an emission that is never ended blocks all others"]
pub struct Ticket(u32);

/// What became of an emission.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
pub enum Outcome {
    /// The enclosure wrote the heartbeat to the dome's controller.
    Acknowledged,
    /// The enclosure answered that it could not.
    Refused,
    /// There is no enclosure to take it.
    Unroutable,
    /// No answer within the limit.
    TimedOut,
    /// The connection failed, or the session ended under it.
    Lost,
}

impl Outcome {
    /// Every outcome, in a fixed order, for tables and metrics.
    pub const ALL: [Self; 5] = [
        Self::Acknowledged,
        Self::Refused,
        Self::Unroutable,
        Self::TimedOut,
        Self::Lost,
    ];

    /// The outcome's name, as in `status`, metrics and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Refused => "refused",
            Self::Unroutable => "unroutable",
            Self::TimedOut => "timed_out",
            Self::Lost => "lost",
        }
    }
}

/// How often each outcome was seen; stops counting at `u32::MAX`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(
    missing_docs,
    reason = "a counter for each outcome, with the outcome's name"
)]
pub struct Counts {
    pub acknowledged: u32,
    pub refused: u32,
    pub unroutable: u32,
    pub timed_out: u32,
    pub lost: u32,
}

impl Counts {
    /// How often that outcome was seen.
    pub fn of(&self, outcome: Outcome) -> u32 {
        match outcome {
            Outcome::Acknowledged => self.acknowledged,
            Outcome::Refused => self.refused,
            Outcome::Unroutable => self.unroutable,
            Outcome::TimedOut => self.timed_out,
            Outcome::Lost => self.lost,
        }
    }

    fn count(&mut self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Acknowledged => &mut self.acknowledged,
            Outcome::Refused => &mut self.refused,
            Outcome::Unroutable => &mut self.unroutable,
            Outcome::TimedOut => &mut self.timed_out,
            Outcome::Lost => &mut self.lost,
        };
        *counter = counter.saturating_add(1);
    }
}

/// Why no emission may start now although everything is well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Wait {
    /// One is under way and started then (S6: never a second one).
    InFlight(Instant),
    /// The last successful one is this far from being [`Pace::cutoff`] old.
    CutOff(Duration),
    /// The last failed one is this far from being [`Pace::retry`] old.
    Retry(Duration),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Phase {
    /// None was under way yet, or the last one succeeded.
    Free,
    /// The one of the newest ticket is under way and started then.
    InFlight(Instant),
    /// The last one failed, and ended then.
    Failed(Instant),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Success {
    started: Instant,
    acknowledged: Instant,
    /// Nothing but the pace has withheld a heartbeat since.
    streak: bool,
}

/// The emissions of one supervisor.
///
/// They start with [`Supervisor::beat`](crate::Supervisor::beat) and end with
/// [`Supervisor::emission_ended`](crate::Supervisor::emission_ended); an answer to an older ticket
/// changes nothing. Every call costs a constant number of steps. A clock that goes back makes the
/// waiting longer, never shorter, until the supervisor is told to forget: from then on no waiting
/// time is longer than its whole length again.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Emission {
    pace: Pace,
    phase: Phase,
    newest: Ticket,
    last_success: Option<Success>,
    last_outcome: Option<Outcome>,
    counts: Counts,
    longest_gap: Option<Duration>,
}

impl Emission {
    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            pace,
            phase: Phase::Free,
            newest: Ticket(u32::MAX),
            last_success: None,
            last_outcome: None,
            counts: Counts::default(),
            longest_gap: None,
        }
    }

    /// Why an emission may not start at `now`. At the very end of a waiting time it may.
    pub fn wait(&self, now: Instant) -> Option<Wait> {
        if let Phase::InFlight(since) = self.phase {
            return Some(Wait::InFlight(since));
        }
        if let Some(success) = &self.last_success
            && let Some(rest) = rest(self.pace.cutoff, success.started, now)
        {
            return Some(Wait::CutOff(rest));
        }
        match self.phase {
            Phase::Failed(at) => rest(self.pace.retry, at, now).map(Wait::Retry),
            Phase::Free | Phase::InFlight(_) => None,
        }
    }

    pub(crate) fn start(&mut self, now: Instant) -> Result<Ticket, Wait> {
        if let Some(wait) = self.wait(now) {
            return Err(wait);
        }
        self.newest = Ticket(self.newest.0.wrapping_add(1));
        self.phase = Phase::InFlight(now);
        Ok(self.newest)
    }

    /// Takes an outcome. Gives false, and changes nothing, if the ticket is not the one in flight.
    pub(crate) fn ended(&mut self, ticket: Ticket, outcome: Outcome, now: Instant) -> bool {
        let Phase::InFlight(started) = self.phase else {
            return false;
        };
        if ticket != self.newest {
            return false;
        }
        self.counts.count(outcome);
        self.last_outcome = Some(outcome);
        if outcome != Outcome::Acknowledged {
            self.phase = Phase::Failed(now);
            return true;
        }
        self.phase = Phase::Free;
        if let Some(last) = self.last_success
            && last.streak
            && let Some(gap) = now.checked_duration_since(last.acknowledged)
        {
            self.longest_gap = Some(self.longest_gap.map_or(gap, |longest| longest.max(gap)));
        }
        self.last_success = Some(Success {
            started,
            acknowledged: now,
            streak: true,
        });
        true
    }

    /// A reason other than the pace withheld the heartbeat: the time until the next success says
    /// nothing about L1.
    pub(crate) fn break_streak(&mut self) {
        if let Some(success) = &mut self.last_success {
            success.streak = false;
        }
    }

    /// Abandons what is in flight; its late answer will change nothing. The cut-off goes on. What
    /// happened later than `now`, on a clock that went back since, counts from `now`: otherwise
    /// everything was held until that clock has caught up (L1).
    pub(crate) fn abandon(&mut self, now: Instant) {
        self.ended(self.newest, Outcome::Lost, now);
        if let Some(success) = &mut self.last_success {
            success.started = success.started.min(now);
            success.acknowledged = success.acknowledged.min(now);
            success.streak = false;
        }
        if let Phase::Failed(at) = &mut self.phase {
            *at = (*at).min(now);
        }
    }

    pub(crate) fn is_in_flight(&self, ticket: Ticket) -> bool {
        ticket == self.newest && matches!(self.phase, Phase::InFlight(_))
    }

    /// When the emission that is under way started.
    pub fn in_flight_since(&self) -> Option<Instant> {
        match self.phase {
            Phase::InFlight(since) => Some(since),
            Phase::Free | Phase::Failed(_) => None,
        }
    }

    /// When the enclosure last acknowledged a heartbeat.
    pub fn last_acknowledged(&self) -> Option<Instant> {
        self.last_success.map(|success| success.acknowledged)
    }

    /// What became of the last emission that ended.
    pub fn last_outcome(&self) -> Option<Outcome> {
        self.last_outcome
    }

    /// How often each outcome was seen.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// L1: the controller's timeout minus the longest time between two acknowledgements, of those
    /// between which nothing but the pace withheld the heartbeat. `None` until there are two
    /// such.
    pub fn smallest_margin(&self) -> Option<Duration> {
        self.longest_gap
            .map(|gap| saturating_sub(self.pace.plc_timeout, gap))
    }
}

/// What is left at `now` of a waiting time that began at `start`; `None` once it is over. If the
/// clock went back, all of it is left.
fn rest(length: Duration, start: Instant, now: Instant) -> Option<Duration> {
    let elapsed = now.checked_duration_since(start).unwrap_or(Duration::MIN);
    length
        .checked_sub(elapsed)
        .filter(|rest| *rest > Duration::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Instant = Instant::from_secs(1000);
    const TICK: Duration = Duration::from_ticks(1);
    const CUTOFF: Duration = Duration::from_secs(10);
    const RETRY: Duration = Duration::from_secs(3);
    const PACE: Pace = Pace {
        cutoff: CUTOFF,
        retry: RETRY,
        plc_timeout: Duration::from_secs(60),
    };

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// One emission that started and ended then.
    fn once(start: Instant, outcome: Outcome, end: Instant) -> Emission {
        let mut emission = Emission::new(PACE);
        let ticket = emission.start(start).unwrap();
        assert!(emission.ended(ticket, outcome, end));
        emission
    }

    #[test]
    fn the_first_emission_may_start_at_once() {
        let mut emission = Emission::new(PACE);
        assert_eq!(emission.wait(T0), None);
        assert!(emission.start(T0).is_ok());
        assert_eq!(emission.in_flight_since(), Some(T0));
    }

    #[test]
    fn s6_there_is_never_a_second_one_in_flight() {
        let mut emission = Emission::new(PACE);
        let ticket = emission.start(T0).unwrap();
        assert_eq!(emission.start(T0 + secs(1000)), Err(Wait::InFlight(T0)));
        assert!(emission.is_in_flight(ticket));
        assert!(emission.ended(ticket, Outcome::Acknowledged, T0 + secs(1001)));
        assert!(!emission.is_in_flight(ticket));
        assert_eq!(emission.in_flight_since(), None);
    }

    #[test]
    fn the_cut_off_is_counted_from_the_start_of_the_last_success() {
        let emission = once(T0, Outcome::Acknowledged, T0 + secs(4));
        assert_eq!(
            emission.wait(T0 + secs(4)),
            Some(Wait::CutOff(CUTOFF - secs(4)))
        );
        assert_eq!(emission.wait(T0 + CUTOFF - TICK), Some(Wait::CutOff(TICK)));
    }

    #[test]
    fn l1_at_the_very_end_of_the_cut_off_an_emission_may_start() {
        let mut emission = once(T0, Outcome::Acknowledged, T0 + secs(4));
        assert_eq!(emission.wait(T0 + CUTOFF), None);
        assert!(emission.start(T0 + CUTOFF).is_ok());
    }

    #[test]
    fn an_emission_that_took_longer_than_the_cut_off_leaves_no_wait() {
        let emission = once(T0, Outcome::Acknowledged, T0 + secs(11));
        assert_eq!(emission.wait(T0 + secs(11)), None);
    }

    #[test]
    fn after_each_failure_the_retry_distance_is_counted_from_its_end() {
        for outcome in [
            Outcome::Refused,
            Outcome::Unroutable,
            Outcome::TimedOut,
            Outcome::Lost,
        ] {
            let end = T0 + secs(4);
            let emission = once(T0, outcome, end);
            assert_eq!(emission.wait(end), Some(Wait::Retry(RETRY)));
            assert_eq!(emission.wait(end + RETRY - TICK), Some(Wait::Retry(TICK)));
            assert_eq!(emission.wait(end + RETRY), None);
        }
    }

    #[test]
    fn a_failure_does_not_begin_a_cut_off() {
        let mut emission = once(T0, Outcome::Acknowledged, T0);
        let ticket = emission.start(T0 + secs(20)).unwrap();
        emission.ended(ticket, Outcome::Refused, T0 + secs(21));
        assert_eq!(emission.wait(T0 + secs(24)), None);
    }

    #[test]
    fn a_success_ends_the_retry_distance() {
        let mut emission = once(T0, Outcome::Refused, T0);
        let ticket = emission.start(T0 + secs(3)).unwrap();
        emission.ended(ticket, Outcome::Acknowledged, T0 + secs(14));
        assert_eq!(emission.wait(T0 + secs(14)), None);
    }

    #[test]
    fn the_cut_off_is_named_before_the_retry_distance() {
        let mut emission = once(T0, Outcome::Acknowledged, T0);
        let ticket = emission.start(T0 + secs(10)).unwrap();
        emission.abandon(T0);
        assert!(!emission.ended(ticket, Outcome::Lost, T0));
        assert_eq!(emission.wait(T0 + secs(1)), Some(Wait::CutOff(secs(9))));
    }

    #[test]
    fn s3_a_late_answer_to_an_older_ticket_changes_nothing() {
        let mut emission = Emission::new(PACE);
        let old = emission.start(T0).unwrap();
        emission.abandon(T0 + secs(1));
        let new = emission.start(T0 + secs(10)).unwrap();
        assert_ne!(old, new);

        let before = emission.clone();
        assert!(!emission.ended(old, Outcome::Acknowledged, T0 + secs(11)));
        assert_eq!(emission, before);
        assert!(!emission.is_in_flight(old));
        assert!(emission.ended(new, Outcome::Acknowledged, T0 + secs(11)));
    }

    #[test]
    fn a_second_answer_to_the_same_ticket_changes_nothing() {
        let mut emission = Emission::new(PACE);
        let ticket = emission.start(T0).unwrap();
        assert!(emission.ended(ticket, Outcome::Acknowledged, T0));
        let before = emission.clone();
        assert!(!emission.ended(ticket, Outcome::Refused, T0 + secs(1)));
        assert_eq!(emission, before);
    }

    #[test]
    fn tickets_wrap_around() {
        let mut emission = Emission::new(PACE);
        emission.newest = Ticket(u32::MAX - 1);
        let last = emission.start(T0).unwrap();
        assert!(emission.ended(last, Outcome::Acknowledged, T0));
        let first = emission.start(T0 + CUTOFF).unwrap();
        assert_eq!(first, Ticket(0));
        assert!(!emission.ended(last, Outcome::Acknowledged, T0 + CUTOFF));
        assert!(emission.ended(first, Outcome::Acknowledged, T0 + CUTOFF));
    }

    #[test]
    fn each_outcome_is_counted_by_itself() {
        for outcome in Outcome::ALL {
            let emission = once(T0, outcome, T0);
            for other in Outcome::ALL {
                assert_eq!(emission.counts().of(other), u32::from(other == outcome));
            }
            assert_eq!(emission.last_outcome(), Some(outcome));
        }
    }

    #[test]
    fn counting_stops_at_the_largest_number() {
        let mut counts = Counts {
            lost: u32::MAX,
            ..Counts::default()
        };
        counts.count(Outcome::Lost);
        assert_eq!(counts.of(Outcome::Lost), u32::MAX);
    }

    #[test]
    fn abandoning_what_is_in_flight_counts_as_lost() {
        let mut emission = Emission::new(PACE);
        let _ = emission.start(T0).unwrap();
        emission.abandon(T0 + secs(1));
        assert_eq!(emission.in_flight_since(), None);
        assert_eq!(emission.last_outcome(), Some(Outcome::Lost));
        assert_eq!(emission.wait(T0 + secs(1)), Some(Wait::Retry(RETRY)));
    }

    #[test]
    fn abandoning_nothing_counts_nothing_and_leaves_the_cut_off() {
        let mut emission = once(T0, Outcome::Acknowledged, T0);
        emission.abandon(T0 + secs(1));
        assert_eq!(emission.counts().of(Outcome::Lost), 0);
        assert_eq!(emission.wait(T0 + secs(1)), Some(Wait::CutOff(secs(9))));
    }

    #[test]
    fn when_it_was_last_acknowledged_is_the_end_of_a_success() {
        assert_eq!(Emission::new(PACE).last_acknowledged(), None);
        let mut emission = once(T0, Outcome::Acknowledged, T0 + secs(4));
        assert_eq!(emission.last_acknowledged(), Some(T0 + secs(4)));
        let ticket = emission.start(T0 + secs(20)).unwrap();
        emission.ended(ticket, Outcome::Refused, T0 + secs(21));
        assert_eq!(emission.last_acknowledged(), Some(T0 + secs(4)));
    }

    #[test]
    fn a_clock_that_goes_back_makes_the_wait_no_shorter() {
        let cut_off = once(T0, Outcome::Acknowledged, T0);
        assert_eq!(cut_off.wait(T0 - secs(500)), Some(Wait::CutOff(CUTOFF)));
        let retry = once(T0, Outcome::Refused, T0);
        assert_eq!(retry.wait(T0 - secs(500)), Some(Wait::Retry(RETRY)));
    }

    #[test]
    fn l1_after_a_clock_went_back_and_all_is_forgotten_no_wait_is_longer_than_its_length() {
        let back = T0 - secs(500);
        let mut cut_off = once(T0, Outcome::Acknowledged, T0);
        cut_off.abandon(back);
        assert_eq!(cut_off.wait(back + CUTOFF - TICK), Some(Wait::CutOff(TICK)));
        assert_eq!(cut_off.wait(back + CUTOFF), None);
        assert_eq!(cut_off.last_acknowledged(), Some(back));

        let mut retry = once(T0, Outcome::Refused, T0);
        retry.abandon(back);
        assert_eq!(retry.wait(back + RETRY - TICK), Some(Wait::Retry(TICK)));
        assert_eq!(retry.wait(back + RETRY), None);
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        let end = once(Instant::MAX, Outcome::Acknowledged, Instant::MAX);
        assert_eq!(end.wait(Instant::MAX), Some(Wait::CutOff(CUTOFF)));
        assert_eq!(end.wait(Instant::MIN), Some(Wait::CutOff(CUTOFF)));
        let start = once(Instant::MIN, Outcome::Refused, Instant::MIN);
        assert_eq!(start.wait(Instant::MAX), None);

        let mut endless = Emission::new(Pace {
            cutoff: Duration::MAX,
            ..PACE
        });
        let ticket = endless.start(Instant::MIN).unwrap();
        endless.ended(ticket, Outcome::Acknowledged, Instant::MIN);
        assert_eq!(endless.wait(Instant::MAX - TICK), Some(Wait::CutOff(TICK)));
        assert_eq!(endless.wait(Instant::MAX), None);
    }

    #[test]
    fn l1_the_margin_is_that_of_the_longest_time_between_two_acknowledgements() {
        let mut emission = once(T0, Outcome::Acknowledged, T0 + secs(1));
        assert_eq!(emission.smallest_margin(), None);
        for (start, end, margin) in [(15, 17, 44), (40, 42, 35), (50, 51, 35)] {
            let ticket = emission.start(T0 + secs(start)).unwrap();
            emission.ended(ticket, Outcome::Acknowledged, T0 + secs(end));
            assert_eq!(emission.smallest_margin(), Some(secs(margin)));
        }
    }

    #[test]
    fn l1_a_failure_in_between_makes_the_gap_longer_and_is_part_of_it() {
        let mut emission = once(T0, Outcome::Acknowledged, T0);
        let ticket = emission.start(T0 + secs(15)).unwrap();
        emission.ended(ticket, Outcome::TimedOut, T0 + secs(20));
        let ticket = emission.start(T0 + secs(30)).unwrap();
        emission.ended(ticket, Outcome::Acknowledged, T0 + secs(31));
        assert_eq!(emission.smallest_margin(), Some(secs(29)));
    }

    #[test]
    fn l1_a_gap_longer_than_the_controllers_timeout_is_no_margin() {
        let mut emission = once(T0, Outcome::Acknowledged, T0);
        let ticket = emission.start(T0 + secs(100)).unwrap();
        emission.ended(ticket, Outcome::Acknowledged, T0 + secs(100));
        assert_eq!(emission.smallest_margin(), Some(Duration::MIN));
    }

    #[test]
    fn l1_a_gap_in_which_a_fault_withheld_the_heartbeat_is_no_measure() {
        let mut emission = once(T0, Outcome::Acknowledged, T0);
        emission.break_streak();
        let ticket = emission.start(T0 + secs(100)).unwrap();
        emission.ended(ticket, Outcome::Acknowledged, T0 + secs(100));
        assert_eq!(emission.smallest_margin(), None);
        // The next one is.
        let ticket = emission.start(T0 + secs(115)).unwrap();
        emission.ended(ticket, Outcome::Acknowledged, T0 + secs(115));
        assert_eq!(emission.smallest_margin(), Some(secs(45)));
    }

    #[test]
    fn l1_a_new_session_is_no_measure() {
        let mut emission = once(T0, Outcome::Acknowledged, T0);
        emission.abandon(T0 + secs(50));
        let ticket = emission.start(T0 + secs(51)).unwrap();
        emission.ended(ticket, Outcome::Acknowledged, T0 + secs(51));
        assert_eq!(emission.smallest_margin(), None);
    }
}
