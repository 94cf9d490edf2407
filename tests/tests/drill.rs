//! A drill, on real parts: what it proves is compared with the registers of the simulated PLC, and
//! it closes no dome that somebody opens.

use std::time::Duration;

use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::eventually;
use lvmbeat_tests::hook::Hook;
use lvmbeat_tests::monitor::Monitor;
use lvmbeat_tests::process::Launch;
use lvmbeat_tests::site::Site;
use serde_json::Value;

const SOON: Duration = Duration::from_secs(30);
/// So much longer than the clients' timeout that only a drill can be why the PLC misses anything.
const PLC: f64 = 8.0;

/// An observatory whose dome is closed.
async fn well() -> Site {
    well_with(|config| config).await
}

/// The same with what else is configured.
async fn well_with(configure: impl FnOnce(ActorConfig) -> ActorConfig) -> Site {
    let site = Site::start(PLC, 1, |config| {
        let journal = config.folder().join("journal.jsonl");
        configure(config)
            .set("ecp.drill_days", 30)
            .set("actor.journal", journal.display().to_string())
    });
    let site = site.await;
    until_it_arrives(&site).await;
    site
}

async fn until_it_arrives(site: &Site) {
    eventually(SOON, async || {
        let status = look(site).await;
        let acknowledged = status["delivery"]["acknowledged"] == true;
        let ok = status["health"]["state"] == "ok" && acknowledged;
        ok.then_some(()).ok_or(status["health"].to_string())
    })
    .await;
}

/// What the actor says, after lvmecp has said how the PLC is.
async fn look(site: &Site) -> Value {
    site.hears_lvmecp().await;
    site.status().await
}

/// How far the drill is.
async fn until_state(site: &Site, state: &Value) {
    eventually(SOON, async || {
        let drill = look(site).await["drill"].take();
        if drill["state"] == *state {
            Ok(())
        } else {
            Err(drill)
        }
    })
    .await;
}

#[tokio::test]
async fn s1_a_drill_proves_that_the_plc_misses_a_withheld_heartbeat_and_is_remembered() {
    let hook = Hook::start().await;
    let mut monitor = Monitor::new(&[&hook])
        .set("outside_monitor.send_email_after", 300)
        .set("monitor.held_alerts", false);
    monitor.start().await;
    let address = monitor.address();
    let mut site =
        well_with(|config| config.set("outside_monitor.url", format!("http://{address}"))).await;
    assert_eq!(look(&site).await["drill"]["due"], true);
    let mark = site.dome.mark();
    let drill = site.lvmbeat(&["drill", "--json", "--alert"]);
    let drill = drill.finish(2 * SOON).await;
    assert_eq!(drill.code(), Some(0), "{drill:?}");
    let (last, people) = drill.stdout.split_once('\n').unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    // M2: a channel has taken a message, and nobody was alerted.
    assert_eq!(
        people,
        "people reached: a test message was taken by webhooks\n"
    );
    assert_eq!(hook.posts().len(), 1);
    assert_eq!(last["verdict"], "passed", "{last}");
    let after = last["tripped_after"].as_f64().unwrap();
    assert!((PLC - 5.0..PLC + 30.0).contains(&after), "{last}");
    // The PLC says the same: its time ran out once, and it was fed again.
    let expired = site.dome.wait_for(mark, SOON, "watchdog_expired").await;
    site.dome
        .wait_for(expired.after(), SOON, "heartbeat_received")
        .await;
    assert_eq!(site.dome.state().await, "closed");
    let status = look(&site).await;
    assert_eq!(status["drill"]["due"], false, "{status}");
    assert_eq!(status["drill"]["proved_at"], last["at"]);
    let people = &status["drill"]["last"]["people"];
    assert_eq!(people["reached"], true, "{status}");
    // Whoever asks for the night's story is told the reason.
    eventually(SOON, async || {
        let why = site.lvmbeat(&["why", "--since", "1h"]);
        let why = why.finish(2 * SOON).await.stdout;
        let story = [
            "drill began: the dome heartbeat is withheld",
            "dome heartbeat held: a drill withholds it",
            "drill passed: the PLC missed the heartbeat",
            "drill people reached: a test message was taken by webhooks",
        ];
        let told = story.iter().all(|words| why.contains(words));
        told.then_some(()).ok_or(why)
    })
    .await;
    // Another process knows it, too.
    site.actor.terminate();
    site.actor.exit(SOON).await;
    site.actor = Launch::lvmbeat(site.config.actor()).start();
    site.actor
        .wait_for_line(SOON, |line| line.contains("dome heartbeat emitted"))
        .await;
    until_it_arrives(&site).await;
    let drill = look(&site).await["drill"].take();
    assert_eq!(drill["proved_at"], last["at"], "{drill}");
    assert_eq!(drill["due"], false, "{drill}");
}

#[tokio::test]
async fn l1_a_dome_that_opens_ends_a_drill_at_once_and_stays_open() {
    let mut site = well().await;
    let mut drill = site.lvmbeat(&["drill"]).start();
    until_state(&site, &"withholding".into()).await;
    let mark = site.dome.mark();
    site.client.command("lvmecp", "dome open", SOON).await;
    let status = drill.exit(SOON).await;
    assert_eq!(status.code(), Some(1));
    site.dome.wait_for(mark, SOON, "dome_opened").await;
    let ended = look(&site).await["drill"].take();
    assert_eq!(ended["last"]["verdict"], "aborted", "{ended}");
    let mark = site.dome.mark();
    for _ in 0..3 {
        site.dome.wait_for(mark, SOON, "heartbeat_received").await;
    }
    assert!(site.dome.events("watchdog_expired").is_empty());
    assert_eq!(site.dome.state().await, "open");
    // With an open dome none begins.
    let refused = site.lvmbeat(&["drill"]).finish(SOON).await;
    assert_eq!(refused.code(), Some(1), "{refused:?}");
    let says = "Nothing was done: the dome is open; a drill needs a closed dome.";
    assert!(refused.stderr.contains(says), "{refused:?}");
    assert_eq!(look(&site).await["drill"]["state"], Value::Null);
}

#[tokio::test]
async fn ctrl_c_ends_a_drill_and_the_heartbeat_goes_on() {
    let mut site = well().await;
    let mut drill = site.lvmbeat(&["drill"]).start();
    until_state(&site, &"withholding".into()).await;
    drill.terminate();
    assert_eq!(drill.exit(SOON).await.code(), Some(1));
    until_state(&site, &Value::Null).await;
    let mark = site.dome.mark();
    site.dome.wait_for(mark, SOON, "heartbeat_received").await;
    assert!(site.dome.events("watchdog_expired").is_empty());
}
