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

/// A night in some eighteen seconds, in which a machine that stands still for a second does not
/// close the dome.
const FAST: &str = "30";

fn demo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command
        .arg("demo")
        .args(arguments)
        .env_remove("RUST_LOG")
        // The way to the monitor leads through no proxy, and needs no authorities.
        .env("http_proxy", "http://127.0.0.1:1/")
        .env("SSL_CERT_FILE", "/nonexistent")
        .env("SSL_CERT_DIR", "/nonexistent")
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
fn s4_a_night_goes_as_promised_and_is_reported_in_order() {
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
            "monitor      watch its page at http://127.0.0.1:",
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
            "4. Nobody hears the observatory",
            "the network to the monitor is cut",
            "! lvmbeat      cannot reach the monitor",
            "! monitor      mail to people: LCO internet is down; after ",
            "            | LCO internet is down: last heard at ",
            "            | Dome, as last reported: open",
            "5. The observatory is heard again",
            "monitor      mail to people: RESOLVED: LCO internet is up",
            "            | LCO internet has been up again since ",
            "6. The overwatcher dies",
            "! overwatcher  has died",
            "! lvmbeat      holds the dome heartbeat; heartbeat overwatcher may have been sent",
            "! PLC          watchdog expired: no heartbeat for 60 s",
            "! PLC          dome closing (no heartbeat)",
            "PLC          dome closed",
            "7. The overwatcher is back",
            "PLC          heartbeat",
            "PLC          watchdog recovered",
            "PLC          dome opening",
            "PLC          dome open",
            "8. lvmecp hangs",
            "! lvmecp       hangs",
            "! lvmbeat      gets no answer from lvmecp",
            "! PLC          dome closing (no heartbeat)",
            "PLC          dome closed",
            "9. lvmecp goes on",
            "lvmbeat      answered",
            "PLC          watchdog recovered",
            "What happened in",
            "S6  ",
            "L1  ",
            "M1  After the network to the monitor was cut",
            "of silence, and people were alerted (promised: 60 to ",
            "M2  ",
            "S4  After the overwatcher's last beat",
            "S4  After lvmecp hung",
            "All as promised.",
        ],
    );
    let heartbeats_while_silent = stdout
        .split("6. The overwatcher dies")
        .nth(1)
        .and_then(|rest| rest.split("7. The overwatcher is back").next())
        .unwrap()
        .matches("PLC          heartbeat")
        .count();
    // The one that was under way when it died.
    assert!(heartbeats_while_silent <= 1, "{stdout}");
    // S6: the dome does not depend on the monitor.
    let outage = stdout
        .split("4. Nobody hears the observatory")
        .nth(1)
        .and_then(|rest| rest.split("6. The overwatcher dies").next())
        .unwrap();
    assert!(
        outage.matches("PLC          heartbeat").count() >= 4,
        "{stdout}"
    );
    assert!(!outage.contains("closing"), "{stdout}");
    // M2, M4: an alert and its all-clear, each once.
    assert_eq!(stdout.matches("mail to people").count(), 2, "{stdout}");
}

/// Asks the monitor for a page.
fn page(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Where a line says that something is.
fn place(line: &str, before: &str) -> String {
    let rest = line.split(before).nth(1).unwrap();
    let end = rest.find(['/', ';']).unwrap_or(rest.len());
    rest[..end].to_owned()
}

#[test]
fn the_monitors_page_can_be_watched_while_the_night_goes_by() {
    let mut child = demo(&["--speed", FAST]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut until = |part: &str| {
        let mut lines = lines.by_ref().map_while(Result::ok);
        lines.find(|line| line.contains(part)).unwrap()
    };
    let address = place(&until("watch its page at http://"), "http://");
    until("monitor      hears lvmbeat");
    // What lvmbeat reports is on it: nobody beats yet.
    let held = page(&address, "/");
    assert!(held.contains("<title>HELD "), "{held}");
    assert!(held.contains("overwatcher"), "{held}");
    until("LCO internet is down; after");
    let down = page(&address, "/");
    assert!(down.contains("<title>DOWN "), "{down}");
    assert!(page(&address, "/status").contains("\"active\":true"));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Somebody has silenced the monitor, and the demonstration has to notice that nobody is
/// alerted.
#[test]
fn m1_a_monitor_that_tells_nobody_is_a_failure() {
    let mut child = demo(&["--speed", FAST]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut until = |part: &str| {
        let mut lines = lines.by_ref().map_while(Result::ok);
        lines.find(|line| line.contains(part)).unwrap()
    };
    let address = place(&until("watch its page at http://"), "http://");
    assert!(page(&address, "/disable").contains("Heartbeat monitor disabled."));
    until("the network to the monitor is cut");
    let drained = thread::spawn(move || lines.map_while(Result::ok).count());
    assert_eq!(code(&mut child), Some(1));
    drained.join().unwrap();
    let mut stderr = String::new();
    let mut pipe = child.stderr.take().unwrap();
    pipe.read_to_string(&mut stderr).unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(
        stderr.starts_with("sim: the monitor does not alert people within "),
        "{stderr}"
    );
}

/// Somebody else beats to the PLC while the overwatcher is dead: the dome does not close, and the
/// demonstration has to notice.
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
    let address = place(&line, "Modbus TCP on ");
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
    for option in ["--listen", "--monitor"] {
        let output = demo(&[option, &address]).output().unwrap();
        let (_, stderr) = text(&output);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(
            stderr.starts_with(&format!("sim: cannot listen on {address}: ")),
            "{stderr}"
        );
        assert!(stderr.contains(option), "{stderr}");
    }
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
