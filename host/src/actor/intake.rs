//! What is done at once, and what is refused, when more commands come than the actor can answer
//! (L1).
//!
//! Echoes and `set`s of critical heartbeats are always taken: they keep the dome open, and cost
//! little. Of everything else each commander gets so much, and so do all of them together. Beyond
//! that a command is refused before it is decoded, with one short reply that says so; and when even
//! those are too many, it is only counted.

use std::time::Duration;

use embassy_time::Instant;

use crate::clu::bus::{Header, Message};
use crate::clu::quota::{Limit, Meter, Quota};

/// Commands of one commander: 200 a second.
const COMMANDER: Limit = Limit {
    burst: 500,
    each: Duration::from_millis(5),
};
/// Commands of all commanders together: 250 a second.
const EVERYBODY: Limit = Limit {
    burst: 1000,
    each: Duration::from_millis(4),
};
/// Replies that say that the actor is busy: 100 a second.
const BUSY: Limit = Limit {
    burst: 300,
    each: Duration::from_millis(10),
};

/// What to do with a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Admission {
    /// Whatever it asks for.
    Admitted,
    /// Tell the commander that the actor is busy.
    Busy,
    /// Nothing: too many are logged already.
    Unanswered,
}

pub(super) struct Intake {
    commands: Quota,
    busy: Meter,
}

impl Intake {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            commands: Quota::new(COMMANDER, EVERYBODY, now),
            busy: Meter::new(BUSY, now),
        }
    }

    /// Takes a command that came another way.
    pub(super) fn admit_apart(&mut self, commander: &str, now: Instant) -> bool {
        self.commands.take(commander, now)
    }

    /// Takes a message from the command queue, by what its sender calls itself.
    pub(super) fn admit(&mut self, message: &Message, now: Instant) -> Admission {
        let commander = match message.headers.get("commander_id") {
            Some(Header::Text(name)) => name.as_str(),
            Some(Header::Bool(_) | Header::Int(_) | Header::Null | Header::Other) | None => "",
        };
        if self.commands.take(commander, now) {
            Admission::Admitted
        } else if self.busy.take(now) {
            Admission::Busy
        } else {
            Admission::Unanswered
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l1_whoever_floods_is_told_so_a_bounded_number_of_times() {
        let now = Instant::from_secs(10);
        let mut intake = Intake::new(now);
        let mut admit = |commander: &str| {
            let commander = Header::Text(commander.to_owned());
            let message = Message {
                headers: [("commander_id".to_owned(), commander)].into(),
                ..Message::default()
            };
            intake.admit(&message, now)
        };
        let flood: Vec<_> = (0..5000).map(|_| admit("flood.lvmbeat")).collect();
        let count = |what| flood.iter().filter(|it| **it == what).count();
        assert_eq!(count(Admission::Admitted), 500);
        assert_eq!(count(Admission::Busy), 300);
        assert_eq!(count(Admission::Unanswered), 4200);
        assert_eq!(admit("gort.lvmbeat"), Admission::Admitted);
    }
}
