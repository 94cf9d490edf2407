//! One client's flood starves nobody else.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lvmbeat_tests::broker::{self, Vhost};
use lvmbeat_tests::chain::Chain;
use lvmbeat_tests::raw::{Command, RawConnection};
use tokio::task::JoinHandle;

/// A client that sends as much as it can, from a thread of its own.
struct Flood {
    sent: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Flood {
    async fn start(
        vhost: &Vhost,
        commanders: usize,
        body: &'static str,
        rate: Option<u32>,
    ) -> Self {
        let mut raw = RawConnection::unconfirmed(vhost.address(), vhost.name()).await;
        let sent = Arc::<AtomicU64>::default();
        let count = Arc::clone(&sent);
        let task = tokio::spawn(async move {
            let names: Vec<String> = (0..commanders.max(50))
                .map(|number| format!("flood{}.lvmbeat", number % commanders))
                .collect();
            let command = |commander| Command {
                routing_key: "command.lvmbeat",
                commander,
                body: body.as_bytes(),
            };
            let commands: Vec<Command<'_>> = names.iter().map(|name| command(name)).collect();
            raw.flood(&commands, rate, &count).await;
        });
        Self { sent, task }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn measure() {
    let vhost = broker::vhost().await;
    let mut chain = Chain::observing(&vhost.url(), 1).await;
    let body: &'static str = Box::leak(
        std::env::var("BODY")
            .unwrap_or("{\"command_string\": \"status\"}".to_owned())
            .into_boxed_str(),
    );
    let rate = std::env::var("RATE").ok().and_then(|r| r.parse().ok());
    let n: usize = std::env::var("COMMANDERS")
        .ok()
        .and_then(|r| r.parse().ok())
        .unwrap_or(1);
    let flood = Flood::start(&vhost, n, body, rate).await;
    for _ in 0..10 {
        let before = flood.sent.load(Ordering::Relaxed);
        let hb = chain.dome.events("heartbeat_received").len();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let depth = if true {
            vhost.queue_length("lvmbeat_commands").await
        } else {
            None
        };
        println!(
            "sent/s {} heartbeats {} depth {:?} dome {}",
            flood.sent.load(Ordering::Relaxed) - before,
            chain.dome.events("heartbeat_received").len() - hb,
            depth,
            chain.dome.state().await
        );
    }
    flood.task.abort();
    println!(
        "{:#?}",
        chain
            .actor
            .lines()
            .iter()
            .rev()
            .take(12)
            .map(|l| l.text.clone())
            .collect::<Vec<_>>()
    );
}
