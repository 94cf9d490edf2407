//! How long things took, in buckets.

use std::fmt;

use embassy_time::Duration;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::clock::seconds;

/// The upper bounds of the buckets, in milliseconds; beyond them there is one more.
const BOUNDS: [u64; 12] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000];

/// A histogram, of a fixed size.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub struct Latencies {
    buckets: [u64; BOUNDS.len() + 1],
    sum: f64,
}

impl Latencies {
    /// One more.
    pub fn add(&mut self, took: Duration) {
        let place = BOUNDS
            .iter()
            .position(|bound| took <= Duration::from_millis(*bound));
        if let Some(count) = self.buckets.get_mut(place.unwrap_or(BOUNDS.len())) {
            *count += 1;
        }
        self.sum += seconds(took);
    }
}

impl EncodeMetric for Latencies {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let bounds = BOUNDS.map(|bound| seconds(Duration::from_millis(bound)));
        let bounds = bounds.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(self.buckets).collect();
        let count = self.buckets.iter().sum();
        encoder.encode_histogram::<NoLabelSet>(self.sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
