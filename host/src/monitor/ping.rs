//! The monitor's own beat, to another dead-man's service: says that the monitor is alive.

use std::sync::Arc;
use std::time::Duration;

use embassy_time::Instant;
use tokio::sync::watch;
use tokio::time::{Instant as Deadline, sleep_until};

use super::view::View;
use crate::clock::Clock;
use crate::config::SecretUrl;
use crate::dial;
use crate::telemetry::with_causes;

/// The loop shows itself several times a second; one that has not for this long does not run.
const FRESH: embassy_time::Duration = embassy_time::Duration::from_secs(5);
/// One beat may take this long.
const LIMIT: Duration = Duration::from_secs(10);
/// The pause after the first failure in a row; it doubles with each, up to the time between two beats.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// A client with a limit on the whole request.
pub(super) fn client() -> Result<reqwest::Client, reqwest::Error> {
    dial::http_client(LIMIT)
        .timeout(LIMIT)
        .user_agent(concat!("lvmbeat/", env!("CARGO_PKG_VERSION")))
        // A fresh connection for each beat shows that one can be made, and outlives no change of the network.
        .pool_max_idle_per_host(0)
        .build()
}

/// Beats for ever, starting at once, as long as the monitor's loop runs.
pub(super) async fn beat(
    url: SecretUrl,
    every: Duration,
    client: reqwest::Client,
    view: watch::Receiver<Arc<View>>,
    clock: Arc<dyn Clock>,
) {
    let mut failures = 0;
    loop {
        let begun = Deadline::now();
        let shown_at = view.borrow().at;
        let failure = if is_fresh(shown_at, clock.now()) {
            let sent = client.get(url.reveal().clone()).send().await;
            let answered = sent.and_then(reqwest::Response::error_for_status);
            // Without the URL, which may carry a token (X1).
            answered
                .err()
                .map(|error| with_causes(&error.without_url()))
        } else {
            Some("the monitor's own loop does not run".to_owned())
        };
        match (failure, failures) {
            (Some(cause), 0) => {
                failures = 1;
                tracing::warn!(%url, cause, "the other dead-man's service cannot be reached");
            }
            (Some(_), _) => failures += 1,
            (None, 0) => {}
            (None, _) => {
                failures = 0;
                tracing::info!(%url, "the other dead-man's service is reached again");
            }
        }
        sleep_until(begun + pause(failures, every)).await;
    }
}

fn is_fresh(shown_at: Instant, now: Instant) -> bool {
    now.checked_duration_since(shown_at)
        .is_some_and(|age| age < FRESH)
}

/// Sooner than usual after a failure, so that one that is lost raises no alarm there.
fn pause(failures: u32, every: Duration) -> Duration {
    match failures.checked_sub(1) {
        None => every,
        Some(doublings) => FIRST_PAUSE
            .saturating_mul(2_u32.saturating_pow(doublings))
            .min(every),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_util::task::AbortOnDropHandle;

    use super::super::memory::{Memory, Moment};
    use super::super::store::Loaded;
    use super::super::testing::{SteppedClock, config};
    use super::super::view::StoreView;
    use super::*;

    const FAST: Duration = Duration::from_millis(20);

    /// The monitor beats to that address, with a view that was shown just now.
    struct Beating {
        clock: Arc<SteppedClock>,
        view: watch::Sender<Arc<View>>,
        _task: AbortOnDropHandle<()>,
    }

    impl Beating {
        fn start(to: &TcpListener, every: Duration, suspended: Duration) -> Self {
            let clock = SteppedClock::new();
            let (view, shown) = watch::channel(view(clock.as_ref()));
            clock.suspend(suspended);
            let url = format!("http://{}/ping/token", to.local_addr().unwrap());
            let url = SecretUrl::with_secret_path(url.parse().unwrap());
            let task = beat(url, every, client().unwrap(), shown, clock.clone());
            Self {
                clock,
                view,
                _task: AbortOnDropHandle::new(tokio::spawn(task)),
            }
        }
    }

    fn view(clock: &dyn Clock) -> Arc<View> {
        let (config, at) = (config(), Moment::read(clock));
        let thresholds = config.alarm().unwrap();
        let memory = Memory::restore(thresholds, true, Loaded::Nothing, [].into_iter(), at);
        Arc::new(memory.view(at, &config, &[], &StoreView::default()))
    }

    async fn listener() -> TcpListener {
        // The one provider of this program, which the channels install otherwise.
        let _ = rustls::crypto::ring::default_provider().install_default();
        TcpListener::bind("127.0.0.1:0").await.unwrap()
    }

    /// Takes one beat, answers it with that status, and gives its first line.
    async fn take(listener: &TcpListener, status: &str) -> String {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
        }
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        let request = String::from_utf8(request).unwrap();
        request.lines().next().unwrap().to_owned()
    }

    #[tokio::test]
    async fn it_beats_at_once_and_again_and_again_whatever_is_answered() {
        let listener = listener().await;
        let _beating = Beating::start(&listener, FAST, Duration::ZERO);
        for status in ["200 OK", "200 OK", "500 No", "404 No", "200 OK"] {
            assert_eq!(take(&listener, status).await, "GET /ping/token HTTP/1.1");
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
}
