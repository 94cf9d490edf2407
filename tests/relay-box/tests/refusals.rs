//! What is refused, and counted; on both sides alike.

use std::fmt::Write as _;

use box_tests::build::BENCH;
use box_tests::played::played;
use box_tests::run::{Run, run};
use lvmbeat_core::Name;
use lvmbeat_core::serial::{Frame, Kind};
use proptest::prelude::*;

const HEAD: &str = "timeout 60000\ncutoff 1000\nsource a critical 30000\nsource b noted 30000\n";

fn frame(kind: Kind, source: &str, session: u32, sequence: u32) -> Vec<u8> {
    let source = Name::new(source).unwrap();
    Frame {
        kind,
        session,
        sequence,
        source,
    }
    .encode()
    .to_vec()
}

fn bytes(at: u64, bytes: &[u8]) -> String {
    let mut line = format!("at {at} bytes");
    for byte in bytes {
        write!(line, " {byte:02x}").unwrap();
    }
    line + "\n"
}

/// The session that the box gives to `a` at that time: on the bench it is known beforehand.
fn session(at: u64) -> u32 {
    let hello = format!(
        "{HEAD}{}at {} end\n",
        bytes(at, &frame(Kind::Hello, "a", 0, 1)),
        at + 1
    );
    let said = played(&hello);
    said[0].split(' ').nth(3).unwrap().parse().unwrap()
}

#[track_caller]
fn both(scenario: &str) -> Run {
    let run = run(BENCH, scenario).finished();
    assert_eq!(run.decisions(), played(scenario), "{scenario}");
    run
}

#[test]
fn each_refused_frame_is_counted_and_makes_the_permit_no_longer() {
    let session = session(100);
    let good = |sequence| frame(Kind::Set, "a", session, sequence);
    let mut flipped = good(9);
    flipped[2] ^= 0x80;
    let cut = &good(9)[..10];
    let mut scenario = HEAD.to_owned() + &bytes(100, &frame(Kind::Hello, "a", 0, 1));
    scenario += &bytes(1000, &good(5));
    for (index, refused) in [
        // checksum
        &flipped[..],
        // nothing yet …
        cut,
        // … malformed: the one that was cut; and sequence: repeated
        &good(5),
        &good(4),                                // sequence: old
        &frame(Kind::Set, "a", session ^ 1, 9),  // session
        &frame(Kind::Set, "nobody", session, 9), // unknown
        &frame(Kind::Set, "b", session, 9),      // session: not that of b
        b"set nobody\n",                         // unknown
        b"set\n",                                // malformed
        &[b'x'; 100],                            // too long
        b"\n",
    ]
    .iter()
    .enumerate()
    {
        scenario += &bytes(3000 + 1000 * index as u64, refused);
    }
    scenario += "at 20000 status\n";
    scenario += &bytes(21_000, &good(6));
    scenario += "at 90000 end\n";
    let run = both(&scenario);
    let status = run
        .lines
        .iter()
        .find(|line| line.contains("status"))
        .unwrap();
    assert!(
        status
            .ends_with("refused: checksum=1 malformed=2 too_long=1 unknown=2 session=2 sequence=2"),
        "{status}"
    );
    // As long as it was from the one at 1000: nothing in between made it longer.
    assert!(status.contains("remaining_ms=41000"), "{status}");
    assert!(run.lines.contains(&"21000 set a counted seq=6".to_owned()));
    assert_eq!(run.times("relay released"), [81_000]);
}

#[test]
fn s3_a_frame_of_an_older_session_does_not_count() {
    let old = session(100);
    let mut scenario = HEAD.to_owned() + &bytes(100, &frame(Kind::Hello, "a", 0, 1));
    scenario += &bytes(200, &frame(Kind::Hello, "a", 0, 1));
    scenario += &bytes(300, &frame(Kind::Set, "a", old, 1));
    scenario += "at 90000 end\n";
    let run = both(&scenario);
    assert_eq!(run.times("refused session"), [300]);
    assert_eq!(run.times("relay energised"), [0u64; 0]);
}

#[test]
fn a_flood_is_refused_and_a_source_that_keeps_its_pace_is_heard() {
    let mut scenario = HEAD.to_owned() + "at 100 set a\n";
    for at in (1000..30_000).step_by(20) {
        writeln!(scenario, "at {at} set b").unwrap();
        if at % 5000 == 0 {
            writeln!(scenario, "at {at} set a").unwrap();
        }
    }
    scenario += "at 30000 status\nat 40000 end\n";
    let run = both(&scenario);
    assert_eq!(
        run.times("set a counted"),
        [100, 5000, 10_000, 15_000, 20_000, 25_000]
    );
    assert_eq!(run.times("relay released"), [0u64; 0]);
    let heard = run.times("set b noted").len();
    assert!((150..170).contains(&heard), "{heard}");
    // Answers to what is refused are fewer than what is refused.
    assert!(run.times("refused flood").len() < 50);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any bytes: both sides make the same of them, the box goes on, and the next heartbeat counts.
    #[test]
    fn x2_any_bytes_are_survived(noise in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..60), 1..40)) {
        let mut scenario = HEAD.to_owned();
        let mut now = 100;
        for piece in noise {
            scenario += &bytes(now, &piece);
            now += 50;
        }
        writeln!(scenario, "at {} bytes 0a", now + 20_000).unwrap();
        writeln!(scenario, "at {} set a\nat {} end", now + 20_001, now + 20_002).unwrap();
        let run = both(&scenario);
        prop_assert_eq!(run.times("relay energised"), [now + 20_001]);
    }
}
