//! The monitors outside the observatory.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::DATE;
use reqwest::{Response, Url};
use serde_json::{Map, Value};

use super::finding::{Finding, Verdict};
use crate::clock::{BootClock, Clock as _};
use crate::config::{Config, SecretUrl};
use crate::dial;
use crate::peer::{Secrets, shown};

/// No more of an answer is read, in bytes.
const ENOUGH: usize = 64 << 10;
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
    let at = status_url(url.reveal());
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
    let status = body(response).await;
    let Some(status) = status.filter(|_| code.is_success()) else {
        return vec![Finding::wrong(
            "monitor",
            format!("{url} answers {code}, and no status"),
            "correct outside_monitor.url: /status stands beside /heartbeat",
        )];
    };
    let mut found = vec![judged(&url.to_string(), &status, period, now)];
    found.extend(date.map(|date| clock(&url.to_string(), date, now)));
    found
}

/// `/status` beside `/heartbeat`, without credentials.
fn status_url(beat: &Url) -> Url {
    let mut url = beat.clone();
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.set_query(None);
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().pop().push("status");
    }
    url
}

async fn body(mut response: Response) -> Option<Map<String, Value>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > ENOUGH {
            return None;
        }
    }
    serde_json::from_slice(&bytes).ok()
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
    fn x1_the_status_is_asked_for_without_token_or_query() {
        for (beat, status) in [
            (
                "https://lvmbeat:token@there/heartbeat",
                "https://there/status",
            ),
            (
                "https://there/heartbeat?code=secret",
                "https://there/status",
            ),
            ("https://there/a/heartbeat/", "https://there/a/status"),
        ] {
            assert_eq!(status_url(&beat.parse().unwrap()).as_str(), status);
        }
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
    fn a_clock_that_is_off_is_named_with_its_sign() {
        let there = http_date("Fri, 02 Jan 2026 03:04:15 GMT").unwrap();
        let found = clock("there", there, now());
        assert_eq!(found.verdict, Verdict::Warning);
        assert!(found.text.contains("-10 s"), "{found:?}");
        let there = http_date("Fri, 02 Jan 2026 03:04:04 GMT").unwrap();
        assert_eq!(clock("there", there, now()).verdict, Verdict::Well);
    }
}
