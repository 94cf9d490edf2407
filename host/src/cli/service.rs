//! What the actor and the monitor have in common as processes of their own: logs, the runtime,
//! signals, a port to serve on.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Failure;
use crate::config::{ConfigError, text_file};
use crate::log;

/// What still runs when everything else has ended is given this long (a name lookup cannot be
/// interrupted).
const LAST_LIMIT: Duration = Duration::from_millis(200);
/// How the shell reports a program that Ctrl-C has ended.
const EXIT_INTERRUPTED: i32 = 130;

/// What ends a process that does not care, and is no reason to end: a closed terminal, a reload, a
/// log rotation, a timer, a file that has reached the largest size. By their numbers on Linux where
/// tokio has no name for them.
const NO_REASON_TO_END: [(&str, SignalKind); 7] = [
    ("SIGHUP", SignalKind::hangup()),
    ("SIGUSR1", SignalKind::user_defined1()),
    ("SIGUSR2", SignalKind::user_defined2()),
    ("SIGALRM", SignalKind::alarm()),
    ("SIGPIPE", SignalKind::pipe()),
    ("SIGIO", SignalKind::io()),
    ("SIGXFSZ", SignalKind::from_raw(25)),
];

/// Runs what `serve` makes until it ends; the token is cancelled when the process is asked to stop.
pub(super) fn run<F>(
    log_dir: Option<&Path>,
    verbosity: u8,
    serve: impl FnOnce(CancellationToken) -> F,
) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    authorities()?;
    let logging = log::start("lvmbeat", log_dir, verbosity);
    // One TLS provider for the whole process; a second call, in a test say, changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|cause| Failure::Running(format!("the runtime cannot be set up: {cause}")))?;
    let result = runtime.block_on(async {
        let stop = CancellationToken::new();
        let signals = tokio::spawn(stop_on_signals(stop.clone())?);
        let _staying = stay_on_signals()?;
        let result = serve(stop).await;
        signals.abort();
        result
    });
    if let Err(failure) = &result {
        tracing::error!("{failure}");
    }
    runtime.shutdown_timeout(LAST_LIMIT);
    drop(logging);
    result
}

/// X2: the libraries for TLS read whatever `SSL_CERT_FILE` names, to its end.
pub(super) fn authorities() -> Result<(), Failure> {
    const NAME: &str = "SSL_CERT_FILE";
    let Some(file) = std::env::var_os(NAME).filter(|file| !file.is_empty()) else {
        return Ok(());
    };
    let checked = match text_file::is_a_file(Path::new(&file)) {
        // Who needs no authority needs no file of them.
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        checked => checked,
    };
    checked.map_err(|cause| {
        Failure::Config(ConfigError::Value {
            file: "environment".to_owned(),
            key: NAME.to_owned(),
            problem: format!("{} cannot be read ({cause})", file.display()),
            remedy: "name a file of certificates in PEM, or unset it".to_owned(),
        })
    })
}

/// Listens on the address that this key or option gives; port 0 becomes the one that was found.
pub(super) async fn listen(
    given_by: &str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), Failure> {
    let cannot = |cause| {
        Failure::Running(format!(
            "{given_by}: cannot listen on {address} ({cause}); choose another address"
        ))
    };
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    Ok((listener, address))
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

/// Stays, and says so once for each signal.
fn stay_on_signals() -> Result<JoinSet<()>, Failure> {
    let cannot = |cause| Failure::Running(format!("signals cannot be received: {cause}"));
    let mut staying = JoinSet::new();
    for (name, kind) in NO_REASON_TO_END {
        let mut signals = signal(kind).map_err(cannot)?;
        staying.spawn(async move {
            if signals.recv().await.is_some() {
                tracing::info!(
                    "{name} was received, and changes nothing: restart lvmbeat to have it read its configuration again"
                );
            }
            while signals.recv().await.is_some() {}
        });
    }
    Ok(staying)
}
