//! Files that people write, and programs: whatever they turn out to be, no more than a bound is
//! read of them (X2).

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The longest configuration. The documented one has some kilobytes.
pub const CONFIGURATION: u64 = 1 << 20;
/// The longest secret.
pub const SECRET: u64 = 64 << 10;

/// The text in a file of at most so many bytes.
pub fn text(path: &Path, most: u64) -> io::Result<String> {
    let mut text = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut text)?;
    if text.len() as u64 > most {
        let cause = format!("it is longer than {most} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, cause));
    }
    String::from_utf8(text)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x2_a_file_without_end_is_not_read_to_its_end() {
        for most in [0, SECRET, CONFIGURATION] {
            let error = text(Path::new("/dev/zero"), most).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
            assert_eq!(error.to_string(), format!("it is longer than {most} bytes"));
        }
        assert_eq!(text(Path::new("/dev/null"), 0).unwrap(), "");
    }

    /// The bound on the environment is the system's (execve(2), "Limits on size of arguments and
    /// environment").
    #[test]
    fn x2_no_variable_is_longer_than_128_kib() {
        let long = "x".repeat(128 << 10);
        let refused = std::process::Command::new("true")
            .env("LONG", long)
            .status();
        assert_eq!(
            refused.unwrap_err().kind(),
            io::ErrorKind::ArgumentListTooLong
        );
    }
}
