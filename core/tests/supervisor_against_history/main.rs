//! The supervisor against a reference that keeps no state but the list of everything that happened,
//! and reads all of it again for each answer. Durations are a few ticks long, so that equality is
//! met all the time.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "each question is about one kind of event of many"
)]

mod deliveries;
mod history;

use std::collections::BTreeSet;
use std::num::NonZeroU8;

use embassy_time::Instant;
use lvmbeat_core::delivery::{self, Command, Delivery, Ended, Publish};
use lvmbeat_core::emission::Pace;
use lvmbeat_core::{
    BeatError, Cause, Config, Decision, HeartbeatId, LinkChange, LinkId, LinkState, Outcome,
    Reason, Supervisor, Ticket,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{TestCaseError, TestCaseResult, TestRunner};

use deliveries::SHORTEST;
use history::{Event, History, Setup, Source, ticks};

type Small = Supervisor<4, 2>;

#[derive(Clone, Debug)]
enum Op {
    Tick,
    /// Of a source, with a proof that it was sent after so many ticks ago.
    Beat(usize, Option<u64>),
    /// Ends the newest emission, or one that is so many older.
    End(usize, Outcome),
    /// Something comes of a command of the newest delivery, or of one that is so many older: of the
    /// command that is waited for, or of the other one.
    Answer(usize, bool, Outcome),
    /// The delivery looks at the time.
    Advance,
    Probe(usize, bool),
    Drill(bool),
    /// An echo comes back that was sent so many ticks ago.
    Proven(u64),
    Forget,
}

#[derive(Clone, Debug)]
struct Step {
    /// Ticks since the step before; negative: the clock goes back.
    by: i64,
    op: Op,
}

fn setup() -> impl Strategy<Value = Setup> {
    let start = prop_oneof![Just(0), Just(1000), Just(u64::MAX - 60)];
    let attention = prop_oneof![3 => Just(1_000_000_u64), 1 => 4..20_u64, 1 => 0..4_u64];
    let heartbeat = || {
        (
            prop::bool::weighted(0.75),
            prop_oneof![1..25_u64, 50..100_u64],
            prop_oneof![2 => Just(None), 1 => (1..25_u64).prop_map(Some)],
            prop::bool::weighted(0.1),
        )
            .prop_map(|(critical, timeout, lateness, proof_required)| Source {
                critical,
                timeout,
                lateness,
                proof_required,
            })
    };
    let burst = prop_oneof![1 => Just(None), 2 => (0..6_u64).prop_map(Some)];
    let heartbeats = prop_oneof![
        prop::collection::vec(heartbeat(), 0..=1),
        prop::collection::vec(heartbeat(), 2..=4),
    ];
    let links = prop_oneof![2 => Just(vec![]), 3 => prop::collection::vec(1..=3_u8, 1..=2)];
    let expiration = prop_oneof![
        1 => 0..SHORTEST,
        3 => SHORTEST..SHORTEST + 8,
        3 => SHORTEST + 8..SHORTEST + 40,
    ];
    let path = prop_oneof![
        2 => Just(None),
        2 => (10..40_u64).prop_map(Some),
        1 => (0..4_u64).prop_map(Some),
    ];
    (
        start,
        attention,
        (path, burst),
        0..12_u64,
        0..6_u64,
        0..150_u64,
        (expiration, 0..12_u64),
        heartbeats,
        links,
    )
        .prop_map(
            |(
                start,
                attention,
                (path, burst),
                cutoff,
                retry,
                plc,
                (expiration, answer),
                heartbeats,
                links,
            )| Setup {
                start,
                attention,
                path,
                burst,
                cutoff,
                retry,
                plc,
                expiration,
                answer,
                heartbeats,
                links,
            },
        )
}

fn step() -> impl Strategy<Value = Step> {
    let by = prop_oneof![
        60 => 0..4_i64,
        30 => 4..12_i64,
        3 => 12..40_i64,
        3 => -5..0_i64,
        3 => -25..0_i64,
        // To the end of a delivery.
        4 => 970..1040_i64,
    ];
    let outcome = || {
        prop_oneof![
            2 => Just(Outcome::Acknowledged),
            1 => prop::sample::select(&Outcome::ALL[1..]),
        ]
    };
    let op = prop_oneof![
        4 => Just(Op::Tick),
        // The last of them may be unknown.
        10 => (0..5_usize, prop_oneof![6 => Just(None), 1 => (0..20_u64).prop_map(Some)])
            .prop_map(|(heartbeat, proof)| Op::Beat(heartbeat, proof)),
        6 => (prop_oneof![5 => Just(0), 1 => 1..4_usize], outcome())
            .prop_map(|(older, outcome)| Op::End(older, outcome)),
        16 => (
            prop_oneof![5 => Just(0), 1 => 1..4_usize],
            prop::bool::weighted(0.9),
            outcome(),
        )
            .prop_map(|(older, awaited, outcome)| Op::Answer(older, awaited, outcome)),
        3 => Just(Op::Advance),
        4 => (0..2_usize, prop::bool::weighted(0.8)).prop_map(|(link, up)| Op::Probe(link, up)),
        1 => prop::bool::weighted(0.2).prop_map(Op::Drill),
        6 => prop_oneof![4 => 0..4_u64, 1 => 0..50_u64].prop_map(Op::Proven),
        2 => Just(Op::Forget),
    ];
    (by, op).prop_map(|(by, op)| Step { by, op })
}

fn name(heartbeat: usize) -> String {
    format!("h{heartbeat}")
}

fn build(setup: &Setup) -> (Small, Vec<HeartbeatId>, Vec<LinkId>) {
    let mut config = Config::new(
        ticks(setup.attention),
        Pace {
            cutoff: ticks(setup.cutoff),
            retry: ticks(setup.retry),
            plc_timeout: ticks(setup.plc),
        },
    );
    if let Some(limit) = setup.path {
        config = config.with_path_limit(ticks(limit));
    }
    if let Some(burst) = setup.burst {
        config = config.with_burst(ticks(burst));
    }
    let ids = (0..).zip(&setup.heartbeats).filter_map(|(number, source)| {
        let timeout = ticks(source.timeout);
        let id = config.add_heartbeat(&name(number), source.critical, timeout);
        let id = id.ok()?;
        if let Some(lateness) = source.lateness {
            config.limit_lateness(id, ticks(lateness));
        }
        if source.proof_required {
            config.require_proof(id);
        }
        Some(id)
    });
    let ids = ids.collect();
    let links = (0..).zip(&setup.links).filter_map(|(number, failures)| {
        let failures = NonZeroU8::new(*failures)?;
        config.add_link(&name(number), failures).ok()
    });
    let links = links.collect();
    let start = Instant::from_ticks(setup.start);
    (Supervisor::new(config, start), ids, links)
}

/// Beats, and compares the answer; adds the ticket if there is one.
fn beat(
    supervisor: &mut Small,
    history: &mut History,
    tickets: &mut Vec<Ticket>,
    heartbeat: usize,
    proof: Option<u64>,
    now: u64,
) -> Result<&'static str, TestCaseError> {
    let (at, end, setup) = (
        Instant::from_ticks(now),
        history.events.len(),
        history.setup,
    );
    let answer = match proof {
        None => supervisor.beat(&name(heartbeat), at),
        Some(sent) => supervisor.beat_proven(&name(heartbeat), Instant::from_ticks(sent), at),
    };
    let met = match answer {
        Ok(Decision::Emit(_)) => "emit",
        Ok(Decision::Hold(reason)) => reason.cause().as_str(),
        Ok(Decision::Noted) => "noted",
        Err(BeatError::Unknown) => "unknown",
        Err(BeatError::ProofMissing(_)) => "no proof",
    };
    if heartbeat >= setup.heartbeats.len() {
        prop_assert_eq!(answer, Err(BeatError::Unknown));
        history
            .events
            .push((now, Event::Beat(heartbeat, proof, Err(()))));
    } else {
        // What it was is known only after it is known that it was; `Noted` stands in for it.
        let source = &setup.heartbeats[heartbeat];
        let refused = source.proof_required && proof.is_none();
        let noted = if refused {
            Err(())
        } else {
            Ok(Decision::Noted)
        };
        history
            .events
            .push((now, Event::Beat(heartbeat, proof, noted)));
        let lapsed = history
            .lapses(end + 1, None)
            .last()
            .map(|(_, lapse)| *lapse);
        let hold = history
            .fault_of(end + 1, now, Some(heartbeat))
            .or_else(|| history.wait(end + 1, now));
        match (answer, lapsed, hold) {
            (Ok(Decision::Hold(Reason::NotAttentive(lapse))), Some(expected), _) => {
                prop_assert_eq!(lapse, expected);
            }
            (Ok(Decision::Hold(reason @ Reason::PathSlow(_))), None, Some(expected)) => {
                prop_assert_eq!(reason, expected);
            }
            (Err(BeatError::ProofMissing(id)), None, hold)
                if refused && !matches!(hold, Some(Reason::PathSlow(_))) =>
            {
                prop_assert_eq!(id, history.ids[heartbeat]);
            }
            (Ok(Decision::Noted), None, hold)
                if !source.critical && !matches!(hold, Some(Reason::PathSlow(_))) => {}
            (Ok(Decision::Hold(reason)), None, Some(expected)) => {
                prop_assert!(source.critical && !refused);
                prop_assert_eq!(reason, expected);
            }
            (Ok(Decision::Emit(ticket)), None, None) => {
                prop_assert!(source.critical && !refused);
                prop_assert!(!tickets.contains(&ticket));
                prop_assert!(supervisor.may_send(ticket, at));
                tickets.push(ticket);
            }
            other => prop_assert!(false, "beat of {heartbeat}: {other:?}"),
        }
        history.events[end].1 = Event::Beat(heartbeat, proof, answer.map_err(|_| ()));
    }
    Ok(met)
}

/// Plays the steps on both; `met` collects the answers that were met.
#[expect(clippy::too_many_lines, reason = "a case for each kind of step")]
fn run(setup: &Setup, steps: &[Step], met: &mut BTreeSet<&'static str>) -> TestCaseResult {
    let (mut supervisor, ids, links) = build(setup);
    prop_assert_eq!(ids.len(), setup.heartbeats.len());
    prop_assert_eq!(links.len(), setup.links.len());
    let mut history = History {
        setup,
        ids: &ids,
        links: &links,
        events: Vec::new(),
    };
    let mut delivery = Delivery::new(history.limits());
    let mut tickets: Vec<Ticket> = Vec::new();
    let mut now = setup.start;
    for step in steps {
        now = now.saturating_add_signed(step.by);
        let at = Instant::from_ticks(now);
        let end = history.events.len();
        let known = tickets.len();
        let flying = supervisor.emission().in_flight_since();
        match step.op {
            Op::Tick => {
                history.events.push((now, Event::Tick));
                // Reported now: every lapse since the last tick; the last of them stands for all.
                let since = history.events[..end]
                    .iter()
                    .rposition(|(_, event)| matches!(event, Event::Tick))
                    .map_or(0, |tick| tick + 1);
                let unreported = history.lapses(end + 1, None);
                let unreported = unreported.iter().rev().find(|(index, _)| *index >= since);
                let expected = unreported.map_or(Ok(()), |(_, lapse)| Err(*lapse));
                prop_assert_eq!(supervisor.tick(at), expected);
            }
            Op::Beat(heartbeat, proof) => {
                met.insert(beat(
                    &mut supervisor,
                    &mut history,
                    &mut tickets,
                    heartbeat,
                    proof.map(|ago| now.saturating_sub(ago)),
                    now,
                )?);
            }
            Op::End(older, outcome) => {
                let Some(ticket) = tickets.iter().rev().nth(older).copied() else {
                    continue;
                };
                let flights = history.flights(end);
                let flies = flights
                    .iter()
                    .any(|flight| flight.ticket == ticket && flight.end.is_none());
                let before = supervisor.emission().clone();
                met.insert(if flies { "in time" } else { "late" });
                prop_assert_eq!(supervisor.emission_ended(ticket, outcome, at), flies);
                if !flies {
                    prop_assert_eq!(before.counts(), supervisor.emission().counts());
                }
                history.events.push((now, Event::End(ticket, outcome)));
            }
            Op::Answer(older, awaited, outcome) => {
                let Some(ticket) = tickets.iter().rev().nth(older).copied() else {
                    continue;
                };
                let sent = history
                    .waiting()
                    .is_some_and(|it| it.command == Command::Heartbeat);
                let command = if sent == awaited {
                    Command::Heartbeat
                } else {
                    Command::Ping
                };
                let expected = history.answers(ticket, command, outcome, now);
                let step = delivery.answered(ticket, command, outcome, &supervisor, at);
                prop_assert_eq!(step, expected);
                met.insert(follow(step, &mut supervisor, &mut history, now)?);
            }
            Op::Advance => {
                let step = delivery.advance(at);
                prop_assert_eq!(step, history.advances(now));
                met.insert(follow(step, &mut supervisor, &mut history, now)?);
            }
            Op::Drill(on) => {
                history.events.push((now, Event::Drill(on)));
                supervisor.drill(on);
            }
            Op::Probe(link, reached) => {
                let Some(id) = links.get(link) else {
                    continue;
                };
                history.events.push((now, Event::Probe(link, reached)));
                let (before, after) = (history.link(end, link), history.link(end + 1, link));
                let change = match (before == after, after) {
                    (false, LinkState::Up) => Some(LinkChange::CameUp),
                    (false, LinkState::Down) => Some(LinkChange::WentDown),
                    _ => None,
                };
                prop_assert_eq!(supervisor.link_probed(*id, reached), change);
            }
            Op::Proven(ago) => {
                let sent = now.saturating_sub(ago);
                history.events.push((now, Event::Proven(sent)));
                supervisor.path_proven(Instant::from_ticks(sent));
            }
            Op::Forget => {
                supervisor.forget(at);
                delivery.abandon();
                history.events.push((now, Event::Forget));
            }
        }
        if let Some(ticket) = tickets.get(known).copied() {
            let step = delivery.begin(ticket, at);
            prop_assert_eq!(step, history.begins(ticket));
            met.insert(follow(step, &mut supervisor, &mut history, now)?);
        }
        prop_assert_eq!(
            delivery.deadline(),
            history.deadline().map(Instant::from_ticks)
        );
        // S2: an emission starts in answer to a beat and to nothing else.
        if !matches!(step.op, Op::Beat(..)) && flying.is_none() {
            prop_assert_eq!(supervisor.emission().in_flight_since(), None);
        }
        agree(&supervisor, &history, &tickets, now)?;
        let end = history.events.len();
        if history.lapses(end, Some(now)).is_empty()
            && matches!(history.hold(end, now), Some(Reason::NotAttentive(_)))
        {
            met.insert("an earlier lapse");
        }
    }
    Ok(())
}

/// Does what the delivery says, as its owner has to.
fn follow(
    step: delivery::Step,
    supervisor: &mut Small,
    history: &mut History,
    now: u64,
) -> Result<&'static str, TestCaseError> {
    let end = history.events.len();
    let flights = history.flights(end);
    history.events.push((now, Event::Said(step)));
    let delivery::Step::Ended(Ended {
        ticket,
        command,
        outcome,
    }) = step
    else {
        return Ok(match step {
            delivery::Step::Publish(Publish {
                command: Command::Ping,
                ..
            }) => "ping",
            delivery::Step::Publish(_) => "heartbeat",
            _ => "nothing",
        });
    };
    let flies = flights
        .iter()
        .any(|flight| flight.ticket == ticket && flight.end.is_none());
    let at = Instant::from_ticks(now);
    prop_assert_eq!(supervisor.emission_ended(ticket, outcome, at), flies);
    history.events.push((now, Event::End(ticket, outcome)));
    Ok(match (command, outcome) {
        (Command::Ping, Outcome::Lost) => "withheld",
        (Command::Ping, Outcome::TimedOut) => "no answer to the ping",
        (Command::Ping, _) => "ping failed",
        (Command::Heartbeat, Outcome::Acknowledged) => "delivered",
        (Command::Heartbeat, Outcome::TimedOut) => "no answer to the heartbeat",
        (Command::Heartbeat, _) => "heartbeat failed",
    })
}

/// Everything that can be asked, at and around `now`.
fn agree(supervisor: &Small, history: &History, tickets: &[Ticket], now: u64) -> TestCaseResult {
    let end = history.events.len();
    let setup = history.setup;
    for at in [
        now.saturating_sub(1),
        now,
        now.saturating_add(1),
        now.saturating_add(9),
    ] {
        let expected = history.hold(end, at);
        let instant = Instant::from_ticks(at);
        prop_assert_eq!(supervisor.hold(instant), expected, "hold at {}", at);
        for ticket in tickets.iter().rev().take(3) {
            prop_assert_eq!(
                supervisor.may_send(*ticket, instant),
                history.may_send(*ticket, at)
            );
        }
        if expected.is_none() {
            for one in (0..setup.heartbeats.len()).filter(|one| setup.heartbeats[*one].critical) {
                let mut then = supervisor.clone();
                let answer = then.beat_proven(&name(one), instant, instant);
                prop_assert!(matches!(answer, Ok(Decision::Emit(_))), "{answer:?}");
                let source = &setup.heartbeats[one];
                if source.lateness.is_none() && !source.proof_required {
                    let answer = supervisor.clone().beat(&name(one), instant);
                    prop_assert!(matches!(answer, Ok(Decision::Emit(_))), "{answer:?}");
                }
            }
        }
    }
    for (link, id) in history.links.iter().enumerate() {
        let state = supervisor.link(*id).map(lvmbeat_core::link::Link::state);
        prop_assert_eq!(state, Some(history.link(end, link)));
    }
    prop_assert_eq!(
        supervisor.emission().last_acknowledged(),
        history.last_acknowledged().map(Instant::from_ticks)
    );
    prop_assert_eq!(*supervisor.emission().counts(), history.counts());
    prop_assert_eq!(
        supervisor.emission().smallest_margin(),
        history.smallest_emission_margin()
    );
    for (one, id) in history.ids.iter().enumerate() {
        let Some(heartbeat) = supervisor.heartbeats().get(*id) else {
            return Err(TestCaseError::fail("no such row"));
        };
        prop_assert_eq!(
            heartbeat.last_seen(),
            history.last_seen(one).map(Instant::from_ticks)
        );
        prop_assert_eq!(
            heartbeat.smallest_margin(),
            history.smallest_heartbeat_margin(one)
        );
    }
    Ok(())
}

/// A reference that is never asked proves nothing.
#[test]
fn the_steps_meet_every_answer() {
    let mut runner = TestRunner::deterministic();
    let cases = (setup(), prop::collection::vec(step(), 0..80));
    let mut met = BTreeSet::new();
    for _ in 0..6000 {
        let case = cases.new_tree(&mut runner).map(|tree| tree.current());
        let (setup, steps) = case.unwrap();
        run(&setup, &steps, &mut met).unwrap();
    }
    let mut expected = BTreeSet::from([
        "emit",
        "noted",
        "unknown",
        "no proof",
        "in time",
        "late",
        "an earlier lapse",
        "ping",
        "heartbeat",
        "nothing",
        "withheld",
        "no answer to the ping",
        "ping failed",
        "delivered",
        "no answer to the heartbeat",
        "heartbeat failed",
    ]);
    // Where nothing is critical, every beat is only noted.
    let holds = Cause::ALL.into_iter();
    let holds = holds.filter(|cause| *cause != Cause::NothingCritical);
    expected.extend(holds.map(Cause::as_str));
    assert_eq!(met, expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s1_s2_s3_s5_every_answer_follows_from_the_whole_history(
        setup in setup(),
        steps in prop::collection::vec(step(), 0..80),
    ) {
        run(&setup, &steps, &mut BTreeSet::new())?;
    }
}
