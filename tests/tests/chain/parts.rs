//! Each part dies alone, and the dome closes within the budget.

use std::time::Duration;

use lvmbeat_tests::broker::{self, Broker, Vhost};
use lvmbeat_tests::chain::{Chain, PLC_TIMEOUT, start_ecp};
use lvmbeat_tests::proxy::Flow;
use tokio::time::Instant;

const SOON: Duration = Duration::from_secs(10);

/// The dome is open; then this happens.
async fn closes_after(what: impl AsyncFnOnce(&mut Chain)) -> (Vhost, Chain) {
    let vhost = broker::vhost().await;
    let mut chain = Chain::observing(&vhost.url(), 2).await;
    let (mark, since) = (chain.dome.mark(), Instant::now());
    what(&mut chain).await;
    chain.closes_in_time(mark, since).await;
    (vhost, chain)
}

#[tokio::test]
async fn s4_the_dome_closes_in_time_after_lvmbeat_was_killed() {
    closes_after(async |chain| chain.actor.kill().await).await;
}

#[tokio::test]
async fn s4_the_dome_closes_in_time_after_lvmbeat_was_stopped() {
    let (_vhost, mut chain) = closes_after(async |chain| chain.actor.freeze()).await;
    // S5: it comes back, and needs every client anew; they beat all the time.
    let mark = chain.actor.mark();
    chain.actor.thaw();
    for line in ["session lost", "session open"] {
        chain
            .actor
            .wait_for_line_after(mark, SOON, |text| text.contains(line))
            .await;
    }
    chain.open().await;
}

#[tokio::test]
async fn s4_the_dome_closes_in_time_after_lvmecp_was_killed() {
    let (vhost, mut chain) = closes_after(async |chain| chain.ecp.kill().await).await;
    chain.ecp = start_ecp(&vhost.url(), chain.modbus.port()).await;
    chain.open().await;
}

#[tokio::test]
async fn s4_the_dome_closes_in_time_after_lvmecp_was_stopped() {
    closes_after(async |chain| chain.ecp.freeze()).await;
}

#[tokio::test]
async fn s4_the_dome_closes_in_time_after_lvmecp_began_to_hang() {
    closes_after(async |chain| chain.ecp.say("ecp hang").await).await;
}

#[tokio::test]
async fn s4_the_dome_closes_in_time_after_the_modbus_link_was_cut() {
    let (_vhost, mut chain) = closes_after(async |chain| {
        chain.modbus.refuse().await;
        chain.modbus.cut();
    })
    .await;
    chain.modbus.accept_again().await;
    chain.open().await;
}

#[tokio::test]
async fn s4_the_dome_closes_in_time_after_the_modbus_link_was_half_open() {
    closes_after(async |chain| chain.modbus.set(Flow::Swallow)).await;
}

#[tokio::test]
async fn s4_the_dome_closes_in_time_after_the_plc_dropped_its_connections() {
    let fault = async |chain: &mut Chain, on: &str| {
        chain
            .dome
            .order(&format!("fault connection-drop {on}"))
            .await;
    };
    let (_vhost, mut chain) = closes_after(async |chain| fault(chain, "on").await).await;
    fault(&mut chain, "off").await;
    chain.open().await;
}

#[tokio::test]
async fn s4_the_dome_closes_in_time_after_the_broker_was_frozen_and_after_it_was_killed() {
    let mut broker = Broker::start().await;
    let vhost = broker.vhost().await;
    let mut chain = Chain::observing(&vhost.url(), 1).await;
    let (mark, since) = (chain.dome.mark(), Instant::now());
    broker.freeze();
    chain.closes_in_time(mark, since).await;
    broker.thaw();
    // The client's connection may have been given up in the meantime; another one takes its place.
    chain.clients.clear();
    chain.beat("c0").await;
    chain.open().await;
    chain.stays_open(PLC_TIMEOUT).await;
    let (mark, since) = (chain.dome.mark(), Instant::now());
    broker.kill();
    chain.closes_in_time(mark, since).await;
}
