//! When may a heartbeat be sent to the dome: one at a time, not too often, and what became of the
//! last one.

use embassy_time::{Duration, Instant};

use crate::heartbeat::saturating_sub;
use crate::reason::Reason;

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
/// waiting longer, never shorter, until [`forget`](crate::Supervisor::forget): from then on no
/// waiting time is longer than its whole length again.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Emission {
    pace: Pace,
    phase: Phase,
    newest: Ticket,
    /// The newest ticket is of an earlier session.
    abandoned: bool,
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
            abandoned: false,
            last_success: None,
            last_outcome: None,
            counts: Counts::default(),
            longest_gap: None,
        }
    }

    /// The pace: why an emission may not start at `now` although nothing is wrong. At the very end
    /// of a waiting time it may.
    pub fn wait(&self, now: Instant) -> Option<Reason> {
        if let Phase::InFlight(since) = self.phase {
            return Some(Reason::InFlight(since));
        }
        if let Some(success) = &self.last_success
            && let Some(rest) = rest(self.pace.cutoff, success.started, now)
        {
            return Some(Reason::CutOff(rest));
        }
        match self.phase {
            Phase::Failed(at) => rest(self.pace.retry, at, now).map(Reason::Retry),
            Phase::Free | Phase::InFlight(_) => None,
        }
    }

    /// Starts one; only while there is nothing to [`wait`](Self::wait) for (S6).
    pub(crate) fn start(&mut self, now: Instant) -> Ticket {
        self.newest = Ticket(self.newest.0.wrapping_add(1));
        self.abandoned = false;
        self.phase = Phase::InFlight(now);
        self.newest
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
        self.abandoned = true;
        if let Some(success) = &mut self.last_success {
            success.started = success.started.min(now);
            success.acknowledged = success.acknowledged.min(now);
            success.streak = false;
        }
        if let Phase::Failed(at) = &mut self.phase {
            *at = (*at).min(now);
        }
    }

    /// Whether it is of the last decision, and that one of this session.
    pub(crate) fn is_newest(&self, ticket: Ticket) -> bool {
        ticket == self.newest && !self.abandoned
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
mod tests;
