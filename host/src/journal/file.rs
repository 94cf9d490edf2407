//! The journal on disk: JSON lines, renamed by size.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::Duration;

use tokio::sync::watch;

use super::entry::Entry;
use crate::config::text_file;

/// A file of this size is renamed, and another begun, in bytes.
const LARGEST: u64 = 4 << 20;
/// Older files that are kept: `NAME.1` is the newest of them.
const KEPT_FILES: u32 = 4;
/// Entries that wait to be written.
const WAITING: usize = 1024;
/// The longest line that is read, in bytes (X2).
const LONGEST_LINE: u64 = 64 << 10;

/// How it stands with the file.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Disk {
    /// Why the file cannot be written, if the last try failed.
    pub failure: Option<String>,
    /// Entries that are in no file: they wait for the disk, or there was no room to wait.
    pub unwritten: u64,
}

/// Writes entries in a thread of its own, so that no disk delays the actor (S6). What cannot be
/// written waits there, and is tried again with the next entry.
#[derive(Debug)]
pub(super) struct Writer {
    entries: Option<SyncSender<Entry>>,
    /// The newest entries that the file had before.
    earlier: Receiver<Vec<Entry>>,
    pub(super) disk: watch::Receiver<Disk>,
    /// Ends when all is written.
    written: Receiver<()>,
}

/// How long the end of the process waits for a disk.
const LAST_WRITES: Duration = Duration::from_millis(500);

impl Writer {
    /// `None` if there can be no thread, which is logged.
    pub(super) fn start(path: PathBuf) -> Option<Self> {
        let (entries, waiting) = mpsc::sync_channel(WAITING);
        let (found, earlier) = mpsc::sync_channel(1);
        let (disk, seen) = watch::channel(Disk::default());
        let (end, written) = mpsc::sync_channel(0);
        let thread = std::thread::Builder::new().name("journal".to_owned());
        let spawned = thread.spawn(move || {
            // Dropped when all is written.
            let _end: SyncSender<()> = end;
            // Without a file there is nothing to know.
            let mut entries = read(&path).map(|read| read.entries).unwrap_or_default();
            let old = entries.len().saturating_sub(super::KEPT);
            // A drill is remembered for longer than a night.
            let passed = entries
                .iter()
                .take(old)
                .rposition(|entry| entry.event.is_passed_drill());
            let passed = passed.and_then(|place| entries.get(place).cloned());
            entries.splice(..old, passed);
            // Nobody asks an actor that has ended.
            let _ = found.send(entries);
            write_all(&path, waiting, &disk);
        });
        match spawned {
            Ok(_) => Some(Self {
                entries: Some(entries),
                earlier,
                disk: seen,
                written,
            }),
            Err(error) => {
                tracing::warn!(%error, "the journal cannot be written: there is no thread for it");
                None
            }
        }
    }

    /// Hands an entry over, without waiting. False if there is no room for it.
    pub(super) fn write(&self, entry: &Entry) -> bool {
        let entries = self.entries.as_ref();
        entries.is_some_and(|entries| entries.try_send(entry.clone()).is_ok())
    }

    /// What the file had before, the newest of it, once it is read.
    pub(super) fn earlier(&self) -> Option<Vec<Entry>> {
        self.earlier.try_recv().ok()
    }

    pub(super) fn disk(&self) -> Disk {
        self.disk.borrow().clone()
    }
}

impl Drop for Writer {
    /// What waits is written before the process ends, unless the disk hangs.
    fn drop(&mut self) {
        self.entries = None;
        // An error either way: the thread has ended, or the time is over.
        let _ = self.written.recv_timeout(LAST_WRITES);
    }
}

fn write_all(path: &Path, waiting: Receiver<Entry>, disk: &watch::Sender<Disk>) {
    let mut backlog = VecDeque::new();
    let mut state = Disk::default();
    let mut dropped = 0_u64;
    for entry in waiting {
        if backlog.len() == WAITING {
            backlog.pop_front();
            dropped = dropped.saturating_add(1);
        }
        backlog.push_back(entry);
        let written = write_backlog(path, &mut backlog);
        let failure = written.err().map(|error| error.to_string());
        match &failure {
            Some(error) if state.failure.is_none() => tracing::warn!(
                path = %path.display(),
                error,
                "the journal cannot be written; what happens is kept in memory. \
                 Free the disk, or change actor.journal"
            ),
            None if state.failure.is_some() => {
                tracing::info!(missing = dropped, "the journal is written again");
            }
            _ => {}
        }
        let unwritten = dropped.saturating_add(backlog.len() as u64);
        state = Disk { failure, unwritten };
        disk.send_replace(state.clone());
    }
}

fn write_backlog(path: &Path, backlog: &mut VecDeque<Entry>) -> io::Result<()> {
    while let Some(entry) = backlog.front() {
        append(path, entry)?;
        backlog.pop_front();
    }
    Ok(())
}

/// Opened anew for each entry: there are few, and so a file that was moved away or deleted is
/// replaced.
fn append(path: &Path, entry: &Entry) -> io::Result<()> {
    let mut line = entry.line()?.into_bytes();
    line.push(b'\n');
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // X2: a FIFO would keep the thread for good.
    let size = match text_file::length(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => 0,
        length => length?,
    };
    if size > 0 && size.saturating_add(line.len() as u64) > LARGEST {
        rotate(path)?;
    }
    let options = || {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        options
    };
    let mut file = options().open(path)?;
    let size = file.metadata()?.len();
    if !ends_a_line(&mut file)? {
        // The machine stopped while a line was written.
        line.insert(0, b'\n');
    }
    let written = file.write_all(&line).and_then(|()| file.sync_data());
    if written.is_err() {
        // On a full disk a part of a line is of no use.
        let _ = file.set_len(size);
    }
    written
}

fn ends_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

fn older(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

fn rotate(path: &Path) -> io::Result<()> {
    for number in (1..KEPT_FILES).rev() {
        let from = older(path, number);
        if from.exists() {
            fs::rename(from, older(path, number.saturating_add(1)))?;
        }
    }
    fs::rename(path, older(path, 1))
}

/// What was read.
#[derive(Debug)]
pub struct Read {
    /// The entries, the oldest first.
    pub entries: Vec<Entry>,
    /// Lines that are no entries, and were left out.
    pub skipped: usize,
}

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No actor has written it here.
    #[error(
        "there is no journal {}; run this where the actor runs, with the actor's configuration",
        .0.display()
    )]
    Missing(PathBuf),
    /// It is there.
    #[error("the journal {} cannot be read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Reads a journal and its older files. What is damaged is left out and counted.
pub fn read(path: &Path) -> Result<Read, ReadError> {
    let mut read = Read {
        entries: Vec::new(),
        skipped: 0,
    };
    let files = (1..=KEPT_FILES).rev().map(|number| older(path, number));
    let mut found = false;
    for file in files.chain([path.to_owned()]) {
        let open = text_file::length(&file).and_then(|_| File::open(&file));
        match open.and_then(|open| read_file(open, &mut read)) {
            Ok(()) => found = true,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(ReadError::Unreadable { path: file, source }),
        }
    }
    if found {
        Ok(read)
    } else {
        Err(ReadError::Missing(path.to_owned()))
    }
}

fn read_file(file: File, read: &mut Read) -> io::Result<()> {
    // Somebody else may have written it: bounded as a whole, and each line of it.
    let mut lines = BufReader::new(file.take(LARGEST * 2));
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = (&mut lines)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)?;
        if length == 0 {
            return Ok(());
        }
        let text = std::str::from_utf8(&line).unwrap_or_default().trim();
        match Entry::parse(text) {
            Some(entry) => read.entries.push(entry),
            // What a damaged tail was ended with.
            None if line.trim_ascii().is_empty() => {}
            None => read.skipped += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::Event;
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("lvmbeat-journal-{name}-{}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            let _ = fs::remove_dir_all(&folder);
            Self(folder)
        }

        fn file(&self) -> PathBuf {
            self.0.join("journal.jsonl")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn entry(second: i64, state: &str) -> Entry {
        Entry {
            at: Timestamp::from_second(second).unwrap(),
            event: Event::Dome {
                state: state.to_owned(),
            },
        }
    }

    #[test]
    fn what_was_written_is_read_in_order() {
        let folder = Folder::new("order");
        let writer = Writer::start(folder.file()).unwrap();
        let entries: Vec<_> = (0..20).map(|second| entry(second, "open")).collect();
        for entry in &entries {
            assert!(writer.write(entry));
        }
        let disk = writer.disk.clone();
        drop(writer);
        let read = read(&folder.file()).unwrap();
        assert_eq!((&read.entries, read.skipped), (&entries, 0));
        assert_eq!(*disk.borrow(), Disk::default());
        // The next actor knows them.
        let next = Writer::start(folder.file()).unwrap();
        let earlier = next.earlier.recv_timeout(Duration::from_secs(10));
        assert_eq!(earlier.unwrap(), entries);
    }

    #[test]
    fn what_could_not_be_written_is_written_when_the_disk_has_room() {
        let folder = Folder::new("room");
        // A folder where the file should be: not even root can write it.
        fs::create_dir_all(folder.file()).unwrap();
        let mut backlog: VecDeque<_> = (0..3).map(|second| entry(second, "open")).collect();
        assert!(write_backlog(&folder.file(), &mut backlog).is_err());
        assert_eq!(backlog.len(), 3);
        fs::remove_dir(folder.file()).unwrap();
        backlog.push_back(entry(3, "closed"));
        write_backlog(&folder.file(), &mut backlog).unwrap();
        let read = read(&folder.file()).unwrap();
        let seconds: Vec<_> = read.entries.iter().map(|it| it.at.as_second()).collect();
        assert_eq!((seconds, read.skipped), (vec![0, 1, 2, 3], 0));
    }

    #[test]
    fn x2_what_is_no_file_is_named_and_neither_written_nor_waited_for() {
        let folder = Folder::new("no-file");
        fs::create_dir(&folder.0).unwrap();
        let mut mkfifo = std::process::Command::new("mkfifo");
        assert!(mkfifo.arg(folder.file()).status().unwrap().success());
        let refused = append(&folder.file(), &entry(1, "open")).unwrap_err();
        assert_eq!(refused.to_string(), "it is a FIFO, not a file");
        let Err(ReadError::Unreadable { source, .. }) = read(&folder.file()) else {
            panic!("it is read");
        };
        assert_eq!(source.to_string(), "it is a FIFO, not a file");
    }

    #[test]
    fn x2_a_damaged_tail_costs_its_own_line_alone() {
        let folder = Folder::new("tail");
        append(&folder.file(), &entry(1, "open")).unwrap();
        append(&folder.file(), &entry(2, "closed")).unwrap();
        let text = fs::read(folder.file()).unwrap();
        for cut in 1..40 {
            fs::write(folder.file(), &text[..text.len() - cut]).unwrap();
            append(&folder.file(), &entry(3, "moving")).unwrap();
            let read = read(&folder.file()).unwrap();
            let seconds: Vec<_> = read.entries.iter().map(|it| it.at.as_second()).collect();
            let expected: &[i64] = if cut == 1 { &[1, 2, 3] } else { &[1, 3] };
            assert_eq!(seconds, expected, "{cut} bytes less");
        }
    }

    #[test]
    fn x2_any_bytes_are_read_without_harm_and_counted() {
        let folder = Folder::new("bytes");
        append(&folder.file(), &entry(1, "open")).unwrap();
        let mut file = OpenOptions::new().append(true).open(folder.file()).unwrap();
        file.write_all(b"{\"at\":3}\n\xff\xfe\0\n[]\n").unwrap();
        file.write_all(&vec![b'x'; 200_000]).unwrap();
        drop(file);
        append(&folder.file(), &entry(2, "closed")).unwrap();
        let read = read(&folder.file()).unwrap();
        assert_eq!(read.entries, [entry(1, "open"), entry(2, "closed")]);
        assert!(read.skipped >= 4, "{}", read.skipped);
    }

    #[test]
    fn a_large_file_is_renamed_and_the_oldest_one_goes() {
        let folder = Folder::new("rotate");
        fs::create_dir_all(&folder.0).unwrap();
        for number in 0..7 {
            append(&folder.file(), &entry(number, "open")).unwrap();
            let mut file = OpenOptions::new().append(true).open(folder.file()).unwrap();
            let rest = LARGEST - file.metadata().unwrap().len();
            let line = vec![b' '; usize::try_from(rest).unwrap() - 1];
            file.write_all(&line).unwrap();
            file.write_all(b"\n").unwrap();
        }
        append(&folder.file(), &entry(7, "open")).unwrap();
        let read = read(&folder.file()).unwrap();
        let seconds: Vec<_> = read.entries.iter().map(|it| it.at.as_second()).collect();
        assert_eq!(seconds, [3, 4, 5, 6, 7]);
        assert!(!older(&folder.file(), KEPT_FILES + 1).exists());
    }

    #[test]
    fn a_journal_that_is_not_there_is_an_error_that_names_it() {
        let error = read(Path::new("/nowhere/journal.jsonl")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/journal.jsonl"));
    }
}
