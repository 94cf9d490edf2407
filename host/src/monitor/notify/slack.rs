//! Slack: `chat.postMessage`, <https://docs.slack.dev/reference/methods/chat.postMessage>.

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::{Client, StatusCode, Url};
use serde::{Deserialize, Serialize};

use super::text::Text;
use super::{Channel, DeliveryError, Kind, Message, http};
use crate::config::Secret;
use crate::config::monitor::{self, Wording};
use crate::peer::{Secrets, shown};

/// A channel of Slack.
#[derive(Debug)]
pub(super) struct Slack {
    id: String,
    shown: String,
    client: Client,
    url: Url,
    token: Secret,
    channel: String,
    mention: String,
    wording: Arc<Wording>,
    secrets: Secrets,
}

#[derive(Serialize)]
struct Request<'a> {
    channel: &'a str,
    text: &'a str,
    /// No preview of the page: what it shows then is old soon.
    unfurl_links: bool,
}

/// Slack answers 200 to what it refuses.
#[derive(Deserialize)]
struct Verdict {
    ok: bool,
    #[serde(default)]
    error: String,
}

impl Slack {
    pub(super) fn new(
        config: &monitor::Slack,
        wording: &Arc<Wording>,
        client: &Client,
        secrets: &Secrets,
    ) -> Self {
        let mut url = config.api.clone();
        // A URL that cannot have a path is refused by Slack's stand-in at the latest: there is
        // nobody to post to.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("chat.postMessage");
        }
        let channel = config.channel.trim_start_matches('#');
        Self {
            id: format!("slack:{channel}"),
            shown: format!("Slack #{channel}"),
            client: client.clone(),
            url,
            token: config.token.clone(),
            channel: config.channel.clone(),
            mention: config.mention.clone(),
            wording: Arc::clone(wording),
            secrets: secrets.clone(),
        }
    }

    /// Why Slack refuses, in words for the causes that happen.
    fn refused(&self, code: &str) -> String {
        let channel = &self.channel;
        let words = match code {
            "not_in_channel" => format!("the bot is not in the channel {channel}: invite it there"),
            "channel_not_found" => {
                format!("there is no channel {channel}, or it is private and the bot is not in it")
            }
            "is_archived" => format!("the channel {channel} is archived"),
            "invalid_auth" | "not_authed" | "token_expired" | "token_revoked"
            | "account_inactive" => "the token is not valid, or no longer: check it".to_owned(),
            "missing_scope" => "the token lacks the scope chat:write".to_owned(),
            "ratelimited" | "rate_limited" => "too many messages at once".to_owned(),
            "" => return "Slack refuses the message and does not say why".to_owned(),
            other => {
                let other = shown(other.as_bytes(), &self.secrets);
                return format!("Slack refuses the message: {other}");
            }
        };
        format!("Slack refuses the message ({code}): {words}")
    }
}

#[async_trait]
impl Channel for Slack {
    fn id(&self) -> &str {
        &self.id
    }

    fn shown(&self) -> &str {
        &self.shown
    }

    fn kind(&self) -> Kind {
        Kind::Slack
    }

    async fn deliver(&self, message: &Message) -> Result<(), DeliveryError> {
        let request = Request {
            channel: &self.channel,
            text: &Text::new(message, &self.wording).slack(&self.mention),
            unfurl_links: false,
        };
        let answer = http::post(
            &self.client,
            &self.secrets,
            &"Slack",
            self.url.clone(),
            Some(&self.token),
            &request,
        )
        .await?;
        let cause = if answer.status == StatusCode::TOO_MANY_REQUESTS {
            "Slack accepts no message now (429): too many at once".to_owned()
        } else if !answer.status.is_success() {
            format!("Slack answers {}", answer.status)
        } else {
            match serde_json::from_slice::<Verdict>(&answer.body) {
                Ok(Verdict { ok: true, .. }) => return Ok(()),
                Ok(Verdict { error, .. }) => self.refused(&error),
                Err(_) => "the answer does not come from Slack: is a proxy in between?".to_owned(),
            }
        };
        Err(DeliveryError {
            cause,
            retry_after: answer.retry_after,
        })
    }
}
