//! The connection to the broker as lapin gets it: TCP or TLS, read through the [`Filter`].

use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_compat::Compat;
use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::Stream;
use futures_util::stream::unfold;
use lapin::tcp::{AsyncTcpStream, OwnedTLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri, SASLMechanism};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant as Deadline, timeout};

use super::filter::{Blocking, Filter, Gate};
use crate::dial;

/// How much is read at a time.
const CHUNK: usize = 64 * 1024;

/// Connects, and leaves a handle on the socket with `socket`. Of a name with several addresses,
/// another one comes first with each `turn`. Commands have to get through the gate, if there is
/// one.
pub(super) async fn dial(
    uri: &AMQPUri,
    turn: usize,
    limit: Duration,
    socket: &Arc<Socket>,
    gate: Option<Gate>,
) -> io::Result<AsyncTcpStream<Filtered>> {
    let host = uri.authority.host.as_str();
    let end = Deadline::now() + limit;
    let mut addresses = dial::lookup(host, uri.authority.port, limit).await?;
    let first = turn % addresses.len().max(1);
    addresses.rotate_left(first);
    let left = end.saturating_duration_since(Deadline::now());
    let stream = dial::connect(&addresses, left).await?;
    stream.set_nodelay(true)?;
    socket.keep(&stream)?;
    let stream = AsyncTcpStream::Plain(Compat::new(stream));
    let stream = match uri.scheme {
        AMQPScheme::AMQP => stream,
        AMQPScheme::AMQPS => {
            let config = OwnedTLSConfig::default();
            stream.into_tls(host, config.as_ref()).await?
        }
    };
    let mut filtered = Filtered::new(stream, gate);
    filtered.login = uri.query.auth_mechanism.unwrap_or_default().name();
    filtered.socket = Some(Arc::clone(socket));
    Ok(AsyncTcpStream::Plain(filtered))
}

/// A second handle on a connection's socket, to end it with, and to hear whether it is alive.
#[derive(Default)]
pub(super) struct Socket {
    handle: Mutex<Option<std::net::TcpStream>>,
    heard: Notify,
    state: watch::Sender<State>,
}

#[derive(Clone, Default, Debug)]
enum State {
    #[default]
    Open,
    /// The broker takes no messages, for this reason.
    Blocked(String),
    Over,
}

impl Socket {
    fn keep(&self, stream: &TcpStream) -> io::Result<()> {
        // On the last close, what has not been sent is dropped and the other end is closed at once.
        stream.set_zero_linger()?;
        let handle = std::net::TcpStream::from(stream.as_fd().try_clone_to_owned()?);
        *self.lock() = Some(handle);
        self.heard.notify_one();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<std::net::TcpStream>> {
        self.handle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when nothing has come from the other end for this long.
    pub(super) async fn silent_for(&self, silence: Duration) {
        while timeout(silence, self.heard.notified()).await.is_ok() {}
    }

    /// Yields why the broker blocks publishers when it does, and ends with the connection.
    pub(super) fn blockades(&self) -> impl Stream<Item = String> + Send + 'static {
        unfold(self.state.subscribe(), async |mut state| {
            loop {
                state.changed().await.ok()?;
                let now = state.borrow_and_update().clone();
                match now {
                    State::Open => {}
                    State::Blocked(reason) => return Some((reason, state)),
                    State::Over => return None,
                }
            }
        })
    }

    /// Whether the broker blocks publishers: what waits to be written is never written then.
    pub(super) fn is_blocked(&self) -> bool {
        matches!(*self.state.borrow(), State::Blocked(_))
    }

    /// Ends the connection, whatever state it is in. lapin sees the end of the stream and lets go
    /// of it.
    pub(super) fn reset(&self) {
        self.state.send_replace(State::Over);
        let handle = self.lock().take();
        if let Some(handle) = handle {
            let _ = handle.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.reset();
    }
}

/// A stream whose reading end is filtered.
pub(super) struct Filtered {
    stream: AsyncTcpStream<Compat<TcpStream>>,
    filter: Filter,
    chunk: Box<[u8]>,
    /// The mechanism that lapin will log in with.
    login: &'static str,
    socket: Option<Arc<Socket>>,
}

impl Filtered {
    pub(super) fn new(stream: AsyncTcpStream<Compat<TcpStream>>, gate: Option<Gate>) -> Self {
        Self {
            stream,
            filter: Filter::with(gate),
            chunk: vec![0; CHUNK].into_boxed_slice(),
            login: SASLMechanism::default().name(),
            socket: None,
        }
    }

    /// S3, S5: what waits in lapin and elsewhere for the end of a blockade must not be taken after
    /// it. So lapin, which writes nothing meanwhile, does not hear of the end: the connection
    /// is over instead.
    fn check_blocking(&mut self) -> io::Result<()> {
        let (Some(blocking), Some(socket)) = (self.filter.blocking(), &self.socket) else {
            return Ok(());
        };
        match blocking {
            Blocking::Blocked(reason) => {
                socket.state.send_replace(State::Blocked(reason));
                Ok(())
            }
            Blocking::Unblocked => {
                socket.reset();
                Err(io::Error::new(
                    io::ErrorKind::ConnectionAborted,
                    "the broker blocked publishers for a while",
                ))
            }
        }
    }

    /// A broker hangs up on a login that it does not offer, without a word.
    fn check_login(&mut self) -> io::Result<()> {
        let Some(offered) = self.filter.logins() else {
            return Ok(());
        };
        if offered.split_whitespace().any(|login| login == self.login) {
            return Ok(());
        }
        let (login, offered) = (self.login, offered.escape_debug());
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "it does not accept logins by {login}, which lvmbeat uses, but by {offered}; enable {login} there (auth_mechanisms)"
            ),
        ))
    }
}

impl Drop for Filtered {
    fn drop(&mut self) {
        if let Some(socket) = &self.socket {
            socket.reset();
        }
    }
}

impl AsyncRead for Filtered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        loop {
            let count = this.filter.pull(into);
            if count > 0 || into.is_empty() {
                return Poll::Ready(Ok(count));
            }
            let count = ready!(Pin::new(&mut this.stream).poll_read(context, &mut this.chunk))?;
            if count == 0 {
                return Poll::Ready(Ok(0));
            }
            this.filter
                .push(this.chunk.get(..count).unwrap_or_default());
            if let Some(socket) = &this.socket {
                socket.heard.notify_one();
            }
            this.check_login()?;
            this.check_blocking()?;
            let changed = this.filter.changed();
            if changed > 0 {
                tracing::warn!(
                    messages = changed,
                    "messages with unreadable properties or an overlong body arrived; these parts were dropped"
                );
            }
        }
    }
}

impl AsyncWrite for Filtered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(context)
    }
}

/// tokio, as lapin wants a runtime, with streams that are filtered.
pub(super) type Kit = RuntimeParts<Tokio, FilteredTokio>;

/// The runtime that this is called in. Panics outside of one, as everything of tokio's does.
pub(super) fn runtime() -> Runtime<Kit> {
    Runtime::new(RuntimeParts::new(
        Tokio::current(),
        FilteredTokio(Tokio::current()),
    ))
}

/// tokio's reactor, apart from the type of its streams.
#[derive(Clone)]
pub(super) struct FilteredTokio(Tokio);

impl fmt::Debug for FilteredTokio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FilteredTokio")
    }
}

impl Reactor for FilteredTokio {
    type TcpStream = Filtered;
    type Sleep = <Tokio as Reactor>::Sleep;

    /// For sockets that are not tokio's; lapin has none.
    fn register<H: io::Read + io::Write + Send + 'static>(
        &self,
        _: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<Filtered, _>(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        let connect = self.0.tcp_connect_addr(address);
        async move { Ok(Filtered::new(AsyncTcpStream::Plain(connect.await?), None)) }
    }
}
