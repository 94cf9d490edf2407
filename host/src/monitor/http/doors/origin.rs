//! Requests that another site makes a browser send. They carry the password that the browser knows,
//! and the network that it is in; so they may change nothing. Programs send none of these headers,
//! and are let through.

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use reqwest::Url;

use crate::monitor::http::answer::Problem;

const FETCH_SITE: &str = "sec-fetch-site";
const FORWARDED_HOST: &str = "x-forwarded-host";
const PURPOSE: &str = "sec-purpose";

/// The hosts by which people may reach the monitor.
#[derive(Debug)]
pub(super) struct Own<'a> {
    /// Where the page is found, as configured.
    pub(super) page: Option<&'a Url>,
    /// The request came from a proxy that is trusted: what it says of the host counts.
    pub(super) by_proxy: bool,
}

/// Refuses what comes from another site, and what a browser fetches only because it may be wanted
/// later.
pub(super) fn refuse_foreign(headers: &HeaderMap, own: &Own<'_>) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let is_own = match text(FETCH_SITE) {
        // `none`: typed, or a bookmark.
        Some(site) => matches!(site, "same-origin" | "none"),
        // Browsers send that over HTTPS only; otherwise at least the origin of what is posted.
        None => text(ORIGIN.as_str()).is_none_or(|origin| own.is(origin, headers)),
    };
    if !is_own {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "Nothing was done: another site asked your browser for this. Use the monitor's own page, or type the address. \
             If this was its own page behind a proxy, set LVMBEAT_PAGE_URL to the page's address.",
        ));
    }
    if text(PURPOSE).is_some_and(|purpose| purpose.contains("prefetch")) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "Nothing was done: your browser only prefetched this address.",
        ));
    }
    Ok(())
}

impl Own<'_> {
    /// Whether that origin is the monitor's: where the request went to, or was sent to before a
    /// proxy. One of these may have ended TLS, so that the scheme says nothing; of the page's
    /// address it is known.
    fn is(&self, origin: &str, headers: &HeaderMap) -> bool {
        let Ok(origin) = origin.parse::<Url>() else {
            return false;
        };
        if self
            .page
            .is_some_and(|page| page.origin() == origin.origin())
        {
            return true;
        }
        let named = |name: HeaderName| {
            headers
                .get_all(name)
                .into_iter()
                .filter_map(|value| value.to_str().ok())
        };
        let forwarded = named(HeaderName::from_static(FORWARDED_HOST)).filter(|_| self.by_proxy);
        let hosts = named(HOST)
            .chain(forwarded)
            .flat_map(|value| value.split(','));
        hosts.map(str::trim).any(|host| is_at(&origin, host))
    }
}

/// Whether an origin has that host, and that port, or the one of its scheme.
fn is_at(origin: &Url, host: &str) -> bool {
    let at = format!("{}://{host}", origin.scheme()).parse::<Url>();
    at.is_ok_and(|at| !host.is_empty() && at.origin().is_tuple() && at.origin() == origin.origin())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(headers: &[(&str, &str)]) -> bool {
        passes_at(None, false, headers)
    }

    fn passes_at(page: Option<&str>, by_proxy: bool, headers: &[(&str, &str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        let page = page.map(|page| page.parse().unwrap());
        let page = page.as_ref();
        refuse_foreign(&headers, &Own { page, by_proxy }).is_ok()
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

    #[test]
    fn x1_the_page_s_own_address_and_what_a_trusted_proxy_says_of_the_host_are_ours() {
        let (host, origin) = (
            ("host", "10.0.0.7:8080"),
            ("origin", "https://monitor.example"),
        );
        for (passing, page, by_proxy, forwarded) in [
            (true, Some("https://monitor.example/lvmbeat/"), false, ""),
            (true, Some("https://MONITOR.example:443"), false, ""),
            (false, Some("http://monitor.example/"), false, ""),
            (false, Some("https://monitor.example:8443/"), false, ""),
            (false, Some("https://monitor.example.evil/"), false, ""),
            (true, None, true, "monitor.example"),
            (true, None, true, "monitor.example:443"),
            (true, None, true, "front.example, monitor.example"),
            (false, None, true, "evil.example"),
            (false, None, true, ""),
            (false, None, true, "monitor.example:8443"),
            (false, None, false, "monitor.example"),
        ] {
            let headers = [host, origin, (FORWARDED_HOST, forwarded)];
            let is_passing = passes_at(page, by_proxy, &headers);
            assert_eq!(is_passing, passing, "{page:?} {by_proxy} {forwarded}");
        }
        // What the browser itself says is still believed first.
        let page = Some("https://monitor.example/");
        assert!(!passes_at(
            page,
            true,
            &[origin, ("sec-fetch-site", "cross-site")]
        ));
        assert!(!passes_at(page, true, &[host, ("origin", "null")]));
    }
}
