//! What one sender of many may have, and all of them together, so that one that floods starves
//! nobody (L1).
//!
//! A commander calls itself what it likes, so that a limit for each is none; hence one for all
//! together as well. Both are taken by the first that looks: before lapin, before decoding, and
//! before a reply.

use std::collections::HashMap;
use std::time::Duration;

use embassy_time::Instant;

use crate::clock::core_duration;

/// So many senders are counted each; others share one limit until there is room.
const SENDERS: usize = 256;
/// How often there is looked for room.
const SWEEP: Duration = Duration::from_millis(250);

/// So many at once, and one more after each such time.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub burst: u32,
    pub each: Duration,
}

/// Counts what each sender has had. Each call costs a constant number of steps, but for one sweep
/// several times a second.
#[derive(Debug)]
pub struct Quota {
    each: Limit,
    senders: HashMap<String, Meter>,
    /// Of those that share a limit.
    others: Meter,
    everybody: Meter,
    swept: Instant,
}

impl Quota {
    pub fn new(each: Limit, everybody: Limit, now: Instant) -> Self {
        Self {
            each,
            senders: HashMap::new(),
            others: Meter::new(each, now),
            everybody: Meter::new(everybody, now),
            swept: now,
        }
    }

    /// Whether this sender may have one more.
    pub fn take(&mut self, sender: &str, now: Instant) -> bool {
        self.meter(sender, now).take(now) && self.everybody.take(now)
    }

    fn meter(&mut self, sender: &str, now: Instant) -> &mut Meter {
        if !self.senders.contains_key(sender) {
            if self.senders.len() >= SENDERS {
                self.sweep(now);
            }
            if self.senders.len() >= SENDERS {
                return &mut self.others;
            }
            let meter = Meter::new(self.each, now);
            self.senders.insert(sender.to_owned(), meter);
        }
        self.senders.get_mut(sender).unwrap_or(&mut self.others)
    }

    /// Forgets those that have all of their limit again.
    fn sweep(&mut self, now: Instant) {
        let since = now.checked_duration_since(self.swept);
        if since.is_some_and(|since| since < core_duration(SWEEP)) {
            return;
        }
        self.swept = now;
        self.senders.retain(|_, meter| !meter.is_full(now));
    }
}

/// A limit in use.
#[derive(Debug)]
pub struct Meter {
    limit: Limit,
    /// When all of the limit is there again.
    free_at: Instant,
}

impl Meter {
    pub fn new(limit: Limit, now: Instant) -> Self {
        Self {
            limit,
            free_at: now,
        }
    }

    /// Whether there is one more.
    pub fn take(&mut self, now: Instant) -> bool {
        let start = self.free_at.max(now);
        let waits = start.saturating_duration_since(now);
        if waits > core_duration(self.limit.each * (self.limit.burst - 1)) {
            return false;
        }
        let each = core_duration(self.limit.each);
        self.free_at = start.checked_add(each).unwrap_or(start);
        true
    }

    fn is_full(&self, now: Instant) -> bool {
        self.free_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EACH: Limit = Limit {
        burst: 500,
        each: Duration::from_millis(5),
    };
    const ALL: Limit = Limit {
        burst: 2000,
        each: Duration::from_millis(1),
    };

    fn at(millis: u64) -> Instant {
        Instant::from_millis(10_000 + millis)
    }

    fn quota() -> Quota {
        Quota::new(EACH, ALL, at(0))
    }

    /// How many of these are taken.
    fn taken<'a>(
        quota: &mut Quota,
        senders: impl IntoIterator<Item = &'a str>,
        now: Instant,
    ) -> usize {
        let senders = senders.into_iter();
        senders.filter(|sender| quota.take(sender, now)).count()
    }

    #[test]
    fn l1_a_sender_that_floods_leaves_room_for_the_others() {
        let mut quota = quota();
        let flood = || (0..10_000).map(|_| "flood");
        assert_eq!(taken(&mut quota, flood(), at(0)), 500);
        assert_eq!(taken(&mut quota, ["gort"], at(0)), 1);
        // A second later it has what a second gives.
        assert_eq!(taken(&mut quota, flood(), at(1000)), 200);
    }

    #[test]
    fn l1_a_sender_of_many_names_has_a_bound_and_takes_bounded_room() {
        let mut quota = quota();
        let names: Vec<_> = (0..10_000).map(|number| number.to_string()).collect();
        let flood = || names.iter().map(String::as_str);
        assert_eq!(taken(&mut quota, flood(), at(0)), SENDERS + 500);
        for second in 1..10 {
            let taken = taken(&mut quota, flood(), at(second * 1000));
            assert!(taken <= 2000, "{taken}");
            assert!(quota.senders.len() <= SENDERS);
        }
        // When they are silent for a while, somebody new is distinguished again.
        assert_eq!(taken(&mut quota, ["gort"], at(60_000)), 1);
        assert!(quota.senders.contains_key("gort"));
    }

    #[test]
    fn whoever_sends_a_few_a_second_always_may() {
        let mut quota = quota();
        for tick in 0..1000 {
            assert_eq!(taken(&mut quota, ["gort", "", "x"], at(tick * 20)), 3);
        }
    }
}
