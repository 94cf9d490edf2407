//! Runs a scenario through the firmware, in QEMU's virtual time.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use defmt_decoder::{DecodeError, Table};

use crate::build::Firmware;

/// A run that takes this long on the host hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// QEMU's exit code: 0 if the scenario came to its end, 97 if it makes no sense, 98 and 99 if
    /// a reset did not come (98: tasks still ran; 99: nothing but the watchdog's interrupt,
    /// which had released the relay; 96: which had not).
    pub code: Option<i32>,
    /// What the box sent over the serial line.
    pub lines: Vec<String>,
    /// What the box logged.
    pub log: Vec<String>,
}

/// QEMU with its virtual clock: one instruction is 32 ns, and sleep takes no time on the host.
pub fn qemu(firmware: Firmware) -> Command {
    qemu_with(firmware, &firmware.elf())
}

/// The same, with this ELF file.
pub fn qemu_with(firmware: Firmware, elf: &Path) -> Command {
    let mut command = Command::new("qemu-system-arm");
    command
        .args([
            "-machine",
            firmware.machine,
            "-display",
            "none",
            "-monitor",
            "none",
        ])
        .args(["-semihosting-config", "enable=on,target=native", "-kernel"])
        .arg(elf);
    command
}

/// Runs it.
pub fn run(firmware: Firmware, scenario: &str) -> Run {
    run_with(firmware, scenario, &[])
}

/// Among the arguments of [`run_with`]: a processor of a sixteenth of the speed, so that what spins
/// for seconds takes the host less time.
pub const SLOW: &str = "slow";
/// Among the arguments of [`run_with`]: a processor of four times the speed, for code that takes
/// more instructions.
pub const FAST: &str = "fast";

fn icount(arguments: &[&str]) -> &'static str {
    if arguments.contains(&SLOW) {
        "shift=9,sleep=off"
    } else if arguments.contains(&FAST) {
        "shift=3,sleep=off"
    } else {
        "shift=5,sleep=off"
    }
}

/// Runs it with further arguments for QEMU.
pub fn run_with(firmware: Firmware, scenario: &str, arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = |name: &str| folder.path().join(name);
    fs::write(file("scenario"), scenario).expect("the scenario can be written");
    let log = File::create(file("log")).expect("the log can be written");
    let mut command = qemu(firmware);
    command
        .args(["-icount", icount(arguments), "-serial", "file:serial"])
        .args(
            arguments
                .iter()
                .filter(|argument| ![SLOW, FAST].contains(argument)),
        )
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(log);
    let mut child = command.spawn().expect("core/relay-box/setup installs QEMU");
    let code = wait(&mut child).code();
    let serial = fs::read(file("serial")).unwrap_or_default();
    let log = fs::read(file("log")).unwrap_or_default();
    Run {
        code,
        lines: String::from_utf8_lossy(&serial)
            .lines()
            .map(str::to_owned)
            .collect(),
        log: decode(firmware, &log),
    }
}

/// Waits for QEMU's end, which the firmware brings about. One that does not end by itself is ended,
/// and has no code.
fn wait(child: &mut Child) -> ExitStatus {
    let step = Duration::from_millis(5);
    let mut waited = Duration::ZERO;
    loop {
        if let Some(status) = child.try_wait().expect("QEMU can be waited for") {
            return status;
        }
        if waited > PATIENCE {
            child.kill().expect("QEMU can be ended");
        }
        thread::sleep(step);
        waited += step;
    }
}

fn decode(firmware: Firmware, bytes: &[u8]) -> Vec<String> {
    let elf = fs::read(firmware.elf()).expect("the firmware can be read");
    let table = Table::parse(&elf)
        .expect("the firmware's table of log messages can be read")
        .expect("there is one");
    let mut decoder = table.new_stream_decoder();
    decoder.received(bytes);
    let mut log = vec![];
    loop {
        match decoder.decode() {
            Ok(frame) => log.push(frame.display(false).to_string()),
            Err(DecodeError::UnexpectedEof) => return log,
            Err(DecodeError::Malformed) => log.push("(malformed)".to_owned()),
        }
    }
}

impl Run {
    /// The scenario came to its end.
    #[must_use]
    #[track_caller]
    pub fn finished(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    /// The times at which such a line was sent.
    pub fn times(&self, what: &str) -> Vec<u64> {
        self.lines
            .iter()
            .filter_map(|line| line.split_once(' '))
            .filter(|(_, text)| text.starts_with(what))
            .filter_map(|(at, _)| at.parse().ok())
            .collect()
    }

    /// All but what is about the run itself.
    pub fn decisions(&self) -> Vec<String> {
        self.lines
            .iter()
            .filter(|line| !line.contains(" boot ") && !line.starts_with("stack "))
            .cloned()
            .collect()
    }

    /// The deepest stack in bytes.
    pub fn stack(&self) -> Option<usize> {
        let line = self
            .lines
            .iter()
            .find_map(|line| line.strip_prefix("stack "));
        line.and_then(|bytes| bytes.parse().ok())
    }
}
