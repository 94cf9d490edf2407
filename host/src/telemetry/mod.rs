//! What the process tells about itself: logs, health, metrics.

pub mod health;
pub mod http;
pub mod log;
pub mod metrics;
