//! A name with several addresses, of which only the last one is alive.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::eventually;
use crate::namespace::Namespace;
use crate::port::Port;
use crate::process::Launch;
use crate::scratch::Scratch;

/// The name.
pub const NAME: &str = "many.observatory.test";

const REFUSING: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::LOCALHOST),
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3)),
];
const SILENT: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)),
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 4)),
];
/// The resolver sorts it behind the others, as it shares the fewest bits with its own (RFC 6724).
const LIVE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 129));

/// A server that is reached by the last address of [`NAME`] only. Of the others, two refuse each
/// connection and two are silent, as hosts are that are gone.
#[derive(Debug)]
pub struct DeadFirst {
    port: Port,
    _silent: Vec<Silent>,
    serving: Option<JoinHandle<()>>,
}

impl DeadFirst {
    /// Before that server.
    pub async fn of(server: (&str, u16)) -> Self {
        let mut found = Self::without_server().await;
        let address = SocketAddr::new(LIVE, found.port.number());
        let listener = TcpListener::bind(address)
            .await
            .expect("the port is reserved");
        let server = (server.0.to_owned(), server.1);
        found.serving = Some(tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let server = server.clone();
                tokio::spawn(async move {
                    let mut server = TcpStream::connect((server.0.as_str(), server.1)).await?;
                    tokio::io::copy_bidirectional(&mut client, &mut server).await
                });
            }
        }));
        found
    }

    /// One whose last address refuses connections, too.
    pub async fn without_server() -> Self {
        let port = Port::reserve();
        let mut silent = Vec::new();
        for address in SILENT {
            silent.push(Silent::at(SocketAddr::new(address, port.number())).await);
        }
        Self {
            port,
            _silent: silent,
            serving: None,
        }
    }

    /// The port, of all addresses.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Name and port.
    pub fn host(&self) -> String {
        format!("{NAME}:{}", self.port())
    }
}

impl Drop for DeadFirst {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }
}

/// Where [`NAME`] has several addresses.
#[derive(Debug)]
pub struct Names {
    namespace: Namespace,
    scratch: Scratch,
}

impl Names {
    /// Those of [`DeadFirst`].
    pub async fn new() -> Self {
        let addresses = [&REFUSING[..], &SILENT, &[LIVE]].concat();
        Self::with(&addresses, &["--mount"], "").await
    }

    /// These, in namespaces that are set up by that script of the shell.
    ///
    /// # Panics
    /// If the system's table of hosts cannot be covered.
    pub async fn with(addresses: &[IpAddr], kinds: &'static [&'static str], script: &str) -> Self {
        let scratch = Scratch::new();
        let mut table = fs::read_to_string("/etc/hosts").unwrap_or_default();
        for address in addresses {
            let _ = write!(table, "\n{address} {NAME}");
        }
        let table = scratch.write("hosts", &(table + "\n"));
        let script = format!("mount --bind \"$1\" /etc/hosts\n{script}");
        let namespace = Namespace::new(kinds, &script, &[&table, &scratch.path()]).await;
        Self { namespace, scratch }
    }

    /// The same program, to which the name has them.
    pub fn launch(&self, program: Launch) -> Launch {
        self.namespace.launch(program)
    }

    /// The folder that the script was given as its second argument.
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }
}

/// Whether a text names all addresses of [`DeadFirst`], and the live one as the last of its
/// family.
///
/// # Panics
/// If it does not.
pub fn names_all(text: &str) {
    let place = |address: &IpAddr| {
        let found = text.find(&address.to_string());
        found.unwrap_or_else(|| panic!("no {address} in: {text}"))
    };
    let last = place(&LIVE);
    for address in REFUSING.iter().chain(&SILENT) {
        assert!(place(address) < last || address.is_ipv6(), "{text}");
    }
}

/// A port that takes no more connections and refuses none.
#[derive(Debug)]
struct Silent {
    _listener: TcpListener,
    _filling: Vec<TcpStream>,
}

impl Silent {
    async fn at(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("there are sockets");
        socket.bind(address).expect("the port is reserved");
        let listener = socket.listen(0).expect("nobody listens there");
        // Nobody accepts: after these its queue is full, and the kernel drops what comes.
        let filling = eventually(Duration::from_secs(30), async || {
            let mut filling = Vec::new();
            while let Ok(connected) =
                timeout(Duration::from_millis(300), TcpStream::connect(address)).await
            {
                filling.push(connected.map_err(|cause| cause.to_string())?);
            }
            Ok::<_, String>(filling)
        })
        .await;
        Self {
            _listener: listener,
            _filling: filling,
        }
    }
}
