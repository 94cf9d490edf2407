//! More than one broker: a RabbitMQ cluster of three nodes, and what happens when one of them dies.

use std::time::Duration;

use lvmbeat_tests::broker::Broker;
use lvmbeat_tests::chain::{self, Client};
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::dome::Dome;
use lvmbeat_tests::process::{Launch, Process};

/// For a part to do anything, while three nodes boot.
const SOON: Duration = Duration::from_secs(60);
/// The PLC's time, and how often the overwatcher beats: the defaults.
const PLC: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_secs(5);

/// The built-in configuration, with these brokers and no network to probe.
fn actor(brokers: &[&Broker]) -> (Process, ActorConfig) {
    let urls: Vec<_> = brokers.iter().map(|broker| broker.url()).collect();
    let config = ActorConfig::empty()
        .set("actor.url", urls)
        .set("actor.log_dir", serde_json::Value::Null)
        .set("network.hosts", serde_json::json!({}));
    (Launch::lvmbeat(config.actor()).start(), config)
}

/// At the default times: nothing here is scaled.
#[tokio::test]
async fn l1_the_dome_stays_open_when_the_active_actor_and_its_broker_node_die_at_once() {
    let mut first = Broker::start().await;
    let (mut second, mut third) = (first.neighbour(""), first.neighbour(""));
    tokio::join!(second.run(), third.run());
    let brokers = [&first, &second, &third];
    let (mut active, _config) = actor(&brokers);
    let opened = |line: &str| line.contains("session open");
    active.wait_for_line(SOON, opened).await;
    let (mut stand_by, _config) = actor(&brokers);
    stand_by
        .wait_for_line(SOON, |line| line.contains("standing by"))
        .await;

    let mut dome = Dome::start(["--travel", "1"]).await;
    let _ecp = chain::start_ecp(&second.url(), dome.address().port()).await;
    let _overwatcher = Client::start(&third.url(), "overwatcher", INTERVAL).await;
    dome.wait_for(0, SOON, "heartbeat_received").await;
    dome.open(SOON).await;

    let mark = dome.mark();
    tokio::join!(active.kill(), async { first.kill() });
    let next = dome.wait_for(mark, PLC, "heartbeat_received").await;
    assert_eq!(dome.state().await, "open");
    for bad in ["watchdog_expired", "dome_closing"] {
        let mut events = dome.events(bad);
        events.retain(|event| event.line.number >= mark);
        assert!(events.is_empty(), "{events:?}");
    }
    let says =
        |line: &str| line.contains("session open") && line.contains(&second.port().to_string());
    stand_by.wait_for_line(SOON, says).await;
    // It goes on.
    dome.wait_for(next.after(), SOON, "heartbeat_received")
        .await;
    assert_eq!(dome.state().await, "open");
}
