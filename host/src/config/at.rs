//! Where a value stands, and what is quoted of it in an error.

use std::time::Duration;

use super::{ConfigError, scalar};

/// Says where a value stands, so that an error can name it.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) file: &'a str,
}

impl At<'_> {
    pub(super) fn error(
        self,
        key: &str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ConfigError {
        ConfigError::Value {
            file: self.file.to_owned(),
            key: if key.is_empty() {
                "the whole file".to_owned()
            } else {
                shown(key)
            },
            problem: shown(&problem.into()),
            remedy: remedy.into(),
        }
    }

    /// A time in seconds: a positive, finite number.
    pub(super) fn seconds(
        self,
        key: &str,
        value: Option<f64>,
        default: f64,
    ) -> Result<Duration, ConfigError> {
        let seconds = value.unwrap_or(default);
        scalar::time(seconds).ok_or_else(|| {
            self.error(
                key,
                format!("{seconds} is not a usable time"),
                "give a number of seconds between 0.001 and 86400",
            )
        })
    }
}

/// What a file holds, as one line of bounded length (X2).
pub(super) fn shown(text: &str) -> String {
    let line = text.chars().map(|c| match c {
        c if c.is_control() => '\u{fffd}',
        c => c,
    });
    brief(&line.collect::<String>())
}

/// A text that may quote a long value; its end says what is wrong.
pub(super) fn brief(text: &str) -> String {
    const BEGIN: usize = 100;
    const END: usize = 200;
    let length = text.chars().count();
    if length <= BEGIN + END {
        return text.to_owned();
    }
    let (begin, end) = (text.chars().take(BEGIN), text.chars().skip(length - END));
    begin.chain(['…']).chain(end).collect()
}
