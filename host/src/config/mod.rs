//! The configuration: YAML and environment in, checked values out.
//!
//! A configuration that exists is one that can work: names, numbers and the S4 budget have been
//! checked. What is wrong is reported with the file, the key, and what to do ([`ConfigError`]). The
//! actor's is [`Config`], the monitor's [`monitor::Monitor`]; they share a file.

mod address;
mod at;
mod check;
mod effective;
mod environment;
mod faults;
mod given;
pub mod health;
pub mod monitor;
mod raw;
mod replaced;
mod scalar;
mod secret;
mod secrets;
mod source;
pub mod text_file;
mod tree;
mod typed;

use std::net::SocketAddr;
use std::num::NonZeroU8;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lvmbeat_core::emission::Pace;
use lvmbeat_core::{Budget, supervisor};

pub use secret::{Secret, SecretUrl};
pub use tree::SyntaxError;

pub use crate::clock::{core_duration, std_duration};
use crate::clu::amqp::{Amqp, UriError};
use faults::Faults;
use source::Source;

/// How many heartbeats a configuration may hold.
pub const MAX_HEARTBEATS: usize = 16;
/// How many network links a configuration may hold.
pub const MAX_LINKS: usize = 8;

/// The supervisor of this size.
pub type Supervisor = lvmbeat_core::Supervisor<MAX_HEARTBEATS, MAX_LINKS>;

/// The documented configuration, which is used when no file is named.
pub const BUILT_IN: &str = include_str!("../../config.yaml");

/// Looks a variable of the environment up.
type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A configuration that can work.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file that it was read from, or `built-in configuration`.
    pub source: String,
    /// The actor itself and its broker.
    pub actor: Actor,
    /// Who must be alive.
    pub heartbeats: Vec<Heartbeat>,
    /// The enclosure's actor, which writes to the dome's PLC.
    pub ecp: Ecp,
    /// A watchdog box on a serial line, which is fed beside the enclosure.
    pub serial: Option<Serial>,
    /// The network links that must be up.
    pub network: Network,
    /// The beat to the monitors outside.
    pub outside: Outside,
    /// S4: the longest time to closing that this site accepts.
    pub max_close_after: Duration,
    /// S4 and L1 in numbers.
    pub budget: Budget,
    /// S4 for a network link that fails, which the probes have to find out first; `None` if none
    /// is probed.
    pub link_closing: Option<Duration>,
    /// What the budget was computed from.
    pub chain: lvmbeat_core::budget::Chain,
}

/// The actor itself and its broker.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The actor's name, and so that of its queues.
    pub name: String,
    /// The broker, with user and password; or several, which are tried in turn.
    pub brokers: Vec<SecretUrl>,
    /// The broker's management API, which `lvmbeat doctor` asks, with user and password.
    pub management: Option<SecretUrl>,
    /// How long opening a session with each of them may take.
    pub open_timeout: Duration,
    /// Time between AMQP heartbeats; a dead connection is given up after two to three.
    pub amqp_heartbeat: Duration,
    /// Folder of the daily log files.
    pub log_dir: Option<PathBuf>,
    /// What happened is written there, for `lvmbeat why`.
    pub journal: Option<PathBuf>,
    /// Where health and metrics are served.
    pub http: Option<SocketAddr>,
    /// S3: a heartbeat counts only if it was on its way for less than this long; the broker drops
    /// what waited longer.
    pub command_ttl: Duration,
    /// S3: what is found waiting after a pause of the process of this length or longer does not
    /// count.
    pub attention: Duration,
    /// S3: what a stalled client had sent arrives within this time when the stall ends.
    pub burst: Duration,
}

impl Actor {
    /// How often the actor proves the path from the broker to itself (S3). With so many proofs
    /// within its limit, a beat is not taken for too old because one came a little late.
    pub fn echo_period(&self) -> Duration {
        (self.command_ttl / 8).clamp(Duration::from_millis(25), Duration::from_secs(1))
    }
}

/// Whether a heartbeat has to prove when it was sent.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Proof {
    /// It may; otherwise the next beat confirms it.
    #[default]
    Optional,
    /// Nothing else counts.
    Required,
}

/// A program that must be alive.
#[derive(Clone, PartialEq, Debug)]
pub struct Heartbeat {
    /// The name that it beats with.
    pub name: String,
    /// Whether the dome heartbeat is withheld without it.
    pub critical: bool,
    /// S1: a beat counts for less than this long.
    pub timeout: Duration,
    /// How often it beats while all is well; for the budget.
    pub interval: Duration,
    /// S4: a beat emits only if it was for sure sent less than this long before.
    pub lateness: Duration,
    /// S3: whether each beat has to prove when it was sent.
    pub proof: Proof,
    /// The programs whose `set`s count; empty: anybody's.
    pub from: Vec<String>,
    /// X1: who knows it may set this heartbeat over HTTP. Without one nobody may.
    pub http_token: Option<Secret>,
}

impl Proof {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Optional => "optional",
            Self::Required => "required",
        }
    }
}

impl Heartbeat {
    /// As the budget sees it.
    pub fn source(&self) -> lvmbeat_core::budget::Source {
        lvmbeat_core::budget::Source {
            timeout: core_duration(self.timeout),
            lateness: core_duration(self.lateness),
            interval: core_duration(self.interval),
            proves: self.proof == Proof::Required,
        }
    }
}

/// The enclosure's actor.
#[derive(Clone, PartialEq, Debug)]
pub struct Ecp {
    /// Its name.
    pub actor: String,
    /// No emission for this long after the last successful one.
    pub cutoff: Duration,
    /// No attempt for this long after a failed one.
    pub retry: Duration,
    /// S3: an emission that is not delivered within this time expires.
    pub expiration: Duration,
    /// S4: how long the enclosure may take to write and to answer.
    pub command_timeout: Duration,
    /// The PLC closes the dome after this long without a heartbeat.
    pub plc_timeout: Duration,
    /// What the enclosure has not said of itself for so long is not known any more.
    pub facts_expire: Duration,
    /// People are warned if no drill has passed for so many days.
    pub drill_days: Option<u16>,
}

/// Three of the statuses that lvmecp sends itself.
pub(crate) const DEFAULT_FACTS_EXPIRE: Duration = Duration::from_secs(90);

/// A watchdog box on a serial line.
#[derive(Clone, PartialEq, Debug)]
pub struct Serial {
    /// The device.
    pub path: PathBuf,
    /// Its bits per second.
    pub baud: u32,
    /// The name that the box knows lvmbeat by.
    pub source: lvmbeat_core::Name,
    /// How long the box may take to answer.
    pub timeout: Duration,
}

/// The network links that must be up.
#[derive(Clone, PartialEq, Debug)]
pub struct Network {
    /// Time between the starts of two probes of one host.
    pub interval: Duration,
    /// How long one probe may take.
    pub timeout: Duration,
    /// A link is down after this many failed probes in a row.
    pub failures: NonZeroU8,
    /// The links.
    pub hosts: Vec<Host>,
}

/// One network link.
#[derive(Clone, PartialEq, Debug)]
pub struct Host {
    /// The name that it is shown with.
    pub name: String,
    /// What is probed.
    pub target: Target,
}

/// What is probed, and how.
#[derive(Clone, PartialEq, Debug)]
pub enum Target {
    /// ICMP echo (`icmp://HOST`).
    Icmp(String),
    /// A TCP connection that is accepted (`tcp://HOST:PORT`).
    Tcp(String, u16),
    /// ICMP echo, and where that gets no answer, any answer to a TCP connection attempt (`HOST` or
    /// `HOST:PORT`).
    Either(String, u16),
}

/// The beat to the monitors outside.
#[derive(Clone, Debug)]
pub struct Outside {
    /// Where to; each is beaten on its own.
    pub urls: Vec<SecretUrl>,
    /// Time between two beats.
    pub interval: Duration,
    /// How long one beat may take.
    pub timeout: Duration,
}

/// What is in force where there is no file.
const BUILT_IN_NAME: &str = "built-in configuration";

/// What to do about a file that cannot be read.
fn instead(cause: &std::io::Error) -> &'static str {
    let is_there = cause.kind() != std::io::ErrorKind::NotFound;
    if is_there && text_file::NoFile::of(cause).is_none() {
        "correct that, or name another file"
    } else {
        "name an existing file"
    }
}

/// What is wrong with a configuration. One sentence: file, key, problem, remedy.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{file}: cannot be read ({cause}); {} with {named_by}", instead(.cause))]
    Unreadable {
        /// Which file.
        file: String,
        /// Why.
        #[source]
        cause: std::io::Error,
        /// How another one would be named.
        named_by: &'static str,
    },
    /// The file is not YAML.
    #[error("{file}: {cause}; correct it (config/config.yaml documents every key)")]
    Syntax {
        /// Which file.
        file: String,
        /// Why.
        #[source]
        cause: SyntaxError,
    },
    /// A value that cannot work.
    #[error("{file}: {key}: {problem}; {remedy}")]
    Value {
        /// Which file, or which environment variable.
        file: String,
        /// Which key.
        key: String,
        /// What is wrong with it.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// A key names a file that cannot be read.
    #[error("{file}: {key}: {path} cannot be read ({cause}); {remedy}")]
    UnreadableValue {
        /// Which configuration file, or which environment.
        file: String,
        /// Which key or variable.
        key: String,
        /// Which file it names, as it may be shown.
        path: String,
        /// Why.
        #[source]
        cause: std::io::Error,
        /// What to do about it.
        remedy: &'static str,
    },
    /// More than one of these, one a line.
    #[error("{}", faults::lines(.0))]
    Several(Vec<ConfigError>),
}

impl ConfigError {
    /// All that is wrong, if anything is.
    pub fn all(errors: impl IntoIterator<Item = Self>) -> Result<(), Self> {
        let mut faults = Faults::default();
        errors.into_iter().for_each(|error| faults.push(error));
        faults.or(())
    }
}

impl Actor {
    /// The broker to open sessions with.
    pub fn bus(&self) -> Result<Amqp, UriError> {
        let urls = self.brokers.iter().map(|broker| broker.reveal().as_str());
        let bus = Amqp::in_turn(urls, self.amqp_heartbeat)?;
        Ok(bus.with_open_limit(self.open_timeout))
    }
}

impl Config {
    /// Whether no file was found.
    pub fn is_built_in(&self) -> bool {
        self.source == BUILT_IN_NAME
    }

    /// Reads and checks the file, or the built-in configuration, with the process's environment
    /// over it.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        load(file, Self::read)
    }

    /// Checks a text, with an environment over it.
    pub fn parse(
        source: &str,
        text: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        Self::read(&Source::text(source, text), environment)
    }

    fn read(source: &Source, environment: Environment<'_>) -> Result<Self, ConfigError> {
        let mut faults = Faults::default();
        let raw = raw::RawConfig::read(source, environment, &mut faults);
        check::check(&source.name, raw, environment, faults)
    }

    /// The configuration as it is in force, as YAML, with every default written out and secrets
    /// hidden (X1) or left out.
    pub fn effective(&self, monitor: &monitor::Monitor) -> String {
        effective::yaml(self, monitor)
    }

    /// The S4 and L1 numbers with the formula that they follow from, for people.
    pub fn budget_report(&self) -> String {
        effective::budget(self)
    }

    /// What the decision core watches.
    pub fn supervisor(&self) -> Result<supervisor::Config<MAX_HEARTBEATS, MAX_LINKS>, ConfigError> {
        check::supervisor(
            &self.source,
            &self.actor,
            self.pace(),
            &self.heartbeats,
            &self.network,
        )
    }

    /// The pace of emissions.
    fn pace(&self) -> Pace {
        Pace {
            cutoff: core_duration(self.ecp.cutoff),
            retry: core_duration(self.ecp.retry),
            plc_timeout: core_duration(self.ecp.plc_timeout),
        }
    }
}

/// What people should know about where the configuration comes from.
pub fn warnings(file: Option<&Path>) -> Vec<String> {
    let Ok(source) = Source::find(file, &environment::process) else {
        return Vec::new();
    };
    let strange = environment::names(std::env::vars_os(), &source.texts).unwrap_or_default();
    source.warnings.into_iter().chain(strange).collect()
}

/// The files that hold secrets, each with the key or the variable that names it.
pub fn secret_files(file: Option<&Path>) -> Vec<(String, PathBuf)> {
    let environment: Environment<'_> = &environment::process;
    let Ok(source) = Source::find(file, environment) else {
        return Vec::new();
    };
    // What is wrong with it, others say.
    let raw = raw::RawConfig::read(&source, environment, &mut Faults::default());
    let given = raw.secret_files().into_iter();
    given
        .chain(environment::secret_files(environment))
        .collect()
}

/// With the process's environment, in which no variable may be misspelt.
fn load<T>(
    file: Option<&Path>,
    read: fn(&Source, Environment<'_>) -> Result<T, ConfigError>,
) -> Result<T, ConfigError> {
    let source = Source::find(file, &environment::process)?;
    let mut faults = Faults::default();
    // Those that are like none of ours are warned of.
    faults.note(environment::names(std::env::vars_os(), &source.texts));
    match faults.note(read(&source, &environment::process)) {
        Some(value) => faults.or(value),
        None => faults.error(),
    }
}

#[cfg(test)]
mod deployed;
#[cfg(test)]
mod documentation;
#[cfg(test)]
mod tests;
