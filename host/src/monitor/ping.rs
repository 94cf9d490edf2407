//! The monitor's own beat, to another dead-man's service: says that the monitor is alive.

use std::sync::Arc;
use std::time::Duration;

use embassy_time::Instant;
use tokio::sync::watch;
use tokio::time::{Instant as Deadline, sleep_until};

use super::view::View;
use crate::clock::Clock;
use crate::config::SecretUrl;
use crate::telemetry::with_causes;

/// The loop shows itself several times a second; one that has not for this long does not run.
const FRESH: embassy_time::Duration = embassy_time::Duration::from_secs(5);
/// One beat may take this long.
const LIMIT: Duration = Duration::from_secs(10);
/// The pause after the first failure in a row; it doubles with each, up to the time between two beats.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// A client with a limit on the whole request.
pub(super) fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
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
