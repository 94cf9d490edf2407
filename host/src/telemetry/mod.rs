//! What the process tells about itself: its log, and the HTTP server that serves the rest.

pub mod http;
pub mod log;

/// The content type of metrics in OpenMetrics text, which Prometheus reads.
pub(crate) const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
