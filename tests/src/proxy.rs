//! A TCP proxy that breaks connections in every way that a network can.
//!
//! It stands between a client and its server on a port of its own. What it does, it does until
//! ordered otherwise, to the connections there are and to those that come:
//!
//! * [`Pass`](Flow::Pass): nothing
//! * [`Delay`](Flow::Delay): every byte arrives that much later
//! * [`Stall`](Flow::Stall): no byte moves and none is lost; the sender's socket fills up
//! * [`Swallow`](Flow::Swallow): the sender may send on and on, nothing arrives, and nobody learns
//!   that the other end has hung up
//!
//! A connection that lost bytes by `Swallow` stays a black hole for good, as its stream would be
//! corrupt: it is *half open*.

mod pump;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::eventually;
use crate::port::Port;
use pump::Pipe;

/// For a connection to the server.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// What happens to bytes on their way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// They arrive.
    Pass,
    /// They arrive that much later, in order.
    Delay(Duration),
    /// They are not taken from the sender.
    Stall,
    /// They are taken and lost.
    Swallow,
}

/// What is to be done to connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Orders {
    to_server: Flow,
    to_client: Flow,
    /// Connections with a lower number are cut.
    cut_below: u64,
    /// Connections with a lower number are half open.
    half_open_below: u64,
    /// Whether a cut connection sees a reset; otherwise an orderly end.
    reset: bool,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    orders: watch::Sender<Orders>,
    next: AtomicU64,
    open: AtomicUsize,
    to_server: AtomicU64,
    to_client: AtomicU64,
}

/// A running proxy. Dropping it cuts everything.
#[derive(Debug)]
pub struct Proxy {
    port: Port,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts one before that server, which may be absent for now: then clients get an end of
    /// stream.
    pub async fn start(server: (&str, u16)) -> Self {
        let server = lookup_host(server)
            .await
            .ok()
            .and_then(|mut found| found.next());
        let orders = Orders {
            to_server: Flow::Pass,
            to_client: Flow::Pass,
            cut_below: 0,
            half_open_below: 0,
            reset: true,
        };
        let mut proxy = Self {
            port: Port::reserve(),
            shared: Arc::new(Shared {
                server: server.expect("the server's name has no address"),
                orders: watch::Sender::new(orders),
                next: AtomicU64::new(0),
                open: AtomicUsize::new(0),
                to_server: AtomicU64::new(0),
                to_client: AtomicU64::new(0),
            }),
            accepting: None,
        };
        proxy.accept_again().await;
        proxy
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Does this to both directions.
    pub fn set(&self, flow: Flow) {
        self.shared.orders.send_modify(|orders| {
            orders.to_server = flow;
            orders.to_client = flow;
        });
    }

    /// Does this to what the client sends.
    pub fn set_to_server(&self, flow: Flow) {
        self.shared
            .orders
            .send_modify(|orders| orders.to_server = flow);
    }

    /// Does this to what the server sends.
    pub fn set_to_client(&self, flow: Flow) {
        self.shared
            .orders
            .send_modify(|orders| orders.to_client = flow);
    }

    /// Resets all connections there are. New ones are welcome.
    pub fn cut(&self) {
        self.end_all(true);
    }

    /// Ends all connections there are in order. New ones are welcome.
    pub fn close(&self) {
        self.end_all(false);
    }

    /// Makes black holes of all connections there are: sockets stay open, nothing passes ever
    /// again. New ones pass.
    pub fn half_open(&self) {
        let next = self.shared.next.load(Ordering::SeqCst);
        self.shared
            .orders
            .send_modify(|orders| orders.half_open_below = next);
    }

    /// Refuses new connections, as a host does where nobody listens. Returns when it does.
    pub async fn refuse(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            let _ = accepting.await;
        }
    }

    /// Takes new connections again.
    pub async fn accept_again(&mut self) {
        if self.accepting.is_none() {
            let address = self.port.address();
            let listener = eventually(Duration::from_secs(10), async || listen(address)).await;
            self.accepting = Some(tokio::spawn(accept(listener, Arc::clone(&self.shared))));
        }
    }

    /// How many connections there have been.
    pub fn connections(&self) -> u64 {
        self.shared.next.load(Ordering::SeqCst)
    }

    /// How many there are, half-open ones included.
    pub fn open_connections(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// How many bytes the server and the client have been sent.
    pub fn bytes(&self) -> (u64, u64) {
        (
            self.shared.to_server.load(Ordering::SeqCst),
            self.shared.to_client.load(Ordering::SeqCst),
        )
    }

    fn end_all(&self, reset: bool) {
        let next = self.shared.next.load(Ordering::SeqCst);
        self.shared.orders.send_modify(|orders| {
            orders.cut_below = next;
            orders.reset = reset;
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
        }
        self.end_all(true);
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address.ip() {
        IpAddr::V4(_) => TcpSocket::new_v4()?,
        IpAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Connections from before may linger on this port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(128)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // Out of file descriptors; some will be free again.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let number = shared.next.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(serve(client, number, Arc::clone(&shared)));
    }
}

async fn serve(client: TcpStream, number: u64, shared: Arc<Shared>) {
    let connecting = tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(shared.server));
    let Ok(Ok(server)) = connecting.await else {
        return;
    };
    shared.open.fetch_add(1, Ordering::SeqCst);
    let (client, server) = (Arc::new(client), Arc::new(server));
    let pipe = |from: &Arc<TcpStream>, to: &Arc<TcpStream>| {
        (Arc::clone(from), Arc::clone(to), shared.orders.subscribe())
    };
    let (from, to, orders) = pipe(&client, &server);
    let hole = Arc::new(AtomicBool::new(false));
    let up_hole = Arc::clone(&hole);
    let up = Pipe::new(from, to, number, orders, |orders| orders.to_server, up_hole);
    let (from, to, orders) = pipe(&server, &client);
    let down = Pipe::new(from, to, number, orders, |orders| orders.to_client, hole);
    // The end of either is the end of both.
    tokio::select! {
        () = up.run(&shared.to_server) => {}
        () = down.run(&shared.to_client) => {}
    }
    let orders = *shared.orders.borrow();
    if orders.reset && number < orders.cut_below {
        let _ = client.set_zero_linger();
        let _ = server.set_zero_linger();
    }
    shared.open.fetch_sub(1, Ordering::SeqCst);
}
