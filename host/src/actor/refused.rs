//! What was refused: counted, and logged once a session.

use super::snapshot::Counters;
use crate::clu::bus::Message;
use crate::clu::message::MalformedCause;

/// Messages of one kind.
#[derive(Default)]
struct Tally {
    count: u64,
    /// The log has said so in this session.
    logged: bool,
}

impl Tally {
    /// Takes so many more. True if these are the first of the session.
    fn add(&mut self, count: u64) -> bool {
        self.count += count;
        count > 0 && !std::mem::replace(&mut self.logged, true)
    }
}

/// A message that passes for one that it is not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Foreign {
    /// For one of the actor's own echoes.
    Echo,
    /// For an answer of the enclosure.
    Reply,
}

/// All of it.
#[derive(Default)]
pub(super) struct Refused {
    malformed: Tally,
    busy: Tally,
    foreign_echoes: Tally,
    foreign_replies: Tally,
    detours: Tally,
}

impl Refused {
    /// A new session is logged anew.
    pub(super) fn session_opened(&mut self) {
        for tally in [
            &mut self.malformed,
            &mut self.busy,
            &mut self.foreign_echoes,
            &mut self.foreign_replies,
            &mut self.detours,
        ] {
            tally.logged = false;
        }
    }

    /// A message in the command queue was not a CLU command.
    pub(super) fn malformed(&mut self, message: &Message, cause: &MalformedCause) {
        let routing_key = &message.routing_key;
        if self.malformed.add(1) {
            tracing::warn!(routing_key, %cause, "a message that is no command");
        } else {
            tracing::debug!(routing_key, %cause, "a message that is no command");
        }
    }

    /// So many commands were refused because too many come.
    pub(super) fn busy(&mut self, commands: u64) {
        if self.busy.add(commands) {
            tracing::warn!(
                "more commands come than are answered; only those that beat are taken for sure"
            );
        }
    }

    /// A message passed for one that it is not.
    pub(super) fn foreign(&mut self, what: Foreign, message: &Message) {
        let (tally, passes_for) = match what {
            Foreign::Echo => (&mut self.foreign_echoes, "lvmbeat's own message"),
            Foreign::Reply => (&mut self.foreign_replies, "an answer of the enclosure"),
        };
        if tally.add(1) {
            tracing::warn!(
                routing_key = message.routing_key,
                "somebody's message passes for {passes_for}, and is refused; SECURITY.md says how the broker keeps strangers out"
            );
        }
    }

    /// A `set` came another way than straight through the exchange.
    pub(super) fn detour(&mut self, heartbeat: &str, detour: &str) {
        if self.detours.add(1) {
            tracing::warn!(
                heartbeat,
                detour,
                "a heartbeat came another way than straight through the exchange, and does not count; look at the broker's policies, shovels and federation (config/DEPLOY.md)"
            );
        }
    }

    /// Writes its counts into those that are shown.
    pub(super) fn count(&self, counters: &mut Counters) {
        counters.malformed = self.malformed.count;
        counters.busy = self.busy.count;
        counters.foreign_echoes = self.foreign_echoes.count;
        counters.foreign_replies = self.foreign_replies.count;
        counters.detours = self.detours.count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_counted_always_and_logged_once_a_session() {
        let mut tally = Tally::default();
        assert!(!tally.add(0));
        assert!(tally.add(2));
        assert!(!tally.add(1));
        assert_eq!(tally.count, 3);

        let message = Message::default();
        let mut refused = Refused::default();
        refused.foreign(Foreign::Echo, &message);
        assert!(refused.foreign_echoes.logged);
        assert!(!refused.foreign_replies.logged, "each kind by itself");
        refused.foreign(Foreign::Reply, &message);
        refused.malformed(&message, &MalformedCause::TooDeep);
        refused.busy(0);
        assert!(!refused.busy.logged, "none is no news");
        refused.detour("overwatcher", "x-death");
        refused.busy(3);
        refused.session_opened();
        assert!(refused.foreign_echoes.add(1) && refused.foreign_replies.add(1));
        assert!(refused.malformed.add(1) && refused.busy.add(1) && refused.detours.add(1));
        let mut counters = Counters::default();
        refused.count(&mut counters);
        assert_eq!(counters.detours, 2);
        let foreign = (counters.foreign_echoes, counters.foreign_replies);
        assert_eq!((counters.malformed, counters.busy, foreign), (2, 4, (2, 2)));
    }
}
