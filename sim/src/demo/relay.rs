//! The network between the observatory and the monitor outside: a way that can be cut.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Connections at a time. lvmbeat needs one, and leaves one behind for each beat that is lost.
const CONNECTIONS: usize = 32;

/// Passes on whatever comes, until it is cut.
pub(super) struct Relay {
    listener: TcpListener,
    to: SocketAddr,
    cut: watch::Receiver<bool>,
}

impl Relay {
    /// From that listener to that server.
    pub(super) fn new(listener: TcpListener, to: SocketAddr, cut: watch::Receiver<bool>) -> Self {
        Self { listener, to, cut }
    }

    /// Works until it is dropped.
    pub(super) async fn run(self) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Some(_) = connections.join_next() => {}
                // What cannot be accepted will be tried again by the client.
                Ok((stream, _)) = self.listener.accept(), if connections.len() < CONNECTIONS => {
                    connections.spawn(pass(stream, self.to, self.cut.clone()));
                }
            }
        }
    }
}

/// While the network is cut nothing passes, and neither end learns of it. Nothing passes on that
/// connection afterwards, either.
async fn pass(mut stream: TcpStream, to: SocketAddr, mut cut: watch::Receiver<bool>) {
    let mut still_cut = cut.clone();
    let passing = async {
        let mut server = TcpStream::connect(to).await?;
        copy_bidirectional(&mut stream, &mut server).await
    };
    tokio::select! {
        biased;
        _ = cut.wait_for(|cut| *cut) => {}
        _ = passing => return,
    }
    let _ = still_cut.wait_for(|cut| !cut).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::timeout;

    const SOON: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn what_is_sent_while_it_is_cut_never_arrives_and_what_is_sent_later_does() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let cut = watch::Sender::new(true);
        let to = server.local_addr().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let relay = tokio::spawn(Relay::new(listener, to, cut.subscribe()).run());
        let mut lost = TcpStream::connect(address).await.unwrap();
        lost.write_all(b"lost").await.unwrap();
        // Not refused, and not answered.
        let answer = timeout(Duration::from_millis(300), lost.read_u8()).await;
        assert!(answer.is_err(), "{answer:?}");
        cut.send_replace(false);
        let mut heard = TcpStream::connect(address).await.unwrap();
        heard.write_all(b"heard").await.unwrap();
        let (mut stream, _) = timeout(SOON, server.accept()).await.unwrap().unwrap();
        let mut bytes = [0; 5];
        timeout(SOON, stream.read_exact(&mut bytes))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&bytes, b"heard");
        assert!(
            timeout(SOON, lost.read_u8()).await.unwrap().is_err(),
            "it is over"
        );
        relay.abort();
    }
}
