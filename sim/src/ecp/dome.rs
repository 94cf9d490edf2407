//! Moving the dome, as lvmecp 1.3 does it: `motor_direction` is written, then `drive_enabled`; then
//! it waits until the PLC has taken the drive away and the end is reached. A dome that moves the
//! other way is stopped first.
//!
//! lvmecp's refusals in daytime and after many openings in a short time are left out.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::port::{PlcPort, PortError, Registers};
use super::status::drive_error;
use crate::plc::Coil;

/// Between two writes, so that the PLC has seen the first.
const BETWEEN_WRITES: Duration = Duration::from_millis(100);

/// How long the drive may be off before the end is reached: somebody else has stopped it then.
const STOPPED_BY_OTHERS: Duration = Duration::from_secs(5);

/// How patient a movement is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    /// How often it is looked whether the dome has arrived.
    pub look: Duration,
    /// How long the drive is left alone after a stop.
    pub after_stop: Duration,
    /// How long a movement may take.
    pub limit: Duration,
}

impl Default for Patience {
    /// lvmecp's.
    fn default() -> Self {
        Self {
            look: Duration::from_millis(500),
            after_stop: Duration::from_secs(5),
            limit: Duration::from_secs(300),
        }
    }
}

/// Why the dome was not moved.
#[derive(Debug, thiserror::Error)]
pub(super) enum DomeError {
    #[error(transparent)]
    Port(#[from] PortError),
    #[error("cannot move the dome in local mode")]
    Local,
    #[error("an emergency stop is pressed")]
    EStop,
    #[error("the drive has an error; look at it, and reset it if that is right")]
    DriveError,
    #[error("the drive was switched off on the way")]
    Stopped,
    #[error("it takes too long")]
    TooLong,
}

/// One movement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub(super) open: bool,
    pub(super) force: bool,
    pub(super) overcurrent: bool,
}

impl Move {
    pub(super) async fn run(self, port: &dyn PlcPort, patience: Patience) -> Result<(), DomeError> {
        let mut now = port.read().await?;
        if now.coil(Coil::Local) {
            return Err(DomeError::Local);
        }
        if now.coil(Coil::EStatus) {
            return Err(DomeError::EStop);
        }
        if drive_error(&now) {
            return Err(DomeError::DriveError);
        }
        if now.coil(Coil::DriveEnabled) {
            if now.coil(Coil::MotorDirection) == self.open {
                return self.arrive(port, patience).await;
            }
            stop(port, patience).await?;
            now = port.read().await?;
        }
        if self.is_there(&now) && !self.force {
            return Ok(());
        }
        port.write(Coil::DriveModeOvercurrent, self.overcurrent)
            .await?;
        port.write(Coil::MotorDirection, self.open).await?;
        sleep(BETWEEN_WRITES).await;
        port.write(Coil::DriveEnabled, true).await?;
        sleep(BETWEEN_WRITES).await;
        self.arrive(port, patience).await?;
        port.write(Coil::DriveModeOvercurrent, false).await?;
        Ok(())
    }

    fn is_there(self, now: &Registers) -> bool {
        now.coil(if self.open {
            Coil::DomeOpen
        } else {
            Coil::DomeClosed
        })
    }

    async fn arrive(self, port: &dyn PlcPort, patience: Patience) -> Result<(), DomeError> {
        let arrived = async {
            let mut driven = Instant::now();
            loop {
                sleep(patience.look).await;
                let now = port.read().await?;
                if now.coil(Coil::DriveEnabled) {
                    driven = Instant::now();
                } else if self.is_there(&now) {
                    return Ok(());
                } else if driven.elapsed() > STOPPED_BY_OTHERS {
                    return Err(DomeError::Stopped);
                }
            }
        };
        let arrived = timeout(patience.limit, arrived).await;
        arrived.unwrap_or(Err(DomeError::TooLong))
    }
}

/// Stops the dome if it moves.
pub(super) async fn stop(port: &dyn PlcPort, patience: Patience) -> Result<(), DomeError> {
    if port.read().await?.coil(Coil::DriveEnabled) {
        port.write(Coil::DriveEnabled, false).await?;
        sleep(patience.after_stop).await;
    }
    Ok(())
}
