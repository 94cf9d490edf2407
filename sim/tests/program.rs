//! The programme itself, as a process.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// Longer than anything here takes.
const SOON: Duration = Duration::from_secs(10);

/// A running simulator; ended with the test.
struct Sim {
    child: Child,
    input: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
}

impl Sim {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sim"))
            .args(["--listen", "127.0.0.1:0", "--json", "--control"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in output.lines() {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let input = child.stdin.take();
        Self {
            child,
            input,
            lines,
        }
    }

    fn line(&self) -> Value {
        let line = self.lines.recv_timeout(SOON).expect("no line in time");
        serde_json::from_str(&line).expect(&line)
    }

    /// The next line of that event.
    fn until(&self, event: &str) -> Value {
        loop {
            let line = self.line();
            if line["event"] == event {
                return line;
            }
        }
    }

    fn address(&self) -> SocketAddr {
        let first = self.line();
        assert_eq!(first["event"], "listening");
        first["address"].as_str().unwrap().parse().unwrap()
    }

    fn order(&mut self, order: &str) {
        writeln!(self.input.as_ref().unwrap(), "{order}").unwrap();
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    fn code(&mut self) -> Option<i32> {
        for _ in 0..SOON.as_millis() / 10 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("does not end");
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_sim"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(stdout.is_empty());
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn it_tells_its_address_and_answers_there() {
    let sim = Sim::start(&[]);
    let mut stream = TcpStream::connect(sim.address()).unwrap();
    stream
        .write_all(&[0, 1, 0, 0, 0, 6, 1, 5, 2, 87, 0xFF, 0])
        .unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    let beat = sim.line();
    assert_eq!(beat["event"], "heartbeat_received");
    assert!(beat["countdown_s"].as_f64().unwrap() > 59.9);
    for field in ["plc_s", "position_mm", "dome"] {
        assert!(!beat[field].is_null(), "{field}");
    }
}

#[test]
fn s4_a_dome_without_heartbeats_is_seen_to_close() {
    // Three seconds in which to open it.
    let mut sim = Sim::start(&["--speed", "200", "--timeout", "600"]);
    sim.order("dome open");
    assert_eq!(sim.until("dome_opening")["dome"], "opening");
    let expired = sim.until("watchdog_expired");
    assert_eq!(expired["plc_s"], 600.0);
    assert_eq!(expired["countdown_s"], 0.0);
    let closing = sim.until("dome_closing");
    assert_eq!(
        (&closing["plc_s"], &closing["cause"]),
        (&600.0.into(), &"watchdog".into())
    );
    assert_eq!(sim.until("dome_closed")["position_mm"], 0);
}

#[test]
fn each_order_is_answered_by_a_status_line_after_its_events() {
    let mut sim = Sim::start(&["--fault", "rain"]);
    sim.address();
    assert_eq!(sim.line()["fault"], "rain");
    sim.order("fault dome-jammed on");
    assert_eq!(sim.line()["event"], "fault_on");
    assert_eq!(
        sim.line()["faults"],
        serde_json::json!(["dome-jammed", "rain"])
    );
    sim.order("dome open");
    assert_eq!(sim.line()["event"], "command_refused");
    assert_eq!(sim.line()["must_close"], "rain");
    sim.order("open sesame");
    assert!(
        sim.line()["message"]
            .as_str()
            .unwrap()
            .contains("'open sesame'")
    );
}

#[test]
fn sigterm_and_ctrl_c_end_it_in_order() {
    for signal in ["-TERM", "-INT"] {
        let mut sim = Sim::start(&[]);
        sim.address();
        sim.signal(signal);
        assert_eq!(sim.until("ended")["heartbeats"], 0);
        assert_eq!(sim.code(), Some(0));
    }
}

#[test]
fn the_end_of_its_input_does_not_end_it() {
    let mut sim = Sim::start(&[]);
    let address = sim.address();
    sim.input = None;
    thread::sleep(Duration::from_millis(100));
    TcpStream::connect(address).unwrap();
    assert!(sim.child.try_wait().unwrap().is_none());
}

#[test]
fn a_reader_that_goes_away_ends_it_without_a_word() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sim"))
        .args(["--listen", "127.0.0.1:0", "--control"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut input = child.stdin.take().unwrap();
    // It may be gone before all is written.
    for _ in 0..10 {
        let _ = writeln!(input, "status");
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn a_port_in_use_is_one_sentence_and_code_1() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (code, stderr) = refused(&["--listen", &address]);
    assert_eq!(code, Some(1));
    assert_eq!(stderr.lines().count(), 1);
    assert!(
        stderr.starts_with(&format!("sim: cannot listen on {address}: ")),
        "{stderr}"
    );
}

#[test]
fn bad_arguments_are_one_sentence_and_code_2() {
    for arguments in [
        &["--fault", "x"][..],
        &["--timeout", "-3"],
        &["--speed", "fast"],
        &["what"],
    ] {
        let (code, stderr) = refused(arguments);
        assert_eq!(code, Some(2));
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn without_a_broker_lvmecp_says_so_once_and_the_plc_goes_on() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("amqp://guest:hunter2@127.0.0.1:{port}/");
    let mut sim = Sim::start(&["--ecp", &url]);
    let address = sim.address();
    let disconnected = sim.line();
    assert_eq!(disconnected["event"], "ecp_disconnected");
    assert!(!disconnected["cause"].as_str().unwrap().contains("hunter2"));
    TcpStream::connect(address).unwrap();
    thread::sleep(Duration::from_secs(1));
    sim.order("ecp hang");
    assert_eq!(sim.line()["event"], "status");
    sim.signal("-TERM");
    assert_eq!(sim.line()["event"], "ended");
    assert_eq!(sim.code(), Some(0));
}
