//! Who may do what (X1).
//!
//! A token is sent as `Authorization: Bearer`, or as the password of `Basic` with any user name, so
//! that a URL can carry it and a browser can ask for it. Where no token is configured anybody may
//! enter, as with the Python version. Reading is open to all.
//!
//! Wrong tokens are limited for each client. A client that is limited cannot use the admin token
//! either: otherwise the limit would hold nobody back from guessing. The ping token always opens,
//! for else anybody behind the same proxy or router could keep the observatory's beats out, and
//! raise an alarm.

mod client;
mod origin;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum_extra::headers::HeaderMapExt as _;
use axum_extra::headers::authorization::{Authorization, Basic, Bearer};
use ipnet::IpNet;
use reqwest::Url;

use super::answer::Problem;
use crate::clock::Clock;
use crate::config::Secret;
use crate::config::monitor::Monitor;
use crate::server::Peer;
use crate::server::tries::Tries;
use origin::Own;

/// What a route needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Need {
    /// Nothing: it only reads.
    Nothing,
    /// The ping token, or that of the admin: it beats.
    Ping,
    /// The admin token: it changes or sends something.
    Admin,
}

/// Who sent a request, as far as known: an extension of requests that have passed the doors. For
/// the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Client(Option<IpAddr>);

impl std::fmt::Display for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("unknown"),
        }
    }
}

/// The tokens, and who has tried wrong ones.
pub(super) struct Doors {
    ping: Option<Secret>,
    admin: Option<Secret>,
    proxies: Vec<IpNet>,
    page: Option<Url>,
    clock: Arc<dyn Clock>,
    tries: Tries,
}

impl Doors {
    /// Says in the log which doors are open to anybody.
    pub(super) fn new(config: &Monitor, clock: Arc<dyn Clock>) -> Self {
        if config.ping_token.is_none() {
            tracing::warn!("anybody can send a beat and so hide a silence: set LVMBEAT_PING_TOKEN");
        }
        if config.admin_token.is_none() {
            tracing::warn!("anybody can disable alarms and send tests: set LVMBEAT_ADMIN_TOKEN");
        }
        Self {
            ping: config.ping_token.clone(),
            admin: config.admin_token.clone(),
            proxies: config.trusted_proxies.clone(),
            page: config.wording.page.clone(),
            clock,
            tries: Tries::default(),
        }
    }

    /// Whether a token is configured for it.
    pub(super) fn locked(&self, need: Need) -> bool {
        match need {
            Need::Nothing => false,
            Need::Ping => self.ping.is_some(),
            Need::Admin => self.admin.is_some(),
        }
    }

    fn admit(&self, need: Need, headers: &HeaderMap, peer: Option<IpAddr>) -> Result<(), Problem> {
        if need == Need::Nothing {
            return Ok(());
        }
        let client = self.client(peer, headers);
        let own = Own {
            page: self.page.as_ref(),
            by_proxy: peer.is_some_and(|peer| client::is_in(&self.proxies, peer)),
        };
        origin::refuse_foreign(headers, &own)?;
        if !self.locked(need) {
            return Ok(());
        }
        let (token, name) = match need {
            Need::Admin => (None, "admin token"),
            Need::Nothing | Need::Ping => (self.ping.as_ref(), "ping token"),
        };
        let Some(presented) = presented(headers) else {
            return Err(refused(format!(
                "This needs the {name}: as a bearer token, or as the password with any user name."
            )));
        };
        if token.is_some_and(|token| token.is(presented.reveal())) {
            return Ok(());
        }
        let now = self.clock.now();
        if let Some(limited) = self.tries.limited(client.0, now) {
            return Err(
                Problem::new(StatusCode::TOO_MANY_REQUESTS, limited.to_string())
                    .retry_after(limited.seconds),
            );
        }
        if self
            .admin
            .as_ref()
            .is_some_and(|admin| admin.is(presented.reveal()))
        {
            return Ok(());
        }
        if self
            .ping
            .as_ref()
            .is_some_and(|ping| ping.is(presented.reveal()))
        {
            return Err(refused(
                "This is the ping token, which can only send beats; the admin token is needed.",
            ));
        }
        self.tries.wrong(name, client.0, now);
        Err(refused(format!("This is not the {name}.")))
    }

    fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Client {
        Client(client::behind(peer, headers, &self.proxies))
    }
}

/// The layer before the routes of one need.
pub(super) async fn door(
    State((doors, need)): State<(Arc<Doors>, Need)>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let client = doors.client(peer, request.headers());
    match doors.admit(need, request.headers(), peer) {
        Ok(()) => {
            request.extensions_mut().insert(client);
            next.run(request).await
        }
        Err(problem) => {
            tracing::debug!(%client, path = request.uri().path(), ?problem, "refused");
            problem.into_response()
        }
    }
}

fn refused(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, detail)
}

/// The token that a request carries.
fn presented(headers: &HeaderMap) -> Option<Secret> {
    if let Some(Authorization(bearer)) = headers.typed_get::<Authorization<Bearer>>() {
        return Some(Secret::new(bearer.token().to_owned()));
    }
    let Authorization(basic) = headers.typed_get::<Authorization<Basic>>()?;
    Some(Secret::new(basic.password().to_owned()))
}
