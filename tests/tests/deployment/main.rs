//! What is deployed besides the programs: Kubernetes, alerts, workflows.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

mod alerts;
mod dashboard;
mod doors;
mod kubernetes;
mod workflows;

use std::path::{Path, PathBuf};

use lvmbeat_tests::process::{Launch, said};
use lvmbeat_tests::scratch::Scratch;
use lvmbeat_tests::{project, python};
use serde_json::Value;

/// A tool that `tests/run` has installed.
fn tool(path: &str) -> PathBuf {
    let tool = project("tests/deployment/node_modules").join(path);
    assert!(tool.exists(), "no {path}; tests/run installs it");
    tool
}

/// The documents of a YAML file, valid in that version of Kubernetes, if one is named.
async fn documents(version: &str, file: &Path) -> Vec<Value> {
    let arguments = [version.as_ref(), file.as_os_str()];
    let lines = said(python::script("kubernetes.py", arguments)).await;
    let documents = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    documents.collect()
}

/// What would be applied: the tool of Kubernetes builds it.
async fn built(folder: &str) -> Vec<Value> {
    let folder = project("config/kubernetes").join(folder);
    let kubectl = Launch::other(tool("kubectl/kubectl"));
    let yaml = said(kubectl.args(["kustomize".as_ref(), folder.as_os_str()])).await;
    let scratch = Scratch::new();
    documents("1.33", &scratch.write("built.yaml", &yaml)).await
}
