//! A broker in memory, with RabbitMQ's semantics as far as CLU relies on them: for the
//! demonstration, and for tests under paused time.
//!
//! - Routing by topic, to every queue that is bound; what fits no queue is unroutable.
//! - A queue is exclusive: it belongs to one session, nobody else may declare it, and it dies with
//!   that session.
//! - First in, first out, with a prefetch: so many messages are handed over and wait at the
//!   consumer, where they do not expire; the next one follows when one of them is taken.
//! - A message expires by the queue's TTL or by its own, whichever is shorter. It is dropped when
//!   it comes to be handed over.
//!
//! What is different: nothing takes any time, and a queue holds at most [`QUEUE_LIMIT`] messages;
//! then the oldest ones are dropped, where RabbitMQ would go on until its memory alarm.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::time::Instant;

use super::bus::{Bus, BusError, Message, Publisher, Routing, Session, SessionSpec, Shown};

mod topic;

/// How many messages a queue holds.
pub const QUEUE_LIMIT: usize = 10_000;

/// A broker in memory. Its clones are the same broker.
#[derive(Clone, Default, Debug)]
pub struct LocalBroker {
    state: Arc<Mutex<State>>,
}

#[derive(Default, Debug)]
struct State {
    down: bool,
    opened: u64,
    /// By number: the name.
    sessions: BTreeMap<u64, String>,
    /// By name.
    queues: BTreeMap<String, Queue>,
}

#[derive(Debug)]
struct Queue {
    session: u64,
    bindings: Vec<String>,
    ttl: Option<Duration>,
    prefetch: usize,
    /// Handed over, and not taken yet.
    prefetched: VecDeque<Message>,
    waiting: VecDeque<(Message, Option<Instant>)>,
    consumer: Option<Waker>,
}

impl LocalBroker {
    /// An empty broker, up.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends every session, as a restart of the broker does: the queues and what waits in them are
    /// lost.
    pub fn kill_sessions(&self) {
        self.lock().end_all();
    }

    /// Whether the broker can be reached. Taking it down ends the sessions that there are.
    pub fn set_up(&self, up: bool) {
        let mut state = self.lock();
        state.down = !up;
        if !up {
            state.end_all();
        }
    }

    /// Deletes a queue, as an operator can. The stream of its messages ends, and with it the
    /// session that it is of. False if there is none of that name.
    pub fn delete_queue(&self, queue: &str) -> bool {
        self.lock().delete(queue)
    }

    /// The names of the sessions that are open, in the order in which they were opened.
    pub fn sessions(&self) -> Vec<String> {
        self.lock().sessions.values().cloned().collect()
    }

    /// How many messages a queue holds that nobody has taken; `None` if there is no such queue.
    /// Expired ones count until their turn comes.
    pub fn depth(&self, queue: &str) -> Option<usize> {
        let state = self.lock();
        let queue = state.queues.get(queue)?;
        Some(queue.waiting.len() + queue.prefetched.len())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn consume(&self, queue: String, lease: Arc<Lease>) -> BoxStream<'static, Message> {
        let broker = self.clone();
        stream::poll_fn(move |context| {
            let mut state = broker.lock();
            match state.queues.get_mut(&queue) {
                Some(queue) if queue.session == lease.session => queue.poll(context),
                _ => Poll::Ready(None),
            }
        })
        .boxed()
    }
}

#[async_trait]
impl Bus for LocalBroker {
    async fn open(&self, spec: &SessionSpec) -> Result<Session, BusError> {
        let commands = format!("{}_commands", spec.name);
        let replies = format!("{}_replies", spec.name);
        let session = {
            let mut state = self.lock();
            if state.down {
                return Err(BusError::Unreachable {
                    address: self.address(),
                    cause: Shown::ours("it is down"),
                });
            }
            for queue in spec
                .commands
                .map(|_| &commands)
                .into_iter()
                .chain([&replies])
            {
                if state.queues.contains_key(queue) {
                    return Err(BusError::Locked {
                        queue: queue.clone(),
                    });
                }
            }
            let session = state.opened;
            state.opened += 1;
            state.sessions.insert(session, spec.name.clone());
            if let Some(queue) = spec.commands {
                let binding = format!("command.{}.#", spec.name);
                let queue = Queue::new(session, vec![binding], Some(queue.ttl), spec.prefetch);
                state.queues.insert(commands.clone(), queue);
            }
            let queue = Queue::new(session, spec.reply_bindings(), None, spec.prefetch);
            state.queues.insert(replies.clone(), queue);
            session
        };
        let lease = Arc::new(Lease {
            broker: self.clone(),
            session,
        });
        Ok(Session {
            broker: self.address(),
            publisher: Arc::new(Sender {
                broker: self.clone(),
                session,
            }),
            commands: if spec.commands.is_some() {
                self.consume(commands, Arc::clone(&lease))
            } else {
                let lease = Arc::clone(&lease);
                stream::unfold(lease, |_lease| std::future::pending()).boxed()
            },
            replies: self.consume(replies, lease),
            blockades: stream::pending().boxed(),
            refused: Arc::default(),
        })
    }

    fn address(&self) -> String {
        "the broker in memory".to_owned()
    }
}

impl State {
    fn route(&mut self, message: &Message, now: Instant) -> Routing {
        let mut routing = Routing::Unroutable;
        for queue in self.queues.values_mut() {
            // Once, however many bindings it fits.
            let fits = |binding: &String| topic::matches(binding, &message.routing_key);
            if queue.bindings.iter().any(fits) {
                queue.push(message.clone(), now);
                routing = Routing::Routed;
            }
        }
        routing
    }

    fn delete(&mut self, queue: &str) -> bool {
        match self.queues.remove(queue) {
            Some(mut queue) => {
                queue.wake();
                true
            }
            None => false,
        }
    }

    fn end(&mut self, session: u64) {
        self.sessions.remove(&session);
        self.queues.retain(|_, queue| {
            let stays = queue.session != session;
            if !stays {
                queue.wake();
            }
            stays
        });
    }

    fn end_all(&mut self) {
        self.sessions.clear();
        self.queues.values_mut().for_each(Queue::wake);
        self.queues.clear();
    }
}

impl Queue {
    fn new(session: u64, bindings: Vec<String>, ttl: Option<Duration>, prefetch: u16) -> Self {
        Self {
            session,
            bindings,
            ttl,
            prefetch: usize::from(prefetch).max(1),
            prefetched: VecDeque::new(),
            waiting: VecDeque::new(),
            consumer: None,
        }
    }

    fn push(&mut self, message: Message, now: Instant) {
        let ttl = [self.ttl, message.expiration].into_iter().flatten().min();
        let expires = ttl.and_then(|ttl| now.checked_add(ttl));
        if self.waiting.len() >= QUEUE_LIMIT {
            self.waiting.pop_front();
        }
        self.waiting.push_back((message, expires));
        // Behind messages that are not taken yet it waits; otherwise it is handed over at once,
        // even with a TTL of zero.
        if self.prefetched.len() < self.prefetch {
            self.prefetched
                .extend(self.waiting.pop_front().map(|(message, _)| message));
        }
        self.wake();
    }

    fn poll(&mut self, context: &Context<'_>) -> Poll<Option<Message>> {
        let Some(message) = self.prefetched.pop_front() else {
            self.consumer = Some(context.waker().clone());
            return Poll::Pending;
        };
        let now = Instant::now();
        while let Some((next, expires)) = self.waiting.pop_front() {
            if expires.is_none_or(|expires| now < expires) {
                self.prefetched.push_back(next);
                break;
            }
        }
        Poll::Ready(Some(message))
    }

    fn wake(&mut self) {
        if let Some(consumer) = self.consumer.take() {
            consumer.wake();
        }
    }
}

/// Held by both streams of a session: when both are gone, so is the session.
struct Lease {
    broker: LocalBroker,
    session: u64,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.broker.lock().end(self.session);
    }
}

struct Sender {
    broker: LocalBroker,
    session: u64,
}

impl Sender {
    fn send(&self, message: &Message) -> Result<Routing, BusError> {
        let mut state = self.broker.lock();
        if !state.sessions.contains_key(&self.session) {
            return Err(BusError::Closed {
                cause: Shown::ours("the session is over"),
            });
        }
        Ok(state.route(message, Instant::now()))
    }
}

#[async_trait]
impl Publisher for Sender {
    async fn publish(&self, message: Message) -> Result<Routing, BusError> {
        self.send(&message)
    }

    async fn post(&self, message: Message) -> Result<(), BusError> {
        self.send(&message).map(|_| ())
    }

    async fn close(&self) {
        self.broker.lock().end(self.session);
    }
}

#[cfg(test)]
mod tests;
