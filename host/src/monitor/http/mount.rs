//! Where the monitor is, as its clients see it: at the root of a host, or below a path of it behind
//! a proxy, which may or may not take that path away. A path means the same with a slash at its
//! end, or with letters that are percent-encoded, as in the Python version.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::response::Response;
use tower::ServiceExt as _;

use crate::config::monitor::Monitor;

/// The monitor's root, as links say it in what is answered to one request: ends with a slash. An
/// extension of each request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::monitor) struct Root(Arc<str>);

impl Root {
    /// Where the root is for whoever has sent this.
    pub(in crate::monitor) fn of(request: &Request) -> Self {
        let known = request.extensions().get().cloned();
        known.unwrap_or_else(|| root("", request.uri().path()))
    }

    /// Where this is, for example `page.css`.
    pub(in crate::monitor) fn link(&self, to: &str) -> String {
        format!("{}{to}", self.0)
    }
}

/// The path below which people find the page, without a slash at its end: empty, unless
/// `monitor.page_url` has one.
pub(in crate::monitor) fn prefix(config: &Monitor) -> &str {
    let page = config.wording.page.as_ref();
    page.map_or("", |url| url.path().trim_end_matches('/'))
}

/// The root for whoever has asked for this path. Where no prefix is known it is relative, so that
/// it holds below any.
pub(in crate::monitor) fn root(prefix: &str, path: &str) -> Root {
    if !prefix.is_empty() {
        return Root(format!("{prefix}/").into());
    }
    match path.matches('/').count().saturating_sub(1) {
        0 => Root("./".into()),
        depth => Root("../".repeat(depth).into()),
    }
}

/// The same routes below that prefix and without it, and whatever way they are written.
pub(super) fn mounted(routes: Router, prefix: &str) -> Router {
    let prefix: Arc<str> = prefix.into();
    Router::new().fallback(move |request: Request| {
        let request = arrived(request, &prefix);
        let routes = routes.clone();
        async move { answered(routes, request).await }
    })
}

async fn answered(routes: Router, request: Request) -> Response<Body> {
    let Ok(response) = routes.oneshot(request).await;
    response
}

fn arrived(mut request: Request, prefix: &str) -> Request {
    let seen = request.uri().path();
    let plain = decoded(seen);
    let below = plain
        .strip_prefix(prefix)
        .filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let path = below.unwrap_or(&plain).trim_end_matches('/');
    let path = if path.is_empty() { "/" } else { path };
    let root = root(prefix, seen);
    let wanted = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    // What was a URI stays one: slashes and plain letters are taken for themselves.
    if let Ok(wanted) = wanted.parse::<PathAndQuery>() {
        *request.uri_mut() = Uri::from(wanted);
    }
    request.extensions_mut().insert(root);
    request
}

/// Slashes, and what needs no encoding (RFC 3986, 2.3), as they are.
fn decoded(path: &str) -> String {
    let mut parts = path.split('%');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let byte = part
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.map(char::from) {
            Some(c) if c.is_ascii_alphanumeric() || "-._~/".contains(c) => {
                plain.push(c);
                plain.push_str(part.get(2..).unwrap_or_default());
            }
            _ => {
                plain.push('%');
                plain.push_str(part);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrives(prefix: &str, path: &str) -> (String, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let request = arrived(request, prefix);
        let root = request.extensions().get::<Root>().unwrap().link("");
        (request.uri().to_string(), root)
    }

    #[test]
    fn a_path_means_the_same_in_every_way_it_is_written() {
        for (path, means) in [
            ("/", "/"),
            ("//", "/"),
            ("/heartbeat", "/heartbeat"),
            ("/heartbeat/", "/heartbeat"),
            ("/heartbeat//", "/heartbeat"),
            ("/heartbeat%2F", "/heartbeat"),
            ("/hear%74be%61t/?a=%74", "/heartbeat?a=%74"),
            ("/notify/up/?force=1", "/notify/up?force=1"),
            ("/%ff%2", "/%ff%2"),
            ("/a%3fb%23", "/a%3fb%23"),
            ("//heartbeat", "//heartbeat"),
        ] {
            assert_eq!(arrives("", path).0, means, "{path}");
        }
    }

    #[test]
    fn below_a_prefix_and_without_it_the_same_is_meant() {
        for (path, means) in [
            ("/lvm/beat", "/"),
            ("/lvm/beat/", "/"),
            ("/lvm/beat/test/email/", "/test/email"),
            ("/test/email", "/test/email"),
            ("/lvm/beating", "/lvm/beating"),
            ("/", "/"),
        ] {
            let (seen, root) = arrives("/lvm/beat", path);
            assert_eq!(
                (seen.as_str(), root.as_str()),
                (means, "/lvm/beat/"),
                "{path}"
            );
        }
    }

    #[test]
    fn without_a_prefix_links_are_relative_to_what_was_asked_for() {
        for (path, root) in [
            ("/", "./"),
            ("/docs", "./"),
            ("/docs/", "../"),
            ("/test/email", "../"),
            ("/test/email/", "../../"),
        ] {
            assert_eq!(arrives("", path).1, root, "{path}");
        }
    }
}
