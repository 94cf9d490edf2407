//! The state file. Blocking: to be called off the loop.
//!
//! One line of JSON: a version, a checksum, and the state. It is replaced as a whole: written
//! beside, flushed to the disk, renamed, and the folder flushed, so that after a crash there is the
//! old one or the new one. One that cannot be read is set aside and never a reason not to start
//! (X2). One that a later version has written is left as it is, and so is one that another monitor
//! writes (`lock`).

mod lock;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lvmbeat_core::serial::crc32;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::saved::{Loaded, Python, Saved};
use crate::config::text_file;
pub(super) use lock::{Lock, Mark, NoLock, lock};

/// The version that is written. Fields may be added without a new one.
pub(super) const VERSION: u64 = 1;
/// A longer file is none of ours.
const MAX_BYTES: u64 = 16 << 20;
/// How many damaged files are kept.
const MAX_SET_ASIDE: u32 = 100;

/// Why a state file cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each says what it is")]
pub enum Unusable {
    #[error("it cannot be read ({0})")]
    Unreadable(#[source] io::Error),
    #[error("the disk does not answer")]
    NoAnswer,
    #[error("there is none")]
    Missing,
    #[error("a later version of lvmbeat has written it, in format {0}")]
    Later(u64),
    #[error("it is empty")]
    Empty,
    #[error("it is longer than {MAX_BYTES} bytes")]
    TooLong,
    #[error("it is not text")]
    NotText(#[source] std::str::Utf8Error),
    #[error("it is not a state file ({0})")]
    NotAState(#[source] serde_json::Error),
    #[error("its checksum does not match")]
    Checksum,
    #[error("its state cannot be read ({0})")]
    OtherState(#[source] serde_json::Error),
}

/// The file that could not be used.
#[derive(Debug)]
pub(super) struct Damaged {
    /// Why.
    pub(super) cause: Unusable,
    /// Where it is now, or why it could not be moved.
    pub(super) set_aside: io::Result<PathBuf>,
}

/// Reads the file. One that cannot be used is set aside.
pub(super) fn load(path: &Path) -> (Loaded, Option<Damaged>) {
    let cause = match read(path) {
        Ok(None) => return (Loaded::Nothing, None),
        Ok(Some(bytes)) => match decode(&bytes) {
            Ok(loaded) => return (loaded, None),
            Err(cause) => cause,
        },
        Err(cause) => Unusable::Unreadable(cause),
    };
    let set_aside = set_aside(path);
    (Loaded::Lost, Some(Damaged { cause, set_aside }))
}

/// The file as the Python version reads it. It is left as it is.
pub(super) fn as_python(path: &Path) -> Result<Python, Unusable> {
    // X2: a FIFO would be waited for.
    match text_file::length(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Err(Unusable::Missing),
        length => length.map_err(Unusable::Unreadable)?,
    };
    let bytes = read(path).map_err(Unusable::Unreadable)?;
    match decode(&bytes.ok_or(Unusable::Missing)?)? {
        Loaded::Python(python) => Ok(python),
        Loaded::Saved(saved) => Ok(Python {
            active: saved.alarm.down,
            last_seen: saved.last_seen,
        }),
        Loaded::Nothing | Loaded::Lost => Err(Unusable::Missing),
        Loaded::Later(version) => Err(Unusable::Later(version)),
    }
}

/// The same as [`write`], unless another monitor has written there since `loaded` was read. `saved`
/// is stamped with `own`.
pub(super) fn write_own(path: &Path, saved: &mut Saved, own: Uuid, loaded: Mark) -> io::Result<()> {
    lock::is_ours(path, own, loaded)?;
    saved.writer = Some(own);
    write(path, saved)
}

/// Replaces the file. When this returns, what was saved survives a crash of the machine.
fn write(path: &Path, saved: &Saved) -> io::Result<()> {
    let bytes = encode(saved)?;
    let beside = with_suffix(path, ".tmp");
    let written = write_beside(&beside, &bytes).and_then(|()| fs::rename(&beside, path));
    if let Err(cause) = written {
        // A disk that is full needs the room.
        let _ = fs::remove_file(&beside);
        return Err(cause);
    }
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    match File::open(folder.unwrap_or(Path::new(".")))?.sync_all() {
        // Some network file systems know no such thing.
        Err(cause) if cause.kind() == io::ErrorKind::InvalidInput => Ok(()),
        flushed => flushed,
    }
}

fn write_beside(beside: &Path, bytes: &[u8]) -> io::Result<()> {
    // Nobody else's business: the ids of the channels hold addresses (X1).
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(beside)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(cause),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Moves it out of the way, and gives where to.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    for number in 1..MAX_SET_ASIDE {
        let aside = with_suffix(path, &format!(".damaged-{number}"));
        if !aside.try_exists()? {
            fs::rename(path, &aside)?;
            return Ok(aside);
        }
    }
    // The last one has to go.
    let aside = with_suffix(path, &format!(".damaged-{MAX_SET_ASIDE}"));
    fs::rename(path, &aside)?;
    Ok(aside)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn encode(saved: &Saved) -> io::Result<Vec<u8>> {
    let state = serde_json::to_string(saved)?;
    let checksum = crc32(state.as_bytes());
    let text =
        format!("{{\"version\":{VERSION},\"checksum\":\"{checksum:08x}\",\"state\":{state}}}\n");
    Ok(text.into_bytes())
}

fn decode(bytes: &[u8]) -> Result<Loaded, Unusable> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }
    #[derive(Deserialize)]
    struct Whole<'a> {
        checksum: String,
        #[serde(borrow)]
        state: &'a RawValue,
    }
    if bytes.is_empty() {
        return Err(Unusable::Empty);
    }
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Unusable::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(Unusable::NotText)?;
    if let Some(python) = python(text.trim()) {
        return Ok(Loaded::Python(python));
    }
    let Versioned { version } = serde_json::from_str(text).map_err(Unusable::NotAState)?;
    if version > VERSION {
        return Ok(Loaded::Later(version));
    }
    let whole: Whole = serde_json::from_str(text).map_err(Unusable::NotAState)?;
    if whole.checksum != format!("{:08x}", crc32(whole.state.get().as_bytes())) {
        return Err(Unusable::Checksum);
    }
    let saved = serde_json::from_str(whole.state.get()).map_err(Unusable::OtherState)?;
    Ok(Loaded::Saved(Box::new(saved)))
}

/// `<active 0|1>,<unix seconds or empty>`.
fn python(text: &str) -> Option<Python> {
    let (active, last_seen) = text.split_once(',')?;
    let active = match active {
        "0" => false,
        "1" => true,
        _ => return None,
    };
    let last_seen = match last_seen {
        "" => None,
        seconds => {
            let seconds: f64 = seconds.parse().ok()?;
            let since_epoch = jiff::SignedDuration::try_from_secs_f64(seconds).ok()?;
            Some(Timestamp::from_duration(since_epoch).ok()?)
        }
    };
    Some(Python { active, last_seen })
}

#[cfg(test)]
mod tests;
