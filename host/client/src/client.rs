//! Commanding other actors.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::bus::{Bus, BusError, Header, Message, Publisher, Routing, SessionSpec, Shown};
use super::message::{
    Code, Reply, Unusable, decode_reply, encode_command, new_command_id, reply_key,
};

/// How many replies of one command wait to be taken. Beyond them only the final one is kept.
const REPLIES: usize = 256;

/// Sends commands to other actors and collects their replies. Its clones are the same client.
///
/// It does not listen: the task that drains [`Session::replies`](super::bus::Session) hands
/// each reply to [`dispatch`](Self::dispatch), and calls [`disconnected`](Self::disconnected) when
/// that stream ends. [`connect`] does so.
#[derive(Clone)]
pub struct Client {
    name: Arc<str>,
    publisher: Arc<dyn Publisher>,
    pending: Pending,
}

/// How to send a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CommandOptions {
    /// Ask for replies that are marked internal.
    pub internal: bool,
    /// How long the command may wait in the actor's queue (S3).
    pub expiration: Option<Duration>,
    /// How long to wait for the final reply, from the start.
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
        /// What would have been in time.
        limit: Duration,
    },
    /// The broker failed.
    #[error(transparent)]
    Bus(#[from] BusError),
}

impl Client {
    /// A client of that name, which is the session's.
    pub fn new(name: &str, publisher: Arc<dyn Publisher>) -> Self {
        Self {
            name: name.into(),
            publisher,
            pending: Pending::default(),
        }
    }

    /// Hands a reply to the command of this client that it answers. Costs one look-up, and never
    /// waits; what answers no command of this client is not even decoded.
    ///
    /// Anybody can send a reply with a command's id: it counts only if its routing key and its
    /// sender are those of the actor that was commanded, too. What a broker lets others publish
    /// is its to say (SECURITY.md); what it delivers says where it was published.
    pub fn dispatch(&self, message: &Message) -> Dispatched {
        let Some(id) = &message.correlation_id else {
            return Dispatched::Unclaimed;
        };
        let mut pending = self.pending.lock();
        let Some(waiting) = pending.get(id) else {
            return Dispatched::Unclaimed;
        };
        if !waiting.respondent.has_sent(message) {
            return Dispatched::Foreign;
        }
        let reply = match decode_reply(message) {
            Ok(reply) => reply,
            Err(cause) => return Dispatched::Unusable(cause),
        };
        let is_final = reply.code.is_final();
        // One place is always left for the final reply.
        if is_final || waiting.replies.capacity() > 1 {
            let _ = waiting.replies.try_send(reply);
        }
        if is_final {
            pending.remove(id);
        }
        Dispatched::Taken
    }

    /// Ends every command under way: no reply will come any more.
    pub fn disconnected(&self) {
        self.pending.lock().clear();
    }

    /// Sends a command and waits for its end.
    pub async fn command(
        &self,
        actor: &str,
        command_string: &str,
        options: CommandOptions,
    ) -> Result<Finished, CommandError> {
        let mut running = self.begin(actor, command_string, options).await?;
        let mut replies = Vec::new();
        while let Some(reply) = running.next().await? {
            replies.push(reply);
        }
        let code = replies.last().map_or(Code::Failed, |reply| reply.code);
        Ok(Finished { replies, code })
    }

    /// Sends a command, and returns when the broker has taken it; its replies are then taken one by
    /// one.
    pub async fn begin(
        &self,
        actor: &str,
        command_string: &str,
        options: CommandOptions,
    ) -> Result<Running, CommandError> {
        let CommandOptions {
            internal,
            expiration,
            limit,
        } = options;
        let id = new_command_id();
        let message = encode_command(&self.name, actor, command_string, &id, internal, expiration);
        let (sender, replies) = mpsc::channel(REPLIES);
        let waiting = Waiting {
            respondent: Respondent::new(&self.name, actor),
            replies: sender,
        };
        self.pending.lock().insert(id.clone(), waiting);
        let running = Running {
            actor: actor.to_owned(),
            limit,
            deadline: deadline(limit),
            replies,
            ended: false,
            id,
            pending: self.pending.clone(),
        };
        match timeout_at(running.deadline, self.publisher.publish(message)).await {
            Ok(Ok(Routing::Routed)) => Ok(running),
            Ok(Ok(Routing::Unroutable)) => Err(CommandError::Unroutable {
                actor: actor.to_owned(),
            }),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(running.timed_out()),
        }
    }

    /// How many commands are under way.
    pub fn under_way(&self) -> usize {
        self.pending.lock().len()
    }
}

fn deadline(limit: Duration) -> Instant {
    // Thirty years stand for no limit, as in tokio.
    const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);
    let now = Instant::now();
    now.checked_add(limit).unwrap_or(now + FAR)
}

/// A command that is under way. Dropping it forgets the command; the actor does not notice.
pub struct Running {
    actor: String,
    limit: Duration,
    deadline: Instant,
    replies: mpsc::Receiver<Reply>,
    ended: bool,
    id: String,
    pending: Pending,
}

impl Running {
    /// The next reply; `None` after the final one.
    pub async fn next(&mut self) -> Result<Option<Reply>, CommandError> {
        if self.ended {
            return Ok(None);
        }
        match timeout_at(self.deadline, self.replies.recv()).await {
            Ok(Some(reply)) => {
                self.ended = reply.code.is_final();
                Ok(Some(reply))
            }
            Ok(None) => Err(CommandError::Bus(BusError::Closed {
                cause: Shown::ours(format!("it ended before {} had answered", self.actor)),
            })),
            Err(_) => Err(self.timed_out()),
        }
    }

    fn timed_out(&self) -> CommandError {
        CommandError::TimedOut {
            actor: self.actor.clone(),
            limit: self.limit,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.pending.lock().remove(&self.id);
    }
}

/// What became of a message from the replies queue.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub enum Dispatched {
    /// It answers a command of this client, which has it now.
    Taken,
    /// It answers no command that is under way here.
    Unclaimed,
    /// It has the id of a command of this client, and was not sent by the actor that was commanded.
    Foreign,
    /// It answers a command of this client, and cannot be read.
    Unusable(Unusable),
}

/// A command that waits for replies.
struct Waiting {
    respondent: Respondent,
    replies: mpsc::Sender<Reply>,
}

/// The actor whose replies count (S1).
#[derive(Debug)]
pub struct Respondent {
    actor: String,
    /// Of its replies.
    routing_key: String,
}

impl Respondent {
    /// The one that `commander` commands.
    pub fn new(commander: &str, actor: &str) -> Self {
        Self {
            actor: actor.to_owned(),
            routing_key: reply_key(commander, actor),
        }
    }

    /// Whether a reply was sent by it, and to that commander. Anybody may use a command's id.
    pub fn has_sent(&self, message: &Message) -> bool {
        let is = |name, value| matches!(message.headers.get(name), Some(Header::Text(text)) if Some(text) == value);
        !message.from_elsewhere
            && message.routing_key == self.routing_key
            && is("sender", Some(&self.actor))
            && is("command_id", message.correlation_id.as_ref())
    }
}

/// The commands under way, by their id.
#[derive(Clone, Default)]
struct Pending(Arc<Mutex<HashMap<String, Waiting>>>);

impl Pending {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client with a session of its own. Dropping it ends the session; [`close`](Self::close) does so
/// in order.
#[derive(Debug)]
pub struct Connected {
    /// The client.
    pub client: Client,
    pump: JoinHandle<()>,
}

/// Opens a session that only sends commands and hears replies.
pub async fn connect(bus: &dyn Bus, name: &str) -> Result<Connected, BusError> {
    let mut session = bus.open(&SessionSpec::client(name)).await?;
    let client = Client::new(name, Arc::clone(&session.publisher));
    let listener = client.clone();
    let pump = tokio::spawn(async move {
        while let Some(message) = session.replies.next().await {
            match listener.dispatch(&message) {
                Dispatched::Taken | Dispatched::Unclaimed => {}
                Dispatched::Foreign => {
                    tracing::debug!(
                        routing_key = message.routing_key,
                        "dropped a reply that another actor sent"
                    );
                }
                Dispatched::Unusable(error) => {
                    tracing::debug!(%error, routing_key = message.routing_key, "dropped an unusable reply");
                }
            }
        }
        listener.disconnected();
    });
    Ok(Connected { client, pump })
}

impl Connected {
    /// Ends the session in order, in a bounded time.
    pub async fn close(self) {
        self.client.publisher.close().await;
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("actor", &self.actor)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
