//! What the state file holds: what is known and survives a restart, and what may be found in its
//! place.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use lvmbeat_core::alarm;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::clearing;
use super::held;
use super::history::History;
use super::incidents;
use super::notify::Thread;
use super::outbox;
use super::routine;
use crate::peer::{self, Secrets};
use crate::report::Report;

/// What survives a restart.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub(super) struct Saved {
    /// When it was saved.
    pub(super) wall: Timestamp,
    /// The process that has saved it; an earlier version does not say.
    #[serde(default)]
    pub(super) writer: Option<Uuid>,
    pub(super) alarm: alarm::Saved,
    #[serde(default)]
    pub(super) unsure: bool,
    #[serde(default)]
    pub(super) incident: Option<Uuid>,
    #[serde(default)]
    pub(super) clearing: clearing::Saved,
    #[serde(default)]
    pub(super) held: Option<held::Saved>,
    #[serde(default)]
    pub(super) incidents: Vec<incidents::Known>,
    /// By the channels' ids.
    #[serde(default)]
    pub(super) threads: BTreeMap<String, Vec<Thread>>,
    #[serde(default)]
    pub(super) routine: routine::Sent,
    #[serde(default)]
    pub(super) farewell: Option<String>,
    #[serde(default)]
    pub(super) since: Option<Timestamp>,
    #[serde(default)]
    pub(super) last_seen: Option<Timestamp>,
    #[serde(default)]
    pub(super) report: Option<(Report, Timestamp)>,
    #[serde(default)]
    pub(super) outbox: outbox::Saved,
    #[serde(default)]
    pub(super) history: History,
}

impl Saved {
    /// What a monitor knows that has never run.
    pub(super) fn nothing(wall: Timestamp) -> Self {
        Self {
            wall,
            writer: None,
            alarm: alarm::Saved::default(),
            unsure: false,
            incident: None,
            clearing: clearing::Saved::default(),
            held: None,
            incidents: Vec::new(),
            routine: routine::Sent::default(),
            threads: BTreeMap::new(),
            farewell: None,
            since: None,
            last_seen: None,
            report: None,
            outbox: outbox::Saved::default(),
            history: History::default(),
        }
    }

    /// What others have written, as it may be shown: an earlier version may have saved it as it
    /// came (X1).
    pub(super) fn shown(mut self, secrets: &Secrets) -> Self {
        self.report = self.report.map(|(report, at)| (report.shown(secrets), at));
        let clean = |text: &mut String| *text = peer::shown(text.as_bytes(), secrets);
        self.farewell.iter_mut().for_each(clean);
        if let Some(held) = &mut self.held {
            held.texts().for_each(clean);
        }
        self.outbox.clean(secrets);
        self.history.incidents = self.history.incidents.shown(secrets);
        self
    }
}

/// What was found.
#[derive(Debug)]
pub(super) enum Loaded {
    /// There is no file, or none is configured.
    Nothing,
    /// What this version, or an older one, has saved.
    Saved(Box<Saved>),
    /// The file of the Python version.
    Python(Python),
    /// There is one that cannot be used.
    Lost,
    /// There is one of a later version, of this format. It is left as it is.
    Later(u64),
}

impl fmt::Display for Python {
    /// A line of its file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},", u8::from(self.active))?;
        self.last_seen.map_or(Ok(()), |at| {
            write!(f, "{}.{:06}", at.as_second(), at.subsec_nanosecond() / 1000)
        })
    }
}

/// What the Python version saves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Python {
    /// People were notified of `Down`.
    pub(super) active: bool,
    /// The last beat.
    pub(super) last_seen: Option<Timestamp>,
}
