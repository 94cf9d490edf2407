//! What the rest of lvmbeat needs of a message broker, so that RabbitMQ ([`super::amqp`]) and the
//! broker in memory ([`super::local`]) can stand in for each other.
//!
//! CLU's topology (sdss-clu 2.6): one topic exchange, [`EXCHANGE`]; an actor called NAME owns the
//! exclusive queues `NAME_commands`, bound to `command.NAME.#`, and `NAME_replies`; a client that
//! only sends has just the latter. The exclusive command queue is also the lock by which one of
//! several actors of a name is the active one.
//!
//! A reply's routing key is `reply.` and the commander's id, and that is `NAME.ACTOR` (with further
//! names between them where a command commands in its turn), or `broadcast`. CLU binds
//! `NAME_replies` to `reply.#` and drops what it does not want. Here it is bound to what is wanted
//! only: an actor would otherwise read its own answers, and in a flood of commands the one
//! answer that it waits for would come behind all of them (L1).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use crate::peer::{Secrets, shown};

/// The topic exchange of every SDSS actor: not durable, deleted with its last queue.
pub const EXCHANGE: &str = "sdss_exchange";

/// The header of a message that a session sends to itself, and of nobody else's. It holds a number
/// that nobody can guess.
pub const ECHO: &str = "lvmbeat_echo";

/// A broker that sessions can be opened with.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Connects, declares the exchange and the queues, and starts to consume. Takes a bounded time.
    async fn open(&self, spec: &SessionSpec) -> Result<Session, BusError>;

    /// Where the broker is, for people; without secrets.
    fn address(&self) -> String;
}

/// What a session needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionSpec {
    /// The actor's or the client's name; queues are named after it.
    pub name: String,
    /// Whether to own the command queue, and how long a command may wait in it (S3).
    pub commands: Option<CommandQueue>,
    /// Whose replies to hear beside those to this name and the broadcasts: a pattern of commander
    /// ids, as a topic exchange understands it. `#.lvmecp` is all that lvmecp answers to
    /// anybody; `#` is everything.
    pub overhears: Option<String>,
    /// The heartbeats by which the dome stays open: a `set` of one of them is delivered before all
    /// that is too much (L1).
    pub heartbeats: Vec<String>,
    /// How many messages of each queue may be on their way to this process, where they do not
    /// expire.
    pub prefetch: u16,
}

impl SessionSpec {
    /// For one that only sends commands, and hears what it is answered, one message at a time.
    pub fn client(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            commands: None,
            overhears: None,
            heartbeats: Vec::new(),
            prefetch: 1,
        }
    }

    /// What the replies queue is bound to.
    pub(crate) fn reply_bindings(&self) -> Vec<String> {
        let own = format!("{}.#", self.name);
        [
            Some(own.as_str()),
            Some("broadcast"),
            self.overhears.as_deref(),
        ]
        .into_iter()
        .flatten()
        .map(|commander| format!("reply.{commander}"))
        .collect()
    }
}

/// The queue of an actor's commands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CommandQueue {
    /// The broker drops a command that waited longer than this (S3).
    pub ttl: Duration,
}

/// An open connection. It is over when either stream ends; nothing is ever recovered inside it.
/// Dropping it closes it; [`Publisher::close`] does so in order.
pub struct Session {
    /// Which broker it is with, for people; without secrets.
    pub broker: String,
    /// Sends messages; can be cloned and kept, but is dead after the session.
    pub publisher: Arc<dyn Publisher>,
    /// Commands as they are delivered, each acknowledged when it is taken, whatever it holds (X2).
    /// Never yields if the session owns no command queue.
    pub commands: BoxStream<'static, Message>,
    /// The replies to this name, the broadcasts, and what it [overhears](SessionSpec::overhears),
    /// likewise.
    pub replies: BoxStream<'static, Message>,
    /// Yields why the broker takes no messages from anybody when it begins not to, for want of
    /// memory or disk. From then on the session is dead, and this ends when the broker takes
    /// messages again, or is gone.
    pub blockades: BoxStream<'static, String>,
    /// How many commands were refused before they got here, because too many came.
    pub refused: Arc<AtomicU64>,
}

/// Sends messages on the exchange.
#[async_trait]
pub trait Publisher: Send + Sync + 'static {
    /// Publishes, and waits (for a bounded time) until the broker has taken the message or has
    /// found no queue for it.
    async fn publish(&self, message: Message) -> Result<Routing, BusError>;

    /// Hands a message over without waiting for the broker's word on it. Waits only if the
    /// connection is congested; that too takes a bounded time.
    async fn post(&self, message: Message) -> Result<(), BusError>;

    /// Closes the session in order, in a bounded time. The streams end.
    async fn close(&self);
}

/// Where a published message went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Routing {
    /// Into at least one queue.
    Routed,
    /// Nowhere: no queue is bound to its routing key.
    Unroutable,
}

/// One message, as published or as delivered.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Message {
    /// For example `command.lvmbeat` or `reply.gort.lvmbeat`.
    pub routing_key: String,
    /// The `content_type` property; CLU says `text/json`.
    pub content_type: Option<String>,
    /// The `correlation_id` property.
    pub correlation_id: Option<String>,
    /// The `reply_to` property.
    pub reply_to: Option<String>,
    /// The `message_id` property.
    pub message_id: Option<String>,
    /// The `timestamp` property: seconds since 1970.
    pub timestamp: Option<u64>,
    /// How long the message may wait in a queue.
    pub expiration: Option<Duration>,
    /// It was delivered by way of another exchange than [`EXCHANGE`], where others say who may
    /// publish what.
    pub from_elsewhere: bool,
    /// The headers.
    pub headers: BTreeMap<String, Header>,
    /// The body.
    pub body: Vec<u8>,
}

/// What RabbitMQ writes into a message that it has taken out of another queue, that another broker
/// has handed over, or that somebody wanted to be delayed.
const DETOURS: [&str; 4] = ["x-death", "x-received-from", "x-shovelled", "x-delay"];

impl Message {
    /// It came another way than straight through [`EXCHANGE`], and may have waited there for any
    /// time (S3). A header that says so, if there is one.
    pub fn detour(&self) -> Option<&'static str> {
        let header = DETOURS
            .into_iter()
            .find(|it| self.headers.contains_key(*it));
        header.or_else(|| self.from_elsewhere.then_some("another exchange"))
    }
}

/// A header's value, as far as CLU uses them.
#[derive(Clone, PartialEq, Debug)]
pub enum Header {
    /// A string (an AMQP long string that is UTF-8).
    Text(String),
    /// A boolean.
    Bool(bool),
    /// An integer of any width.
    Int(i64),
    /// The AMQP void.
    Null,
    /// Anything else; CLU gives it no meaning.
    Other,
}

/// Why, in words that may be shown: the source of an error where a library's own error might hold
/// a secret (X1).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Shown(String);

impl Shown {
    /// What lvmbeat itself says.
    #[doc(hidden)]
    pub fn ours(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// What the broker or a library says, bounded and without these secrets.
    pub(crate) fn theirs(error: &dyn fmt::Display, secrets: &Secrets) -> Self {
        Self(shown(error.to_string().as_bytes(), secrets))
    }
}

/// What can go wrong with a broker, sorted by what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// Nobody answers there; try again.
    #[error("the broker at {address} cannot be reached: {cause}")]
    Unreachable {
        /// Where.
        address: String,
        /// Why.
        #[source]
        cause: Shown,
    },
    /// It answers, and will not have us: wrong user, password, virtual host or exchange. Trying
    /// again only helps once somebody has changed something.
    #[error(
        "the broker at {address} refuses: {cause}; check the user, the password, the virtual host and the exchange, and with amqps the certificate"
    )]
    Refused {
        /// Where.
        address: String,
        /// Why.
        #[source]
        cause: Shown,
    },
    /// Another session owns this exclusive queue: another actor of that name is active, or its
    /// connection has not been given up yet. Stand by and try again.
    #[error("the queue {queue} belongs to another connection: another {queue_owner} is active", queue_owner = queue.trim_end_matches("_commands").trim_end_matches("_replies"))]
    Locked {
        /// Which.
        queue: String,
    },
    /// What the session needs was declared by somebody else, and not as it is needed. Trying again
    /// only helps once that is gone.
    #[error(
        "{what} already exists at the broker and was not declared by lvmbeat ({cause}); delete it there, or choose another actor.name"
    )]
    Foreign {
        /// What.
        what: String,
        /// How it differs.
        #[source]
        cause: Shown,
    },
    /// It takes no messages from anybody. That ends without help.
    #[error(
        "the broker blocks all who publish ({reason}), so nothing can be sent or received; give it memory and disk (rabbitmqctl status shows its alarms)"
    )]
    Blocked {
        /// The broker's word for it.
        reason: String,
    },
    /// None of several brokers can be used.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Several(Vec<BusError>),
    /// The session is over; open another.
    #[error("the connection to the broker is lost: {cause}")]
    Closed {
        /// Why.
        #[source]
        cause: Shown,
    },
    /// The broker did not answer in time; the session is dead.
    #[error("the broker did not answer in time ({doing})")]
    TimedOut {
        /// What was being done.
        doing: &'static str,
    },
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn s3_a_message_says_that_it_came_another_way() {
        assert_eq!(Message::default().detour(), None);
        for header in DETOURS {
            let message = Message {
                headers: [(header.to_owned(), Header::Other)].into(),
                ..Message::default()
            };
            assert_eq!(message.detour(), Some(header));
        }
        let from_elsewhere = Message {
            from_elsewhere: true,
            ..Message::default()
        };
        assert_eq!(from_elsewhere.detour(), Some("another exchange"));
    }

    #[test]
    fn x1_the_source_of_an_error_holds_no_secret() {
        let secrets = Secrets::new(["correct-horse"]);
        let refused = |words: &str| BusError::Refused {
            address: "localhost:5672".to_owned(),
            cause: Shown::theirs(&words, &secrets),
        };
        let source = |error: &BusError| error.source().unwrap().to_string();
        assert_eq!(source(&refused("ACCESS_REFUSED")), "ACCESS_REFUSED");
        let error = refused("no user correct-horse");
        assert!(!source(&error).contains("horse"), "{error}");
        assert!(!error.to_string().contains("horse"), "{error}");
        assert!(!format!("{error:?}").contains("horse"), "{error}");
    }
}
