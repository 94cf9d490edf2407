//! The last days: when the observatory was silent, and when the monitor itself was not listening. For showing only.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How far back it goes.
const KEPT: SignedDuration = SignedDuration::from_hours(8 * 24);
/// How many periods are kept, the latest.
const MAX_PERIODS: usize = 1000;

/// Periods in which not all was well, oldest first. Between them the observatory was heard.
///
/// It lives on the wall clock, which may be stepped at any moment. What lies in the future is forgotten, so that a clock that was wrong
/// for a while does no lasting harm.
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

impl History {
    /// The observatory is heard: a silence is over.
    pub(super) fn heard(&mut self, wall: Timestamp) {
        self.begins.get_or_insert(wall);
        self.close(wall);
    }

    /// The observatory has been silent since `from` for long enough to alarm. To be told again and again; what is known changes
    /// nothing.
    pub(super) fn silent(&mut self, from: Timestamp, wall: Timestamp) {
        if self.begins.is_none() || self.is_silent() {
            return;
        }
        self.clean(wall);
        // Where the monitor did not listen in between, it is not known to have been silent.
        let mut cursor = from.min(wall);
        let mut known = Vec::new();
        while let Some(last) = self.periods.pop_if(|last| last.end() > cursor) {
            known.push(last);
        }
        for period in known.into_iter().rev() {
            self.add(What::Silent, cursor, Some(period.from));
            cursor = cursor.max(period.end());
            self.periods.push(period);
        }
        self.add(What::Silent, cursor, None);
    }

    /// The monitor was not listening in this time.
    pub(super) fn blind(&mut self, from: Timestamp, to: Timestamp) {
        if self.begins.is_none() || from >= to {
            return;
        }
        self.clean(to);
        let was_silent = self.is_silent();
        self.close(from);
        let begin = self
            .periods
            .last()
            .map_or(from, |last| from.max(last.end()));
        self.add(What::Blind, begin, Some(to));
        if was_silent {
            self.add(What::Silent, to, None);
        }
    }

    fn is_silent(&self) -> bool {
        self.periods.last().is_some_and(|last| last.to.is_none())
    }

    fn close(&mut self, wall: Timestamp) {
        if let Some(open) = self.periods.last_mut().filter(|last| last.to.is_none()) {
            open.to = Some(wall.max(open.from));
        }
    }

    /// Adds a period at the end, unless nothing would be in it.
    fn add(&mut self, what: What, from: Timestamp, to: Option<Timestamp>) {
        if to.is_none_or(|to| from < to) {
            self.periods.push(Period { what, from, to });
        }
    }

    /// Forgets what is too old, and what would not have happened yet.
    fn clean(&mut self, wall: Timestamp) {
        let oldest = wall.saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
        self.begins = self.begins.map(|begins| begins.min(wall));
        self.periods.retain_mut(|period| {
            if period.to.is_some_and(|to| to > wall) {
                period.to = Some(wall);
            }
            period.from < wall && period.to.is_none_or(|to| to > oldest)
        });
        // Room for what is about to be added.
        let many = self.periods.len().saturating_sub(MAX_PERIODS - 2);
        self.periods.drain(..many);
    }
}

impl Period {
    /// Its end; the end of time if it goes on.
    fn end(&self) -> Timestamp {
        self.to.unwrap_or(Timestamp::MAX)
    }
}
