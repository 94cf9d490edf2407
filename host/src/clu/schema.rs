//! The JSON schema of lvmbeat's replies (draft 7).
//!
//! Clients that list lvmbeat among their models ask for it by `get_schema` when they start, and
//! check replies against it. It allows further keywords: clients add CLU's own ones themselves, and
//! what lvmbeat shows may grow without breaking anybody. The meaning of the first four keywords of
//! [`lvmbeat`] is fixed.

use serde_json::{Value, json};

mod status;

/// The schema of lvmbeat's replies.
pub fn lvmbeat() -> Value {
    let mut properties = status::keywords();
    let others = others();
    properties.extend(others.as_object().cloned().unwrap_or_default());
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "lvmbeat",
        "description": "The keywords in the replies of lvmbeat.",
        "type": "object",
        "definitions": {"heartbeat": status::heartbeat()},
        "properties": properties,
        "additionalProperties": true
    })
}

/// Those of other replies than that to `status`.
fn others() -> Value {
    json!({
        "seen": {
            "description": "Repeated with the next 'set' (--seen), it proves when that one was sent.",
            "type": "string"
        },
        "held": {
            "description": "Why the dome heartbeat is held although this heartbeat was set.",
            "type": "string"
        },
        "not_arriving": {
            "description": "Why the dome heartbeat does not arrive at the PLC although this heartbeat was set.",
            "type": "string"
        },
        "late": {
            "description": "All that holds the dome heartbeat, if it is more than 'held' says.",
            "type": "array",
            "items": {"type": "string"}
        },
        "text": {"description": "A message to people.", "type": "string"},
        "version": {"description": "The version of lvmbeat.", "type": "string"},
        "schema": {"description": "This schema, as a string.", "type": "string"},
        "help": {
            "description": "Help, line by line.",
            "oneOf": [
                {"type": "array", "items": {"type": "string"}},
                {"type": "string"}
            ]
        },
        "error": {
            "description": "What went wrong.",
            "oneOf": [
                {"type": "array", "items": {"type": "string"}},
                {"type": "string"},
                {"type": "object"}
            ]
        },
        "command_model": {
            "description": "Commands as data.",
            "type": ["array", "object"]
        }
    })
}
