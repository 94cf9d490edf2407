//! `POST /set/NAME`: a beat of a program that does not speak AMQP.
//!
//! HTTP keeps no order: a request may wait in a proxy, on a stalled connection or in a socket of
//! this process, and be overtaken meanwhile. No echo comes that way. So a beat counts only with the
//! value `seen` of an earlier answer, which proves that it was sent later (S3). The decision is the
//! same as for a beat from the broker, by the same loop, in the same session.

use std::collections::HashMap;
use std::error::Error as _;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum_extra::headers::HeaderMapExt as _;
use axum_extra::headers::authorization::{Authorization, Bearer};
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::{Shown, no_session};
use crate::clock::Clock;
use crate::clu::message::{Keywords, keyword};
use crate::config::{Config, Secret};
use crate::server::Peer;
use crate::server::tries::Tries;

/// Beats that wait for the loop, each of which has a client that waits for it.
const WAITING: usize = 64;
/// The loop decides within milliseconds; without an answer by then it hangs.
const LIMIT: Duration = Duration::from_secs(3);
/// X2: of a body, of a value in it.
const LONGEST_BODY: usize = 4096;
const LONGEST: usize = 400;
const LONGEST_PROGRAM: usize = 64;

/// A beat, with a client that waits for what becomes of it.
pub(in crate::actor) struct Posted {
    pub(in crate::actor) heartbeat: String,
    /// What the program calls itself.
    pub(in crate::actor) program: Option<String>,
    pub(in crate::actor) seen: Option<String>,
    waits: oneshot::Sender<Outcome>,
}

impl Posted {
    pub(in crate::actor) fn new(
        heartbeat: String,
        program: Option<String>,
        seen: Option<String>,
    ) -> (Self, oneshot::Receiver<Outcome>) {
        let (waits, outcome) = oneshot::channel();
        let posted = Self {
            heartbeat,
            program,
            seen,
            waits,
        };
        (posted, outcome)
    }

    pub(in crate::actor) fn answer(self, outcome: Outcome) {
        // Who has gone is not interested.
        let _ = self.waits.send(outcome);
    }
}

/// What became of a beat, with the keywords of the reply that a CLU client would get.
#[derive(Clone, PartialEq, Debug)]
pub(in crate::actor) enum Outcome {
    /// It counts. That the dome heartbeat is held all the same stands in the keywords.
    Counted(Keywords),
    /// The program may not set this heartbeat.
    NotFrom(Keywords),
    /// No such heartbeat.
    Unknown(Keywords),
    /// It does not prove when it was sent.
    Unproven(Keywords),
    /// This process, or the path from the broker, is not well.
    NotHeard(Keywords),
    /// Too many commands come.
    Busy,
    /// There is no session with the broker, so that no heartbeat reaches anybody.
    NoSession,
}

/// Hands beats to the loop.
#[derive(Clone, Debug)]
pub struct Poster(mpsc::Sender<Posted>);

/// The beats that were posted, for the loop.
#[derive(Debug)]
pub struct Posts(mpsc::Receiver<Posted>);

/// Both ends.
pub fn channel() -> (Poster, Posts) {
    let (poster, posts) = mpsc::channel(WAITING);
    (Poster(poster), Posts(posts))
}

impl Posts {
    /// Of an actor that takes none.
    pub fn none() -> Self {
        channel().1
    }

    /// `None` as soon as nobody can post any more.
    pub(in crate::actor) async fn next(&mut self) -> Option<Posted> {
        self.0.recv().await
    }
}

#[derive(Clone)]
struct Doors {
    /// By heartbeat (X1).
    tokens: Arc<HashMap<String, Secret>>,
    poster: Poster,
    shown: Shown,
    clock: Arc<dyn Clock>,
    tries: Arc<Tries>,
}

/// The route, if any heartbeat has a token.
pub fn router(config: &Config, poster: Poster, shown: Shown, clock: Arc<dyn Clock>) -> Router {
    let tokens = config.heartbeats.iter().filter_map(|heartbeat| {
        let token = heartbeat.http_token.clone()?;
        Some((heartbeat.name.clone(), token))
    });
    let tokens: HashMap<_, _> = tokens.collect();
    if tokens.is_empty() {
        return Router::new();
    }
    let doors = Doors {
        tokens: Arc::new(tokens),
        poster,
        shown,
        clock,
        tries: Arc::default(),
    };
    Router::new()
        .route("/set/{name}", post(set))
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .with_state(doors)
}

/// The body; none is an empty one.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Beat {
    seen: Option<String>,
    program: Option<String>,
}

async fn set(
    State(doors): State<Doors>,
    Path(name): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let Some(token) = doors.tokens.get(&name) else {
        let error = "No heartbeat of this name can be set over HTTP: none is configured, or it has no token.";
        return failed(StatusCode::NOT_FOUND, error);
    };
    // Only this way: what a browser sends along by itself proves nothing.
    let presented = headers.typed_get::<Authorization<Bearer>>();
    let Some(Authorization(presented)) = presented else {
        return refused();
    };
    if !token.is(presented.token()) {
        let peer = request.extensions().get::<Peer>();
        return doors.wrong(&name, peer.map(|peer| peer.0.ip()));
    }
    let beat = match Bytes::from_request(request, &()).await {
        Ok(body) => beat(&body),
        Err(rejection) => Err(unreadable(&rejection)),
    };
    match beat {
        Ok(beat) => doors.hand_over(name, beat).await,
        Err((status, error)) => failed(status, error),
    }
}

impl Doors {
    /// A wrong token. The right one always opens: else whoever sends wrong ones from behind the
    /// same router would close the dome.
    fn wrong(&self, heartbeat: &str, client: Option<IpAddr>) -> Response {
        let now = self.clock.now();
        if let Some(limited) = self.tries.limited(client, now) {
            let after = [(header::RETRY_AFTER, limited.seconds.to_string())];
            let limited = failed(StatusCode::TOO_MANY_REQUESTS, &limited.to_string());
            return (after, limited).into_response();
        }
        self.tries.wrong(heartbeat, client, now);
        refused()
    }

    async fn hand_over(&self, heartbeat: String, beat: Beat) -> Response {
        let (posted, outcome) = Posted::new(heartbeat, beat.program, beat.seen);
        if self.poster.0.try_send(posted).is_err() {
            return busy();
        }
        match timeout(LIMIT, outcome).await {
            Ok(Ok(outcome)) => self.respond(outcome),
            // Whether it has counted is not known; its value is old when it is sent again.
            Ok(Err(_)) | Err(_) => failed(
                StatusCode::SERVICE_UNAVAILABLE,
                "The decision loop does not answer: whether the heartbeat counts is not known.",
            ),
        }
    }

    fn respond(&self, outcome: Outcome) -> Response {
        let (status, body) = match outcome {
            Outcome::Counted(body) => (StatusCode::OK, body),
            Outcome::NotFrom(body) => (StatusCode::FORBIDDEN, body),
            Outcome::Unknown(body) => (StatusCode::NOT_FOUND, body),
            Outcome::Unproven(body) => (StatusCode::CONFLICT, body),
            Outcome::NotHeard(body) => (StatusCode::SERVICE_UNAVAILABLE, body),
            Outcome::Busy => return busy(),
            Outcome::NoSession => {
                let session = self.shown.borrow().as_ref().map(|shown| shown.session);
                let why = no_session(session).unwrap_or("no session with the broker");
                let error = format!("Heartbeat not counted: {why}.");
                return failed(StatusCode::SERVICE_UNAVAILABLE, &error);
            }
        };
        answer(status, &body)
    }
}

fn beat(body: &[u8]) -> Result<Beat, (StatusCode, &'static str)> {
    let expected = (
        StatusCode::UNPROCESSABLE_ENTITY,
        "The body is not a JSON object with nothing but the texts 'seen' and 'program', such as {\"seen\": \"…\"}.",
    );
    let body = body.trim_ascii();
    if body.is_empty() {
        return Ok(Beat::default());
    }
    // serde would take the elements of an array for the fields of a structure.
    if !body.starts_with(b"{") {
        return Err(expected);
    }
    let beat: Beat = serde_json::from_slice(body).map_err(|_| expected)?;
    let is_word = |word: &str| {
        !word.is_empty()
            && word.len() <= LONGEST_PROGRAM
            && !word.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    if beat
        .program
        .as_deref()
        .is_some_and(|program| !is_word(program))
    {
        return Err((
            StatusCode::UNPROCESSABLE_ENTITY,
            "The program's name is not one word of at most 64 bytes.",
        ));
    }
    // A longer one is nobody's.
    let seen = beat.seen.filter(|seen| seen.len() <= LONGEST);
    Ok(Beat { seen, ..beat })
}

/// Why a body could not be read.
fn unreadable(rejection: &BytesRejection) -> (StatusCode, &'static str) {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return (rejection.status(), "The body is longer than 4096 bytes.");
    }
    let mut cause = rejection.source();
    while let Some(error) = cause {
        let error_of_io = error.downcast_ref::<io::Error>();
        if error_of_io.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            let late = "The body did not arrive in time.";
            return (StatusCode::REQUEST_TIMEOUT, late);
        }
        cause = error.source();
    }
    (StatusCode::BAD_REQUEST, "The body did not arrive.")
}

fn refused() -> Response {
    let error = "This needs the heartbeat's own token, as a bearer token.";
    let refused = failed(StatusCode::UNAUTHORIZED, error);
    ([(header::WWW_AUTHENTICATE, "Bearer")], refused).into_response()
}

fn busy() -> Response {
    let error =
        "lvmbeat is busy: more commands come than it answers. Send fewer, and this one again.";
    let busy = failed(StatusCode::TOO_MANY_REQUESTS, error);
    ([(header::RETRY_AFTER, "1")], busy).into_response()
}

fn failed(status: StatusCode, error: &str) -> Response {
    answer(status, &keyword("error", error))
}

fn answer(status: StatusCode, keywords: &Keywords) -> Response {
    // What is proved is the time of this answer, and no copy of it.
    let fresh = [(header::CACHE_CONTROL, "no-store")];
    (status, fresh, axum::Json(keywords)).into_response()
}

#[cfg(test)]
mod tests;
