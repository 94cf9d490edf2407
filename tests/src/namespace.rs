//! A part of the system that one program sees otherwise than all others: its mounts, or its
//! network.
//!
//! A child process keeps it. So it is gone with that child, however the test ends.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use crate::process::{Launch, Process};

/// The system sets one up within this time.
const LIMIT: Duration = Duration::from_secs(30);

/// Namespaces of their own for whatever is launched in them.
#[derive(Debug)]
pub struct Namespace {
    keeper: Process,
    kinds: &'static [&'static str],
}

impl Namespace {
    /// New ones of these kinds (`--mount`, `--net`), set up by a script of the shell with these
    /// arguments.
    ///
    /// # Panics
    /// If the script fails.
    pub async fn new(
        kinds: &'static [&'static str],
        script: &str,
        arguments: &[&dyn AsRef<OsStr>],
    ) -> Self {
        let script = format!("set -e\n{script}\necho ready\nexec cat");
        let user: &[_] = if is_root() {
            &[]
        } else {
            &["--user", "--map-root-user"]
        };
        let mut keeper = Launch::other("unshare".into())
            .args(user)
            .args(kinds)
            .args(["sh", "-c", &script, "sh"])
            .args(arguments.iter().map(AsRef::as_ref))
            .start();
        keeper.wait_for_line(LIMIT, |line| line == "ready").await;
        Self { keeper, kinds }
    }

    /// The process that keeps them.
    pub fn keeper(&self) -> u32 {
        self.keeper.id()
    }

    /// The same program, in them.
    pub fn launch(&self, program: Launch) -> Launch {
        let target = self.keeper().to_string();
        let mut command: Vec<OsString> =
            ["nsenter", "--target", &target].map(OsString::from).into();
        command.extend(self.kinds.iter().map(OsString::from));
        if !is_root() {
            command.extend(["--user", "--preserve-credentials"].map(OsString::from));
        }
        program.through(&command)
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
