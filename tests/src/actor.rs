//! The real actor, with a client that talks to it.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::client::{Answer, RawClient};
use crate::config::ActorConfig;
use crate::eventually;
use crate::process::{Launch, Process};

/// For the actor to start, or to answer anything.
const LIMIT: Duration = Duration::from_secs(15);
/// For one try of many.
const TRY: Duration = Duration::from_secs(2);

/// A running actor and a client of it, whose connection is its own.
#[derive(Debug)]
pub struct Actor {
    /// The program.
    pub process: Process,
    /// The client.
    pub client: RawClient,
    _config: ActorConfig,
}

impl Actor {
    /// Starts it, and waits until it answers. The client connects to `url`; the actor to what its
    /// configuration says.
    pub async fn start(config: ActorConfig, url: &str) -> Self {
        let process = Launch::lvmbeat(config.actor()).start();
        let client = RawClient::connect(url, "tester").await;
        let actor = Self::of(process, config, client);
        actor.until_it_answers(LIMIT).await;
        actor
    }

    /// One that has been started, with a client of its broker.
    pub fn of(process: Process, config: ActorConfig, client: RawClient) -> Self {
        Self {
            process,
            client,
            _config: config,
        }
    }

    /// Pings until a ping is answered.
    pub async fn until_it_answers(&self, limit: Duration) {
        let end = Instant::now() + limit;
        eventually(limit, async || {
            let left = end.saturating_duration_since(Instant::now()).min(TRY);
            self.client.try_command("lvmbeat", "ping", left).await
        })
        .await;
    }

    /// One command, answered.
    pub async fn command(&self, command: &str) -> Answer {
        self.client.command("lvmbeat", command, LIMIT).await
    }

    /// One heartbeat, which counts.
    ///
    /// # Panics
    /// If it does not.
    pub async fn set(&self, name: &str) -> Answer {
        let answer = self.client.beat("lvmbeat", name, LIMIT).await;
        assert_eq!(answer.codes(), ">:", "{:?}", answer.last().body);
        answer
    }

    /// A keyword of its `status`: `/ecp/last_outcome` for instance.
    pub async fn status(&self, pointer: &str) -> Value {
        let answer = self.command("status").await;
        let value = answer.last().body.pointer(pointer);
        value
            .unwrap_or_else(|| panic!("no {pointer} in {}", answer.last().body))
            .clone()
    }

    /// How many sessions it says that it has opened.
    pub fn sessions(&self) -> usize {
        let lines = self.process.lines();
        lines.iter().filter(|line| is_session(&line.text)).count()
    }

    /// Waits for the first session that it opens after that place in its output.
    pub async fn until_session(&mut self, mark: u64, limit: Duration) {
        self.process
            .wait_for_line_after(mark, limit, is_session)
            .await;
    }
}

fn is_session(line: &str) -> bool {
    line.contains("session open, waiting for heartbeats")
}
