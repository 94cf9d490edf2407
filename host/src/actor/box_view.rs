//! The watchdog box on a serial line, as shown and logged.

use embassy_time::Instant;
use jiff::Timestamp;
use lvmbeat_core::serial::What;

use super::relay_box::{Answer, BoxEvent, Verdict};
use crate::clock::Moment;

/// What is known of it.
#[derive(Clone, Default, Debug)]
pub struct BoxView {
    /// The device.
    pub path: String,
    /// Whether its relay is energised, as it said last.
    pub energised: Option<bool>,
    /// Whether somebody has to arm it first.
    pub latched: Option<bool>,
    /// Its word for why the next heartbeat would not count, or why the relay was released.
    pub hold: Option<&'static str>,
    /// When a heartbeat last counted.
    pub counted_at: Option<Instant>,
    /// The same, by the wall clock.
    pub last_counted: Option<Timestamp>,
    /// Heartbeats that it has taken.
    pub answered: u64,
    /// Those of them that counted: the others came too soon, or something else was missing.
    pub counted: u64,
    /// Heartbeats that did not reach it.
    pub failed: u64,
    /// Why the last one did not, if it did not.
    pub failure: Option<String>,
}

impl BoxView {
    /// Takes what is heard of the box. Logged when it changes.
    pub(super) fn observe(&mut self, event: BoxEvent, at: Moment) {
        let before = (self.energised, self.latched);
        let what = match event {
            BoxEvent::Opened(status) => {
                tracing::info!(path = self.path, "the watchdog box answers");
                self.failure = None;
                What::Status(status)
            }
            BoxEvent::Answered(Answer { verdict, status }) => {
                self.answered += 1;
                if verdict == Verdict::Counted {
                    self.counted += 1;
                    self.counted_at = Some(at.now);
                    self.last_counted = Some(at.wall);
                }
                tracing::debug!(?verdict, "the watchdog box was fed");
                self.failure = None;
                What::Status(status)
            }
            BoxEvent::Failed(failure) => {
                self.failed += 1;
                if self.failure.as_ref() != Some(&failure) {
                    tracing::warn!(path = self.path, "the watchdog box was not fed: {failure}");
                }
                self.failure = Some(failure);
                return;
            }
            BoxEvent::Reported(what) => what,
            // A question, which the loop answers.
            BoxEvent::AboutToFeed { .. } => return,
        };
        match what {
            What::Started(_) => {
                tracing::warn!("the watchdog box has started anew; its relay is released");
                (self.energised, self.latched, self.hold) = (Some(false), None, None);
                return;
            }
            What::Energised => (self.energised, self.hold) = (Some(true), None),
            What::Released(release) => {
                self.energised = Some(false);
                self.hold = Some(release.as_str());
            }
            What::Status(status) => {
                (self.energised, self.latched) = (Some(status.energised), Some(status.latched));
                self.hold = status.hold.map(|hold| hold.cause.as_str());
            }
            What::Counted(_)
            | What::Held { .. }
            | What::Noted(_)
            | What::Armed(_)
            | What::Session(..)
            | What::Pong
            | What::Refused(_) => {}
        }
        if before != (self.energised, self.latched) {
            self.log_relay();
        }
    }

    fn log_relay(&self) {
        match (self.energised, self.latched) {
            (Some(true), _) => tracing::info!("the watchdog box's relay is energised"),
            (Some(false), Some(true)) => tracing::warn!(
                hold = self.hold,
                "the watchdog box's relay is released, and latched: somebody has to arm the box"
            ),
            (Some(false), _) => {
                tracing::warn!(hold = self.hold, "the watchdog box's relay is released");
            }
            (None, _) => {}
        }
    }
}
