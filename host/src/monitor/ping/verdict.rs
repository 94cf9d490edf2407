//! Whether an answer means that a beat was taken.

use reqwest::StatusCode;
use serde_json::Value;

/// Words with which a service says in a text that it did not take a beat, although its code says
/// so: those of healthchecks.io, and what others may say.
const REFUSALS: [&str; 12] = [
    "not found",
    "rate limit",
    "too many",
    "invalid",
    "unknown",
    "no such",
    "expired",
    "denied",
    "unauthorized",
    "forbidden",
    "disabled",
    "error",
];

/// Whether it does; if not, in which way it says so.
pub(super) fn taken(status: StatusCode, body: &[u8]) -> Result<(), &'static str> {
    if !status.is_success() {
        return Err("refuses it");
    }
    if let Ok(answer) = serde_json::from_slice::<Value>(body) {
        return if is_refusal(&answer) {
            Err("says that it was not accepted")
        } else {
            Ok(())
        };
    }
    let text = String::from_utf8_lossy(body).trim().to_ascii_lowercase();
    if text.starts_with('<') {
        return Err("with a web page, as a login page or a proxy would");
    }
    if REFUSALS.iter().any(|word| text.contains(word)) {
        return Err("says that it was not accepted");
    }
    Ok(())
}

/// `{"ok": false}` and its like. A message that is only a text is nothing to go by.
fn is_refusal(answer: &Value) -> bool {
    let says_no = |key: &str| answer.get(key) == Some(&Value::Bool(false));
    let errors = ["error", "errors"].iter().filter_map(|key| answer.get(key));
    let is_failure = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.starts_with("err") || text.starts_with("fail")
    };
    says_no("ok")
        || says_no("success")
        || errors.into_iter().any(is_something)
        || answer
            .get("status")
            .and_then(Value::as_str)
            .is_some_and(is_failure)
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => !values.is_empty(),
        Value::Object(values) => !values.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_taken(status: u16, body: &str) -> bool {
        taken(StatusCode::from_u16(status).unwrap(), body.as_bytes()).is_ok()
    }

    #[test]
    fn m1_a_200_is_no_proof_that_a_beat_counts() {
        for body in [
            "OK (not found)",
            "OK (rate limited)",
            "(invalid url format)",
            " \n<!doctype html><title>Log in</title>",
            r#"{"ok": false, "msg": "Monitor not found or not active."}"#,
            r#"{"success":false}"#,
            r#"{"error": "no such key"}"#,
            r#"{"errors": [1]}"#,
            r#"{"status": "failed"}"#,
        ] {
            assert!(!is_taken(200, body), "{body}");
        }
        for status in [300, 301, 404, 410, 429, 500, 503] {
            assert!(!is_taken(status, "OK"), "{status}");
        }
    }

    #[test]
    fn what_the_known_services_say_is_taken() {
        for (status, body) in [
            (200, "OK"),
            (200, ""),
            (202, "Got it, thanks!"),
            (204, ""),
            (201, "OK"),
            (200, r#"{"ok":true,"msg":"OK"}"#),
            (200, r#"{"message":"Heartbeat received."}"#),
            (200, r#"{"error":null,"errors":[],"status":"success"}"#),
            (200, "\u{fffd}\u{1}"),
        ] {
            assert!(is_taken(status, body), "{body}");
        }
    }
}
