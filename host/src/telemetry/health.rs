//! `/healthz`, `/readyz` and `/metrics` of the actor.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::sync::watch;

use super::metrics;
use crate::actor::SessionState;
use crate::actor::snapshot::Snapshot;
use crate::clock::Clock;

/// The actor shows itself several times a second; one that has not for this long hangs.
const HUNG_AFTER: embassy_time::Duration = embassy_time::Duration::from_secs(5);

type Shown = watch::Receiver<Option<Snapshot>>;

#[derive(Clone)]
struct Actor {
    shown: Shown,
    clock: Arc<dyn Clock>,
}

/// The routes of an actor that shows itself on that channel.
///
/// `/healthz` answers 200 while the decision loop runs, `/readyz` while this actor is the active one, both else 503; `/metrics` is
/// OpenMetrics text.
pub fn router(shown: Shown, clock: Arc<dyn Clock>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_text))
        .with_state(Actor { shown, clock })
}

async fn healthz(State(actor): State<Actor>) -> impl IntoResponse {
    let last = actor.shown.borrow().as_ref().map(|snapshot| snapshot.at);
    let age = last.and_then(|at| actor.clock.now().checked_duration_since(at));
    match age {
        Some(age) if age < HUNG_AFTER => (StatusCode::OK, "ok\n"),
        Some(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the decision loop does not run\n",
        ),
        None => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
    }
}

async fn readyz(State(actor): State<Actor>) -> impl IntoResponse {
    match actor
        .shown
        .borrow()
        .as_ref()
        .map(|snapshot| snapshot.session)
    {
        Some(SessionState::Open) => (StatusCode::OK, "ok\n"),
        Some(SessionState::StandBy) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "standing by: another actor is active\n",
        ),
        Some(SessionState::Connecting) | None => (
            StatusCode::SERVICE_UNAVAILABLE,
            "no session with the broker\n",
        ),
    }
}

async fn metrics_text(State(actor): State<Actor>) -> impl IntoResponse {
    let snapshot = actor.shown.borrow().clone();
    match snapshot.map(|snapshot| metrics::encode(&snapshot)) {
        Some(Ok(text)) => (
            StatusCode::OK,
            [(header::CONTENT_TYPE, metrics::CONTENT_TYPE)],
            text,
        ),
        Some(Err(_)) | None => (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
            "starting\n".to_owned(),
        ),
    }
}
