//! The whole chain, started and ended together: what runs, and what can be done with it from outside.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lvmbeat::actor::snapshot::Snapshot;
use lvmbeat::actor::{self, ActorError};
use lvmbeat::clock::{BootClock, Clock as _};
use lvmbeat::clu::LocalBroker;
use lvmbeat::config::{Config, std_duration};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::DemoError;
use super::overwatcher::Overwatcher;
use super::scale::{Scale, seconds};
use crate::ecp::ModbusPort;
use crate::server::ServerConfig;
use crate::{Ecp, LivePlc, Simulator, SimulatorConfig};

/// How long ending in order may take.
const END_LIMIT: Duration = Duration::from_secs(2);

/// What is seen of the chain, and what can be done to it.
pub(super) struct Site {
    pub(super) scale: Scale,
    pub(super) config: Config,
    pub(super) broker: LocalBroker,
    pub(super) plc: LivePlc,
    pub(super) plc_address: SocketAddr,
    pub(super) lvmbeat: watch::Receiver<Option<Snapshot>>,
    pub(super) overwatcher: Overwatcher,
    /// Whether lvmecp is to hang.
    pub(super) lvmecp_hangs: watch::Sender<bool>,
}

impl Site {
    /// Site time.
    pub(super) fn now(&self) -> f64 {
        seconds(self.plc.snapshot().plc)
    }

    /// S4: closing has to begin within so many seconds of the site.
    pub(super) fn closing_limit(&self) -> f64 {
        self.scale.site(self.config.budget.closing)
    }

    /// L1: what has to be left until the PLC would close, in seconds of the site.
    pub(super) fn margin_limit(&self) -> f64 {
        self.scale.site(self.config.budget.margin)
    }

    /// The age, in site seconds, of what was so old when the snapshot was taken.
    pub(super) fn age_now(&self, snapshot: &Snapshot, age: f64) -> f64 {
        let since = BootClock.now().checked_duration_since(snapshot.at);
        let since = since.map_or(0.0, |since| std_duration(since).as_secs_f64());
        (age + since) * self.scale.speed()
    }
}

/// What runs.
pub(super) struct Parts {
    pub(super) simulator: Simulator,
    pub(super) ecp: Ecp,
    actor: JoinHandle<Result<(), ActorError>>,
    shutdown: CancellationToken,
}

impl Parts {
    pub(super) async fn start(scale: Scale, listen: SocketAddr) -> Result<(Self, Site), DemoError> {
        let config = scale.lvmbeat()?;
        let simulator = Simulator::start(SimulatorConfig {
            listen,
            plc: Scale::plc(),
            server: ServerConfig::default(),
            speed: scale.speed(),
        })
        .await?;
        let broker = LocalBroker::new();
        let port = ModbusPort {
            address: simulator.local_addr(),
            limit: scale.access(),
        };
        let clock = Arc::new(BootClock);
        let ecp = Ecp::start(
            scale.lvmecp(),
            Arc::new(broker.clone()),
            Arc::new(port),
            clock.clone(),
        );
        let shutdown = CancellationToken::new();
        let (snapshots, lvmbeat) = watch::channel(None);
        let actor = tokio::spawn(actor::run(
            config.clone(),
            Arc::new(broker.clone()),
            clock,
            snapshots,
            shutdown.clone(),
        ));
        let site = Site {
            scale,
            config,
            broker,
            plc: simulator.plc().clone(),
            plc_address: simulator.local_addr(),
            lvmbeat,
            overwatcher: Overwatcher::new(),
            lvmecp_hangs: watch::Sender::new(false),
        };
        let parts = Self {
            simulator,
            ecp,
            actor,
            shutdown,
        };
        Ok((parts, site))
    }

    /// Lets lvmecp hang when it is to, until something dies; tells what.
    pub(super) async fn watch(&mut self, mut hangs: watch::Receiver<bool>) -> String {
        loop {
            tokio::select! {
                died = self.simulator.died() => return died,
                died = self.ecp.died() => return died,
                ended = &mut self.actor => return match ended {
                    Ok(Ok(())) => "lvmbeat's actor has ended".to_owned(),
                    Ok(Err(error)) => format!("lvmbeat's actor has ended: {error}"),
                    Err(error) => format!("lvmbeat's actor has died: {error}"),
                },
                Ok(()) = hangs.changed() => {
                    let hung = *hangs.borrow_and_update();
                    self.ecp.hang(hung);
                }
            }
        }
    }

    /// Ends everything in order, in a bounded time.
    pub(super) async fn end(mut self) {
        self.shutdown.cancel();
        // One that has died was waited for already, and one that does not end by itself ends with the process.
        if !self.actor.is_finished() {
            let _ = timeout(END_LIMIT, &mut self.actor).await;
        }
        self.ecp.end().await;
        self.simulator.end().await;
    }
}
