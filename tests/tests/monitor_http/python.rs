//! What the Python version's callers got from its release 0.3.0, each route asked on a real one.
//! Ours may say more.

use lvmbeat_tests::hook::Hook;
use lvmbeat_tests::http;
use lvmbeat_tests::monitor::Monitor;
use serde_json::{Value, json};

/// Asked in this order: path, status, body. A null stands for what differs from run to run, or is
/// in other words.
fn answers() -> Vec<(&'static str, u16, Value)> {
    let unchanged = "State has not changed. No notification sent.";
    let sent = "Notification that the observatory is down is on its way.";
    vec![
        ("/heartbeat", 200, json!({"message": "Heartbeat received."})),
        (
            "/status",
            200,
            json!({"enabled": true, "active": false, "last_seen": null}),
        ),
        (
            "/notify/up",
            200,
            json!({"enabled": true, "active": false, "message": unchanged}),
        ),
        // It sent the messages, and then failed with 500 at its state file.
        (
            "/notify/down",
            200,
            json!({"enabled": true, "active": true, "message": sent}),
        ),
        (
            "/status",
            200,
            json!({"enabled": true, "active": true, "last_seen": null}),
        ),
        (
            "/notify/down",
            200,
            json!({"enabled": true, "active": true, "message": unchanged}),
        ),
        (
            "/disable",
            200,
            json!({"message": "Heartbeat monitor disabled."}),
        ),
        (
            "/status",
            200,
            json!({"enabled": false, "active": true, "last_seen": null}),
        ),
        (
            "/notify/down",
            200,
            json!({"enabled": false, "active": true, "message": unchanged}),
        ),
        (
            "/enable",
            200,
            json!({"message": "Heartbeat monitor enabled."}),
        ),
        ("/version", 200, json!({"version": null})),
        ("/notify/sideways", 422, json!({"detail": null})),
        ("/notify/up?force=maybe", 422, json!({"detail": null})),
        ("/nothing", 404, json!({"detail": null})),
    ]
}

#[tokio::test]
async fn m2_each_route_answers_what_the_python_monitor_answers() {
    let hook = Hook::start().await;
    let mut monitor = Monitor::new(&[&hook]).set("outside_monitor.send_email_after", 3600);
    monitor.start().await;
    for (path, status, expected) in answers() {
        let (answered, body) = http::get(monitor.address(), path).await.unwrap();
        assert_eq!(answered, status, "{path}: {body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        for (field, value) in expected.as_object().unwrap() {
            let given = &body[field];
            if value.is_null() {
                assert!(!given.is_null(), "{path}: no {field} in {body}");
            } else {
                assert_eq!(given, value, "{path}: {field} in {body}");
            }
        }
    }
    // Having nobody to notify is no fault until somebody would have to be.
    let mut deaf = Monitor::new(&[]).set("outside_monitor.send_email_after", 3600);
    deaf.start().await;
    for (path, status) in [
        ("/notify/up", 200),
        ("/notify/up?force=1", 400),
        ("/notify/down", 400),
    ] {
        let (answered, body) = http::get(deaf.address(), path).await.unwrap();
        assert_eq!(answered, status, "{path}: {body}");
    }
}
