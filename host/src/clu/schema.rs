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
        "definitions": {"heartbeat": status::heartbeat(), "entry": entry()},
        "properties": properties,
        "additionalProperties": true
    })
}

/// One entry of the journal.
fn entry() -> Value {
    json!({
        "description": "One thing that happened; what else is in it depends on the event.",
        "type": "object",
        "properties": {
            "at": {"description": "When, by the actor's clock.", "type": "string"},
            "event": {
                "type": "string",
                "enum": [
                    "started", "stopping", "health", "flapped", "held", "released", "emissions", "session", "lapse",
                    "dome", "engineering_mode", "plc_time_ran_out", "plc_error", "unknown"
                ]
            },
            "words": {"description": "The same for people.", "type": "string"}
        },
        "required": ["at", "event", "words"]
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
        "history": {
            "description": "What happened, the oldest first, as far as the actor has it in memory.",
            "type": "object",
            "properties": {
                "entries": {"description": "One by one.", "type": "array", "items": {"$ref": "#/definitions/entry"}},
                "left_out": {"description": "Older entries that a reply has no room for.", "type": "integer"}
            }
        },
        "closing": {
            "description": "The last closing of the dome; null if none is known.",
            "type": ["object", "null"],
            "properties": {
                "verdict": {
                    "description": "Whether the PLC closed it for want of a heartbeat, it closed while lvmbeat was not running, something else closed it, or the PLC had to and nobody said that it did.",
                    "type": "string",
                    "enum": ["watchdog", "while_not_running", "not_lvmbeat", "not_heard_to_close"]
                },
                "summary": {"description": "Why, in words; times are in UTC.", "type": "string"},
                "entries": {"description": "One by one.", "type": "array", "items": {"$ref": "#/definitions/entry"}},
                "left_out": {"description": "Older entries that a reply has no room for.", "type": "integer"}
            }
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
