//! The words for people: why the dome heartbeat is held, and what a client hears of its `set`.

use std::time::Duration;

use embassy_time::Instant;
use lvmbeat_core::heartbeat::Heartbeat;
use lvmbeat_core::{BeatError, Decision, HeartbeatId, Lapse, LinkId, Reason, link::Link};

use crate::clock::seconds;
use crate::clu::message::{Code, Keywords, keyword, shortened};
use crate::config::Supervisor;

/// What the words are about, at one moment.
pub(super) struct Words<'a> {
    pub(super) supervisor: &'a Supervisor,
    /// Why there is no session with the broker, if there is none.
    pub(super) session_error: Option<&'a str>,
    /// The enclosure's name.
    pub(super) ecp: &'a str,
    pub(super) command_ttl: Duration,
    pub(super) now: Instant,
}

/// What a reason is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Subject {
    Heartbeat(HeartbeatId),
    Link(LinkId),
}

impl Subject {
    pub(super) fn of(reason: &Reason) -> Option<Self> {
        match reason {
            Reason::NeverSeen(id)
            | Reason::Unconfirmed { heartbeat: id, .. }
            | Reason::Stale { heartbeat: id, .. } => Some(Self::Heartbeat(*id)),
            Reason::LinkUnproven(id) | Reason::LinkDown(id) => Some(Self::Link(*id)),
            Reason::NotAttentive(_)
            | Reason::PathSlow(_)
            | Reason::NothingCritical
            | Reason::Drill
            | Reason::InFlight(_)
            | Reason::CutOff(_)
            | Reason::Retry(_) => None,
        }
    }
}

impl Words<'_> {
    fn heartbeat(&self, id: HeartbeatId) -> Option<&Heartbeat> {
        self.supervisor.heartbeats().get(id)
    }

    fn link(&self, id: LinkId) -> Option<&Link> {
        self.supervisor.link(id)
    }

    fn subject(&self, reason: &Reason) -> String {
        let name = match Subject::of(reason) {
            Some(Subject::Heartbeat(id)) => self.heartbeat(id).map(Heartbeat::name),
            Some(Subject::Link(id)) => self.link(id).map(Link::name),
            None => None,
        };
        name.map(ToString::to_string).unwrap_or_default()
    }

    fn configured(&self) -> String {
        let heartbeats = self.supervisor.heartbeats().iter();
        let names = heartbeats.map(|(_, heartbeat)| heartbeat.name().to_string());
        format!("Configured: {}.", names.collect::<Vec<_>>().join(", "))
    }

    /// A reason in words.
    pub(super) fn describe(&self, reason: &Reason) -> String {
        let name = self.subject(reason);
        match reason {
            Reason::NotAttentive(Lapse::Gap(gap)) => format!(
                "lvmbeat itself was not running for {} s; what waited meanwhile does not count, and every critical heartbeat has to be received anew",
                seconds(*gap)
            ),
            Reason::NotAttentive(Lapse::ClockWentBack(by)) => format!(
                "the machine's clock went back by {} s; every critical heartbeat has to be received anew",
                seconds(*by)
            ),
            Reason::PathSlow(None) => match self.session_error {
                Some(error) => format!("there is no session with the broker: {error}"),
                None => "there is no session with the broker".to_owned(),
            },
            Reason::PathSlow(Some(age)) => format!(
                "what arrives may have been on its way for {} s; at most {} s are allowed",
                seconds(*age),
                self.command_ttl.as_secs_f64()
            ),
            Reason::NothingCritical => "no heartbeat is critical".to_owned(),
            Reason::NeverSeen(_) => {
                format!("heartbeat {name} has not been received in this session")
            }
            Reason::Unconfirmed {
                sent_before: None, ..
            } => format!("heartbeat {name} has been received, and its next beat confirms it"),
            Reason::Unconfirmed {
                heartbeat,
                sent_before: Some(age),
            } => {
                let limit = self.heartbeat(*heartbeat).map(Heartbeat::lateness);
                format!(
                    "heartbeat {name} may have been sent {} s before it was received (limit {} s); its next beat confirms it",
                    seconds(*age),
                    limit.map_or(0.0, seconds)
                )
            }
            Reason::Stale {
                heartbeat,
                silent_for,
            } => {
                let timeout = self.heartbeat(*heartbeat).map(Heartbeat::timeout);
                // It counts from when it was sent, at the earliest.
                let sent = self.heartbeat(*heartbeat);
                let sent = sent
                    .and_then(|heartbeat| heartbeat.greatest_age(self.now))
                    .map(|age| format!(" and may have been sent {} s ago", seconds(age)));
                format!(
                    "heartbeat {name} was last received {} s ago{} (timeout {} s)",
                    seconds(*silent_for),
                    sent.unwrap_or_default(),
                    timeout.map_or(0.0, seconds)
                )
            }
            Reason::LinkUnproven(_) => format!("network link {name} has not been reached yet"),
            Reason::LinkDown(id) => {
                let failures = self.link(*id).map_or(0, Link::failures);
                format!("network link {name} is down ({failures} failed probes in a row)")
            }
            Reason::Drill => {
                "a drill withholds it, to prove that the PLC closes the dome without it".to_owned()
            }
            Reason::InFlight(_) => format!("a heartbeat is on its way to {}", self.ecp),
            Reason::CutOff(rest) => format!(
                "the last heartbeat was emitted a moment ago; the next one in {} s",
                seconds(*rest)
            ),
            Reason::Retry(rest) => format!(
                "the last heartbeat failed a moment ago; the next attempt in {} s",
                seconds(*rest)
            ),
        }
    }

    /// What a client hears of its `set`. `text` is what the Python version says; `held` is why the
    /// dome does not hear of it.
    pub(super) fn of_set(
        &self,
        heartbeat: &str,
        decision: &Result<Decision, BeatError>,
    ) -> (Code, Keywords) {
        let failed = |error: String| (Code::Failed, keyword("error", error));
        match decision {
            // The Python version says the first sentence.
            Err(BeatError::Unknown) => failed(format!(
                "Heartbeat '{}' not found. {}",
                shortened(heartbeat),
                self.configured()
            )),
            Err(BeatError::ProofMissing(_)) => failed(format!(
                "Heartbeat not counted: '{heartbeat}' has to prove when it was sent; send 'set {heartbeat} --seen VALUE' with the value of 'seen' in this reply."
            )),
            Ok(Decision::Hold(reason @ (Reason::NotAttentive(_) | Reason::PathSlow(_)))) => {
                failed(format!("Heartbeat not counted: {}.", self.describe(reason)))
            }
            Ok(decision) => {
                let mut body = keyword("text", "Heartbeat set.");
                if let Decision::Hold(reason) = decision
                    && reason.is_fault()
                {
                    body.insert("held".to_owned(), self.describe(reason).into());
                }
                (Code::Done, body)
            }
        }
    }
}

#[cfg(test)]
mod tests;
