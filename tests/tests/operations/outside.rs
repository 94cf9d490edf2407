//! The beat to the monitors outside.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lvmbeat_tests::client::RawClient;
use lvmbeat_tests::ecp::FakeEcp;
use lvmbeat_tests::http::{Request, request};
use lvmbeat_tests::process::Launch;
use lvmbeat_tests::{broker, chain, eventually};
use serde_json::Value;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::SOON;

/// Method and body of a request.
type Beat = (String, Vec<u8>);

/// A stand-in for a monitor, which keeps the requests for `/heartbeat`.
struct Monitor {
    address: String,
    requests: Arc<Mutex<Vec<Beat>>>,
    serving: JoinHandle<()>,
}

impl Monitor {
    /// One that answers with that status, or with none never.
    async fn start(status: Option<&'static str>) -> Self {
        Self::with(move |_| status).await
    }

    /// One whose answer depends on the method.
    async fn with(status: impl Fn(&str) -> Option<&'static str> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests: Arc<Mutex<Vec<_>>> = Arc::default();
        let (kept, status) = (Arc::clone(&requests), Arc::new(status));
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (kept, status) = (Arc::clone(&kept), Arc::clone(&status));
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    let Some(Request { method, path, body }) = request(&mut stream).await else {
                        return;
                    };
                    let answer = status(&method);
                    if path == "/heartbeat" {
                        kept.lock().unwrap().push((method, body));
                    }
                    let Some(status) = answer else {
                        return std::future::pending().await;
                    };
                    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self {
            address,
            requests,
            serving,
        }
    }

    fn beats(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// The last report.
    fn report(&self) -> Option<Value> {
        let requests = self.requests.lock().unwrap();
        let (method, body) = requests.last()?;
        (method == "POST").then(|| serde_json::from_slice(body).unwrap())
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[tokio::test]
async fn s6_each_monitor_is_beaten_on_its_own_and_one_that_hangs_delays_nothing() {
    let vhost = broker::vhost().await;
    let (good, bad) = (
        Monitor::start(Some("200 OK")).await,
        Monitor::start(Some("500 Oh")).await,
    );
    let hanging = Monitor::start(None).await;
    let urls = [
        format!("http://{}", hanging.address),
        format!("http://{}/heartbeat", good.address),
        format!("http://{}/", bad.address),
    ];
    let config = chain::config(&vhost.url(), 1)
        .set("outside_monitor.url", urls.as_slice())
        .set("outside_monitor.interval", 0.3)
        // Longer than this test.
        .set("outside_monitor.timeout", 60);
    let mut actor = Launch::lvmbeat(config.actor()).start();
    super::until(&mut actor, "session open").await;
    let client = RawClient::connect(&vhost.url(), "observer").await;
    eventually(SOON, async || hanging.beats() == 1).await;
    eventually(SOON, async || good.beats() >= 10 && bad.beats() >= 10).await;
    assert_eq!(hanging.beats(), 1, "one at a time");
    for _ in 0..20 {
        let set = client.command("lvmbeat", "set c0", SOON).await;
        assert!(set.took < Duration::from_secs(1), "{:?}", set.took);
    }
    let status = client.command("lvmbeat", "status", SOON).await;
    let monitors = status.keyword("outside_monitors").unwrap();
    assert!(monitors[0]["last_beat"].is_null(), "{monitors}");
    assert!(
        monitors[1]["last_beat"].is_string() && monitors[1]["failure"].is_null(),
        "{monitors}"
    );
    assert!(monitors[2]["last_beat"].is_null(), "{monitors}");
    assert!(
        monitors[2]["failure"].as_str().unwrap().contains("500"),
        "{monitors}"
    );
    assert!(status.keyword("last_emitted_outside").unwrap().is_string());
    // Said once, however often it happens.
    let failed = actor
        .lines()
        .into_iter()
        .filter(|line| line.text.contains("cannot be reached"));
    assert_eq!(failed.count(), 1);
}

#[tokio::test]
async fn a_monitor_is_named_by_the_environment_and_beaten_without_a_broker() {
    let monitor = Monitor::start(Some("200 OK")).await;
    let config = chain::config("amqp://guest:guest@127.0.0.1:1/x", 1);
    let _actor = Launch::lvmbeat(config.actor())
        .env(
            "LVMBEAT_OUTSIDE_MONITOR_URL",
            format!("http://{}", monitor.address),
        )
        .start();
    eventually(SOON, async || monitor.beats() == 1).await;
}

#[tokio::test]
async fn a_monitor_is_told_what_the_actor_knows() {
    let vhost = broker::vhost().await;
    let monitor = Monitor::start(Some("200 OK")).await;
    let config = chain::config(&vhost.url(), 1)
        .set("outside_monitor.url", format!("http://{}", monitor.address))
        .set("outside_monitor.interval", 0.3);
    let mut actor = Launch::lvmbeat(config.actor()).start();
    super::until(&mut actor, "session open").await;
    let hold = |report: &Value| report["hold"]["reason"].clone();
    eventually(SOON, async || {
        monitor.report().is_some_and(|report| {
            hold(&report) == "heartbeat_never_seen" && report["heartbeats"][0]["age"].is_null()
        })
    })
    .await;
    let client = RawClient::connect(&vhost.url(), "client").await;
    client.beat("lvmbeat", "c0", SOON).await;
    eventually(SOON, async || {
        monitor.report().is_some_and(|report| {
            let heartbeat = &report["heartbeats"][0];
            hold(&report) != "heartbeat_never_seen"
                && heartbeat["name"] == "c0"
                && heartbeat["age"].is_number()
                && report["emission"]["last_outcome"] == "unroutable"
        })
    })
    .await;
}

/// The usual pace of these beats is longer than this test.
#[tokio::test]
async fn a_change_of_health_is_reported_at_once_and_an_orderly_stop_says_farewell() {
    let vhost = broker::vhost().await;
    let monitor = Monitor::start(Some("200 OK")).await;
    let config = chain::config(&vhost.url(), 1)
        .set("outside_monitor.url", format!("http://{}", monitor.address))
        .set("outside_monitor.interval", 120);
    let _ecp = FakeEcp::start(&vhost.url()).await;
    let mut actor = Launch::lvmbeat(config.actor()).start();
    let reports = async |state: &str| {
        let is_it = |report: Value| report["health"]["state"] == state;
        eventually(SOON, async || monitor.report().is_some_and(is_it)).await;
    };
    reports("held").await;
    let client = chain::Client::start(&vhost.url(), "c0", chain::INTERVAL).await;
    reports("ok").await;
    client.kill().await;
    reports("held").await;
    // Every few seconds, as long as it is so.
    let beats = monitor.beats();
    eventually(SOON, async || monitor.beats() >= beats + 2).await;
    assert!(monitor.report().unwrap()["stopping"].is_null());
    actor.terminate();
    assert!(actor.exit(SOON).await.success());
    let last = monitor.report().unwrap();
    assert_eq!(last["stopping"]["text"], "stopped by SIGTERM", "{last}");
}

#[tokio::test]
async fn a_monitor_that_takes_no_report_hears_every_beat() {
    let vhost = broker::vhost().await;
    // As the Python monitor.
    let monitor = Monitor::with(|method| {
        Some(if method == "GET" {
            "200 OK"
        } else {
            "405 Method Not Allowed"
        })
    })
    .await;
    let config = chain::config(&vhost.url(), 1)
        .set("outside_monitor.url", format!("http://{}", monitor.address))
        .set("outside_monitor.interval", 0.3);
    let mut actor = Launch::lvmbeat(config.actor()).start();
    super::until(&mut actor, "session open").await;
    eventually(SOON, async || monitor.beats() >= 6).await;
    let methods: Vec<String> = {
        let requests = monitor.requests.lock().unwrap();
        requests.iter().map(|(method, _)| method.clone()).collect()
    };
    assert_eq!(methods[..4], ["POST", "GET", "GET", "GET"]);
    let client = RawClient::connect(&vhost.url(), "observer").await;
    let status = client.command("lvmbeat", "status", SOON).await;
    let monitors = status.keyword("outside_monitors").unwrap();
    assert!(
        monitors[0]["last_beat"].is_string() && monitors[0]["failure"].is_null(),
        "{monitors}"
    );
    assert!(
        actor
            .lines()
            .iter()
            .all(|line| !line.text.contains("cannot be reached"))
    );
}
