//! How the whole is, in one word, on real parts: what `status` says at each moment is compared with
//! the registers of the simulated PLC at that moment, and with the exit code of `lvmbeat status`.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::time::Duration;

use lvmbeat_tests::broker;
use lvmbeat_tests::chain::{self, Client, INTERVAL};
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::eventually;
use lvmbeat_tests::process::Launch;
use lvmbeat_tests::site::Site;
use serde_json::Value;
use tokio::time::Instant;

const SOON: Duration = Duration::from_secs(30);
/// So much longer than a heartbeat's timeout (3 s) that what lies between can be seen.
const PLC: f64 = 12.0;
/// A clock that is read in another process may be behind by so much.
const SLACK: f64 = 0.5;

/// An observatory whose dome is open.
async fn observing(critical: usize) -> Site {
    let mut site = Site::start(PLC, critical, |config| config).await;
    site.dome.open(SOON).await;
    site.hears_lvmecp().await;
    until(&mut site, "ok").await;
    site
}

/// What `status` says, which is true: compared with the registers.
async fn status(site: &mut Site) -> Value {
    let before = site.dome.status().await;
    let asked = Instant::now();
    let status = site.status().await;
    let plc = site.dome.status().await;
    // The registers are read so long after what is compared with them was said, at most.
    let slack = SLACK + asked.elapsed().as_secs_f64();
    let (health, delivery) = (&status["health"], &status["delivery"]);
    let state = health["state"].as_str().unwrap();
    let text = health["text"].as_str().unwrap();
    let said = format!("{before:?} {status} {plc:?}");
    let left = plc.field("countdown_s").as_f64().unwrap();
    // The PLC may be fed, or run out, just as the status is on its way.
    let expired = [&before, &plc].map(|plc| plc.field("expired") == true);
    if let Some(closes_in) = delivery["closes_in"].as_f64() {
        // At the latest; a heartbeat may have come since.
        assert!(
            left <= closes_in + slack || delivery["cause"].is_null(),
            "{said}"
        );
        assert!(
            !["closing", "closed_by_watchdog"].contains(&state),
            "{said}"
        );
    }
    if ["closing", "closed_by_watchdog"].contains(&state) {
        assert!(expired.contains(&true), "{said}");
        assert!(delivery["closing_for"].as_f64().is_some(), "{said}");
    }
    // The PLC heard the last heartbeat a little before it was acknowledged.
    if state == "ok" || delivery["closes_in"].as_f64() > Some(SLACK) {
        assert!(expired.contains(&false), "{said}");
    }
    if text.contains("the dome is closed") || state == "closed_by_watchdog" {
        let dome = [&before, &plc].map(|plc| plc.field("dome") == "closed");
        assert!(dome.contains(&true), "{said}");
    }
    status
}

/// Until the health is that; `lvmecp` says how the dome is in between, if it lives.
async fn until(site: &mut Site, state: &str) -> Value {
    eventually(SOON, async || {
        let status = status(site).await;
        if status["health"]["state"] == state {
            return Ok(status);
        }
        Err(status["health"].to_string())
    })
    .await
}

/// The exit code of `lvmbeat status`.
async fn exit_code(site: &Site) -> Option<i32> {
    site.lvmbeat(&["status"]).finish(SOON).await.code()
}

fn late(status: &Value) -> Vec<&str> {
    let late = status["health"]["late"].as_array().unwrap();
    late.iter().map(|late| late.as_str().unwrap()).collect()
}

#[tokio::test]
async fn s4_a_dead_overwatcher_is_seen_from_its_first_missing_beat_until_the_dome_is_closed() {
    let mut site = observing(1).await;
    assert_eq!(exit_code(&site).await, Some(0));
    site.kill("c0").await;
    let status = until(&mut site, "late").await;
    assert!(late(&status)[0].starts_with("c0 silent for "), "{status}");
    let status = until(&mut site, "held").await;
    assert!(late(&status)[0].starts_with("c0 silent for "), "{status}");
    assert_eq!(status["delivery"]["cause"], "held");
    let text = status["health"]["text"].as_str().unwrap();
    assert!(text.contains("the PLC closes the dome in "), "{text}");
    assert_eq!(exit_code(&site).await, Some(4));
    let status = until(&mut site, "closing").await;
    let text = status["health"]["text"].as_str().unwrap();
    assert!(text.starts_with("the PLC's time ran out "), "{text}");
    site.dome.wait_for(0, SOON, "dome_closed").await;
    site.hears_lvmecp().await;
    let status = until(&mut site, "closed_by_watchdog").await;
    assert_eq!(status["delivery"]["confirmed"], true, "{status}");
    assert!(late(&status)[0].starts_with("c0 silent for "), "{status}");
    assert_eq!(exit_code(&site).await, Some(4));
    // The log tells the same story, in the same order.
    let back = Client::start(&site.vhost.url(), "c0", INTERVAL).await;
    until(&mut site, "ok").await;
    drop(back);
    let log: Vec<_> = site
        .actor
        .lines()
        .into_iter()
        .map(|line| line.text)
        .collect();
    let mut lines = log.iter();
    for part in [
        "dome heartbeat released",
        "dome open",
        "dome heartbeat held: heartbeat c0 was last received",
        "the PLC's time ran out",
        "dome closed",
        "dome heartbeat released after ",
    ] {
        assert!(
            lines.any(|line| line.contains(part)),
            "{part}\n{}",
            log.join("\n")
        );
    }
}

#[tokio::test]
async fn two_that_die_one_after_the_other_are_both_named_also_to_a_third_that_lives() {
    let mut site = observing(3).await;
    site.kill("c0").await;
    until(&mut site, "held").await;
    site.kill("c1").await;
    let status = eventually(SOON, async || {
        let status = status(&mut site).await;
        (late(&status).len() > 1 && late(&status)[1].contains("timeout 3.0 s"))
            .then_some(status.clone())
            .ok_or(status["health"].to_string())
    })
    .await;
    let late = late(&status);
    assert!(late[0].starts_with("c0 silent for "), "{late:?}");
    assert!(late[1].starts_with("c1 silent for "), "{late:?}");
    let answer = site.client.command("lvmbeat", "set c2", SOON).await;
    assert_eq!(answer.keyword("text").unwrap(), "Heartbeat set.");
    let held = answer.keyword("held").unwrap().as_str().unwrap();
    assert!(held.contains("c0"), "{held}");
    let all = answer.keyword("late").unwrap().as_array().unwrap();
    assert_eq!(all.len(), 2, "{all:?}");
    site.actor
        .wait_for_line(SOON, |line| {
            line.contains("dome heartbeat still held: c0 silent for ")
                && line.contains("; c1 silent for ")
        })
        .await;
}

#[tokio::test]
async fn s4_a_dead_lvmecp_does_not_let_anything_arrive_and_the_time_that_is_left_is_said() {
    let mut site = observing(1).await;
    site.ecp.kill().await;
    let status = until(&mut site, "not_arriving").await;
    let delivery = &status["delivery"];
    assert_eq!(delivery["cause"], "unroutable", "{delivery}");
    let left = delivery["closes_in"].as_f64().unwrap();
    assert!((0.0..PLC).contains(&left), "{delivery}");
    assert!(status["hold"].is_null() || status["hold"]["fault"] == false);
    let answer = site.client.command("lvmbeat", "set c0", SOON).await;
    let said = answer.keyword("not_arriving").unwrap().as_str().unwrap();
    assert!(said.contains("no actor lvmecp is running"), "{said}");
    assert_eq!(exit_code(&site).await, Some(4));
    // Nobody says that the dome is closed: whoever would say it is dead.
    site.dome.wait_for(0, SOON, "dome_closed").await;
    let status = until(&mut site, "closing").await;
    let text = status["health"]["text"].as_str().unwrap();
    assert!(!text.contains("the dome is closed"), "{text}");
}

/// The verdict on each thing that was looked at, the worst one of several; and the exit code.
async fn doctor(config: &ActorConfig) -> (Vec<(String, String)>, Option<i32>) {
    let file = config.write().display().to_string();
    let looked = Launch::lvmbeat(["doctor", "--json", "-c", &file]);
    let looked = looked.finish(2 * SOON).await;
    let found: Vec<Value> = serde_json::from_str(&looked.stdout).unwrap();
    let of = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let found = found.iter().map(|it| (of(it, "what"), of(it, "verdict")));
    (found.collect(), looked.code())
}

#[tokio::test]
async fn the_doctor_finds_what_does_not_work() {
    let mut site = observing(1).await;
    let is = |found: &[(String, String)], what: &str, verdict: &str| {
        let of_it = found.iter().filter(|(it, _)| it == what);
        let all: Vec<_> = of_it.map(|(_, verdict)| verdict.as_str()).collect();
        assert!(all.contains(&verdict), "{what}: {found:?}");
    };
    let (found, code) = doctor(&site.config).await;
    for what in ["configuration", "actor", "schema", "health", "enclosure"] {
        is(&found, what, "ok");
    }
    // No monitor is configured, and the tests' user of the broker may do anything.
    is(&found, "monitor", "warning");
    is(&found, "broker", "warning");
    assert_eq!(code, Some(4), "{found:?}");
    site.ecp.kill().await;
    until(&mut site, "not_arriving").await;
    let (found, code) = doctor(&site.config).await;
    is(&found, "actor", "ok");
    is(&found, "enclosure", "wrong");
    is(&found, "health", "wrong");
    assert_eq!(code, Some(1), "{found:?}");
    site.actor.kill().await;
    let (found, code) = doctor(&site.config).await;
    is(&found, "actor", "wrong");
    assert_eq!(code, Some(1), "{found:?}");
    let nowhere = chain::config("amqp://127.0.0.1:1", 1);
    let nowhere = nowhere.set("outside_monitor.url", "http://127.0.0.1:1/heartbeat");
    let (found, code) = doctor(&nowhere).await;
    is(&found, "broker", "wrong");
    is(&found, "monitor", "wrong");
    assert_eq!(code, Some(1), "{found:?}");
}

#[tokio::test]
async fn engineering_mode_bypasses_lvmbeat_whatever_it_holds() {
    let mut site = observing(1).await;
    site.client
        .command("lvmecp", "engineering-mode enable", SOON)
        .await;
    site.hears_lvmecp().await;
    until(&mut site, "bypassed").await;
    site.kill("c0").await;
    assert_eq!(exit_code(&site).await, Some(4));
    site.client
        .command("lvmecp", "engineering-mode disable", SOON)
        .await;
    site.hears_lvmecp().await;
    let status = eventually(SOON, async || {
        let status = status(&mut site).await;
        let state = &status["health"]["state"];
        (state == "held" || state == "closing").then_some(status.clone())
    })
    .await;
    assert!(late(&status)[0].starts_with("c0 silent for "), "{status}");
}

#[tokio::test]
async fn without_an_actor_there_is_no_answer() {
    let vhost = broker::vhost().await;
    let config = chain::config(&vhost.url(), 1);
    let file = config.write().display().to_string();
    let status = Launch::lvmbeat(["status", "-c", &file]).finish(SOON).await;
    assert_eq!(status.code(), Some(3), "{status:?}");
}
