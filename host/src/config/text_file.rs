//! Text files that others name: secrets, and what they are like.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

/// Reads a file of at most that many bytes (X2). A directory is none; a FIFO would be waited for,
/// and a device may have no end.
pub fn read(path: &Path, most: u64) -> io::Result<String> {
    length(path)?;
    let mut bytes = Vec::new();
    File::open(path)?
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > most) {
        let error = format!("it is longer than {most} bytes");
        return Err(io::Error::other(error));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8 text"))
}

/// What is there is not a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it is {0}, not a file")]
pub struct NoFile(&'static str);

impl NoFile {
    /// If that is what an error of [`length`] says.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

/// How many bytes a file, or a link to one, says that it has; the error says what it is instead.
pub fn length(path: &Path) -> io::Result<u64> {
    let metadata = fs::metadata(path)?;
    let kind = metadata.file_type();
    let what = if kind.is_file() {
        return Ok(metadata.len());
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(io::Error::other(NoFile(what)))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn x2_what_is_no_file_is_named_and_neither_waited_for_nor_read_without_end() {
        let folder = std::env::temp_dir().join(format!("lvmbeat-no-file-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = |name: &str| folder.join(name);
        let made = Command::new("mkfifo").arg(path("fifo")).status().unwrap();
        assert!(made.success());
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        fs::write(path("long"), "0123456789").unwrap();
        fs::write(path("latin"), b"\xe9").unwrap();
        let error = |path: &Path| read(path, 9).unwrap_err().to_string();
        assert_eq!(error(&folder), "it is a directory, not a file");
        assert_eq!(error(&path("fifo")), "it is a FIFO, not a file");
        assert_eq!(error(&path("socket")), "it is a socket, not a file");
        assert_eq!(error(Path::new("/dev/zero")), "it is a device, not a file");
        assert_eq!(error(&path("long")), "it is longer than 9 bytes");
        assert_eq!(error(&path("latin")), "it is not UTF-8 text");
        assert_eq!(read(&path("long"), 10).unwrap(), "0123456789");
        std::os::unix::fs::symlink(path("long"), path("link")).unwrap();
        assert_eq!(read(&path("link"), 10).unwrap(), "0123456789");
        fs::remove_dir_all(folder).unwrap();
    }
}
