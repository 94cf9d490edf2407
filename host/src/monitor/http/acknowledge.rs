//! `/acknowledge`: somebody has seen an incident. With the admin token; or by the link of a
//! message, whose secret acknowledges that one incident, once.
//!
//! A link only shows a page with a button. Mail servers and chats follow links to look at them, and
//! must acknowledge nothing.
#![expect(unused_qualifications, reason = "in what utoipa makes of `params`")]

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use maud::html;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::answer::{Detail, Problem, forgotten};
use super::doors::Client;
use super::mount::Root;
use super::{Web, input};
use crate::monitor::incidents::{LinkToken, Which};
use crate::monitor::page::alone;

pub(super) fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(acknowledge))
}

/// The links. They are no part of the interface for programs.
pub(super) fn links() -> Router<Web> {
    Router::new().route("/acknowledge/{incident}/{link}", get(ask).post(by_link))
}

/// Which incident.
#[derive(Deserialize, IntoParams, ToSchema, Default)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Its id, as in `/status`. All that are open, if it is missing.
    #[param(format = Uuid)]
    #[schema(format = Uuid)]
    incident: Option<String>,
}

/// What is acknowledged.
#[derive(Serialize, ToSchema)]
struct Acknowledged {
    /// What was done.
    message: String,
    /// The incidents of which nobody is reminded any more.
    incidents: Vec<Uuid>,
    /// That a restart would forget it, if so; otherwise it is on the disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    warning: Option<String>,
}

/// Acknowledges an incident, or all that are open
///
/// Nobody is reminded of it any more, and no channel that waits is notified. People are
/// notified all the same when it is over.
#[utoipa::path(
    post,
    path = "/acknowledge",
    params(Asked),
    request_body(content = Option<Asked>, content_type = "application/x-www-form-urlencoded", description = "The same as the parameters"),
    responses(
        (status = 200, description = "They are acknowledged", body = Acknowledged),
        (status = 404, description = "No such incident is open", body = Detail),
        (status = 415, description = "The body is not a form", body = Detail),
        (status = 422, description = "Not an id", body = Detail),
        (status = 503, description = "The monitor does not respond", body = Detail),
    )
)]
async fn acknowledge(
    State(web): State<Web>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Result<Json<Acknowledged>, Problem> {
    let query: Asked = input::query(request.uri())?;
    let form: Asked = input::form(request).await?;
    if query.incident.is_some() && form.incident.is_some() && query.incident != form.incident {
        return Err(Problem::value("incident: two different ones are given."));
    }
    let which = match query.incident.or(form.incident) {
        None => Which::All,
        Some(id) => {
            let wrong = |_| Problem::value("incident: this is not an id; /status shows it.");
            Which::One(id.parse().map_err(wrong)?)
        }
    };
    let done = web.handle.acknowledge(which).await?;
    if done.value.is_empty() {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "No such incident is open.",
        ));
    }
    tracing::info!(%client, incidents = ?done.value, "acknowledged by hand");
    Ok(Json(Acknowledged {
        message: "Acknowledged: nobody is reminded of it any more.".to_owned(),
        warning: forgotten(&done),
        incidents: done.value,
    }))
}

/// A page with a button; nothing is done.
async fn ask(
    State(web): State<Web>,
    Path((incident, _)): Path<(Uuid, String)>,
    request: Request,
) -> Response {
    let view = web.handle.view();
    let known = view.incidents.iter().find(|known| known.id == incident);
    let root = Root::of(&request);
    match known {
        Some(known) if known.acknowledged.is_none() => {
            let begun = known.begun.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
            let question = html! {
                p { "People were alerted at " (begun) ". After this nobody is reminded or called for it any more; you are notified all the same when it is over." }
                form method="post" { button.primary type="submit" { "Acknowledge it" } }
            };
            alone("Acknowledge the alert?", &question, &root).into_response()
        }
        _ => spent(&root),
    }
}

async fn by_link(
    State(web): State<Web>,
    Path((incident, link)): Path<(Uuid, String)>,
    request: Request,
) -> Response {
    let root = Root::of(&request);
    let which = Which::ByLink(incident, LinkToken::presented(&link));
    match web.handle.acknowledge(which).await {
        Err(stuck) => Problem::from(stuck).into_response(),
        Ok(done) if done.value.is_empty() => spent(&root),
        Ok(done) => {
            tracing::info!(%incident, "acknowledged by the link of a message");
            let said = html! {
                p role="status" { "Nobody is reminded or called for it any more." }
                @if let Some(warning) = forgotten(&done) { p { (warning) } }
            };
            alone("Acknowledged", &said, &root).into_response()
        }
    }
}

fn spent(root: &Root) -> Response {
    let said = html! {
        p role="status" { "This link does nothing any more: the alert was acknowledged, or it is over." }
    };
    let page = alone("Nothing to acknowledge", &said, root);
    (StatusCode::NOT_FOUND, page).into_response()
}
