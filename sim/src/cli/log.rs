//! The log, on the standard error.

use std::io::{self, IsTerminal as _};

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::EnvFilter;

/// Starts to log: errors, and more with each `-v`; the variable `RUST_LOG` wins over it. Not over a
/// picture on the terminal.
///
/// Lines are written by a thread of its own, which ends with what is returned.
pub(super) fn start(verbosity: u8, picture: bool) -> Option<WorkerGuard> {
    let terminal = io::stderr().is_terminal();
    if picture && terminal {
        return None;
    }
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        EnvFilter::new(match verbosity {
            // What the broker's library reports is an event already.
            0 => "error,lapin=off",
            1 => "info,lapin=off",
            2 => "debug,lapin=info",
            _ => "trace",
        })
    });
    let (stderr, worker) = NonBlockingBuilder::default().finish(io::stderr());
    // Fails only if somebody has started a log before, which goes on then.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
        .with_writer(stderr)
        .try_init();
    Some(worker)
}
