//! A broker that is short of memory blocks all who publish: that is a stall of everybody (S3, S5).

use std::time::Duration;

use lvmbeat_tests::actor::Actor;
use lvmbeat_tests::broker::Broker;
use lvmbeat_tests::client::{RawClient, Reply};
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::ecp::FakeEcp;
use lvmbeat_tests::port::Port;
use lvmbeat_tests::{eventually, http, throughout};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(30);

/// With room for a heartbeat to be fresh long after the alarm.
fn config(url: &str, http: &Port) -> ActorConfig {
    ActorConfig::new(url)
        .set(
            "heartbeats",
            serde_json::json!([
                {"name": "overwatcher", "critical": true, "timeout": 60, "interval": 1}
            ]),
        )
        .set("actor.attention", 10)
        .set("ecp.plc_timeout", 60)
        .set("max_close_after", 300)
        .set("actor.http", http.address().to_string())
}

async fn watermark(broker: &Broker, fraction: &str) {
    let set = format!("vm_memory_monitor:set_vm_memory_high_watermark({fraction})");
    broker.control().eval(&set).await;
    let alarms = if fraction == "0.0" { "[_|_]" } else { "[]" };
    eventually(SOON, async || {
        let is = format!("case rabbit_alarm:get_alarms() of {alarms} -> yes; A -> A end");
        let is = broker.control().eval(&is).await;
        (is == "yes").then_some(()).ok_or(is)
    })
    .await;
}

#[tokio::test]
async fn s3_s4_s5_what_waited_while_the_broker_blocked_does_not_count_and_the_block_is_named() {
    let broker = Broker::start().await;
    let http = Port::reserve();
    let ecp = FakeEcp::start(&broker.url()).await;
    let mut actor = Actor::start(config(&broker.url(), &http), &broker.url()).await;
    eventually(SOON, async || {
        // On a busy machine what arrives may be too old to count.
        let _ = actor.client.beat("lvmbeat", "overwatcher", SOON).await;
        !ecp.heartbeats().is_empty()
    })
    .await;
    eventually(SOON, async || actor.status("/ecp/in_flight").await == false).await;
    let emitted = ecp.heartbeats().len();
    let mark = actor.process.mark();

    watermark(&broker, "0.0").await;
    let blocked = |line: &str| line.contains("the broker blocks all who publish (low on memory)");
    actor.process.wait_for_line_after(mark, SOON, blocked).await;
    // Sent while all is stalled: they arrive when it ends.
    let (mut waiting, place) = (Vec::new(), actor.client.reply_count());
    for _ in 0..5 {
        let set = actor.client.outgoing("lvmbeat", "set overwatcher");
        waiting.push(set.id());
        let published = actor.client.publish(&set);
        let _ = timeout(Duration::from_millis(500), published).await;
    }
    let (status, text) = http::get(http.address(), "/readyz").await.unwrap();
    assert_eq!(status, 503);
    assert!(
        text.starts_with("the broker blocks all who publish\n"),
        "{text}"
    );
    // The broker keeps the queue of a connection that it does not read. That is nobody else.
    throughout(Duration::from_secs(3), async || {
        let lines = actor.process.lines();
        let after = lines.iter().filter(|line| line.number >= mark);
        !after.clone().any(|line| line.text.contains("standing by"))
            && !after.clone().any(|line| line.text.contains("session open"))
            && after.filter(|line| blocked(&line.text)).count() <= 2
    })
    .await;

    let mark = actor.process.mark();
    watermark(&broker, "0.6").await;
    actor.until_session(mark, SOON).await;
    throughout(Duration::from_secs(2), async || {
        ecp.heartbeats().len() == emitted
    })
    .await;
    let replies = actor.client.replies_since(place);
    let counted = |reply: &Reply| {
        reply.code() == ":" && waiting.contains(&reply.command_id().unwrap_or_default())
    };
    assert!(!replies.iter().any(counted), "{replies:?}");
    actor.client = RawClient::connect(&broker.url(), "another").await;
    actor.until_it_answers(SOON).await;
    assert_eq!(actor.status("/hold/fault").await, true);
    eventually(SOON, async || {
        let _ = actor.client.beat("lvmbeat", "overwatcher", SOON).await;
        ecp.heartbeats().len() > emitted
    })
    .await;
}
