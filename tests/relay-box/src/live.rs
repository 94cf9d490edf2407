//! The firmware on a real serial line, in real time: QEMU's UART is a unix socket or a
//! pseudo-terminal.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::build::Firmware;
use crate::run::{qemu, qemu_with};

/// Whatever is waited for comes within this time, or does not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A box that is running; ended with this.
#[derive(Debug)]
pub struct Live {
    child: Child,
    folder: TempDir,
}

impl Live {
    /// Starts it.
    pub fn start(firmware: Firmware) -> Self {
        Self::spawn(
            qemu(firmware)
                .args(["-serial", "unix:line,server=on,wait=on"])
                .stdout(Stdio::null()),
        )
    }

    /// Starts it, from this ELF file, with a terminal as its serial line, and gives that terminal's
    /// path.
    pub fn on_terminal(firmware: Firmware, elf: &Path) -> (Self, PathBuf) {
        let mut running = Self::spawn(
            qemu_with(firmware, elf)
                .args(["-serial", "pty"])
                .stdout(Stdio::piped()),
        );
        let said = running.child.stdout.take().expect("it is a pipe");
        let mut said = BufReader::new(said);
        let terminal = said
            .by_ref()
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, path) = line.split_once("redirected to ")?;
                Some(PathBuf::from(path.split(' ').next()?))
            })
            .expect("QEMU says which terminal it has made");
        // The box's log goes there, too, and QEMU shall not find it closed.
        thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        (running, terminal)
    }

    fn spawn(command: &mut Command) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let child = command
            .args(["-qmp", "unix:qmp,server=on,wait=off"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .spawn()
            .expect("core/relay-box/setup installs QEMU");
        Self { child, folder }
    }

    /// The socket that is the box's serial line.
    pub fn line_path(&self) -> PathBuf {
        self.folder.path().join("line")
    }

    /// Connects to its serial line. The box starts when the first one does.
    pub fn connect(&self) -> Line {
        let stream = connect(&self.line_path());
        let reader = BufReader::new(stream.try_clone().expect("a socket can be cloned"));
        Line { stream, reader }
    }

    /// Asks QEMU, and not the firmware, whether the relay's register says energised.
    pub fn relay_is_energised(&self) -> bool {
        let stream = connect(&self.folder.path().join("qmp"));
        let mut reader = BufReader::new(stream.try_clone().expect("a socket can be cloned"));
        let mut ask = |text: &str| {
            (&stream).write_all(text.as_bytes()).expect("QEMU listens");
            loop {
                let line = read_line(&mut reader);
                if line.contains("\"return\"") {
                    return line;
                }
            }
        };
        ask("{\"execute\": \"qmp_capabilities\"}\n");
        let answer = ask(
            "{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"xp /1xw 0x40028000\"}}\n",
        );
        match answer.split("0x").nth(1).and_then(|hex| hex.get(..8)) {
            Some("00000001") => true,
            Some("00000000") => false,
            _ => panic!("QEMU says of the relay's register: {answer}"),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One end of the serial line.
#[derive(Debug)]
pub struct Line {
    stream: UnixStream,
    reader: BufReader<UnixStream>,
}

impl Line {
    /// Sends bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream
            .write_all(bytes)
            .expect("the box's line is open");
    }

    /// The next line from the box that has this in it.
    pub fn expect(&mut self, what: &str) -> String {
        let mut seen = vec![];
        loop {
            let line = read_line(&mut self.reader);
            if line.contains(what) {
                return line;
            }
            assert!(
                !line.is_empty(),
                "no line with {what:?} came; there were {seen:#?}"
            );
            seen.push(line);
        }
    }
}

/// One line; empty at the end, and if none comes.
fn read_line(reader: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    let _ = reader.read_line(&mut line);
    line.trim_end().to_owned()
}

fn connect(path: &Path) -> UnixStream {
    let step = Duration::from_millis(5);
    let mut waited = Duration::ZERO;
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => {
                stream
                    .set_read_timeout(Some(PATIENCE))
                    .expect("a socket has a time-out");
                return stream;
            }
            Err(error) => assert!(waited < PATIENCE, "{}: {error}", path.display()),
        }
        thread::sleep(step);
        waited += step;
    }
}
