//! POST requests with JSON, for Slack and webhooks.

use std::fmt::Display;
use std::time::Duration;

use jiff::fmt::rfc2822;
use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use serde::Serialize;

use super::DeliveryError;
use crate::config::Secret;
use crate::dial;
use crate::peer::{Secrets, shown};

/// What is read of an answer; the rest is left.
const LONGEST_ANSWER: usize = 64 * 1024;
/// However long the other side asks for, it is asked again after this time: nobody can put an alarm
/// off for good (M2).
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Its begin.
    pub(super) body: Vec<u8>,
    pub(super) retry_after: Option<Duration>,
}

/// A client with a limit on the whole request (name lookup, connection, answer).
///
/// It follows no redirect: that would make a GET of a POST, and might carry a token elsewhere (X1).
pub(super) fn client(limit: Duration) -> reqwest::Result<Client> {
    // The one provider of this program; only the first call in a process has an effect.
    let _ = rustls::crypto::ring::default_provider().install_default();
    dial::http_client(limit)
        .timeout(limit)
        .redirect(Policy::none())
        .user_agent(concat!("lvmbeat/", env!("CARGO_PKG_VERSION")))
        // Messages are hours apart.
        .pool_max_idle_per_host(0)
        .build()
}

/// Posts to `whom`, or says that they cannot be reached. Never shows the URL, which may carry a
/// token (X1).
pub(super) async fn post(
    client: &Client,
    secrets: &Secrets,
    whom: &(dyn Display + Sync),
    mut url: Url,
    login: Option<(&'static str, &Secret)>,
    body: &(impl Serialize + Sync),
) -> Result<Answer, DeliveryError> {
    let failed = |error: reqwest::Error| {
        if error.is_timeout() {
            return DeliveryError::new(format!("{whom} did not answer in time"));
        }
        // The names in a certificate are a peer's words, too.
        let error = shown(dial::failure(error).as_bytes(), secrets);
        DeliveryError::new(format!("{whom} cannot be reached: {error}"))
    };
    if login.is_some() {
        // reqwest would send the user and password of the URL beside the token. Both fail only
        // where there is none.
        let _ = url.set_username("");
        let _ = url.set_password(None);
    }
    let mut request = client.post(url).json(body);
    if let Some((scheme, token)) = login {
        let written = format!("{scheme} {}", token.reveal());
        let mut value = HeaderValue::from_str(&written)
            .map_err(|_| DeliveryError::new(format!("{whom}: the token cannot be sent")))?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    let mut response = request.send().await.map_err(failed)?;
    let mut body = Vec::new();
    while body.len() < LONGEST_ANSWER {
        match response.chunk().await.map_err(failed)? {
            Some(bytes) => body.extend_from_slice(&bytes),
            None => break,
        }
    }
    body.truncate(LONGEST_ANSWER);
    Ok(Answer {
        status: response.status(),
        body,
        retry_after: retry_after(response.headers()),
    })
}

/// `Retry-After` in seconds, or as a time, which is compared with the other side's own clock (RFC
/// 9110, 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    let asked = text(RETRY_AFTER)?.trim();
    let pause = if let Ok(seconds) = asked.parse() {
        Duration::from_secs(seconds)
    } else {
        let until = rfc2822::parse(asked).ok()?.timestamp();
        let now = rfc2822::parse(text(DATE)?).ok()?.timestamp();
        Duration::try_from(until.duration_since(now)).ok()?
    };
    Some(pause.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(headers: &[(&'static str, &str)]) -> Option<u64> {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        retry_after(&headers).map(|pause| pause.as_secs())
    }

    #[test]
    fn m2_a_pause_that_is_asked_for_is_bounded() {
        assert_eq!(pause(&[("retry-after", "30")]), Some(30));
        assert_eq!(pause(&[("retry-after", "99999999999")]), Some(600));
        assert_eq!(pause(&[]), None);
        let date = ("date", "Wed, 21 Oct 2015 07:28:00 GMT");
        let until = ("retry-after", "Wed, 21 Oct 2015 07:28:45 GMT");
        assert_eq!(pause(&[date, until]), Some(45));
        assert_eq!(pause(&[until]), None);
        let past = ("retry-after", "Wed, 21 Oct 2015 07:27:00 GMT");
        assert_eq!(pause(&[date, past]), None);
        for nonsense in ["", "-1", "1e9", "soon", "99999999999999999999999"] {
            assert_eq!(
                pause(&[date, ("retry-after", nonsense)]),
                None,
                "{nonsense}"
            );
        }
    }
}
