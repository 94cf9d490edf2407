//! What arrives.

use lvmbeat::clock::{BootClock, Clock as _};
use lvmbeat_tests::mail::{MailOptions, MailServer};

use super::*;

#[tokio::test]
async fn an_alert_is_right_to_a_mail_parser_that_is_not_ours() {
    let mut server = MailServer::start(MailOptions::default()).await;
    let channels = recipients(server.port, json!({}), LIMIT);
    let before = BootClock.wall();
    let message = alert();
    for channel in &channels {
        deliver(channel, &message, LIMIT).await.unwrap();
    }
    for recipient in [JANE, PEREZ] {
        let mail = server.message().await;
        assert_eq!(mail["defects"], json!([]), "{mail}");
        assert_eq!(mail["repeated"], json!([]), "{mail}");
        assert!(
            mail["longest_line"].as_u64().unwrap() <= 998,
            "RFC 5322, 2.1.1: {mail}"
        );
        assert_eq!(mail["mail_from"], "lvmbeat@sdss.org");
        assert_eq!(mail["rcpt_to"], json!([recipient]), "nobody gets it twice");
        assert_eq!(mail["from"], json!([["lvmbeat", "lvmbeat@sdss.org"]]));
        assert_eq!(
            mail["to"],
            json!([["Jane Doe", JANE], ["Pérez, Ñ.", PEREZ]])
        );
        assert_eq!(mail["reply-to"], json!([["Operators", "ops@sdss.org"]]));
        assert_eq!(mail["subject"], "LCO internet is down");
        assert_eq!(mail["auto-submitted"], "auto-generated");
        assert_eq!(mail["in-reply-to"], Value::Null);
        let date = mail["date"].as_i64().unwrap();
        let now = BootClock.wall().as_second();
        assert!((before.as_second()..=now).contains(&date), "{date}");
        assert_eq!(mail["type"], "multipart/alternative");
        assert_eq!(mail["parts"], json!(["text/plain", "text/html"]));
        let (plain, html) = (
            mail["plain"].as_str().unwrap(),
            mail["html"].as_str().unwrap(),
        );
        assert!(
            plain.starts_with("LCO internet is down: last heard at 2025-06-01 03:12:05 UTC (2025-05-31 23:12:05 Santiago). The dome was open.\n"),
            "{plain}"
        );
        // A line with nothing but a dot ends the message in SMTP, if it is not stuffed.
        let parts = [
            "held: der Beobachter „schweigt“\n",
            "Die Kuppel schließt.\n.\nCall",
        ];
        for part in parts {
            assert!(plain.contains(part), "{plain}");
            assert!(html.contains(part.trim_end()), "{html}");
        }
        assert!(
            html.contains(r#"<a href="https://monitor.example/">"#),
            "{html}"
        );
    }
    assert_eq!(
        server.count("connected"),
        2,
        "a connection for each message"
    );
    assert_eq!(server.count("message"), 2);
}

#[tokio::test]
async fn reminders_and_the_all_clear_are_replies_to_the_alert() {
    let mut server = MailServer::start(MailOptions::default()).await;
    let channels = recipients(server.port, json!({}), LIMIT);
    let incident = Uuid::new_v4();
    let messages: [(&[Raised], _); 4] = [
        (&[(1, Event::Down)], "LCO internet is down"),
        (
            &[(2, Event::Reminder)],
            "REMINDER: LCO internet is still down",
        ),
        (
            &[(3, Event::Reminder)],
            "REMINDER: LCO internet is still down",
        ),
        (&[(4, Event::Up)], "RESOLVED: LCO internet is up"),
    ];
    let mut ids = Vec::new();
    for (notices, subject) in messages {
        let message = message(incident, notices);
        deliver(&channels[0], &message, LIMIT).await.unwrap();
        let mail = server.message().await;
        assert_eq!(mail["subject"], subject);
        if let Some(alert) = ids.first() {
            assert_eq!(&mail["in-reply-to"], alert);
            assert_eq!(&mail["references"], alert);
        }
        let id = mail["message-id"].clone();
        assert!(!ids.contains(&id), "{id} twice");
        assert!(id.as_str().unwrap().ends_with("@sdss.org>"), "{id}");
        // A retry after a crash.
        deliver(&channels[0], &message, LIMIT).await.unwrap();
        assert_eq!(server.message().await["message-id"], id, "M4");
        ids.push(id);
    }
}

#[tokio::test]
async fn a_test_arrives() {
    let mut server = MailServer::start(MailOptions::default()).await;
    let channels = recipients(server.port, json!({}), LIMIT);
    deliver(&channels[0], &Message::Test, LIMIT).await.unwrap();
    let mail = server.message().await;
    assert_eq!(mail["subject"], "TEST: LCO internet is down");
    assert!(
        mail["plain"]
            .as_str()
            .unwrap()
            .contains("This is a test message. Please ignore.")
    );
}

#[tokio::test]
async fn a_login_is_made() {
    let login = Some((USER, PASSWORD));
    let mut server = MailServer::start(MailOptions {
        login,
        ..MailOptions::default()
    })
    .await;
    let channels = recipients(server.port, json!({"username": USER}), LIMIT);
    deliver(&channels[0], &alert(), LIMIT).await.unwrap();
    server.message().await;
    assert_eq!(server.count("login"), 1);
}

#[tokio::test]
async fn m4_a_server_that_does_not_say_goodbye_has_the_message_all_the_same() {
    let mut server = MailServer::start(MailOptions {
        fault: "no_farewell",
        ..MailOptions::default()
    })
    .await;
    let channels = recipients(server.port, json!({}), 4.0);
    deliver(&channels[0], &alert(), 4.0).await.unwrap();
    server.message().await;
}

#[tokio::test]
async fn m2_several_recipients_are_one_transaction_and_who_is_refused_keeps_it_from_nobody() {
    let fault = format!("refuse {JANE}");
    let mut server = MailServer::start(MailOptions::default()).await;
    let channels = recipients(server.port, json!({}), LIMIT);
    let ids: Vec<_> = channels.iter().map(|channel| channel.id()).collect();
    let results = channels[0].deliver_together(&ids, &alert()).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(server.message().await["rcpt_to"], json!([JANE, PEREZ]));
    server.fault(&fault).await;
    let results = channels[0].deliver_together(&ids, &alert()).await;
    let [Err(refused), Ok(())] = &results[..] else {
        panic!("{results:?}");
    };
    assert!(
        refused.error.cause.contains("550 5.1.1 <j…@lco.cl>"),
        "{refused:?}"
    );
    assert_eq!(server.message().await["rcpt_to"], json!([PEREZ]));
    assert_eq!((server.count("connected"), server.count("message")), (2, 2));
}

#[tokio::test]
async fn m4_a_mail_that_was_taken_is_taken_in_whatever_words() {
    let mut server = MailServer::start(MailOptions::default()).await;
    // One that scans takes longer than a try may take otherwise.
    let channels = recipients(server.port, json!({}), 2.0);
    for fault in ["latin1", "code", "scans 5"] {
        server.fault(fault).await;
        deliver(&channels[0], &alert(), LIMIT).await.unwrap();
        server.message().await;
    }
    assert_eq!(server.count("message"), 3);
}
