//! Times, durations and foreign words, as they are shown.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A time: UTC first, and the local one second, unless that is UTC too. The local date is left out
/// where it is the same.
pub(super) fn time(time: Timestamp, zone: &TimeZone) -> String {
    let utc = time.to_zoned(TimeZone::UTC);
    let mut text = utc.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    if !matches!(zone.iana_name(), Some("UTC" | "Etc/UTC")) && *zone != TimeZone::UTC {
        let local = time.to_zoned(zone.clone());
        let format = if local.date() == utc.date() {
            "%H:%M:%S"
        } else {
            "%Y-%m-%d %H:%M:%S"
        };
        // "America/Santiago" is Santiago to those who live there.
        let place = zone
            .iana_name()
            .and_then(|name| name.rsplit('/').next())
            .map_or_else(
                || local.strftime("UTC%:z").to_string(),
                |place| place.replace('_', " "),
            );
        text = format!("{text} ({} {place})", local.strftime(format));
    }
    text
}

/// A time of today.
pub(super) fn clock(time: Timestamp) -> String {
    time.strftime("%H:%M:%S UTC").to_string()
}

/// A duration in seconds, to two units.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a negative one, and none, is shown as nothing, and one that is too long as the longest"
)]
pub(in crate::monitor) fn span(seconds: f64) -> String {
    let seconds = seconds as u64;
    let (large, small) = match seconds {
        0..60 => ((seconds, "s"), (0, "")),
        60..3600 => ((seconds / 60, "min"), (seconds % 60, "s")),
        3600..86_400 => ((seconds / 3600, "h"), (seconds % 3600 / 60, "min")),
        _ => ((seconds / 86_400, "d"), (seconds % 86_400 / 3600, "h")),
    };
    let text = format!("{} {}", large.0, large.1);
    if small.0 == 0 {
        text
    } else {
        format!("{text} {} {}", small.0, small.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(zone: &str) -> String {
        let zone = TimeZone::get(zone).unwrap();
        time("2025-06-01T03:12:05.9Z".parse().unwrap(), &zone)
    }

    #[test]
    fn a_time_is_utc_first_and_local_second() {
        assert_eq!(
            at("America/Santiago"),
            "2025-06-01 03:12:05 UTC (2025-05-31 23:12:05 Santiago)"
        );
        assert_eq!(
            at("Europe/Berlin"),
            "2025-06-01 03:12:05 UTC (05:12:05 Berlin)"
        );
        assert_eq!(at("Etc/UTC"), "2025-06-01 03:12:05 UTC");
        let fixed = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(
            time("2025-06-01T03:12:05Z".parse().unwrap(), &fixed),
            "2025-06-01 03:12:05 UTC (05:12:05 UTC+02:00)"
        );
    }

    #[test]
    fn a_span_has_two_units() {
        let expected = [
            (-1.0, "0 s"),
            (f64::NAN, "0 s"),
            (59.9, "59 s"),
            (60.0, "1 min"),
            (3599.0, "59 min 59 s"),
            (3600.0, "1 h"),
            (86_399.0, "23 h 59 min"),
            (90_000.0, "1 d 1 h"),
        ];
        for (seconds, text) in expected {
            assert_eq!(span(seconds), text);
        }
        assert!(span(f64::INFINITY).ends_with(" h"));
    }
}
