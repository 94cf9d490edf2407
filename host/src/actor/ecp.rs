//! One emission: commands the enclosure to write the dome heartbeat.
//!
//! The heartbeat is published only after the enclosure has answered a `ping` a moment before. An
//! enclosure that is frozen, and a connection that is stalled, would otherwise keep one heartbeat
//! in a socket buffer, where no expiration reaches it, and write it to the PLC when they thaw (S3).
//! What is left of the expiration after the ping is the heartbeat's own, so that the time from the
//! decision to the delivery stays within `ecp.expiration`.

use std::sync::Arc;
use std::time::Duration;

use embassy_time::Instant;
use lvmbeat_core::{Outcome, Ticket};
use tokio::sync::{mpsc, oneshot};

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
    pub(super) sends: mpsc::Sender<AboutToSend>,
}

/// An emission is about to be sent, and asks whether it still may be.
pub(super) struct AboutToSend {
    pub(super) ticket: Ticket,
    pub(super) may_send: oneshot::Sender<bool>,
}

/// What became of it.
pub(super) struct Ended {
    pub(super) ticket: Ticket,
    pub(super) outcome: Outcome,
    /// Why it failed, for the log.
    pub(super) cause: Option<String>,
}

impl Ended {
    /// It could not even begin, or died.
    pub(super) fn lost(ticket: Ticket) -> Self {
        Self {
            ticket,
            outcome: Outcome::Lost,
            cause: None,
        }
    }
}

impl Emission {
    /// Emits it. Takes at most the expiration and the command timeout together.
    pub(super) async fn run(self, config: Ecp, clock: Arc<dyn Clock>) -> Ended {
        let (outcome, cause) = match self.emit(&config, &*clock).await {
            Ok(()) => (Outcome::Acknowledged, None),
            Err((outcome, cause)) => (outcome, Some(cause)),
        };
        Ended {
            ticket: self.ticket,
            outcome,
            cause,
        }
    }

    async fn emit(&self, config: &Ecp, clock: &dyn Clock) -> Result<(), (Outcome, String)> {
        let left = self.left(config, clock)?;
        command(&self.client, config, "ping", left, left).await?;
        if !self.may_send().await {
            return Err((
                Outcome::Lost,
                "something changed since the decision".to_owned(),
            ));
        }
        let left = self.left(config, clock)?;
        if command(
            &self.client,
            config,
            "heartbeat",
            left,
            left + config.command_timeout,
        )
        .await?
            == Code::Done
        {
            Ok(())
        } else {
            Err((
                Outcome::Refused,
                format!(
                    "{} answered that it could not set the heartbeat",
                    config.actor
                ),
            ))
        }
    }

    /// What is left of the expiration, on boot time, which also counts what a suspended machine
    /// slept through since the decision (S3). Nothing below a millisecond, in which RabbitMQ
    /// counts.
    fn left(&self, config: &Ecp, clock: &dyn Clock) -> Result<Duration, (Outcome, String)> {
        let spent = clock.now().checked_duration_since(self.decided);
        let left = spent
            .and_then(|spent| core_duration(config.expiration).checked_sub(spent))
            .map(std_duration);
        left.filter(|left| *left >= Duration::from_millis(1))
            .ok_or_else(|| {
                (
                    Outcome::TimedOut,
                    "it expired before it could be sent".to_owned(),
                )
            })
    }

    /// S1, S3: asks the decision loop once more. No answer is a no.
    async fn may_send(&self) -> bool {
        let (may_send, answer) = oneshot::channel();
        let about_to_send = AboutToSend {
            ticket: self.ticket,
            may_send,
        };
        self.sends.send(about_to_send).await.is_ok() && answer.await.unwrap_or(false)
    }
}

/// Sends one command that expires, and gives how it ended.
async fn command(
    client: &Client,
    config: &Ecp,
    command: &str,
    expiration: Duration,
    limit: Duration,
) -> Result<Code, (Outcome, String)> {
    let options = CommandOptions {
        internal: false,
        expiration: Some(expiration),
        limit,
    };
    let finished = client.command(&config.actor, command, options).await;
    finished.map(|finished| finished.code).map_err(|error| {
        let outcome = match &error {
            CommandError::Unroutable { .. } => Outcome::Unroutable,
            CommandError::TimedOut { .. } => Outcome::TimedOut,
            CommandError::Bus(_) => Outcome::Lost,
        };
        (outcome, format!("{command}: {error}"))
    })
}
