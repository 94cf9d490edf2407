//! A monitor that is stopped, killed and given broken clocks, in a world whose time goes on.

use embassy_time::Instant;
use lvmbeat_core::alarm::{Config, Saved};
use lvmbeat_core::{Alarm, Notification};
use proptest::prelude::*;

use crate::history::ticks;

/// What ends a time of undisturbed running.
#[derive(Clone, Copy, Debug)]
enum Disturbance {
    /// The process or its machine is stopped for so long; beats wait.
    Stopped(u64),
    /// The clock goes back by so much.
    ClockBack(u64),
    /// The process is killed, and started so much later; beats are lost, and so is what was not
    /// saved.
    Killed(u64),
}

const ATTENTION: u64 = 3;
const SAVE_EVERY: u64 = 4;
const CHECK_EVERY: u64 = 5;
/// Between two beats, while the observatory lives.
const BEAT_EVERY: u64 = 10;
/// A beat can be lost with a process that is killed.
const ALERT_AFTER: u64 = 3 * BEAT_EVERY;

struct Monitor {
    alarm: Alarm,
    saved: Saved,
    clock: u64,
    beat_waits: bool,
    reported: Vec<Notification>,
}

impl Monitor {
    fn new() -> Self {
        let clock = 1_000_000;
        let config = Config::new(ticks(ALERT_AFTER), ticks(ATTENTION)).unwrap();
        Self {
            alarm: Alarm::new(config, Instant::from_ticks(clock)),
            saved: Saved::default(),
            clock,
            beat_waits: false,
            reported: Vec::new(),
        }
    }

    /// One moment in which the process runs.
    fn run(&mut self, world: u64) {
        self.clock += 1;
        let now = Instant::from_ticks(self.clock);
        let _ = self.alarm.tick(now);
        if world.is_multiple_of(CHECK_EVERY) {
            self.reported.extend(self.alarm.check(now));
            assert_eq!(self.alarm.check(now), None);
        }
        if std::mem::take(&mut self.beat_waits) {
            self.reported.extend(self.alarm.beat(now));
        }
        if world.is_multiple_of(SAVE_EVERY) || !self.reported.is_empty() {
            self.saved = self.alarm.save(now);
        }
    }

    /// Runs through the story; gives how many moments it ran through, and how many it listened
    /// through: a stop that attention does not notice counts, too.
    fn live(&mut self, story: &[(u64, Disturbance)], observatory_lives: bool) -> (u64, u64) {
        let mut world = 0;
        let mut ran = 0;
        let mut unnoticed = 0;
        for (run, disturbance) in story {
            for _ in 0..*run {
                world += 1;
                ran += 1;
                self.beat_waits |= observatory_lives && world % BEAT_EVERY == 0;
                self.run(world);
            }
            match *disturbance {
                Disturbance::Stopped(by) => {
                    let before = world;
                    world += by;
                    self.clock += by;
                    if by + 1 < ATTENTION {
                        unnoticed += by;
                    }
                    self.beat_waits =
                        observatory_lives && before / BEAT_EVERY != world / BEAT_EVERY;
                }
                Disturbance::ClockBack(by) => self.clock -= by,
                Disturbance::Killed(by) => {
                    world += by;
                    self.clock = 1_000_000;
                    let saved = self.saved.aged(ticks(by));
                    let now = Instant::from_ticks(self.clock);
                    self.alarm = Alarm::restore(*self.alarm.config(), saved, now);
                }
            }
        }
        (ran, ran + unnoticed)
    }
}

fn story(run: std::ops::Range<u64>) -> impl Strategy<Value = Vec<(u64, Disturbance)>> {
    let length = || prop_oneof![0..5_u64, 0..1000_u64];
    let disturbance = prop_oneof![
        length().prop_map(Disturbance::Stopped),
        length().prop_map(Disturbance::ClockBack),
        length().prop_map(Disturbance::Killed),
    ];
    prop::collection::vec((run, disturbance), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn m3_an_observatory_that_lives_raises_no_alarm_whatever_happens_to_the_monitor(
        // Each life is long enough to hear a beat.
        story in story(BEAT_EVERY..5 * BEAT_EVERY),
    ) {
        let mut monitor = Monitor::new();
        monitor.live(&story, true);
        prop_assert_eq!(monitor.reported, []);
    }

    #[test]
    fn m1_m3_m4_a_dead_observatory_raises_one_alarm_whatever_happens_to_the_monitor(
        // Each life is long enough to save something.
        story in story(SAVE_EVERY + 1..40),
    ) {
        let mut monitor = Monitor::new();
        let (ran, listened) = monitor.live(&story, false);
        // Each disturbance costs at most the moments since the last save, and the one that notices
        // it.
        let disturbances = u64::try_from(story.len()).unwrap();
        let observed = ran.saturating_sub(disturbances * (SAVE_EVERY + 1));
        prop_assert!(monitor.reported.len() <= 1);
        if observed >= ALERT_AFTER + CHECK_EVERY {
            prop_assert_eq!(monitor.reported.len(), 1);
        }
        if monitor.reported.len() == 1 {
            prop_assert!(listened >= ALERT_AFTER);
        }
    }
}
