//! The beat to the monitors outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lvmbeat_tests::client::RawClient;
use lvmbeat_tests::process::Launch;
use lvmbeat_tests::{broker, chain, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::SOON;

/// A stand-in for a monitor, which counts whole requests for `/heartbeat`.
struct Monitor {
    address: String,
    beats: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl Monitor {
    /// One that answers with that status, or with none never.
    async fn start(status: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let beats: Arc<AtomicUsize> = Arc::default();
        let counted = Arc::clone(&beats);
        let serving = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let counted = Arc::clone(&counted);
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        let mut bytes = [0; 1024];
                        match stream.read(&mut bytes).await {
                            Ok(read @ 1..) => request.extend(&bytes[..read]),
                            Ok(_) | Err(_) => return,
                        }
                    }
                    if request.starts_with(b"GET /heartbeat HTTP/1.1\r\n") {
                        counted.fetch_add(1, Ordering::SeqCst);
                    }
                    let Some(status) = status else {
                        return std::future::pending().await;
                    };
                    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self {
            address,
            beats,
            serving,
        }
    }

    fn beats(&self) -> usize {
        self.beats.load(Ordering::SeqCst)
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
