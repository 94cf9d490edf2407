//! What others may ask the monitor's loop for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use uuid::Uuid;

use super::incidents::Which;
use super::notify::Channel;
use super::view::View;
use crate::report::Report;

/// Requests that wait to be taken. The loop takes one in microseconds: a full queue means that it
/// does not run.
const WAITING: usize = 64;
/// How long the loop may take to answer: longer than it waits for the disk.
const LIMIT: Duration = Duration::from_secs(5);

/// One request to the loop. Whatever has to survive a restart is answered when it is on the disk,
/// or cannot be.
#[derive(Debug)]
pub enum Request {
    /// A beat was received.
    Beat(Option<Box<Report>>, oneshot::Sender<()>),
    /// Raise alarms again. Answers whether they were disabled.
    Enable(oneshot::Sender<Done<bool>>),
    /// Raise no alarms, for good or for some time.
    Disable(Option<Duration>, oneshot::Sender<Done<()>>),
    /// Somebody has seen these incidents. Answers which are acknowledged now.
    Acknowledge(Which, oneshot::Sender<Done<Vec<Uuid>>>),
    /// Notify people of `down` by hand. Answers whether they are notified.
    NotifyDown {
        /// Even if they know already.
        force: bool,
        /// The answer.
        notified: oneshot::Sender<Done<bool>>,
    },
    /// Notify people of `up` by hand. Answers whether they are notified.
    NotifyUp {
        /// Even if they know already.
        force: bool,
        /// The answer.
        notified: oneshot::Sender<Done<bool>>,
    },
}

/// It was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Done<T> {
    /// What came of it.
    pub value: T,
    /// Why a restart would forget it, if so; otherwise it is on the disk.
    pub unsaved: Option<String>,
}

/// The monitor's loop does not answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the monitor's loop does not answer")]
pub struct Stuck;

/// The way to the monitor's loop, for those who serve HTTP.
#[derive(Clone)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
    view: watch::Receiver<Arc<View>>,
    channels: Arc<[Arc<dyn Channel>]>,
}

impl Handle {
    /// A handle, and what it asks for. `view` must be up to date before a request is answered.
    pub fn new(
        view: watch::Receiver<Arc<View>>,
        channels: Arc<[Arc<dyn Channel>]>,
    ) -> (Self, mpsc::Receiver<Request>) {
        let (requests, taken) = mpsc::channel(WAITING);
        let handle = Self {
            requests,
            view,
            channels,
        };
        (handle, taken)
    }

    /// What is known now.
    pub fn view(&self) -> Arc<View> {
        self.view.borrow().clone()
    }

    /// What is known from now on.
    pub fn views(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }

    /// The channels by which people are notified.
    pub fn channels(&self) -> &[Arc<dyn Channel>] {
        &self.channels
    }

    /// A beat was received. Returns when it has been counted.
    pub async fn beat(&self, report: Option<Box<Report>>) -> Result<(), Stuck> {
        self.ask(|answer| Request::Beat(report, answer)).await
    }

    /// Raises alarms again. Gives whether they were disabled.
    pub async fn enable(&self) -> Result<Done<bool>, Stuck> {
        self.ask(Request::Enable).await
    }

    /// Raises no alarms, for good or for some time.
    pub async fn disable(&self, period: Option<Duration>) -> Result<Done<()>, Stuck> {
        self.ask(|answer| Request::Disable(period, answer)).await
    }

    /// Somebody has seen these incidents. Gives which are acknowledged now: none if there are no
    /// such.
    pub async fn acknowledge(&self, which: Which) -> Result<Done<Vec<Uuid>>, Stuck> {
        self.ask(|answer| Request::Acknowledge(which, answer)).await
    }

    /// Notifies people that the observatory is down. Gives whether they are notified.
    pub async fn notify_down(&self, force: bool) -> Result<Done<bool>, Stuck> {
        self.ask(|notified| Request::NotifyDown { force, notified })
            .await
    }

    /// Notifies people that the observatory is up. Gives whether they are notified.
    pub async fn notify_up(&self, force: bool) -> Result<Done<bool>, Stuck> {
        self.ask(|notified| Request::NotifyUp { force, notified })
            .await
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, Stuck> {
        let (answer, answered) = oneshot::channel();
        let asked = async {
            self.requests
                .send(request(answer))
                .await
                .map_err(|_| Stuck)?;
            answered.await.map_err(|_| Stuck)
        };
        timeout(LIMIT, asked).await.map_err(|_| Stuck)?
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}
