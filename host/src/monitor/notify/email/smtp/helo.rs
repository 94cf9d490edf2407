//! What the monitor calls itself when it greets a mail server.
//!
//! Servers refuse a name that is not a full one: the fault of all such programs that is reported
//! most. Where the host has none, the address of the connection is given as a literal (RFC 5321,
//! 4.1.4), as Python's smtplib does.

use std::net::{IpAddr, SocketAddr};

/// The configured name, else the host's if it is a full one, else the connection's own address.
pub(super) fn helo(configured: Option<&str>, local: Option<SocketAddr>) -> String {
    if let Some(name) = configured {
        return name.to_owned();
    }
    let host = rustix::system::uname();
    let host = host.nodename().to_str().unwrap_or_default();
    if is_full(host) {
        return host.to_owned();
    }
    local.map_or_else(|| "[127.0.0.1]".to_owned(), |local| literal(local.ip()))
}

/// Whether it is the full name of a host that others may know, too.
fn is_full(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..64).contains(&label.len()) && label.bytes().all(is_name) && !label.starts_with('-')
    };
    let mut labels = name.split('.').rev();
    let last = labels.next().unwrap_or_default().to_ascii_lowercase();
    // Those that name no host of the world's.
    let is_private = ["local", "localdomain", "localhost", "lan", "internal"].contains(&&*last);
    is_label(&last)
        && !is_private
        && !last.bytes().all(|byte| byte.is_ascii_digit())
        && labels.clone().count() > 0
        && labels.all(is_label)
}

fn literal(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("[{address}]"),
        IpAddr::V6(address) => format!("[IPv6:{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m2_a_name_that_servers_refuse_is_not_said() {
        for name in ["monitor.lco.cl", "a-1.b.example.org", "x1.io"] {
            assert!(is_full(name), "{name}");
        }
        for name in [
            "",
            "lvmbeat-monitor--0a1b2c-7d",
            "localhost",
            "localhost.localdomain",
            "mac.local",
            "vm.internal",
            "a..b",
            ".lco.cl",
            "lco.cl.",
            "under_score.lco.cl",
            "ñandú.cl",
            "10.8.8.46",
            "-a.cl",
        ] {
            assert!(!is_full(name), "{name}");
        }
    }

    #[test]
    fn m2_an_address_is_said_as_a_literal() {
        let said = |local: &str| literal(local.parse().unwrap());
        assert_eq!(said("192.0.2.1"), "[192.0.2.1]");
        assert_eq!(said("2001:db8::1"), "[IPv6:2001:db8::1]");
        assert_eq!(said("::ffff:192.0.2.1"), "[192.0.2.1]");
        assert_eq!(helo(Some("mail.lco.cl"), None), "mail.lco.cl");
    }
}
