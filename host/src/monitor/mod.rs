//! The monitor outside the observatory: alerts people when the observatory has gone silent.
//!
//! One loop owns everything that is known (`watch`); no lock guards it. What takes time (a
//! delivery, the disk, an HTTP client) is done by tasks that report back, so that none of them
//! holds up a beat, a check, or another channel (M1, M2). Each task is watched: a monitor that
//! has lost one ends, and whoever runs it starts it again.

mod clearing;
pub mod handle;
mod held;
pub mod history;
pub mod http;
pub mod incidents;
mod memory;
pub mod notice;
pub mod notify;
mod outbox;
pub mod page;
mod ping;
mod routine;
mod saved;
mod saving;
mod store;
#[cfg(test)]
mod testing;
pub mod view;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lvmbeat_core::alarm;
use tokio::net::TcpListener;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::notify::Channel;
pub use self::store::Unusable;
use self::watch::Watch;
use crate::clock::Clock;
use crate::config::monitor::Monitor;
use crate::config::text_file::NoFile;
use crate::errors::with_causes;
use crate::server::serve;
use crate::systemd::Systemd;

/// Why the monitor did not start, or ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// The thresholds cannot work.
    #[error("monitor: {0}")]
    Thresholds(#[source] alarm::ConfigError),
    /// Another monitor is running on the same state file.
    #[error("another monitor is using the state file {}: stop it first, or give this one its own file (LVMBEAT_STATE_FILE)", .0.display())]
    Locked(PathBuf),
    /// There is no state to show.
    #[error("the state file {}: {cause}", path.display())]
    NoState {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        cause: Unusable,
    },
    /// None is configured.
    #[error("no state file is configured; set LVMBEAT_STATE_FILE or monitor.state_file")]
    NoStateConfigured,
    /// There is something else in its place.
    #[error("the state file {} cannot be used: {kind}; give the monitor a file of its own (LVMBEAT_STATE_FILE)", path.display())]
    NoStateFile {
        /// Where.
        path: PathBuf,
        /// What it is.
        #[source]
        kind: NoFile,
    },
    /// Going back to an earlier version must not throw away what a later one knows.
    #[error(
        "the state file {} was written by a later version of lvmbeat (format {version}, this one knows {}) and was left as it is: run that version, \
         or move the file away, which loses undelivered alerts",
        path.display(),
        store::VERSION
    )]
    LaterState {
        /// Where it is.
        path: PathBuf,
        /// Its format.
        version: u64,
    },
    /// The HTTP client for the other dead-man's service cannot be made.
    #[error("the HTTP client for monitor.ping_url cannot be set up: {}", with_causes(.0))]
    HttpClient(#[from] reqwest::Error),
    /// The channels cannot be made.
    #[error(transparent)]
    Channels(#[from] notify::ChannelsError),
    /// A task ended that never should.
    #[error("an internal task has died ({0}); this is a defect of lvmbeat")]
    TaskDied(String),
}

/// The state in the form of the Python version, for the way back to it.
pub fn python_state(file: Option<&Path>) -> Result<String, MonitorError> {
    let path = file.ok_or(MonitorError::NoStateConfigured)?;
    let state = store::as_python(path).map_err(|cause| MonitorError::NoState {
        path: path.to_owned(),
        cause,
    })?;
    Ok(format!("{state}\n"))
}

/// Runs the monitor until `shutdown` is cancelled, and then ends in order within two seconds.
pub async fn run(
    config: Monitor,
    listener: TcpListener,
    clock: Arc<dyn Clock>,
    systemd: Systemd,
    shutdown: CancellationToken,
) -> Result<(), MonitorError> {
    let channels = notify::channels(&config)?;
    run_with(config, channels, listener, clock, systemd, shutdown).await
}

/// The same with other channels: for tests and the simulation.
pub async fn run_with(
    config: Monitor,
    channels: Vec<Arc<dyn Channel>>,
    listener: TcpListener,
    clock: Arc<dyn Clock>,
    systemd: Systemd,
    shutdown: CancellationToken,
) -> Result<(), MonitorError> {
    let thresholds = config.alarm().map_err(MonitorError::Thresholds)?;
    introduce(&config, &channels);
    let config = Arc::new(config);
    let (beat_status, own_beat) = tokio::sync::watch::channel(None);
    let (watch, handle) = Watch::new(
        config.clone(),
        thresholds,
        channels.into(),
        clock.clone(),
        own_beat,
    )
    .await?;
    let (limits, router) = (
        http::limits(&config),
        http::router(handle.clone(), &config, clock.clone()),
    );
    let mut tasks = JoinSet::new();
    if let Some(url) = config.ping_url.clone() {
        let service = ping::Service {
            url,
            every: config.ping_every,
            client: ping::client()?,
            secrets: config.secrets(),
        };
        let view = handle.views();
        tasks.spawn(async move {
            ping::beat(service, view, beat_status, clock).await;
            "the beat to the other dead-man's service"
        });
    }
    tasks.spawn(async move {
        serve(listener, router, limits).await;
        "the HTTP server"
    });
    watch.run(tasks, systemd, shutdown).await
}

/// Says what the operator should know from the start.
fn introduce(config: &Monitor, channels: &[Arc<dyn Channel>]) {
    tracing::info!(
        alert_after = config.alert_after.as_secs_f64(),
        held_after = config.held_after.map(|after| after.as_secs_f64()),
        channels = ?channels.iter().map(|channel| channel.shown()).collect::<Vec<_>>(),
        "watching for beats"
    );
    if channels.is_empty() {
        tracing::warn!(
            "no e-mail, Slack or webhook is configured: nobody will be alerted when the observatory goes silent"
        );
    }
    if !config.alerts {
        tracing::warn!(
            "LVMBEAT_START_MONITOR is off: nobody will be alerted when the observatory goes silent"
        );
    }
    if config.state_file.is_none() {
        tracing::warn!(
            "no state file is configured (LVMBEAT_STATE_FILE): a restart loses whether an alarm is on, undelivered \
             alerts, that alarms were disabled, and the silence observed so far"
        );
    }
}
