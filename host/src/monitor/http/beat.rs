//! `/heartbeat`: the observatory is alive.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Web;
use super::answer::{Detail, Problem, Said};
use super::input::{body_problem, json};
use crate::report::Report;

pub(super) fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(beat, beat_with_report))
        .routes(routes!(token))
}

/// The token would be accepted with a heartbeat.
#[derive(Serialize, ToSchema, Debug)]
struct Accepted {
    /// In words.
    message: &'static str,
    /// Whether one is needed.
    needed: bool,
}

/// Says whether a heartbeat would count with this token; it is none
#[utoipa::path(
    get,
    path = "/token",
    responses((status = 200, description = "It would", body = Accepted))
)]
async fn token(State(web): State<Web>) -> Json<Accepted> {
    let needed = web.ping_token_needed;
    Json(Accepted {
        message: if needed {
            "This token is accepted."
        } else {
            "No token is needed: anybody can beat."
        },
        needed,
    })
}

/// Says that the observatory is alive
#[utoipa::path(
    get,
    path = "/heartbeat",
    responses(
        (status = 200, description = "The heartbeat counts", body = Said),
        (status = 503, description = "The monitor does not respond", body = Detail),
    )
)]
async fn beat(State(web): State<Web>) -> Result<Json<Said>, Problem> {
    web.handle.beat(None).await?;
    Ok(received())
}

/// Says that the observatory is alive, and how it is
///
/// The report may be missing. The heartbeat counts whatever is wrong with the report: who sent it
/// is alive.
#[utoipa::path(
    post,
    path = "/heartbeat",
    request_body(content = Option<Report>, description = "How the observatory is"),
    responses(
        (status = 200, description = "The heartbeat counts", body = Said),
        (status = 422, description = "The heartbeat counts, but the report is not valid", body = Detail),
        (status = 503, description = "The monitor does not respond", body = Detail),
    )
)]
async fn beat_with_report(
    State(web): State<Web>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Said>, Problem> {
    let report: Result<Option<Box<Report>>, Problem> = match body {
        Ok(body) if matches!(body.trim_ascii(), b"" | b"null") => Ok(None),
        Ok(body) => json(&body).map(|report: Report| Some(Box::new(report.shown(&web.secrets)))),
        Err(rejection) => Err(body_problem(&rejection)),
    };
    let (report, problem) = match report {
        Ok(report) => (report, None),
        Err(problem) => (None, Some(problem)),
    };
    web.handle.beat(report).await?;
    match problem {
        None => Ok(received()),
        Some(problem) => {
            tracing::debug!(?problem, "a heartbeat came with an invalid report");
            Err(problem.after("The heartbeat counts, but its report does not."))
        }
    }
}

fn received() -> Json<Said> {
    Said::new("Heartbeat received.")
}
