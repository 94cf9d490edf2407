//! One source of heartbeats, and the table of them.

use embassy_time::{Duration, Instant};
use heapless::Vec;

use crate::name::Name;

/// Names a row of the [`Table`]; valid for the table that gave it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct HeartbeatId(pub(crate) u8);

/// A program that beats.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Heartbeat {
    name: Name,
    critical: bool,
    timeout: Duration,
    last_seen: Option<Instant>,
    smallest_margin: Option<Duration>,
}

impl Heartbeat {
    pub(crate) fn new(name: Name, critical: bool, timeout: Duration) -> Self {
        Self {
            name,
            critical,
            timeout,
            last_seen: None,
            smallest_margin: None,
        }
    }

    /// The name that the program beats with.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Whether the dome heartbeat is withheld while this one is not fresh.
    pub fn is_critical(&self) -> bool {
        self.critical
    }

    /// A beat counts for less than this long.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// When the last beat was received, unless none was since the start of the session.
    pub fn last_seen(&self) -> Option<Instant> {
        self.last_seen
    }

    /// Timeout minus the longest time between two beats of one session so far; zero if it ever went stale between
    /// two beats. `None` until two beats were received.
    pub fn smallest_margin(&self) -> Option<Duration> {
        self.smallest_margin
    }

    /// Time since the last beat. `None` if there was none, or if the clock is behind it (a broken clock).
    pub fn age(&self, now: Instant) -> Option<Duration> {
        now.checked_duration_since(self.last_seen?)
    }

    /// Whether the last beat counts (S1). A beat as old as the timeout does not; neither does one from the future.
    pub fn is_fresh(&self, now: Instant) -> bool {
        self.age(now).is_some_and(|age| age < self.timeout)
    }

    pub(crate) fn note(&mut self, now: Instant) {
        if let Some(gap) = self.age(now) {
            let margin = saturating_sub(self.timeout, gap);
            self.smallest_margin = Some(
                self.smallest_margin
                    .map_or(margin, |smallest| smallest.min(margin)),
            );
        }
        self.last_seen = Some(now);
    }

    pub(crate) fn forget(&mut self) {
        self.last_seen = None;
    }
}

/// Up to `N` heartbeats, in the order of the configuration. Every operation costs at most one pass over them.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Table<const N: usize> {
    rows: Vec<Heartbeat, N>,
}

impl<const N: usize> Table<N> {
    pub(crate) const fn new() -> Self {
        Self { rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, heartbeat: Heartbeat) -> Result<HeartbeatId, Heartbeat> {
        // An id is one byte: a table never holds more than 256 rows, whatever its capacity.
        let Ok(id) = u8::try_from(self.rows.len()) else {
            return Err(heartbeat);
        };
        self.rows.push(heartbeat)?;
        Ok(HeartbeatId(id))
    }

    /// The row with that name; names are compared byte by byte.
    pub fn find(&self, name: &str) -> Option<HeartbeatId> {
        self.iter()
            .find(|(_, heartbeat)| heartbeat.name.as_str() == name)
            .map(|(id, _)| id)
    }

    /// The row, unless the id is of another, larger table.
    pub fn get(&self, id: HeartbeatId) -> Option<&Heartbeat> {
        self.rows.get(usize::from(id.0))
    }

    pub(crate) fn get_mut(&mut self, id: HeartbeatId) -> Option<&mut Heartbeat> {
        self.rows.get_mut(usize::from(id.0))
    }

    /// All rows in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = (HeartbeatId, &Heartbeat)> {
        (0..=u8::MAX).map(HeartbeatId).zip(&self.rows)
    }

    /// The first critical heartbeat that is not fresh.
    pub fn first_not_fresh(&self, now: Instant) -> Option<(HeartbeatId, &Heartbeat)> {
        self.iter()
            .find(|(_, heartbeat)| heartbeat.critical && !heartbeat.is_fresh(now))
    }

    pub(crate) fn forget(&mut self) {
        for heartbeat in &mut self.rows {
            heartbeat.forget();
        }
    }
}

pub(crate) fn saturating_sub(a: Duration, b: Duration) -> Duration {
    a.checked_sub(b).unwrap_or(Duration::MIN)
}
