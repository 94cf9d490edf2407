//! The real monitor, in a process of its own.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use lvmbeat_tests::http;
use lvmbeat_tests::port::Port;
use lvmbeat_tests::process::{Launch, Process};
use lvmbeat_tests::scratch::Scratch;

/// For the monitor to start.
const LIMIT: Duration = Duration::from_secs(15);

/// The observed silence that is an alarm. A busy machine may keep a beat back for nearly as long.
pub(crate) const ALERT_AFTER: Duration = Duration::from_secs(3);
/// How often it is looked for.
pub(crate) const CHECK_EVERY: Duration = Duration::from_millis(200);

/// A running monitor, with a state file that goes with it.
#[derive(Debug)]
pub(crate) struct Monitor {
    /// The program.
    pub(crate) process: Process,
    port: Port,
    _folder: Scratch,
}

impl Monitor {
    /// Starts one that tells that webhook of an alarm, with these environment variables, and waits until it listens.
    pub(crate) async fn start(webhook: &str, environment: &[(&str, &str)]) -> Self {
        let (port, folder) = (Port::reserve(), Scratch::new());
        let config = json!({
            "outside_monitor": {
                "send_email_after": ALERT_AFTER.as_secs_f64(),
                "check_heartbeat_every": CHECK_EVERY.as_secs_f64(),
            },
            "monitor": {
                "listen": port.address().to_string(),
                "state_file": folder.path().join("state.json"),
                "webhooks": [{"name": "people", "url": webhook}],
            },
        });
        // JSON is YAML.
        let config = folder.write("config.yaml", &config.to_string());
        let mut launch = Launch::lvmbeat(["monitor", "-c"]).args([&config]);
        for (name, value) in environment {
            launch = launch.env(name, value);
        }
        let mut process = launch.start();
        process
            .wait_for_line(LIMIT, |line| line.contains("watching for beats"))
            .await;
        Self {
            process,
            port,
            _folder: folder,
        }
    }

    /// Where it serves HTTP.
    pub(crate) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// What `/status` says.
    pub(crate) async fn status(&self) -> Result<Value, String> {
        let (status, body) = http::get(self.address(), "/status").await?;
        let body = serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))?;
        (status == 200).then_some(body).ok_or(status.to_string())
    }

    /// The page for people, as HTML.
    pub(crate) async fn page(&self) -> Result<String, String> {
        let (status, body) = http::get(self.address(), "/").await?;
        (status == 200).then_some(body).ok_or(status.to_string())
    }
}
