//! The last days: when the observatory was silent, when the monitor itself was not listening, and
//! what the reports said. For showing only.

pub mod course;
pub mod incident;

use course::Course;
use incident::Incidents;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::report::{Health, Report};

/// How far back it goes.
const KEPT: SignedDuration = SignedDuration::from_hours(8 * 24);
/// How many periods are kept, the latest.
const MAX_PERIODS: usize = 1000;

/// Periods in which not all was well, oldest first. Between them the observatory was heard.
///
/// It lives on the wall clock, which may be stepped at any moment. What lies in the future is
/// forgotten, so that a clock that was wrong for a while does no lasting harm.
#[derive(Serialize, Deserialize, Clone, PartialEq, Default, Debug)]
#[serde(default)]
pub struct History {
    /// When the first beat was heard; nothing is known before.
    pub begins: Option<Timestamp>,
    /// The periods. They do not overlap.
    pub periods: Vec<Period>,
    /// What the reports said.
    pub course: Course,
    /// What went wrong.
    pub incidents: Incidents,
}

/// One of them.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub struct Period {
    /// What was the matter.
    pub what: What,
    /// Its begin: of a silence, the last beat before it.
    pub from: Timestamp,
    /// Its end; it goes on if there is none.
    pub to: Option<Timestamp>,
}

/// What was the matter.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The observatory was silent for long enough to alarm.
    Silent,
    /// The monitor was not listening.
    Blind,
}

impl History {
    /// The observatory is heard: a silence is over.
    pub(super) fn heard(&mut self, wall: Timestamp) {
        self.begins.get_or_insert(wall);
        self.close(wall);
        self.incidents.heard(wall);
    }

    /// A report was received; that it was heard is said beside it. What an actor on stand-by says
    /// of the dome heartbeat is nothing.
    pub(super) fn reported(&mut self, report: &Report, wall: Timestamp) {
        if report.standing() != Health::Unknown {
            self.course.reported(report, wall);
            self.incidents.reported(report, wall);
        }
    }

    /// The observatory has been silent since `from` for long enough to alarm. May be called again
    /// and again; what is known changes nothing.
    pub(super) fn silent(&mut self, from: Timestamp, wall: Timestamp) {
        if self.begins.is_none() || self.is_silent() {
            return;
        }
        self.clean(wall);
        // Where the monitor did not listen in between, it is not known to have been silent.
        let mut cursor = from.min(wall);
        let mut known = Vec::new();
        while let Some(last) = self.periods.pop_if(|last| last.end() > cursor) {
            known.push(last);
        }
        for period in known.into_iter().rev() {
            self.add(What::Silent, cursor, Some(period.from));
            cursor = cursor.max(period.end());
            self.periods.push(period);
        }
        self.add(What::Silent, cursor, None);
        self.incidents.silent(from.min(wall));
    }

    /// The monitor was not listening in this time.
    pub(super) fn blind(&mut self, from: Timestamp, to: Timestamp) {
        if self.begins.is_none() || from >= to {
            return;
        }
        self.clean(to);
        let was_silent = self.is_silent();
        self.close(from);
        let begin = self
            .periods
            .last()
            .map_or(from, |last| from.max(last.end()));
        self.add(What::Blind, begin, Some(to));
        if was_silent {
            self.add(What::Silent, to, None);
        }
        self.incidents.blind(begin, to);
    }

    fn is_silent(&self) -> bool {
        self.periods.last().is_some_and(|last| last.to.is_none())
    }

    fn close(&mut self, wall: Timestamp) {
        if let Some(open) = self.periods.last_mut().filter(|last| last.to.is_none()) {
            open.to = Some(wall.max(open.from));
        }
    }

    /// Adds a period at the end, unless nothing would be in it.
    fn add(&mut self, what: What, from: Timestamp, to: Option<Timestamp>) {
        if to.is_none_or(|to| from < to) {
            self.periods.push(Period { what, from, to });
        }
    }

    /// Forgets what is too old, and what would not have happened yet.
    fn clean(&mut self, wall: Timestamp) {
        self.course.clean(wall);
        self.incidents.clean(wall);
        let oldest = wall.saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
        self.begins = self.begins.map(|begins| begins.min(wall));
        self.periods.retain_mut(|period| {
            if period.to.is_some_and(|to| to > wall) {
                period.to = Some(wall);
            }
            period.from < wall && period.to.is_none_or(|to| to > oldest)
        });
        // Room for what is about to be added.
        let many = self.periods.len().saturating_sub(MAX_PERIODS - 2);
        self.periods.drain(..many);
    }
}

impl Period {
    /// Its end; the end of time if it goes on.
    fn end(&self) -> Timestamp {
        self.to.unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + secs).unwrap()
    }

    /// One that was begun at 0.
    fn begun() -> History {
        let mut history = History::default();
        history.heard(at(0));
        history
    }

    /// Its periods in short: S or B, begin, end.
    fn periods(history: &History) -> Vec<(char, i64, Option<i64>)> {
        let secs = |time: Timestamp| time.duration_since(at(0)).as_secs();
        let short = |period: &Period| {
            let what = match period.what {
                What::Silent => 'S',
                What::Blind => 'B',
            };
            (what, secs(period.from), period.to.map(secs))
        };
        history.periods.iter().map(short).collect()
    }

    #[test]
    fn nothing_is_known_before_the_first_beat() {
        let mut history = History::default();
        history.silent(at(0), at(300));
        history.blind(at(0), at(300));
        assert_eq!(history, History::default());
        history.heard(at(400));
        history.heard(at(500));
        assert_eq!(history.begins, Some(at(400)));
        assert_eq!(periods(&history), []);
    }

    #[test]
    fn a_silence_begins_with_the_last_beat_and_ends_with_the_next() {
        let mut history = begun();
        for wall in 300..310 {
            history.silent(at(5), at(wall));
        }
        assert_eq!(periods(&history), [('S', 5, None)]);
        history.heard(at(400));
        history.heard(at(415));
        assert_eq!(periods(&history), [('S', 5, Some(400))]);
        history.silent(at(415), at(800));
        let second = ('S', 415, None);
        assert_eq!(periods(&history), [('S', 5, Some(400)), second]);
    }

    #[test]
    fn where_the_monitor_did_not_listen_it_is_not_known_to_have_been_silent() {
        let mut history = begun();
        history.blind(at(100), at(200));
        history.blind(at(300), at(310));
        history.silent(at(50), at(600));
        assert_eq!(
            periods(&history),
            [
                ('S', 50, Some(100)),
                ('B', 100, Some(200)),
                ('S', 200, Some(300)),
                ('B', 300, Some(310)),
                ('S', 310, None),
            ]
        );
    }

    #[test]
    fn a_silence_goes_on_after_the_monitor_did_not_listen() {
        let mut history = begun();
        history.silent(at(0), at(300));
        history.blind(at(400), at(500));
        let expected = [('S', 0, Some(400)), ('B', 400, Some(500)), ('S', 500, None)];
        assert_eq!(periods(&history), expected);
    }

    #[test]
    fn times_of_blindness_do_not_overlap_and_none_is_empty() {
        let mut history = begun();
        history.blind(at(100), at(200));
        history.blind(at(150), at(250));
        history.blind(at(300), at(300));
        history.blind(at(400), at(350));
        let expected = [('B', 100, Some(200)), ('B', 200, Some(250))];
        assert_eq!(periods(&history), expected);
    }

    #[test]
    fn what_is_older_than_eight_days_is_forgotten() {
        const DAY: i64 = 24 * 3600;
        let mut history = begun();
        history.blind(at(100), at(200));
        history.blind(at(DAY), at(DAY + 10));
        history.blind(at(8 * DAY + 300), at(8 * DAY + 310));
        let begins: Vec<_> = periods(&history).iter().map(|(_, from, _)| *from).collect();
        assert_eq!(begins, [DAY, 8 * DAY + 300]);
    }

    #[test]
    fn a_wall_clock_that_was_wrong_for_a_while_does_no_lasting_harm() {
        let mut history = History::default();
        history.heard(at(1_000_000));
        history.silent(at(1_000_000), at(1_000_300));
        history.heard(at(1_000_400));
        history.blind(at(5), at(10));
        assert_eq!(history.begins, Some(at(10)));
        assert_eq!(periods(&history), [('B', 5, Some(10))]);
        // Also a period that is going on.
        history.silent(at(20), at(400));
        history.heard(at(1));
        assert_eq!(periods(&history).last(), Some(&('S', 20, Some(20))));
    }

    #[test]
    fn a_state_of_an_earlier_version_has_no_incidents_yet() {
        let earlier = r#"{"begins": "2026-01-01T00:00:00Z", "periods": []}"#;
        let history: History = serde_json::from_str(earlier).unwrap();
        assert_eq!(history.incidents, Incidents::default());
        assert_eq!(history.course, Course::default());
    }

    #[test]
    fn what_a_stand_by_reports_neither_begins_nor_ends_anything() {
        let mut history = begun();
        let report = |state| Report {
            health: Some(crate::report::HealthReport {
                state: Some(state),
                ..crate::report::HealthReport::default()
            }),
            ..Report::default()
        };
        history.reported(&report(Health::Held), at(10));
        history.reported(&report(Health::Unknown), at(12));
        history.heard(at(12));
        assert_eq!(history.incidents.0.len(), 1);
        assert_eq!(history.incidents.0[0].to, None);
        assert_eq!(history.course.health.len(), 1);
    }

    #[test]
    fn x2_however_much_happens_it_stays_small() {
        let mut history = begun();
        for step in 0..2000 {
            history.silent(at(step * 100), at(step * 100 + 50));
            history.blind(at(step * 100 + 60), at(step * 100 + 70));
            history.heard(at(step * 100 + 90));
        }
        assert!(history.periods.len() <= MAX_PERIODS);
        assert!(history.periods.len() > MAX_PERIODS / 2);
        let periods = history.periods.iter().zip(history.periods.iter().skip(1));
        for (earlier, later) in periods {
            assert!(earlier.end() <= later.from, "{earlier:?}, {later:?}");
        }
    }
}
