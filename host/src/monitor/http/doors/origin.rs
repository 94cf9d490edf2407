//! Requests that another site makes a browser send. They carry the password that the browser knows, and the network that it is in; so
//! they may change nothing. Programs send none of these headers, and are let through.

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri};

use crate::monitor::http::answer::Problem;

const FETCH_SITE: &str = "sec-fetch-site";
const PURPOSE: &str = "sec-purpose";

/// Refuses what comes from another site, and what a browser fetches only because it may be wanted later.
pub(super) fn refuse_foreign(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let own = match text(FETCH_SITE) {
        // `none`: typed, or a bookmark.
        Some(site) => matches!(site, "same-origin" | "none"),
        // Browsers send that over HTTPS only; otherwise at least the origin of what is posted.
        None => text(ORIGIN.as_str()).is_none_or(|origin| is_of_host(origin, headers)),
    };
    if !own {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "Nothing was done: another site asked your browser for this. Use the monitor's own page, or type the address.",
        ));
    }
    if text(PURPOSE).is_some_and(|purpose| purpose.contains("prefetch")) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "Nothing was done: your browser only looked ahead.",
        ));
    }
    Ok(())
}

/// Whether that origin is where the request went to. A proxy may have ended TLS, so that the scheme says nothing.
fn is_of_host(origin: &str, headers: &HeaderMap) -> bool {
    let origin = origin.parse::<Uri>().ok();
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .and_then(|host| host.parse::<Authority>().ok());
    match (origin.as_ref().and_then(Uri::authority), host) {
        (Some(origin), Some(host)) => *origin == host,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(headers: &[(&str, &str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        refuse_foreign(&headers).is_ok()
    }

    #[test]
    fn x1_what_another_site_asks_for_is_refused() {
        let host = ("host", "monitor.example:8080");
        for (passing, header) in [
            (true, ("sec-fetch-site", "same-origin")),
            (true, ("sec-fetch-site", "none")),
            (false, ("sec-fetch-site", "same-site")),
            (false, ("sec-fetch-site", "cross-site")),
            (false, ("sec-fetch-site", "")),
            (true, ("origin", "http://monitor.example:8080")),
            (true, ("origin", "https://MONITOR.example:8080")),
            (false, ("origin", "http://monitor.example")),
            (false, ("origin", "http://monitor.example.evil:8080")),
            (false, ("origin", "http://evil.example")),
            (false, ("origin", "null")),
            (false, ("origin", "")),
            (false, ("sec-purpose", "prefetch;prerender")),
            (true, ("user-agent", "curl")),
        ] {
            assert_eq!(passes(&[host, header]), passing, "{header:?}");
        }
    }

    #[test]
    fn x1_a_browser_that_says_where_a_request_comes_from_is_believed_before_the_origin() {
        // Behind a proxy that does not pass the host on.
        let origin = ("origin", "https://monitor.example");
        let host = ("host", "upstream");
        assert!(passes(&[origin, host, ("sec-fetch-site", "same-origin")]));
        assert!(!passes(&[origin, host]));
        assert!(!passes(&[origin]));
        assert!(!passes(&[
            ("origin", "https://upstream"),
            host,
            ("sec-fetch-site", "cross-site")
        ]));
    }
}
