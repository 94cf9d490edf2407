//! One source of heartbeats, and the table of them.

use embassy_time::{Duration, Instant};
use heapless::Vec;

use crate::name::Name;
use crate::sent_after::SentAfter;

/// Names a row of the [`Table`]; valid for the table that gave it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct HeartbeatId(pub(crate) u8);

impl HeartbeatId {
    /// Its place in the order of the configuration.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A program that beats.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Heartbeat {
    name: Name,
    critical: bool,
    timeout: Duration,
    lateness: Duration,
    proof_required: bool,
    sent_after: SentAfter,
    smallest_margin: Option<Duration>,
}

/// One beat, as it was received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    pub(crate) now: Instant,
    /// It entered the way to here after then.
    pub(crate) entered: Instant,
    /// Whether an earlier beat has to confirm this one: what a stall lets go arrives within so
    /// long. `None`: it counts as sent at `now`.
    pub(crate) burst: Option<Duration>,
    /// It was sent after then, for sure.
    pub(crate) proof: Option<Instant>,
}

impl Heartbeat {
    pub(crate) fn new(name: Name, critical: bool, timeout: Duration) -> Self {
        Self {
            name,
            critical,
            timeout,
            lateness: timeout,
            proof_required: false,
            sent_after: SentAfter::default(),
            smallest_margin: None,
        }
    }

    pub(crate) fn limit_lateness(&mut self, lateness: Duration) {
        self.lateness = lateness.min(self.timeout);
    }

    pub(crate) fn require_proof(&mut self) {
        self.proof_required = true;
    }

    /// The name that the program beats with.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Whether the dome heartbeat is withheld while this one is not fresh.
    pub fn is_critical(&self) -> bool {
        self.critical
    }

    /// It counts as alive for less than this long after it is known to have been alive.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// A beat emits only if it is known to have been sent less than this long before it was
    /// received; never longer than the timeout.
    pub fn lateness(&self) -> Duration {
        self.lateness
    }

    /// Whether only beats count that prove when they were sent.
    pub fn is_proof_required(&self) -> bool {
        self.proof_required
    }

    /// When the last beat was received, unless none was since the start of the session.
    pub fn last_seen(&self) -> Option<Instant> {
        self.sent_after.last()
    }

    /// The last beat was sent after then (S3). `None`: nothing is known of that yet in this
    /// session.
    pub fn sent_after(&self) -> Option<Instant> {
        self.sent_after.get()
    }

    /// The timeout minus the longest time in this process for which nothing newer proved it alive,
    /// between two beats of one session; zero if it ever went stale so. `None` before the first
    /// such pair.
    pub fn smallest_margin(&self) -> Option<Duration> {
        self.smallest_margin
    }

    /// Time since the last beat was received. `None` if there was none, or if the clock is behind
    /// it (a broken clock).
    pub fn age(&self, now: Instant) -> Option<Duration> {
        now.checked_duration_since(self.last_seen()?)
    }

    /// The greatest age that the last beat can have, counted from its sending. `None` if nothing is
    /// known of that, or if the clock is behind it (a broken clock).
    pub fn greatest_age(&self, now: Instant) -> Option<Duration> {
        self.age(now)?;
        now.checked_duration_since(self.sent_after.get()?)
    }

    /// Whether it counts as alive (S1): its last beat is for sure younger than the timeout. What
    /// may be as old as that does not count; neither does a beat from the future.
    pub fn is_fresh(&self, now: Instant) -> bool {
        self.greatest_age(now).is_some_and(|age| age < self.timeout)
    }

    /// Whether the last beat was received too late to emit, or nothing was known of its age then
    /// (S3).
    pub fn is_unconfirmed(&self) -> bool {
        self.last_seen().is_some_and(|at| {
            let age = self.greatest_age(at);
            age.is_none_or(|age| age >= self.lateness)
        })
    }

    pub(crate) fn note(&mut self, received: Received) {
        let Received {
            now,
            entered,
            burst,
            proof,
        } = received;
        if let Some(age) = self.greatest_age(now) {
            let margin = saturating_sub(self.timeout, age);
            self.smallest_margin = Some(self.smallest_margin.map_or(margin, |m| m.min(margin)));
        }
        let confirms = burst.filter(|_| !self.proof_required);
        self.sent_after.received(entered, now, confirms);
        let counts_as_sent_now = burst.is_none() && !self.proof_required;
        if let Some(proof) = proof.max(counts_as_sent_now.then_some(now)) {
            self.sent_after.proven(proof);
        }
    }

    pub(crate) fn forget(&mut self) {
        self.sent_after = SentAfter::default();
    }
}

/// Up to `N` heartbeats, in the order of the configuration. Every operation costs at most one pass
/// over them.
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
        let name = Name::of(name)?;
        self.first(|heartbeat| heartbeat.name == name)
            .map(|(id, _)| id)
    }

    /// The row, unless the id is of another, larger table.
    pub fn get(&self, id: HeartbeatId) -> Option<&Heartbeat> {
        self.rows.get(id.index())
    }

    pub(crate) fn get_mut(&mut self, id: HeartbeatId) -> Option<&mut Heartbeat> {
        self.rows.get_mut(id.index())
    }

    /// All rows in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = (HeartbeatId, &Heartbeat)> {
        (0..=u8::MAX).map(HeartbeatId).zip(&self.rows)
    }

    /// The first critical heartbeat that is not fresh.
    pub fn first_not_fresh(&self, now: Instant) -> Option<(HeartbeatId, &Heartbeat)> {
        self.first(|heartbeat| heartbeat.is_critical() && !heartbeat.is_fresh(now))
    }

    /// What is looked for in every decision: the first such row.
    fn first(&self, such: impl Fn(&Heartbeat) -> bool) -> Option<(HeartbeatId, &Heartbeat)> {
        let (index, row) = self.rows.iter().enumerate().find(|(_, row)| such(row))?;
        Some((HeartbeatId(u8::try_from(index).ok()?), row))
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

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Instant = Instant::from_secs(1000);
    const TIMEOUT: Duration = Duration::from_secs(30);
    const TICK: Duration = Duration::from_ticks(1);

    fn heartbeat() -> Heartbeat {
        Heartbeat::new(Name::new("overwatcher").unwrap(), true, TIMEOUT)
    }

    fn seen_at(now: Instant) -> Heartbeat {
        let mut heartbeat = heartbeat();
        heartbeat.note(at(now));
        heartbeat
    }

    /// A beat that counts as sent when it was received.
    fn at(now: Instant) -> Received {
        Received {
            now,
            entered: now,
            burst: None,
            proof: None,
        }
    }

    fn named(name: &str, critical: bool) -> Heartbeat {
        Heartbeat::new(Name::new(name).unwrap(), critical, TIMEOUT)
    }

    #[test]
    fn a_heartbeat_says_how_it_was_configured() {
        let heartbeat = heartbeat();
        assert_eq!(heartbeat.name().as_str(), "overwatcher");
        assert!(heartbeat.is_critical());
        assert_eq!(heartbeat.timeout(), TIMEOUT);
    }

    #[test]
    fn s5_a_heartbeat_that_was_never_seen_is_not_fresh() {
        assert!(!heartbeat().is_fresh(T0));
        assert_eq!(heartbeat().age(T0), None);
        assert_eq!(heartbeat().last_seen(), None);
    }

    #[test]
    fn a_beat_is_fresh_at_once() {
        assert!(seen_at(T0).is_fresh(T0));
        assert_eq!(seen_at(T0).last_seen(), Some(T0));
    }

    #[test]
    fn a_beat_counts_until_one_tick_before_its_timeout() {
        assert!(seen_at(T0).is_fresh(T0 + TIMEOUT - TICK));
        assert_eq!(
            seen_at(T0).age(T0 + Duration::from_secs(7)),
            Some(Duration::from_secs(7))
        );
    }

    #[test]
    fn s1_a_beat_as_old_as_its_timeout_does_not_count() {
        assert!(!seen_at(T0).is_fresh(T0 + TIMEOUT));
    }

    #[test]
    fn s1_a_beat_from_the_future_does_not_count() {
        assert!(!seen_at(T0).is_fresh(T0 - TICK));
        assert_eq!(seen_at(T0).age(T0 - TICK), None);
    }

    #[test]
    fn s1_the_ends_of_time_do_not_overflow() {
        assert!(!seen_at(Instant::MIN).is_fresh(Instant::MAX));
        assert!(!seen_at(Instant::MAX).is_fresh(Instant::MIN));
        assert!(seen_at(Instant::MAX).is_fresh(Instant::MAX));
        assert!(seen_at(Instant::MAX - TICK).is_fresh(Instant::MAX));
    }

    #[test]
    fn s5_after_forget_it_was_never_seen() {
        let mut heartbeat = seen_at(T0);
        heartbeat.forget();
        assert!(!heartbeat.is_fresh(T0));
        assert_eq!(heartbeat.last_seen(), None);
    }

    #[test]
    fn l1_there_is_no_margin_before_the_second_beat() {
        assert_eq!(seen_at(T0).smallest_margin(), None);
    }

    #[test]
    fn l1_the_smallest_margin_is_that_of_the_longest_gap() {
        let mut heartbeat = seen_at(T0);
        heartbeat.note(at(T0 + Duration::from_secs(10)));
        assert_eq!(heartbeat.smallest_margin(), Some(Duration::from_secs(20)));
        heartbeat.note(at(T0 + Duration::from_secs(35)));
        assert_eq!(heartbeat.smallest_margin(), Some(Duration::from_secs(5)));
        heartbeat.note(at(T0 + Duration::from_secs(40)));
        assert_eq!(heartbeat.smallest_margin(), Some(Duration::from_secs(5)));
    }

    #[test]
    fn l1_the_margin_is_zero_once_it_went_stale() {
        let mut heartbeat = seen_at(T0);
        heartbeat.note(at(T0 + Duration::from_secs(100)));
        assert_eq!(heartbeat.smallest_margin(), Some(Duration::MIN));
    }

    #[test]
    fn l1_a_pause_between_sessions_is_no_margin() {
        let mut heartbeat = seen_at(T0);
        heartbeat.note(at(T0 + Duration::from_secs(10)));
        heartbeat.forget();
        heartbeat.note(at(T0 + Duration::from_secs(100)));
        assert_eq!(heartbeat.smallest_margin(), Some(Duration::from_secs(20)));
    }

    #[test]
    fn l1_a_clock_that_went_back_is_no_margin() {
        let mut heartbeat = seen_at(T0);
        heartbeat.note(at(T0 - TICK));
        assert_eq!(heartbeat.smallest_margin(), None);
        assert_eq!(heartbeat.last_seen(), Some(T0 - TICK));
    }

    #[test]
    fn a_row_is_found_by_its_exact_name() {
        let mut table = Table::<4>::new();
        let a = table.push(named("a", true)).unwrap();
        let b = table.push(named("b", true)).unwrap();
        assert_ne!(a, b);
        assert_eq!(table.find("a"), Some(a));
        assert_eq!(table.find("b"), Some(b));
        for other in ["", "A", "a ", "ab", "c"] {
            assert_eq!(table.find(other), None, "{other:?}");
        }
        assert_eq!(table.get(b).unwrap().name().as_str(), "b");
    }

    #[test]
    fn rows_keep_their_order() {
        let mut table = Table::<4>::new();
        for name in ["c", "a", "b"] {
            table.push(named(name, true)).unwrap();
        }
        let mut names = table.iter().map(|(_, row)| row.name().as_str());
        assert_eq!(names.next(), Some("c"));
        assert_eq!(names.next(), Some("a"));
        assert_eq!(names.next(), Some("b"));
        assert_eq!(names.next(), None);
    }

    #[test]
    fn a_full_table_gives_the_row_back() {
        let mut table = Table::<1>::new();
        table.push(named("a", true)).unwrap();
        assert_eq!(table.push(named("b", true)), Err(named("b", true)));
        assert_eq!(table.iter().count(), 1);
    }

    #[test]
    fn a_table_holds_256_rows_whatever_its_capacity() {
        extern crate std;
        let mut table = Table::<300>::new();
        for number in 0..256 {
            let id = table.push(named(&std::format!("h{number}"), true)).unwrap();
            assert_eq!(id.index(), number);
        }
        assert!(table.push(named("one-more", true)).is_err());
        assert_eq!(table.iter().count(), 256);
        assert_eq!(table.find("h255"), Some(HeartbeatId(255)));
    }

    #[test]
    fn an_id_of_a_larger_table_is_no_row() {
        let mut table = Table::<1>::new();
        table.push(named("a", true)).unwrap();
        assert!(table.get(HeartbeatId(1)).is_none());
        assert!(table.get_mut(HeartbeatId(255)).is_none());
    }

    #[test]
    fn s1_the_first_critical_one_that_is_not_fresh_is_named() {
        let mut table = Table::<4>::new();
        let ids = [("x", false), ("a", true), ("b", true)]
            .map(|(name, critical)| table.push(named(name, critical)).unwrap());
        let first = |table: &Table<4>, now| table.first_not_fresh(now).map(|(id, _)| id);
        assert_eq!(first(&table, T0), Some(ids[1]));
        table.get_mut(ids[1]).unwrap().note(at(T0));
        assert_eq!(first(&table, T0), Some(ids[2]));
        table.get_mut(ids[2]).unwrap().note(at(T0 + TICK));
        assert_eq!(first(&table, T0 + TICK), None);
        assert_eq!(first(&table, T0 + TIMEOUT), Some(ids[1]));
        table.forget();
        assert_eq!(first(&table, T0), Some(ids[1]));
    }

    #[test]
    fn differences_stop_at_zero() {
        assert_eq!(saturating_sub(TICK, TIMEOUT), Duration::MIN);
        assert_eq!(saturating_sub(TIMEOUT, TICK), TIMEOUT - TICK);
    }
}
