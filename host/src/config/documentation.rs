//! `config/SETTINGS.md` lists every setting, its defaults are the real ones, and what it says that
//! `check` prints is what `check` prints.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_yaml::{Mapping, Value};

use super::monitor::Monitor;
use super::monitor::raw::{RawEmail, RawMonitor, RawQuiet, RawSlack, RawWebhook};
use super::raw::{InOrder, RawConfig, RawEmit, RawHeartbeat, RawNetwork, RawSerial};
use super::*;

const SETTINGS: &str = include_str!("../../../config/SETTINGS.md");
const EXAMPLES: [&str; 11] = [
    include_str!("../../../README.md"),
    include_str!("../../../CLIENTS.md"),
    include_str!("../../../CONTRIBUTING.md"),
    include_str!("../../../config/DEPLOY.md"),
    include_str!("../../../config/compose.yaml"),
    include_str!("../../../config/kubernetes/base/actor/deployment.yaml"),
    include_str!("../../../config/kubernetes/base/monitor/stateful-set.yaml"),
    include_str!("../../../config/systemd/config.yaml"),
    include_str!("../../../config/systemd/lvmbeat-actor.service"),
    include_str!("../../../config/systemd/lvmbeat-monitor.service"),
    include_str!("../../../config/systemd/lvmbeat-sim.service"),
];
const CONTAINERFILE: &str = include_str!("../../../config/containers/Containerfile");
/// Those that libraries read.
const OTHERS_VARIABLES: [&str; 2] = ["RUST_LOG", "SSL_CERT_FILE"];

/// Key, variable and default, where there is one each.
fn table() -> Vec<[Option<String>; 3]> {
    let rows = SETTINGS.lines().filter(|line| line.starts_with("| "));
    rows.skip(1)
        .map(|row| {
            let mut cells = row.trim_start_matches('|').split('|').map(str::trim);
            std::array::from_fn(|_| {
                let cell = cells.next().unwrap();
                let code = cell.strip_prefix('`')?.strip_suffix('`')?;
                Some(code.to_owned())
            })
        })
        .collect()
}

/// The path of every leaf of a value, as `a.b` or `a[].b`.
fn keys(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Mapping(mapping) if path != "network.hosts" => {
            for (key, value) in mapping {
                let key = key.as_str().unwrap();
                let dot = if path.is_empty() { "" } else { "." };
                keys(value, &format!("{path}{dot}{key}"), found);
            }
        }
        Value::Sequence(values) if values.iter().any(Value::is_mapping) => {
            for value in values {
                keys(value, &format!("{path}[]"), found);
            }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Sequence(_)
        | Value::Mapping(_)
        | Value::Tagged(_) => {
            found.insert(path.to_owned());
        }
    }
}

#[test]
fn every_key_is_listed_and_no_other() {
    let raw = RawConfig {
        heartbeats: Some(vec![RawHeartbeat::default()]),
        emit: Some(RawEmit {
            serial: Some(RawSerial::default()),
        }),
        network: RawNetwork {
            hosts: Some(InOrder(Vec::new())),
            ..RawNetwork::default()
        },
        monitor: RawMonitor {
            email: Some(RawEmail::default()),
            slack: Some(RawSlack::default()),
            webhooks: Some(vec![RawWebhook::default()]),
            quiet: Some(vec![RawQuiet::default()]),
            ..RawMonitor::default()
        },
        ..RawConfig::default()
    };
    let mut known = BTreeSet::new();
    keys(&serde_yaml::to_value(raw).unwrap(), "", &mut known);
    let documented: BTreeSet<_> = table().into_iter().filter_map(|[key, ..]| key).collect();
    assert_eq!(documented, known);
}

/// All variables that have an effect.
fn variables() -> BTreeSet<String> {
    let others = environment::OTHER_VARIABLES.into_iter();
    let ours = environment::VARIABLES.into_iter().chain(others);
    ours.chain(OTHERS_VARIABLES).map(str::to_owned).collect()
}

#[test]
fn every_variable_of_the_code_is_read() {
    let asked = RefCell::new(BTreeSet::new());
    let environment = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        // The webhook's token is read only if there is a webhook.
        (name == "LVMBEAT_WEBHOOK_URL").then(|| "http://localhost".to_owned())
    };
    Config::parse("", "", &environment).unwrap();
    Monitor::parse("", "", &environment).unwrap();
    let unread = environment::VARIABLES.map(str::to_owned);
    let unread: Vec<_> = unread
        .iter()
        .filter(|name| !asked.borrow().contains(*name))
        .collect();
    assert!(unread.is_empty(), "{unread:?}");
}

#[test]
fn every_variable_is_listed_and_no_other() {
    let documented: BTreeSet<_> = table()
        .into_iter()
        .filter_map(|[_, variable, _]| variable)
        .collect();
    assert_eq!(documented, variables());
}

#[test]
fn no_example_names_a_variable_that_does_not_exist() {
    let known = variables();
    for text in EXAMPLES
        .into_iter()
        .chain([SETTINGS, CONTAINERFILE, BUILT_IN])
    {
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        for name in words.filter(|word| word.starts_with("LVMBEAT_")) {
            let name = name
                .strip_suffix("_FILE")
                .filter(|name| known.contains(*name))
                .unwrap_or(name);
            assert!(
                known.contains(name)
                    || name.starts_with("LVMBEAT_TEST_")
                    || name == "LVMBEAT_COMMIT",
                "{name}"
            );
        }
    }
}

#[test]
fn the_listed_defaults_are_in_force_without_a_file() {
    let mut documented = Mapping::new();
    for [key, _, default] in table() {
        let (Some(key), Some(default)) = (key, default) else {
            continue;
        };
        let mut at = &mut documented;
        let mut names = key.split('.').peekable();
        while let Some(name) = names.next() {
            let (name, in_list) = name
                .strip_suffix("[]")
                .map_or((name, false), |name| (name, true));
            let entry = at.entry(name.into());
            if names.peek().is_none() {
                entry.or_insert(serde_yaml::from_str(&default).unwrap());
                break;
            }
            let mut inner = entry.or_insert_with(|| {
                let mapping = Value::Mapping(Mapping::new());
                if in_list {
                    Value::Sequence(vec![mapping])
                } else {
                    mapping
                }
            });
            if in_list {
                inner = &mut inner[0];
            }
            at = inner.as_mapping_mut().unwrap();
        }
    }
    let text = serde_yaml::to_string(&documented).unwrap();
    // Slack's settings are shown only with a token.
    let environment = |name: &str| (name == "SLACK_API_TOKEN").then(|| "xoxb".to_owned());
    let effective = |text: &str| {
        let config = Config::parse("", text, &environment).unwrap();
        let monitor = Monitor::parse("", text, &environment).unwrap();
        config.effective(&monitor)
    };
    assert_eq!(effective(&text), effective(""));
    assert!(
        text.contains("cutoff: 10") && text.contains("mention: <!here>"),
        "{text}"
    );
}

#[test]
fn the_budget_that_it_shows_is_the_one_that_check_prints() {
    let (_, shown) = SETTINGS.split_once("```\n").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    let config = Config::parse("", "", &|_| None).unwrap();
    assert_eq!(shown, config.budget_report());
}
