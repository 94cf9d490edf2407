use axum::body::{Body, to_bytes};
use axum::http::header::AUTHORIZATION;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::*;
use crate::actor::snapshot::tests::snapshot;
use crate::actor::{SessionState, Snapshot};
use crate::clock::RuntimeClock;

const CONFIG: &str = "
actor: {http: '127.0.0.1:8081', log_dir: null}
network: {hosts: {}}
heartbeats: [{name: a}, {name: b}, {name: c}]
";

fn clock() -> Arc<dyn Clock> {
    Arc::new(RuntimeClock::new(jiff::Timestamp::UNIX_EPOCH))
}

struct Site {
    router: Router,
    posts: Posts,
    show: watch::Sender<Option<Snapshot>>,
}

impl Site {
    fn new() -> Self {
        let mut config = Config::parse("", CONFIG, &|_| None).unwrap();
        for (heartbeat, token) in config.heartbeats.iter_mut().zip(["token-a", "token-b"]) {
            heartbeat.http_token = Some(Secret::new(token.to_owned()));
        }
        let (poster, posts) = channel();
        let (show, shown) = watch::channel(None);
        Self {
            router: router(&config, poster, shown, clock()),
            posts,
            show,
        }
    }

    /// A request that gets to the loop, and what the loop makes of it.
    async fn decided(&mut self, body: &str, outcome: Outcome) -> (StatusCode, Value) {
        let answered = async {
            let posted = self.posts.next().await.unwrap();
            posted.answer(outcome);
        };
        let asked = ask(
            &self.router,
            "/set/a",
            Some("Bearer token-a"),
            body.to_owned(),
        );
        tokio::join!(asked, answered).0
    }

    /// One that does not.
    async fn refused(&mut self, path: &str, token: Option<&str>, body: Body) -> StatusCode {
        let (status, said) = ask(&self.router, path, token, body).await;
        assert!(said["error"].is_string(), "{said}");
        assert!(!said.to_string().contains("token-"), "X1: {said}");
        assert!(self.posts.0.try_recv().is_err(), "nothing was posted");
        status
    }
}

async fn ask(
    router: &Router,
    path: &str,
    token: Option<&str>,
    body: impl Into<Body>,
) -> (StatusCode, Value) {
    let mut request = Request::post(path);
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, token);
    }
    let request = request.body(body.into()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn x1_without_its_own_token_nobody_sets_a_heartbeat() {
    let mut site = Site::new();
    let basic = "Basic YTp0b2tlbi1h";
    for token in [
        None,
        Some("Bearer token-b"),
        Some("Bearer "),
        Some("token-a"),
        Some(basic),
    ] {
        let status = site.refused("/set/a", token, Body::empty()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{token:?}");
    }
    for path in ["/set/c", "/set/nobody", "/set/%20"] {
        let status = site
            .refused(path, Some("Bearer token-a"), Body::empty())
            .await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn x1_whoever_guesses_tokens_has_to_wait_and_keeps_no_beat_out() {
    let mut site = Site::new();
    let guess = Some("Bearer guess");
    for _ in 0..20 {
        // Who sends none does not guess.
        let status = site.refused("/set/a", None, Body::empty()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    for _ in 0..10 {
        let status = site.refused("/set/a", guess, Body::empty()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    for path in ["/set/a", "/set/b"] {
        let status = site.refused(path, guess, Body::empty()).await;
        assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{path}");
    }
    let (status, _) = site.decided("", Outcome::Counted(Keywords::new())).await;
    assert_eq!(status, StatusCode::OK);
    tokio::time::advance(Duration::from_secs(10)).await;
    let status = site.refused("/set/a", guess, Body::empty()).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn x1_without_a_token_in_the_configuration_there_is_no_such_route() {
    let config = Config::parse("", CONFIG, &|_| None).unwrap();
    let (poster, mut posts) = channel();
    let router = router(&config, poster, watch::channel(None).1, clock());
    let (status, _) = ask(&router, "/set/a", Some("Bearer "), "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(posts.next().await.is_none(), "nobody can post");
}

#[tokio::test]
async fn x2_any_body_is_answered() {
    let mut site = Site::new();
    let long = format!("{{\"seen\": \"{}\"}}", "x".repeat(LONGEST_BODY));
    let program = format!("{{\"program\": \"{}\"}}", "x".repeat(65));
    for (body, status) in [
        ("[\"a\", \"b\"]", 422),
        ("nonsense", 422),
        ("\u{0}", 422),
        ("{\"seen\": 1}", 422),
        ("{\"sene\": \"x\"}", 422),
        ("{\"program\": \"a b\"}", 422),
        ("{\"program\": \"\"}", 422),
        (program.as_str(), 422),
        (long.as_str(), 413),
    ] {
        let refused = site.refused("/set/a", Some("Bearer token-a"), body.to_owned().into());
        assert_eq!(refused.await, status, "{body}");
    }
    // As the server gives up a body that trickles.
    let late = || Err::<Bytes, _>(io::Error::from(io::ErrorKind::TimedOut));
    let trickling = Body::from_stream(stream::iter([Ok("{".into()), late()]));
    let refused = site.refused("/set/a", Some("Bearer token-a"), trickling);
    assert_eq!(refused.await, StatusCode::REQUEST_TIMEOUT);
    // What is empty has no proof, and what is too long is nobody's.
    let value = format!("{{\"seen\": \"{}\"}}", "x".repeat(LONGEST + 1));
    for body in ["", " ", "{}", "{\"seen\": null}", &value] {
        let request = ask(
            &site.router,
            "/set/a",
            Some("Bearer token-a"),
            body.to_owned(),
        );
        let posted = async {
            let posted = site.posts.next().await.unwrap();
            assert_eq!((&posted.seen, &posted.program), (&None, &None), "{body}");
            posted.answer(Outcome::Busy);
        };
        tokio::join!(request, posted);
    }
}

#[tokio::test]
async fn each_outcome_has_its_status_and_the_keywords_of_the_reply() {
    let mut site = Site::new();
    let body = keyword("seen", "x");
    for (outcome, status) in [
        (Outcome::Counted(body.clone()), 200),
        (Outcome::NotFrom(body.clone()), 403),
        (Outcome::Unknown(body.clone()), 404),
        (Outcome::Unproven(body.clone()), 409),
        (Outcome::NotHeard(body.clone()), 503),
    ] {
        let answer = site.decided("{\"seen\": \"y\"}", outcome).await;
        assert_eq!(
            answer,
            (StatusCode::from_u16(status).unwrap(), json!({"seen": "x"}))
        );
    }
    assert_eq!(
        site.decided("", Outcome::Busy).await.0,
        StatusCode::TOO_MANY_REQUESTS
    );
}

#[tokio::test]
async fn without_a_session_it_says_so_and_why() {
    let mut site = Site::new();
    for (session, words) in [
        (None, "no session with the broker"),
        (Some(SessionState::StandBy), "another actor is active"),
        (Some(SessionState::Blocked), "the broker blocks"),
    ] {
        if let Some(session) = session {
            site.show.send_replace(Some(Snapshot {
                session,
                ..snapshot()
            }));
        }
        let (status, said) = site.decided("", Outcome::NoSession).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(said["error"].as_str().unwrap().contains(words), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn s6_a_loop_that_hangs_is_said_to_and_holds_a_bounded_number_of_requests() {
    let site = Site::new();
    let one = || ask(&site.router, "/set/a", Some("Bearer token-a"), "");
    let waiting = futures_util::future::join_all((0..WAITING + 10).map(|_| one()));
    let statuses: Vec<_> = waiting
        .await
        .into_iter()
        .map(|(status, _)| status)
        .collect();
    let count = |status| statuses.iter().filter(|it| **it == status).count();
    assert_eq!(count(StatusCode::SERVICE_UNAVAILABLE), WAITING);
    assert_eq!(count(StatusCode::TOO_MANY_REQUESTS), 10);
}
