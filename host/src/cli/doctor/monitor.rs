//! The monitors outside the observatory.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::DATE;
use reqwest::{Client, StatusCode};
use serde_json::{Map, Value};

use super::finding::{Finding, Verdict};
use crate::cli::answer;
use crate::cli::notices::{self, Outcome, Tested};
use crate::clock::{BootClock, Clock as _};
use crate::config::{Config, SecretUrl};
use crate::dial;
use crate::peer::{Secrets, shown};

/// A clock that is off by more confuses whoever compares two logs, in seconds. `Date` has whole
/// ones.
const OFF: f64 = 3.0;
/// A beat that is so many beats old is missed.
const MISSED: f64 = 4.0;

pub(super) async fn look(config: &Config, limit: Duration) -> Vec<Finding> {
    if config.outside.urls.is_empty() {
        return vec![Finding::warning(
            "monitor",
            "none is configured: nobody is alerted when the observatory goes silent",
            "run `lvmbeat monitor` outside the observatory, and set outside_monitor.url",
        )];
    }
    let secrets = config.secrets();
    let urls = config.outside.urls.iter();
    let all = urls.map(|url| one(url, config.outside.interval, limit, &secrets));
    join_all(all).await.concat()
}

/// Asks for its status, which is open to everybody: no token is sent, and no beat.
async fn one(
    url: &SecretUrl,
    period: Duration,
    limit: Duration,
    secrets: &Secrets,
) -> Vec<Finding> {
    let at = notices::beside_the_beat(url.reveal(), &["status"]);
    let unreachable = |error: reqwest::Error| {
        let why = shown(dial::failure(error).as_bytes(), secrets);
        vec![Finding::wrong(
            "monitor",
            format!("{url} does not answer: {why}"),
            "start it, or correct outside_monitor.url",
        )]
    };
    let client = match dial::http_client(limit).timeout(limit).build() {
        Ok(client) => client,
        Err(error) => return unreachable(error),
    };
    let response = match client.get(at).send().await {
        Ok(response) => response,
        Err(error) => return unreachable(error),
    };
    let now = BootClock.wall();
    let date = response.headers().get(DATE);
    let date = date.and_then(|date| date.to_str().ok()).and_then(http_date);
    let code = response.status();
    let status: Option<Map<String, Value>> = answer::json(response).await;
    let Some(status) = status.filter(|_| code.is_success()) else {
        return vec![Finding::wrong(
            "monitor",
            format!("{url} answers {code}, and no status"),
            "correct outside_monitor.url: /status stands beside /heartbeat",
        )];
    };
    let mut found = vec![judged(&url.to_string(), &status, period, now)];
    found.extend(date.map(|date| clock(&url.to_string(), date, now)));
    found.push(token(url, &client, secrets).await);
    found
}

/// Whether the monitor takes beats with the token that is configured, without a beat.
async fn token(url: &SecretUrl, client: &Client, secrets: &Secrets) -> Finding {
    let mut at = notices::beside_the_beat(url.reveal(), &["token"]);
    // Both setters fail only on URLs that can hold neither.
    let _ = at.set_username(url.reveal().username());
    let _ = at.set_password(url.reveal().password());
    let asked = client.get(at).send().await;
    let answered = match asked {
        Ok(response) => {
            let code = response.status();
            Ok((code, answer::json::<Map<String, Value>>(response).await))
        }
        Err(error) => Err(shown(dial::failure(error).as_bytes(), secrets)),
    };
    accepted(
        &url.to_string(),
        url.reveal().password().is_some(),
        answered,
    )
}

fn accepted(
    url: &str,
    has_token: bool,
    answered: Result<(StatusCode, Option<Map<String, Value>>), String>,
) -> Finding {
    let (code, said) = match answered {
        Ok(answered) => answered,
        Err(why) => {
            let text = format!("whether {url} accepts the token is not known: {why}");
            return Finding::unknown("token", text, "look again when it answers");
        }
    };
    let needed = said.and_then(|said| said.get("needed")?.as_bool());
    match (code, needed) {
        (StatusCode::OK, Some(true)) => {
            Finding::well("token", format!("{url} accepts the ping token"))
        }
        (StatusCode::OK, Some(false)) => Finding::warning(
            "token",
            format!("{url} needs no token: anybody can beat there, and so hide a silence"),
            "set LVMBEAT_PING_TOKEN there and here",
        ),
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) if !has_token => Finding::unknown(
            "token",
            format!(
                "{url} needs the ping token, and none is configured here; whether the actor has it is not known"
            ),
            "run doctor with the actor's environment",
        ),
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => Finding::wrong(
            "token",
            format!("{url} refuses the ping token ({code}), and so every beat"),
            "give the actor the monitor's ping token (LVMBEAT_PING_TOKEN or outside_monitor.token_file)",
        ),
        (StatusCode::TOO_MANY_REQUESTS, _) => Finding::warning(
            "token",
            format!(
                "whether {url} accepts the token is not known: too many wrong ones came from here"
            ),
            "find out who else here beats with a wrong one, and look again in a minute",
        ),
        _ => Finding::unknown(
            "token",
            format!("whether {url} accepts the token is not known: it cannot be asked ({code})"),
            "it is of an earlier version, or of Python: see last_seen in its /status",
        ),
    }
}

/// What became of a test message; nothing of a channel that the monitor does not have.
pub(super) fn tested(test: Tested) -> Option<Finding> {
    let Tested {
        monitor,
        kind,
        outcome,
    } = test;
    match outcome {
        Outcome::None => None,
        Outcome::Taken => Some(Finding::well(
            "people",
            format!("{monitor}: a test message was taken by {kind}"),
        )),
        Outcome::Failed(why) => Some(Finding::wrong(
            "people",
            format!("{monitor}: the test message by {kind} failed: {why}"),
            "correct what the message names: nobody would be alerted by this channel",
        )),
    }
}

fn http_date(date: &str) -> Option<Timestamp> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    PARSER.parse_timestamp(date).ok()
}

/// What it says of itself.
fn judged(url: &str, status: &Map<String, Value>, period: Duration, now: Timestamp) -> Finding {
    let truth = |name| status.get(name).and_then(Value::as_bool);
    if truth("enabled") == Some(false) {
        return Finding::warning(
            "monitor",
            format!("{url} answers, and its alerts are disabled"),
            "enable them on its page, or by /enable",
        );
    }
    let seen = status.get("last_seen").and_then(Value::as_str);
    let seen = seen.and_then(|seen| seen.parse::<Timestamp>().ok());
    let age = seen.map(|seen| now.duration_since(seen).as_secs_f64());
    match age {
        _ if truth("active") == Some(true) => Finding::wrong(
            "monitor",
            format!("{url} answers, and has raised an alarm: it does not hear the observatory"),
            "look at its page, and at outside_monitors in `lvmbeat status`",
        ),
        None => Finding::wrong(
            "monitor",
            format!("{url} answers, and has never heard the actor"),
            "give the actor its ping token (LVMBEAT_PING_TOKEN), and look at outside_monitors in `lvmbeat status`",
        ),
        Some(age) if age > MISSED * period.as_secs_f64() + OFF => Finding::new(
            "monitor",
            Verdict::Warning,
            format!("{url} answers, and last heard the actor {age:.0} s ago"),
        ),
        Some(age) => Finding::well(
            "monitor",
            format!(
                "{url} answers, and heard the actor {:.0} s ago",
                age.max(0.0)
            ),
        ),
    }
}

/// How far this machine's clock is from the monitor's.
fn clock(url: &str, there: Timestamp, here: Timestamp) -> Finding {
    let off = here.duration_since(there).as_secs_f64();
    if off.abs() > OFF {
        Finding::warning(
            "clock",
            format!("this machine's clock is {off:+.0} s from that of {url}"),
            "let both follow NTP; no decision depends on it, and the times that people read do",
        )
    } else {
        Finding::well(
            "clock",
            format!("this machine's clock agrees with that of {url}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PERIOD: Duration = Duration::from_secs(15);

    fn now() -> Timestamp {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    #[test]
    fn a_monitor_is_judged_by_what_it_says() {
        for (status, verdict) in [
            (
                json!({"enabled": true, "active": false, "last_seen": "2026-01-02T03:04:00Z"}),
                Verdict::Well,
            ),
            (
                json!({"enabled": true, "active": false, "last_seen": "2026-01-02T03:02:00Z"}),
                Verdict::Warning,
            ),
            (
                json!({"enabled": false, "active": false, "last_seen": "2026-01-02T03:04:00Z"}),
                Verdict::Warning,
            ),
            (
                json!({"enabled": true, "active": true, "last_seen": "2026-01-02T03:04:00Z"}),
                Verdict::Wrong,
            ),
            (
                json!({"enabled": true, "active": false, "last_seen": null}),
                Verdict::Wrong,
            ),
        ] {
            let said = status.as_object().unwrap();
            assert_eq!(
                judged("there", said, PERIOD, now()).verdict,
                verdict,
                "{status}"
            );
        }
    }

    #[test]
    fn m1_whether_the_monitor_takes_the_token_is_told_by_its_answer() {
        let verdict = |code: u16, said: Value| {
            let code = StatusCode::from_u16(code).unwrap();
            accepted("there", true, Ok((code, said.as_object().cloned()))).verdict
        };
        for (code, said, expected) in [
            (200, json!({"needed": true}), Verdict::Well),
            (200, json!({"needed": false}), Verdict::Warning),
            (401, json!({"detail": "no"}), Verdict::Wrong),
            (429, json!({"detail": "wait"}), Verdict::Warning),
            (404, json!({"detail": "Not Found"}), Verdict::Unknown),
            // Whatever answers there is no monitor of this version.
            (200, Value::Null, Verdict::Unknown),
        ] {
            assert_eq!(verdict(code, said), expected, "{code}");
        }
        let without = accepted("there", false, Ok((StatusCode::UNAUTHORIZED, None)));
        assert_eq!(without.verdict, Verdict::Unknown, "the actor may have it");
        let silent = accepted("there", true, Err("no answer".to_owned()));
        assert_eq!(silent.verdict, Verdict::Unknown);
    }

    #[test]
    fn m2_a_test_message_that_failed_is_wrong_and_a_missing_channel_says_nothing() {
        let verdict = |outcome| {
            let monitor = "there".to_owned();
            let test = Tested {
                monitor,
                kind: "Slack",
                outcome,
            };
            tested(test).map(|finding| finding.verdict)
        };
        assert_eq!(verdict(Outcome::Taken), Some(Verdict::Well));
        assert_eq!(
            verdict(Outcome::Failed("no".to_owned())),
            Some(Verdict::Wrong)
        );
        assert_eq!(verdict(Outcome::None), None);
    }

    #[test]
    fn a_clock_that_is_off_is_named_with_its_sign() {
        let there = http_date("Fri, 02 Jan 2026 03:04:15 GMT").unwrap();
        let found = clock("there", there, now());
        assert_eq!(found.verdict, Verdict::Warning);
        assert!(found.text.contains("-10 s"), "{found:?}");
        let there = http_date("Fri, 02 Jan 2026 03:04:04 GMT").unwrap();
        assert_eq!(clock("there", there, now()).verdict, Verdict::Well);
    }
}
