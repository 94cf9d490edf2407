//! Whatever lvmecp does, no `set` waits for it (S6), and no heartbeat reaches it late (S3).
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::time::Duration;

use lvmbeat_tests::actor::Actor;
use lvmbeat_tests::broker::{self, Vhost};
use lvmbeat_tests::client::RawClient;
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::ecp::{Behaviour, FakeEcp};
use lvmbeat_tests::process::Process;
use lvmbeat_tests::tap::Tap;
use lvmbeat_tests::{eventually, python, throughout};
use serde_json::json;
use tokio::time::Instant;

const SOON: Duration = Duration::from_secs(15);
const EXPIRATION: Duration = Duration::from_secs(1);
/// A test process that does not get the processor at once sees things later than they are.
const BUSY: Duration = Duration::from_millis(400);

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// An actor whose times are far apart, so that a test can tell which of them was in force.
fn config(vhost: &Vhost) -> ActorConfig {
    ActorConfig::new(&vhost.url())
        .timeout(5.0)
        .set("actor.command_ttl", 5)
        .set("actor.attention", 5)
        .set("actor.amqp_heartbeat", 4)
        .set("ecp.cutoff", 0.3)
        .set("ecp.retry", 0.2)
        .set("ecp.expiration", EXPIRATION.as_secs_f64())
        .set("ecp.command_timeout", 1)
        .set("ecp.plc_timeout", 60)
        .set("max_close_after", 200)
}

/// Fifty `set`s are answered, each before a `ping` that was sent after it, and all while the one
/// emission is under way.
async fn sets_are_answered_during_one_emission(actor: &Actor, vhost: &Vhost, ecp: &FakeEcp) {
    for _ in 0..50 {
        let (set, ping) = tokio::join!(actor.command("set overwatcher"), actor.command("ping"));
        assert!(set.last().at <= ping.last().at, "a ping was faster");
    }
    assert_eq!(actor.status("/ecp/in_flight").await, true);
    let waiting = vhost.queue_length("lvmecp_commands").await;
    assert_eq!(waiting, Some(0));
    assert!(ecp.heartbeats().len() <= 1, "{:?}", ecp.heartbeats());
    assert!(ecp.received().len() <= 2, "{:?}", ecp.received());
}

#[tokio::test]
async fn s6_a_hung_lvmecp_delays_no_set_and_gets_one_heartbeat_at_a_time() {
    let vhost = broker::inspectable_vhost().await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    ecp.on("heartbeat", Behaviour::Hang);
    // Long enough for all that follows.
    let config = config(&vhost).set("ecp.command_timeout", 8);
    let actor = Actor::start(config, &vhost.url()).await;
    actor.set("overwatcher").await;
    ecp.wait_for_heartbeats(1, SOON).await;
    sets_are_answered_during_one_emission(&actor, &vhost, &ecp).await;
    // When it is given up, the next one follows, and is alone again.
    eventually(SOON, async || {
        actor.status("/ecp/last_outcome").await == "timed_out"
    })
    .await;
    eventually(SOON, async || {
        actor.set("overwatcher").await;
        ecp.heartbeats().len() == 2
    })
    .await;
    throughout(millis(500), async || {
        actor.set("overwatcher").await;
        ecp.heartbeats().len() == 2
    })
    .await;
    let apart = ecp.heartbeats()[1].at - ecp.heartbeats()[0].at;
    assert!(apart > Duration::from_secs(7), "{apart:?}");
}

#[tokio::test]
async fn s6_an_lvmecp_that_answers_nothing_delays_no_set_and_is_asked_once_at_a_time() {
    let vhost = broker::inspectable_vhost().await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    ecp.on("ping", Behaviour::Ignore);
    let config = config(&vhost).set("ecp.expiration", 8);
    let actor = Actor::start(config, &vhost.url()).await;
    actor.set("overwatcher").await;
    sets_are_answered_during_one_emission(&actor, &vhost, &ecp).await;
    // S3: what does not answer gets no heartbeat.
    assert!(ecp.heartbeats().is_empty());
}

#[tokio::test]
async fn s6_nothing_piles_up_before_a_frozen_lvmecp() {
    let vhost = broker::inspectable_vhost().await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    let actor = Actor::start(config(&vhost), &vhost.url()).await;
    actor.set("overwatcher").await;
    ecp.wait_for_heartbeats(1, SOON).await;
    eventually(SOON, async || actor.status("/ecp/in_flight").await == false).await;
    ecp.freeze();
    throughout(Duration::from_secs(5), async || {
        actor.set("overwatcher").await;
        // One that was fetched, one that has not expired, and one in whose place it has come but
        // that the broker has not dropped.
        let length = vhost.queue_length("lvmecp_commands").await;
        length.filter(|length| *length <= 3).ok_or(length)
    })
    .await;
    assert_eq!(actor.status("/ecp/last_outcome").await, "timed_out");
}

/// The greatest age that a heartbeat can have had when it arrived: its ping was sent when it was
/// decided on.
async fn age(tap: &Tap, command_id: &str, arrived: Instant) -> Duration {
    let passed = eventually(SOON, async || {
        let passed = tap.passed();
        let own = passed.iter().position(|p| p.command_id == command_id)?;
        Some(passed[..=own].to_vec())
    })
    .await;
    let ping = passed.iter().rfind(|p| p.command == "ping");
    let sent = ping.or(passed.last()).unwrap().at;
    arrived.saturating_duration_since(sent)
}

#[tokio::test]
async fn s3_no_heartbeat_reaches_lvmecp_late_after_a_freeze() {
    let vhost = broker::inspectable_vhost().await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    let tap = Tap::on(&vhost.url(), "lvmecp").await;
    let actor = Actor::start(config(&vhost), &vhost.url()).await;
    // Freezes that begin at many moments of the pace and last shorter than, about as long as, and
    // longer than the expiration.
    for (moment, freeze) in [
        (0, 500),
        (120, 900),
        (310, 1000),
        (40, 1100),
        (250, 1600),
        (450, 2300),
    ] {
        throughout(millis(moment), async || {
            actor.set("overwatcher").await;
            true
        })
        .await;
        // Not between the answer to a ping and its heartbeat, milliseconds which no actor can do
        // anything about.
        eventually(SOON, async || actor.status("/ecp/in_flight").await == false).await;
        ecp.freeze();
        let before = ecp.heartbeats().len();
        throughout(millis(freeze), async || {
            actor.set("overwatcher").await;
            ecp.heartbeats().len() == before
        })
        .await;
        ecp.thaw();
        eventually(SOON, async || {
            actor.set("overwatcher").await;
            ecp.heartbeats().len() >= before + 2
        })
        .await;
    }
    for heartbeat in ecp.heartbeats() {
        let age = age(&tap, &heartbeat.command_id, heartbeat.at).await;
        assert!(age < EXPIRATION + BUSY, "{age:?} old: {heartbeat:?}");
        assert!(heartbeat.expiration.unwrap() <= EXPIRATION);
    }
}

fn heartbeats_of(lvmecp: &Process) -> Vec<(String, Instant)> {
    let events = lvmecp.events().into_iter();
    events
        .filter(|event| event.field("event") == "heartbeat")
        .map(|event| {
            let id = event.field("command_id").as_str().unwrap_or_default();
            (id.to_owned(), event.line.at)
        })
        .collect()
}

#[tokio::test]
async fn s3_no_heartbeat_reaches_a_python_lvmecp_late_after_it_was_stopped() {
    let vhost = broker::inspectable_vhost().await;
    let mut lvmecp = python::script("clu_actor.py", ["--url", &vhost.url()]).start();
    let tap = Tap::on(&vhost.url(), "lvmecp").await;
    let config = config(&vhost).set("ecp.command_timeout", 2);
    let actor = Actor::start(config, &vhost.url()).await;
    lvmecp
        .wait_for_event(0, Duration::from_secs(60), "ready")
        .await;
    for freeze in [700, 1300, 2500] {
        eventually(SOON, async || {
            actor.set("overwatcher").await;
            actor.status("/ecp/in_flight").await == false
                && actor.status("/ecp/last_outcome").await == "acknowledged"
        })
        .await;
        lvmecp.freeze();
        lvmecp.until_frozen(SOON).await;
        let before = heartbeats_of(&lvmecp).len();
        throughout(millis(freeze), async || {
            actor.set("overwatcher").await;
            true
        })
        .await;
        assert_eq!(heartbeats_of(&lvmecp).len(), before);
        lvmecp.thaw();
        eventually(SOON, async || {
            actor.set("overwatcher").await;
            heartbeats_of(&lvmecp).len() >= before + 2
        })
        .await;
    }
    for (command_id, at) in heartbeats_of(&lvmecp) {
        let age = age(&tap, &command_id, at).await;
        assert!(age < EXPIRATION + BUSY, "{age:?} old");
    }
}

/// Between the decision and the heartbeat lies a ping, which may take its time.
#[tokio::test]
async fn s1_a_heartbeat_is_not_sent_when_its_cause_went_stale_while_lvmecp_was_asked() {
    let vhost = broker::vhost().await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    // Longer than the timeout of the overwatcher's heartbeat, 5 s.
    ecp.on("ping", Behaviour::DoneAfter(Duration::from_secs(6)));
    let config = config(&vhost).set("ecp.expiration", 10);
    let actor = Actor::start(config, &vhost.url()).await;
    actor.set("overwatcher").await;
    eventually(SOON, async || {
        actor.status("/ecp/last_outcome").await == "lost"
    })
    .await;
    assert_eq!(actor.status("/hold/reason").await, "heartbeat_stale");
    assert_eq!(ecp.received().len(), 1, "{:?}", ecp.received());
    // While it is fresh, the same lvmecp gets one.
    eventually(SOON, async || {
        actor.set("overwatcher").await;
        ecp.heartbeats().len() == 1
    })
    .await;
}

#[tokio::test]
async fn s3_the_time_that_a_ping_took_is_taken_from_the_expiration_of_its_heartbeat() {
    let vhost = broker::vhost().await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    let (took, expiration) = (Duration::from_secs(1), Duration::from_secs(5));
    ecp.on("ping", Behaviour::DoneAfter(took));
    let config = config(&vhost).set("ecp.expiration", expiration.as_secs());
    let actor = Actor::start(config, &vhost.url()).await;
    actor.set("overwatcher").await;
    let heartbeat = ecp.wait_for_heartbeats(1, SOON).await.remove(0);
    let left = heartbeat.expiration.unwrap();
    assert!(left <= expiration.saturating_sub(took), "{left:?}");
}

#[tokio::test]
async fn an_absent_lvmecp_is_known_at_once_and_shown() {
    let vhost = broker::vhost().await;
    // A client would wait for these.
    let config = config(&vhost)
        .set("ecp.expiration", 20)
        .set("ecp.command_timeout", 20);
    let actor = Actor::start(config, &vhost.url()).await;
    assert_eq!(actor.status("/ecp/last_outcome").await, json!(null));
    let start = Instant::now();
    actor.set("overwatcher").await;
    eventually(SOON, async || {
        actor.status("/ecp/last_outcome").await == "unroutable"
    })
    .await;
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(actor.status("/ecp/in_flight").await, false);
    assert_eq!(actor.status("/last_emitted_ecp").await, json!(null));
    // And when it comes, it is found.
    let ecp = FakeEcp::start(&vhost.url()).await;
    eventually(SOON, async || {
        actor.set("overwatcher").await;
        !ecp.heartbeats().is_empty()
    })
    .await;
    eventually(SOON, async || {
        actor.status("/ecp/last_outcome").await == "acknowledged"
    })
    .await;
}

#[tokio::test]
async fn an_lvmecp_that_refuses_is_asked_again_and_never_hammered() {
    let vhost = broker::vhost().await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    ecp.on("heartbeat", Behaviour::Fail);
    let retry = millis(500);
    let config = config(&vhost)
        .set("ecp.retry", retry.as_secs_f64())
        .set("ecp.cutoff", 5);
    let actor = Actor::start(config, &vhost.url()).await;
    throughout(Duration::from_secs(3), async || {
        actor.set("overwatcher").await;
        true
    })
    .await;
    assert_eq!(actor.status("/ecp/last_outcome").await, "refused");
    let refused = ecp.heartbeats();
    assert!(refused.len() >= 2, "{refused:?}");
    // The pause begins when the refusal arrives, after it was sent.
    for pair in refused.windows(2) {
        assert!(pair[1].at - pair[0].at >= retry, "{pair:?}");
    }
    // The cut-off counts from the last success; there has been none, so the next is not put off by
    // it.
    ecp.on("heartbeat", Behaviour::Done);
    let start = Instant::now();
    eventually(Duration::from_secs(4), async || {
        actor.set("overwatcher").await;
        actor.status("/ecp/last_outcome").await == "acknowledged"
    })
    .await;
    // From here on it does, however often somebody beats.
    let done = ecp.heartbeats().len();
    eventually(SOON, async || {
        actor.set("overwatcher").await;
        ecp.heartbeats().len() > done
    })
    .await;
    let heartbeats = ecp.heartbeats();
    let apart = heartbeats[done].at - heartbeats[done - 1].at;
    assert!(
        apart + BUSY >= Duration::from_secs(5),
        "{apart:?} since {start:?}"
    );
}

#[tokio::test]
async fn fifty_sets_at_once_are_one_emission() {
    let vhost = broker::vhost().await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    let config = config(&vhost).set("ecp.cutoff", 5);
    let actor = Actor::start(config, &vhost.url()).await;
    let other = RawClient::connect(&vhost.url(), "other").await;
    let knock = actor.command("set overwatcher").await;
    let seen = knock.keyword("seen").unwrap().as_str().unwrap();
    let set = format!("set overwatcher --seen {seen}");
    let place = actor.client.reply_count();
    let start = Instant::now();
    for _ in 0..25 {
        for client in [&actor.client, &other] {
            client.post(&client.outgoing("lvmbeat", &set)).await;
        }
    }
    // A client hears the answers to everybody.
    eventually(SOON, async || {
        let mut replies = actor.client.replies_since(place);
        replies.retain(|reply| reply.sender() == "lvmbeat" && reply.code() == ":");
        (replies.len() == 50).then_some(()).ok_or(replies.len())
    })
    .await;
    ecp.wait_for_heartbeats(1, SOON).await;
    throughout(millis(1500), async || ecp.heartbeats().len() == 1).await;
    // The next comes with the first set after the cut-off, not before.
    eventually(SOON, async || {
        actor.set("overwatcher").await;
        ecp.heartbeats().len() == 2
    })
    .await;
    let second = ecp.heartbeats()[1].at - start;
    assert!(second >= Duration::from_secs(5), "{second:?}");
}
