//! The monitor's loop: owns everything that is known, and waits for nothing but its own channels.

mod promises;

use std::io;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use embassy_time::Instant;
use futures_util::FutureExt as _;
use lvmbeat_core::alarm;
use reqwest::Url;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::MonitorError;
use super::handle::{Handle, Request};
use super::memory::Memory;
use super::notice::Notice;
use super::notify::{Channel, DeliveryError, Message, Sending, Undelivered};
use super::outbox::{Delivery, Way};
use super::saved::Loaded;
use super::saving::Saving;
use super::store::{self, Damaged, Lock, Mark, NoLock, Unusable};
use super::view::{OwnBeat, View};
use crate::clock::{Clock, Moment, tick_within};
use crate::config::core_duration;
use crate::config::monitor::Monitor;
use crate::systemd::Systemd;
use promises::Promises;

/// Requests that are taken before a check: no more than can wait.
const WAITING: usize = 64;
/// After a lapse, what waits in the sockets is given this long to be received before the next check
/// (M3), and so after a start.
const SETTLE: Duration = Duration::from_secs(1);
/// How long the disk may take to say what was saved.
const LOAD_LIMIT: Duration = Duration::from_secs(10);
/// When ending, how long deliveries under way may take, and then the last save.
const END_LIMIT: Duration = Duration::from_secs(1);

/// What became of a delivery at each of its channels.
type Ended = Vec<(usize, Result<(), Undelivered>)>;

/// The loop's own.
pub(super) struct Watch {
    config: Arc<Monitor>,
    clock: Arc<dyn Clock>,
    channels: Arc<[Arc<dyn Channel>]>,
    memory: Memory,
    saving: Saving,
    saves: JoinSet<io::Result<()>>,
    promises: Promises,
    /// Of what this process writes, and of what it found.
    stamp: Uuid,
    loaded: Mark,
    _lock: Option<Lock>,
    deliveries: JoinSet<Ended>,
    requests: mpsc::Receiver<Request>,
    view: watch::Sender<Arc<View>>,
    own_beat: watch::Receiver<Option<OwnBeat>>,
    tick_every: Duration,
    /// A check waits until what waits in the sockets is received.
    unsettled_since: Option<Instant>,
}

impl Watch {
    /// Goes on from what the state file says.
    pub(super) async fn new(
        config: Arc<Monitor>,
        thresholds: alarm::Config,
        channels: Arc<[Arc<dyn Channel>]>,
        clock: Arc<dyn Clock>,
        own_beat: watch::Receiver<Option<OwnBeat>>,
    ) -> Result<(Self, Handle), MonitorError> {
        let (mut lock, mut found, mut set_aside) = (None, Loaded::Nothing, None);
        if let Some(path) = &config.state_file {
            lock = take_lock(path.clone()).await?;
            (found, set_aside) = load(path.clone()).await;
        }
        let loaded = Mark::of(&found);
        let found = match found {
            Loaded::Later(version) => {
                let path = config.state_file.clone().unwrap_or_default();
                return Err(MonitorError::LaterState { path, version });
            }
            Loaded::Saved(saved) => {
                let secrets = config.secrets();
                Loaded::Saved(Box::new(saved.shown(&secrets)))
            }
            Loaded::Nothing | Loaded::Python(_) | Loaded::Lost => found,
        };
        if let Loaded::Saved(saved) = &found {
            for channel in channels.iter() {
                let threads = saved.threads.get(channel.id());
                channel.restore(threads.cloned().unwrap_or_default());
            }
        }
        let at = Moment::read(clock.as_ref());
        let ways = channels.iter().map(|channel| Way {
            id: channel.id(),
            server: channel.server(),
            after: channel.after(),
        });
        let memory = Memory::restore(thresholds, &config, found, ways, at);
        let saving = Saving::new(
            config.state_file.clone(),
            set_aside,
            config.alert_after,
            at.now,
        );
        let view = memory.view(at, &config, &channels, saving.view());
        let (view, shown) = watch::channel(Arc::new(view));
        let (handle, requests) = Handle::new(shown, channels.clone());
        let watch = Self {
            tick_every: tick_within(config.attention),
            config,
            clock,
            channels,
            memory,
            saving,
            saves: JoinSet::new(),
            promises: Promises::default(),
            stamp: Uuid::new_v4(),
            loaded,
            _lock: lock,
            deliveries: JoinSet::new(),
            requests,
            view,
            own_beat,
            unsettled_since: Some(at.now),
        };
        Ok((watch, handle))
    }

    /// Runs until `shutdown` is cancelled, or one of `tasks` ends, which never should. `systemd`
    /// hears that the loop runs.
    pub(super) async fn run(
        mut self,
        mut tasks: JoinSet<&'static str>,
        mut systemd: Systemd,
        shutdown: CancellationToken,
    ) -> Result<(), MonitorError> {
        let mut ticks = interval(self.tick_every);
        // After a pause one tick is enough; it is the gap that counts.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // In order: a lapse of attention has to be noticed before anything is decided (M3), and
            // no flood of requests keeps a check back (M1).
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                _ = ticks.tick() => {
                    self.tick();
                    systemd.alive(self.moment().now);
                }
                Some(ended) = tasks.join_next() => return Err(MonitorError::TaskDied(describe(ended))),
                Some(saved) = self.saves.join_next() => self.saved(saved),
                Some(ended) = self.deliveries.join_next() => self.delivery_ended(ended),
                Some(request) = self.requests.recv() => self.request(request),
            }
            self.proceed();
        }
        systemd.stopping();
        tracing::info!("stopping");
        tasks.shutdown().await;
        self.end().await;
        Ok(())
    }

    /// How long a check waits for what waits in the sockets.
    fn settle(&self) -> embassy_time::Duration {
        core_duration(SETTLE.min(self.config.attention))
    }

    fn tick(&mut self) {
        let at = self.moment();
        if let Err(lapse) = self.memory.tick(at) {
            tracing::warn!(
                ?lapse,
                "the monitor was not listening; that time does not count as silence"
            );
            self.unsettled_since = Some(at.now);
        }
        let is_settled = self.unsettled_since.is_none_or(|since| {
            at.now
                .checked_duration_since(since)
                .is_none_or(|waited| waited >= self.settle())
        });
        if is_settled {
            self.unsettled_since = None;
            self.check();
        }
        self.publish();
    }

    /// Decides, after the beats that wait (M3).
    fn check(&mut self) {
        for _ in 0..WAITING {
            let Ok(request) = self.requests.try_recv() else {
                break;
            };
            self.request(request);
        }
        let before = self.memory.outbox.end();
        let is_escalated = self.memory.check(self.moment());
        if is_escalated || self.memory.outbox.end() != before {
            self.saving.want();
        }
    }

    fn request(&mut self, request: Request) {
        let at = self.moment();
        let before = self.memory.outbox.end();
        // Shown before it is answered. Nobody may wait for the answer any more.
        match request {
            Request::Beat(report, answer) => {
                self.memory.beat(report.map(|report| *report), at);
                if self.saving.holds_silence() {
                    self.saving.want();
                }
                self.publish();
                let _ = answer.send(());
            }
            Request::Enable(answer) => {
                let was_disabled = self.memory.enable(at);
                self.saving.want();
                self.publish();
                self.promises.add(was_disabled, answer, at.now);
            }
            Request::Disable(period, answer) => {
                self.memory.disable(period, at);
                self.saving.want();
                self.publish();
                self.promises.add((), answer, at.now);
            }
            Request::Acknowledge(which, answer) => {
                let acknowledged = self.memory.acknowledge(&which, at);
                self.saving.want();
                self.publish();
                self.promises.add(acknowledged, answer, at.now);
            }
            Request::NotifyDown { force, notified } => {
                let is_notified = self.memory.notify_down(force, at);
                self.saving.want();
                self.publish();
                self.promises.add(is_notified, notified, at.now);
            }
            Request::NotifyUp { force, notified } => {
                let is_notified = self.memory.notify_up(force, at);
                self.saving.want();
                self.publish();
                self.promises.add(is_notified, notified, at.now);
            }
        }
        if self.memory.outbox.end() != before {
            self.saving.want();
        }
    }

    /// Begins what has to be begun: a save, deliveries.
    fn proceed(&mut self) {
        let at = self.moment();
        if self.saving.is_due(at.now) {
            self.save(at);
        }
        if self.config.state_file.is_none() {
            self.promises.give_up("there is no state file");
        }
        self.promises.tick(at.now);
        if self.saving.is_hopeless(at.now) {
            self.memory.outbox.release(self.memory.outbox.end());
        }
        while let Some(delivery) = self.memory.take_due(at) {
            self.deliver(delivery);
        }
    }

    fn save(&mut self, at: Moment) {
        let Some(path) = self.config.state_file.clone() else {
            return;
        };
        let end = self.memory.outbox.end();
        self.saving
            .begin(at.now, end, self.memory.is_silent(at.now));
        let mut saved = self.memory.save(at);
        for channel in self.channels.iter() {
            let threads = channel.threads();
            if !threads.is_empty() {
                saved.threads.insert(channel.id().to_owned(), threads);
            }
        }
        let (own, loaded) = (self.stamp, self.loaded);
        self.promises.save_begins();
        self.saves
            .spawn_blocking(move || store::write_own(&path, &mut saved, own, loaded));
    }

    fn saved(&mut self, saved: Result<io::Result<()>, JoinError>) {
        let failure = match saved {
            Ok(Ok(())) => None,
            Ok(Err(cause)) => Some(cause.to_string()),
            Err(died) => Some(died.to_string()),
        };
        self.promises.save_ended(failure.as_ref());
        if failure.is_none() {
            // What is there from now on is by this process, or by another.
            self.loaded = Mark::Nobody;
        }
        if let Some(end) = self.saving.ended(failure, self.clock.wall()) {
            self.memory.outbox.release(end);
        }
    }

    fn deliver(&mut self, delivery: Delivery) {
        let Delivery { channels, notices } = delivery;
        let sending = Sending {
            at: Some(self.clock.wall()),
            acknowledge: self.link(&notices),
            notices,
        };
        let way = |channel: &usize| self.channels.get(*channel).cloned();
        let ways: Vec<Arc<dyn Channel>> = channels.iter().filter_map(way).collect();
        let Some(first) = ways.first().cloned() else {
            return;
        };
        for way in &ways {
            tracing::debug!(
                channel = way.shown(),
                notices = sending.notices.len(),
                "delivering"
            );
        }
        let limit = first.limit(self.config.delivery_timeout);
        self.deliveries.spawn(async move {
            let message = Message::Notices(sending);
            let ids: Vec<&str> = ways.iter().map(|way| way.id()).collect();
            let delivery = AssertUnwindSafe(first.deliver_together(&ids, &message)).catch_unwind();
            let failed = |cause| {
                Undelivered::from(DeliveryError {
                    cause,
                    retry_after: None,
                })
            };
            let failure = match timeout(limit, delivery).await {
                Ok(Ok(results)) if results.len() == channels.len() => {
                    return channels.into_iter().zip(results).collect();
                }
                Ok(_) => failed("a defect of lvmbeat: the delivery has died".to_owned()),
                Err(_) => failed(format!("it took longer than {} s", limit.as_secs_f64())),
            };
            let fail = |channel| (channel, Err(failure.clone()));
            channels.into_iter().map(fail).collect()
        });
    }

    /// Where a person can acknowledge what these notices are about: on the page, if people can
    /// reach it.
    fn link(&self, notices: &[Notice]) -> Option<Url> {
        let mut link = self.config.wording.page.clone()?;
        let (incident, token) = self.memory.link(notices)?;
        let incident = incident.to_string();
        let path = ["acknowledge", incident.as_str(), token.reveal()];
        link.path_segments_mut().ok()?.pop_if_empty().extend(path);
        Some(link)
    }

    fn delivery_ended(&mut self, ended: Result<Ended, JoinError>) {
        // Only the end of the process aborts one.
        let Ok(ended) = ended else {
            return;
        };
        // The same for all, so that channels that failed together are tried together.
        let (at, jitter) = (self.moment(), rand::random());
        for (channel, result) in ended {
            let (name, before) = self.channel(channel);
            let result_error = result.as_ref().map_err(|undelivered| &undelivered.error);
            match (result_error, &before) {
                (Ok(()), _) => tracing::info!(channel = name, "delivered"),
                // Said once, until something else is the matter.
                (Err(error), Some(known)) if error.cause == *known => {
                    tracing::debug!(channel = name, %error, "not delivered");
                }
                (Err(error), _) => {
                    tracing::warn!(channel = name, %error, "not delivered; it will be retried until it is");
                }
            }
            if self.memory.delivery_ended(channel, result, jitter, at) {
                self.saving.want();
            }
        }
        self.publish();
    }

    /// Its name, and why its last delivery failed, if it did.
    fn channel(&self, channel: usize) -> (&str, Option<String>) {
        let name = self.channels.get(channel).map_or("", |way| way.shown());
        let queue = self.memory.outbox.queues().get(channel);
        (name, queue.and_then(|queue| queue.last_error.clone()))
    }

    fn publish(&self) {
        let (at, store) = (self.moment(), self.saving.view());
        let mut view = self.memory.view(at, &self.config, &self.channels, store);
        view.own_beat.clone_from(&self.own_beat.borrow());
        self.view.send_replace(Arc::new(view));
    }

    fn moment(&self) -> Moment {
        Moment::read(self.clock.as_ref())
    }

    /// Ends in order, in a bounded time: what is being delivered may still be, so that it is not
    /// delivered again (M4), and what is known is saved.
    async fn end(mut self) {
        let _ = timeout(END_LIMIT, async {
            while let Some(ended) = self.deliveries.join_next().await {
                self.delivery_ended(ended);
            }
        })
        .await;
        let last = timeout(END_LIMIT, async {
            while let Some(saved) = self.saves.join_next().await {
                self.saved(saved);
            }
            self.save(self.moment());
            while let Some(saved) = self.saves.join_next().await {
                self.saved(saved);
            }
        });
        if last.await.is_err() {
            tracing::error!("the last save did not finish in time");
        }
    }
}

/// Keeps other monitors from the state file, in a bounded time. Where that is impossible, the stamp
/// has to do.
async fn take_lock(path: PathBuf) -> Result<Option<Lock>, MonitorError> {
    let file = path.clone();
    let locking = tokio::task::spawn_blocking(move || store::lock(&file));
    let cause = match timeout(LOAD_LIMIT, locking).await {
        Ok(Ok(Ok(lock))) => return Ok(Some(lock)),
        Ok(Ok(Err(NoLock::Taken))) => return Err(MonitorError::Locked(path)),
        Ok(Ok(Err(NoLock::NoFile(kind)))) => return Err(MonitorError::NoStateFile { path, kind }),
        Ok(Ok(Err(cause))) => cause,
        Ok(Err(died)) => NoLock::Impossible(died.into()),
        Err(_) => NoLock::NoAnswer,
    };
    let file = path.display();
    tracing::warn!(%file, %cause, "the state file cannot be locked; a second monitor using it would be noticed only late");
    Ok(None)
}

/// Reads the state file, in a bounded time. Gives where it was set aside, if so.
async fn load(path: PathBuf) -> (Loaded, Option<PathBuf>) {
    let file = path.clone();
    let reading = tokio::task::spawn_blocking(move || store::load(&file));
    let (found, damaged) = match timeout(LOAD_LIMIT, reading).await {
        Ok(Ok(found)) => found,
        Ok(Err(died)) => (
            Loaded::Lost,
            Some(unread(Unusable::Unreadable(died.into()))),
        ),
        Err(_) => (Loaded::Lost, Some(unread(Unusable::NoAnswer))),
    };
    let file = path.display();
    match &found {
        Loaded::Nothing => tracing::info!(%file, "there is no state file yet; starting afresh"),
        Loaded::Saved(saved) => tracing::info!(%file, saved = %saved.wall, "state file read"),
        Loaded::Python(_) => tracing::info!(%file, "state file of the Python version read"),
        Loaded::Lost | Loaded::Later(_) => {}
    }
    let Some(Damaged { cause, set_aside }) = damaged else {
        return (found, None);
    };
    match set_aside {
        Ok(aside) => {
            tracing::error!(%file, %cause, kept = %aside.display(), "the state file cannot be used; it was set aside, starting afresh");
            (found, Some(aside))
        }
        Err(problem) => {
            tracing::error!(%file, %cause, %problem, "the state file cannot be used and cannot be set aside; starting afresh");
            (found, None)
        }
    }
}

fn unread(cause: Unusable) -> Damaged {
    Damaged {
        cause,
        set_aside: Err(io::Error::other("it was not read")),
    }
}

fn describe(ended: Result<&'static str, JoinError>) -> String {
    ended.map_or_else(|died| died.to_string(), |name| format!("{name} has ended"))
}

#[cfg(test)]
mod tests;
