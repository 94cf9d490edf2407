//! Builds firmware with the compiler that `core/relay-box/setup` has prepared.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Which firmware.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Firmware {
    /// Rust's name of the target.
    pub target: &'static str,
    /// The machine of QEMU that runs it.
    pub machine: &'static str,
    /// With the test bench, or as it is shipped.
    pub bench: bool,
    /// The program.
    pub program: &'static str,
}

/// Cortex-M4, on the bench.
pub const BENCH: Firmware = Firmware {
    target: "thumbv7em-none-eabi",
    machine: "mps2-an386",
    bench: true,
    program: "relay-box",
};

/// Cortex-M4, as it is shipped.
pub const SHIPPED: Firmware = Firmware {
    bench: false,
    ..BENCH
};

/// The folder of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../core/relay-box"))
}

static BUILT: Mutex<Option<HashMap<Firmware, PathBuf>>> = Mutex::new(None);

impl Firmware {
    /// Builds it, once for each process. Gives the ELF file.
    pub fn elf(self) -> PathBuf {
        let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        built
            .get_or_insert_default()
            .entry(self)
            .or_insert_with(|| self.build())
            .clone()
    }

    fn build(self) -> PathBuf {
        let mut command = cargo("firmware", self.target, &self.folder());
        command.args(["--bin", self.program]);
        if self.bench {
            command.args(["--features", "bench"]);
        }
        succeed(&mut command);
        self.place()
    }

    /// Where the ELF file is once it has been built.
    pub fn place(self) -> PathBuf {
        let folder = self.folder().join(self.target).join("release");
        folder.join(self.program)
    }

    // A folder for each kind, so that they do not take turns in one.
    fn folder(self) -> PathBuf {
        let kind = if self.bench { "bench" } else { "shipped" };
        workspace().join("target").join(kind)
    }
}

/// A release build of the package in that folder, whose configuration of cargo names the compiler
/// and the linker.
pub fn cargo(package: &str, target: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(workspace().join(package))
        .args([
            "build",
            "--locked",
            "--quiet",
            "--release",
            "--target",
            target,
            "--target-dir",
        ])
        .arg(folder);
    // What cargo and rustup have set for this process is for the host's compiler.
    for name in [
        "RUSTC",
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_TARGET_DIR",
        "RUSTC_WRAPPER",
    ] {
        command.env_remove(name);
    }
    command
}

/// Runs it to its end.
pub fn succeed(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    assert!(
        output.status.success(),
        "{command:?} has failed (core/relay-box/setup prepares the machine):\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
