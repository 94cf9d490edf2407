//! The whole chain, started and ended together: what runs, and what can be done with it from
//! outside.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lvmbeat::actor::snapshot::Snapshot;
use lvmbeat::actor::{self, ActorError};
use lvmbeat::clock::{BootClock, Clock as _};
use lvmbeat::clu::LocalBroker;
use lvmbeat::config::{Config, std_duration};
use lvmbeat::monitor::{self, MonitorError};
use lvmbeat::systemd::Systemd;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::mail::{Mail, Post};
use super::overwatcher::Overwatcher;
use super::relay::Relay;
use super::scale::{Scale, seconds};
use super::{DemoConfig, DemoError};
use crate::ecp::ModbusPort;
use crate::server::ServerConfig;
use crate::simulator::Died;
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
    /// Where the monitor outside serves its page.
    pub(super) page: SocketAddr,
    /// Whether the network between lvmbeat and the monitor is to be cut.
    pub(super) network_cut: watch::Sender<bool>,
    /// The monitor's mails.
    pub(super) mails: broadcast::Sender<Mail>,
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
    monitor: JoinHandle<Result<(), MonitorError>>,
    relay: JoinHandle<()>,
    shutdown: CancellationToken,
}

impl Parts {
    pub(super) async fn start(demo: &DemoConfig) -> Result<(Self, Site), DemoError> {
        let scale = Scale::new(demo.speed);
        let (outside, page) = listen(demo.monitor).await?;
        let network_cut = watch::Sender::new(false);
        let (way, monitor) = listen((Ipv4Addr::LOCALHOST, 0).into()).await?;
        let relay = Relay::new(way, page, network_cut.subscribe());
        let config = scale.lvmbeat(monitor)?;
        let simulator = Simulator::start(SimulatorConfig {
            listen: demo.listen,
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
            clock.clone(),
            snapshots,
            Systemd::default(),
            actor::http::set::Posts::none(),
            shutdown.clone(),
        ));
        let watching = scale.monitor(page)?;
        let (channel, mails) = Post::new(watching.wording.clone());
        let monitor = tokio::spawn(monitor::run_with(
            watching,
            vec![Arc::new(channel)],
            outside,
            clock,
            Systemd::default(),
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
            page,
            network_cut,
            mails,
        };
        let parts = Self {
            simulator,
            ecp,
            actor,
            monitor,
            relay: tokio::spawn(relay.run()),
            shutdown,
        };
        Ok((parts, site))
    }

    /// Lets lvmecp hang when it is to, until a part ends.
    pub(super) async fn watch(&mut self, mut hangs: watch::Receiver<bool>) -> Died {
        loop {
            tokio::select! {
                died = self.simulator.died() => return died,
                died = self.ecp.died() => return died,
                ended = &mut self.actor => return how("lvmbeat's actor", ended),
                ended = &mut self.monitor => return how("the monitor", ended),
                _ = &mut self.relay => return Died::quietly("the network to the monitor"),
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
        // One that has died was waited for already, and one that does not end by itself ends with
        // the process.
        if !self.actor.is_finished() {
            let _ = timeout(END_LIMIT, &mut self.actor).await;
        }
        if !self.monitor.is_finished() {
            let _ = timeout(END_LIMIT, &mut self.monitor).await;
        }
        self.relay.abort();
        self.ecp.end().await;
        self.simulator.end().await;
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), DemoError> {
    let cannot = |cause| DemoError::Listen { address, cause };
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    Ok((listener, address))
}

/// How a part has ended that never should.
fn how<E>(part: &'static str, ended: Result<Result<(), E>, JoinError>) -> Died
where
    E: std::error::Error + Send + Sync + 'static,
{
    match ended {
        Ok(Ok(())) => Died::quietly(part),
        Ok(Err(error)) => Died::of(part, error),
        Err(error) => Died::of(part, error),
    }
}
