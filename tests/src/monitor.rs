//! The real monitor, which can be killed and started again.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};

use crate::config::put;
use crate::disk::Disk;
use crate::eventually;
use crate::hook::Hook;
use crate::http;
use crate::mail::MailServer;
use crate::port::Port;
use crate::process::{Launch, Process};
use crate::scratch::Scratch;
use crate::slack::Slack;

/// It starts, ends, and does whatever it is asked to within this time, on the slowest machine.
const LIMIT: Duration = Duration::from_secs(30);

/// A monitor with a state file, and times that make a test take seconds: an alarm after 2 s.
#[derive(Debug)]
pub struct Monitor {
    config: Value,
    environment: Vec<(&'static str, OsString)>,
    scratch: Scratch,
    disk: Option<Disk>,
    port: Port,
    process: Option<Process>,
}

impl Monitor {
    /// One that notifies by these webhooks, which are called `0`, `1` and so on. It is not started.
    pub fn new(hooks: &[&Hook]) -> Self {
        let scratch = Scratch::new();
        let state_file = scratch.path().join("state.json");
        Self::with(hooks, scratch, &state_file, None)
    }

    /// One that notifies by mail and by Slack.
    pub fn that_notifies(mail: &MailServer, slack: &Slack) -> Self {
        Self::new(&[])
            .set(
                "monitor.slack",
                json!({"api": format!("http://{}/api/", slack.address())}),
            )
            .env("SLACK_API_TOKEN", "xoxb-of-a-test")
            .env("LVMBEAT_EMAIL_RECIPIENTS", "Jane Doe <jane.doe@lco.cl>")
            .env("LVMBEAT_EMAIL_FROM_ADDRESS", "lvmbeat <lvmbeat@sdss.org>")
            .env("LVMBEAT_EMAIL_HOST", "localhost")
            .env("LVMBEAT_EMAIL_PORT", mail.port.to_string())
            .env("LVMBEAT_EMAIL_TLS", "0")
    }

    /// The same, with its state file on that disk.
    pub fn on_disk(hooks: &[&Hook], disk: Disk) -> Self {
        let state_file = disk.path().join("state.json");
        Self::with(hooks, Scratch::new(), &state_file, Some(disk))
    }

    fn with(hooks: &[&Hook], scratch: Scratch, state_file: &Path, disk: Option<Disk>) -> Self {
        let port = Port::reserve();
        let webhooks: Vec<Value> = (0..)
            .zip(hooks)
            .map(|(name, hook)| json!({"name": name.to_string(), "url": hook.url()}))
            .collect();
        let config = json!({
            "outside_monitor": {
                "send_email_after": 2,
                "check_heartbeat_every": 0.1,
            },
            "monitor": {
                "listen": port.address().to_string(),
                "state_file": state_file,
                "attention": 1,
                "clear_after": 0,
                "delivery_timeout": 60,
                "webhooks": webhooks,
                "time_zone": "UTC",
            },
        });
        Self {
            config,
            environment: Vec::new(),
            scratch,
            disk,
            port,
            process: None,
        }
    }

    /// Sets a key: `monitor.attention` for instance. Null removes it.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        put(&mut self.config, key, value.into());
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Starts it, and returns before it has.
    pub fn launch(&mut self) {
        let text = serde_json::to_string_pretty(&self.config).expect("it is JSON");
        let config = self.scratch.write("config.yaml", &text);
        let mut launch = Launch::lvmbeat(["monitor", "-c"]).args([config]);
        for (name, value) in &self.environment {
            launch = launch.env(name, value);
        }
        let launch = match &self.disk {
            Some(disk) => disk.launch(launch),
            None => launch,
        };
        self.process = Some(launch.start());
    }

    /// Starts it.
    ///
    /// # Panics
    /// If it does not.
    pub async fn start(&mut self) {
        self.launch();
        eventually(LIMIT, async || http::get(self.address(), "/status").await).await;
    }

    /// Kills it, as a crash would.
    pub async fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().await;
        }
    }

    /// Kills it and starts it again.
    pub async fn restart(&mut self) {
        self.kill().await;
        self.start().await;
    }

    /// Ends it with SIGTERM.
    ///
    /// # Panics
    /// If it does not end.
    pub async fn terminate(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        process.terminate();
        process.exit(LIMIT).await
    }

    /// The running program.
    ///
    /// # Panics
    /// If it does not run.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("it runs")
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The disk that its state file is on.
    ///
    /// # Panics
    /// If that is none of its own.
    pub fn disk(&self) -> &Disk {
        self.disk.as_ref().expect("it has a disk of its own")
    }

    /// Asks it for that, and gives the answer.
    ///
    /// # Panics
    /// If it answers anything but 200 and JSON.
    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = match http::get(self.address(), path).await {
            Ok(answer) => answer,
            Err(cause) => panic!("{path}: {cause}"),
        };
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).expect("it answers JSON")
    }

    /// What it knows.
    pub async fn status(&self) -> Value {
        self.get("/status").await
    }

    /// Beats.
    pub async fn beat(&self) {
        self.get("/heartbeat").await;
    }

    /// Waits until it is in that state: `up`, `down`.
    pub async fn is(&self, state: &str) {
        eventually(LIMIT, async || {
            let status = self.status().await;
            if status["state"] == state {
                Ok(())
            } else {
                Err(status)
            }
        })
        .await;
    }

    /// Its state file.
    pub fn state_file(&self) -> PathBuf {
        let folder = match &self.disk {
            Some(disk) => disk.seen_from_outside(),
            None => self.scratch.path().to_owned(),
        };
        folder.join("state.json")
    }

    /// What is in the state file; null if there is none.
    pub fn saved(&self) -> Value {
        let Ok(text) = fs::read_to_string(self.state_file()) else {
            return Value::Null;
        };
        let mut file: Value = serde_json::from_str(&text).expect("it is replaced as a whole");
        file["state"].take()
    }

    /// The notices of which the state file says that the first webhook has them.
    pub fn recorded(&self) -> BTreeSet<u64> {
        let saved = self.saved();
        let log = saved["outbox"]["log"].as_array();
        log.into_iter()
            .flatten()
            .filter(|entry| {
                let delivered = entry["delivered"].as_array();
                delivered.is_some_and(|channels| channels.contains(&"webhook:0".into()))
            })
            .filter_map(|entry| entry["notice"]["id"].as_u64())
            .collect()
    }

    /// Waits until the state file says that the first webhook has so many notices.
    pub async fn has_recorded(&self, notices: usize) {
        eventually(LIMIT, async || {
            let recorded = self.recorded();
            if recorded.len() == notices {
                Ok(())
            } else {
                Err(recorded)
            }
        })
        .await;
    }

    /// From now on the disk does not answer, whatever is written: a pipe that nobody reads is in
    /// the place of the new file.
    pub async fn hang_disk(&self) {
        eventually(LIMIT, async || {
            mknodat(CWD, self.new_file(), FileType::Fifo, Mode::RWXU, 0)
        })
        .await;
    }

    /// The disk answers again: for a monitor that is not running.
    ///
    /// # Panics
    /// If it was not hung.
    pub fn heal_disk(&self) {
        fs::remove_file(self.new_file()).expect("it was hung");
    }

    /// What hangs, fails, and then the disk answers again: for one that is running.
    ///
    /// # Panics
    /// If it was not hung.
    pub fn wake_disk(&self) {
        let pipe = fs::File::options()
            .read(true)
            .write(true)
            .open(self.new_file());
        drop(pipe.expect("it was hung"));
    }

    fn new_file(&self) -> PathBuf {
        let mut path = self.state_file().into_os_string();
        path.push(".tmp");
        path.into()
    }
}
