//! What the story waits for, and what has to come of it. Every time is of the site, in seconds.

use std::time::Duration;

use lvmbeat::clu::{BusError, CommandError};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::facts::Facts;
use super::parts::Site;
use super::scale::{PLC, TRAVEL};
use super::summary::{BrokenPromise, Closing};
use crate::plc::CloseCause;

/// What a busy machine may add to any wait, in its own time.
pub(super) const GRACE: Duration = Duration::from_secs(3);

/// How exactly times are compared: that of the PLC's clock.
const EXACT: f64 = 0.001;

/// What does not behave as the story expects.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// In one sentence.
    #[error("{0}")]
    Unexpected(String),
    /// At the end, something promised was not kept.
    #[error(transparent)]
    Promise(#[from] BrokenPromise),
    /// The operator's command was not sent.
    #[error("the dome cannot be opened: {0}")]
    NotConnected(#[from] BusError),
    /// The operator's command failed.
    #[error("the dome cannot be opened: {0}")]
    NotCommanded(#[from] CommandError),
}

/// What breaks in the story. Ends when something is put right.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Outage {
    /// What the time is counted from, for the screen.
    pub(super) since: f64,
    pub(super) what: &'static str,
}

/// Waits for facts about the chain.
pub(super) struct Expect<'a> {
    pub(super) site: &'a Site,
    pub(super) facts: &'a watch::Sender<Facts>,
    pub(super) outage: &'a watch::Sender<Option<Outage>>,
}

impl Expect<'_> {
    /// S4: the dome begins to close in time, but not before its time, and closes.
    pub(super) async fn dome_closes(
        &self,
        after: &'static str,
        since: f64,
        held_after: Option<f64>,
    ) -> Result<Closing, Broken> {
        let limit = self.site.closing_limit();
        let late =
            format!("the dome does not begin to close within {limit:.0} s after {after} (S4)");
        let facts = self
            .until(&late, limit, |facts| facts.closing_since(since).is_some())
            .await?;
        let (began, cause) = facts
            .closing_since(since)
            .unwrap_or((f64::MAX, CloseCause::Command));
        if cause != CloseCause::Watchdog {
            return Err(unwanted((began, cause)));
        }
        let last_heartbeat = facts.last_heartbeat.unwrap_or(0.0);
        if began - last_heartbeat < PLC - EXACT {
            return broken("the PLC closes the dome before its time");
        }
        let facts = self
            .until("the dome does not close", TRAVEL + 10.0, |facts| {
                facts.dome_closed.is_some_and(|at| at >= began)
            })
            .await?;
        // S3: what was under way may still have been delivered and written; later than that nothing
        // may be.
        let last_heartbeat = facts.last_heartbeat.unwrap_or(0.0);
        let latest = since + 2.0 * self.site.scale.site(self.site.config.chain.write);
        if last_heartbeat > latest + EXACT {
            return Err(Broken::Unexpected(format!(
                "a heartbeat reached the PLC {:.1} s after {after}",
                last_heartbeat - since
            )));
        }
        Ok(Closing {
            after,
            at: since,
            held_after,
            began_after: began - since,
            closed_after: facts.dome_closed.unwrap_or(began) - since,
        })
    }

    pub(super) async fn recovers(&self, since: f64) -> Result<(), Broken> {
        self.until(
            "the PLC receives no heartbeat although all is well again",
            60.0,
            |facts| facts.watchdog_recovered.is_some_and(|at| at >= since),
        )
        .await?;
        self.outage.send_replace(None);
        Ok(())
    }

    /// The PLC begins to close the dome.
    pub(super) async fn closing(&self, since: f64) -> (f64, CloseCause) {
        let mut facts = self.facts.subscribe();
        loop {
            if let Some(closing) = facts.borrow_and_update().closing_since(since) {
                return closing;
            }
            // The sender lives as long as the story.
            let _ = facts.changed().await;
        }
    }

    /// Waits until something is a fact; `broken` says what is wrong if that takes too long.
    pub(super) async fn until(
        &self,
        broken: &str,
        limit: f64,
        is_fact: impl FnMut(&Facts) -> bool,
    ) -> Result<Facts, Broken> {
        let mut facts = self.facts.subscribe();
        let mut is_fact = is_fact;
        let limit = self.site.scale.real(limit) + GRACE;
        match timeout(limit, facts.wait_for(|facts| is_fact(facts))).await {
            Ok(Ok(facts)) => Ok(facts.clone()),
            Ok(Err(_)) | Err(_) => Err(Broken::Unexpected(broken.to_owned())),
        }
    }

    pub(super) async fn pass(&self, seconds: f64) {
        sleep(self.site.scale.real(seconds)).await;
    }
}

pub(super) fn broken<T>(sentence: &str) -> Result<T, Broken> {
    Err(Broken::Unexpected(sentence.to_owned()))
}

pub(super) fn unwanted((at, cause): (f64, CloseCause)) -> Broken {
    Broken::Unexpected(format!(
        "the PLC closes the dome after {at:.1} s although all is well ({})",
        cause.words()
    ))
}
