//! How the observatory is at this moment, as far as its beats and its last report say so.

use std::time::Duration;

use jiff::Timestamp;

use super::words::elapsed;
use crate::monitor::view::View;
use crate::report::{Dome, Health, Report};

/// A report of this age or older may not be true any more: the actor sends one several times a
/// minute.
pub(super) const OLD_REPORT: Duration = Duration::from_secs(90);
/// A beat is late after so many intervals without one.
const MISSED: u32 = 3;
/// A beat that is due less often than this is none of an actor (X2).
const RAREST: Duration = Duration::from_secs(3600);

/// What is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing<'a> {
    pub(super) now: Now,
    /// The last report and when it was received, whatever has become of it.
    pub(super) last: Option<(&'a Report, Timestamp)>,
    /// How often a beat is due.
    pub(super) beat_every: Duration,
}

/// What is true at this moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Now {
    /// The last report was the actor's farewell.
    Stopped,
    /// Beats are missing.
    Silent,
    /// A report says so that is not old.
    Reported(Health),
    /// Beats come, without a report.
    NothingKnown,
}

impl<'a> Standing<'a> {
    pub(super) fn of(view: &'a View, beat_every: Duration, age: Duration, now: Timestamp) -> Self {
        let last = view.report.as_ref().map(|(report, at)| (report, *at));
        let said = last.and_then(|(report, _)| report.beat_every);
        let said = said.and_then(|every| Duration::try_from_secs_f64(every).ok());
        let said = said.filter(|every| !every.is_zero() && *every <= RAREST);
        let beat_every = said.unwrap_or(beat_every);
        let silence = last_beat_age(view, now, age);
        // Another actor may beat after the farewell, without a report.
        let farewell = last.is_some_and(|(report, received)| {
            report.stopping.is_some() && view.last_seen.is_none_or(|seen| seen <= received)
        });
        let now = if farewell {
            Now::Stopped
        } else if silence.is_some_and(|silence| silence >= beat_every * MISSED) {
            Now::Silent
        } else {
            let fresh = last.filter(|(_, received)| elapsed(*received, now) < OLD_REPORT);
            fresh.map_or(Now::NothingKnown, |(report, _)| {
                Now::Reported(report.standing())
            })
        };
        Self {
            now,
            last,
            beat_every,
        }
    }

    /// Whether the dome is known to be closed.
    pub(super) fn dome_is_closed(&self, now: Timestamp) -> bool {
        let enclosure = self
            .last
            .and_then(|(report, at)| Some((report.enclosure.as_ref()?, at)));
        enclosure.is_some_and(|(enclosure, received)| {
            let age = elapsed(received, now).as_secs_f64();
            enclosure.dome_after(age).0 == Some(Dome::Closed)
        })
    }
}

/// The age of the last beat. The wall clock may have been stepped: it is no less than the silence
/// that was observed.
pub(super) fn last_beat_age(view: &View, now: Timestamp, age: Duration) -> Option<Duration> {
    let seen = view.last_seen?;
    Some(elapsed(seen, now).max(observed(view) + age))
}

pub(super) fn observed(view: &View) -> Duration {
    Duration::from_micros(view.alarm.silence.as_micros())
}
