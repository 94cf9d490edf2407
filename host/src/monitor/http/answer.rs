//! What is answered: a message, or what is wrong. As JSON, with the bodies that FastAPI gives; to a
//! form of the page as a page.

use axum::Json;
use axum::extract::Request;
use axum::http::header::{ACCEPT, ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::mount;
use crate::monitor::handle::{Done, Stuck};
use crate::monitor::page;

/// It was done.
#[derive(Serialize, ToSchema, Clone, PartialEq, Eq, Debug)]
pub(super) struct Said {
    /// What was done.
    pub(super) message: String,
    /// That a restart would forget it, if so; otherwise it is on the disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) warning: Option<String>,
}

impl Said {
    pub(super) fn new(message: impl Into<String>) -> Json<Self> {
        Json(Self {
            message: message.into(),
            warning: None,
        })
    }

    /// The same of what has to be on the disk.
    pub(super) fn done<T>(message: impl Into<String>, done: &Done<T>) -> Json<Self> {
        Json(Self {
            message: message.into(),
            warning: forgotten(done),
        })
    }
}

/// That a restart would forget what was done, if so.
pub(super) fn forgotten<T>(done: &Done<T>) -> Option<String> {
    let cause = done.unsaved.as_ref()?;
    Some(format!(
        "This could not be saved ({cause}): a restart would lose it."
    ))
}

/// It was not done.
#[derive(Serialize, ToSchema, Clone, PartialEq, Eq, Debug)]
pub(super) struct Detail {
    /// Why, and what to do.
    pub(super) detail: String,
}

/// Why something was not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    retry_after: Option<u64>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            retry_after: None,
        }
    }

    /// A value that cannot be.
    pub(super) fn value(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// To be tried again after so many seconds.
    pub(super) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The same, with something said before it.
    pub(super) fn after(mut self, said: &str) -> Self {
        self.detail = format!("{said} {}", self.detail);
        self
    }
}

impl From<Stuck> for Problem {
    fn from(stuck: Stuck) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("It may be done later: {stuck}. Restart the monitor if this lasts."),
        )
        .retry_after(5)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Json(Detail {
            detail: self.detail.clone(),
        });
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            // What a browser asks for, and what a program can send.
            headers.append(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"lvmbeat monitor\", charset=\"UTF-8\""),
            );
            headers.append(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"lvmbeat monitor\""),
            );
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// No such route.
pub(super) async fn not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "There is no such path; /docs lists them all.",
    )
}

/// No such method on that route.
pub(super) async fn method_not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "This path does not support that method; /docs lists them all.",
    )
}

/// HEAD changes nothing, so it has no place on a route that changes something.
pub(super) async fn no_head(request: Request, next: Next) -> Response {
    if request.method() == Method::HEAD {
        let mut response = method_not_allowed().await.into_response();
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET,POST"));
        return response;
    }
    next.run(request).await
}

/// A browser that has sent a form goes back to the page, or gets a page that says what is wrong.
pub(super) async fn for_people(request: Request, next: Next) -> Response {
    let person = request.method() == Method::POST && prefers_html(request.headers());
    let root = mount::Root::of(&request);
    let back = root.link(&page::after(request.uri().path()));
    let response = next.run(request).await;
    if !person {
        return response;
    }
    if response.status().is_success() {
        return Redirect::to(&back).into_response();
    }
    let Some(problem) = response.extensions().get::<Problem>().cloned() else {
        return response;
    };
    let page = page::not_done(&problem.detail, &root);
    let (mut parts, _) = response.into_parts();
    let (page, body) = page.into_response().into_parts();
    // The type and length of the page, and all else of the problem.
    parts.headers.remove(axum::http::header::CONTENT_LENGTH);
    parts.headers.extend(page.headers);
    Response::from_parts(parts, body)
}

/// Whether a page is wanted rather than JSON. A client that takes anything gets JSON.
fn prefers_html(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get_all(ACCEPT)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let (mut html, mut json) = (0.0_f32, 0.0_f32);
    for range in accepted {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let quality = parts
            .find_map(|part| part.strip_prefix("q="))
            .map_or(1.0, |quality| quality.parse().unwrap_or(0.0));
        match kind {
            "text/html" => html = quality,
            "application/json" => json = quality,
            _ => {}
        }
    }
    html > json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asks_for_html_prefers_it() {
        let prefers = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            prefers_html(&headers)
        };
        assert!(prefers(
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        ));
        assert!(prefers("application/json;q=0.5, text/html; q=0.8"));
        for accept in [
            "*/*",
            "application/json",
            "application/json, text/html;q=0.9",
            "text/html;q=0",
            "text/html;q=x",
        ] {
            assert!(!prefers(accept), "{accept}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }
}
