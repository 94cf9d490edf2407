//! E-mail by SMTP.

mod message;
mod smtp;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lettre::Address;

use super::peer::masked;
use super::text::Text;
use super::{Channel, ChannelsError, DeliveryError, Kind, Message};
use crate::config::monitor::{Email, Wording};
use smtp::Server;

/// One recipient of e-mail.
pub(super) struct Recipient {
    id: String,
    shown: String,
    address: Address,
    config: Arc<Email>,
    server: Arc<Server>,
    wording: Arc<Wording>,
}

/// One for each recipient. Who is configured twice is told once.
pub(super) fn channels(
    config: &Email,
    wording: &Arc<Wording>,
    limit: Duration,
) -> Result<Vec<Recipient>, ChannelsError> {
    let server = Arc::new(Server::new(config, limit)?);
    let config = Arc::new(config.clone());
    let mut channels: Vec<Recipient> = Vec::new();
    for recipient in &config.recipients {
        let address = recipient.email.clone();
        let id = format!("email:{}", address.to_string().to_lowercase());
        if channels.iter().any(|channel| channel.id == id) {
            continue;
        }
        // Two who are masked alike are told apart.
        let mut shown = format!("e-mail to {}", masked(&address));
        let alike = channels
            .iter()
            .filter(|other| other.shown.starts_with(&shown));
        match alike.count() {
            0 => {}
            n => shown = format!("{shown} ({})", n + 1),
        }
        channels.push(Recipient {
            id,
            shown,
            address,
            config: Arc::clone(&config),
            server: Arc::clone(&server),
            wording: Arc::clone(wording),
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

    async fn deliver(&self, message: &Message) -> Result<(), DeliveryError> {
        let text = Text::new(message, &self.wording);
        let email =
            message::compose(&self.config, &self.address, message, &text).map_err(|error| {
                DeliveryError::new(format!("the e-mail cannot be written: {error}"))
            })?;
        self.server.send(&email).await.map_err(DeliveryError::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x1_an_address_is_masked() {
        let shown = |address: &str| masked(&address.parse().unwrap());
        assert_eq!(shown("jane.doe@lco.cl"), "j…@lco.cl");
        assert_eq!(shown("ñandú@lco.cl"), "ñ…@lco.cl");
    }
}
