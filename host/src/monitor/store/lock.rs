//! One monitor writes a state file, and no other.
//!
//! A lock keeps a second one from starting. On a network file system it may be granted to both; so
//! each stamps what it writes, and the one that finds a stamp that is not its own stops writing.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use uuid::Uuid;

use super::{Loaded, decode, read, with_suffix};
use crate::config::text_file;

/// Held for as long as this lives.
#[derive(Debug)]
pub(in crate::monitor) struct Lock(#[expect(dead_code, reason = "its lock ends with it")] File);

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub(in crate::monitor) enum NoLock {
    /// Another monitor has it.
    #[error("another monitor has it")]
    Taken,
    /// What is there is a folder or a device.
    #[error(transparent)]
    NoFile(text_file::NoFile),
    /// There are none here, or the disk cannot be written.
    #[error(transparent)]
    Impossible(io::Error),
    /// In the time that there is.
    #[error("the disk does not answer")]
    NoAnswer,
}

/// Takes the lock that stands for the state file: that of a file beside it, for the file itself is
/// replaced at each save.
pub(in crate::monitor) fn lock(path: &Path) -> Result<Lock, NoLock> {
    // X2: it would be set aside like a damaged one, `/dev/null` and a folder of others included.
    if let Err(cause) = text_file::length(path)
        && let Some(no_file) = text_file::NoFile::of(&cause)
    {
        return Err(NoLock::NoFile(no_file));
    }
    let beside = with_suffix(path, ".lock");
    let mut open = OpenOptions::new();
    let open = open.write(true).create(true).truncate(false).mode(0o600);
    let writable = open.open(&beside).map_err(NoLock::Impossible)?;
    // One that is only read does not keep the disk from being made read-only; but NFS locks only
    // what is written.
    let readable = File::open(&beside).map_err(NoLock::Impossible)?;
    match take(readable) {
        Err(NoLock::Impossible(_)) => take(writable),
        taken => taken,
    }
}

fn take(file: File) -> Result<Lock, NoLock> {
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(NoLock::Taken),
        Err(TryLockError::Error(cause)) => Err(NoLock::Impossible(cause)),
    }
}

/// Who has written what is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::monitor) enum Mark {
    /// Nobody: there is nothing, or nothing that can be used.
    Nobody,
    /// A monitor that does not stamp: an earlier version, or that in Python.
    Unstamped,
    /// This one.
    By(Uuid),
    /// A later version.
    Later,
}

impl Mark {
    /// Of what was loaded.
    pub(in crate::monitor) fn of(loaded: &Loaded) -> Self {
        match loaded {
            Loaded::Nothing | Loaded::Lost => Self::Nobody,
            Loaded::Saved(saved) => saved.writer.map_or(Self::Unstamped, Self::By),
            Loaded::Python(_) => Self::Unstamped,
            Loaded::Later(_) => Self::Later,
        }
    }
}

/// Refuses if another monitor has written since: `loaded` is what was read at the start, if nothing
/// was written yet.
pub(super) fn is_ours(path: &Path, own: Uuid, loaded: Mark) -> io::Result<()> {
    let there = read(path)?.and_then(|bytes| decode(&bytes).ok());
    let mark = there.as_ref().map_or(Mark::Nobody, Mark::of);
    if mark == Mark::Nobody || mark == Mark::By(own) || mark == loaded {
        return Ok(());
    }
    Err(io::Error::other(
        "another monitor also writes it, so this one has stopped writing: stop one of the two and restart the other",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Folder;
    use super::*;

    #[test]
    fn m4_a_second_lock_is_refused_until_the_first_one_ends() {
        let folder = Folder::new();
        let first = lock(&folder.file()).unwrap();
        assert!(matches!(lock(&folder.file()), Err(NoLock::Taken)));
        drop(first);
        lock(&folder.file()).unwrap();
        let nowhere = folder.path().join("no/such/state.json");
        assert!(matches!(lock(&nowhere), Err(NoLock::Impossible(_))));
    }

    #[test]
    fn x2_a_state_file_that_is_no_file_is_named_and_left_alone() {
        let folder = Folder::new();
        let is = |path: &Path| match lock(path) {
            Err(NoLock::NoFile(no_file)) => no_file.to_string(),
            other => panic!("{other:?}"),
        };
        let theirs = folder.path().join("theirs");
        std::fs::create_dir(&theirs).unwrap();
        assert_eq!(is(&theirs), "it is a directory, not a file");
        assert_eq!(is(Path::new("/dev/null")), "it is a device, not a file");
        // Nothing was made beside it.
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
