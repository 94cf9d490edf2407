//! The formats of services that ring a phone, against stand-ins that take what is documented.

use super::super::sample::trouble;
use super::*;
use crate::config::monitor::Format;
use crate::monitor::notice::{Event, Notice};
use crate::peer::Secrets;

const LINK: &str = "https://monitor.example/acknowledge/1/secret";

fn held(id: u64) -> Notice {
    Notice {
        event: Event::Held(Box::new(trouble())),
        ..down(id, 7)
    }
}

fn released(id: u64) -> Notice {
    Notice {
        event: Event::Released(Box::new(trouble())),
        ..down(id, 7)
    }
}

fn message(notices: Vec<Notice>) -> Message {
    Message::Notices(Sending {
        notices,
        acknowledge: Some(LINK.parse().unwrap()),
        ..Sending::default()
    })
}

fn service(server: &StandIn, format: Format, path: &str) -> Webhook {
    let config = monitor::Webhook {
        after: Duration::ZERO,
        name: "phone".to_owned(),
        url: SecretUrl::new(format!("http://{}{path}", server.address).parse().unwrap()),
        token: Some(Secret::new(TOKEN.to_owned())),
        format,
    };
    let client = http::client(Duration::from_secs(20)).unwrap();
    let secrets = Secrets::new([TOKEN]);
    Webhook::new(&config, &Arc::new(wording()), &client, &secrets)
}

const SUBJECT: &str = "LVM dome heartbeat held: overwatcher silent 31 s — dome OPEN";

#[tokio::test]
async fn pager_duty_gets_one_alert_for_each_incident_and_its_end() {
    let answer = r#"{"status": "success", "message": "Event processed", "dedup_key": "1"}"#;
    let server = StandIn::start(move || (StatusCode::ACCEPTED, answer)).await;
    let phone = service(&server, Format::PagerDuty, "/v2/enqueue");
    phone.deliver(&message(vec![held(1)])).await.unwrap();
    phone
        .deliver(&message(vec![released(2), down(3, 8)]))
        .await
        .unwrap();
    let taken = server.taken();
    let [trigger, resolve, other] = taken.as_slice() else {
        panic!("{taken:?}");
    };
    for post in &taken {
        assert_eq!(post.path, "POST /v2/enqueue");
        assert_eq!(post.body["routing_key"], TOKEN);
        assert!(post.headers.get("authorization").is_none());
    }
    assert_eq!(trigger.body["event_action"], "trigger");
    assert_eq!(trigger.body["dedup_key"], held(1).incident.to_string());
    let payload = &trigger.body["payload"];
    assert_eq!(payload["summary"], SUBJECT);
    assert_eq!(payload["severity"], "critical");
    assert!(payload["source"].is_string() && payload["timestamp"].is_string());
    assert_eq!(trigger.body["links"][1]["href"], LINK);
    assert_eq!(resolve.body["event_action"], "resolve");
    assert_eq!(resolve.body["dedup_key"], trigger.body["dedup_key"]);
    assert_eq!(other.body["event_action"], "trigger");
    assert_ne!(other.body["dedup_key"], trigger.body["dedup_key"]);
}

#[tokio::test]
async fn opsgenie_gets_an_alert_and_its_close() {
    let answer = r#"{"result": "Request will be processed", "took": 0.1, "requestId": "1"}"#;
    let server = StandIn::start(move || (StatusCode::ACCEPTED, answer)).await;
    let phone = service(&server, Format::Opsgenie, "/v2/alerts");
    phone.deliver(&message(vec![held(1)])).await.unwrap();
    phone.deliver(&message(vec![released(2)])).await.unwrap();
    let taken = server.taken();
    let [create, close] = taken.as_slice() else {
        panic!("{taken:?}");
    };
    for post in &taken {
        assert_eq!(header(post, "authorization"), format!("GenieKey {TOKEN}"));
    }
    let alias = held(1).incident.to_string();
    assert_eq!(create.path, "POST /v2/alerts");
    assert_eq!(create.body["message"], SUBJECT);
    assert_eq!(create.body["alias"], *alias);
    assert_eq!(create.body["priority"], "P1");
    let path = format!("POST /v2/alerts/{alias}/close?identifierType=alias");
    assert_eq!(close.path, path);
    assert!(close.body["note"].is_string());
}

#[tokio::test]
async fn ntfy_gets_the_topic_in_the_body_and_a_priority_that_rings() {
    let server = StandIn::start(|| r#"{"id": "x", "event": "message"}"#).await;
    let phone = service(&server, Format::Ntfy, "/lvm-dome");
    phone.deliver(&message(vec![held(1)])).await.unwrap();
    phone.deliver(&message(vec![released(2)])).await.unwrap();
    let taken = server.taken();
    assert_eq!(taken[0].path, "POST /");
    assert_eq!(
        header(&taken[0], "authorization"),
        format!("Bearer {TOKEN}")
    );
    let body = &taken[0].body;
    assert_eq!(
        (&body["topic"], &body["title"]),
        (&json!("lvm-dome"), &json!(SUBJECT))
    );
    assert_eq!(body["priority"], 5);
    assert_eq!(
        body["actions"][1],
        json!({"action": "view", "label": "Acknowledge", "url": LINK})
    );
    assert!(body["message"].as_str().unwrap().len() <= 4096);
    assert_eq!(taken[1].body["priority"], 3);
}

#[tokio::test]
async fn discord_calls_people_and_nothing_from_elsewhere_does() {
    let server = StandIn::start(|| StatusCode::NO_CONTENT).await;
    let phone = service(&server, Format::Discord, "/api/webhooks/1/x");
    let mut trouble = trouble();
    trouble.causes[0].text = "@everyone silent".to_owned();
    let loud = Notice {
        event: Event::Held(Box::new(trouble)),
        ..down(1, 7)
    };
    phone.deliver(&message(vec![loud])).await.unwrap();
    phone.deliver(&message(vec![released(2)])).await.unwrap();
    let taken = server.taken();
    assert_eq!(taken[0].path, "POST /api/webhooks/1/x");
    let content = taken[0].body["content"].as_str().unwrap();
    assert!(
        content.starts_with("@here **LVM dome heartbeat held"),
        "{content}"
    );
    assert!(
        !content.contains("@everyone") && content.chars().count() <= 2000,
        "{content}"
    );
    let over = taken[1].body["content"].as_str().unwrap();
    assert!(over.starts_with("**RESOLVED: LVM"), "{over}");
}

#[tokio::test]
async fn m2_what_a_service_refuses_is_not_delivered() {
    let server = StandIn::start(|| StatusCode::BAD_REQUEST).await;
    for format in [
        Format::PagerDuty,
        Format::Opsgenie,
        Format::Ntfy,
        Format::Discord,
    ] {
        let phone = service(&server, format, "/x");
        let error = phone.deliver(&message(vec![held(1)])).await.unwrap_err();
        assert_eq!(error.cause, "webhook phone answers 400 Bad Request");
        phone.deliver(&Message::Test).await.unwrap_err();
    }
}
