//! The moment that somebody means by `yesterday 20:00`.

use jiff::civil::{DateTime, Time};
use jiff::{SignedDuration, Timestamp, ToSpan as _, Zoned};

/// Why a text is no moment.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a moment in the past; write for example `2h`, `20:00`, `yesterday 20:00`, `2026-01-31 20:00` or `2026-01-31T20:00:00Z`"
)]
pub struct NoMoment(String);

/// The moment that is meant: so long ago, the last time that a clock showed it, or a date.
pub fn parse(text: &str, now: &Zoned) -> Result<Timestamp, NoMoment> {
    let text = text.trim();
    let meant = ago(text, now)
        .or_else(|| text.parse::<Timestamp>().ok())
        // Before the times: jiff also reads the time of a date.
        .or_else(|| local(text.parse::<DateTime>().ok()?, now))
        .or_else(|| on_a_day(text, now));
    meant
        .filter(|meant| *meant <= now.timestamp())
        .ok_or_else(|| NoMoment(text.chars().take(100).collect()))
}

fn ago(text: &str, now: &Zoned) -> Option<Timestamp> {
    let unit = text.chars().last()?;
    let number: i64 = text.strip_suffix(unit)?.trim().parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let ago = SignedDuration::from_secs(number.checked_mul(seconds)?);
    now.timestamp().checked_sub(ago).ok()
}

fn on_a_day(text: &str, now: &Zoned) -> Option<Timestamp> {
    let (day, time) = match text.split_once(' ') {
        Some(("yesterday", time)) => (Some(-1), time),
        Some(("today", time)) => (Some(0), time),
        _ if text == "yesterday" => (Some(-1), "00:00"),
        _ if text == "today" => (Some(0), "00:00"),
        _ => (None, text),
    };
    let time: Time = time.trim().parse().ok()?;
    let at = |days: i64| {
        let date = now.date().checked_add(days.days()).ok()?;
        local(date.to_datetime(time), now)
    };
    match day {
        Some(days) => at(days),
        // The last time that it was so late.
        None => at(0).filter(|at| *at <= now.timestamp()).or_else(|| at(-1)),
    }
}

fn local(at: DateTime, now: &Zoned) -> Option<Timestamp> {
    Some(at.to_zoned(now.time_zone().clone()).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_said_in_many_ways() {
        let now: Zoned = "2026-03-05T07:30:00-03:00[-03:00]".parse().unwrap();
        for (text, meant) in [
            ("90s", "2026-03-05T10:28:30Z"),
            ("5m", "2026-03-05T10:25:00Z"),
            ("2h", "2026-03-05T08:30:00Z"),
            ("1d", "2026-03-04T10:30:00Z"),
            ("07:00", "2026-03-05T10:00:00Z"),
            ("20:00", "2026-03-04T23:00:00Z"),
            ("today 07:00", "2026-03-05T10:00:00Z"),
            ("yesterday", "2026-03-04T03:00:00Z"),
            ("yesterday 20:00", "2026-03-04T23:00:00Z"),
            (" 2026-03-01 20:00 ", "2026-03-01T23:00:00Z"),
            ("2026-03-01", "2026-03-01T03:00:00Z"),
            ("2026-03-01T20:00:00Z", "2026-03-01T20:00:00Z"),
        ] {
            let expected: Timestamp = meant.parse().unwrap();
            assert_eq!(parse(text, &now).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn x2_what_is_no_moment_of_the_past_is_named() {
        let now: Zoned = "2026-03-05T07:30:00-03:00[-03:00]".parse().unwrap();
        for text in [
            "",
            "soon",
            "-5m",
            "99999999999999999d",
            "25:00",
            "today 20:00",
            "2027-01-01",
            "yesterday evening",
        ] {
            let error = parse(text, &now).unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
    }
}
