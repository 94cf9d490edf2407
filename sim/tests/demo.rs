//! The demonstration, as a process in a pipe: the whole chain from end to end.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

/// A night in some sixteen seconds, in which a machine that stands still for a second does not close the dome.
const FAST: &str = "30";

fn demo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command
        .arg("demo")
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn text(output: &Output) -> (String, String) {
    (
        String::from_utf8(output.stdout.clone()).unwrap(),
        String::from_utf8(output.stderr.clone()).unwrap(),
    )
}

/// Lines contain these parts, each looked for after the one before.
fn assert_in_order(text: &str, parts: &[&str]) {
    let mut lines = text.lines();
    for part in parts {
        assert!(
            lines.any(|line| line.contains(part)),
            "{part:?} does not come, or not in order, in\n{text}"
        );
    }
}

fn code(child: &mut Child) -> Option<i32> {
    for _ in 0..1000 {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    panic!("does not end");
}

#[test]
fn s4_a_night_goes_as_promised_and_is_told_in_order() {
    let output = demo(&["--speed", FAST]).output().unwrap();
    let (stdout, stderr) = text(&output);
    assert_eq!(stderr, "", "{stdout}");
    assert_eq!(output.status.code(), Some(0));
    assert!(!stdout.contains('\u{1b}'), "{stdout}");
    assert_in_order(
        &stdout,
        &[
            "1. Power",
            "PLC          switched on, Modbus TCP on 127.0.0.1:",
            "lvmbeat      holds the dome heartbeat; heartbeat overwatcher has not been received",
            "S4: closing begins within",
            "2. The dome opens",
            "overwatcher  beats every 5 s",
            "PLC          heartbeat, with",
            "operator     sends `lvmecp dome open`",
            "PLC          dome opening",
            "PLC          heartbeat, with",
            "PLC          dome open",
            "3. Observing",
            "PLC          heartbeat, with",
            "4. The overwatcher dies",
            "! overwatcher  has died",
            "! lvmbeat      holds the dome heartbeat; heartbeat overwatcher was last received",
            "! PLC          watchdog expired: no heartbeat for 60 s",
            "! PLC          dome closing (no heartbeat)",
            "PLC          dome closed",
            "5. The overwatcher is back",
            "PLC          heartbeat",
            "PLC          watchdog recovered",
            "PLC          dome opening",
            "PLC          dome open",
            "6. lvmecp hangs",
            "! lvmecp       hangs",
            "! lvmbeat      has no answer of lvmecp",
            "! PLC          dome closing (no heartbeat)",
            "PLC          dome closed",
            "7. lvmecp goes on",
            "lvmbeat      answered",
            "PLC          watchdog recovered",
            "What happened in",
            "S6  ",
            "L1  ",
            "S4  After the overwatcher's last beat",
            "S4  After lvmecp hung",
            "All as promised.",
        ],
    );
    let heartbeats_while_silent = stdout
        .split("4. The overwatcher dies")
        .nth(1)
        .and_then(|rest| rest.split("5. The overwatcher is back").next())
        .unwrap()
        .matches("PLC          heartbeat")
        .count();
    // The one that was under way when it died.
    assert!(heartbeats_while_silent <= 1, "{stdout}");
}

/// Somebody else beats to the PLC while the overwatcher is dead: the dome does not close, and the demonstration has to notice.
#[test]
fn s4_a_dome_that_does_not_close_is_a_failure() {
    let mut child = demo(&["--speed", FAST]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut until = |part: &str| {
        lines
            .by_ref()
            .map_while(Result::ok)
            .find(|line| line.contains(part))
            .unwrap()
    };
    let line = until("Modbus TCP on");
    let address = line
        .split("Modbus TCP on ")
        .nth(1)
        .and_then(|rest| rest.split(';').next())
        .unwrap()
        .to_owned();
    until("has died");
    let drained = thread::spawn(move || lines.map_while(Result::ok).count());
    // Until the demonstration takes the PLC away.
    while let Ok(mut plc) = TcpStream::connect(&address) {
        // hb_set, on.
        let _ = plc.write_all(&[0, 1, 0, 0, 0, 6, 1, 5, 2, 87, 0xFF, 0]);
        let _ = plc.read(&mut [0; 12]);
        thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(code(&mut child), Some(1));
    drained.join().unwrap();
    let mut stderr = String::new();
    let mut pipe = child.stderr.take().unwrap();
    pipe.read_to_string(&mut stderr).unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(
        stderr.starts_with("sim: the dome does not begin to close within "),
        "{stderr}"
    );
}

#[test]
fn a_signal_ends_it_in_order_at_once() {
    for signal in ["-TERM", "-INT"] {
        let mut child = demo(&[]).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        while !first.contains("switched on") {
            first.clear();
            assert!(output.read_line(&mut first).unwrap() > 0);
        }
        let pid = child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        assert_eq!(code(&mut child), Some(0));
        assert_in_order(&rest, &["Left after"]);
    }
}

#[test]
fn a_reader_that_goes_away_ends_it_without_a_word() {
    let mut child = demo(&["--speed", FAST]).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(code(&mut child), Some(0));
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert_eq!(stderr, "");
}

#[test]
fn a_port_in_use_is_one_sentence_and_code_1() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let output = demo(&["--listen", &address]).output().unwrap();
    let (_, stderr) = text(&output);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(
        stderr.starts_with(&format!("sim: cannot listen on {address}: ")),
        "{stderr}"
    );
}

#[test]
fn bad_arguments_are_one_sentence_and_code_2() {
    for arguments in [&["--speed", "1000"][..], &["--listen", "5020"], &["what"]] {
        let output = demo(arguments).output().unwrap();
        let (_, stderr) = text(&output);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn the_log_is_on_the_standard_error_for_those_who_ask() {
    let mut child = demo(&["-v", "--speed", FAST]).spawn().unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let logged = stderr
        .lines()
        .map_while(Result::ok)
        .any(|line| line.contains("session open"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(logged);
}
