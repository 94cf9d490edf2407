//! Python programs: the real CLU, the real pymodbus.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::process::Launch;

/// A script of `tests/python`, to be started.
///
/// # Panics
/// If there is no Python with what the scripts require.
pub fn script<S: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = S>) -> Launch {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = tests.join("python").join(name);
    assert!(script.is_file(), "{} is missing", script.display());
    Launch::other(interpreter(tests))
        .args([&script])
        .args(arguments)
        .env("PYTHONUNBUFFERED", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
}

fn interpreter(tests: &Path) -> PathBuf {
    let python = match std::env::var_os("LVMBEAT_TEST_PYTHON") {
        Some(python) if !python.is_empty() => python.into(),
        _ => tests.join(".venv/bin/python"),
    };
    assert!(
        python.is_file(),
        "no Python at {}; tests/run installs it, with the packages that the tests need",
        python.display()
    );
    python
}
