//! How it fails: each in one sentence, in time, and without a secret (X1).

use lvmbeat_tests::authority::Authority;
use lvmbeat_tests::mail::{MailOptions, MailServer, Tls};
use lvmbeat_tests::port::Port;

use super::*;

/// Delivers to Jane, which fails with that sentence. `HERE` stands for the server, `...` for any
/// end.
async fn fails(port: u16, more: Value, limit: f64, sentence: &str) {
    let channels = recipients(port, more, limit);
    let error = deliver(&channels[0], &alert(), limit).await.unwrap_err();
    for secret in [PASSWORD, JANE, PEREZ, USER, "aHVudGVy", "hunter2"] {
        assert!(!error.contains(secret), "X1: {secret} is in: {error}");
    }
    assert!(!error.contains('\n'), "{error}");
    let here = format!("the mail server localhost:{port}");
    let sentence = sentence.replace("HERE", &here);
    match sentence.strip_suffix("...") {
        Some(begin) => assert!(error.starts_with(begin), "{error}"),
        None => assert_eq!(error, sentence),
    }
}

async fn faulty(fault: &str, limit: f64, sentence: &str) {
    let server = MailServer::start(MailOptions {
        fault,
        ..MailOptions::default()
    })
    .await;
    fails(server.port, json!({}), limit, sentence).await;
}

#[tokio::test]
async fn a_refused_recipient_holds_no_other_back() {
    let fault = format!("refuse {JANE}");
    let mut server = MailServer::start(MailOptions {
        fault: &fault,
        ..MailOptions::default()
    })
    .await;
    let sentence = "HERE refuses the e-mail: 550 5.1.1 <j…@lco.cl>: user unknown";
    fails(server.port, json!({}), LIMIT, sentence).await;
    let channels = recipients(server.port, json!({}), LIMIT);
    deliver(&channels[1], &alert(), LIMIT).await.unwrap();
    assert_eq!(server.message().await["rcpt_to"], json!([PEREZ]));
    server.fault("none").await;
    deliver(&channels[0], &alert(), LIMIT).await.unwrap();
    assert_eq!(server.message().await["rcpt_to"], json!([JANE]));
}

#[tokio::test]
async fn refused_for_now() {
    faulty(
        "later",
        LIMIT,
        "HERE refuses the e-mail: 451 4.3.0 The disk is full, try again later",
    )
    .await;
}

#[tokio::test]
async fn refused_for_good() {
    faulty(
        "never",
        LIMIT,
        "HERE refuses the e-mail: 554 5.7.1 Message refused by policy",
    )
    .await;
}

#[tokio::test]
async fn nobody_listens() {
    let port = Port::reserve();
    fails(
        port.number(),
        json!({}),
        LIMIT,
        "HERE cannot be reached: ...",
    )
    .await;
}

#[tokio::test]
async fn there_is_no_such_server() {
    let host = "no-such-host.invalid";
    let channels = recipients(25, json!({"host": host}), LIMIT);
    let error = deliver(&channels[0], &alert(), LIMIT).await.unwrap_err();
    let begin = format!("the mail server {host}:25 cannot be reached: ");
    assert!(error.starts_with(&begin), "{error}");
}

#[tokio::test]
async fn silence_after_connecting() {
    faulty(
        "silent",
        2.0,
        "HERE did not answer while connecting within 1.8 s",
    )
    .await;
}

#[tokio::test]
async fn m4_a_message_that_is_not_answered_is_neither_taken_nor_refused() {
    // The end of the stream, or its reset, whichever is seen.
    faulty(
        "hangs_up",
        LIMIT,
        "the whole e-mail was sent to HERE, which did not confirm it: ...",
    )
    .await;
}

#[tokio::test]
async fn disconnected_before_the_message() {
    faulty(
        "disconnect",
        LIMIT,
        "the connection to HERE broke before it accepted the e-mail: ...",
    )
    .await;
}

#[tokio::test]
async fn x2_a_line_without_end_is_given_up() {
    faulty(
        "floods",
        LIMIT,
        "HERE cannot be reached: its answer does not end",
    )
    .await;
}

#[tokio::test]
async fn refused_for_now_by_a_server_that_counts() {
    faulty(
        "throttles",
        LIMIT,
        "HERE refuses the e-mail: 450 4.5.127 Message rejected. Excessive message rate from sender.",
    )
    .await;
}

#[tokio::test]
async fn a_wrong_password() {
    let server = MailServer::start(MailOptions {
        login: Some((USER, "another")),
        ..MailOptions::default()
    })
    .await;
    fails(
        server.port,
        json!({"username": USER}),
        LIMIT,
        "HERE refuses the login: 535 5.7.8 Authentication credentials invalid",
    )
    .await;
}

#[tokio::test]
async fn x1_a_server_that_repeats_the_login_is_not_quoted() {
    let server = MailServer::start(MailOptions {
        login: Some((USER, PASSWORD)),
        fault: "parrot",
        ..MailOptions::default()
    })
    .await;
    let login = json!({"username": USER});
    fails(server.port, login, LIMIT, "HERE refuses the login: 500").await;
}

#[tokio::test]
async fn x1_a_login_is_not_made_where_the_server_wants_none() {
    let server = MailServer::start(MailOptions::default()).await;
    fails(
        server.port,
        json!({"username": USER}),
        LIMIT,
        "the login at HERE failed: it offers no login",
    )
    .await;
}

#[tokio::test]
async fn x1_nothing_is_sent_over_a_connection_that_is_not_secure() {
    // STARTTLS is required, and the server has none.
    let server = MailServer::start(MailOptions {
        login: Some((USER, PASSWORD)),
        ..MailOptions::default()
    })
    .await;
    fails(
        server.port,
        json!({"username": USER, "tls": "starttls"}),
        LIMIT,
        "the connection to HERE cannot be secured: STARTTLS is not supported on this server",
    )
    .await;
    assert_eq!(server.count("login"), 0);
}

#[tokio::test]
async fn x1_nothing_is_sent_to_a_server_that_cannot_be_trusted() {
    let authority = Authority::new();
    for (tls, name) in [
        (Tls::StartTls(&authority), "starttls"),
        (Tls::Implicit(&authority), "implicit"),
    ] {
        let server = MailServer::start(MailOptions {
            tls,
            login: Some((USER, PASSWORD)),
            ..MailOptions::default()
        })
        .await;
        fails(
            server.port,
            json!({"username": USER, "tls": name}),
            LIMIT,
            "HERE cannot be trusted: invalid peer certificate: UnknownIssuer; SSL_CERT_FILE can name your own authorities",
        )
        .await;
        assert_eq!(server.count("login"), 0);
        assert_eq!(server.count("message"), 0);
    }
}
