//! TLS before a server that speaks none, as a cloud's entrance does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::authority::Authority;

/// For a client to agree on a key.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// Listens on a port of its own with the certificate of that authority, until it is dropped.
#[derive(Debug)]
pub struct TlsEntrance {
    port: u16,
    serving: JoinHandle<()>,
}

impl TlsEntrance {
    /// Starts one before that server.
    pub async fn start(authority: &Authority, server: SocketAddr) -> Self {
        let certificate = CertificateDer::from_pem_file(&authority.certificate);
        let key = PrivateKeyDer::from_pem_file(&authority.key);
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring speaks TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.expect("a certificate")],
                key.expect("a key"),
            )
            .expect("the key is the certificate's");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(forward(acceptor.clone(), stream, server));
            }
        });
        Self { port, serving }
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

async fn forward(acceptor: TlsAcceptor, stream: TcpStream, server: SocketAddr) {
    let Ok(Ok(mut client)) = timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await else {
        return;
    };
    let Ok(mut server) = TcpStream::connect(server).await else {
        return;
    };
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

impl Drop for TlsEntrance {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
