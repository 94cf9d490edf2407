//! The version: one, with the commit that was built.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use lvmbeat::VERSION;
use lvmbeat_tests::process::{Launch, TOOL, said};
use lvmbeat_tests::project;
use lvmbeat_tests::scratch::Scratch;
use regex::Regex;

/// A day in seconds since 1970, and as it is shown.
const DAY: (&str, &str) = ("1795824000", "2026-11-28");

/// The build script of the programs, in a folder of its own.
struct Build {
    folder: Scratch,
}

impl Build {
    async fn compile() -> Self {
        let folder = Scratch::new();
        let rustc = Launch::other("rustc".into())
            .args(["--edition=2024", "-o"])
            .args([folder.path().join("build"), project("host/build.rs")]);
        said(rustc).await;
        fs::create_dir(folder.path().join("host")).unwrap();
        for name in ["build.rs", "Cargo.toml"] {
            fs::write(folder.path().join("host").join(name), "").unwrap();
        }
        Self { folder }
    }

    fn host(&self) -> PathBuf {
        self.folder.path().join("host")
    }

    fn launch(&self, program: impl Into<PathBuf>) -> Launch {
        let script = r#"cd "$1"; shift; exec "$@""#;
        Launch::other("/bin/sh".into())
            .args(["-euc", script, "sh"])
            .args([self.host(), program.into()])
            // Nothing around this folder is its repository, and no settings are the user's.
            .env(
                "GIT_CEILING_DIRECTORIES",
                self.folder.path().parent().unwrap(),
            )
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_COMMITTER_DATE", format!("@{} +0000", DAY.0))
    }

    async fn git(&self, arguments: &[&str]) -> String {
        let ident = ["-c", "user.name=a", "-c", "user.email=a@b"];
        let git = self.launch("git").args(ident).args(arguments);
        said(git).await.trim().to_owned()
    }

    /// What it says with these variables.
    async fn run(&self, variables: &[(&str, &str)]) -> Vec<String> {
        let mut launch = self.launch(self.folder.path().join("build"));
        for (name, value) in [("LVMBEAT_COMMIT", ""), ("SOURCE_DATE_EPOCH", "")] {
            launch = launch.env(name, value);
        }
        for (name, value) in variables {
            launch = launch.env(name, value);
        }
        said(launch).await.lines().map(str::to_owned).collect()
    }

    /// The commit and the seconds that it has found.
    async fn finds(&self, variables: &[(&str, &str)]) -> (String, String) {
        let lines = self.run(variables).await;
        let value = |name: &str| {
            let start = format!("cargo::rustc-env={name}=");
            lines
                .iter()
                .find_map(|line| line.strip_prefix(&start))
                .unwrap()
                .to_owned()
        };
        (value("BUILD_COMMIT"), value("BUILD_SECONDS"))
    }

    /// What makes cargo ask again, if it changes.
    async fn watched(&self) -> BTreeSet<PathBuf> {
        let lines = self.run(&[]).await;
        let paths = lines
            .iter()
            .filter_map(|line| line.strip_prefix("cargo::rerun-if-changed="));
        paths.map(|path| self.host().join(path)).collect()
    }
}

fn owned(commit: &str, seconds: &str) -> (String, String) {
    (commit.to_owned(), seconds.to_owned())
}

#[tokio::test]
async fn the_build_finds_its_commit_and_whether_anything_was_changed_since() {
    let build = Build::compile().await;
    build.git(&["init", "-q", ".."]).await;
    build.git(&["add", "."]).await;
    build.git(&["commit", "-qm", "first"]).await;
    let commit = build.git(&["rev-parse", "--short=12", "HEAD"]).await;
    assert_eq!(build.finds(&[]).await, owned(&commit, DAY.0));
    fs::write(build.host().join("Cargo.toml"), "changed").unwrap();
    let changed = format!("{commit}+changes");
    assert_eq!(build.finds(&[]).await, owned(&changed, DAY.0));
    let given = [("LVMBEAT_COMMIT", "v1"), ("SOURCE_DATE_EPOCH", "7")];
    assert_eq!(build.finds(&given).await, owned("v1", "7"));
    // The date of one commit is not that of another.
    assert_eq!(build.finds(&given[..1]).await, owned("v1", ""));
}

#[tokio::test]
async fn a_build_without_git_knows_what_it_is_given_and_no_more() {
    let build = Build::compile().await;
    assert_eq!(build.finds(&[]).await, owned("", ""));
    let given = [("LVMBEAT_COMMIT", "0123abc"), ("SOURCE_DATE_EPOCH", DAY.0)];
    assert_eq!(build.finds(&given).await, owned("0123abc", DAY.0));
    // An archive in somebody else's repository is of no commit of that.
    build.git(&["init", "-q", ".."]).await;
    build
        .git(&["commit", "-q", "--allow-empty", "-m", "other"])
        .await;
    assert_eq!(build.finds(&[]).await, owned("", ""));
    for wrong in ["a b", "a\nb", &"a".repeat(65)] {
        let launch = build.launch(build.folder.path().join("build"));
        let finished = launch.env("LVMBEAT_COMMIT", wrong).finish(TOOL).await;
        assert_eq!(finished.code(), Some(1), "{wrong}: {finished:?}");
    }
}

/// Otherwise an old commit would be named, or every build would compile anew.
#[tokio::test]
async fn cargo_asks_again_after_each_commit_and_only_then() {
    let build = Build::compile().await;
    build.git(&["init", "-q", ".."]).await;
    build.git(&["add", "."]).await;
    build.git(&["commit", "-qm", "first"]).await;
    let read = |path: &Path| fs::read(path).unwrap_or_default();
    let contents =
        |paths: &BTreeSet<PathBuf>| -> Vec<_> { paths.iter().map(|path| read(path)).collect() };
    let watched = build.watched().await;
    // What does not exist always counts as changed.
    let missing: Vec<_> = watched.iter().filter(|path| !path.exists()).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let before = contents(&watched);
    build.git(&["status"]).await;
    build.git(&["pack-refs", "--all"]).await;
    assert_eq!(contents(&watched), before);
    build
        .git(&["commit", "-q", "--allow-empty", "-m", "second"])
        .await;
    assert_ne!(contents(&watched), before);
    let before = contents(&watched);
    build.git(&["switch", "-q", "--detach", "HEAD~"]).await;
    assert_ne!(contents(&watched), before);
}

#[tokio::test]
async fn both_programs_name_their_commit() {
    for program in ["lvmbeat", "sim"] {
        let short = said(Launch::program(program, ["-V"])).await;
        assert_eq!(short, format!("{program} {VERSION}\n"));
        let long = said(Launch::program(program, ["--version"])).await;
        let words = long.strip_prefix(&format!("{program} {VERSION} (commit "));
        let words = words.and_then(|words| words.strip_suffix(")\n")).unwrap();
        let git = Launch::other("git".into()).args([
            "-C".into(),
            project(""),
            "rev-parse".into(),
            "HEAD".into(),
        ]);
        if git.finish(TOOL).await.code() != Some(0) {
            assert_eq!(words, "unknown");
            continue;
        }
        let (commit, date) = words.split_once(", ").unwrap();
        let commit = commit.trim_end_matches("+changes");
        let git = Launch::other("git".into())
            .env("TZ", "UTC")
            .args(["-C".into(), project("")])
            .args(["log", "-1", "--date=short-local", "--format=%cd", commit]);
        assert_eq!(said(git).await.trim(), date, "{long}");
    }
}

/// The project's own files that may name a version, with their contents.
fn texts() -> Vec<(PathBuf, String)> {
    let mut folders = ["config", ".github"].map(project).to_vec();
    let mut files: Vec<_> = ["README.md", "CLIENTS.md", "SECURITY.md", "Cargo.toml"]
        .map(project)
        .to_vec();
    files.push(project("core/relay-box/Cargo.toml"));
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let list = if path.is_dir() {
                &mut folders
            } else {
                &mut files
            };
            list.push(path);
        }
    }
    // A picture is no text.
    let read = |path: PathBuf| fs::read_to_string(&path).ok().map(|text| (path, text));
    files.into_iter().filter_map(read).collect()
}

/// Cargo.toml has it; what cannot take it from there agrees.
#[test]
fn there_is_one_version() {
    let of_ours = Regex::new(
        r#"(?:lvmbeat[a-z-]*:|newTag: |^version = "|path = "(?:core|host|sim)[a-z/]*", version = ")v?(\d+\.\d+\.\d+)"#,
    )
    .unwrap();
    let mut named = 0;
    for (path, text) in texts() {
        for line in text.lines() {
            for found in of_ours.captures_iter(line) {
                assert_eq!(&found[1], VERSION, "{}: {line}", path.display());
                named += 1;
            }
        }
    }
    assert!(named > 8, "only {named} were found");
}

#[test]
fn the_changelog_has_one_entry_for_each_version_the_newest_first() {
    let text = fs::read_to_string(project("CHANGELOG.md")).unwrap();
    let entries: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    let number = |entry: &str| -> Vec<u32> {
        let version = entry.split(' ').next().unwrap();
        version
            .split('.')
            .map(|part| part.parse().unwrap())
            .collect()
    };
    // Until it is released, what changes is under no version.
    let released = entries.strip_prefix(&["Unreleased"]).unwrap_or(&entries);
    assert!(
        released.is_sorted_by(|newer, older| number(newer) > number(older)),
        "{entries:?}"
    );
    let newest = released
        .first()
        .map(|entry| entry.split(' ').next().unwrap());
    assert!(
        entries[0] == "Unreleased" || newest == Some(VERSION),
        "{entries:?}"
    );
}
