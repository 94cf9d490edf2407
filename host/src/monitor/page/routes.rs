//! The routes of the page and of what it is drawn with.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::Markup;
use serde::Deserialize;

use super::{Done, Setting, icon, render, state};
use crate::clock::Clock;
use crate::config::monitor::Monitor;
use crate::monitor::handle::Handle;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

#[derive(Clone)]
struct Shown {
    handle: Handle,
    setting: Arc<Setting>,
    clock: Arc<dyn Clock>,
}

/// The page at `/` and its parts: `/page.css`, `/page.js`, `/page/STATE.svg`. All of it may be read
/// by anybody who gets here.
pub fn router(handle: Handle, config: &Monitor, clock: Arc<dyn Clock>) -> Router {
    routes(Shown {
        handle,
        setting: Arc::new(Setting::of(config)),
        clock,
    })
}

fn routes(shown: Shown) -> Router {
    Router::new()
        .route("/", get(page))
        .route(
            "/page.css",
            get(async |headers: HeaderMap| asset(&headers, "text/css; charset=utf-8", STYLE)),
        )
        .route(
            "/page.js",
            get(async |headers: HeaderMap| {
                asset(&headers, "text/javascript; charset=utf-8", SCRIPT)
            }),
        )
        .route("/page/{icon}", get(tab_icon))
        .with_state(shown)
}

#[derive(Deserialize)]
struct Asked {
    done: Option<String>,
}

async fn page(State(shown): State<Shown>, asked: Result<Query<Asked>, QueryRejection>) -> Markup {
    let view = shown.handle.view();
    let age = shown.clock.now().saturating_duration_since(view.at);
    let age = Duration::from_micros(age.as_micros());
    // A query that makes no sense is as good as none (X2).
    let done = asked
        .ok()
        .and_then(|Query(asked)| Done::from_code(&asked.done?));
    render(&view, &shown.setting, age, done)
}

async fn tab_icon(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let state = state::State::ALL
        .into_iter()
        .find(|state| name.strip_suffix(".svg") == Some(state.class()));
    match state {
        Some(state) => asset(&headers, "image/svg+xml", &icon::file(state)),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A part that changes with the program only. It is asked for each time whether it is still the
/// same: a monitor that was updated must not be shown by an old script.
fn asset(headers: &HeaderMap, kind: &'static str, body: &str) -> Response {
    let tag = tag(body);
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|known| known.to_str().ok())
        .is_some_and(|known| {
            known
                .split(',')
                .any(|known| known.trim().trim_start_matches("W/") == tag)
        });
    let meta = [
        (header::ETAG, tag),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, meta).into_response();
    }
    ([(header::CONTENT_TYPE, kind)], meta, body.to_owned()).into_response()
}

fn tag(body: &str) -> String {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

/// Changes with the stylesheet and the script: an open page loads itself anew when the monitor has
/// other ones.
pub(super) fn assets_tag() -> String {
    format!("{}{}", tag(STYLE), tag(SCRIPT)).replace('"', "")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::Body;
    use axum::http::Request;
    use embassy_time::Instant;
    use jiff::Timestamp;
    use tokio::sync::watch;
    use tower::ServiceExt as _;

    use super::super::sample;
    use super::*;

    /// A clock that stands so long after the samples were taken.
    struct Late(embassy_time::Duration);

    impl Clock for Late {
        fn now(&self) -> Instant {
            sample::AT + self.0
        }

        fn wall(&self) -> Timestamp {
            sample::NOW
        }
    }

    async fn get(path: &str, known: Option<&str>, late: u64) -> (StatusCode, HeaderMap, String) {
        let (_view, seen) = watch::channel(Arc::new(sample::up()));
        let (handle, _requests) = Handle::new(seen, Arc::new([]));
        let shown = Shown {
            handle,
            setting: Arc::new(sample::setting()),
            clock: Arc::new(Late(embassy_time::Duration::from_secs(late))),
        };
        let mut request = Request::get(path);
        if let Some(known) = known {
            request = request.header(header::IF_NONE_MATCH, known);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = routes(shown).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        (
            parts.status,
            parts.headers,
            String::from_utf8(body.to_vec()).unwrap(),
        )
    }

    #[tokio::test]
    async fn a_view_that_is_no_longer_renewed_is_not_shown_as_if_it_were() {
        let (_, _, body) = get("/", None, 3).await;
        assert!(body.contains("<title>UP"), "{body}");
        let (_, _, body) = get("/", None, 60).await;
        assert!(body.contains("<title>NOT ALERTING"), "{body}");
    }

    #[tokio::test]
    async fn the_parts_are_sent_once_and_then_only_when_they_have_changed() {
        for (path, kind) in [
            ("/page.css", "text/css; charset=utf-8"),
            ("/page.js", "text/javascript; charset=utf-8"),
            ("/page/up.svg", "image/svg+xml"),
        ] {
            let (status, headers, body) = get(path, None, 0).await;
            assert_eq!(
                (status, &headers[header::CONTENT_TYPE]),
                (StatusCode::OK, &kind.parse().unwrap())
            );
            assert!(!body.is_empty());
            let tag = headers[header::ETAG].to_str().unwrap();
            let (status, again, body) = get(path, Some(&format!("\"other\", W/{tag}")), 0).await;
            assert_eq!((status, body.as_str()), (StatusCode::NOT_MODIFIED, ""));
            assert_eq!(again[header::ETAG], tag);
            assert_eq!(get(path, Some("\"other\""), 0).await.0, 200);
        }
    }

    #[tokio::test]
    async fn each_state_has_an_icon_of_its_own() {
        let mut icons = Vec::new();
        for state in state::State::ALL {
            let (status, _, body) = get(&format!("/page/{}.svg", state.class()), None, 0).await;
            assert_eq!(status, 200);
            assert!(!icons.contains(&body));
            icons.push(body);
        }
        for unknown in [
            "/page/up",
            "/page/.svg",
            "/page/..%2f..%2fetc%2fpasswd",
            "/page/live.svg",
        ] {
            assert_eq!(get(unknown, None, 0).await.0, 404, "{unknown}");
        }
    }

    #[tokio::test]
    async fn x2_a_query_that_makes_no_sense_is_as_good_as_none() {
        for query in [
            "?done=%3Cscript%3E",
            "?done=enabled&done=disabled",
            "?done=%ff",
            "?%",
            "?done",
        ] {
            let (status, _, body) = get(&format!("/{query}"), None, 0).await;
            assert_eq!(status, 200, "{query}");
            assert!(!body.contains("id=\"done\""), "{query}");
        }
        let (_, _, body) = get("/?done=enabled", None, 0).await;
        assert!(body.contains("id=\"done\""));
    }
}
