//! The dashboard is what its list makes of it. Whether its metrics exist, a test beside them says.

use std::fs;

use lvmbeat_tests::process::{Launch, said};
use lvmbeat_tests::project;
use lvmbeat_tests::scratch::Scratch;
use serde_json::{Value, json};

const FILE: &str = "config/grafana/dashboard.json";

#[tokio::test]
async fn the_dashboard_is_made_of_its_list() {
    let made = said(Launch::program("dashboard", [""; 0])).await;
    let file = fs::read_to_string(project(FILE)).unwrap();
    assert_eq!(
        file, made,
        "cargo run -p lvmbeat-tests --bin dashboard >{FILE}"
    );
}

/// Each query as a rule, which promtool understands as Prometheus does.
#[tokio::test]
async fn prometheus_understands_each_query() {
    let file = fs::read_to_string(project(FILE)).unwrap();
    let dashboard: Value = serde_json::from_str(&file).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let rules: Vec<_> = targets
        .zip(0..)
        .map(|(target, number)| json!({"record": format!("q{number}"), "expr": target["expr"]}))
        .collect();
    assert!(rules.len() > 10);
    let scratch = Scratch::new();
    let rules = json!({"groups": [{"name": "queries", "rules": rules}]});
    let file = scratch.write("rules.yaml", &rules.to_string());
    let promtool = Launch::other("/usr/bin/promtool".into()).args(["check", "rules"]);
    said(promtool.args([file])).await;
}
