//! Feeds a watchdog box on a serial line (`emit.serial`) beside the enclosure: a relay of its own,
//! independent of lvmecp, network and PLC.
//!
//! The box hears of each decision to emit, whatever becomes of the heartbeat to the enclosure, and
//! of nothing else: there is no timer that feeds it (S2). As with the enclosure (`ecp`) the
//! heartbeat is written only after the box has answered a `ping` a moment before, and after the
//! decision loop was asked once more (S1); a line that is stalled would otherwise keep it, and the
//! box would hear it when the line thaws (S3). If there is no answer, what the device has not sent
//! is thrown away, and the next `hello` ends the session, as a reset and a pause of the box do: no
//! frame of it counts later. What is left is a line that stalls between the box's answer to the
//! ping and the heartbeat, and keeps that one outside this machine.
//!
//! It is a task of its own, and takes the latest decision only: a line that hangs delays nobody
//! (S6).

mod line;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use embassy_time::Instant;
use lvmbeat_core::serial::{Hold, Report, Status, What};
use tokio::sync::{mpsc, oneshot, watch};

use self::line::{Line, LineError};
use crate::clock::Clock;
use crate::config::{Serial, core_duration};

/// What the box has said after one heartbeat.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Answer {
    /// What became of the heartbeat.
    pub(super) verdict: Verdict,
    /// What it said of itself then.
    pub(super) status: Status,
}

/// What the box makes of a heartbeat.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It keeps the relay energised.
    Counted,
    /// The box knows its source, but does not depend on it.
    Noted,
    /// It does not count, for this.
    Held(Hold),
}

/// What the task reports.
#[derive(Debug)]
pub(super) enum BoxEvent {
    /// The line is open, and the box has given a session.
    Opened(Status),
    /// It took the heartbeat of one decision.
    Answered(Answer),
    /// It could not be fed.
    Failed(String),
    /// It said something by itself.
    Reported(What),
    /// It is about to be fed, and whether it still may be is asked.
    AboutToFeed { may_feed: oneshot::Sender<bool> },
}

/// What the task needs.
pub(super) struct Feeder {
    pub(super) config: Serial,
    /// S3: a heartbeat is not written later than this after its decision.
    pub(super) expiration: Duration,
    pub(super) events: mpsc::Sender<BoxEvent>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Feeder {
    /// Feeds the box with every decision, given by its time, until the actor has gone.
    pub(super) async fn run(self, mut decisions: watch::Receiver<Option<Instant>>) {
        // Whether there is a box is found out at once, and not by the first heartbeat.
        let mut line = None;
        if let Err(error) = self.open(&mut line).await {
            self.report(BoxEvent::Failed(error.to_string())).await;
        }
        loop {
            tokio::select! {
                decided = decisions.changed() => {
                    if decided.is_err() {
                        return;
                    }
                    let decided = *decisions.borrow_and_update();
                    if let Some(decided) = decided {
                        self.decided(&mut line, decided).await;
                    }
                }
                report = next(&mut line) => self.reported(&mut line, report).await,
            }
        }
    }

    async fn report(&self, event: BoxEvent) {
        // The loop takes it, or is gone and everything with it.
        let _ = self.events.send(event).await;
    }

    async fn reported(&self, line: &mut Option<Line>, report: Result<Report, LineError>) {
        match report {
            Ok(Report { what, .. }) => {
                if matches!(what, What::Started(_)) {
                    // It has forgotten its sessions.
                    *line = None;
                }
                self.report(BoxEvent::Reported(what)).await;
            }
            Err(error) => {
                *line = None;
                self.report(BoxEvent::Failed(error.to_string())).await;
            }
        }
    }

    async fn decided(&self, line: &mut Option<Line>, decided: Instant) {
        let mut fed = self.feed(line, decided).await;
        if matches!(fed, Err(LineError::NoSession)) {
            // It was reset, or somebody else has taken the session: a new one, once.
            *line = None;
            fed = self.feed(line, decided).await;
        }
        match fed {
            Ok(answer) => self.report(BoxEvent::Answered(answer)).await,
            Err(error) => {
                if error.leaves_something_behind() {
                    // S3: with the line go its buffers, and with the session whatever is still on
                    // its way.
                    *line = None;
                }
                self.report(BoxEvent::Failed(error.to_string())).await;
            }
        }
    }

    async fn feed(&self, line: &mut Option<Line>, decided: Instant) -> Result<Answer, LineError> {
        if line.is_none() {
            self.open(line).await?;
        }
        let line = line.as_mut().ok_or(LineError::Closed)?;
        line.ping().await?;
        if !self.may_feed().await || self.is_late(decided) {
            return Err(LineError::Withheld);
        }
        let verdict = line.set().await?;
        let status = line.status().await?;
        Ok(Answer { verdict, status })
    }

    async fn open(&self, line: &mut Option<Line>) -> Result<(), LineError> {
        let mut opened = Line::open(&self.config).await?;
        opened.hello().await?;
        let status = opened.status().await?;
        *line = Some(opened);
        self.report(BoxEvent::Opened(status)).await;
        Ok(())
    }

    /// S1, S3: asks the decision loop once more. No answer is a no.
    async fn may_feed(&self) -> bool {
        let (may_feed, answer) = oneshot::channel();
        let event = BoxEvent::AboutToFeed { may_feed };
        self.events.send(event).await.is_ok() && answer.await.unwrap_or(false)
    }

    fn is_late(&self, decided: Instant) -> bool {
        let spent = self.clock.now().checked_duration_since(decided);
        spent.is_none_or(|spent| spent >= core_duration(self.expiration))
    }
}

/// The next thing that the box says by itself.
async fn next(line: &mut Option<Line>) -> Result<Report, LineError> {
    match line {
        Some(line) => line.next().await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests;
