//! The alarm against a reference that keeps no state but the list of everything that happened, and
//! reads all of it again for each answer; and against a world in which the monitor is stopped,
//! killed and given broken clocks. Durations are a few ticks long, so that equality is met all the
//! time.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "each question is about one kind of event of many"
)]
#![expect(
    clippy::unwrap_used,
    reason = "clippy allows it in tests, but not in what they share"
)]

mod history;
mod world;

use std::collections::BTreeSet;

use embassy_time::{Duration, Instant};
use lvmbeat_core::alarm::{Config, Mode, Saved};
use lvmbeat_core::{Alarm, Notification};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{TestCaseResult, TestRunner};

use history::{Event, History, Setup, What, ticks};

#[derive(Clone, Copy, Debug)]
enum Op {
    Do(What),
    /// Checks until there is nothing left to tell.
    CheckAll,
    /// Saves, for a restart that comes later.
    Save,
    /// Restarts from what is saved now, or from what was saved last: what happened since is
    /// forgotten.
    Restart {
        crash: bool,
        start: u64,
        later: u64,
    },
}

#[derive(Clone, Debug)]
struct Step {
    /// Ticks since the step before; negative: the clock goes back.
    by: i64,
    op: Op,
}

fn start() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(1000), Just(u64::MAX - 60)]
}

fn garbage() -> impl Strategy<Value = Duration> {
    prop_oneof![4 => Just(0), 4 => 0..30_u64, 1 => Just(u64::MAX), 1 => any::<u64>()]
        .prop_map(ticks)
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        4 => Just(Mode::Enabled),
        1 => Just(Mode::DisabledForGood),
        1 => garbage().prop_map(Mode::DisabledFor),
    ]
}

fn setup() -> impl Strategy<Value = Setup> {
    let saved = (any::<bool>(), any::<bool>(), garbage(), garbage(), mode()).prop_map(
        |(ever_seen, down, silence, since_reported, mode)| Saved {
            ever_seen,
            down,
            silence,
            since_reported,
            mode,
        },
    );
    let origin = prop_oneof![2 => Just(Saved::default()), 1 => saved];
    let thresholds = prop_oneof![
        4 => (6..30_u64, 3..9_u64),
        1 => (1..6_u64, 1..4_u64),
        1 => Just((u64::MAX, u64::MAX)),
    ];
    let remind_every = prop::option::of(1..20_u64);
    (start(), thresholds, remind_every, origin).prop_map(
        |(start, (alert_after, attention), remind_every, origin)| Setup {
            start,
            alert_after,
            attention: attention.min(alert_after),
            remind_every,
            origin,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let by = prop_oneof![
        30 => 0..4_i64,
        6 => 4..9_i64,
        2 => 9..60_i64,
        1 => -5..0_i64,
        1 => -60..0_i64,
    ];
    let period = prop_oneof![
        1 => Just(None),
        3 => (0..40_u64).prop_map(Some),
        1 => any::<u64>().prop_map(Some),
    ];
    let weighted = || prop::bool::weighted(0.3);
    let op = prop_oneof![
        10 => Just(Op::Do(What::Tick)),
        6 => Just(Op::Do(What::Check)),
        6 => Just(Op::CheckAll),
        3 => Just(Op::Do(What::Beat)),
        1 => period.prop_map(|period| Op::Do(What::Disable(period))),
        1 => Just(Op::Do(What::Enable)),
        1 => weighted().prop_map(|force| Op::Do(What::NotifyDown { force })),
        1 => weighted().prop_map(|force| Op::Do(What::NotifyUp { force })),
        2 => Just(Op::Save),
        2 => (any::<bool>(), start(), prop_oneof![Just(0), 0..30_u64, any::<u64>()])
            .prop_map(|(crash, start, later)| Op::Restart { crash, start, later }),
    ];
    (by, op).prop_map(|(by, op)| Step { by, op })
}

fn config(setup: &Setup) -> Config {
    let config = Config::new(ticks(setup.alert_after), ticks(setup.attention)).unwrap();
    match setup.remind_every {
        Some(every) => config.with_reminders(ticks(every)).unwrap(),
        None => config,
    }
}

/// Does it on both, and compares.
fn play(alarm: &mut Alarm, history: &mut History, what: What, now: u64) -> TestCaseResult {
    let at = Instant::from_ticks(now);
    let mut was_disabled = true;
    let reported = match what {
        What::Tick => {
            let expected = history.unreported(now).map_or(Ok(()), Err);
            prop_assert_eq!(alarm.tick(at), expected);
            None
        }
        What::Check => alarm.check(at),
        What::Beat => alarm.beat(at),
        What::Disable(period) => {
            alarm.disable(period.map(ticks), at);
            None
        }
        What::Enable => {
            was_disabled = history.disabled(now);
            prop_assert_eq!(alarm.enable(at), was_disabled);
            None
        }
        What::NotifyDown { force } => alarm.notify_down(force, at),
        What::NotifyUp { force } => alarm.notify_up(force, at),
        What::Restart { start, later } => {
            let saved = alarm.save(at).aged(ticks(later));
            *alarm = Alarm::restore(*alarm.config(), saved, Instant::from_ticks(start));
            None
        }
        What::Spurious => None,
    };
    prop_assert_eq!(reported, history.reported(what, now));
    // Enabling does nothing after the end of a timed disable, which has still to be reported.
    let what = if was_disabled { what } else { What::Spurious };
    history.events.push(Event {
        at: now,
        what,
        reported,
    });
    Ok(())
}

/// Plays the steps on both; `met` collects what was reported.
fn run(setup: &Setup, steps: &[Step], met: &mut BTreeSet<String>) -> TestCaseResult {
    let config = config(setup);
    let mut alarm = Alarm::restore(config, setup.origin, Instant::from_ticks(setup.start));
    let mut history = History {
        setup,
        events: Vec::new(),
    };
    let mut now = setup.start;
    // What was saved last, when, and what had happened until then.
    let mut save = (setup.origin, now, 0);
    for step in steps {
        now = now.saturating_add_signed(step.by);
        match step.op {
            Op::Do(what) => play(&mut alarm, &mut history, what, now)?,
            Op::CheckAll => {
                let before = history.events.len();
                loop {
                    play(&mut alarm, &mut history, What::Check, now)?;
                    if history
                        .events
                        .last()
                        .is_some_and(|event| event.reported.is_none())
                    {
                        break;
                    }
                }
                prop_assert!(
                    history.events.len() - before <= 3,
                    "more than two at one instant"
                );
            }
            Op::Save => {
                save = (
                    alarm.save(Instant::from_ticks(now)),
                    now,
                    history.events.len(),
                );
            }
            Op::Restart {
                crash,
                start,
                later,
            } => {
                if crash {
                    let (saved, at, events) = save;
                    alarm = Alarm::restore(
                        config,
                        saved.aged(ticks(later)),
                        Instant::from_ticks(start),
                    );
                    history.events.truncate(events);
                    history.events.push(Event {
                        at,
                        what: What::Restart { start, later },
                        reported: None,
                    });
                } else {
                    play(
                        &mut alarm,
                        &mut history,
                        What::Restart { start, later },
                        now,
                    )?;
                }
                now = start;
                save = (
                    alarm.save(Instant::from_ticks(now)),
                    now,
                    history.events.len(),
                );
            }
        }
        met.extend(
            history
                .events
                .last()
                .and_then(|event| event.reported)
                .map(name),
        );
        agree(&alarm, &history, now)?;
    }
    alternate(&history)
}

/// Everything that can be asked, at and around `now`.
fn agree(alarm: &Alarm, history: &History, now: u64) -> TestCaseResult {
    let limit = history.setup.attention;
    for at in [
        now.saturating_sub(1),
        now,
        now.saturating_add(1),
        now.saturating_add(limit - 1),
        now.saturating_add(limit),
    ] {
        let instant = Instant::from_ticks(at);
        prop_assert_eq!(alarm.status(instant), history.status(at), "at {}", at);
        let saved = alarm.save(instant);
        prop_assert_eq!(saved, history.saved(at, saved.since_reported), "at {}", at);
        let checked = alarm.clone().check(instant);
        prop_assert_eq!(checked, history.reported(What::Check, at), "at {}", at);
    }
    Ok(())
}

/// M4: of what was not forced, down and up are reported in turns, whatever restarts there were.
fn alternate(history: &History) -> TestCaseResult {
    let mut down = history.setup.origin.down;
    for event in &history.events {
        let forced = matches!(
            event.what,
            What::NotifyDown { force: true } | What::NotifyUp { force: true }
        );
        let tells_down = match event.reported {
            Some(Notification::Down { .. }) => true,
            Some(Notification::Up { .. }) => false,
            _ => continue,
        };
        prop_assert!(forced || tells_down != down, "reported twice: {event:?}");
        down = tells_down;
    }
    prop_assert_eq!(down, history.down());
    Ok(())
}

fn name(reported: Notification) -> String {
    match reported {
        Notification::Down {
            by_hand, ever_seen, ..
        } => format!("down {by_hand} {ever_seen}"),
        Notification::Reminder { ever_seen, .. } => format!("reminder {ever_seen}"),
        Notification::Up { by_hand, .. } => format!("up {by_hand}"),
        Notification::EnabledAgain => "enabled again".to_owned(),
    }
}

/// A reference that is never asked proves nothing.
#[test]
fn the_steps_meet_every_notification() {
    let mut runner = TestRunner::deterministic();
    let cases = (setup(), prop::collection::vec(step(), 0..80));
    let mut met = BTreeSet::new();
    for _ in 0..400 {
        let case = cases.new_tree(&mut runner).map(|tree| tree.current());
        let (setup, steps) = case.unwrap();
        run(&setup, &steps, &mut met).unwrap();
    }
    let expected = [
        "down false false",
        "down false true",
        "down true false",
        "down true true",
        "enabled again",
        "reminder false",
        "reminder true",
        "up false",
        "up true",
    ];
    assert_eq!(met, expected.map(str::to_owned).into());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn m1_m3_m4_every_answer_follows_from_the_whole_history(
        setup in setup(),
        steps in prop::collection::vec(step(), 0..80),
    ) {
        run(&setup, &steps, &mut BTreeSet::new())?;
    }
}
