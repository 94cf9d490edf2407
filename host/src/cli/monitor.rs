//! Running the monitor in a process of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::runtime::Builder;
use tracing::field::display;

use super::{Failure, service};
use crate::VERSION;
use crate::clock::BootClock;
use crate::config::monitor::Monitor;
use crate::log::LogOptions;
use crate::monitor;
use crate::stop::Stop;
use crate::systemd::Systemd;

pub(super) fn run(
    mut config: Monitor,
    warnings: Vec<String>,
    listen: Option<SocketAddr>,
    mut log: LogOptions,
) -> Result<(), Failure> {
    let given_by = if listen.is_some() {
        "--listen"
    } else {
        "monitor.listen or LVMBEAT_LISTEN"
    };
    config.listen = listen.unwrap_or(config.listen);
    // Its log goes to standard output: containers keep that.
    log.verbosity = log.verbosity.max(config.debug.into());
    // The loop that alerts has the main thread to itself, however many pages are asked for (M1).
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(2);
    service::run(runtime, None, log, |stop| {
        serve(config, warnings, given_by, stop)
    })
}

async fn serve(
    config: Monitor,
    warnings: Vec<String>,
    given_by: &str,
    stop: Stop,
) -> Result<(), Failure> {
    let (listener, address) = service::listen(given_by, config.listen).await?;
    // It can do without a file, so that these are no warnings here.
    for warning in warnings {
        tracing::info!("{warning}");
    }
    // What is not configured, and what is lost by that, the monitor says itself.
    let state_file = config
        .state_file
        .as_deref()
        .map(|file| display(file.display()));
    tracing::info!(version = VERSION, %address, state_file, "lvmbeat monitor");
    let (systemd, shutdown) = (Systemd::from_environment(), stop.token().clone());
    Ok(monitor::run(config, listener, Arc::new(BootClock), systemd, shutdown).await?)
}
