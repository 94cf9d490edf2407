//! The PLC on the network: Modbus TCP.
//!
//! Nothing that a client does can stop it or make it grow: there is a limit to the connections (one
//! too many is closed at once), a time limit to everything that is waited for on one, and one
//! request at a time on each. An error when accepting is waited out.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::live::LivePlc;
use crate::modbus::{self, HEADER_BYTES, Header, MAX_PDU_BYTES};
use crate::plc::Fault;

/// How long nothing is accepted after an error when accepting, so that being out of files is not a
/// busy loop.
const AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(100);

/// How often a half-open connection is looked at, to see whether the fault is over.
const HALF_OPEN_LOOK: Duration = Duration::from_millis(50);

/// What can be set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServerConfig {
    /// How many connections there may be at a time.
    pub connections: usize,
    /// How long one may be silent, or not take its answer.
    pub idle: Duration,
    /// How late answers are under the fault `response-delay`.
    pub delay: Duration,
}

impl Default for ServerConfig {
    /// 32 connections, one minute, two seconds.
    fn default() -> Self {
        Self {
            connections: 32,
            idle: Duration::from_secs(60),
            delay: Duration::from_secs(2),
        }
    }
}

/// Serves until it is dropped. Dropping the future closes the connections.
pub async fn serve(listener: TcpListener, plc: LivePlc, config: ServerConfig) {
    let places = Arc::new(Semaphore::new(
        config.connections.min(Semaphore::MAX_PERMITS),
    ));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a Modbus connection ended in a panic");
                }
                continue;
            }
        };
        match accepted {
            Ok((stream, peer)) => match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => {
                    connections.spawn(connection(stream, peer, plc.clone(), config, place));
                }
                Err(_) => {
                    tracing::warn!(%peer, limit = config.connections, "too many Modbus connections");
                }
            },
            Err(error) => {
                tracing::warn!(%error, "cannot accept a Modbus connection");
                sleep(AFTER_ACCEPT_ERROR).await;
            }
        }
    }
}

async fn connection(
    mut stream: TcpStream,
    peer: SocketAddr,
    plc: LivePlc,
    config: ServerConfig,
    _place: OwnedSemaphorePermit,
) {
    // Answers are small and waited for.
    let _ = stream.set_nodelay(true);
    match converse(&mut stream, &plc, config).await {
        Ok(end) => tracing::debug!(%peer, ?end, "Modbus connection closed"),
        Err(error) => tracing::debug!(%peer, %error, "Modbus connection broken"),
    }
}

/// Why a connection is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    ByClient,
    Idle,
    NotModbus,
    Fault,
}

async fn converse(stream: &mut TcpStream, plc: &LivePlc, config: ServerConfig) -> io::Result<End> {
    let mut pdu = Vec::with_capacity(MAX_PDU_BYTES);
    loop {
        let header = match timeout(config.idle, request(stream, &mut pdu)).await {
            Ok(Ok(Some(header))) => header,
            Ok(Ok(None)) => return Ok(End::NotModbus),
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok(End::ByClient);
            }
            Ok(Err(error)) => return Err(error),
            // A half-open connection does not even notice how long it has been silent.
            Err(_) if plc.has_fault(Fault::HalfOpen) => {
                swallow(stream, plc).await?;
                continue;
            }
            Err(_) => return Ok(End::Idle),
        };
        if plc.has_fault(Fault::HalfOpen) {
            swallow(stream, plc).await?;
            continue;
        }
        if plc.has_fault(Fault::ConnectionDrop) {
            return Ok(End::Fault);
        }
        let answer = plc.access(|plc| modbus::answer(plc, &pdu));
        // Done at once, and answered late.
        if plc.has_fault(Fault::ResponseDelay) {
            sleep(config.delay).await;
        }
        match timeout(config.idle, stream.write_all(&header.frame(&answer))).await {
            Ok(written) => written?,
            Err(_) => return Ok(End::Idle),
        }
    }
}

/// The next request; `None` if that is not Modbus.
async fn request(stream: &mut TcpStream, pdu: &mut Vec<u8>) -> io::Result<Option<Header>> {
    let mut bytes = [0; HEADER_BYTES];
    stream.read_exact(&mut bytes).await?;
    let Some(header) = Header::parse(bytes) else {
        return Ok(None);
    };
    pdu.resize(header.pdu_bytes(), 0);
    stream.read_exact(pdu).await?;
    Ok(Some(header))
}

/// Takes whatever comes and answers nothing, until the fault is over or the client has given up.
async fn swallow(stream: &mut TcpStream, plc: &LivePlc) -> io::Result<()> {
    let mut bytes = [0; 1024];
    while plc.has_fault(Fault::HalfOpen) {
        match timeout(HALF_OPEN_LOOK, stream.read(&mut bytes)).await {
            Ok(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => _ = read?,
            Err(_) => {}
        }
    }
    Ok(())
}
