//! What is delivered: read off the history, as everything else.

use lvmbeat_core::delivery::{Command, Ended, Limits, Publish, Step};
use lvmbeat_core::{Decision, Outcome, Ticket};

use super::history::{Event, History, ticks};

/// The core's shortest expiration, in ticks.
pub(crate) const SHORTEST: u64 = embassy_time::Duration::from_millis(1).as_ticks();

/// What is under way: decided on when, and what has to be answered.
#[derive(Clone, Copy)]
pub(crate) struct Waiting {
    ticket: Ticket,
    decided: u64,
    pub(crate) command: Command,
}

impl History<'_> {
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            expiration: ticks(self.setup.expiration),
            answer: ticks(self.setup.answer),
        }
    }

    /// What was published last, if nothing came of it yet; there can be one in a session.
    pub(crate) fn waiting(&self) -> Option<Waiting> {
        let session = &self.events[self.session(self.events.len())..];
        session.iter().rev().find_map(|(_, event)| {
            let Event::Said(Step::Publish(Publish {
                ticket, command, ..
            })) = event
            else {
                return None;
            };
            let over = |event: &Event| matches!(event, Event::Said(Step::Ended(ended)) if ended.ticket == *ticket);
            let is_over = session.iter().any(|(_, event)| over(event));
            (!is_over).then_some(Waiting {
                ticket: *ticket,
                decided: self.decided(*ticket)?,
                command: *command,
            })
        })
    }

    /// When that ticket was given.
    fn decided(&self, ticket: Ticket) -> Option<u64> {
        self.events.iter().find_map(|(at, event)| match event {
            Event::Beat(_, _, Ok(Decision::Emit(given))) if *given == ticket => Some(*at),
            _ => None,
        })
    }

    /// Whether that ticket is the last one, and of this session.
    fn is_newest(&self, ticket: Ticket) -> bool {
        let session = self.session(self.events.len());
        let given = |(_, event): &(u64, Event)| match event {
            Event::Beat(_, _, Ok(Decision::Emit(given))) => Some(*given),
            _ => None,
        };
        self.events[session..].iter().rev().find_map(given) == Some(ticket)
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        let waiting = self.waiting()?;
        waiting.decided.checked_add(self.limit(waiting.command))
    }

    fn limit(&self, command: Command) -> u64 {
        match command {
            Command::Ping => self.setup.expiration,
            Command::Heartbeat => self.setup.expiration + self.setup.answer,
        }
    }

    fn is_late(&self, waiting: Waiting, now: u64) -> bool {
        let spent = now.checked_sub(waiting.decided);
        spent.is_none_or(|spent| spent >= self.limit(waiting.command))
    }

    pub(crate) fn begins(&self, ticket: Ticket) -> Step {
        if self.waiting().is_some() {
            return ended(ticket, Command::Ping, Outcome::Lost);
        }
        if self.setup.expiration < SHORTEST {
            return ended(ticket, Command::Ping, Outcome::TimedOut);
        }
        publish(ticket, Command::Ping, self.setup.expiration)
    }

    pub(crate) fn advances(&self, now: u64) -> Step {
        match self.waiting() {
            Some(late) if self.is_late(late, now) => {
                ended(late.ticket, late.command, Outcome::TimedOut)
            }
            _ => Step::Nothing,
        }
    }

    pub(crate) fn answers(
        &self,
        ticket: Ticket,
        command: Command,
        outcome: Outcome,
        now: u64,
    ) -> Step {
        let such = |it: &Waiting| it.ticket == ticket && it.command == command;
        let Some(waiting) = self.waiting().filter(such) else {
            return Step::Nothing;
        };
        if self.is_late(waiting, now) {
            return ended(ticket, command, Outcome::TimedOut);
        }
        if command == Command::Heartbeat || outcome != Outcome::Acknowledged {
            return ended(ticket, command, outcome);
        }
        if !self.is_newest(ticket) || self.fault(self.events.len(), now).is_some() {
            return ended(ticket, command, Outcome::Lost);
        }
        let left = self.setup.expiration - (now - waiting.decided);
        if left < SHORTEST {
            return ended(ticket, command, Outcome::TimedOut);
        }
        publish(ticket, Command::Heartbeat, left)
    }
}

fn publish(ticket: Ticket, command: Command, left: u64) -> Step {
    Step::Publish(Publish {
        ticket,
        command,
        expiration: ticks(left),
    })
}

fn ended(ticket: Ticket, command: Command, outcome: Outcome) -> Step {
    Step::Ended(Ended {
        ticket,
        command,
        outcome,
    })
}
