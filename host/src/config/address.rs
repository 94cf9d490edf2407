//! Addresses: of the broker, of hosts that are probed, of monitors. They may hold secrets, which no
//! error shows (X1).

use std::path::Path;

use reqwest::Url;

use super::at::At;
use super::environment::{ENVIRONMENT, secret_file, variable};
use super::raw::RawActor;
use super::{ConfigError, Environment, SecretUrl, Target};

/// The port of the TCP probe where a host is named without one.
const FALLBACK_PORT: u16 = 443;

/// The brokers' URLs: from the environment, else from `actor.url`, else one from host and port;
/// with the password from its file.
pub(super) fn brokers(
    at: At<'_>,
    raw: &RawActor,
    environment: Environment<'_>,
) -> Result<Vec<SecretUrl>, ConfigError> {
    let from_environment = variable("LVMBEAT_AMQP_URL", environment)?;
    let (at, key, texts) = if let Some(text) = from_environment {
        (ENVIRONMENT, "LVMBEAT_AMQP_URL", each_url(&text))
    } else if raw.url.0.is_empty() {
        (at, "actor.host", vec![url_of_parts(raw)])
    } else {
        if let Some(key) = beside_url(raw) {
            return Err(at.error(
                "actor.url",
                format!("cannot be combined with actor.{key}"),
                "give either the URL or its parts",
            ));
        }
        (at, "actor.url", raw.url.0.clone())
    };
    let password = password(at, raw)?;
    texts
        .iter()
        .map(|text| broker(at, key, text, raw.user.as_deref(), password.as_deref()))
        .collect()
}

/// The URLs of a variable, with commas between them, which a password may hold, too.
fn each_url(text: &str) -> Vec<String> {
    let mut urls: Vec<String> = Vec::new();
    for part in text.split(',') {
        match urls.last_mut() {
            Some(last) if !part.trim_start().starts_with("amqp") => {
                last.push(',');
                last.push_str(part);
            }
            _ => urls.push(part.trim().to_owned()),
        }
    }
    urls
}

fn broker(
    at: At<'_>,
    key: &str,
    text: &str,
    user: Option<&str>,
    password: Option<&str>,
) -> Result<SecretUrl, ConfigError> {
    let remedy = "give amqp://HOST:PORT or amqps://HOST:PORT, followed by /VHOST unless it is the default one";
    // The text may hold a password, so the error must not show it.
    let mut url: Url = text
        .parse()
        .map_err(|cause| at.error(key, format!("is not a URL ({cause})"), remedy))?;
    let host = url.host_str().unwrap_or_default();
    if !matches!(url.scheme(), "amqp" | "amqps") || host.is_empty() {
        return Err(at.error(key, "is not the URL of an AMQP broker", remedy));
    }
    if host.contains(',') || host.contains("%2C") {
        return Err(at.error(
            key,
            "lists several hosts in one URL",
            "give actor.url as a list of URLs, which are tried in turn",
        ));
    }
    if url.port() == Some(0) {
        let key = if key == "actor.host" {
            "actor.port"
        } else {
            key
        };
        return Err(at.error(
            key,
            "has port 0, on which nothing can listen",
            "give the broker's port, usually 5672",
        ));
    }
    let cannot_set = |()| at.error(key, "cannot hold a user", remedy);
    // As they are written: only in a URL `%41` is another way to write `A`.
    let as_written = |text: &str| text.replace('%', "%25");
    // What the variable says wins over the file.
    let (mut user, mut password) = (user, password);
    if key == "LVMBEAT_AMQP_URL" {
        user = user.filter(|_| url.username().is_empty());
        password = password.filter(|_| url.password().is_none());
    }
    if let Some(user) = user.or_else(|| url.username().is_empty().then_some("guest")) {
        url.set_username(&as_written(user)).map_err(cannot_set)?;
    }
    if let Some(password) = password {
        url.set_password(Some(&as_written(password)))
            .map_err(cannot_set)?;
    } else if url.password().is_none() {
        url.set_password(Some("guest")).map_err(cannot_set)?;
    }
    Ok(SecretUrl::new(url))
}

/// A key that says in part what a URL says as a whole.
fn beside_url(raw: &RawActor) -> Option<&'static str> {
    [
        ("host", raw.host.is_some()),
        ("port", raw.port.is_some()),
        ("virtualhost", raw.virtualhost.is_some()),
        ("ssl", raw.ssl.is_some()),
    ]
    .into_iter()
    .find_map(|(key, given)| given.then_some(key))
}

/// From the keys that `AMQPActor.from_config` of sdss-clu takes.
fn url_of_parts(raw: &RawActor) -> String {
    let host = raw.host.as_deref().unwrap_or("localhost");
    let host = if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let (scheme, port) = if raw.ssl == Some(true) {
        ("amqps", 5671)
    } else {
        ("amqp", 5672)
    };
    // As it is written: a slash within is part of the name.
    let path = match raw.virtualhost.as_deref() {
        None | Some("/") => String::new(),
        Some(name) => format!("/{}", name.replace('%', "%25").replace('/', "%2F")),
    };
    format!("{scheme}://{host}:{}{path}", raw.port.unwrap_or(port))
}

fn password(at: At<'_>, raw: &RawActor) -> Result<Option<String>, ConfigError> {
    match (&raw.password, &raw.password_file) {
        (Some(_), Some(_)) => Err(at.error(
            "actor.password",
            "cannot be combined with actor.password_file",
            "give only one of them",
        )),
        (Some(password), None) => Ok(Some(password.clone())),
        (None, Some(file)) => {
            secret_file(at, "actor.password_file", &file.display().to_string()).map(Some)
        }
        (None, None) => Ok(None),
    }
}

pub(super) fn target(at: At<'_>, key: &str, text: &str) -> Result<Target, ConfigError> {
    let bad = || {
        at.error(
            key,
            format!("'{text}' is not a host"),
            "give HOST, HOST:PORT, icmp://HOST or tcp://HOST:PORT (an IPv6 address with a port in brackets)",
        )
    };
    let (scheme, rest) = text
        .split_once("://")
        .map_or((None, text), |(scheme, rest)| (Some(scheme), rest));
    let (host, port) = host_and_port(rest).ok_or_else(bad)?;
    match (scheme, port) {
        (Some("icmp"), None) => Ok(Target::Icmp(host)),
        (Some("tcp"), Some(port)) => Ok(Target::Tcp(host, port)),
        (None, port) => Ok(Target::Either(host, port.unwrap_or(FALLBACK_PORT))),
        (Some(_), _) => Err(bad()),
    }
}

fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = if let Some(bracketed) = text.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']')?;
        let port = if rest.is_empty() {
            None
        } else {
            Some(rest.strip_prefix(':')?)
        };
        (host, port)
    } else if text.matches(':').count() > 1 {
        (text, None)
    } else {
        text.split_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port)))
    };
    let usable = !host.is_empty() && !host.chars().any(|c| c.is_whitespace() || c == '/');
    let port = port
        .map(|port| port.parse::<u16>().ok().filter(|port| *port > 0).ok_or(()))
        .transpose()
        .ok()?;
    usable.then(|| (host.to_owned(), port))
}

pub(super) fn monitor_url(at: At<'_>, key: &str, text: &str) -> Result<SecretUrl, ConfigError> {
    let remedy = "give http://HOST[:PORT] or https://HOST[:PORT]";
    // The text may hold a token, so the error must not show it.
    let mut url: Url = text
        .parse()
        .map_err(|cause| at.error(key, format!("is not a URL ({cause})"), remedy))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(at.error(key, "is not an HTTP address", remedy));
    }
    if url.port() == Some(0) {
        return Err(at.error(key, "has port 0, on which nothing can listen", remedy));
    }
    if !url.path().contains("/heartbeat") {
        let path = format!("{}/heartbeat", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    Ok(SecretUrl::new(url))
}

/// Without a user of its own it has the broker's.
pub(super) fn management_url(
    at: At<'_>,
    text: &str,
    brokers: &[SecretUrl],
) -> Result<SecretUrl, ConfigError> {
    let key = "actor.management_url";
    let remedy = "give http://HOST:15672 or https://HOST:15671, where RabbitMQ's management API is";
    // The text may hold a password, so the error must not show it.
    let mut url: Url = text
        .parse()
        .map_err(|cause| at.error(key, format!("is not a URL ({cause})"), remedy))?;
    if !matches!(url.scheme(), "http" | "https") || url.port() == Some(0) {
        return Err(at.error(key, "is not an HTTP address", remedy));
    }
    if let Some(broker) = brokers.first().filter(|_| url.username().is_empty()) {
        // Both setters fail only on URLs that can hold neither.
        let _ = url.set_username(broker.reveal().username());
        let _ = url.set_password(broker.reveal().password());
    }
    Ok(SecretUrl::new(url))
}

/// The token for the monitor outside, by which it knows the actor.
pub(super) fn monitor_token(
    at: At<'_>,
    file: Option<&Path>,
    environment: Environment<'_>,
) -> Result<Option<String>, ConfigError> {
    if let Some(token) = variable("LVMBEAT_PING_TOKEN", environment)? {
        return Ok(Some(token));
    }
    file.map(|file| {
        secret_file(
            at,
            "outside_monitor.token_file",
            &file.display().to_string(),
        )
    })
    .transpose()
}
