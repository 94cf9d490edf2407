//! The notices that are still to be delivered, and by which channels. Pure: no I/O, time is an
//! argument.
//!
//! Each channel has a queue of its own, so that one that fails holds no other back (M2). A delivery
//! takes all that its channel has pending as one message: what a channel could not deliver is sent
//! together with what happened since. It stays pending until it was delivered, for ever if need be,
//! and across restarts; what was delivered is not delivered again (M4).
//!
//! # Together
//!
//! The channels of one server, who are recipients of e-mail, deliver together what they have to
//! tell alike, one delivery at a time, and what keeps a server from taking a message keeps it for
//! all of them: they back off together. What it refuses to one is that one's.
//!
//! # Superseded
//!
//! Of one incident, a channel has still to tell no more than how it began and what became of it:
//! between a pending alarm and the latest notice of the same incident nothing is kept, and no
//! reminder that is not the latest. Of several times that alarms were enabled again, the last one.
//! And if a channel fails through so many incidents that [`MAX_PENDING`] is exceeded, whole
//! incidents are given up, from the second-oldest on: the oldest may end an alarm that the channel
//! has delivered, and the newest says how things are.

mod escalation;
mod queue;

use std::collections::BTreeMap;
use std::time::Duration;

use embassy_time::Instant;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::notice::{Event, Notice, NoticeId};
use super::notify::{Failure, Undelivered};
use crate::config::core_duration;
use crate::peer::{self, Secrets};

/// Notices that one channel may have pending.
pub(super) const MAX_PENDING: usize = 32;
/// Notices that are kept for showing.
const LOG: usize = 100;
/// The pause after the first failure in a row; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause, also if the other side asks for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// The longest pause after an answer. It grows by fours: with it no hour has more than ten tries,
/// which is what Azure's managed domains allow. Those that are refused count there.
const LONGEST_AFTER_ANSWER: Duration = Duration::from_secs(900);
/// A message that nobody says to have taken is sent so often, lest it comes for good (M4).
const MOST_UNANSWERED: u32 = 3;

/// The queues of all channels, and the latest notices.
#[derive(Debug)]
pub(super) struct Outbox {
    next: NoticeId,
    /// Notices from this one on may not be tried yet (M2).
    held_from: NoticeId,
    /// In the order of their numbers.
    log: Vec<Entry>,
    /// In the order of the configuration.
    queues: Vec<Queue>,
    /// Those that several channels share, by their names.
    servers: BTreeMap<String, Server>,
}

/// What several channels share.
#[derive(Default, Debug)]
struct Server {
    /// Failures in a row that were all channels'.
    failures: u32,
    /// When the last of them ended.
    failed: Option<Instant>,
}

/// A channel's id, and the server that it shares with others, if so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way<'a> {
    pub(super) id: &'a str,
    pub(super) server: Option<&'a str>,
    /// It waits so long before it hears of an incident.
    pub(super) after: Duration,
}

impl<'a> From<&'a str> for Way<'a> {
    fn from(id: &'a str) -> Self {
        Self {
            id,
            server: None,
            after: Duration::ZERO,
        }
    }
}

/// One notice, and the channels that have delivered it.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub(super) struct Entry {
    /// The notice.
    pub(super) notice: Notice,
    /// The ids of the channels that have delivered it.
    #[serde(default)]
    pub(super) delivered: Vec<String>,
}

/// One channel.
#[derive(Debug)]
pub(super) struct Queue {
    /// The channel's id.
    pub(super) channel: String,
    /// The server that it shares with others.
    server: Option<String>,
    /// It waits so long before it hears of an incident.
    after: Duration,
    /// Incidents that are open and that it has heard of, if it waits.
    escalated: Vec<Uuid>,
    /// Ascending; all are in the log.
    pub(super) pending: Vec<NoticeId>,
    /// What the delivery under way holds.
    in_flight: Option<Vec<NoticeId>>,
    /// Failures in a row.
    pub(super) failures: u32,
    pub(super) last_error: Option<String>,
    pub(super) last_delivered: Option<Timestamp>,
    wait: Option<Wait>,
    unanswered: Option<Unanswered>,
}

/// How often a message was sent without an answer. It is known by its newest notice.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug)]
struct Unanswered {
    newest: NoticeId,
    sent: u32,
}

/// No try for this long. Kept as a begin and a length, so that a clock that goes back ends it.
#[derive(Clone, Copy, Debug)]
struct Wait {
    from: Instant,
    length: embassy_time::Duration,
    /// The other side asked for it: a new notice does not end it.
    asked_for: bool,
    /// It is that of the server, and ends when that has taken a message of another channel.
    is_servers: bool,
}

/// What has to be delivered now.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Delivery {
    /// The channels' places in the configuration: several if they share a server, and never none.
    pub(super) channels: Vec<usize>,
    /// Never empty, oldest first.
    pub(super) notices: Vec<Notice>,
}

/// What survives a restart.
#[derive(Serialize, Deserialize, Clone, PartialEq, Default, Debug)]
#[serde(default)]
pub(super) struct Saved {
    next: u64,
    log: Vec<Entry>,
    /// By the channels' ids.
    pending: BTreeMap<String, Vec<NoticeId>>,
    /// By the channels' ids.
    unanswered: BTreeMap<String, Unanswered>,
    /// By the channels' ids.
    escalated: BTreeMap<String, Vec<Uuid>>,
}

impl Saved {
    /// What others have written, as it may be shown (X1).
    pub(super) fn clean(&mut self, secrets: &Secrets) {
        for entry in &mut self.log {
            let clean = |text: &mut String| *text = peer::shown(text.as_bytes(), secrets);
            match &mut entry.notice.event {
                Event::Down(silence) | Event::Reminder(silence) | Event::Up(silence) => {
                    let texts = silence.last_hold.iter_mut().chain(&mut silence.stopped);
                    texts.for_each(clean);
                }
                Event::Held(trouble) | Event::HeldReminder(trouble) | Event::Released(trouble) => {
                    trouble.texts().for_each(clean);
                }
                Event::EnabledAgain | Event::Test | Event::Summary(_) => {}
            }
        }
    }
}

impl Outbox {
    /// Goes on from what was saved, with the channels of this configuration. Queues of other
    /// channels are dropped; the second value says how many notices were in them. A channel
    /// that is new has nothing to tell. Any values can be restored (X2).
    pub(super) fn restore<'a, W: Into<Way<'a>>>(
        saved: Saved,
        channels: impl Iterator<Item = W>,
    ) -> (Self, usize) {
        let Saved {
            next,
            mut log,
            mut pending,
            mut unanswered,
            mut escalated,
        } = saved;
        log.sort_by_key(|entry| entry.notice.id);
        log.dedup_by_key(|entry| entry.notice.id);
        let last = log.last().map_or(0, |entry| entry.notice.id.0);
        let next = NoticeId(next.max(last.saturating_add(1)));
        let mut outbox = Self {
            next,
            held_from: next,
            log,
            queues: Vec::new(),
            servers: BTreeMap::new(),
        };
        for way in channels {
            let Way {
                id: channel,
                server,
                after,
            } = way.into();
            let mut ids = pending.remove(channel).unwrap_or_default();
            ids.sort_unstable();
            ids.dedup();
            ids.retain(|id| outbox.entry(*id).is_some());
            ids.drain(..ids.len().saturating_sub(2 * MAX_PENDING));
            let mut queue = Queue {
                channel: channel.to_owned(),
                server: server.map(str::to_owned),
                after,
                escalated: escalated.remove(channel).unwrap_or_default(),
                pending: ids,
                in_flight: None,
                failures: 0,
                last_error: None,
                last_delivered: None,
                wait: None,
                unanswered: unanswered.remove(channel),
            };
            queue.supersede(&outbox.log);
            outbox.queues.push(queue);
        }
        outbox.forget();
        (outbox, pending.values().map(Vec::len).sum())
    }

    /// What has to survive a restart.
    pub(super) fn save(&self) -> Saved {
        let queue = |queue: &Queue| (queue.channel.clone(), queue.pending.clone());
        let escalated = |queue: &Queue| (queue.channel.clone(), queue.escalated.clone());
        let waits = |queue: &&Queue| !queue.escalated.is_empty();
        let unanswered = |queue: &Queue| Some((queue.channel.clone(), queue.unanswered?));
        Saved {
            next: self.next.0,
            log: self.log.clone(),
            pending: self.queues.iter().map(queue).collect(),
            unanswered: self.queues.iter().filter_map(unanswered).collect(),
            escalated: self.queues.iter().filter(waits).map(escalated).collect(),
        }
    }

    /// Every channel has to tell this. It is held back until it is on disk ([`Self::release`]).
    pub(super) fn push(&mut self, incident: Uuid, raised: Timestamp, event: Event) -> NoticeId {
        let id = self.next;
        self.next = NoticeId(id.0.saturating_add(1));
        let (is_of_incident, is_end) = (event.is_of_incident(), event.is_end());
        let notice = Notice {
            id,
            incident,
            raised,
            event,
        };
        self.log.push(Entry {
            notice,
            delivered: Vec::new(),
        });
        for queue in &mut self.queues {
            let waits = queue.after > Duration::ZERO && !queue.escalated.contains(&incident);
            if is_end {
                queue.escalated.retain(|known| *known != incident);
            }
            if waits && is_of_incident {
                continue;
            }
            queue.pending.push(id);
            queue.supersede(&self.log);
        }
        self.forget();
        id
    }

    /// The notices before this one exist.
    pub(super) fn end(&self) -> NoticeId {
        self.next
    }

    /// The notices before this one may be tried: they are on disk, or there is no use in waiting
    /// for it (M2). Whatever pause a channel makes that has not tried them yet, it is over,
    /// unless the other side asked for it.
    pub(super) fn release(&mut self, end: NoticeId) {
        let held_from = self.held_from;
        for queue in &mut self.queues {
            if queue.pending.iter().any(|id| (held_from..end).contains(id)) {
                queue.wait = queue.wait.filter(|wait| wait.asked_for);
            }
        }
        self.held_from = held_from.max(end);
    }

    /// The next delivery that is due, if any; it counts as under way from now on. To be called
    /// until it gives `None`.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Delivery> {
        let held_from = self.held_from;
        let is_due = |queue: &Queue| {
            queue.in_flight.is_none()
                && queue.retry_in(now).is_none()
                && queue.pending.first().is_some_and(|id| *id < held_from)
        };
        let is_free = |queue: &Queue| {
            let mut others = self.queues.iter().filter(|other| other.shares(queue));
            others.all(|other| other.in_flight.is_none())
        };
        let first = self
            .queues
            .iter()
            .find(|queue| is_due(queue) && is_free(queue))?;
        let taken = first.released(held_from);
        let channels: Vec<usize> = self
            .queues
            .iter()
            .enumerate()
            .filter(|(_, queue)| {
                let joins = || queue.shares(first) && queue.released(held_from) == taken;
                queue.channel == first.channel || is_due(queue) && joins()
            })
            .map(|(channel, _)| channel)
            .collect();
        for channel in &channels {
            if let Some(queue) = self.queues.get_mut(*channel) {
                queue.wait = None;
                queue.in_flight = Some(taken.clone());
            }
        }
        let entries = taken.iter().filter_map(|id| self.entry(*id));
        let notices = entries.map(|entry| entry.notice.clone()).collect();
        Some(Delivery { channels, notices })
    }

    /// The delivery of this channel that was under way succeeded (M4).
    pub(super) fn delivered(&mut self, channel: usize, wall: Timestamp) {
        let Some(queue) = self.queues.get_mut(channel) else {
            return;
        };
        let Some(ids) = queue.in_flight.take() else {
            return;
        };
        queue.pending.retain(|id| !ids.contains(id));
        queue.failures = 0;
        queue.last_error = None;
        queue.last_delivered = Some(wall);
        queue.unanswered = None;
        let server = queue.server.clone();
        for entry in &mut self.log {
            if ids.contains(&entry.notice.id) && !entry.delivered.contains(&queue.channel) {
                entry.delivered.push(queue.channel.clone());
            }
        }
        if let Some(server) = server {
            self.servers.remove(&server);
            for queue in &mut self.queues {
                if queue.server.as_ref() == Some(&server) {
                    queue.wait = queue.wait.filter(|wait| !wait.is_servers);
                }
            }
        }
        self.forget();
    }

    /// The delivery of this channel that was under way failed: all that it held is still pending,
    /// unless it was sent so often that it has arrived if it can. The pause is that of
    /// [`pause`], shortened by up to a quarter by `jitter`, which is from 0 to 1. Channels that
    /// delivered together fail at the same instant.
    pub(super) fn failed(
        &mut self,
        channel: usize,
        undelivered: impl Into<Undelivered>,
        now: Instant,
        jitter: f64,
    ) {
        let Undelivered {
            error,
            failure,
            is_own,
        } = undelivered.into();
        let held_from = self.held_from;
        let Some(queue) = self.queues.get_mut(channel) else {
            return;
        };
        let Some(held) = queue.in_flight.take() else {
            return;
        };
        queue.failures = queue.failures.saturating_add(1);
        queue.last_error = Some(error.cause);
        if failure == Failure::Unanswered && queue.was_sent_in_vain(&held) {
            queue.pending.retain(|id| !held.contains(id));
            self.forget();
            return;
        }
        let server = queue.server.clone().filter(|_| !is_own);
        let failures = match &server {
            None => queue.failures,
            Some(server) => {
                let server = self.servers.entry(server.clone()).or_default();
                if server.failed.replace(now) != Some(now) {
                    server.failures = server.failures.saturating_add(1);
                }
                server.failures
            }
        };
        let pause = pause(failure, failures).mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 4.0);
        let asked = error.retry_after.map(|asked| asked.min(LONGEST_PAUSE));
        // What is newer than what has just failed has not been tried yet.
        let news = queue
            .pending
            .iter()
            .any(|id| *id < held_from && Some(id) > held.last());
        let length = match asked {
            Some(asked) if news => asked,
            Some(asked) => asked.max(pause),
            None if news => Duration::ZERO,
            None => pause,
        };
        let wait = Wait {
            from: now,
            length: core_duration(length),
            asked_for: asked.is_some(),
            is_servers: server.is_some(),
        };
        queue.wait = Some(wait);
        if server.is_some() {
            let others = self
                .queues
                .iter_mut()
                .filter(|other| other.server == server);
            for other in others.filter(|other| other.in_flight.is_none()) {
                // One that was refused waits for its own.
                if other.retry_in(now) < Some(wait.length) {
                    other.wait = Some(wait);
                }
            }
        }
        self.forget();
    }

    /// The channels, in the order of the configuration.
    pub(super) fn queues(&self) -> &[Queue] {
        &self.queues
    }

    /// The latest notices, oldest first.
    pub(super) fn log(&self) -> &[Entry] {
        &self.log
    }

    fn entry(&self, id: NoticeId) -> Option<&Entry> {
        find(&self.log, id)
    }

    /// Drops the oldest entries that nobody has to tell any more.
    fn forget(&mut self) {
        let old = self.log.len().saturating_sub(LOG);
        let queues = &self.queues;
        let mut index = 0;
        self.log.retain(|entry| {
            let recent = index >= old;
            index += 1;
            recent || queues.iter().any(|queue| queue.holds(entry.notice.id))
        });
    }
}

fn find(log: &[Entry], id: NoticeId) -> Option<&Entry> {
    let place = log
        .binary_search_by_key(&id, |entry| entry.notice.id)
        .ok()?;
    log.get(place)
}

/// The pause after so many failures in a row.
fn pause(failure: Failure, failures: u32) -> Duration {
    let (factor, longest) = match failure {
        Failure::Refused => (2_u32, LONGEST_PAUSE),
        Failure::Answered | Failure::Unanswered => (4, LONGEST_AFTER_ANSWER),
    };
    let grown = factor.saturating_pow(failures.saturating_sub(1));
    FIRST_PAUSE.saturating_mul(grown).min(longest)
}

#[cfg(test)]
mod tests;
