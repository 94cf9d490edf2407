//! `/healthz`, `/readyz` and `/metrics` of the actor; and `/set/NAME`, if that is configured.

pub mod set;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::sync::watch;

use super::metrics;
use super::snapshot::{SessionState, Snapshot};
use crate::clock::{Clock, Moment};
use crate::probes::{Form, HUNG_AFTER};

pub(super) type Shown = watch::Receiver<Option<Snapshot>>;

#[derive(Clone)]
struct Actor {
    shown: Shown,
    clock: Arc<dyn Clock>,
}

/// The routes of an actor that shows itself on that channel.
///
/// `/healthz` answers 200 while the decision loop runs, `/readyz` while this actor is the active
/// one, both else 503; `/metrics` is for Prometheus. A slash at the end changes nothing.
pub fn router(shown: Shown, clock: Arc<dyn Clock>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/healthz/", get(healthz))
        .route("/readyz", get(readyz))
        .route("/readyz/", get(readyz))
        .route("/metrics", get(metrics_text))
        .route("/metrics/", get(metrics_text))
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
    let shown = actor.shown.borrow();
    let session = shown.as_ref().map(|snapshot| snapshot.session);
    let Some(text) = no_session(session) else {
        return (StatusCode::OK, "ok\n".to_owned());
    };
    let error = shown
        .as_ref()
        .and_then(|snapshot| snapshot.session_error.as_deref());
    let error = error.map_or(String::new(), |error| format!("{error}\n"));
    (StatusCode::SERVICE_UNAVAILABLE, format!("{text}\n{error}"))
}

/// Why there is no session, if there is none.
fn no_session(session: Option<SessionState>) -> Option<&'static str> {
    match session {
        Some(SessionState::Open) => None,
        Some(SessionState::StandBy) => Some("standing by: another actor is active"),
        Some(SessionState::Blocked) => Some("the broker blocks all who publish"),
        Some(SessionState::Connecting) | None => Some("no session with the broker"),
    }
}

async fn metrics_text(State(actor): State<Actor>, headers: HeaderMap) -> impl IntoResponse {
    let accept = headers.get(header::ACCEPT);
    let form = Form::of(accept.and_then(|accept| accept.to_str().ok()));
    let at = Moment::read(&*actor.clock);
    let snapshot = actor.shown.borrow().clone();
    match snapshot.map(|snapshot| metrics::encode(&snapshot, at, form)) {
        Some(Ok(text)) => (
            StatusCode::OK,
            [(header::CONTENT_TYPE, form.content_type())],
            text,
        ),
        Some(Err(_)) | None => (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
            "starting\n".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt as _;

    use super::super::box_view::BoxView;
    use super::super::snapshot::tests::snapshot;
    use super::super::snapshot::{Disk, OutsideView};
    use super::*;
    use crate::clock::RuntimeClock;
    use crate::probes::asked;

    async fn ask(router: &Router, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn health_follows_the_decision_loop_and_readiness_the_session() {
        let clock = Arc::new(RuntimeClock::new(jiff::Timestamp::UNIX_EPOCH));
        let (show, shown) = watch::channel(None);
        let router = router(shown, clock.clone());
        for path in ["/healthz", "/readyz/", "/metrics", "/healthz/", "/metrics/"] {
            assert_eq!(
                ask(&router, path).await.0,
                StatusCode::SERVICE_UNAVAILABLE,
                "{path}"
            );
        }
        let mut snapshot = snapshot();
        snapshot.at = clock.now();
        snapshot.session = SessionState::StandBy;
        show.send_replace(Some(snapshot.clone()));
        for path in ["/healthz", "/healthz/", "/metrics", "/metrics/"] {
            assert_eq!(ask(&router, path).await.0, StatusCode::OK, "{path}");
        }
        let (status, body) = ask(&router, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains("another actor is active"), "{body}");
        snapshot.session = SessionState::Open;
        show.send_replace(Some(snapshot));
        assert_eq!(ask(&router, "/readyz").await.0, StatusCode::OK);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(
            ask(&router, "/healthz").await.0,
            StatusCode::SERVICE_UNAVAILABLE
        );
        assert_eq!(ask(&router, "/nope").await.0, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn metrics_name_the_first_cause_and_every_outcome() {
        let (show, shown) = watch::channel(None);
        let router = router(shown, Arc::new(crate::clock::BootClock));
        show.send_replace(Some(snapshot()));
        let (status, text) = ask(&router, "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        for line in [
            "lvmbeat_hold{reason=\"heartbeat_stale\"} 1",
            "lvmbeat_hold{reason=\"link_down\"} 0",
            "lvmbeat_paced_total{reason=\"cut_off\"} 7",
            "lvmbeat_holds_total{reason=\"heartbeat_stale\"} 0",
            "lvmbeat_emissions_total{outcome=\"acknowledged\"} 3",
            "lvmbeat_emissions_total{outcome=\"lost\"} 0",
            "lvmbeat_heartbeat_timestamp_seconds{name=\"overwatcher\"} 1767323045.678",
            "lvmbeat_heartbeat_timeout_seconds{name=\"overwatcher\"} 30.0",
            "lvmbeat_heartbeat_received_total{name=\"overwatcher\"} 12",
            "lvmbeat_heartbeat_refused_total{name=\"overwatcher\"} 0",
            "# TYPE lvmbeat_emission_duration_seconds histogram",
            "lvmbeat_emission_duration_seconds_bucket{le=\"+Inf\"} 0",
            "# TYPE lvmbeat_holds_total counter",
            concat!(
                "lvmbeat_build_info{version=\"",
                env!("CARGO_PKG_VERSION"),
                "\"} 1"
            ),
            "lvmbeat_heartbeat_smallest_margin_seconds{name=\"overwatcher\"} 24.5",
            "lvmbeat_link_up{name=\"lco\"} 1",
            "lvmbeat_amqp_sessions_total 2",
        ] {
            assert!(
                text.lines().any(|shown| shown == line),
                "no line {line} in\n{text}"
            );
        }
    }

    #[tokio::test]
    async fn what_the_alerts_and_the_dashboard_ask_for_is_served() {
        let (show, shown) = watch::channel(None);
        let router = router(shown, Arc::new(crate::clock::BootClock));
        let mut snapshot = snapshot();
        let keywords = serde_json::json!({"dome_status": "0x8001"});
        let at = Moment {
            now: snapshot.at,
            wall: jiff::Timestamp::UNIX_EPOCH,
        };
        snapshot
            .enclosure
            .observe(keywords.as_object().unwrap(), at);
        snapshot.journal = Some(Disk::default());
        snapshot.outside = vec![OutsideView {
            url: "https://monitor".to_owned(),
            ..OutsideView::default()
        }];
        show.send_replace(Some(snapshot));
        asked::all_are_in(&ask(&router, "/metrics").await.1, false);
        let known = crate::report::Health::ALL.map(crate::report::Health::as_str);
        let asked = asked::states("lvmbeat_health");
        assert!(asked.len() >= 5, "{asked:?}");
        assert!(asked.iter().all(|state| known.contains(state)), "{asked:?}");
    }

    #[tokio::test]
    async fn metrics_tell_of_the_watchdog_box_if_there_is_one() {
        let (show, shown) = watch::channel(None);
        let router = router(shown, Arc::new(crate::clock::BootClock));
        let mut snapshot = snapshot();
        show.send_replace(Some(snapshot.clone()));
        assert!(!ask(&router, "/metrics").await.1.contains("lvmbeat_box"));
        snapshot.relay_box = Some(BoxView {
            energised: Some(false),
            last_counted: Some("2026-01-02T03:04:05Z".parse().unwrap()),
            answered: 5,
            counted: 3,
            failed: 1,
            ..BoxView::default()
        });
        show.send_replace(Some(snapshot));
        let (_, text) = ask(&router, "/metrics").await;
        for line in [
            "lvmbeat_box_heartbeats_total{outcome=\"counted\"} 3",
            "lvmbeat_box_heartbeats_total{outcome=\"held\"} 2",
            "lvmbeat_box_heartbeats_total{outcome=\"failed\"} 1",
            "lvmbeat_box_relay_energised 0",
            "lvmbeat_box_counted_timestamp_seconds 1767323045.0",
        ] {
            assert!(
                text.lines().any(|shown| shown == line),
                "no line {line} in\n{text}"
            );
        }
    }
}
