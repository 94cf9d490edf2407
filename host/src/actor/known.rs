//! What is known of heartbeats, links and emissions: the decision core, and beside it what is only
//! shown and counted. Pure: no I/O, time is an argument.

use embassy_time::Instant;
use jiff::Timestamp;
use lvmbeat_core::{BeatError, Cause, Decision, HeartbeatId, LinkState, Outcome, Reason};

use super::commanders::Commanders;
use super::ecp::Ended;
use super::snapshot::{HeartbeatView, LinkView};
use crate::clock::{Moment, seconds};
use crate::config::{Config, Supervisor};

/// All of it.
pub(super) struct Known {
    pub(super) supervisor: Supervisor,
    /// When each heartbeat last counted as received, in the order of the configuration.
    last_seen: Vec<Option<Timestamp>>,
    /// How often each beats while all is well, likewise.
    intervals: Vec<f64>,
    last_emitted_ecp: Option<Timestamp>,
    /// How often each was received, whether or not it counted.
    beats: Vec<u64>,
    /// Decisions to hold, in the order of [`Cause::ALL`].
    pub(super) holds: [u64; Cause::ALL.len()],
}

/// What is known of the time at which a `set` was sent (S3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Proof {
    /// Nothing but what the path says.
    None,
    /// It was sent after then.
    SentAfter(Instant),
    /// The same of one that came another way than the path. Without a proof it does not count.
    Apart(Option<Instant>),
}

impl From<Option<Instant>> for Proof {
    fn from(sent_after: Option<Instant>) -> Self {
        sent_after.map_or(Self::None, Self::SentAfter)
    }
}

/// What a `set` says.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Set<'a> {
    /// `None`: no heartbeat of that name is configured.
    pub(super) id: Option<HeartbeatId>,
    pub(super) heartbeat: &'a str,
    /// The value by which it proves when it was sent.
    pub(super) seen: Option<&'a str>,
}

impl Known {
    pub(super) fn new(supervisor: Supervisor, config: &Config) -> Self {
        let intervals = config.heartbeats.iter();
        Self {
            intervals: intervals.map(|it| it.interval.as_secs_f64()).collect(),
            last_seen: vec![None; supervisor.heartbeats().iter().count()],
            beats: vec![0; supervisor.heartbeats().iter().count()],
            supervisor,
            last_emitted_ecp: None,
            holds: [0; Cause::ALL.len()],
        }
    }

    /// A heartbeat was received, and perhaps proves when it was sent.
    pub(super) fn beat(
        &mut self,
        heartbeat: Option<HeartbeatId>,
        proof: impl Into<Proof>,
        at: Moment,
    ) -> Result<Decision, BeatError> {
        let id = heartbeat.ok_or(BeatError::Unknown)?;
        let decision = match proof.into() {
            Proof::None => self.supervisor.beat_of(id, None, at.now),
            Proof::SentAfter(sent) => self.supervisor.beat_of(id, Some(sent), at.now),
            Proof::Apart(Some(sent)) => self.supervisor.beat_apart(id, sent, at.now),
            Proof::Apart(None) => Err(BeatError::ProofMissing(id)),
        }?;
        if let Some(count) = self.beats.get_mut(id.index()) {
            *count += 1;
        }
        if let Decision::Hold(reason) = decision
            && let Some(count) = self.holds.get_mut(reason.cause().index())
        {
            *count += 1;
        }
        if !is_uncounted(&decision)
            && let Some(seen) = self.last_seen.get_mut(id.index())
        {
            *seen = Some(at.wall);
        }
        Ok(decision)
    }

    pub(super) fn is_critical(&self, id: HeartbeatId) -> bool {
        let heartbeat = self.supervisor.heartbeats().get(id);
        heartbeat.is_some_and(lvmbeat_core::heartbeat::Heartbeat::is_critical)
    }

    /// Takes what became of an emission. False if it was not the one under way.
    pub(super) fn emission_ended(&mut self, ended: &Ended, at: Moment) -> bool {
        let known = self
            .supervisor
            .emission_ended(ended.ticket, ended.outcome, at.now);
        if known && ended.outcome == Outcome::Acknowledged {
            self.last_emitted_ecp = Some(at.wall);
        }
        known
    }

    /// Whether every critical heartbeat is fresh and every link is up at `now` (S1).
    pub(super) fn is_released(&self, now: Instant) -> bool {
        let hold = self.supervisor.hold(now);
        !hold.is_some_and(|reason| reason.is_fault())
    }

    /// What this command sets, if that is a critical heartbeat and the command is written as CLU's
    /// clients write it. Spares the parser.
    pub(super) fn critical<'a>(&self, command_string: &'a str) -> Option<Set<'a>> {
        let words = command_string.strip_prefix("set ")?;
        let (heartbeat, seen) = match words.split_once(" --seen ") {
            Some((name, value)) => (name, Some(value.trim_matches('\''))),
            None => (words, None),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
        let mut bytes = heartbeat.bytes().chain(seen.unwrap_or_default().bytes());
        let table = self.supervisor.heartbeats();
        let id = table.find(heartbeat).filter(|_| bytes.all(plain))?;
        table.get(id)?.is_critical().then_some(Set {
            id: Some(id),
            heartbeat,
            seen,
        })
    }

    pub(super) fn last_emitted_ecp(&self) -> Option<Timestamp> {
        self.last_emitted_ecp
    }

    /// How often any was received.
    pub(super) fn beats(&self) -> u64 {
        self.beats.iter().sum()
    }

    pub(super) fn heartbeats(&self, now: Instant, commanders: &Commanders) -> Vec<HeartbeatView> {
        let rows = self.supervisor.heartbeats().iter().zip(&self.last_seen);
        let rows = rows.zip(&self.beats).zip(&self.intervals);
        rows.map(
            |((((id, heartbeat), last_seen), beats), interval)| HeartbeatView {
                name: heartbeat.name().to_string(),
                critical: heartbeat.is_critical(),
                current: heartbeat.is_fresh(now),
                last_seen: *last_seen,
                age: heartbeat.age(now).map(seconds),
                proven_age: heartbeat.greatest_age(now).map(seconds),
                timeout: seconds(heartbeat.timeout()),
                interval: *interval,
                smallest_margin: heartbeat.smallest_margin().map(seconds),
                beats: *beats,
                setters: commanders.shown(id, now),
            },
        )
        .collect()
    }

    pub(super) fn links(&self) -> Vec<LinkView> {
        let links = self.supervisor.links().map(|(_, link)| LinkView {
            name: link.name().to_string(),
            state: link.state(),
            // Not known to be down counts as up for those who only ask; nothing is emitted on the
            // strength of it.
            up: link.state() != LinkState::Down,
            failures: link.failures(),
        });
        links.collect()
    }
}

/// Whether the beat was not taken at all: nobody knows when it was sent (S3).
fn is_uncounted(decision: &Decision) -> bool {
    matches!(
        decision,
        Decision::Hold(Reason::NotAttentive(_) | Reason::PathSlow(_))
    )
}
