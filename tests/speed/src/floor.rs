//! The floor: the least that any actor can do on this broker. One thread on a blocking socket
//! answers each command with two replies and its acknowledgement in one write.

use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::{AMQPValue, FieldTable};
use anyhow::Result;

use crate::wire::{Incoming, Message, Wire};

/// The floor's name as a CLU actor.
pub(crate) const NAME: &str = "floor";
/// As many as lvmbeat takes.
const PREFETCH: u16 = 512;

/// Serves until it is killed.
pub(crate) fn serve(port: u16) -> Result<()> {
    let mut wire = connect(port)?;
    // Nobody commands it while the others are looked at.
    wire.waits_for_good()?;
    loop {
        if let Incoming::Message(command) = wire.next()? {
            reply(&mut wire, &command, ">", b"{}")?;
            reply(&mut wire, &command, ":", br#"{"text": "Heartbeat set."}"#)?;
            wire.acknowledge(command.tag)?;
            wire.flush()?;
        }
    }
}

/// What each actor has to do before it can answer anything.
pub(crate) fn connect(port: u16) -> Result<Wire> {
    let mut wire = Wire::connect(port)?;
    wire.consume("floor_commands", "command.floor.#", Some(PREFETCH))?;
    Ok(wire)
}

fn reply(wire: &mut Wire, command: &Message, code: &str, body: &[u8]) -> Result<()> {
    let header = |name: &str| {
        let headers = command.properties.headers().as_ref()?;
        headers.inner().get(name).cloned()
    };
    let commander = header("commander_id");
    let to = commander
        .as_ref()
        .and_then(AMQPValue::as_long_string)
        .map(ToString::to_string)
        .unwrap_or_default();
    let mut headers = FieldTable::default();
    headers.insert("message_code".into(), AMQPValue::LongString(code.into()));
    headers.insert("sender".into(), AMQPValue::LongString(NAME.into()));
    headers.insert("internal".into(), AMQPValue::Boolean(false));
    for name in ["commander_id", "command_id"] {
        if let Some(value) = header(name) {
            headers.insert(name.into(), value);
        }
    }
    let mut properties = BasicProperties::default()
        .with_content_type("text/json".into())
        .with_headers(headers);
    if let Some(id) = command.properties.correlation_id() {
        properties = properties.with_correlation_id(id.clone());
    }
    wire.publish(&format!("reply.{to}"), properties, body)
}
