//! The reply to `history`: what the journal has in memory, for CLU clients.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::entry::Entry;
use super::story;
use crate::clu::message::{Keywords, keyword};

/// The entries in one reply, in bytes of JSON; the oldest are left out.
const LARGEST: usize = 512 << 10;

/// What somebody wants to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// All, or all since then.
    Since(Option<Timestamp>),
    /// The last closing of the dome.
    Last,
}

/// `history` or `closing`.
pub(super) fn reply<'a>(
    recent: impl DoubleEndedIterator<Item = &'a Entry> + Clone,
    asked: Asked,
) -> Keywords {
    match asked {
        Asked::Last => {
            let closing = story::last_closing(recent, &TimeZone::UTC);
            let mut body = keyword("closing", Value::Null);
            if let Some(closing) = closing {
                let (entries, left_out) = newest(closing.entries.iter());
                body = keyword(
                    "closing",
                    json!({
                        "verdict": closing.verdict,
                        "summary": closing.summary,
                        "entries": entries,
                        "left_out": left_out,
                    }),
                );
            }
            body
        }
        Asked::Since(from) => {
            let meant = recent.filter(|entry| from.is_none_or(|from| entry.at >= from));
            let (entries, left_out) = newest(meant);
            keyword("history", json!({"entries": entries, "left_out": left_out}))
        }
    }
}

/// The newest that fit into a reply, the oldest of them first, and how many do not.
fn newest<'a>(entries: impl DoubleEndedIterator<Item = &'a Entry>) -> (Vec<Value>, usize) {
    let mut room = LARGEST;
    let mut newest = Vec::new();
    let mut entries = entries.rev();
    for entry in entries.by_ref() {
        let entry = entry.with_words();
        let Some(left) = room.checked_sub(entry.to_string().len()) else {
            return (reversed(newest), entries.count().saturating_add(1));
        };
        room = left;
        newest.push(entry);
    }
    (reversed(newest), 0)
}

fn reversed(mut values: Vec<Value>) -> Vec<Value> {
    values.reverse();
    values
}

#[cfg(test)]
mod tests {
    use super::super::Event;
    use super::*;

    fn dome(second: i64, state: &str) -> Entry {
        Entry {
            at: Timestamp::from_second(second).unwrap(),
            event: Event::Dome {
                state: state.to_owned(),
            },
        }
    }

    #[test]
    fn each_entry_comes_as_data_and_in_words() {
        let entries = [dome(1, "closed"), dome(2, "open")];
        let since = Timestamp::from_second(2).unwrap();
        let body = reply(entries.iter(), Asked::Since(Some(since)));
        assert_eq!(
            Value::Object(body),
            json!({"history": {"left_out": 0, "entries": [{
                "at": "1970-01-01T00:00:02Z", "event": "dome", "state": "open", "words": "dome open",
            }]}})
        );
        let body = reply(entries.iter(), Asked::Since(None));
        assert_eq!(body["history"]["entries"].as_array().unwrap().len(), 2);
        assert_eq!(reply(entries.iter(), Asked::Last)["closing"], Value::Null);
    }

    #[test]
    fn x2_a_reply_is_bounded_and_says_what_it_leaves_out() {
        let long = "x".repeat(1000);
        let entries: Vec<_> = (0..4000).map(|second| dome(second, &long)).collect();
        let body = reply(entries.iter(), Asked::Since(None));
        let text = Value::Object(body.clone()).to_string();
        assert!(text.len() < LARGEST + LARGEST / 8, "{}", text.len());
        let history = &body["history"];
        let shown = history["entries"].as_array().unwrap();
        assert!(shown.len() > 100, "{}", shown.len());
        assert_eq!(history["left_out"], 4000 - shown.len());
        assert_eq!(shown.last().unwrap()["at"], "1970-01-01T01:06:39Z");
    }
}
