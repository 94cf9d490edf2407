//! The crates, as cargo packs them.

use std::fs;
use std::path::Path;

use lvmbeat::VERSION;
use lvmbeat_tests::process::{Launch, said};
use lvmbeat_tests::project;
use lvmbeat_tests::scratch::Scratch;

const CRATES: [&str; 3] = ["lvmbeat-core", "lvmbeat-client", "lvmbeat"];

/// All Rust files below.
fn sources(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|is| is == "rs") {
            found.push(path);
        }
    }
}

#[tokio::test]
async fn each_crate_is_packed_with_all_that_it_includes_and_says_what_it_is() {
    let folder = Scratch::new();
    let packages = CRATES.iter().flat_map(|name| ["-p", name]);
    let pack = Launch::other("cargo".into())
        .args([
            "package",
            "--quiet",
            "--locked",
            "--offline",
            "--no-verify",
            "--allow-dirty",
        ])
        .args(["--manifest-path".into(), project("Cargo.toml")])
        .args(["--target-dir".as_ref(), folder.path()])
        .args(packages);
    said(pack).await;
    for name in CRATES {
        let packed = folder
            .path()
            .join(format!("package/{name}-{VERSION}.crate"));
        let tar = Launch::other("tar".into()).args([
            "-C".as_ref(),
            folder.path(),
            "-xf".as_ref(),
            &packed,
        ]);
        said(tar).await;
        let root = folder.path().join(format!("{name}-{VERSION}"));
        for file in ["README.md", "LICENSE.md"] {
            let is = fs::read(root.join(file)).unwrap();
            assert!(is == fs::read(project(file)).unwrap(), "{name}: {file}");
        }
        let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
        for key in [
            "description",
            "license",
            "repository",
            "keywords",
            "categories",
            "readme",
            "rust-version",
        ] {
            assert!(
                manifest.contains(&format!("\n{key} = ")),
                "{name}: no {key}"
            );
        }
        let mut files = Vec::new();
        sources(&root.join("src"), &mut files);
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            for included in text.split("include_str!(\"").skip(1) {
                let (path, _) = included.split_once('"').unwrap();
                let there = file.parent().unwrap().join(path).exists();
                assert!(there, "{}: no {path}", file.display());
            }
        }
    }
}
