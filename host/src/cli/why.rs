//! `lvmbeat why`: explains from the journal why the dome closed, or what happened in a night.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::{Value, json};

use super::{Failure, client, print, say};
use crate::clock::{BootClock, Clock as _};
use crate::config::Config;
use crate::errors::with_causes;
use crate::journal::{self, Entry, story, when};

/// What is asked.
pub(super) struct Question<'a> {
    /// Everything since then; otherwise the last closing.
    pub(super) since: Option<&'a str>,
    pub(super) as_json: bool,
    /// Ask the actor, even if there is a journal here.
    pub(super) ask: bool,
    /// So long is its answer waited for.
    pub(super) limit: Duration,
}

/// Explains the last closing, or everything since a moment.
pub(super) fn run(config: &Config, question: &Question<'_>) -> Result<(), Failure> {
    let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
    let now = BootClock.wall().to_zoned(zone.clone());
    let from = question.since.map(|text| when::parse(text, &now));
    let from = from.transpose()?;
    let entries = entries(config, question)?;
    let text = match (from, question.as_json) {
        (Some(from), true) => json!({
            "before": with_words(&story::before(&entries, from)),
            "entries": with_words(&story::since(&entries, from)),
        })
        .to_string(),
        (Some(from), false) => night(&entries, from, &now),
        (None, true) => {
            let closing = story::last_closing(&entries, &zone);
            let closing = closing.map(|closing| {
                json!({
                    "verdict": closing.verdict,
                    "summary": closing.summary,
                    "entries": with_words(&closing.entries),
                })
            });
            json!({ "closing": closing }).to_string()
        }
        (None, false) => match story::last_closing(&entries, &zone) {
            Some(closing) => format!(
                "{}\n\n{}",
                closing.summary,
                story::timeline(&closing.entries, &zone)
            ),
            None => format!(
                "The journal knows of no closing{}.",
                entries.first().map_or_else(String::new, |first| format!(
                    " since it began, {}",
                    shown(first.at, &now)
                ))
            ),
        },
    };
    print(&format!("{}\n", text.trim_end()))
}

/// From the file, or from the actor if there is none here.
fn entries(config: &Config, question: &Question<'_>) -> Result<Vec<Entry>, Failure> {
    let path = config.actor.journal.as_ref();
    if let Some(path) = path.filter(|_| !question.ask) {
        match journal::read(path) {
            Ok(journal::Read { entries, skipped }) => {
                let path = path.display();
                match skipped {
                    0 => {}
                    1 => say(&format!("{path}: 1 damaged line is left out")),
                    _ => say(&format!("{path}: {skipped} damaged lines are left out")),
                }
                return Ok(entries);
            }
            Err(error) => say(&format!("{}; asking the actor", with_causes(&error))),
        }
    }
    if path.is_none() && !question.ask {
        say("no journal is configured (actor.journal, actor.log_dir); asking the actor");
    }
    let (entries, left_out) = client::history(config, question.limit)?;
    if left_out > 0 {
        say(&format!(
            "the actor has {left_out} older entries than fit into its answer; its journal holds them"
        ));
    }
    Ok(entries)
}

/// As the reply to `history` has them.
fn with_words(entries: &[Entry]) -> Vec<Value> {
    entries.iter().map(Entry::with_words).collect()
}

fn night(entries: &[Entry], from: Timestamp, now: &Zoned) -> String {
    let since = story::since(entries, from);
    let (before, zone) = (story::before(entries, from), now.time_zone());
    let mut text = String::new();
    if !before.is_empty() {
        text = format!("Before that:\n{}\n", story::timeline(&before, zone));
    }
    if since.is_empty() {
        return format!("{text}Nothing has changed since {}.", shown(from, now));
    }
    text + &story::timeline(&since, zone)
}

fn shown(at: Timestamp, now: &Zoned) -> String {
    let at = at.to_zoned(now.time_zone().clone());
    at.strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}
