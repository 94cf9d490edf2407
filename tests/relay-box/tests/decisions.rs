//! The firmware decides as the core on the host does, at the same times; and what that is.

use std::fmt::Write as _;

use box_tests::build::BENCH;
use box_tests::played::played;
use box_tests::run::{Run, run};
use proptest::prelude::*;

const TWO_CRITICAL: &str = include_str!("../scenarios/two-critical.scenario");
const LATCHING: &str = include_str!("../scenarios/latching.scenario");

/// Both sides, which have to say the same.
#[track_caller]
fn both(scenario: &str) -> Run {
    let run = run(BENCH, scenario).finished();
    let (decided, played) = (run.decisions(), played(scenario));
    let differs = (0..decided.len().max(played.len()))
        .find(|index| decided.get(*index) != played.get(*index));
    if let Some(index) = differs {
        panic!(
            "firmware: {:?}, host: {:?} in {run:#?} of {scenario}",
            decided.get(index),
            played.get(index)
        );
    }
    run
}

#[test]
fn s5_the_relay_is_energised_only_after_every_critical_source_was_heard() {
    let run = both(TWO_CRITICAL);
    assert_eq!(run.times("relay energised")[0], 2000);
    assert!(run.lines[0].ends_with("relay=released"));
}

#[test]
fn s4_the_relay_is_released_at_exactly_the_timeout() {
    let run = both(TWO_CRITICAL);
    // Fed at 12 000 for the last time, as the other source was stale from then on; then at 80 001;
    // then at 140 001, after the trip.
    assert_eq!(
        run.times("relay released cause=expired"),
        [72_000, 140_001, 200_001]
    );
}

#[test]
fn within_the_cut_off_a_heartbeat_does_not_count() {
    let run = both(TWO_CRITICAL);
    assert!(
        run.lines
            .contains(&"11999 set overwatcher held reason=cut_off".to_owned())
    );
    assert!(
        run.lines
            .contains(&"12000 set overwatcher counted".to_owned())
    );
}

#[test]
fn a_latch_is_ended_by_arm_and_the_next_heartbeat_and_by_nothing_else() {
    let run = both(LATCHING);
    assert_eq!(run.times("relay energised"), [2500, 50_000]);
    assert_eq!(run.times("relay released"), [40_000, 70_000]);
    assert_eq!(run.times("armed"), [1500, 42_000, 42_001]);
}

#[test]
fn what_changes_is_logged() {
    let run = both(LATCHING);
    assert!(
        run.log[0].contains("start 1 after PowerOn"),
        "{:#?}",
        run.log
    );
    for what in ["Energised", "Released(Expired)", "Armed(true)"] {
        assert!(
            run.log.iter().any(|line| line.contains(what)),
            "{what}: {:#?}",
            run.log
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any mixture of heartbeats, also at the very ends of time-outs and cut-offs.
    #[test]
    fn s1_any_scenario_gives_the_same_decisions_at_the_same_times(
        latching: bool,
        inputs in proptest::collection::vec((0..7usize, 0..6usize, 0..6usize), 1..80),
    ) {
        let recovery = if latching { "latching" } else { "self-clearing" };
        let mut scenario = format!(
            "timeout 8000\ncutoff 2000\nrecovery {recovery}\n\
             source a critical 4000\nsource b critical 6000\nsource c noted 1000\n"
        );
        let steps = [2, 500, 999, 1000, 2000, 4000, 8000];
        let words = ["set a", "set b", "set c", "arm", "status", "set nobody"];
        let mut now = 100;
        for (step, first, second) in inputs {
            // Two within one tick; to be through with more of them takes it longer than a tick.
            now += steps[step];
            writeln!(scenario, "at {now} {}", words[first]).unwrap();
            writeln!(scenario, "at {now} {}", words[second]).unwrap();
        }
        writeln!(scenario, "at {} end", now + 20_000).unwrap();
        both(&scenario);
    }
}
