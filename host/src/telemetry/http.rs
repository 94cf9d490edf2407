//! A small HTTP server with limits: on connections, on the time a client may take to send its headers, and on the time a request may
//! take (X2). What it serves is an axum router.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// What a client may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; further ones are closed at once.
    pub connections: usize,
    /// Time to send the headers of a request.
    pub headers: Duration,
    /// Time that a connection may last.
    pub connection: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            headers: Duration::from_secs(5),
            connection: Duration::from_secs(60),
        }
    }
}

/// Serves for ever. A failure to accept (no file descriptors left, say) is waited out.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits) {
    let permits = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(cause) => {
                tracing::warn!(%cause, "a connection could not be accepted");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(permit) = permits.clone().try_acquire_owned() else {
            tracing::debug!(%peer, "too many HTTP connections; one was refused");
            continue;
        };
        let router = router.clone();
        connections.spawn(async move {
            if timeout(limits.connection, connection(stream, peer, router, limits))
                .await
                .is_err()
            {
                tracing::debug!(%peer, "an HTTP connection lasted too long");
            }
            drop(permit);
        });
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, limits: Limits) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers)
        .max_headers(64)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
    if let Err(cause) = served {
        tracing::debug!(%peer, %cause, "an HTTP connection failed");
    }
}
