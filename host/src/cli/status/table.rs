//! The keywords of `status` as a table for people: a pure function.
//!
//! It shows what is there and leaves out what is not: the actor may be of another version, or the
//! Python one. The signs are those of the demo's screen.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::lines::{Line, Tone, bar, clean, span, wrapped};
use crate::report::Health;

/// Where the second column begins.
const COLUMN: usize = 16;
/// The longest name, and the longest text of others.
const NAME: usize = 32;
const TEXT: usize = 400;

/// What is shown, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    /// The actor's name.
    pub(super) actor: &'a str,
    pub(super) keywords: &'a Map<String, Value>,
    pub(super) at: Timestamp,
    pub(super) zone: &'a TimeZone,
    pub(super) width: usize,
}

/// The table: health first.
pub(super) fn table(seen: Seen<'_>) -> Vec<Line> {
    let mut lines = vec![title(seen)];
    let rooms = [
        health(seen),
        countdown(seen),
        heartbeats(seen),
        vec![Line::default()],
        network(seen),
        dome(seen),
        enclosure(seen),
        monitors(seen),
        relay_box(seen),
        drill(seen),
    ];
    for room in rooms {
        lines.extend(room);
    }
    lines
}

/// The time of day, with the zone.
pub(super) fn clock(at: Timestamp, zone: &TimeZone) -> String {
    let at = at.to_zoned(zone.clone());
    at.strftime("%H:%M:%S %Z").to_string()
}

fn title(seen: Seen<'_>) -> Line {
    let up = number(seen.keywords.get("uptime"));
    let up = up.map_or_else(String::new, |up| format!(", up {}", span(up)));
    let left = clean(seen.actor, NAME);
    let right = format!("{}{up}", clock(seen.at, seen.zone));
    let used = left.chars().count() + right.chars().count();
    let gap = seen.width.saturating_sub(used).max(1);
    Line::new(Tone::Bold, left).and(Tone::Dim, format!("{}{right}", " ".repeat(gap)))
}

/// Sign, word and tone of each health; a later version may name another.
fn headline(state: &str) -> (&'static str, &'static str, Tone) {
    let known = Health::ALL.into_iter().find(|one| one.as_str() == state);
    let health = known.unwrap_or(Health::Unknown);
    let (sign, tone) = match health {
        Health::Ok => ("●", Tone::Good),
        Health::Late | Health::Bypassed => ("!", Tone::Warning),
        Health::Held | Health::ClosedByWatchdog => ("■", Tone::Bad),
        Health::NotArriving => ("✗", Tone::Bad),
        Health::Closing => ("▼", Tone::Bad),
        Health::Unknown => ("?", Tone::Warning),
    };
    (sign, health.word(), tone)
}

/// How the whole is, and everything that is late.
fn health(seen: Seen<'_>) -> Vec<Line> {
    let health = seen.keywords.get("health");
    let hold = seen.keywords.get("hold");
    let holds = truth(at(hold, "fault")) == Some(true);
    let state = match text(at(health, "state")) {
        Some(state) => state,
        // Of an actor that does not say it.
        None if holds => "held",
        None if hold.is_some() => "ok",
        None => "",
    };
    let (sign, word, tone) = headline(state);
    let since = number(at(health, "seconds").or(at(hold, "seconds").filter(|_| holds)));
    let since = since.map_or_else(String::new, |since| format!(" for {}", span(since)));
    let mut lines = vec![
        Line::default(),
        Line::new(tone, format!("{sign} {word}{since}")),
    ];
    let why = text(at(health, "text")).or(text(at(hold, "text")).filter(|_| holds));
    lines.extend(
        why.into_iter()
            .flat_map(|why| sentence(why, Tone::Plain, seen.width)),
    );
    let late = at(health, "late").and_then(Value::as_array);
    for late in late.into_iter().flatten().filter_map(Value::as_str) {
        if !why.is_some_and(|why| why.contains(late)) {
            lines.extend(sentence(&format!("! {late}"), Tone::Warning, seen.width));
        }
    }
    lines
}

/// A sentence below a headline.
fn sentence(text: &str, tone: Tone, width: usize) -> impl Iterator<Item = Line> {
    let rows = wrapped(&clean(text, TEXT), width.saturating_sub(2));
    rows.into_iter()
        .map(move |row| Line::new(tone, format!("  {row}")))
}

/// When the PLC closes the dome, and whether the dome heartbeat arrives.
fn countdown(seen: Seen<'_>) -> Vec<Line> {
    let delivery = seen.keywords.get("delivery");
    let ecp = seen.keywords.get("ecp");
    let closes_in = number(at(delivery, "closes_in")).filter(|left| *left > 0.0);
    let closing_for = number(at(delivery, "closing_for"));
    let silent = number(at(delivery, "seconds")).or(number(at(ecp, "acknowledged_age")));
    let mut lines = Vec::new();
    if let Some(closes_in) = closes_in {
        let part = closes_in / (closes_in + silent.unwrap_or(0.0));
        let tone = if part > 0.5 {
            Tone::Good
        } else if part > 0.25 {
            Tone::Warning
        } else {
            Tone::Bad
        };
        lines.push(row("PLC closes", tone, format!("in {}", span(closes_in))));
        lines.push(filled(part, seen.width, tone));
    } else if let Some(ago) = closing_for {
        let ran_out = format!("now: its time ran out {} ago", span(ago));
        lines.push(row("PLC closes", Tone::Bad, ran_out));
    }
    let Some(ecp) = ecp else {
        return lines;
    };
    let who = text(at(Some(ecp), "actor")).unwrap_or("the enclosure");
    let outcome = text(at(Some(ecp), "last_outcome"));
    let (tone, arrives) = match (outcome, number(at(Some(ecp), "acknowledged_age"))) {
        (None, _) => (Tone::Dim, "no heartbeat was sent yet".to_owned()),
        (Some("acknowledged"), Some(age)) => (
            Tone::Good,
            format!(
                "● {} acknowledged the last one {} ago",
                clean(who, NAME),
                span(age)
            ),
        ),
        (Some(outcome), age) => {
            let last = age.map_or_else(
                || ", and none was acknowledged yet".to_owned(),
                |age| format!("; the last acknowledged one was {} ago", span(age)),
            );
            (
                Tone::Bad,
                format!("✗ the last one: {}{last}", clean(outcome, NAME)),
            )
        }
    };
    lines.push(row("dome heartbeat", tone, arrives));
    if let Some(why) = text(at(delivery, "text")).filter(|_| tone == Tone::Bad) {
        lines.push(row("", Tone::Plain, clean(why, TEXT)));
    }
    if let Some(margin) = number(at(Some(ecp), "smallest_margin")) {
        let margin = format!("smallest margin so far: {} (L1)", span(margin));
        lines.push(row("", Tone::Dim, margin));
    }
    lines
}

/// One source a line, with a bar of its age over its timeout; critical ones first.
fn heartbeats(seen: Seen<'_>) -> Vec<Line> {
    let sources = seen.keywords.get("heartbeats").and_then(Value::as_object);
    let mut sources: Vec<_> = sources.into_iter().flatten().collect();
    if sources.is_empty() {
        return Vec::new();
    }
    let is_critical = |source: &Value| truth(source.get("critical")).unwrap_or(true);
    sources.sort_by_key(|(_, source)| !is_critical(source));
    let names = sources.iter().map(|(name, _)| name.chars().count() + 3);
    let column = names.max().unwrap_or(0).clamp(COLUMN, NAME);
    let mut lines = vec![Line::default(), Line::new(Tone::Dim, "heartbeats")];
    for (name, source) in sources {
        lines.extend(heartbeat(name, source, is_critical(source), column));
    }
    lines
}

fn heartbeat(name: &str, source: &Value, critical: bool, column: usize) -> Vec<Line> {
    const HEARD: usize = 20;
    const WIDTH: u16 = 20;
    let field = |name| at(Some(source), name);
    let current = truth(field("current")) == Some(true);
    // The age that counts; of a first beat nobody knows it.
    let age = number(field("proven_age")).or(number(field("age")));
    let timeout = number(field("timeout")).filter(|timeout| *timeout > 0.0);
    let last_seen = text(field("last_seen"));
    let (sign, tone) = match (current, critical, age.is_some() || last_seen.is_some()) {
        (true, ..) => ("●", Tone::Good),
        (false, true, true) => ("✗", Tone::Bad),
        (false, true, false) => ("?", Tone::Bad),
        (false, false, true) => ("✗", Tone::Warning),
        (false, false, false) => ("○", Tone::Dim),
    };
    let heard = match (age, timeout, last_seen) {
        (Some(age), Some(timeout), _) => format!("{} of {timeout} s", span(age)),
        (Some(age), None, _) => span(age),
        (None, _, Some(last)) => format!("last {}", clean(last, NAME)),
        (None, _, None) => "not heard".to_owned(),
    };
    let name = format!("{sign} {}", clean(name, NAME));
    let line =
        Line::new(tone, format!("{name:column$}")).and(Tone::Plain, format!("{heard:HEARD$}"));
    let by = text(field("last_by")).map(|by| format!("by {}", clean(by, NAME)));
    let notes = [by, (!critical).then(|| "not critical".to_owned())];
    let notes: Vec<String> = notes.into_iter().flatten().collect();
    let mut lines = vec![match age.zip(timeout) {
        None => line.and(Tone::Dim, notes.join(", ")),
        Some((age, timeout)) => {
            let (full, rest) = bar(age / timeout, WIDTH);
            line.and(tone, full)
                .and(Tone::Dim, format!("{rest}  {}", notes.join(", ")))
        }
    }];
    let mut warn = |what: String| lines.push(row_at(column, Tone::Warning, &what));
    if let Some(other) = text(field("also_by")) {
        warn(format!(
            "! set by {} as well: two programs beat",
            clean(other, NAME)
        ));
    }
    if let Some(refused) = number(field("refused")).filter(|count| *count > 0.0) {
        let from =
            text(field("refused_from")).map(|from| format!(", last from {}", clean(from, NAME)));
        warn(format!("! {refused} refused{}", from.unwrap_or_default()));
    }
    lines
}

fn network(seen: Seen<'_>) -> Vec<Line> {
    let links = seen.keywords.get("network").and_then(Value::as_object);
    let mut line = Line::new(Tone::Dim, format!("{:COLUMN$}", "network"));
    let mut shown = false;
    for (name, up) in links.into_iter().flatten() {
        // By both names, one link.
        if name == "internet" && links.is_some_and(|links| links.contains_key("outside")) {
            continue;
        }
        let name = clean(name, NAME);
        line = match up.as_bool() {
            Some(true) => line.and(Tone::Good, format!("● {name}   ")),
            Some(false) => line.and(Tone::Bad, format!("✗ {name} is down   ")),
            None => continue,
        };
        shown = true;
    }
    if shown { vec![line] } else { Vec::new() }
}

/// Where the dome is, and since when that is known or not.
fn dome(seen: Seen<'_>) -> Vec<Line> {
    let Some(enclosure) = seen.keywords.get("enclosure") else {
        return Vec::new();
    };
    let field = |name| at(Some(enclosure), name);
    let said = number(field("dome_age")).map(|age| format!(", said {} ago", span(age)));
    let said = said.unwrap_or_default();
    let (tone, what) = match text(field("dome")) {
        Some("open") => (Tone::Bold, format!("□ open{said}")),
        Some("closed") => (Tone::Bold, format!("■ closed{said}")),
        Some("moving") => (Tone::Warning, format!("▲ moving{said}")),
        Some("between") => (Tone::Warning, format!("! between open and closed{said}")),
        Some(other) => (Tone::Warning, format!("? {}{said}", clean(other, NAME))),
        None => {
            let since = text(field("dome_unknown_since")).and_then(|at| at.parse().ok());
            let since = since
                .map(|since: Timestamp| format!("? unknown since {}", clock(since, seen.zone)));
            let never = "? unknown: nothing was heard of it yet".to_owned();
            (Tone::Warning, since.unwrap_or(never))
        }
    };
    vec![row("dome", tone, what)]
}

/// The PLC, and lvmecp.
fn enclosure(seen: Seen<'_>) -> Vec<Line> {
    let enclosure = seen
        .keywords
        .get("enclosure")
        .filter(|known| known.is_object());
    let Some(enclosure) = enclosure else {
        return Vec::new();
    };
    let field = |name| at(Some(enclosure), name);
    let acknowledged = number(field("plc_acknowledged_age"));
    let acknowledged = acknowledged.map_or_else(String::new, |age| {
        format!(", last seen to {} ago", span(age))
    });
    let error = truth(field("plc_heartbeat_error"));
    let (tone, what) = match (error, truth(field("plc_acknowledges"))) {
        (Some(true), _) => (
            Tone::Bad,
            "✗ has had no heartbeat for its whole timeout (hb_error)".to_owned(),
        ),
        (_, Some(true)) => (
            Tone::Good,
            format!("● acknowledges the heartbeat{acknowledged}"),
        ),
        (_, Some(false)) => (
            Tone::Plain,
            format!("○ does not acknowledge just now{acknowledged}"),
        ),
        (_, None) => (Tone::Warning, format!("? unknown{acknowledged}")),
    };
    let mut lines = vec![row("PLC", tone, what)];
    let who = at(seen.keywords.get("ecp"), "actor");
    let who = clean(text(who).unwrap_or("lvmecp"), NAME);
    if truth(field("engineering_mode")) == Some(true) {
        let what = format!("! engineering mode: {who} beats to the PLC by itself");
        lines.push(row(&who, Tone::Warning, what));
    } else if let Some(age) = number(field("age")) {
        let expire = number(field("facts_expire")).unwrap_or(f64::INFINITY);
        let (sign, tone) = if age < expire {
            ("●", Tone::Good)
        } else {
            ("✗", Tone::Bad)
        };
        lines.push(row(&who, tone, format!("{sign} heard {} ago", span(age))));
    }
    lines
}

fn drill(seen: Seen<'_>) -> Vec<Line> {
    let drill = seen.keywords.get("drill");
    let day = |at: Option<&Value>| {
        let at: Timestamp = text(at)?.parse().ok()?;
        let at = at.to_zoned(seen.zone.clone());
        Some(at.strftime("%Y-%m-%d %H:%M %Z").to_string())
    };
    let proved = day(at(drill, "proved_at"));
    let passed = proved.map_or_else(
        || "none is known to have passed".to_owned(),
        |day| format!("the last one passed on {day}"),
    );
    let last = at(drill, "last");
    let failed = text(at(last, "verdict")) == Some("failed");
    let (tone, what) = match text(at(drill, "state")) {
        Some("withholding") => (
            Tone::Warning,
            "! the dome heartbeat is withheld until the PLC misses it".to_owned(),
        ),
        Some(_) => (
            Tone::Warning,
            "! the PLC has missed the dome heartbeat, and is to hear it again".to_owned(),
        ),
        None if failed => {
            let why = clean(text(at(last, "text")).unwrap_or_default(), TEXT);
            (Tone::Bad, format!("✗ failed: {why}"))
        }
        None if truth(at(drill, "due")) == Some(true) => {
            (Tone::Warning, format!("! due: {passed}"))
        }
        None if text(at(drill, "proved_at")).is_some() => (Tone::Good, format!("● {passed}")),
        None => return Vec::new(),
    };
    vec![row("drill", tone, what)]
}

fn monitors(seen: Seen<'_>) -> Vec<Line> {
    let monitors = seen
        .keywords
        .get("outside_monitors")
        .and_then(Value::as_array);
    let mut lines = Vec::new();
    for (index, monitor) in monitors.into_iter().flatten().enumerate() {
        let field = |name| text(at(Some(monitor), name));
        let url = clean(field("url").unwrap_or_default(), TEXT);
        let last = field("last_beat").and_then(|last| last.parse().ok());
        let last = last.map(|last: Timestamp| clock(last, seen.zone));
        let (tone, what) = match (field("failure"), last) {
            (None, Some(last)) => (Tone::Good, format!("● {url} took a beat at {last}")),
            (None, None) => (Tone::Dim, format!("○ {url} has not taken a beat yet")),
            (Some(why), _) => (Tone::Bad, format!("✗ {url}: {}", clean(why, TEXT))),
        };
        lines.push(row(if index == 0 { "monitors" } else { "" }, tone, what));
    }
    lines
}

fn relay_box(seen: Seen<'_>) -> Vec<Line> {
    let relay_box = seen
        .keywords
        .get("relay_box")
        .filter(|known| known.is_object());
    let Some(relay_box) = relay_box else {
        return Vec::new();
    };
    let field = |name| at(Some(relay_box), name);
    let hold = text(field("hold")).map(|hold| format!(": {}", clean(hold, TEXT)));
    let hold = hold.unwrap_or_default();
    let (tone, what) = if let Some(failure) = text(field("failure")) {
        (Tone::Bad, format!("✗ {}", clean(failure, TEXT)))
    } else if truth(field("latched")) == Some(true) {
        (
            Tone::Bad,
            format!("■ released, and somebody has to arm it{hold}"),
        )
    } else {
        match truth(field("energised")) {
            Some(true) => (Tone::Good, "● relay energised".to_owned()),
            Some(false) => (Tone::Bad, format!("■ relay released{hold}")),
            None => (Tone::Warning, "? has not answered yet".to_owned()),
        }
    };
    vec![row("relay box", tone, what)]
}

/// A name and what is to be said of it.
fn row(name: &str, tone: Tone, what: String) -> Line {
    Line::new(Tone::Dim, format!("{name:COLUMN$}")).and(tone, what)
}

fn row_at(column: usize, tone: Tone, what: &str) -> Line {
    Line::new(tone, format!("{:column$}{what}", ""))
}

/// A bar in the second column.
fn filled(part: f64, width: usize, tone: Tone) -> Line {
    let width = u16::try_from(width.saturating_sub(COLUMN)).unwrap_or(0);
    let (full, rest) = bar(part, width);
    Line::new(tone, format!("{:COLUMN$}{full}", "")).and(Tone::Dim, rest)
}

fn at<'a>(value: Option<&'a Value>, name: &str) -> Option<&'a Value> {
    value?.get(name)
}

fn text(value: Option<&Value>) -> Option<&str> {
    value?.as_str()
}

fn number(value: Option<&Value>) -> Option<f64> {
    value?.as_f64()
}

fn truth(value: Option<&Value>) -> Option<bool> {
    value?.as_bool()
}

#[cfg(test)]
mod tests;
