//! The first cause why the dome heartbeat is held, and what the log says when it changes.

use embassy_time::{Duration, Instant};
use lvmbeat_core::{Cause, Reason};
use tracing::Level;

use super::health::{Kind, Late, joined};
use super::words::{Subject, Words};
use crate::clock::seconds;
use crate::journal::span;

/// What holds now, without its numbers: an age that grows is no change.
#[derive(Default)]
pub(super) struct Holding {
    fault: Option<Fault>,
    /// All that the log has named since that began.
    named: Vec<(Kind, String)>,
    /// The pace that was logged last.
    pace: Option<Cause>,
}

/// What is wrong.
struct Fault {
    cause: Cause,
    subject: Option<Subject>,
    since: Instant,
    /// Something has been wrong without a break since then.
    began: Instant,
}

/// What the log has to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// The dome heartbeat is held, for this first cause.
    Held(Reason),
    /// Nothing is wrong any more, after so long.
    Released(Duration),
}

impl Holding {
    /// Takes the first cause at `now`, and gives what has changed, in order.
    pub(super) fn observe(
        &mut self,
        hold: Option<Reason>,
        now: Instant,
    ) -> impl Iterator<Item = Change> + use<> {
        let fault = self.observe_fault(hold.filter(Reason::is_fault), now);
        let pace = self.observe_pace(hold.filter(|reason| !reason.is_fault()));
        fault.into_iter().chain(pace)
    }

    fn observe_fault(&mut self, reason: Option<Reason>, now: Instant) -> Option<Change> {
        let kind = reason.map(|reason| (reason.cause(), Subject::of(&reason)));
        if kind == self.fault.as_ref().map(|it| (it.cause, it.subject)) {
            return None;
        }
        let began = self.fault.as_ref().map_or(now, |fault| fault.began);
        self.fault = kind.map(|(cause, subject)| Fault {
            cause,
            subject,
            since: now,
            began,
        });
        let released = || Change::Released(now.checked_duration_since(began).unwrap_or_default());
        Some(reason.map_or_else(released, Change::Held))
    }

    fn observe_pace(&mut self, reason: Option<Reason>) -> Option<Change> {
        let cause = reason.map(|reason| reason.cause());
        let before = std::mem::replace(&mut self.pace, cause);
        reason.filter(|_| cause != before).map(Change::Held)
    }

    /// Takes all that holds the dome heartbeat. Whether something has failed meanwhile that was not
    /// named since it is held.
    pub(super) fn is_news(&mut self, all: &[Late]) -> bool {
        if all.is_empty() {
            self.named.clear();
        }
        let mut news = false;
        for Late { key, .. } in all {
            if !self.named.contains(key) {
                news |= matches!(key.0, Kind::Holds(Cause::Stale | Cause::LinkDown));
                self.named.push(key.clone());
            }
        }
        news
    }

    /// How long the fault has been the first cause.
    pub(super) fn lasted(&self, now: Instant) -> Option<Duration> {
        now.checked_duration_since(self.fault.as_ref()?.since)
    }
}

impl Change {
    /// The pace between two beats is no fault. At the start, and in a new session, there has to be
    /// a first beat, which is not worth waking somebody.
    pub(super) fn level(&self) -> Level {
        match self {
            Self::Held(Reason::InFlight(_) | Reason::CutOff(_) | Reason::Retry(_)) => Level::DEBUG,
            Self::Released(_)
            | Self::Held(
                Reason::PathSlow(None)
                | Reason::NeverSeen(_)
                | Reason::Unconfirmed {
                    sent_before: None, ..
                }
                | Reason::LinkUnproven(_)
                | Reason::Drill,
            ) => Level::INFO,
            Self::Held(
                Reason::NotAttentive(_)
                | Reason::PathSlow(Some(_))
                | Reason::NothingCritical
                | Reason::Unconfirmed {
                    sent_before: Some(_),
                    ..
                }
                | Reason::Stale { .. }
                | Reason::LinkDown(_),
            ) => Level::WARN,
        }
    }

    /// With all that holds the dome heartbeat, the first cause first.
    pub(super) fn log(&self, words: &Words<'_>, all: &[Late]) {
        let reason = match self {
            Self::Held(reason) => reason,
            Self::Released(after) => {
                return tracing::info!(
                    "dome heartbeat released after {}: every critical heartbeat is fresh and every link is up",
                    span(seconds(*after))
                );
            }
        };
        let mut text = words.describe(reason);
        if let Some(others) = all.get(1..).filter(|others| !others.is_empty()) {
            text = format!("{text}; {}", joined(others));
        }
        let reason = reason.cause().as_str();
        match self.level() {
            Level::DEBUG => tracing::debug!(reason, "dome heartbeat held: {text}"),
            Level::INFO => tracing::info!(reason, "dome heartbeat held: {text}"),
            _ => tracing::warn!(reason, "dome heartbeat held: {text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Instant = Instant::from_secs(10);
    const T1: Instant = Instant::from_secs(11);
    const T2: Instant = Instant::from_secs(14);

    #[test]
    fn a_fault_lasts_from_its_first_moment_whatever_its_numbers() {
        let mut holding = Holding::default();
        let slow = |seconds| Some(Reason::PathSlow(Some(Duration::from_secs(seconds))));
        assert_eq!(holding.observe(slow(2), T0).count(), 1);
        assert_eq!(holding.observe(slow(3), T1).count(), 0);
        assert_eq!(holding.lasted(T2), Some(T2 - T0));
        assert_eq!(holding.lasted(T0 - Duration::from_ticks(1)), None);
        // The pace is no fault.
        let pace = Reason::CutOff(Duration::from_secs(1));
        let changes = holding.observe(Some(pace), T2);
        assert!(changes.eq([Change::Released(T2 - T0), Change::Held(pace)]));
        assert_eq!(holding.lasted(T2), None);
    }

    #[test]
    fn what_fails_while_it_is_held_is_news_once_and_a_first_beat_is_none() {
        let late = |cause, name: &str| Late {
            key: (Kind::Holds(cause), name.to_owned()),
            holds: true,
            text: String::new(),
        };
        let mut holding = Holding::default();
        let (c0, c1) = (late(Cause::Stale, "c0"), late(Cause::Stale, "c1"));
        assert!(holding.is_news(std::slice::from_ref(&c0)));
        assert!(!holding.is_news(std::slice::from_ref(&c0)));
        let both = [c0, c1];
        assert!(holding.is_news(&both));
        assert!(!holding.is_news(&both));
        assert!(!holding.is_news(&[late(Cause::Unconfirmed, "c1")]));
        assert!(!holding.is_news(&[]));
        assert!(holding.is_news(&both), "it was released in between");
    }
}
