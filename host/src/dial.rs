//! HTTP clients that reach any of a name's addresses, and say which it had when they reach none;
//! beside what [`lvmbeat_client`] has to connect to a name.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

pub use lvmbeat_client::dial::*;

use crate::errors::with_causes;

/// More names than these are not remembered; a program has a handful.
const NAMES: usize = 64;

/// The addresses that each name had when it was last looked up. reqwest's errors do not tell them.
static LOOKED_UP: Mutex<BTreeMap<String, Vec<IpAddr>>> = Mutex::new(BTreeMap::new());

/// An HTTP client that reaches any of a name's addresses within half of the limit for the whole
/// request: each has its share of that. Without a limit of its own, hyper would wait for the first
/// one until the request's has passed.
pub fn http_client(limit: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(limit / 2)
        .dns_resolver(Resolver { limit })
}

/// What went wrong, with all its causes and, if nobody was reached, the addresses that were there
/// to be tried; without the URL, which may hold a secret (X1).
pub(crate) fn failure(error: reqwest::Error) -> String {
    let host = error
        .url()
        .and_then(|url| url.host_str())
        .map(str::to_owned);
    let looked_up = LOOKED_UP.lock().unwrap_or_else(PoisonError::into_inner);
    let tried = host.filter(|_| error.is_connect());
    let tried = tried.and_then(|host| looked_up.get(&host).cloned());
    drop(looked_up);
    let text = with_causes(&error.without_url());
    let Some(tried) = tried else {
        return text;
    };
    let tried: Vec<_> = tried.iter().map(ToString::to_string).collect();
    format!("{text} (tried {})", tried.join(", "))
}

struct Resolver {
    limit: Duration,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let limit = self.limit;
        Box::pin(async move {
            let addresses = lookup(name.as_str(), 0, limit).await?;
            let mut looked_up = LOOKED_UP.lock().unwrap_or_else(PoisonError::into_inner);
            if looked_up.len() < NAMES || looked_up.contains_key(name.as_str()) {
                let found = addresses.iter().map(SocketAddr::ip).collect();
                looked_up.insert(name.as_str().to_owned(), found);
            }
            drop(looked_up);
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use lvmbeat_client::dial::dead::DeadPort;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(2);

    #[tokio::test]
    async fn m2_who_is_not_reached_is_named_with_the_addresses_that_were_tried() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = http_client(Duration::from_secs(5))
            .no_proxy()
            .tls_certs_only([])
            .build()
            .unwrap();
        // Nobody listens on the port of nobody.
        let error = client
            .get("http://u:hunter2@localhost:1/secret")
            .send()
            .await
            .unwrap_err();
        let said = failure(error);
        assert!(
            said.contains("(tried ") && said.contains("127.0.0.1"),
            "{said}"
        );
        assert!(
            !said.contains("hunter2") && !said.contains("/secret"),
            "{said}"
        );
    }

    #[tokio::test]
    async fn m2_an_http_client_reaches_the_live_address_of_a_name_in_time() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dead_port = DeadPort::new().await.unwrap();
        let dead = dead_port.address;
        let live = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = live.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = live.accept().await {
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            }
        });
        let client = http_client(LIMIT)
            .timeout(LIMIT)
            .no_proxy()
            .tls_certs_only([])
            .resolve_to_addrs("monitor.invalid", &[dead, dead, at])
            .build()
            .unwrap();
        // Without a port in the URL, each address keeps its own.
        let answer = client.get("http://monitor.invalid/").send().await.unwrap();
        assert_eq!(answer.status(), 204);
    }
}
