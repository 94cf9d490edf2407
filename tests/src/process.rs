//! The real programs as child processes.
//!
//! A program is looked for beside the test executable (`target/PROFILE/`). `cargo test` does not
//! build it; `tests/run` does, and so does `cargo build --workspace`. A program that is missing, or
//! older than its sources, fails the test.

mod output;
mod program;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin, Command};

use crate::eventually;
use crate::reaper::Group;
use output::Output;
pub use output::{Line, Stream};
pub use program::find as built;

/// A program to be started.
#[derive(Debug)]
pub struct Launch {
    command: Command,
    name: String,
}

impl Launch {
    /// The actor and its tools.
    pub fn lvmbeat<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        Self::program("lvmbeat", arguments)
    }

    /// The PLC and the stand-in for lvmecp.
    pub fn sim<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        Self::program("sim", arguments)
    }

    /// Any program of the workspace.
    ///
    /// # Panics
    /// If it has not been built, or is older than its sources.
    pub fn program<S: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = S>) -> Self {
        let mut launch = Self::other(program::find(name));
        launch.command.args(arguments);
        // Nor what he has written into his home folder for one.
        launch.command.env("HOME", "/nonexistent");
        launch
    }

    /// Any other program.
    pub fn other(path: PathBuf) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut launch = Self {
            name: name.into_owned(),
            command: Command::new(path),
        };
        // What a developer has set for a real actor must not reach a test's.
        for (variable, _) in std::env::vars_os() {
            let text = variable.to_string_lossy();
            let prefixes = ["LVMBEAT_", "SIM_"];
            if prefixes.iter().any(|prefix| text.starts_with(prefix))
                || text == "RUST_LOG"
                || ["SLACK_API_TOKEN", "NOTIFY_SOCKET", "WATCHDOG_USEC"].contains(&&*text)
            {
                launch.command.env_remove(variable);
            }
        }
        launch
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The same, started by another program, which has to become it.
    pub(crate) fn through(self, outer: &[OsString]) -> Self {
        let inner = self.command.as_std();
        let (program, arguments) = outer.split_first().expect("a program");
        let mut launch = Self {
            command: Command::new(program),
            name: self.name,
        };
        launch
            .command
            .args(arguments)
            .arg(inner.get_program())
            .args(inner.get_args());
        for (variable, value) in inner.get_envs() {
            match value {
                Some(value) => launch.command.env(variable, value),
                None => launch.command.env_remove(variable),
            };
        }
        launch
    }

    /// The same on a terminal, as a person has it. No argument may have a space.
    #[must_use]
    pub fn on_a_terminal(self) -> Self {
        let script = "exec script -qefc \"$*\" /dev/null";
        self.through(&["sh", "-c", script, "sh"].map(OsString::from))
    }

    /// Starts it, in a process group of its own.
    pub fn start(mut self) -> Process {
        let mut child = self
            .command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|cause| panic!("{:?} cannot be started: {cause}", self.command));
        let id = child.id().expect("a new child has a process id");
        let output = Output::default();
        output.read(Stream::Stdout, child.stdout.take());
        output.read(Stream::Stderr, child.stderr.take());
        Process {
            group: Group::of_child(id),
            stdin: child.stdin.take(),
            id,
            child,
            output,
            name: self.name,
        }
    }

    /// Starts it and waits for its end.
    pub async fn finish(self, limit: Duration) -> Finished {
        let mut process = self.start();
        drop(process.stdin.take());
        let status = process.exit(limit).await;
        process.output.complete(limit).await;
        let text = |stream| {
            let lines = process.lines().into_iter();
            lines
                .filter(|line| line.stream == stream)
                .fold(String::new(), |text, line| text + &line.text + "\n")
        };
        Finished {
            status,
            stdout: text(Stream::Stdout),
            stderr: text(Stream::Stderr),
        }
    }
}

/// What a program left that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output (its last thousands of lines).
    pub stdout: String,
    /// Likewise.
    pub stderr: String,
}

impl Finished {
    /// The exit code; `None` if a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

/// For a tool to do its work on a busy machine.
pub const TOOL: Duration = Duration::from_secs(120);

/// What a program says that has to end with 0.
///
/// # Panics
/// If it does not.
pub async fn said(launch: Launch) -> String {
    let Finished {
        status,
        stdout,
        stderr,
    } = launch.finish(TOOL).await;
    assert_eq!(status.code(), Some(0), "{stdout}{stderr}");
    stdout
}

/// A line that is a JSON object.
#[derive(Clone, Debug)]
pub struct Event {
    /// The object.
    pub fields: Value,
    /// The line.
    pub line: Line,
}

impl Event {
    fn parse(line: &str) -> Option<Value> {
        serde_json::from_str(line).ok().filter(Value::is_object)
    }

    /// A field; null if there is none of that name.
    pub fn field(&self, name: &str) -> &Value {
        &self.fields[name]
    }

    /// The place after it.
    pub fn after(&self) -> u64 {
        self.line.number + 1
    }
}

/// A running program. It is killed, with whatever it has started, when this is dropped and when the
/// test process ends.
#[derive(Debug)]
pub struct Process {
    group: Group,
    stdin: Option<ChildStdin>,
    id: u32,
    child: Child,
    output: Output,
    name: String,
}

impl Process {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Everything that it has printed and that is kept: the last thousands of lines.
    pub fn lines(&self) -> Vec<Line> {
        self.output.lines()
    }

    /// Checks that none of these is in anything that it has printed (X1).
    ///
    /// # Panics
    /// With the line, if one is.
    pub fn tells_none_of(&self, secrets: &[&str]) {
        for line in self.lines() {
            for secret in secrets {
                assert!(!line.text.contains(secret), "X1: {}", line.text);
            }
        }
    }

    /// A place in its output: here, for [`Self::wait_for_line_after`].
    pub fn mark(&self) -> u64 {
        self.output.mark()
    }

    /// The first line of all that it has printed for which this holds; waits for one if there is
    /// none yet.
    ///
    /// # Panics
    /// With the end of its output, if none comes within the limit or before it ends.
    pub async fn wait_for_line(&mut self, limit: Duration, is_it: impl Fn(&str) -> bool) -> Line {
        self.wait_for_line_after(0, limit, is_it).await
    }

    /// The same, of the lines after a place.
    pub async fn wait_for_line_after(
        &mut self,
        mark: u64,
        limit: Duration,
        is_it: impl Fn(&str) -> bool,
    ) -> Line {
        match self.output.find(mark, limit, is_it).await {
            Ok(line) => line,
            Err(why) => panic!(
                "{}: the line that was waited for did not come {why}; it has printed:\n{}",
                self.name,
                self.output.tail()
            ),
        }
    }

    /// The first line after a place that is a JSON object with that `event`, as those of `sim
    /// --json` and of the Python scripts are. For any event of that name give place 0.
    ///
    /// # Panics
    /// Like [`Self::wait_for_line`].
    pub async fn wait_for_event(&mut self, mark: u64, limit: Duration, name: &str) -> Event {
        self.wait_for_event_that(mark, limit, |event| event["event"] == name)
            .await
    }

    /// The same for any JSON object for which this holds.
    pub async fn wait_for_event_that(
        &mut self,
        mark: u64,
        limit: Duration,
        is_it: impl Fn(&Value) -> bool,
    ) -> Event {
        let line = self
            .wait_for_line_after(mark, limit, |line| {
                Event::parse(line).is_some_and(|e| is_it(&e))
            })
            .await;
        let fields = Event::parse(&line.text).expect("it was one");
        Event { fields, line }
    }

    /// All lines so far that are JSON objects.
    pub fn events(&self) -> Vec<Event> {
        let lines = self.lines().into_iter();
        lines
            .filter_map(|line| {
                let fields = Event::parse(&line.text)?;
                Some(Event { fields, line })
            })
            .collect()
    }

    /// Gives it a line on its standard input.
    pub async fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("its input is closed");
        let line = format!("{line}\n");
        if let Err(cause) = stdin.write_all(line.as_bytes()).await {
            panic!("{} does not take input: {cause}", self.name);
        }
        stdin.flush().await.expect("a pipe has nothing to flush");
    }

    /// Closes its standard input.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Sends it a signal, and nobody else.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id).ok().and_then(Pid::from_raw);
        let sent = kill_process(id.expect("a process has an id"), signal);
        if let Err(cause) = sent {
            panic!("{} cannot be signalled: {cause}", self.name);
        }
    }

    /// Asks it to end, with SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Kills it, as a crash would, with whatever it has started, and waits until it is gone.
    pub async fn kill(&mut self) {
        self.group.end();
        let _ = self.child.wait().await;
    }

    /// Stops it with SIGSTOP.
    pub fn freeze(&self) {
        assert!(self.group.signal(Signal::STOP), "{} is gone", self.name);
    }

    /// Lets it go on after [`Self::freeze`].
    pub fn thaw(&self) {
        assert!(self.group.signal(Signal::CONT), "{} is gone", self.name);
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// With the end of its output, if it does not end within the limit.
    pub async fn exit(&mut self, limit: Duration) -> ExitStatus {
        let waiting = tokio::time::timeout(limit, self.child.wait());
        let Ok(status) = waiting.await else {
            panic!(
                "{} does not end within {limit:?}; it has printed:\n{}",
                self.name,
                self.output.tail()
            )
        };
        status.expect("it is our child")
    }

    /// Waits until all that it printed has been read, after its end.
    pub async fn complete(&self, limit: Duration) {
        self.output.complete(limit).await;
    }

    /// How many bytes of memory it holds (resident).
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id))
            .unwrap_or_else(|cause| panic!("{} is gone: {cause}", self.name));
        let kibibytes = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        kibibytes.unwrap_or_else(|| panic!("{} has ended", self.name)) * 1024
    }

    /// Waits until one of the threads or the process itself is stopped, after [`Self::freeze`].
    pub async fn until_frozen(&self, limit: Duration) {
        eventually(limit, async || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.id)).unwrap_or_default();
            // After the name, which may hold anything and ends with the last parenthesis.
            stat.rsplit_once(')')
                .is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
        })
        .await;
    }
}
