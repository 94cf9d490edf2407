//! The bus on RabbitMQ, by lapin.

use std::time::Duration;

use async_trait::async_trait;

use super::bus::{Bus, BusError, Session, SessionSpec};

/// A RabbitMQ broker.
#[derive(Clone, Debug)]
pub struct Amqp {
    heartbeat: Duration,
}

/// The address of a broker that cannot be one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the broker's URL is not usable ({cause}); expected is amqp://user:password@host:port/vhost or amqps://…"
)]
pub struct UriError {
    cause: String,
}

impl Amqp {
    /// The broker at that URL (`amqp://` or `amqps://`), with AMQP heartbeats of that many whole seconds, at least one.
    pub fn new(_url: &str, heartbeat: Duration) -> Result<Self, UriError> {
        Ok(Self { heartbeat })
    }
}

#[async_trait]
impl Bus for Amqp {
    async fn open(&self, _spec: &SessionSpec) -> Result<Session, BusError> {
        Err(BusError::Unreachable {
            address: self.address(),
            cause: format!("heartbeat {:?}", self.heartbeat),
        })
    }

    fn address(&self) -> String {
        String::new()
    }
}

/// How long a connection that has stalled can go unnoticed with AMQP heartbeats of that length.
pub const fn detection(heartbeat: Duration) -> Duration {
    heartbeat.saturating_mul(3)
}
