//! What the real monitor notifies people of, beside that the observatory is silent: that the dome
//! is about to close, that the actor was stopped, and once of a link that comes and goes; and that
//! a person can acknowledge it.

#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::time::Duration;

use lvmbeat_tests::hook::Hook;
use lvmbeat_tests::monitor::Monitor;
use lvmbeat_tests::{eventually, http};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);

/// Reports so.
async fn report(monitor: &Monitor, report: Value) {
    let body = report.to_string();
    let headers = [("Content-Type", "application/json")];
    let answer = http::ask(monitor.address(), "POST", "/heartbeat", &headers, &body).await;
    assert_eq!(answer.unwrap().status, 200);
}

/// An overwatcher that is silent, or not, and a dome.
async fn reports(monitor: &Monitor, health: &str, dome: &str) {
    let is_ok = health == "ok";
    let heartbeat = json!({"name": "overwatcher", "critical": true, "current": is_ok, "age": 31.0});
    let content = json!({
        "uptime": 5000.0,
        "heartbeats": [heartbeat],
        "health": {"state": health, "seconds": 0.0},
        "enclosure": {"dome": dome, "dome_age": 0.0, "facts_expire": 90.0},
    });
    report(monitor, content).await;
}

async fn told(hook: &Hook, kinds: &[&str]) {
    eventually(SOON, async || {
        let told = hook.notified();
        if told == kinds { Ok(()) } else { Err(told) }
    })
    .await;
}

/// One that hears of a withheld heartbeat after a second, and of no silence.
fn monitor(hook: &Hook) -> Monitor {
    Monitor::new(&[hook])
        .set("outside_monitor.send_email_after", 300)
        .set("monitor.held_after", 1)
}

#[tokio::test]
async fn m2_m4_people_are_told_that_the_dome_is_about_to_close_once_across_a_crash() {
    let hook = Hook::start().await;
    let mut monitor = monitor(&hook);
    monitor.start().await;
    reports(&monitor, "ok", "open").await;
    reports(&monitor, "held", "open").await;
    told(&hook, &["held"]).await;
    let status = monitor.status().await;
    let event = &status["notices"][0]["event"];
    assert_eq!(event["dome"], "open");
    assert_eq!(event["causes"][0]["what"], "overwatcher");
    // The silence alarm is none of this.
    assert_eq!(status["active"], false);
    monitor.has_recorded(1).await;
    monitor.restart().await;
    reports(&monitor, "closing", "moving").await;
    reports(&monitor, "closed_by_watchdog", "closed").await;
    told(&hook, &["held", "released"]).await;
    let status = monitor.status().await;
    let (over, begun) = (&status["notices"][0], &status["notices"][1]);
    assert_eq!(over["incident"], begun["incident"]);
    let moves = over["event"]["moves"].as_array().unwrap();
    let moves: Vec<&Value> = moves.iter().map(|moved| &moved["dome"]).collect();
    assert_eq!(moves, ["open", "moving", "closed"]);
}

#[tokio::test]
async fn a_dome_that_is_closed_is_nothing_to_be_told() {
    let hook = Hook::start().await;
    let mut monitor = monitor(&hook);
    monitor.start().await;
    reports(&monitor, "held", "closed").await;
    // What comes later is told, and this was not.
    let later = async {
        monitor.get("/notify/down").await;
        told(&hook, &["down"]).await;
    };
    eventually(SOON, async || {
        let status = monitor.status().await;
        let observed = status["observed_silence"].as_f64().unwrap();
        if observed > 3.0 { Ok(()) } else { Err(status) }
    })
    .await;
    later.await;
}

#[tokio::test]
async fn m1_an_actor_that_was_stopped_and_does_not_come_back_is_told_as_that() {
    let hook = Hook::start().await;
    let mut monitor = Monitor::new(&[&hook]);
    monitor.start().await;
    report(
        &monitor,
        json!({"stopping": {"text": "stopped by SIGTERM"}}),
    )
    .await;
    told(&hook, &["down"]).await;
    let status = monitor.status().await;
    let notice = &status["notices"][0]["event"];
    assert_eq!(notice["stopped"], "stopped by SIGTERM");
    monitor.beat().await;
    told(&hook, &["down", "up"]).await;
}

#[tokio::test]
async fn a_link_that_comes_and_goes_is_one_incident() {
    let hook = Hook::start().await;
    let mut monitor = Monitor::new(&[&hook]).set("monitor.clear_after", 3);
    monitor.start().await;
    for _ in 0..3 {
        monitor.beat().await;
        monitor.is("up").await;
        monitor.is("down").await;
    }
    assert_eq!(hook.notified(), ["down"]);
    eventually(SOON, async || {
        monitor.beat().await;
        let told = hook.notified();
        if told == ["down", "up"] {
            Ok(())
        } else {
            Err(told)
        }
    })
    .await;
    let status = monitor.status().await;
    assert_eq!(status["notices"][0]["event"]["relapses"], 2);
}

#[tokio::test]
async fn x1_the_link_of_a_message_acknowledges_by_its_post_only() {
    let hook = Hook::start().await;
    let mut monitor = Monitor::new(&[&hook])
        .set("outside_monitor.send_email_after", 1)
        .set("monitor.remind_every", 1)
        .set("monitor.page_url", "https://monitor.example/beat/")
        .env("LVMBEAT_ADMIN_TOKEN", "hunter2");
    monitor.start().await;
    told_begins(&hook).await;
    let link = hook.links().pop().unwrap();
    let path = link.strip_prefix("https://monitor.example").unwrap();
    let page = http::get(monitor.address(), path).await.unwrap();
    assert!(
        page.0 == 200 && page.1.contains("<form method=\"post\">"),
        "{page:?}"
    );
    let open = |status: &Value| status["incidents"][0]["acknowledged"].is_null();
    assert!(open(&monitor.status().await));
    let answer = http::ask(monitor.address(), "POST", path, &[], "")
        .await
        .unwrap();
    assert!(answer.body.contains("<h1>Acknowledged</h1>"), "{answer:?}");
    let status = monitor.status().await;
    assert!(!open(&status), "{status}");
    let secret = path.rsplit('/').next().unwrap();
    assert!(!status.to_string().contains(secret));
    // It is spent.
    let again = http::ask(monitor.address(), "POST", path, &[], "")
        .await
        .unwrap();
    assert_eq!(again.status, 404);
    let reminders = status["notices"].as_array().unwrap().len();
    eventually(SOON, async || {
        let status = monitor.status().await;
        let now = status["observed_silence"].as_f64().unwrap();
        if now > 8.0 { Ok(()) } else { Err(status) }
    })
    .await;
    let after = monitor.status().await;
    assert_eq!(
        after["notices"].as_array().unwrap().len(),
        reminders,
        "{after}"
    );
}

async fn told_begins(hook: &Hook) {
    eventually(SOON, async || {
        let told = hook.notified();
        if told.is_empty() { Err(told) } else { Ok(()) }
    })
    .await;
}
