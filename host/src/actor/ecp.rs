//! One emission: commands the enclosure to write the dome heartbeat.
//!
//! The heartbeat is published only after the enclosure has answered a `ping` a moment before. An enclosure that is frozen, and a
//! connection that is stalled, would otherwise keep one heartbeat in a socket buffer, where no expiration reaches it, and write it to
//! the PLC when they thaw (S3). What is left of the expiration after the ping is the heartbeat's own, so that the time from the
//! decision to the delivery stays within `ecp.expiration`.

use std::sync::Arc;
use std::time::Duration;

use embassy_time::Instant;
use lvmbeat_core::{Outcome, Ticket};
use tokio::sync::{mpsc, oneshot};

use super::Event;
use crate::clock::Clock;
use crate::clu::client::{Client, CommandError, CommandOptions};
use crate::clu::message::Code;
use crate::config::{Ecp, core_duration, std_duration};

/// One heartbeat that is to be emitted.
pub(super) struct Emission {
    pub(super) ticket: Ticket,
    /// When it was decided on.
    pub(super) decided: Instant,
    pub(super) client: Client,
    pub(super) events: mpsc::Sender<Event>,
}

impl Emission {
    /// Emits it. Takes at most the expiration and the command timeout together.
    pub(super) async fn run(self, config: Ecp, clock: Arc<dyn Clock>) -> (Ticket, Outcome) {
        (self.ticket, self.emit(&config, &*clock).await)
    }

    async fn emit(&self, config: &Ecp, clock: &dyn Clock) -> Outcome {
        let Some(left) = left(config, clock, self.decided) else {
            return Outcome::TimedOut;
        };
        if let Err(error) = command(&self.client, config, "ping", left, left).await {
            return outcome(config, "ping", &error);
        }
        if !self.may_send().await {
            tracing::warn!(
                ecp = config.actor,
                "something changed since the decision: the dome heartbeat is not sent"
            );
            return Outcome::Lost;
        }
        // Boot time: it also counts what a suspended machine slept through since the decision.
        let Some(left) = self::left(config, clock, self.decided) else {
            tracing::warn!(
                ecp = config.actor,
                "the dome heartbeat expired before it could be sent"
            );
            return Outcome::TimedOut;
        };
        match command(
            &self.client,
            config,
            "heartbeat",
            left,
            left + config.command_timeout,
        )
        .await
        {
            Ok(true) => Outcome::Acknowledged,
            Ok(false) => {
                tracing::warn!(
                    ecp = config.actor,
                    "the enclosure answered that it could not set the heartbeat"
                );
                Outcome::Refused
            }
            Err(error) => outcome(config, "heartbeat", &error),
        }
    }

    /// S1, S3: asks the decision loop once more. No answer is a no.
    async fn may_send(&self) -> bool {
        let (may_send, answer) = oneshot::channel();
        let event = Event::AboutToSend {
            ticket: self.ticket,
            may_send,
        };
        self.events.send(event).await.is_ok() && answer.await.unwrap_or(false)
    }
}

/// Sends one command that expires, and gives whether it succeeded.
async fn command(
    client: &Client,
    config: &Ecp,
    command: &str,
    expiration: Duration,
    limit: Duration,
) -> Result<bool, CommandError> {
    let options = CommandOptions {
        internal: false,
        expiration: Some(expiration),
        limit,
    };
    Ok(client.command(&config.actor, command, options).await?.code == Code::Done)
}

/// What is left of the expiration; nothing below a millisecond, in which RabbitMQ counts.
fn left(config: &Ecp, clock: &dyn Clock, decided: Instant) -> Option<Duration> {
    let spent = clock.now().checked_duration_since(decided)?;
    let left = core_duration(config.expiration).checked_sub(spent)?;
    Some(std_duration(left)).filter(|left| *left >= Duration::from_millis(1))
}

fn outcome(config: &Ecp, command: &'static str, error: &CommandError) -> Outcome {
    tracing::warn!(ecp = config.actor, command, %error, "the dome heartbeat was not emitted");
    match error {
        CommandError::Unroutable { .. } => Outcome::Unroutable,
        CommandError::TimedOut { .. } => Outcome::TimedOut,
        CommandError::Bus(_) => Outcome::Lost,
    }
}
