//! A network link that is watched by probes.

use core::num::NonZeroU8;

use crate::name::Name;

/// Names a link of the supervisor that gave it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LinkId(pub(crate) u8);

/// What the probes say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
pub enum LinkState {
    /// No probe has succeeded yet, and too few have failed to call it down. The dome heartbeat is withheld, as S5 asks
    /// of everything that is not known; it is not reported as a failure.
    Unproven,
    /// The host answered, and since then fewer probes failed in a row than make it down.
    Up,
    /// That many probes in a row failed.
    Down,
}

/// A change that is worth a line in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum LinkChange {
    /// The link was unproven or down, and a probe succeeded.
    CameUp,
    /// The last probe that it takes failed.
    WentDown,
}

/// A link is down after `failures` failed probes in a row, and up after one that succeeded.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Link {
    name: Name,
    failures_to_down: NonZeroU8,
    failures: u8,
    state: LinkState,
}

impl Link {
    pub(crate) fn new(name: Name, failures_to_down: NonZeroU8) -> Self {
        Self {
            name,
            failures_to_down,
            failures: 0,
            state: LinkState::Unproven,
        }
    }

    /// The name that the link is shown with.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// What the probes say so far.
    pub fn state(&self) -> LinkState {
        self.state
    }

    /// Failed probes since the last success; stops counting at 255.
    pub fn failures(&self) -> u8 {
        self.failures
    }

    /// Takes the result of one probe.
    pub(crate) fn probed(&mut self, reached: bool) -> Option<LinkChange> {
        if reached {
            self.failures = 0;
            let was = core::mem::replace(&mut self.state, LinkState::Up);
            return (was != LinkState::Up).then_some(LinkChange::CameUp);
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures < self.failures_to_down.get() || self.state == LinkState::Down {
            return None;
        }
        self.state = LinkState::Down;
        Some(LinkChange::WentDown)
    }
}
