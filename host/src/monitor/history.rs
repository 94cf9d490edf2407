//! The last days: when the observatory was silent, and when the monitor itself was not listening. For showing only.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Periods in which not all was well, oldest first. Between them the observatory was heard.
#[derive(Serialize, Deserialize, Clone, PartialEq, Default, Debug)]
#[serde(default)]
pub struct History {
    /// When the first beat was heard; nothing is known before.
    pub begins: Option<Timestamp>,
    /// The periods. They do not overlap.
    pub periods: Vec<Period>,
}

/// One of them.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub struct Period {
    /// What was the matter.
    pub what: What,
    /// Its begin: of a silence, the last beat before it.
    pub from: Timestamp,
    /// Its end; it goes on if there is none.
    pub to: Option<Timestamp>,
}

/// What was the matter.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The observatory was silent for long enough to alarm.
    Silent,
    /// The monitor was not listening.
    Blind,
}
