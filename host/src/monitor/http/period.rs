//! For how long alarms are disabled, as people write it.

use std::time::Duration;

use super::answer::Problem;

/// The longest time; whoever wants more means for good.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Seconds, which may be a fraction, or a number with its unit: `3600`, `2h`, `90m`, `1.5 h`, `3d`.
pub(super) fn parse(text: &str) -> Result<Duration, Problem> {
    let wrong = |why: &str| {
        Problem::value(format!(
            "for: {why}; give seconds, or a number with s, m, h or d, up to 366d: for=3600, for=90m. \
             Without it, alarms stay disabled until they are enabled."
        ))
    };
    let text = text.trim_matches(' ');
    let (number, unit) = match text.char_indices().next_back() {
        Some((at, 's')) => (&text[..at], 1.0),
        Some((at, 'm')) => (&text[..at], 60.0),
        Some((at, 'h')) => (&text[..at], 3600.0),
        Some((at, 'd')) => (&text[..at], 24.0 * 3600.0),
        Some(_) => (text, 1.0),
        None => return Err(wrong("it is empty")),
    };
    let number = number.trim_end_matches(' ');
    // Of the many ways to write a number those that people use.
    let plain = |character: char| character.is_ascii_digit() || character == '.';
    if !number.starts_with(|first: char| first.is_ascii_digit()) || !number.chars().all(plain) {
        return Err(wrong("that is not a duration"));
    }
    let seconds = number
        .parse::<f64>()
        .map_err(|_| wrong("that is not a duration"))?;
    match Duration::try_from_secs_f64(seconds * unit) {
        Ok(Duration::ZERO) => Err(wrong("that is zero")),
        Ok(period) if period <= LONGEST => Ok(period),
        Ok(_) | Err(_) => Err(wrong("that is too long")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_seconds_or_has_a_unit() {
        for (text, seconds) in [
            ("3600", 3600.0),
            ("0.5", 0.5),
            ("45s", 45.0),
            ("90m", 5400.0),
            ("2h", 7200.0),
            (" 1.5 h ", 5400.0),
            ("366d", 366.0 * 86400.0),
        ] {
            assert_eq!(
                parse(text).unwrap(),
                Duration::from_secs_f64(seconds),
                "{text}"
            );
        }
    }

    #[test]
    fn x2_what_is_no_period_is_refused() {
        for text in [
            "", " ", "h", "-1", "+1", "0", "0h", "1e-20", "soon", "2w", "2hh", "2 h 3 m", "nan",
            "NaN", "inf", "infinity", "1e999", "1e3", "1.2.3", "\t1", "367d", ".5", "٣", "1ä",
            "0x10", "1,5h",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
