//! HTTP: the least that axum can do, and a client that keeps several connections busy.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use axum::{Json, Router, routing::get};
use tokio::time::Instant;

const CONNECTIONS: usize = 16;
const SILENCE: Duration = Duration::from_secs(10);
/// Longer than the head and body of any answer that is asked for here.
const LONGEST: usize = 64 * 1024;

/// Serves a short JSON at each path, until it is killed, on tokio's usual runtime.
pub(crate) fn serve(port: u16) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let answer = get(async || Json(serde_json::json!({ "message": "Heartbeat received." })));
        let routes = Router::new()
            .route("/heartbeat", answer.clone())
            .route("/status", answer);
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        Ok(axum::serve(listener, routes).await?)
    })
}

/// Requests that are answered in a second.
pub(crate) fn rate(server: SocketAddr, path: &str, span: Duration) -> Result<f64> {
    let mut connections = (0..CONNECTIONS)
        .map(|_| Connection::open(server))
        .collect::<Result<Vec<_>>>()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {server}\r\n\r\n");
    let (begin, mut count) = (Instant::now(), 0_u32);
    while begin.elapsed() < span {
        for connection in &mut connections {
            connection.0.write_all(request.as_bytes())?;
        }
        for connection in &mut connections {
            connection.answer()?;
            count += 1;
        }
    }
    Ok(f64::from(count) / begin.elapsed().as_secs_f64())
}

struct Connection(TcpStream);

impl Connection {
    fn open(server: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        Ok(Self(stream))
    }

    /// Reads one answer.
    fn answer(&mut self) -> Result<()> {
        let mut read = Vec::new();
        loop {
            if let Some(length) = length(&read)
                && read.len() >= length
            {
                return Ok(());
            }
            let mut part = [0; 4096];
            let count = self.0.read(&mut part).context("the server is silent")?;
            if count == 0 || read.len() > LONGEST {
                bail!("not an answer: {}", String::from_utf8_lossy(&read));
            }
            read.extend_from_slice(part.get(..count).unwrap_or_default());
            if read.len() >= 12 && !read.starts_with(b"HTTP/1.1 200") {
                bail!("not an answer: {}", String::from_utf8_lossy(&read));
            }
        }
    }
}

/// Of head and body, once the head is complete.
fn length(read: &[u8]) -> Option<usize> {
    let head = read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(read.get(..head)?).to_ascii_lowercase();
    let (_, rest) = text.split_once("content-length:")?;
    let body: usize = rest.lines().next()?.trim().parse().ok()?;
    Some(head + body)
}
