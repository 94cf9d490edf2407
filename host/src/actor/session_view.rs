//! The session with the broker, as shown and logged.

use crate::clu::bus::BusError;

/// Causes that are logged while there is no session; one that changes all the time must not fill
/// the log.
const MOST_LOGGED: usize = 8;

/// How it stands with the session.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum SessionState {
    /// Being opened.
    #[default]
    Connecting,
    /// Another actor of this name is active.
    StandBy,
    /// The broker blocks all who publish.
    Blocked,
    /// Open: this actor is the active one.
    Open,
}

/// What is known of it.
#[derive(Default)]
pub(super) struct SessionView {
    pub(super) state: SessionState,
    /// Why the last attempt to open one failed, until one succeeds.
    pub(super) error: Option<String>,
    /// Why the last one ended.
    pub(super) ended: Option<&'static str>,
    pub(super) opened: u64,
    /// Attempts that failed, those of an actor that stands by included.
    pub(super) failed: u64,
    /// The causes that were logged since the last session.
    logged: Vec<String>,
}

impl SessionView {
    pub(super) fn opened(&mut self, broker: &str, name: &str) {
        self.state = SessionState::Open;
        self.error = None;
        self.logged.clear();
        self.opened += 1;
        tracing::info!(broker, name, "session open, waiting for heartbeats");
    }

    /// An attempt to open a session failed. Each cause is logged once, until there is a session.
    pub(super) fn failed(&mut self, error: &BusError) {
        self.state = match error {
            BusError::Locked { .. } => SessionState::StandBy,
            BusError::Blocked { .. } => SessionState::Blocked,
            BusError::Unreachable { .. }
            | BusError::Refused { .. }
            | BusError::Foreign { .. }
            | BusError::Several(_)
            | BusError::Closed { .. }
            | BusError::TimedOut { .. } => SessionState::Connecting,
        };
        self.failed += 1;
        let text = error.to_string();
        self.error = Some(text.clone());
        if !self.is_new(text) {
            tracing::debug!(%error, attempts = self.failed, "no session yet");
        } else if self.state == SessionState::StandBy {
            tracing::info!(%error, "standing by");
        } else {
            tracing::warn!(%error, "no session with the broker; trying again until there is one");
        }
    }

    fn is_new(&mut self, cause: String) -> bool {
        let is_new = !self.logged.contains(&cause) && self.logged.len() < MOST_LOGGED;
        if is_new {
            self.logged.push(cause);
        }
        is_new
    }

    pub(super) fn ended(&mut self, cause: &'static str) {
        self.state = SessionState::Connecting;
        self.ended = Some(cause);
        tracing::warn!(cause, "session lost, opening another");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(cause: &str) -> BusError {
        BusError::Closed {
            cause: crate::clu::bus::Shown::ours(cause),
        }
    }

    #[test]
    fn a_failure_shows_what_the_actor_waits_for() {
        let mut session = SessionView::default();
        let queue = "lvmbeat_commands".to_owned();
        session.failed(&BusError::Locked { queue });
        assert_eq!(session.state, SessionState::StandBy);
        let reason = "low on disk".to_owned();
        session.failed(&BusError::Blocked { reason });
        assert_eq!(session.state, SessionState::Blocked);
        assert!(session.error.as_ref().unwrap().contains("low on disk"));
        session.opened("broker", "lvmbeat");
        assert_eq!((session.state, &session.error), (SessionState::Open, &None));
        session.ended("gone");
        assert_eq!(session.state, SessionState::Connecting);
        assert_eq!((session.opened, session.failed), (1, 2));
    }

    #[test]
    fn a_cause_that_comes_back_after_a_session_is_logged_again() {
        let mut session = SessionView::default();
        session.failed(&closed("gone"));
        assert!(!session.is_new(closed("gone").to_string()));
        session.opened("broker", "lvmbeat");
        assert!(session.is_new(closed("gone").to_string()));
    }

    #[test]
    fn x2_each_cause_is_logged_once_and_not_more_than_a_few() {
        let mut session = SessionView::default();
        assert!(session.is_new("a".to_owned()));
        assert!(!session.is_new("a".to_owned()));
        for number in 0..100 {
            session.failed(&closed(&number.to_string()));
        }
        assert_eq!(session.logged.len(), MOST_LOGGED);
        assert_eq!(session.failed, 100);
    }
}
