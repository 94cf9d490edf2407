//! Running the actor in a process of its own.

use std::sync::Arc;

use tokio::runtime::Builder;
use tokio::sync::watch;

use super::{Failure, service};
use crate::VERSION;
use crate::actor;
use crate::clock::{BootClock, Clock};
use crate::config::Config;
use crate::log::LogOptions;
use crate::server;
use crate::stop::Stop;
use crate::systemd::Systemd;

pub(super) fn run(config: Config, warnings: Vec<String>, log: LogOptions) -> Result<(), Failure> {
    let log_dir = config.actor.log_dir.clone();
    // One thread: nothing on the way of a `set` is handed to another. What blocks (the journal, the
    // log, names, a serial device) has threads of its own (S6).
    let runtime = Builder::new_current_thread();
    service::run(runtime, log_dir.as_deref(), log, |stop| {
        serve(config, warnings, stop)
    })
}

async fn serve(config: Config, warnings: Vec<String>, stop: Stop) -> Result<(), Failure> {
    tracing::info!(version = VERSION, config = config.source, "lvmbeat actor");
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    for line in config.budget_report().lines() {
        tracing::info!("{line}");
    }
    let bus = config.actor.bus()?;
    let clock: Arc<dyn Clock> = Arc::new(BootClock);
    let (snapshots, shown) = watch::channel(None);
    let listener = match config.actor.http {
        Some(address) => {
            let (listener, address) =
                service::listen("actor.http or LVMBEAT_ACTOR_HTTP", address).await?;
            tracing::info!(%address, "serving /healthz, /readyz and /metrics");
            for heartbeat in config
                .heartbeats
                .iter()
                .filter(|it| it.http_token.is_some())
            {
                tracing::info!(
                    heartbeat = heartbeat.name,
                    "whoever knows its token may set it over HTTP"
                );
            }
            Some(listener)
        }
        None => None,
    };
    let (poster, posts) = actor::http::set::channel();
    let setting = actor::http::set::router(&config, poster, shown.clone(), clock.clone());
    let routes = actor::http::router(shown, clock.clone()).merge(setting);
    let systemd = Systemd::from_environment();
    let actor = actor::run(
        config,
        Arc::new(bus),
        clock,
        snapshots,
        systemd,
        posts,
        stop,
    );
    let result = match listener {
        None => actor.await,
        Some(listener) => tokio::select! {
            result = actor => result,
            () = server::serve(listener, routes, server::Limits::default()) => {
                Err(actor::ActorError::TaskDied("the HTTP server has ended".to_owned()))
            }
        },
    };
    Ok(result?)
}
