//! A moment of each day or of each week.

use std::fmt;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// `12:00`, or `mon 12:00`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Schedule {
    day: Option<Weekday>,
    time: Time,
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

impl Schedule {
    /// As it is written.
    pub fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (day, time) = match words.as_slice() {
            [time] => (None, time),
            [day, time] => {
                let day = day.to_ascii_lowercase();
                let (_, day) = DAYS.into_iter().find(|(name, _)| *name == day)?;
                (Some(day), time)
            }
            _ => return None,
        };
        let time = time.parse().ok()?;
        Some(Self { day, time })
    }

    /// The last such moment that is not after `now`.
    pub fn last(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let today = now.to_zoned(zone.clone()).date();
        (0..=7_i64).find_map(|days| {
            let date = today.checked_sub(days.days()).ok()?;
            if self.day.is_some_and(|day| day != date.weekday()) {
                return None;
            }
            let at = date.to_datetime(self.time).to_zoned(zone.clone()).ok()?;
            Some(at.timestamp()).filter(|at| *at <= now)
        })
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = DAYS.into_iter().find(|(_, day)| Some(*day) == self.day);
        if let Some((name, _)) = day {
            write!(f, "{name} ")?;
        }
        write!(f, "{}", self.time.strftime("%H:%M"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_moment_is_today_or_before() {
        let zone = TimeZone::get("America/Santiago").unwrap();
        // A Thursday; UTC-3.
        let now = "2026-01-01T14:00:00Z".parse().unwrap();
        for (text, last) in [
            ("11:00", "2026-01-01T14:00:00Z"),
            ("11:01", "2025-12-31T14:01:00Z"),
            ("thu 10:00", "2026-01-01T13:00:00Z"),
            ("thu 11:30", "2025-12-25T14:30:00Z"),
            ("Fri 10:00", "2025-12-26T13:00:00Z"),
        ] {
            let schedule = Schedule::parse(text).unwrap();
            assert_eq!(
                schedule.last(now, &zone).unwrap().to_string(),
                last,
                "{text}"
            );
            assert_eq!(Schedule::parse(&schedule.to_string()), Some(schedule));
        }
        for nonsense in ["", "noon", "25:00", "moon 10:00", "mon tue 10:00"] {
            assert_eq!(Schedule::parse(nonsense), None, "{nonsense}");
        }
    }
}
