//! Network links: probed hosts that go away and come back.

use std::time::Duration;

use lvmbeat_tests::broker;
use lvmbeat_tests::chain::{self, Client, INTERVAL};
use lvmbeat_tests::client::RawClient;
use lvmbeat_tests::ecp::{Behaviour, FakeEcp};
use lvmbeat_tests::port::Port;
use lvmbeat_tests::process::{Launch, Process};
use lvmbeat_tests::target::Target;
use lvmbeat_tests::{eventually, throughout, view};

const SOON: Duration = Duration::from_secs(20);
const FAILURES: usize = 4;

/// How many probes have failed since that place, up to the first line after it for which this
/// holds.
async fn failures_until(actor: &mut Process, mark: u64, what: &str) -> (usize, String) {
    let end = actor
        .wait_for_line_after(mark, SOON, |line| line.contains(what))
        .await;
    let lines = actor.lines().into_iter();
    let failures = lines
        .filter(|line| (mark..end.number).contains(&line.number))
        .filter(|line| line.text.contains("probe failed"))
        .count();
    (failures, end.text)
}

/// Of the reasons that were logged, those that are faults: the pace goes on all the time, and `-v`
/// shows it too.
fn logged_faults(actor: &Process, mark: u64) -> Vec<String> {
    let mut reasons = view::logged_reasons(actor, mark);
    reasons.retain(|reason| !matches!(reason.as_str(), "in_flight" | "cut_off" | "retry"));
    reasons
}

#[tokio::test]
async fn s1_a_link_is_down_after_so_many_failures_in_a_row_and_up_after_one_success() {
    let vhost = broker::vhost().await;
    let (url, http) = (vhost.url(), Port::reserve());
    let mut target = Target::start().await;
    let config = chain::config(&url, 1)
        .host("lco", &target.url())
        .set("network.interval", 0.5)
        .set("network.failures", FAILURES)
        .set("actor.http", http.address().to_string());
    let ecp = FakeEcp::start(&url).await;
    let client = RawClient::connect(&url, "observer").await;
    let mut actor = Launch::lvmbeat(config.actor()).args(["-v"]).start();
    let beating = Client::start(&url, "c0", INTERVAL).await;
    ecp.wait_for_heartbeats(2, SOON).await;

    // Two failures, and a success: nothing happens.
    let mark = actor.mark();
    target.go_away().await;
    for _ in 0..2 {
        let mark = actor.mark();
        failures_until(&mut actor, mark, "probe failed").await;
    }
    target.answer_once(SOON).await;

    // From there, it takes as many as it takes.
    let place = actor.mark();
    let (failures, down) = failures_until(&mut actor, place, "network link is down").await;
    assert_eq!(failures, FAILURES, "the success before them counts");
    assert!(down.contains("lco"), "{down}");
    let before = actor.lines().into_iter();
    let mut early = before.filter(|line| (mark..place).contains(&line.number));
    assert!(!early.any(|line| line.text.contains("is down")));
    let said = actor
        .wait_for_line_after(mark, SOON, |line| {
            line.contains("dome heartbeat held: network link")
        })
        .await;
    assert!(
        said.text.contains(&format!(
            "network link lco is down ({FAILURES} failed probes in a row)"
        )),
        "{}",
        said.text
    );
    assert_eq!(logged_faults(&actor, mark), ["link_down"]);
    let hold = view::hold(&client).await.unwrap();
    assert_eq!(
        (&hold["reason"], &hold["fault"]),
        (&"link_down".into(), &true.into())
    );
    assert!(
        hold["text"]
            .as_str()
            .unwrap()
            .starts_with("network link lco is down"),
        "{hold}"
    );
    let status = client.command("lvmbeat", "status", SOON).await;
    assert_eq!(status.keyword("network").unwrap()["lco"], false);
    let metric = async || view::metric_reason(http.address()).await;
    eventually(SOON, async || {
        metric().await.is_ok_and(|is| is == "link_down")
    })
    .await;
    let link_up = async || view::metric(http.address(), "lvmbeat_link_up{name=\"lco\"}").await;
    assert_eq!(link_up().await, Ok(0.0));

    // S1: the client beats, and nothing is emitted; nor is anything said again, though its number
    // of failures grows.
    let emitted = ecp.heartbeats().len();
    throughout(Duration::from_secs(2), async || {
        ecp.heartbeats().len() == emitted
    })
    .await;
    assert_eq!(logged_faults(&actor, mark), ["link_down"]);

    // One success is enough.
    let mark = actor.mark();
    target.answer_once(SOON).await;
    let (_, up) = failures_until(&mut actor, mark, "network link is up").await;
    assert!(up.contains("lco"), "{up}");
    ecp.wait_for_heartbeats(emitted + 1, SOON).await;
    let logged = || logged_faults(&actor, mark);
    let released = || logged().first().is_some_and(|first| first == "released");
    eventually(SOON, async || released()).await;
    drop(beating);
}

#[tokio::test]
async fn s1_nothing_is_emitted_before_every_link_has_been_reached() {
    let vhost = broker::vhost().await;
    let (url, http) = (vhost.url(), Port::reserve());
    let (near, mut far) = (Target::start().await, Target::start().await);
    far.go_away().await;
    let config = chain::config(&url, 1)
        .host("near", &near.url())
        .host("far", &far.url())
        .set("network.failures", 200)
        .set("max_close_after", 600)
        .set("actor.http", http.address().to_string());
    let ecp = FakeEcp::start(&url).await;
    let client = RawClient::connect(&url, "observer").await;
    let actor = Launch::lvmbeat(config.actor()).start();
    let _beating = Client::start(&url, "c0", INTERVAL).await;
    let reason = async || {
        view::reason(&client)
            .await
            .is_ok_and(|is| is == "link_unproven")
    };
    eventually(SOON, reason).await;
    let metric = async || view::metric_reason(http.address()).await;
    eventually(SOON, async || {
        metric().await.is_ok_and(|is| is == "link_unproven")
    })
    .await;
    let hold = view::hold(&client).await.unwrap();
    assert_eq!(hold["text"], "network link far has not been reached yet");
    throughout(Duration::from_secs(2), async || ecp.heartbeats().is_empty()).await;
    let last_logged = |reason: &str| {
        let logged = view::logged_reasons(&actor, 0);
        logged.last().is_some_and(|last| last == reason)
    };
    eventually(SOON, async || last_logged("link_unproven")).await;
    far.come_back().await;
    ecp.wait_for_heartbeats(1, SOON).await;
    eventually(SOON, async || last_logged("released")).await;
}

#[tokio::test]
async fn s1_a_heartbeat_is_not_sent_when_a_link_failed_while_lvmecp_was_asked() {
    let vhost = broker::vhost().await;
    let url = vhost.url();
    let mut target = Target::start().await;
    let config = chain::config(&url, 1)
        .host("lco", &target.url())
        .set("ecp.expiration", 10)
        .set("ecp.plc_timeout", 60)
        .set("max_close_after", 180);
    let ecp = FakeEcp::start(&url).await;
    let mut actor = Launch::lvmbeat(config.actor()).start();
    let _beating = Client::start(&url, "c0", INTERVAL).await;
    ecp.wait_for_heartbeats(1, SOON).await;
    // Long enough for the link to be found down meanwhile.
    ecp.on("ping", Behaviour::DoneAfter(Duration::from_secs(6)));
    let (asked, mark) = (ecp.received().len(), actor.mark());
    eventually(SOON, async || ecp.received().len() > asked).await;
    let emitted = ecp.heartbeats().len();
    target.go_away().await;
    let is_lost = |line: &str| line.contains("dome heartbeat not emitted") && line.contains("Lost");
    actor.wait_for_line_after(mark, SOON, is_lost).await;
    assert_eq!(view::logged_reasons(&actor, mark), ["link_down"]);
    assert_eq!(ecp.heartbeats().len(), emitted);
}

#[tokio::test]
async fn s1_a_host_is_probed_by_icmp() {
    let vhost = broker::vhost().await;
    let (url, http) = (vhost.url(), Port::reserve());
    // The second is an address that no machine has. A router may say so, which is no echo.
    let config = chain::config(&url, 1)
        .host("here", "icmp://127.0.0.1")
        .host("nowhere", "icmp://240.0.0.1")
        .set("actor.http", http.address().to_string());
    let mut actor = Launch::lvmbeat(config.actor()).start();
    actor
        .wait_for_line(SOON, |line| {
            line.contains("network link is down") && line.contains("nowhere")
        })
        .await;
    let link = async |name: &str| {
        view::metric(
            http.address(),
            &format!("lvmbeat_link_up{{name=\"{name}\"}}"),
        )
        .await
    };
    eventually(SOON, async || {
        link("nowhere").await == Ok(0.0) && link("here").await == Ok(1.0)
    })
    .await;
    // As many probes as have found the other one down have reached this one.
    let ecp = FakeEcp::start(&url).await;
    let _beating = Client::start(&url, "c0", INTERVAL).await;
    let client = RawClient::connect(&url, "observer").await;
    let by_link = async || {
        view::reason(&client)
            .await
            .is_ok_and(|is| is == "link_down")
    };
    eventually(SOON, by_link).await;
    let hold = view::hold(&client).await.unwrap();
    assert!(hold["text"].as_str().unwrap().contains("nowhere"), "{hold}");
    assert!(ecp.heartbeats().is_empty());
}
