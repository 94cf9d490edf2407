//! The settings of the mail server. What cannot work is refused here, by name: else it would be
//! found out only when an alert is lost.

use std::net::{IpAddr, Ipv6Addr};

use crate::config::given::Given;
use crate::config::monitor::EmailTls;
use crate::config::{ConfigError, scalar};

/// A name or an address, and nothing beside it.
pub(super) fn host(given: &Given<'_>) -> Result<String, ConfigError> {
    let text = given.text.trim();
    let remedy = "give only a name or an IP address; port and TLS have their own settings";
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    if text.contains("://") || text.contains('/') {
        return Err(given.error("is a URL", remedy));
    }
    if text.contains('@') {
        return Err(given.error("is an e-mail address, or contains a user", remedy));
    }
    if text.contains(',') || text.contains(char::is_whitespace) {
        return Err(given.error("is more than one name", "give one mail server"));
    }
    let with_port = text.rsplit_once(':');
    if with_port.is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(given.error("contains a port", remedy));
    }
    let name = idna::domain_to_ascii(text).unwrap_or_default();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(given.error("is not the name of a host", remedy));
    }
    Ok(name)
}

/// What is deployed knows only whether there is STARTTLS.
pub(super) fn tls(given: &Given<'_>) -> Result<EmailTls, ConfigError> {
    match (
        scalar::truth(&given.text),
        given.text.to_ascii_lowercase().as_str(),
    ) {
        (Some(true), _) | (_, "starttls") => Ok(EmailTls::StartTls),
        (Some(false), _) | (_, "none") => Ok(EmailTls::None),
        (_, "implicit") => Ok(EmailTls::Implicit),
        _ => Err(given.error(
            "is not known",
            "give starttls (or 1, true, yes), implicit, or none (or 0, false, no)",
        )),
    }
}

/// The usual port of that TLS without one. On the ports that have a meaning of their own (RFC 8314)
/// another TLS waits for good.
pub(super) fn port(given: Option<&Given<'_>>, tls: EmailTls) -> Result<u16, ConfigError> {
    let Some(given) = given else {
        return Ok(tls.default_port());
    };
    let port = given.text.trim().parse().ok().filter(|port| *port > 0);
    let port = port.ok_or_else(|| given.error("is not a port", "give a number from 1 to 65535"))?;
    match (port, tls) {
        (465, EmailTls::None | EmailTls::StartTls) => Err(given.error(
            "is 465, where servers expect TLS from the first byte",
            "set monitor.email.tls (LVMBEAT_EMAIL_TLS) to implicit, or give 587",
        )),
        (25 | 587, EmailTls::Implicit) => Err(given.error(
            "is one where servers do not expect TLS from the first byte",
            "set monitor.email.tls (LVMBEAT_EMAIL_TLS) to starttls, or give 465",
        )),
        _ => Ok(port),
    }
}

/// A name, or an address in brackets (RFC 5321, 4.1.3).
pub(super) fn helo(given: &Given<'_>) -> Result<String, ConfigError> {
    let text = given.text.trim();
    let wrong = || {
        given.error(
            "is not a name to greet a mail server with",
            "give the full name of this host, for example monitor.example.org, or an address as [192.0.2.1]",
        )
    };
    let literal = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    if let Some(literal) = literal {
        let v6 = literal.strip_prefix("IPv6:");
        let is_address = v6.map_or_else(
            || literal.parse::<std::net::Ipv4Addr>().is_ok(),
            |v6| v6.parse::<Ipv6Addr>().is_ok(),
        );
        return if is_address {
            Ok(text.to_owned())
        } else {
            Err(wrong())
        };
    }
    let name = idna::domain_to_ascii(text).map_err(|_| wrong())?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if name.is_empty() || name.len() > 255 || !name.chars().all(is_name) {
        return Err(wrong());
    }
    Ok(name)
}
