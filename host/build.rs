//! Tells a program which commit it is made of, and of when that is, for `--version`.
//!
//! git knows both. Where it does not, because an archive is built for instance, `LVMBEAT_COMMIT`
//! and `SOURCE_DATE_EPOCH` (seconds since 1970) say it, which win over git. Otherwise both are
//! unknown.

use std::env;
use std::path::Path;
use std::process::Command;

/// What a program is made of, from this folder. Another file of the project is not in it.
const SOURCES: [&str; 9] = [
    "build.rs",
    "src",
    "Cargo.toml",
    "../core/src",
    "../host/src",
    "../host/client/src",
    "../config/config.yaml",
    "../Cargo.toml",
    "../Cargo.lock",
];

fn main() -> Result<(), String> {
    let sources = SOURCES.iter().filter(|path| Path::new(path).exists());
    let sources: Vec<&str> = sources.copied().collect();
    println!("cargo::rerun-if-env-changed=LVMBEAT_COMMIT");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    for path in &sources {
        println!("cargo::rerun-if-changed={path}");
    }
    let (mut commit, mut seconds) = of_git(&sources).unwrap_or_default();
    if let Some(given) = given("LVMBEAT_COMMIT", |c| {
        c.is_ascii_alphanumeric() || "+-.".contains(c)
    })? {
        (commit, seconds) = (given, String::new());
    }
    if let Some(given) = given("SOURCE_DATE_EPOCH", |c| c.is_ascii_digit())? {
        seconds = given;
    }
    println!("cargo::rustc-env=BUILD_COMMIT={commit}");
    println!("cargo::rustc-env=BUILD_SECONDS={seconds}");
    Ok(())
}

/// A variable that is set and not empty.
fn given(name: &str, allowed: fn(char) -> bool) -> Result<Option<String>, String> {
    let value = env::var(name).unwrap_or_default();
    if value.len() > 64 || !value.chars().all(allowed) {
        return Err(format!(
            "{name} has to be a commit's id or its seconds since 1970"
        ));
    }
    Ok((!value.is_empty()).then_some(value))
}

/// The commit, marked if anything has been changed since, and its seconds since 1970.
fn of_git(sources: &[&str]) -> Option<(String, String)> {
    // Written whenever the commit changes, and by nothing else. There may be none.
    let moves = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    let references = ["HEAD", "packed-refs", "refs/heads"]
        .map(|name| git(&["rev-parse", "--git-path", name]).unwrap_or_default());
    let watched = if Path::new(&moves).exists() {
        &[moves][..]
    } else {
        &references
    };
    for path in watched.iter().filter(|path| Path::new(path).exists()) {
        println!("cargo::rerun-if-changed={path}");
    }
    // The repository around a copy of the sources is another one.
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    let mut commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changes = git(&[&["status", "--porcelain", "--"], sources].concat())?;
    if !changes.is_empty() {
        commit += "+changes";
    }
    Some((commit, git(&["log", "-1", "--format=%ct"])?))
}

/// What git says, if it can.
fn git(arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    // A hook has set these for its own repository.
    for variable in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"] {
        git.env_remove(variable);
    }
    let done = git
        .arg("--no-optional-locks")
        .args(arguments)
        .output()
        .ok()?;
    let said = String::from_utf8(done.stdout).ok()?;
    done.status.success().then(|| said.trim().to_owned())
}
