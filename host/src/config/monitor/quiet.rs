//! Times of the day at which nobody is alerted, again and again: the dome is closed by day.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::raw::RawQuiet;
use crate::config::ConfigError;
use crate::config::given::{Given, Reader};

/// From a time of the day until another, which may be on the next day.
#[derive(Clone, PartialEq, Debug)]
pub struct Quiet {
    pub(super) from: Time,
    pub(super) to: Time,
    pub(super) zone: TimeZone,
}

impl Quiet {
    /// When it ends, if that moment is in it. It begins at `from`, and is over at `to`.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        let local = now.to_zoned(self.zone.clone());
        let (time, today) = (local.time(), local.date());
        let crosses = self.from > self.to;
        let tomorrow = || today.checked_add(1.day()).ok();
        let end = match (crosses, time >= self.from, time < self.to) {
            (false, true, true) | (true, _, true) => Some(today),
            (true, true, false) => tomorrow(),
            _ => None,
        }?;
        self.at(end, self.to)
    }

    fn at(&self, date: Date, time: Time) -> Option<Timestamp> {
        let zoned = date.to_datetime(time).to_zoned(self.zone.clone()).ok()?;
        Some(zoned.timestamp())
    }
}

/// Those of the file; `default` is the zone of those that do not say.
pub(super) fn read(
    read: Reader<'_>,
    raw: Vec<RawQuiet>,
    default: &TimeZone,
) -> Result<Vec<Quiet>, ConfigError> {
    let mut quiet = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let key = |name: &str| format!("monitor.quiet[{index}].{name}");
        let time = |name: &str, text: &str| {
            text.parse::<Time>().map_err(|_| {
                let remedy = "give a time of the day in quotes, such as \"08:00\"";
                read.at
                    .error(&key(name), format!("{text:?} is not a time"), remedy)
            })
        };
        let (from, to) = (time("from", &raw.from)?, time("to", &raw.to)?);
        if from == to {
            let problem = "from and to are the same";
            let remedy = "give two times, or set monitor.alerts: false";
            return Err(read.at.error(&key("to"), problem, remedy));
        }
        let zone = raw
            .zone
            .map(|zone| time_zone(&read.key(&key("zone"), zone)));
        let zone = zone.transpose()?.unwrap_or_else(|| default.clone());
        quiet.push(Quiet { from, to, zone });
    }
    Ok(quiet)
}

/// By its name.
pub(super) fn time_zone(given: &Given<'_>) -> Result<TimeZone, ConfigError> {
    TimeZone::get(&given.text).map_err(|_| {
        given.error(
            "is not a known time zone",
            "give a name such as America/Santiago or UTC",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(from: &str, to: &str, now: &str) -> Option<String> {
        let quiet = Quiet {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            zone: TimeZone::get("America/Santiago").unwrap(),
        };
        let until = quiet.until(now.parse().unwrap())?;
        Some(until.to_string())
    }

    #[test]
    fn a_day_in_chile_is_quiet_until_its_end_in_summer_and_in_winter() {
        // UTC-4 in winter, UTC-3 in summer.
        for (now, end) in [
            ("2026-06-01T11:59:59Z", None),
            ("2026-06-01T12:00:00Z", Some("2026-06-01T20:00:00Z")),
            ("2026-06-01T19:59:59Z", Some("2026-06-01T20:00:00Z")),
            ("2026-06-01T20:00:00Z", None),
            ("2026-01-01T11:00:00Z", Some("2026-01-01T19:00:00Z")),
        ] {
            assert_eq!(until("08:00", "16:00", now).as_deref(), end, "{now}");
        }
    }

    #[test]
    fn one_over_midnight_ends_on_the_next_day() {
        for (now, end) in [
            ("2026-06-01T02:00:00Z", Some("2026-06-01T10:00:00Z")),
            ("2026-06-01T09:59:59Z", Some("2026-06-01T10:00:00Z")),
            ("2026-06-01T10:00:00Z", None),
            ("2026-06-01T01:59:59Z", None),
        ] {
            assert_eq!(until("22:00", "06:00", now).as_deref(), end, "{now}");
        }
    }
}
