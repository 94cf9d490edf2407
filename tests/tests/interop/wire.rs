//! What we send, property by property and header by header, beside what the Python lvmbeat 0.3.0
//! was seen to send.

mod captured;

use captured::{CAPTURED, Is, Seen};
use lapin::types::{AMQPValue, ShortString};
use lvmbeat::clock::{BootClock, Clock as _};
use lvmbeat_tests::broker;
use lvmbeat_tests::client::{Outgoing, RawClient, Reply, text};
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::ecp::FakeEcp;
use lvmbeat_tests::process::Process;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{SOON, start};

impl Is {
    fn value(self) -> AMQPValue {
        match self {
            Self::Text(value) => text(value),
            Self::Null => AMQPValue::Void,
            Self::Int(value) => AMQPValue::LongLongInt(value),
        }
    }

    fn is(self, value: &AMQPValue) -> bool {
        match (self, value) {
            // An integer has no type of its own in Python, nor here.
            (Self::Int(expected), AMQPValue::LongInt(found)) => expected == i64::from(*found),
            _ => self.value() == *value,
        }
    }
}

impl Seen {
    fn outgoing(&self) -> Outgoing {
        let mut message = Outgoing::command("raw", "lvmbeat", self.command);
        message.headers = self.sent.map(|_| lapin::types::FieldTable::default());
        for (name, value) in self.sent.unwrap_or_default() {
            message = message.with_header(name, value.value());
        }
        if self.internal {
            message = message.with_header("internal", AMQPValue::Boolean(true));
        }
        message.properties = lapin::BasicProperties::default()
            .with_content_type("text/json".into())
            .with_message_id("m".into());
        if let Some(id) = self.correlation_id {
            message.properties = message.properties.with_correlation_id(id.into());
        }
        message
    }

    fn check(&self, replies: &[Reply]) {
        let name = self.experiment;
        for (reply, (code, internal, keywords)) in replies.iter().zip(self.replies) {
            let header = |name: &str| &reply.headers.inner()[name];
            assert_eq!(reply.code(), *code, "{name}");
            assert_eq!(*header("internal"), AMQPValue::Boolean(*internal), "{name}");
            // Keywords of our own may stand beside Python's.
            let ours = ["seen", "held"];
            let mut found = reply.body.as_object().unwrap().keys();
            let found = found.by_ref().filter(|key| !ours.contains(&key.as_str()));
            assert!(found.eq(keywords.iter()), "{name}: {}", reply.body);
            assert_eq!(reply.routing_key, self.routing_key, "{name}");
            assert!(
                self.command_id.is(header("command_id")),
                "{name}: {reply:?}"
            );
            assert!(
                self.commander_id.is(header("commander_id")),
                "{name}: {reply:?}"
            );
            let correlated = reply.properties.correlation_id().as_ref();
            assert_eq!(
                correlated.map(ShortString::as_str),
                self.correlated,
                "{name}"
            );
            structure_of_a_reply(reply);
        }
        assert_eq!(replies.len(), self.replies.len(), "{name}: {replies:?}");
    }
}

/// Which properties and headers there are, of which types.
fn structure_of_a_reply(reply: &Reply) {
    let properties = &reply.properties;
    assert_eq!(
        properties.content_type().as_ref().unwrap().as_str(),
        "text/json"
    );
    is_message_id(properties);
    let now = BootClock.wall().as_second();
    let sent = i64::try_from(properties.timestamp().unwrap()).unwrap();
    assert!((now - sent).abs() < 60, "{sent} s since 1970");
    // Not persistent, and no more urgent than others: given or left out is the same.
    assert!(matches!(properties.delivery_mode(), None | Some(1)));
    assert!(matches!(properties.priority(), None | Some(0)));
    assert_eq!(*properties.reply_to(), None);
    assert_eq!(*properties.expiration(), None);
    let headers: Vec<&str> = reply
        .headers
        .inner()
        .keys()
        .map(ShortString::as_str)
        .collect();
    let expected = [
        "command_id",
        "commander_id",
        "internal",
        "message_code",
        "sender",
    ];
    assert_eq!(headers, expected);
    for (name, value) in [
        ("message_code", reply.code().as_str()),
        ("sender", "lvmbeat"),
    ] {
        assert_eq!(reply.headers.inner()[name], text(value));
    }
}

fn is_message_id(properties: &lapin::BasicProperties) {
    let id = properties.message_id().as_ref().unwrap().as_str();
    let hexadecimal = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    assert!(id.len() == 32 && id.chars().all(hexadecimal), "{id}");
}

struct Wire {
    raw: RawClient,
    ecp: FakeEcp,
    _actor: Process,
    _config: ActorConfig,
    _vhost: broker::Vhost,
}

impl Wire {
    async fn start() -> Self {
        let vhost = broker::vhost().await;
        let raw = RawClient::connect(&vhost.url(), "raw").await;
        let ecp = FakeEcp::start(&vhost.url()).await;
        let config = ActorConfig::new(&vhost.url());
        let actor = start(&config, &raw).await;
        Self {
            raw,
            ecp,
            _actor: actor,
            _config: config,
            _vhost: vhost,
        }
    }

    /// The replies of lvmbeat to that message, found by what is between them and the next
    /// command's.
    async fn replies(&self, message: &Outgoing) -> Vec<Reply> {
        let place = self.raw.reply_count();
        assert!(self.raw.publish(message).await);
        let end = self.raw.outgoing("lvmbeat", "ping");
        self.raw.exchange(&end, SOON).await.unwrap();
        let mut replies = self.raw.replies_since(place);
        // The actor's messages to itself are nobody's answer.
        replies.retain(|reply| reply.header("lvmbeat_echo").is_none());
        replies.retain(|reply| {
            reply.sender() == "lvmbeat" && reply.command_id().as_deref() != Some(&end.id())
        });
        replies
    }
}

#[tokio::test]
async fn replies_have_the_structure_that_the_python_lvmbeats_were_seen_to_have() {
    let wire = Wire::start().await;
    for seen in CAPTURED {
        seen.check(&wire.replies(&seen.outgoing()).await);
    }
}

#[tokio::test]
async fn x2_a_task_is_answered_by_a_broadcast_as_in_python_and_wedges_nothing() {
    let wire = Wire::start().await;
    let mut task = wire.raw.outgoing("lvmbeat", "");
    task.headers = None;
    task.body = json!({"task": "nothing"}).to_string().into_bytes();
    let task = task.with_header("task", AMQPValue::Boolean(true));
    let task = task.with_header("commander_id", text("raw.lvmbeat"));
    for _ in 0..3 {
        let replies = wire.replies(&task).await;
        let broadcast: Vec<&Reply> = replies
            .iter()
            .filter(|reply| reply.routing_key == "reply.broadcast")
            .collect();
        assert_eq!(broadcast.len(), 1, "{replies:?}");
        let reply = broadcast[0];
        structure_of_a_reply(reply);
        assert_eq!(reply.code(), "e");
        assert_eq!(reply.body, json!({"error": "Unknown task 'nothing'"}));
        assert_eq!(reply.headers.inner()["internal"], AMQPValue::Boolean(false));
        for id in ["command_id", "commander_id"] {
            assert_eq!(reply.headers.inner()[id], AMQPValue::Void, "{id}");
        }
        assert_eq!(*reply.properties.correlation_id(), None);
    }
}

#[tokio::test]
async fn commands_to_lvmecp_have_the_structure_of_pythons_and_an_expiration() {
    let wire = Wire::start().await;
    wire.raw.beat("lvmbeat", "overwatcher", SOON).await;
    wire.ecp.wait_for_heartbeats(1, SOON).await;
    let received = wire.ecp.received();
    let commands: Vec<&str> = received.iter().map(|one| one.command.as_str()).collect();
    assert_eq!(commands, ["ping", "heartbeat"]);
    for one in &received {
        let properties = &one.properties;
        assert_eq!(
            properties.content_type().as_ref().unwrap().as_str(),
            "text/json"
        );
        assert_eq!(
            properties.reply_to().as_ref().unwrap().as_str(),
            "lvmbeat_replies"
        );
        is_message_id(properties);
        let id = properties.correlation_id().as_ref().unwrap().as_str();
        assert_eq!(Uuid::parse_str(id).unwrap().get_version_num(), 4);
        assert_eq!(id, one.command_id);
        assert!(matches!(properties.delivery_mode(), None | Some(1)));
        assert_eq!(*properties.timestamp(), None);
        let headers: Vec<(&str, &AMQPValue)> = one
            .headers
            .inner()
            .iter()
            .map(|(name, value)| (name.as_str(), value))
            .collect();
        let expected = [
            ("command_id", &text(id)),
            ("commander_id", &text("lvmbeat.lvmecp")),
            ("internal", &AMQPValue::Boolean(false)),
            ("write_to_log", &AMQPValue::Boolean(true)),
        ];
        assert_eq!(headers, expected);
        // What Python's has not: it must not be delivered late (S3).
        let expiration = one.expiration.unwrap();
        assert!(
            expiration <= std::time::Duration::from_secs(1),
            "{expiration:?}"
        );
    }
    assert_ne!(received[0].command_id, received[1].command_id);
}

#[tokio::test]
async fn status_has_the_keywords_of_the_python_lvmbeat_with_their_types() {
    let wire = Wire::start().await;
    let status = wire.raw.command("lvmbeat", "status", SOON).await;
    assert_eq!(status.codes(), ">:");
    let body = &status.last().body;
    let overwatcher = &body["heartbeats"]["overwatcher"];
    assert_eq!(overwatcher["current"], false);
    assert_eq!(overwatcher["last_seen"], Value::Null);
    assert_eq!(body["last_emitted_ecp"], Value::Null);
    assert_eq!(body["last_emitted_outside"], Value::Null);
    assert!(body["network"].is_object());
    wire.raw.beat("lvmbeat", "overwatcher", SOON).await;
    let emitted = lvmbeat_tests::eventually(SOON, async || {
        let status = wire.raw.command("lvmbeat", "status", SOON).await;
        let emitted = status.keyword("last_emitted_ecp")?.as_str()?;
        Some(emitted.to_owned())
    })
    .await;
    // As Python writes it: to the second.
    let shape: String = emitted
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(shape, "0000-00-00T00:00:00Z");
}
