//! What one channel has still to deliver.

use embassy_time::Instant;

use super::{Entry, MAX_PENDING, MOST_UNANSWERED, Queue, Unanswered, find};
use crate::monitor::notice::{Event, Notice, NoticeId};

impl Queue {
    /// A delivery is under way.
    pub(in crate::monitor) fn is_delivering(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Time until the next try, if one is waited for.
    pub(in crate::monitor) fn retry_in(&self, now: Instant) -> Option<embassy_time::Duration> {
        let wait = self.wait?;
        let waited = now.checked_duration_since(wait.from)?;
        wait.length
            .checked_sub(waited)
            .filter(|left| left.as_ticks() > 0)
    }

    pub(super) fn shares(&self, other: &Self) -> bool {
        self.server.is_some() && self.server == other.server
    }

    pub(super) fn released(&self, held_from: NoticeId) -> Vec<NoticeId> {
        let pending = self.pending.iter().copied();
        pending.filter(|id| *id < held_from).collect()
    }

    /// Counts one more time that nobody said whether they took it; gives whether that was the last
    /// time.
    pub(super) fn was_sent_in_vain(&mut self, held: &[NoticeId]) -> bool {
        let Some(newest) = held.last().copied() else {
            return false;
        };
        let before = self.unanswered.filter(|before| before.newest == newest);
        let sent = before.map_or(0, |before| before.sent).saturating_add(1);
        self.unanswered = Some(Unanswered { newest, sent });
        if sent < MOST_UNANSWERED {
            return false;
        }
        let error = self.last_error.take().unwrap_or_default();
        self.last_error = Some(format!(
            "{error}; it was sent {sent} times and will not be sent again"
        ));
        true
    }

    pub(super) fn holds(&self, id: NoticeId) -> bool {
        self.pending.contains(&id)
            || self
                .in_flight
                .as_ref()
                .is_some_and(|held| held.contains(&id))
    }

    pub(super) fn supersede(&mut self, log: &[Entry]) {
        let mut notices: Vec<&Notice> = self
            .pending
            .iter()
            .filter_map(|id| find(log, *id))
            .map(|entry| &entry.notice)
            .collect();
        let mut kept = Vec::with_capacity(notices.len());
        for (index, notice) in notices.iter().enumerate() {
            let (earlier, later) = notices.split_at(index);
            let later = later.get(1..).unwrap_or_default();
            if !is_superseded(notice, earlier, later) {
                kept.push(*notice);
            }
        }
        notices = kept;
        while notices.len() > MAX_PENDING {
            let oldest = notices.first().map(|notice| notice.incident);
            let second = notices
                .iter()
                .map(|notice| notice.incident)
                .find(|incident| Some(*incident) != oldest);
            let before = notices.len();
            notices.retain(|notice| Some(notice.incident) != second);
            if notices.len() == before {
                break;
            }
        }
        self.pending = notices.iter().map(|notice| notice.id).collect();
    }
}

fn is_superseded(notice: &Notice, earlier: &[&Notice], later: &[&Notice]) -> bool {
    let same = |other: &&&Notice| other.incident == notice.incident;
    match notice.event {
        Event::EnabledAgain => later
            .iter()
            .any(|other| matches!(other.event, Event::EnabledAgain)),
        Event::Test => later.iter().any(|other| other.event == Event::Test),
        // Each is about another time.
        Event::Summary(_) => false,
        // How it began.
        Event::Down(_) | Event::Held(_)
            if !earlier
                .iter()
                .filter(same)
                .any(|other| matches!(other.event, Event::Down(_) | Event::Held(_))) =>
        {
            false
        }
        Event::Down(_)
        | Event::Reminder(_)
        | Event::Up(_)
        | Event::Held(_)
        | Event::HeldReminder(_)
        | Event::Released(_) => later.iter().any(|other| same(&other)),
    }
}
