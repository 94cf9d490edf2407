//! The monitor's own beat, to another dead-man's service: says that the monitor is alive.
//!
//! A 2xx is no proof that it counts: healthchecks.io says `OK (not found)` with 200 to a check that
//! it does not know, and whatever is in between may answer with a page of its own. So the answer is
//! looked at, too (`verdict`).

mod verdict;

use std::sync::Arc;
use std::time::Duration;

use embassy_time::Instant;
use reqwest::{Client, StatusCode};
use tokio::sync::watch;
use tokio::time::{Instant as Deadline, sleep_until};

use super::view::{OwnBeat, View};
use crate::clock::Clock;
use crate::config::SecretUrl;
use crate::dial;
use crate::peer::{Secrets, shown};

/// The loop shows itself several times a second; one that has not for this long does not run.
const FRESH: embassy_time::Duration = embassy_time::Duration::from_secs(5);
/// One beat may take this long.
const LIMIT: Duration = Duration::from_secs(10);
/// The pause after the first failure in a row; it doubles with each, up to the time between two
/// beats.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// What is read of an answer; the rest is left.
const LONGEST_ANSWER: usize = 4096;

/// A client with a limit on the whole request.
pub(super) fn client() -> Result<Client, reqwest::Error> {
    dial::http_client(LIMIT)
        .timeout(LIMIT)
        .user_agent(concat!("lvmbeat/", env!("CARGO_PKG_VERSION")))
        // A fresh connection for each beat shows that one can be made, and outlives no change of
        // the network.
        .pool_max_idle_per_host(0)
        // It would tell whoever a redirect leads to the address that was asked for, which is a
        // secret (X1).
        .referer(false)
        .build()
}

/// Where the beats go to, and how.
pub(super) struct Service {
    pub(super) url: SecretUrl,
    pub(super) every: Duration,
    pub(super) client: Client,
    pub(super) secrets: Secrets,
}

/// Beats for ever, starting at once, as long as the monitor's loop runs, and says what becomes of
/// it.
pub(super) async fn beat(
    service: Service,
    view: watch::Receiver<Arc<View>>,
    status: watch::Sender<Option<OwnBeat>>,
    clock: Arc<dyn Clock>,
) {
    let mut own = OwnBeat::new(service.url.reveal().host_str().unwrap_or_default());
    loop {
        status.send_replace(Some(own.clone()));
        let begun = Deadline::now();
        let shown_at = view.borrow().at;
        let result = if is_fresh(shown_at, clock.now()) {
            service.beat().await
        } else {
            Err(BeatError::Stopped)
        };
        let service_name = &own.service;
        match result {
            Ok(()) => {
                if own.failure.take().is_some() {
                    tracing::info!(
                        service = service_name,
                        "the other dead-man's service accepts the beat again"
                    );
                }
                own.failures = 0;
                own.last_taken = Some(clock.wall());
            }
            Err(error) => {
                let cause = error.to_string();
                // Logged once, until the cause changes.
                if own.failure.as_ref() != Some(&cause) {
                    tracing::warn!(
                        service = service_name,
                        cause,
                        "the other dead-man's service does not accept the beat"
                    );
                }
                own.failures = own.failures.saturating_add(1);
                own.failure = Some(cause);
            }
        }
        status.send_replace(Some(own.clone()));
        sleep_until(begun + pause(own.failures, service.every)).await;
    }
}

/// Why a beat was not accepted. The words of the other side are as they may be shown (X1).
#[derive(Debug, thiserror::Error)]
enum BeatError {
    #[error("the monitor's own loop has stopped")]
    Stopped,
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("it answers {status}: {said}")]
    Refused { status: StatusCode, said: String },
    #[error("it answers {status}, but {reason}: {said}")]
    NotTaken {
        status: StatusCode,
        reason: &'static str,
        said: String,
    },
}

impl Service {
    /// Beats once, or says why it was not taken: by code, and with the other side's words as they
    /// may be shown (X1).
    async fn beat(&self) -> Result<(), BeatError> {
        let (status, body) = self.ask().await.map_err(|error| {
            let words = dial::failure(error);
            BeatError::Unreachable(shown(words.as_bytes(), &self.secrets))
        })?;
        verdict::taken(status, &body).map_err(|reason| {
            let said = shown(&body, &self.secrets);
            match (status.is_success(), said.is_empty()) {
                (true, _) => BeatError::NotTaken {
                    status,
                    reason,
                    said,
                },
                (false, true) => BeatError::Status(status),
                (false, false) => BeatError::Refused { status, said },
            }
        })
    }

    async fn ask(&self) -> Result<(StatusCode, Vec<u8>), reqwest::Error> {
        let mut response = self.client.get(self.url.reveal().clone()).send().await?;
        let mut body = Vec::new();
        while body.len() < LONGEST_ANSWER {
            let Some(bytes) = response.chunk().await? else {
                break;
            };
            body.extend_from_slice(&bytes);
        }
        body.truncate(LONGEST_ANSWER);
        Ok((response.status(), body))
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
mod tests;
