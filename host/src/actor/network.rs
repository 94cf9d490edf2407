//! Probes of the network links (S1): ICMP echo, and TCP where that gets no answer.
//!
//! ICMP needs no rights where the kernel allows unprivileged echo sockets
//! (`net.ipv4.ping_group_range`); otherwise a raw socket is tried, and where neither can be had,
//! TCP is what remains.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use lvmbeat_core::LinkId;
use surge_ping::{IcmpPacket, SurgeError};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::config::Target;
use crate::dial::{self, DialError, Tried};

/// What became of one probe.
pub(super) struct Probed {
    pub(super) link: LinkId,
    pub(super) reached: bool,
}

/// Why a host was not reached; for the log.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The name has no address, or none in time.
    #[error(transparent)]
    Lookup(DialError),
    /// No address of it answered; each is named with what became of it.
    #[error("{0}")]
    Unreached(String),
}

/// Why one address did not answer.
#[derive(Debug, thiserror::Error)]
enum Silence {
    #[error("no echo: {0}")]
    Icmp(SurgeError),
    /// Somebody on the way says that the host cannot be reached.
    #[error("no echo, but an ICMP error of type {0}")]
    Unreachable(u8),
    #[error("no connection: {0}")]
    Tcp(io::Error),
}

/// Probes one host until stopped, starting at once, and reports each result. Ends when nobody takes
/// the reports.
pub(super) async fn watch(
    link: LinkId,
    target: Target,
    period: Duration,
    limit: Duration,
    probes: mpsc::Sender<Probed>,
) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let result = probe(&target, limit).await;
        if let Err(cause) = &result {
            tracing::debug!(%target, %cause, "probe failed");
        }
        let reached = result.is_ok();
        if probes.send(Probed { link, reached }).await.is_err() {
            return;
        }
    }
}

/// Probes a host once: it is reached if one of its addresses answers. Takes at most the limit, the
/// lookup included; a host that is tried both ways is left half of the time for the second one.
pub async fn probe(target: &Target, limit: Duration) -> Result<(), ProbeError> {
    let end = Instant::now() + limit;
    let left = || end.saturating_duration_since(Instant::now());
    let (host, port) = match target {
        Target::Icmp(host) => (host, 0),
        Target::Tcp(host, port) | Target::Either(host, port) => (host, *port),
    };
    let addresses = dial::lookup(host, port, limit)
        .await
        .map_err(ProbeError::Lookup)?;
    let unreached = |tried: Vec<(SocketAddr, Option<Silence>)>| {
        ProbeError::Unreached(Tried(&tried).to_string())
    };
    match target {
        Target::Icmp(_) => dial::race(&addresses, left(), icmp).await,
        Target::Tcp(..) => dial::race(&addresses, left(), |at| tcp(at, false)).await,
        Target::Either(..) => match dial::race(&addresses, left() / 2, icmp).await {
            Ok(()) => Ok(()),
            Err(_) => dial::race(&addresses, left(), |at| tcp(at, true)).await,
        },
    }
    .map_err(unreached)
}

async fn icmp(address: SocketAddr) -> Result<(), Silence> {
    let address: IpAddr = address.ip();
    // The default asks for a datagram socket first, and for a raw one where that is not permitted.
    let (packet, _) = surge_ping::ping(address, &[0; 16])
        .await
        .map_err(Silence::Icmp)?;
    match error_type(&packet) {
        None => Ok(()),
        Some(kind) => Err(Silence::Unreachable(kind)),
    }
}

/// S1: on a raw socket, the word of a router that the host cannot be reached is a packet, too.
/// `None` for an echo.
fn error_type(packet: &IcmpPacket) -> Option<u8> {
    const ECHO_REPLY: u8 = 0;
    const ECHO_REPLY_V6: u8 = 129;
    let (kind, echo) = match packet {
        IcmpPacket::V4(packet) => (packet.get_icmp_type().0, ECHO_REPLY),
        IcmpPacket::V6(packet) => (packet.get_icmpv6_type().0, ECHO_REPLY_V6),
    };
    (kind != echo).then_some(kind)
}

/// Any answer shows that the host is there, even a refusal; but who names a port wants it open.
async fn tcp(address: SocketAddr, refusal_will_do: bool) -> Result<(), Silence> {
    match TcpStream::connect(address).await {
        Ok(_) => Ok(()),
        Err(cause) if refusal_will_do && cause.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(cause) => Err(Silence::Tcp(cause)),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    /// A port of the loopback interface on which nobody listens.
    async fn closed_port() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    }

    #[tokio::test]
    async fn a_port_that_is_open_is_reached_and_one_that_is_closed_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        probe(&Target::Tcp("localhost".into(), port), LIMIT)
            .await
            .unwrap();
        let closed = closed_port().await;
        let result = probe(&Target::Tcp("127.0.0.1".into(), closed), LIMIT).await;
        assert!(
            matches!(&result, Err(ProbeError::Unreached(tried)) if tried.contains("no connection")),
            "{result:?}"
        );
    }

    #[tokio::test]
    async fn a_host_without_a_port_is_reached_by_either_way() {
        // By echo where that is permitted here; else because the closed port refuses.
        probe(
            &Target::Either("127.0.0.1".into(), closed_port().await),
            LIMIT,
        )
        .await
        .unwrap();
    }

    #[test]
    fn s1_only_an_echo_says_that_a_host_is_reached() {
        let host = std::net::Ipv6Addr::LOCALHOST;
        let decode =
            |bytes: &[u8]| IcmpPacket::V6(surge_ping::Icmpv6Packet::decode(bytes, host).unwrap());
        assert_eq!(error_type(&decode(&[129, 0, 0, 0, 1, 2, 0, 7])), None);
        // Type 1, destination unreachable, quotes the IPv6 packet with the echo request.
        let mut unreachable = vec![1, 3, 0, 0, 0, 0, 0, 0, 0x60, 0, 0, 0, 0, 8, 58, 64];
        unreachable.extend([0; 32]);
        unreachable.extend([128, 0, 0, 0, 1, 2, 0, 7]);
        assert_eq!(error_type(&decode(&unreachable)), Some(1));
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_is_not_reached() {
        let result = probe(&Target::Tcp("no-such-host.invalid".into(), 1), LIMIT).await;
        assert!(matches!(result, Err(ProbeError::Lookup(_))), "{result:?}");
    }
}
