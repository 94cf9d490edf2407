//! Finds the programs that were built beside the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The program of that name.
///
/// # Panics
/// If it has not been built, or is older than its sources.
pub fn find(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    // target/PROFILE/deps/TEST, or target/PROFILE/PROGRAM for a program of this package.
    let program = test
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    let Some(program) = program else {
        panic!(
            "{name} has not been built; `cargo build --workspace` builds it, and tests/run does"
        );
    };
    if let Some(source) = newer_source(&program) {
        panic!(
            "{} is older than {}; `cargo build --workspace` builds it anew, and tests/run does",
            program.display(),
            source.display()
        );
    }
    program
}

/// A source that has been changed since: cargo lists them beside the program.
fn newer_source(program: &Path) -> Option<PathBuf> {
    let built = changed(program)?;
    let list = fs::read_to_string(program.with_extension("d")).ok()?;
    let sources = list.split_once(':')?.1.replace("\\ ", "\0");
    sources
        .split_whitespace()
        .map(|source| PathBuf::from(source.replace('\0', " ")))
        // The commit, for `--version`: another one is no other source.
        .filter(|source| !source.components().any(|part| part.as_os_str() == ".git"))
        .find(|source| changed(source).is_some_and(|changed| changed > built))
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}
