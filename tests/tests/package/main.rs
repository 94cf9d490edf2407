//! What is handed out: the version that it says, its manual, the Debian package, the crates.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

mod crates;
mod debian;
mod manual;
mod version;

use lvmbeat_tests::process::{Launch, built, said};
use lvmbeat_tests::scratch::Scratch;

/// The man pages and completions, freshly written.
async fn manual() -> Scratch {
    let folder = Scratch::new();
    said(Launch::other(built("manual")).args([folder.path()])).await;
    folder
}
