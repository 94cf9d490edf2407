//! What a broker's user may do although lvmbeat does not need it (SECURITY.md), found out without
//! leaving anything behind.
//!
//! RabbitMQ looks at a permission before it does anything. So each thing is tried in a way that
//! comes to nothing: a message in a transaction that is rolled back, and queues that do not exist.
//! A refusal costs the channel, hence one for each try.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{Stream, StreamExt as _};
use lapin::options::{BasicPublishOptions, QueueDeleteOptions, QueuePurgeOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, ErrorKind, Event};
use tokio::time::timeout;
use uuid::Uuid;

use super::stream::Socket;
use super::{Amqp, CLOSE_LIMIT, DIAL_SHARE, Node, Queues};
use crate::bus::{BusError, EXCHANGE, SessionSpec, Shown};

impl Amqp {
    /// What the user of the session with that specification may do without need, in words; `ecp` is
    /// the enclosure's name. Takes a bounded time.
    pub async fn excess(&self, spec: &SessionSpec, ecp: &str) -> Result<Vec<String>, BusError> {
        let mut last = BusError::Unreachable {
            address: String::new(),
            cause: Shown::ours("no broker is configured"),
        };
        for node in &self.nodes {
            match node.excess(spec, ecp, self.open_limit).await {
                Err(error) => last = error,
                found => return found,
            }
        }
        Err(last)
    }
}

impl Node {
    async fn excess(
        &self,
        spec: &SessionSpec,
        ecp: &str,
        limit: Duration,
    ) -> Result<Vec<String>, BusError> {
        let socket = Arc::new(Socket::default());
        let found = timeout(limit, self.look(spec, ecp, &socket, limit)).await;
        socket.reset();
        found.unwrap_or_else(|_| {
            Err(BusError::Unreachable {
                address: self.address(),
                cause: Shown::ours(format!("no answer within {limit:?}")),
            })
        })
    }

    async fn look(
        &self,
        spec: &SessionSpec,
        ecp: &str,
        socket: &Arc<Socket>,
        limit: Duration,
    ) -> Result<Vec<String>, BusError> {
        let at = |error| self.classify(&error);
        let shared = Arc::default();
        let connection = self.connect(spec, socket, &shared, limit / DIAL_SHARE);
        let connection = connection.await;
        let connection = connection.map_err(at)?;
        let channel = connection.create_channel().await.map_err(at)?;
        let queues = Queues {
            node: self,
            channel: &channel,
            spec,
            round_trip: Duration::ZERO,
        };
        queues.exchange().await.map_err(at)?;
        let nobody = format!("check-{}", Uuid::new_v4().simple());
        let nothing = ShortString::from(nobody.as_str());
        let mut excess = Vec::new();
        let mut events = pin!(connection.events_listener());

        let channel = connection.create_channel().await.map_err(at)?;
        let key = format!("reply.{nobody}.{ecp}");
        if self.may(publish(&channel, &mut events, EXCHANGE, &key).await)? {
            excess.push(format!(
                "publish answers in the name of {ecp} (reply.#.{ecp})"
            ));
        }
        let channel = connection.create_channel().await.map_err(at)?;
        if self.may(publish(&channel, &mut events, "", &nobody).await)? {
            excess.push("put messages into any queue (write amq.default)".to_owned());
        }
        let channel = connection.create_channel().await.map_err(at)?;
        let purged = channel.queue_purge(nothing.clone(), QueuePurgeOptions::default());
        if self.may(purged.await.map(drop))? {
            excess.push("read and empty any queue".to_owned());
        }
        let channel = connection.create_channel().await.map_err(at)?;
        let deleted = channel.queue_delete(nothing, QueueDeleteOptions::default());
        if self.may(deleted.await.map(drop))? {
            excess.push("make and delete any queue".to_owned());
        }
        let _ = timeout(CLOSE_LIMIT, connection.close(200, "OK".into())).await;
        Ok(excess)
    }

    /// Whether that was permitted. That something does not exist is found after the permission.
    fn may(&self, tried: lapin::Result<()>) -> Result<bool, BusError> {
        let Err(error) = tried else {
            return Ok(true);
        };
        let ErrorKind::ProtocolError(cause) = error.kind() else {
            return Err(self.classify(&error));
        };
        match cause.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => Ok(false),
            AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => Ok(true),
            AMQPErrorKind::Soft(_) | AMQPErrorKind::Hard(_) => Err(self.classify(&error)),
        }
    }
}

/// Publishes in a transaction, and rolls it back: nobody ever gets the message.
async fn publish(
    channel: &Channel,
    events: &mut (impl Stream<Item = Event> + Unpin),
    exchange: &str,
    key: &str,
) -> lapin::Result<()> {
    let Err(error) = publish_and_roll_back(channel, exchange, key).await else {
        return Ok(());
    };
    // The rollback fails without the cause where it comes after the refusal. The end of the channel
    // is told with it, each time.
    while let Some(event) = events.next().await {
        if let Event::Error(cause) = event {
            return Err(cause);
        }
    }
    Err(error)
}

async fn publish_and_roll_back(channel: &Channel, exchange: &str, key: &str) -> lapin::Result<()> {
    channel.tx_select().await?;
    let options = BasicPublishOptions::default();
    let properties = BasicProperties::default();
    let confirm = channel
        .basic_publish(exchange.into(), key.into(), options, b"", properties)
        .await?;
    // There is none to wait for.
    drop(confirm);
    channel.tx_rollback().await
}
