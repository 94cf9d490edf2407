use std::future::pending;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Method, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::super::snapshot::tests::snapshot;
use super::*;

/// Longer than any answer of a stand-in that answers.
const LIMIT: Duration = Duration::from_secs(30);

/// A request that a stand-in has received.
#[derive(Clone)]
struct Received {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Received {
    fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A stand-in for a monitor, on the loopback.
struct StandIn {
    address: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl StandIn {
    /// One that answers as it is told to; where it is told nothing it never answers.
    async fn start(
        answers: impl Fn(&Received) -> Option<Response> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let (answers, log) = (Arc::new(answers), received.clone());
        let router = Router::new().fallback(move |request: Request| {
            let (answers, log) = (answers.clone(), log.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 100_000).await.unwrap();
                let request = Received {
                    method: parts.method,
                    path: parts.uri.to_string(),
                    headers: parts.headers,
                    body: body.to_vec(),
                };
                let answer = answers(&request);
                log.lock().unwrap().push(request);
                match answer {
                    Some(answer) => answer,
                    None => pending().await,
                }
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, received }
    }

    /// One that answers a report with the first status and a beat without with the second.
    async fn answering(post: u16, get: u16) -> Self {
        Self::start(move |request| {
            let status = if request.method == Method::POST {
                post
            } else {
                get
            };
            Some(StatusCode::from_u16(status).unwrap().into_response())
        })
        .await
    }

    /// What was received since it was asked last.
    fn take(&self) -> Vec<Received> {
        std::mem::take(&mut *self.received.lock().unwrap())
    }

    /// Likewise, in brief.
    fn methods(&self) -> Vec<Method> {
        self.take()
            .into_iter()
            .map(|request| request.method)
            .collect()
    }

    fn monitor(&self) -> Monitor {
        monitor(&format!("http://{}/heartbeat", self.address))
    }
}

fn monitor(url: &str) -> Monitor {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let secrets = Secrets::new([url]);
    Monitor::new(SecretUrl::new(url.parse().unwrap()), LIMIT, secrets).unwrap()
}

fn redirect(status: u16, to: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, [(header::LOCATION, to.to_owned())]).into_response()
}

#[tokio::test]
async fn the_report_is_posted_whole() {
    let stand_in = StandIn::answering(200, 500).await;
    let (report, mut monitor) = (snapshot().report(), stand_in.monitor());
    assert_eq!(monitor.beat(&report).await, Ok(()));
    assert_eq!(monitor.beat(&report).await, Ok(()));
    let received = stand_in.take();
    assert_eq!(received.len(), 2, "each with one request");
    for request in received {
        assert_eq!(
            (&request.method, request.path.as_str()),
            (&Method::POST, "/heartbeat")
        );
        assert_eq!(
            request.header(header::CONTENT_TYPE),
            Some("application/json")
        );
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body, json!(report));
    }
}

#[tokio::test]
async fn a_monitor_that_refuses_the_report_gets_the_same_beat_without_it() {
    for refusal in [
        304, 400, 401, 404, 405, 411, 413, 415, 422, 429, 500, 501, 503,
    ] {
        let stand_in = StandIn::answering(refusal, 200).await;
        assert_eq!(stand_in.monitor().beat(&Report::default()).await, Ok(()));
        assert_eq!(stand_in.methods(), [Method::POST, Method::GET], "{refusal}");
    }
}

#[tokio::test]
async fn a_monitor_that_takes_no_reports_is_remembered_and_offered_one_again_later() {
    let stand_in = StandIn::answering(405, 200).await;
    let (report, mut monitor) = (Report::default(), stand_in.monitor());
    for _ in 0..2 {
        for _ in 0..PLAIN_BEATS {
            assert_eq!(monitor.beat(&report).await, Ok(()));
        }
        let methods = stand_in.methods();
        let (first, others) = methods.split_first().unwrap();
        assert_eq!(first, Method::POST);
        assert!(others.iter().all(|method| method == Method::GET));
        assert_eq!(others.len(), 40);
    }
}

#[tokio::test]
async fn a_monitor_that_fails_altogether_is_offered_the_report_again_at_once() {
    let stand_in = StandIn::answering(405, 503).await;
    let mut monitor = stand_in.monitor();
    for _ in 0..3 {
        let failure = monitor.beat(&Report::default()).await.unwrap_err();
        assert_eq!(failure, "it answered 503 Service Unavailable");
        assert_eq!(stand_in.methods(), [Method::POST, Method::GET]);
    }
}

#[tokio::test]
async fn a_beat_has_one_limit_and_what_gives_no_answer_to_the_report_gets_the_next_beat_without_it()
{
    let stand_in = StandIn::start(|request| {
        (request.method == Method::GET).then(|| StatusCode::OK.into_response())
    })
    .await;
    let mut monitor = stand_in.monitor();
    for _ in 0..2 {
        monitor.limit = Duration::from_millis(300);
        let failure = monitor.beat(&Report::default()).await.unwrap_err();
        assert_eq!(failure, "no answer within 0.3 s");
        monitor.limit = LIMIT;
        assert_eq!(monitor.beat(&Report::default()).await, Ok(()));
        assert_eq!(stand_in.methods(), [Method::POST, Method::GET]);
    }
}

#[tokio::test]
async fn an_outage_leaves_the_report_as_it_was() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let mut lost = monitor(&format!("http://{closed}/heartbeat"));
    for _ in 0..4 {
        assert!(lost.beat(&Report::default()).await.is_err());
        assert!(lost.plain_beats <= 1);
    }
    let stand_in = StandIn::answering(200, 200).await;
    lost.url = stand_in.monitor().url;
    for _ in 0..3 {
        assert_eq!(lost.beat(&Report::default()).await, Ok(()));
    }
    assert_eq!(stand_in.methods()[1..], [Method::POST, Method::POST]);
}

#[tokio::test]
async fn x1_the_token_of_the_url_is_sent_and_follows_redirects_on_the_same_host_only() {
    // "any:to/ken", and what a redirect to elsewhere gets.
    const BASIC: Option<&str> = Some("Basic YW55OnRvL2tlbg==");
    let elsewhere = StandIn::answering(200, 200).await;
    let there = format!("http://{}/there", elsewhere.address);
    let here = StandIn::start(move |request| {
        Some(match request.path.as_str() {
            "/heartbeat?key=hunter2" => redirect(308, "/moved"),
            "/moved" => redirect(307, &there),
            _ => StatusCode::OK.into_response(),
        })
    })
    .await;
    let url = format!("http://any:to%2Fken@{}/heartbeat?key=hunter2", here.address);
    let report = snapshot().report();
    assert_eq!(monitor(&url).beat(&report).await, Ok(()));
    let (received, there) = (here.take(), elsewhere.take());
    assert_eq!((received.len(), there.len()), (2, 1));
    for request in &received {
        assert_eq!(request.header(header::AUTHORIZATION), BASIC);
    }
    assert_eq!(there[0].header(header::AUTHORIZATION), None);
    assert_eq!(there[0].header(header::REFERER), None);
    // The report goes all the way.
    for request in received.iter().chain(&there) {
        assert_eq!(request.method, Method::POST);
        assert_eq!(request.body, serde_json::to_vec(&report).unwrap());
    }
}

#[tokio::test]
async fn a_redirect_that_turns_a_post_into_a_get_is_still_a_beat() {
    for status in [301, 302, 303] {
        let stand_in = StandIn::start(move |request| {
            Some(match request.path.as_str() {
                "/heartbeat" => redirect(status, "/moved"),
                _ => StatusCode::OK.into_response(),
            })
        })
        .await;
        assert_eq!(stand_in.monitor().beat(&Report::default()).await, Ok(()));
        assert_eq!(stand_in.methods(), [Method::POST, Method::GET], "{status}");
    }
}

#[tokio::test]
async fn x2_an_answer_is_not_read_beyond_its_headers() {
    let server = StandIn::start(|_| {
        let bytes = stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 4096]));
        Some(Response::new(Body::from_stream(bytes)))
    })
    .await;
    assert_eq!(server.monitor().beat(&Report::default()).await, Ok(()));
}

#[tokio::test]
async fn x1_no_failure_shows_a_secret() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let tell = |to: &'static str| StandIn::start(move |_| Some(redirect(307, to)));
    let (around, away) = (
        tell("/heartbeat?key=hunter2").await,
        tell("ftp://hunter2@there/?key=hunter2").await,
    );
    let refusing = StandIn::answering(401, 401).await;
    for address in [
        &closed,
        &around.address,
        &away.address,
        &refusing.address,
        "nowhere.invalid",
    ] {
        let mut monitor = monitor(&format!("http://any:hunter2@{address}/?key=hunter2"));
        for _ in 0..2 {
            let failure = monitor.beat(&Report::default()).await.unwrap_err();
            assert!(!failure.contains("hunter2"), "{failure}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_beat_says_that_the_actors_loop_runs() {
    const PERIOD: Duration = Duration::from_secs(15);
    let (snapshots, seen) = watch::channel(None);
    let (events, mut ended) = mpsc::channel(1);
    let beating = tokio::spawn(beat(0, monitor("http://127.0.0.1:1"), PERIOD, seen, events));
    let a_while = PERIOD * 4 + LIMIT;
    assert!(timeout(a_while, ended.recv()).await.is_err());
    for _ in 0..2 {
        snapshots.send_replace(Some(snapshot()));
        let beaten = timeout(a_while, ended.recv()).await;
        assert!(matches!(beaten, Ok(Some(Beaten { monitor: 0, .. }))));
        assert!(timeout(a_while, ended.recv()).await.is_err());
    }
    drop(snapshots);
    beating.await.unwrap();
}

#[test]
fn a_change_of_health_is_reported_at_once_and_a_danger_every_few_seconds() {
    let begin = Instant::now();
    let at = |millis: u64| begin + Duration::from_millis(millis);
    let shown = |state: Health| {
        let mut shown = snapshot();
        shown.health.state = state;
        shown
    };
    let mut pace = Pace::new(Duration::from_secs(15));
    assert!(pace.is_due(&shown(Health::Ok), at(0)));
    pace.beaten(Some(Health::Ok), at(0));
    assert!(!pace.is_due(&shown(Health::Ok), at(14_900)));
    assert!(pace.is_due(&shown(Health::Ok), at(15_000)));
    // It may flap: not more than once a second.
    assert!(!pace.is_due(&shown(Health::Held), at(900)));
    assert!(pace.is_due(&shown(Health::Held), at(1000)));
    pace.beaten(Some(Health::Held), at(1000));
    assert!(!pace.is_due(&shown(Health::Held), at(5900)));
    assert!(pace.is_due(&shown(Health::Held), at(6000)));
    assert!(pace.is_due(&shown(Health::Ok), at(2000)));
    // It did not take the last one.
    pace.beaten(None, at(6000));
    assert!(!pace.is_due(&shown(Health::Held), at(8000)));
    assert!(pace.is_due(&shown(Health::Held), at(11_000)));
    assert!(!pace.is_due(&shown(Health::Ok), at(20_900)));
    // One that beats more often anyway goes on so.
    let mut quick = Pace::new(Duration::from_millis(300));
    quick.beaten(Some(Health::Ok), at(0));
    assert!(quick.is_due(&shown(Health::Held), at(300)));
    let mut farewell = shown(Health::Ok);
    farewell.stopping = Some("stopped by SIGTERM".to_owned());
    assert!(pace.is_due(&farewell, at(6001)));
}

#[tokio::test]
async fn the_farewell_is_sent_although_a_beat_is_under_way_and_ends_the_beating() {
    // It takes no report but the farewell.
    let stand_in = StandIn::start(|request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let farewell = &body["stopping"]["text"] == "stopped by SIGTERM";
        farewell.then(|| StatusCode::OK.into_response())
    })
    .await;
    let (snapshots, seen) = watch::channel(None);
    let (events, mut ended) = mpsc::channel(1);
    let beating = tokio::spawn(beat(0, stand_in.monitor(), LIMIT, seen, events));
    snapshots.send_replace(Some(snapshot()));
    while stand_in.received.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let mut last = snapshot();
    last.stopping = Some("stopped by SIGTERM".to_owned());
    snapshots.send_replace(Some(last));
    let beaten = timeout(LIMIT, ended.recv()).await.unwrap().unwrap();
    assert_eq!(beaten.failure, None);
    timeout(LIMIT, beating).await.unwrap().unwrap();
    assert_eq!(stand_in.methods(), [Method::POST, Method::POST]);
}
