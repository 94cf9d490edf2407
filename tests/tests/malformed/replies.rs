//! What passes as a reply to the actor, or as one of lvmecp: anybody can send it.

use lapin::BasicProperties;
use lapin::types::AMQPValue;
use lvmbeat_tests::client::{Outgoing, text};
use lvmbeat_tests::ecp::{Behaviour, FakeEcp};
use lvmbeat_tests::{broker, eventually};
use serde_json::json;

use crate::{SOON, start, survives, table};

fn reply(code: Option<AMQPValue>, sender: &str, id: Option<&str>, body: Vec<u8>) -> Outgoing {
    let mut message = Outgoing::command("x", "y", "")
        .without_headers()
        .with_body(body);
    "reply.lvmbeat.lvmecp".clone_into(&mut message.routing_key);
    message.properties = BasicProperties::default();
    if let Some(id) = id {
        message.properties = message.properties.with_correlation_id(id.into());
    }
    let message = message.with_header("sender", text(sender));
    match code {
        Some(code) => message.with_header("message_code", code),
        None => message,
    }
}

#[tokio::test]
async fn x2_malformed_replies_are_survived_and_end_no_emission() {
    let vhost = broker::inspectable_vhost().await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    ecp.on("heartbeat", Behaviour::Hang);
    let mut actor = start(&vhost).await;
    actor.set("overwatcher").await;
    let heartbeat = ecp.wait_for_heartbeats(1, SOON).await.remove(0);
    let id = heartbeat.command_id.as_str();

    let status = |value: serde_json::Value| value.to_string().into_bytes();
    let bodies = [
        vec![],
        b"\xff\xfe".to_vec(),
        b"[1, 2]".to_vec(),
        b"null".to_vec(),
        vec![b'x'; 1 << 20],
        vec![b'['; 100_000],
        status(json!({ "registers": 7, "engineering_mode": [], "heartbeat_ack": 1e300 })),
        status(json!({ "registers": { "hb_ack": "yes", "dome_open": null, "hb_error": {} } })),
        status(
            json!({ "engineering_mode": { "enabled": "x" }, "heartbeat_ack": "x".repeat(100_000) }),
        ),
    ];
    let codes = [
        Some(text("i")),
        Some(text("")),
        Some(text("::")),
        Some(AMQPValue::LongInt(58)),
        Some(table(8)),
        None,
    ];
    let mut sent = 0;
    for body in bodies {
        for code in &codes {
            for id in [None, Some(id), Some("another")] {
                let message = reply(code.clone(), "lvmecp", id, body.clone());
                assert!(actor.client.publish(&message).await);
                sent += 1;
            }
        }
    }
    // An end of the very command that is under way, with ids that contradict each other, is dropped
    // as CLU's clients drop it.
    for other in [text("another"), AMQPValue::LongInt(1), AMQPValue::Void] {
        let end = reply(Some(text(":")), "lvmecp", Some(id), b"{}".to_vec());
        let end = end.with_header("command_id", other);
        assert!(actor.client.publish(&end).await);
    }
    assert!(sent > 100);
    actor.until_it_answers(SOON).await;
    assert_ne!(actor.status("/ecp/last_outcome").await, "acknowledged");
    assert_eq!(actor.status("/enclosure/dome_open").await, json!(null));
    survives(&mut actor, &vhost, "replies").await;
    // And it still works.
    ecp.on("heartbeat", Behaviour::Done);
    eventually(SOON, async || {
        actor.set("overwatcher").await;
        actor.status("/ecp/last_outcome").await == "acknowledged"
    })
    .await;
}
