//! What the YAML parser says, for people, and without the values that it found (X1): one that stands in the wrong place may be a URL with
//! a password.

use super::check::brief;

/// Types as serde calls them, and as people do.
const TYPES: [(&str, &str); 4] = [
    ("expected f64", "expected a number"),
    ("expected u8", "expected a whole number from 0 to 255"),
    ("expected u16", "expected a whole number from 0 to 65535"),
    ("expected a sequence", "expected a list"),
];

pub(super) fn describe(error: &serde_yaml::Error) -> String {
    let text = brief(&without_value(&error.to_string()));
    TYPES
        .iter()
        .fold(text, |text, (serdes, ours)| text.replace(serdes, ours))
}

/// serde shows a text that it did not expect in quotes, and says then what it expected.
fn without_value(text: &str) -> String {
    let found = text
        .split_once(" string \"")
        .zip(text.rsplit_once("\", expected "));
    match found {
        Some(((before, _), (_, expected))) => format!("{before} text, expected {expected}"),
        None => text.to_owned(),
    }
}
