//! What the process tells about itself: logs, health, metrics.

pub mod health;
pub mod http;
pub mod log;
pub mod metrics;

/// An error with everything that led to it, in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
