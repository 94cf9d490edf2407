//! What happened, so that somebody can ask in the morning why the dome closed.
//!
//! The actor adds an [`Entry`] for each change: of its health, of the causes that hold the dome
//! heartbeat, of the session, of the dome. [`Journal`] keeps the newest in memory and hands all of
//! them to a thread that writes them to disk; [`read`] reads them again, and [`story`] tells them.
//! Nothing is decided on any of it.

mod changes;
mod entry;
mod file;
mod history;
pub mod story;
pub mod when;

use std::collections::VecDeque;
use std::path::PathBuf;

use jiff::Timestamp;

pub use self::changes::Changes;
pub(crate) use self::entry::span;
pub use self::entry::{Entry, Event, Run};
pub use self::file::{Disk, Read, ReadError, read};
pub use self::history::Asked;
use crate::actor::Snapshot;
use crate::clu::message::Keywords;

/// Entries that are kept in memory: a night with a change every ten seconds.
const KEPT: usize = 4096;

/// The newest entries, and the way to the file.
#[derive(Debug)]
pub struct Journal {
    recent: VecDeque<Entry>,
    file: Option<file::Writer>,
    /// Entries that the way to the file had no room for.
    dropped: u64,
}

impl Journal {
    /// Keeps entries in memory, and in that file if there is one.
    pub fn new(path: Option<PathBuf>) -> Self {
        Self {
            recent: VecDeque::new(),
            file: path.and_then(file::Writer::start),
            dropped: 0,
        }
    }

    /// Adds one. Never waits (S6): what the disk is too slow for is missing there, and counted.
    pub fn add(&mut self, at: Timestamp, event: Event) {
        let entry = Entry { at, event };
        if let Some(file) = &self.file
            && !file.write(&entry)
        {
            self.dropped = self.dropped.saturating_add(1);
        }
        if self.recent.len() == KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(entry);
    }

    /// Puts before them what the file knows from before the start, once it is read. Gives when a
    /// drill last passed then.
    fn remember(&mut self) -> Option<Timestamp> {
        let earlier = self.file.as_ref().and_then(file::Writer::earlier);
        let earlier = earlier.unwrap_or_default();
        let passed = earlier.iter().rfind(|entry| entry.event.is_passed_drill());
        let passed = passed.map(|entry| entry.at);
        for entry in earlier.into_iter().rev() {
            if self.recent.len() < KEPT {
                self.recent.push_front(entry);
            }
        }
        passed
    }

    /// The newest entries, the oldest of them first.
    pub fn recent(&self) -> impl DoubleEndedIterator<Item = &Entry> + Clone {
        self.recent.iter()
    }

    /// How it stands with the file; `None` without one.
    pub fn disk(&self) -> Option<Disk> {
        let mut disk = self.file.as_ref()?.disk();
        disk.unwritten = disk.unwritten.saturating_add(self.dropped);
        Some(disk)
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
            changes: Changes::default(),
            journal,
        }
    }

    /// The actor shows this. Gives when a drill passed before the start, once that is known.
    pub fn observe(&mut self, shown: &Snapshot, wall: Timestamp) -> Option<Timestamp> {
        let passed = self.journal.remember();
        for event in self.changes.observe(shown, wall) {
            let entry = Entry { at: wall, event };
            entry.log();
            self.journal.add(entry.at, entry.event);
        }
        passed
    }

    /// The actor ends in order.
    pub fn stopping(&mut self, wall: Timestamp) {
        self.journal.add(wall, Event::Stopping);
    }

    /// How it stands with the file; `None` without one.
    pub fn disk(&self) -> Option<Disk> {
        self.journal.disk()
    }

    /// The reply to `history`.
    pub fn history(&self, asked: Asked) -> Keywords {
        history::reply(self.journal.recent(), asked)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
        assert_eq!(journal.disk(), None);
    }

    #[tokio::test]
    async fn s6_a_file_that_cannot_be_written_is_reported_and_costs_nothing_else() {
        // A folder where the file should be: not even root can write it.
        let folder = std::env::temp_dir().join(format!("lvmbeat-journal-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut journal = Journal::new(Some(folder.clone()));
        for second in 0..10 {
            let (at, event) = lapse(second);
            journal.add(at, event);
        }
        assert_eq!(journal.recent().count(), 10);
        let mut disk = journal.file.as_ref().unwrap().disk.clone();
        let limit = Duration::from_secs(10);
        let tried = disk.wait_for(|disk| disk.unwritten == 10);
        let tried = tokio::time::timeout(limit, tried).await.unwrap().unwrap();
        assert!(tried.failure.is_some());
        drop(tried);
        assert_eq!(journal.disk().unwrap().unwritten, 10);
        drop(journal);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
