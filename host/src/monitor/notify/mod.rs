//! The channels by which people are notified.
//!
//! `text` says it; `email`, `slack` and `webhook` deliver it, the latter two by `http`.

mod email;
mod formats;
mod http;
#[cfg(test)]
mod sample;
mod slack;
#[cfg(test)]
mod tests;
mod text;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::Url;
use rustls::client::VerifierBuilderError;
use rustls::pki_types::InvalidDnsNameError;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::notice::Notice;
use crate::config::monitor::{Monitor, Wording};
use crate::errors::with_causes;
use slack::Slack;
use text::Text;
pub(in crate::monitor) use text::span;
use webhook::Webhook;

pub use webhook::Posted;

/// What a channel has to deliver, as one message.
#[derive(Clone, PartialEq, Debug)]
pub enum Message {
    /// All that this channel has not delivered yet, oldest first; never empty. More than one if the
    /// channel failed meanwhile: an alarm that is over before it could be delivered is sent
    /// together with its all-clear.
    Notices(Sending),
    /// Somebody wants to see that this channel works.
    Test,
}

/// What is sent with the notices.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Sending {
    /// The notices, oldest first.
    pub notices: Vec<Notice>,
    /// When it is sent; what was raised long before says of when it is.
    pub at: Option<Timestamp>,
    /// Where a person can acknowledge the incident, once.
    pub acknowledge: Option<Url>,
}

impl From<Vec<Notice>> for Message {
    fn from(notices: Vec<Notice>) -> Self {
        Self::Notices(Sending {
            notices,
            ..Sending::default()
        })
    }
}

/// A message in words, as an e-mail has them: for whoever shows it instead of sending it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Letter {
    /// What it is about.
    pub subject: String,
    /// All of it, as plain text; its first line says it all.
    pub text: String,
}

impl Letter {
    /// Says a message.
    pub fn new(message: &Message, wording: &Wording) -> Self {
        let text = Text::new(message, wording);
        Self {
            text: text.plain(),
            subject: text.subject,
        }
    }
}

/// One way to one recipient. What one does has no influence on another (M2).
#[async_trait]
pub trait Channel: Send + Sync + 'static {
    /// Names it in the state file; the same after a restart with the same configuration.
    fn id(&self) -> &str;

    /// Names it for people, without secrets and without whole e-mail addresses (X1).
    fn shown(&self) -> &str;

    /// Its kind, by which tests are asked for.
    fn kind(&self) -> Kind;

    /// The server that it shares with others, if so. The channels of one server deliver together,
    /// and back off together.
    fn server(&self) -> Option<&str> {
        None
    }

    /// It is notified of an incident that is still open after so long, and that nobody has
    /// acknowledged.
    fn after(&self) -> Duration {
        Duration::ZERO
    }

    /// One delivery takes no longer than this; `usual` is what is configured.
    fn limit(&self, usual: Duration) -> Duration {
        usual
    }

    /// What it knows of the incidents that it has announced, to survive a restart.
    fn threads(&self) -> Vec<Thread> {
        Vec::new()
    }

    /// What it knew before a restart.
    fn restore(&self, _threads: Vec<Thread>) {}

    /// Delivers one message to these, which are channels of the same server, itself among them. One
    /// result for each, in their order.
    async fn deliver_together(
        &self,
        ids: &[&str],
        message: &Message,
    ) -> Vec<Result<(), Undelivered>> {
        let mut results = Vec::with_capacity(ids.len());
        for _ in ids {
            results.push(self.deliver(message).await.map_err(Undelivered::from));
        }
        results
    }

    /// Whether the other side lets us in, without sending anything. `None`: only a message would
    /// tell. Takes a bounded time.
    async fn check(&self) -> Result<Option<LetIn>, DeliveryError> {
        Ok(None)
    }

    /// Delivers one message, or says why not. The caller limits the time that this may take, and
    /// may drop it at any moment; a channel gives up by itself a little earlier, to say what it
    /// was waiting for. The same message may be delivered again after a crash.
    async fn deliver(&self, message: &Message) -> Result<(), DeliveryError>;
}

/// The first message of an incident, which those that come after it answer.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Thread {
    /// The incident.
    pub incident: Uuid,
    /// The id of the room that it is in.
    pub room: String,
    /// The id of the message.
    pub id: String,
    /// What it says in a line.
    pub subject: String,
}

/// The other side of a channel lets us in.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct LetIn {
    /// It has looked at the credentials; otherwise it asks for none.
    pub logged_in: bool,
    /// When the first of its certificates expires, if it has shown any.
    pub expires: Option<Timestamp>,
}

/// The kinds of channels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "each is what it is called")]
pub enum Kind {
    Email,
    Slack,
    Webhook,
}

/// Why a message was not delivered. It is tried again whatever the cause: what is refused today may
/// be accepted when the configuration of the other side is corrected (M2).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{cause}")]
pub struct DeliveryError {
    /// In words, without secrets (X1).
    pub cause: String,
    /// The other side asks not to be asked again for this long.
    pub retry_after: Option<Duration>,
}

impl DeliveryError {
    fn new(cause: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            retry_after: None,
        }
    }
}

/// What a failure says about the next try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// Nothing: it was not taken.
    Refused,
    /// The other side has answered, and may count how often it is asked: tries are further apart.
    Answered,
    /// All was sent, and there was no answer: it may have been taken. It is sent only a few times
    /// more (M4).
    Unanswered,
}

/// A message that one channel of several did not deliver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Undelivered {
    /// Why.
    pub error: DeliveryError,
    /// What follows from it.
    pub failure: Failure,
    /// It concerns this channel, and not all of its server.
    pub is_own: bool,
}

impl Undelivered {
    /// The server does not take it for this one.
    fn own(failure: Failure, cause: impl Into<String>) -> Self {
        Self {
            error: DeliveryError::new(cause),
            failure,
            is_own: true,
        }
    }

    /// The server does not take it for anybody.
    fn all(failure: Failure, error: DeliveryError) -> Self {
        Self {
            error,
            failure,
            is_own: false,
        }
    }
}

impl From<DeliveryError> for Undelivered {
    fn from(error: DeliveryError) -> Self {
        Self::all(Failure::Refused, error)
    }
}

/// Why there are no channels.
#[derive(Debug, thiserror::Error)]
#[error(
    "TLS cannot be set up: {}; install the certificates of the public authorities (Debian: ca-certificates), or name a file of certificates in SSL_CERT_FILE",
    with_causes(.0)
)]
pub struct ChannelsError(#[from] TlsError);

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
enum TlsError {
    #[error("{host}: {cause}")]
    ServerName {
        host: String,
        #[source]
        cause: InvalidDnsNameError,
    },
    #[error("{cause}{}", first.as_ref().map_or_else(String::new, |first| format!(" ({first})")))]
    Authorities {
        #[source]
        cause: VerifierBuilderError,
        /// The first certificate that could not be read.
        first: Option<rustls_native_certs::Error>,
    },
    #[error(transparent)]
    Protocol(#[from] rustls::Error),
    #[error(transparent)]
    HttpClient(#[from] reqwest::Error),
}

/// The channels of the configuration, in its order: one for each recipient of e-mail, so that one
/// who is refused holds no other back and nobody is notified twice; one for Slack; one for each
/// webhook. The authorities that are trusted are read once, here.
pub fn channels(config: &Monitor) -> Result<Vec<Arc<dyn Channel>>, ChannelsError> {
    let (wording, secrets) = (Arc::new(config.wording.clone()), config.secrets());
    // Before the caller gives up at the whole of it.
    let limit = config.delivery_timeout * 9 / 10;
    let mut channels: Vec<Arc<dyn Channel>> = Vec::new();
    if let Some(email) = &config.email {
        for channel in email::channels(email, &wording, limit, &secrets)? {
            channels.push(Arc::new(channel));
        }
    }
    if config.slack.is_some() || !config.webhooks.is_empty() {
        let client = http::client(limit).map_err(TlsError::from)?;
        if let Some(slack) = &config.slack {
            channels.push(Arc::new(Slack::new(slack, &wording, &client, &secrets)));
        }
        for webhook in &config.webhooks {
            channels.push(Arc::new(Webhook::new(webhook, &wording, &client, &secrets)));
        }
    }
    Ok(channels)
}
