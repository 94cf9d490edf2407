//! A host that network probes reach.

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::eventually;
use crate::port::Port;

use std::time::Duration;

/// Somebody who listens on a TCP port, until [`Self::go_away`].
#[derive(Debug)]
pub struct Target {
    port: Port,
    answering: Option<JoinHandle<()>>,
}

impl Target {
    /// A host that answers.
    pub async fn start() -> Self {
        let mut target = Self {
            port: Port::reserve(),
            answering: None,
        };
        target.come_back().await;
        target
    }

    /// Where, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// For `network.hosts`.
    pub fn url(&self) -> String {
        format!("tcp://{}", self.port.address())
    }

    /// From now on, connections are refused.
    pub async fn go_away(&mut self) {
        if let Some(answering) = self.answering.take() {
            answering.abort();
            let _ = answering.await;
        }
    }

    /// It answers one connection and no other one. Returns when it has.
    pub async fn answer_once(&mut self, limit: Duration) {
        self.go_away().await;
        let address = self.port.address();
        let listener = eventually(limit, async || TcpListener::bind(address).await).await;
        let accepted = tokio::time::timeout(limit, listener.accept()).await;
        assert!(accepted.is_ok(), "nobody has probed within {limit:?}");
    }

    /// From now on, it answers again.
    pub async fn come_back(&mut self) {
        if self.answering.is_some() {
            return;
        }
        let address = self.port.address();
        let listener = eventually(Duration::from_secs(10), async || {
            TcpListener::bind(address).await
        })
        .await;
        self.answering = Some(tokio::spawn(async move {
            loop {
                // Taken and dropped.
                let _ = listener.accept().await;
            }
        }));
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(answering) = self.answering.take() {
            answering.abort();
        }
    }
}
