//! The mails of the monitor outside: shown, not sent.

use async_trait::async_trait;
use lvmbeat::config::monitor::Wording;
use lvmbeat::monitor::notice::Event;
use lvmbeat::monitor::notify::{Channel, DeliveryError, Kind, Letter, Message, Sending};
use tokio::sync::broadcast;

/// More than anybody can ask for between two looks of the narrator.
const WAITING: usize = 64;

/// A mail to the people who look after the dome.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Mail {
    pub(super) news: News,
    pub(super) subject: String,
    /// The whole text; its first line says it all.
    pub(super) text: String,
}

/// What a mail is about.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum News {
    /// The observatory is silent; the monitor has observed so many of the machine's seconds of it.
    Down(f64),
    /// It is heard again.
    Up,
    /// Somebody has asked for it on the monitor's page.
    Asked,
}

impl News {
    fn of(message: &Message) -> Self {
        let Message::Notices(Sending { notices, .. }) = message else {
            return Self::Asked;
        };
        match notices.last().map(|notice| &notice.event) {
            Some(Event::Down(silence)) if !silence.by_hand => Self::Down(silence.observed),
            Some(Event::Up(silence)) if !silence.by_hand => Self::Up,
            Some(
                Event::Down(_)
                | Event::Up(_)
                | Event::Reminder(_)
                | Event::EnabledAgain
                | Event::Held(_)
                | Event::HeldReminder(_)
                | Event::Released(_)
                | Event::Test
                | Event::Summary(_),
            )
            | None => Self::Asked,
        }
    }
}

/// The monitor's one channel: the demonstration itself.
pub(super) struct Post {
    wording: Wording,
    mails: broadcast::Sender<Mail>,
}

impl Post {
    /// One for a monitor that speaks like that; gives where the mails come out.
    pub(super) fn new(wording: Wording) -> (Self, broadcast::Sender<Mail>) {
        let mails = broadcast::Sender::new(WAITING);
        let post = Self {
            wording,
            mails: mails.clone(),
        };
        (post, mails)
    }
}

#[async_trait]
impl Channel for Post {
    fn id(&self) -> &'static str {
        "email:demonstration"
    }

    fn shown(&self) -> &'static str {
        "e-mail (the demonstration shows it, and sends none)"
    }

    fn kind(&self) -> Kind {
        Kind::Email
    }

    async fn deliver(&self, message: &Message) -> Result<(), DeliveryError> {
        let letter = Letter::new(message, &self.wording);
        let mail = Mail {
            news: News::of(message),
            subject: letter.subject,
            text: letter.text,
        };
        self.mails
            .send(mail)
            .map(|_| ())
            .map_err(|_| DeliveryError {
                cause: "nobody listens to the monitor".to_owned(),
                retry_after: None,
            })
    }
}
