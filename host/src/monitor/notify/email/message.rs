//! The e-mail itself.

use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder, MultiPart};
use uuid::Uuid;

use super::smtp::in_ascii;
use super::{Message, Text};
use crate::config::monitor::Email;
use crate::monitor::notice::{Event, Notice};
use crate::monitor::notify::Sending;

/// Nobody's holiday notice is to answer it (RFC 3834, 5.1).
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

/// Nobody is named where nobody can be (RFC 5322, 3.6.3).
const TO: HeaderName = HeaderName::new_from_ascii_str("To");

/// Writes the e-mail, the same for all recipients. All are named in it, so that people can talk
/// about it by answering to all; but not those whose address a plain server cannot take, unless the
/// server is another one (`utf8`): they would keep it from all (M2).
pub(super) fn compose(
    config: &Email,
    message: &Message,
    text: &Text,
    utf8: bool,
) -> Result<lettre::Message, lettre::error::Error> {
    let can_be_named = |mailbox: &Mailbox| utf8 || mailbox.email.user().is_ascii();
    let named = config.recipients.iter().filter(|to| can_be_named(to));
    let mut builder = named
        .map(plain)
        .fold(lettre::Message::builder(), MessageBuilder::to)
        .from(plain(&config.from))
        .subject(text.subject.clone())
        .raw_header(HeaderValue::new(
            AUTO_SUBMITTED,
            "auto-generated".to_owned(),
        ))
        // Not looked at: who gets it is said to the server.
        .envelope(Envelope::new(
            Some(config.from.email.clone()),
            vec![config.from.email.clone()],
        )?);
    if !config.recipients.iter().any(can_be_named) {
        let nobody = "undisclosed-recipients:;".to_owned();
        builder = builder.raw_header(HeaderValue::new(TO, nobody));
    }
    if let Some(reply_to) = config.reply_to.as_ref().filter(|to| can_be_named(to)) {
        builder = builder.reply_to(plain(reply_to));
    }
    let Thread { id, answers } = thread(message, &plain(&config.from));
    builder = builder.message_id(Some(id));
    if let Some(alert) = answers {
        builder = builder.in_reply_to(alert.clone()).references(alert);
    }
    builder.multipart(MultiPart::alternative_plain_html(text.plain(), text.html()))
}

/// With the domain in ASCII: only so it passes every server.
fn plain(mailbox: &Mailbox) -> Mailbox {
    Mailbox::new(mailbox.name.clone(), in_ascii(&mailbox.email))
}

/// The place of a message among others.
struct Thread {
    /// Its Message-ID.
    id: String,
    /// That of the alert which it answers.
    answers: Option<String>,
}

/// Derived from the notices: the same message has the same id when it is tried again, so that a
/// mail program which gets it twice shows it once; and one that says more has another, lest it be
/// taken for a copy. It is the same for all recipients, as it is of any mail to several, so that
/// their answers to all are one thread.
fn thread(message: &Message, from: &Mailbox) -> Thread {
    let domain = from.email.domain();
    let Message::Notices(Sending { notices, .. }) = message else {
        return Thread {
            id: format!("<{}@{domain}>", Uuid::new_v4()),
            answers: None,
        };
    };
    // What alarms are about goes before that they are enabled again.
    let is_outage = |notice: &&Notice| notice.event.is_of_incident();
    let newest = notices.iter().rfind(is_outage).or(notices.last());
    let Some(newest) = newest else {
        // Never empty; an id of its own is right for anything.
        return thread(&Message::Test, from);
    };
    // An alert's own id is known to all that come after it: each alert begins an incident.
    let alert = format!("<{}@{domain}>", newest.incident);
    let own = format!("<{}.{}@{domain}>", newest.incident, newest.id.0);
    match newest.event {
        Event::Down(_) | Event::Held(_) => Thread {
            id: alert,
            answers: None,
        },
        Event::Reminder(_) | Event::Up(_) | Event::HeldReminder(_) | Event::Released(_) => Thread {
            id: own,
            answers: Some(alert),
        },
        Event::EnabledAgain | Event::Test | Event::Summary(_) => Thread {
            id: own,
            answers: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sample::{down, enabled_again, reminder, up, wording};
    use super::*;
    use crate::config::monitor::EmailTls;

    fn config() -> Email {
        Email {
            after: std::time::Duration::ZERO,
            recipients: ["Jane Doe <jane@lco.cl>", "\"Pérez, Ñ.\" <perez@lco.cl>"]
                .map(|recipient| recipient.parse().unwrap())
                .to_vec(),
            from: "lvmbeat <lvmbeat@sdss.org>".parse().unwrap(),
            reply_to: Some("ops@sdss.org".parse().unwrap()),
            host: "localhost".to_owned(),
            port: 25,
            tls: EmailTls::None,
            login: None,
            helo: None,
        }
    }

    fn email(message: &Message) -> lettre::Message {
        let text = Text::new(message, &wording());
        compose(&config(), message, &text, false).unwrap()
    }

    fn of(notices: &[Notice]) -> lettre::Message {
        email(&notices.to_vec().into())
    }

    fn header<'a>(email: &'a lettre::Message, name: &str) -> Option<&'a str> {
        email.headers().get_raw(name)
    }

    #[test]
    fn an_e_mail_names_all() {
        let email = of(&[down(1, 1)]);
        let to = header(&email, "To").unwrap();
        assert!(
            to.contains("jane@lco.cl") && to.contains("perez@lco.cl"),
            "{to}"
        );
        assert_eq!(header(&email, "Reply-To"), Some("ops@sdss.org"));
        assert_eq!(header(&email, "Auto-Submitted"), Some("auto-generated"));
    }

    #[test]
    fn m2_a_plain_server_gets_nothing_that_is_not_ascii() {
        let mut config = config();
        config.recipients = [
            "\"Pérez, Ñ.\" <perez@observatorio-ñandú.cl>",
            "ñandú@lco.cl",
            "jane@lco.cl",
        ]
        .map(|recipient| recipient.parse().unwrap())
        .to_vec();
        config.from = "Wächter <lvmbeat@wächter.example>".parse().unwrap();
        config.reply_to = Some("señora@lco.cl".parse().unwrap());
        let message = Message::from(vec![down(1, 1)]);
        let written = |config: &Email, utf8| {
            let text = Text::new(&message, &wording());
            compose(config, &message, &text, utf8).unwrap()
        };
        let email = written(&config, false);
        assert!(email.formatted().is_ascii());
        let to = header(&email, "To").unwrap();
        assert!(
            to.contains("perez@xn--observatorio-and-2qb3h.cl") || to.contains("@xn--"),
            "{to}"
        );
        assert!(
            to.contains("jane@lco.cl") && !to.contains("@lco.cl,"),
            "{to}"
        );
        assert!(
            header(&email, "From")
                .unwrap()
                .contains("@xn--wchter-bua.example")
        );
        assert_eq!(header(&email, "Reply-To"), None);
        let to = written(&config, true);
        assert!(header(&to, "To").unwrap().contains("ñandú@lco.cl"));
        config.recipients = vec!["ñandú@lco.cl".parse().unwrap()];
        let email = written(&config, false);
        assert_eq!(header(&email, "To"), Some("undisclosed-recipients:;"));
    }

    #[test]
    fn reminders_and_the_all_clear_answer_the_alert() {
        let alert = of(&[down(1, 1)]);
        let id = header(&alert, "Message-ID");
        assert!(id.is_some() && header(&alert, "In-Reply-To").is_none());
        let answers = [
            of(&[reminder(2, 1)]),
            of(&[up(3, 1)]),
            // An undelivered alert is sent with what came after it.
            of(&[down(1, 1), up(3, 1)]),
            of(&[up(3, 1), enabled_again(4)]),
        ];
        for answer in answers {
            assert_eq!(header(&answer, "In-Reply-To"), id);
            assert_eq!(header(&answer, "References"), id);
            assert_ne!(header(&answer, "Message-ID"), id);
        }
        assert_ne!(header(&of(&[down(9, 2)]), "Message-ID"), id);
    }

    #[test]
    fn m4_the_same_message_has_the_same_id_and_another_one_another() {
        let messages: [&[Notice]; 6] = [
            &[down(1, 1)],
            &[down(1, 1), reminder(2, 1)],
            &[down(1, 1), reminder(2, 1), reminder(3, 1)],
            &[down(1, 1), reminder(2, 1), reminder(3, 1), up(4, 1)],
            &[up(4, 1), down(5, 2)],
            &[enabled_again(6)],
        ];
        let id = |notices: &&[Notice]| header(&of(notices), "Message-ID").map(str::to_owned);
        let first: Vec<_> = messages.iter().map(id).collect();
        let again: Vec<_> = messages.iter().map(id).collect();
        assert_eq!(first, again);
        for (index, id) in first.iter().enumerate() {
            assert!(!first[..index].contains(id), "{id:?}");
        }
        let test = || header(&email(&Message::Test), "Message-ID").map(str::to_owned);
        assert_ne!(test(), test());
    }
}
