//! What actor and monitor alike serve to those who watch them: health, and metrics as OpenMetrics
//! text, which Prometheus reads.

use std::fmt;
use std::sync::atomic::AtomicU64;

use embassy_time::Duration;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};

/// A loop shows itself several times a second; one that has not for this long hangs.
pub const HUNG_AFTER: Duration = Duration::from_secs(5);

/// The content type of what [`Metrics::encode`] gives.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A gauge of seconds.
pub type Seconds = Gauge<f64, AtomicU64>;

/// The metrics of one moment, made anew for each scrape. What is not known is left out.
#[derive(Debug)]
pub struct Metrics(Registry);

impl Metrics {
    /// None yet; each name will begin with that prefix.
    pub fn new(prefix: &str) -> Self {
        Self(Registry::with_prefix(prefix))
    }

    /// One of any kind, or a family of them.
    pub fn add(&mut self, name: &str, help: &str, metric: impl Metric) {
        self.0.register(name, help, metric);
    }

    /// Whether something is so.
    pub fn flag(&mut self, name: &str, help: &str, value: impl Into<Option<bool>>) {
        self.number(name, help, value.into().map(i64::from));
    }

    /// A number that goes up and down.
    pub fn number(&mut self, name: &str, help: &str, value: impl Into<Option<i64>>) {
        if let Some(value) = value.into() {
            let gauge = Gauge::<i64>::default();
            gauge.set(value);
            self.add(name, help, gauge);
        }
    }

    /// A time in seconds.
    pub fn seconds(&mut self, name: &str, help: &str, value: impl Into<Option<f64>>) {
        if let Some(value) = value.into() {
            let gauge = Seconds::default();
            gauge.set(value);
            self.add(name, help, gauge);
        }
    }

    /// How often something has happened since the start.
    pub fn count(&mut self, name: &str, help: &str, value: u64) {
        let counter = Counter::<u64>::default();
        counter.inc_by(value);
        self.add(name, help, counter);
    }

    /// As text.
    pub fn encode(self) -> Result<String, fmt::Error> {
        let mut shown = String::new();
        text::encode(&mut shown, &self.0)?;
        Ok(shown)
    }
}
