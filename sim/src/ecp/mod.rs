//! A stand-in for `lvmecp`, the actor of the enclosure: it speaks CLU to the observatory and Modbus
//! to the PLC.
//!
//! It does what the heartbeat chain meets of lvmecp 1.3: `heartbeat` writes the coil `hb_set`;
//! `status` reports the registers and what they mean; `dome` and `engineering-mode` do as they say;
//! every 30 s it sends itself `status`, so that everybody hears the replies, and asks `lvmbeat` for
//! its `status`, from which follows the coil `network_failure`. Commands run beside each
//! other. Whatever fails, on the broker's side or the PLC's, it goes on.

mod actor;
mod dome;
mod engineering;
mod port;
mod request;
mod status;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lvmbeat::clock::Clock;
use lvmbeat::clu::bus::{Bus, BusError};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::simulator::Died;

pub use dome::Patience;
pub use port::{DirectPort, ModbusPort, PlcPort, PortError, Registers};
pub use request::{DomeRequest, EcpRequest, EngineeringRequest, schema};

/// How many events a slow listener may be behind.
const EVENTS: usize = 256;

/// How long ending in order may take.
const END_LIMIT: Duration = Duration::from_secs(2);

/// Everything that can be set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EcpConfig {
    /// The actor's name.
    pub name: String,
    /// How often it sends itself `status`. The first is sent at once.
    pub status_interval: Duration,
    /// Whom it asks about the network.
    pub lvmbeat: String,
    /// How often it asks about the network.
    pub network_interval: Duration,
    /// How long it waits for that answer.
    pub network_limit: Duration,
    /// How often it beats on its own in engineering mode.
    pub engineering_interval: Duration,
    /// How long engineering mode lasts.
    pub engineering_limit: Duration,
    /// How patient the dome's movements are.
    pub patience: Patience,
}

impl Default for EcpConfig {
    /// lvmecp's.
    fn default() -> Self {
        Self {
            name: "lvmecp".to_owned(),
            status_interval: Duration::from_secs(30),
            lvmbeat: "lvmbeat".to_owned(),
            network_interval: Duration::from_secs(30),
            network_limit: Duration::from_secs(5),
            engineering_interval: Duration::from_secs(5),
            engineering_limit: Duration::from_secs(12 * 60 * 60),
            patience: Patience::default(),
        }
    }
}

/// Why there is no session with the broker.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Disconnection {
    /// One of its streams has ended.
    #[error("{0}")]
    Ended(&'static str),
    /// It could not be opened, or has failed.
    #[error(transparent)]
    Failed(Arc<BusError>),
}

impl From<BusError> for Disconnection {
    fn from(error: BusError) -> Self {
        Self::Failed(Arc::new(error))
    }
}

/// What happens to it.
#[derive(Clone, Debug)]
pub enum EcpEvent {
    /// Its command queue is there: it can be commanded.
    Connected,
    /// The session with the broker is over, or could not be opened; it tries again. Reported once
    /// until it is connected again.
    Disconnected {
        /// Why.
        cause: Disconnection,
    },
    /// The PLC has taken a heartbeat.
    HeartbeatWritten,
    /// The PLC has not.
    HeartbeatFailed {
        /// Why.
        cause: Arc<PortError>,
    },
    /// Engineering mode was switched, or has run out.
    EngineeringMode {
        /// Whether it is on now.
        on: bool,
    },
}

/// The running stand-in. Dropping it ends it.
pub struct Ecp {
    events: broadcast::Sender<EcpEvent>,
    hung: watch::Sender<bool>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Ecp {
    /// Starts it. It connects, and reconnects, on its own.
    pub fn start(
        config: EcpConfig,
        bus: Arc<dyn Bus>,
        port: Arc<dyn PlcPort>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let events = broadcast::Sender::new(EVENTS);
        let hung = watch::Sender::new(false);
        let (stop, stopped) = watch::channel(false);
        let run = actor::run(config, bus, port, clock, events.clone(), stopped);
        let task = tokio::spawn(while_awake(hung.subscribe(), run));
        Self {
            events,
            hung,
            stop,
            task,
        }
    }

    /// Freezes it, or lets it go on where it was: while it hangs, it takes no command and does
    /// nothing, and what was sent to it waits.
    pub fn hang(&self, hung: bool) {
        self.hung.send_replace(hung);
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<EcpEvent> {
        self.events.subscribe()
    }

    /// Waits until it ends, which should not happen.
    pub async fn died(&mut self) -> Died {
        match (&mut self.task).await {
            Ok(()) => Died::quietly("the lvmecp stand-in"),
            Err(error) => Died::of("the lvmecp stand-in", error),
        }
    }

    /// Ends it in order, in a bounded time.
    pub async fn end(mut self) {
        self.stop.send_replace(true);
        self.hung.send_replace(false);
        // One that has died was waited for already, and if it does not end it is ended by being
        // dropped.
        if !self.task.is_finished() {
            let _ = timeout(END_LIMIT, &mut self.task).await;
        }
    }
}

impl Drop for Ecp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Ecp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ecp")
            .field("hung", &*self.hung.borrow())
            .finish_non_exhaustive()
    }
}

/// Runs a future, but not while it hangs.
async fn while_awake(mut hung: watch::Receiver<bool>, future: impl Future<Output = ()>) {
    let mut future = std::pin::pin!(future);
    loop {
        // An error means that nobody can make it hang any more.
        let _ = hung.wait_for(|hung| !hung).await;
        tokio::select! {
            biased;
            Ok(_) = hung.wait_for(|hung| *hung) => {}
            () = &mut future => return,
        }
    }
}
