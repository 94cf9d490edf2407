//! Plays a scenario through the core on the host, with nothing but arguments for time.

use box_logic::input::Input;
use box_logic::machine::Machine;
use box_logic::permit::Setup;
use box_logic::scenario::{Senseless, Step, parse};
use box_logic::vitals::FEED_EVERY;
use embassy_time::{Duration, Instant};
use lvmbeat_core::watchdog::Recovery;

type Box = Machine<16>;

/// What the box would say.
pub fn played(scenario: &str) -> Vec<String> {
    let (mut timeout, mut cutoff) = (Duration::from_secs(60), Duration::from_secs(10));
    let (mut recovery, mut start) = (Recovery::SelfClearing, Instant::MIN);
    let mut sources = vec![];
    let mut timed = vec![];
    for line in scenario.lines() {
        match parse(line) {
            Ok(None) => {}
            Ok(Some(Step::Timeout(value))) => timeout = value,
            Ok(Some(Step::Cutoff(value))) => cutoff = value,
            Ok(Some(Step::Recovery(value))) => recovery = value,
            Ok(Some(Step::Clock(ticks))) => start = Instant::from_ticks(ticks),
            Ok(Some(Step::Source {
                name,
                critical,
                timeout,
            })) => {
                sources.push((name.to_owned(), critical, timeout));
            }
            Ok(Some(Step::Input { at, bytes })) => timed.push((at, bytes.to_vec())),
            Ok(Some(Step::End { at })) => timed.push((at, vec![])),
            Ok(Some(Step::Reset)) | Err(Senseless) => {
                panic!("not to be played on the host: {line}")
            }
        }
    }
    let mut setup = Setup::new(timeout, cutoff, recovery);
    for (name, critical, timeout) in &sources {
        setup
            .add(name, *critical, *timeout)
            .expect("the scenario is a good one");
    }
    let mut machine = Box::new(setup, 0, start);
    let mut input = Input::new();
    let mut said = vec![];
    let mut now = start;
    for (at, bytes) in timed {
        while now < start + at {
            // As often as the box looks at the time, and when it is due.
            let permit = machine.permit().remaining(now).unwrap_or(Duration::MAX);
            let next = now.saturating_add(permit.min(FEED_EVERY));
            now = next.min(start + at);
            said.extend(machine.tick(now).iter().map(ToString::to_string));
        }
        for byte in bytes {
            if let Some(received) = input.push(byte, now) {
                said.extend(machine.tick(now).iter().map(ToString::to_string));
                said.extend(machine.take(received, now).iter().map(ToString::to_string));
            }
        }
    }
    said
}
