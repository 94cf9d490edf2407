//! The ways by which people are told.

use std::time::Duration;

use async_trait::async_trait;

use super::notice::Notice;

/// What a channel has to deliver, as one message.
#[derive(Clone, PartialEq, Debug)]
pub enum Message {
    /// All that this channel has not delivered yet, oldest first; never empty. More than one if the channel failed meanwhile: an
    /// alarm that is over before it could be delivered is told together with its all-clear.
    Notices(Vec<Notice>),
    /// Somebody wants to see that this channel works.
    Test,
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

    /// Delivers one message, or says why not. The caller limits the time that this may take, and may drop it at any moment. The
    /// same message may be delivered again after a crash.
    async fn deliver(&self, message: &Message) -> Result<(), DeliveryError>;
}

/// The kinds of channels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "each is what it is called")]
pub enum Kind {
    Email,
    Slack,
    Webhook,
}

/// Why a message was not delivered. It is tried again whatever the cause: what is refused today may be accepted when the
/// configuration of the other side is corrected (M2).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{cause}")]
pub struct DeliveryError {
    /// In words, without secrets (X1).
    pub cause: String,
    /// The other side asks not to be asked again for this long.
    pub retry_after: Option<Duration>,
}
