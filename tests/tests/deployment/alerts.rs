//! The alerts, as Prometheus's own tool sees them: each fires when it should, and only then.

use std::collections::BTreeMap;
use std::fs;

use lvmbeat_tests::process::{Launch, said};
use lvmbeat_tests::project;
use lvmbeat_tests::scratch::Scratch;
use serde_json::{Value, json};

use super::documents;

const CASES: &str = "tests/tests/deployment/alerts.yaml";

#[tokio::test]
async fn each_alert_fires_and_does_not_fire_where_it_should() {
    let scratch = Scratch::new();
    let mut alerts = BTreeMap::new();
    for part in ["actor", "monitor"] {
        let rules = project(&format!("config/kubernetes/base/{part}/rules.yaml"));
        let rules = documents("-", &rules).await.remove(0);
        let groups = &rules["spec"]["groups"];
        for rule in groups[0]["rules"].as_array().unwrap() {
            let name = rule["alert"].as_str().unwrap();
            alerts.insert(name.to_owned(), [false; 2]);
            let annotations = ["summary", "description"].map(|it| &rule["annotations"][it]);
            assert!(annotations.iter().all(|it| it.is_string()), "{rule}");
        }
        let file = format!("{part}.yaml");
        scratch.write(&file, &json!({"groups": groups}).to_string());
        said(promtool(&scratch, ["check", "rules", &file])).await;
    }
    let cases = project(CASES);
    for case in documents("-", &cases).await[0]["tests"].as_array().unwrap() {
        let tested = &case["alert_rule_test"][0];
        let fires = tested["exp_alerts"] != Value::Array(Vec::new());
        let alert = alerts.get_mut(tested["alertname"].as_str().unwrap());
        alert.unwrap()[usize::from(fires)] = true;
    }
    let untested = alerts.iter().filter(|(_, tested)| **tested != [true; 2]);
    assert_eq!(untested.collect::<Vec<_>>(), []);
    scratch.write("cases.yaml", &fs::read_to_string(cases).unwrap());
    said(promtool(&scratch, ["test", "rules", "cases.yaml"])).await;
}

fn promtool(folder: &Scratch, [what, of, file]: [&str; 3]) -> Launch {
    let file = folder.path().join(file);
    Launch::other("/usr/bin/promtool".into())
        .args([what, of])
        .args([file])
}
