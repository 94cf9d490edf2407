//! The machine that this runs on.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::finding::Finding;
use crate::config::Config;

/// With less room the next night's logs may not fit, in bytes.
const ROOM: u64 = 200 << 20;
/// Where the kernel says which kinds of sleep it knows, and systemd whether it may.
const SLEEP: &str = "/sys/power/state";
const SLEEP_TARGETS: [&str; 2] = ["/etc/systemd/system", "/run/systemd/system"];

pub(super) fn look(config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    let logs = config.actor.log_dir.as_deref();
    let journal = config.actor.journal.as_deref().and_then(Path::parent);
    let journal = journal.filter(|folder| Some(*folder) != logs);
    let folders = [("logs", logs), ("journal", journal)].into_iter();
    found.extend(folders.filter_map(|(what, path)| Some(folder(what, path?))));
    found.extend(readable(&config.source));
    found.extend(sleep());
    found
}

/// Each file that holds a secret is for its user alone (X1).
pub(super) fn secrets(files: &[(String, PathBuf)]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (key, path) in files {
        let Ok(file) = fs::metadata(path) else {
            // Whoever reads it says so.
            continue;
        };
        let (mode, shown) = (file.mode(), path.display());
        if mode & 0o006 != 0 {
            found.push(Finding::warning(
                "permissions",
                format!("{shown} ({key}) holds a secret, and every user may read or write it"),
                "chmod 600 it, and give it to the user that lvmbeat runs as",
            ));
        }
    }
    if found.is_empty() && !files.is_empty() {
        let text = format!(
            "{} file(s) with secrets, none of them open to all",
            files.len()
        );
        found.push(Finding::well("permissions", text));
    }
    found
}

/// Where the monitor keeps its state.
pub(super) fn state(file: Option<&Path>) -> Option<Finding> {
    let parent = file?.parent()?;
    let here = Path::new(".");
    Some(folder(
        "state",
        if parent == Path::new("") {
            here
        } else {
            parent
        },
    ))
}

/// Whether there is room for what is written there.
fn folder(what: &'static str, path: &Path) -> Finding {
    let shown = path.display();
    let disk = match rustix::fs::statvfs(path) {
        Ok(disk) => disk,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Finding::warning(
                what,
                format!("{shown} does not exist on this machine"),
                "make it, or run this where the program runs that writes there",
            );
        }
        Err(error) => {
            return Finding::warning(
                what,
                format!("{shown} cannot be looked at ({error})"),
                "let the program's user read and write it",
            );
        }
    };
    let room = disk.f_bavail.saturating_mul(disk.f_frsize);
    let mebibytes = room >> 20;
    if room < ROOM {
        return Finding::warning(
            what,
            format!("{shown} has room for {mebibytes} MiB"),
            "free the disk: what does not fit is lost with the process",
        );
    }
    if rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_err() {
        return Finding::warning(
            what,
            format!("{shown} cannot be written by this user"),
            "run this as the program's user, or let that user write there",
        );
    }
    Finding::well(what, format!("{shown} has room for {mebibytes} MiB"))
}

/// A file with a password is nobody else's business (X1).
fn readable(source: &str) -> Option<Finding> {
    let path = Path::new(source);
    let text = fs::read_to_string(path).ok()?;
    let secret = |line: &&str| {
        let line = line.trim_start();
        ["password:", "token:"]
            .iter()
            .any(|key| line.starts_with(key))
            || line.contains("://") && line.contains('@')
    };
    let mode = fs::metadata(path).ok()?.mode();
    text.lines()
        .find(secret)
        .filter(|_| mode & 0o004 != 0)
        .map(|_| {
            Finding::warning(
                "permissions",
                format!("{source} seems to hold a password, and every user may read it"),
                "chmod 640, or move the password to a file of its own (password_file)",
            )
        })
}

/// A machine that sleeps closes the dome, or does not hear that it is silent.
pub(super) fn sleep() -> Option<Finding> {
    let states = fs::read_to_string(SLEEP).ok()?;
    let may = states
        .split_whitespace()
        .any(|state| state == "mem" || state == "disk");
    let masked = SLEEP_TARGETS.iter().any(|folder| {
        let target = fs::read_link(Path::new(folder).join("sleep.target"));
        target.is_ok_and(|target| target == Path::new("/dev/null"))
    });
    Some(if may && !masked {
        Finding::warning(
            "sleep",
            "this machine can be suspended, and what sleeps neither keeps the dome open nor alerts anybody",
            "systemctl mask sleep.target suspend.target hibernate.target hybrid-sleep.target",
        )
    } else {
        Finding::well("sleep", "this machine cannot be suspended")
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn x1_a_password_that_every_user_may_read_is_named_and_not_shown() {
        let path = std::env::temp_dir().join(format!("lvmbeat-doctor-{}", std::process::id()));
        let shown = path.display().to_string();
        let look = |text: &str, mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            readable(&shown)
        };
        for text in [
            "actor:\n  password: hunter2\n",
            "actor:\n  url: amqp://lvm:hunter2@broker\n",
        ] {
            let found = look(text, 0o644).unwrap();
            assert_eq!(found.verdict, Verdict::Warning);
            assert!(!found.text.contains("hunter2"), "{found:?}");
            assert_eq!(look(text, 0o640), None);
        }
        assert_eq!(
            look("actor:\n  # password: null\n  host: broker\n", 0o644),
            None
        );
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn x1_a_secret_file_that_is_open_to_all_is_named_by_its_key() {
        let path = std::env::temp_dir().join(format!("lvmbeat-secret-{}", std::process::id()));
        let files = [("actor.password_file".to_owned(), path.clone())];
        fs::write(&path, "hunter2").unwrap();
        let look = |mode| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            secrets(&files).remove(0)
        };
        for open in [0o644, 0o602, 0o666] {
            let found = look(open);
            assert_eq!(found.verdict, Verdict::Warning, "{open:o}");
            assert!(found.text.contains("actor.password_file"), "{found:?}");
            assert!(!found.text.contains("hunter2"), "{found:?}");
        }
        assert_eq!(look(0o640).verdict, Verdict::Well);
        fs::remove_file(path).unwrap();
        assert_eq!(secrets(&[]), []);
    }

    #[test]
    fn the_monitors_state_needs_room_where_its_file_is() {
        let found = state(Some(Path::new("/nonexistent/state.json"))).unwrap();
        assert_eq!(found.verdict, Verdict::Warning);
        assert!(
            found.text.contains("/nonexistent does not exist"),
            "{found:?}"
        );
        assert!(state(Some(Path::new("state.json"))).is_some());
        assert_eq!(state(None), None);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let found = folder("logs", Path::new("/nonexistent/logs"));
        assert_eq!(found.verdict, Verdict::Warning);
        assert!(found.text.contains("/nonexistent/logs"), "{found:?}");
        assert_eq!(folder("logs", &std::env::temp_dir()).what, "logs");
    }
}
