//! `config/kubernetes`: what would be applied is valid, fits together, and runs the programs as
//! they are meant to be run.

use std::collections::BTreeSet;

use lvmbeat_tests::process::{Launch, TOOL};
use lvmbeat_tests::scratch::Scratch;
use serde_json::{Value, json};

use super::built;

const ACTOR: &str = "base/actor";
const MONITOR: &str = "base/monitor";
const STAGING: &str = "staging";

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let kinds = documents.iter().filter(|document| document["kind"] == kind);
    kinds.collect()
}

#[expect(clippy::panic, reason = "what is not there fails the test")]
fn named<'a>(documents: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = of_kind(documents, kind).into_iter();
    let mut found = found.filter(|document| document["metadata"]["name"] == name);
    found.next().unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// All pods, by the workload that makes them.
fn pods(documents: &[Value]) -> Vec<(&str, &Value)> {
    let kinds = ["Deployment", "StatefulSet"].into_iter();
    let workloads = kinds.flat_map(|kind| of_kind(documents, kind));
    workloads
        .map(|workload| {
            let name = workload["metadata"]["name"].as_str().unwrap();
            (name, &workload["spec"]["template"])
        })
        .collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn is_selected(selector: &Value, pod: &Value) -> bool {
    let wanted = selector["matchLabels"].as_object().unwrap();
    let labels = &pod["metadata"]["labels"];
    wanted.iter().all(|(label, value)| labels[label] == *value)
}

#[tokio::test]
async fn x1_every_pod_has_no_rights_and_its_secrets_are_files() {
    for folder in [ACTOR, MONITOR, STAGING] {
        let documents = built(folder).await;
        for (name, pod) in pods(&documents) {
            let spec = &pod["spec"];
            assert_eq!(spec["automountServiceAccountToken"], false, "{name}");
            for container in list(&spec["containers"]) {
                let rights = &container["securityContext"];
                assert_eq!(rights["allowPrivilegeEscalation"], false, "{name}");
                for variable in list(&container["env"]) {
                    let secret = &variable["valueFrom"]["secretKeyRef"];
                    assert!(secret.is_null(), "{name}: {variable}");
                }
                // Not ours, and in staging only.
                if name == "broker" {
                    continue;
                }
                assert_eq!(rights["readOnlyRootFilesystem"], true, "{name}");
                assert_eq!(rights["capabilities"], json!({"drop": ["ALL"]}), "{name}");
                let user = &spec["securityContext"];
                assert_eq!(user["runAsUser"], 65532, "{name}");
                assert_eq!(user["runAsNonRoot"], true, "{name}");
            }
        }
    }
}

/// A stand-by actor is not ready by `/readyz`: as a probe that would stop every update.
#[tokio::test]
async fn l1_an_update_of_the_actors_passes_although_only_one_is_active() {
    for folder in [ACTOR, STAGING] {
        let documents = built(folder).await;
        let deployment = named(&documents, "Deployment", "lvmbeat-actor");
        let spec = &deployment["spec"];
        assert_eq!(spec["replicas"], 2);
        let update = &spec["strategy"]["rollingUpdate"];
        assert_eq!(*update, json!({"maxSurge": 1, "maxUnavailable": 0}));
        // The PLC's time, so that it gets heartbeats between two take-overs.
        assert!(spec["minReadySeconds"].as_u64() >= Some(60));
        let container = &spec["template"]["spec"]["containers"][0];
        for probe in ["readinessProbe", "livenessProbe"] {
            assert_eq!(container[probe]["httpGet"]["path"], "/healthz", "{probe}");
        }
        // Throttled, it would be inattentive.
        let limits = container["resources"]["limits"].as_object().unwrap();
        assert_eq!(limits.keys().collect::<Vec<_>>(), ["memory"]);
    }
}

#[tokio::test]
async fn m4_there_is_one_monitor_and_its_state_stays() {
    for folder in [MONITOR, STAGING] {
        let documents = built(folder).await;
        let monitor = named(&documents, "StatefulSet", "lvmbeat-monitor");
        assert_eq!(monitor["spec"]["replicas"], 1);
        let claim = &monitor["spec"]["volumeClaimTemplates"][0];
        assert_eq!(claim["metadata"]["name"], "state");
        let config = config_of(&documents, "lvmbeat-monitor");
        assert!(config.contains("state_file: /data/state.json"), "{config}");
        let mounts = &monitor["spec"]["template"]["spec"]["containers"][0]["volumeMounts"];
        let state = json!({"name": "state", "mountPath": "/data"});
        assert!(list(mounts).contains(&state), "{mounts}");
    }
}

/// Ports, labels, configurations and secrets that are named are there.
#[tokio::test]
async fn what_refers_to_something_finds_it() {
    for folder in [ACTOR, MONITOR, STAGING] {
        let documents = built(folder).await;
        let pods = pods(&documents);
        let selectors = [
            ("Service", "/spec"),
            ("NetworkPolicy", "/spec/podSelector"),
            ("PodDisruptionBudget", "/spec/selector"),
            ("PodMonitor", "/spec/selector"),
        ];
        for (kind, at) in selectors {
            for document in of_kind(&documents, kind) {
                let selector = document.pointer(at).unwrap();
                let selector = match kind {
                    "Service" => json!({"matchLabels": selector["selector"]}),
                    _ => selector.clone(),
                };
                let mut selected = pods.iter().filter(|(_, pod)| is_selected(&selector, pod));
                let Some((name, pod)) = selected.next() else {
                    panic!("{folder}: {kind} selects nothing: {selector}")
                };
                let text = document.to_string();
                if text.contains("\"http\"") {
                    let ports = &pod["spec"]["containers"][0]["ports"];
                    let named = list(ports).iter().any(|port| port["name"] == "http");
                    assert!(named, "{folder}: {name} has no port http");
                }
            }
        }
        for (name, pod) in &pods {
            for volume in list(&pod["spec"]["volumes"]) {
                if let Some(config) = volume["configMap"]["name"].as_str() {
                    named(&documents, "ConfigMap", config);
                }
                let secret = volume["secret"]["secretName"].as_str();
                match secret {
                    Some(secret) if folder == STAGING => {
                        named(&documents, "Secret", secret);
                    }
                    // Made by the operator, as config/DEPLOY.md says.
                    Some(secret) => assert_eq!(secret, *name),
                    None => {}
                }
            }
        }
    }
}

fn config_of<'a>(documents: &'a [Value], name: &str) -> &'a str {
    let maps = of_kind(documents, "ConfigMap").into_iter();
    let mut maps = maps.filter(|map| {
        let full = map["metadata"]["name"].as_str().unwrap();
        full.starts_with(&format!("{name}-"))
    });
    maps.next().unwrap()["data"]["config.yaml"]
        .as_str()
        .unwrap()
}

/// The programs themselves accept what they get, with the secrets that are mounted.
#[tokio::test]
async fn each_configuration_is_valid_with_its_secrets() {
    let secrets = Scratch::new();
    for secret in ["ping-token", "admin-token", "email-password"] {
        secrets.write(secret, "only-for-this-test");
    }
    secrets.write("amqp-url", "amqp://user:only-for-this-test@broker:5672/");
    let mounted = secrets.path().display().to_string();
    let mut checked = BTreeSet::new();
    for folder in [ACTOR, MONITOR, STAGING] {
        let documents = built(folder).await;
        for (name, pod) in pods(&documents) {
            if !["lvmbeat-actor", "lvmbeat-monitor"].contains(&name) {
                continue;
            }
            let config = config_of(&documents, name).replace("/run/secrets/lvmbeat", &mounted);
            let file = secrets.write("config.yaml", &config);
            let mut check = Launch::lvmbeat(["check", "-c"]).args([file]);
            for variable in list(&pod["spec"]["containers"][0]["env"]) {
                let [name, value] = ["name", "value"].map(|key| variable[key].as_str().unwrap());
                if name != "LVMBEAT_CONFIG_FILE" {
                    check = check.env(name, value.replace("/run/secrets/lvmbeat", &mounted));
                }
            }
            let done = check.finish(TOOL).await;
            assert_eq!(done.code(), Some(0), "{folder} {name}: {done:?}");
            assert!(!done.stdout.contains("only-for-this-test"), "X1");
            checked.insert((folder, name.to_owned()));
        }
    }
    assert_eq!(checked.len(), 4);
}

#[tokio::test]
async fn staging_has_its_own_broker_and_touches_nothing_else() {
    let documents = built(STAGING).await;
    for document in &documents {
        if document["kind"] != "Namespace" {
            let namespace = &document["metadata"]["namespace"];
            assert_eq!(*namespace, "lvmbeat-staging", "{document}");
        }
    }
    // Secrets are in base64.
    let url = "YW1xcDovL2d1ZXN0Omd1ZXN0QGJyb2tlcjo1NjcyLw==";
    for secret in of_kind(&documents, "Secret") {
        let urls = ["amqp-url", "ecp-url"].map(|key| &secret["data"][key]);
        assert!(
            urls.iter().all(|is| is.is_null() || **is == url),
            "{secret}"
        );
    }
    named(&documents, "Service", "broker");
    let configs = ["lvmbeat-actor", "lvmbeat-monitor"].map(|name| config_of(&documents, name));
    assert!(
        configs.iter().all(|config| !config.contains("example.org")),
        "{configs:?}"
    );
}
