//! AMQP without any of lvmbeat's own code: what a CLU client sends, and what none should.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer, ExchangeKind};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use crate::eventually;

/// The exchange of all CLU actors.
pub const EXCHANGE: &str = "sdss_exchange";

/// For the broker to do anything.
const LIMIT: Duration = Duration::from_secs(10);

/// For a session to open; the name may be another's until the broker has noticed that it is gone.
const OPEN_LIMIT: Duration = Duration::from_secs(30);

/// A message as it is sent. Every part can be changed, down to what no client should send.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// `command.ACTOR`
    pub routing_key: String,
    /// Without headers; these are beside.
    pub properties: BasicProperties,
    /// `None` sends no header table at all.
    pub headers: Option<FieldTable>,
    /// Any bytes.
    pub body: Vec<u8>,
}

impl Outgoing {
    /// A command as sdss-clu 2.6 sends it.
    pub fn command(client: &str, actor: &str, command: &str) -> Self {
        let id = Uuid::new_v4().to_string();
        let message_id = Uuid::new_v4().simple().to_string();
        let mut headers = FieldTable::default();
        let commander = format!("{client}.{actor}");
        headers.insert("command_id".into(), text(&id));
        headers.insert("commander_id".into(), text(&commander));
        headers.insert("internal".into(), AMQPValue::Boolean(false));
        headers.insert("write_to_log".into(), AMQPValue::Boolean(true));
        Self {
            routing_key: format!("command.{actor}"),
            properties: BasicProperties::default()
                .with_content_type("text/json".into())
                .with_delivery_mode(1)
                .with_correlation_id(id.into())
                .with_reply_to(format!("{client}_replies").into())
                .with_message_id(message_id.into()),
            headers: Some(headers),
            body: json!({ "command_string": command })
                .to_string()
                .into_bytes(),
        }
    }

    /// The same with another body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The same with a header set.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: AMQPValue) -> Self {
        let headers = self.headers.get_or_insert_default();
        headers.insert(name.into(), value);
        self
    }

    /// The same without a header table.
    #[must_use]
    pub fn without_headers(mut self) -> Self {
        self.headers = None;
        self
    }

    /// The correlation id, which the replies carry.
    pub fn id(&self) -> String {
        let id = self.properties.correlation_id().as_ref();
        id.map(ToString::to_string).unwrap_or_default()
    }

    fn properties(&self) -> BasicProperties {
        match &self.headers {
            Some(headers) => self.properties.clone().with_headers(headers.clone()),
            None => self.properties.clone(),
        }
    }
}

/// A header or property that is a text.
pub fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

/// A reply as it came.
#[derive(Clone, Debug)]
pub struct Reply {
    /// `reply.COMMANDER`
    pub routing_key: String,
    /// All of them.
    pub properties: BasicProperties,
    /// The header table.
    pub headers: FieldTable,
    /// The body; null if it is not JSON.
    pub body: Value,
    /// When it came.
    pub at: Instant,
}

impl Reply {
    /// A header that is a text.
    pub fn header(&self, name: &str) -> Option<String> {
        let value = self.headers.inner().get(name)?.as_long_string();
        value.map(ToString::to_string)
    }

    /// `>`, `i`, `:` and so on; empty if there is none.
    pub fn code(&self) -> String {
        self.header("message_code").unwrap_or_default()
    }

    /// Who replies.
    pub fn sender(&self) -> String {
        self.header("sender").unwrap_or_default()
    }

    /// What it answers, by the correlation id.
    pub fn command_id(&self) -> Option<String> {
        let id = self.properties.correlation_id().as_ref();
        id.map(ToString::to_string)
    }

    /// Whether it ends its command.
    pub fn is_last(&self) -> bool {
        matches!(self.code().as_str(), ":" | "f" | "!")
    }
}

/// All replies to a command, the last one included.
#[derive(Clone, Debug)]
pub struct Answer {
    /// In order; never empty.
    pub replies: Vec<Reply>,
    /// From the sending to the last reply.
    pub took: Duration,
}

impl Answer {
    /// The reply that ended the command.
    pub fn last(&self) -> &Reply {
        self.replies.last().expect("an answer has a last reply")
    }

    /// The codes, one after the other: `>:` for instance.
    pub fn codes(&self) -> String {
        self.replies.iter().map(Reply::code).collect()
    }

    /// A keyword of any of the replies, the latest one that has it.
    pub fn keyword(&self, name: &str) -> Option<&Value> {
        self.replies
            .iter()
            .rev()
            .find_map(|reply| reply.body.get(name))
    }
}

/// A CLU client: its own connection, its replies queue, and the means to publish anything.
#[derive(Debug)]
pub struct RawClient {
    name: String,
    session: Session,
    replies: Arc<Mutex<Vec<Reply>>>,
    changes: watch::Receiver<usize>,
}

impl RawClient {
    /// A client of that name. Tries until the broker takes it.
    pub async fn connect(url: &str, name: &str) -> Self {
        eventually(OPEN_LIMIT, async || Self::try_connect(url, name).await).await
    }

    /// The same, once.
    pub async fn try_connect(url: &str, name: &str) -> Result<Self, String> {
        let session = Session::open(url).await?;
        let mut consumer = session
            .consume(&format!("{name}_replies"), "reply.#")
            .await?;
        let replies: Arc<Mutex<Vec<Reply>>> = Arc::default();
        let (sender, changes) = watch::channel(0);
        let kept = Arc::clone(&replies);
        tokio::spawn(async move {
            while let Some(Ok(delivery)) = consumer.next().await {
                let reply = Reply {
                    routing_key: delivery.routing_key.to_string(),
                    headers: delivery.properties.headers().clone().unwrap_or_default(),
                    properties: delivery.properties.clone(),
                    body: serde_json::from_slice(&delivery.data).unwrap_or_default(),
                    at: Instant::now(),
                };
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.push(reply);
                sender.send_replace(kept.len());
            }
        });
        Ok(Self {
            name: name.to_owned(),
            session,
            replies,
            changes,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command from this client, to be changed and sent.
    pub fn outgoing(&self, actor: &str, command: &str) -> Outgoing {
        Outgoing::command(&self.name, actor, command)
    }

    /// Publishes, and waits for the broker's word: whether there was a queue for it.
    pub async fn publish(&self, message: &Outgoing) -> bool {
        self.session.publish(message).await
    }

    /// The same where the broker may refuse it.
    pub async fn try_publish(&self, message: &Outgoing) -> Result<bool, String> {
        self.session.try_publish(message).await
    }

    /// Publishes without waiting for anything.
    pub async fn post(&self, message: &Outgoing) {
        self.session.post(message).await;
    }

    /// Sends a command and waits for its last reply.
    ///
    /// # Panics
    /// If there is no such actor, or no last reply within the limit.
    pub async fn command(&self, actor: &str, command: &str, limit: Duration) -> Answer {
        match self.try_command(actor, command, limit).await {
            Ok(answer) => answer,
            Err(why) => panic!("{actor} {command}: {why}"),
        }
    }

    /// A heartbeat that proves when it was sent, by the value with which a first one is answered.
    /// Gives the second answer.
    ///
    /// # Panics
    /// As [`Self::command`].
    pub async fn beat(&self, actor: &str, heartbeat: &str, limit: Duration) -> Answer {
        let knock = self
            .command(actor, &format!("set {heartbeat}"), limit)
            .await;
        let Some(seen) = knock.keyword("seen").and_then(Value::as_str) else {
            return knock;
        };
        let proven = format!("set {heartbeat} --seen {seen}");
        self.command(actor, &proven, limit).await
    }

    /// The same, where no answer is one of the things that may be.
    pub async fn try_command(
        &self,
        actor: &str,
        command: &str,
        limit: Duration,
    ) -> Result<Answer, String> {
        self.exchange(&self.outgoing(actor, command), limit).await
    }

    /// Sends any message and waits for the last reply to it.
    pub async fn exchange(&self, message: &Outgoing, limit: Duration) -> Result<Answer, String> {
        let (start, place) = (Instant::now(), self.reply_count());
        let published = timeout(limit, self.session.try_publish(message)).await;
        if !published.map_err(|_| format!("not taken by the broker within {limit:?}"))?? {
            return Err("nobody is there".to_owned());
        }
        let id = message.id();
        let is_ours = |reply: &Reply| reply.command_id().as_ref() == Some(&id);
        let left = limit.saturating_sub(start.elapsed());
        let last = self
            .wait_for_reply(place, left, |reply| is_ours(reply) && reply.is_last())
            .await;
        let mut replies = self.replies_since(place);
        replies.retain(is_ours);
        match last {
            Some(last) => Ok(Answer {
                replies,
                took: last.at - start,
            }),
            None => Err(format!("no last reply within {limit:?}, only {replies:?}")),
        }
    }

    /// How many replies of anybody to anybody have come.
    pub fn reply_count(&self) -> usize {
        self.lock().len()
    }

    /// Those that have come since there were that many.
    pub fn replies_since(&self, count: usize) -> Vec<Reply> {
        self.lock().get(count..).unwrap_or_default().to_vec()
    }

    /// Forgets all replies.
    pub fn forget_replies(&self) {
        self.lock().clear();
    }

    /// The first reply since there were that many for which this holds.
    pub async fn wait_for_reply(
        &self,
        count: usize,
        limit: Duration,
        is_it: impl Fn(&Reply) -> bool,
    ) -> Option<Reply> {
        let end = Instant::now() + limit;
        let (mut changes, mut place) = (self.changes.clone(), count);
        loop {
            changes.borrow_and_update();
            let found = {
                let replies = self.lock();
                let new = replies.get(place..).unwrap_or_default();
                place += new.len();
                new.iter().find(|reply| is_it(reply)).cloned()
            };
            if found.is_some() {
                return found;
            }
            match timeout_at(end, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return None,
            }
        }
    }

    /// Closes the connection.
    pub async fn close(self) {
        self.session.close().await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Reply>> {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection with CLU's exchange.
#[derive(Debug)]
pub(crate) struct Session {
    connection: Connection,
    consuming: Channel,
    confirmed: Channel,
    unconfirmed: Channel,
}

impl Session {
    pub(crate) async fn open(url: &str) -> Result<Self, String> {
        let opening = async {
            let connection = Connection::connect(url, ConnectionProperties::default()).await?;
            let consuming = connection.create_channel().await?;
            let confirmed = connection.create_channel().await?;
            let unconfirmed = connection.create_channel().await?;
            let options = ExchangeDeclareOptions {
                auto_delete: true,
                ..ExchangeDeclareOptions::default()
            };
            let kind = ExchangeKind::Topic;
            consuming
                .exchange_declare(EXCHANGE.into(), kind, options, FieldTable::default())
                .await?;
            consuming.basic_qos(1, BasicQosOptions::default()).await?;
            confirmed
                .confirm_select(ConfirmSelectOptions::default())
                .await?;
            Ok(Self {
                connection,
                consuming,
                confirmed,
                unconfirmed,
            })
        };
        in_time(opening).await
    }

    /// Declares an exclusive queue and consumes it.
    pub(crate) async fn consume(&self, queue: &str, binding: &str) -> Result<Consumer, String> {
        let options = QueueDeclareOptions {
            exclusive: true,
            ..QueueDeclareOptions::default()
        };
        let none = FieldTable::default;
        in_time(async {
            let channel = &self.consuming;
            channel.queue_declare(queue.into(), options, none()).await?;
            channel
                .queue_bind(
                    queue.into(),
                    EXCHANGE.into(),
                    binding.into(),
                    QueueBindOptions::default(),
                    none(),
                )
                .await?;
            // Replies are counted when they come, not when they are looked at.
            let options = BasicConsumeOptions {
                no_ack: queue.ends_with("_replies"),
                ..BasicConsumeOptions::default()
            };
            channel
                .basic_consume(queue.into(), queue.into(), options, none())
                .await
        })
        .await
    }

    pub(crate) async fn publish(&self, message: &Outgoing) -> bool {
        match self.try_publish(message).await {
            Ok(routed) => routed,
            Err(why) => panic!("the broker does not take a message: {why}"),
        }
    }

    pub(crate) async fn try_publish(&self, message: &Outgoing) -> Result<bool, String> {
        let publishing = async {
            let confirm = publish_on(&self.confirmed, message).await?;
            Ok(confirm.await?.take_message().is_none())
        };
        in_time(publishing).await
    }

    pub(crate) async fn post(&self, message: &Outgoing) {
        let posting = async { publish_on(&self.unconfirmed, message).await.map(drop) };
        if let Err(why) = in_time(posting).await {
            panic!("the broker does not take a message: {why}");
        }
    }

    pub(crate) async fn close(&self) {
        let _ = in_time(self.connection.close(200, "bye".into())).await;
    }
}

async fn publish_on(
    channel: &Channel,
    message: &Outgoing,
) -> lapin::Result<lapin::PublisherConfirm> {
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    channel
        .basic_publish(
            EXCHANGE.into(),
            message.routing_key.as_str().into(),
            options,
            &message.body,
            message.properties(),
        )
        .await
}

async fn in_time<T>(doing: impl Future<Output = lapin::Result<T>>) -> Result<T, String> {
    match timeout(LIMIT, doing).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer from the broker within {LIMIT:?}")),
    }
}

/// Acknowledges a delivery; a connection that is gone needs none.
pub(crate) async fn acknowledge(delivery: &lapin::message::Delivery) {
    let _ = delivery.ack(BasicAckOptions::default()).await;
}
