//! A broker that is far: a session opens, and heartbeats count, with round trips of half a second
//! and of two.

use std::time::Duration;

use lvmbeat_tests::actor::Actor;
use lvmbeat_tests::broker::{self, Vhost};
use lvmbeat_tests::client::RawClient;
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::ecp::FakeEcp;
use lvmbeat_tests::eventually;
use lvmbeat_tests::process::Launch;
use lvmbeat_tests::proxy::{Flow, Proxy};
use serde_json::json;

/// Some ten round trips, among other tests.
const SOON: Duration = Duration::from_secs(60);

/// As it is at the defaults, with the two seconds' round trip in mind or not.
fn config(url: &str) -> ActorConfig {
    let heartbeats = json!([{"name": "overwatcher", "critical": true, "timeout": 30}]);
    ActorConfig::new(url)
        .set("heartbeats", heartbeats)
        .set("actor.command_ttl", 5)
        .set("actor.attention", 2)
        .set("actor.amqp_heartbeat", 4)
        .set("ecp", json!({}))
        .set("max_close_after", 180)
}

/// The client and `lvmecp` are near the broker, the actor is not.
struct Far {
    actor: Actor,
    ecp: FakeEcp,
    proxy: Proxy,
    vhost: Vhost,
}

impl Far {
    async fn start(round_trip: Duration) -> Self {
        let vhost = broker::vhost().await;
        let (host, port) = vhost.address();
        let proxy = Proxy::start((&host, port)).await;
        proxy.set(Flow::Delay(round_trip / 2));
        let ecp = FakeEcp::start(&vhost.url()).await;
        let config = config(&vhost.url_via(proxy.port()));
        let mut process = Launch::lvmbeat(config.actor()).start();
        let opened = |line: &str| line.contains("session open, waiting");
        process.wait_for_line(SOON, opened).await;
        let client = RawClient::connect(&vhost.url(), "tester").await;
        Self {
            actor: Actor::of(process, config, client),
            ecp,
            proxy,
            vhost,
        }
    }

    /// A beat counts and is passed on.
    async fn emits(&self) {
        let before = self.ecp.heartbeats().len();
        eventually(SOON, async || {
            let answer = self
                .actor
                .client
                .try_command("lvmbeat", "set overwatcher", Duration::from_secs(8))
                .await?;
            let emitted = self.ecp.heartbeats().len() > before;
            emitted.then_some(()).ok_or(format!("{answer:?}"))
        })
        .await;
        let acknowledged = async || {
            let answer = self.actor.command("status").await;
            let outcome = &answer.last().body["ecp"]["last_outcome"];
            (outcome == "acknowledged")
                .then_some(())
                .ok_or(outcome.to_string())
        };
        eventually(SOON, acknowledged).await;
    }
}

#[tokio::test]
async fn l1_a_broker_two_seconds_away_is_worked_with_at_the_defaults() {
    let far = Far::start(Duration::from_secs(2)).await;
    let connections = far.proxy.connections();
    far.emits().await;
    far.emits().await;
    assert_eq!(far.actor.sessions(), 1);
    assert_eq!(far.proxy.connections(), connections, "none was given up");
}

#[tokio::test]
async fn s3_a_set_is_as_old_as_the_round_trip_at_least() {
    let far = Far::start(Duration::from_secs(2)).await;
    far.emits().await;
    // What may be on its way for less than the round trip can never count, and says so.
    let config = config(&far.vhost.url_via(far.proxy.port())).set("actor.command_ttl", 1.5);
    drop(far.actor);
    let mut process = Launch::lvmbeat(config.actor()).start();
    let opened = |line: &str| line.contains("session open, waiting");
    process.wait_for_line(SOON, opened).await;
    let client = RawClient::connect(&far.vhost.url(), "another").await;
    let actor = Actor::of(process, config, client);
    let emitted = far.ecp.heartbeats().len();
    eventually(SOON, async || {
        let answer = actor
            .client
            .try_command("lvmbeat", "set overwatcher", Duration::from_secs(8))
            .await?;
        let error = answer.last().body["error"].to_string();
        error.contains("on its way").then_some(()).ok_or(error)
    })
    .await;
    assert_eq!(far.ecp.heartbeats().len(), emitted);
}

#[tokio::test]
async fn l1_half_a_second_is_nothing_special_and_the_command_line_knows_it_too() {
    let far = Far::start(Duration::from_millis(500)).await;
    far.emits().await;
    let config = config(&far.vhost.url_via(far.proxy.port()));
    let file = config.write().display().to_string();
    let pinged = Launch::lvmbeat(["ping", "-c", &file]).finish(SOON).await;
    assert_eq!(pinged.code(), Some(0), "{pinged:?}");
    // Of many replies not each takes a round trip.
    let (keyword, limit) = (["keyword", "journal"], ["--timeout", "8"]);
    let asked = Launch::lvmbeat(["send", "-c", &file]).args(limit);
    let told = asked.args(["lvmbeat"]).args(keyword).finish(SOON).await;
    assert_eq!(told.code(), Some(0), "{told:?}");
    assert!(told.stdout.lines().count() > 20, "{told:?}");
}

#[tokio::test]
async fn s6_a_broker_that_says_nothing_is_given_up_in_a_part_of_the_limit() {
    let vhost = broker::vhost().await;
    let (host, port) = vhost.address();
    let proxy = Proxy::start((&host, port)).await;
    proxy.set(Flow::Stall);
    let config = config(&vhost.url_via(proxy.port())).set("actor.open_timeout", 5);
    let mut process = Launch::lvmbeat(config.actor()).start();
    let silent = |line: &str| line.contains("it has been silent for 1s");
    process.wait_for_line(SOON, silent).await;
    proxy.set(Flow::Pass);
    let opened = |line: &str| line.contains("session open, waiting");
    process.wait_for_line(SOON, opened).await;
}
