//! lvmbeat: heartbeat middleware between a telescope's programs and its dome.
//!
//! The decision is made in [`lvmbeat_core`]; here is everything that touches the world.
#![deny(missing_docs)]

pub mod actor;
pub mod cli;
pub mod clu;
pub mod config;
pub mod dial;
mod expiry;
pub mod journal;
pub mod log;
pub mod monitor;
pub mod probes;
pub mod report;
pub mod server;
pub mod stop;
pub mod systemd;
pub mod version;

pub use lvmbeat_client::clock;
pub(crate) use lvmbeat_client::{errors, peer};
pub use version::VERSION;
