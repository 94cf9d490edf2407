//! The way of the dome heartbeat to the enclosure: publishes what the core's [`Delivery`] says, and
//! tells it what comes back.
//!
//! The enclosure is sent a `ping` first, and the heartbeat only when it has answered (S3). Whatever
//! it did not answer in time has failed: no timer publishes anything (S2).

use std::pin::Pin;
use std::sync::Arc;

use embassy_time::Instant;
use futures_util::future::{BoxFuture, pending};
use lvmbeat_core::delivery::{Command, Limits, Publish, Step};
use lvmbeat_core::{Delivery, Outcome, Ticket};
use tokio::time::{Sleep, sleep};

use crate::clu::bus::{BusError, Message, Publisher, Routing};
use crate::clu::client::{CommandError, Respondent};
use crate::clu::message::{Code, decode_reply, encode_command, new_command_id};
use crate::config::{Ecp, Supervisor, core_duration, std_duration};

type Publishing = BoxFuture<'static, Result<Routing, BusError>>;

/// The deliveries to the enclosure, one at a time.
pub(super) struct Emitter {
    /// Who commands.
    name: String,
    config: Ecp,
    respondent: Respondent,
    delivery: Delivery,
    waiting: Option<Waiting>,
}

/// For the reply to this command.
struct Waiting {
    publish: Publish,
    id: String,
    publisher: Arc<dyn Publisher>,
    /// Until the broker has taken it.
    publishing: Option<Publishing>,
    deadline: Pin<Box<Sleep>>,
}

/// What a delivery had to wait for.
pub(super) enum Happened {
    /// The command could not be published, for this or for want of an enclosure.
    Unpublished(Option<BusError>),
    /// It was not answered in time.
    Overdue,
}

/// What a reply is to the delivery.
pub(super) enum Heard {
    /// It answers the command under way. What ended with it, if anything.
    Answered(Option<Ended>),
    /// It has that command's id, and is not the enclosure's (S1).
    Foreign,
    /// It is of another command.
    Unclaimed,
}

/// What became of a delivery.
pub(super) struct Ended {
    pub(super) ticket: Ticket,
    pub(super) outcome: Outcome,
    /// Why it failed, for the log.
    pub(super) cause: Option<String>,
}

impl Emitter {
    pub(super) fn new(name: &str, config: &Ecp) -> Self {
        Self {
            name: name.to_owned(),
            config: config.clone(),
            respondent: Respondent::new(name, &config.actor),
            delivery: Delivery::new(Limits {
                expiration: core_duration(config.expiration),
                answer: core_duration(config.command_timeout),
            }),
            waiting: None,
        }
    }

    /// Begins with what was decided at `now`. `None`: there is no session.
    pub(super) fn begin(
        &mut self,
        ticket: Ticket,
        publisher: Option<Arc<dyn Publisher>>,
        now: Instant,
    ) -> Option<Ended> {
        let Some(publisher) = publisher else {
            return Some(Ended {
                ticket,
                outcome: Outcome::Lost,
                cause: None,
            });
        };
        let step = self.delivery.begin(ticket, now);
        self.follow(step, publisher, None, now)
    }

    /// Waits for what ends a delivery if no reply does. May be dropped and called again without
    /// losing anything.
    pub(super) async fn next(&mut self) -> Happened {
        let Some(waiting) = &mut self.waiting else {
            return pending().await;
        };
        tokio::select! {
            biased;
            error = unpublished(&mut waiting.publishing) => Happened::Unpublished(error),
            () = waiting.deadline.as_mut() => Happened::Overdue,
        }
    }

    pub(super) fn happened(
        &mut self,
        happened: Happened,
        supervisor: &Supervisor,
        now: Instant,
    ) -> Option<Ended> {
        match happened {
            Happened::Unpublished(None) => {
                self.answered(Outcome::Unroutable, None, supervisor, now)
            }
            Happened::Unpublished(error) => self.answered(Outcome::Lost, error, supervisor, now),
            Happened::Overdue => self.overdue(now),
        }
    }

    /// Takes a reply. Anything but the final one of the command under way changes nothing.
    pub(super) fn reply(
        &mut self,
        message: &Message,
        supervisor: &Supervisor,
        now: Instant,
    ) -> Heard {
        let Some(waiting) = &self.waiting else {
            return Heard::Unclaimed;
        };
        if message.correlation_id.as_ref() != Some(&waiting.id) {
            return Heard::Unclaimed;
        }
        if !self.respondent.has_sent(message) {
            return Heard::Foreign;
        }
        let command = waiting.publish.command;
        let outcome = match decode_reply(message).map(|reply| reply.code) {
            Ok(code) if !code.is_final() => return Heard::Answered(None),
            Err(_) => return Heard::Answered(None),
            // It is there, whatever it makes of a ping.
            Ok(code) if code == Code::Done || command == Command::Ping => Outcome::Acknowledged,
            Ok(_) => Outcome::Refused,
        };
        Heard::Answered(self.answered(outcome, None, supervisor, now))
    }

    /// The session is over. The supervisor is told to forget, and so counts what was under way as
    /// lost (S5).
    pub(super) fn abandon(&mut self) {
        self.delivery.abandon();
        self.waiting = None;
    }

    fn answered(
        &mut self,
        outcome: Outcome,
        error: Option<BusError>,
        supervisor: &Supervisor,
        now: Instant,
    ) -> Option<Ended> {
        let waiting = self.waiting.take()?;
        let Publish {
            ticket, command, ..
        } = waiting.publish;
        let step = self
            .delivery
            .answered(ticket, command, outcome, supervisor, now);
        self.follow(step, waiting.publisher, error, now)
    }

    fn overdue(&mut self, now: Instant) -> Option<Ended> {
        let mut waiting = self.waiting.take()?;
        match self.delivery.advance(now) {
            // The timer's clock is not the one by which is decided, and was ahead of it.
            Step::Nothing => {
                waiting.deadline = self.timer(now);
                self.waiting = Some(waiting);
                None
            }
            step => self.follow(step, waiting.publisher, None, now),
        }
    }

    fn follow(
        &mut self,
        step: Step,
        publisher: Arc<dyn Publisher>,
        error: Option<BusError>,
        now: Instant,
    ) -> Option<Ended> {
        match step {
            Step::Nothing => None,
            Step::Ended(ended) => Some(Ended {
                ticket: ended.ticket,
                outcome: ended.outcome,
                cause: self.cause(ended.command, ended.outcome, error),
            }),
            Step::Publish(publish) => {
                let id = new_command_id();
                let message = self.message(&publish, &id);
                let to = publisher.clone();
                self.waiting = Some(Waiting {
                    publish,
                    id,
                    publisher,
                    publishing: Some(Box::pin(async move { to.publish(message).await })),
                    deadline: self.timer(now),
                });
                None
            }
        }
    }

    fn message(&self, publish: &Publish, id: &str) -> Message {
        let expiration = Some(std_duration(publish.expiration));
        let command = name(publish.command);
        let actor = &self.config.actor;
        encode_command(&self.name, actor, command, id, false, expiration)
    }

    fn timer(&self, now: Instant) -> Pin<Box<Sleep>> {
        let deadline = self.delivery.deadline();
        let rest = deadline.and_then(|deadline| deadline.checked_duration_since(now));
        Box::pin(sleep(rest.map(std_duration).unwrap_or_default()))
    }

    /// Why it failed, in words.
    fn cause(&self, command: Command, outcome: Outcome, error: Option<BusError>) -> Option<String> {
        let actor = self.config.actor.clone();
        let error = match (outcome, error) {
            (Outcome::Acknowledged, _) => return None,
            (Outcome::Refused, _) => {
                return Some(format!(
                    "{actor} answered that it could not set the heartbeat"
                ));
            }
            (Outcome::Lost, None) => {
                return Some("something changed since the decision".to_owned());
            }
            (Outcome::Lost, Some(error)) => error.into(),
            (Outcome::Unroutable, _) => CommandError::Unroutable { actor },
            (Outcome::TimedOut, _) => {
                let limit = match command {
                    Command::Ping => self.config.expiration,
                    Command::Heartbeat => self.config.expiration + self.config.command_timeout,
                };
                CommandError::TimedOut { actor, limit }
            }
        };
        Some(format!("{}: {error}", name(command)))
    }
}

fn name(command: Command) -> &'static str {
    match command {
        Command::Ping => "ping",
        Command::Heartbeat => "heartbeat",
    }
}

/// Waits for a command that could not be published: with its error, or for want of an enclosure.
async fn unpublished(publishing: &mut Option<Publishing>) -> Option<BusError> {
    let Some(published) = publishing else {
        return pending().await;
    };
    let published = published.await;
    *publishing = None;
    match published {
        Ok(Routing::Routed) => pending().await,
        Ok(Routing::Unroutable) => None,
        Err(error) => Some(error),
    }
}
