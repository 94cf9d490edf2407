//! The least that was left of the PLC's time in the last 24 hours.

use std::collections::VecDeque;

use embassy_time::Instant;

/// The window.
const HOURS: u64 = 24;

/// The least of each hour.
#[derive(Default)]
pub(super) struct LeastLeft {
    hours: VecDeque<(u64, f64)>,
}

impl LeastLeft {
    /// So many seconds are left at `now`.
    pub(super) fn note(&mut self, left: f64, now: Instant) {
        let hour = hour(now);
        match self.hours.back_mut() {
            Some((newest, least)) if *newest >= hour => *least = least.min(left),
            Some(_) | None => self.hours.push_back((hour, left)),
        }
        while self
            .hours
            .front()
            .is_some_and(|(first, _)| is_over(*first, now))
        {
            self.hours.pop_front();
        }
    }

    /// `None` if nothing was noted in that time.
    pub(super) fn get(&self, now: Instant) -> Option<f64> {
        let hours = self.hours.iter().filter(|(hour, _)| !is_over(*hour, now));
        hours.map(|(_, least)| *least).reduce(f64::min)
    }
}

fn hour(now: Instant) -> u64 {
    now.as_secs() / 3600
}

fn is_over(past: u64, now: Instant) -> bool {
    past.saturating_add(HOURS) < hour(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l1_what_was_left_is_remembered_for_a_day() {
        let at = |hour: u64| Instant::from_secs(hour * 3600 + 5);
        let mut least = LeastLeft::default();
        assert_eq!(least.get(at(10)), None);
        for (hour, left) in [(10, 50.0), (10, 12.0), (10, 40.0), (11, 48.0)] {
            least.note(left, at(hour));
        }
        assert_eq!(least.get(at(11)), Some(12.0));
        assert_eq!(least.get(at(34)), Some(12.0));
        assert_eq!(least.get(at(35)), Some(48.0));
        assert_eq!(least.get(at(36)), None);
        for hour in 40..1000 {
            least.note(45.0, at(hour));
        }
        assert_eq!(least.hours.len(), 25);
    }
}
