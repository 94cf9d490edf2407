//! X2: clients that mean it no good, or do not know what they do. Whatever they send, and however
//! slowly, they are refused, the monitor's memory and its connections stay bounded, and the
//! observatory's beats are answered all the time.

mod random;
mod slow;

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lvmbeat_tests::process::Process;
use lvmbeat_tests::{eventually, http};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::scene::{PING, SOON};

const MIB: u64 = 1 << 20;

/// The observatory, which beats as fast as it is answered, until it has to stop or a beat is
/// not counted.
struct Observatory {
    beats: Arc<AtomicUsize>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), String>>,
}

impl Observatory {
    async fn start(monitor: SocketAddr) -> Self {
        let (beats, stop) = (Arc::<AtomicUsize>::default(), CancellationToken::new());
        let (count, stopped) = (beats.clone(), stop.clone());
        let task = tokio::spawn(async move {
            let token = format!("Bearer {PING}");
            while !stopped.is_cancelled() {
                let headers = [("Authorization", &*token)];
                let answer = http::ask(monitor, "POST", "/heartbeat", &headers, "").await?;
                if answer.status != 200 {
                    return Err(format!("{answer:?}"));
                }
                count.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        });
        let observatory = Self { beats, stop, task };
        observatory.beats_on().await;
        observatory
    }

    /// It goes on to be answered.
    async fn beats_on(&self) {
        let seen = self.beats.load(Ordering::Relaxed);
        eventually(SOON, async || {
            let more = self.beats.load(Ordering::Relaxed) - seen;
            (more > 5 || self.task.is_finished())
                .then_some(())
                .ok_or_else(|| format!("only {more} beats were answered"))
        })
        .await;
    }

    /// Each of its beats was counted.
    async fn end(self) {
        self.beats_on().await;
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

/// The sockets that the process has: its connections, the one that it listens on, and a few of its
/// own.
fn sockets(monitor: &Process) -> BTreeSet<PathBuf> {
    let folder = format!("/proc/{}/fd", monitor.id());
    let files = fs::read_dir(folder).unwrap();
    let targets = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    targets
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .collect()
}
