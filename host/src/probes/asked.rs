//! For tests: the metrics that the alerts and the dashboard ask for.

use std::collections::BTreeSet;

const ASKING: [&str; 3] = [
    include_str!("../../../config/kubernetes/base/actor/rules.yaml"),
    include_str!("../../../config/kubernetes/base/monitor/rules.yaml"),
    include_str!("../../../config/grafana/dashboard.json"),
];

/// Those of the monitor, or those of the actor.
fn asked_for(of_monitor: bool) -> BTreeSet<&'static str> {
    let words = ASKING
        .into_iter()
        .flat_map(|text| text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')));
    let metrics = words.filter(|word| word.starts_with("lvmbeat_"));
    metrics
        .filter(|metric| metric.starts_with("lvmbeat_monitor_") == of_monitor)
        .collect()
}

/// Checks that all of them are among what a program serves.
pub(crate) fn all_are_in(metrics: &str, of_monitor: bool) {
    let asked = asked_for(of_monitor);
    assert!(asked.len() >= 7, "{asked:?}");
    let served: BTreeSet<_> = metrics
        .lines()
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let missing: Vec<_> = asked.difference(&served).collect();
    assert!(missing.is_empty(), "not served: {missing:?}");
}

/// The values of a label that are asked for by this metric.
pub(crate) fn states(metric: &str) -> BTreeSet<&'static str> {
    let quoted = |text: &'static str| text.split(['"', '\\']).next().unwrap_or_default();
    let begins = format!("{metric}{{state=");
    ASKING
        .into_iter()
        .flat_map(|text| text.split(begins.as_str()).skip(1))
        .flat_map(|rest| {
            let value = rest.trim_start_matches(['~', '\\', '"']);
            quoted(value).split('|')
        })
        .collect()
}
