//! Ports that stay free for a test while nobody listens on them.
//!
//! A port from `bind(0)` can be taken by anybody as soon as its listener is closed, for instance by
//! an outgoing connection while a broker restarts. These lie below the range that the system gives
//! to outgoing connections, and no two tests, of whatever process, have the same one at a time: an
//! abstract socket, which vanishes with its process, is the lock.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener};

use uuid::Uuid;

const FIRST: u16 = 15_000;

/// A port of the loopback interface, ours until this is dropped.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: UnixListener,
}

impl Port {
    /// Reserves one that nobody listens on.
    pub fn reserve() -> Self {
        let end = ephemeral_ports_begin();
        let span = u128::from(end.saturating_sub(FIRST).max(1));
        let start = Uuid::new_v4().as_u128() % span;
        (0..span)
            .map(|step| FIRST + u16::try_from((start + step) % span).unwrap_or(0))
            .find_map(Self::try_reserve)
            .expect("no port is free")
    }

    fn try_reserve(number: u16) -> Option<Self> {
        let name = UnixAddr::from_abstract_name(format!("lvmbeat-test-port-{number}")).ok()?;
        let lock = UnixListener::bind_addr(&name).ok()?;
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, number)).ok()?;
        Some(Self {
            number,
            _lock: lock,
        })
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// Its address, 127.0.0.1:PORT.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.number))
    }
}

fn ephemeral_ports_begin() -> u16 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .filter(|begin| *begin > FIRST + 1000)
        .unwrap_or(32_768)
}
