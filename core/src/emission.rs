//! When may a heartbeat be sent to the dome: one at a time, not too often, and what became of the last one.

use embassy_time::{Duration, Instant};

use crate::heartbeat::saturating_sub;

/// The pace of emissions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Pace {
    /// No emission for this long after the start of the last one that succeeded.
    pub cutoff: Duration,
    /// No attempt for this long after the end of one that failed, so that a broken enclosure is not hammered.
    pub retry: Duration,
    /// The dome's controller closes when it hears nothing for this long; only for [`Emission::smallest_margin`].
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

#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct InFlight {
    ticket: Ticket,
    since: Instant,
}

#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Ended {
    outcome: Outcome,
    at: Instant,
}

/// The emissions of one supervisor.
///
/// They start with [`Supervisor::beat`](crate::Supervisor::beat) and end with
/// [`Supervisor::emission_ended`](crate::Supervisor::emission_ended); an answer to an older ticket changes nothing. Every
/// call costs a constant number of steps. A clock that goes back makes the waiting longer, never shorter, until the
/// supervisor is told to forget: from then on no waiting time is longer than its whole length again.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Emission {
    pace: Pace,
    in_flight: Option<InFlight>,
    next: u32,
    last_success_started: Option<Instant>,
    last_acknowledged: Option<Instant>,
    last_ended: Option<Ended>,
    counts: Counts,
    streak: bool,
    longest_gap: Option<Duration>,
}

impl Emission {
    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            pace,
            in_flight: None,
            next: 0,
            last_success_started: None,
            last_acknowledged: None,
            last_ended: None,
            counts: Counts::default(),
            streak: false,
            longest_gap: None,
        }
    }

    /// Why an emission may not start at `now`. At the very end of a waiting time it may.
    pub fn wait(&self, now: Instant) -> Option<Wait> {
        if let Some(in_flight) = &self.in_flight {
            return Some(Wait::InFlight(in_flight.since));
        }
        if let Some(rest) = self
            .last_success_started
            .and_then(|at| rest(self.pace.cutoff, at, now))
        {
            return Some(Wait::CutOff(rest));
        }
        let failed = self
            .last_ended
            .as_ref()
            .filter(|ended| ended.outcome != Outcome::Acknowledged);
        failed
            .and_then(|ended| rest(self.pace.retry, ended.at, now))
            .map(Wait::Retry)
    }

    pub(crate) fn start(&mut self, now: Instant) -> Result<Ticket, Wait> {
        if let Some(wait) = self.wait(now) {
            return Err(wait);
        }
        let ticket = Ticket(self.next);
        self.next = self.next.wrapping_add(1);
        self.in_flight = Some(InFlight { ticket, since: now });
        Ok(ticket)
    }

    /// Takes an outcome. Gives false, and changes nothing, if the ticket is not the one in flight.
    pub(crate) fn ended(&mut self, ticket: Ticket, outcome: Outcome, now: Instant) -> bool {
        let Some(in_flight) = self
            .in_flight
            .take_if(|in_flight| in_flight.ticket == ticket)
        else {
            return false;
        };
        self.counts.count(outcome);
        self.last_ended = Some(Ended { outcome, at: now });
        if outcome == Outcome::Acknowledged {
            self.last_success_started = Some(in_flight.since);
            if self.streak
                && let Some(gap) = self
                    .last_acknowledged
                    .and_then(|at| now.checked_duration_since(at))
            {
                self.longest_gap = Some(self.longest_gap.map_or(gap, |longest| longest.max(gap)));
            }
            self.last_acknowledged = Some(now);
            self.streak = true;
        }
        true
    }

    /// A reason other than the pace withheld the heartbeat: the time until the next success says nothing about L1.
    pub(crate) fn break_streak(&mut self) {
        self.streak = false;
    }

    /// Abandons what is in flight; its late answer will change nothing. The cut-off goes on. What happened later than
    /// `now`, on a clock that went back since, counts from `now`: otherwise everything was held until that clock has
    /// caught up (L1).
    pub(crate) fn abandon(&mut self, now: Instant) {
        if let Some(in_flight) = &self.in_flight {
            self.ended(in_flight.ticket, Outcome::Lost, now);
        }
        self.streak = false;
        self.last_success_started = self.last_success_started.map(|at| at.min(now));
        self.last_acknowledged = self.last_acknowledged.map(|at| at.min(now));
        if let Some(ended) = &mut self.last_ended {
            ended.at = ended.at.min(now);
        }
    }

    pub(crate) fn is_in_flight(&self, ticket: Ticket) -> bool {
        self.in_flight
            .as_ref()
            .is_some_and(|in_flight| in_flight.ticket == ticket)
    }

    /// When the emission that is under way started.
    pub fn in_flight_since(&self) -> Option<Instant> {
        self.in_flight.as_ref().map(|in_flight| in_flight.since)
    }

    /// When the enclosure last acknowledged a heartbeat.
    pub fn last_acknowledged(&self) -> Option<Instant> {
        self.last_acknowledged
    }

    /// What became of the last emission that ended.
    pub fn last_outcome(&self) -> Option<Outcome> {
        self.last_ended.as_ref().map(|ended| ended.outcome)
    }

    /// How often each outcome was seen.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// L1: the controller's timeout minus the longest time between two acknowledgements, of those between which
    /// nothing but the pace withheld the heartbeat. `None` until there are two such.
    pub fn smallest_margin(&self) -> Option<Duration> {
        self.longest_gap
            .map(|gap| saturating_sub(self.pace.plc_timeout, gap))
    }
}

/// What is left at `now` of a waiting time that began at `start`; `None` once it is over. If the clock went back, all
/// of it is left.
fn rest(length: Duration, start: Instant, now: Instant) -> Option<Duration> {
    let elapsed = now.checked_duration_since(start).unwrap_or(Duration::MIN);
    length
        .checked_sub(elapsed)
        .filter(|rest| *rest > Duration::MIN)
}
