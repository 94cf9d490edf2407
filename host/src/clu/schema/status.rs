//! The keywords of `status`, to the leaf. Each object names all of its keys, so that a key that is
//! shown and not described fails a test.

use lvmbeat_core::{Cause, Outcome};
use serde_json::{Map, Value, json};

use crate::actor::Undelivered;
use crate::report::{Dome, Health};

/// The keywords by their names.
pub(super) fn keywords() -> Map<String, Value> {
    let keywords = [
        (
            "heartbeats",
            json!({
                "description": "The programs whose heartbeats are collected, by name.",
                "type": "object",
                "additionalProperties": {"$ref": "#/definitions/heartbeat"}
            }),
        ),
        (
            "last_emitted_ecp",
            time("When the enclosure last took a heartbeat."),
        ),
        (
            "last_emitted_outside",
            time("When a monitor outside the observatory last took a heartbeat."),
        ),
        (
            "network",
            json!({
                "description": "Whether each network that is configured can be reached, or is not known to be down. 'outside' and 'internet' are the same. One that is not configured is absent.",
                "type": "object",
                "additionalProperties": {"type": "boolean"}
            }),
        ),
        ("health", health()),
        ("delivery", delivery()),
        ("hold", hold()),
        ("ecp", ecp()),
        ("enclosure", enclosure()),
        ("relay_box", relay_box()),
        ("drill", drill()),
        ("outside_monitors", outside_monitors()),
        ("journal", journal()),
        (
            "uptime",
            json!({"description": "Seconds since the actor started.", "type": "number"}),
        ),
    ];
    let keywords = keywords.into_iter();
    keywords
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect()
}

/// An object with these keys and no others.
fn object(description: &str, properties: &[(&str, Value)]) -> Value {
    let names: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> = properties
        .iter()
        .map(|(name, schema)| ((*name).to_owned(), schema.clone()))
        .collect();
    json!({
        "description": description,
        "type": "object",
        "properties": properties,
        "required": names,
        "additionalProperties": false
    })
}

/// The same, or null.
fn or_null(mut object: Value) -> Value {
    if let Some(kind) = object.get_mut("type") {
        *kind = json!(["object", "null"]);
    }
    object
}

fn of(kind: &str, description: &str) -> Value {
    json!({"description": description, "type": kind})
}

fn maybe(kind: &str, description: &str) -> Value {
    json!({"description": description, "type": [kind, "null"]})
}

fn seconds(description: &str) -> Value {
    maybe("number", description)
}

fn time(description: &str) -> Value {
    let description = format!("{description} In UTC (RFC 3339, ending in Z); null: never.");
    maybe("string", &description)
}

fn one_of<'a>(description: &str, names: impl IntoIterator<Item = &'a str>) -> Value {
    let names: Vec<&str> = names.into_iter().collect();
    json!({"description": description, "type": "string", "enum": names})
}

/// The same, or null.
fn maybe_one_of<'a>(description: &str, names: impl IntoIterator<Item = &'a str>) -> Value {
    let names = names.into_iter().map(Value::from);
    let names: Vec<Value> = names.chain([Value::Null]).collect();
    json!({"description": description, "type": ["string", "null"], "enum": names})
}

/// One program.
pub(super) fn heartbeat() -> Value {
    object(
        "One program that must be alive.",
        &[
            (
                "current",
                of("boolean", "Whether it was received within its timeout."),
            ),
            ("last_seen", time("When it was last received.")),
            ("critical", of("boolean", "Whether the dome depends on it.")),
            ("age", seconds("Seconds since then.")),
            (
                "proven_age",
                seconds(
                    "Seconds since when it is known to have been alive, which is what counts; null before a second beat confirms the first.",
                ),
            ),
            ("timeout", of("number", "Its timeout in seconds.")),
            (
                "smallest_margin",
                seconds(
                    "The least that was ever left of the timeout when the next beat came, between two beats of one session; 0 if the heartbeat went stale in between.",
                ),
            ),
            (
                "beats",
                of(
                    "integer",
                    "How often it was received since the actor started, whether or not it counted.",
                ),
            ),
            (
                "last_by",
                maybe(
                    "string",
                    "The program that set it last: the commander's name; null: none, or one without a name.",
                ),
            ),
            (
                "also_by",
                maybe(
                    "string",
                    "Another program that sets it as well; null: there is none.",
                ),
            ),
            (
                "refused",
                of(
                    "integer",
                    "How often it was set by a program that heartbeats[].from does not name.",
                ),
            ),
            (
                "refused_from",
                maybe("string", "The last of these programs."),
            ),
        ],
    )
}

fn health() -> Value {
    let states = Health::ALL.into_iter().map(Health::as_str);
    object(
        "How the whole is.",
        &[
            (
                "state",
                one_of(
                    "In one word. ok: the dome heartbeat arrives, and everything is on time. late: something misses its time, and nothing is withheld yet. held: the dome heartbeat is held. not_arriving: it is sent, and not acknowledged. closing: the PLC's time has run out, and the dome is not known to be closed. closed_by_watchdog: the same, and the dome is closed. bypassed: in engineering mode the enclosure feeds the PLC by itself. unknown: another actor is the active one.",
                    states,
                ),
            ),
            ("seconds", of("number", "For how long it has been so.")),
            ("text", of("string", "In one sentence, with all causes.")),
            (
                "late",
                json!({
                    "description": "Everything that is stale or late, a sentence each; what holds the dome heartbeat first.",
                    "type": "array",
                    "items": {"type": "string"}
                }),
            ),
        ],
    )
}

fn delivery() -> Value {
    let causes = Undelivered::ALL.into_iter().map(Undelivered::as_str);
    object(
        "Whether the dome heartbeat arrives at the dome's PLC.",
        &[
            (
                "cause",
                maybe_one_of(
                    "Why none is acknowledged; null if nothing is the matter. held: none is sent. unroutable: nobody takes commands for the enclosure. no_answer: it did not answer in time. refused: it could not write it. lost: the connection to the broker failed. plc: the enclosure acknowledges it, and the PLC says that it misses it (hb_error).",
                    causes,
                ),
            ),
            (
                "text",
                maybe(
                    "string",
                    "The cause in words; what the enclosure said, if it refused.",
                ),
            ),
            (
                "seconds",
                of(
                    "number",
                    "Seconds since one was acknowledged, or since the actor started.",
                ),
            ),
            (
                "acknowledged",
                of(
                    "boolean",
                    "Whether one was acknowledged since the actor started.",
                ),
            ),
            (
                "failures",
                of("integer", "Attempts that failed since then."),
            ),
            (
                "closes_in",
                seconds(
                    "Seconds after which the PLC closes the dome, at the latest, if nothing arrives; null if that is not known, or if its time has run out.",
                ),
            ),
            (
                "closing_for",
                seconds("Seconds since the PLC's time ran out; null if it has not."),
            ),
            (
                "closing_since",
                time("The PLC's time ran out then; null if it has not."),
            ),
            (
                "confirmed",
                maybe(
                    "boolean",
                    "Whether the PLC's registers say that its time ran out; null if they have not been heard since.",
                ),
            ),
            (
                "least_left",
                seconds(
                    "The least that was left of the PLC's time in the last 24 hours while the dome was not known to be closed, whatever the heartbeat was missing for.",
                ),
            ),
        ],
    )
}

fn hold() -> Value {
    let causes = Cause::ALL.into_iter().map(Cause::as_str);
    or_null(object(
        "Why the next heartbeat would not be passed on to the enclosure; null if it would.",
        &[
            ("reason", one_of("The name of the first cause.", causes)),
            (
                "fault",
                of(
                    "boolean",
                    "Whether something is wrong; otherwise it is only the pace.",
                ),
            ),
            ("text", of("string", "The cause in words.")),
            (
                "seconds",
                seconds("For how long it has been so; null if it is only the pace."),
            ),
        ],
    ))
}

fn ecp() -> Value {
    let outcomes = Outcome::ALL.into_iter().map(Outcome::as_str);
    object(
        "The heartbeats to the enclosure.",
        &[
            ("actor", of("string", "The enclosure's actor.")),
            (
                "last_outcome",
                maybe_one_of(
                    "What became of the last heartbeat; null: none was sent yet.",
                    outcomes,
                ),
            ),
            (
                "acknowledged_age",
                seconds("Seconds since the enclosure last acknowledged one."),
            ),
            ("in_flight", of("boolean", "Whether one is on its way.")),
            (
                "smallest_margin",
                seconds(
                    "The PLC's timeout minus the longest time between two that were acknowledged and between which nothing withheld one (L1).",
                ),
            ),
        ],
    )
}

fn enclosure() -> Value {
    let domes = Dome::ALL.into_iter().map(Dome::as_str);
    or_null(object(
        "What the enclosure's own replies say of itself; null until it has said something. What it has not said for facts_expire is null again; so is what it said of a dome that was not closed, and of a PLC that was fed, when the PLC's time has run out since.",
        &[
            ("age", seconds("Seconds since it last said anything.")),
            (
                "dome",
                maybe_one_of("Where the dome is; null if that is not known.", domes),
            ),
            (
                "dome_age",
                seconds("Seconds since it last said where the dome is."),
            ),
            (
                "dome_unknown_since",
                time("Since when it is not known where the dome is."),
            ),
            (
                "facts_expire",
                seconds("What was not said for so many seconds is not known."),
            ),
            (
                "dome_open",
                maybe(
                    "boolean",
                    "Whether the dome is open; null while it moves or is not known.",
                ),
            ),
            (
                "dome_closed",
                maybe(
                    "boolean",
                    "Whether the dome is closed; null if that is not known.",
                ),
            ),
            (
                "engineering_mode",
                maybe(
                    "boolean",
                    "Whether the enclosure beats to the PLC by itself, whatever lvmbeat decides.",
                ),
            ),
            (
                "engineering_mode_age",
                seconds("Seconds since it last said that."),
            ),
            (
                "plc_acknowledges",
                maybe("boolean", "Whether the PLC sees the heartbeat (hb_ack)."),
            ),
            (
                "plc_heartbeat_error",
                maybe(
                    "boolean",
                    "Whether the PLC has missed the heartbeat for its whole timeout (hb_error).",
                ),
            ),
            (
                "plc_acknowledges_age",
                seconds("Seconds since plc_acknowledges was last said."),
            ),
            (
                "plc_heartbeat_error_age",
                seconds("Seconds since plc_heartbeat_error was last said."),
            ),
            (
                "plc_acknowledged_age",
                seconds("Seconds since the PLC was last heard to acknowledge."),
            ),
        ],
    ))
}

fn relay_box() -> Value {
    or_null(object(
        "The watchdog box on a serial line; null without one.",
        &[
            ("path", of("string", "Its device.")),
            (
                "energised",
                maybe(
                    "boolean",
                    "Whether its relay is energised; null: it has not answered yet.",
                ),
            ),
            (
                "latched",
                maybe("boolean", "Whether somebody has to arm it first."),
            ),
            (
                "hold",
                maybe(
                    "string",
                    "Its word for why the next heartbeat would not count, or why the relay was released.",
                ),
            ),
            ("last_counted", time("When a heartbeat last counted.")),
            (
                "failure",
                maybe(
                    "string",
                    "Why the last heartbeat did not reach it; null if it did.",
                ),
            ),
        ],
    ))
}

fn drill() -> Value {
    let people = object(
        "Whether people were reached by a test message after it; null if nobody has tried.",
        &[
            ("at", time("When that was noted.")),
            ("reached", of("boolean", "Every channel took the message.")),
            ("text", of("string", "In one sentence.")),
        ],
    );
    let last = object(
        "What became of the last drill since the actor started; null if there was none.",
        &[
            ("at", time("When it ended.")),
            (
                "verdict",
                one_of(
                    "Whether the PLC missed the heartbeat and heard it again.",
                    ["passed", "failed", "aborted"],
                ),
            ),
            ("text", of("string", "In one sentence.")),
            (
                "tripped_after",
                seconds("Seconds from the last heartbeat until the PLC said that it misses it."),
            ),
            ("people", or_null(people)),
        ],
    );
    object(
        "Drills, which prove that the PLC closes the dome without the dome heartbeat.",
        &[
            (
                "state",
                maybe_one_of(
                    "How far the one under way is; null if none is.",
                    ["withholding", "recovering"],
                ),
            ),
            ("seconds", seconds("For how long.")),
            (
                "proved_at",
                time("When one last passed, as far as the journal knows."),
            ),
            (
                "due",
                of("boolean", "None has passed for longer than ecp.drill_days."),
            ),
            ("last", or_null(last)),
        ],
    )
}

fn journal() -> Value {
    or_null(object(
        "The file in which the actor writes down what happened; null without one.",
        &[
            (
                "failure",
                maybe("string", "Why it cannot be written; null if it can."),
            ),
            (
                "unwritten",
                of("integer", "Entries that are not in it for that reason."),
            ),
        ],
    ))
}

fn outside_monitors() -> Value {
    json!({
        "description": "The monitors outside the observatory.",
        "type": "array",
        "items": object(
            "One of them.",
            &[
                ("url", of("string", "Its address, without secrets.")),
                ("last_beat", time("When it last took a heartbeat.")),
                ("failure", maybe("string", "Why it did not take the last one; null if it did.")),
            ],
        )
    })
}
