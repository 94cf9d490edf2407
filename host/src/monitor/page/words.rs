//! Durations, times and other people's texts, as the page shows them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

/// Texts from outside are shown up to this many characters.
const LONGEST: usize = 300;

/// A duration for people, in whole seconds. `span` in `page.js` says the same.
pub(super) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let (whole, rest, rest_unit) = match seconds {
        0..60 => return format!("{seconds} s"),
        60..3600 => (format!("{minutes} min"), seconds % 60, "s"),
        3600..86_400 => (format!("{hours} h"), minutes % 60, "min"),
        _ => (format!("{days} d"), hours % 24, "h"),
    };
    match (rest, rest_unit) {
        (0, _) => whole,
        (_, "h") => format!("{whole} {rest} h"),
        _ => format!("{whole} {rest:02} {rest_unit}"),
    }
}

/// Seconds of a report: to a tenth where that means something. Any number that JSON can hold is
/// shown somehow (X2).
pub(super) fn seconds(seconds: f64) -> String {
    if seconds.abs() < 100.0 {
        let tenths = format!("{seconds:.1}");
        return format!("{} s", tenths.strip_suffix(".0").unwrap_or(&tenths));
    }
    match Duration::try_from_secs_f64(seconds.abs()) {
        Ok(duration) if duration < Duration::from_secs(100 * 365 * 86_400) => {
            let sign = if seconds < 0.0 { "-" } else { "" };
            format!("{sign}{}", span(duration))
        }
        _ => "a very long time".to_owned(),
    }
}

/// A duration that goes on: the script counts it up.
pub(super) fn growing(age: Duration) -> Markup {
    html! { span.ticking data-age=(age.as_secs()) { (span(age)) } }
}

/// A duration that runs out: the script counts it down.
pub(super) fn shrinking(left: Duration) -> Markup {
    html! { span.ticking data-left=(left.as_secs()) { (span(left)) } }
}

/// How long ago that was; nothing if a clock was stepped back since.
pub(super) fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

/// A moment, in UTC first and in the observatory's own time second; with the date unless that is
/// today's.
pub(super) fn moment(at: Timestamp, now: Timestamp, zone: &TimeZone) -> Markup {
    let day = |time: Timestamp| time.as_second().div_euclid(86_400);
    let today = day(at) == day(now);
    let format = if today { "%H:%M:%S" } else { "%-d %b %H:%M" };
    html! {
        time datetime=(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()) {
            (at.strftime(format).to_string()) " UTC"
            @if *zone != TimeZone::UTC { " " span.local { "(" (local(at, zone)) ")" } }
        }
    }
}

/// `03:04 Santiago`: many zones, Chile's among them, have no abbreviation but a number.
fn local(at: Timestamp, zone: &TimeZone) -> String {
    let at = at.to_zoned(zone.clone());
    let place = match zone.iana_name() {
        Some(name) => name.rsplit('/').next().unwrap_or(name).replace('_', " "),
        None => at.strftime("%Z").to_string(),
    };
    format!("{} {place}", at.strftime("%H:%M"))
}

/// A text from outside: cut where it is long, and without characters that would change how what
/// follows is shown (X1). That it is escaped is `maud`'s business.
pub(super) fn clip(text: &str) -> String {
    let shown = |c: char| match c {
        // Bidirectional overrides and isolates, and whatever else is not shown.
        '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => '\u{fffd}',
        c if c.is_control() => ' ',
        c => c,
    };
    let mut clipped: String = text.chars().take(LONGEST).map(shown).collect();
    if text.chars().nth(LONGEST).is_some() {
        clipped.push('…');
    }
    clipped
}

/// `1 outage`, `3 outages`.
pub(super) fn count(number: u64, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

/// `once`, `twice`, `5 times`.
pub(super) fn times(number: u64) -> String {
    match number {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{number} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short_and_keep_two_units() {
        let said = |seconds| span(Duration::from_secs(seconds));
        assert_eq!(said(0), "0 s");
        assert_eq!(said(59), "59 s");
        assert_eq!(said(60), "1 min");
        assert_eq!(said(252), "4 min 12 s");
        assert_eq!(said(3600), "1 h");
        assert_eq!(said(7500), "2 h 05 min");
        assert_eq!(said(86_400), "1 d");
        assert_eq!(said(273_600), "3 d 4 h");
    }

    #[test]
    fn x2_any_number_of_a_report_is_shown_somehow() {
        assert_eq!(seconds(2.13), "2.1 s");
        assert_eq!(seconds(30.0), "30 s");
        assert_eq!(seconds(-3.0), "-3 s");
        assert_eq!(seconds(252.4), "4 min 12 s");
        assert_eq!(seconds(-252.4), "-4 min 12 s");
        for odd in [f64::NAN, f64::INFINITY, f64::MAX, f64::MIN] {
            assert_eq!(seconds(odd), "a very long time");
        }
    }

    #[test]
    fn a_moment_is_shown_in_utc_first_and_in_local_time_second() {
        let at = "2026-01-02T03:04:05Z".parse().unwrap();
        let chile = TimeZone::get("America/Santiago").unwrap();
        let near = moment(at, at, &chile).into_string();
        assert!(
            near.contains("03:04:05 UTC <span class=\"local\">(00:04 Santiago)</span>"),
            "{near}"
        );
        let later = "2026-01-04T03:04:05Z".parse().unwrap();
        let far = moment(at, later, &TimeZone::UTC).into_string();
        assert!(far.contains(">2 Jan 03:04 UTC</time>"), "{far}");
    }

    #[test]
    fn x1_a_text_cannot_turn_the_line_around() {
        assert_eq!(clip("a\u{202e}b\nc"), "a\u{fffd}b c");
        assert_eq!(clip(&"x".repeat(400)).chars().count(), LONGEST + 1);
    }
}
