//! The firmware as it is shipped, on a real serial line, in real time; and the relay's register as
//! QEMU sees it.

use box_tests::build::SHIPPED;
use box_tests::live::{Line, Live};
use lvmbeat_core::Name;
use lvmbeat_core::serial::{Frame, Kind};

fn frame(kind: Kind, session: u32, sequence: u32) -> Vec<u8> {
    let source = Name::new("lvmbeat").unwrap();
    Frame {
        kind,
        session,
        sequence,
        source,
    }
    .encode()
    .to_vec()
}

fn hello(line: &mut Line) -> u32 {
    line.send(&frame(Kind::Hello, 0, 7));
    let answer = line.expect(" session lvmbeat ");
    assert!(answer.ends_with(" seq=7"), "{answer}");
    answer.split(' ').nth(3).unwrap().parse().unwrap()
}

#[test]
fn heartbeats_in_frames_energise_the_relay() {
    let relay_box = Live::start(SHIPPED);
    let mut line = relay_box.connect();
    line.expect(" boot cause=power_on starts=1 ");
    assert!(!relay_box.relay_is_energised());
    let session = hello(&mut line);
    line.send(&frame(Kind::Set, session, 1));
    // It begins latched: somebody has to arm it.
    line.expect(" set lvmbeat counted seq=1");
    assert!(!relay_box.relay_is_energised());
    line.send(b"arm\r\n");
    line.expect(" armed");
    line.send(&frame(Kind::Set, session, 2));
    line.expect(" relay energised");
    // The box says so first, and answers the next command when it has done so.
    line.send(b"ping\n");
    line.expect(" pong");
    assert!(relay_box.relay_is_energised());
    line.send(&frame(Kind::Set, session, 2));
    line.expect(" refused sequence seq=2");
}

#[test]
fn what_a_person_types_is_answered() {
    let relay_box = Live::start(SHIPPED);
    let mut line = relay_box.connect();
    line.send(b"ping\r");
    line.expect(" pong");
    line.send(b"status\n");
    line.expect(
        " status relay=released latched=yes hold=heartbeat_never_seen source=lvmbeat refused:",
    );
}

#[test]
fn a_fault_cannot_be_asked_for() {
    let relay_box = Live::start(SHIPPED);
    let mut line = relay_box.connect();
    line.send(b"fault panic\n");
    line.expect(" refused not_on_bench");
    line.send(b"ping\n");
    line.expect(" pong");
}

#[test]
fn x2_a_flood_of_bytes_is_survived() {
    let relay_box = Live::start(SHIPPED);
    let mut line = relay_box.connect();
    line.expect(" boot ");
    for _ in 0..200 {
        line.send(&[b'x'; 1000]);
    }
    line.send(b"\n");
    line.expect(" refused too_long");
    line.send(b"ping\n");
    line.expect(" pong");
    line.send(b"status\n");
    let status = line.expect(" status ");
    assert!(status.contains("too_long="), "{status}");
}

#[test]
fn s5_a_session_of_one_start_is_not_that_of_another() {
    let sessions: Vec<u32> = (0..3)
        .map(|_| {
            let relay_box = Live::start(SHIPPED);
            let mut line = relay_box.connect();
            line.expect(" boot ");
            hello(&mut line)
        })
        .collect();
    assert!(
        sessions[0] != sessions[1] && sessions[1] != sessions[2],
        "{sessions:?}"
    );
}
