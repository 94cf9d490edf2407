//! The exchange and the queues of one session.

use std::time::Duration;

use futures_util::future::{join_all, join4};
use lapin::options::{
    BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Consumer, ExchangeKind};

use super::filter::{COMMANDS, REPLIES};
use super::{Line, Node};
use crate::bus::{BusError, CommandQueue, EXCHANGE, SessionSpec, Shown};

/// Messages that wait in one queue of the broker, and their bytes. Beyond that the oldest are
/// dropped (L1): what is delivered has not waited for long, and the broker's memory has an end.
const QUEUE: i64 = 4096;
const QUEUE_BYTES: i64 = 64 << 20;

/// Declares and consumes the queues of one session. All of it is sent before the first answer
/// comes; one failure on a channel makes all that follows fail with the same error.
pub(super) struct Queues<'a> {
    pub(super) node: &'a Node,
    pub(super) channel: &'a Channel,
    pub(super) spec: &'a SessionSpec,
    pub(super) round_trip: Duration,
}

impl Queues<'_> {
    /// With exactly the flags that every other actor declares it with; the broker refuses others.
    pub(super) async fn exchange(&self) -> lapin::Result<()> {
        let options = ExchangeDeclareOptions {
            auto_delete: true,
            ..ExchangeDeclareOptions::default()
        };
        let (kind, arguments) = (ExchangeKind::Topic, FieldTable::default());
        self.channel
            .exchange_declare(EXCHANGE.into(), kind, options, arguments)
            .await
    }

    pub(super) fn commands(
        &self,
        queue: CommandQueue,
    ) -> Result<impl Future<Output = lapin::Result<Consumer>> + use<>, BusError> {
        let ttl = u32::try_from(queue.ttl.as_millis()).unwrap_or(u32::MAX);
        let mut arguments = bounded();
        arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(ttl.into()));
        let binding = format!("command.{}.#", self.spec.name);
        self.consume(COMMANDS, &[binding], arguments, self.spec.prefetch)
    }

    pub(super) fn replies(
        &self,
    ) -> Result<impl Future<Output = lapin::Result<Consumer>> + use<>, BusError> {
        let bindings = self.spec.reply_bindings();
        // Where the broker is far, one would be one in each round trip. Commands wait where they
        // can expire (S3), but for as many as the session says.
        let prefetch = self.spec.prefetch.max(under_way(self.round_trip));
        self.consume(REPLIES, &bindings, bounded(), prefetch)
    }

    fn consume(
        &self,
        kind: &str,
        bindings: &[String],
        arguments: FieldTable,
        prefetch: u16,
    ) -> Result<impl Future<Output = lapin::Result<Consumer>> + use<>, BusError> {
        let queue = self.short(&self.name(kind))?;
        let bindings = bindings.iter().map(|binding| self.short(binding));
        let bindings = bindings.collect::<Result<Vec<_>, _>>()?;
        let options = QueueDeclareOptions {
            exclusive: true,
            ..QueueDeclareOptions::default()
        };
        // By which the filter knows the messages.
        let tag = self.short(kind)?;
        let channel = self.channel.clone();
        Ok(async move {
            let declared = channel.queue_declare(queue.clone(), options, arguments);
            let bound = bindings.into_iter().map(|binding| {
                channel.queue_bind(
                    queue.clone(),
                    EXCHANGE.into(),
                    binding,
                    QueueBindOptions::default(),
                    FieldTable::default(),
                )
            });
            let prefetch = channel.basic_qos(prefetch, BasicQosOptions::default());
            let consumer = channel.basic_consume(
                queue.clone(),
                tag,
                BasicConsumeOptions::default(),
                FieldTable::default(),
            );
            let (declared, bound, prefetch, consumer) =
                join4(declared, join_all(bound), prefetch, consumer).await;
            declared?;
            prefetch?;
            bound.into_iter().collect::<lapin::Result<()>>()?;
            consumer
        })
    }

    fn name(&self, kind: &str) -> String {
        format!("{}_{kind}", self.spec.name)
    }

    fn short(&self, text: &str) -> Result<ShortString, BusError> {
        ShortString::try_new(text).map_err(|_| BusError::Refused {
            address: self.node.address(),
            cause: Shown::ours(format!(
                "neither a queue's name nor a routing key can be {} bytes long; choose a shorter name",
                text.len()
            )),
        })
    }

    /// Who has the queue that cannot be had: another connection, or everybody, if it is not
    /// exclusive, which RabbitMQ refuses with the same words.
    pub(super) async fn locked(&self, line: &Line, error: &lapin::Error) -> BusError {
        let replies = self.name("replies");
        let queue = if error.to_string().contains(&format!("'{replies}'")) {
            replies
        } else {
            self.name("commands")
        };
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        // The error has closed the other channel.
        let looked_at = async {
            let channel = line.connection.create_channel().await?;
            let name = ShortString::try_new(queue.as_str()).unwrap_or_default();
            channel
                .queue_declare(name, options, FieldTable::default())
                .await
        };
        match looked_at.await {
            Ok(_) => BusError::Foreign {
                what: format!("the queue {queue}"),
                cause: Shown::ours("it is not exclusive"),
            },
            Err(_) => BusError::Locked { queue },
        }
    }
}

fn bounded() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(QUEUE));
    arguments.insert(
        "x-max-length-bytes".into(),
        AMQPValue::LongLongInt(QUEUE_BYTES),
    );
    arguments
}

/// How many messages may be under way: one where the broker is near.
fn under_way(round_trip: Duration) -> u16 {
    const EACH: Duration = Duration::from_millis(50);
    let many = round_trip.as_millis() / EACH.as_millis();
    u16::try_from(many).unwrap_or(u16::MAX).clamp(1, 64)
}
