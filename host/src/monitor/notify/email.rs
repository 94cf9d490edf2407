//! E-mail by SMTP.

mod message;
mod smtp;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lettre::Address;

use super::text::Text;
use super::{Channel, ChannelsError, DeliveryError, Kind, LetIn, Message, Undelivered};
use crate::config::monitor::{Email, Wording};
use crate::peer::{self, Secrets};
use smtp::{Letters, Server};

/// One recipient of e-mail.
pub(super) struct Recipient {
    id: String,
    shown: String,
    group: Arc<Group>,
}

/// All recipients of a server: they get a message together.
struct Group {
    name: String,
    /// By their channels' ids.
    addresses: Vec<(String, Address)>,
    config: Email,
    server: Server,
    wording: Arc<Wording>,
}

/// One for each recipient. One who is configured twice is notified once.
pub(super) fn channels(
    config: &Email,
    wording: &Arc<Wording>,
    limit: Duration,
    secrets: &Secrets,
) -> Result<Vec<Recipient>, ChannelsError> {
    let mut addresses: Vec<(String, Address)> = Vec::new();
    for recipient in &config.recipients {
        let address = recipient.email.clone();
        let id = format!("email:{}", address.to_string().to_lowercase());
        if !addresses.iter().any(|(known, _)| *known == id) {
            addresses.push((id, address));
        }
    }
    let group = Arc::new(Group {
        name: format!("smtp:{}:{}", config.host, config.port),
        addresses,
        config: config.clone(),
        server: Server::new(config, limit, secrets.clone())?,
        wording: Arc::clone(wording),
    });
    let mut channels: Vec<Recipient> = Vec::new();
    for (id, address) in &group.addresses {
        // Two who are masked alike get a number.
        let mut shown = format!(
            "e-mail to {}",
            peer::masked(address.user(), address.domain())
        );
        let alike = channels
            .iter()
            .filter(|other| other.shown.starts_with(&shown));
        match alike.count() {
            0 => {}
            n => shown = format!("{shown} ({})", n + 1),
        }
        channels.push(Recipient {
            id: id.clone(),
            shown,
            group: Arc::clone(&group),
        });
    }
    Ok(channels)
}

#[async_trait]
impl Channel for Recipient {
    fn id(&self) -> &str {
        &self.id
    }

    fn shown(&self) -> &str {
        &self.shown
    }

    fn kind(&self) -> Kind {
        Kind::Email
    }

    fn server(&self) -> Option<&str> {
        Some(&self.group.name)
    }

    fn after(&self) -> Duration {
        self.group.config.after
    }

    /// Each step has a limit of its own (RFC 5321, 4.5.3.2).
    fn limit(&self, _usual: Duration) -> Duration {
        smtp::LONGEST
    }

    async fn check(&self) -> Result<Option<LetIn>, DeliveryError> {
        self.group.server.check().await.map(Some)
    }

    async fn deliver(&self, message: &Message) -> Result<(), DeliveryError> {
        let mut results = self.deliver_together(&[&self.id], message).await;
        let result = results.pop().unwrap_or(Ok(()));
        result.map_err(|undelivered| undelivered.error)
    }

    async fn deliver_together(
        &self,
        ids: &[&str],
        message: &Message,
    ) -> Vec<Result<(), Undelivered>> {
        let Group { addresses, .. } = &*self.group;
        let address = |id: &&str| addresses.iter().find(|(known, _)| known == id);
        let found: Vec<_> = ids.iter().map(address).collect();
        let to: Vec<Address> = found.iter().flatten().map(|(_, to)| to.clone()).collect();
        let letters = Written {
            config: &self.group.config,
            message,
            text: Text::new(message, &self.group.wording),
        };
        let mut sent = self.group.server.send(&to, &letters).await.into_iter();
        let stranger =
            || DeliveryError::new("not a recipient of this server; this is a defect of lvmbeat");
        let results = found.iter().map(|found| found.and_then(|_| sent.next()));
        results
            .map(|result| result.unwrap_or_else(|| Err(stranger().into())))
            .collect()
    }
}

/// A message for a mail server.
struct Written<'a> {
    config: &'a Email,
    message: &'a Message,
    text: Text,
}

impl Letters for Written<'_> {
    fn from(&self) -> &Address {
        &self.config.from.email
    }

    fn written(&self, utf8: bool) -> Result<Vec<u8>, lettre::error::Error> {
        message::compose(self.config, self.message, &self.text, utf8)
            .map(|message| message.formatted())
    }
}
