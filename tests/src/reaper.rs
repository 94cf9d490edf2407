//! Ends what a test process leaves behind, however that process ends.
//!
//! Values that clean up when they are dropped are not enough: statics are never dropped, and a
//! process that is killed drops nothing. So one small shell for each test process, in a process
//! group of its own so that Ctrl-C does not reach it, reads from a pipe what there is to end. The
//! pipe closes with this process, and then it does.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

/// Lines: `+ GROUP` and `- GROUP` add and strike a process group, `/ FOLDER` adds a folder.
const SHELL: &str = r#"
trap '' HUP INT TERM
groups=' '
folders=''
while read -r what name; do
    case $what in
        +) groups="$groups$name " ;;
        -) groups="${groups%% "$name" *} ${groups#* "$name" }" ;;
        /) folders="$folders$name
" ;;
    esac
done
for group in $groups; do kill -s KILL -- "-$group"; done 2>/dev/null
printf %s "$folders" | while read -r folder; do rm -rf -- "$folder"; done
"#;

static REAPER: LazyLock<Mutex<Child>> = LazyLock::new(|| {
    let shell = Command::new("/bin/sh")
        .args(["-c", SHELL])
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("/bin/sh cannot be started");
    // Never waited for: it outlives this process.
    Mutex::new(shell)
});

fn tell(line: &str) {
    let mut shell = REAPER.lock().unwrap_or_else(PoisonError::into_inner);
    let input = shell.stdin.as_mut().expect("its input is a pipe");
    writeln!(input, "{line}").expect("the reaper is gone");
}

/// A process group that is killed when this is dropped, and when the test process ends.
#[derive(Debug)]
pub struct Group(Option<Pid>);

impl Group {
    /// The group of a child that was started with `process_group(0)`.
    pub fn of_child(id: u32) -> Self {
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
        let pid = pid.expect("a child has a process id");
        tell(&format!("+ {}", pid.as_raw_nonzero()));
        Self(Some(pid))
    }

    /// Sends a signal to every process of the group. Whether anybody was there to get it.
    pub fn signal(&self, signal: Signal) -> bool {
        self.0
            .is_some_and(|group| kill_process_group(group, signal).is_ok())
    }

    /// Kills it. To be called before its leader is waited for: after that, the number may become
    /// somebody else's.
    pub fn end(&mut self) {
        self.signal(Signal::KILL);
        if let Some(group) = self.0.take() {
            tell(&format!("- {}", group.as_raw_nonzero()));
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

/// A folder that is removed when the test process ends, unless somebody does so earlier.
pub(crate) fn remove_folder(folder: &Path) -> PathBuf {
    tell(&format!("/ {}", folder.display()));
    folder.to_owned()
}
