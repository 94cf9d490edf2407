//! The beat to the monitors outside: says that the observatory is alive and can be heard.

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::Event;
use crate::config::{Outside, SecretUrl};
use crate::telemetry::with_causes;

/// Beats to one monitor for ever, starting at once, and reports each result. Ends when nobody takes the reports.
///
/// Each monitor has its own task and its own client, so that one that hangs delays no other.
pub(super) async fn beat(
    index: usize,
    url: SecretUrl,
    client: reqwest::Client,
    config: Outside,
    events: mpsc::Sender<Event>,
) {
    let mut ticks = interval(config.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let result = client
            .get(url.reveal().clone())
            .send()
            .await
            .and_then(reqwest::Response::error_for_status);
        // Without the URL, which may carry a token (X1).
        let failure = result.err().map(|error| with_causes(&error.without_url()));
        if events
            .send(Event::BeatOutside { index, failure })
            .await
            .is_err()
        {
            return;
        }
    }
}

/// A client with a limit on the whole request (name lookup, connection, redirects, answer).
pub(super) fn client(config: &Outside) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .timeout(config.timeout)
        .user_agent(concat!("lvmbeat/", env!("CARGO_PKG_VERSION")))
        // A fresh connection for each beat shows that one can be made, and outlives no change of the network.
        .pool_max_idle_per_host(0)
        .build()
}
