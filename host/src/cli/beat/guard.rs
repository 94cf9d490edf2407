//! The command that a heartbeat guards, the check before each beat, and the signals for them.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{
    Pid, Signal, getpgrp, getppid, kill_process, kill_process_group,
    set_parent_process_death_signal,
};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::standing::Standing;
use crate::cli::Failure;

/// The command of this program by which it becomes another one.
const BECOME: &str = "become";
/// A command that is being started is looked at again that soon.
pub(super) const STARTING: Duration = Duration::from_millis(50);
/// As much of a file of `/proc` as is looked at.
const LONGEST: u64 = 4096;

/// The command, running; or none.
pub(super) struct Guarded(Option<Child>);

impl Guarded {
    /// Starts it. It has our input and output, and our process group, as if it were alone.
    ///
    /// It is started by this program once more, which asks the kernel to be told when we die, and
    /// becomes the command.
    pub(super) fn start(command: &[OsString]) -> Result<Self, Failure> {
        if command.is_empty() {
            return Ok(Self(None));
        }
        let child = Command::new("/proc/self/exe")
            .arg(BECOME)
            .arg(std::process::id().to_string())
            .arg("--")
            .args(command)
            .spawn()
            .map_err(|cause| not_started(command, cause))?;
        Ok(Self(Some(child)))
    }

    pub(super) fn is_one(&self) -> bool {
        self.0.is_some()
    }

    /// What can be asked about it until its end is known.
    pub(super) fn life(&self) -> Life {
        let id = self.0.as_ref().map(|child| child.id().unwrap_or_default());
        Life(id)
    }

    /// Waits for its end, which is ours. Never, if there is none.
    pub(super) async fn end(&mut self) -> Result<(), Failure> {
        let Some(child) = &mut self.0 else {
            return std::future::pending().await;
        };
        match exit_code(child.wait().await.map_err(Failure::Signals)?) {
            0 => Ok(()),
            code => Err(Failure::Guarded(code)),
        }
    }

    /// A signal to us is one to it.
    pub(super) fn forward(&self, signal: Signal) {
        let at_the_terminal = matches!(signal, Signal::INT | Signal::QUIT) && is_in_foreground();
        // A key at the terminal has reached it already; twice is something else to many programs.
        if !at_the_terminal && let Some(id) = self.0.as_ref().and_then(Child::id) {
            // It may have ended this moment.
            let _ = kill_process(pid(id), signal);
        }
    }
}

/// As the shell says it.
fn exit_code(status: ExitStatus) -> u8 {
    let signal = status.signal().map(|signal| 128 + signal);
    let code = status.code().or(signal).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

fn pid(id: u32) -> Pid {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw);
    // The kernel gives no other.
    id.unwrap_or(Pid::INIT)
}

fn not_started(command: &[OsString], cause: io::Error) -> Failure {
    let command = command.first().cloned().unwrap_or_default();
    Failure::NotStarted { command, cause }
}

/// Whether we are the foreground job of a terminal.
fn is_in_foreground() -> bool {
    let terminal = File::open("/dev/tty").ok();
    let job = terminal.and_then(|terminal| rustix::termios::tcgetpgrp(terminal).ok());
    job == Some(getpgrp())
}

/// Becomes the command, in the process that [`Guarded::start`] has started. Returns only if it
/// cannot.
pub(in crate::cli) fn become_command(parent: u32, command: &[OsString]) -> Failure {
    if let Err(cause) = set_parent_process_death_signal(Some(Signal::TERM)) {
        return not_started(command, cause.into());
    }
    // It has died before it was asked for.
    if getppid() != Some(pid(parent)) {
        return Failure::Guarded(exit_code(ExitStatus::from_raw(Signal::TERM.as_raw())));
    }
    let [program, arguments @ ..] = command else {
        return Failure::Guarded(2);
    };
    let cause = std::process::Command::new(program).args(arguments).exec();
    not_started(command, cause)
}

/// What the kernel says of the command, which is not reaped before its heart has stopped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life(Option<u32>);

impl Life {
    /// What keeps it from being well this moment (S1): its end, or that it is stopped.
    pub(super) fn hindrance(self) -> Option<Standing> {
        let id = self.0?;
        let stat = read(&format!("/proc/{id}/stat"));
        // After the name, which may hold anything and ends with the last parenthesis.
        let rest = stat.iter().rposition(|byte| *byte == b')');
        let state = rest.and_then(|place| stat.get(place + 2));
        match state {
            // Its end is about to be heard of.
            Some(b'Z' | b'X' | b'x') => Some(Standing::Starting),
            None | Some(b'T' | b't') => Some(Standing::Stopped),
            Some(_) => is_ours(&read(&format!("/proc/{id}/cmdline"))).then_some(Standing::Starting),
        }
    }
}

/// Whether that process has not become the command yet.
fn is_ours(command_line: &[u8]) -> bool {
    let mut words = command_line.split(|byte| *byte == 0).skip(1);
    let us = std::process::id().to_string();
    words.next() == Some(BECOME.as_bytes()) && words.next() == Some(us.as_bytes())
}

/// The beginning of it; nothing if it cannot be read.
fn read(file: &str) -> Vec<u8> {
    let mut content = Vec::new();
    let opened = File::open(file);
    if opened
        .and_then(|file| file.take(LONGEST).read_to_end(&mut content))
        .is_err()
    {
        content.clear();
    }
    content
}

/// Runs a check; an error says why it is none that succeeded. What it prints is not shown.
pub(super) async fn check(command: &str, limit: Duration) -> Result<(), String> {
    let started = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    let mut check = match started {
        Ok(child) => Check(child),
        Err(cause) => return Err(format!("cannot be started: {cause}")),
    };
    match tokio::time::timeout(limit, check.0.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("failed with {}", exit_code(status))),
        Ok(Err(cause)) => Err(format!("cannot be waited for: {cause}")),
        Err(_) => Err(format!("took longer than {} s", limit.as_secs_f64())),
    }
}

/// A check that is not waited for any more is killed, with all that it has started.
struct Check(Child);

impl Drop for Check {
    fn drop(&mut self) {
        if let Some(id) = self.0.id() {
            let _ = kill_process_group(pid(id), Signal::KILL);
        }
    }
}

/// The signals that we are sent. Without a command they end us; with one they are for it.
pub(super) struct Orders {
    signals: mpsc::Receiver<Signal>,
    _listeners: JoinSet<()>,
}

impl Orders {
    pub(super) fn new(has_command: bool) -> Result<Self, Failure> {
        let mut kinds = vec![
            (Signal::TERM, SignalKind::terminate()),
            (Signal::INT, SignalKind::interrupt()),
            (Signal::HUP, SignalKind::hangup()),
            (Signal::QUIT, SignalKind::quit()),
        ];
        if has_command {
            kinds.push((Signal::USR1, SignalKind::user_defined1()));
            kinds.push((Signal::USR2, SignalKind::user_defined2()));
        }
        let (heard, signals) = mpsc::channel(kinds.len());
        let mut listeners = JoinSet::new();
        for (number, kind) in kinds {
            let mut stream = signal(kind).map_err(Failure::Signals)?;
            let heard = heard.clone();
            listeners.spawn(async move {
                while stream.recv().await.is_some() {
                    if heard.send(number).await.is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self {
            signals,
            _listeners: listeners,
        })
    }

    pub(super) async fn next(&mut self) -> Option<Signal> {
        self.signals.recv().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_as_the_shell_tells_it() {
        let of = |raw| exit_code(ExitStatus::from_raw(raw));
        assert_eq!([of(0), of(7 << 8), of(255 << 8)], [0, 7, 255]);
        assert_eq!([of(9), of(15), of(6 | 0x80)], [137, 143, 134]);
    }

    #[test]
    fn s1_what_has_not_become_the_command_yet_is_not_alive() {
        let us = std::process::id();
        assert!(is_ours(
            format!("/proc/self/exe\0become\0{us}\0--\0x\0").as_bytes()
        ));
        for other in [
            "x\0".to_owned(),
            String::new(),
            "lvmbeat\0become\x001\0".to_owned(),
            format!("x\0{us}\0become\0"),
        ] {
            assert!(!is_ours(other.as_bytes()), "{other:?}");
        }
    }

    #[tokio::test]
    async fn s1_a_check_that_fails_or_hangs_is_no_success() {
        let limit = Duration::from_secs(30);
        assert_eq!(check("exit 0", limit).await, Ok(()));
        let failed = |why: &str| Err(why.to_owned());
        assert_eq!(check("exit 3", limit).await, failed("failed with 3"));
        assert_eq!(check("kill -9 $$", limit).await, failed("failed with 137"));
        let hangs = check("sleep 1000 & wait", Duration::from_millis(50)).await;
        assert_eq!(hangs, failed("took longer than 0.05 s"));
    }
}
