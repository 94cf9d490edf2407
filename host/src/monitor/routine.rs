//! What is sent at its time whether or not anything is wrong: a test message, so that a channel
//! that is dead is noticed, and a summary. Pure: no I/O, time is an argument.
//!
//! It lives on the wall clock, as people do; nothing else depends on it.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::notice::{Event, Summary};
use super::outbox::Entry;
use crate::config::monitor::{Monitor, Schedule};

/// What was missed for longer, because the monitor was not running, is left out.
const LATEST: SignedDuration = SignedDuration::from_hours(6);

/// Both, and when each was last sent.
#[derive(Debug)]
pub(super) struct Routine {
    test: Option<Schedule>,
    summary: Option<Schedule>,
    zone: TimeZone,
    sent: Sent,
}

/// What survives a restart.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Default, Debug)]
#[serde(default)]
pub(super) struct Sent {
    test: Option<Timestamp>,
    summary: Option<Timestamp>,
}

impl Routine {
    pub(super) fn restore(config: &Monitor, sent: Sent, wall: Timestamp) -> Self {
        // A clock that was wrong puts nothing off for good.
        let before = |sent: Option<Timestamp>| Some(sent.map_or(wall, |sent| sent.min(wall)));
        Self {
            test: config.test_at,
            summary: config.summary_at,
            zone: config.wording.time_zone.clone(),
            sent: Sent {
                test: before(sent.test),
                summary: before(sent.summary),
            },
        }
    }

    pub(super) fn save(&self) -> Sent {
        self.sent
    }

    /// Whether it is time for a test message.
    pub(super) fn test(&mut self, wall: Timestamp) -> bool {
        is_due(self.test, &self.zone, &mut self.sent.test, wall)
    }

    /// Since when things have to be summed up, if it is time.
    pub(super) fn summary(&mut self, wall: Timestamp) -> Option<Timestamp> {
        let before = self.sent.summary;
        let is_due = is_due(self.summary, &self.zone, &mut self.sent.summary, wall);
        before.filter(|_| is_due)
    }
}

fn is_due(
    schedule: Option<Schedule>,
    zone: &TimeZone,
    sent: &mut Option<Timestamp>,
    wall: Timestamp,
) -> bool {
    let Some(last) = schedule.and_then(|schedule| schedule.last(wall, zone)) else {
        return false;
    };
    if sent.is_some_and(|sent| last <= sent) {
        return false;
    }
    *sent = Some(last);
    wall.duration_since(last) < LATEST
}

/// What was raised since then.
pub(super) fn summary(log: &[Entry], from: Timestamp, to: Timestamp) -> Summary {
    let since = log.iter().filter(|entry| entry.notice.raised >= from);
    let (mut silences, mut held) = (0, 0);
    for entry in since {
        match entry.notice.event {
            Event::Down(_) => silences += 1,
            Event::Held(_) => held += 1,
            Event::Reminder(_)
            | Event::Up(_)
            | Event::EnabledAgain
            | Event::HeldReminder(_)
            | Event::Released(_)
            | Event::Test
            | Event::Summary(_) => {}
        }
    }
    Summary {
        from,
        to,
        silences,
        held,
        open: 0,
        last_seen: None,
        failing: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::config;
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn made(sent: Sent, wall: &str) -> Routine {
        let config = Monitor {
            test_at: Schedule::parse("thu 12:00"),
            summary_at: Schedule::parse("09:00"),
            ..config()
        };
        Routine::restore(&config, sent, at(wall))
    }

    #[test]
    fn each_is_sent_once_at_its_time_and_after_a_restart_not_again() {
        let mut routine = made(Sent::default(), "2026-01-01T08:00:00Z");
        assert_eq!(routine.summary(at("2026-01-01T08:59:59Z")), None);
        let from = routine.summary(at("2026-01-01T09:00:01Z"));
        assert_eq!(from, Some(at("2026-01-01T08:00:00Z")));
        assert!(!routine.test(at("2026-01-01T11:59:59Z")));
        assert!(routine.test(at("2026-01-01T12:00:00Z")));
        let mut routine = made(routine.save(), "2026-01-01T12:00:10Z");
        assert!(!routine.test(at("2026-01-02T12:00:10Z")));
        let from = routine.summary(at("2026-01-02T09:00:00Z"));
        assert_eq!(from, Some(at("2026-01-01T09:00:00Z")));
        assert!(routine.test(at("2026-01-08T12:00:10Z")));
    }

    #[test]
    fn what_was_missed_for_long_is_left_out_and_a_clock_that_was_wrong_puts_nothing_off() {
        let sent = made(Sent::default(), "2036-01-01T08:00:00Z").save();
        let mut routine = made(sent, "2026-01-01T08:00:00Z");
        assert!(!routine.test(at("2026-01-01T18:00:00Z")));
        assert!(routine.test(at("2026-01-08T17:59:00Z")));
    }
}
