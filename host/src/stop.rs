//! The order to end, and by what it was given.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Cloned to everybody who has to end.
#[derive(Clone, Default, Debug)]
pub struct Stop {
    token: CancellationToken,
    by: Arc<OnceLock<&'static str>>,
}

impl Stop {
    /// Nobody has to end yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everybody has to end, by that signal. The first one is remembered.
    pub fn by(&self, signal: &'static str) {
        let _ = self.by.set(signal);
        self.token.cancel();
    }

    /// Waits for the order.
    pub async fn ordered(&self) {
        self.token.cancelled().await;
    }

    /// For whoever does not ask by what.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// In words: `stopped by SIGTERM`.
    pub fn words(&self) -> String {
        match self.by.get() {
            Some(signal) => format!("stopped by {signal}"),
            None => "stopped".to_owned(),
        }
    }
}

impl From<CancellationToken> for Stop {
    fn from(token: CancellationToken) -> Self {
        Self {
            token,
            ..Self::default()
        }
    }
}
