//! The session of an actor with the broker: opened, lost, opened again, until it is closed.
//!
//! Nothing is recovered inside a session: whatever fails, all of it is torn down and a new one is
//! opened, which knows nothing (S5). The exclusive command queue dies with its session, and with it
//! whatever waited there (S3).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use embassy_time::Instant;
use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, try_join_all};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::bus::{Bus, BusError, Message, Publisher, Session, SessionSpec, Shown};
use crate::clock::Clock;

/// Replies that wait to be sent. A client reads one or two for each command, so that a full outbox
/// means a connection that has stopped moving.
const FIRST: usize = 1024;
const LATER: usize = 2048;
/// So many of them are handed over at once, so that they leave in one write.
const TOGETHER: usize = 16;
/// The first and the longest pause between two attempts to open a session.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(1600);
/// How long a session that is given up may take for its last replies, and for its farewell.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);
/// How often an actor that stands by tries to take over.
const STAND_BY_PAUSE: Duration = Duration::from_millis(500);

/// What the connection has to say.
#[derive(Debug)]
pub enum Step {
    /// A session is open. Its queues did not exist before `since`, so that whatever waits in them
    /// was sent later (S3).
    Opened {
        /// When its opening began.
        since: Instant,
        /// Which broker it is with, for people.
        broker: String,
    },
    /// It could not be opened; another attempt follows.
    Failed(BusError),
    /// The session is over; another one follows.
    Ended(&'static str),
    /// The session is dead: the broker blocks all who publish.
    Blocked(BusError),
    /// It does so no more. Another session follows, which counts nothing that waited
    /// meanwhile (S3, S5).
    Unblocked,
    /// A command was delivered.
    Command(Message),
    /// A reply was delivered; perhaps for somebody else.
    Reply(Message),
}

/// In which order messages are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lane {
    /// Before all others: echoes, and replies to senders within their share (L1).
    First,
    /// When nothing else waits.
    Later,
}

/// Keeps an actor's session with the broker open.
pub struct Connection {
    bus: Arc<dyn Bus>,
    spec: SessionSpec,
    clock: Arc<dyn Clock>,
    pause: Duration,
    /// Why the broker blocked the last session, until there is another one.
    blocked: Option<String>,
    phase: Phase,
}

type Opening = BoxFuture<'static, (Instant, Result<Session, BusError>)>;

enum Phase {
    Opening(Opening),
    Open(Open),
    /// Kept until the broker takes messages again, and not used: it is the one connection that
    /// hears of that.
    Blocked(Session),
}

struct Open {
    session: Session,
    outbox: Outbox,
    sender: AbortOnDropHandle<BusError>,
}

struct Outbox {
    first: mpsc::Sender<Message>,
    later: mpsc::Sender<Message>,
}

struct Waiting {
    first: mpsc::Receiver<Message>,
    later: mpsc::Receiver<Message>,
}

impl Outbox {
    fn new() -> (Self, Waiting) {
        let (first, next) = mpsc::channel(FIRST);
        let (later, last) = mpsc::channel(LATER);
        let waiting = Waiting {
            first: next,
            later: last,
        };
        (Self { first, later }, waiting)
    }
}

impl Waiting {
    /// What is next in one lane. Nothing when there is nothing left, and nobody to add anything.
    async fn next(&mut self) -> Vec<Message> {
        let (mut first, mut later) = (Vec::new(), Vec::new());
        tokio::select! {
            biased;
            1.. = self.first.recv_many(&mut first, TOGETHER) => first,
            1.. = self.later.recv_many(&mut later, TOGETHER) => later,
            else => Vec::new(),
        }
    }
}

impl Open {
    /// Sends what waits in the outbox if that goes quickly, and closes in order, each within the
    /// limit. The streams live until then: a connection that loses its consumers first does not
    /// end in order.
    async fn close(self, limit: Duration) {
        let Self {
            session,
            outbox,
            sender,
        } = self;
        drop(outbox);
        // One that has ended may have ended the session, and has been heard then: asking it again
        // would panic.
        if !sender.is_finished() {
            let _ = timeout(limit, sender).await;
        }
        let _ = timeout(limit, session.publisher.close()).await;
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Begins to open a session as soon as [`Self::next`] is awaited.
    pub fn new(bus: Arc<dyn Bus>, spec: SessionSpec, clock: Arc<dyn Clock>) -> Self {
        let phase = Phase::Opening(Box::pin(std::future::pending()));
        let mut connection = Self {
            bus,
            spec,
            clock,
            pause: FIRST_PAUSE,
            blocked: None,
            phase,
        };
        connection.open(Duration::ZERO);
        connection
    }

    /// Waits for the next thing that happens. May be dropped and called again without losing
    /// anything.
    pub async fn next(&mut self) -> Step {
        match &mut self.phase {
            Phase::Opening(opening) => match opening.await {
                (since, Ok(session)) => {
                    self.pause = FIRST_PAUSE;
                    self.blocked = None;
                    let broker = session.broker.clone();
                    let (outbox, waiting) = Outbox::new();
                    let sender = tokio::spawn(send(session.publisher.clone(), waiting));
                    let sender = AbortOnDropHandle::new(sender);
                    self.phase = Phase::Open(Open {
                        session,
                        outbox,
                        sender,
                    });
                    Step::Opened { since, broker }
                }
                (_, Err(error)) => {
                    // A broker that blocks does not see that a connection has ended, and keeps its
                    // queue.
                    let error = match (error, &self.blocked) {
                        (BusError::Locked { .. }, Some(reason)) => BusError::Blocked {
                            reason: reason.clone(),
                        },
                        (error, _) => error,
                    };
                    let pause =
                        if matches!(error, BusError::Locked { .. } | BusError::Blocked { .. }) {
                            STAND_BY_PAUSE
                        } else {
                            self.pause
                        };
                    self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                    self.open(pause);
                    Step::Failed(error)
                }
            },
            Phase::Open(open) => {
                let ended = tokio::select! {
                    command = open.session.commands.next() => match command {
                        Some(message) => return Step::Command(message),
                        None => "the command queue is gone",
                    },
                    reply = open.session.replies.next() => match reply {
                        Some(message) => return Step::Reply(message),
                        None => "the replies queue is gone",
                    },
                    Some(reason) = open.session.blockades.next() => return self.blocked(reason),
                    _ = &mut open.sender => "replies cannot be sent",
                };
                self.restart();
                Step::Ended(ended)
            }
            Phase::Blocked(session) => {
                while session.blockades.next().await.is_some() {}
                // What others have sent meanwhile goes first, while nobody listens.
                self.open(LONGEST_PAUSE);
                Step::Unblocked
            }
        }
    }

    fn blocked(&mut self, reason: String) -> Step {
        let nothing = Phase::Opening(Box::pin(std::future::pending()));
        if let Phase::Open(open) = std::mem::replace(&mut self.phase, nothing) {
            self.phase = Phase::Blocked(open.session);
        }
        self.blocked = Some(reason.clone());
        Step::Blocked(BusError::Blocked { reason })
    }

    /// Gives up the session, with everything that waits in it (S3), and begins to open another.
    pub fn restart(&mut self) {
        if matches!(self.phase, Phase::Open(_)) {
            self.open(Duration::ZERO);
        }
    }

    fn open(&mut self, pause: Duration) {
        let (bus, spec, clock) = (self.bus.clone(), self.spec.clone(), self.clock.clone());
        let nothing = Phase::Opening(Box::pin(std::future::pending()));
        let old = std::mem::replace(&mut self.phase, nothing);
        self.phase = Phase::Opening(Box::pin(async move {
            // The lock is only free once the old connection is closed.
            if let Phase::Open(old) = old {
                old.close(CLOSE_LIMIT).await;
            }
            sleep(pause).await;
            let since = clock.now();
            (since, bus.open(&spec).await)
        }));
    }

    /// Hands a message over for sending, without waiting (S6). False if it had to be dropped.
    pub fn send(&self, message: Message, lane: Lane) -> bool {
        let Phase::Open(open) = &self.phase else {
            return false;
        };
        let outbox = match lane {
            Lane::First => &open.outbox.first,
            Lane::Later => &open.outbox.later,
        };
        outbox.try_send(message).is_ok()
    }

    /// How many commands the session has refused since this was last asked.
    pub fn refused(&self) -> u64 {
        match &self.phase {
            Phase::Open(open) => open.session.refused.swap(0, Ordering::Relaxed),
            Phase::Opening(_) | Phase::Blocked(_) => 0,
        }
    }

    /// The publisher of the open session.
    pub fn publisher(&self) -> Option<Arc<dyn Publisher>> {
        match &self.phase {
            Phase::Open(open) => Some(open.session.publisher.clone()),
            Phase::Opening(_) | Phase::Blocked(_) => None,
        }
    }

    /// Closes in order, in a bounded time, after what waits in the outbox has been sent.
    pub async fn close(self, limit: Duration) {
        if let Phase::Open(open) = self.phase {
            open.close(limit / 2).await;
        }
    }
}

/// Sends what is in the outbox, in its order. Ends with the first failure, and so does the session.
async fn send(publisher: Arc<dyn Publisher>, mut waiting: Waiting) -> BusError {
    loop {
        let together = waiting.next().await;
        if together.is_empty() {
            return BusError::Closed {
                cause: Shown::ours("the session was closed"),
            };
        }
        let posting = together.into_iter().map(|message| publisher.post(message));
        if let Err(error) = try_join_all(posting).await {
            tracing::warn!(%error, "a message could not be sent");
            return error;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::LocalBroker;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_that_its_sender_has_ended_is_closed() {
        let spec = SessionSpec::client("lvmbeat");
        let session = LocalBroker::new().open(&spec).await.unwrap();
        let ending = tokio::spawn(async {
            BusError::Closed {
                cause: Shown::ours("gone"),
            }
        });
        let mut sender = AbortOnDropHandle::new(ending);
        (&mut sender).await.unwrap();
        let (outbox, _) = Outbox::new();
        let open = Open {
            session,
            outbox,
            sender,
        };
        open.close(FIRST_PAUSE).await;
    }

    /// A broker whose sessions have the blockades that the test gives, and whose queue belongs to
    /// somebody else sometimes.
    struct Blocking {
        broker: LocalBroker,
        sessions: std::sync::Mutex<Vec<mpsc::Receiver<String>>>,
        locked: std::sync::atomic::AtomicBool,
    }

    #[async_trait::async_trait]
    impl Bus for Blocking {
        async fn open(&self, spec: &SessionSpec) -> Result<Session, BusError> {
            if self.locked.load(Ordering::SeqCst) {
                let queue = "lvmbeat_commands".to_owned();
                return Err(BusError::Locked { queue });
            }
            let mut session = self.broker.open(spec).await?;
            let given = self.sessions.lock().unwrap().pop();
            if let Some(mut given) = given {
                session.blockades =
                    futures_util::stream::poll_fn(move |c| given.poll_recv(c)).boxed();
            }
            Ok(session)
        }

        fn address(&self) -> String {
            self.broker.address()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn s3_s5_a_blockade_is_waited_out_and_is_nobody_elses_session() {
        let (block, blockades) = mpsc::channel(1);
        let bus = Arc::new(Blocking {
            broker: LocalBroker::new(),
            sessions: vec![blockades].into(),
            locked: false.into(),
        });
        let clock = crate::clock::RuntimeClock::new(jiff::Timestamp::UNIX_EPOCH);
        let mut connection =
            Connection::new(bus.clone(), SessionSpec::client("lvmbeat"), Arc::new(clock));
        assert!(matches!(connection.next().await, Step::Opened { .. }));
        block.send("low on disk".to_owned()).await.unwrap();
        let step = connection.next().await;
        assert!(
            matches!(&step, Step::Blocked(error) if error.to_string().contains("(low on disk)"))
        );
        assert!(
            connection.publisher().is_none() && !connection.send(Message::default(), Lane::First)
        );
        let still = timeout(Duration::from_secs(3600), connection.next()).await;
        assert!(still.is_err(), "it waits for the end");

        bus.locked.store(true, Ordering::SeqCst);
        drop(block);
        assert!(matches!(connection.next().await, Step::Unblocked));
        // S3: what others have sent meanwhile passes first, while nobody listens.
        let soon = LONGEST_PAUSE / 2;
        assert!(timeout(soon, connection.next()).await.is_err());
        let failed = connection.next().await;
        assert!(
            matches!(failed, Step::Failed(BusError::Blocked { .. })),
            "it is its own queue"
        );
        bus.locked.store(false, Ordering::SeqCst);
        assert!(matches!(connection.next().await, Step::Opened { .. }));
        bus.locked.store(true, Ordering::SeqCst);
        connection.restart();
        let failed = connection.next().await;
        assert!(
            matches!(failed, Step::Failed(BusError::Locked { .. })),
            "it has had another since"
        );
    }
}
