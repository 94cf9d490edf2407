//! `lvmbeat why`: explains from the journal why the dome closed, or what happened in a night.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::json;

use super::{Failure, print, say};
use crate::clock::{BootClock, Clock as _};
use crate::config::Config;
use crate::journal::{self, story, when};

/// Explains the last closing, or everything since a moment.
pub(super) fn run(config: &Config, since: Option<&str>, as_json: bool) -> Result<(), Failure> {
    let path = config.actor.journal.as_ref().ok_or(Failure::NoJournal)?;
    let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
    let now = BootClock.wall().to_zoned(zone.clone());
    let from = since.map(|text| when::parse(text, &now)).transpose()?;
    let journal::Read { entries, skipped } = journal::read(path)?;
    if skipped > 0 {
        say(&format!(
            "{skipped} lines of {} are damaged and left out",
            path.display()
        ));
    }
    let text = match (from, as_json) {
        (Some(from), true) => json!({ "entries": story::since(&entries, from) }).to_string(),
        (Some(from), false) => night(&story::since(&entries, from), from, &now),
        (None, true) => json!({ "closing": story::last_closing(&entries, &zone) }).to_string(),
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

fn night(entries: &[journal::Entry], from: Timestamp, now: &Zoned) -> String {
    if entries.is_empty() {
        return format!("Nothing has changed since {}.", shown(from, now));
    }
    story::timeline(entries, now.time_zone())
}

fn shown(at: Timestamp, now: &Zoned) -> String {
    let at = at.to_zoned(now.time_zone().clone());
    at.strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}
