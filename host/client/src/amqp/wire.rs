//! Between [`Message`] and what AMQP has on the wire.

use std::time::Duration;

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};

use crate::bus::{EXCHANGE, Header, Message};

/// CLU's messages are not kept over a restart of the broker.
const TRANSIENT: u8 = 1;

/// The properties of a message, as CLU's clients set them. What does not fit into an AMQP short
/// string (255 bytes) is left out.
pub(super) fn properties(message: &Message) -> BasicProperties {
    let headers = message
        .headers
        .iter()
        .filter_map(|(name, header)| {
            Some((ShortString::try_new(name.as_str()).ok()?, encode(header)))
        })
        .collect::<std::collections::BTreeMap<_, _>>();
    let mut properties = BasicProperties::default()
        .with_delivery_mode(TRANSIENT)
        .with_priority(0)
        .with_headers(FieldTable::from(headers));
    if let Some(text) = short(message.content_type.as_deref()) {
        properties = properties.with_content_type(text);
    }
    if let Some(text) = short(message.correlation_id.as_deref()) {
        properties = properties.with_correlation_id(text);
    }
    if let Some(text) = short(message.reply_to.as_deref()) {
        properties = properties.with_reply_to(text);
    }
    if let Some(text) = short(message.message_id.as_deref()) {
        properties = properties.with_message_id(text);
    }
    if let Some(timestamp) = message.timestamp {
        properties = properties.with_timestamp(timestamp);
    }
    if let Some(expiration) = message.expiration {
        let milliseconds = u32::try_from(expiration.as_millis()).unwrap_or(u32::MAX);
        properties = properties.with_expiration(milliseconds.to_string().into());
    }
    properties
}

/// A message as it was delivered.
pub(super) fn decode(delivery: Delivery) -> Message {
    let properties = delivery.properties;
    let text = |text: &Option<ShortString>| text.as_ref().map(ShortString::to_string);
    Message {
        routing_key: delivery.routing_key.to_string(),
        content_type: text(properties.content_type()),
        correlation_id: text(properties.correlation_id()),
        reply_to: text(properties.reply_to()),
        message_id: text(properties.message_id()),
        timestamp: *properties.timestamp(),
        expiration: text(properties.expiration())
            .and_then(|milliseconds| milliseconds.parse().ok())
            .map(Duration::from_millis),
        from_elsewhere: delivery.exchange.as_str() != EXCHANGE,
        headers: properties
            .headers()
            .iter()
            .flat_map(FieldTable::inner)
            .map(|(name, value)| (name.to_string(), header(value)))
            .collect(),
        body: delivery.data,
    }
}

fn short(text: Option<&str>) -> Option<ShortString> {
    ShortString::try_new(text?).ok()
}

fn encode(header: &Header) -> AMQPValue {
    match header {
        Header::Text(text) => AMQPValue::LongString(LongString::from(text.as_str())),
        Header::Bool(truth) => AMQPValue::Boolean(*truth),
        Header::Int(number) => AMQPValue::LongLongInt(*number),
        Header::Null | Header::Other => AMQPValue::Void,
    }
}

fn header(value: &AMQPValue) -> Header {
    match value {
        AMQPValue::LongString(text) => utf8(text.as_bytes()),
        AMQPValue::ByteArray(bytes) => utf8(bytes.as_slice()),
        AMQPValue::ShortString(text) => Header::Text(text.to_string()),
        AMQPValue::Boolean(truth) => Header::Bool(*truth),
        AMQPValue::ShortShortInt(number) => Header::Int((*number).into()),
        AMQPValue::ShortShortUInt(number) => Header::Int((*number).into()),
        AMQPValue::ShortInt(number) => Header::Int((*number).into()),
        AMQPValue::ShortUInt(number) => Header::Int((*number).into()),
        AMQPValue::LongInt(number) => Header::Int((*number).into()),
        AMQPValue::LongUInt(number) => Header::Int((*number).into()),
        AMQPValue::LongLongInt(number) => Header::Int(*number),
        AMQPValue::Void => Header::Null,
        AMQPValue::Float(_)
        | AMQPValue::Double(_)
        | AMQPValue::DecimalValue(_)
        | AMQPValue::FieldArray(_)
        | AMQPValue::Timestamp(_)
        | AMQPValue::FieldTable(_) => Header::Other,
    }
}

/// CLU's clients take bytes in a header for text.
fn utf8(bytes: &[u8]) -> Header {
    str::from_utf8(bytes).map_or(Header::Other, |text| Header::Text(text.to_owned()))
}
