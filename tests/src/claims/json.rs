//! What a JSON document says, in the words that people would be told.

use serde_json::Value;

/// A sentence a line for each statement in it.
pub fn sentences(value: &Value) -> String {
    let mut lines = Vec::new();
    collect("", value, &mut lines);
    lines.join("\n")
}

fn collect(name: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                collect(name, value, lines);
            }
        }
        Value::Array(all) => all.iter().for_each(|one| collect(name, one, lines)),
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) => lines.extend(said(name, value)),
    }
}

fn said(name: &str, value: &Value) -> Option<String> {
    let line = match (name, value) {
        ("dome", Value::String(dome)) => format!("dome {dome}"),
        ("dome_open", Value::Bool(true)) => "dome open".to_owned(),
        ("dome_open", Value::Bool(false)) => "dome not open".to_owned(),
        ("dome_closed", Value::Bool(true)) => "dome closed".to_owned(),
        ("dome_closed", Value::Bool(false)) => "dome not closed".to_owned(),
        ("closes_in", Value::Number(left)) => {
            format!("the PLC closes the dome in {left} s at the latest")
        }
        ("closing_for", Value::Number(ago)) => format!("the PLC's time ran out {ago} s ago"),
        ("closing_since", Value::String(since)) => {
            format!("the PLC's time ran out at {}", time_of_day(since))
        }
        ("dome_unknown_since", Value::String(since)) => {
            format!("dome unknown since {}", time_of_day(since))
        }
        ("engineering_mode", Value::Bool(true)) => "engineering mode is on".to_owned(),
        ("engineering_mode", Value::Bool(false)) => "engineering mode is off".to_owned(),
        ("plc_heartbeat_error", Value::Bool(true)) => "the PLC's time has run out".to_owned(),
        ("plc_heartbeat_error", Value::Bool(false)) => "the PLC's time has not run out".to_owned(),
        ("state", Value::String(state)) => match state.as_str() {
            "ok" => "the dome heartbeat arrives".to_owned(),
            "held" => "the dome heartbeat is held".to_owned(),
            "not_arriving" => "the dome heartbeat does not arrive".to_owned(),
            "closing" => "the PLC's time has run out".to_owned(),
            "closed_by_watchdog" => "the PLC's time has run out. the dome is closed".to_owned(),
            "bypassed" => "engineering mode is on".to_owned(),
            _ => return None,
        },
        ("text" | "late" | "held" | "not_arriving", Value::String(text)) => text.clone(),
        _ => return None,
    };
    Some(line)
}

/// `2026-01-02T03:04:05Z` as people are told it.
fn time_of_day(at: &str) -> &str {
    at.get(11..19).unwrap_or(at)
}
