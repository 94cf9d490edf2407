//! The connection to the broker as lapin gets it: TCP or TLS, read through the [`Filter`].

use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_compat::Compat;
use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::Stream;
use lapin::tcp::{AsyncTcpStream, OwnedTLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri};
use tokio::net::TcpStream;

use super::filter::{Filter, Gate};

/// How much is read at a time.
const CHUNK: usize = 64 * 1024;

/// Connects, and leaves a handle on the socket with `socket`. Commands have to get through the gate, if there is one.
pub(super) async fn dial(
    uri: &AMQPUri,
    socket: &Socket,
    gate: Option<Gate>,
) -> io::Result<AsyncTcpStream<Filtered>> {
    let host = uri.authority.host.as_str();
    let stream = TcpStream::connect((host, uri.authority.port)).await?;
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
    Ok(AsyncTcpStream::Plain(Filtered::new(stream, gate)))
}

/// A second handle on a connection's socket, to end it with.
#[derive(Default)]
pub(super) struct Socket(Mutex<Option<std::net::TcpStream>>);

impl Socket {
    fn keep(&self, stream: &TcpStream) -> io::Result<()> {
        // On the last close, what has not been sent is dropped and the other end is told at once.
        stream.set_zero_linger()?;
        let handle = std::net::TcpStream::from(stream.as_fd().try_clone_to_owned()?);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
        Ok(())
    }

    /// Ends the connection, whatever state it is in. lapin sees the end of the stream and lets go of it.
    pub(super) fn reset(&self) {
        let handle = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
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
}

impl Filtered {
    pub(super) fn new(stream: AsyncTcpStream<Compat<TcpStream>>, gate: Option<Gate>) -> Self {
        Self {
            stream,
            filter: Filter::with(gate),
            chunk: vec![0; CHUNK].into_boxed_slice(),
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
            let changed = this.filter.changed();
            if changed > 0 {
                tracing::warn!(
                    messages = changed,
                    "properties that cannot be read are taken off a message"
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
