//! Test messages by every channel of the monitors outside: do they reach people?

use std::time::Duration;

use reqwest::{StatusCode, Url};
use serde_json::{Map, Value};

use super::answer;
use crate::config::{Config, Secret};
use crate::dial;
use crate::peer::{Secrets, shown};

/// The monitor waits this long for a mail server, and answers.
const LONGEST: Duration = Duration::from_secs(60);
/// The routes of its channels, and what they are.
const ROUTES: [(&str, &str); 3] = [
    ("email", "e-mail"),
    ("slack", "Slack"),
    ("webhook", "webhooks"),
];

/// What became of the test of one kind of channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Tested {
    /// Which monitor, without secrets.
    pub(super) monitor: String,
    pub(super) kind: &'static str,
    pub(super) outcome: Outcome,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// Every channel of this kind has taken it. That a person has read it, nobody can say.
    Taken,
    /// The monitor has no such channel.
    None,
    /// In words.
    Failed(String),
}

/// One sentence about all of it, and whether somebody was reached and nothing failed.
pub(super) fn summary(tested: &[Tested]) -> (bool, String) {
    let failed: Vec<_> = tested
        .iter()
        .filter_map(|test| match &test.outcome {
            Outcome::Failed(why) => Some(format!("{} of {}: {why}", test.kind, test.monitor)),
            Outcome::Taken | Outcome::None => None,
        })
        .collect();
    let mut taken: Vec<_> = tested
        .iter()
        .filter(|test| test.outcome == Outcome::Taken)
        .map(|test| test.kind)
        .collect();
    taken.dedup();
    match (taken.as_slice(), failed.as_slice()) {
        ([], []) => (false, "no monitor has a channel to people".to_owned()),
        (taken, []) => (
            true,
            format!("a test message was taken by {}", taken.join(", ")),
        ),
        (_, failed) => (false, failed.join("; ")),
    }
}

/// Asks each monitor for a test of each kind of channel.
pub(super) async fn send(config: &Config, admin: Option<&Secret>) -> Vec<Tested> {
    let secrets = config.secrets();
    let mut tested = Vec::new();
    for url in &config.outside.urls {
        for (route, kind) in ROUTES {
            let url_of_route = beside_the_beat(url.reveal(), &["test", route]);
            tested.push(Tested {
                monitor: url.to_string(),
                kind,
                outcome: one(url_of_route, admin, &secrets).await,
            });
        }
    }
    tested
}

/// Another route of the monitor, without credentials.
pub(super) fn beside_the_beat(beat: &Url, route: &[&str]) -> Url {
    let mut url = beat.clone();
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.set_query(None);
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().pop().extend(route);
    }
    url
}

async fn one(url: Url, admin: Option<&Secret>, secrets: &Secrets) -> Outcome {
    let own = Secrets::new(admin.map(Secret::reveal));
    let clean = |words: &str| shown(shown(words.as_bytes(), secrets).as_bytes(), &own);
    let failed = |error: reqwest::Error| Outcome::Failed(clean(&dial::failure(error)));
    let client = match dial::http_client(LONGEST).timeout(LONGEST).build() {
        Ok(client) => client,
        Err(error) => return failed(error),
    };
    let mut request = client.get(url);
    if let Some(admin) = admin {
        request = request.bearer_auth(admin.reveal());
    }
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return failed(error),
    };
    let code = response.status();
    let said: Option<Map<String, Value>> = answer::json(response).await;
    let detail = said.as_ref().and_then(|said| said.get("detail")?.as_str());
    match code {
        code if code.is_success() => Outcome::Taken,
        // A Python monitor has no webhooks.
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND => Outcome::None,
        StatusCode::UNAUTHORIZED => Outcome::Failed(
            "the monitor wants its admin token; give it in LVMBEAT_ADMIN_TOKEN".to_owned(),
        ),
        _ => Outcome::Failed(match detail {
            Some(detail) => clean(detail),
            None => format!("the monitor answers {code}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x1_a_route_beside_the_beat_carries_no_token_and_no_query() {
        for (beat, route) in [
            (
                "https://lvmbeat:token@there/heartbeat",
                "https://there/test/email",
            ),
            (
                "https://there/heartbeat?code=secret",
                "https://there/test/email",
            ),
            ("https://there/a/heartbeat/", "https://there/a/test/email"),
        ] {
            let beat = beat.parse().unwrap();
            assert_eq!(beside_the_beat(&beat, &["test", "email"]).as_str(), route);
        }
    }

    /// A monitor with e-mail that works, Slack that does not, and nothing else.
    async fn monitor() -> std::net::SocketAddr {
        use axum::http::HeaderMap;
        let answer = |code: u16, body: &str| (StatusCode::from_u16(code).unwrap(), body.to_owned());
        let route = move |uri: axum::http::Uri, headers: HeaderMap| async move {
            let token = headers.get("authorization").and_then(|it| it.to_str().ok());
            match (token, uri.path()) {
                (Some("Bearer hunter2-Unicorn"), "/at/test/email") => answer(200, "{}"),
                (Some("Bearer hunter2-Unicorn"), "/at/test/slack") => {
                    answer(502, r#"{"detail": "Slack #lvm: not with hunter2-Unicorn"}"#)
                }
                (Some("Bearer hunter2-Unicorn"), _) => answer(400, r#"{"detail": "none"}"#),
                _ => answer(401, "{}"),
            }
        };
        let router = axum::Router::new().fallback(route);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    #[tokio::test]
    async fn x1_each_channel_of_a_monitor_is_asked_with_its_admin_token_which_is_not_shown() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let address = monitor().await;
        let text = format!("outside_monitor: {{url: 'http://a:b@{address}/at/heartbeat'}}");
        let config = Config::parse("test", &text, &|_| None).unwrap();
        let admin = Secret::new("hunter2-Unicorn".to_owned());
        let tested = send(&config, Some(&admin)).await;
        let [email, slack, webhooks] = tested.as_slice() else {
            panic!("{tested:?}")
        };
        assert_eq!(email.outcome, Outcome::Taken);
        assert_eq!(webhooks.outcome, Outcome::None);
        let Outcome::Failed(why) = &slack.outcome else {
            panic!("{slack:?}")
        };
        assert!(why.starts_with("(withheld"), "{why}");
        // Without the token none is sent, and what is missing is said.
        let tested = send(&config, None).await;
        let says = |it: &Tested| matches!(&it.outcome, Outcome::Failed(why) if why.contains("LVMBEAT_ADMIN_TOKEN"));
        assert!(tested.iter().all(says), "{tested:?}");
    }

    #[test]
    fn m2_people_are_reached_if_something_was_taken_and_nothing_failed() {
        let test = |kind, outcome| Tested {
            monitor: "https://there".to_owned(),
            kind,
            outcome,
        };
        let taken = test("e-mail", Outcome::Taken);
        let none = test("Slack", Outcome::None);
        let failed = test("webhooks", Outcome::Failed("no".to_owned()));
        for (tested, reached, says) in [
            (vec![], false, "no monitor has a channel to people"),
            (
                vec![none.clone()],
                false,
                "no monitor has a channel to people",
            ),
            (
                vec![taken.clone(), none],
                true,
                "a test message was taken by e-mail",
            ),
            (vec![taken, failed], false, "webhooks of https://there: no"),
        ] {
            assert_eq!(summary(&tested), (reached, says.to_owned()));
        }
    }
}
