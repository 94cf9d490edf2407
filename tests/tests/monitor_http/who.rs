//! X1: every route with no token, a wrong one, the ping token and the admin token.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::scene::{ADMIN, PING, Scene};

/// What reads, and where it stands only here: the page and its parts are no interface for programs.
const READS: [(&str, bool); 14] = [
    ("/version", true),
    ("/status", true),
    ("/healthz", true),
    ("/readyz", true),
    ("/metrics", true),
    ("/openapi.json", true),
    ("/docs", true),
    ("/docs.css", false),
    ("/", false),
    ("/?done=enabled", false),
    ("/page.css", false),
    ("/page.js", false),
    ("/page/up.svg", false),
    ("/status?unknown=1", false),
];

/// By POST alone, and 404 where there is no incident.
const ACKNOWLEDGE: &str = "/acknowledge";

/// By GET alone: whether a token is the ping token's equal.
const TOKEN: &str = "/token";

const CHANGES: [&str; 8] = [
    "/notify/down?force=true",
    "/notify/up",
    "/email-test",
    "/test/email",
    "/test/slack",
    "/test/webhook",
    "/disable?for=2h",
    "/enable",
];

/// base64 of `me:TOKEN`.
const BASIC_WRONG: &str = "Basic bWU6d3Jvbmc=";
const BASIC_PING: &str = "Basic bWU6dGhlLXBpbmctdG9rZW4=";
const BASIC_ADMIN: &str = "Basic bWU6dGhlLWFkbWluLXRva2Vu";

/// Somebody else each time, behind a proxy that is trusted: no test tries more wrong tokens than
/// one client may.
struct Clients(u8);

impl Clients {
    async fn status(&mut self, scene: &Scene, method: &str, path: &str, token: &str) -> u16 {
        self.0 += 1;
        let client = format!("192.0.2.{}", self.0);
        let mut headers = vec![("X-Forwarded-For", &*client)];
        if !token.is_empty() {
            headers.push(("Authorization", token));
        }
        scene.ask(method, path, &headers).await.status
    }
}

#[tokio::test]
async fn x1_every_route_opens_to_its_token_and_to_no_other() {
    let scene = Scene::start(true).await;
    let (ping, admin) = (format!("Bearer {PING}"), format!("Bearer {ADMIN}"));
    let (none, wrong) = ("", "Bearer wrong");
    let mut clients = Clients(0);
    for (path, _) in READS {
        for method in ["GET", "HEAD"] {
            for token in [none, wrong, &ping, &admin] {
                let status = clients.status(&scene, method, path, token).await;
                assert_eq!(status, 200, "{method} {path} with {token:?}");
            }
            clients.0 = 0;
        }
    }
    for path in CHANGES {
        clients.0 = 0;
        for method in ["GET", "POST"] {
            for token in [none, wrong, BASIC_WRONG, &ping, BASIC_PING] {
                let status = clients.status(&scene, method, path, token).await;
                assert_eq!(status, 401, "{method} {path} with {token:?}");
            }
        }
    }
    clients.0 = 0;
    for token in [none, wrong, BASIC_WRONG, &ping, BASIC_PING] {
        let status = clients.status(&scene, "POST", ACKNOWLEDGE, token).await;
        assert_eq!(status, 401, "{ACKNOWLEDGE} with {token:?}");
    }
    clients.0 = 50;
    for token in [none, wrong, BASIC_WRONG] {
        let status = clients.status(&scene, "GET", TOKEN, token).await;
        assert_eq!(status, 401, "{TOKEN} with {token:?}");
    }
    for token in [&*ping, BASIC_PING, &admin, BASIC_ADMIN] {
        let status = clients.status(&scene, "GET", TOKEN, token).await;
        assert_eq!(status, 200, "{TOKEN} with {token:?}");
    }
    clients.0 = 100;
    for method in ["GET", "POST"] {
        for token in [none, wrong, BASIC_WRONG] {
            let status = clients.status(&scene, method, "/heartbeat", token).await;
            assert_eq!(status, 401, "{method} /heartbeat with {token:?}");
        }
    }
    // HEAD changes nothing, with whatever token.
    for path in CHANGES.into_iter().chain(["/heartbeat"]) {
        let status = clients.status(&scene, "HEAD", path, &admin).await;
        assert_eq!(status, 405, "HEAD {path}");
    }
    let status = scene.json("/status").await;
    assert_eq!(status["enabled"], true);
    assert_eq!(status["active"], false);
    assert_eq!(status["last_seen"], Value::Null);
    assert_eq!(
        (scene.people.notified(), scene.mail.count("message")),
        (0, 0)
    );

    for method in ["GET", "POST"] {
        for token in [&*ping, BASIC_PING, &admin, BASIC_ADMIN] {
            let status = clients.status(&scene, method, "/heartbeat", token).await;
            assert_eq!(status, 200, "{method} /heartbeat with {token:?}");
        }
        for path in CHANGES {
            for token in [&*admin, BASIC_ADMIN] {
                let status = clients.status(&scene, method, path, token).await;
                assert_eq!(status, 200, "{method} {path} with {token:?}");
            }
        }
    }
    let open = clients.status(&scene, "POST", ACKNOWLEDGE, &admin).await;
    assert_eq!(open, 404, "the alarm by hand is over");
    assert!(scene.people.notified() > 0 && scene.mail.count("message") > 0);
}

#[tokio::test]
async fn x1_no_route_of_the_document_is_forgotten_here() {
    let scene = Scene::start(true).await;
    let document = scene.json("/openapi.json").await;
    let mut served = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            served.insert(format!("{method} {path}"));
        }
    }
    let reads = READS.into_iter().filter(|(_, documented)| *documented);
    let mut here: BTreeSet<_> = reads.map(|(path, _)| format!("get {path}")).collect();
    for path in CHANGES.into_iter().chain(["/heartbeat"]) {
        let path = path.split('?').next().unwrap();
        let path = path.replace("/up", "/{state}").replace("/down", "/{state}");
        here.extend(["get", "post"].map(|method| format!("{method} {path}")));
    }
    here.insert(format!("post {ACKNOWLEDGE}"));
    here.insert(format!("get {TOKEN}"));
    assert_eq!(served, here);
}

#[tokio::test]
async fn x1_guessing_makes_its_client_wait_and_keeps_no_beat_out() {
    let scene = Scene::start(true).await;
    let ask = async |client: &str, path: &str, token: &str| {
        let token = format!("Bearer {token}");
        let headers = [("X-Forwarded-For", client), ("Authorization", &*token)];
        scene.ask("GET", path, &headers).await
    };
    for _ in 0..10 {
        assert_eq!(ask("192.0.2.1", "/enable", "guess").await.status, 401);
    }
    let answer = ask("192.0.2.1", "/enable", ADMIN).await;
    assert_eq!(answer.status, 429);
    assert!(answer.head.contains("retry-after: "), "{}", answer.head);
    assert_eq!(ask("192.0.2.1", "/heartbeat", PING).await.status, 200);
    assert_eq!(ask("192.0.2.2", "/enable", ADMIN).await.status, 200);
    // What somebody says of himself who is no trusted proxy is not believed: see `doors/client`.
}
