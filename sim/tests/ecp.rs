//! The lvmecp stand-in on the broker in memory, under paused time, with the PLC behind it.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use lvmbeat::clock::{Clock, RuntimeClock};
use lvmbeat::clu::bus::{Bus, CommandQueue, Header, Message, Session, SessionSpec};
use lvmbeat::clu::client::{CommandError, CommandOptions, Connected, Finished, connect};
use lvmbeat::clu::message::{
    Code, Reply, decode_command, decode_reply, encode_command, encode_reply, keyword,
};
use lvmbeat::clu::{BusError, LocalBroker};
use serde_json::{Value, json};
use sim::ecp::{DirectPort, EcpEvent, ModbusPort, PlcPort};
use sim::plc::{CloseCause, Coil, DomeState, Event, Holding, PlcConfig, StopCause};
use sim::{Ecp, EcpConfig, Fault, LivePlc, Simulator, SimulatorConfig};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

struct Chain {
    broker: LocalBroker,
    plc: LivePlc,
    ecp: Ecp,
    client: Connected,
    clock: JoinHandle<()>,
}

impl Drop for Chain {
    fn drop(&mut self) {
        self.clock.abort();
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(RuntimeClock::new(jiff::Timestamp::UNIX_EPOCH))
}

impl Chain {
    async fn start() -> Self {
        Self::start_with(EcpConfig::default()).await
    }

    async fn start_with(config: EcpConfig) -> Self {
        let broker = LocalBroker::new();
        let clock = clock();
        let plc = LivePlc::new(PlcConfig::default(), Arc::clone(&clock), 1.0);
        let port = DirectPort {
            plc: plc.clone(),
            limit: Duration::from_secs(5),
            delay: Duration::from_secs(2),
        };
        let ecp = Ecp::start(config, Arc::new(broker.clone()), Arc::new(port), clock);
        assert_eq!(ecp.events().recv().await.unwrap(), EcpEvent::Connected);
        Self {
            client: connect(&broker, "gort").await.unwrap(),
            clock: tokio::spawn(plc.clone().keep_looking()),
            broker,
            plc,
            ecp,
        }
    }

    async fn command(&self, command: &str) -> Result<Finished, CommandError> {
        let options = CommandOptions {
            internal: false,
            expiration: None,
            limit: Duration::from_secs(400),
        };
        self.client.client.command("lvmecp", command, options).await
    }

    /// The command's replies after the first.
    async fn replies(&self, command: &str) -> Vec<(Code, Value)> {
        let finished = self.command(command).await.unwrap();
        let (first, rest) = finished.replies.split_first().unwrap();
        assert_eq!((first.code, first.internal), (Code::Running, true));
        assert!(first.body.is_empty());
        let told = |reply: &Reply| (reply.code, Value::Object(reply.body.clone()));
        rest.iter().map(told).collect()
    }

    async fn last(&self, command: &str) -> (Code, Value) {
        self.replies(command).await.pop().unwrap()
    }

    /// All keywords of a command's replies.
    async fn keywords(&self, command: &str) -> serde_json::Map<String, Value> {
        let finished = self.command(command).await.unwrap();
        assert_eq!(finished.code, Code::Done);
        finished
            .replies
            .into_iter()
            .flat_map(|reply| reply.body)
            .collect()
    }

    /// Somebody who only hears.
    async fn ear(&self) -> Session {
        let spec = SessionSpec {
            name: "ear".to_owned(),
            commands: None,
        };
        self.broker.open(&spec).await.unwrap()
    }
}

/// A `lvmbeat` that says that the network is like that.
async fn lvmbeat(broker: &LocalBroker, network: Value) -> JoinHandle<()> {
    let spec = SessionSpec {
        name: "lvmbeat".to_owned(),
        commands: Some(CommandQueue {
            ttl: Duration::from_secs(5),
        }),
    };
    let mut session = broker.open(&spec).await.unwrap();
    tokio::spawn(async move {
        while let Some(message) = session.commands.next().await {
            let command = decode_command(&message).unwrap();
            assert_eq!(command.command_string, "status");
            assert!(command.address.internal);
            let body = keyword("network", network.clone());
            let wall = jiff::Timestamp::UNIX_EPOCH;
            let reply = encode_reply("lvmbeat", &command.address, Code::Done, &body, wall);
            session.publisher.publish(reply).await.unwrap();
        }
    })
}

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
async fn l1_a_dome_whose_heartbeats_come_stays_open_and_s4_closes_when_they_stop() {
    let chain = Chain::start().await;
    chain.last("heartbeat").await;
    let opened = chain.client.client.clone();
    let opening = tokio::spawn(async move {
        let options = CommandOptions {
            internal: false,
            expiration: None,
            limit: Duration::from_secs(400),
        };
        opened
            .command("lvmecp", "dome open", options)
            .await
            .unwrap()
            .code
    });
    for _ in 0..60 {
        sleep(Duration::from_secs(10)).await;
        chain.last("heartbeat").await;
    }
    assert_eq!(opening.await.unwrap(), Code::Done);
    assert_eq!(chain.plc.snapshot().dome, DomeState::Open);
    assert!(chain.plc.snapshot().smallest_countdown > embassy_time::Duration::from_secs(49));
    sleep(Duration::from_millis(59_900)).await;
    assert_eq!(chain.plc.snapshot().dome, DomeState::Open);
    sleep(Duration::from_millis(200)).await;
    assert_eq!(chain.plc.snapshot().dome, DomeState::Closing);
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
        // What is not told is up.
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
async fn the_dome_is_opened_closed_and_told_of() {
    let chain = Chain::start_with(EcpConfig::default()).await;
    let beats = chain.client.client.clone();
    let overwatcher = tokio::spawn(async move {
        let options = CommandOptions {
            internal: false,
            expiration: None,
            limit: Duration::from_secs(5),
        };
        loop {
            beats.command("lvmecp", "heartbeat", options).await.unwrap();
            sleep(Duration::from_secs(10)).await;
        }
    });
    let replies = chain.replies("dome open").await;
    assert_eq!(replies[0], (Code::Info, json!({"text": "Opening dome."})));
    assert_eq!(replies[1].1["dome_status_labels"], "OPEN,DRIVE_AVAILABLE");
    assert_eq!(
        replies[2],
        (Code::Done, json!({"text": "Dome is now open."}))
    );
    assert_eq!(chain.plc.snapshot().dome, DomeState::Open);
    // Once more there is nothing to do.
    let again = tokio::time::Instant::now();
    assert_eq!(chain.last("dome open").await.0, Code::Done);
    assert!(again.elapsed() < Duration::from_secs(1));
    assert_eq!(
        chain.last("dome close --overcurrent").await,
        (Code::Done, json!({"text": "Dome is now closed."}))
    );
    assert!(!chain.plc.access(|plc| plc.coil(Coil::DriveModeOvercurrent)));
    assert_eq!(
        chain.keywords("dome status").await["dome_percent_open"],
        0.0
    );
    overwatcher.abort();
}

#[tokio::test(start_paused = true)]
async fn a_moving_dome_is_stopped_and_turned() {
    let chain = Chain::start().await;
    let client = chain.client.client.clone();
    let opening = tokio::spawn(async move {
        let options = CommandOptions {
            internal: false,
            expiration: None,
            limit: Duration::from_secs(400),
        };
        client
            .command("lvmecp", "dome open", options)
            .await
            .unwrap()
    });
    sleep(Duration::from_secs(20)).await;
    assert_eq!(chain.plc.snapshot().dome, DomeState::Opening);
    assert_eq!(chain.last("dome stop").await, (Code::Done, json!({})));
    assert_eq!(chain.plc.snapshot().dome, DomeState::Stopped);
    let finished = opening.await.unwrap();
    assert_eq!(finished.code, Code::Failed);
    let error = finished.replies.last().unwrap().body["error"]
        .as_str()
        .unwrap();
    assert!(
        error.starts_with("Dome failed to open with error"),
        "{error}"
    );
    assert_eq!(chain.last("dome close").await.0, Code::Done);
}

#[tokio::test(start_paused = true)]
async fn a_dome_that_opens_is_stopped_for_a_while_before_it_is_closed() {
    let chain = Chain::start().await;
    chain.plc.access(|plc| {
        plc.set(Coil::MotorDirection, true);
        plc.set(Coil::DriveEnabled, true);
    });
    sleep(Duration::from_secs(20)).await;
    let mut events = chain.plc.events();
    assert_eq!(chain.last("dome close").await.0, Code::Done);
    let mut seen = Vec::new();
    while let Ok(record) = events.try_recv() {
        seen.push((record.at.as_secs(), record.event));
    }
    let (stopped, closing) = (StopCause::Command, CloseCause::Command);
    assert_eq!(
        seen,
        [
            (20, Event::DomeStopped { cause: stopped }),
            (25, Event::DomeClosing { cause: closing }),
            (45, Event::DomeClosed),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_dome_is_not_moved_where_that_is_refused() {
    let chain = Chain::start().await;
    for fault in [Fault::Local, Fault::EStop, Fault::DriveError] {
        chain.plc.set_fault(fault, true);
        let (code, _) = chain.last("dome open").await;
        assert_eq!(code, Code::Failed, "{fault}");
        chain.plc.set_fault(fault, false);
        chain.plc.access(|plc| plc.set(Coil::ERelayReset, true));
        assert_eq!(chain.last("dome reset").await.0, Code::Done);
    }
    assert_eq!(chain.plc.snapshot().dome, DomeState::Closed);
    assert!(!chain.plc.snapshot().drive_error);
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
    assert_eq!(connected.unwrap().unwrap(), EcpEvent::Connected);
    let client = connect(&chain.broker, "gort").await.unwrap();
    let options = CommandOptions {
        internal: false,
        expiration: None,
        limit: Duration::from_secs(5),
    };
    let pong = client
        .client
        .command("lvmecp", "ping", options)
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
    let spec = SessionSpec {
        name: "lvmecp".to_owned(),
        commands: None,
    };
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

/// Real sockets: the time is real, too.
#[tokio::test]
async fn by_modbus_it_reads_and_writes_what_it_does_directly() {
    let simulator = Simulator::start(SimulatorConfig::default()).await.unwrap();
    let modbus = ModbusPort {
        address: simulator.local_addr(),
        limit: Duration::from_secs(5),
    };
    let direct = DirectPort {
        plc: simulator.plc().clone(),
        limit: Duration::from_secs(5),
        delay: Duration::ZERO,
    };
    modbus.write(Coil::NetworkFailure, true).await.unwrap();
    simulator.set_fault(Fault::Rain, true);
    let (read, direct) = (modbus.read().await.unwrap(), direct.read().await.unwrap());
    for coil in Coil::ALL {
        assert_eq!(read.coil(*coil), direct.coil(*coil), "{coil:?}");
    }
    for register in Holding::ALL {
        assert_eq!(
            read.holding(*register),
            direct.holding(*register),
            "{register:?}"
        );
    }
    assert!(read.coil(Coil::NetworkFailure));
}

#[tokio::test]
async fn by_modbus_every_failure_is_told_in_time() {
    let simulator = Simulator::start(SimulatorConfig::default()).await.unwrap();
    let port = ModbusPort {
        address: simulator.local_addr(),
        limit: Duration::from_millis(200),
    };
    for fault in [
        Fault::WriteException,
        Fault::ConnectionDrop,
        Fault::HalfOpen,
        Fault::ResponseDelay,
    ] {
        simulator.set_fault(fault, true);
        let written = timeout(Duration::from_secs(5), port.write(Coil::CrNew, true)).await;
        assert!(written.expect("not in time").is_err(), "{fault}");
        simulator.set_fault(fault, false);
        port.write(Coil::CrNew, true).await.unwrap();
    }
    simulator.end().await;
    assert!(port.read().await.is_err());
}
