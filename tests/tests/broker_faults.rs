//! Whatever happens to RabbitMQ or to the way to it, the actor is back soon, and knows nothing
//! (S5).

use std::time::Duration;

use lvmbeat_tests::actor::Actor;
use lvmbeat_tests::broker::{self, Broker, Vhost};
use lvmbeat_tests::client::RawClient;
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::ecp::FakeEcp;
use lvmbeat_tests::process::Launch;
use lvmbeat_tests::proxy::Proxy;
use lvmbeat_tests::{eventually, throughout};
use tokio::time::Instant;

const SOON: Duration = Duration::from_secs(15);
/// From the path being whole to the answer to a ping.
const BACK: Duration = Duration::from_secs(5);
const AMQP_HEARTBEAT: Duration = Duration::from_secs(2);

/// Two critical heartbeats that last longer than any test, so that only a new session can make the
/// actor forget them.
fn config(url: &str) -> ActorConfig {
    let heartbeat =
        |name| serde_json::json!({ "name": name, "critical": true, "timeout": 100, "interval": 1 });
    ActorConfig::new(url)
        .set(
            "heartbeats",
            vec![heartbeat("overwatcher"), heartbeat("second")],
        )
        .set("actor.command_ttl", 4)
        .set("actor.attention", 10)
        .set("actor.amqp_heartbeat", AMQP_HEARTBEAT.as_secs())
        .set("ecp.cutoff", 0.3)
        .set("ecp.retry", 0.2)
        .set("ecp.expiration", 4)
        .set("ecp.command_timeout", 4)
        .set("ecp.plc_timeout", 60)
        .set("max_close_after", 400)
}

/// Both beat, and the dome heartbeat is emitted.
async fn emit(actor: &Actor, ecp: &FakeEcp) {
    let before = ecp.heartbeats().len();
    eventually(SOON, async || {
        actor.set("second").await;
        actor.set("overwatcher").await;
        ecp.heartbeats().len() > before
    })
    .await;
    eventually(SOON, async || actor.status("/ecp/in_flight").await == false).await;
}

/// S5: nothing is emitted until both have beaten anew.
async fn both_have_to_beat_anew(actor: &Actor, ecp: &FakeEcp) {
    let before = ecp.received().len();
    throughout(Duration::from_secs(1), async || {
        actor.set("overwatcher").await;
        ecp.received().len() == before
    })
    .await;
    assert_eq!(actor.status("/hold/reason").await, "heartbeat_never_seen");
    actor.set("second").await;
    eventually(SOON, async || ecp.received().len() > before).await;
}

/// An actor behind a proxy, emitting.
struct Scene {
    actor: Actor,
    ecp: FakeEcp,
    proxy: Proxy,
    vhost: Vhost,
}

impl Scene {
    async fn start() -> Self {
        let vhost = broker::inspectable_vhost().await;
        let (host, port) = vhost.address();
        let proxy = Proxy::start((&host, port)).await;
        let ecp = FakeEcp::start(&vhost.url()).await;
        let actor = Actor::start(config(&vhost.url_via(proxy.port())), &vhost.url()).await;
        emit(&actor, &ecp).await;
        Self {
            actor,
            ecp,
            proxy,
            vhost,
        }
    }

    /// A new session is open after that place in the output, answers within the limit from `whole`,
    /// and knows nothing.
    async fn is_back(&mut self, mark: u64, whole: Instant, limit: Duration) {
        self.actor.until_session(mark, limit).await;
        self.actor
            .until_it_answers(limit.saturating_sub(whole.elapsed()))
            .await;
        both_have_to_beat_anew(&self.actor, &self.ecp).await;
        assert!(self.actor.process.is_running());
    }
}

#[tokio::test]
async fn s5_a_broker_that_is_down_at_start_is_waited_for_and_reported_once() {
    let mut broker = Broker::stopped();
    let url = broker.url();
    let config = config(&url);
    let mut process = Launch::lvmbeat(config.actor()).start();
    let says = |line: &str| line.contains("no session with the broker; trying again");
    process.wait_for_line(SOON, says).await;
    // Many attempts, one line.
    throughout(Duration::from_secs(4), async || {
        let lines = process.lines();
        lines.iter().filter(|line| says(&line.text)).count() == 1
    })
    .await;

    let mark = process.mark();
    broker.run().await;
    process
        .wait_for_line_after(mark, BACK, |line| line.contains("session open"))
        .await;
    let ecp = FakeEcp::start(&url).await;
    let actor = Actor::of(process, config, RawClient::connect(&url, "tester").await);
    actor.until_it_answers(BACK).await;
    both_have_to_beat_anew(&actor, &ecp).await;
}

#[tokio::test]
async fn s5_a_broker_that_is_killed_and_restarted_is_used_again_and_nothing_is_remembered() {
    let mut broker = Broker::start().await;
    let vhost = broker.vhost().await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    let mut actor = Actor::start(config(&vhost.url()), &vhost.url()).await;
    emit(&actor, &ecp).await;
    let mark = actor.process.mark();
    broker.kill();
    actor
        .process
        .wait_for_line_after(mark, SOON, |line| line.contains("session lost"))
        .await;
    broker.run().await;
    let whole = Instant::now();
    actor.until_session(mark, BACK).await;
    actor.client = RawClient::connect(&vhost.url(), "tester").await;
    actor
        .until_it_answers(BACK.saturating_sub(whole.elapsed()))
        .await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    both_have_to_beat_anew(&actor, &ecp).await;
}

#[tokio::test]
async fn s5_a_connection_that_the_broker_closes_is_opened_again_and_nothing_is_remembered() {
    let mut scene = Scene::start().await;
    let mark = scene.actor.process.mark();
    scene.vhost.close_connection_of("lvmbeat_commands").await;
    scene.is_back(mark, Instant::now(), BACK).await;
}

#[tokio::test]
async fn s5_a_connection_that_is_reset_is_opened_again_and_nothing_is_remembered() {
    let mut scene = Scene::start().await;
    let mark = scene.actor.process.mark();
    scene.proxy.cut();
    scene.is_back(mark, Instant::now(), BACK).await;
}

#[tokio::test]
async fn s5_a_deleted_command_queue_is_declared_again_and_nothing_is_remembered() {
    let mut scene = Scene::start().await;
    let mark = scene.actor.process.mark();
    scene.vhost.delete_queue("lvmbeat_commands").await;
    scene.is_back(mark, Instant::now(), BACK).await;
}

#[tokio::test]
async fn s5_a_deleted_replies_queue_is_declared_again_and_nothing_is_remembered() {
    let mut scene = Scene::start().await;
    let mark = scene.actor.process.mark();
    scene.vhost.delete_queue("lvmbeat_replies").await;
    scene.is_back(mark, Instant::now(), BACK).await;
}

#[tokio::test]
async fn s5_a_half_open_connection_is_given_up_and_nothing_is_remembered() {
    let mut scene = Scene::start().await;
    let mark = scene.actor.process.mark();
    scene.proxy.half_open();
    // The broker keeps the queue locked until it, too, has noticed.
    let limit = AMQP_HEARTBEAT * 3 + BACK;
    scene.is_back(mark, Instant::now(), limit).await;
}

#[tokio::test]
async fn s5_the_lock_of_a_half_open_predecessor_is_waited_out() {
    let mut scene = Scene::start().await;
    scene.proxy.half_open();
    let whole = Instant::now();
    // As a machine that is gone: its broker is not informed.
    scene.actor.process.kill().await;
    let config = config(&scene.vhost.url_via(scene.proxy.port()));
    let mut process = Launch::lvmbeat(config.actor()).start();
    process
        .wait_for_line(SOON, |line| line.contains("standing by"))
        .await;
    scene.actor = Actor::of(process, config, scene.actor.client);
    scene.is_back(0, whole, AMQP_HEARTBEAT * 3 + BACK).await;
}
