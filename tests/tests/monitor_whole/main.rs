//! The whole: the real actor beats to the real monitor, over HTTP and HTTPS, with tokens, and the
//! network between them fails.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

mod doctor;
mod refused;

use std::time::Duration;

use lvmbeat_tests::authority::Authority;
use lvmbeat_tests::broker::{self, Vhost};
use lvmbeat_tests::chain;
use lvmbeat_tests::client::RawClient;
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::hook::Hook;
use lvmbeat_tests::monitor::Monitor;
use lvmbeat_tests::process::{Launch, Process};
use lvmbeat_tests::proxy::{Flow, Proxy};
use lvmbeat_tests::tls::TlsEntrance;
use lvmbeat_tests::{eventually, http};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);
const PING_TOKEN: &str = "ping-Hunter2";
const ADMIN_TOKEN: &str = "admin-Hunter2";
/// The observed silence that is an alarm, in seconds. A busy machine may keep a beat back for
/// nearly as long.
const ALERT_AFTER: f64 = 3.0;

/// A monitor that wants both tokens.
async fn monitor(hook: &Hook) -> Monitor {
    let mut monitor = Monitor::new(&[hook])
        .set("outside_monitor.send_email_after", ALERT_AFTER)
        // Nobody beats here, and that is another story: `monitor_alerts`.
        .set("monitor.held_alerts", false)
        .env("LVMBEAT_PING_TOKEN", PING_TOKEN)
        .env("LVMBEAT_ADMIN_TOKEN", ADMIN_TOKEN);
    monitor.start().await;
    monitor
}

/// A configuration for an actor that beats to that monitor several times a second.
fn config(vhost: &Vhost, url: &str) -> ActorConfig {
    chain::config(&vhost.url(), 1)
        .set("outside_monitor.url", url)
        .set("outside_monitor.interval", 0.3)
        .set("outside_monitor.timeout", 1)
}

/// The monitor says so, in `/status`.
async fn until_status(monitor: &Monitor, is_it: impl Fn(&Value) -> bool) -> Value {
    eventually(SOON, async || {
        let status = monitor.status().await;
        is_it(&status)
            .then_some(status.clone())
            .ok_or(status.to_string())
    })
    .await
}

async fn until_page(monitor: &Monitor, part: &str) {
    eventually(SOON, async || {
        let (_, page) = http::get(monitor.address(), "/").await?;
        let found = page.contains(part);
        found.then_some(()).ok_or(format!("no {part} in\n{page}"))
    })
    .await;
}

/// How the page shows the state in one word.
fn word(state: &str) -> String {
    format!("<title>{state} · LCO internet</title>")
}

/// X1: what a program has printed holds no token.
fn tells_no_token(process: &Process) {
    process.tells_none_of(&[PING_TOKEN, ADMIN_TOKEN, "Hunter2", "SHVudGVyMg"]);
}

/// The story that both ways of getting there have in common: what the actor reports is shown; the
/// network fails, and people hear of it; it is back, and they hear of that.
async fn outage(
    vhost: &Vhost,
    actor: &mut Process,
    monitor: &mut Monitor,
    hook: &Hook,
    proxy: &mut Proxy,
    cut: impl AsyncFn(&mut Proxy),
) {
    // What the actor knows is seen from outside: at first that it has heard nobody, then that it
    // has.
    let known = |status: &Value| status["last_report"]["report"].clone();
    until_status(monitor, |status| {
        known(status)["hold"]["reason"] == "heartbeat_never_seen"
    })
    .await;
    until_page(monitor, "heartbeat c0 has not been received").await;
    let client = RawClient::connect(&vhost.url(), "client").await;
    client.command("lvmbeat", "set c0", SOON).await;
    let status = until_status(monitor, |status| {
        let heartbeat = &known(status)["heartbeats"][0];
        heartbeat["name"] == "c0" && heartbeat["age"].is_number()
    })
    .await;
    assert_eq!(status["state"], "up");
    assert_eq!(status["active"], false);
    until_page(monitor, &word("HELD")).await;
    until_page(monitor, "c0").await;

    cut(proxy).await;
    eventually(SOON, async || hook.notified() == ["down"]).await;
    let status = monitor.status().await;
    let reported = status["notices"][0].clone();
    assert!(reported["event"]["last_seen"].is_string(), "{reported}");
    let observed = reported["event"]["observed"].as_f64().unwrap();
    assert!(observed >= ALERT_AFTER, "not sooner: {reported}");
    assert_eq!(
        (&status["state"], &status["active"]),
        (&"down".into(), &true.into())
    );
    // What was last known is still shown.
    assert_eq!(known(&status)["heartbeats"][0]["name"], "c0");
    until_page(monitor, &word("DOWN")).await;
    said(actor, "the outside monitor cannot be reached").await;

    proxy.set(Flow::Pass);
    proxy.accept_again().await;
    eventually(SOON, async || hook.notified() == ["down", "up"]).await;
    let status = until_status(monitor, |status| {
        status["state"] == "up" && status["active"] == false && status["outbox"] == 0
    })
    .await;
    until_page(monitor, &word("HELD")).await;
    said(actor, "the outside monitor is reached again").await;
    let over = &status["notices"][0];
    assert_eq!(over["event"]["kind"], "up", "{over}");
    assert_eq!(over["incident"], reported["incident"]);
    assert_eq!(hook.posts().len(), 2, "M4");
    tells_no_token(actor);
    tells_no_token(monitor.process());
}

async fn said(process: &mut Process, what: &str) {
    process
        .wait_for_line(SOON, |line| line.contains(what))
        .await;
}

#[tokio::test]
async fn m1_m2_over_http_an_outage_of_the_network_is_told_and_its_end_too() {
    let vhost = broker::vhost().await;
    let hook = Hook::start().await;
    let mut monitor = monitor(&hook).await;
    let mut proxy = Proxy::start(("127.0.0.1", monitor.address().port())).await;
    let config = config(&vhost, &format!("http://127.0.0.1:{}", proxy.port()));
    let mut actor = Launch::lvmbeat(config.actor())
        .env("LVMBEAT_PING_TOKEN", PING_TOKEN)
        // The way to this very machine leads through no proxy, and needs no authorities.
        .env("http_proxy", "http://127.0.0.1:1/")
        .env("SSL_CERT_FILE", "/nonexistent")
        .env("SSL_CERT_DIR", "/nonexistent")
        .start();
    // As when a router dies: the sender learns nothing.
    let cut = async |proxy: &mut Proxy| {
        proxy.half_open();
        proxy.set(Flow::Swallow);
    };
    outage(&vhost, &mut actor, &mut monitor, &hook, &mut proxy, cut).await;
}

#[tokio::test]
async fn m1_m2_over_https_an_outage_of_the_network_is_told_and_its_end_too() {
    let vhost = broker::vhost().await;
    let hook = Hook::start().await;
    let mut monitor = monitor(&hook).await;
    let authority = Authority::new();
    let entrance = TlsEntrance::start(&authority, monitor.address()).await;
    let mut proxy = Proxy::start(("127.0.0.1", entrance.port())).await;
    // The token in the address, as a URL can carry it.
    let url = format!("https://lvmbeat:{PING_TOKEN}@localhost:{}", proxy.port());
    let config = config(&vhost, &url);
    let mut actor = Launch::lvmbeat(config.actor())
        .env("SSL_CERT_FILE", &authority.root)
        .start();
    // As when a firewall is in the way: nobody listens there.
    let cut = async |proxy: &mut Proxy| {
        proxy.refuse().await;
        proxy.cut();
    };
    outage(&vhost, &mut actor, &mut monitor, &hook, &mut proxy, cut).await;
}
