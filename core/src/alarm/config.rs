//! Thresholds.

use core::fmt;

use embassy_time::Duration;

/// When to alert.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Config {
    alert_after: Duration,
    attention_limit: Duration,
    remind_every: Option<Duration>,
}

/// Why an alarm cannot work like that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ConfigError {
    /// No time before the alarm: it would be on whatever is heard.
    ZeroAlertAfter,
    /// An attention limit of zero: no silence would ever be observed.
    ZeroAttentionLimit,
    /// An attention limit above the time before the alarm: a gap in listening could raise it (M3).
    AttentionLimitTooLong,
    /// No time between two reminders.
    ZeroReminder,
}

impl Config {
    /// Alarms after `alert_after` of observed silence; a gap of exactly `attention_limit` is not
    /// observed. No reminders.
    pub fn new(alert_after: Duration, attention_limit: Duration) -> Result<Self, ConfigError> {
        if alert_after == Duration::MIN {
            return Err(ConfigError::ZeroAlertAfter);
        }
        if attention_limit == Duration::MIN {
            return Err(ConfigError::ZeroAttentionLimit);
        }
        if attention_limit > alert_after {
            return Err(ConfigError::AttentionLimitTooLong);
        }
        Ok(Self {
            alert_after,
            attention_limit,
            remind_every: None,
        })
    }

    /// Reminds each time that this much more silence was observed while down.
    pub fn with_reminders(mut self, every: Duration) -> Result<Self, ConfigError> {
        if every == Duration::MIN {
            return Err(ConfigError::ZeroReminder);
        }
        self.remind_every = Some(every);
        Ok(self)
    }

    /// The observed silence that is an alarm.
    pub fn alert_after(&self) -> Duration {
        self.alert_after
    }

    /// The gap between two calls that is not observed any more.
    pub fn attention_limit(&self) -> Duration {
        self.attention_limit
    }

    /// The observed silence between two reminders; `None`: no reminders.
    pub fn remind_every(&self) -> Option<Duration> {
        self.remind_every
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ZeroAlertAfter => "the silence before an alarm is zero, so that it would always be on",
            Self::ZeroAttentionLimit => "the attention limit is zero, so that no silence would ever count",
            Self::AttentionLimitTooLong => {
                "the attention limit is longer than the silence before an alarm, so that a gap in listening could raise one"
            }
            Self::ZeroReminder => "the time between two reminders is zero",
        })
    }
}

impl core::error::Error for ConfigError {}
