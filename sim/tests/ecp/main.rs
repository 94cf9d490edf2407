//! The lvmecp stand-in on the broker in memory, under paused time, with the PLC behind it.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use lvmbeat::clu::BusError;
use lvmbeat::clu::bus::{Bus as _, Header, Message, SessionSpec};
use lvmbeat::clu::client::{CommandError, CommandOptions, connect};
use lvmbeat::clu::message::{Code, decode_reply, encode_command};
use serde_json::{Value, json};
use sim::ecp::{DirectPort, EcpEvent};
use sim::plc::{Coil, Holding};
use sim::{Ecp, EcpConfig, Fault};
use tokio::time::{sleep, timeout};

use chain::{Chain, clock, limit, lvmbeat};

mod chain;
mod dome;
mod port;

#[tokio::test(start_paused = true)]
async fn heartbeat_writes_the_coil_and_is_done_without_keywords() {
    let chain = Chain::start().await;
    assert_eq!(chain.replies("heartbeat").await, [(Code::Done, json!({}))]);
    assert_eq!(chain.plc.snapshot().heartbeats, 1);
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_that_cannot_be_written_fails_in_a_bounded_time() {
    let chain = Chain::start().await;
    for (fault, seconds) in [
        (Fault::WriteException, 0),
        (Fault::ConnectionDrop, 0),
        (Fault::HalfOpen, 5),
    ] {
        chain.plc.set_fault(fault, true);
        let sent = tokio::time::Instant::now();
        let failed = (Code::Failed, json!({"error": "Failed to set heartbeat."}));
        assert_eq!(chain.last("heartbeat").await, failed, "{fault}");
        assert_eq!(sent.elapsed().as_secs(), seconds, "{fault}");
        chain.plc.set_fault(fault, false);
    }
    assert_eq!(chain.plc.snapshot().heartbeats, 0);
    assert_eq!(chain.last("heartbeat").await.0, Code::Done);
}

#[tokio::test(start_paused = true)]
async fn status_tells_the_registers_and_what_they_mean() {
    let chain = Chain::start().await;
    let before = chain.keywords("status").await;
    assert_eq!(before["heartbeat_ack"], Value::Null);
    chain.last("heartbeat").await;
    chain.plc.set_fault(Fault::Rain, true);
    let keywords = chain.keywords("status").await;
    let registers = keywords["registers"].as_object().unwrap();
    assert_eq!(registers.len(), Coil::ALL.len() + Holding::ALL.len());
    for (name, value) in [
        ("hb_ack", json!(true)),
        ("hb_error", json!(false)),
        ("dome_open", json!(false)),
        ("dome_closed", json!(true)),
        ("rain_sensor_alarm", json!(true)),
        ("oxygen_read_utilities_room", json!(209)),
    ] {
        assert_eq!(registers[name], value, "{name}");
    }
    for (name, value) in [
        ("dome_status", json!("0x8002")),
        ("dome_status_labels", json!("CLOSED,DRIVE_AVAILABLE")),
        ("dome_percent_open", json!(0.0)),
        ("safety_status", json!("0x1006")),
        (
            "safety_status_labels",
            json!("DOOR_CLOSED,DOOR_LOCKED,RAIN_SENSOR_ALARM"),
        ),
        ("lights", json!("0x0")),
        ("lights_labels", json!("")),
        ("o2_percent_utilities", json!(20.9)),
    ] {
        assert_eq!(keywords[name], value, "{name}");
    }
    assert_eq!(keywords["engineering_mode"]["enabled"], json!(false));
    assert_eq!(
        keywords["engineering_mode"]["plc_software_bypass_mode"],
        json!("none")
    );
    let acknowledged = keywords["heartbeat_ack"].as_str().unwrap();
    assert!(
        acknowledged.parse::<jiff::Timestamp>().is_ok(),
        "{acknowledged}"
    );
}

#[tokio::test(start_paused = true)]
async fn status_without_registers_has_none() {
    let chain = Chain::start().await;
    let keywords = chain.keywords("status --no-registers").await;
    assert!(!keywords.contains_key("registers"));
    assert!(keywords.contains_key("dome_status"));
}

#[tokio::test(start_paused = true)]
async fn status_fails_when_the_plc_cannot_be_read() {
    let chain = Chain::start().await;
    chain.plc.set_fault(Fault::ReadException, true);
    let (code, body) = chain.last("status").await;
    assert_eq!(code, Code::Failed);
    assert!(
        body["error"].as_str().unwrap().contains("device failure"),
        "{body}"
    );
}

#[tokio::test(start_paused = true)]
async fn everybody_hears_its_status_every_30_seconds() {
    let chain = Chain::start().await;
    let mut ear = chain.ear().await;
    let mut heard = Vec::new();
    let start = tokio::time::Instant::now();
    let _ = timeout(Duration::from_secs(95), async {
        while let Some(message) = ear.replies.next().await {
            let reply = decode_reply(&message).unwrap();
            assert_eq!(reply.sender.as_deref(), Some("lvmecp"));
            assert_eq!(message.routing_key, "reply.lvmecp.lvmecp");
            assert!(reply.internal);
            if reply.body.contains_key("registers") {
                heard.push(start.elapsed().as_secs());
            }
        }
    })
    .await;
    assert_eq!(heard[heard.len() - 3..], [30, 60, 90]);
}

#[tokio::test(start_paused = true)]
async fn what_lvmbeat_says_of_the_network_is_written_to_the_plc() {
    let chain = Chain::start().await;
    let failure = || chain.plc.access(|plc| plc.coil(Coil::NetworkFailure));
    for (network, fails) in [
        (json!({"lco": true, "internet": false}), true),
        (
            json!({"lco": true, "internet": true, "outside": false}),
            false,
        ),
        (json!({"lco": false, "internet": true}), true),
        // What is not mentioned is up.
        (json!({}), false),
    ] {
        let actor = lvmbeat(&chain.broker, network.clone()).await;
        sleep(Duration::from_secs(36)).await;
        assert_eq!(failure(), fails, "{network}");
        actor.abort();
        let _ = actor.await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_of_lvmbeat_the_plc_keeps_what_it_has() {
    let chain = Chain::start().await;
    chain.plc.access(|plc| plc.set(Coil::NetworkFailure, true));
    sleep(Duration::from_secs(100)).await;
    assert!(chain.plc.access(|plc| plc.coil(Coil::NetworkFailure)));
}

#[tokio::test(start_paused = true)]
async fn in_engineering_mode_it_beats_by_itself_until_that_ends() {
    let chain = Chain::start_with(EcpConfig {
        engineering_limit: Duration::from_secs(100),
        ..EcpConfig::default()
    })
    .await;
    let (code, body) = chain
        .last("engineering-mode enable --software-bypass")
        .await;
    assert_eq!(code, Code::Done);
    assert_eq!(body["engineering_mode"]["enabled"], true);
    assert_eq!(
        body["engineering_mode"]["plc_software_bypass_mode"],
        "remote"
    );
    assert!(body["engineering_mode"]["ends_at"].is_string());
    sleep(Duration::from_secs(51)).await;
    assert_eq!(chain.plc.snapshot().heartbeats, 11);
    sleep(Duration::from_secs(100)).await;
    assert_eq!(chain.plc.snapshot().heartbeats, 20);
    let (_, body) = chain.last("engineering-mode status").await;
    assert_eq!(body["engineering_mode"]["enabled"], false);
    chain.last("engineering-mode on").await;
    let (_, body) = chain.last("engineering-mode off").await;
    assert_eq!(body["engineering_mode"]["enabled"], false);
    assert_eq!(body["engineering_mode"]["plc_software_bypass"], false);
}

#[tokio::test(start_paused = true)]
async fn what_every_actor_answers_is_answered() {
    let chain = Chain::start().await;
    assert_eq!(
        chain.last("ping").await,
        (Code::Done, json!({"text": "Pong."}))
    );
    assert!(chain.keywords("version").await["version"].is_string());
    let schema = chain.keywords("get_schema").await;
    let schema: Value = serde_json::from_str(schema["schema"].as_str().unwrap()).unwrap();
    assert!(schema["properties"]["registers"].is_object());
    for command in [
        "",
        "frobnicate",
        "dome",
        "dome fly",
        "heartbeat now",
        "status \"",
    ] {
        assert_eq!(chain.last(command).await.0, Code::Failed, "{command}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_keyword_of_status_is_in_the_schema() {
    let chain = Chain::start().await;
    let schema = sim::ecp::schema();
    for (name, _) in chain.keywords("status").await {
        assert!(!schema["properties"][&name].is_null(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn x2_what_is_no_command_stops_nothing() {
    let chain = Chain::start().await;
    let ear = chain.ear().await;
    let mut task = encode_command("gort", "lvmecp", "ping", "1", false, None);
    task.headers.insert("task".to_owned(), Header::Bool(true));
    let mut broken = encode_command("gort", "lvmecp", "ping", "2", false, None);
    broken.body = b"{".to_vec();
    let empty = Message {
        routing_key: "command.lvmecp".to_owned(),
        ..Message::default()
    };
    for message in [task, broken, empty] {
        ear.publisher.publish(message).await.unwrap();
    }
    assert_eq!(chain.last("ping").await.0, Code::Done);
}

#[tokio::test(start_paused = true)]
async fn s3_while_it_hangs_nothing_happens_and_then_it_goes_on_where_it_was() {
    let chain = Chain::start().await;
    chain.ecp.hang(true);
    let options = CommandOptions {
        internal: false,
        expiration: Some(Duration::from_secs(3)),
        limit: Duration::from_secs(10),
    };
    for _ in 0..3 {
        let beaten = chain
            .client
            .client
            .command("lvmecp", "heartbeat", options)
            .await;
        assert!(matches!(beaten, Err(CommandError::TimedOut { .. })));
    }
    assert_eq!(chain.plc.snapshot().heartbeats, 0);
    chain.ecp.hang(false);
    assert_eq!(chain.last("ping").await.0, Code::Done);
    sleep(Duration::from_secs(1)).await;
    // What had been handed over when it froze is done late; what waited in the queue has expired.
    assert_eq!(chain.plc.snapshot().heartbeats, 1);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_comes_back_finds_it_again() {
    let chain = Chain::start().await;
    let mut events = chain.ecp.events();
    chain.broker.set_up(false);
    assert!(matches!(
        events.recv().await.unwrap(),
        EcpEvent::Disconnected { .. }
    ));
    sleep(Duration::from_secs(60)).await;
    chain.broker.set_up(true);
    let connected = timeout(Duration::from_secs(3), events.recv()).await;
    assert!(matches!(connected.unwrap().unwrap(), EcpEvent::Connected));
    let client = connect(&chain.broker, "gort").await.unwrap();
    let pong = client
        .client
        .command("lvmecp", "ping", limit(5))
        .await
        .unwrap();
    assert_eq!(pong.code, Code::Done);
}

#[tokio::test(start_paused = true)]
async fn one_command_too_many_fails_at_once() {
    let chain = Chain::start().await;
    chain.plc.set_fault(Fault::HalfOpen, true);
    let all = futures_util::future::join_all((0..80).map(|_| chain.command("heartbeat"))).await;
    let errors: Vec<_> = all
        .into_iter()
        .map(|finished| finished.unwrap().replies.pop().unwrap().body["error"].clone())
        .collect();
    let refused = errors
        .iter()
        .filter(|error| **error == "Too many commands at a time.")
        .count();
    assert!((1..=17).contains(&refused), "{refused}");
    chain.plc.set_fault(Fault::HalfOpen, false);
    assert_eq!(chain.last("heartbeat").await.0, Code::Done);
}

#[tokio::test(start_paused = true)]
async fn ended_in_order_its_name_is_free() {
    let mut chain = Chain::start().await;
    chain.ecp.hang(true);
    let spec = SessionSpec::client("lvmecp");
    assert!(matches!(
        chain.broker.open(&spec).await,
        Err(BusError::Locked { .. })
    ));
    let nobody = Ecp::start(
        EcpConfig {
            name: "nobody".to_owned(),
            ..EcpConfig::default()
        },
        Arc::new(chain.broker.clone()),
        Arc::new(DirectPort {
            plc: chain.plc.clone(),
            limit: Duration::from_secs(1),
            delay: Duration::from_secs(1),
        }),
        clock(),
    );
    std::mem::replace(&mut chain.ecp, nobody).end().await;
    chain.broker.open(&spec).await.unwrap();
}
