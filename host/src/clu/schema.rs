//! The JSON schema of lvmbeat's replies (draft 7).
//!
//! Clients that list lvmbeat among their models ask for it by `get_schema` when they start, and
//! check replies against it. It allows further keywords: clients add CLU's own ones themselves, and
//! what lvmbeat shows may grow without breaking anybody. The meaning of the first four keywords of
//! [`lvmbeat`] is fixed.

use serde_json::{Value, json};

/// The schema of lvmbeat's replies.
pub fn lvmbeat() -> Value {
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "lvmbeat",
        "description": "The keywords in the replies of lvmbeat.",
        "type": "object",
        "definitions": definitions(),
        "properties": {
            "heartbeats": {
                "description": "The programs whose heartbeats are collected, by name.",
                "type": "object",
                "additionalProperties": {"$ref": "#/definitions/heartbeat"}
            },
            "last_emitted_ecp": {
                "description": "When the enclosure last took a heartbeat.",
                "$ref": "#/definitions/time"
            },
            "last_emitted_outside": {
                "description": "When a monitor outside the observatory last took a heartbeat.",
                "$ref": "#/definitions/time"
            },
            "network": {
                "description": "Whether each network can be reached. 'outside' and 'internet' are the same.",
                "type": "object",
                "additionalProperties": {"type": "boolean"}
            },
            "hold": {
                "description": "Why the next heartbeat would not be passed on to the enclosure; null if it would.",
                "type": ["object", "null"],
                "properties": {
                    "reason": {"description": "The name of the cause.", "type": "string"},
                    "fault": {"description": "Whether something is wrong; otherwise it is only the pace.", "type": "boolean"},
                    "text": {"description": "The cause in words.", "type": "string"},
                    "seconds": {"description": "For how long.", "$ref": "#/definitions/seconds"}
                }
            },
            "ecp": {
                "description": "The heartbeats to the enclosure.",
                "type": "object"
            },
            "relay_box": {
                "description": "The watchdog box on a serial line; null without one.",
                "type": ["object", "null"]
            },
            "enclosure": {
                "description": "What the enclosure's own replies say of itself; null until it has said something.",
                "type": ["object", "null"]
            },
            "outside_monitors": {
                "description": "The monitors outside the observatory.",
                "type": "array",
                "items": {"type": "object"}
            },
            "seen": {
                "description": "Repeated with the next 'set' (--seen), it proves when that one was sent.",
                "type": "string"
            },
            "held": {
                "description": "Why the dome heartbeat is held although this heartbeat was set.",
                "type": "string"
            },
            "journal": {
                "description": "The file in which the actor writes down what happened; null without one.",
                "type": ["object", "null"],
                "properties": {
                    "failure": {"description": "Why it cannot be written; null if it can.", "type": ["string", "null"]},
                    "unwritten": {"description": "Entries that are not in it for that reason.", "type": "integer"}
                }
            },
            "history": {
                "description": "What happened, the oldest first, as far as the actor has it in memory.",
                "type": "object",
                "properties": {
                    "entries": {"type": "array", "items": {"$ref": "#/definitions/entry"}},
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
                    "entries": {"type": "array", "items": {"$ref": "#/definitions/entry"}},
                    "left_out": {"description": "Older entries that a reply has no room for.", "type": "integer"}
                }
            },
            "uptime": {
                "description": "Seconds since the actor started.",
                "type": "number"
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
        },
        "additionalProperties": true
    })
}

fn definitions() -> Value {
    json!({
        "time": {
            "description": "A time in UTC (RFC 3339, ending in Z), or null for never.",
            "type": ["string", "null"]
        },
        "seconds": {
            "type": ["number", "null"]
        },
        "entry": {
            "description": "One thing that happened; what else is in it depends on the event.",
            "type": "object",
            "properties": {
                "at": {"description": "When, by the actor's clock.", "type": "string"},
                "event": {
                    "type": "string",
                    "enum": [
                        "started", "stopping", "health", "held", "released", "emissions", "session", "lapse",
                        "dome", "engineering_mode", "plc_time_ran_out", "plc_error", "unknown"
                    ]
                },
                "words": {"description": "The same for people.", "type": "string"}
            },
            "required": ["at", "event", "words"]
        },
        "heartbeat": {
            "type": "object",
            "properties": {
                "current": {"description": "Whether it was received within its timeout.", "type": "boolean"},
                "last_seen": {"description": "When it was last received.", "$ref": "#/definitions/time"},
                "critical": {"description": "Whether the dome depends on it.", "type": "boolean"},
                "age": {"description": "Seconds since then.", "$ref": "#/definitions/seconds"},
                "proven_age": {
                    "description": "Seconds since when it is known to have been alive; null before a second beat confirms the first.",
                    "$ref": "#/definitions/seconds"
                },
                "timeout": {"description": "Its timeout in seconds.", "type": "number"},
                "smallest_margin": {
                    "description": "The shortest time by which it has ever been in time, in seconds.",
                    "$ref": "#/definitions/seconds"
                }
            },
            "required": ["current", "last_seen"]
        }
    })
}
