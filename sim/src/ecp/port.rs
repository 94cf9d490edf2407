//! The way from the actor to the PLC.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{sleep, timeout};
use tokio_modbus::ExceptionCode;
use tokio_modbus::client::{Client as _, Context, Reader as _, Writer as _, tcp};

use crate::LivePlc;
use crate::plc::{Coil, Exception, Fault, Holding};

/// lvmecp reads the coils in one read of this many, and the holding registers in blocks of this
/// many.
const COILS: u16 = 1023;
const BLOCK: u16 = 100;
const BLOCKS: u16 = 8;

/// Accesses the PLC. Each access takes a bounded time.
#[async_trait]
pub trait PlcPort: Send + Sync + 'static {
    /// Reads everything.
    async fn read(&self) -> Result<Registers, PortError>;

    /// Writes one coil.
    async fn write(&self, coil: Coil, value: bool) -> Result<(), PortError>;
}

/// Everything that was read.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Registers {
    coils: Vec<bool>,
    holding: Vec<u16>,
}

impl Registers {
    /// The value of a coil.
    pub fn coil(&self, coil: Coil) -> bool {
        let place = usize::from(coil.address());
        self.coils.get(place).copied().unwrap_or(false)
    }

    /// The value of a holding register.
    pub fn holding(&self, register: Holding) -> u16 {
        let place = usize::from(register.address());
        self.holding.get(place).copied().unwrap_or(0)
    }
}

/// Why an access failed. What was to be written may have been written all the same.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// No connection.
    #[error("the PLC cannot be reached: {address}: {cause}")]
    Unreachable {
        /// Where it should be.
        address: SocketAddr,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The connection, or what is at its other end.
    #[error("the connection to the PLC has failed: {0}")]
    Broken(#[source] tokio_modbus::Error),
    /// Closed without an answer.
    #[error("the PLC has closed the connection")]
    Closed,
    /// The PLC answered with an exception.
    #[error("the PLC refuses: {0}")]
    Exception(#[source] ExceptionCode),
    /// It took too long.
    #[error("the PLC did not answer within {0:?}")]
    TimedOut(Duration),
}

/// By Modbus TCP: a new connection for each access, closed after it whatever happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ModbusPort {
    /// Where the PLC is.
    pub address: SocketAddr,
    /// How long an access may take, from connecting to its last answer.
    pub limit: Duration,
}

impl ModbusPort {
    async fn connect(&self) -> Result<Context, PortError> {
        let address = self.address;
        let connected = tcp::connect(address).await;
        connected.map_err(|cause| PortError::Unreachable { address, cause })
    }

    async fn read_all(&self) -> Result<Registers, PortError> {
        let mut client = self.connect().await?;
        let coils = answered(client.read_coils(0, COILS).await)?;
        let mut holding = Vec::with_capacity(usize::from(BLOCKS * BLOCK));
        for block in 0..BLOCKS {
            holding.extend(answered(
                client.read_holding_registers(block * BLOCK, BLOCK).await,
            )?);
        }
        farewell(client).await;
        Ok(Registers { coils, holding })
    }

    async fn write_one(&self, coil: Coil, value: bool) -> Result<(), PortError> {
        let mut client = self.connect().await?;
        answered(client.write_single_coil(coil.address(), value).await)?;
        farewell(client).await;
        Ok(())
    }
}

#[async_trait]
impl PlcPort for ModbusPort {
    async fn read(&self) -> Result<Registers, PortError> {
        let read = timeout(self.limit, self.read_all()).await;
        read.unwrap_or(Err(PortError::TimedOut(self.limit)))
    }

    async fn write(&self, coil: Coil, value: bool) -> Result<(), PortError> {
        let written = timeout(self.limit, self.write_one(coil, value)).await;
        written.unwrap_or(Err(PortError::TimedOut(self.limit)))
    }
}

fn answered<T>(answer: tokio_modbus::Result<T>) -> Result<T, PortError> {
    match answer {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(exception)) => Err(PortError::Exception(exception)),
        Err(error) => Err(PortError::Broken(error)),
    }
}

async fn farewell(mut client: Context) {
    // It is closed in any case.
    let _ = client.disconnect().await;
}

/// Without a network, for tests and demonstrations on paused time. The faults of the network are
/// there all the same.
#[derive(Clone, Debug)]
pub struct DirectPort {
    /// The PLC.
    pub plc: LivePlc,
    /// How long an access may take.
    pub limit: Duration,
    /// How late answers are under the fault `response-delay`.
    pub delay: Duration,
}

impl DirectPort {
    async fn access<T>(
        &self,
        access: impl FnOnce() -> Result<T, Exception>,
    ) -> Result<T, PortError> {
        let exchange = async {
            if self.plc.has_fault(Fault::HalfOpen) {
                std::future::pending::<()>().await;
            }
            if self.plc.has_fault(Fault::ConnectionDrop) {
                return Err(PortError::Closed);
            }
            let result = access();
            if self.plc.has_fault(Fault::ResponseDelay) {
                sleep(self.delay).await;
            }
            result.map_err(|exception| PortError::Exception(ExceptionCode::new(exception.code())))
        };
        let done = timeout(self.limit, exchange).await;
        done.unwrap_or(Err(PortError::TimedOut(self.limit)))
    }
}

#[async_trait]
impl PlcPort for DirectPort {
    async fn read(&self) -> Result<Registers, PortError> {
        self.access(|| {
            self.plc.access(|plc| {
                Ok(Registers {
                    coils: plc.read_coils(0, COILS)?,
                    holding: plc.read_holding(0, BLOCKS * BLOCK)?,
                })
            })
        })
        .await
    }

    async fn write(&self, coil: Coil, value: bool) -> Result<(), PortError> {
        self.access(|| self.plc.access(|plc| plc.write_coil(coil.address(), value)))
            .await
    }
}
