//! The body of a message: a JSON object, within bounds.

use serde_json::Value;

use super::{JsonError, Keywords, MAX_DEPTH, MalformedCause};

/// The body that says that.
pub(super) fn bytes(keywords: &Keywords) -> Vec<u8> {
    // A map with string keys always serializes; if it ever did not, an empty object is still a
    // reply.
    serde_json::to_vec(keywords).unwrap_or_else(|_| b"{}".to_vec())
}

/// What the body says. As Python's `json` does, it takes `NaN`, `Infinity` and `-Infinity` for
/// values: Python's actors send them for sensors that do not answer. They become null.
pub(super) fn object(body: &[u8], max_bytes: usize) -> Result<Keywords, MalformedCause> {
    if body.len() > max_bytes {
        return Err(MalformedCause::TooLarge {
            bytes: body.len(),
            limit: max_bytes,
        });
    }
    let text = str::from_utf8(body).map_err(|error| MalformedCause::NotText {
        from: error.valid_up_to(),
    })?;
    if depth(text) > MAX_DEPTH {
        return Err(MalformedCause::TooDeep);
    }
    let parsed = serde_json::from_str(text)
        .or_else(|error| finite(text).map_or(Err(error), |text| serde_json::from_str(&text)));
    match parsed {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(MalformedCause::NotAnObject {
            found: kind(&other),
        }),
        Err(error) => Err(MalformedCause::NotJson {
            cause: JsonError::from(error),
        }),
    }
}

/// What kind of value it is, for an error message.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// How deeply arrays and objects are nested, if it is JSON at all.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    for (_, byte) in outside_strings(text) {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The same text with null for the numbers that JSON does not have; `None` if there are none.
fn finite(text: &str) -> Option<String> {
    const WORDS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];
    let mut finite = String::new();
    let mut copied = 0;
    for (at, _) in outside_strings(text) {
        let rest = text.get(at..).unwrap_or_default();
        let word = WORDS.iter().find(|word| rest.starts_with(**word));
        if let Some(word) = word.filter(|_| at >= copied) {
            finite.push_str(text.get(copied..at).unwrap_or_default());
            finite.push_str("null");
            copied = at + word.len();
        }
    }
    finite.push_str(text.get(copied..).unwrap_or_default());
    (copied > 0).then_some(finite)
}

/// The bytes that are not inside a JSON string, with their places.
fn outside_strings(text: &str) -> impl Iterator<Item = (usize, u8)> {
    let (mut in_string, mut escaped) = (false, false);
    text.bytes().enumerate().filter(move |(_, byte)| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ => return !in_string,
        }
        false
    })
}
