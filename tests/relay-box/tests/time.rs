//! The clock over long times and at the ends of its counters.

use std::fmt::Write as _;

use box_tests::build::BENCH;
use box_tests::played::played;
use box_tests::run::run;

const DAY: u64 = 86_400_000;

/// Four days around two to the power of 31 milliseconds: two thousand rounds of the hardware's
/// timer, and 80 of a counter of 32 bits of microseconds. `LVMBEAT_TEST_DAYS=32` makes them as
/// many.
#[test]
fn for_days_the_relay_stays_energised_and_then_trips_to_the_millisecond() {
    let days: u64 = match std::env::var("LVMBEAT_TEST_DAYS") {
        Ok(days) => days.parse().expect("LVMBEAT_TEST_DAYS is a number"),
        Err(_) => 4,
    };
    let last = days * DAY;
    let start = (1 << 31) - last / 2;
    let mut scenario =
        format!("timeout 60000\ncutoff 10000\nclock {start}\nsource a critical 50000\n");
    for at in (40_000..=last).step_by(40_000) {
        writeln!(scenario, "at {at} set a").unwrap();
    }
    writeln!(scenario, "at {} end", last + 100_000).unwrap();
    let run = run(BENCH, &scenario).finished();
    assert_eq!(run.times("relay energised"), [start + 40_000]);
    assert_eq!(run.times("relay released"), [start + last + 60_000]);
    let (decided, played) = (run.decisions(), played(&scenario));
    assert!(decided == played, "firmware and host differ");
}

#[test]
fn nothing_happens_at_the_ends_of_a_tick_counter() {
    for boundary in [
        1 << 31,
        1 << 32,
        1 << 33,
        1 << 48,
        1 << 53,
        1 << 62,
        i64::MAX as u64,
    ] {
        let start: u64 = boundary - 30_000;
        let scenario = format!(
            "timeout 20000\ncutoff 5000\nclock {start}\nsource a critical 15000\n\
             at 10000 set a\nat 20000 set a\nat 29999 set a\nat 30001 status\nat 39000 set a\nat 70000 end\n"
        );
        let run = run(BENCH, &scenario).finished();
        assert_eq!(run.decisions(), played(&scenario));
        assert_eq!(run.times("relay energised"), [start + 10_000]);
        assert_eq!(run.times("relay released"), [start + 59_000]);
    }
}
