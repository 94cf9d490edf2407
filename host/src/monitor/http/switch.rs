//! `/enable`, `/disable`, `/notify`: commands to the alarm.
#![expect(unused_qualifications, reason = "in what utoipa makes of `params`")]

use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Detail, Problem, Said, forgotten};
use super::doors::Client;
use super::{Web, input, period, whole};

pub(super) fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(enable))
        .routes(routes!(disable, disable_by_form))
        .routes(routes!(notify))
}

/// Enables alarms
#[utoipa::path(
    method(get, post),
    path = "/enable",
    responses(
        (status = 200, description = "They are enabled", body = Said),
        (status = 503, description = "The monitor does not respond", body = Detail),
    )
)]
async fn enable(
    State(web): State<Web>,
    Extension(client): Extension<Client>,
) -> Result<Json<Said>, Problem> {
    let done = web.handle.enable().await?;
    tracing::info!(%client, was_disabled = done.value, "alarms were enabled by hand");
    Ok(Said::done("Heartbeat monitor enabled.", &done))
}

/// For how long.
#[derive(Deserialize, IntoParams, ToSchema, Default)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct For {
    // The patterns are the syntax of `period`, without its bounds.
    /// Seconds, or a number with s, m, h or d: `3600`, `2h`, `90m`. At most 366 days. Until they
    /// are enabled, if it is missing.
    #[serde(rename = "for")]
    #[param(example = "2h", pattern = r"^ *[0-9]+(\.[0-9]*)? *[smhd]? *$")]
    #[schema(example = "2h", pattern = r"^ *[0-9]+(\.[0-9]*)? *[smhd]? *$")]
    period: Option<String>,
}

/// Alarms are disabled.
#[derive(Serialize, ToSchema)]
struct Disabled {
    /// What was done.
    message: String,
    /// When they are enabled again by themselves; missing if they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    until: Option<Timestamp>,
    /// That a restart would forget it, if so; otherwise it is on the disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    warning: Option<String>,
}

/// Disables alarms, for good or for some time
#[utoipa::path(
    get,
    path = "/disable",
    params(For),
    responses(
        (status = 200, description = "They are disabled", body = Disabled),
        (status = 422, description = "Not a duration", body = Detail),
        (status = 503, description = "The monitor does not respond", body = Detail),
    )
)]
async fn disable(
    State(web): State<Web>,
    Extension(client): Extension<Client>,
    uri: Uri,
) -> Result<Json<Disabled>, Problem> {
    disable_for(&web, client, input::query(&uri)?).await
}

/// Disables alarms, for good or for some time
#[utoipa::path(
    post,
    path = "/disable",
    params(For),
    request_body(content = Option<For>, content_type = "application/x-www-form-urlencoded", description = "The same as the parameters"),
    responses(
        (status = 200, description = "They are disabled", body = Disabled),
        (status = 415, description = "The body is not a form", body = Detail),
        (status = 422, description = "Not a duration", body = Detail),
        (status = 503, description = "The monitor does not respond", body = Detail),
    )
)]
async fn disable_by_form(
    State(web): State<Web>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Result<Json<Disabled>, Problem> {
    let query: For = input::query(request.uri())?;
    let form: For = input::form(request).await?;
    if query.period.is_some() && form.period.is_some() {
        return Err(Problem::value("for: given twice."));
    }
    let period = query.period.or(form.period);
    disable_for(&web, client, For { period }).await
}

async fn disable_for(web: &Web, client: Client, wanted: For) -> Result<Json<Disabled>, Problem> {
    let period: Option<Duration> = wanted.period.as_deref().map(period::parse).transpose()?;
    let done = web.handle.disable(period).await?;
    // The view is up to date before a request is answered.
    let until = web.handle.view().disabled_until.map(whole);
    let until = until.filter(|_| period.is_some());
    tracing::info!(%client, until = until.map(tracing::field::display), "alarms were disabled by hand");
    let message = match until {
        None => "Heartbeat monitor disabled.".to_owned(),
        Some(until) => format!("Heartbeat monitor disabled until {until}."),
    };
    let warning = forgotten(&done);
    Ok(Json(Disabled {
        message,
        until,
        warning,
    }))
}

/// What people are notified of.
#[derive(Deserialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Up,
    Down,
}

/// Whether they are notified even if they know.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Force {
    /// Even if people know that already.
    #[serde(default, deserialize_with = "input::truth")]
    #[param(required = false)]
    force: bool,
}

/// People know already, in the Python version's words.
const UNCHANGED: &str = "State has not changed. No notification sent.";

/// People are notified, or know already.
#[derive(Serialize, ToSchema)]
struct Notified {
    /// Whether alarms are enabled.
    enabled: bool,
    /// Whether people have been notified that the observatory is down.
    active: bool,
    /// What was done.
    message: String,
    /// That a restart would forget it, if so; otherwise it is on disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    warning: Option<String>,
}

/// Notifies people by hand that the observatory is up or down
///
/// By all channels, and only if they do not know already.
#[utoipa::path(
    method(get, post),
    path = "/notify/{state}",
    params(("state" = inline(Direction), Path, description = "What people are notified of"), Force),
    responses(
        (status = 200, description = "People are notified, or know already", body = Notified),
        (status = 400, description = "No channel is configured", body = Detail),
        (status = 422, description = "An invalid value", body = Detail),
        (status = 503, description = "The monitor does not respond", body = Detail),
    )
)]
async fn notify(
    State(web): State<Web>,
    Extension(client): Extension<Client>,
    direction: Result<Path<Direction>, PathRejection>,
    uri: Uri,
) -> Result<Json<Notified>, Problem> {
    let Ok(Path(direction)) = direction else {
        return Err(Problem::value(
            "Only up and down are possible: /notify/up, /notify/down.",
        ));
    };
    let Force { force } = input::forgiving_query(&uri)?;
    if web.handle.channels().is_empty() {
        let wanted = matches!(direction, Direction::Down);
        if force || web.handle.view().is_active() != wanted {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "No recipients defined, nor any other channel.",
            ));
        }
        return Ok(notified_of(&web, UNCHANGED, None));
    }
    let (name, done) = match direction {
        Direction::Up => ("up", web.handle.notify_up(force).await?),
        Direction::Down => ("down", web.handle.notify_down(force).await?),
    };
    let notified = done.value;
    tracing::info!(%client, state = name, force, notified, "a notification was asked for by hand");
    let message = if notified {
        format!("Notification that the observatory is {name} is on its way.")
    } else {
        UNCHANGED.to_owned()
    };
    Ok(notified_of(&web, message, forgotten(&done)))
}

fn notified_of(web: &Web, message: impl Into<String>, warning: Option<String>) -> Json<Notified> {
    // The view is up to date before a request is answered.
    let view = web.handle.view();
    Json(Notified {
        enabled: view.alarm.mode.is_enabled(),
        active: view.is_active(),
        message: message.into(),
        warning,
    })
}
