//! A stand-in for whoever is told by a webhook.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::eventually;

/// Keeps what is posted to it, until it is dropped.
#[derive(Debug)]
pub struct Webhook {
    url: String,
    posted: Arc<Mutex<Vec<Value>>>,
    serving: JoinHandle<()>,
}

impl Webhook {
    /// Starts one.
    pub async fn start() -> Self {
        let posted = Arc::<Mutex<Vec<Value>>>::default();
        let router = Router::new()
            .route("/hook", post(keep))
            .with_state(Arc::clone(&posted));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let serving = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self {
            url: format!("http://{address}/hook"),
            posted,
            serving,
        }
    }

    /// Where to post.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// All that has been posted so far, oldest first.
    pub fn posted(&self) -> Vec<Value> {
        self.posted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until that many have been posted, and gives the last of them.
    pub async fn wait_for(&self, count: usize, limit: Duration) -> Value {
        eventually(limit, async || {
            let posted = self.posted();
            let last = count.checked_sub(1).and_then(|last| posted.get(last));
            last.cloned()
                .ok_or_else(|| format!("only {} of {count} were posted", posted.len()))
        })
        .await
    }
}

async fn keep(State(posted): State<Arc<Mutex<Vec<Value>>>>, Json(body): Json<Value>) {
    posted
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(body);
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
