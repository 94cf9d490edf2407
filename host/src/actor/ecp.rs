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

use serde_json::Value;

use super::health::Undelivered;
use crate::clu::bus::{BusError, Message, Publisher, Routing};
use crate::clu::client::{CommandError, Respondent};
use crate::clu::message::{Code, Keywords, decode_reply, encode_command, new_command_id};
use crate::config::{Ecp, Supervisor, core_duration, std_duration};
use crate::peer::{Secrets, shown};

type Publishing = BoxFuture<'static, Result<Routing, BusError>>;

/// The deliveries to the enclosure, one at a time.
pub(super) struct Emitter {
    /// Who commands.
    name: String,
    config: Ecp,
    /// What the enclosure says is shown without them (X1).
    secrets: Secrets,
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
    /// Why it was not delivered, if it was not.
    pub(super) failure: Option<Failure>,
}

/// Why a dome heartbeat was not delivered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Nothing was sent: it is held, or the session is over.
    #[error("something changed since the decision")]
    Withheld,
    /// The enclosure answered that it could not write it, and perhaps why.
    #[error("{ecp} could not set the heartbeat{}", .text.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Refused { ecp: String, text: Option<String> },
    /// The enclosure did not get the command, or did not answer in time.
    #[error("{command}: {cause}")]
    Unanswered {
        cause: CommandError,
        command: &'static str,
    },
}

impl Failure {
    /// Its kind; `None` if nothing was sent.
    pub(super) fn kind(&self) -> Option<Undelivered> {
        match self {
            Self::Withheld => None,
            Self::Refused { .. } => Some(Undelivered::Refused),
            Self::Unanswered { cause, .. } => Some(match cause {
                CommandError::Unroutable { .. } => Undelivered::Unroutable,
                CommandError::TimedOut { .. } => Undelivered::NoAnswer,
                CommandError::Bus(_) => Undelivered::Lost,
            }),
        }
    }
}

/// What is known of a failure when it happens.
enum Clue {
    Nothing,
    Broker(BusError),
    Said(Option<String>),
}

impl Emitter {
    pub(super) fn new(name: &str, config: &Ecp, secrets: Secrets) -> Self {
        Self {
            name: name.to_owned(),
            config: config.clone(),
            secrets,
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
                failure: Some(Failure::Withheld),
            });
        };
        let step = self.delivery.begin(ticket, now);
        self.follow(step, publisher, Clue::Nothing, now)
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
                self.answered(Outcome::Unroutable, Clue::Nothing, supervisor, now)
            }
            Happened::Unpublished(Some(error)) => {
                self.answered(Outcome::Lost, Clue::Broker(error), supervisor, now)
            }
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
        let reply = match decode_reply(message) {
            Ok(reply) if reply.code.is_final() => reply,
            Ok(_) | Err(_) => return Heard::Answered(None),
        };
        // It is there, whatever it makes of a ping.
        let (outcome, clue) = if reply.code == Code::Done || command == Command::Ping {
            (Outcome::Acknowledged, Clue::Nothing)
        } else {
            (
                Outcome::Refused,
                Clue::Said(refusal(&reply.body, &self.secrets)),
            )
        };
        Heard::Answered(self.answered(outcome, clue, supervisor, now))
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
        clue: Clue,
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
        self.follow(step, waiting.publisher, clue, now)
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
            step @ (Step::Publish(_) | Step::Ended(_)) => {
                self.follow(step, waiting.publisher, Clue::Nothing, now)
            }
        }
    }

    fn follow(
        &mut self,
        step: Step,
        publisher: Arc<dyn Publisher>,
        clue: Clue,
        now: Instant,
    ) -> Option<Ended> {
        match step {
            Step::Nothing => None,
            Step::Ended(ended) => Some(Ended {
                ticket: ended.ticket,
                outcome: ended.outcome,
                failure: self.failure(ended.command, ended.outcome, clue),
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

    fn failure(&self, command: Command, outcome: Outcome, clue: Clue) -> Option<Failure> {
        let ecp = self.config.actor.clone();
        let cause = match (outcome, clue) {
            (Outcome::Acknowledged, _) => return None,
            (Outcome::Refused, Clue::Said(text)) => return Some(Failure::Refused { ecp, text }),
            (Outcome::Refused, _) => return Some(Failure::Refused { ecp, text: None }),
            (Outcome::Lost, Clue::Broker(error)) => error.into(),
            (Outcome::Lost, _) => return Some(Failure::Withheld),
            (Outcome::Unroutable, _) => CommandError::Unroutable { actor: ecp },
            (Outcome::TimedOut, _) => {
                let limit = match command {
                    Command::Ping => self.config.expiration,
                    Command::Heartbeat => self.config.expiration + self.config.command_timeout,
                };
                CommandError::TimedOut { actor: ecp, limit }
            }
        };
        let command = name(command);
        Some(Failure::Unanswered { cause, command })
    }
}

/// Why the enclosure could not, as it may be shown (X1, X2).
fn refusal(body: &Keywords, secrets: &Secrets) -> Option<String> {
    let said = body.get("error").or_else(|| body.get("text"))?;
    let text = match said {
        Value::String(text) => text.clone(),
        // CLU's actors may give several lines, or an object.
        Value::Array(lines) => lines
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" "),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => said.to_string(),
    };
    let text = shown(text.as_bytes(), secrets);
    Some(text).filter(|text| !text.is_empty())
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn x1_what_the_enclosure_says_is_shown_bounded_and_without_secrets() {
        let secrets = Secrets::new(["correct horse battery"]);
        let said = |body: Value| refusal(body.as_object().unwrap(), &secrets);
        for (body, shown) in [
            (
                json!({"error": "Failed to set heartbeat."}),
                Some("Failed to set heartbeat."),
            ),
            (json!({"error": ["two", "lines"]}), Some("two lines")),
            (json!({"text": "not now"}), Some("not now")),
            (json!({"error": {"code": 7}}), Some("{\"code\":7}")),
            (json!({"error": ""}), None),
            (json!({}), None),
        ] {
            assert_eq!(said(body.clone()).as_deref(), shown, "{body}");
        }
        let secret = said(json!({"error": "no: correct horse battery"})).unwrap();
        assert!(!secret.contains("horse"), "{secret}");
        let long = said(json!({"error": "x".repeat(100_000)})).unwrap();
        assert!(long.chars().count() <= 301, "{}", long.chars().count());
    }
}
