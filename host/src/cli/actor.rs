//! Running the actor in a process of its own.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Failure;
use crate::actor;
use crate::clock::{BootClock, Clock};
use crate::clu::Amqp;
use crate::config::Config;
use crate::telemetry::{health, http, log};

/// What still runs when everything else has ended is given this long (a name lookup cannot be interrupted).
const LAST_LIMIT: Duration = Duration::from_millis(200);
/// How the shell reports a program that Ctrl-C has ended.
const EXIT_INTERRUPTED: i32 = 130;

pub(super) fn run(config: Config, verbosity: u8) -> Result<(), Failure> {
    let logging = log::start("lvmbeat", config.actor.log_dir.as_deref(), verbosity);
    // One TLS provider for the whole process; a second call, in a test say, changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|cause| Failure::Running(format!("the runtime cannot be set up: {cause}")))?;
    let result = runtime.block_on(serve(config));
    if let Err(failure) = &result {
        tracing::error!("{failure}");
    }
    runtime.shutdown_timeout(LAST_LIMIT);
    drop(logging);
    result
}

async fn serve(config: Config) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    let signals = tokio::spawn(stop_on_signals(stop.clone())?);
    tracing::info!(
        version = actor::VERSION,
        config = config.source,
        "lvmbeat actor"
    );
    for line in config.budget_report().lines() {
        tracing::info!("{line}");
    }
    let bus = Amqp::new(
        config.actor.broker.reveal().as_str(),
        config.actor.amqp_heartbeat,
    )
    .map_err(|error| Failure::Running(error.to_string()))?;
    let clock: Arc<dyn Clock> = Arc::new(BootClock);
    let (snapshots, shown) = watch::channel(None);
    let listener = match config.actor.http {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let health = health::router(shown, clock.clone());
    let actor = actor::run(config, Arc::new(bus), clock, snapshots, stop);
    let result = match listener {
        None => actor.await,
        Some(listener) => tokio::select! {
            result = actor => result,
            () = http::serve(listener, health, http::Limits::default()) => {
                Err(actor::ActorError::TaskDied("the HTTP server has ended".to_owned()))
            }
        },
    };
    signals.abort();
    result.map_err(|error| match error {
        actor::ActorError::Config(error) => Failure::Config(error),
        actor::ActorError::HttpClient(_) | actor::ActorError::TaskDied(_) => {
            Failure::Running(error.to_string())
        }
    })
}

async fn listen(address: std::net::SocketAddr) -> Result<TcpListener, Failure> {
    let cannot = |cause| {
        Failure::Running(format!(
            "actor.http: cannot listen on {address} ({cause}); choose another address"
        ))
    };
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    tracing::info!(%address, "serving /healthz, /readyz and /metrics");
    Ok(listener)
}

/// The first SIGTERM or Ctrl-C ends in order, a second Ctrl-C at once.
fn stop_on_signals(stop: CancellationToken) -> Result<impl Future<Output = ()>, Failure> {
    let cannot = |cause| Failure::Running(format!("signals cannot be received: {cause}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
        interrupt.recv().await;
        std::process::exit(EXIT_INTERRUPTED);
    })
}
