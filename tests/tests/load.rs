//! A night's worth of heartbeats in seconds: all are answered, and nothing grows.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::collections::HashSet;
use std::time::Duration;

use lvmbeat_tests::actor::Actor;
use lvmbeat_tests::broker;
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::ecp::FakeEcp;
use lvmbeat_tests::eventually;
use tokio::time::Instant;

const SOON: Duration = Duration::from_secs(60);
const SETS: usize = 50_000;
/// So many wait at a time, and are sent after the last of those before has been answered.
const BATCH: usize = 500;
const WARM_UP: usize = 10_000;
const CUTOFF: Duration = Duration::from_secs(1);
const MIB: u64 = 1 << 20;

/// Sends that many `set`s at once; all are answered with `:`, each once.
async fn batch(actor: &Actor) {
    actor.client.forget_replies();
    let mut open = HashSet::new();
    for _ in 0..BATCH {
        let set = actor.client.outgoing("lvmbeat", "set overwatcher");
        open.insert(set.id());
        actor.client.post(&set).await;
    }
    let mut looked_at = 0;
    eventually(SOON, async || {
        let replies = actor.client.replies_since(looked_at);
        looked_at += replies.len();
        for reply in replies.iter().filter(|reply| reply.is_last()) {
            if reply.sender() == "lvmbeat" {
                assert_eq!(reply.code(), ":", "{reply:?}");
                assert!(open.remove(&reply.command_id().unwrap()), "{reply:?}");
            }
        }
        open.is_empty().then_some(()).ok_or(open.len())
    })
    .await;
}

// The enclosure of this test is no part of what is loaded: it has a thread of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_thousand_sets_are_answered_in_flat_memory_with_one_emission_per_cut_off() {
    let vhost = broker::vhost().await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    let config = ActorConfig::new(&vhost.url())
        .set("actor.command_ttl", 20)
        .set("actor.attention", 10)
        .set("actor.amqp_heartbeat", 10)
        .timeout(20.0)
        .set("ecp.cutoff", CUTOFF.as_secs())
        .set("ecp.plc_timeout", 60)
        .set("max_close_after", 300);
    let mut actor = Actor::start(config, &vhost.url()).await;
    let sessions = actor.sessions();
    let start = Instant::now();
    let mut samples = Vec::new();
    for sent in (BATCH..=SETS).step_by(BATCH) {
        batch(&actor).await;
        if sent >= WARM_UP {
            samples.push(actor.process.memory());
        }
    }
    let took = start.elapsed();

    // What is held for a moment comes and goes; a leak would lift even the least that is held.
    let (early, late) = samples.split_at(samples.len() / 2);
    let (early, late) = (early.iter().min().unwrap(), late.iter().min().unwrap());
    assert!(late.saturating_sub(*early) < MIB, "{samples:?}");

    // L1: what lvmecp answers is not lost among everybody's replies, nor is more than one heartbeat
    // emitted in a cut-off.
    let heartbeats = ecp.heartbeats();
    let most = took.as_secs_f64() / CUTOFF.as_secs_f64() + 1.0;
    let count = u32::try_from(heartbeats.len()).unwrap();
    assert!(f64::from(count) <= most, "{count} in {took:?}");
    assert!(f64::from(count) >= most / 3.0, "{count} in {took:?}");
    // It was one process and one session all the time.
    assert_eq!(actor.sessions(), sessions);
    assert!(actor.process.is_running());
}
