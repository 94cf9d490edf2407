//! The overwatcher: the program that must be alive, and that can be killed.

use std::time::Duration;

use lvmbeat::clu::LocalBroker;
use lvmbeat::clu::client::{Client, CommandOptions, connect};
use lvmbeat::clu::message::Code;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::scale::{BEAT, OVERWATCHER, Scale, seconds};
use crate::LivePlc;

/// How long it waits for the answer to a beat. One that takes this long is a failure of lvmbeat's
/// (S6).
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Before it tries again to connect.
const PAUSE: Duration = Duration::from_millis(20);

/// What became of its beats.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub(super) struct Beats {
    pub(super) sent: u64,
    /// Answered, but not counted; or not answered.
    pub(super) not_counted: u64,
    /// When the last one was sent, in site seconds.
    pub(super) last_sent: Option<f64>,
    /// The machine's time that the slowest answer took.
    pub(super) slowest: Duration,
}

/// The overwatcher, dead at first.
pub(super) struct Overwatcher {
    alive: watch::Sender<bool>,
    beats: watch::Sender<Beats>,
}

impl Overwatcher {
    pub(super) fn new() -> Self {
        Self {
            alive: watch::Sender::new(false),
            beats: watch::Sender::default(),
        }
    }

    pub(super) fn set_alive(&self, alive: bool) {
        self.alive.send_replace(alive);
    }

    pub(super) fn is_alive(&self) -> bool {
        *self.alive.borrow()
    }

    pub(super) fn beats(&self) -> Beats {
        *self.beats.borrow()
    }

    /// Beats while it is alive, without end. Dying is sudden: whatever it is doing, it does no
    /// more.
    pub(super) async fn run(&self, scale: Scale, broker: &LocalBroker, plc: &LivePlc) {
        let mut alive = self.alive.subscribe();
        loop {
            // The sender lives as long as `self`.
            let _ = alive.wait_for(|alive| *alive).await;
            tokio::select! {
                _ = alive.wait_for(|alive| !alive) => {}
                () = self.live(scale, broker, plc) => {}
            }
        }
    }

    async fn live(&self, scale: Scale, broker: &LocalBroker, plc: &LivePlc) {
        let connected = loop {
            match connect(broker, OVERWATCHER).await {
                Ok(connected) => break connected,
                // The queue of its former life may not have gone yet.
                Err(error) => tracing::debug!(%error, "the overwatcher is not connected"),
            }
            sleep(PAUSE).await;
        };
        let mut ticks = interval(scale.real(BEAT));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.beat(&connected.client, plc).await;
        }
    }

    async fn beat(&self, client: &Client, plc: &LivePlc) {
        let now = seconds(plc.snapshot().plc);
        self.beats.send_modify(|beats| {
            beats.sent += 1;
            beats.last_sent = Some(now);
        });
        let options = CommandOptions {
            internal: false,
            expiration: None,
            limit: ANSWER_LIMIT,
        };
        let begun = Instant::now();
        let answered = client
            .command("lvmbeat", &format!("set {OVERWATCHER}"), options)
            .await;
        let took = begun.elapsed();
        let counted = match answered {
            Ok(finished) => finished.code == Code::Done,
            Err(error) => {
                tracing::warn!(%error, "a beat is lost");
                false
            }
        };
        self.beats.send_modify(|beats| {
            beats.not_counted += u64::from(!counted);
            beats.slowest = beats.slowest.max(took);
        });
    }
}
