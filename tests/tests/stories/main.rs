//! Six nights, from the cause until all is well again, on real parts. At each moment everybody is
//! asked: `status`, the page and its JSON; afterwards `lvmbeat why`, every mail and every message
//! in Slack are read. What any of them ever said is compared with the PLC's registers at that
//! moment.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what is not there fails the test"
)]
#![expect(
    clippy::print_stdout,
    reason = "how long it took is quoted in documents"
)]

mod site;

use lvmbeat_tests::broker::{self, Broker};
use serde_json::Value;
use site::{SOON, Site};
use tokio::time::Instant;

fn kinds(notices: &[Value]) -> Vec<&str> {
    let kinds = notices.iter().map(|it| it["event"]["kind"].as_str());
    kinds.map(Option::unwrap).collect()
}

fn any(report: &Value) -> bool {
    !report.is_null()
}

/// The PLC closes the dome, and that is heard.
async fn is_closed(site: &mut Site) {
    site.dome.wait_for(0, SOON, "watchdog_expired").await;
    site.until("closed_by_watchdog", any).await;
    assert_eq!(site.shown().await, Some(4));
}

/// All is well again: everybody says so, also to people.
async fn is_over(site: &mut Site) {
    site.until("ok", any).await;
    let notices = site.until_sent(2).await;
    assert_eq!(kinds(&notices)[..2], ["held", "released"], "{notices:?}");
}

/// In this order, perhaps with other words between.
fn in_order(told: &str, words: &[&str]) {
    let mut rest = told;
    for word in words {
        let Some((_, after)) = rest.split_once(word) else {
            panic!("no `{word}` in its place:\n{told}");
        };
        rest = after;
    }
}

#[tokio::test]
async fn m1_the_overwatcher_dies_with_the_dome_open() {
    let vhost = broker::vhost().await;
    let mut site = Site::observing(&vhost.url(), 1).await;
    let cause = Instant::now();
    site.client_dies().await;
    site.until("late", any).await;
    site.until("held", any).await;
    assert_eq!(site.shown().await, Some(4));
    let notices = site.until_sent(1).await;
    assert_eq!(kinds(&notices), ["held"]);
    let subject = &site.subjects()[0];
    assert!(
        subject.starts_with("LVM dome heartbeat held: c0 silent "),
        "{subject}"
    );
    assert!(subject.ends_with(" — dome OPEN"), "{subject}");
    site.first_message("overwatcher dies", cause, &notices[0]);
    is_closed(&mut site).await;
    site.beat(1).await;
    is_over(&mut site).await;
    let told = site.why().await;
    in_order(
        &told,
        &[
            "The dome closed because the PLC's time ran out at ",
            "The dome heartbeat was held: c0 silent for ",
            "dome heartbeat held: c0 silent for ",
            "the PLC's time ran out",
            "dome closed",
            "dome heartbeat released",
        ],
    );
    site.nobody_was_misinformed().await;
}

#[tokio::test]
async fn m1_two_die_one_after_the_other() {
    let vhost = broker::vhost().await;
    let mut site = Site::observing(&vhost.url(), 3).await;
    let cause = Instant::now();
    site.client_dies().await;
    // 5 s later, in the times of this test.
    site.until("late", any).await;
    site.client_dies().await;
    let both = |report: &Value| {
        let late = report["health"]["late"].to_string();
        late.contains("c0 silent for ") && late.contains("c1 silent for ")
    };
    site.until("held", both).await;
    assert_eq!(site.shown().await, Some(4));
    let notices = site.until_sent(1).await;
    site.first_message("two die", cause, &notices[0]);
    let causes = &notices[0]["event"]["all_causes"];
    assert_eq!(causes.as_array().unwrap().len(), 2, "{causes}");
    let subject = &site.subjects()[0];
    assert!(
        subject.contains("c0 silent ") && subject.contains("c1 silent "),
        "{subject}"
    );
    is_closed(&mut site).await;
    site.beat(3).await;
    is_over(&mut site).await;
    let told = site.why().await;
    in_order(
        &told,
        &[
            "The dome heartbeat was held: c0 silent for ",
            "; c1 silent for ",
        ],
    );
    site.nobody_was_misinformed().await;
}

#[tokio::test]
async fn m1_lvmecp_is_killed() {
    let vhost = broker::vhost().await;
    let mut site = Site::observing(&vhost.url(), 1).await;
    let cause = Instant::now();
    site.ecp.kill().await;
    site.until("not_arriving", any).await;
    assert_eq!(site.shown().await, Some(4));
    let notices = site.until_sent(1).await;
    assert_eq!(kinds(&notices), ["held"]);
    let subject = &site.subjects()[0];
    assert!(
        subject.contains("not arriving: ping: no actor lvmecp is running"),
        "{subject}"
    );
    site.first_message("lvmecp killed", cause, &notices[0]);
    // Nobody is there who could say that the dome closes.
    site.dome.wait_for(0, SOON, "dome_closed").await;
    let unknown = |report: &Value| report["enclosure"]["dome"].is_null();
    site.until("closing", unknown).await;
    assert_eq!(site.shown().await, Some(4));
    site.restart_lvmecp().await;
    is_over(&mut site).await;
    let told = site.why().await;
    in_order(
        &told,
        &[
            "The dome closed because the PLC's time ran out at ",
            "Heartbeats were sent, and did not arrive",
            "the dome's position is no longer known",
        ],
    );
    site.nobody_was_misinformed().await;
}

#[tokio::test]
async fn m1_lvmecp_is_frozen() {
    let vhost = broker::vhost().await;
    let mut site = Site::observing(&vhost.url(), 1).await;
    let cause = Instant::now();
    site.ecp.freeze();
    site.ecp.until_frozen(SOON).await;
    site.until("not_arriving", any).await;
    assert_eq!(site.shown().await, Some(4));
    let notices = site.until_sent(1).await;
    assert_eq!(kinds(&notices), ["held"]);
    let subject = &site.subjects()[0];
    assert!(subject.contains("not arriving"), "{subject}");
    site.first_message("lvmecp frozen", cause, &notices[0]);
    site.dome.wait_for(0, SOON, "dome_closed").await;
    let unknown = |report: &Value| report["enclosure"]["dome"].is_null();
    site.until("closing", unknown).await;
    site.ecp.thaw();
    is_over(&mut site).await;
    let told = site.why().await;
    in_order(
        &told,
        &["The dome closed because the PLC's time ran out at "],
    );
    site.nobody_was_misinformed().await;
}

#[tokio::test]
async fn m1_engineering_mode_keeps_the_dome_open_and_people_hear_when_it_no_longer_does() {
    let vhost = broker::vhost().await;
    let mut site = Site::observing(&vhost.url(), 1).await;
    site.client
        .command("lvmecp", "engineering-mode enable", SOON)
        .await;
    site.until("bypassed", any).await;
    assert_eq!(site.shown().await, Some(4));
    site.client_dies().await;
    let held = |report: &Value| report["hold"]["fault"] == true;
    site.until("bypassed", held).await;
    // lvmecp feeds the PLC, whatever is held.
    let mark = site.dome.mark();
    site.dome.wait_for(mark, SOON, "heartbeat_received").await;
    site.until("bypassed", held).await;
    assert_eq!(site.dome.state().await, "open");
    assert!(site.subjects().is_empty(), "nothing closes the dome");
    let cause = Instant::now();
    site.client
        .command("lvmecp", "engineering-mode disable", SOON)
        .await;
    site.until("held", any).await;
    let notices = site.until_sent(1).await;
    assert_eq!(kinds(&notices), ["held"]);
    site.first_message("engineering mode ends", cause, &notices[0]);
    is_closed(&mut site).await;
    site.beat(1).await;
    is_over(&mut site).await;
    let told = site.why().await;
    in_order(
        &told,
        &["engineering mode ON", "engineering mode off", "dome closed"],
    );
    site.nobody_was_misinformed().await;
}

#[tokio::test]
async fn m1_the_broker_is_gone() {
    let mut broker = Broker::start().await;
    let mut site = Site::observing(&broker.url(), 1).await;
    let cause = Instant::now();
    broker.kill();
    site.until("held", any).await;
    assert_eq!(site.shown().await, Some(3), "nobody can answer");
    let notices = site.until_sent(1).await;
    assert_eq!(kinds(&notices), ["held"]);
    let subject = &site.subjects()[0];
    assert!(
        subject.contains("held: there is no session with the broker"),
        "{subject}"
    );
    site.first_message("broker gone", cause, &notices[0]);
    site.dome.wait_for(0, SOON, "dome_closed").await;
    let unknown = |report: &Value| report["enclosure"]["dome"].is_null();
    site.until("closing", unknown).await;
    broker.run().await;
    site.reconnect(1).await;
    is_over(&mut site).await;
    let told = site.why().await;
    in_order(&told, &["no session with the broker"]);
    site.nobody_was_misinformed().await;
}
