//! The monitor over HTTP: what the deployed callers of the Python version ask for, with the bodies
//! that it gives, and more.
//!
//! Every route is in a room of what it needs (`doors::Need`), from which its door and its place in
//! the OpenAPI document follow. What changes something can be asked for by GET, because deployed
//! callers do.

mod acknowledge;
mod answer;
mod beat;
mod docs;
mod doors;
mod health;
mod input;
mod metrics;
pub(super) mod mount;
mod openapi;
mod period;
mod status;
mod switch;
mod trial;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use jiff::Timestamp;
use utoipa_axum::router::OpenApiRouter;

use super::handle::Handle;
use super::page;
use crate::VERSION;
use crate::clock::Clock;
use crate::config::monitor::Monitor;
use crate::peer::Secrets;
use crate::server::Limits;
use doors::{Doors, Need};

/// What the handlers work with.
#[derive(Clone)]
struct Web {
    handle: Handle,
    clock: Arc<dyn Clock>,
    trials: Arc<trial::Trials>,
    secrets: Secrets,
    ping_token_needed: bool,
}

/// All routes of the monitor. Serve them with [`limits`].
pub fn router(handle: Handle, config: &Monitor, clock: Arc<dyn Clock>) -> Router {
    let trials = trial::Trials::new(handle.channels(), config.delivery_timeout);
    let page = page::router(handle.clone(), config, clock.clone());
    let doors = Arc::new(Doors::new(config, clock.clone()));
    let web = Web {
        handle,
        clock,
        trials: Arc::new(trials),
        secrets: config.secrets(),
        ping_token_needed: doors.locked(Need::Ping),
    };
    let reading = status::routes()
        .merge(health::routes())
        .merge(docs::routes());
    let changing = switch::routes()
        .merge(acknowledge::routes())
        .merge(trial::routes());
    let (router, document) = OpenApiRouter::with_openapi(openapi::frame())
        .merge(room(reading, Need::Nothing, &doors))
        .merge(room(beat::routes(), Need::Ping, &doors))
        .merge(room(changing, Need::Admin, &doors))
        .with_state(web.clone())
        .split_for_parts();
    let prefix = mount::prefix(config);
    let all = docs::Rendered::of(&document, prefix)
        .give_to(router)
        .merge(page)
        .merge(acknowledge::links().with_state(web))
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::method_not_allowed)
        .layer(DefaultBodyLimit::max(input::BODY_LIMIT))
        .layer(from_fn(guard_browsers));
    mount::mounted(all, prefix)
}

/// What clients of the monitor may use: it is on the open internet.
pub fn limits(config: &Monitor) -> Limits {
    Limits {
        connections: 512,
        per_client: 64,
        proxies: config.trusted_proxies.clone(),
        headers: Duration::from_secs(10),
        body: Duration::from_secs(10),
        connection: Duration::from_secs(600),
        // A test that is under way is still answered.
        farewell: config.delivery_timeout.max(Duration::from_secs(5)),
    }
}

/// Routes behind the door that they need, and described so.
fn room(mut routes: OpenApiRouter<Web>, need: Need, doors: &Arc<Doors>) -> OpenApiRouter<Web> {
    openapi::describe(routes.get_openapi_mut(), need, doors.locked(need));
    if need == Need::Nothing {
        return routes;
    }
    let routes = routes.route_layer(from_fn_with_state((doors.clone(), need), doors::door));
    let routes = routes.route_layer(from_fn(answer::no_head));
    if need == Need::Admin {
        return routes.route_layer(from_fn(answer::for_people));
    }
    routes
}

/// Tells browsers what they may do with what they get.
async fn guard_browsers(request: Request, next: Next) -> Response {
    const ALWAYS: [(HeaderName, &str); 4] = [
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
        ),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: then browsers would not say that a form came from here.
        (REFERRER_POLICY, "same-origin"),
    ];
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What is known changes all the time.
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// A time as it is shown: whole seconds.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

#[cfg(test)]
mod tests;
