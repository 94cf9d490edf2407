//! Engineering mode: lvmecp beats to the PLC on its own, whatever lvmbeat decides.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// When it began and when it ends; `None` when it is off.
#[derive(Clone, Debug)]
pub(super) struct Engineering(watch::Sender<Option<Period>>);

#[derive(Clone, Copy, Debug)]
struct Period {
    started: Timestamp,
    ends: Timestamp,
    deadline: Instant,
}

impl Engineering {
    pub(super) fn off() -> Self {
        Self(watch::Sender::new(None))
    }

    pub(super) fn enable(&self, started: Timestamp, limit: Duration) {
        let now = Instant::now();
        self.0.send_replace(Some(Period {
            started,
            ends: started.saturating_add(limit).unwrap_or(started),
            deadline: now.checked_add(limit).unwrap_or(now),
        }));
    }

    pub(super) fn disable(&self) {
        self.0.send_replace(None);
    }

    /// Its times, for showing.
    pub(super) fn shown(&self) -> Option<(String, String)> {
        let period = *self.0.borrow();
        period.map(|period| (iso(period.started), iso(period.ends)))
    }

    /// Waits until it is on.
    pub(super) async fn begun(&self) {
        // The sender is here, so that there is no error.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }

    /// Whether it is on and has not run out; ends it if it has.
    pub(super) fn is_on(&self) -> bool {
        let period = *self.0.borrow();
        let Some(period) = period else { return false };
        if Instant::now() < period.deadline {
            return true;
        }
        self.disable();
        false
    }

    /// Waits that long, or until it is switched off.
    pub(super) async fn pause(&self, time: Duration) {
        let mut changes = self.0.subscribe();
        // Out of time is what is hoped for.
        let _ = timeout(time, changes.wait_for(Option::is_none)).await;
    }
}

/// A time as keywords give it.
pub(super) fn iso(time: Timestamp) -> String {
    format!("{time:.3}")
}
