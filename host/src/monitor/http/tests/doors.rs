//! X1: who may do what. The routes are taken from the OpenAPI document, so that none is forgotten.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::*;
use crate::server::Peer;

/// base64 of `name:token`, for the tokens of the tests.
fn basic(name: &str, token: &str) -> String {
    use axum_extra::headers::{Authorization, HeaderMapExt as _};
    let mut headers = HeaderMap::new();
    headers.typed_insert(Authorization::basic(name, token));
    headers[header::AUTHORIZATION].to_str().unwrap().to_owned()
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

async fn with_authorization(
    monitored: &Monitored,
    method: &Method,
    path: &str,
    authorization: &str,
) -> Answer {
    let header = [("authorization", authorization)];
    monitored.ask_with(method.clone(), path, &header, "").await
}

/// The ways in that the document names for an operation.
fn ways(operation: &Value) -> BTreeSet<String> {
    let ways = operation["security"].as_array().into_iter().flatten();
    ways.flat_map(|way| way.as_object().unwrap().keys().cloned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn x1_each_route_opens_to_its_tokens_and_to_no_other() {
    let email = Arc::new(Fake::new(Kind::Email, "e-mail"));
    let monitored = Monitored::with(&with_tokens(), vec![email.clone()]);
    let document = monitored.document().await;
    let mut seen = 0;
    for (method, path, operation) in operations(&document) {
        let ways = ways(operation);
        for (authorization, opens) in [
            (String::new(), ways.is_empty()),
            (bearer("wrong"), ways.is_empty()),
            (bearer(""), ways.is_empty()),
            (basic("me", "wrong"), ways.is_empty()),
            (basic(PING, "wrong"), ways.is_empty()),
            (format!("Digest {ADMIN}"), ways.is_empty()),
            (ADMIN.to_owned(), ways.is_empty()),
            (bearer(&ADMIN[1..]), ways.is_empty()),
            (bearer(&format!("{ADMIN}x")), ways.is_empty()),
            (bearer(PING), ways.is_empty() || ways.contains("ping_token")),
            (
                basic("me", PING),
                ways.is_empty() || ways.contains("ping_password"),
            ),
            (
                bearer(ADMIN),
                ways.is_empty() || ways.contains("admin_token"),
            ),
            (
                basic("", ADMIN),
                ways.is_empty() || ways.contains("admin_password"),
            ),
        ] {
            let answer = with_authorization(&monitored, &method, &path, &authorization).await;
            let refused = answer.status == StatusCode::UNAUTHORIZED;
            assert_eq!(
                refused, !opens,
                "{method} {path} with {authorization}: {answer:?}"
            );
            if refused {
                assert_eq!(monitored.asked(), [], "{method} {path}");
                assert_eq!(email.given(), 0);
                assert!(!answer.detail().is_empty());
                let asks = answer.headers.get_all(header::WWW_AUTHENTICATE);
                assert!(
                    asks.iter()
                        .any(|way| way.to_str().unwrap().starts_with("Basic "))
                );
                // No test tries more wrong tokens than a client may.
                tokio::time::advance(Duration::from_secs(100)).await;
            }
            seen += 1;
            monitored.asked();
            email.given.lock().unwrap().clear();
        }
    }
    assert!(seen > 200, "{seen}");
}

#[tokio::test]
async fn x1_only_what_reads_is_open() {
    let monitored = Monitored::new(&with_tokens());
    let document = monitored.document().await;
    let (mut open, mut ping, mut admin) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (method, path, operation) in operations(&document) {
        let ways = ways(operation);
        let which = match (ways.is_empty(), ways.contains("ping_token")) {
            (true, _) => &mut open,
            (false, true) => &mut ping,
            (false, false) => &mut admin,
        };
        which.insert(format!("{method} {path}"));
    }
    // It has no deployed callers.
    assert!(admin.remove("POST /acknowledge"));
    let both = |paths: &[&str]| {
        let methods = ["GET", "POST"].iter();
        methods
            .flat_map(|method| paths.iter().map(move |path| format!("{method} {path}")))
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(
        open.into_iter().collect::<Vec<_>>(),
        [
            "GET /docs",
            "GET /healthz",
            "GET /metrics",
            "GET /openapi.json",
            "GET /readyz",
            "GET /status",
            "GET /version",
        ]
    );
    // It has none either.
    assert!(ping.remove("GET /token"));
    assert_eq!(ping, both(&["/heartbeat"]));
    assert_eq!(
        admin,
        both(&[
            "/disable",
            "/email-test",
            "/enable",
            "/notify/up",
            "/test/email",
            "/test/slack",
            "/test/webhook"
        ])
    );
}

#[tokio::test]
async fn without_tokens_everything_is_open_as_in_the_python_version() {
    let monitored = Monitored::new(&config());
    let document = monitored.document().await;
    for (method, path, operation) in operations(&document) {
        assert_eq!(ways(operation), BTreeSet::new());
        for authorization in [String::new(), bearer("anything"), basic("me", "anything")] {
            let answer = with_authorization(&monitored, &method, &path, &authorization).await;
            assert!(
                ![401, 403, 429].contains(&answer.status.as_u16()),
                "{method} {path}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn x1_each_token_locks_its_own_doors() {
    let only_ping = Monitor {
        admin_token: None,
        ..with_tokens()
    };
    let only_admin = Monitor {
        ping_token: None,
        ..with_tokens()
    };
    for (config, beat, enable) in [(only_ping, 401, 200), (only_admin, 200, 401)] {
        let monitored = Monitored::new(&config);
        assert_eq!(monitored.get("/heartbeat").await.status, beat);
        assert_eq!(monitored.get("/enable").await.status, enable);
    }
}

#[tokio::test]
async fn x1_no_token_is_shown() {
    let monitored = Monitored::new(&with_tokens());
    for path in [
        "/enable",
        "/heartbeat",
        "/docs",
        "/openapi.json",
        "/status",
        "/metrics",
    ] {
        for authorization in ["", &bearer("guessed-token"), &bearer(PING)] {
            let answer = with_authorization(&monitored, &Method::GET, path, authorization).await;
            let shown = format!("{answer:?}");
            for token in [PING, ADMIN, "guessed-token"] {
                assert!(!shown.contains(token), "{path} shows {token}: {shown}");
            }
        }
    }
}

async fn from(monitored: &Monitored, peer: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::empty()).unwrap();
    let peer: SocketAddr = peer.parse().unwrap();
    request.extensions_mut().insert(Peer(peer));
    monitored.send(request).await
}

#[tokio::test(start_paused = true)]
async fn x1_who_tries_too_often_waits_but_can_beat() {
    let monitored = Monitored::new(&with_tokens());
    let (wrong, ping, admin) = (bearer("wrong"), bearer(PING), bearer(ADMIN));
    let (wrong, ping, admin) = (
        [("authorization", &*wrong)],
        [("authorization", &*ping)],
        [("authorization", &*admin)],
    );
    let (bad, other) = ("192.0.2.1:1000", "192.0.2.2:1000");
    for _ in 0..10 {
        let answer = from(&monitored, bad, "/enable", &wrong).await;
        assert_eq!(answer.status, 401);
    }
    for path in ["/enable", "/heartbeat"] {
        for token in [&wrong, &admin] {
            let answer = from(&monitored, bad, path, token).await;
            assert_eq!(answer.status, 429, "{path}");
            assert_eq!(answer.headers[header::RETRY_AFTER], "10");
            assert!(answer.detail().contains("10 s"));
        }
    }
    assert_eq!(monitored.asked(), []);
    assert_eq!(from(&monitored, bad, "/heartbeat", &ping).await.status, 200);
    assert_eq!(from(&monitored, other, "/enable", &admin).await.status, 200);
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(from(&monitored, bad, "/enable", &admin).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn x1_the_ping_token_where_the_admin_token_is_needed_is_no_guess() {
    let monitored = Monitored::new(&with_tokens());
    let (ping, admin) = (bearer(PING), bearer(ADMIN));
    let client = "192.0.2.1:1000";
    for _ in 0..20 {
        let answer = from(&monitored, client, "/enable", &[("authorization", &*ping)]).await;
        assert_eq!(answer.status, 401);
        assert!(answer.detail().contains("the admin token is needed"));
    }
    let answer = from(&monitored, client, "/enable", &[("authorization", &*admin)]).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test(start_paused = true)]
async fn x1_the_client_behind_a_trusted_proxy_waits_and_not_the_proxy() {
    let monitored = Monitored::new(&with_tokens());
    let wrong = bearer("wrong");
    for (peer, waits) in [("10.0.0.1:1000", false), ("192.0.2.9:1000", true)] {
        let attacker = [
            ("authorization", &*wrong),
            ("x-forwarded-for", "198.51.100.1"),
        ];
        for _ in 0..10 {
            from(&monitored, peer, "/enable", &attacker).await;
        }
        assert_eq!(
            from(&monitored, peer, "/enable", &attacker).await.status,
            429
        );
        let admin = bearer(ADMIN);
        let operator = [
            ("authorization", &*admin),
            ("x-forwarded-for", "198.51.100.2"),
        ];
        let answer = from(&monitored, peer, "/enable", &operator).await;
        assert_eq!(answer.status == 429, waits, "{answer:?}");
    }
}

#[tokio::test]
async fn x1_another_site_can_change_nothing_but_anybody_may_read() {
    let email = Arc::new(Fake::new(Kind::Email, "e-mail"));
    for config in [config(), with_tokens()] {
        let monitored = Monitored::with(&config, vec![email.clone()]);
        let document = monitored.document().await;
        let admin = bearer(ADMIN);
        for (method, path, operation) in operations(&document) {
            let changes = operation["tags"][0] != "read";
            for foreign in [
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://evil.example"),
            ] {
                let headers = [
                    ("authorization", &*admin),
                    ("host", "monitor.example"),
                    foreign,
                ];
                let answer = monitored
                    .ask_with(method.clone(), &path, &headers, "")
                    .await;
                assert_eq!(answer.status == 403, changes, "{method} {path}: {answer:?}");
                assert_eq!(monitored.asked(), []);
            }
        }
        assert_eq!(email.given(), 0);
        let own = [
            ("authorization", &*admin),
            ("host", "monitor.example"),
            ("origin", "https://monitor.example"),
        ];
        let answer = monitored.ask_with(Method::POST, "/enable", &own, "").await;
        assert_eq!(answer.status, 200);
    }
}
