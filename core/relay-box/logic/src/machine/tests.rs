use lvmbeat_core::serial::{Frame, Kind};
use lvmbeat_core::watchdog::Recovery;

use super::*;
use crate::command::{Fault, parse_line};
use crate::intake::BURST;

const T0: Instant = Instant::from_secs(1000);

fn setup(recovery: Recovery) -> Setup<4> {
    let secs = Duration::from_secs;
    let mut setup = Setup::new(secs(60), secs(10), recovery);
    setup.add("a", true, secs(30)).unwrap();
    setup.add("b", true, secs(30)).unwrap();
    setup.add("c", false, secs(30)).unwrap();
    setup
}

fn machine() -> Machine<4> {
    Machine::new(setup(Recovery::SelfClearing), 7, T0)
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn lines(reports: &Reports) -> std::vec::Vec<String> {
    reports.iter().map(ToString::to_string).collect()
}

fn typed(machine: &mut Machine<4>, text: &str, now: Instant) -> std::vec::Vec<String> {
    lines(&machine.take(parse_line(text), now))
}

fn framed(machine: &mut Machine<4>, kind: Kind, source: &str, session: u32, sequence: u32) -> What {
    let frame = Frame {
        kind,
        session,
        sequence,
        source: name(source),
    };
    let reports = machine.take(Ok(Received::Frame(frame)), T0);
    assert_eq!(reports[0].sequence, Some(sequence));
    reports[0].what.clone()
}

fn hello(machine: &mut Machine<4>, source: &str) -> u32 {
    let what = framed(machine, Kind::Hello, source, 0, 0);
    let What::Session(_, session) = what else {
        panic!("{what:?}");
    };
    session
}

#[test]
fn what_is_typed_is_answered() {
    let mut machine = machine();
    assert_eq!(typed(&mut machine, "ping", T0), ["1000000 pong"]);
    assert_eq!(typed(&mut machine, "arm", T0), ["1000000 armed already"]);
    assert_eq!(typed(&mut machine, "set c", T0), ["1000000 set c noted"]);
    assert_eq!(
        typed(&mut machine, "set a", T0),
        ["1000000 set a held reason=heartbeat_never_seen source=b"]
    );
    assert_eq!(
        typed(&mut machine, "status", T0),
        ["1000000 status relay=released latched=no hold=heartbeat_never_seen source=b refused:"]
    );
    assert_eq!(
        typed(&mut machine, "set b", T0),
        ["1000000 set b counted", "1000000 relay energised"]
    );
    assert_eq!(
        typed(&mut machine, "sett b", T0),
        ["1000000 refused malformed"]
    );
    assert_eq!(
        typed(&mut machine, "status", T0),
        [
            "1000000 status relay=energised latched=no remaining_ms=60000 hold=cut_off refused: malformed=1"
        ]
    );
}

#[test]
fn an_expiry_is_reported_by_the_tick_that_finds_it() {
    let mut machine = machine();
    typed(&mut machine, "set a", T0);
    typed(&mut machine, "set b", T0);
    let mut now = T0;
    let mut reported = vec![];
    for _ in 0..61 {
        now += Duration::from_secs(1);
        reported.extend(lines(&machine.tick(now)));
    }
    assert_eq!(reported, ["1060000 relay released cause=expired"]);
    assert!(!machine.permit().is_given(now));
}

#[test]
fn s3_a_lapse_is_reported_and_trips() {
    let mut machine = machine();
    typed(&mut machine, "set a", T0);
    typed(&mut machine, "set b", T0);
    let late = T0 + Duration::from_secs(4);
    assert_eq!(
        lines(&machine.tick(late)),
        ["1004000 relay released cause=not_attentive"]
    );
    assert!(!machine.permit().is_given(late));
}

#[test]
fn s3_a_frame_that_waited_through_a_lapse_is_refused() {
    let mut machine = machine();
    let session = hello(&mut machine, "c");
    assert_eq!(
        framed(&mut machine, Kind::Set, "c", session, 1),
        What::Noted(name("c"))
    );
    // There is nothing to report, since nothing was energised; what waits is old all the same.
    assert!(machine.tick(T0 + Duration::from_secs(4)).is_empty());
    assert_eq!(
        framed(&mut machine, Kind::Set, "c", session, 2),
        What::Refused(Refusal::Session)
    );
}

#[test]
fn framed_heartbeats_count_within_their_session() {
    let mut machine = machine();
    let a = hello(&mut machine, "a");
    let b = hello(&mut machine, "b");
    assert!(matches!(
        framed(&mut machine, Kind::Set, "a", a, 1),
        What::Held { .. }
    ));
    assert_eq!(
        framed(&mut machine, Kind::Set, "b", b, 1),
        What::Counted(name("b"))
    );
    assert_eq!(framed(&mut machine, Kind::Ping, "b", b, 2), What::Pong);
    assert!(matches!(
        framed(&mut machine, Kind::Status, "b", b, 3),
        What::Status(_)
    ));
    assert_eq!(
        framed(&mut machine, Kind::Arm, "b", b, 4),
        What::Armed(false)
    );
}

#[test]
fn each_framed_refusal_is_reported_and_counted_and_changes_nothing() {
    let mut machine = machine();
    let a = hello(&mut machine, "a");
    let b = hello(&mut machine, "b");
    framed(&mut machine, Kind::Set, "a", a, 5);
    for (session, sequence, source, refusal) in [
        (b, 5, "b", None),
        (b, 5, "b", Some(Refusal::Sequence)),
        (b, 4, "b", Some(Refusal::Sequence)),
        (a, 6, "b", Some(Refusal::Session)),
        (b, 6, "x", Some(Refusal::Unknown)),
    ] {
        let before = machine.permit().remaining(T0);
        let counted = refusal.map(|refusal| machine.intake.counts.of(refusal));
        let what = framed(&mut machine, Kind::Set, source, session, sequence);
        if let Some(refusal) = refusal {
            assert_eq!(what, What::Refused(refusal));
            assert_eq!(
                Some(machine.intake.counts.of(refusal)),
                counted.map(|n| n + 1)
            );
            assert_eq!(machine.permit().remaining(T0), before);
        }
    }
}

#[test]
fn a_flood_is_refused_and_no_other_source_suffers() {
    let mut machine = machine();
    typed(&mut machine, "set b", T0);
    for _ in 0..200 {
        typed(&mut machine, "set a", T0);
        typed(&mut machine, "ping", T0);
    }
    let refused = machine.intake.counts.of(Refusal::Flood);
    assert_eq!(refused, 400 - 2 * u32::from(BURST));
    assert_eq!(typed(&mut machine, "set c", T0), ["1000000 set c noted"]);
}

#[test]
fn noise_is_answered_sparingly() {
    let mut machine = machine();
    let reported: usize = (0..1000)
        .map(|_| machine.take(Err(Refusal::Checksum), T0).len())
        .sum();
    assert_eq!(reported, 10);
    assert_eq!(machine.intake.counts.of(Refusal::Checksum), 1000);
}

#[test]
fn a_fault_that_is_asked_for_is_refused() {
    for (_, fault) in Fault::ALL {
        let reports = machine().take(Ok(Received::Fault(fault)), T0);
        assert_eq!(lines(&reports), ["1000000 refused not_on_bench"]);
    }
}

#[test]
fn s5_sessions_of_another_start_are_others() {
    let first = hello(&mut machine(), "a");
    let mut other = Machine::new(setup(Recovery::SelfClearing), 8, T0);
    assert_ne!(hello(&mut other, "a"), first);
    assert_eq!(
        framed(&mut other, Kind::Set, "a", first, 1),
        What::Refused(Refusal::Session)
    );
}

#[test]
fn a_latch_is_ended_by_arm_and_the_next_heartbeat() {
    let mut machine = Machine::new(setup(Recovery::Latching), 7, T0);
    typed(&mut machine, "set a", T0);
    assert_eq!(typed(&mut machine, "set b", T0), ["1000000 set b counted"]);
    assert!(!machine.permit().is_given(T0));
    assert_eq!(typed(&mut machine, "arm", T0), ["1000000 armed"]);
    assert!(!machine.permit().is_given(T0));
    assert_eq!(
        typed(&mut machine, "set b", T0),
        ["1000000 set b counted", "1000000 relay energised"]
    );
}
