//! One client's flood starves nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lvmbeat_tests::broker::{self, Vhost};
use lvmbeat_tests::chain::{Chain, PLC_TIMEOUT, config};
use lvmbeat_tests::raw::{Command, RawConnection};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// Clients that send as much as they can, from threads of their own.
struct Flood {
    sent: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<()>>,
}

impl Flood {
    /// Each of these commanders has its turn on each of so many connections.
    async fn start(
        vhost: &Vhost,
        connections: usize,
        key: &'static str,
        commanders: &[String],
        command: &str,
    ) -> Self {
        let sent = Arc::<AtomicU64>::default();
        let mut tasks = Vec::new();
        for _ in 0..connections {
            let mut raw = RawConnection::unconfirmed(vhost.address(), vhost.name()).await;
            let (count, commanders) = (Arc::clone(&sent), commanders.to_vec());
            let body = format!("{{\"command_string\": \"{command}\"}}");
            tasks.push(tokio::spawn(async move {
                let commanders = commanders.iter().cycle();
                let commands: Vec<Command<'_>> = commanders
                    .take(MANY)
                    .map(|commander| Command {
                        routing_key: key,
                        commander,
                        body: body.as_bytes(),
                    })
                    .collect();
                raw.flood(&commands, &count).await;
            }));
        }
        Self { sent, tasks }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// One flood at a time.
static TURN: Mutex<()> = Mutex::const_new(());

/// How many messages are written at a time.
const MANY: usize = 5000;

/// So many commanders.
fn names(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("flood{number}.lvmbeat"))
        .collect()
}

/// L1: the dome stays open while so many clients send more than has ever been answered.
async fn stays_open(connections: usize, key: &'static str, commanders: &[String], command: &str) {
    let _turn = TURN.lock().await;
    let vhost = broker::vhost().await;
    let mut chain = Chain::observing(&vhost.url(), 1).await;
    let flood = Flood::start(&vhost, connections, key, commanders, command).await;
    chain.stays_open(2 * PLC_TIMEOUT).await;
    // What starved everybody was 4000 a second.
    let sent = flood.sent.load(Ordering::Relaxed);
    assert!(sent > 4000 * 2 * PLC_TIMEOUT.as_secs(), "{sent}");
    assert!(chain.actor.is_running());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_the_dome_stays_open_while_one_client_floods_with_status() {
    stays_open(1, "command.lvmbeat", &names(1), "status").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_the_dome_stays_open_while_a_client_of_many_names_floods() {
    stays_open(1, "command.lvmbeat", &names(5000), "status").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_the_dome_stays_open_while_one_client_floods_with_sets() {
    stays_open(1, "command.lvmbeat", &names(1), "set nobody").await;
}

/// To somebody else, which the actor overhears.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_the_dome_stays_open_while_somebody_floods_with_lvmecps_replies() {
    stays_open(3, "reply.flood.lvmecp", &names(1), "status").await;
}

/// To the actor itself, and to none of its commands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_the_dome_stays_open_while_somebody_floods_with_replies_to_the_actor() {
    stays_open(3, "reply.lvmbeat.lvmecp", &names(1), "status").await;
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
