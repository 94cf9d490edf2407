//! The beat to the monitors outside: says that the observatory is alive and can be heard, and what
//! the actor knows.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, RequestBuilder, StatusCode};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use super::snapshot::Snapshot;
use crate::config::SecretUrl;
use crate::dial;
use crate::peer::{Secrets, shown};
use crate::report::{Health, Report};

/// A monitor that does not take the report is given this many beats without, and is then offered
/// one again: it may have been replaced by one that does. Ten minutes at the usual pace.
const PLAIN_BEATS: u32 = 40;

/// A change of health is reported at once, but so far apart: it may flap.
const CHANGES_APART: Duration = Duration::from_secs(1);
/// While no heartbeat reaches the PLC, people outside watch the time that is left.
const URGENT_PERIOD: Duration = Duration::from_secs(5);

/// What became of one beat.
pub(super) struct Beaten {
    /// The monitor's place in the configuration.
    pub(super) monitor: usize,
    /// Why the monitor did not take it, if it did not.
    pub(super) failure: Option<String>,
}

/// One monitor, as shown.
#[derive(Clone, Default, Debug)]
pub struct OutsideView {
    /// Its address, without secrets.
    pub url: String,
    /// When it last took a beat.
    pub last_beat: Option<Timestamp>,
    /// Why the last beat failed, if it did.
    pub failure: Option<String>,
}

impl OutsideView {
    /// Takes what became of a beat. Logged when it changes.
    pub(super) fn beaten(&mut self, failure: Option<String>, wall: Timestamp) {
        let monitor = &self.url;
        match (&failure, &self.failure) {
            (Some(cause), None) => {
                tracing::warn!(monitor, cause, "the outside monitor cannot be reached");
            }
            (None, Some(_)) => tracing::info!(monitor, "the outside monitor is reached again"),
            (Some(_), Some(_)) | (None, None) => {}
        }
        if failure.is_none() {
            self.last_beat = Some(wall);
        }
        self.failure = failure;
    }
}

/// Beats to one monitor until stopped, starting at once, and says what became of each beat. Ends
/// when nobody listens, or when there are no more snapshots.
///
/// Each monitor has its own task and its own client, so that one that hangs delays no other (S6).
pub(super) async fn beat(
    place: usize,
    mut monitor: Monitor,
    period: Duration,
    mut snapshots: watch::Receiver<Option<Snapshot>>,
    beats: mpsc::Sender<Beaten>,
) {
    let mut rhythm = Pace::new(period);
    // A beat says that the actor's loop has run since the last one, not only that this task does.
    while snapshots.changed().await.is_ok() {
        let now = Instant::now();
        let Some((report, health)) = rhythm.due(&mut snapshots, now) else {
            continue;
        };
        let is_farewell = report.stopping.is_some();
        let stopped = stopped(snapshots.clone(), is_farewell);
        let failure = tokio::select! {
            biased;
            beaten = monitor.beat(&report) => beaten.err(),
            // The farewell does not wait for it.
            () = stopped => continue,
        };
        rhythm.beaten(failure.is_none().then_some(health), now);
        let beaten = Beaten {
            monitor: place,
            failure,
        };
        if beats.send(beaten).await.is_err() || is_farewell {
            return;
        }
    }
}

/// Waits until the actor has said its last word, unless that is being sent.
async fn stopped(mut snapshots: watch::Receiver<Option<Snapshot>>, is_farewell: bool) {
    let last =
        |shown: &Option<Snapshot>| shown.as_ref().is_some_and(|shown| shown.stopping.is_some());
    if is_farewell || snapshots.wait_for(last).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// When a beat is due. Pure: time is an argument.
struct Pace {
    period: Duration,
    last: Option<Instant>,
    /// What the monitor has taken last; `None` if the last beat failed.
    taken: Option<Health>,
}

impl Pace {
    fn new(period: Duration) -> Self {
        Self {
            period,
            last: None,
            taken: None,
        }
    }

    /// What is to be reported at `now`, if anything is.
    fn due(
        &self,
        snapshots: &mut watch::Receiver<Option<Snapshot>>,
        now: Instant,
    ) -> Option<(Report, Health)> {
        let shown = snapshots.borrow_and_update();
        let due = shown.as_ref().filter(|shown| self.is_due(shown, now))?;
        let report = Report {
            beat_every: Some(self.period.as_secs_f64()),
            ..due.report()
        };
        Some((report, due.health.state))
    }

    /// Whether this is to be reported at `now`.
    fn is_due(&self, shown: &Snapshot, now: Instant) -> bool {
        let (Some(last), None) = (self.last, &shown.stopping) else {
            return true;
        };
        let health = shown.health.state;
        let apart = match self.taken {
            Some(taken) if taken != health => CHANGES_APART,
            // A monitor that does not answer is tried again as soon, if people should hear of it.
            Some(_) | None if health.closes_the_dome() => URGENT_PERIOD,
            Some(_) | None => self.period,
        };
        now.saturating_duration_since(last) >= apart.min(self.period)
    }

    /// A beat that began at `now` is over, and the monitor took this, if it took it.
    fn beaten(&mut self, taken: Option<Health>, now: Instant) {
        self.last = Some(now);
        self.taken = taken;
    }
}

/// One monitor, and whether it takes reports.
pub(super) struct Monitor {
    url: SecretUrl,
    client: Client,
    limit: Duration,
    secrets: Secrets,
    /// The next beats that go without the report.
    plain_beats: u32,
}

impl Monitor {
    /// A beat may take `limit` in all: name lookup, connection, redirects, answers.
    pub(super) fn new(
        url: SecretUrl,
        limit: Duration,
        secrets: Secrets,
    ) -> Result<Self, reqwest::Error> {
        let mut client = dial::http_client(limit)
            .user_agent(concat!("lvmbeat/", env!("CARGO_PKG_VERSION")))
            // A fresh connection for each beat shows that one can be made, and outlives no change
            // of the network.
            .pool_max_idle_per_host(0)
            // It would tell whoever a redirect leads to what stands in the URL (X1).
            .referer(false);
        if is_plain_and_here(&url) {
            // The environment's proxy does not lead to this very machine, and authorities need not
            // be known to reach it.
            client = client.no_proxy().tls_certs_only([]);
        }
        Ok(Self {
            client: client.build()?,
            url,
            limit,
            secrets,
            plain_beats: 0,
        })
    }

    /// Beats once, or says why the monitor has not taken it: without the URL, which may carry a
    /// token (X1).
    pub(super) async fn beat(&mut self, report: &Report) -> Result<(), String> {
        let limit = self.limit;
        timeout(limit, self.send(report))
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} s", limit.as_secs_f64())))
    }

    /// The report is an extra: a monitor that refuses it, for whatever reason, gets the same beat
    /// without it. One that gives no answer to it, or has something on the way to it that lets
    /// no report through, gets the next one without. The farewell is always offered.
    ///
    /// May be dropped at any await: what is to be sent next is decided before.
    async fn send(&mut self, report: &Report) -> Result<(), String> {
        if self.plain_beats == 0 || report.stopping.is_some() {
            self.plain_beats = 1;
            let post = self.client.post(self.url.reveal().clone()).json(report);
            let status = self.answer(post).await?;
            if status.is_success() {
                self.plain_beats = 0;
                return Ok(());
            }
            tracing::debug!(monitor = %self.url, %status, "the outside monitor does not take the report");
            self.plain_beats = PLAIN_BEATS;
        }
        let left = self.plain_beats.saturating_sub(1);
        // Unless this one succeeds, it is not the report that is the matter.
        self.plain_beats = 0;
        let get = self.client.get(self.url.reveal().clone());
        let status = self.answer(get).await?;
        if status == StatusCode::UNAUTHORIZED {
            return Err(format!(
                "it answered {status}; give the monitor's ping token in LVMBEAT_PING_TOKEN or outside_monitor.token_file"
            ));
        }
        if !status.is_success() {
            return Err(format!("it answered {status}"));
        }
        self.plain_beats = left;
        Ok(())
    }

    /// The code is all that is taken of an answer.
    async fn answer(&self, request: RequestBuilder) -> Result<StatusCode, String> {
        match request.send().await {
            Ok(response) => Ok(response.status()),
            Err(error) => {
                let error = dial::failure(error);
                Err(shown(error.as_bytes(), &self.secrets))
            }
        }
    }
}

fn is_plain_and_here(url: &SecretUrl) -> bool {
    let host = url.reveal().host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    is_here && url.reveal().scheme() == "http"
}

#[cfg(test)]
mod tests;
