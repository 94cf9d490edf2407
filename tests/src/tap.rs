//! When each message passed the exchange, whatever became of it in the queue that it was for.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt as _;
use lapin::types::AMQPValue;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::client::Session;

/// A command that passed.
#[derive(Clone, Debug)]
pub struct Passed {
    /// When it was seen: at the latest a moment after it was published.
    pub at: Instant,
    /// For example `heartbeat`.
    pub command: String,
    /// Its id.
    pub command_id: String,
}

/// Somebody who sees all commands to an actor, and answers none.
#[derive(Debug)]
pub struct Tap {
    passed: Arc<Mutex<Vec<Passed>>>,
    reading: JoinHandle<()>,
    _session: Session,
}

impl Tap {
    /// Sees the commands to that actor from now on.
    ///
    /// # Panics
    /// If the broker does not answer.
    pub async fn on(url: &str, actor: &str) -> Self {
        let session = Session::open(url).await.expect("the broker answers");
        let queue = format!("tap_on_{actor}_replies");
        let commands = session.consume(&queue, &format!("command.{actor}.#")).await;
        let mut commands = commands.expect("the tap's queue is free");
        let passed: Arc<Mutex<Vec<Passed>>> = Arc::default();
        let kept = Arc::clone(&passed);
        let reading = tokio::spawn(async move {
            while let Some(Ok(delivery)) = commands.next().await {
                let headers = delivery.properties.headers().clone().unwrap_or_default();
                let id = headers.inner().get("command_id");
                let id = id.and_then(AMQPValue::as_long_string);
                let body: Value = serde_json::from_slice(&delivery.data).unwrap_or_default();
                let command = body["command_string"].as_str().unwrap_or_default();
                let passed = Passed {
                    at: Instant::now(),
                    command: command.to_owned(),
                    command_id: id.map(ToString::to_string).unwrap_or_default(),
                };
                kept.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(passed);
            }
        });
        Self {
            passed,
            reading,
            _session: session,
        }
    }

    /// All that have passed, in order.
    pub fn passed(&self) -> Vec<Passed> {
        self.passed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.reading.abort();
    }
}
