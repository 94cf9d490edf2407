//! Why the program failed, and its exit code.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use super::healthcheck;
use crate::clu::amqp::UriError;
use crate::clu::{BusError, CommandError};
use crate::config::ConfigError;

/// Why the program failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Actor(#[from] crate::actor::ActorError),
    #[error(transparent)]
    Monitor(#[from] crate::monitor::MonitorError),
    /// The broker's URL, of which the configuration has checked most.
    #[error(transparent)]
    Broker(#[from] UriError),
    #[error("the runtime cannot be set up: {0}")]
    Runtime(#[source] io::Error),
    #[error("signals cannot be received: {0}")]
    Signals(#[source] io::Error),
    #[error("standard output cannot be written: {0}")]
    Output(#[source] io::Error),
    #[error("{given_by}: cannot listen on {address} ({cause}); choose another address")]
    Listen {
        given_by: String,
        address: SocketAddr,
        #[source]
        cause: io::Error,
    },
    #[error(transparent)]
    Unhealthy(#[from] healthcheck::Unhealthy),
    /// No session with the broker.
    #[error(transparent)]
    NoBroker(#[from] BusError),
    /// The same, where perhaps another broker was meant.
    #[error(
        "{0}; no configuration file was found, and so the built-in one is in force: name one with -c or LVMBEAT_CONFIG_FILE"
    )]
    NoBrokerOfBuiltIn(#[source] BusError),
    /// A session, but no end of the command.
    #[error(transparent)]
    NoAnswer(#[from] CommandError),
    #[error("the actor does not know the command 'history': it is of an earlier version")]
    NoHistory,
    #[error("the drill has not ended; 'lvmbeat status' shows how it stands")]
    NoDrillEnd,
    #[error("the command {} cannot be started: {cause}", command.display())]
    NotStarted {
        command: OsString,
        #[source]
        cause: io::Error,
    },
    /// The guarded command has ended, with that exit code; it has said why.
    #[error("")]
    Guarded(u8),
    /// A word of the Python version's command line.
    #[error("{0}")]
    Python(&'static str),
    #[error(transparent)]
    Moment(#[from] crate::journal::when::NoMoment),
    #[error(transparent)]
    Name(#[from] lvmbeat_client::NotAName),
    #[error("a command cannot contain the character NUL")]
    Nul,
    /// The answer was printed; it says why.
    #[error("")]
    Answered,
    /// The status was printed; its health says why.
    #[error("")]
    NotWell,
}

impl Failure {
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Actor(crate::actor::ActorError::Config(_))
            | Self::Config(_)
            | Self::Broker(_)
            | Self::Python(_)
            | Self::Moment(_)
            | Self::Name(_) => 2,
            Self::NoBroker(_) | Self::NoBrokerOfBuiltIn(_) | Self::NoAnswer(_) | Self::Nul => 3,
            Self::NotWell => 4,
            Self::Guarded(code) => *code,
            Self::NotStarted { cause, .. } if cause.kind() == io::ErrorKind::NotFound => 127,
            Self::NotStarted { .. } => 126,
            Self::Actor(_)
            | Self::Monitor(_)
            | Self::Runtime(_)
            | Self::Signals(_)
            | Self::Output(_)
            | Self::Listen { .. }
            | Self::NoHistory
            | Self::NoDrillEnd
            | Self::Unhealthy(_)
            | Self::Answered => 1,
        })
    }
}
