//! What browsers get: forms, `/docs`, and the headers that guard them.

use super::*;

const BROWSER: (&str, &str) = (
    "accept",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
);

#[tokio::test]
async fn a_form_goes_back_to_the_page() {
    let email = Arc::new(Fake::new(Kind::Email, "e-mail"));
    let monitored = Monitored::with(&config(), vec![email]);
    let form = [
        BROWSER,
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    for (path, body, back) in [
        ("/disable", "for=2h", "./?done=disabled"),
        ("/disable", "", "./?done=disabled"),
        ("/enable", "", "./?done=enabled"),
        ("/test/email", "", "../?done=email-sent"),
        ("/notify/up", "", "../"),
    ] {
        let answer = monitored.ask_with(Method::POST, path, &form, body).await;
        assert_eq!(answer.status, 303, "{path}");
        assert_eq!(answer.headers[header::LOCATION], back);
    }
    // What is typed is answered as in the Python version.
    let answer = monitored
        .ask_with(Method::GET, "/enable", &[BROWSER], "")
        .await;
    assert_eq!(answer.body, r#"{"message":"Heartbeat monitor enabled."}"#);
}

#[tokio::test]
async fn a_form_that_fails_says_why_in_a_page() {
    let monitored = Monitored::new(&with_tokens());
    let admin = ("authorization", "Bearer the-admin-token");
    let form = ("content-type", "application/x-www-form-urlencoded");
    let headers = [BROWSER, form, admin];
    let answer = monitored
        .ask_with(Method::POST, "/disable", &headers, "for=<b>")
        .await;
    assert_eq!(answer.status, 422);
    assert_eq!(
        answer.headers[header::CONTENT_TYPE],
        "text/html; charset=utf-8"
    );
    assert!(
        answer.body.contains("<p role=\"alert\">for: "),
        "{answer:?}"
    );
    // A browser is asked for the password all the same.
    let answer = monitored
        .ask_with(Method::POST, "/disable", &[BROWSER, form], "")
        .await;
    assert_eq!(answer.status, 401);
    assert!(answer.headers.contains_key(header::WWW_AUTHENTICATE));
    assert!(answer.body.contains("admin token"), "{answer:?}");
}

#[tokio::test]
async fn every_answer_tells_browsers_what_they_may_do() {
    let monitored = Monitored::new(&with_tokens());
    for path in [
        "/",
        "/page.css",
        "/status",
        "/docs",
        "/docs.css",
        "/nope",
        "/enable",
        "/healthz",
    ] {
        let answer = monitored.get(path).await;
        let headers = &answer.headers;
        let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'self';"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[X_FRAME_OPTIONS], "DENY");
        assert_eq!(headers[REFERRER_POLICY], "same-origin");
        let cached = headers[CACHE_CONTROL].to_str().unwrap();
        let expected = if path == "/docs" || path == "/page.css" {
            "no-cache"
        } else {
            "no-store"
        };
        assert_eq!(cached, expected, "{path}");
    }
}

#[tokio::test]
async fn the_document_names_every_answer_of_every_operation() {
    let monitored = Monitored::new(&with_tokens());
    let document = monitored.document().await;
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["title"], "lvmbeat monitor");
    assert_eq!(document["info"]["version"], VERSION);
    let mut names = std::collections::BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        assert!(names.insert(operation["operationId"].to_string()), "{path}");
        assert!(operation["summary"].is_string(), "{path}");
        let answers = operation["responses"].as_object().unwrap();
        let has = |status: &str| answers.contains_key(status);
        if operation["tags"][0] != "read" {
            assert!(has("401") && has("403") && has("429"), "{method} {path}");
        }
        if !operation["requestBody"].is_null() {
            assert_eq!(method, Method::POST);
            assert!(has("408") && has("413") && has("422"), "{path}");
        }
        for (status, answer) in answers {
            let media = answer["content"].as_object();
            assert_eq!(media.is_none(), status == "303", "{path} {status}");
        }
    }
    // No reference leads nowhere.
    let mut left = vec![&document];
    while let Some(value) = left.pop() {
        if let Some(reference) = value["$ref"].as_str() {
            assert!(
                document
                    .pointer(reference.trim_start_matches('#'))
                    .is_some(),
                "{reference}"
            );
        }
        left.extend(
            value
                .as_object()
                .into_iter()
                .flat_map(|object| object.values()),
        );
        left.extend(value.as_array().into_iter().flatten());
    }
}

#[tokio::test]
async fn the_docs_show_every_operation_with_nothing_from_elsewhere() {
    let monitored = Monitored::new(&with_tokens());
    let document = monitored.document().await;
    let page = monitored.get("/docs").await;
    assert_eq!(page.status, 200);
    assert_eq!(
        page.headers[header::CONTENT_TYPE],
        "text/html; charset=utf-8"
    );
    for (method, path, _) in operations(&document) {
        let button = format!("<button>{method} {path}</button>");
        assert!(page.body.contains(&button), "no {button}");
    }
    assert!(page.body.contains("action=\"./notify/down\""));
    assert!(page.body.contains("name=\"for\""));
    assert!(!page.body.contains("<script"));
    assert!(!page.body.contains("://"), "something from elsewhere");
    let style = monitored.get("/docs.css").await;
    assert_eq!(style.status, 200);
    assert_eq!(
        style.headers[header::CONTENT_TYPE],
        "text/css; charset=utf-8"
    );
}

/// As a proxy has it that takes the prefix away, and as one that does not.
#[tokio::test]
async fn below_a_prefix_the_page_its_parts_and_its_buttons_work() {
    let mut config = config();
    config.wording.page = Some("https://host.example/lvm/beat/".parse().unwrap());
    let monitored = Monitored::new(&config);
    for below in ["", "/lvm/beat"] {
        for path in [
            "/",
            "/docs",
            "/docs/",
            "/status",
            "/page.css",
            "/page/up.svg",
            "/redoc",
        ] {
            let answer = monitored.get(&format!("{below}{path}")).await;
            let expected = if path == "/redoc" { 307 } else { 200 };
            assert_eq!(answer.status, expected, "{below}{path}");
        }
        let page = monitored.get(&format!("{below}/")).await.body;
        assert!(page.contains("href=\"/lvm/beat/page.css\""), "{page}");
        let docs = monitored.get(&format!("{below}/docs/")).await.body;
        assert!(docs.contains("action=\"/lvm/beat/disable\""), "{docs}");
        let form = ("content-type", "application/x-www-form-urlencoded");
        let origin = ("origin", "https://host.example");
        let headers = [BROWSER, form, origin, ("host", "10.0.0.7")];
        let path = format!("{below}/disable");
        let answer = monitored.ask_with(Method::POST, &path, &headers, "").await;
        assert_eq!(answer.status, 303);
        assert_eq!(answer.headers[header::LOCATION], "/lvm/beat/?done=disabled");
        let answer = monitored
            .ask_with(Method::POST, &path, &headers, "for=x")
            .await;
        assert!(
            answer.body.contains("href=\"/lvm/beat/page.css\""),
            "{answer:?}"
        );
    }
    assert_eq!(monitored.get("/lvm/beat").await.status, 200);
    assert_eq!(monitored.get("/lvm/beating").await.status, 404);
    assert_eq!(monitored.asked().len(), 2);
}

/// Behind a proxy of which nothing is known.
#[tokio::test]
async fn without_a_known_prefix_links_and_locations_are_relative() {
    let monitored = Monitored::new(&config());
    let form = ("content-type", "application/x-www-form-urlencoded");
    for path in ["/", "/docs", "/docs/"] {
        let page = monitored.get(path).await.body;
        let links =
            ["href=\"", "src=\"", "action=\""].map(|attribute| page.split(attribute).skip(1));
        for link in links.into_iter().flatten() {
            assert!(!link.starts_with('/'), "{path}: {link}");
        }
    }
    for (path, root) in [
        ("/disable", "./"),
        ("/disable/", "../"),
        ("/test/email", "../"),
    ] {
        let answer = monitored
            .ask_with(Method::POST, path, &[BROWSER, form], "for=x")
            .await;
        let style = format!("href=\"{root}page.css\"");
        assert!(answer.body.contains(&style), "{path}: {answer:?}");
    }
}
