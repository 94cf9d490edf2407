//! Slack: `chat.postMessage`, <https://docs.slack.dev/reference/methods/chat.postMessage>.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, StatusCode, Url};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::text::Text;
use super::text::escaped;
use super::{Channel, DeliveryError, Kind, LetIn, Message, Thread, http};
use crate::config::Secret;
use crate::config::monitor::{self, Wording};
use crate::monitor::notice::Notice;
use crate::peer::{Secrets, shown};

/// First messages that are remembered, the latest.
const MOST_THREADS: usize = 16;
/// How an answer begins by which Slack refuses.
const REFUSES: &str = "Slack refuses the message";

/// A channel of Slack.
#[derive(Debug)]
pub(super) struct Slack {
    id: String,
    shown: String,
    after: Duration,
    client: Client,
    url: Url,
    update: Url,
    auth: Url,
    token: Secret,
    /// The latest incidents' first messages.
    threads: Mutex<Vec<Thread>>,
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
    /// The first message of the incident, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_ts: Option<&'a str>,
    /// An end is for all to see.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    reply_broadcast: bool,
}

/// `chat.update`: marks the first message of an incident.
#[derive(Serialize)]
struct Mark<'a> {
    channel: &'a str,
    ts: &'a str,
    text: &'a str,
}

/// Slack answers 200 to what it refuses.
#[derive(Deserialize)]
struct Verdict {
    ok: bool,
    #[serde(default)]
    error: String,
    /// Where it was posted: the room's id, and the message's.
    #[serde(default)]
    channel: String,
    #[serde(default)]
    ts: String,
}

impl Slack {
    pub(super) fn new(
        config: &monitor::Slack,
        wording: &Arc<Wording>,
        client: &Client,
        secrets: &Secrets,
    ) -> Self {
        let method = |name: &str| {
            let mut url = config.api.clone();
            // A URL that cannot have a path is refused by Slack's stand-in at the latest: there is
            // nobody to post to.
            if let Ok(mut path) = url.path_segments_mut() {
                path.pop_if_empty().push(name);
            }
            url
        };
        let channel = config.channel.trim_start_matches('#');
        Self {
            id: format!("slack:{channel}"),
            shown: format!("Slack #{channel}"),
            after: config.after,
            client: client.clone(),
            url: method("chat.postMessage"),
            update: method("chat.update"),
            auth: method("auth.test"),
            threads: Mutex::default(),
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

    fn after(&self) -> Duration {
        self.after
    }

    fn threads(&self) -> Vec<Thread> {
        self.known().clone()
    }

    fn restore(&self, threads: Vec<Thread>) {
        *self.known() = threads;
    }

    /// `auth.test`: is the token valid? What it may do, only a message tells.
    async fn check(&self) -> Result<Option<LetIn>, DeliveryError> {
        let nothing = serde_json::json!({});
        let checked = self.ask(&self.auth, &nothing).await;
        checked
            .map(|_| {
                Some(LetIn {
                    logged_in: true,
                    expires: None,
                })
            })
            .map_err(|error| DeliveryError {
                cause: match error.cause.strip_prefix(REFUSES) {
                    Some(rest) => format!("Slack refuses the token{rest}"),
                    None => error.cause,
                },
                ..error
            })
    }

    async fn deliver(&self, message: &Message) -> Result<(), DeliveryError> {
        let notices = match message {
            Message::Notices(sending) => sending.notices.as_slice(),
            Message::Test => &[],
        };
        // The first message is marked before the end is posted: only what changes nothing the
        // second time may be done twice (M4).
        for ended in notices.iter().filter(|notice| notice.event.is_end()) {
            if let Some(thread) = self.thread(ended.incident) {
                self.mark(&thread).await?;
            }
        }
        let newest = notices.last();
        let thread = newest.and_then(|newest| self.thread(newest.incident));
        let text = Text::new(message, &self.wording);
        let request = Request {
            channel: &self.channel,
            text: &text.slack(&self.mention),
            unfurl_links: false,
            thread_ts: thread.as_ref().map(|thread| thread.id.as_str()),
            reply_broadcast: thread.is_some() && newest.is_some_and(|newest| newest.event.is_end()),
        };
        let verdict = self.ask(&self.url, &request).await?;
        if let Some(newest) = newest.filter(|newest| newest.event.is_of_incident()) {
            let is_known = thread.is_some() || verdict.ts.is_empty();
            self.remember(newest, &text, verdict, is_known);
        }
        Ok(())
    }
}

impl Slack {
    /// Whoever panicked there has left whole entries.
    fn known(&self) -> MutexGuard<'_, Vec<Thread>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn thread(&self, incident: Uuid) -> Option<Thread> {
        let known = self.known();
        known
            .iter()
            .find(|thread| thread.incident == incident)
            .cloned()
    }

    fn remember(&self, newest: &Notice, text: &Text, verdict: Verdict, is_known: bool) {
        let mut known = self.known();
        if newest.event.is_end() {
            known.retain(|thread| thread.incident != newest.incident);
        } else if !is_known {
            if known.len() >= MOST_THREADS {
                known.remove(0);
            }
            known.push(Thread {
                incident: newest.incident,
                room: verdict.channel,
                id: verdict.ts,
                subject: text.subject.clone(),
            });
        }
    }

    /// Marks the first message of an incident that is over. Whether people like that is not worth
    /// the message: they may have deleted it.
    async fn mark(&self, thread: &Thread) -> Result<(), DeliveryError> {
        let mark = Mark {
            channel: &thread.room,
            ts: &thread.id,
            text: &format!(
                ":white_check_mark: *RESOLVED*. It began with: {}",
                escaped(&thread.subject)
            ),
        };
        match self.ask(&self.update, &mark).await {
            Err(error) if error.cause.starts_with(REFUSES) => {
                tracing::debug!(%error, "the first message of the incident is not marked");
                Ok(())
            }
            done => done.map(|_| ()),
        }
    }

    async fn ask(
        &self,
        method: &Url,
        request: &(impl Serialize + Sync),
    ) -> Result<Verdict, DeliveryError> {
        let answer = http::post(
            &self.client,
            &self.secrets,
            &"Slack",
            method.clone(),
            Some(("Bearer", &self.token)),
            request,
        )
        .await?;
        let cause = if answer.status == StatusCode::TOO_MANY_REQUESTS {
            "Slack accepts no message now (429): too many at once".to_owned()
        } else if !answer.status.is_success() {
            format!("Slack answers {}", answer.status)
        } else {
            match serde_json::from_slice::<Verdict>(&answer.body) {
                Ok(verdict) if verdict.ok => return Ok(verdict),
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
