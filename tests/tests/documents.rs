//! The documents are true where a machine can tell: links lead somewhere, named paths exist, and
//! every promise has tests.

#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

const FOLDERS: [&str; 5] = ["config", "core", "host", "sim", "tests"];
/// Nothing in these is ours.
const FOREIGN: [&str; 4] = [".cache", ".venv", "node_modules", "target"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// All files with that extension, the project's own alone, by their path in the repository.
fn files(extension: &str) -> BTreeMap<PathBuf, String> {
    let ours = |path: &Path| path.extension().is_some_and(|found| found == extension);
    let mut found = BTreeMap::new();
    let mut folders: Vec<PathBuf> = FOLDERS.map(|folder| root().join(folder)).into();
    for entry in fs::read_dir(root()).unwrap() {
        let path = entry.unwrap().path();
        if ours(&path) {
            found.insert(inside(&path), fs::read_to_string(&path).unwrap());
        }
    }
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                if !FOREIGN.contains(&entry.file_name().to_str().unwrap()) {
                    folders.push(path);
                }
            } else if ours(&path) {
                found.insert(inside(&path), fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

fn inside(path: &Path) -> PathBuf {
    path.strip_prefix(root()).unwrap().to_owned()
}

/// The lines outside of code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut in_block = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        in_block ^= fence;
        !in_block && !fence
    })
}

/// What GitHub makes of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        _ => c.is_alphanumeric().then_some(c),
    });
    kept.flat_map(char::to_lowercase).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    prose(text)
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#'))
        .map(anchor)
        .collect()
}

/// The targets of all links and pictures.
fn links(text: &str) -> Vec<String> {
    let text: Vec<_> = prose(text).collect();
    let text = text.join("\n");
    let targets = text.split("](").skip(1);
    targets
        .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
        .collect()
}

/// Resolves `..` without asking the disk.
fn normal(path: &Path) -> PathBuf {
    let mut found = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            assert!(found.pop(), "{} leaves the repository", path.display());
        } else {
            found.push(part);
        }
    }
    found
}

#[test]
fn every_link_leads_somewhere() {
    let documents = files("md");
    let mut broken = Vec::new();
    let mut seen = 0;
    for (document, text) in &documents {
        for link in links(text) {
            if link.contains("://") {
                continue;
            }
            seen += 1;
            let (file, fragment) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() {
                document.clone()
            } else {
                normal(&document.parent().unwrap().join(file))
            };
            let leads = root().join(&target).exists()
                && (fragment.is_empty()
                    || documents
                        .get(&target)
                        .is_some_and(|text| anchors(text).contains(fragment)));
            if !leads {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(seen > 30, "only {seen} links were found");
    assert!(broken.is_empty(), "{broken:#?}");
}

/// A path in backquotes, as far as it is one: `host/src/peer` stands for `host/src/peer.rs`, too.
fn exists(path: &str) -> bool {
    [path.to_owned(), format!("{path}.rs")]
        .iter()
        .any(|path| root().join(path).exists())
}

#[test]
fn every_path_that_is_named_exists() {
    let mut missing = Vec::new();
    let mut seen = 0;
    for (document, text) in files("md") {
        // A changelog names what was.
        if document == Path::new("CHANGELOG.md") {
            continue;
        }
        for line in prose(&text) {
            for code in line.split('`').skip(1).step_by(2) {
                let is_path = FOLDERS
                    .iter()
                    .any(|folder| code.starts_with(&format!("{folder}/")))
                    && !code.contains([' ', '*', '<']);
                seen += usize::from(is_path);
                if is_path && !exists(code) {
                    missing.push(format!("{}: {code}", document.display()));
                }
            }
        }
    }
    assert!(seen > 50, "only {seen} paths were found");
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_promise_stands_in_the_readme_alone_and_has_a_test_of_its_name() {
    let documents = files("md");
    let rows = |text: &str| -> Vec<String> {
        prose(text)
            .filter_map(|line| line.strip_prefix("| ")?.split_once(" | **"))
            .map(|(name, _)| name.to_owned())
            .collect()
    };
    let promises = rows(&documents[Path::new("README.md")]);
    let names = "S1 S2 S3 S4 S5 S6 L1 M1 M2 M3 M4 X1 X2";
    assert_eq!(promises.join(" "), names);
    for (document, text) in &documents {
        let again = rows(text).into_iter().any(|name| promises.contains(&name));
        assert!(
            !again || document == Path::new("README.md"),
            "{}",
            document.display()
        );
    }
    let code: String = files("rs").into_values().collect();
    for promise in &promises {
        let test = format!("fn {}_", promise.to_lowercase());
        assert!(code.contains(&test), "no test is called {test}…");
    }
}

#[test]
fn the_readme_says_how_to_try_and_how_to_test() {
    let readme = &files("md")[Path::new("README.md")];
    for command in ["cargo run -p sim -- demo", "tests/run"] {
        let in_block = readme.split("```sh\n").skip(1).any(|block| {
            let (block, _) = block.split_once("```").unwrap();
            block
                .lines()
                .any(|line| line.split("  #").next().unwrap().trim() == command)
        });
        assert!(in_block, "{command}");
    }
}
