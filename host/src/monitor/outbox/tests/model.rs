//! Any sequence of operations, against what the promises say.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Down,
    Reminder,
    Up,
    EnabledAgain,
    /// All that was pushed is on the disk.
    Released,
    /// Takes what is due.
    Take,
    Delivered(usize),
    Failed(usize, Option<u64>),
    Later(u64),
    /// The process dies. Only what was saved last is known.
    Killed,
    Saved,
}

const CHANNELS: [&str; 2] = ["a", "b"];

fn step() -> impl Strategy<Value = Step> {
    let failed = (0_usize..2, proptest::option::of(0_u64..2000));
    prop_oneof![
        3 => Just(Step::Down),
        2 => Just(Step::Reminder),
        3 => Just(Step::Up),
        1 => Just(Step::EnabledAgain),
        6 => Just(Step::Released),
        8 => Just(Step::Take),
        4 => (0_usize..2).prop_map(Step::Delivered),
        3 => failed.prop_map(|(channel, asked)| Step::Failed(channel, asked)),
        3 => (1_u64..1000).prop_map(Step::Later),
        1 => Just(Step::Killed),
        5 => Just(Step::Saved),
    ]
}

/// Everything that ever happened, kept as plainly as possible. Nothing is superseded here.
#[derive(Clone, Default)]
struct Naive {
    all: Vec<Notice>,
    delivered: [BTreeSet<NoticeId>; 2],
    incidents: u128,
}

impl Naive {
    fn is_down(&self) -> bool {
        let mut states = self.all.iter().filter(|notice| is_state(notice));
        states
            .next_back()
            .is_some_and(|newest| !matches!(newest.event, Event::Up(_)))
    }

    fn event(&mut self, step: Step) -> Option<(Uuid, Event)> {
        let is_down = self.is_down();
        let event = match step {
            Step::Down => Event::Down(silence()),
            Step::Reminder => Event::Reminder(silence()),
            Step::Up => Event::Up(silence()),
            Step::EnabledAgain => return Some((Uuid::new_v4(), Event::EnabledAgain)),
            Step::Released
            | Step::Take
            | Step::Delivered(_)
            | Step::Failed(..)
            | Step::Later(_)
            | Step::Killed
            | Step::Saved => return None,
        };
        if !is_down && !matches!(event, Event::Down(_)) {
            return None;
        }
        if !is_down {
            self.incidents += 1;
        }
        Some((incident(self.incidents), event))
    }

    /// Whether this channel need not deliver that notice, as it has delivered, or will deliver,
    /// those of `ids`.
    fn is_settled(&self, notice: &Notice, ids: &BTreeSet<NoticeId>) -> bool {
        if ids.contains(&notice.id) {
            return true;
        }
        let later = || self.all.iter().filter(|other| other.id > notice.id);
        if !is_state(notice) {
            return later().any(|other| !is_state(other) && ids.contains(&other.id));
        }
        let incidents: BTreeSet<_> = later()
            .filter(|other| is_state(other) && other.incident != notice.incident)
            .map(|other| other.incident)
            .collect();
        // So many that it was given up.
        if incidents.len() >= MAX_PENDING / 2 - 1 {
            return true;
        }
        let same = |other: &&Notice| other.incident == notice.incident;
        let began = matches!(notice.event, Event::Down(_))
            && !self
                .all
                .iter()
                .filter(same)
                .any(|other| other.id < notice.id && matches!(other.event, Event::Down(_)));
        !began && later().filter(same).any(|other| ids.contains(&other.id))
    }
}

fn is_state(notice: &Notice) -> bool {
    !matches!(notice.event, Event::EnabledAgain)
}

proptest! {
    #[test]
    fn m2_m4_every_notice_is_delivered_or_superseded_and_none_twice(steps in proptest::collection::vec(step(), 1..250)) {
        let mut outbox = outbox(&CHANNELS);
        let mut naive = Naive::default();
        let mut disk = (outbox.save(), naive.clone());
        let mut released = outbox.end();
        let mut flying: [BTreeSet<NoticeId>; 2] = Default::default();
        let mut now = T0;
        for step in steps {
            if let Some((incident, event)) = naive.event(step) {
                let id = outbox.push(incident, WALL, event.clone());
                naive.all.push(Notice { id, incident, raised: WALL, event });
            }
            match step {
                Step::Released => {
                    outbox.release(outbox.end());
                    released = outbox.end();
                }
                Step::Take => while let Some(delivery) = outbox.take_due(now) {
                    let channel = delivery.channels[0];
                    prop_assert_eq!(delivery.channels.len(), 1);
                    prop_assert!(flying[channel].is_empty(), "two are under way");
                    let ids: Vec<_> = delivery.notices.iter().map(|notice| notice.id).collect();
                    prop_assert!(!ids.is_empty());
                    prop_assert!(ids.is_sorted());
                    prop_assert!(ids.iter().all(|id| *id < released), "before it was on the disk");
                    prop_assert!(ids.iter().all(|id| !naive.delivered[channel].contains(id)), "delivered again");
                    prop_assert!(delivery.notices.iter().all(|notice| naive.all.contains(notice)));
                    flying[channel].extend(ids);
                },
                Step::Delivered(channel) => {
                    outbox.delivered(channel, WALL);
                    let ids = std::mem::take(&mut flying[channel]);
                    naive.delivered[channel].extend(ids);
                }
                Step::Failed(channel, asked) => {
                    outbox.fails(channel, asked, now);
                    flying[channel].clear();
                }
                Step::Later(by) => now += secs(by),
                Step::Saved => disk = (outbox.save(), naive.clone()),
                Step::Killed => {
                    outbox = restore(disk.0.clone(), &CHANNELS);
                    naive = disk.1.clone();
                    released = outbox.end();
                    flying = Default::default();
                }
                Step::Down | Step::Reminder | Step::Up | Step::EnabledAgain => {}
            }
            for channel in 0..2 {
                let pending = outbox.pending(channel);
                prop_assert!(pending.len() <= MAX_PENDING);
                prop_assert!(pending.is_sorted());
                let mut ids = naive.delivered[channel].clone();
                ids.extend(pending);
                for notice in &naive.all {
                    // What is under way may fail.
                    prop_assert!(naive.is_settled(notice, &ids), "{:?} is not delivered", notice);
                }
            }
            prop_assert!(outbox.log().len() <= LOG + 4 * MAX_PENDING);
        }
        // In the end, with channels that work, nothing waits.
        outbox.release(outbox.end());
        for _ in 0..2 {
            for channel in 0..2 {
                outbox.delivered(channel, WALL);
            }
            now += secs(600);
            while outbox.take_due(now).is_some() {}
        }
        for channel in 0..2 {
            outbox.delivered(channel, WALL);
            prop_assert_eq!(outbox.pending(channel), &[]);
        }
    }
}
