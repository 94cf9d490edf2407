//! The promises, held by the whole system under paused time: hours pass in milliseconds, and every
//! run is the same.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "these are tests"
)]

mod random;
mod world;

use std::time::Duration;

use jiff::SignedDuration;
use lvmbeat::clu::message::Code;
use lvmbeat::config::std_duration;
use lvmbeat_core::Cause;
use sim::plc::{DomeState, Fault};
use world::{World, within};

const SECOND: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_secs(5);
const P: Duration = Duration::from_secs(60);

fn clients(count: usize) -> String {
    let rows: String = (0..count)
        .map(|i| format!("  - {{name: h{i}, timeout: {}}}\n", 20 + 7 * i))
        .collect();
    format!("heartbeats:\n{rows}")
}

async fn observing(count: usize) -> World {
    let mut world = World::new(&clients(count)).await;
    for i in 0..count {
        world.beat(&format!("h{i}"), EVERY);
    }
    // The first beat knocks, the second one counts.
    world.run(EVERY + SECOND).await;
    world.open_dome().await;
    world
}

/// S4: from the last beat that was sent, at the latest after the budget, and not before the PLC's
/// own minute is over.
async fn assert_closes_in_time(world: &World) {
    let budget = std_duration(world.config.budget.closing);
    let took = world.until_closing(budget).await;
    assert!(
        took.is_some(),
        "still {:?} after the budget of {budget:?}",
        world.dome()
    );
}

#[tokio::test(start_paused = true)]
async fn l1_the_dome_stays_open_for_two_hours_and_the_margin_is_the_budgets() {
    let mut world = observing(2).await;
    let mut last = world.plc_time();
    for _ in 0..12 {
        world.run(Duration::from_secs(600)).await;
        let taken = world.taken();
        for at in taken {
            assert!(at.saturating_sub(last) < P);
            last = at;
        }
        assert_eq!(world.dome(), DomeState::Open);
    }
    let margin = world.snapshot().smallest_margin.unwrap();
    assert!(
        margin >= std_duration(world.config.budget.margin).as_secs_f64(),
        "{margin}"
    );
    assert!(
        margin > 40.0,
        "beats every 5 s and a cut-off of 10 s leave a wide margin: {margin}"
    );
    assert_eq!(world.snapshot().counters.lapses, 0);
}

/// Each has to be received twice in a new session, and loses a beat with the old one: three
/// intervals, of the 60 s that the PLC waits.
#[tokio::test(start_paused = true)]
async fn l1_clients_of_every_pace_keep_the_dome_open_through_a_reconnection() {
    let rows = [("fast", 1), ("overwatcher", 5), ("slow", 15)];
    let heartbeats: String = rows
        .iter()
        .map(|(name, every)| format!("  - {{name: {name}, interval: {every}, timeout: 45}}\n"))
        .collect();
    let mut world = World::new(&format!("heartbeats:\n{heartbeats}")).await;
    for (name, every) in rows {
        world.beat(name, Duration::from_secs(every));
    }
    world.run(Duration::from_secs(25)).await;
    world.open_dome().await;
    for phase in 0..8 {
        world
            .run(Duration::from_millis(60_000 + 2600 * phase))
            .await;
        world.broker.kill_sessions();
        world.run(Duration::from_secs(60)).await;
        assert_eq!(world.dome(), DomeState::Open, "phase {phase}");
        assert_eq!(world.fault(), None, "phase {phase}");
    }
}

#[tokio::test(start_paused = true)]
async fn s2_without_a_set_nothing_is_ever_emitted() {
    let mut world = World::new(&clients(1)).await;
    world.run(Duration::from_secs(3600)).await;
    assert!(world.taken().is_empty());
    assert_eq!(world.set("h0").await.0, Code::Done);
    world.run(SECOND).await;
    assert_eq!(world.taken().len(), 1, "one set, one emission");
    world.run(Duration::from_secs(3600)).await;
    assert!(world.taken().is_empty(), "and no other one after it");
}

#[tokio::test(start_paused = true)]
async fn s1_one_stale_critical_heartbeat_of_several_holds_everything() {
    let mut world = observing(3).await;
    world.kill_client("h1");
    world.run(Duration::from_secs(27 + 5)).await;
    assert_eq!(world.fault(), Some(Cause::Stale));
    assert!(world.snapshot().hold.unwrap().text.contains("h1"));
    world.taken();
    world.run(Duration::from_secs(600)).await;
    assert!(world.taken().is_empty());
    world.beat("h1", EVERY);
    world.run(Duration::from_secs(15)).await;
    assert!(!world.taken().is_empty());
    assert_eq!(world.fault(), None);
}

#[tokio::test(start_paused = true)]
async fn s1_a_heartbeat_that_is_not_critical_neither_holds_nor_emits() {
    let mut world = World::new("heartbeats: [{name: a}, {name: b, critical: false}]").await;
    world.beat("b", EVERY);
    world.run(Duration::from_secs(120)).await;
    assert!(world.taken().is_empty());
    world.beat("a", EVERY);
    world.run(Duration::from_secs(60)).await;
    world.kill_client("b");
    world.taken();
    world.run(Duration::from_secs(300)).await;
    assert!(world.taken().len() >= 19, "its silence changes nothing");
}

#[tokio::test(start_paused = true)]
async fn s4_the_dome_closes_in_time_after_a_client_died_with_1_2_and_5_clients() {
    for count in [1, 2, 5] {
        let world = &mut observing(count).await;
        world.run(Duration::from_secs(300)).await;
        let last_taken = *world.taken().last().unwrap();
        world.kill_client(&format!("h{}", count - 1));
        assert_closes_in_time(world).await;
        // Not before: the PLC has waited for its minute since a heartbeat that was still right.
        assert!(world.plc_time() >= last_taken + P, "{count} clients");
    }
}

#[tokio::test(start_paused = true)]
async fn s4_the_dome_closes_in_time_whatever_single_part_dies() {
    type Kill = fn(&mut World);
    let kills: [(&str, Kill); 6] = [
        ("the actor", |world| world.kill_actor()),
        ("lvmecp", |world| world.kill_ecp()),
        ("lvmecp, which hangs", |world| world.hang_ecp(true)),
        ("the broker", |world| world.broker.set_up(false)),
        ("the way to the PLC", |world| {
            world.plc.set_fault(Fault::ConnectionDrop, true);
        }),
        ("the PLC's network", |world| {
            world.plc.set_fault(Fault::HalfOpen, true);
        }),
    ];
    for (part, kill) in kills {
        for phase in 0..4 {
            let mut world = observing(2).await;
            world
                .run(Duration::from_secs(60) + phase * Duration::from_millis(2750))
                .await;
            kill(&mut world);
            let budget = std_duration(world.config.budget.closing);
            assert!(
                world.until_closing(budget).await.is_some(),
                "{part} died, phase {phase}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s5_after_a_restart_of_the_broker_every_heartbeat_is_needed_anew() {
    let mut world = observing(2).await;
    world.kill_client("h1");
    // h1 is still fresh for 27 s, but in the session that is over.
    world.broker.kill_sessions();
    world.kill_client("h0");
    world.beat("h0", EVERY);
    world.run(Duration::from_secs(2)).await;
    world.taken();
    world.run(Duration::from_secs(20)).await;
    assert_eq!(world.fault(), Some(Cause::NeverSeen));
    assert!(world.taken().is_empty());
    world.beat("h1", EVERY);
    world.run(Duration::from_secs(11)).await;
    assert!(!world.taken().is_empty());
}

#[tokio::test(start_paused = true)]
async fn s5_another_actor_takes_over_and_starts_from_nothing() {
    let mut world = observing(1).await;
    // The second one stands by: the first one's task goes on, but is not the one that is watched
    // here.
    let mut second = World::new(&clients(1)).await;
    second.kill_actor();
    second.broker = world.broker.clone();
    second.start_actor();
    second.run(SECOND).await;
    assert_eq!(
        second.snapshot().session,
        lvmbeat::actor::SessionState::StandBy
    );
    world.stop_actor().await.unwrap();
    // It tries twice a second, and shows what came of it twice a second.
    second.run(2 * SECOND).await;
    assert_eq!(
        second.snapshot().session,
        lvmbeat::actor::SessionState::Open
    );
    assert_eq!(second.fault(), Some(Cause::NeverSeen));
    world.run(Duration::from_secs(300)).await;
    assert_eq!(world.dome(), DomeState::Open, "the dome has not noticed");
}

#[tokio::test(start_paused = true)]
async fn s3_after_a_pause_of_the_process_nothing_counts_that_waited() {
    let mut world = World::new(&clients(1)).await;
    world.set("h0").await;
    world.run(Duration::from_secs(60)).await;
    world.taken();
    // The set is on its way; then the machine sleeps.
    let client = world.client.client.clone();
    let running = client
        .begin("lvmbeat", "set h0", within(EVERY))
        .await
        .unwrap();
    world.clock.suspend(Duration::from_secs(30));
    world.run(Duration::from_secs(20)).await;
    drop(running);
    assert!(world.taken().is_empty());
    assert_eq!(world.snapshot().counters.lapses, 1);
    assert_eq!(world.fault(), Some(Cause::NotAttentive));
    // One that is sent now does count.
    assert_eq!(world.set("h0").await.0, Code::Done);
    world.run(SECOND).await;
    assert_eq!(world.taken().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn s3_no_heartbeat_reaches_the_plc_late_from_an_enclosure_that_was_frozen() {
    for phase in 0..16 {
        let mut world = observing(1).await;
        world
            .run(Duration::from_secs(60) + phase * Duration::from_millis(669))
            .await;
        world.hang_ecp(true);
        world.run(Duration::from_secs(12)).await;
        world.kill_client("h0");
        world.run(Duration::from_secs(30)).await;
        world.taken();
        world.hang_ecp(false);
        world.run(Duration::from_secs(30)).await;
        assert!(
            world.taken().is_empty(),
            "frozen {phase} x 669 ms into the minute"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s6_while_the_enclosure_hangs_sets_are_answered_at_once_and_one_emission_is_under_way() {
    let mut world = World::new(&clients(1)).await;
    world.hang_ecp(true);
    for _ in 0..200 {
        let before = tokio::time::Instant::now();
        assert_eq!(world.set("h0").await.0, Code::Done);
        assert_eq!(
            before.elapsed(),
            Duration::ZERO,
            "no time passes between a set and its answer"
        );
        world.run(Duration::from_millis(300)).await;
    }
    // A minute: each attempt lasts for the expiration of 5 s, and one follows the other.
    let emissions = world.snapshot().emissions;
    assert!((5..=12).contains(&emissions.timed_out), "{emissions:?}");
    // What was sent to the hung enclosure has expired, or was no heartbeat.
    world.taken();
    world.hang_ecp(false);
    world.run(Duration::from_millis(200)).await;
    assert!(world.taken().is_empty());
}

#[tokio::test(start_paused = true)]
async fn s6_fifty_sets_at_once_are_one_emission() {
    let mut world = World::new(&clients(1)).await;
    let sets: Vec<_> = (0..50).map(|_| world.set("h0")).collect();
    for (code, body) in futures_util::future::join_all(sets).await {
        assert_eq!(code, Code::Done, "{body:?}");
    }
    world.run(SECOND).await;
    assert_eq!(world.taken().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_absent_enclosure_is_known_at_once() {
    let mut world = World::new(&clients(1)).await;
    world.kill_ecp();
    world.set("h0").await;
    world.run(Duration::from_millis(300)).await;
    let (_, status) = world.command("lvmbeat", "status").await;
    assert_eq!(status["ecp"]["last_outcome"], "unroutable");
    world.start_ecp();
    world.run(SECOND).await;
    world.set("h0").await;
    world.run(SECOND).await;
    assert_eq!(
        world.taken().len(),
        1,
        "the cut-off counts from the last success, and there was none"
    );
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_is_stepped_changes_nothing() {
    let mut world = observing(2).await;
    for minutes in [10, -20, 10] {
        world.clock.step_wall(SignedDuration::from_mins(minutes));
        world.taken();
        world.run(Duration::from_secs(600)).await;
        assert_eq!(world.dome(), DomeState::Open);
        assert!(world.taken().len() >= 39);
        assert_eq!(world.snapshot().counters.lapses, 0);
    }
    world.kill_client("h0");
    world.clock.step_wall(SignedDuration::from_mins(-10));
    assert_closes_in_time(&world).await;
}

#[tokio::test(start_paused = true)]
async fn the_actor_ends_in_order() {
    let mut world = observing(1).await;
    world.stop_actor().await.unwrap();
    assert_eq!(
        world.broker.depth("lvmbeat_commands"),
        None,
        "its queue is gone"
    );
}
