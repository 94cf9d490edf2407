//! What actor and monitor alike serve to those who watch them: health, and metrics for Prometheus.

#[cfg(test)]
pub(crate) mod asked;
mod latencies;
mod process;
mod text;

use std::fmt;
use std::sync::atomic::AtomicU64;

use embassy_time::Duration;
use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};

pub use self::latencies::Latencies;
pub use self::text::Form;
use crate::VERSION;

/// A loop shows itself several times a second; one that has not for this long hangs.
pub const HUNG_AFTER: Duration = Duration::from_secs(5);

/// A gauge of seconds.
pub type Seconds = Gauge<f64, AtomicU64>;

/// The metrics of one moment, made anew for each scrape. What is not known is left out.
#[derive(Debug)]
pub struct Metrics(Registry);

#[derive(Clone, PartialEq, Eq, Hash, EncodeLabelSet, Debug)]
struct Build {
    version: &'static str,
}

impl Metrics {
    /// The program's version only; each name will begin with that prefix.
    pub fn new(prefix: &str) -> Self {
        let mut metrics = Self(Registry::with_prefix(prefix));
        let build = Family::<Build, Gauge>::default();
        build.get_or_create(&Build { version: VERSION }).set(1);
        metrics.add("build_info", "Which version runs", build);
        metrics
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

    /// When something happened, by the wall clock: for showing only.
    pub fn timestamp(&mut self, name: &str, help: &str, at: Option<Timestamp>) {
        self.seconds(name, help, at.map(unix));
    }

    /// How often something has happened since the start.
    pub fn count(&mut self, name: &str, help: &str, value: u64) {
        let counter = Counter::<u64>::default();
        counter.inc_by(value);
        self.add(name, help, counter);
    }

    /// How long something has lasted since the start.
    fn counted_seconds(&mut self, name: &str, help: &str, value: f64) {
        let counter = Counter::<f64, AtomicU64>::default();
        counter.inc_by(value);
        self.add(&format!("{name}_seconds"), help, counter);
    }

    /// In that form, with what the kernel says of the process.
    pub fn encode(self, form: Form) -> Result<String, fmt::Error> {
        use prometheus_client::encoding::text::encode;
        let mut process = Self(Registry::default());
        process::add(&mut process);
        let mut written = String::new();
        encode(&mut written, &self.0)?;
        encode(&mut written, &process.0)?;
        Ok(form.write(&written))
    }
}

/// Seconds since 1970, to the millisecond.
#[expect(clippy::cast_precision_loss, reason = "2^52 ms are 140 000 years")]
pub fn unix(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}
