//! More than one broker: a RabbitMQ cluster of three nodes, of which one dies while the dome is
//! open. At the default times: nothing here is scaled.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::time::Duration;

use lvmbeat_tests::broker::Broker;
use lvmbeat_tests::chain::{self, Client};
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::dome::Dome;
use lvmbeat_tests::eventually;
use lvmbeat_tests::port::Port;
use lvmbeat_tests::process::{Launch, Process};
use serde_json::{Value, json};

/// For a part to do anything, while three nodes boot.
const SOON: Duration = Duration::from_secs(90);
/// The PLC's time, and how often the overwatcher beats: the defaults.
const PLC: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_secs(5);
/// As config/DEPLOY.md says: so a node that is frozen is soon known to be dead.
const SETTINGS: &str = "net_ticktime = 8\n";

/// The built-in configuration, with these brokers and no network to probe.
fn config(brokers: [&Broker; 2], management: &Port) -> ActorConfig {
    ActorConfig::empty()
        .set("actor.url", brokers.map(|it| it.url()).to_vec())
        .set("actor.log_dir", Value::Null)
        .set(
            "actor.management_url",
            format!("http://{}", management.address()),
        )
        .set("network.hosts", json!({}))
}

fn actor(config: &ActorConfig) -> Process {
    Launch::lvmbeat(config.actor()).start()
}

/// An actor has a session with that node.
async fn opened(actor: &mut Process, broker: &Broker) {
    let port = broker.port().to_string();
    let says = |line: &str| line.contains("session open") && line.contains(&port);
    actor.wait_for_line(SOON, says).await;
}

/// L1: the PLC hears the next heartbeats, and in time.
async fn stays_open(dome: &mut Dome, mark: u64) {
    let next = dome.wait_for(mark, PLC, "heartbeat_received").await;
    dome.wait_for(next.after(), PLC, "heartbeat_received").await;
    assert_eq!(dome.state().await, "open");
    for bad in ["watchdog_expired", "dome_closing"] {
        let mut events = dome.events(bad);
        events.retain(|event| event.line.number >= mark);
        assert!(events.is_empty(), "{events:?}");
    }
}

/// What `lvmbeat doctor` says of the broker and its policies.
async fn doctor(config: &ActorConfig) -> Vec<String> {
    let file = config.write().display().to_string();
    let doctor = Launch::lvmbeat(["-c", &file, "doctor", "actor", "--json"]);
    let doctor = doctor.finish(SOON).await;
    let found: Vec<Value> = serde_json::from_str(&doctor.stdout).unwrap();
    let found = found.iter().filter(|it| {
        let what = it["what"].as_str().unwrap();
        ["broker", "policies"].contains(&what)
    });
    let line = |it: &Value| {
        format!(
            "{} {}",
            it["verdict"].as_str().unwrap(),
            it["text"].as_str().unwrap()
        )
    };
    found.map(line).collect()
}

#[tokio::test]
async fn l1_the_dome_stays_open_when_the_active_actor_and_its_broker_node_die_at_once() {
    let management = Port::reserve();
    let mut first = Broker::start_with(SETTINGS).await;
    let mut second = first.neighbour(&format!(
        "{SETTINGS}management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {}\n",
        management.number()
    ));
    // The one that the clients and lvmecp are at.
    let mut third = first.neighbour(SETTINGS);
    tokio::join!(second.run(), third.run());
    let config = config([&first, &second], &management);
    let mut active = actor(&config);
    opened(&mut active, &first).await;

    let mut dome = Dome::start(["--travel", "1"]).await;
    let _ecp = chain::start_ecp(&third.url(), dome.address().port()).await;
    let _overwatcher = Client::start(&third.url(), "overwatcher", INTERVAL).await;
    dome.wait_for(0, SOON, "heartbeat_received").await;
    dome.open(SOON).await;
    // Not earlier: it would take over if the machine is too busy for the other one while it boots.
    let mut stand_by = actor(&config);
    stand_by
        .wait_for_line(SOON, |line| line.contains("standing by"))
        .await;

    let mark = dome.mark();
    tokio::join!(active.kill(), async { first.kill() });
    opened(&mut stand_by, &second).await;
    stays_open(&mut dome, mark).await;

    s3_policies_are_named(&second, &config).await;
}

/// The doctor tells of this very cluster what AMQP does not.
async fn s3_policies_are_named(node: &Broker, config: &ActorConfig) {
    let policy = "[{<<\"message-ttl\">>, 10}, {<<\"dead-letter-exchange\">>, <<\"late\">>}]";
    node.control()
        .eval(&format!(
            "ok = rabbit_policy:set(<<\"/\">>, <<\"tidy\">>, <<\"^lvmbeat_commands$\">>, {policy}, 0, <<\"queues\">>, <<\"tests\">>)"
        ))
        .await;
    // The management API counts every five seconds.
    eventually(SOON, async || {
        let found = doctor(config).await;
        let says = |words: &str| found.iter().any(|line| line.contains(words));
        let named = says("warning tidy applies to lvmbeat_commands: it drops what has waited for 10 ms, and lvmbeat allows 5000; it hands what it drops to the exchange late");
        let alive = says("does not run") && says("ok RabbitMQ 3.") && says("ok none applies to lvmbeat_replies");
        if named && alive { Ok(()) } else { Err(found) }
    })
    .await;
}
