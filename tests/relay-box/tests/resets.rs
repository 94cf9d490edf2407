//! Each way to hang ends in a trip and a reset, after which the box is tripped and says why;
//! without the watchdog that shows.

use box_logic::command::Fault;
use box_tests::build::BENCH;
use box_tests::run::{Run, SLOW, run, run_with};

/// The cause that the next start names, for each fault.
fn cause(fault: Fault) -> &'static str {
    match fault {
        // A clock that stands or went back wakes nobody up: it is found as a task that does not
        // run.
        Fault::Hang
        | Fault::HangUart
        | Fault::InterruptsOff
        | Fault::ClockStops
        | Fault::ClockBack => "hung",
        Fault::StallUart => "uart_task_stuck",
        Fault::Panic => "panic",
        Fault::StackOverflow => "stack_overflow",
        Fault::BusFault => "hard_fault",
        Fault::ClockSlow => "clock_slow",
        Fault::ClockFast => "clock_fast",
    }
}

fn scenario(fault: &str) -> String {
    format!(
        "timeout 60000\nrecovery self-clearing\nsource a critical 30000\n\
         at 1000 set a\nat 5000 fault {fault}\n\
         reset\nat 1000 status\nat 1500 set a\nat 3000 end\n"
    )
}

/// So many milliseconds the slow processor takes to hear a heartbeat.
const LATE: u64 = 2;

fn slow(scenario: &str) -> Run {
    run_with(BENCH, scenario, &[SLOW])
}

fn after_reset(run: &Run) -> &[String] {
    let boots: Vec<usize> = (0..run.lines.len())
        .filter(|index| run.lines[*index].contains(" boot "))
        .collect();
    assert_eq!(boots.len(), 2, "{run:#?}");
    &run.lines[boots[1]..]
}

#[test]
fn each_fault_ends_in_a_trip_and_the_next_start_is_tripped_and_says_why() {
    for (name, fault) in Fault::ALL {
        let run = slow(&scenario(name)).finished();
        assert_eq!(
            run.times("relay energised"),
            [1000 + LATE, 1500 + LATE],
            "{name}: {run:#?}"
        );
        let lines = after_reset(&run);
        let expected = format!("boot cause={} starts=2 ", cause(fault));
        assert!(lines[0].contains(&expected), "{name}: {run:#?}");
        // The reset released the relay by itself: this is what the register said before the
        // firmware touched it.
        assert!(lines[0].ends_with("relay=released"), "{name}: {run:#?}");
        assert!(
            lines[1].contains("status relay=released"),
            "{name}: {run:#?}"
        );
    }
}

#[test]
fn what_the_box_can_still_notice_releases_the_relay_before_the_reset() {
    for (fault, within) in [
        ("stall-uart", 4000),
        ("clock-slow", 4000),
        ("clock-fast", 8000),
    ] {
        let run = slow(&scenario(fault)).finished();
        let released = run.times("relay released cause=")[0];
        assert!(
            (5000..=5000 + within).contains(&released),
            "{fault}: {run:#?}"
        );
        assert!(
            run.log.iter().any(|line| line.contains("not fed any more")),
            "{fault}: {run:#?}"
        );
    }
}

/// The negative control: QEMU does nothing when the watchdog asks for a reset. Were it not the
/// watchdog that resets the box, this would not show.
#[test]
fn without_the_watchdog_there_is_no_reset_and_the_relay_is_released_all_the_same() {
    for (fault, code) in [
        ("hang", 99),
        ("hang-uart", 99),
        ("interrupts-off", 99),
        ("clock-stops", 99),
        ("clock-back", 99),
        ("stall-uart", 99),
        ("clock-slow", 99),
        ("clock-fast", 99),
    ] {
        let run = run_with(BENCH, &scenario(fault), &[SLOW, "-action", "watchdog=none"]);
        assert_eq!(run.code, Some(code), "{fault}: {run:#?}");
        assert_eq!(
            run.lines
                .iter()
                .filter(|line| line.contains(" boot "))
                .count(),
            1,
            "{fault}"
        );
    }
}

#[test]
fn a_box_that_is_well_is_not_reset() {
    let quiet = "source a critical 30000\nat 3600000 end\n";
    let run = run(BENCH, quiet).finished();
    assert_eq!(run.lines.len(), 2, "{run:#?}");
    assert!(run.lines[0].contains("cause=power_on starts=1 "));
}

#[test]
fn after_one_reset_another_one_has_its_own_cause() {
    let scenario = "source a critical 30000\n\
         at 100 fault panic\nreset\nat 100 fault hang\nreset\nat 100 fault bus-fault\nreset\nat 1000 end\n";
    let run = slow(scenario).finished();
    let causes: Vec<&str> = run
        .lines
        .iter()
        .filter_map(|line| line.split("cause=").nth(1)?.split(' ').next())
        .collect();
    assert_eq!(causes, ["power_on", "panic", "hung", "hard_fault"]);
}
