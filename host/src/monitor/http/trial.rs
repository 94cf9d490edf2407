//! `/email-test`, `/test/email`, `/test/slack`, `/test/webhook`: does a channel work?

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use futures_util::future::join_all;
use tokio::sync::{Semaphore, TryAcquireError};
use tokio::time::timeout;
use utoipa::IntoResponses;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Web;
use super::answer::{Detail, Problem, Said};
use super::doors::Client;
use crate::monitor::notify::{Channel, Kind, Message, Undelivered};

pub(super) fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(email_test))
        .routes(routes!(test_email))
        .routes(routes!(test_slack))
        .routes(routes!(test_webhook))
}

/// Lets each channel be tested by one at a time.
#[derive(Debug)]
pub(super) struct Trials {
    /// One for each channel, in their order.
    free: Vec<Semaphore>,
    limit: Duration,
}

impl Trials {
    /// `limit` is the time that a delivery may take.
    pub(super) fn new(channels: &[Arc<dyn Channel>], limit: Duration) -> Self {
        Self {
            free: channels.iter().map(|_| Semaphore::new(1)).collect(),
            limit,
        }
    }
}

/// What each test answers.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "for the description of the API")]
enum Tested {
    /// It was sent
    #[response(status = 200)]
    Sent(Said),
    /// No such channel is configured
    #[response(status = 400)]
    NotConfigured(Detail),
    /// A test is under way
    #[response(status = 429)]
    Busy(Detail),
    /// It could not be sent
    #[response(status = 502)]
    Failed(Detail),
}

/// Sends a test e-mail to each recipient
#[utoipa::path(method(get, post), path = "/email-test", responses(Tested))]
async fn email_test(web: State<Web>, client: Extension<Client>) -> Result<Json<Said>, Problem> {
    test_email(web, client).await
}

/// Sends a test e-mail to each recipient
#[utoipa::path(method(get, post), path = "/test/email", responses(Tested))]
async fn test_email(
    State(web): State<Web>,
    Extension(client): Extension<Client>,
) -> Result<Json<Said>, Problem> {
    test(&web, client, Kind::Email, "No recipients defined.").await?;
    Ok(Said::new("Email sent."))
}

/// Sends a test message to Slack
#[utoipa::path(method(get, post), path = "/test/slack", responses(Tested))]
async fn test_slack(
    State(web): State<Web>,
    Extension(client): Extension<Client>,
) -> Result<Json<Said>, Problem> {
    test(&web, client, Kind::Slack, "No Slack token defined.").await?;
    Ok(Said::new("Slack notification sent."))
}

/// Sends a test message to each webhook
#[utoipa::path(method(get, post), path = "/test/webhook", responses(Tested))]
async fn test_webhook(
    State(web): State<Web>,
    Extension(client): Extension<Client>,
) -> Result<Json<Said>, Problem> {
    test(&web, client, Kind::Webhook, "No webhooks defined.").await?;
    Ok(Said::new("Webhook notification sent."))
}

/// Delivers a test message by all channels of one kind, at the same time and past the outbox.
async fn test(web: &Web, client: Client, kind: Kind, none: &str) -> Result<(), Problem> {
    let Trials { free, limit } = &*web.trials;
    let channels = web.handle.channels().iter().zip(free);
    let channels = channels
        .filter(|(channel, _)| channel.kind() == kind)
        .collect::<Vec<_>>();
    if channels.is_empty() {
        return Err(Problem::new(StatusCode::BAD_REQUEST, none));
    }
    let permits = channels.iter().map(|(_, free)| free.try_acquire());
    let Ok(_permits) = permits.collect::<Result<Vec<_>, TryAcquireError>>() else {
        return Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "Another test is under way; wait for its end.",
        )
        .retry_after(limit.as_secs().max(1)));
    };
    tracing::info!(%client, ?kind, "a test was asked for");
    let channels: Vec<_> = channels.into_iter().map(|(channel, _)| channel).collect();
    let tries = together(&channels).into_iter().map(|channels| async move {
        let (Some(first), ids) = (
            channels.first(),
            channels.iter().map(|way| way.id()).collect::<Vec<_>>(),
        ) else {
            return Vec::new();
        };
        let tried = timeout(*limit, first.deliver_together(&ids, &Message::Test)).await;
        let causes: Vec<Option<String>> = if let Ok(results) = tried {
            let cause = |result: Result<(), Undelivered>| Some(result.err()?.error.cause);
            results.into_iter().map(cause).collect()
        } else {
            // A mail server may take ten minutes to look into what it has.
            let may_have = match first.server() {
                Some(_) => "; it may arrive all the same",
                None => "",
            };
            let cause = format!("no answer within {} s{may_have}", limit.as_secs_f64());
            vec![Some(cause); channels.len()]
        };
        let failed = channels
            .iter()
            .zip(causes)
            .filter_map(|(channel, cause)| Some(format!("{}: {}", channel.shown(), cause?)));
        failed.collect::<Vec<_>>()
    });
    let failed = join_all(tries)
        .await
        .into_iter()
        .flatten()
        .collect::<Vec<_>>();
    if failed.is_empty() {
        return Ok(());
    }
    tracing::warn!(%client, ?kind, ?failed, "a test was not delivered");
    let delivered = channels.len() - failed.len();
    let mut detail = failed.join("; ");
    if delivered > 0 {
        detail = format!("{delivered} of {} were sent. {detail}", channels.len());
    }
    Err(Problem::new(StatusCode::BAD_GATEWAY, detail))
}

/// Those of one server beside each other, as they deliver together.
fn together<'a>(channels: &[&'a Arc<dyn Channel>]) -> Vec<Vec<&'a Arc<dyn Channel>>> {
    let mut groups: Vec<Vec<&Arc<dyn Channel>>> = Vec::new();
    for &channel in channels {
        let shares = |group: &&mut Vec<&Arc<dyn Channel>>| {
            let server = group.first().and_then(|first| first.server());
            server.is_some() && server == channel.server()
        };
        match groups.iter_mut().find(shares) {
            Some(group) => group.push(channel),
            None => groups.push(vec![channel]),
        }
    }
    groups
}
