//! Commanding other actors.

use std::sync::Arc;
use std::time::Duration;

use super::bus::{Bus, BusError, Publisher};
use super::message::{Code, Reply};

/// Sends commands to other actors and collects their replies. Its clones are the same client.
///
/// It does not listen by itself: whoever drains [`Session::replies`](super::bus::Session) hands each reply to
/// [`dispatch`](Self::dispatch), and calls [`disconnected`](Self::disconnected) when that stream ends.
#[derive(Clone)]
pub struct Client {
    name: Arc<str>,
    publisher: Arc<dyn Publisher>,
}

/// How to send a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CommandOptions {
    /// Ask for replies that are marked internal.
    pub internal: bool,
    /// How long the command may wait in the actor's queue (S3).
    pub expiration: Option<Duration>,
    /// How long to wait for the final reply.
    pub limit: Duration,
}

/// A command that has ended.
#[derive(Clone, PartialEq, Debug)]
pub struct Finished {
    /// All its replies, in order; the last is final.
    pub replies: Vec<Reply>,
    /// How it ended: [`Code::Done`] or [`Code::Failed`].
    pub code: Code,
}

/// Why a command has no end.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// No such actor is running.
    #[error("no actor {actor} is running: nobody takes its commands")]
    Unroutable {
        /// Which.
        actor: String,
    },
    /// The actor did not finish in time.
    #[error("{actor} did not finish within {limit:?}")]
    TimedOut {
        /// Which.
        actor: String,
        /// What was in time.
        limit: Duration,
    },
    /// The broker failed.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// A command that is under way. Dropping it forgets the command; the actor is not told.
#[derive(Debug)]
pub struct Running {
    _actor: String,
}

impl Running {
    /// The next reply; `None` after the final one.
    pub async fn next(&mut self) -> Result<Option<Reply>, CommandError> {
        std::future::ready(Ok(None)).await
    }
}

impl Client {
    /// A client of that name, which is the session's.
    pub fn new(name: &str, publisher: Arc<dyn Publisher>) -> Self {
        Self {
            name: name.into(),
            publisher,
        }
    }

    /// Hands a reply to the command that it answers. Whether there was one.
    pub fn dispatch(&self, _reply: &Reply) -> bool {
        let _ = (&self.name, &self.publisher);
        false
    }

    /// Ends every command under way: no reply will come any more.
    pub fn disconnected(&self) {}

    /// Sends a command and waits for its end.
    pub async fn command(
        &self,
        actor: &str,
        command_string: &str,
        options: CommandOptions,
    ) -> Result<Finished, CommandError> {
        self.begin(actor, command_string, options).await?;
        Err(CommandError::Unroutable {
            actor: actor.to_owned(),
        })
    }

    /// Sends a command; its replies are taken one by one.
    pub async fn begin(
        &self,
        actor: &str,
        _command_string: &str,
        _options: CommandOptions,
    ) -> Result<Running, CommandError> {
        std::future::ready(()).await;
        Err(CommandError::Unroutable {
            actor: actor.to_owned(),
        })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A client with a session of its own, which ends with it.
#[derive(Debug)]
pub struct Connected {
    /// The client.
    pub client: Client,
}

impl Connected {
    /// Ends the session in order, in a bounded time.
    pub async fn close(self) {
        self.client.publisher.close().await;
    }
}

/// Opens a session that only sends commands and hears replies.
pub async fn connect(bus: &dyn Bus, name: &str) -> Result<Connected, BusError> {
    let spec = super::bus::SessionSpec {
        name: name.to_owned(),
        commands: None,
    };
    let session = bus.open(&spec).await?;
    Ok(Connected {
        client: Client::new(name, session.publisher),
    })
}
