//! An `lvmecp` that behaves as a test wants: it answers, fails or hangs, freezes, and counts what
//! it gets.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::client::{Outgoing, Session, acknowledge, text};
use crate::eventually;

/// What a command gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Behaviour {
    /// `:`, at once.
    Done,
    /// `:`, after that long.
    DoneAfter(Duration),
    /// `f`, at once.
    Fail,
    /// `>`, and never an end.
    Hang,
    /// Not even `>`.
    Ignore,
}

/// A command as it was taken from the queue.
#[derive(Clone, Debug)]
pub struct Received {
    /// When.
    pub at: Instant,
    /// For example `heartbeat`.
    pub command: String,
    /// `CLIENT.lvmecp`
    pub commander: String,
    /// What its replies carry.
    pub command_id: String,
    /// The `expiration` property.
    pub expiration: Option<Duration>,
    /// All properties.
    pub properties: BasicProperties,
    /// All headers.
    pub headers: FieldTable,
}

#[derive(Debug)]
struct Shared {
    name: String,
    received: Mutex<Vec<Received>>,
    behaviours: Mutex<HashMap<String, Behaviour>>,
    frozen: watch::Sender<bool>,
}

/// A running stand-in. It is gone, with its queue, when this is dropped.
#[derive(Debug)]
pub struct FakeEcp {
    shared: Arc<Shared>,
    session: Arc<Session>,
    serving: JoinHandle<()>,
}

impl FakeEcp {
    /// Called `lvmecp`.
    pub async fn start(url: &str) -> Self {
        Self::start_as(url, "lvmecp").await
    }

    /// Called otherwise.
    pub async fn start_as(url: &str, name: &str) -> Self {
        let opened = eventually(Duration::from_secs(30), async || {
            let session = Session::open(url).await?;
            let binding = format!("command.{name}.#");
            let commands = session.consume(&format!("{name}_commands"), &binding).await;
            commands.map(|commands| (session, commands))
        });
        let (session, mut commands) = opened.await;
        let session = Arc::new(session);
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            received: Mutex::default(),
            behaviours: Mutex::default(),
            frozen: watch::Sender::new(false),
        });
        let (ours, line) = (Arc::clone(&shared), Arc::clone(&session));
        let serving = tokio::spawn(async move {
            let mut frozen = ours.frozen.subscribe();
            while let Some(Ok(delivery)) = commands.next().await {
                // Like a stopped process: the one message that was fetched is not acknowledged, the
                // others wait.
                if frozen.wait_for(|frozen| !frozen).await.is_err() {
                    return;
                }
                acknowledge(&delivery).await;
                let received = received(&delivery);
                let behaviour = ours.behaviour(&received.command);
                ours.received
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(received.clone());
                let (ours, line) = (Arc::clone(&ours), Arc::clone(&line));
                tokio::spawn(async move { ours.answer(&line, &received, behaviour).await });
            }
        });
        Self {
            shared,
            session,
            serving,
        }
    }

    /// From now on, the command (`heartbeat`, `ping`) gets this. In the beginning all get
    /// [`Behaviour::Done`].
    pub fn on(&self, command: &str, behaviour: Behaviour) {
        self.shared
            .behaviours
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(command.to_owned(), behaviour);
    }

    /// From now on it takes nothing, like a stopped process. What it answers later than it took, it
    /// still answers.
    pub fn freeze(&self) {
        self.shared.frozen.send_replace(true);
    }

    /// It takes what waits, and goes on.
    pub fn thaw(&self) {
        self.shared.frozen.send_replace(false);
    }

    /// All commands that it has taken, in order.
    pub fn received(&self) -> Vec<Received> {
        self.shared
            .received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The heartbeats among them.
    pub fn heartbeats(&self) -> Vec<Received> {
        let mut received = self.received();
        received.retain(|received| received.command == "heartbeat");
        received
    }

    /// Waits until it has taken that many heartbeats, and gives all.
    pub async fn wait_for_heartbeats(&self, count: usize, limit: Duration) -> Vec<Received> {
        eventually(limit, async || {
            let heartbeats = self.heartbeats();
            if heartbeats.len() >= count {
                Ok(heartbeats)
            } else {
                Err(format!("only {} of {count} heartbeats", heartbeats.len()))
            }
        })
        .await
    }

    /// Broadcasts something, as its own `status` does (code `i`).
    pub async fn broadcast(&self, keywords: &Value) {
        let reply = self.shared.reply(None, "i", keywords);
        self.session.post(&reply).await;
    }

    /// Says that of itself as the real lvmecp does every 30 s: in reply to its own `status`.
    pub async fn says(&self, keywords: &Value) {
        let commander = format!("{0}.{0}", self.shared.name);
        let id = Uuid::new_v4().to_string();
        let reply = self.shared.reply(Some((&commander, &id)), "i", keywords);
        self.session.post(&reply).await;
    }

    /// Closes its connection, in order.
    pub async fn stop(self) {
        self.serving.abort();
        self.session.close().await;
    }
}

impl Drop for FakeEcp {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Shared {
    fn behaviour(&self, command: &str) -> Behaviour {
        let verb = command.split_whitespace().next().unwrap_or_default();
        self.behaviours
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(verb)
            .cloned()
            .unwrap_or(Behaviour::Done)
    }

    async fn answer(&self, session: &Session, received: &Received, behaviour: Behaviour) {
        let to = Some((received.commander.as_str(), received.command_id.as_str()));
        let reply = |code, keywords| self.reply(to, code, &keywords);
        let done = match received.command.as_str() {
            "ping" => json!({ "text": "Pong." }),
            _ => json!({}),
        };
        if behaviour == Behaviour::Ignore {
            return;
        }
        let mut running = reply(">", json!({}));
        running = running.with_header("internal", AMQPValue::Boolean(true));
        session.post(&running).await;
        match behaviour {
            Behaviour::Done => session.post(&reply(":", done)).await,
            Behaviour::DoneAfter(delay) => {
                sleep(delay).await;
                session.post(&reply(":", done)).await;
            }
            Behaviour::Fail => {
                let error = json!({ "error": "Failed to set heartbeat." });
                session.post(&reply("f", error)).await;
            }
            Behaviour::Hang | Behaviour::Ignore => {}
        }
    }

    /// As sdss-clu 2.6 replies, to that commander's command of that id or to everybody.
    fn reply(&self, to: Option<(&str, &str)>, code: &str, keywords: &Value) -> Outgoing {
        let message_id = Uuid::new_v4().simple().to_string();
        let mut properties = BasicProperties::default()
            .with_content_type("text/json".into())
            .with_message_id(message_id.into());
        if let Some((_, id)) = to {
            properties = properties.with_correlation_id(id.into());
        }
        let value = |value: Option<&str>| value.map_or(AMQPValue::Void, text);
        let (commander, id) = to.unzip();
        let key = commander.unwrap_or("broadcast");
        Outgoing {
            routing_key: format!("reply.{key}"),
            properties,
            headers: None,
            body: keywords.to_string().into_bytes(),
        }
        .with_header("message_code", text(code))
        .with_header("commander_id", value(commander))
        .with_header("command_id", value(id))
        .with_header("sender", text(&self.name))
        .with_header("internal", AMQPValue::Boolean(false))
    }
}

fn received(delivery: &Delivery) -> Received {
    let headers = delivery.properties.headers().clone().unwrap_or_default();
    let header = |name: &str| match headers.inner().get(name) {
        Some(AMQPValue::LongString(value)) => value.to_string(),
        _ => String::new(),
    };
    let body: Value = serde_json::from_slice(&delivery.data).unwrap_or_default();
    let expiration = delivery.properties.expiration().as_ref();
    Received {
        at: Instant::now(),
        command: body["command_string"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        commander: header("commander_id"),
        command_id: header("command_id"),
        expiration: expiration
            .and_then(|millis| millis.as_str().parse().ok())
            .map(Duration::from_millis),
        properties: delivery.properties.clone(),
        headers,
    }
}
