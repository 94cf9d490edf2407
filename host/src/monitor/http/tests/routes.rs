//! Each route: status, body, and what the loop is asked.

use serde_json::json;

use super::*;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[tokio::test]
async fn a_heartbeat_counts_by_get_and_by_post() {
    let monitored = Monitored::new(&config());
    for method in [Method::GET, Method::POST] {
        let answer = monitored.ask(method, "/heartbeat").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, r#"{"message":"Heartbeat received."}"#);
        assert_eq!(answer.json()["message"], "Heartbeat received.");
        assert_eq!(monitored.asked(), [Asked::Beat(None)]);
    }
    let answer = monitored
        .ask_with(Method::POST, "/heartbeat", &[], "null")
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(monitored.asked(), [Asked::Beat(None)]);
}

#[tokio::test]
async fn a_heartbeat_brings_the_report() {
    let monitored = Monitored::new(&config());
    let body = r#"{"version": "1.2.3", "uptime": 12, "unheard": [1], "heartbeats": [{"name": "overwatcher", "age": 0.5}]}"#;
    let answer = monitored
        .ask_with(Method::POST, "/heartbeat", &[], body)
        .await;
    assert_eq!(answer.body, r#"{"message":"Heartbeat received."}"#);
    let asked = monitored.asked();
    let [Asked::Beat(Some(report))] = &asked[..] else {
        panic!("{asked:?}");
    };
    assert_eq!(report.version, "1.2.3");
    assert_eq!(report.heartbeats[0].age, Some(0.5));
}

#[tokio::test]
async fn x1_a_report_that_repeats_a_token_is_not_shown() {
    let monitored = Monitored::new(&with_tokens());
    let hex: String = ADMIN.bytes().map(|byte| format!("{byte:02x}")).collect();
    let body = json!({
        "version": PING,
        "hold": {"reason": "the%2Dadmin%2Dtoken", "text": "VGhlLWFkbWluLXRva2Vu".to_lowercase(), "fault": true},
        "heartbeats": [{"name": hex}],
        "network": [{"name": ADMIN.to_uppercase()}],
        "emission": {"last_outcome": "dGhlLWFkbWluLXRva2Vu"},
    });
    let password = format!("Bearer {PING}");
    let answer = monitored
        .ask_with(
            Method::POST,
            "/heartbeat",
            &[("authorization", &password)],
            &body.to_string(),
        )
        .await;
    assert_eq!(answer.status, 200);
    let asked = monitored.asked();
    let [Asked::Beat(Some(report))] = &asked[..] else {
        panic!("{asked:?}");
    };
    let hold = report.hold.as_ref().unwrap();
    for text in [
        &report.version,
        &hold.reason,
        &report.heartbeats[0].name,
        &report.network[0].name,
        report.emission.last_outcome.as_ref().unwrap(),
    ] {
        assert!(text.starts_with("(withheld: "), "{text}");
    }
}

#[tokio::test]
async fn x2_a_heartbeat_counts_whatever_is_wrong_with_its_report() {
    let monitored = Monitored::new(&config());
    let long = format!(r#"{{"version": "{}"}}"#, "x".repeat(input::BODY_LIMIT));
    let deep = "[".repeat(60_000);
    for (body, status) in [
        ("garbage", 422),
        ("[]", 422),
        (r#"{"version": 3}"#, 422),
        (r#"{"version": "1"} x"#, 422),
        ("{\"version\": \"\u{0}\"}", 422),
        (&*deep, 422),
        (&*format!(r#"{{"network": {deep}"#), 422),
        (&*long, 413),
    ] {
        let answer = monitored
            .ask_with(Method::POST, "/heartbeat", &[], body)
            .await;
        assert_eq!(answer.status, status, "{answer:?}");
        let detail = answer.detail();
        assert!(
            detail.starts_with("The heartbeat counts, but its report does not. "),
            "{detail}"
        );
        assert!(detail.len() < 500, "{detail}");
        assert_eq!(monitored.asked(), [Asked::Beat(None)]);
    }
}

#[tokio::test]
async fn the_alarm_is_enabled_and_disabled_with_the_bodies_of_the_python_version() {
    let monitored = Monitored::new(&config());
    for method in [Method::GET, Method::POST] {
        let answer = monitored.ask(method.clone(), "/enable").await;
        assert_eq!(answer.body, r#"{"message":"Heartbeat monitor enabled."}"#);
        let answer = monitored.ask(method, "/disable").await;
        assert_eq!(answer.body, r#"{"message":"Heartbeat monitor disabled."}"#);
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
        assert_eq!(monitored.asked(), [Asked::Enable, Asked::Disable(None)]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_timed_disable_says_when_it_ends() {
    let monitored = Monitored::new(&config());
    let expected = json!({
        "message": "Heartbeat monitor disabled until 2024-12-26T18:32:25Z.",
        "until": "2024-12-26T18:32:25Z"
    });
    for (method, path, body) in [
        (Method::GET, "/disable?for=7200", ""),
        (Method::GET, "/disable?for=2h", ""),
        (Method::POST, "/disable?for=120m", ""),
        (Method::POST, "/disable", "for=2h"),
    ] {
        let headers = if body.is_empty() { &[][..] } else { &[FORM] };
        let answer = monitored.ask_with(method, path, headers, body).await;
        assert_eq!(answer.json(), expected, "{path} {body}");
        assert_eq!(
            monitored.asked(),
            [Asked::Disable(Some(Duration::from_secs(7200)))]
        );
    }
    let status = monitored.get("/status").await.json();
    assert_eq!(status["enabled"], false);
    assert_eq!(status["disabled_until"], "2024-12-26T18:32:25Z");
}

#[tokio::test]
async fn x2_a_bad_time_disables_nothing() {
    let monitored = Monitored::new(&config());
    let json = [("content-type", "application/json")];
    let none: [(&str, &str); 0] = [];
    let long = "x".repeat(input::BODY_LIMIT + 1);
    for (method, path, headers, body, status) in [
        (Method::GET, "/disable?for=soon", &none[..], "", 422),
        (Method::GET, "/disable?for=", &none, "", 422),
        (Method::GET, "/disable?for=-1", &none, "", 422),
        (Method::GET, "/disable?for=1&for=2", &none, "", 422),
        // A slip of the pen must not disable for good.
        (Method::GET, "/disable?fro=2h", &none, "", 422),
        (Method::POST, "/disable", &[FORM], "fro=2h", 422),
        (Method::POST, "/disable", &[FORM], "for=", 422),
        (Method::POST, "/disable?for=2h", &[FORM], "for=2h", 422),
        (Method::POST, "/disable", &none, "for=2h", 415),
        (Method::POST, "/disable", &json, "{\"for\": 3600}", 415),
        (Method::POST, "/disable", &[FORM], &long, 413),
    ] {
        let answer = monitored.ask_with(method, path, headers, body).await;
        assert_eq!(answer.status, status, "{path} {answer:?}");
        assert!(!answer.detail().is_empty());
        assert_eq!(monitored.asked(), [], "{path}");
    }
}

#[tokio::test]
async fn people_are_notified_by_hand() {
    let slack = Arc::new(Fake::new(Kind::Slack, "Slack"));
    let monitored = Monitored::with(&config(), vec![slack]);
    for method in [Method::GET, Method::POST] {
        for (path, notified, asked) in [
            ("/notify/up", true, Asked::NotifyUp(false)),
            ("/notify/up?force=true", true, Asked::NotifyUp(true)),
            ("/notify/down", false, Asked::NotifyDown(false)),
            ("/notify/down?force=1", true, Asked::NotifyDown(true)),
            ("/notify/down?force=False", false, Asked::NotifyDown(false)),
        ] {
            let answer = monitored.ask(method.clone(), path).await;
            assert_eq!(answer.status, 200, "{path}");
            let body = answer.json();
            let message = body["message"].as_str().unwrap().to_owned();
            assert_eq!(message.ends_with("is on its way."), notified, "{message}");
            // As the Python version answers.
            assert_eq!(body["enabled"], true);
            assert_eq!(body["active"], true);
            assert_eq!(monitored.asked(), [asked]);
        }
    }
    for path in [
        "/notify/sideways",
        "/notify/UP",
        "/notify/%ff",
        "/notify/up?force=maybe",
        "/notify/up?force=",
    ] {
        let answer = monitored.get(path).await;
        assert_eq!(answer.status, 422, "{path}");
        assert!(!answer.detail().is_empty());
        assert_eq!(monitored.asked(), []);
    }
    let answer = Monitored::new(&config()).get("/notify/up").await;
    assert_eq!(answer.status, 400);
    assert!(answer.detail().starts_with("No recipients defined"));
}

#[tokio::test]
async fn a_test_goes_to_the_channels_of_its_kind() {
    let email = Arc::new(Fake::new(Kind::Email, "e-mail"));
    let slack = Arc::new(Fake::new(Kind::Slack, "Slack"));
    let webhook = Arc::new(Fake::new(Kind::Webhook, "webhook"));
    let all = [&email, &slack, &webhook];
    let monitored = Monitored::with(&config(), all.map(Arc::clone).to_vec());
    for method in [Method::GET, Method::POST] {
        for (path, message, to) in [
            ("/email-test", "Email sent.", &email),
            ("/test/email", "Email sent.", &email),
            ("/test/slack", "Slack notification sent.", &slack),
            ("/test/webhook", "Webhook notification sent.", &webhook),
        ] {
            let answer = monitored.ask(method.clone(), path).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.body, format!(r#"{{"message":"{message}"}}"#));
            assert_eq!(*to.given.lock().unwrap(), [Message::Test]);
            to.given.lock().unwrap().clear();
            assert!(all.iter().all(|channel| channel.given() == 0));
        }
    }
}

#[tokio::test]
async fn a_test_without_its_channel_is_400() {
    let monitored = Monitored::new(&config());
    for (path, detail) in [
        ("/email-test", "No recipients defined."),
        ("/test/email", "No recipients defined."),
        ("/test/slack", "No Slack token defined."),
        ("/test/webhook", "No webhooks defined."),
    ] {
        let answer = monitored.get(path).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.body, format!(r#"{{"detail":"{detail}"}}"#));
    }
}

#[tokio::test(start_paused = true)]
async fn a_test_that_fails_says_why() {
    let broken = Arc::new(Fake::new(Kind::Email, "e-mail to a…@x"));
    broken.works.store(false, Ordering::Relaxed);
    let works = Arc::new(Fake::new(Kind::Email, "e-mail to b…@x"));
    let hangs = Arc::new(Fake {
        hold: Some(Notify::new()),
        ..Fake::new(Kind::Slack, "Slack")
    });
    let monitored = Monitored::with(&config(), vec![broken, works.clone(), hangs]);
    let answer = monitored.get("/test/email").await;
    assert_eq!(answer.status, 502);
    assert_eq!(answer.detail(), "1 of 2 were sent. e-mail to a…@x: 550 no");
    assert_eq!(works.given(), 1);
    let answer = monitored.get("/test/slack").await;
    assert_eq!(answer.status, 502);
    assert_eq!(answer.detail(), "Slack: no answer within 30 s");
}

#[tokio::test]
async fn one_test_of_a_channel_at_a_time() {
    let slow = Arc::new(Fake {
        hold: Some(Notify::new()),
        ..Fake::new(Kind::Email, "e-mail")
    });
    let slack = Arc::new(Fake::new(Kind::Slack, "Slack"));
    let monitored = Arc::new(Monitored::with(&config(), vec![slow.clone(), slack]));
    let first = tokio::spawn({
        let monitored = monitored.clone();
        async move { monitored.get("/test/email").await }
    });
    slow.begun.notified().await;
    let answer = monitored.get("/email-test").await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.headers[header::RETRY_AFTER], "30");
    assert_eq!(slow.given(), 1);
    // Neither another channel nor a beat has to wait.
    assert_eq!(monitored.get("/test/slack").await.status, 200);
    assert_eq!(monitored.get("/heartbeat").await.status, 200);
    slow.hold.as_ref().unwrap().notify_one();
    assert_eq!(first.await.unwrap().status, 200);
    slow.hold.as_ref().unwrap().notify_one();
    assert_eq!(monitored.get("/test/email").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn the_status_keeps_its_three_keys_and_adds_what_is_known() {
    let monitored = Monitored::new(&config());
    tokio::time::advance(Duration::from_secs(30)).await;
    monitored
        .show
        .send_replace(Arc::new(view(&*monitored.clock)));
    let answer = monitored.get("/status").await;
    assert!(
        answer
            .body
            .starts_with(r#"{"enabled":true,"active":true,"last_seen":"2024-12-26T16:32:25Z","#),
        "{}",
        answer.body
    );
    let mut status = answer.json();
    assert_eq!(status["last_report"]["report"]["version"], "1.2.3");
    assert_eq!(status["last_report"]["age"], 30.0);
    status["last_report"].take();
    let down = json!({
        "kind": "down", "last_seen": "2024-12-26T16:32:25.123456Z", "observed": 301.5, "by_hand": false,
        "last_hold": null, "dome": null, "dome_unknown_since": null, "heard_again": null, "relapses": 0,
        "stopped": null, "dome_open": true, "engineering_mode": null
    });
    assert_eq!(
        status,
        json!({
            "enabled": true,
            "active": true,
            "last_seen": "2024-12-26T16:32:25Z",
            "state": "down",
            "heard_again": null,
            "incidents": [],
            "quiet_until": null,
            "since": "2024-12-26T16:32:25Z",
            "observed_silence": 301.5,
            "alert_after": 300.0,
            "disabled_until": null,
            "alerts": true,
            "last_report": null,
            "channels": [{
                "name": "e-mail to a…@example.org", "kind": "email", "pending": [7], "delivering": false, "failures": 3,
                "last_error": "connection refused", "last_delivered": null, "retry_in": 8.0
            }],
            "outbox": 1,
            "notices": [{
                "id": 7, "incident": "00000000-0000-0000-0000-000000000000", "raised": "2024-12-26T16:32:25Z", "event": down,
                "delivered": ["Slack"], "pending": ["e-mail to a…@example.org"]
            }],
            "state_file": {"path": "/state/monitor.json", "saved": null, "failure": null, "set_aside": null},
            "own_beat": {
                "service": "hc.example", "last_taken": "2024-12-26T16:32:25Z", "failures": 2,
                "failure": "it answers 200 OK, but says that it was not accepted: OK (not found)"
            },
            "started": "2024-12-26T16:32:25Z",
            "counters": {"heartbeats": 12, "delivered": 0, "failed": 0, "lapses": 0},
            "version": VERSION,
        })
    );
}

#[tokio::test]
async fn the_status_of_a_monitor_that_never_heard_anything_is_that_of_the_python_version() {
    let monitored = Monitored::new(&config());
    let mut view = view(&*monitored.clock);
    view.last_seen = None;
    view.alarm.state = State::Waiting;
    monitored.show.send_replace(Arc::new(view));
    let answer = monitored.get("/status").await;
    assert!(
        answer
            .body
            .starts_with(r#"{"enabled":true,"active":false,"last_seen":null,"state":"waiting","#),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn the_version_is_shown() {
    let answer = Monitored::new(&config()).get("/version").await;
    assert_eq!(answer.body, format!(r#"{{"version":"{VERSION}"}}"#));
}

#[tokio::test(start_paused = true)]
async fn health_follows_the_watch_loop() {
    let monitored = Monitored::new(&config());
    for path in ["/healthz", "/readyz"] {
        let answer = monitored.get(path).await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "ok\n"));
    }
    tokio::time::advance(Duration::from_secs(5)).await;
    for path in ["/healthz", "/readyz"] {
        let answer = monitored.get(path).await;
        assert_eq!(answer.status, 503);
        assert_eq!(answer.body, "the watch loop is not running\n");
    }
    monitored
        .show
        .send_replace(Arc::new(view(&*monitored.clock)));
    assert_eq!(monitored.get("/healthz").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn what_needs_a_loop_that_hangs_is_503() {
    let (monitored, _taken) =
        Monitored::hanging(&config(), vec![Arc::new(Fake::new(Kind::Slack, "Slack"))]);
    for path in [
        "/heartbeat",
        "/enable",
        "/disable",
        "/notify/up",
        "/notify/down",
    ] {
        for method in [Method::GET, Method::POST] {
            let answer = monitored.ask(method, path).await;
            assert_eq!(answer.status, 503, "{path}");
            assert!(answer.headers.contains_key(header::RETRY_AFTER));
            assert!(answer.detail().contains("does not answer"));
        }
    }
    assert_eq!(monitored.get("/status").await.status, 200);
}

#[tokio::test]
async fn what_the_alerts_and_the_dashboard_ask_for_is_served() {
    let answer = Monitored::new(&config()).get("/metrics").await;
    crate::probes::asked::all_are_in(&answer.body, true);
}

#[tokio::test]
async fn metrics_tell_the_state_and_what_is_pending() {
    let monitored = Monitored::new(&config());
    let answer = monitored.get("/metrics").await;
    assert_eq!(
        answer.headers[header::CONTENT_TYPE],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    for line in [
        "lvmbeat_monitor_state{state=\"down\"} 1",
        "lvmbeat_monitor_state{state=\"up\"} 0",
        "lvmbeat_monitor_enabled 1",
        "lvmbeat_monitor_observed_silence_seconds 301.5",
        "lvmbeat_monitor_alert_after_seconds 300.0",
        "lvmbeat_monitor_channel_pending{channel=\"e-mail to a…@example.org\",kind=\"email\"} 1",
        "lvmbeat_monitor_channel_failures_in_row{channel=\"e-mail to a…@example.org\",kind=\"email\"} 3",
        "lvmbeat_monitor_heartbeats_total 12",
        "lvmbeat_monitor_state_file_failing 0",
        "lvmbeat_monitor_own_beat_failures_in_row 2",
        "# TYPE lvmbeat_monitor_own_beat_timestamp_seconds gauge",
        "# TYPE lvmbeat_monitor_heartbeats_total counter",
        concat!(
            "lvmbeat_monitor_build_info{version=\"",
            env!("CARGO_PKG_VERSION"),
            "\"} 1"
        ),
        "# TYPE process_start_time_seconds gauge",
    ] {
        assert!(
            answer.body.lines().any(|shown| shown == line),
            "no line {line} in\n{}",
            answer.body
        );
    }
}

#[tokio::test]
async fn an_unknown_path_is_answered_as_json() {
    let monitored = Monitored::new(&with_tokens());
    for path in [
        "/nope",
        "//status",
        "/STATUS",
        "/notify",
        "/notify/up/x",
        "/%ff",
    ] {
        let answer = monitored.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.detail().is_empty());
    }
    for (method, path, allow) in [
        (Method::DELETE, "/disable", "GET,HEAD,POST"),
        (Method::OPTIONS, "/heartbeat", "GET,HEAD,POST"),
        (Method::POST, "/status", "GET,HEAD"),
        (Method::PUT, "/healthz", "GET,HEAD"),
    ] {
        let answer = monitored.ask(method.clone(), path).await;
        assert_eq!(answer.status, 405, "{method} {path}");
        assert_eq!(answer.headers[header::ALLOW], allow, "{method} {path}");
        assert!(!answer.detail().is_empty());
    }
}

/// What FastAPI's router answered to the Python version's callers, tried beside that version 0.3.0.
/// (It answered 307 to a slash at the end, which httpx and curl do not follow by themselves.)
#[tokio::test]
async fn what_the_python_version_forgave_is_forgiven() {
    let webhook = Arc::new(Fake::new(Kind::Webhook, "webhook"));
    let monitored = Monitored::with(&config(), vec![webhook]);
    for (path, asked) in [
        ("/heartbeat/", Asked::Beat(None)),
        ("/heartbeat//", Asked::Beat(None)),
        ("/heartbeat%2F", Asked::Beat(None)),
        ("/hear%74beat", Asked::Beat(None)),
        ("/heartbeat?x=1&x=2", Asked::Beat(None)),
        ("/heartbeat/?x", Asked::Beat(None)),
        ("/enable/", Asked::Enable),
        ("/enable?x=1", Asked::Enable),
        ("/disable/", Asked::Disable(None)),
        ("/notify/up/?force=1", Asked::NotifyUp(true)),
        ("/notify/%75p?force=on", Asked::NotifyUp(true)),
        ("/notify/down?force=y", Asked::NotifyDown(true)),
        ("/notify/down?force=TRUE", Asked::NotifyDown(true)),
        ("/notify/down?force=false&force=t", Asked::NotifyDown(true)),
        (
            "/notify/down?force=true&force=false",
            Asked::NotifyDown(false),
        ),
        ("/notify/down?forced=1", Asked::NotifyDown(false)),
        ("/notify/down?a=1;force=true", Asked::NotifyDown(false)),
    ] {
        let answer = monitored.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(monitored.asked(), [asked], "{path}");
    }
    for path in [
        "/status/",
        "/version/",
        "/docs/",
        "/openapi.json/",
        "/healthz/",
        "/metrics/",
        "/page.css/",
    ] {
        assert_eq!(monitored.get(path).await.status, 200, "{path}");
    }
    // A body that nobody asks for, and a type that nobody has.
    let headers = [
        ("content-type", "application/json"),
        ("accept", "image/png"),
    ];
    let answer = monitored
        .ask_with(Method::GET, "/heartbeat", &headers, "{bad")
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(monitored.asked(), [Asked::Beat(None)]);
    for path in ["/HEARTBEAT", "//heartbeat", "/heartbeat;x"] {
        assert_eq!(monitored.get(path).await.status, 404, "{path}");
    }
    for path in [
        "/notify/up%20",
        "/notify/up?force",
        "/notify/up?force=2",
        "/notify/up?force=+true",
    ] {
        assert_eq!(monitored.get(path).await.status, 422, "{path}");
    }
    for method in [Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let answer = monitored.ask(method.clone(), "/heartbeat/").await;
        assert_eq!(answer.status, 405, "{method}");
    }
    assert_eq!(monitored.asked(), []);
}

#[tokio::test]
async fn head_reads_and_changes_nothing() {
    let email = Arc::new(Fake::new(Kind::Email, "e-mail"));
    let monitored = Monitored::with(&config(), vec![email.clone()]);
    let document = monitored.document().await;
    for (method, path, operation) in operations(&document) {
        if method != Method::GET {
            continue;
        }
        let answer = monitored.ask(Method::HEAD, &path).await;
        if operation["tags"][0] == "read" {
            assert_eq!(answer.status, 200, "{path}");
        } else {
            assert_eq!(answer.status, 405, "{path}");
            assert_eq!(answer.headers[header::ALLOW], "GET,POST");
        }
        assert_eq!(monitored.asked(), [], "{path}");
    }
    assert_eq!(email.given(), 0);
}
