//! The chain, end to end on real parts: the dome stays open while all is well, and closes in time
//! whatever single part dies.

mod parts;

use std::time::Duration;

use lvmbeat_tests::broker;
use lvmbeat_tests::chain::{self, Chain, INTERVAL, PLC_TIMEOUT, TIMEOUT};
use lvmbeat_tests::client::RawClient;
use lvmbeat_tests::process::Launch;
use lvmbeat_tests::{eventually, view};
use tokio::time::Instant;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn l1_the_dome_opens_by_command_and_stays_open_while_the_clients_beat() {
    let vhost = broker::vhost().await;
    let mut chain = Chain::start(&vhost.url(), chain::config(&vhost.url(), 2)).await;
    chain.beat("c0").await;
    chain.beat("c1").await;
    chain.next_heartbeat().await;
    let mark = chain.dome.mark();
    let file = chain.config.write().display().to_string();
    let opening = Launch::lvmbeat(["-c", &file, "send", "lvmecp", "dome", "open"])
        .finish(3 * SOON)
        .await;
    assert_eq!(opening.code(), Some(0), "{opening:?}");
    chain.dome.wait_for(mark, SOON, "dome_opened").await;
    chain.stays_open(4 * PLC_TIMEOUT).await;
    let client = RawClient::connect(&vhost.url(), "observer").await;
    let status = client.command("lvmbeat", "status", SOON).await;
    let margin = status.keyword("ecp").expect("it is there")["smallest_margin"]
        .as_f64()
        .expect("several were acknowledged");
    // L1: 1.1 s are promised by `check`; 0.9 s are between two heartbeats, and the rest is room.
    assert!(margin > 1.1, "{margin}");
}

#[tokio::test]
async fn l1_the_real_lvmbeat_set_keeps_the_dome_open() {
    let vhost = broker::vhost().await;
    let mut chain = Chain::start(&vhost.url(), chain::config(&vhost.url(), 1)).await;
    let file = chain.config.write().display().to_string();
    let beating = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(INTERVAL);
        loop {
            ticks.tick().await;
            let set = Launch::lvmbeat(["set", "c0", "-c", &file])
                .finish(SOON)
                .await;
            assert_eq!(set.code(), Some(0), "{set:?}");
            assert!(
                set.stdout.contains(r#"{"text":"Heartbeat set."}"#),
                "{set:?}"
            );
        }
    });
    chain.open().await;
    chain.stays_open(2 * PLC_TIMEOUT).await;
    assert!(!beating.is_finished(), "a set has failed");
    let mark = chain.dome.mark();
    let killed = Instant::now();
    beating.abort();
    chain.closes_in_time(mark, killed).await;
}

async fn closes_after_a_client_died(critical: usize) {
    let vhost = broker::vhost().await;
    let mut chain = Chain::observing(&vhost.url(), critical).await;
    chain.stays_open(TIMEOUT).await;
    let mark = chain.dome.mark();
    let last = format!("c{}", critical - 1);
    let since = chain.kill_client(&last).await;
    chain.closes_in_time(mark, since).await;
}

#[tokio::test]
async fn s4_the_dome_closes_in_time_after_the_only_client_died() {
    closes_after_a_client_died(1).await;
}

#[tokio::test]
async fn s4_the_dome_closes_in_time_after_one_of_two_clients_died() {
    closes_after_a_client_died(2).await;
}

#[tokio::test]
async fn s4_the_dome_closes_in_time_after_one_of_five_clients_died() {
    closes_after_a_client_died(5).await;
}

#[tokio::test]
async fn s4_the_dome_closes_in_time_after_all_clients_died_and_opens_again_with_them() {
    let vhost = broker::vhost().await;
    let mut chain = Chain::observing(&vhost.url(), 2).await;
    let mark = chain.dome.mark();
    let since = chain.kill_client("c0").await;
    chain.kill_client("c1").await;
    chain.closes_in_time(mark, since).await;
    chain.dome.wait_for(mark, SOON, "dome_closed").await;
    let mark = chain.dome.mark();
    chain.beat("c0").await;
    chain.beat("c1").await;
    chain.open().await;
    assert_eq!(
        chain
            .dome
            .wait_for(mark, SOON, "watchdog_recovered")
            .await
            .field("dome"),
        "closed",
        "the first heartbeat alone opens nothing"
    );
    chain.stays_open(PLC_TIMEOUT).await;
}

#[tokio::test]
async fn s1_a_heartbeat_that_is_not_critical_changes_nothing_when_it_goes_stale() {
    let vhost = broker::vhost().await;
    let url = vhost.url();
    let config = chain::config(&url, 1).heartbeat("extra", false, 2.0, 0.3);
    let mut chain = Chain::start(&url, config).await;
    let client = RawClient::connect(&url, "observer").await;
    // Alone, it emits nothing.
    chain.beat("extra").await;
    let current = async || {
        let status = client.try_command("lvmbeat", "status", SOON).await?;
        let heartbeats = status.keyword("heartbeats").ok_or("no heartbeats")?;
        Ok::<_, String>(heartbeats["extra"]["current"] == true)
    };
    eventually(SOON, async || current().await.is_ok_and(|is| is)).await;
    assert_eq!(
        view::reason(&client).await.as_deref(),
        Ok("heartbeat_never_seen")
    );
    assert_eq!(chain.dome.heartbeats().await, 0);
    chain.beat("c0").await;
    chain.open().await;
    chain.kill_client("extra").await;
    eventually(SOON, async || current().await.is_ok_and(|is| !is)).await;
    chain.stays_open(2 * PLC_TIMEOUT).await;
}
