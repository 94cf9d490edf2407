//! What AMQP does not tell, and the broker's management API does: its version, its alarms, its
//! nodes, and the policies of the queues.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use serde_json::Value;

use super::finding::Finding;
use crate::cli::answer;
use crate::config::Config;
use crate::dial;
use crate::peer::{Secrets, shown, unescaped};

/// With fewer messages a burst of beats or replies is dropped.
const ROOM: u64 = 512;
const ROOM_BYTES: u64 = 1 << 20;
const RIGHTS: &str =
    "rabbitmqctl set_user_tags lvmbeat monitoring, and the right user in actor.management_url";
const POLICY: &str = "keep lvmbeat's and the enclosure's queues out of the policy's pattern: nothing in them has to be kept";

pub(super) async fn look(config: &Config, limit: Duration) -> Vec<Finding> {
    let Some(base) = &config.actor.management else {
        return vec![Finding::unknown(
            "policies",
            "not known: AMQP does not tell a broker's policies, alarms and nodes",
            "name the broker's management API in actor.management_url",
        )];
    };
    let client = dial::http_client(limit).timeout(limit);
    let api = match client.redirect(Policy::none()).build() {
        Ok(client) => Api {
            client,
            base: base.reveal().clone(),
            vhost: vhost(config),
            shown: base.to_string(),
            secrets: config.secrets(),
        },
        Err(error) => {
            let why = dial::failure(error);
            return vec![Finding::unknown("policies", why, "install certificates")];
        }
    };
    let (overview, nodes) = tokio::join!(api.get(&["overview"]), api.get(&["nodes"]));
    let mut found = Vec::new();
    match overview {
        Ok(overview) => found.push(version(&overview)),
        // Whoever may not see this may see nothing.
        Err(unknown) => return vec![unknown],
    }
    match nodes {
        Ok(nodes) => found.extend(cluster(&nodes, config)),
        Err(unknown) => found.push(unknown),
    }
    let (name, ecp) = (&config.actor.name, &config.ecp.actor);
    for (queue, ttl) in [
        (format!("{name}_commands"), config.actor.command_ttl),
        (format!("{name}_replies"), config.ecp.command_timeout),
        (format!("{ecp}_commands"), config.ecp.expiration),
    ] {
        found.push(match api.get(&["queues", &api.vhost, &queue]).await {
            Ok(answer) => policies(&queue, &answer, ttl),
            Err(unknown) => unknown,
        });
    }
    found
}

struct Api {
    client: Client,
    base: Url,
    vhost: String,
    shown: String,
    secrets: Secrets,
}

impl Api {
    async fn get(&self, path: &[&str]) -> Result<Value, Finding> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("api").extend(path);
        }
        let unknown = |why: String, remedy| {
            let text = format!("not known: {why}");
            Err(Finding::unknown("policies", text, remedy))
        };
        let response = match self.client.get(url).send().await {
            Ok(response) => response,
            Err(error) => {
                let why = shown(dial::failure(error).as_bytes(), &self.secrets);
                let remedy = "start it (rabbitmq-plugins enable rabbitmq_management), or correct actor.management_url";
                return unknown(format!("{} does not answer: {why}", self.shown), remedy);
            }
        };
        let code = response.status();
        let what = path.join("/");
        if matches!(code, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            let why = format!("{} does not show {what} to this user ({code})", self.shown);
            return unknown(why, RIGHTS);
        }
        if code == StatusCode::NOT_FOUND && path.first() == Some(&"queues") {
            let why = format!("the broker has no queue {what} now");
            return unknown(why, "start whoever owns it, and look again");
        }
        match answer::json(response).await {
            Some(value) if code.is_success() => Ok(value),
            _ => unknown(
                format!("{} answers {code} to {what}", self.shown),
                "correct actor.management_url: it is the address of RabbitMQ's management API",
            ),
        }
    }
}

/// As the management API knows it: an empty one is `/`, as for AMQP.
fn vhost(config: &Config) -> String {
    let path = config.actor.brokers.first().map(|url| url.reveal().path());
    let path = path.unwrap_or_default().trim_start_matches('/');
    match unescaped(path.as_bytes()) {
        name if name.is_empty() => "/".to_owned(),
        name => String::from_utf8_lossy(&name).into_owned(),
    }
}

fn version(overview: &Value) -> Finding {
    let of = |name: &str| overview.get(name).and_then(Value::as_str);
    match of("rabbitmq_version") {
        Some(version) => Finding::well("broker", format!("RabbitMQ {version}")),
        None => Finding::unknown(
            "broker",
            "it does not say its version",
            "see that actor.management_url is RabbitMQ's management API",
        ),
    }
}

fn cluster(nodes: &Value, config: &Config) -> Vec<Finding> {
    let nodes = nodes.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut found = Vec::new();
    for node in nodes {
        let name = node.get("name").and_then(Value::as_str).unwrap_or("a node");
        let truth = |field: &str| node.get(field).and_then(Value::as_bool);
        if truth("running") == Some(false) {
            found.push(Finding::warning(
                "broker",
                format!("{name} of the cluster does not run"),
                "start it: another one that dies may end the whole cluster",
            ));
        }
        for (field, what) in [("mem_alarm", "memory"), ("disk_free_alarm", "disk")] {
            if truth(field) == Some(true) {
                found.push(Finding::wrong(
                    "broker",
                    format!("{name} is short of {what}, and takes no messages"),
                    "give it memory and disk (rabbitmqctl status shows its alarms)",
                ));
            }
        }
        let apart = node.get("partitions").and_then(Value::as_array);
        if apart.is_some_and(|apart| !apart.is_empty()) {
            found.push(Finding::wrong(
                "broker",
                format!("{name} does not see all the other nodes: the cluster is in parts"),
                "mend the network between the nodes, and set cluster_partition_handling = pause_minority",
            ));
        }
    }
    let ticks = nodes
        .iter()
        .filter_map(|node| node.get("net_ticktime")?.as_f64());
    let tick = ticks.fold(0.0, f64::max);
    if nodes.len() > 1 && locked_too_long(tick, config) {
        found.push(Finding::warning(
            "broker",
            format!(
                "when the machine of a node dies, {}_commands stays locked for up to {:.0} s, and the PLC waits for {:.0}",
                config.actor.name,
                tick * 1.25,
                config.ecp.plc_timeout.as_secs_f64()
            ),
            "set net_ticktime = 8 in rabbitmq.conf of every node",
        ));
    }
    if found.is_empty() {
        let text = format!("{} node(s), none short of memory or disk", nodes.len());
        found.push(Finding::well("broker", text));
    }
    found
}

/// L1: the other nodes give a dead one's queues up after that, and then every critical heartbeat
/// has to be received twice.
fn locked_too_long(tick: f64, config: &Config) -> bool {
    let intervals = config.heartbeats.iter().map(|it| it.interval.as_secs_f64());
    let beats = 2.0 * intervals.fold(0.0, f64::max);
    let needed = tick * 1.25 + beats + config.ecp.cutoff.as_secs_f64();
    needed > config.ecp.plc_timeout.as_secs_f64()
}

/// What the queue's policies do that lvmbeat can do without; `ttl` is how long a message may wait
/// there.
fn policies(queue: &str, answer: &Value, ttl: Duration) -> Finding {
    let definition = answer.get("effective_policy_definition");
    let of = |key: &str| definition.and_then(|it| it.get(key));
    let number = |key: &str| of(key).and_then(Value::as_u64);
    let text = |key: &str| of(key).and_then(Value::as_str);
    let mut bad = Vec::new();
    if let Some(milliseconds) = number("message-ttl").filter(|ms| u128::from(*ms) < ttl.as_millis())
    {
        bad.push(format!(
            "drops what has waited for {milliseconds} ms, and lvmbeat allows {}",
            ttl.as_millis()
        ));
    }
    for (key, least, what) in [
        ("max-length", ROOM, "messages"),
        ("max-length-bytes", ROOM_BYTES, "bytes"),
    ] {
        if let Some(most) = number(key).filter(|most| *most < least) {
            bad.push(format!("keeps only {most} {what}"));
        }
    }
    if text("overflow").is_some_and(|how| how.starts_with("reject-publish")) {
        bad.push("refuses new messages instead of dropping old ones".to_owned());
    }
    if let Some(exchange) = text("dead-letter-exchange") {
        bad.push(format!("hands what it drops to the exchange {exchange}"));
    }
    if ["federation-upstream", "federation-upstream-set"]
        .iter()
        .any(|key| of(key).is_some())
    {
        bad.push("takes messages from another broker, where they may have waited".to_owned());
    }
    let applied = ["policy", "operator_policy"];
    let applied = applied.map(|key| answer.get(key).and_then(Value::as_str));
    let applied: Vec<_> = applied
        .into_iter()
        .flatten()
        .filter(|it| !it.is_empty())
        .collect();
    let applied = applied.join(", ");
    match (bad.is_empty(), applied.is_empty()) {
        (true, true) => Finding::well("policies", format!("none applies to {queue}")),
        (true, false) => Finding::well(
            "policies",
            format!("{applied} applies to {queue}, and neither delays nor drops anything"),
        ),
        (false, _) => Finding::warning(
            "policies",
            format!("{applied} applies to {queue}: it {}", bad.join("; it ")),
            POLICY,
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::finding::Verdict;
    use super::*;

    fn config(url: &str) -> Config {
        let text = format!("actor: {{url: '{url}'}}\nheartbeats: [{{name: overwatcher}}]\n");
        Config::parse("test", &text, &|_| None).unwrap()
    }

    async fn api(code: u16, body: &'static str) -> Config {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let code = StatusCode::from_u16(code).unwrap();
        let router = axum::Router::new().fallback(async move || (code, body));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let text = format!("actor: {{management_url: 'http://{address}'}}");
        Config::parse("test", &text, &|_| None).unwrap()
    }

    #[tokio::test]
    async fn what_the_management_api_does_not_show_is_not_known_and_says_what_to_do() {
        let limit = Duration::from_secs(5);
        for (code, body, says, remedy) in [
            (
                401,
                "{}",
                "does not show overview to this user (401",
                "monitoring",
            ),
            (
                403,
                "{}",
                "does not show overview to this user (403",
                "monitoring",
            ),
            (
                200,
                "<html>",
                "answers 200 OK to overview",
                "correct actor.management_url",
            ),
            (500, "{}", "answers 500", "correct actor.management_url"),
        ] {
            let found = look(&api(code, body).await, limit).await;
            let [found] = found.as_slice() else {
                panic!("{found:?}")
            };
            assert_eq!(found.verdict, Verdict::Unknown);
            assert!(found.text.starts_with("not known: "), "{found:?}");
            assert!(found.text.contains(says), "{found:?}");
            assert!(found.remedy.unwrap().contains(remedy), "{found:?}");
        }
        let found = look(&config("amqp://broker"), limit).await;
        assert_eq!(found[0].verdict, Verdict::Unknown);
        assert!(found[0].remedy.unwrap().contains("actor.management_url"));
    }

    #[test]
    fn the_virtual_host_is_named_as_the_broker_knows_it() {
        for (url, name) in [
            ("amqp://broker", "/"),
            ("amqp://broker/", "/"),
            ("amqp://broker/%2F", "/"),
            ("amqp://broker/lvm%2Fone", "lvm/one"),
        ] {
            assert_eq!(vhost(&config(url)), name);
        }
    }

    #[test]
    fn s3_each_policy_that_delays_or_drops_is_named_and_no_other() {
        let ttl = Duration::from_secs(5);
        let judged = |definition: Value| {
            let answer = json!({"policy": "p", "operator_policy": "", "effective_policy_definition": definition});
            policies("lvmbeat_commands", &answer, ttl)
        };
        for (definition, says) in [
            (
                json!({"message-ttl": 4000}),
                "it drops what has waited for 4000 ms, and lvmbeat allows 5000",
            ),
            (json!({"max-length": 10}), "it keeps only 10 messages"),
            (json!({"max-length-bytes": 10}), "it keeps only 10 bytes"),
            (
                json!({"overflow": "reject-publish"}),
                "it refuses new messages",
            ),
            (
                json!({"dead-letter-exchange": "x"}),
                "it hands what it drops to the exchange x",
            ),
            (
                json!({"federation-upstream-set": "all"}),
                "it takes messages from another broker",
            ),
        ] {
            let found = judged(definition.clone());
            assert_eq!(found.verdict, Verdict::Warning, "{definition}");
            assert!(found.text.contains(says), "{found:?}");
            assert!(
                found.text.starts_with("p applies to lvmbeat_commands"),
                "{found:?}"
            );
        }
        for harmless in [
            json!({}),
            json!({"message-ttl": 5000, "max-length": 4096, "overflow": "drop-head"}),
            json!({"ha-mode": "all", "queue-mode": "lazy", "expires": 1000}),
        ] {
            assert_eq!(
                judged(harmless.clone()).verdict,
                Verdict::Well,
                "{harmless}"
            );
        }
        let none = policies("q", &json!({}), ttl);
        assert_eq!(none.text, "none applies to q");
    }

    #[test]
    fn l1_a_cluster_is_judged_by_its_alarms_its_parts_and_how_long_a_dead_node_locks_the_queue() {
        let config = config("amqp://broker");
        let node = |changes: Value| {
            let mut node = json!({"name": "rabbit@a", "running": true, "mem_alarm": false,
                "disk_free_alarm": false, "partitions": [], "net_ticktime": 8});
            let changes = changes.as_object().unwrap().clone();
            node.as_object_mut().unwrap().extend(changes);
            node
        };
        let well = node(json!({}));
        let worst = |nodes: Value| {
            let found = cluster(&nodes, &config);
            let worst = found.into_iter().max_by_key(|finding| finding.verdict);
            let worst = worst.unwrap();
            (worst.verdict, worst.text)
        };
        assert_eq!(worst(json!([well, well])).0, Verdict::Well);
        for (changes, verdict, says) in [
            (json!({"running": false}), Verdict::Warning, "does not run"),
            (
                json!({"mem_alarm": true}),
                Verdict::Wrong,
                "short of memory",
            ),
            (
                json!({"disk_free_alarm": true}),
                Verdict::Wrong,
                "short of disk",
            ),
            (
                json!({"partitions": ["rabbit@b"]}),
                Verdict::Wrong,
                "in parts",
            ),
            (
                json!({"net_ticktime": 60}),
                Verdict::Warning,
                "locked for up to 75 s",
            ),
        ] {
            let (found, text) = worst(json!([well, node(changes)]));
            assert_eq!(found, verdict, "{text}");
            assert!(text.contains(says), "{text}");
        }
        // One node alone locks nothing when it dies.
        assert_eq!(
            worst(json!([node(json!({"net_ticktime": 60}))])).0,
            Verdict::Well
        );
    }
}
