//! What a supervisor watches, and within which limits.

use core::fmt;
use core::num::NonZeroU8;

use embassy_time::Duration;
use heapless::Vec;

use crate::emission::Pace;
use crate::heartbeat::{Heartbeat, HeartbeatId, Table};
use crate::link::{Link, LinkId};
use crate::name::{Name, NameError};

/// What a supervisor watches: up to `H` heartbeats and `L` links.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Config<const H: usize, const L: usize> {
    pub(super) attention_limit: Duration,
    pub(super) path_limit: Option<Duration>,
    pub(super) burst: Option<Duration>,
    pub(super) pace: Pace,
    pub(super) heartbeats: Table<H>,
    pub(super) links: Vec<Link, L>,
}

/// Why a heartbeat or a link cannot be added to a [`Config`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ConfigError {
    /// The name is not one.
    Name(NameError),
    /// There is one of that name already.
    Duplicate,
    /// There is no room for another one.
    Full,
    /// A timeout of zero, so that no beat could ever count.
    ZeroTimeout,
}

impl<const H: usize, const L: usize> Config<H, L> {
    /// Watches nothing yet. As long as no critical heartbeat is added, everything is held.
    pub fn new(attention_limit: Duration, pace: Pace) -> Self {
        Self {
            attention_limit,
            path_limit: None,
            burst: None,
            pace,
            heartbeats: Table::new(),
            links: Vec::new(),
        }
    }

    /// Beats come by a way on which they may wait: one counts only if it is
    /// [proven](super::Supervisor::path_proven) to have been on its way for less than `limit` (S3).
    /// Without this, whatever is received counts as sent just now.
    #[must_use]
    pub fn with_path_limit(mut self, limit: Duration) -> Self {
        self.path_limit = Some(limit);
        self
    }

    /// Beats may wait where the path does not see it: in their client, or between it and the
    /// broker. So each has to be confirmed by an earlier one that was received at least `burst`
    /// before (see [`sent_after`](crate::sent_after)), where `burst` is how long a stall
    /// that ends takes to let everything go (S3). Without this, what is received counts as sent
    /// just now.
    #[must_use]
    pub fn with_burst(mut self, burst: Duration) -> Self {
        self.burst = Some(burst);
        self
    }

    /// A beat of this source emits only if it was for sure sent less than `lateness` before;
    /// without this, less than the timeout.
    pub fn limit_lateness(&mut self, id: HeartbeatId, lateness: Duration) {
        if let Some(heartbeat) = self.heartbeats.get_mut(id) {
            heartbeat.limit_lateness(lateness);
        }
    }

    /// Only beats of this source count that prove when they were sent
    /// ([`beat_proven`](super::Supervisor::beat_proven)).
    pub fn require_proof(&mut self, id: HeartbeatId) {
        if let Some(heartbeat) = self.heartbeats.get_mut(id) {
            heartbeat.require_proof();
        }
    }

    /// Adds a source of heartbeats.
    pub fn add_heartbeat(
        &mut self,
        name: &str,
        critical: bool,
        timeout: Duration,
    ) -> Result<HeartbeatId, ConfigError> {
        let name = Name::new(name).map_err(ConfigError::Name)?;
        if timeout == Duration::MIN {
            return Err(ConfigError::ZeroTimeout);
        }
        if self.heartbeats.find(name.as_str()).is_some() {
            return Err(ConfigError::Duplicate);
        }
        self.heartbeats
            .push(Heartbeat::new(name, critical, timeout))
            .map_err(|_| ConfigError::Full)
    }

    /// Adds a network link that is down after `failures` failed probes in a row.
    pub fn add_link(&mut self, name: &str, failures: NonZeroU8) -> Result<LinkId, ConfigError> {
        let name = Name::new(name).map_err(ConfigError::Name)?;
        if self.links.iter().any(|link| *link.name() == name) {
            return Err(ConfigError::Duplicate);
        }
        let id = u8::try_from(self.links.len()).map_err(|_| ConfigError::Full)?;
        self.links
            .push(Link::new(name, failures))
            .map_err(|_| ConfigError::Full)?;
        Ok(LinkId(id))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => error.fmt(f),
            Self::Duplicate => f.write_str("the name is given twice"),
            Self::Full => f.write_str("there are too many"),
            Self::ZeroTimeout => {
                f.write_str("the timeout is zero, so that no beat could ever count")
            }
        }
    }
}

impl core::error::Error for ConfigError {}
