//! The programs around lvmbeat, as they command it.

use std::time::Duration;

use lapin::types::AMQPValue;
use lvmbeat_tests::client::RawClient;
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::ecp::{Behaviour, FakeEcp};
use lvmbeat_tests::process::{Launch, Process};
use lvmbeat_tests::target::Target;
use lvmbeat_tests::{broker, eventually, python};

use crate::{PYTHON, SOON, start};

/// Beats twice a second; the limits are the deployed ones but for the pause.
async fn overwatcher(url: &str) -> Process {
    let arguments = ["--url", url, "--interval", "0.5", "--pause", "0.2"];
    let mut overwatcher = python::script("overwatcher.py", arguments).start();
    overwatcher.wait_for_event(0, PYTHON, "ready").await;
    overwatcher
}

/// The next beat that is reported: whether it was taken, and at which try.
async fn beat(overwatcher: &mut Process, mark: &mut u64) -> (bool, u64, f64) {
    let beat = overwatcher.wait_for_event(*mark, SOON, "beat").await;
    *mark = beat.after();
    (
        beat.field("status") == "DONE",
        beat.field("tries").as_u64().unwrap(),
        beat.field("seconds").as_f64().unwrap(),
    )
}

#[tokio::test]
async fn s6_the_overwatchers_beats_are_taken_at_the_first_try_even_while_the_enclosure_hangs() {
    let vhost = broker::vhost().await;
    let raw = RawClient::connect(&vhost.url(), "harness").await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    let _actor = start(&ActorConfig::new(&vhost.url()), &raw).await;
    let mut overwatcher = overwatcher(&vhost.url()).await;
    let mut mark = 0;
    ecp.wait_for_heartbeats(2, SOON).await;
    for behaviour in [Behaviour::Done, Behaviour::Hang, Behaviour::Ignore] {
        ecp.on("heartbeat", behaviour);
        mark = mark.max(overwatcher.mark());
        for _ in 0..5 {
            let (taken, tries, seconds) = beat(&mut overwatcher, &mut mark).await;
            assert!(taken && tries == 1, "{taken} at try {tries}");
            assert!(seconds < 1.0, "{seconds} s");
        }
    }
}

#[tokio::test]
async fn the_overwatcher_tries_again_until_an_actor_takes_its_beat() {
    let vhost = broker::vhost().await;
    let raw = RawClient::connect(&vhost.url(), "harness").await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    let config = ActorConfig::new(&vhost.url());
    let mut overwatcher = overwatcher(&vhost.url()).await;
    let mut mark = 0;
    let (taken, tries, _) = beat(&mut overwatcher, &mut mark).await;
    assert!(!taken && tries == 3, "{taken} at try {tries}");
    let mut actor = start(&config, &raw).await;
    eventually(SOON, async || beat(&mut overwatcher, &mut mark).await.0).await;
    ecp.wait_for_heartbeats(1, SOON).await;
    actor.kill().await;
    eventually(SOON, async || !beat(&mut overwatcher, &mut mark).await.0).await;
    let emitted = ecp.heartbeats().len();
    let _actor = start(&config, &raw).await;
    eventually(SOON, async || beat(&mut overwatcher, &mut mark).await.0).await;
    ecp.wait_for_heartbeats(emitted + 1, SOON).await;
}

#[tokio::test]
async fn s3_a_python_client_proves_its_beats() {
    let vhost = broker::vhost().await;
    let raw = RawClient::connect(&vhost.url(), "harness").await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    let heartbeat = serde_json::json!([
        { "name": "overwatcher", "timeout": 2, "interval": 0.5, "proof": "required" }
    ]);
    let config = ActorConfig::new(&vhost.url()).set("heartbeats", heartbeat);
    let _actor = start(&config, &raw).await;
    let arguments = ["--url", &vhost.url(), "--interval", "0.5", "--prove"];
    let mut overwatcher = python::script("overwatcher.py", arguments).start();
    let mut mark = 0;
    // It has no value yet.
    assert!(!beat(&mut overwatcher, &mut mark).await.0);
    for _ in 0..3 {
        assert!(beat(&mut overwatcher, &mut mark).await.0);
    }
    ecp.wait_for_heartbeats(1, SOON).await;
}

#[tokio::test]
async fn lvmecp_reads_the_state_of_both_networks_from_an_internal_status() {
    let vhost = broker::vhost().await;
    let raw = RawClient::connect(&vhost.url(), "harness").await;
    let (mut lco, mut outside) = (Target::start().await, Target::start().await);
    let config = ActorConfig::new(&vhost.url())
        .host("lco", &lco.url())
        .host("outside", &outside.url());
    let _actor = start(&config, &raw).await;
    let arguments = ["--url", &vhost.url(), "--network-every", "0.3"];
    let mut lvmecp = python::script("clu_actor.py", arguments).start();
    lvmecp.wait_for_event(0, PYTHON, "ready").await;
    network_is(&mut lvmecp, true, true).await;
    outside.go_away().await;
    network_is(&mut lvmecp, false, true).await;
    lco.go_away().await;
    network_is(&mut lvmecp, false, false).await;
    outside.come_back().await;
    network_is(&mut lvmecp, true, false).await;
    lco.come_back().await;
    network_is(&mut lvmecp, true, true).await;
    // All of it passed in replies that no person wants to see.
    let replies = raw.replies_since(0);
    let of_status =
        |reply: &&lvmbeat_tests::client::Reply| reply.routing_key == "reply.lvmecp.lvmbeat";
    assert!(replies.iter().any(|reply| of_status(&reply)));
    for reply in replies.iter().filter(of_status) {
        let internal = reply.headers.inner().get("internal");
        assert_eq!(internal.and_then(AMQPValue::as_bool), Some(true));
    }
}

/// Waits until lvmecp has read that, in an answer that came in time.
async fn network_is(lvmecp: &mut Process, internet: bool, lco: bool) {
    let mark = lvmecp.mark();
    let is_it = |event: &serde_json::Value| {
        event["event"] == "network" && event["internet"] == internet && event["lco"] == lco
    };
    let event = lvmecp.wait_for_event_that(mark, SOON, is_it).await;
    assert_eq!(event.field("status"), "DONE");
}

#[tokio::test]
async fn without_an_actor_python_learns_at_once_that_nobody_is_there() {
    let vhost = broker::vhost().await;
    let arguments = ["--url", &vhost.url(), "lvmbeat status"];
    let launched: Launch = python::script("clu_client.py", arguments);
    let finished = launched.finish(PYTHON).await;
    let done = finished.stdout.lines().last().unwrap_or_default();
    let done: serde_json::Value = serde_json::from_str(done).unwrap();
    assert_eq!(done["status"], "FAILED", "{done}");
    assert_eq!(
        done["error"],
        "Failed routing message to consumer 'lvmbeat'."
    );
    assert!(done["seconds"].as_f64().unwrap() < Duration::from_secs(5).as_secs_f64());
}
