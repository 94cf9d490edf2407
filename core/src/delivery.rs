//! What is published for one decision to emit, and when is it too late for that?
//!
//! An output that can freeze, or sits behind a connection that can stall, would keep a heartbeat in
//! a buffer, where no expiration reaches it, and take it when it thaws (S3). So it is sent a ping
//! first, and the heartbeat only when it has answered that a moment before, and only if nothing has
//! changed since the decision. Both expire with the decision.
//!
//! ```text
//!           begin           ping answered, may still be sent         answered
//!   Free ──────────▶ Pinging ──────────────────────────────▶ Sent ───────────▶ Free
//!         ping              │ failed, withheld or too late     │ failed or too late
//!                           └────────▶ Free                    └────────▶ Free
//! ```
//!
//! It does no I/O and knows no names: the caller publishes what it says, reports what comes back,
//! and asks it again when [`deadline`](Delivery::deadline) has passed. No deadline publishes
//! anything, it can only end what was begun (S2). Each output has a machine of its own, and one
//! that needs no ping has none.

use embassy_time::{Duration, Instant};

use crate::emission::{Outcome, Ticket};
use crate::supervisor::Supervisor;

/// Brokers count the expiration in milliseconds: nothing is published with less.
const SHORTEST: Duration = Duration::from_millis(1);

/// How long a delivery may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    /// From the decision until the heartbeat has reached the output (S3).
    pub expiration: Duration,
    /// From there until the output has answered that it took it.
    pub answer: Duration,
}

/// The two commands of a delivery.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Command {
    /// Is it there? It changes nothing.
    Ping,
    /// The dome heartbeat.
    Heartbeat,
}

/// What is to be published now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "what is not published has to be answered as lost"]
pub struct Publish {
    /// Of which decision.
    pub ticket: Ticket,
    /// What.
    pub command: Command,
    /// What is left of [`Limits::expiration`] since the decision: it must not arrive later.
    pub expiration: Duration,
}

/// What became of a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "the supervisor has to know what became of an emission"]
pub struct Ended {
    /// Of which decision.
    pub ticket: Ticket,
    /// With which command it ended: no heartbeat was published if it is the ping.
    pub command: Command,
    /// What became of it.
    pub outcome: Outcome,
}

/// What follows from an input of the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "something may have to be published"]
pub enum Step {
    /// Publish this, and pass [`Delivery::answered`] what came of it.
    Publish(Publish),
    /// It is over. Reported once for each delivery that was begun and not abandoned.
    Ended(Ended),
    /// Nothing: what was said is of a delivery that is over, or it is not yet time.
    Nothing,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Waiting {
    ticket: Ticket,
    decided: Instant,
    /// For the answer to this.
    command: Command,
}

/// The delivery to one output. Every call costs a constant number of steps, beside those of
/// [`Supervisor::may_send`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Delivery {
    limits: Limits,
    waiting: Option<Waiting>,
}

impl Delivery {
    /// Nothing is under way.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            waiting: None,
        }
    }

    /// Begins with what [`Supervisor::beat`] has decided at `decided`. While one is under way,
    /// another is lost at once.
    pub fn begin(&mut self, ticket: Ticket, decided: Instant) -> Step {
        let waiting = Waiting {
            ticket,
            decided,
            command: Command::Ping,
        };
        if self.waiting.is_some() {
            return waiting.ended(Outcome::Lost);
        }
        self.publish(Command::Ping, waiting, decided)
    }

    /// Takes what came of a command that was published. `Acknowledged`: the output has answered
    /// (a heartbeat: that it took it). [`Unroutable`](Outcome::Unroutable): it came back.
    /// [`Lost`](Outcome::Lost): it could not be published.
    ///
    /// An answer to a ping is the only way to a heartbeat, and asks `supervisor` whether it may
    /// still be sent (S1, S3); if not, it is [`Lost`](Outcome::Lost).
    pub fn answered<const H: usize, const L: usize>(
        &mut self,
        ticket: Ticket,
        command: Command,
        outcome: Outcome,
        supervisor: &Supervisor<H, L>,
        now: Instant,
    ) -> Step {
        let such = |waiting: &Waiting| waiting.ticket == ticket && waiting.command == command;
        let Some(waiting) = self.waiting.take_if(|waiting| such(waiting)) else {
            return Step::Nothing;
        };
        if self.is_late(&waiting, now) {
            return waiting.ended(Outcome::TimedOut);
        }
        if command == Command::Heartbeat || outcome != Outcome::Acknowledged {
            return waiting.ended(outcome);
        }
        if !supervisor.stands(ticket, now) {
            return waiting.ended(Outcome::Lost);
        }
        self.publish(Command::Heartbeat, waiting, now)
    }

    /// When [`advance`](Self::advance) will end what is under way, if nothing does before.
    pub fn deadline(&self) -> Option<Instant> {
        let waiting = self.waiting?;
        waiting.decided.checked_add(self.limit(waiting.command))
    }

    /// Ends what was not answered in time: the ping within the expiration, the heartbeat within
    /// that and the time for its answer, both counted from the decision.
    pub fn advance(&mut self, now: Instant) -> Step {
        match self.waiting {
            Some(waiting) if self.is_late(&waiting, now) => {
                self.waiting = None;
                waiting.ended(Outcome::TimedOut)
            }
            _ => Step::Nothing,
        }
    }

    /// Its session is over, and no answer will come. The supervisor is asked to
    /// [`forget`](Supervisor::forget), and so counts it as lost.
    pub fn abandon(&mut self) {
        self.waiting = None;
    }

    fn publish(&mut self, command: Command, waiting: Waiting, now: Instant) -> Step {
        let left = left(self.limits.expiration, waiting.decided, now);
        let Some(expiration) = left.filter(|left| *left >= SHORTEST) else {
            return waiting.ended(Outcome::TimedOut);
        };
        self.waiting = Some(Waiting { command, ..waiting });
        Step::Publish(Publish {
            ticket: waiting.ticket,
            command,
            expiration,
        })
    }

    fn is_late(&self, waiting: &Waiting, now: Instant) -> bool {
        let left = left(self.limit(waiting.command), waiting.decided, now);
        left.is_none_or(|left| left == Duration::MIN)
    }

    fn limit(&self, command: Command) -> Duration {
        let Limits { expiration, answer } = self.limits;
        match command {
            Command::Ping => expiration,
            Command::Heartbeat => expiration.checked_add(answer).unwrap_or(Duration::MAX),
        }
    }
}

impl Waiting {
    fn ended(self, outcome: Outcome) -> Step {
        Step::Ended(Ended {
            ticket: self.ticket,
            command: self.command,
            outcome,
        })
    }
}

/// What is left at `now`; `None` if it is over, or if the clock is behind (a broken clock).
fn left(limit: Duration, since: Instant, now: Instant) -> Option<Duration> {
    limit.checked_sub(now.checked_duration_since(since)?)
}

#[cfg(test)]
mod tests;
