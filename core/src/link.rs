//! A network link that is watched by probes.

use core::num::NonZeroU8;

use crate::name::Name;

/// Names a link of the supervisor that gave it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LinkId(pub(crate) u8);

impl LinkId {
    /// Its place in the order of the configuration.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What the probes say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
pub enum LinkState {
    /// No probe has succeeded yet, and too few have failed to call it down. The dome heartbeat is
    /// withheld, as S5 asks of everything that is not known; it is not reported as a failure.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn link(failures: u8) -> Link {
        Link::new(Name::new("lco").unwrap(), NonZeroU8::new(failures).unwrap())
    }

    fn up(failures: u8) -> Link {
        let mut link = link(failures);
        link.probed(true);
        link
    }

    #[test]
    fn s5_a_new_link_is_unproven() {
        assert_eq!(link(3).state(), LinkState::Unproven);
        assert_eq!(link(3).name().as_str(), "lco");
    }

    #[test]
    fn one_success_brings_a_new_link_up() {
        let mut link = link(3);
        assert_eq!(link.probed(true), Some(LinkChange::CameUp));
        assert_eq!(link.state(), LinkState::Up);
    }

    #[test]
    fn another_success_is_no_change() {
        let mut link = up(3);
        assert_eq!(link.probed(true), None);
        assert_eq!(link.state(), LinkState::Up);
    }

    #[test]
    fn s1_it_is_down_after_exactly_so_many_failures_in_a_row() {
        let mut link = up(3);
        assert_eq!(link.probed(false), None);
        assert_eq!(link.probed(false), None);
        assert_eq!(link.state(), LinkState::Up);
        assert_eq!(link.probed(false), Some(LinkChange::WentDown));
        assert_eq!(link.state(), LinkState::Down);
    }

    #[test]
    fn s1_one_failure_is_enough_where_one_is_asked_for() {
        let mut link = up(1);
        assert_eq!(link.probed(false), Some(LinkChange::WentDown));
    }

    #[test]
    fn a_success_starts_the_counting_anew() {
        let mut link = up(2);
        assert_eq!(link.probed(false), None);
        assert_eq!(link.failures(), 1);
        assert_eq!(link.probed(true), None);
        assert_eq!(link.failures(), 0);
        assert_eq!(link.probed(false), None);
        assert_eq!(link.state(), LinkState::Up);
    }

    #[test]
    fn one_success_brings_a_link_that_is_down_up() {
        let mut link = up(1);
        link.probed(false);
        assert_eq!(link.probed(true), Some(LinkChange::CameUp));
        assert_eq!(link.state(), LinkState::Up);
    }

    #[test]
    fn a_new_link_that_fails_stays_unproven_and_then_goes_down() {
        let mut link = link(2);
        assert_eq!(link.probed(false), None);
        assert_eq!(link.state(), LinkState::Unproven);
        assert_eq!(link.probed(false), Some(LinkChange::WentDown));
        assert_eq!(link.state(), LinkState::Down);
    }

    #[test]
    fn failures_beyond_255_are_neither_counted_nor_a_change() {
        let mut link = up(255);
        for _ in 0..254 {
            assert_eq!(link.probed(false), None);
        }
        assert_eq!(link.probed(false), Some(LinkChange::WentDown));
        for _ in 0..300 {
            assert_eq!(link.probed(false), None);
        }
        assert_eq!(link.failures(), 255);
        assert_eq!(link.state(), LinkState::Down);
    }
}
