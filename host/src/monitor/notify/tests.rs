//! The channels over HTTP, against a stand-in on the loopback.

mod formats;
mod threads;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::sample::{down, up, wording};
use super::*;
use crate::config::monitor;
use crate::config::{Secret, SecretUrl};
use crate::peer::Secrets;

const TOKEN: &str = "xoxb-hunter2";

/// Answers every request alike, and remembers them.
struct StandIn {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<Taken>>>,
}

#[derive(Debug)]
struct Taken {
    path: String,
    headers: HeaderMap,
    body: Value,
}

impl StandIn {
    async fn start<R: IntoResponse>(
        answer: impl Fn() -> R + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken: Arc<Mutex<Vec<Taken>>> = Arc::default();
        let remembered = Arc::clone(&taken);
        let router = Router::new().fallback(async move |request: Request| {
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            remembered.lock().unwrap().push(Taken {
                path: format!("{} {}", head.method, head.uri),
                headers: head.headers,
                body: serde_json::from_slice(&body).unwrap(),
            });
            answer().into_response()
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, taken }
    }

    fn taken(&self) -> Vec<Taken> {
        std::mem::take(&mut self.taken.lock().unwrap())
    }

    fn slack(&self) -> Slack {
        slack(self.address, Duration::from_secs(20))
    }

    fn webhook(&self, token: Option<&str>) -> Webhook {
        webhook(self.address, token)
    }
}

fn slack(address: SocketAddr, limit: Duration) -> Slack {
    let config = monitor::Slack {
        after: Duration::ZERO,
        token: Secret::new(TOKEN.to_owned()),
        channel: "lvm-alerts".to_owned(),
        mention: "<!here>".to_owned(),
        api: format!("http://{address}/api/").parse().unwrap(),
    };
    let client = http::client(limit).unwrap();
    Slack::new(
        &config,
        &Arc::new(wording()),
        &client,
        &Secrets::new([TOKEN]),
    )
}

fn webhook(address: SocketAddr, token: Option<&str>) -> Webhook {
    let url = format!("http://user:hunter2@{address}/hunter2?key=hunter2");
    let config = monitor::Webhook {
        format: monitor::Format::Json,
        after: Duration::ZERO,
        name: "pager".to_owned(),
        url: SecretUrl::new(url.parse().unwrap()),
        token: token.map(|token| Secret::new(token.to_owned())),
    };
    let client = http::client(Duration::from_secs(20)).unwrap();
    let secrets = Secrets::new([TOKEN]);
    Webhook::new(&config, &Arc::new(wording()), &client, &secrets)
}

fn alert() -> Message {
    vec![down(1, 1)].into()
}

#[track_caller]
fn header<'a>(taken: &'a Taken, name: &str) -> &'a str {
    taken.headers.get(name).unwrap().to_str().unwrap()
}

/// An address that nobody listens at.
async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn x1_slack_that_repeats_the_token_in_any_form_is_not_quoted() {
    let base64 = "xoxb-hunter2 is eG94Yi1odW50ZXIy";
    for repeated in [
        TOKEN,
        "xoxb%2Dhunter2",
        "XOXB-HUNTER2",
        "xoxb\\u002dhunter2",
        base64,
    ] {
        let answer = json!({"ok": false, "error": format!("no_such_token_{repeated}")});
        let server = StandIn::start(move || answer.to_string()).await;
        let error = server.slack().deliver(&alert()).await.unwrap_err().cause;
        assert!(error.starts_with("Slack refuses the message: ("), "{error}");
        assert!(!error.to_lowercase().contains("xoxb"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        assert!(!error.contains("eG94Yi1odW50ZXIy"), "{error}");
    }
    // What else it says helps.
    let server = StandIn::start(|| r#"{"ok": false, "error": "team_access_not_granted"}"#).await;
    let error = server.slack().deliver(&alert()).await.unwrap_err().cause;
    assert_eq!(error, "Slack refuses the message: team_access_not_granted");
}

#[tokio::test]
async fn slack_gets_what_its_api_asks_for() {
    let server = StandIn::start(|| r#"{"ok": true, "ts": "1.2"}"#).await;
    let slack = server.slack();
    assert_eq!(slack.id(), "slack:lvm-alerts");
    assert_eq!(slack.shown(), "Slack #lvm-alerts");
    slack.deliver(&alert()).await.unwrap();
    let taken = server.taken();
    let [taken] = taken.as_slice() else {
        panic!("{taken:?}");
    };
    assert_eq!(taken.path, "POST /api/chat.postMessage");
    assert_eq!(header(taken, "authorization"), format!("Bearer {TOKEN}"));
    assert!(header(taken, "content-type").starts_with("application/json"));
    assert_eq!(taken.body["channel"], "lvm-alerts");
    let text = taken.body["text"].as_str().unwrap();
    assert!(
        text.starts_with("<!here> *LCO internet is down: "),
        "{text}"
    );
}

#[tokio::test]
async fn slack_says_in_words_why_it_refuses() {
    let cases = [
        (
            r#"{"ok": false, "error": "not_in_channel"}"#,
            "Slack refuses the message (not_in_channel): the bot is not in the channel lvm-alerts: invite it there",
        ),
        (
            r#"{"ok": false, "error": "invalid_auth"}"#,
            "Slack refuses the message (invalid_auth): the token is not valid, or no longer: check it",
        ),
        (
            r#"{"ok": false, "error": "channel_not_found"}"#,
            "Slack refuses the message (channel_not_found): there is no channel lvm-alerts, or it is private and the bot is not in it",
        ),
        (
            r#"{"ok": false, "error": "fatal\n error"}"#,
            "Slack refuses the message: fatal error",
        ),
        (
            r#"{"ok": false}"#,
            "Slack refuses the message and does not say why",
        ),
        (
            r#"{"ok": "true"}"#,
            "the answer does not come from Slack: is a proxy in between?",
        ),
        (
            "<html>Log in to the Wi-Fi",
            "the answer does not come from Slack: is a proxy in between?",
        ),
        (
            "",
            "the answer does not come from Slack: is a proxy in between?",
        ),
    ];
    for (body, cause) in cases {
        let server = StandIn::start(move || body).await;
        let error = server.slack().deliver(&alert()).await.unwrap_err();
        assert_eq!(error, DeliveryError::new(cause));
    }
}

#[tokio::test]
async fn slack_and_webhooks_say_when_they_want_to_be_asked_again() {
    let server = StandIn::start(|| (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "30")])).await;
    let error = server.slack().deliver(&alert()).await.unwrap_err();
    assert_eq!(
        error.cause,
        "Slack accepts no message now (429): too many at once"
    );
    assert_eq!(error.retry_after, Some(Duration::from_secs(30)));
    let server = StandIn::start(|| (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "7")])).await;
    let error = server.webhook(None).deliver(&alert()).await.unwrap_err();
    assert_eq!(error.cause, "webhook pager answers 503 Service Unavailable");
    assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn a_webhook_gets_what_is_documented() {
    let server = StandIn::start(|| StatusCode::NO_CONTENT).await;
    let webhook = server.webhook(Some(TOKEN));
    assert_eq!(webhook.id(), "webhook:pager");
    let notices = vec![down(1, 1), up(2, 1)];
    webhook.deliver(&notices.clone().into()).await.unwrap();
    webhook.deliver(&Message::Test).await.unwrap();
    let taken = server.taken();
    let [posted, trial] = taken.as_slice() else {
        panic!("{taken:?}");
    };
    assert_eq!(posted.path, "POST /hunter2?key=hunter2");
    let authorizations: Vec<_> = posted.headers.get_all("authorization").iter().collect();
    assert_eq!(authorizations, [&format!("Bearer {TOKEN}")]);
    assert_eq!(posted.body["kind"], "up");
    assert_eq!(posted.body["subject"], "RESOLVED: LCO internet is up");
    let text = posted.body["text"].as_str().unwrap();
    assert!(text.starts_with("LCO internet was down from "), "{text}");
    assert_eq!(posted.body["notices"], json!(notices));
    assert_eq!(posted.body["notices"][0]["event"]["kind"], "down");
    assert_eq!(trial.body["kind"], "test");
    assert_eq!(trial.body["notices"], json!([]));
    // Without a token it is the user and password of the URL.
    server.webhook(None).deliver(&alert()).await.unwrap();
    let taken = server.taken();
    assert_eq!(header(&taken[0], "authorization"), "Basic dXNlcjpodW50ZXIy");
}

#[tokio::test]
async fn x1_a_token_is_not_carried_elsewhere_by_a_redirect() {
    let other = StandIn::start(|| r#"{"ok": true}"#).await;
    for status in [301, 302, 307, 308] {
        let status = StatusCode::from_u16(status).unwrap();
        let to = format!("http://{}/", other.address);
        let server = StandIn::start(move || (status, [(LOCATION, to.clone())])).await;
        let error = server.slack().deliver(&alert()).await.unwrap_err();
        assert!(error.cause.starts_with("Slack answers 30"), "{error}");
        let webhook = server.webhook(Some(TOKEN));
        let error = webhook.deliver(&alert()).await.unwrap_err();
        assert!(
            error.cause.contains("redirects are not followed"),
            "{error}"
        );
    }
    assert!(other.taken().is_empty());
}

#[tokio::test]
async fn x1_errors_show_neither_token_nor_url() {
    let address = nobody().await;
    let errors = [
        slack(address, Duration::from_secs(20))
            .deliver(&alert())
            .await,
        webhook(address, Some(TOKEN)).deliver(&alert()).await,
    ];
    for error in errors.map(Result::unwrap_err) {
        assert!(error.cause.contains("cannot be reached: "), "{error}");
        assert!(error.cause.contains("refused"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn one_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let slack = slack(listener.local_addr().unwrap(), Duration::from_millis(200));
    let error = slack.deliver(&alert()).await.unwrap_err();
    assert_eq!(error, DeliveryError::new("Slack did not answer in time"));
}

#[tokio::test]
async fn x2_an_answer_without_end_is_not_read_to_its_end() {
    let endless = || {
        let bytes =
            stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 4096])));
        Response::new(Body::from_stream(bytes))
    };
    let server = StandIn::start(endless).await;
    let error = server.slack().deliver(&alert()).await.unwrap_err();
    assert!(error.cause.contains("does not come from Slack"), "{error}");
    server.webhook(None).deliver(&alert()).await.unwrap();
}

#[tokio::test]
async fn x2_headers_without_end_are_not_read_to_their_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let slack = slack(listener.local_addr().unwrap(), Duration::from_secs(20));
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut written = 0;
        stream.write_all(b"HTTP/1.1 200 OK\r\nX: ").await.unwrap();
        while written < 1 << 28 && stream.write_all(&[b'x'; 4096]).await.is_ok() {
            written += 4096;
        }
        written
    };
    let message = alert();
    let (written, result) = tokio::join!(server, slack.deliver(&message));
    assert!(written < 1 << 28, "it reads on");
    let error = result.unwrap_err();
    assert!(
        error.cause.starts_with("Slack cannot be reached: "),
        "{error}"
    );
}

#[tokio::test]
async fn m2_there_is_one_channel_for_each_recipient_and_each_webhook() {
    let email = monitor::Email {
        after: Duration::ZERO,
        recipients: ["Jane <jane@lco.cl>", "john@lco.cl", "JANE@lco.cl"]
            .map(|recipient| recipient.parse().unwrap())
            .to_vec(),
        from: "lvmbeat <lvmbeat@lco.cl>".parse().unwrap(),
        reply_to: None,
        host: "localhost".to_owned(),
        port: 25,
        tls: monitor::EmailTls::None,
        login: None,
        helo: None,
    };
    let limit = Duration::from_secs(20);
    let ids: Vec<_> = email::channels(&email, &Arc::new(wording()), limit, &Secrets::default())
        .unwrap()
        .iter()
        .map(|channel| (channel.id().to_owned(), channel.shown().to_owned()))
        .collect();
    let expected = [
        ("email:jane@lco.cl", "e-mail to j…@lco.cl"),
        ("email:john@lco.cl", "e-mail to j…@lco.cl (2)"),
    ];
    assert_eq!(
        ids,
        expected.map(|(id, shown)| (id.to_owned(), shown.to_owned()))
    );
}

#[tokio::test]
async fn x1_a_check_of_slack_posts_nothing_and_names_a_token_that_is_refused() {
    let slack = StandIn::start(|| r#"{"ok": true, "user": "lvmbeat"}"#).await;
    let let_in = slack.slack().check().await.unwrap().unwrap();
    assert!(let_in.logged_in);
    let taken = slack.taken();
    assert_eq!(taken.len(), 1, "{taken:?}");
    assert_eq!(taken[0].path, "POST /api/auth.test");

    let slack = StandIn::start(|| r#"{"ok": false, "error": "token_revoked"}"#).await;
    let cause = slack.slack().check().await.unwrap_err().cause;
    assert_eq!(
        cause,
        "Slack refuses the token (token_revoked): the token is not valid, or no longer: check it"
    );
    // Of a webhook only a message would tell.
    assert_eq!(slack.webhook(None).check().await, Ok(None));
}
