use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::super::memory::Memory;
use super::super::saved::Loaded;
use super::super::testing::{SteppedClock, config};
use super::super::view::StoreView;
use super::*;
use crate::clock::Moment;

const TOKEN: &str = "8f14e45f-ceea-467f-a0e6";
const FAST: Duration = Duration::from_millis(20);

/// The monitor beats to that address, with a view that was shown just now.
struct Beating {
    clock: Arc<SteppedClock>,
    view: watch::Sender<Arc<View>>,
    status: watch::Receiver<Option<OwnBeat>>,
    _task: AbortOnDropHandle<()>,
}

impl Beating {
    fn start(to: &TcpListener, every: Duration, suspended: Duration) -> Self {
        let clock = SteppedClock::new();
        let (view, shown) = watch::channel(view(clock.as_ref()));
        clock.suspend(suspended);
        let url = format!("http://{}/ping/{TOKEN}", to.local_addr().unwrap());
        let service = Service {
            secrets: Secrets::new([TOKEN]),
            url: SecretUrl::with_secret_path(url.parse().unwrap()),
            every,
            client: client().unwrap(),
        };
        let (sender, status) = watch::channel(None);
        let task = beat(service, shown, sender, clock.clone());
        Self {
            clock,
            view,
            status,
            _task: AbortOnDropHandle::new(tokio::spawn(task)),
        }
    }

    /// The status once that is so.
    async fn status(&mut self, is: impl Fn(&OwnBeat) -> bool) -> OwnBeat {
        let found = self.status.wait_for(|own| own.as_ref().is_some_and(&is));
        found.await.unwrap().clone().unwrap()
    }

    /// Why the beat was not taken that is answered so.
    async fn failure(&mut self, listener: &TcpListener, status: &str, body: &str) -> String {
        answer(listener, status, body).await;
        let own = self.status(|own| own.failure.is_some()).await;
        assert_eq!(own.last_taken, None);
        own.failure.unwrap()
    }
}

fn view(clock: &dyn Clock) -> Arc<View> {
    let (config, at) = (config(), Moment::read(clock));
    let thresholds = config.alarm().unwrap();
    let memory = Memory::restore(
        thresholds,
        &config,
        Loaded::Nothing,
        [""; 0].into_iter(),
        at,
    );
    Arc::new(memory.view(at, &config, &[], &StoreView::default()))
}

async fn listener() -> TcpListener {
    // The one provider of this program, which the channels install otherwise.
    let _ = rustls::crypto::ring::default_provider().install_default();
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Takes one beat, answers it with that status, and gives its first line.
async fn take(listener: &TcpListener, status: &str) -> String {
    answer(listener, status, "").await
}

/// The same with a body.
async fn answer(listener: &TcpListener, status: &str, body: &str) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
    }
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
    String::from_utf8(request).unwrap()
}

#[tokio::test]
async fn it_beats_at_once_and_again_and_again_whatever_is_answered() {
    let listener = listener().await;
    let _beating = Beating::start(&listener, FAST, Duration::ZERO);
    for status in ["200 OK", "200 OK", "500 No", "404 No", "200 OK"] {
        let request = take(&listener, status).await;
        let expected = format!("GET /ping/{TOKEN} HTTP/1.1\r\n");
        assert!(request.starts_with(&expected), "{request}");
    }
    // Cut off.
    drop(listener.accept().await.unwrap());
    take(&listener, "200 OK").await;
}

#[tokio::test(start_paused = true)]
async fn it_does_not_beat_for_a_loop_that_does_not_run() {
    let listener = listener().await;
    let beating = Beating::start(&listener, FAST, Duration::from_secs(5));
    let connection = tokio::time::timeout(Duration::from_secs(3600), listener.accept());
    assert!(connection.await.is_err(), "it has beaten");
    // It runs again.
    tokio::time::resume();
    beating.view.send_replace(view(beating.clock.as_ref()));
    take(&listener, "200 OK").await;
}

#[test]
fn after_a_failure_it_beats_sooner_but_backs_off() {
    let every = Duration::from_secs(60);
    let pauses = [0, 1, 2, 3, 5, 6, u32::MAX].map(|failures| pause(failures, every).as_secs());
    assert_eq!(pauses, [60, 2, 4, 8, 32, 60, 60]);
    assert_eq!(pause(5, FAST), FAST);
}

#[test]
fn a_view_from_the_future_is_not_fresh() {
    let now = Instant::from_secs(100);
    assert!(is_fresh(now, now));
    assert!(!is_fresh(now, now + FRESH));
    assert!(!is_fresh(now, now - FRESH));
}

#[tokio::test]
async fn m1_a_200_that_says_not_found_is_told_as_a_failure_until_one_is_taken() {
    let listener = listener().await;
    let mut beating = Beating::start(&listener, FAST, Duration::ZERO);
    let failure = beating.failure(&listener, "200 OK", "OK (not found)").await;
    assert_eq!(
        failure,
        "it answers 200 OK, but says that it was not accepted: OK (not found)"
    );
    answer(&listener, "200 OK", "OK (not found)").await;
    let own = beating.status(|own| own.failures == 2).await;
    assert_eq!(own.service, "127.0.0.1");
    answer(&listener, "200 OK", "OK").await;
    let own = beating.status(|own| own.failure.is_none()).await;
    assert!(own.last_taken.is_some());
    assert_eq!(own.failures, 0);
}

#[tokio::test]
async fn x1_an_answer_that_repeats_the_address_is_not_quoted() {
    for body in [
        format!("no such check: /ping/{TOKEN}"),
        format!("<p>/ping/{}", TOKEN.to_uppercase()),
        format!(
            "{{\"ok\": false, \"msg\": \"{}\"}}",
            TOKEN.replace('-', "%2D")
        ),
    ] {
        for status in ["200 OK", "404 Not Found"] {
            let listener = listener().await;
            let mut beating = Beating::start(&listener, FAST, Duration::ZERO);
            let failure = beating.failure(&listener, status, &body).await;
            assert!(
                failure.starts_with(&format!("it answers {status}")),
                "{failure}"
            );
            assert!(failure.contains("(withheld: "), "{failure}");
        }
    }
}

#[tokio::test]
async fn x2_an_answer_without_end_is_not_read_to_its_end() {
    let listener = listener().await;
    let mut beating = Beating::start(&listener, Duration::from_secs(60), Duration::ZERO);
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    // It hangs up although there is more, and has taken what it read for an answer.
    while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    let own = beating.status(|own| own.last_taken.is_some()).await;
    assert_eq!(own.failure, None);
}

#[tokio::test]
async fn x1_whoever_a_redirect_leads_to_is_not_told_the_address() {
    let (listener, other) = (listener().await, listener().await);
    let _beating = Beating::start(&listener, Duration::from_secs(60), Duration::ZERO);
    let to = format!(
        "302 Found\r\nLocation: http://{}/",
        other.local_addr().unwrap()
    );
    take(&listener, &to).await;
    let request = take(&other, "200 OK").await;
    assert!(!request.contains(TOKEN), "{request}");
}
