//! Against servers that do what tests say.

use futures_util::future::join;

use super::*;
use crate::config::Secret;
use server::{Does, Heard, start, usual};

mod server;

const PASSWORD: &str = "hunter2-Unicorn";

struct Letter(Address);

impl Letters for Letter {
    fn from(&self) -> &Address {
        &self.0
    }

    fn written(&self, utf8: bool) -> Result<Vec<u8>, lettre::error::Error> {
        Ok(format!("Subject: it is down\r\n\r\nutf8: {utf8}\r\n").into_bytes())
    }
}

fn letter() -> Letter {
    Letter(address("lvmbeat@sdss.org"))
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn server(port: u16, login: bool) -> Server {
    let config = Email {
        after: Duration::ZERO,
        recipients: Vec::new(),
        from: "lvmbeat@sdss.org".parse().unwrap(),
        reply_to: None,
        host: "127.0.0.1".to_owned(),
        port,
        tls: EmailTls::None,
        login: login.then(|| ("jane".to_owned(), Secret::new(PASSWORD.to_owned()))),
        helo: Some("monitor.lco.cl".to_owned()),
    };
    let secrets = Secrets::new([PASSWORD]);
    Server::new(&config, Duration::from_secs(30), secrets).unwrap()
}

/// Sends to these over the loopback.
async fn sends(
    to: &[&str],
    does: impl Fn(&str) -> Does + Send + Sync + 'static,
) -> (Vec<Result<(), Undelivered>>, Heard) {
    let (port, heard) = start(does).await;
    let to: Vec<_> = to.iter().map(|to| address(to)).collect();
    let sent = server(port, false).send(&to, &letter()).await;
    (sent, heard)
}

async fn logs_in(
    does: impl Fn(&str) -> Does + Send + Sync + 'static,
) -> (Result<(), Undelivered>, Heard) {
    let (port, heard) = start(does).await;
    let to = [address("jane@lco.cl")];
    let mut sent = server(port, true).send(&to, &letter()).await;
    (sent.pop().unwrap(), heard)
}

/// Sends to Jane in a time that is not real.
async fn sends_slowly(does: impl Fn(&str) -> Does + Sync) -> (Result<(), Failed>, Outcomes, Heard) {
    let (here, there) = tokio::io::duplex(1024);
    let (server, heard) = (server(25, false), Heard::default());
    let session = Session::new(
        Box::new(here),
        Duration::from_secs(30),
        Instant::now() + BEFORE,
    );
    let mut outcomes = vec![None];
    let to = [address("jane@lco.cl")];
    let letters = letter();
    let converse = server.converse(session, None, &to, &[0], &letters, &mut outcomes);
    let serve = server::serve(there, &does, &heard);
    let done = tokio::select! {
        done = converse => done,
        () = async { serve.await; std::future::pending().await } => unreachable!(),
    };
    (done, outcomes, heard)
}

/// A server that answers this to that command, and is usual otherwise.
fn but(command: &'static str, answer: &'static [u8]) -> impl Fn(&str) -> Does + Send + Sync {
    move |said| match said.strip_prefix(command) {
        Some(rest) if !command.is_empty() || rest.is_empty() => Does::Says(answer.to_vec()),
        _ => usual(said),
    }
}

#[tokio::test]
async fn a_check_logs_in_and_sends_nobody_anything() {
    let offers = but("EHLO", b"250-mail.example\r\n250 AUTH PLAIN\r\n");
    let (port, heard) = start(offers).await;
    let let_in = server(port, true).check().await.unwrap();
    assert!(let_in.logged_in && let_in.expires.is_none());
    let said: Vec<_> = heard.all().iter().map(|it| it[..4].to_owned()).collect();
    assert_eq!(said, ["EHLO", "AUTH", "QUIT"]);

    let (port, _) = start(usual).await;
    let let_in = server(port, false).check().await.unwrap();
    assert!(!let_in.logged_in, "it asks for none");
}

#[tokio::test]
async fn x1_a_check_names_a_login_that_is_refused_without_the_password() {
    let refuses = |said: &str| match said {
        said if said.starts_with("EHLO") => {
            Does::Says(b"250-mail.example\r\n250 AUTH PLAIN\r\n".to_vec())
        }
        said if said.starts_with("AUTH") => {
            Does::Says(format!("535 no: {PASSWORD}\r\n").into_bytes())
        }
        said => usual(said),
    };
    let (port, _) = start(refuses).await;
    let cause = server(port, true).check().await.unwrap_err().cause;
    assert!(cause.contains("refuses the login: 535"), "{cause}");
    assert!(!cause.contains(PASSWORD), "{cause}");
}

#[tokio::test]
async fn m4_a_server_that_takes_the_mail_has_it_whatever_its_words_are() {
    let answers: [&[u8]; 6] = [
        b"250 angenommen, sch\xf6nen Tag\r\n",
        b"250\r\n",
        b"250\n",
        b"250-one\r\n250 two\r\n",
        b"251 whatever\r\n",
        b"250 \xff\xfe\x00\x1b[31m\r\n",
    ];
    for answer in answers {
        let (sent, heard) = sends(&["jane@lco.cl"], but(".", answer)).await;
        assert_eq!(sent, [Ok(())], "{answer:?}");
        assert_eq!(heard.count("."), 1);
    }
}

#[tokio::test]
async fn m4_a_server_that_takes_the_mail_and_closes_has_it() {
    for answer in ["250 taken", "250", "250-taken\r\n"] {
        let does = move |said: &str| match said {
            "." => Does::Closes(answer.into()),
            said => usual(said),
        };
        let (sent, _) = sends(&["jane@lco.cl"], does).await;
        assert_eq!(sent, [Ok(())], "{answer}");
    }
}

#[tokio::test]
async fn x2_an_answer_without_end_is_given_up_wherever_it_comes() {
    for (command, answer) in [
        ("", "x"),
        ("", "220-x\r\n"),
        ("", "220 x"),
        ("EHLO", "250-x\r\n"),
        ("MAIL", "250 x"),
        ("RCPT", "550 x"),
        ("DATA", "354 x"),
    ] {
        let does = move |said: &str| match said {
            "" if command.is_empty() => Does::Floods(answer.into()),
            said if !command.is_empty() && said.starts_with(command) => Does::Floods(answer.into()),
            said => usual(said),
        };
        let (sent, _) = sends(&["jane@lco.cl"], does).await;
        let error = sent[0].clone().unwrap_err().error.cause;
        let named = ["its answer does not end", "its answer is not SMTP"];
        assert!(
            named.iter().any(|words| error.contains(words)),
            "{command} {answer}: {error}"
        );
    }
}

#[tokio::test]
async fn m4_an_answer_without_end_to_the_message_is_known_by_its_code() {
    for (answer, is_taken) in [("250 x", true), ("250-x\r\n", true), ("554 x", false)] {
        let does = move |said: &str| match said {
            "." => Does::Floods(answer.into()),
            said => usual(said),
        };
        let (sent, _) = sends(&["jane@lco.cl"], does).await;
        assert_eq!(sent[0].is_ok(), is_taken, "{answer}: {sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn m4_a_server_may_look_into_the_mail_for_ten_minutes() {
    for seconds in [35, 300, 595] {
        let does = move |said: &str| match said {
            "." => Does::Later(seconds, b"250 taken\r\n".to_vec()),
            said => usual(said),
        };
        let (done, outcomes, heard) = sends_slowly(does).await;
        assert!(done.is_ok(), "{seconds}: {done:?}");
        assert_eq!(outcomes, [Some(Ok(()))]);
        assert_eq!(heard.count("."), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn m4_a_mail_that_is_all_sent_and_not_answered_is_neither_taken_nor_refused() {
    let answers: [fn() -> Does; 4] = [
        || Does::Nothing,
        || Does::Closes(Vec::new()),
        || Does::Closes(b"25".to_vec()),
        || "what?".into(),
    ];
    for answer in answers {
        let does = move |said: &str| match said {
            "." => answer(),
            said => usual(said),
        };
        let (done, outcomes, _) = sends_slowly(does).await;
        assert_eq!(outcomes, [None]);
        let ended = server(25, false).ended(&done.unwrap_err());
        assert_eq!(ended.undelivered.failure, Failure::Unanswered);
        let cause = ended.undelivered.error.cause;
        assert!(
            cause.starts_with(
                "the whole e-mail was sent to the mail server 127.0.0.1:25, which did not confirm"
            ),
            "{cause}"
        );
        assert!(!ended.is_apart, "it would be sent again to each");
    }
}

#[tokio::test(start_paused = true)]
async fn m4_the_farewell_is_not_waited_for() {
    let begun = Instant::now();
    let does = |said: &str| match said {
        "QUIT" => Does::Nothing,
        said => usual(said),
    };
    let (done, outcomes, _) = sends_slowly(does).await;
    assert!(done.is_ok() && outcomes == [Some(Ok(()))]);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn m2_a_slow_server_is_given_up_at_first_and_more_patience_later() {
    let does = |said: &str| match said {
        "" => Does::Later(40, b"220 at last\r\n".to_vec()),
        said => usual(said),
    };
    let (done, _, _) = sends_slowly(does).await;
    let failed = done.unwrap_err();
    assert!(matches!(failed.problem, Problem::Silent(limit) if limit == Duration::from_secs(30)));
    // Over the loopback: there is nobody who answers in time, and each try takes twice as long.
    let (port, _) = start(|_| Does::Nothing).await;
    let server = server(port, false);
    for limit in [30, 60, 120, 240, 300, 300] {
        let sent = server.send(&[address("jane@lco.cl")], &letter()).await;
        let cause = sent[0].clone().unwrap_err().error.cause;
        assert!(
            cause.ends_with(&format!("did not answer while connecting within {limit} s")),
            "{cause}"
        );
    }
}

#[tokio::test]
async fn m2_a_server_that_does_not_know_ehlo_is_greeted_as_in_the_past() {
    for refusal in [b"500 what?\r\n".as_slice(), b"502\r\n", b"550 no EHLO\r\n"] {
        let (sent, heard) = sends(&["jane@lco.cl"], but("EHLO", refusal)).await;
        assert_eq!(sent, [Ok(())]);
        assert_eq!(
            heard.all()[..4],
            [
                "EHLO monitor.lco.cl",
                "HELO monitor.lco.cl",
                "MAIL FROM:<lvmbeat@sdss.org>",
                "RCPT TO:<jane@lco.cl>"
            ]
        );
    }
}

#[tokio::test]
async fn m2_the_greeting_is_a_full_name_or_an_address() {
    let (port, heard) = start(usual).await;
    let server = Server {
        helo: None,
        ..server(port, false)
    };
    let sent = server.send(&[address("jane@lco.cl")], &letter()).await;
    assert_eq!(sent, [Ok(())]);
    let greeting = heard.all().first().cloned().unwrap_or_default();
    let name = greeting.strip_prefix("EHLO ").unwrap();
    assert!(
        name == "[127.0.0.1]" || name.contains('.') && !name.starts_with('['),
        "{name}"
    );
}

#[tokio::test]
async fn m2_several_people_are_one_transaction() {
    let (sent, heard) = sends(&["a@lco.cl", "b@lco.cl", "c@lco.cl"], usual).await;
    assert_eq!(sent, [Ok(()), Ok(()), Ok(())]);
    assert_eq!(
        (heard.count("EHLO"), heard.count("MAIL"), heard.count(".")),
        (1, 1, 1)
    );
    assert_eq!(heard.count("RCPT"), 3);
}

#[tokio::test]
async fn m2_who_is_refused_keeps_the_mail_from_nobody_else() {
    let (sent, heard) = sends(
        &["a@lco.cl", "bad@lco.cl", "c@lco.cl"],
        but("RCPT TO:<bad@", b"550 5.1.1 <bad@lco.cl> unknown\r\n"),
    )
    .await;
    assert_eq!((&sent[0], &sent[2]), (&Ok(()), &Ok(())));
    let undelivered = sent[1].clone().unwrap_err();
    assert!(undelivered.is_own);
    assert!(
        undelivered
            .error
            .cause
            .ends_with("refuses the e-mail: 550 5.1.1 <b…@lco.cl> unknown"),
        "{undelivered:?}"
    );
    assert_eq!(heard.count("."), 1);
}

#[tokio::test]
async fn m2_a_server_that_gives_up_at_one_recipient_gets_the_others_by_themselves() {
    let refuses: [fn() -> Does; 3] = [
        || Does::Closes(b"421 go away\r\n".to_vec()),
        || Does::Closes(Vec::new()),
        || "no reply at all".into(),
    ];
    for refuses in refuses {
        let does = move |said: &str| match said {
            "RCPT TO:<bad@lco.cl>" => refuses(),
            said => usual(said),
        };
        let (sent, heard) = sends(&["bad@lco.cl", "b@lco.cl", "c@lco.cl"], does).await;
        assert!(sent[0].is_err());
        assert_eq!(sent[1..], [Ok(()), Ok(())]);
        assert_eq!(heard.count("."), 2);
    }
}

#[tokio::test]
async fn m2_a_message_that_is_refused_for_one_of_several_is_sent_to_each() {
    for step in ["DATA", "."] {
        let recipients = std::sync::Mutex::new(Vec::new());
        let does = move |said: &str| {
            let mut recipients = recipients.lock().unwrap();
            if said.starts_with("MAIL") {
                recipients.clear();
            }
            recipients.push(said.to_owned());
            let is_bad = recipients.iter().any(|said| said.contains("bad@"));
            if said == step && is_bad {
                return "554 5.7.1 one of them is suppressed".into();
            }
            usual(said)
        };
        let (sent, _) = sends(&["a@lco.cl", "bad@lco.cl", "c@lco.cl"], does).await;
        assert!(sent[1].is_err(), "{step}");
        assert_eq!((&sent[0], &sent[2]), (&Ok(()), &Ok(())), "{step}");
    }
}

#[tokio::test]
async fn m2_too_many_for_one_transaction_are_several() {
    for code in ["452 4.5.3 too many recipients", "552 too many recipients"] {
        let taken = std::sync::atomic::AtomicUsize::new(0);
        let does = move |said: &str| {
            if said.starts_with("MAIL") {
                taken.store(0, Ordering::SeqCst);
            }
            if said.starts_with("RCPT") && taken.fetch_add(1, Ordering::SeqCst) >= 2 {
                return code.into();
            }
            usual(said)
        };
        let to = ["a@x.cl", "b@x.cl", "c@x.cl", "d@x.cl", "e@x.cl"];
        let (sent, heard) = sends(&to, does).await;
        assert_eq!(sent, [Ok(()), Ok(()), Ok(()), Ok(()), Ok(())]);
        assert_eq!((heard.count("EHLO"), heard.count(".")), (1, 3));
    }
}

#[tokio::test]
async fn m2_a_name_that_is_not_ascii_keeps_the_mail_from_nobody() {
    let to = ["jane@lco.cl", "ñandú@lco.cl", "john@ñandú.cl"];
    let (sent, heard) = sends(&to, usual).await;
    assert_eq!((&sent[0], &sent[2]), (&Ok(()), &Ok(())));
    let cause = sent[1].clone().unwrap_err().error.cause;
    assert!(cause.contains("SMTPUTF8"), "{cause}");
    assert_eq!(
        heard.count("RCPT TO:<john@xn--and-6ma2c.cl>"),
        1,
        "{:?}",
        heard.all()
    );
    let does = but("EHLO", b"250-mail.example\r\n250-SIZE\r\n250 SMTPUTF8\r\n");
    let (sent, heard) = sends(&to, does).await;
    assert_eq!(sent, [Ok(()), Ok(()), Ok(())]);
    assert_eq!((heard.count("EHLO"), heard.count(".")), (1, 2));
    let all = heard.all();
    assert!(
        all.contains(&"RCPT TO:<ñandú@lco.cl>".to_owned()),
        "{all:?}"
    );
    assert!(
        all.iter()
            .any(|said| said.starts_with("MAIL") && said.ends_with("SMTPUTF8"))
    );
}

/// Offers these ways to log in, and answers each command of a login like that.
fn offering(
    offers: &'static str,
    answers: impl Fn(&str) -> Option<Does> + Send + Sync + 'static,
) -> impl Fn(&str) -> Does + Send + Sync + 'static {
    move |said| {
        if said.starts_with("EHLO") {
            return format!("250-mail.example\r\n250 {offers}").as_str().into();
        }
        answers(said).unwrap_or_else(|| usual(said))
    }
}

#[tokio::test]
async fn m2_logins_are_made_as_servers_want_them() {
    // AHRva2Vu… is "\0jane\0hunter2-Unicorn".
    const PLAIN: &str = "AGphbmUAaHVudGVyMi1Vbmljb3Ju";
    const USER: &str = "amFuZQ==";
    const PASS: &str = "aHVudGVyMi1Vbmljb3Ju";
    type Answers = fn(&str) -> Option<Does>;
    let servers: [(&'static str, Answers); 8] = [
        ("AUTH PLAIN", |said| {
            (said == format!("AUTH PLAIN {PLAIN}")).then(|| "235 welcome".into())
        }),
        ("AUTH=PLAIN", |said| {
            (said == format!("AUTH PLAIN {PLAIN}")).then(|| "235".into())
        }),
        // It takes no answer that comes with the name.
        ("AUTH PLAIN", |said| match said {
            "AUTH PLAIN" => Some("334 ".into()),
            PLAIN => Some("235 welcome".into()),
            said if said.starts_with("AUTH") => Some("501 syntax".into()),
            _ => None,
        }),
        ("AUTH LOGIN", |said| match said {
            "AUTH LOGIN amFuZQ==" => Some("334 UGFzc3dvcmQ6".into()),
            PASS => Some("235 welcome".into()),
            _ => None,
        }),
        // It asks for what it was given, in other words, and without the padding.
        ("AUTH LOGIN", |said| match said {
            "AUTH LOGIN amFuZQ==" => Some("334 VXNlciBOYW1lAA==".into()),
            USER => Some("334 UGFzcw".into()),
            PASS => Some("235 welcome".into()),
            _ => None,
        }),
        ("AUTH LOGIN", |said| match said {
            "AUTH LOGIN" | USER => Some("334".into()),
            PASS => Some("235".into()),
            said if said.starts_with("AUTH") => Some("504 no".into()),
            _ => None,
        }),
        // It offers what it cannot do.
        ("AUTH CRAM-MD5 PLAIN", |said| match said {
            "AUTH CRAM-MD5" => Some("535 no such thing".into()),
            said if said == format!("AUTH PLAIN {PLAIN}") => Some("235 welcome".into()),
            _ => None,
        }),
        ("AUTH GSSAPI PLAIN", |said| {
            said.starts_with("AUTH").then(|| "503 I know you".into())
        }),
    ];
    for (offers, answers) in servers {
        let strict = move |said: &str| match answers(said) {
            None if said.starts_with("AUTH") => Some("535 wrong".into()),
            answer => answer,
        };
        let (sent, heard) = logs_in(offering(offers, strict)).await;
        assert_eq!(sent, Ok(()), "{offers}: {:?}", heard.all());
    }
}

#[tokio::test]
async fn m2_a_login_that_cannot_be_made_is_named() {
    let (sent, _) = logs_in(usual).await;
    let cause = sent.unwrap_err().error.cause;
    assert!(cause.ends_with("failed: it offers no login"), "{cause}");
    let (sent, _) = logs_in(offering("AUTH XOAUTH2 NTLM", |_| None)).await;
    let cause = sent.unwrap_err().error.cause;
    assert!(
        cause.ends_with("failed: it offers neither PLAIN, LOGIN nor CRAM-MD5, but XOAUTH2 NTLM"),
        "{cause}"
    );
    let endless =
        |said: &str| (!said.starts_with("EHLO") && !said.is_empty()).then(|| "334 Zm9v".into());
    let (sent, _) = logs_in(offering("AUTH LOGIN", endless)).await;
    let cause = sent.unwrap_err().error.cause;
    assert!(cause.ends_with("failed: it keeps asking"), "{cause}");
}

#[tokio::test]
async fn x1_what_a_server_repeats_of_the_login_is_not_shown() {
    let answers: [fn(&str) -> String; 4] = [
        |said| format!("535 wrong: {said}"),
        |said| format!("535-wrong:\r\n535 {}", said.to_lowercase()),
        |_| format!("535 {PASSWORD} is wrong"),
        |_| "535 hunter2%2DUnicorn is wrong".to_owned(),
    ];
    for answer in answers {
        for offers in ["AUTH PLAIN", "AUTH LOGIN"] {
            let answers = move |said: &str| {
                let answer = match said {
                    "AUTH LOGIN amFuZQ==" => "334 UGFzc3dvcmQ6".to_owned(),
                    said if said.starts_with("AUTH PLAIN") || said.ends_with('u') => answer(said),
                    _ => return None,
                };
                Some(answer.as_str().into())
            };
            let (sent, _) = logs_in(offering(offers, answers)).await;
            let cause = sent.unwrap_err().error.cause;
            assert!(cause.contains("refuses the login: 535 "), "{cause}");
            let lower = cause.to_lowercase();
            for part in ["hunter2", "unicorn", "ahvudgvy", "vbmljb3ju"] {
                assert!(!lower.contains(part), "{part} is in {cause}");
            }
        }
    }
}

#[tokio::test]
async fn x2_no_server_ends_a_try_by_a_panic() {
    let garbage: [&'static [u8]; 8] = [
        b"\r\n",
        b"\n\n\n",
        b"2\r\n",
        b"99999999999999999999\r\n",
        b"-25 0\r\n",
        b"\xff\xff\xff \r\n",
        b"\0\0\0\0\r\n",
        b"250\xe2\x80\xa8ok\r\n",
    ];
    for answer in garbage {
        for command in ["", "EHLO", "MAIL", "RCPT", "DATA", "."] {
            let (sent, _) = sends(&["a@lco.cl"], but(command, answer)).await;
            // What it does not know, it is greeted without.
            let may_go_on = command == "EHLO" || answer.starts_with(b"250");
            assert!(sent[0].is_err() || may_go_on, "{command} {answer:?}");
        }
    }
}

#[tokio::test]
async fn m2_two_tries_at_a_time_do_not_disturb_each_other() {
    let (port, heard) = start(usual).await;
    let server = server(port, false);
    let to = [address("jane@lco.cl")];
    let letters = letter();
    let (one, two) = join(server.send(&to, &letters), server.send(&to, &letters)).await;
    assert_eq!((one, two), (vec![Ok(())], vec![Ok(())]));
    assert_eq!(heard.count("."), 2);
}
