//! Webhooks: a POST of JSON to any address.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Url};
use serde::Serialize;
use utoipa::ToSchema;

use super::text::{About, Text};
use super::{Channel, DeliveryError, Kind, Message, formats, http};
use crate::config::monitor::{self, Format, Wording};
use crate::config::{Secret, SecretUrl};
use crate::monitor::notice::Notice;
use crate::peer::Secrets;

/// A webhook.
#[derive(Debug)]
pub(super) struct Webhook {
    id: String,
    shown: String,
    after: Duration,
    client: Client,
    url: SecretUrl,
    format: Format,
    token: Option<Secret>,
    wording: Arc<Wording>,
    secrets: Secrets,
}

/// What is posted to a webhook. Any answer of 2xx means that it was taken; after any other, or
/// none, it is posted again, so that the same may arrive twice: `notices[].id` shows it.
#[derive(Serialize, ToSchema, Debug)]
pub struct Posted<'a> {
    /// What it is about, by its newest news: `down`, `reminder`, `up`, `held`, `held_reminder`,
    /// `released`, `enabled_again`, `summary` or `test`.
    pub kind: &'static str,
    /// The subject that an e-mail has: "LCO internet is down".
    pub subject: &'a str,
    /// The same text that an e-mail has; its first line says it all.
    pub text: &'a str,
    /// Where a person can acknowledge the incident, once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub acknowledge: Option<&'a str>,
    /// The notices, oldest first: more than one if the webhook could not be
    /// reached for a while, none in a test.
    pub notices: &'a [Notice],
}

impl Webhook {
    pub(super) fn new(
        config: &monitor::Webhook,
        wording: &Arc<Wording>,
        client: &Client,
        secrets: &Secrets,
    ) -> Self {
        Self {
            id: format!("webhook:{}", config.name),
            shown: format!("webhook {}", config.name),
            after: config.after,
            client: client.clone(),
            url: config.url.clone(),
            format: config.format,
            token: config.token.clone(),
            wording: Arc::clone(wording),
            secrets: secrets.clone(),
        }
    }
}

#[async_trait]
impl Channel for Webhook {
    fn id(&self) -> &str {
        &self.id
    }

    fn shown(&self) -> &str {
        &self.shown
    }

    fn kind(&self) -> Kind {
        Kind::Webhook
    }

    fn after(&self) -> Duration {
        self.after
    }

    async fn deliver(&self, message: &Message) -> Result<(), DeliveryError> {
        let (url, token) = (self.url.reveal(), self.token.as_ref());
        if self.format != Format::Json {
            for post in formats::posts(self.format, url, token, message, &self.wording) {
                let login = post.scheme.zip(token);
                self.post(post.url, login, &post.body).await?;
            }
            return Ok(());
        }
        let text = Text::new(message, &self.wording);
        let posted = Posted {
            kind: match text.about {
                About::Down => "down",
                About::Reminder => "reminder",
                About::Up => "up",
                About::Held => "held",
                About::HeldReminder => "held_reminder",
                About::Released => "released",
                About::EnabledAgain => "enabled_again",
                About::Test | About::ScheduledTest => "test",
                About::Summary => "summary",
            },
            subject: &text.subject,
            text: &text.plain(),
            acknowledge: match message {
                Message::Notices(sending) => sending.acknowledge.as_ref().map(Url::as_str),
                Message::Test => None,
            },
            notices: match message {
                Message::Notices(sending) => &sending.notices,
                Message::Test => &[],
            },
        };
        let login = token.map(|token| ("Bearer", token));
        self.post(url.clone(), login, &posted).await
    }
}

impl Webhook {
    async fn post(
        &self,
        url: Url,
        login: Option<(&'static str, &Secret)>,
        body: &(impl Serialize + Sync),
    ) -> Result<(), DeliveryError> {
        // The answer's body is not shown: it comes from anywhere, and may hold what was sent.
        let answer = http::post(&self.client, &self.secrets, &self.shown, url, login, body).await?;
        let status = answer.status;
        if status.is_success() {
            return Ok(());
        }
        let cause = if status.is_redirection() {
            format!(
                "{} answers {status}: redirects are not followed, configure the address that it redirects to",
                self.shown
            )
        } else {
            format!("{} answers {status}", self.shown)
        };
        Err(DeliveryError {
            cause,
            retry_after: answer.retry_after,
        })
    }
}
