//! Everything that the actor knows, owned by its one loop, and the view of it that is shown.

mod words;

use std::mem;
use std::sync::Arc;

use embassy_time::Instant;
use jiff::Timestamp;
use lvmbeat_core::serial::What;
use lvmbeat_core::{BeatError, Cause, Decision, LinkState, Outcome, Reason};

use super::ecp::Ended;
use super::enclosure::Enclosure;
use super::relay_box::{Answer, BoxEvent, Verdict};
use super::snapshot::{
    BoxView, Counters, HeartbeatView, Hold, LinkView, OutsideView, SessionState, Snapshot,
};
use crate::clock::{Clock, seconds};
use crate::clu::bus::{BusError, Message};
use crate::clu::message::MalformedCause;
use crate::config::{Config, Supervisor};

/// Causes that are said while there is no session; one that changes all the time must not fill the
/// log.
const MOST_SAID: usize = 8;

pub(super) struct State {
    pub(super) config: Arc<Config>,
    clock: Arc<dyn Clock>,
    started: Instant,
    pub(super) supervisor: Supervisor,
    pub(super) enclosure: Enclosure,
    pub(super) counters: Counters,
    session: SessionState,
    session_error: Option<String>,
    /// What has been said of attempts to open a session, since the last one.
    said: Vec<String>,
    failed_attempts: u64,
    last_seen: Vec<Option<Timestamp>>,
    last_emitted_ecp: Option<Timestamp>,
    outside: Vec<OutsideView>,
    relay_box: Option<BoxView>,
    fault: Option<Fault>,
    /// The pace that was last logged.
    pace: Option<Cause>,
    /// Which foreign messages this session has been told of.
    told_foreign: Vec<Foreign>,
    told_malformed: bool,
    told_busy: bool,
}

/// A message that passes for one that it is not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Foreign {
    /// For one of the actor's own echoes.
    Echo,
    /// For an answer of the enclosure.
    Reply,
}

/// What is wrong, without its numbers, so that only changes are logged.
struct Fault {
    cause: Cause,
    subject: Option<String>,
    since: Instant,
}

impl State {
    pub(super) fn new(config: Arc<Config>, supervisor: Supervisor, clock: Arc<dyn Clock>) -> Self {
        let outside = config.outside.urls.iter().map(|url| OutsideView {
            url: url.to_string(),
            ..OutsideView::default()
        });
        Self {
            started: clock.now(),
            supervisor,
            enclosure: Enclosure::default(),
            counters: Counters::default(),
            session: SessionState::default(),
            session_error: None,
            said: Vec::new(),
            failed_attempts: 0,
            last_seen: vec![None; config.heartbeats.len()],
            last_emitted_ecp: None,
            outside: outside.collect(),
            relay_box: config.serial.as_ref().map(|serial| BoxView {
                path: serial.path.display().to_string(),
                ..BoxView::default()
            }),
            fault: None,
            pace: None,
            told_foreign: Vec::new(),
            told_malformed: false,
            told_busy: false,
            clock,
            config,
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    pub(super) fn wall(&self) -> Timestamp {
        self.clock.wall()
    }

    /// A heartbeat was received, and perhaps proves that it was sent after that moment.
    pub(super) fn beat(
        &mut self,
        name: &str,
        sent_after: Option<Instant>,
    ) -> Result<Decision, BeatError> {
        let now = self.now();
        let decision = match sent_after {
            Some(sent_after) => self.supervisor.beat_proven(name, sent_after, now),
            None => self.supervisor.beat(name, now),
        }?;
        self.counters.beats += 1;
        if let Decision::Hold(reason) = decision
            && let Some(count) = self.counters.holds.get_mut(reason.cause().index())
        {
            *count += 1;
        }
        if !matches!(
            decision,
            Decision::Hold(Reason::NotAttentive(_) | Reason::PathSlow(_))
        ) {
            let wall = self.wall();
            let row = self
                .config
                .heartbeats
                .iter()
                .position(|heartbeat| heartbeat.name == name);
            if let Some(seen) = row.and_then(|row| self.last_seen.get_mut(row)) {
                *seen = Some(wall);
            }
        }
        self.log_cause();
        Ok(decision)
    }

    /// Takes what became of an emission. Said once, until something else becomes of one.
    pub(super) fn emission_ended(&mut self, ended: &Ended) {
        let before = self.supervisor.emission().last_outcome();
        let Ended {
            ticket,
            outcome,
            cause,
        } = ended;
        let (outcome, cause) = (*outcome, cause.as_deref().unwrap_or_default());
        if !self.supervisor.emission_ended(*ticket, outcome, self.now()) {
            tracing::debug!(
                ?outcome,
                cause,
                "an emission of an earlier session has ended"
            );
            return;
        }
        if outcome == Outcome::Acknowledged {
            self.last_emitted_ecp = Some(self.wall());
        }
        let ecp = &self.config.ecp.actor;
        match (outcome == Outcome::Acknowledged, before == Some(outcome)) {
            (true, true) => tracing::debug!(ecp, "dome heartbeat emitted"),
            (true, false) => tracing::info!(ecp, "dome heartbeat emitted"),
            (false, true) => tracing::debug!(ecp, ?outcome, cause, "dome heartbeat not emitted"),
            (false, false) => tracing::warn!(ecp, ?outcome, cause, "dome heartbeat not emitted"),
        }
        self.log_cause();
    }

    /// S5: a new session knows nothing, but that nothing waits in its queue that was sent before
    /// `since` (S3).
    pub(super) fn session_opened(&mut self, since: Instant, broker: &str) {
        self.supervisor.forget(self.now());
        self.supervisor.path_proven(since);
        self.counters.sessions += 1;
        self.told_foreign.clear();
        (self.told_malformed, self.told_busy) = (false, false);
        self.session = SessionState::Open;
        self.session_error = None;
        tracing::info!(
            broker,
            name = self.config.actor.name,
            "session open, waiting for heartbeats"
        );
    }

    /// An attempt to open a session failed. Each cause is said once, and then counted, until there
    /// is a session.
    pub(super) fn session_failed(&mut self, error: &BusError) {
        let text = error.to_string();
        self.session = match error {
            BusError::Locked { .. } => SessionState::StandBy,
            BusError::Blocked { .. } => SessionState::Blocked,
            BusError::Unreachable { .. }
            | BusError::Refused { .. }
            | BusError::Foreign { .. }
            | BusError::Several(_)
            | BusError::Closed { .. }
            | BusError::TimedOut { .. } => SessionState::Connecting,
        };
        self.counters.failed_sessions += 1;
        self.failed_attempts += 1;
        self.session_error = Some(text.clone());
        if self.said.contains(&text) || self.said.len() >= MOST_SAID {
            tracing::debug!(%error, attempts = self.failed_attempts, "no session yet");
            return;
        }
        self.said.push(text);
        match self.session {
            SessionState::StandBy => tracing::info!(%error, "standing by"),
            SessionState::Connecting | SessionState::Blocked | SessionState::Open => {
                tracing::warn!(%error, "no session with the broker; trying again until there is one");
            }
        }
    }

    pub(super) fn session_ended(&mut self, cause: &'static str) {
        self.session = SessionState::Connecting;
        // Whatever is under way has lost its connection; its end is not worth waiting for (S5).
        self.supervisor.forget(self.now());
        tracing::warn!(cause, "session lost, opening another");
    }

    /// The critical heartbeat that this command sets, and the value by which it proves itself, if
    /// it is written as CLU's clients write it. Spares the parser.
    pub(super) fn critical<'a>(
        &self,
        command_string: &'a str,
    ) -> Option<(&'a str, Option<&'a str>)> {
        let words = command_string.strip_prefix("set ")?;
        let (name, seen) = match words.split_once(" --seen ") {
            Some((name, value)) => (name, Some(value.trim_matches('\''))),
            None => (words, None),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
        let all_plain = name
            .bytes()
            .chain(seen.unwrap_or_default().bytes())
            .all(plain);
        let heartbeat = self.config.heartbeats.iter().find(|it| it.name == name)?;
        (heartbeat.critical && all_plain).then_some((name, seen))
    }

    /// A message in the command queue was no command. Said once a session.
    pub(super) fn malformed(&mut self, message: &Message, cause: &MalformedCause) {
        self.counters.malformed += 1;
        if mem::replace(&mut self.told_malformed, true) {
            tracing::debug!(routing_key = message.routing_key, %cause, "a message that is no command");
        } else {
            tracing::warn!(routing_key = message.routing_key, %cause, "a message that is no command");
        }
    }

    /// Commands were refused because too many come. Said once a session.
    pub(super) fn busy(&mut self, commands: u64) {
        self.counters.busy += commands;
        if commands > 0 && !mem::replace(&mut self.told_busy, true) {
            tracing::warn!(
                "more commands come than are answered; only those that beat are taken for sure"
            );
        }
    }

    /// A message was refused that passes for one that it is not. Said once a session.
    pub(super) fn foreign(&mut self, what: Foreign, message: &Message) {
        let (count, passes_for) = match what {
            Foreign::Echo => (&mut self.counters.foreign_echoes, "lvmbeat's own message"),
            Foreign::Reply => (
                &mut self.counters.foreign_replies,
                "an answer of the enclosure",
            ),
        };
        *count += 1;
        if self.told_foreign.contains(&what) {
            return;
        }
        self.told_foreign.push(what);
        tracing::warn!(
            routing_key = message.routing_key,
            "somebody's message passes for {passes_for}, and is refused; SECURITY.md says how the broker keeps strangers out"
        );
    }

    pub(super) fn beaten_outside(&mut self, index: usize, failure: Option<String>) {
        let wall = self.wall();
        let Some(monitor) = self.outside.get_mut(index) else {
            return;
        };
        match (&failure, &monitor.failure) {
            (Some(cause), None) => tracing::warn!(
                monitor = monitor.url,
                cause,
                "the outside monitor cannot be reached"
            ),
            (None, Some(_)) => tracing::info!(
                monitor = monitor.url,
                "the outside monitor is reached again"
            ),
            _ => {}
        }
        if failure.is_none() {
            monitor.last_beat = Some(wall);
        }
        monitor.failure = failure;
    }

    /// Whether every critical heartbeat is fresh and every link is up, now (S1).
    pub(super) fn is_released(&self) -> bool {
        let cause = self.supervisor.hold(self.now());
        !cause.is_some_and(|reason| reason.is_fault())
    }

    /// Takes what is heard of the watchdog box. Logged when it changes.
    pub(super) fn relay_box(&mut self, event: BoxEvent) {
        let (now, wall) = (self.now(), self.wall());
        let Some(view) = &mut self.relay_box else {
            return;
        };
        let before = (view.energised, view.latched);
        let what = match event {
            BoxEvent::Opened(status) => {
                tracing::info!(path = view.path, "the watchdog box answers");
                view.failure = None;
                What::Status(status)
            }
            BoxEvent::Answered(Answer { verdict, status }) => {
                view.answered += 1;
                if verdict == Verdict::Counted {
                    view.counted += 1;
                    view.counted_at = Some(now);
                    view.last_counted = Some(wall);
                }
                tracing::debug!(?verdict, "the watchdog box was fed");
                view.failure = None;
                What::Status(status)
            }
            BoxEvent::Failed(failure) => {
                view.failed += 1;
                if view.failure.as_ref() != Some(&failure) {
                    tracing::warn!(path = view.path, "the watchdog box was not fed: {failure}");
                }
                view.failure = Some(failure);
                return;
            }
            BoxEvent::Reported(what) => what,
        };
        match what {
            What::Started(_) => {
                tracing::warn!("the watchdog box has started anew; its relay is released");
                (view.energised, view.latched, view.hold) = (Some(false), None, None);
                return;
            }
            What::Energised => (view.energised, view.hold) = (Some(true), None),
            What::Released(release) => {
                view.energised = Some(false);
                view.hold = Some(release.as_str());
            }
            What::Status(status) => {
                (view.energised, view.latched) = (Some(status.energised), Some(status.latched));
                view.hold = status.hold.map(|hold| hold.cause.as_str());
            }
            What::Counted(_)
            | What::Held { .. }
            | What::Noted(_)
            | What::Armed(_)
            | What::Session(..)
            | What::Pong
            | What::Refused(_) => {}
        }
        if before == (view.energised, view.latched) {
            return;
        }
        match (view.energised, view.latched) {
            (Some(true), _) => tracing::info!("the watchdog box's relay is energised"),
            (Some(false), Some(true)) => tracing::warn!(
                hold = view.hold,
                "the watchdog box's relay is released, and latched: somebody has to arm the box"
            ),
            (Some(false), _) => {
                tracing::warn!(hold = view.hold, "the watchdog box's relay is released");
            }
            (None, _) => {}
        }
    }

    /// Says why the dome heartbeat is held, when that changes.
    pub(super) fn log_cause(&mut self) {
        let now = self.now();
        let hold = self.supervisor.hold(now);
        self.log_fault(hold.filter(Reason::is_fault), now);
        self.log_pace(hold.filter(|reason| !reason.is_fault()));
    }

    /// Between two beats of a lively client only the pace holds; nobody is told of that who has not
    /// asked.
    fn log_pace(&mut self, pace: Option<Reason>) {
        let cause = pace.map(|reason| reason.cause());
        if let Some(reason) = pace.filter(|_| cause != self.pace) {
            tracing::debug!(
                reason = reason.cause().as_str(),
                "dome heartbeat held: {}",
                self.describe(&reason)
            );
        }
        self.pace = cause;
    }

    fn log_fault(&mut self, reason: Option<Reason>, now: Instant) {
        let fault = reason.map(|reason| Fault {
            cause: reason.cause(),
            subject: self.subject(&reason),
            since: now,
        });
        let of = |fault: &Fault| (fault.cause, fault.subject.clone());
        if fault.as_ref().map(of) == self.fault.as_ref().map(of) {
            return;
        }
        match &reason {
            // At the start, and after a new session, there has to be a first beat: not worth waking
            // somebody.
            Some(
                reason @ (Reason::PathSlow(None)
                | Reason::NeverSeen(_)
                | Reason::Unconfirmed {
                    sent_before: None, ..
                }
                | Reason::LinkUnproven(_)),
            ) => {
                tracing::info!(
                    reason = reason.cause().as_str(),
                    "dome heartbeat held: {}",
                    self.describe(reason)
                );
            }
            Some(reason) => {
                tracing::warn!(
                    reason = reason.cause().as_str(),
                    "dome heartbeat held: {}",
                    self.describe(reason)
                );
            }
            None => tracing::info!(
                "dome heartbeat released: every critical heartbeat is fresh and every link is up"
            ),
        }
        self.fault = fault;
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let now = self.now();
        let heartbeats = self
            .supervisor
            .heartbeats()
            .iter()
            .zip(&self.last_seen)
            .map(|((_, heartbeat), last_seen)| HeartbeatView {
                name: heartbeat.name().to_string(),
                critical: heartbeat.is_critical(),
                current: heartbeat.is_fresh(now),
                last_seen: *last_seen,
                age: heartbeat.age(now).map(seconds),
                proven_age: heartbeat.greatest_age(now).map(seconds),
                timeout: seconds(heartbeat.timeout()),
                smallest_margin: heartbeat.smallest_margin().map(seconds),
            });
        let links = self.supervisor.links().map(|(_, link)| LinkView {
            name: link.name().to_string(),
            state: link.state(),
            // Not known to be down counts as up for those who only ask; nothing is emitted on the
            // strength of it.
            up: link.state() != LinkState::Down,
            failures: link.failures(),
        });
        let reason = self.supervisor.hold(now);
        let emission = self.supervisor.emission();
        Snapshot {
            at: now,
            name: self.config.actor.name.clone(),
            ecp: self.config.ecp.actor.clone(),
            uptime: now
                .checked_duration_since(self.started)
                .map_or(0.0, seconds),
            session: self.session,
            session_error: self.session_error.clone(),
            path_age: self
                .supervisor
                .path()
                .and_then(|path| path.greatest_age(now))
                .map(seconds),
            heartbeats: heartbeats.collect(),
            links: links.collect(),
            hold: reason.map(|reason| Hold {
                cause: reason.cause(),
                fault: reason.is_fault(),
                text: self.describe(&reason),
                seconds: self
                    .fault
                    .as_ref()
                    .and_then(|fault| now.checked_duration_since(fault.since))
                    .map(seconds),
            }),
            last_emitted_ecp: self.last_emitted_ecp,
            last_outcome: emission.last_outcome(),
            acknowledged_age: emission
                .last_acknowledged()
                .and_then(|at| now.checked_duration_since(at))
                .map(seconds),
            in_flight: emission.in_flight_since().is_some(),
            emissions: *emission.counts(),
            smallest_margin: emission.smallest_margin().map(seconds),
            enclosure: self.enclosure.clone(),
            outside: self.outside.clone(),
            relay_box: self.relay_box.clone(),
            counters: self.counters.clone(),
        }
    }
}
