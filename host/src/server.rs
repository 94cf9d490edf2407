//! A small HTTP server with limits, fit for the open internet (X2): on connections, all and of one
//! client; on the time that a client may take for headers and body, and between two requests; on
//! the life of a connection. What it serves is an axum router.
//!
//! **Who waits makes room.** When no connection is left, the one that has been open longest of
//! those that wait for their client is closed for the new one. So clients that open many and say
//! nothing, or say it slowly, keep nobody out.

mod seats;
pub(crate) mod tries;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use futures_util::StreamExt as _;
use futures_util::stream::poll_fn;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use seats::{Seat, Seats};

/// The longest head of a request, in bytes: proxies before it set cookies of 20 kB, and more.
const HEAD_LIMIT: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;

/// What clients may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// Connections at a time from one address (of IPv6: from one network of 64 bits).
    pub per_client: usize,
    /// Whose connections are those of many clients, so that the limit on one client does not hold
    /// for them.
    pub proxies: Vec<IpNet>,
    /// Time to send the headers of a request, and so also between two requests.
    pub headers: Duration,
    /// Time to send the body of a request. Who reads it gets an error of the kind
    /// [`io::ErrorKind::TimedOut`].
    pub body: Duration,
    /// Time that a connection may last; the request that it is at then is still answered.
    pub connection: Duration,
    /// Time for that.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            per_client: 16,
            proxies: Vec::new(),
            headers: Duration::from_secs(5),
            body: Duration::from_secs(5),
            connection: Duration::from_secs(60),
            farewell: Duration::from_secs(5),
        }
    }
}

/// The other end of the connection by which a request came: an extension of each request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer(pub SocketAddr);

/// What stands for one client: an address, or of IPv6 the network of 64 bits that a household or a
/// machine is given.
pub fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
    }
}

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits) {
    serve_until(listener, router, limits, CancellationToken::new()).await;
}

/// Serves until it has to stop; the requests under way are still answered, for as long as
/// [`Limits::farewell`]. A failure to accept (no file descriptors left, say) is waited out.
pub async fn serve_until(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let limits = Arc::new(limits);
    let mut seats = Seats::default();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(ended) = connections.join_next_with_id() => {
                seats.left(id_of(ended));
                continue;
            }
            () = stop.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(cause) => {
                tracing::warn!(%cause, "a connection could not be accepted");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        if !seats.make_room(peer.ip(), &limits) {
            tracing::debug!(%peer, "too many HTTP connections; one was refused");
            continue;
        }
        // A client that was closed keeps its socket until it has gone; then there is room.
        while connections.len() >= limits.connections {
            match connections.join_next_with_id().await {
                Some(ended) => seats.left(id_of(ended)),
                None => break,
            }
        }
        let seat = Seat::default();
        let task = connections.spawn(connection(
            stream,
            peer,
            router.clone(),
            limits.clone(),
            seat.clone(),
            stop.clone(),
        ));
        seats.take(peer.ip(), task, seat);
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

fn id_of(ended: Result<(Id, ()), JoinError>) -> Id {
    ended.map_or_else(|died| died.id(), |(id, ())| id)
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: Arc<Limits>,
    seat: Seat,
    stop: CancellationToken,
) {
    let body_limit = limits.body;
    let answer = service_fn(move |request| {
        answer(
            router.clone(),
            request,
            Peer(peer),
            body_limit,
            seat.clone(),
        )
    });
    let mut served = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.headers)
            .max_headers(MAX_HEADERS)
            .max_buf_size(HEAD_LIMIT)
            .serve_connection(TokioIo::new(stream), answer)
    );
    let ended = tokio::select! {
        ended = served.as_mut() => Some(ended),
        () = sleep(limits.connection) => None,
        () = stop.cancelled() => None,
    };
    let ended = if let Some(ended) = ended {
        Ok(ended)
    } else {
        served.as_mut().graceful_shutdown();
        timeout(limits.farewell, served).await
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(cause)) => tracing::debug!(%peer, %cause, "an HTTP connection failed"),
        Err(_) => tracing::debug!(%peer, "an HTTP connection lasted too long"),
    }
}

/// One request, from its headers to those of its answer.
async fn answer(
    router: Router,
    request: Request<Incoming>,
    peer: Peer,
    body_limit: Duration,
    seat: Seat,
) -> Result<Response<Body>, Infallible> {
    let answering = seat.answering();
    let mut request = request.map(|body| in_time(body, body_limit, seat.clone()));
    request.extensions_mut().insert(peer);
    let response = router.oneshot(request).await;
    drop(answering);
    response
}

/// The body, which fails when its time is up. While it is waited for, the seat waits for its
/// client.
fn in_time(body: Incoming, limit: Duration, seat: Seat) -> Body {
    let mut chunks = Body::new(body).into_data_stream();
    let mut deadline = Box::pin(sleep(limit));
    Body::from_stream(poll_fn(move |context| {
        match chunks.poll_next_unpin(context) {
            Poll::Ready(chunk) => {
                seat.waits_for_client(false);
                Poll::Ready(chunk.map(|chunk| chunk.map_err(io::Error::other)))
            }
            Poll::Pending => {
                seat.waits_for_client(true);
                deadline.as_mut().poll(context).map(|()| {
                    seat.waits_for_client(false);
                    let late: io::Result<Bytes> = Err(io::ErrorKind::TimedOut.into());
                    Some(late)
                })
            }
        }
    }))
}

#[cfg(test)]
mod tests;
