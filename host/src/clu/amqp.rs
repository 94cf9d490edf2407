//! The bus on RabbitMQ, by lapin.
//!
//! lapin is never asked to recover by itself: an error or the end of a stream ends the session, and whoever opened it
//! opens another (see [`Bus`]). Three channels share a connection: one consumes commands, one consumes replies and publishes with
//! confirms (`publish`), one publishes without (`post`). Each has one consumer at most, so that one acknowledgement is for all
//! messages before it.
//!
//! **Nothing is left behind, and nothing arrives late (S3).** lapin by itself waits for the broker's farewell before it
//! gives up a socket, and on a path that has stalled that never comes: thread, socket, and the messages in its buffer
//! would stay until TCP gives up, many minutes later, or until the path comes back. So a second handle on the socket is
//! kept here; when a session is over, the connection gets a short time to end in order, and then the socket is shut down
//! and reset, which drops what had not been sent.
//!
//! What the broker sends is filtered before lapin reads it (X2): see `filter`.
//!
//! TLS (`amqps://`) is rustls with ring and the system's root certificates; the environment variable `SSL_CERT_FILE` names
//! others.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, Stream, unfold};
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::uri::AMQPUri;
use lapin::{
    Acker, Channel, Confirmation, Connection, ConnectionProperties, Consumer, ErrorKind,
    ExchangeKind,
};
use tokio::time::timeout;

use super::bus::{
    Bus, BusError, CommandQueue, EXCHANGE, Message, Publisher, Routing, Session, SessionSpec,
};

mod excess;
mod filter;
mod stream;
mod wire;

use filter::{COMMANDS, Gate, Shared};
use stream::Socket;

/// For TCP and TLS to connect, and for the resolver before them.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// For a session to open, all in all.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// For the broker to confirm a message, and for a congested connection to take one.
const PUBLISH_LIMIT: Duration = Duration::from_secs(3);
/// Commands that wait in the broker, and their bytes.
const QUEUE: i64 = 4096;
const QUEUE_BYTES: i64 = 64 << 20;
/// Replies on their way to this process: they may be long.
const REPLIES_PREFETCH: u16 = 32;
/// With a smaller prefetch every command is let through to lapin.
const LEAST_GATED: u16 = 8;
/// For the broker's farewell.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// How long a connection that has stalled, or is half open, can go unnoticed with AMQP heartbeats of that length: three
/// of them. The length is rounded up to the whole seconds that AMQP knows.
///
/// A message that is under way on such a connection is at most that old when it arrives, if it ever does: TCP keeps the
/// order, so it cannot be older than the stall, and the end that should receive it hangs up when the stall has lasted:
///
/// - *This end* (what the broker sends): lapin 4.12 looks at least every half heartbeat whether it has read anything for
///   two heartbeats, so it hangs up after at most 2½ (`heartbeat.rs`: half the length, times four, polled at its pace).
/// - *The broker's end* (what is sent to it): RabbitMQ looks once a heartbeat whether it has received anything, and hangs
///   up at the second look in vain, so after two to three (`rabbit_heartbeat.erl`). It also keeps an exclusive queue
///   locked for that long.
///
/// Beyond this there is no bound for a path that never quite stalls: one that keeps trickling delays as much as its
/// buffers hold. What the client of `publish` waits for is bounded nevertheless.
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

/// A RabbitMQ broker.
#[derive(Clone)]
pub struct Amqp {
    uri: AMQPUri,
}

/// The address of a broker that cannot be one. The message does not show it, as it may hold a password (X1).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the broker's URL cannot be used: {cause}; expected is amqp://user:password@host:5672/vhost (or amqps://…), with special characters percent-encoded"
)]
pub struct UriError {
    cause: String,
}

impl Amqp {
    /// The broker at that URL (`amqp://` or `amqps://`), with AMQP heartbeats of that length, in whole seconds and at
    /// least one ([`detection`] follows from it). An empty virtual host (`amqp://host/`) is taken for `/`, as Python's
    /// AMQP libraries do.
    pub fn new(url: &str, heartbeat: Duration) -> Result<Self, UriError> {
        let mut uri: AMQPUri = url.parse().map_err(|cause: String| UriError {
            // Some of the parser's messages repeat the URL.
            cause: if !url.starts_with("amqp://") && !url.starts_with("amqps://") {
                "it does not begin with amqp:// or amqps://".to_owned()
            } else if cause.contains(url) {
                "it is not a URL".to_owned()
            } else {
                cause
            },
        })?;
        if let Some(address) = ipv6_literal(url) {
            address.clone_into(&mut uri.authority.host);
        }
        uri.query.heartbeat = u16::try_from(whole_seconds(heartbeat)).ok();
        if uri.vhost.is_empty() {
            "/".clone_into(&mut uri.vhost);
        }
        Ok(Self { uri })
    }

    async fn connect(
        &self,
        spec: &SessionSpec,
        socket: &Arc<Socket>,
        shared: &Arc<Shared>,
    ) -> lapin::Result<Connection> {
        let properties = ConnectionProperties::default()
            .with_connection_name(format!("lvmbeat: {}", spec.name).into())
            .with_client_property("product".into(), "lvmbeat".into())
            .with_client_property("version".into(), env!("CARGO_PKG_VERSION").into());
        let (socket, shared) = (Arc::clone(socket), Arc::clone(shared));
        // Where several messages are acknowledged at once, some can be refused unseen.
        let prefetch = spec.commands.map(|_| spec.prefetch);
        let prefetch = prefetch.filter(|prefetch| *prefetch >= LEAST_GATED);
        // lapin runs this on a thread of its own, which would otherwise hang for as long as TCP likes.
        let dial = async move |uri, _| {
            let gate = prefetch.map(|prefetch| Gate::new(prefetch, Arc::clone(&shared)));
            let dialled = timeout(CONNECT_LIMIT, stream::dial(&uri, &socket, gate)).await;
            Ok(dialled.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))?)
        };
        Connection::connector(self.uri.clone(), stream::runtime(), dial, properties).await
    }

    async fn establish(
        &self,
        spec: &SessionSpec,
        socket: &Arc<Socket>,
    ) -> Result<Session, BusError> {
        let at = |error| self.classify(&error);
        let shared = Arc::<Shared>::default();
        let connection = self.connect(spec, socket, &shared).await.map_err(at)?;
        // From here on, whatever goes wrong ends the connection.
        let consuming = connection.create_channel().await.map_err(at)?;
        let confirmed = connection.create_channel().await.map_err(at)?;
        let unconfirmed = connection.create_channel().await.map_err(at)?;
        let line = Arc::new(Line {
            connection,
            confirmed: tokio::sync::Mutex::new(confirmed.clone()),
            unconfirmed,
            socket: Arc::clone(socket),
        });
        let lease = Arc::new(Lease(Arc::clone(&line)));
        let queues = Queues {
            amqp: self,
            channel: &consuming,
            spec,
        };
        queues.exchange().await?;
        let commands = match spec.commands {
            Some(queue) => Some(queues.commands(queue).await?),
            None => None,
        };
        let replies = Queues {
            channel: &confirmed,
            ..queues
        };
        let replies = replies.replies().await?;
        line.confirmed
            .lock()
            .await
            .confirm_select(ConfirmSelectOptions::default())
            .await
            .map_err(at)?;
        Ok(Session {
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
                |consumer| deliveries(consumer, Arc::clone(&lease)),
            ),
            replies: deliveries(replies, Arc::clone(&lease)),
            refused: Arc::clone(&shared.dropped),
        })
    }

    /// What an error while opening means.
    fn classify(&self, error: &lapin::Error) -> BusError {
        let address = self.address();
        let cause = if matches!(error.kind(), ErrorKind::ParsingError(_)) {
            "what answers there does not speak AMQP".to_owned()
        } else {
            error.to_string()
        };
        let refused = if let ErrorKind::ProtocolError(error) = error.kind() {
            matches!(
                error.kind(),
                AMQPErrorKind::Soft(
                    AMQPSoftError::ACCESSREFUSED | AMQPSoftError::PRECONDITIONFAILED
                ) | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)
            )
        } else {
            // A certificate that does not hold.
            matches!(error.kind(), ErrorKind::IOError(error) if error.kind() == std::io::ErrorKind::InvalidData)
        };
        if refused {
            BusError::Refused { address, cause }
        } else {
            BusError::Unreachable { address, cause }
        }
    }
}

#[async_trait]
impl Bus for Amqp {
    async fn open(&self, spec: &SessionSpec) -> Result<Session, BusError> {
        let socket = Arc::new(Socket::default());
        let opened = timeout(OPEN_LIMIT, self.establish(spec, &socket)).await;
        match opened {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(error)) => {
                socket.reset();
                Err(error)
            }
            Err(_) => {
                socket.reset();
                Err(BusError::Unreachable {
                    address: self.address(),
                    cause: format!("no session within {OPEN_LIMIT:?}"),
                })
            }
        }
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

impl fmt::Debug for Amqp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Amqp")
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

/// Declares and consumes the queues of one session.
struct Queues<'a> {
    amqp: &'a Amqp,
    channel: &'a Channel,
    spec: &'a SessionSpec,
}

impl Queues<'_> {
    /// With exactly the flags that every other actor declares it with; the broker refuses others.
    async fn exchange(&self) -> Result<(), BusError> {
        let options = ExchangeDeclareOptions {
            auto_delete: true,
            ..ExchangeDeclareOptions::default()
        };
        self.channel
            .exchange_declare(
                EXCHANGE.into(),
                ExchangeKind::Topic,
                options,
                FieldTable::default(),
            )
            .await
            .map_err(|error| self.amqp.classify(&error))
    }

    async fn commands(&self, queue: CommandQueue) -> Result<Consumer, BusError> {
        let ttl = u32::try_from(queue.ttl.as_millis()).unwrap_or(u32::MAX);
        let mut arguments = FieldTable::default();
        arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(ttl.into()));
        // L1: beyond that the oldest are dropped, so that what is delivered has not waited for long.
        arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(QUEUE));
        arguments.insert(
            "x-max-length-bytes".into(),
            AMQPValue::LongLongInt(QUEUE_BYTES),
        );
        let binding = format!("command.{}.#", self.spec.name);
        self.consume(COMMANDS, &[binding], arguments).await
    }

    async fn replies(&self) -> Result<Consumer, BusError> {
        let bindings = self.spec.reply_bindings();
        self.consume("replies", &bindings, FieldTable::default())
            .await
    }

    async fn consume(
        &self,
        kind: &str,
        bindings: &[String],
        arguments: FieldTable,
    ) -> Result<Consumer, BusError> {
        let name = format!("{}_{kind}", self.spec.name);
        let short = |text: &str| {
            ShortString::try_new(text).map_err(|_| BusError::Refused {
                address: self.amqp.address(),
                cause: format!("neither a queue's name nor a routing key can be as long as {text}"),
            })
        };
        let queue = short(&name)?;
        let options = QueueDeclareOptions {
            exclusive: true,
            ..QueueDeclareOptions::default()
        };
        self.channel
            .queue_declare(queue.clone(), options, arguments)
            .await
            .map_err(|error| {
                if is_locked(&error) {
                    BusError::Locked { queue: name }
                } else {
                    self.amqp.classify(&error)
                }
            })?;
        for binding in bindings {
            self.channel
                .queue_bind(
                    queue.clone(),
                    EXCHANGE.into(),
                    short(binding)?,
                    QueueBindOptions::default(),
                    FieldTable::default(),
                )
                .await
                .map_err(|error| self.amqp.classify(&error))?;
        }
        // What waits, waits where it can expire (S3), but for that many messages.
        let prefetch = match kind {
            COMMANDS => self.spec.prefetch,
            _ => self.spec.prefetch.min(REPLIES_PREFETCH),
        };
        self.channel
            .basic_qos(prefetch, BasicQosOptions::default())
            .await
            .map_err(|error| self.amqp.classify(&error))?;
        self.channel
            .basic_consume(
                queue,
                // By which the filter knows them.
                short(kind)?,
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
            .map_err(|error| self.amqp.classify(&error))
    }
}

fn is_locked(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error)
        if matches!(error.kind(), AMQPErrorKind::Soft(AMQPSoftError::RESOURCELOCKED)))
}

/// The messages of one queue, each acknowledged when it is taken. Any error ends it.
///
/// An acknowledgement is not waited for; the next one, of all that were taken meanwhile, is sent after it. So one that does not get
/// through stops the deliveries when the prefetch is used up, and ends the session after [`PUBLISH_LIMIT`].
fn deliveries(consumer: Consumer, lease: Arc<Lease>) -> BoxStream<'static, Message> {
    let deliveries = Deliveries {
        consumer,
        taken: None,
        acknowledging: None,
        _lease: lease,
    };
    deliveries.fuse().boxed()
}

struct Deliveries {
    consumer: Consumer,
    /// The newest message that was taken and is not acknowledged.
    taken: Option<Acker>,
    /// Whether that went well.
    acknowledging: Option<BoxFuture<'static, bool>>,
    _lease: Arc<Lease>,
}

impl Stream for Deliveries {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            if let Some(acknowledging) = &mut self.acknowledging {
                match acknowledging.as_mut().poll(context) {
                    Poll::Ready(true) => self.acknowledging = None,
                    Poll::Ready(false) => return Poll::Ready(None),
                    Poll::Pending => break,
                }
            }
            let Some(acker) = self.taken.take() else {
                break;
            };
            self.acknowledging = Some(Box::pin(acknowledge(acker)));
        }
        match ready!(self.consumer.poll_next_unpin(context)) {
            Some(Ok(delivery)) => {
                self.taken = Some(delivery.acker.clone());
                Poll::Ready(Some(wire::decode(delivery)))
            }
            Some(Err(_)) | None => Poll::Ready(None),
        }
    }
}

/// Acknowledges that message and all before it on its channel, which has one consumer only.
async fn acknowledge(acker: Acker) -> bool {
    let sent = acker.ack(BasicAckOptions { multiple: true });
    matches!(timeout(PUBLISH_LIMIT, sent).await, Ok(Ok(true)))
}

/// A connection with what is needed to publish on it.
struct Line {
    connection: Connection,
    /// One message at a time: only so does a returned message surely belong to the confirm that carries it.
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
                    cause: "the broker did not take a message".to_owned(),
                })
            }
            Ok(Err(error)) => Err(closed(&error)),
            Err(_) => {
                // It must not arrive after all (S3).
                self.socket.reset();
                Err(BusError::TimedOut {
                    doing: "publishing a message",
                })
            }
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
        // As a task, because a publish that is given up half-way would leave its confirm to the next one.
        let line = Arc::clone(&self.line);
        let task = tokio::spawn(async move { line.publish_confirmed(&message).await });
        task.await.unwrap_or_else(|_| {
            Err(BusError::Closed {
                cause: "the program is ending".to_owned(),
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
                self.line.socket.reset();
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

fn closed(error: &lapin::Error) -> BusError {
    BusError::Closed {
        cause: error.to_string(),
    }
}

/// The host of a URL, if it is an IPv6 address: lapin's parser takes `localhost` for any of them.
fn ipv6_literal(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    Some(host.strip_prefix('[')?.split_once(']')?.0)
}

/// Held by both streams of a session: when both are gone, so is the connection, even if somebody keeps the publisher.
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
