//! What happened, so that somebody can ask in the morning why the dome closed.
//!
//! The actor adds an [`Entry`] for each change: of its health, of the causes that hold the dome
//! heartbeat, of the session, of the dome. [`Journal`] keeps the newest in memory and hands all of
//! them to a thread that writes them to disk; [`read`] reads them again, and [`story`] tells them.
//! Nothing is decided on any of it.

mod changes;
mod entry;
mod file;
pub mod story;
pub mod when;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

pub use self::changes::Changes;
pub(crate) use self::entry::span;
pub use self::entry::{Entry, Event, Run};
pub use self::file::{Read, ReadError, read};
use crate::actor::Snapshot;
use crate::report::Health;

/// Entries that are kept in memory: a night with a change every ten seconds.
const KEPT: usize = 4096;

/// The newest entries, and the way to the file.
#[derive(Debug)]
pub struct Journal {
    recent: VecDeque<Entry>,
    file: Option<file::Writer>,
    lost: Arc<AtomicU64>,
}

impl Journal {
    /// Keeps entries in memory, and in that file if there is one.
    pub fn new(path: Option<PathBuf>) -> Self {
        let lost = Arc::new(AtomicU64::new(0));
        Self {
            recent: VecDeque::new(),
            file: path.and_then(|path| file::Writer::start(path, lost.clone())),
            lost,
        }
    }

    /// Adds one. Never waits (S6): what the disk is too slow for is lost there, and counted.
    pub fn add(&mut self, at: Timestamp, event: Event) {
        let entry = Entry { at, event };
        if let Some(file) = &self.file
            && !file.write(&entry)
        {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        if self.recent.len() == KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(entry);
    }

    /// The newest entries, the oldest of them first.
    pub fn recent(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.recent.iter()
    }

    /// How many entries could not be written to the file.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Writes down what changes from one view of the actor to the next.
#[derive(Debug)]
pub struct Recorder {
    changes: Changes,
    journal: Journal,
}

impl Recorder {
    /// The actor starts.
    pub fn start(path: Option<PathBuf>, wall: Timestamp) -> Self {
        let mut journal = Journal::new(path);
        let version = crate::VERSION.to_owned();
        journal.add(wall, Event::Started { version });
        Self {
            changes: Changes::new(),
            journal,
        }
    }

    /// The actor shows this.
    pub fn observe(&mut self, shown: &Snapshot, wall: Timestamp) {
        for event in self.changes.observe(shown, wall) {
            log(&event);
            self.journal.add(wall, event);
        }
    }

    /// The actor ends in order.
    pub fn stopping(&mut self, wall: Timestamp) {
        self.journal.add(wall, Event::Stopping);
    }
}

/// What has no line of its own in the log, so that the log of a closing reads as its story.
fn log(event: &Event) {
    match event {
        Event::Health { state, .. } if state == Health::NotArriving.as_str() => {
            tracing::warn!("{}", event.text());
        }
        Event::PlcTimeRanOut { .. }
        | Event::PlcError { on: true }
        | Event::EngineeringMode { on: Some(true) } => tracing::warn!("{}", event.text()),
        Event::Dome { .. } | Event::PlcError { .. } | Event::EngineeringMode { .. } => {
            tracing::info!("{}", event.text());
        }
        // A client that beats late each time makes it late and well again.
        Event::Health { .. } => tracing::debug!("{}", event.text()),
        Event::Started { .. }
        | Event::Stopping
        | Event::Held { .. }
        | Event::Released { .. }
        | Event::Emissions { .. }
        | Event::Session { .. }
        | Event::Lapse
        | Event::Unknown => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lapse(second: i64) -> (Timestamp, Event) {
        let at = Timestamp::from_second(second).unwrap();
        (at, Event::Lapse)
    }

    #[test]
    fn the_newest_entries_are_kept_and_no_more() {
        let mut journal = Journal::new(None);
        for second in 0..5000 {
            let (at, event) = lapse(second);
            journal.add(at, event);
        }
        assert_eq!(journal.recent().count(), KEPT);
        let newest = journal.recent().next_back().unwrap();
        assert_eq!(newest.at.as_second(), 4999);
        assert_eq!(journal.lost(), 0);
    }

    #[test]
    fn s6_a_file_that_cannot_be_written_costs_its_entries_and_nothing_else() {
        // A folder where the file should be: not even root can write it.
        let folder = std::env::temp_dir().join(format!("lvmbeat-journal-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut journal = Journal::new(Some(folder.clone()));
        for second in 0..10 {
            let (at, event) = lapse(second);
            journal.add(at, event);
        }
        assert_eq!(journal.recent().count(), 10);
        let lost = journal.lost.clone();
        // Ends the thread, after it has tried all of them.
        drop(journal);
        assert_eq!(lost.load(Ordering::Relaxed), 10);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
