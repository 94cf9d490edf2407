//! The story of a closing, or of a night, told from a journal.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::entry::{Entry, Event, span};

/// Why the dome closed, as far as the journal knows.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The PLC's time had run out: the watchdog closed it.
    Watchdog,
    /// Heartbeats were acknowledged all the time: it was not lvmbeat.
    NotLvmbeat,
    /// The PLC's time ran out, and the dome was not heard to close.
    NotHeardToClose,
}

/// The last closing, and what led to it.
#[derive(Serialize, Clone, PartialEq, Debug)]
pub struct Closing {
    /// Why.
    pub verdict: Verdict,
    /// In one sentence or two.
    pub summary: String,
    /// From the first thing that was wrong until all was well again, or until now.
    pub entries: Vec<Entry>,
}

/// The entries since then.
pub fn since(entries: &[Entry], from: Timestamp) -> Vec<Entry> {
    entries
        .iter()
        .filter(|entry| entry.at >= from)
        .cloned()
        .collect()
}

/// The last closing of the dome, or the last time that the PLC's time ran out.
pub fn last_closing(entries: &[Entry], zone: &TimeZone) -> Option<Closing> {
    let is_closed = |event: &Event| matches!(event, Event::Dome { state } if state == "closed");
    let ran_out = |event: &Event| {
        matches!(
            event,
            Event::PlcTimeRanOut { .. } | Event::PlcError { on: true }
        )
    };
    let at = entries.iter().enumerate().rposition(|(index, entry)| {
        // An actor that has just started hears that the dome is closed: it was not closed then.
        is_closed(&entry.event) && was_open(entries.get(..index).unwrap_or_default())
            || ran_out(&entry.event)
    })?;
    let (before, after) = entries.split_at_checked(at)?;
    let begin = before
        .iter()
        .rposition(|entry| is_well(&entry.event))
        .unwrap_or(0);
    let end = after
        .iter()
        .position(|entry| is_well(&entry.event))
        .map_or(entries.len(), |well| {
            at.saturating_add(well).saturating_add(1)
        });
    let told: Vec<Entry> = entries.get(begin..end)?.to_vec();
    let closed = told
        .iter()
        .rev()
        .find(|entry| is_closed(&entry.event))
        .map(|entry| entry.at);
    let late = told.iter().find(|entry| ran_out(&entry.event));
    let verdict = match (closed, late) {
        (Some(_), Some(_)) => Verdict::Watchdog,
        (Some(_), None) => Verdict::NotLvmbeat,
        (None, _) => Verdict::NotHeardToClose,
    };
    let summary = summary(verdict, closed, late, &told, zone);
    Some(Closing {
        verdict,
        summary,
        entries: told,
    })
}

/// Whether the dome was heard to be anything but closed at last.
fn was_open(before: &[Entry]) -> bool {
    before
        .iter()
        .rev()
        .find_map(|entry| {
            if let Event::Dome { state } = &entry.event {
                Some(state != "closed")
            } else {
                // What was known before a start is not what a new process has seen.
                matches!(entry.event, Event::Started { .. }).then_some(false)
            }
        })
        .unwrap_or(false)
}

/// Whether all was well from there on.
fn is_well(event: &Event) -> bool {
    match event {
        Event::Health { state, .. } => state == "ok",
        Event::Emissions { outcome, .. } => outcome == "acknowledged",
        Event::Released { .. } => true,
        Event::Started { .. }
        | Event::Stopping
        | Event::Held { .. }
        | Event::Session { .. }
        | Event::Lapse
        | Event::Dome { .. }
        | Event::EngineeringMode { .. }
        | Event::PlcTimeRanOut { .. }
        | Event::PlcError { .. }
        | Event::Unknown => false,
    }
}

fn summary(
    verdict: Verdict,
    closed: Option<Timestamp>,
    late: Option<&Entry>,
    told: &[Entry],
    zone: &TimeZone,
) -> String {
    let closed = closed.map_or_else(String::new, |at| clock(at, zone));
    let ran_out = late.map_or_else(String::new, |entry| {
        let silence = if let Event::PlcTimeRanOut { silence } = entry.event {
            format!(": no heartbeat had been acknowledged for {}", span(silence))
        } else {
            String::new()
        };
        format!(
            "the PLC's time ran out at {}{silence}",
            clock(entry.at, zone)
        )
    });
    match verdict {
        Verdict::Watchdog => format!(
            "The dome closed because {ran_out}. It was heard to be closed at {closed}. {}",
            cause(told)
        ),
        Verdict::NotLvmbeat => format!(
            "The dome was heard to be closed at {closed}, and the PLC's time had not run out: \
             it was closed by somebody or something else. The log of lvmecp says more."
        ),
        Verdict::NotHeardToClose => format!(
            "At {} the PLC had to close the dome, and nobody said that it did. {}",
            late.map_or_else(String::new, |entry| clock(entry.at, zone)),
            cause(told)
        ),
    }
}

/// The first cause.
fn cause(told: &[Entry]) -> String {
    let first = told.iter().find_map(|entry| {
        if let Event::Held { causes, .. } = &entry.event {
            Some(format!("The dome heartbeat was held: {}.", causes.join("; ")))
        } else if entry.event == Event::Stopping {
            Some("lvmbeat had been stopped.".to_owned())
        } else {
            let fails = matches!(&entry.event, Event::Emissions { outcome, .. } if outcome != "acknowledged");
            fails.then(|| format!("Heartbeats were sent and not acknowledged: {}.", entry.text()))
        }
    });
    first.unwrap_or_else(|| "The journal does not say why no heartbeat arrived.".to_owned())
}

/// Each entry on a line, with its time in that zone, and a line for each new day.
pub fn timeline(entries: &[Entry], zone: &TimeZone) -> String {
    let mut lines = String::new();
    let mut day = None;
    for entry in entries {
        let at = entry.at.to_zoned(zone.clone());
        if day != Some(at.date()) {
            day = Some(at.date());
            let _ = writeln!(lines, "{}", at.strftime("%A %Y-%m-%d, %Z"));
        }
        let _ = writeln!(lines, "  {}  {}", at.strftime("%H:%M:%S"), entry.text());
    }
    lines
}

fn clock(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64, event: Event) -> Entry {
        Entry {
            at: Timestamp::from_second(second).unwrap(),
            event,
        }
    }

    fn health(second: i64, state: &str) -> Entry {
        at(
            second,
            Event::Health {
                state: state.to_owned(),
                text: "…".to_owned(),
                causes: Vec::new(),
            },
        )
    }

    fn dome(second: i64, state: &str) -> Entry {
        let state = state.to_owned();
        at(second, Event::Dome { state })
    }

    fn held(second: i64) -> Entry {
        at(
            second,
            Event::Held {
                cause: "heartbeat_stale".to_owned(),
                causes: vec!["overwatcher silent for 31 s".to_owned()],
            },
        )
    }

    fn closing(entries: &[Entry]) -> Closing {
        last_closing(entries, &TimeZone::UTC).unwrap()
    }

    /// Each started, opened, and well.
    fn night() -> Vec<Entry> {
        vec![
            at(
                0,
                Event::Started {
                    version: "1".to_owned(),
                },
            ),
            dome(5, "closed"),
            health(10, "ok"),
            dome(100, "moving"),
            dome(120, "open"),
        ]
    }

    #[test]
    fn a_closing_by_the_watchdog_is_told_from_its_first_cause_to_the_release() {
        let mut entries = night();
        entries.extend([
            held(1000),
            health(1000, "held"),
            at(1040, Event::PlcTimeRanOut { silence: 60.0 }),
            dome(1050, "moving"),
            dome(1070, "closed"),
            at(
                1200,
                Event::Released {
                    held_for: Some(200.0),
                },
            ),
            health(1200, "ok"),
            dome(1300, "open"),
        ]);
        let closing = closing(&entries);
        assert_eq!(closing.verdict, Verdict::Watchdog);
        assert_eq!(
            closing.summary,
            "The dome closed because the PLC's time ran out at 00:17:20: no heartbeat had been acknowledged for 1 min 0 s. \
             It was heard to be closed at 00:17:50. The dome heartbeat was held: overwatcher silent for 31 s."
        );
        assert_eq!(closing.entries.first(), Some(&health(10, "ok")));
        let last = closing.entries.last().map(|entry| &entry.event);
        assert!(matches!(last, Some(Event::Released { .. })), "{last:?}");
    }

    #[test]
    fn a_dome_that_somebody_closed_is_not_said_to_be_lvmbeats_work() {
        let mut entries = night();
        entries.extend([dome(500, "moving"), dome(520, "closed")]);
        let closing = closing(&entries);
        assert_eq!(closing.verdict, Verdict::NotLvmbeat);
        assert!(closing.summary.contains("somebody or something else"));
    }

    #[test]
    fn a_dome_that_was_not_heard_to_close_is_not_said_to_be_closed() {
        let mut entries = night();
        entries.extend([
            health(1000, "not_arriving"),
            at(1040, Event::PlcTimeRanOut { silence: 60.0 }),
            dome(1100, "unknown"),
        ]);
        let closing = closing(&entries);
        assert_eq!(closing.verdict, Verdict::NotHeardToClose);
        assert!(closing.summary.contains("nobody said that it did"));
        assert!(!closing.summary.contains("closed because"));
    }

    #[test]
    fn what_is_heard_first_after_a_start_is_no_closing() {
        let mut entries = night();
        entries.extend(night());
        entries.truncate(8);
        assert_eq!(last_closing(&entries, &TimeZone::UTC), None);
        assert_eq!(last_closing(&[], &TimeZone::UTC), None);
    }

    #[test]
    fn a_timeline_has_a_line_for_each_day_and_each_entry() {
        let entries = [dome(86_390, "open"), dome(86_410, "closed")];
        assert_eq!(
            timeline(&entries, &TimeZone::UTC),
            "Thursday 1970-01-01, UTC\n  23:59:50  dome open\nFriday 1970-01-02, UTC\n  00:00:10  dome closed\n"
        );
    }
}
