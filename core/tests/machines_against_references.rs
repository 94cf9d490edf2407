//! The small machines against references that read the whole history again for each answer, and the
//! budget against the same formulas in other arithmetic. Durations are a few ticks long, so that
//! equality is met all the time.

use std::num::NonZeroU8;

use embassy_time::{Duration, Instant};
use lvmbeat_core::budget::{Chain, Source};
use lvmbeat_core::emission::Pace;
use lvmbeat_core::watchdog::{Change, Recovery};
use lvmbeat_core::{
    Attention, Budget, Config, Decision, Impossible, Lapse, LinkChange, LinkState, Outcome,
    Supervisor, Watchdog,
};
use proptest::prelude::*;

fn ticks(ticks: u64) -> Duration {
    Duration::from_ticks(ticks)
}

fn at(ticks: u64) -> Instant {
    Instant::from_ticks(ticks)
}

/// A start, and steps from one instant to the next; now and then the clock goes back.
fn instants(most: usize) -> impl Strategy<Value = (u64, Vec<u64>)> {
    let start = prop_oneof![Just(0), Just(1000), Just(u64::MAX - 30)];
    let by = prop_oneof![20 => 0..6_i64, 5 => 6..20_i64, 1 => -6..0_i64];
    (start, prop::collection::vec(by, 0..most)).prop_map(|(start, steps)| {
        let instants = steps.into_iter().scan(start, |now: &mut u64, by| {
            *now = now.saturating_add_signed(by);
            Some(*now)
        });
        (start, instants.collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s3_attention_lapses_exactly_where_a_gap_is_too_long_or_the_clock_goes_back(
        limit in 0..12_u64,
        (start, nows) in instants(40),
        stamps in prop::collection::vec(any::<bool>(), 40),
    ) {
        let mut attention = Attention::new(ticks(limit), at(start));
        for (index, now) in nows.iter().enumerate() {
            // From the last stamp on: the gap to it, and the latest instant.
            let last = (0..index).rev().find(|one| stamps[*one]);
            let from = last.map_or(start, |one| nows[one]);
            let looks = &nows[last.map_or(0, |one| one + 1)..index];
            let latest = looks.iter().copied().fold(from, u64::max);
            let expected = if *now < latest {
                Err(Lapse::ClockWentBack(ticks(latest - now)))
            } else if now - from >= limit {
                Err(Lapse::Gap(ticks(now - from)))
            } else {
                Ok(ticks(now - from))
            };
            prop_assert_eq!(attention.check(at(*now)), expected);
            let answer = if stamps[index] {
                attention.stamp(at(*now))
            } else {
                attention.look(at(*now))
            };
            prop_assert_eq!(answer, expected);
        }
    }

    #[test]
    fn s1_s5_a_link_is_what_its_last_probes_say(
        failures in 1..5_u8,
        probes in prop::collection::vec(prop::bool::weighted(0.4), 0..40),
    ) {
        let failures_to_down = NonZeroU8::new(failures).unwrap();
        let pace = Pace { cutoff: ticks(0), retry: ticks(0), plc_timeout: ticks(0) };
        let mut config = Config::<1, 1>::new(ticks(1), pace);
        let link = config.add_link("link", failures_to_down).unwrap();
        let mut supervisor = Supervisor::new(config, at(0));
        let state = |probes: &[bool]| {
            let tail = probes.iter().rev().take(usize::from(failures));
            if tail.len() == usize::from(failures) && tail.clone().all(|reached| !reached) {
                LinkState::Down
            } else if probes.contains(&true) {
                // Down lasts until a success: since the last one there was no such row of failures,
                // or the tail would be one.
                LinkState::Up
            } else {
                LinkState::Unproven
            }
        };
        for done in 0..probes.len() {
            let before = state(&probes[..done]);
            let after = state(&probes[..=done]);
            let change = supervisor.link_probed(link, probes[done]);
            let expected = (before != after).then_some(if after == LinkState::Up {
                LinkChange::CameUp
            } else {
                LinkChange::WentDown
            });
            prop_assert_eq!(change, expected);
            let link = supervisor.link(link).unwrap();
            prop_assert_eq!(link.state(), after);
            let row = probes[..=done].iter().rev().take_while(|reached| !**reached).count();
            prop_assert_eq!(usize::from(link.failures()), row);
        }
    }

    #[test]
    fn s4_a_watchdog_gives_its_permit_only_less_than_its_timeout_after_a_feed(
        timeout in 0..15_u64,
        latching in any::<bool>(),
        starts_fed in any::<bool>(),
        (start, nows) in instants(40),
        calls in prop::collection::vec(prop_oneof![4 => Just('f'), 4 => Just('p'), 1 => Just('r')], 40),
    ) {
        let recovery = if latching { Recovery::Latching } else { Recovery::SelfClearing };
        let mut watchdog = if starts_fed {
            Watchdog::fed_at(at(start), ticks(timeout), recovery)
        } else {
            Watchdog::tripped(ticks(timeout), recovery)
        };
        // Each call with its answer.
        let mut calls_so_far: Vec<(u64, char, Option<Change>)> = Vec::new();
        for (now, call) in nows.iter().copied().zip(calls) {
            // The permit goes back to the last expiry or, before any, to the start.
            let expired = calls_so_far
                .iter()
                .rposition(|(_, _, change)| *change == Some(Change::Expired));
            let since = &calls_so_far[expired.map_or(0, |index| index + 1)..];
            let tripped = expired.is_some() || !starts_fed;
            let armed = match since.iter().position(|(_, call, _)| *call == 'r') {
                _ if !tripped || !latching => Some(0),
                rearmed => rearmed,
            };
            let countable = armed.map_or(&[][..], |armed| &since[armed..]);
            let feeds = countable.iter().filter(|(_, call, _)| *call == 'f' && timeout > 0);
            let began = if tripped { None } else { Some(start) };
            let last_feed = feeds.clone().next_back().map(|(at, ..)| *at).or(began);
            let first_feed = countable
                .iter()
                .position(|(_, call, _)| *call == 'f')
                .filter(|_| tripped)
                .unwrap_or(0);
            let counted_feeds = countable[first_feed.min(countable.len())..]
                .iter()
                .filter(|(_, call, _)| *call != 'r')
                .map(|(at, ..)| *at)
                .chain(began);
            let latest = counted_feeds.max();
            let permit = last_feed.is_some_and(|fed| {
                latest.is_none_or(|latest| now >= latest)
                    && now >= fed
                    && u128::from(now) < u128::from(fed) + u128::from(timeout)
            });
            prop_assert_eq!(watchdog.is_fed(at(now)), permit);
            let left = last_feed.map(|fed| timeout.wrapping_sub(now.wrapping_sub(fed)));
            prop_assert_eq!(watchdog.remaining(at(now)), left.filter(|_| permit).map(ticks));
            prop_assert_eq!(watchdog.is_latched(), latching && tripped && armed.is_none());

            let expiry = (last_feed.is_some() && !permit).then_some(Change::Expired);
            let (answer, expected) = match call {
                'f' => {
                    let recovers = last_feed.is_none() && armed.is_some() && timeout > 0;
                    let recovered = recovers.then_some(Change::Recovered);
                    (watchdog.feed(at(now)), expiry.or(recovered))
                }
                'p' => (watchdog.poll(at(now)), expiry),
                _ => {
                    watchdog.rearm();
                    (None, None)
                }
            };
            prop_assert_eq!(answer, expected);
            calls_so_far.push((now, call, answer));
        }
    }

    #[test]
    fn s4_l1_the_budget_is_what_its_formulas_say(
        chain in prop::array::uniform5(prop_oneof![0..80_u64, 0..2000_u64, Just(u64::MAX - 3)]),
        (burst, echo) in (0..10_u64, 0..10_u64),
        plc in 0..4000_u64,
        sources in prop::collection::vec((0..120_u64, 0..120_u64, 0..40_u64, any::<bool>()), 0..4),
    ) {
        let [attention, cutoff, expiration, write, huge] = chain;
        let plc = if huge > 2000 { huge } else { plc };
        let chain = Chain {
            burst: ticks(burst),
            echo: ticks(echo),
            attention: ticks(attention),
            cutoff: ticks(cutoff),
            expiration: ticks(expiration),
            write: ticks(write),
            plc: ticks(plc),
        };
        let critical: Vec<_> = sources
            .iter()
            .map(|(timeout, lateness, interval, proves)| Source {
                timeout: ticks(*timeout),
                lateness: ticks(*lateness),
                interval: ticks(*interval),
                proves: *proves,
            })
            .collect();
        let wide = u128::from;
        let narrow = |wide: u128| ticks(u64::try_from(wide).unwrap_or(u64::MAX));
        let expected = 'expected: {
            if sources.is_empty() {
                break 'expected Err(Impossible::NothingCritical);
            }
            for (index, (timeout, lateness, interval, proves)) in sources.iter().enumerate() {
                let confirmed_every = match *interval {
                    _ if *proves => *interval,
                    slow if slow >= 2 * (burst + echo) => slow,
                    fast => fast + burst + echo,
                };
                let echo = if *proves { 0 } else { echo };
                if *interval == 0 || *timeout <= 2 * confirmed_every + echo {
                    break 'expected Err(Impossible::TimeoutTooShort(index));
                }
                if *lateness <= confirmed_every + echo {
                    break 'expected Err(Impossible::LatenessTooShort(index));
                }
            }
            let mut timeouts: Vec<_> = sources.iter().map(|source| source.0).collect();
            let mut intervals: Vec<_> = sources.iter().map(|source| source.2).collect();
            timeouts.sort_unstable();
            intervals.sort_unstable();
            let counts = if timeouts.len() > 1 { timeouts[timeouts.len() - 1] } else { sources[0].1.min(timeouts[0]) };
            // The first multiple of the interval that is longer than the cut-off.
            let interval = wide(intervals[0]);
            let first = wide(cutoff) - wide(cutoff) % interval + interval;
            let gap = first + wide(expiration) + wide(write);
            if gap >= wide(plc) {
                break 'expected Err(Impossible::NoMargin { gap: narrow(gap) });
            }
            let closing = wide(attention)
                + wide(counts)
                + wide(expiration)
                + wide(write)
                + wide(plc);
            Ok(Budget {
                closing: narrow(closing),
                counts: ticks(counts),
                gap: narrow(gap),
                margin: narrow(wide(plc) - gap),
            })
        };
        prop_assert_eq!(Budget::new(&chain, &critical), expected);
    }

    /// The budget's gap against the machine that it speaks of: beats every p, each with its own
    /// delay to the write.
    #[test]
    fn l1_no_gap_between_two_writes_is_longer_than_the_budget_says(
        interval in 1..12_u64,
        cutoff in 0..30_u64,
        delays in prop::collection::vec(0..20_u64, 60),
    ) {
        let worst = delays.iter().copied().max().unwrap_or(0);
        let chain = Chain {
            burst: ticks(0),
            echo: ticks(0),
            attention: ticks(1),
            cutoff: ticks(cutoff),
            expiration: ticks(worst),
            write: ticks(0),
            plc: ticks(1000),
        };
        let timeout = ticks(2 * interval + 1);
        let source = Source { timeout, lateness: timeout, interval: ticks(interval), proves: false };
        let budget = Budget::new(&chain, &[source]).unwrap();
        let pace = Pace { cutoff: chain.cutoff, retry: ticks(0), plc_timeout: chain.plc };
        let mut config = Config::<1, 0>::new(ticks(u64::MAX), pace);
        config.add_heartbeat("only", true, source.timeout).unwrap();
        let mut supervisor = Supervisor::new(config, at(0));
        let mut writes = Vec::new();
        let mut flying = None;
        for (now, delay) in (0..).step_by(usize::try_from(interval).unwrap()).zip(delays) {
            if let Some((ticket, write)) = flying
                && write <= now
            {
                prop_assert!(supervisor.emission_ended(ticket, Outcome::Acknowledged, at(write)));
                writes.push(write);
                flying = None;
            }
            match supervisor.beat("only", at(now)) {
                Ok(Decision::Emit(ticket)) => flying = Some((ticket, now + delay)),
                Ok(Decision::Hold(reason)) => prop_assert!(!reason.is_fault(), "{reason:?}"),
                other => prop_assert!(false, "{other:?}"),
            }
        }
        let longest = writes.windows(2).map(|pair| pair[1] - pair[0]).max();
        prop_assert!(ticks(longest.unwrap_or(0)) <= budget.gap);
        if let Some(margin) = supervisor.emission().smallest_margin() {
            prop_assert!(margin >= budget.margin);
        }
    }
}
