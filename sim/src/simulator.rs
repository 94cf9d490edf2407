//! The PLC, its clock and its network, started together and ended by one handle.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use lvmbeat::clock::{BootClock, Clock};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinSet;

use crate::live::LivePlc;
use crate::plc::{Fault, PlcConfig, Record, Snapshot};
use crate::server::{ServerConfig, serve};

/// Everything that can be set.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SimulatorConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The PLC.
    pub plc: PlcConfig,
    /// The network.
    pub server: ServerConfig,
    /// How many times as fast as the clock PLC time runs.
    pub speed: f64,
}

impl Default for SimulatorConfig {
    /// A free port of this machine, and everything else as it is in the dome.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            plc: PlcConfig::default(),
            server: ServerConfig::default(),
            speed: 1.0,
        }
    }
}

/// It could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Nobody can listen there.
    #[error(
        "cannot listen on {address}: {cause}; is another simulator running? Choose another address with --listen (port 0 takes a free one)"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        cause: io::Error,
    },
}

/// A running simulator. Dropping it ends it.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    plc: LivePlc,
    tasks: JoinSet<&'static str>,
}

impl Simulator {
    /// Starts on the machine's clock. When this returns, connections are accepted.
    pub async fn start(config: SimulatorConfig) -> Result<Self, StartError> {
        Self::start_on(config, Arc::new(BootClock)).await
    }

    /// Starts on that clock.
    pub async fn start_on(
        config: SimulatorConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let plc = LivePlc::new(config.plc, clock, config.speed);
        let mut simulator = Self::serve(config, plc.clone()).await?;
        simulator.spawn("the PLC's clock", plc.keep_looking());
        Ok(simulator)
    }

    /// Puts a PLC on the network that somebody else [keeps looking](LivePlc::keep_looking) at.
    pub async fn serve(config: SimulatorConfig, plc: LivePlc) -> Result<Self, StartError> {
        let failed = |cause| StartError::Listen {
            address: config.listen,
            cause,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let mut simulator = Self {
            address,
            plc: plc.clone(),
            tasks: JoinSet::new(),
        };
        simulator.spawn("the Modbus server", serve(listener, plc, config.server));
        Ok(simulator)
    }

    fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(async move {
            task.await;
            name
        });
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The PLC itself, to look at or to command beside the network.
    pub fn plc(&self) -> &LivePlc {
        &self.plc
    }

    /// How things stand.
    pub fn snapshot(&self) -> Snapshot {
        self.plc.snapshot()
    }

    /// What happens from now on. A listener that is too far behind misses events and hears how
    /// many.
    pub fn events(&self) -> broadcast::Receiver<Record> {
        self.plc.events()
    }

    /// Breaks something, or ends that.
    pub fn set_fault(&self, fault: Fault, on: bool) {
        self.plc.set_fault(fault, on);
    }

    /// Waits until a part of it ends, which should not happen.
    pub async fn died(&mut self) -> Died {
        match self.tasks.join_next().await {
            Some(Ok(name)) => Died::quietly(name),
            Some(Err(error)) => Died::of("a part", error),
            None => Died::quietly("the PLC"),
        }
    }

    /// Closes the connections and the port, and waits until that is done.
    pub async fn end(mut self) {
        self.tasks.shutdown().await;
    }
}

/// A part that never should has ended.
#[derive(Debug, thiserror::Error)]
#[error("{part} has ended{}", .cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default())]
pub struct Died {
    part: &'static str,
    #[source]
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Died {
    pub(crate) fn quietly(part: &'static str) -> Self {
        Self { part, cause: None }
    }

    pub(crate) fn of(part: &'static str, cause: impl Error + Send + Sync + 'static) -> Self {
        let cause = Some(Box::new(cause) as Box<_>);
        Self { part, cause }
    }
}
