//! The bus on RabbitMQ, by lapin.
//!
//! lapin is never asked to recover: an error or the end of a stream ends the session, and
//! its owner opens another (see [`Bus`]). Three channels share a connection: one consumes,
//! one publishes with confirms (`publish`), one without (`post`).
//!
//! **Nothing is left behind, and nothing arrives late (S3).** lapin by itself waits for the
//! broker's farewell before it gives up a socket, and on a path that has stalled that never comes:
//! thread, socket, and the messages in its buffer would stay until TCP gives up, many minutes
//! later, or until the path comes back. So a second handle on the socket is kept here; when a
//! session is over, the connection gets a short time to end in order, and then the socket is shut
//! down and reset, which drops what had not been sent.
//!
//! What the broker sends is filtered before lapin reads it (X2): see `filter`.
//!
//! TLS (`amqps://`) is rustls with ring and the system's root certificates; the environment
//! variable `SSL_CERT_FILE` names others.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::future::{OptionFuture, join5, try_join3};
use futures_util::stream::unfold;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::uri::AMQPUri;
use lapin::{Channel, Confirmation, Connection, ConnectionProperties};
use tokio::time::{Instant, timeout};

use super::bus::{
    Bus, BusError, EXCHANGE, Message, Publisher, Routing, Session, SessionSpec, Shown,
};
use crate::peer::Secrets;

mod deliveries;
mod excess;
mod filter;
mod queues;
mod refusal;
mod stream;
mod wire;

use deliveries::deliveries;
use filter::{Gate, Shared};
use queues::Queues;
use refusal::{closed, is_exchange_gone, is_locked};
use stream::Socket;

/// For a session to open, all in all, unless it is configured: five to ten round trips.
const OPEN_LIMIT: Duration = Duration::from_secs(30);
/// The part of it for the resolver and TCP.
const DIAL_SHARE: u32 = 6;
/// The part of it that the broker may be silent.
const SILENCE_SHARE: u32 = 5;
/// What is published and consumed on (see [`Line`]).
const CHANNELS: u16 = 3;
/// A session is tried so often if the exchange goes away meanwhile.
const TRIES: usize = 3;
/// For the broker to confirm a message, and for a congested connection to take one. No round trip
/// may be longer.
pub const PUBLISH_LIMIT: Duration = Duration::from_secs(3);
/// lapin keeps two buffers of 32 frames of this size. What the filter leaves of a message's
/// properties has to fit into one.
const FRAME_MAX: u32 = 40 * 1024;
const _: () = assert!(filter::MAX_PROPERTIES + 4096 < FRAME_MAX as usize);
/// With a smaller prefetch every command is let through to lapin.
const LEAST_GATED: u16 = 8;
/// For the broker's farewell.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// How long a connection that has stalled, or is half open, can go unnoticed with AMQP heartbeats
/// of that length: three of them. The length is rounded up to the whole seconds that AMQP knows.
///
/// A message that is under way on such a connection is at most that old when it arrives, if it ever
/// does: TCP keeps the order, so it cannot be older than the stall, and the end that should receive
/// it hangs up when the stall has lasted:
///
/// - *This end* (what the broker sends): lapin 4.12 looks at least every half heartbeat whether it
///   has read anything for two heartbeats, so it hangs up after at most 2½ (`heartbeat.rs`: half
///   the length, times four, polled at its pace).
/// - *The broker's end* (what is sent to it): RabbitMQ looks once a heartbeat whether it has
///   received anything, and hangs up at the second look in vain, so after two to three
///   (`rabbit_heartbeat.erl`). It also keeps an exclusive queue locked for that long.
///
/// Beyond this there is no bound for a path that never quite stalls: one that keeps trickling
/// delays as much as its buffers hold. What the client of `publish` waits for is bounded
/// nevertheless.
pub const fn detection(heartbeat: Duration) -> Duration {
    Duration::from_secs(3 * whole_seconds(heartbeat))
}

/// AMQP's heartbeat is a number of seconds in 16 bits; zero would switch it off.
const fn whole_seconds(heartbeat: Duration) -> u64 {
    let seconds = heartbeat.as_secs() + (heartbeat.subsec_nanos() > 0) as u64;
    match seconds {
        0 => 1,
        1..=0xffff => seconds,
        _ => 0xffff,
    }
}

/// A RabbitMQ broker, or several nodes that are tried in turn.
#[derive(Clone)]
pub struct Amqp {
    nodes: Vec<Node>,
    open_limit: Duration,
}

/// The address of a broker that cannot be one. The message does not show it, as it may hold a
/// password (X1).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the broker's URL cannot be used: {cause}; expected amqp://user:password@host:5672/vhost (or amqps://…), with special characters percent-encoded"
)]
pub struct UriError {
    #[source]
    cause: Shown,
}

impl Amqp {
    /// The broker at that URL (`amqp://` or `amqps://`), with AMQP heartbeats of that length, in
    /// whole seconds and at least one ([`detection`] follows from it). An empty virtual host
    /// (`amqp://host/`) is taken for `/`, as Python's AMQP libraries do.
    pub fn new(url: &str, heartbeat: Duration) -> Result<Self, UriError> {
        Self::in_turn([url], heartbeat)
    }

    /// The same with several, which are tried in their order each time that a session is to be
    /// opened.
    pub fn in_turn<'a>(
        urls: impl IntoIterator<Item = &'a str>,
        heartbeat: Duration,
    ) -> Result<Self, UriError> {
        let nodes = urls.into_iter().map(|url| Node::new(url, heartbeat));
        Ok(Self {
            nodes: nodes.collect::<Result<_, _>>()?,
            open_limit: OPEN_LIMIT,
        })
    }

    /// How long opening a session may take with each of them.
    #[must_use]
    pub fn with_open_limit(mut self, limit: Duration) -> Self {
        self.open_limit = limit;
        self
    }
}

/// Why an attempt has opened no session.
enum Unopened {
    /// CLU's exchange goes away with the last queue that is bound to it: another program's last one
    /// has, after this one had declared it.
    ExchangeGone(BusError),
    Other(BusError),
}

impl Unopened {
    fn into_error(self) -> BusError {
        match self {
            Self::ExchangeGone(error) | Self::Other(error) => error,
        }
    }
}

impl From<BusError> for Unopened {
    fn from(error: BusError) -> Self {
        Self::Other(error)
    }
}

#[async_trait]
impl Bus for Amqp {
    async fn open(&self, spec: &SessionSpec) -> Result<Session, BusError> {
        let mut errors = Vec::new();
        for node in &self.nodes {
            match node.open(spec, self.open_limit).await {
                Ok(session) => return Ok(session),
                // It is reached, and so is the queue's owner: the others are of the same
                // cluster, or not for us.
                Err(error @ BusError::Locked { .. }) => return Err(error),
                Err(error) => errors.push(error),
            }
        }
        Err(match errors.len() {
            1 => errors.remove(0),
            _ => BusError::Several(errors),
        })
    }

    fn address(&self) -> String {
        let addresses: Vec<_> = self.nodes.iter().map(Node::address).collect();
        addresses.join(", ")
    }
}

impl fmt::Debug for Amqp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Amqp")
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

/// One broker.
#[derive(Clone)]
struct Node {
    uri: AMQPUri,
    secrets: Secrets,
    /// Attempts that failed: of a name's addresses, another one comes first each time. An address
    /// may take connections and have no broker behind it.
    failed: Arc<AtomicUsize>,
}

impl Node {
    fn new(url: &str, heartbeat: Duration) -> Result<Self, UriError> {
        let mut uri: AMQPUri = url.parse().map_err(|cause: String| UriError {
            // Some of the parser's messages repeat the URL.
            cause: Shown::ours(
                if !url.starts_with("amqp://") && !url.starts_with("amqps://") {
                    "it does not begin with amqp:// or amqps://".to_owned()
                } else if cause.contains(url) {
                    "it is not a URL".to_owned()
                } else {
                    cause
                },
            ),
        })?;
        if let Some(address) = ipv6_literal(url) {
            address.clone_into(&mut uri.authority.host);
        }
        let refused = |cause: &str| {
            Err(UriError {
                cause: Shown::ours(cause),
            })
        };
        if uri.authority.host.contains(',') {
            return refused("it names several hosts; give a URL for each");
        }
        if uri.authority.port == 0 {
            return refused("the port is 0");
        }
        uri.query.frame_max = Some(FRAME_MAX);
        uri.query.heartbeat = u16::try_from(whole_seconds(heartbeat)).ok();
        if uri.vhost.is_empty() {
            "/".clone_into(&mut uri.vhost);
        }
        let secrets = Secrets::new([uri.authority.userinfo.password.as_str()]);
        Ok(Self {
            uri,
            secrets,
            failed: Arc::default(),
        })
    }

    async fn open(&self, spec: &SessionSpec, limit: Duration) -> Result<Session, BusError> {
        for _ in 1..TRIES {
            match self.attempt(spec, limit).await {
                Err(Unopened::ExchangeGone(_)) => {}
                opened => return opened.map_err(Unopened::into_error),
            }
        }
        let last = self.attempt(spec, limit).await;
        last.map_err(Unopened::into_error)
    }

    async fn attempt(&self, spec: &SessionSpec, limit: Duration) -> Result<Session, Unopened> {
        let socket = Arc::new(Socket::default());
        let unreachable = |cause| {
            Err(Unopened::Other(BusError::Unreachable {
                address: self.address(),
                cause,
            }))
        };
        let silence = limit / SILENCE_SHARE;
        let opened = tokio::select! {
            opened = timeout(limit, self.establish(spec, &socket, limit / DIAL_SHARE)) => opened
                .unwrap_or_else(|_| unreachable(Shown::ours(format!("no session within {limit:?}")))),
            () = socket.silent_for(silence) => unreachable(Shown::ours(format!("it has been silent for {silence:?}"))),
        };
        if opened.is_err() {
            socket.reset();
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        opened
    }

    async fn connect(
        &self,
        spec: &SessionSpec,
        socket: &Arc<Socket>,
        shared: &Arc<Shared>,
        limit: Duration,
    ) -> lapin::Result<Connection> {
        let properties = ConnectionProperties::default()
            .with_connection_name(format!("lvmbeat: {}", spec.name).into())
            .with_client_property("product".into(), "lvmbeat".into())
            .with_client_property("version".into(), env!("CARGO_PKG_VERSION").into());
        let first = self.failed.load(Ordering::Relaxed);
        // Where several messages are acknowledged at once, some can be refused unseen.
        let prefetch = spec.commands.map(|_| spec.prefetch);
        let prefetch = prefetch.filter(|prefetch| *prefetch >= LEAST_GATED);
        let gate = prefetch.map(|prefetch| Gate::new(prefetch, Arc::clone(shared)));
        let dialled = timeout(limit, stream::dial(&self.uri, first, limit, socket, gate)).await;
        let dialled = dialled.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        // If lapin were to dial, it would never let go of what it makes for a connection that it
        // does not get (X2).
        let dialled = Mutex::new(Some(dialled));
        let hand_over = async move |_, _| {
            let dialled = dialled
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            dialled.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected).into())
        };
        Connection::connector(self.uri.clone(), stream::runtime(), hand_over, properties).await
    }

    /// What depends on nothing of the broker's is asked for at once, not one after the other: the
    /// broker may be far.
    async fn establish(
        &self,
        spec: &SessionSpec,
        socket: &Arc<Socket>,
        dial_limit: Duration,
    ) -> Result<Session, Unopened> {
        let at = |error| self.classify(&error);
        let shared = Arc::new(Shared::new(&spec.heartbeats));
        let connection = self
            .connect(spec, socket, &shared, dial_limit)
            .await
            .map_err(at)?;
        // From here on, whatever goes wrong ends the connection.
        let channels = connection.configuration().channel_max();
        if channels < CHANNELS {
            return Err(Unopened::Other(BusError::Refused {
                address: self.address(),
                cause: Shown::ours(format!(
                    "it allows {channels} channels on a connection, and lvmbeat needs {CHANNELS}; raise its channel_max"
                )),
            }));
        }
        let asked = Instant::now();
        let (consuming, confirmed, unconfirmed) = try_join3(
            connection.create_channel(),
            connection.create_channel(),
            connection.create_channel(),
        )
        .await
        .map_err(at)?;
        let round_trip = asked.elapsed();
        let line = Arc::new(Line {
            connection,
            confirmed: tokio::sync::Mutex::new(confirmed.clone()),
            unconfirmed,
            socket: Arc::clone(socket),
        });
        let lease = Arc::new(Lease(Arc::clone(&line)));
        let queues = Queues {
            node: self,
            channel: &consuming,
            spec,
            round_trip,
        };
        // Each consumer has a channel of its own, as it acknowledges several messages at once.
        let replies = Queues {
            channel: &confirmed,
            ..queues
        };
        let commands = spec
            .commands
            .map(|queue| queues.commands(queue))
            .transpose()?;
        let (exchange, declared, commands, replies, confirms) = join5(
            queues.exchange(),
            replies.exchange(),
            OptionFuture::from(commands),
            replies.replies()?,
            confirmed.confirm_select(ConfirmSelectOptions::default()),
        )
        .await;
        // The command queue's error first: if another actor is active, both queues are locked.
        let opened = exchange.and(declared).and_then(|()| {
            let commands = commands.transpose()?;
            let replies = replies?;
            confirms.map(|()| (commands, replies))
        });
        let (commands, replies) = match opened {
            Ok(opened) => opened,
            Err(error) if is_locked(&error) => {
                return Err(Unopened::Other(queues.locked(&line, &error).await));
            }
            Err(error) if is_exchange_gone(&error) => {
                return Err(Unopened::ExchangeGone(self.classify(&error)));
            }
            Err(error) => return Err(Unopened::Other(self.classify(&error))),
        };
        Ok(Session {
            broker: self.address(),
            publisher: Arc::new(Sender {
                line,
                shared: Arc::clone(&shared),
            }),
            commands: commands.map_or_else(
                || {
                    // It holds the session open like any other, and never yields.
                    let lease = Arc::clone(&lease);
                    unfold(lease, |_lease| std::future::pending()).boxed()
                },
                |consumer| {
                    deliveries(
                        consumer,
                        consuming.clone(),
                        spec.prefetch,
                        Arc::clone(&lease),
                    )
                },
            ),
            replies: deliveries(replies, confirmed, spec.prefetch, Arc::clone(&lease)),
            blockades: socket.blockades().fuse().boxed(),
            refused: Arc::clone(&shared.dropped),
        })
    }

    fn address(&self) -> String {
        let AMQPUri {
            scheme,
            authority,
            vhost,
            ..
        } = &self.uri;
        let (user, host, port) = (
            &authority.userinfo.username,
            &authority.host,
            authority.port,
        );
        let vhost = vhost.strip_prefix('/').unwrap_or(vhost);
        if host.contains(':') {
            return format!("{scheme}://{user}@[{host}]:{port}/{vhost}");
        }
        format!("{scheme}://{user}@{host}:{port}/{vhost}")
    }
}

/// A connection with what is needed to publish on it.
struct Line {
    connection: Connection,
    /// One message at a time: only so does a returned message surely belong to the confirm that
    /// carries it.
    confirmed: tokio::sync::Mutex<Channel>,
    unconfirmed: Channel,
    socket: Arc<Socket>,
}

impl Line {
    async fn publish_confirmed(&self, message: &Message) -> Result<Routing, BusError> {
        let Ok(key) = ShortString::try_new(message.routing_key.as_str()) else {
            // No queue can be bound to what cannot be a routing key.
            return Ok(Routing::Unroutable);
        };
        let options = BasicPublishOptions {
            mandatory: true,
            immediate: false,
        };
        let properties = wire::properties(message);
        let confirmed = timeout(PUBLISH_LIMIT, async {
            let channel = self.confirmed.lock().await;
            channel
                .basic_publish(EXCHANGE.into(), key, options, &message.body, properties)
                .await?
                .await
        });
        match confirmed.await {
            Ok(Ok(Confirmation::Ack(None))) => Ok(Routing::Routed),
            Ok(Ok(Confirmation::Ack(Some(_)))) => Ok(Routing::Unroutable),
            Ok(Ok(Confirmation::Nack(_) | Confirmation::NotRequested)) => {
                self.socket.reset();
                Err(BusError::Closed {
                    cause: Shown::ours("the broker did not accept a message"),
                })
            }
            Ok(Err(error)) => Err(closed(&error)),
            Err(_) => {
                self.give_up();
                Err(BusError::TimedOut {
                    doing: "publishing a message",
                })
            }
        }
    }

    /// S3: what was not taken in time must not arrive after all. While the broker blocks it cannot.
    fn give_up(&self) {
        if !self.socket.is_blocked() {
            self.socket.reset();
        }
    }

    async fn farewell(&self) {
        let closing = self.connection.close(200, "OK".into());
        let _ = timeout(CLOSE_LIMIT, closing).await;
        self.socket.reset();
    }
}

struct Sender {
    line: Arc<Line>,
    shared: Arc<Shared>,
}

#[async_trait]
impl Publisher for Sender {
    async fn publish(&self, message: Message) -> Result<Routing, BusError> {
        // As a task, because a publish that is given up half-way would leave its confirm to the
        // next one.
        self.shared.asks(&message);
        let line = Arc::clone(&self.line);
        let task = tokio::spawn(async move { line.publish_confirmed(&message).await });
        task.await.unwrap_or_else(|_| {
            Err(BusError::Closed {
                cause: Shown::ours("the program is ending"),
            })
        })
    }

    async fn post(&self, message: Message) -> Result<(), BusError> {
        let Ok(key) = ShortString::try_new(message.routing_key.as_str()) else {
            return Ok(());
        };
        self.shared.sends(&message);
        let posted = self.line.unconfirmed.basic_publish(
            EXCHANGE.into(),
            key,
            BasicPublishOptions::default(),
            &message.body,
            wire::properties(&message),
        );
        match timeout(PUBLISH_LIMIT, posted).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(closed(&error)),
            Err(_) => {
                self.line.give_up();
                Err(BusError::TimedOut {
                    doing: "handing over a message",
                })
            }
        }
    }

    async fn close(&self) {
        self.line.farewell().await;
    }
}

/// What lapin is given of these bytes of a broker, for benchmarks.
#[cfg(feature = "contract")]
pub fn filtered(bytes: &[u8]) -> Vec<u8> {
    let mut filter = filter::Filter::default();
    filter.push(bytes);
    let mut passed = vec![0; bytes.len()];
    let count = filter.pull(&mut passed);
    passed.truncate(count);
    passed
}

/// The host of a URL, if it is an IPv6 address: lapin's parser takes `localhost` for any of them.
fn ipv6_literal(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    Some(host.strip_prefix('[')?.split_once(']')?.0)
}

/// Held by both streams of a session: when both are gone, so is the connection, even if somebody
/// keeps the publisher.
struct Lease(Arc<Line>);

impl Drop for Lease {
    fn drop(&mut self) {
        let line = Arc::clone(&self.0);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { line.farewell().await });
        } else {
            line.socket.reset();
        }
    }
}

#[cfg(test)]
mod tests;
