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
            "health": health(),
            "delivery": delivery(),
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
            "not_arriving": {
                "description": "Why the dome heartbeat does not arrive at the PLC although this heartbeat was set.",
                "type": "string"
            },
            "late": {
                "description": "All that holds the dome heartbeat, if it is more than 'held' says.",
                "type": "array",
                "items": {"type": "string"}
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

/// How the whole is.
fn health() -> Value {
    json!({
        "description": "How the whole is.",
        "type": "object",
        "properties": {
            "state": {
                "description": "In one word. ok: the dome heartbeat arrives, and everything is on time. late: something misses its time, and nothing is withheld yet. held: the dome heartbeat is held. not_arriving: it is sent, and not acknowledged. closing: the PLC's time has run out, and the dome is not known to be closed. closed_by_watchdog: the same, and the dome is closed. bypassed: in engineering mode the enclosure feeds the PLC by itself. unknown: another actor is the active one.",
                "type": "string",
                "enum": ["ok", "late", "held", "not_arriving", "closing", "closed_by_watchdog", "bypassed", "unknown"]
            },
            "seconds": {"description": "For how long it has been so.", "type": "number"},
            "text": {"description": "In one sentence, with all causes.", "type": "string"},
            "late": {
                "description": "Everything that is stale or late, a sentence each; what holds the dome heartbeat first.",
                "type": "array",
                "items": {"type": "string"}
            }
        },
        "required": ["state", "seconds", "text", "late"]
    })
}

/// Whether the dome heartbeat arrives.
fn delivery() -> Value {
    json!({
        "description": "Whether the dome heartbeat arrives at the dome's PLC.",
        "type": "object",
        "properties": {
            "cause": {
                "description": "Why none is acknowledged; null if nothing is the matter. held: none is sent. unroutable: nobody takes commands for the enclosure. no_answer: it did not answer in time. refused: it could not write it. lost: the connection to the broker failed. plc: the enclosure acknowledges it, and the PLC says that it misses it (hb_error).",
                "type": ["string", "null"],
                "enum": ["held", "unroutable", "no_answer", "refused", "lost", "plc", null]
            },
            "text": {"description": "The cause in words; what the enclosure said, if it refused.", "type": ["string", "null"]},
            "seconds": {"description": "Seconds since one was acknowledged, or since the actor started.", "type": "number"},
            "acknowledged": {"description": "Whether one was acknowledged since the actor started.", "type": "boolean"},
            "failures": {"description": "Attempts that failed since then.", "type": "integer"},
            "closes_in": {"description": "Seconds after which the PLC closes the dome, at the latest, if nothing arrives; null if that is not known, or if its time has run out.", "$ref": "#/definitions/seconds"},
            "closing_for": {"description": "Seconds since the PLC's time ran out; null if it has not.", "$ref": "#/definitions/seconds"},
            "confirmed": {"description": "Whether the PLC's registers say that its time ran out; null if they have not been heard since.", "type": ["boolean", "null"]},
            "least_left": {"description": "The least that was left of the PLC's time in the last 24 hours while the dome was not known to be closed, whatever the heartbeat was missing for.", "$ref": "#/definitions/seconds"}
        },
        "required": ["cause", "text", "seconds", "acknowledged", "failures", "closes_in", "closing_for", "confirmed", "least_left"]
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
                    "description": "The least that was ever left of the timeout when the next beat came, between two beats of one session; 0 if the heartbeat went stale in between.",
                    "$ref": "#/definitions/seconds"
                }
            },
            "required": ["current", "last_seen"]
        }
    })
}
