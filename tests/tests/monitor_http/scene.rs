//! A monitor with every kind of channel, each of which leads to a stand-in on the loopback
//! interface.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use lvmbeat_tests::http::{self, Answer};
use lvmbeat_tests::mail::{MailOptions, MailServer};
use lvmbeat_tests::port::Port;
use lvmbeat_tests::process::{Launch, Process};
use lvmbeat_tests::scratch::Scratch;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

pub(crate) const PING: &str = "the-ping-token";
pub(crate) const ADMIN: &str = "the-admin-token";
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) struct Scene {
    pub(crate) monitor: Process,
    pub(crate) address: SocketAddr,
    pub(crate) mail: MailServer,
    pub(crate) people: People,
    pub(crate) folder: Scratch,
    _port: Port,
}

impl Scene {
    /// Starts all of it; the monitor with both tokens or with none. It believes what 127.0.0.1 says
    /// of whom it passes on.
    pub(crate) async fn start(tokens: bool) -> Self {
        let (port, folder) = (Port::reserve(), Scratch::new());
        let (mail, people) =
            tokio::join!(MailServer::start(MailOptions::default()), People::start());
        let config = json!({
            "outside_monitor": {"send_email_after": 300, "check_heartbeat_every": 1},
            "monitor": {
                "listen": port.address().to_string(),
                "state_file": folder.path().join("state.json"),
                "trusted_proxies": ["127.0.0.1"],
                "email": {"recipients": ["ann@example.org"], "from": "monitor@example.org", "host": "localhost", "port": mail.port},
                "slack": {"api": people.url("api/")},
                "webhooks": [{"name": "people", "url": people.url("hook")}],
            },
        });
        // JSON is YAML.
        let config = folder.write("config.yaml", &config.to_string());
        let mut launch = Launch::lvmbeat(["monitor", "-c"])
            .args([config])
            .env("SLACK_API_TOKEN", "xoxb-test");
        if tokens {
            launch = launch
                .env("LVMBEAT_PING_TOKEN", PING)
                .env("LVMBEAT_ADMIN_TOKEN", ADMIN);
        }
        let mut monitor = launch.start();
        monitor
            .wait_for_line(SOON, |line| line.contains("watching for beats"))
            .await;
        Self {
            monitor,
            address: port.address(),
            mail,
            people,
            folder,
            _port: port,
        }
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        http::ask(self.address, method, path, headers, "")
            .await
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// What is there for anybody to read, as JSON.
    pub(crate) async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.ask("GET", path, &[]).await.body).unwrap()
    }
}

/// Slack, and the receiver of a webhook.
pub(crate) struct People {
    address: SocketAddr,
    notified: Arc<AtomicUsize>,
    answers: Arc<Semaphore>,
    serving: JoinHandle<()>,
}

impl People {
    async fn start() -> Self {
        let notified = Arc::<AtomicUsize>::default();
        let answers = Arc::new(Semaphore::new(1));
        let (count, turn) = (notified.clone(), answers.clone());
        let router = Router::new().fallback(async move || {
            count.fetch_add(1, Ordering::Relaxed);
            drop(turn.acquire().await);
            ([(CONTENT_TYPE, "application/json")], r#"{"ok":true}"#)
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self {
            address,
            notified,
            answers,
            serving,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// How often they were notified.
    pub(crate) fn notified(&self) -> usize {
        self.notified.load(Ordering::Relaxed)
    }

    /// From now on they listen and do not answer.
    pub(crate) fn fall_silent(&self) {
        self.answers.forget_permits(1);
    }
}

impl Drop for People {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
