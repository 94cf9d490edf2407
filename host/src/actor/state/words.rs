//! The words for each cause that holds the dome heartbeat.

use lvmbeat_core::{Lapse, Reason, link::Link};

use super::State;
use crate::clock::seconds;

impl State {
    /// The name of what a reason is about.
    pub(super) fn subject(&self, reason: &Reason) -> Option<String> {
        let heartbeat = |id| {
            self.supervisor
                .heartbeats()
                .get(id)
                .map(|heartbeat| heartbeat.name().to_string())
        };
        let link = |id| self.supervisor.link(id).map(|link| link.name().to_string());
        match reason {
            Reason::NeverSeen(id)
            | Reason::Unconfirmed { heartbeat: id, .. }
            | Reason::Stale { heartbeat: id, .. } => heartbeat(*id),
            Reason::LinkUnproven(id) | Reason::LinkDown(id) => link(*id),
            Reason::NotAttentive(_)
            | Reason::PathSlow(_)
            | Reason::NothingCritical
            | Reason::InFlight(_)
            | Reason::CutOff(_)
            | Reason::Retry(_) => None,
        }
    }

    /// A reason in words.
    pub(in crate::actor) fn describe(&self, reason: &Reason) -> String {
        let name = self.subject(reason).unwrap_or_default();
        match reason {
            Reason::NotAttentive(Lapse::Gap(gap)) => {
                format!(
                    "lvmbeat itself was not running for {} s; what waited meanwhile does not count, and every critical heartbeat has to be received anew",
                    seconds(*gap)
                )
            }
            Reason::NotAttentive(Lapse::ClockWentBack(by)) => {
                format!(
                    "the machine's clock went back by {} s; every critical heartbeat has to be received anew",
                    seconds(*by)
                )
            }
            Reason::PathSlow(None) => match &self.session_error {
                Some(error) => format!("there is no session with the broker: {error}"),
                None => "there is no session with the broker".to_owned(),
            },
            Reason::PathSlow(Some(age)) => format!(
                "what arrives may have been on its way for {} s; at most {} s are allowed",
                seconds(*age),
                self.config.actor.command_ttl.as_secs_f64()
            ),
            Reason::NothingCritical => "no heartbeat is critical".to_owned(),
            Reason::NeverSeen(_) => {
                format!("heartbeat {name} has not been received in this session")
            }
            Reason::Unconfirmed {
                sent_before: None, ..
            } => {
                format!("heartbeat {name} has been received, and its next beat confirms it")
            }
            Reason::Unconfirmed {
                heartbeat,
                sent_before: Some(age),
            } => {
                let lateness = self
                    .supervisor
                    .heartbeats()
                    .get(*heartbeat)
                    .map_or(0.0, |heartbeat| seconds(heartbeat.lateness()));
                format!(
                    "heartbeat {name} may have been sent {} s before it was received (limit {lateness} s); its next beat confirms it",
                    seconds(*age)
                )
            }
            Reason::Stale {
                heartbeat,
                silent_for,
            } => {
                let timeout = self
                    .supervisor
                    .heartbeats()
                    .get(*heartbeat)
                    .map_or(0.0, |heartbeat| seconds(heartbeat.timeout()));
                // It counts from when it was sent, at the earliest.
                let sent = self.supervisor.heartbeats().get(*heartbeat);
                let sent = sent
                    .and_then(|heartbeat| heartbeat.greatest_age(self.now()))
                    .map(|age| format!(" and may have been sent {} s ago", seconds(age)));
                format!(
                    "heartbeat {name} was last received {} s ago{} (timeout {timeout} s)",
                    seconds(*silent_for),
                    sent.unwrap_or_default()
                )
            }
            Reason::LinkUnproven(_) => format!("network link {name} has not been reached yet"),
            Reason::LinkDown(id) => {
                let failures = self.supervisor.link(*id).map_or(0, Link::failures);
                format!("network link {name} is down ({failures} failed probes in a row)")
            }
            Reason::InFlight(_) => {
                format!("a heartbeat is on its way to {}", self.config.ecp.actor)
            }
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
}
