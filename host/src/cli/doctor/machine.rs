//! The machine that this runs on.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

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

/// Whether there is room for what is written there.
fn folder(what: &'static str, path: &Path) -> Finding {
    let shown = path.display();
    let disk = match rustix::fs::statvfs(path) {
        Ok(disk) => disk,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Finding::warning(
                what,
                format!("{shown} does not exist on this machine"),
                "the actor makes it, if it may; run this where the actor runs",
            );
        }
        Err(error) => {
            return Finding::warning(
                what,
                format!("{shown} cannot be looked at ({error})"),
                "let the actor's user read and write it",
            );
        }
    };
    let room = disk.f_bavail.saturating_mul(disk.f_frsize);
    let mebibytes = room >> 20;
    if room < ROOM {
        return Finding::warning(
            what,
            format!("{shown} has room for {mebibytes} MiB"),
            "free the disk: without room the night's story is lost with the process",
        );
    }
    if rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_err() {
        return Finding::warning(
            what,
            format!("{shown} cannot be written by this user"),
            "run this as the actor's user, or let that user write there",
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

/// A machine that sleeps closes the dome.
fn sleep() -> Option<Finding> {
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
            "this machine can be suspended, and a machine that sleeps closes the dome",
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
    fn a_folder_that_is_not_there_is_named() {
        let found = folder("logs", Path::new("/nonexistent/logs"));
        assert_eq!(found.verdict, Verdict::Warning);
        assert!(found.text.contains("/nonexistent/logs"), "{found:?}");
        assert_eq!(folder("logs", &std::env::temp_dir()).what, "logs");
    }
}
