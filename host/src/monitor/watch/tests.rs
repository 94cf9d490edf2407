//! The whole monitor but its HTTP server, on paused time.

use std::fs;

use lvmbeat_core::alarm::{Mode, State};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::super::notice::{Event, Notice};
use super::super::testing::{Does, Fake, Folder, SteppedClock, config};
use super::*;
use crate::report::Report;

mod acknowledging;
mod delivering;
mod disabling;
mod disk;
mod farewell;
mod held;
mod restarts;
mod silence;

/// Less often than in life, so that hours take no time, but still within the attention limit.
const TICK: Duration = Duration::from_millis(1600);

/// A monitor that can be killed and started again, with two channels.
struct Station {
    config: Monitor,
    clock: Arc<SteppedClock>,
    first: Arc<Fake>,
    second: Arc<Fake>,
    running: Option<Running>,
    folder: Folder,
    tick_every: Duration,
}

struct Running {
    handle: Handle,
    stop: CancellationToken,
    watch: AbortOnDropHandle<Result<(), MonitorError>>,
}

impl Station {
    /// Without a state file.
    async fn new(config: Monitor) -> Self {
        Self::started(config, Folder::new()).await
    }

    async fn started(config: Monitor, folder: Folder) -> Self {
        let clock = SteppedClock::new();
        let mut station = Self {
            config,
            first: Fake::new("first", clock.clone()),
            second: Fake::new("second", clock.clone()),
            clock,
            running: None,
            folder,
            tick_every: TICK,
        };
        station.start().await;
        station
    }

    /// With one, which may hold something already.
    async fn with_file(mut config: Monitor, content: Option<&str>) -> Self {
        let folder = Folder::new();
        if let Some(content) = content {
            fs::write(folder.file(), content).unwrap();
        }
        config.state_file = Some(folder.file());
        Self::started(config, folder).await
    }

    async fn start(&mut self) {
        let (mut watch, handle) = self.another().await.unwrap();
        watch.tick_every = self.tick_every;
        let stop = CancellationToken::new();
        let watch = AbortOnDropHandle::new(tokio::spawn(watch.run(
            JoinSet::new(),
            Systemd::default(),
            stop.clone(),
        )));
        self.running = Some(Running {
            handle,
            stop,
            watch,
        });
    }

    /// One with the same configuration, if it starts. It does not run yet.
    async fn another(&self) -> Result<(Watch, Handle), MonitorError> {
        let channels: Arc<[Arc<dyn Channel>]> = Arc::new([self.first.clone(), self.second.clone()]);
        let thresholds = self.config.alarm().unwrap();
        let config = Arc::new(self.config.clone());
        let (_, own_beat) = watch::channel(None);
        Watch::new(config, thresholds, channels, self.clock.clone(), own_beat).await
    }

    /// As by `kill -9`.
    async fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.watch.abort();
            let _ = running.watch.await;
            // A save that has begun goes on in its thread. Paused time waits for that.
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// In order.
    async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop.cancel();
            running.watch.await.unwrap().unwrap();
        }
    }

    fn handle(&self) -> &Handle {
        &self.running.as_ref().unwrap().handle
    }

    fn view(&self) -> Arc<View> {
        self.handle().view()
    }

    async fn report(&self, report: Report) {
        let report = Some(Box::new(report));
        self.handle().beat(report).await.unwrap();
    }

    async fn beat(&self) {
        self.handle().beat(None).await.unwrap();
    }

    /// Beats each 15 s for so long.
    async fn beats(&self, secs: u64) {
        for _ in 0..secs / 15 {
            self.beat().await;
            after(15).await;
        }
    }

    /// Time since boot.
    fn now(&self) -> Duration {
        crate::config::std_duration(self.clock.now() - Instant::MIN)
    }

    fn silence(&self) -> u64 {
        self.view().alarm.silence.as_secs()
    }
}

async fn after(secs: u64) {
    sleep(Duration::from_secs(secs)).await;
}

/// As deployed, but that the all-clear comes at once.
fn quick() -> Monitor {
    config()
}
