//! A dead address, for tests.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A port that takes no more connections and does not refuse any: as the address of a host that is
/// gone.
#[derive(Debug)]
pub struct DeadPort {
    /// Where it is.
    pub address: SocketAddr,
    _listener: TcpListener,
    _filled: Vec<TcpStream>,
    _waiting: JoinHandle<io::Result<TcpStream>>,
}

impl DeadPort {
    /// Somewhere on loopback.
    pub async fn new() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let listener = socket.listen(0)?;
        let address = listener.local_addr()?;
        // Nobody accepts: after these its queue is full, and the kernel drops what comes.
        let mut filled = Vec::new();
        loop {
            let mut connecting = tokio::spawn(TcpStream::connect(address));
            match timeout(Duration::from_millis(200), &mut connecting).await {
                Ok(connected) => filled.push(connected??),
                Err(_) => {
                    return Ok(Self {
                        address,
                        _listener: listener,
                        _filled: filled,
                        _waiting: connecting,
                    });
                }
            }
        }
    }
}
