//! One client's flood starves nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lvmbeat_tests::broker::{self, Vhost};
use lvmbeat_tests::chain::{Chain, PLC_TIMEOUT, config};
use lvmbeat_tests::raw::{Command, RawConnection};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// A client that sends as much as it can, from a thread of its own.
struct Flood {
    sent: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Flood {
    async fn start(vhost: &Vhost, key: &'static str, commanders: usize, command: &str) -> Self {
        let mut raw = RawConnection::unconfirmed(vhost.address(), vhost.name()).await;
        let sent = Arc::<AtomicU64>::default();
        let count = Arc::clone(&sent);
        let body = format!("{{\"command_string\": \"{command}\"}}");
        let task = tokio::spawn(async move {
            let names: Vec<String> = (0..commanders.max(50))
                .map(|number| format!("flood{}.lvmbeat", number % commanders))
                .collect();
            let command = |commander| Command {
                routing_key: key,
                commander,
                body: body.as_bytes(),
            };
            let commands: Vec<Command<'_>> = names.iter().map(|name| command(name)).collect();
            raw.flood(&commands, &count).await;
        });
        Self { sent, task }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One flood at a time.
static TURN: Mutex<()> = Mutex::const_new(());

/// L1: the dome stays open while somebody sends more than has ever been answered.
async fn stays_open(key: &'static str, commanders: usize, command: &'static str) {
    let _turn = TURN.lock().await;
    let vhost = broker::vhost().await;
    let mut chain = Chain::observing(&vhost.url(), 1).await;
    let flood = Flood::start(&vhost, key, commanders, command).await;
    chain.stays_open(2 * PLC_TIMEOUT).await;
    // What starved everybody was 4000 a second.
    let sent = flood.sent.load(Ordering::Relaxed);
    assert!(sent > 4000 * 2 * PLC_TIMEOUT.as_secs(), "{sent}");
    assert!(chain.actor.is_running());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_the_dome_stays_open_while_one_client_floods_with_status() {
    stays_open("command.lvmbeat", 1, "status").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_the_dome_stays_open_while_a_client_of_many_names_floods() {
    stays_open("command.lvmbeat", 5000, "status").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_the_dome_stays_open_while_one_client_floods_with_sets() {
    stays_open("command.lvmbeat", 1, "set nobody").await;
}

/// To somebody else, which the actor overhears.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_the_dome_stays_open_while_somebody_floods_with_lvmecps_replies() {
    stays_open("reply.flood.lvmecp", 1, "status").await;
}

/// To the actor itself, and to none of its commands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_the_dome_stays_open_while_somebody_floods_with_replies_to_the_actor() {
    stays_open("reply.lvmbeat.lvmecp", 1, "status").await;
}

/// An actor that hangs, or is far, leaves the broker no heap of messages.
#[tokio::test]
async fn l1_both_queues_of_the_actor_have_a_bound_in_the_broker() {
    let vhost = broker::inspectable_vhost().await;
    let _chain = Chain::start(&vhost.url(), config(&vhost.url(), 1)).await;
    for queue in ["lvmbeat_commands", "lvmbeat_replies"] {
        let limits = vhost.queue_limits(queue).await;
        assert_eq!(limits, [Some(4096), Some(64 << 20)], "{queue}");
    }
}
