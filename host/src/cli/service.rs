//! What the actor and the monitor have in common as processes of their own: logs, the runtime,
//! signals, a port to serve on.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use super::Failure;
use crate::config::{ConfigError, text_file};
use crate::errors::with_causes;
use crate::log::{self, LogOptions};
use crate::stop::Stop;

/// What still runs when everything else has ended is given this long (a name lookup cannot be
/// interrupted).
const LAST_LIMIT: Duration = Duration::from_millis(200);
/// So many bytes of certificates are read: all public authorities have 250 kB.
const LONGEST_AUTHORITIES: u64 = 16 << 20;
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

/// One TLS provider for the whole process; a second call, in a test say, changes nothing.
pub(super) fn tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Runs what `serve` makes on that runtime until it ends; it hears when the process is asked to
/// stop.
pub(super) fn run<F>(
    mut runtime: Builder,
    log_dir: Option<&Path>,
    log: LogOptions,
    serve: impl FnOnce(Stop) -> F,
) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    authorities()?;
    let logging = log::start("lvmbeat", log_dir, log);
    tls();
    let runtime = runtime.enable_all().build().map_err(Failure::Runtime)?;
    let result = runtime.block_on(async {
        let stop = Stop::new();
        let signals = tokio::spawn(stop_on_signals(stop.clone())?);
        let _staying = stay_on_signals()?;
        let result = serve(stop).await;
        signals.abort();
        result
    });
    if let Err(failure) = &result {
        tracing::error!("{}", with_causes(failure));
    }
    runtime.shutdown_timeout(LAST_LIMIT);
    drop(logging);
    result
}

/// X2: the libraries for TLS read whatever these variables name, to its end.
pub(super) fn authorities() -> Result<(), Failure> {
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(file) = named("SSL_CERT_FILE") {
        let file = Path::new(&file);
        usable("SSL_CERT_FILE", file, text_file::length(file))?;
    }
    for folder in std::env::split_paths(&named("SSL_CERT_DIR").unwrap_or_default()) {
        // Only a regular file is read there.
        let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let lengths = files.filter_map(|file| text_file::length(&file.path()).ok());
        usable("SSL_CERT_DIR", &folder, Ok(lengths.sum()))?;
    }
    Ok(())
}

fn usable(variable: &str, path: &Path, length: io::Result<u64>) -> Result<(), Failure> {
    let cause = match length {
        Ok(length) if length <= LONGEST_AUTHORITIES => return Ok(()),
        // Who needs no authority needs no file of them.
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(_) => io::Error::other(format!("it is longer than {LONGEST_AUTHORITIES} bytes")),
        Err(cause) => cause,
    };
    Err(Failure::Config(ConfigError::UnreadableValue {
        file: "environment".to_owned(),
        key: variable.to_owned(),
        path: path.display().to_string(),
        cause,
        remedy: "name certificates in PEM, or unset it",
    }))
}

/// Listens on the address that this key or option gives; port 0 becomes the one that was found.
pub(super) async fn listen(
    given_by: &str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), Failure> {
    let cannot = |cause| Failure::Listen {
        given_by: given_by.to_owned(),
        address,
        cause,
    };
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    Ok((listener, address))
}

/// The first SIGTERM or Ctrl-C ends in order, a second Ctrl-C at once.
fn stop_on_signals(stop: Stop) -> Result<impl Future<Output = ()>, Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::Signals)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => stop.by("SIGTERM"),
            _ = interrupt.recv() => stop.by("SIGINT"),
        }
        interrupt.recv().await;
        std::process::exit(EXIT_INTERRUPTED);
    })
}

/// Stays, and says so once for each signal.
fn stay_on_signals() -> Result<JoinSet<()>, Failure> {
    let mut staying = JoinSet::new();
    for (name, kind) in NO_REASON_TO_END {
        let mut signals = signal(kind).map_err(Failure::Signals)?;
        staying.spawn(async move {
            if signals.recv().await.is_some() {
                tracing::info!(
                    "{name} is ignored: restart lvmbeat to have it read its configuration again"
                );
            }
            while signals.recv().await.is_some() {}
        });
    }
    Ok(staying)
}
