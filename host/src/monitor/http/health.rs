//! `/healthz`, `/readyz` and `/metrics`: for those who watch the watcher.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Problem;
use super::{Web, metrics};
use crate::probes::{Form, HUNG_AFTER};

pub(super) fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics_text))
}

/// Whether the monitor watches
///
/// It does while its loop runs. Restart one that does not.
#[utoipa::path(
    get,
    path = "/healthz",
    responses(
        (status = 200, description = "It watches", body = String, content_type = "text/plain"),
        (status = 503, description = "It hangs", body = String, content_type = "text/plain"),
    )
)]
async fn healthz(State(web): State<Web>) -> (StatusCode, &'static str) {
    let age = web.clock.now().checked_duration_since(web.handle.view().at);
    match age {
        Some(age) if age < HUNG_AFTER => (StatusCode::OK, "ok\n"),
        // In the future: the loop has looked at the clock after this did.
        None => (StatusCode::OK, "ok\n"),
        Some(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the watch loop is not running\n",
        ),
    }
}

/// Whether the monitor can take heartbeats
///
/// The same: one that watches takes heartbeats, whatever else it may not be able to do.
#[utoipa::path(
    get,
    path = "/readyz",
    responses(
        (status = 200, description = "It can", body = String, content_type = "text/plain"),
        (status = 503, description = "It hangs", body = String, content_type = "text/plain"),
    )
)]
async fn readyz(web: State<Web>) -> (StatusCode, &'static str) {
    healthz(web).await
}

/// Metrics for Prometheus
///
/// In its text format, or as OpenMetrics if `Accept` asks for that.
#[utoipa::path(
    get,
    path = "/metrics",
    responses((status = 200, description = "All of them", content(
        (String = "text/plain"),
        (String = "application/openmetrics-text"),
    )))
)]
async fn metrics_text(
    State(web): State<Web>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let accept = headers.get(header::ACCEPT);
    let form = Form::of(accept.and_then(|accept| accept.to_str().ok()));
    let text = metrics::encode(&web.handle.view(), form).map_err(|_| {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The metrics cannot be written; this is a defect of lvmbeat.",
        )
    })?;
    Ok(([(header::CONTENT_TYPE, form.content_type())], text))
}
