//! The story of a closing, or of a night, from a journal.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else happened has no part in a closing"
)]

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::entry::{Entry, Event, span};

/// Why the dome closed, as far as the journal knows.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The PLC's time had run out: the watchdog closed it.
    Watchdog,
    /// It closed while no actor wrote this journal: nobody fed the PLC, as far as is known.
    WhileNotRunning,
    /// The PLC's time had not run out: it was not lvmbeat.
    NotLvmbeat,
    /// The PLC's time ran out, and the dome was not heard to close.
    NotHeardToClose,
}

/// The last closing, and what led to it.
#[derive(Clone, PartialEq, Debug)]
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

/// How things stood then: where the dome was, and what held the dome heartbeat if anything did.
pub fn before(entries: &[Entry], from: Timestamp) -> Vec<Entry> {
    let earlier = entries.iter().filter(|entry| entry.at < from);
    let (mut dome, mut held) = (None, None);
    for entry in earlier {
        match &entry.event {
            Event::Dome { .. } => dome = Some(entry),
            Event::Held { .. } => held = Some(entry),
            Event::Released { .. } | Event::Started { .. } => held = None,
            _ => {}
        }
    }
    let mut before: Vec<Entry> = dome.into_iter().chain(held).cloned().collect();
    before.sort_by_key(|entry| entry.at);
    before
}

/// After so long, what the PLC does has nothing to do with its time having run out: `lvmecp` says
/// where the dome is every 30 s.
const NOTICED_WITHIN: SignedDuration = SignedDuration::from_secs(180);
/// So long before a closing that was not lvmbeat's something may have had to do with it.
const LOOK_BACK: SignedDuration = SignedDuration::from_secs(120);

/// Where in the journal a closing is.
#[derive(Clone, Copy)]
struct Place {
    /// The PLC's time ran out.
    ran_out: Option<usize>,
    /// The dome was heard to be closed.
    closed: Option<usize>,
    /// The dome was last said to be somewhere else, at rest.
    was: Option<usize>,
    /// It was first heard not to be there any more.
    left: usize,
    /// An actor started in between.
    started: Option<usize>,
    stands_by: bool,
}

/// The last closing of the dome, or the last time that the PLC's time ran out while the dome was
/// not known to be closed.
pub fn last_closing<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
    zone: &TimeZone,
) -> Option<Closing> {
    let entries: Vec<&Entry> = entries.into_iter().collect();
    let place = last_place(&entries)?;
    let ran_out = place.ran_out.and_then(|at| entries.get(at).copied());
    let closed = place.closed.and_then(|at| entries.get(at).copied());
    let verdict = match (ran_out, closed, place.started) {
        (Some(_), Some(_), _) => Verdict::Watchdog,
        (_, None, _) => Verdict::NotHeardToClose,
        (None, Some(_), Some(_)) => Verdict::WhileNotRunning,
        (None, Some(_), None) => Verdict::NotLvmbeat,
    };
    let (begin, end) = course(&entries, place);
    let mut course: Vec<Entry> = entries
        .get(begin..end)?
        .iter()
        .map(|entry| (*entry).clone())
        .collect();
    let (early, late) = course.split_at(place.left.clamp(begin, end).saturating_sub(begin));
    let facts = Facts {
        zone,
        ran_out,
        closed,
        was: place.was.and_then(|at| entries.get(at).copied()),
        started: place.started.and_then(|at| entries.get(at).copied()),
        stands_by: place.stands_by,
        cause: cause(early).or_else(|| cause(late)),
        released: released(late),
    };
    let summary = facts.summary(verdict);
    if let Some(was) = place.was.filter(|was| *was < begin) {
        course.insert(0, entries.get(was).copied()?.clone());
    }
    Some(Closing {
        verdict,
        summary,
        entries: course,
    })
}

fn last_place(entries: &[&Entry]) -> Option<Place> {
    let mut last = None;
    // The dome was last known to be somewhere, and began to move or to be unknown after that.
    let (mut was, mut left) = (None::<(usize, &str)>, None);
    let (mut ran_out, mut started, mut fed, mut stands_by) = (None, None, None, false);
    for (index, entry) in entries.iter().enumerate() {
        let place = |closed: bool, ran_out: Option<usize>, was: Option<usize>, left: usize| Place {
            ran_out,
            closed: closed.then_some(index),
            was,
            left,
            started,
            stands_by,
        };
        match &entry.event {
            Event::Dome { state } if state == "closed" => {
                let was_closed = was.is_none_or(|(_, state)| state == "closed") && left.is_none();
                let first = left.unwrap_or(index);
                if !was_closed && was.is_some() {
                    let cause = ran_out.filter(|at| is_cause(entries, *at, fed, first));
                    last = Some(place(true, cause, was.map(|(at, _)| at), first));
                }
                (was, left, ran_out, started) = (Some((index, "closed")), None, None, None);
            }
            Event::Dome { state } if matches!(state.as_str(), "open" | "between") => {
                (was, left, started) = (Some((index, state.as_str())), None, None);
            }
            // On its way, or unknown.
            Event::Dome { .. } => left = left.or(Some(index)),
            Event::PlcTimeRanOut { .. } | Event::PlcError { on: true } => {
                if ran_out.is_none_or(|at| is_another(entries, at, fed, entry)) {
                    ran_out = Some(index);
                }
                if was.is_none_or(|(_, state)| state != "closed") || left.is_some() {
                    let was = was.map(|(at, _)| at);
                    last = Some(place(false, ran_out, was, left.unwrap_or(index)));
                }
            }
            Event::Emissions { outcome, .. } if outcome == "acknowledged" => fed = Some(index),
            Event::Released { .. } => fed = Some(index),
            Event::Started { .. } => started = started.or(Some(index)),
            Event::Session { state, .. } => stands_by = state == "stand_by",
            _ => {}
        }
    }
    last
}

/// Whether that entry says that the PLC's time ran out once more. Its own word may come after the
/// first heartbeat that it got again; before its time can have run out again, it is of the same.
fn is_another(entries: &[&Entry], ran_out: usize, fed: Option<usize>, entry: &Entry) -> bool {
    let Some(fed) = fed.filter(|fed| *fed > ran_out) else {
        return false;
    };
    let at = |index: usize| entries.get(index).copied();
    let time = match at(ran_out).map(|entry| &entry.event) {
        Some(Event::PlcTimeRanOut { silence }) => SignedDuration::try_from_secs_f64(*silence),
        _ => Ok(SignedDuration::ZERO),
    };
    let since = at(fed).map(|fed| entry.at.duration_since(fed.at));
    !matches!((since, time), (Some(since), Ok(time)) if since < time)
}

/// Whether the dome left its place because the PLC's time ran out then.
fn is_cause(entries: &[&Entry], ran_out: usize, fed: Option<usize>, left: usize) -> bool {
    let at = |index: usize| entries.get(index).map(|entry| entry.at);
    let fed_between = fed.is_some_and(|fed| fed > ran_out && fed < left);
    let soon = at(left)
        .zip(at(ran_out))
        .is_some_and(|(left, ran_out)| left.duration_since(ran_out) <= NOTICED_WITHIN);
    !fed_between || soon
}

/// From the first thing that was wrong until all was well again.
fn course(entries: &[&Entry], place: Place) -> (usize, usize) {
    let at = |index: usize| entries.get(index).map(|entry| entry.at);
    let first = place.ran_out.unwrap_or(place.left).min(place.left);
    let from = match entries.get(first).map(|entry| &entry.event) {
        Some(Event::PlcTimeRanOut { silence }) => SignedDuration::try_from_secs_f64(silence + 1.0),
        _ => Ok(LOOK_BACK),
    };
    let from = at(first).and_then(|at| at.checked_sub(from.ok()?).ok());
    let begin = entries
        .iter()
        .position(|entry| from.is_some_and(|from| entry.at >= from))
        .unwrap_or(first)
        .min(first);
    let begin = place.started.map_or(begin, |started| begin.min(started));
    let last = [place.closed, place.ran_out];
    let last = last.into_iter().flatten().max().unwrap_or(place.left);
    let mut trouble = Trouble::default();
    for entry in entries.get(begin..=last).unwrap_or_default() {
        trouble.observe(&entry.event);
    }
    let mut end = last.saturating_add(1);
    while trouble.lasts() {
        let Some(entry) = entries.get(end) else { break };
        trouble.observe(&entry.event);
        end = end.saturating_add(1);
    }
    (begin, end)
}

/// What is still wrong.
#[derive(Default)]
struct Trouble {
    held: bool,
    fails: bool,
}

impl Trouble {
    fn observe(&mut self, event: &Event) {
        match event {
            Event::Held { .. } | Event::Started { .. } => self.held = true,
            Event::Released { .. } => self.held = false,
            Event::Emissions { outcome, .. } => self.fails = outcome != "acknowledged",
            _ => {}
        }
    }

    fn lasts(&self) -> bool {
        self.held || self.fails
    }
}

/// What the summary says.
struct Facts<'a> {
    zone: &'a TimeZone,
    ran_out: Option<&'a Entry>,
    closed: Option<&'a Entry>,
    was: Option<&'a Entry>,
    started: Option<&'a Entry>,
    stands_by: bool,
    cause: Option<String>,
    released: Option<String>,
}

impl Facts<'_> {
    fn summary(&self, verdict: Verdict) -> String {
        let closed = self.clock(self.closed);
        let cause = self.cause.as_deref().unwrap_or_default();
        let text = match verdict {
            Verdict::Watchdog => format!(
                "The dome closed because {}. It was heard to be closed at {closed}. {cause}",
                self.ran_out()
            ),
            Verdict::NotHeardToClose => format!(
                "The PLC had to close the dome because {}; nobody said that the dome closed. {cause}",
                self.ran_out()
            ),
            Verdict::WhileNotRunning => format!(
                "The dome closed between {} and {closed}. lvmbeat was not running all that time; it started at {}. \
                 Without it no heartbeat reaches the PLC, which then closes the dome. {cause}",
                self.clock(self.was),
                self.clock(self.started)
            ),
            Verdict::NotLvmbeat if self.stands_by => format!(
                "The dome was heard to be closed at {closed}. This lvmbeat was standing by: ask the active one why."
            ),
            Verdict::NotLvmbeat => format!(
                "The dome was heard to be closed at {closed}, and the PLC's time had not run out: \
                 it was closed by somebody or something else. The log of lvmecp says more. {cause}"
            ),
        };
        let released = self.released.as_deref().unwrap_or_default();
        format!("{} {released}", text.trim_end())
            .trim_end()
            .to_owned()
    }

    fn ran_out(&self) -> String {
        let at = self.clock(self.ran_out);
        match self.ran_out.map(|entry| &entry.event) {
            Some(Event::PlcTimeRanOut { silence }) => format!(
                "the PLC's time ran out at {at}: no heartbeat had been acknowledged for {}",
                span(*silence)
            ),
            _ => {
                format!("the PLC said at {at} that it had missed the heartbeat for its whole time")
            }
        }
    }

    /// With the day: it may be read days later.
    fn clock(&self, entry: Option<&Entry>) -> String {
        let at = entry.map(|entry| entry.at.to_zoned(self.zone.clone()));
        at.map_or_else(String::new, |at| {
            at.strftime("%Y-%m-%d %H:%M:%S").to_string()
        })
    }
}

/// What was wrong in the end, all of it.
fn cause(course: &[Entry]) -> Option<String> {
    let (mut held, mut fails, mut stopped) = (None, None, false);
    for entry in course {
        match &entry.event {
            Event::Held { causes, .. } => held = Some(causes.join("; ")),
            Event::Emissions { outcome, .. } => {
                fails = (outcome != "acknowledged").then(|| entry.text());
            }
            Event::Stopping => stopped = true,
            _ => {}
        }
    }
    let sentences = [
        stopped.then(|| "lvmbeat had been stopped.".to_owned()),
        held.map(|causes| format!("The dome heartbeat was held: {causes}.")),
        fails.map(|text| format!("Heartbeats were sent, and did not arrive: {text}.")),
    ];
    let sentences: Vec<String> = sentences.into_iter().flatten().collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// How it ended.
fn released(course: &[Entry]) -> Option<String> {
    course.iter().rev().find_map(|entry| match entry.event {
        Event::Released {
            held_for: Some(seconds),
        } => Some(format!(
            "The dome heartbeat was released after {}.",
            span(seconds)
        )),
        _ => None,
    })
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

#[cfg(test)]
mod tests;
