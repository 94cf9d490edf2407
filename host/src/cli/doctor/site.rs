//! The broker, the actor, the enclosure and the network, as they answer now.

use std::time::Duration;

use serde_json::{Map, Value};

use super::finding::Finding;
use crate::VERSION;
use crate::cli::client;
use crate::clu::client::Client;
use crate::clu::message::{Code, Keywords};
use crate::clu::{CommandError, SessionSpec};
use crate::config::Config;
use crate::errors::with_causes;
use crate::report::Health;

pub(super) async fn look(config: &Config, limit: Duration) -> Vec<Finding> {
    let session = match client::connect(config).await {
        Ok(session) => session,
        Err(failure) => {
            return vec![Finding::wrong(
                "broker",
                with_causes(&failure),
                "start it, or correct actor.url (LVMBEAT_AMQP_URL)",
            )];
        }
    };
    let mut found = vec![broker(config).await];
    let ask = async |actor: &str, command: &str| ask(&session.client, actor, command, limit).await;
    let actor = &config.actor.name;
    let status = ask(actor, "status").await;
    match &status {
        Err(error) => found.push(Finding::wrong(
            "actor",
            format!("{actor} does not answer: {error}"),
            "start it (lvmbeat actor), or look at its log",
        )),
        Ok(status) => {
            found.push(version(actor, &ask(actor, "version").await));
            found.push(schema(actor, ask(actor, "get_schema").await));
            found.extend(health(status));
            found.extend(network(status));
        }
    }
    let ecp = &config.ecp.actor;
    found.push(match ask(ecp, "ping").await {
        Ok(_) => Finding::well("enclosure", format!("{ecp} answers")),
        Err(error) => Finding::wrong(
            "enclosure",
            format!("{ecp} does not answer: {error}"),
            "start it: without it no heartbeat reaches the PLC",
        ),
    });
    session.close().await;
    found
}

/// The keywords of the answer, or why there is none.
async fn ask(
    client: &Client,
    actor: &str,
    command: &str,
    limit: Duration,
) -> Result<Keywords, String> {
    let finished = client.command(actor, command, client::options(limit)).await;
    let finished = finished.map_err(|error: CommandError| with_causes(&error))?;
    let keywords = client::keywords(&finished.replies);
    if finished.code == Code::Done {
        return Ok(keywords);
    }
    let error = keywords.get("error").and_then(Value::as_str);
    Err(error.unwrap_or("the command failed").to_owned())
}

async fn broker(config: &Config) -> Finding {
    let excess = async {
        let bus = config.actor.bus().map_err(|error| with_causes(&error))?;
        let spec = SessionSpec::client(&config.actor.name);
        let excess = bus.excess(&spec, &config.ecp.actor).await;
        excess.map_err(|error| with_causes(&error))
    };
    match excess.await {
        Ok(excess) if excess.is_empty() => Finding::well(
            "broker",
            "answers, and its user may do no more than is needed",
        ),
        Ok(excess) => Finding::warning(
            "broker",
            format!(
                "answers, and its user may do what lvmbeat does not need: {}",
                excess.join("; ")
            ),
            "revoke it as SECURITY.md says",
        ),
        Err(error) => Finding::warning(
            "broker",
            format!("answers, and what its user may do is not known: {error}"),
            "lvmbeat check --broker",
        ),
    }
}

fn version(actor: &str, answer: &Result<Keywords, String>) -> Finding {
    let version = answer
        .as_ref()
        .ok()
        .and_then(|body| body.get("version")?.as_str());
    match version {
        Some(version) if version == VERSION => {
            Finding::well("actor", format!("{actor} answers, version {version}"))
        }
        Some(version) => Finding::warning(
            "actor",
            format!("{actor} is of version {version}, and this program of {VERSION}"),
            "use the same version, or mind what CHANGELOG.md says of both",
        ),
        None => Finding::warning(
            "actor",
            format!("{actor} does not say its version"),
            "it is of another make; what follows may be incomplete",
        ),
    }
}

fn schema(actor: &str, answer: Result<Keywords, String>) -> Finding {
    let schema = answer.ok();
    let schema = schema
        .as_ref()
        .and_then(|body| body.get("schema")?.as_str());
    let schema = schema.and_then(|schema| serde_json::from_str::<Map<String, Value>>(schema).ok());
    match schema.filter(|schema| schema.contains_key("properties")) {
        Some(_) => Finding::well("schema", format!("{actor} gives a schema that can be read")),
        None => Finding::warning(
            "schema",
            format!("{actor} gives no schema that can be read"),
            "Python clients log its keywords as unknown; update the actor",
        ),
    }
}

/// How the whole is, as the actor says.
fn health(status: &Keywords) -> Vec<Finding> {
    let text = |keyword: &str, name: &str| {
        let text = status
            .get(keyword)
            .and_then(|value| value.get(name)?.as_str());
        text.map(str::to_owned)
    };
    let mut found = Vec::new();
    let said = text("health", "text").unwrap_or_default();
    found.push(match text("health", "state").as_deref() {
        None => Finding::warning(
            "health",
            "the actor does not say how it is",
            "it is of an earlier version, or of Python",
        ),
        Some(state) if state == Health::Ok.as_str() => Finding::well("health", said),
        Some(state) if state == Health::Late.as_str() => {
            Finding::warning("health", said, "lvmbeat status --watch")
        }
        Some(_) => Finding::wrong("health", said, "lvmbeat status, and lvmbeat why"),
    });
    if let Some(failure) = text("journal", "failure") {
        found.push(Finding::warning(
            "journal",
            format!("the actor cannot write it: {failure}"),
            "free the disk, or change actor.journal",
        ));
    }
    let drill = status.get("drill");
    if drill.and_then(|drill| drill.get("due")?.as_bool()) == Some(true) {
        found.push(Finding::warning(
            "drill",
            "that the PLC closes the dome was not proved for longer than ecp.drill_days",
            "lvmbeat drill, while the dome is closed",
        ));
    }
    if let Some(failure) = text("relay_box", "failure") {
        found.push(Finding::wrong(
            "relay box",
            failure,
            "core/relay-box/README.md",
        ));
    }
    found
}

/// Each link, as the actor sees it.
fn network(status: &Keywords) -> Vec<Finding> {
    let links = status.get("network").and_then(Value::as_object);
    let links = links.into_iter().flatten();
    links
        // The same as `outside`.
        .filter(|(name, _)| *name != "internet")
        .map(|(name, up)| {
            if up.as_bool() == Some(false) {
                Finding::wrong(
                    "network",
                    format!("link {name} is down"),
                    "mend the network, or correct network.hosts",
                )
            } else {
                Finding::well(
                    "network",
                    format!("link {name} is up, or not known to be down"),
                )
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::doctor::finding::Verdict;

    fn verdicts(found: &[Finding]) -> Vec<(&'static str, Verdict)> {
        found
            .iter()
            .map(|finding| (finding.what, finding.verdict))
            .collect()
    }

    fn keywords(value: Value) -> Keywords {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn each_health_is_as_bad_as_it_is() {
        for (state, verdict) in [
            ("ok", Verdict::Well),
            ("late", Verdict::Warning),
            ("held", Verdict::Wrong),
            ("bypassed", Verdict::Wrong),
            ("of a later version", Verdict::Wrong),
        ] {
            let status = keywords(json!({"health": {"state": state, "text": "words"}}));
            assert_eq!(verdicts(&health(&status)), [("health", verdict)]);
        }
        assert_eq!(
            verdicts(&health(&keywords(json!({})))),
            [("health", Verdict::Warning)]
        );
    }

    #[test]
    fn whatever_fails_beside_it_is_named() {
        let status = keywords(json!({
            "health": {"state": "ok", "text": "words"},
            "journal": {"failure": "no space left"},
            "drill": {"due": true},
            "relay_box": {"failure": "no answer"},
            "network": {"lco": true, "outside": false, "internet": false},
        }));
        assert_eq!(
            verdicts(&health(&status)),
            [
                ("health", Verdict::Well),
                ("journal", Verdict::Warning),
                ("drill", Verdict::Warning),
                ("relay box", Verdict::Wrong)
            ]
        );
        assert_eq!(
            verdicts(&network(&status)),
            [("network", Verdict::Well), ("network", Verdict::Wrong)]
        );
    }

    #[test]
    fn another_version_and_a_schema_that_cannot_be_read_are_warnings() {
        let version_of = |value| version("lvmbeat", &Ok(keywords(value))).verdict;
        assert_eq!(version_of(json!({"version": VERSION})), Verdict::Well);
        assert_eq!(version_of(json!({"version": "0.3.0"})), Verdict::Warning);
        assert_eq!(version_of(json!({})), Verdict::Warning);
        let schema_of = |value| schema("lvmbeat", Ok(keywords(value))).verdict;
        let good = crate::clu::schema::lvmbeat().to_string();
        assert_eq!(schema_of(json!({"schema": good})), Verdict::Well);
        assert_eq!(schema_of(json!({"schema": "{"})), Verdict::Warning);
        assert_eq!(schema_of(json!({})), Verdict::Warning);
    }
}
