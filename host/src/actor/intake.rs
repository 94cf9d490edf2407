//! What is done at once, and what has to wait its turn, when more commands come than the actor can answer (L1).
//!
//! Echoes and `set`s of critical heartbeats are always taken: they keep the dome open, and cost little. Of everything else each commander
//! gets so much, and so do all of them together, because a commander calls itself what it likes. Beyond that a command is refused before it is
//! decoded, with one short reply that says so; and when even those are too many, it is only counted.

use std::collections::HashMap;
use std::time::Duration;

use embassy_time::Instant;

use crate::clu::bus::{Header, Message};
use crate::config::core_duration;

/// Commands of one commander: so many at once, and one more after each such time (200 a second).
const COMMANDER: Limit = Limit {
    burst: 500,
    each: Duration::from_millis(5),
};
/// Commands of all commanders together (1000 a second).
const EVERYBODY: Limit = Limit {
    burst: 2000,
    each: Duration::from_millis(1),
};
/// Replies that say that the actor is busy (200 a second).
const BUSY: Limit = Limit {
    burst: 500,
    each: Duration::from_millis(5),
};
/// So many commanders are told apart; others share one limit until there is room.
const COMMANDERS: usize = 256;
/// How often there is looked for room.
const SWEEP: Duration = Duration::from_millis(250);
/// A command string that is longer than this is no `set` of a critical heartbeat.
const LONGEST_SET: usize = 512;

/// What to do with a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Admission {
    /// Whatever it asks for.
    Admitted,
    /// Tell the commander that the actor is busy.
    Busy,
    /// Nothing: too many are told already.
    Unanswered,
}

/// Counts what each commander has had. Each call costs a constant number of steps, but for one sweep several times a second.
pub(super) struct Intake {
    commanders: HashMap<String, Meter>,
    /// Of those that are not told apart.
    others: Meter,
    everybody: Meter,
    busy: Meter,
    swept: Instant,
}

impl Intake {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            commanders: HashMap::new(),
            others: Meter::new(COMMANDER, now),
            everybody: Meter::new(EVERYBODY, now),
            busy: Meter::new(BUSY, now),
            swept: now,
        }
    }

    /// Takes a message from the command queue, by what its sender calls itself.
    pub(super) fn admit(&mut self, message: &Message, now: Instant) -> Admission {
        let commander = match message.headers.get("commander_id") {
            Some(Header::Text(name)) => name.as_str(),
            Some(Header::Bool(_) | Header::Int(_) | Header::Null | Header::Other) | None => "",
        };
        if self.meter(commander, now).take(now) && self.everybody.take(now) {
            Admission::Admitted
        } else if self.busy.take(now) {
            Admission::Busy
        } else {
            Admission::Unanswered
        }
    }

    fn meter(&mut self, commander: &str, now: Instant) -> &mut Meter {
        if !self.commanders.contains_key(commander) {
            if self.commanders.len() >= COMMANDERS {
                self.sweep(now);
            }
            if self.commanders.len() >= COMMANDERS {
                return &mut self.others;
            }
            let meter = Meter::new(COMMANDER, now);
            self.commanders.insert(commander.to_owned(), meter);
        }
        self.commanders
            .get_mut(commander)
            .unwrap_or(&mut self.others)
    }

    /// Forgets those that have all of their limit again.
    fn sweep(&mut self, now: Instant) {
        let since = now.checked_duration_since(self.swept);
        if since.is_some_and(|since| since < core_duration(SWEEP)) {
            return;
        }
        self.swept = now;
        self.commanders.retain(|_, meter| !meter.is_full(now));
    }
}

/// Whether it is worth decoding that message because it may be a `set`. Costs one look at a short body.
pub(super) fn may_be_set(message: &Message) -> bool {
    message.body.len() <= LONGEST_SET
        && str::from_utf8(&message.body).is_ok_and(|body| body.contains("\"set "))
}

#[derive(Clone, Copy)]
struct Limit {
    burst: u32,
    each: Duration,
}

/// A limit in use: it is empty until `free_at` is no further away than its burst lasts.
struct Meter {
    limit: Limit,
    free_at: Instant,
}

impl Meter {
    fn new(limit: Limit, now: Instant) -> Self {
        Self {
            limit,
            free_at: now,
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        let start = self.free_at.max(now);
        let waits = start.saturating_duration_since(now);
        if waits > core_duration(self.limit.each * (self.limit.burst - 1)) {
            return false;
        }
        self.free_at = start
            .checked_add(core_duration(self.limit.each))
            .unwrap_or(start);
        true
    }

    fn is_full(&self, now: Instant) -> bool {
        self.free_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(commander: &str) -> Message {
        let commander = Header::Text(commander.to_owned());
        Message {
            headers: [("commander_id".to_owned(), commander)].into(),
            ..Message::default()
        }
    }

    fn at(millis: u64) -> Instant {
        Instant::from_millis(10_000 + millis)
    }

    /// How many of these are admitted, told that the actor is busy, and not answered.
    fn admitted(intake: &mut Intake, messages: &[Message], now: Instant) -> [usize; 3] {
        let mut counts = [0; 3];
        for message in messages {
            counts[match intake.admit(message, now) {
                Admission::Admitted => 0,
                Admission::Busy => 1,
                Admission::Unanswered => 2,
            }] += 1;
        }
        counts
    }

    #[test]
    fn l1_a_commander_that_floods_leaves_room_for_the_others() {
        let mut intake = Intake::new(at(0));
        let flood = vec![of("flood.lvmbeat"); 10_000];
        assert_eq!(admitted(&mut intake, &flood, at(0)), [500, 500, 9000]);
        let other = [of("gort.lvmbeat")];
        assert_eq!(admitted(&mut intake, &other, at(0)), [1, 0, 0]);
        // A second later it has what a second gives.
        assert_eq!(admitted(&mut intake, &flood, at(1000)), [200, 200, 9600]);
    }

    #[test]
    fn l1_a_commander_of_many_names_has_a_bound_and_takes_bounded_room() {
        let mut intake = Intake::new(at(0));
        let flood: Vec<_> = (0..10_000).map(|n| of(&format!("{n}.lvmbeat"))).collect();
        let [admitted_at_once, busy, _] = admitted(&mut intake, &flood, at(0));
        assert_eq!((admitted_at_once, busy), (256 + 500, 500));
        assert_eq!(intake.commanders.len(), COMMANDERS);
        for second in 1..10 {
            let [admitted, busy, _] = admitted(&mut intake, &flood, at(second * 1000));
            assert!(admitted <= 2000, "{admitted}");
            assert!(busy <= 500, "{busy}");
            assert!(intake.commanders.len() <= COMMANDERS);
        }
        // When they are silent for a while, somebody new is told apart again.
        assert_eq!(
            admitted(&mut intake, &[of("gort.lvmbeat")], at(60_000)),
            [1, 0, 0]
        );
    }

    #[test]
    fn whoever_sends_a_few_a_second_is_never_busy() {
        let mut intake = Intake::new(at(0));
        for tick in 0..1000 {
            let few = [of("gort.lvmbeat"), of(""), Message::default()];
            assert_eq!(admitted(&mut intake, &few, at(tick * 20)), [3, 0, 0]);
        }
    }

    #[test]
    fn what_may_be_a_set_is_told_from_its_bytes() {
        let body = |body: &[u8]| Message {
            body: body.to_vec(),
            ..Message::default()
        };
        assert!(may_be_set(&body(
            br#"{"command_string": "set overwatcher"}"#
        )));
        assert!(!may_be_set(&body(br#"{"command_string": "status"}"#)));
        assert!(!may_be_set(&body(b"\xff\"set x\"")));
        assert!(!may_be_set(&body(
            &[b"\"set x\"", &[b' '; 600][..]].concat()
        )));
    }
}
