//! Who is behind a proxy.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// What a proxy says of whom it passes on: `client, proxy, proxy`.
const FORWARDED: &str = "x-forwarded-for";

/// The address of a client. The other end of the connection, unless that is a proxy which is
/// trusted: then whom that has named last, and so on. What anybody else says of others is not
/// believed.
pub(super) fn behind(
    peer: Option<IpAddr>,
    headers: &HeaderMap,
    trusted: &[IpNet],
) -> Option<IpAddr> {
    let mut client = peer?.to_canonical();
    let named = headers
        .get_all(FORWARDED)
        .into_iter()
        .map(|value| value.to_str().unwrap_or_default())
        .flat_map(|value| value.split(','))
        .collect::<Vec<_>>();
    for name in named.into_iter().rev() {
        if !is_in(trusted, client) {
            break;
        }
        let Some(address) = address(name.trim()) else {
            break;
        };
        client = address.to_canonical();
    }
    Some(client)
}

/// Whether the address is in one of these networks.
pub(super) fn is_in(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// An address, alone or with a port.
fn address(text: &str) -> Option<IpAddr> {
    text.parse()
        .ok()
        .or_else(|| text.parse().ok().map(|whole: SocketAddr| whole.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED, value.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        behind(Some(peer.parse().unwrap()), &headers, &trusted)
            .unwrap()
            .to_string()
    }

    #[test]
    fn x1_only_a_trusted_proxy_is_believed() {
        assert_eq!(client("192.0.2.1", &["198.51.100.9"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.9"]), "198.51.100.9");
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.9"]), "198.51.100.9");
        assert_eq!(client("fd00::1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]"]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["198.51.100.9:5678"]), "198.51.100.9");
    }

    #[test]
    fn x1_what_a_client_says_before_a_proxy_is_not_believed() {
        for forwarded in [
            &["127.0.0.1, 198.51.100.9"][..],
            &["127.0.0.1", "198.51.100.9"],
            &["127.0.0.1, 198.51.100.9, 10.9.9.9"],
        ] {
            assert_eq!(client("10.0.0.1", forwarded), "198.51.100.9");
        }
    }

    #[test]
    fn x2_a_name_that_is_no_address_ends_the_search() {
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        for nonsense in ["unknown", "", ",", "_hidden", "198.51.100.9, nobody"] {
            assert_eq!(client("10.0.0.1", &[nonsense]), "10.0.0.1", "{nonsense}");
        }
        assert_eq!(behind(None, &HeaderMap::new(), &[]), None);
    }
}
