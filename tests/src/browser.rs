//! A real browser: scripts of `tests/page`, which drive Debian's Chromium by playwright.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::process::{Launch, Process};
use crate::scratch::Scratch;

const CHROMIUM: &str = "/usr/bin/chromium";
/// Each wait of a script has a limit of its own; this is for all of it, on a machine that is busy.
const LIMIT: Duration = Duration::from_secs(240);

/// A script that runs in a browser of its own.
#[derive(Debug)]
pub struct Script {
    process: Process,
    /// The browser's profile.
    _folder: Scratch,
}

impl Script {
    /// Starts one with what it has to know.
    ///
    /// # Panics
    /// If Node.js, Chromium or what the scripts require is missing.
    pub fn start(name: &str, given: &Value) -> Self {
        let folder = Scratch::new();
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
        let script = page.join(name);
        assert!(script.is_file(), "{} is missing", script.display());
        for part in ["node_modules/playwright-core", "node_modules/axe-core"] {
            let part = page.join(part);
            assert!(
                part.is_dir(),
                "{} is missing; tests/run installs it",
                part.display()
            );
        }
        assert!(
            Path::new(CHROMIUM).is_file(),
            "no {CHROMIUM}; tests/run installs it"
        );
        let process = Launch::other(node())
            .args([script.as_os_str()])
            .args([given.to_string()])
            .env("TMPDIR", folder.path())
            .env("HOME", folder.path())
            .env("CHROMIUM", CHROMIUM)
            .env("PICTURES", pictures())
            .start();
        Self {
            process,
            _folder: folder,
        }
    }

    /// Waits until it asks for that, with a line on its standard output.
    ///
    /// # Panics
    /// With what it said, if it fails before.
    pub async fn asks_for(&mut self, what: &str) {
        self.process.wait_for_line(LIMIT, |line| line == what).await;
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// With what it said, if it fails.
    pub async fn passes(mut self) {
        let status = self.process.exit(LIMIT).await;
        self.process.complete(LIMIT).await;
        let said = self.process.lines().into_iter();
        let said: String = said.map(|line| line.text + "\n").collect();
        assert!(status.success(), "{status}:\n{said}");
    }
}

/// Where scripts leave pictures of what they saw, for people.
fn pictures() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let target = test.ancestors().nth(3).expect("target/PROFILE/deps/TEST");
    target.join("page")
}

fn node() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join("node"))
        .find(|node| node.is_file())
        .expect("no node on the PATH; tests/run installs it")
}
