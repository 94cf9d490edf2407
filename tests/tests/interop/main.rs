//! lvmbeat and the real sdss-clu understand each other: its clients command our actor, our actor
//! and our command line command its actors, and what we send has the structure of what the Python
//! lvmbeat sends.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod clients;
mod commands;
mod enclosure;
mod failover;
mod program;
mod wire;

use std::time::Duration;

use lvmbeat_tests::client::RawClient;
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::eventually;
use lvmbeat_tests::process::{Launch, Process};

/// For anything that is bound to happen.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// For a Python program to start.
pub(crate) const PYTHON: Duration = Duration::from_secs(60);

/// The real actor, when it answers.
pub(crate) async fn start(config: &ActorConfig, client: &RawClient) -> Process {
    let actor = Launch::lvmbeat(config.actor()).start();
    eventually(SOON, async || {
        client.try_command("lvmbeat", "ping", SOON).await
    })
    .await;
    actor
}
