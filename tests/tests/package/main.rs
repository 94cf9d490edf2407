//! What is handed out: the version that it says, its manual, the Debian package, the crates.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

mod crates;
mod debian;
mod manual;
mod version;

use std::path::{Path, PathBuf};
use std::time::Duration;

use lvmbeat_tests::process::{Finished, Launch, built};
use lvmbeat_tests::scratch::Scratch;

const LIMIT: Duration = Duration::from_secs(120);

/// A path of the project.
fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// What a program says that has to end with 0.
async fn said(launch: Launch) -> String {
    let Finished {
        status,
        stdout,
        stderr,
    } = launch.finish(LIMIT).await;
    assert_eq!(status.code(), Some(0), "{stdout}{stderr}");
    stdout
}

/// The man pages and completions, freshly written.
async fn manual() -> Scratch {
    let folder = Scratch::new();
    said(Launch::other(built("manual")).args([folder.path()])).await;
    folder
}
