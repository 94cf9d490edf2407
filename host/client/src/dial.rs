//! Connecting to a host by name, of whose addresses some may be dead (RFC 8305).
//!
//! The addresses are tried in the resolver's order, families by turns. The next one has its turn
//! when the one before has failed, or has been silent for a moment; the first that answers wins. So
//! a dead address costs a moment, not the connection, and all of them are tried within the limit.

#[cfg(any(test, feature = "contract"))]
pub mod dead;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep_until, timeout};

/// What an address is given before the next one has its turn, too (RFC 8305, 5).
const MOMENT: Duration = Duration::from_millis(250);
/// No more addresses of one name are tried.
const MOST: usize = 16;

/// Why no address of a host was reached.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name has no address.
    #[error("{host} cannot be looked up: {cause}")]
    Lookup {
        /// The name.
        host: String,
        /// The resolver's word.
        #[source]
        cause: io::Error,
    },
    /// The resolver did not answer.
    #[error("{host} could not be looked up within {} s", limit.as_secs_f64())]
    LookupTimedOut {
        /// The name.
        host: String,
        /// The limit.
        limit: Duration,
    },
    /// None of its addresses was reached.
    #[error("{}", Tried(.0))]
    Unreached(Vec<(SocketAddr, Option<io::Error>)>),
}

/// What became of each address: of one without an error, nothing in time.
#[derive(Debug)]
pub struct Tried<'a, E>(pub &'a [(SocketAddr, Option<E>)]);

impl<E: fmt::Display> fmt::Display for Tried<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (address, error)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            // An ICMP echo has no port.
            match address.port() {
                0 => write!(f, "{comma}{}: ", address.ip())?,
                _ => write!(f, "{comma}{address}: ")?,
            }
            match error {
                Some(error) => write!(f, "{error}")?,
                None => f.write_str("no answer in time")?,
            }
        }
        Ok(())
    }
}

impl DialError {
    /// The kind that says what to do: the first address's, or that time has run out.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Lookup { .. } => io::ErrorKind::NotFound,
            Self::LookupTimedOut { .. } => io::ErrorKind::TimedOut,
            Self::Unreached(tried) => tried
                .iter()
                .find_map(|(_, error)| Some(error.as_ref()?.kind()))
                .unwrap_or(io::ErrorKind::TimedOut),
        }
    }
}

impl From<DialError> for io::Error {
    fn from(error: DialError) -> Self {
        Self::new(error.kind(), error)
    }
}

/// Connects to the first address of a host that answers. Takes at most the limit, the lookup
/// included.
pub async fn dial(host: &str, port: u16, limit: Duration) -> Result<TcpStream, DialError> {
    let end = Instant::now() + limit;
    let addresses = lookup(host, port, limit).await?;
    connect(&addresses, end.saturating_duration_since(Instant::now())).await
}

/// Connects to the first of these addresses that answers, within the limit.
pub async fn connect(addresses: &[SocketAddr], limit: Duration) -> Result<TcpStream, DialError> {
    race(addresses, limit, TcpStream::connect)
        .await
        .map_err(DialError::Unreached)
}

/// The addresses of a host in the order in which they are to be tried; at least one.
pub async fn lookup(host: &str, port: u16, limit: Duration) -> Result<Vec<SocketAddr>, DialError> {
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    // An address is not looked up: that would take a thread.
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let failed = |cause| DialError::Lookup {
        host: host.to_owned(),
        cause,
    };
    let found = timeout(limit, lookup_host((host, port)))
        .await
        .map_err(|_| DialError::LookupTimedOut {
            host: host.to_owned(),
            limit,
        })?
        .map_err(failed)?;
    let addresses = by_turns(found);
    if addresses.is_empty() {
        return Err(failed(io::Error::other("it has no address")));
    }
    Ok(addresses)
}

/// The families by turns, each in its order; of many addresses the first (RFC 8305, 4).
fn by_turns(found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let found: Vec<_> = found.collect();
    let first_is_v6 = found.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (VecDeque<_>, VecDeque<_>) = found
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut families = [first, second];
    let mut addresses = Vec::new();
    while addresses.len() < MOST && families.iter().any(|family| !family.is_empty()) {
        addresses.extend(families.iter_mut().filter_map(VecDeque::pop_front));
    }
    addresses.truncate(MOST);
    addresses
}

/// Tries these addresses, each a moment after the one before or when that has failed, and gives the
/// first success; or what became of each. The moment is shorter where the limit would otherwise
/// pass before the last one's turn.
pub async fn race<T, E, F>(
    addresses: &[SocketAddr],
    limit: Duration,
    attempt: impl Fn(SocketAddr) -> F,
) -> Result<T, Vec<(SocketAddr, Option<E>)>>
where
    F: Future<Output = Result<T, E>>,
{
    let start = Instant::now();
    let end = start + limit;
    let half = limit / 2;
    let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let moment = MOMENT.min(half / count);
    let mut tried: Vec<(SocketAddr, Option<E>)> = Vec::new();
    let mut running = FuturesUnordered::new();
    let mut waiting = addresses.iter().copied();
    let mut next = waiting.next();
    let mut turn = start;
    loop {
        if next.is_none() && running.is_empty() {
            return Err(tried);
        }
        tokio::select! {
            biased;
            Some((index, result)) = running.next() => match result {
                Ok(won) => return Ok(won),
                Err(error) => {
                    if let Some((_, outcome)) = tried.get_mut::<usize>(index) {
                        *outcome = Some(error);
                    }
                    turn = Instant::now();
                }
            },
            () = sleep_until(end) => return Err(tried),
            () = sleep_until(turn), if next.is_some() => {
                if let Some(address) = next {
                    let (index, trying) = (tried.len(), attempt(address));
                    tried.push((address, None));
                    running.push(async move { (index, trying.await) });
                }
                next = waiting.next();
                turn = Instant::now() + moment;
            }
        }
    }
}

#[cfg(test)]
mod tests;
