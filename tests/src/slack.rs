//! A Slack that takes everything and keeps it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::http;
use crate::port::Port;

/// A request that it took.
#[derive(Clone, Debug)]
pub struct Post {
    /// When.
    pub at: Instant,
    /// What people read.
    pub text: String,
}

/// It serves until this is dropped.
#[derive(Debug)]
pub struct Slack {
    port: Port,
    posts: Arc<Mutex<Vec<Post>>>,
    serving: JoinHandle<()>,
}

impl Slack {
    /// Starts one.
    pub async fn start() -> Self {
        let port = Port::reserve();
        let listener = TcpListener::bind(port.address()).await;
        let listener = listener.expect("the port is reserved");
        let posts = Arc::default();
        let serving = tokio::spawn(serve(listener, Arc::clone(&posts)));
        Self {
            port,
            posts,
            serving,
        }
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// All that it took, in order.
    pub fn posts(&self) -> Vec<Post> {
        let posts = self.posts.lock();
        posts.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Slack {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, posts: Arc<Mutex<Vec<Post>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let mut stream = BufReader::new(stream);
        let Some(request) = http::request(&mut stream).await else {
            continue;
        };
        let body: Value = serde_json::from_slice(&request.body).expect("a post is JSON");
        let text = body["text"].as_str().unwrap_or_default().to_owned();
        let at = Instant::now();
        posts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Post { at, text });
        let answer = r#"{"ok": true, "ts": "1.2", "channel": "C1"}"#;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", answer.len());
        let answer = format!("{head}Connection: close\r\n\r\n{answer}");
        // Whoever does not want the answer has gone.
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}
