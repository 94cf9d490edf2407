//! The actor feeds the watchdog box: the firmware as it is shipped, in QEMU, on a serial line that
//! is a pseudo-terminal.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lvmbeat_tests::actor::Actor;
use lvmbeat_tests::broker;
use lvmbeat_tests::chain::{self, Client, INTERVAL};
use lvmbeat_tests::client::RawClient;
use lvmbeat_tests::ecp::FakeEcp;
use lvmbeat_tests::eventually;
use lvmbeat_tests::process::{Launch, Process};
use serde_json::{Value, json};
use tokio::time::Instant;

const SOON: Duration = Duration::from_secs(30);
/// The box's own cut-off, with some patience.
const NEXT: Duration = Duration::from_secs(45);
/// The relay drops this long after the last heartbeat that counted: `site.rs` of the firmware.
const BOX_TIMEOUT: Duration = Duration::from_secs(60);
/// A heartbeat counts for the box once in so long, and so the last one may be so much older than
/// the last beat.
const BOX_CUTOFF: Duration = Duration::from_secs(10);

/// The box. tests/run builds the program and the firmware.
async fn relay_box() -> (Process, PathBuf) {
    let program = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../core/relay-box/target/debug/relay-box"
    );
    let mut relay_box = Launch::other(program.into()).args(["--built"]).start();
    let line = relay_box
        .wait_for_line(SOON, |line| line.starts_with("serial line: "))
        .await;
    let path = line.text.replacen("serial line: ", "", 1);
    (relay_box, path.into())
}

/// What a person does with `printf 'arm\r' > DEVICE`.
fn type_arm(line: &Path) {
    let mut line = OpenOptions::new().write(true).open(line).unwrap();
    line.write_all(b"arm\r").unwrap();
}

async fn until(actor: &Actor, limit: Duration, is_it: impl Fn(&Value) -> bool) -> Value {
    eventually(limit, async || {
        let status = actor.status("/relay_box").await;
        is_it(&status).then_some(status)
    })
    .await
}

#[tokio::test]
async fn s1_s6_the_box_is_fed_by_the_same_decisions_whatever_becomes_of_lvmecp() {
    let vhost = broker::vhost().await;
    let url = vhost.url();
    let (mut relay_box, line) = relay_box().await;
    relay_box
        .wait_for_line(SOON, |line| line == "relay: released")
        .await;
    let config = chain::config(&url, 1)
        .set("emit.serial", json!({"path": line}))
        // So often the box lets somebody speak who has no lvmecp.
        .set("ecp.retry", 1);
    let ecp = FakeEcp::start(&url).await;
    let mut actor = Actor::start(config, &url).await;
    let beating = Client::start(&url, "c0", INTERVAL).await;

    // It begins latched: a person has to come.
    let status = until(&actor, SOON, |status| !status["last_counted"].is_null()).await;
    assert_eq!(
        (&status["energised"], &status["latched"], &status["failure"]),
        (&json!(false), &json!(true), &Value::Null),
        "{status}"
    );
    actor
        .process
        .wait_for_line(SOON, |line| {
            line.contains("relay is released, and latched: somebody has to arm the box")
        })
        .await;
    type_arm(&line);
    relay_box
        .wait_for_line(NEXT, |line| line == "relay: energised")
        .await;
    let status = until(&actor, SOON, |status| status["energised"] == true).await;
    assert_eq!(status["latched"], false, "{status}");

    // Without lvmecp nothing reaches the PLC, and the box is fed all the same.
    ecp.stop().await;
    let counted = status["last_counted"].clone();
    until(&actor, NEXT, |status| status["last_counted"] != counted).await;

    // Without the one who must be alive, nothing does.
    let mark = relay_box.mark();
    let killed = Instant::from_std(beating.kill().await.into());
    let released = relay_box
        .wait_for_line_after(mark, BOX_TIMEOUT + SOON, |line| line == "relay: released")
        .await;
    let after = killed.elapsed();
    assert!(
        after + BOX_CUTOFF + INTERVAL >= BOX_TIMEOUT,
        "{released:?} after {after:?}"
    );
    let status = until(&actor, SOON, |status| status["energised"] == false).await;
    assert_eq!(status["hold"], "expired", "{status}");

    // And what comes again does not bring it back: it has to be armed.
    let mark = relay_box.mark();
    let _beating = Client::start(&url, "c0", INTERVAL).await;
    until(&actor, SOON, |status| status["latched"] == true).await;
    type_arm(&line);
    relay_box
        .wait_for_line_after(mark, NEXT, |line| line == "relay: energised")
        .await;
}

#[tokio::test]
async fn s6_a_box_that_is_stopped_or_gone_delays_nobody_and_is_told_of() {
    let vhost = broker::vhost().await;
    let url = vhost.url();
    let (mut relay_box, line) = relay_box().await;
    let config = chain::config(&url, 1)
        .set("emit.serial", json!({"path": line, "timeout": 1}))
        .set("ecp.retry", 1);
    let ecp = FakeEcp::start(&url).await;
    let actor = Actor::start(config, &url).await;
    let _beating = Client::start(&url, "c0", INTERVAL).await;
    until(&actor, SOON, |status| !status["last_counted"].is_null()).await;

    let observer = RawClient::connect(&url, "observer").await;
    relay_box.freeze();
    let failure = until(&actor, SOON, |status| !status["failure"].is_null()).await;
    assert!(
        failure["failure"]
            .as_str()
            .unwrap()
            .starts_with("the box has not answered "),
        "{failure}"
    );
    let emitted = ecp.heartbeats().len();
    let answer = observer.command("lvmbeat", "set c0", SOON).await;
    assert_eq!(answer.codes(), ">:");
    ecp.wait_for_heartbeats(emitted + 3, SOON).await;
    relay_box.thaw();
    until(&actor, SOON, |status| status["failure"].is_null()).await;

    relay_box.close_input();
    relay_box.exit(SOON).await;
    until(&actor, SOON, |status| !status["failure"].is_null()).await;
    let emitted = ecp.heartbeats().len();
    ecp.wait_for_heartbeats(emitted + 3, SOON).await;
}
