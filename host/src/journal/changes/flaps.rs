//! A run of changes between late and well, with nothing else in between. Pure: time is an argument.

use embassy_time::{Duration, Instant};
use jiff::Timestamp;

use crate::journal::entry::Event;
use crate::report::Health;

/// So many changes in a row are told one by one.
const ONE_BY_ONE: u32 = 4;
/// A run is told when it has lasted for so long, and goes on.
const LONGEST: Duration = Duration::from_secs(3600);
/// It is over when nothing has changed for so long.
const QUIET: Duration = Duration::from_secs(600);

/// The present run.
#[derive(Default, Debug)]
pub(super) struct Flaps {
    changes: u32,
    last: Option<Instant>,
    counted: Option<Counted>,
}

/// What was not told yet.
#[derive(Debug)]
struct Counted {
    times: u64,
    from: Instant,
    since: Timestamp,
    state: Health,
    causes: Vec<String>,
}

impl Flaps {
    /// The health changed to late or well. Whether that is only counted.
    pub(super) fn counts(
        &mut self,
        state: Health,
        causes: impl FnOnce() -> Vec<String>,
        now: Instant,
        wall: Timestamp,
    ) -> bool {
        self.changes = self.changes.saturating_add(1);
        self.last = Some(now);
        if self.changes <= ONE_BY_ONE {
            return false;
        }
        let counted = self.counted.get_or_insert_with(|| Counted {
            times: 0,
            from: now,
            since: wall,
            state,
            causes: Vec::new(),
        });
        counted.state = state;
        if state == Health::Late {
            counted.times = counted.times.saturating_add(1);
            counted.causes = causes();
        }
        true
    }

    /// What has to be told although nothing else happens: to be called at each look.
    pub(super) fn due(&mut self, now: Instant) -> Option<Event> {
        let is_past = |since: Instant, limit| {
            let age = now.checked_duration_since(since);
            age.is_some_and(|age| age >= limit)
        };
        if self.last.is_some_and(|last| is_past(last, QUIET)) {
            return std::mem::take(self).told();
        }
        let counted = self
            .counted
            .take_if(|counted| is_past(counted.from, LONGEST));
        counted.map(Counted::event)
    }

    /// The run is over.
    pub(super) fn told(self) -> Option<Event> {
        self.counted.map(Counted::event)
    }
}

impl Counted {
    fn event(self) -> Event {
        Event::Flapped {
            times: self.times,
            since: self.since,
            state: self.state.as_str().to_owned(),
            causes: self.causes,
        }
    }
}
