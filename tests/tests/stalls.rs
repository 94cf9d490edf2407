//! A beat that waited on its client's side of the broker counts from when it was sent, not from
//! when it came (S3, S4).
#![expect(clippy::expect_used, reason = "what is not there fails the test")]

use std::time::Duration;

use lvmbeat_tests::actor::Actor;
use lvmbeat_tests::broker;
use lvmbeat_tests::client::{Answer, RawClient};
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::ecp::FakeEcp;
use lvmbeat_tests::proxy::{Flow, Proxy};
use lvmbeat_tests::{eventually, throughout};
use serde_json::json;
use tokio::time::{sleep, timeout};

const SOON: Duration = Duration::from_secs(20);
/// How often the clients beat here.
const INTERVAL: Duration = Duration::from_millis(500);
/// The heartbeat's timeout, and so the greatest age of a beat that emits.
const TIMEOUT: Duration = Duration::from_secs(3);

fn config(url: &str) -> ActorConfig {
    of(url, TIMEOUT, INTERVAL).set("actor.burst", 0.2)
}

fn of(url: &str, timeout: Duration, interval: Duration) -> ActorConfig {
    ActorConfig::new(url)
        .set(
            "heartbeats",
            json!([{"name": "overwatcher", "timeout": timeout.as_secs(), "interval": interval.as_secs_f64()}]),
        )
        // The session has to outlast what is done to the client.
        .set("actor.amqp_heartbeat", 20)
        .set("ecp.cutoff", 0.3)
        .set("max_close_after", 600)
}

/// A client as there are many: it beats, and nothing else.
async fn beats_until_the_dome_hears(client: &RawClient, ecp: &FakeEcp, pace: Duration) {
    let before = ecp.heartbeats().len();
    eventually(SOON, async || {
        client.command("lvmbeat", "set overwatcher", SOON).await;
        sleep(pace).await;
        ecp.heartbeats().len() > before
    })
    .await;
}

/// Sends beats, at their pace, that nobody takes for now.
async fn beats_in_vain(client: &RawClient, interval: Duration, lasts: Duration) -> usize {
    let mut sent = 0;
    while interval * sent < lasts {
        let beat = client.outgoing("lvmbeat", "set overwatcher");
        let _ = timeout(interval, client.post(&beat)).await;
        sleep(interval).await;
        sent += 1;
    }
    usize::try_from(sent).expect("a few")
}

/// The final answers of the actor to the client, since there were that many replies.
async fn answers(client: &RawClient, place: usize, count: usize) -> Vec<serde_json::Value> {
    eventually(SOON, async || {
        let mut replies = client.replies_since(place);
        replies.retain(|reply| reply.sender() == "lvmbeat" && reply.is_last());
        (replies.len() >= count).then(|| replies.into_iter().map(|reply| reply.body).collect())
    })
    .await
}

fn seen(answer: &Answer) -> String {
    let seen = answer.keyword("seen").and_then(|seen| seen.as_str());
    seen.expect("each reply to a set carries a value")
        .to_owned()
}

/// A client's leg stalls for that long, the client beats on, and dies when it is let go.
async fn a_stall(config: impl FnOnce(&str) -> ActorConfig, interval: Duration, lasts: Duration) {
    // Of what is closer than a burst, one beat counts.
    let pace = interval.min(Duration::from_millis(1200));
    let vhost = broker::vhost().await;
    let (host, port) = vhost.address();
    let proxy = Proxy::start((&host, port)).await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    let actor = Actor::start(config(&vhost.url()), &vhost.url()).await;
    let client = RawClient::connect(&vhost.url_via(proxy.port()), "overwatcher").await;
    beats_until_the_dome_hears(&client, &ecp, pace).await;

    let before = client.reply_count();
    proxy.set_to_server(Flow::Stall);
    let sent = beats_in_vain(&client, interval, lasts).await;
    // It dies here: these were its last beats.
    let (asked, sessions) = (ecp.received().len(), actor.sessions());
    proxy.set(Flow::Pass);
    for answer in answers(&client, before, sent).await {
        assert_eq!(answer["text"], "Heartbeat set.", "{answer}");
        let held = answer["held"].as_str().unwrap_or_default();
        assert!(held.contains("may have been sent"), "{lasts:?}: {answer}");
    }
    throughout(Duration::from_secs(1), async || {
        ecp.received().len() == asked
    })
    .await;
    assert_eq!(actor.sessions(), sessions);

    // If it had lived on, its next beat would have counted.
    beats_until_the_dome_hears(&client, &ecp, pace).await;
}

#[tokio::test]
async fn s3_s4_what_a_stalled_client_had_sent_before_it_died_emits_nothing() {
    a_stall(config, INTERVAL, TIMEOUT + Duration::from_secs(1)).await;
}

/// The stalls with which this was found, in their own time: what depends on real times (TCP,
/// the broker's and the client's AMQP heartbeats, the burst of a second) cannot be scaled. They
/// are side by side, and take as long as the longest.
#[tokio::test]
async fn s3_s4_stalls_of_8_20_and_40_seconds_emit_nothing() {
    let stall = async |lasts: u64, timeout: u64, interval: u64| {
        let [lasts, timeout, interval] = [lasts, timeout, interval].map(Duration::from_secs);
        a_stall(|url| of(url, timeout, interval), interval, lasts).await;
    };
    tokio::join!(stall(8, 6, 2), stall(20, 15, 4), stall(40, 30, 5));
}

#[tokio::test]
async fn s3_a_first_beat_knocks_and_the_next_one_counts() {
    let vhost = broker::vhost().await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    let actor = Actor::start(config(&vhost.url()), &vhost.url()).await;
    let knock = actor.command("set overwatcher").await;
    assert_eq!(knock.codes(), ">:");
    let held = "heartbeat overwatcher has been received, and its next beat confirms it";
    assert_eq!(knock.keyword("held"), Some(&json!(held)));
    let shown = actor.status("/hold").await;
    assert_eq!(shown["reason"], "heartbeat_unconfirmed");
    assert_eq!(shown["text"], held);
    assert_eq!(actor.status("/heartbeats/overwatcher/current").await, false);
    throughout(Duration::from_millis(500), async || {
        ecp.received().is_empty()
    })
    .await;
    let next = actor.command("set overwatcher").await;
    assert_eq!(next.keyword("held"), None, "{:?}", next.last());
    ecp.wait_for_heartbeats(1, SOON).await;
    assert_eq!(actor.status("/heartbeats/overwatcher/current").await, true);
}

#[tokio::test]
async fn s3_where_a_proof_is_required_a_beat_without_one_is_refused() {
    let vhost = broker::inspectable_vhost().await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    let heartbeat =
        json!([{"name": "overwatcher", "timeout": 3, "interval": 0.5, "proof": "required"}]);
    let config = config(&vhost.url()).set("heartbeats", heartbeat);
    let mut actor = Actor::start(config, &vhost.url()).await;
    let mut seen_last = String::new();
    for refused in [
        "set overwatcher",
        "set overwatcher --seen ''",
        "set overwatcher --seen 7fffffffffffffff.000000000000000000000000",
    ] {
        let answer = actor.command(refused).await;
        assert_eq!(answer.codes(), ">f", "{refused}");
        let error = answer.keyword("error").and_then(|error| error.as_str());
        assert!(
            error.is_some_and(|error| error.contains("--seen VALUE")),
            "{answer:?}"
        );
        seen_last = seen(&answer);
    }
    assert_eq!(actor.status("/hold/reason").await, "heartbeat_never_seen");
    let proven = actor
        .command(&format!("set overwatcher --seen {seen_last}"))
        .await;
    assert_eq!(proven.codes(), ">:", "{proven:?}");
    ecp.wait_for_heartbeats(1, SOON).await;

    // A value that is as old as the timeout proves that the beat is, or may be.
    sleep(TIMEOUT).await;
    let late = actor
        .command(&format!("set overwatcher --seen {seen_last}"))
        .await;
    let held = late.keyword("held").and_then(|held| held.as_str());
    assert!(
        held.is_some_and(|held| held.contains("may have been sent")),
        "{late:?}"
    );
    // One of the session before is none.
    let before = seen(&late);
    let mark = actor.process.mark();
    vhost.close_connection_of("lvmbeat_commands").await;
    actor.until_session(mark, SOON).await;
    actor.until_it_answers(SOON).await;
    let answer = actor
        .command(&format!("set overwatcher --seen {before}"))
        .await;
    assert_eq!(answer.codes(), ">f", "{answer:?}");
}
