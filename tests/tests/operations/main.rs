//! Running lvmbeat: it ends in order, tells of its health, writes its logs, stands by, and beats to
//! the outside.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

mod cli;
mod outside;
mod signals;
mod systemd;

use std::fs;
use std::time::Duration;

use lvmbeat_tests::broker::{self, Vhost};
use lvmbeat_tests::chain::{self, Client, INTERVAL};
use lvmbeat_tests::client::RawClient;
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::ecp::FakeEcp;
use lvmbeat_tests::hook::Hook;
use lvmbeat_tests::monitor::Monitor;
use lvmbeat_tests::port::Port;
use lvmbeat_tests::process::{Launch, Process};
use lvmbeat_tests::proxy::{Flow, Proxy};
use lvmbeat_tests::{eventually, http, throughout, view};
use rustix::process::Signal;
use tokio::time::Instant;

const SOON: Duration = Duration::from_secs(20);

/// Prometheus's own tool finds nothing to say against these metrics.
async fn conventional(metrics: &str) {
    let mut promtool = Launch::other("/usr/bin/promtool".into())
        .args(["check", "metrics"])
        .start();
    for line in metrics.lines() {
        promtool.say(line).await;
    }
    promtool.close_input();
    let status = promtool.exit(SOON).await;
    let said: Vec<String> = promtool.lines().into_iter().map(|line| line.text).collect();
    assert_eq!((status.code(), said), (Some(0), Vec::new()), "{metrics}");
}

#[tokio::test]
async fn prometheus_finds_nothing_to_say_against_the_monitors_metrics() {
    let hook = Hook::start().await;
    let mut monitor = Monitor::new(&[&hook]);
    monitor.start().await;
    let metrics = async |monitor: &Monitor| {
        let (_, metrics) = http::get(monitor.address(), "/metrics").await.unwrap();
        conventional(&metrics).await;
        metrics
    };
    // Before the first beat, while all is well, and with an alarm.
    let waiting = metrics(&monitor).await;
    monitor.beat().await;
    let up = metrics(&monitor).await;
    monitor.is("down").await;
    let down = metrics(&monitor).await;
    assert!(waiting != up && up != down);
}

async fn until(actor: &mut Process, what: &str) {
    actor.wait_for_line(SOON, |line| line.contains(what)).await;
}

/// It ends within 2 s, with exit code 0.
async fn ends_in_order(actor: &mut Process, signal: Signal) {
    let start = Instant::now();
    actor.signal(signal);
    let status = actor.exit(SOON).await;
    let took = start.elapsed();
    assert_eq!(status.code(), Some(0), "{status:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    // The actor: "stopped by SIGTERM"; the monitor: "stopping".
    until(actor, "stopp").await;
}

#[tokio::test]
async fn sigterm_and_ctrl_c_end_it_in_order_while_it_is_connected() {
    let vhost = broker::inspectable_vhost().await;
    let config = chain::config(&vhost.url(), 1);
    for signal in [Signal::TERM, Signal::INT] {
        let mut actor = Launch::lvmbeat(config.actor()).start();
        until(&mut actor, "session open").await;
        ends_in_order(&mut actor, signal).await;
        // Its connection was closed in order: its queues are gone at once.
        assert!(vhost.queues().await.is_empty());
    }
}

#[tokio::test]
async fn sigterm_and_ctrl_c_end_it_in_order_while_there_is_no_broker() {
    let nobody = Port::reserve();
    let url = format!("amqp://guest:guest@{}/%2f", nobody.address());
    let config = chain::config(&url, 1);
    for signal in [Signal::TERM, Signal::INT] {
        let mut actor = Launch::lvmbeat(config.actor()).start();
        until(&mut actor, "no session with the broker; trying again").await;
        ends_in_order(&mut actor, signal).await;
    }
}

#[tokio::test]
async fn sigterm_ends_it_in_order_while_the_broker_does_not_answer() {
    // The connection is taken, and nothing is ever said.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("amqp://guest:guest@{}/%2f", silent.local_addr().unwrap());
    let config = chain::config(&url, 1);
    let mut actor = Launch::lvmbeat(config.actor()).start();
    let accepted = tokio::time::timeout(SOON, silent.accept()).await;
    let _connection = accepted.unwrap().unwrap();
    ends_in_order(&mut actor, Signal::TERM).await;
}

/// An actor whose connection has stalled, so that the broker's farewell is waited for in vain.
async fn stalled(vhost: &Vhost) -> (Process, Proxy, ActorConfig) {
    let (host, port) = vhost.address();
    let proxy = Proxy::start((&host, port)).await;
    let config = chain::config(&vhost.url_via(proxy.port()), 1);
    let mut actor = Launch::lvmbeat(config.actor()).start();
    until(&mut actor, "session open").await;
    proxy.set(Flow::Stall);
    (actor, proxy, config)
}

#[tokio::test]
async fn one_ctrl_c_ends_it_in_order_on_a_connection_that_has_stalled() {
    let vhost = broker::vhost().await;
    let (mut actor, _proxy, _config) = stalled(&vhost).await;
    ends_in_order(&mut actor, Signal::INT).await;
}

#[tokio::test]
async fn a_second_ctrl_c_ends_it_at_once() {
    let vhost = broker::vhost().await;
    for first in [Signal::INT, Signal::TERM] {
        let (mut actor, _proxy, _config) = stalled(&vhost).await;
        actor.signal(first);
        until(&mut actor, "stopped by SIG").await;
        // It waits for the broker now, for half a second at least.
        actor.signal(Signal::INT);
        let status = actor.exit(SOON).await;
        assert_eq!(status.code(), Some(130), "{status:?}");
    }
}

#[tokio::test]
async fn health_readiness_and_metrics_are_served() {
    let vhost = broker::vhost().await;
    let port = Port::reserve();
    let config = chain::config(&vhost.url(), 1).set("actor.http", port.address().to_string());
    let actor = Launch::lvmbeat(config.actor()).start();
    let status = async |path: &str| {
        http::get(port.address(), path)
            .await
            .map(|(status, _)| status)
    };
    for path in ["/readyz", "/healthz", "/metrics"] {
        eventually(SOON, async || status(path).await == Ok(200)).await;
    }
    assert_eq!(status("/nope").await, Ok(404));
    let _ecp = FakeEcp::start(&vhost.url()).await;
    let _beating = Client::start(&vhost.url(), "c0", INTERVAL).await;
    for metric in [
        "lvmbeat_emissions_total{outcome=\"acknowledged\"}",
        "lvmbeat_heartbeat_current{name=\"c0\"}",
        "lvmbeat_amqp_sessions_total",
    ] {
        let counted = async || {
            view::metric(port.address(), metric)
                .await
                .is_ok_and(|n| n >= 1.0)
        };
        eventually(SOON, counted).await;
    }
    let (_, text) = http::get(port.address(), "/metrics").await.unwrap();
    assert!(!text.contains("# EOF"), "{text}");
    conventional(&text).await;
    // Frozen, it does not answer, which is no 200 either.
    actor.freeze();
    let asked = tokio::time::timeout(
        Duration::from_secs(1),
        http::get(port.address(), "/healthz"),
    );
    assert!(!matches!(asked.await, Ok(Ok((200, _)))));
}

#[tokio::test]
async fn logs_go_to_a_file_of_the_day() {
    let vhost = broker::vhost().await;
    let config = chain::config(&vhost.url(), 1);
    let folder = config.folder().join("deep").join("logs");
    let config = config.set("actor.log_dir", folder.display().to_string());
    let mut actor = Launch::lvmbeat(config.actor()).start();
    until(&mut actor, "session open").await;
    ends_in_order(&mut actor, Signal::TERM).await;
    let files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|file| !file.ends_with("journal.jsonl"))
        .collect();
    assert!(folder.join("journal.jsonl").exists());
    let [file] = files.as_slice() else {
        panic!("one file: {files:?}")
    };
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(
        name.starts_with("lvmbeat.20") && file.extension().is_some_and(|is| is == "log"),
        "{name}"
    );
    let text = fs::read_to_string(file).unwrap();
    for part in [
        "lvmbeat actor",
        "S4  If any",
        "session open",
        "stopped by SIG",
    ] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    assert!(!text.contains("guest:guest"), "X1");
    assert!(!text.contains('\u{1b}'), "no colours in a file");
}

#[tokio::test]
async fn each_set_is_logged_at_debug_with_its_commander_and_no_library_is() {
    let vhost = broker::vhost().await;
    let config = chain::config(&vhost.url(), 1);
    let mut actor = Launch::lvmbeat(config.actor())
        .args(["-vv", "--log-format", "json"])
        .start();
    until(&mut actor, "session open").await;
    let client = RawClient::connect(&vhost.url(), "harness").await;
    client.command("lvmbeat", "set c0", SOON).await;
    until(&mut actor, "\"message\":\"set\"").await;
    let events: Vec<serde_json::Value> = actor
        .lines()
        .into_iter()
        .map(|line| serde_json::from_str(&line.text).unwrap())
        .collect();
    let set = events
        .iter()
        .find(|event| event["message"] == "set")
        .unwrap();
    assert_eq!(set["level"], "DEBUG");
    assert_eq!(set["heartbeat"], "c0");
    assert_eq!(set["commander"], "harness.lvmbeat");
    for event in &events {
        let target = event["target"].as_str().unwrap();
        assert!(
            target.starts_with("lvmbeat") || event["level"] == "WARN",
            "{event}"
        );
    }
}

/// As a shell of systemd's starts it: `JOURNAL_STREAM` names the standard output.
#[tokio::test]
async fn in_the_journal_each_line_has_its_priority_and_no_time() {
    let vhost = broker::vhost().await;
    let config = chain::config(&vhost.url(), 1);
    let shell = "JOURNAL_STREAM=$(stat -Lc %d:%i /proc/$$/fd/1) exec \"$@\"";
    let words = ["-c".to_owned(), shell.to_owned(), "sh".to_owned()];
    let program = lvmbeat_tests::process::built("lvmbeat")
        .display()
        .to_string();
    let mut actor = Launch::other("/bin/sh".into())
        .args(words)
        .args([program])
        .args(config.actor())
        .start();
    actor
        .wait_for_line(SOON, |line| line.starts_with("<6>session open"))
        .await;
    actor
        .wait_for_line(SOON, |line| line.starts_with("<4>no outside monitor"))
        .await;
    ends_in_order(&mut actor, Signal::TERM).await;
}

#[tokio::test]
async fn s6_a_log_folder_that_cannot_be_written_is_reported_once_and_stops_nothing() {
    let vhost = broker::vhost().await;
    let config = chain::config(&vhost.url(), 1);
    let blocked = config.folder().join("logs");
    fs::write(&blocked, "a file in its place").unwrap();
    let config = config.set("actor.log_dir", blocked.display().to_string());
    let mut actor = Launch::lvmbeat(config.actor()).start();
    until(&mut actor, "cannot write log files to ").await;
    until(&mut actor, "session open").await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    let _beating = Client::start(&vhost.url(), "c0", INTERVAL).await;
    ecp.wait_for_heartbeats(3, SOON).await;
    let reported = actor
        .lines()
        .into_iter()
        .filter(|line| line.text.contains("cannot write log files"));
    assert_eq!(reported.count(), 1);
    ends_in_order(&mut actor, Signal::TERM).await;
}

#[tokio::test]
async fn s5_a_second_actor_stands_by_and_takes_over_knowing_nothing() {
    let vhost = broker::vhost().await;
    let (one, two) = (Port::reserve(), Port::reserve());
    let config =
        |port: &Port| chain::config(&vhost.url(), 2).set("actor.http", port.address().to_string());
    let ecp = FakeEcp::start(&vhost.url()).await;
    let (first, second) = (config(&one), config(&two));
    let mut first = Launch::lvmbeat(first.actor()).start();
    until(&mut first, "session open").await;
    let mut second = Launch::lvmbeat(second.actor()).start();
    until(&mut second, "standing by").await;
    let ready = async |port: &Port| http::get(port.address(), "/readyz").await;
    eventually(SOON, async || {
        ready(&one).await.is_ok_and(|(status, _)| status == 200)
    })
    .await;
    let stands_by = async || {
        ready(&two)
            .await
            .is_ok_and(|(status, text)| status == 503 && text.contains("another actor is active"))
    };
    eventually(SOON, stands_by).await;
    let _c0 = Client::start(&vhost.url(), "c0", INTERVAL).await;
    let c1 = Client::start(&vhost.url(), "c1", INTERVAL).await;
    ecp.wait_for_heartbeats(2, SOON).await;
    let said = second
        .lines()
        .into_iter()
        .filter(|line| line.text.contains("standing by"));
    assert_eq!(said.count(), 1, "it is said once");

    // c1 was fresh in the first actor, which is gone: the second one needs to hear it itself.
    c1.kill().await;
    first.kill().await;
    until(&mut second, "session open").await;
    eventually(SOON, async || {
        ready(&two).await.is_ok_and(|(status, _)| status == 200)
    })
    .await;
    let client = RawClient::connect(&vhost.url(), "observer").await;
    let waits_for_c1 = async || {
        let hold = view::hold(&client).await?;
        let text = hold["text"].as_str().unwrap_or_default();
        text.contains("heartbeat c1 has not been received")
            .then_some(())
            .ok_or(hold.to_string())
    };
    eventually(SOON, waits_for_c1).await;
    let emitted = ecp.heartbeats().len();
    throughout(Duration::from_secs(2), async || {
        ecp.heartbeats().len() == emitted
    })
    .await;
    let _c1 = Client::start(&vhost.url(), "c1", INTERVAL).await;
    ecp.wait_for_heartbeats(emitted + 2, SOON).await;
}

#[tokio::test]
async fn s5_an_actor_that_lost_its_place_to_another_and_gets_it_back_knows_nothing() {
    let vhost = broker::vhost().await;
    let (host, port) = vhost.address();
    let mut proxy = Proxy::start((&host, port)).await;
    // What is remembered would be fresh all the time.
    let config = |url: &str| {
        chain::config(url, 0)
            .heartbeat("c0", true, 100.0, INTERVAL.as_secs_f64())
            .heartbeat("c1", true, 100.0, INTERVAL.as_secs_f64())
            .set("max_close_after", 300)
    };
    let (first, second) = (config(&vhost.url_via(proxy.port())), config(&vhost.url()));
    let ecp = FakeEcp::start(&vhost.url()).await;
    let mut first = Launch::lvmbeat(first.actor()).start();
    until(&mut first, "session open").await;
    let mut second = Launch::lvmbeat(second.actor()).start();
    until(&mut second, "standing by").await;
    let _c0 = Client::start(&vhost.url(), "c0", INTERVAL).await;
    let c1 = Client::start(&vhost.url(), "c1", INTERVAL).await;
    ecp.wait_for_heartbeats(2, SOON).await;

    // It is cut off, another is active meanwhile, and c1 dies.
    proxy.refuse().await;
    proxy.cut();
    until(&mut second, "session open").await;
    c1.kill().await;
    proxy.accept_again().await;
    until(&mut first, "standing by").await;
    let mark = first.mark();
    second.kill().await;
    let again = |line: &str| line.contains("session open");
    first.wait_for_line_after(mark, SOON, again).await;
    let emitted = ecp.heartbeats().len();
    throughout(Duration::from_secs(2), async || {
        ecp.heartbeats().len() == emitted
    })
    .await;
    let client = RawClient::connect(&vhost.url(), "observer").await;
    let hold = view::hold(&client).await.unwrap();
    assert_eq!(
        hold["text"],
        "heartbeat c1 has not been received in this session"
    );
    let _c1 = Client::start(&vhost.url(), "c1", INTERVAL).await;
    ecp.wait_for_heartbeats(emitted + 2, SOON).await;
}

#[tokio::test]
async fn s1_a_set_from_elsewhere_never_reaches_the_dome() {
    let vhost = broker::vhost().await;
    let config = chain::config(&vhost.url(), 0).set(
        "heartbeats",
        serde_json::json!([{"name": "c0", "timeout": 3, "interval": 0.3, "from": "gort"}]),
    );
    let mut actor = Launch::lvmbeat(config.actor()).start();
    until(&mut actor, "session open").await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    let elsewhere = RawClient::connect(&vhost.url(), "elsewhere").await;
    let mine = RawClient::connect(&vhost.url(), "gort-1a2b").await;
    let set = async |client: &RawClient| client.command("lvmbeat", "set c0", SOON).await;
    for _ in 0..5 {
        let answer = set(&elsewhere).await;
        assert_eq!(answer.codes(), ">f");
        let error = answer.keyword("error").unwrap().as_str().unwrap();
        assert!(error.contains("'c0' is set by gort alone"), "{error}");
        tokio::time::sleep(INTERVAL).await;
    }
    assert_eq!(ecp.heartbeats().len(), 0);
    eventually(SOON, async || {
        set(&mine).await;
        tokio::time::sleep(INTERVAL).await;
        !ecp.heartbeats().is_empty()
    })
    .await;
    let status = mine.command("lvmbeat", "status", SOON).await;
    let shown = &status.keyword("heartbeats").unwrap()["c0"];
    assert_eq!(shown["last_by"], "gort", "{shown}");
    assert_eq!(shown["refused"], 5, "{shown}");
    assert_eq!(shown["refused_from"], "elsewhere", "{shown}");
    until(&mut actor, "heartbeats[].from does not name").await;
}
