//! Messages that pass for what they are not, and bindings that somebody removes.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::time::Duration;

use lapin::options::{QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lvmbeat_tests::actor::Actor;
use lvmbeat_tests::broker::{self, Vhost};
use lvmbeat_tests::client::{EXCHANGE, Outgoing, text};
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::ecp::{Behaviour, FakeEcp};
use lvmbeat_tests::eventually;
use serde_json::json;

const SOON: Duration = Duration::from_secs(15);
/// For the actor to give up a way on which nothing comes back, and to open a new session.
const GIVEN_UP: Duration = Duration::from_secs(30);

async fn start() -> (Vhost, FakeEcp, Actor) {
    let vhost = broker::inspectable_vhost().await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    let config = ActorConfig::new(&vhost.url())
        .timeout(4.0)
        .set("actor.command_ttl", 2)
        .set("actor.attention", 5)
        .set("ecp.plc_timeout", 60)
        .set("ecp.command_timeout", 5)
        .set("max_close_after", 200);
    let actor = Actor::start(config, &vhost.url()).await;
    (vhost, ecp, actor)
}

async fn emits(actor: &Actor, ecp: &FakeEcp) {
    let before = ecp.heartbeats().len();
    eventually(SOON, async || {
        actor.set("overwatcher").await;
        ecp.heartbeats().len() > before
    })
    .await;
}

/// As a policy or another program could: a queue that takes a copy of each command, and hands it on
/// when it has waited.
async fn detain(url: &str, wait: Duration) -> lapin::Connection {
    let properties = lapin::ConnectionProperties::default();
    let connection = lapin::Connection::connect(url, properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let mut arguments = FieldTable::default();
    let wait = u32::try_from(wait.as_millis()).unwrap();
    arguments.insert("x-message-ttl".into(), AMQPValue::LongUInt(wait));
    arguments.insert("x-dead-letter-exchange".into(), text(EXCHANGE));
    let exclusive = QueueDeclareOptions {
        exclusive: true,
        ..QueueDeclareOptions::default()
    };
    let declared = channel.queue_declare("detained".into(), exclusive, arguments);
    declared.await.unwrap();
    let (bind, none) = (QueueBindOptions::default(), FieldTable::default());
    let bound = channel.queue_bind(
        "detained".into(),
        EXCHANGE.into(),
        "command.lvmbeat".into(),
        bind,
        none,
    );
    bound.await.unwrap();
    connection
}

#[tokio::test]
async fn s3_a_beat_that_another_queue_has_held_back_does_not_count() {
    let (vhost, ecp, mut actor) = start().await;
    emits(&actor, &ecp).await;
    let detained = detain(&vhost.url(), Duration::from_secs(1)).await;
    // It is taken and, a second later, refused.
    let command = actor.client.outgoing("lvmbeat", "set overwatcher");
    assert!(actor.client.publish(&command).await);
    let id = command.id();
    let ends = eventually(SOON, async || {
        let replies = actor.client.replies_since(0).into_iter();
        let ends = replies.filter(|it| it.is_last() && it.command_id().as_ref() == Some(&id));
        let ends: Vec<_> = ends.collect();
        if ends.len() == 2 { Ok(ends) } else { Err(ends) }
    })
    .await;
    assert_eq!(ends[0].code(), ":", "{:?}", ends[0].body);
    assert_eq!(ends[1].code(), "f", "{:?}", ends[1].body);
    let error = ends[1].body["error"].as_str().unwrap();
    assert!(error.contains("(x-death)"), "{error}");
    let says = |line: &str| line.contains("a heartbeat came another way");
    actor.process.wait_for_line(SOON, says).await;
    // Whatever waits there with it, what comes straight counts.
    emits(&actor, &ecp).await;
    drop(detained);
}

/// What people set for the queues of other programs, and the pattern takes these, too.
#[tokio::test]
async fn l1_no_usual_policy_keeps_the_actor_from_emitting() {
    let (vhost, ecp, actor) = start().await;
    emits(&actor, &ecp).await;
    let sessions = actor.sessions();
    for policy in [
        "{<<\"ha-mode\">>, <<\"all\">>}, {<<\"queue-mode\">>, <<\"lazy\">>}",
        "{<<\"expires\">>, 100}",
        "{<<\"message-ttl\">>, 3600000}, {<<\"max-length\">>, 100000}",
        "{<<\"dead-letter-exchange\">>, <<\"sdss_exchange\">>}, {<<\"message-ttl\">>, 10}",
        "{<<\"max-length\">>, 1}, {<<\"overflow\">>, <<\"reject-publish\">>}",
    ] {
        vhost.set_policy(policy).await;
        emits(&actor, &ecp).await;
        assert_eq!(actor.sessions(), sessions, "{policy}");
    }
}

#[tokio::test]
async fn s3_echoes_that_were_never_sent_move_nothing() {
    let (_vhost, ecp, mut actor) = start().await;
    emits(&actor, &ecp).await;
    let sessions = actor.sessions();
    for number in ["", "x 18446744073709551615", "18446744073709551615"] {
        let mut forged = actor.client.outgoing("lvmbeat", "ping");
        forged = forged.with_header("lvmbeat_echo", text(number));
        for key in [
            "command.lvmbeat",
            "command.lvmbeat.echo",
            "reply.lvmbeat.echo",
        ] {
            key.clone_into(&mut forged.routing_key);
            assert!(actor.client.publish(&forged).await);
        }
    }
    emits(&actor, &ecp).await;
    assert_eq!(actor.sessions(), sessions);
    let logged = |lines: Vec<lvmbeat_tests::process::Line>| {
        let found = lines.iter().filter(|line| line.text.contains("passes for"));
        found.count()
    };
    assert_eq!(logged(actor.process.lines()), 1);
    assert!(actor.process.is_running());
}

#[tokio::test]
async fn s1_an_answer_that_lvmecp_did_not_send_ends_no_emission() {
    let (_vhost, ecp, actor) = start().await;
    ecp.on("heartbeat", Behaviour::Hang);
    actor.set("overwatcher").await;
    let heartbeat = ecp.wait_for_heartbeats(1, SOON).await.remove(0);
    let forge = |key: &str, sender: &str| {
        let mut forged = Outgoing::command("x", "y", "").with_body("{}");
        forged.properties = forged
            .properties
            .with_correlation_id(heartbeat.command_id.as_str().into());
        key.clone_into(&mut forged.routing_key);
        forged
            .with_header("command_id", text(&heartbeat.command_id))
            .with_header("commander_id", text("lvmbeat.lvmecp"))
            .with_header("message_code", text(":"))
            .with_header("sender", text(sender))
    };
    for (key, sender) in [
        ("reply.lvmbeat.lvmecp", "stranger"),
        ("reply.lvmbeat.stranger", "lvmecp"),
        ("reply.broadcast", "lvmecp"),
    ] {
        assert!(actor.client.publish(&forge(key, sender)).await);
    }
    // What it says of itself is not taken from others, either.
    let says = json!({ "registers": { "dome_open": true } }).to_string();
    let mut status = forge("reply.lvmbeat.stranger", "lvmecp").with_body(says);
    status.properties = status.properties.with_correlation_id("another".into());
    let status = status.with_header("command_id", text("another"));
    assert!(actor.client.publish(&status).await);
    assert_eq!(actor.status("/ecp/in_flight").await, true);
    assert_eq!(actor.status("/enclosure/dome_open").await, json!(null));
    // The real one does.
    assert!(
        actor
            .client
            .publish(&forge("reply.lvmbeat.lvmecp", "lvmecp"))
            .await
    );
    eventually(SOON, async || {
        actor.status("/ecp/last_outcome").await == "acknowledged"
    })
    .await;
}

/// S5, L1: a session that does not hear what it should is given up, and the next one does.
async fn a_removed_binding_is_found(queue: &str, key: &str) {
    let (vhost, ecp, mut actor) = start().await;
    emits(&actor, &ecp).await;
    let mark = actor.process.mark();
    vhost.unbind(queue, key).await;
    actor.until_session(mark, GIVEN_UP).await;
    actor.until_it_answers(SOON).await;
    emits(&actor, &ecp).await;
}

#[tokio::test]
async fn l1_a_removed_binding_of_the_replies_to_the_actor_is_found() {
    a_removed_binding_is_found("lvmbeat_replies", "reply.lvmbeat.#").await;
}

#[tokio::test]
async fn l1_a_removed_binding_of_the_enclosures_replies_is_found() {
    a_removed_binding_is_found("lvmbeat_replies", "reply.#.lvmecp").await;
}

#[tokio::test]
async fn l1_a_removed_binding_of_the_commands_is_found() {
    a_removed_binding_is_found("lvmbeat_commands", "command.lvmbeat.#").await;
}
