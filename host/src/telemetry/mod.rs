//! What the process tells about itself: its log, and the HTTP server that serves the rest.

pub mod http;
pub mod log;
