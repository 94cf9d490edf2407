//! Addresses: of the broker, of hosts that are probed, of monitors. They may hold secrets, which no error shows (X1).

use std::path::Path;

use reqwest::Url;

use super::check::{At, Environment};
use super::raw::RawActor;
use super::{ConfigError, SecretUrl, Target, bounded};

/// The port of the TCP probe where a host is named without one.
const FALLBACK_PORT: u16 = 443;

/// The broker's URL: from the environment, else from `actor.url`, else from host and port; with the password from its file.
pub(super) fn broker(
    at: At<'_>,
    raw: RawActor,
    environment: Environment<'_>,
) -> Result<SecretUrl, ConfigError> {
    let from_environment = variable("LVMBEAT_AMQP_URL", environment)?;
    let at = if from_environment.is_some() {
        At {
            file: "environment",
        }
    } else {
        at
    };
    let (key, text) = match (from_environment, raw.url) {
        (Some(url), _) => ("LVMBEAT_AMQP_URL", url),
        (None, Some(url)) => {
            if raw.host.is_some() || raw.port.is_some() {
                return Err(at.error(
                    "actor.url",
                    "is given beside actor.host or actor.port",
                    "give either the URL or host and port",
                ));
            }
            ("actor.url", url)
        }
        (None, None) => {
            let host = raw.host.unwrap_or_else(|| "localhost".to_owned());
            let host = if host.contains(':') && !host.starts_with('[') {
                format!("[{host}]")
            } else {
                host
            };
            (
                "actor.host",
                format!("amqp://{host}:{}", raw.port.unwrap_or(5672)),
            )
        }
    };
    let remedy =
        "give amqp://HOST:PORT or amqps://HOST:PORT, with /VHOST where it is not the default one";
    // The text may hold a password, so the error must not show it.
    let mut url: Url = text
        .parse()
        .map_err(|cause| at.error(key, format!("is not a URL ({cause})"), remedy))?;
    if !matches!(url.scheme(), "amqp" | "amqps") || url.host_str().is_none_or(str::is_empty) {
        return Err(at.error(key, "is not the URL of an AMQP broker", remedy));
    }
    let cannot_set = |()| at.error(key, "cannot hold a user", remedy);
    if let Some(user) = raw
        .user
        .or_else(|| url.username().is_empty().then(|| "guest".to_owned()))
    {
        url.set_username(&user).map_err(cannot_set)?;
    }
    if let Some(file) = &raw.password_file {
        let password = secret_file(at, "actor.password_file", &file.display().to_string())?;
        url.set_password(Some(&password)).map_err(cannot_set)?;
    } else if url.password().is_none() {
        url.set_password(Some("guest")).map_err(cannot_set)?;
    }
    Ok(SecretUrl::new(url))
}

pub(super) fn target(at: At<'_>, key: &str, text: &str) -> Result<Target, ConfigError> {
    let bad = || {
        at.error(
            key,
            format!("'{text}' names no host"),
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
    if !url.path().contains("/heartbeat") {
        let path = format!("{}/heartbeat", url.path().trim_end_matches('/'));
        url.set_path(&path);
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

/// An environment variable, or the file that the variable of the same name with `_FILE` names. An empty one counts as not set.
pub(super) fn variable(
    name: &str,
    environment: Environment<'_>,
) -> Result<Option<String>, ConfigError> {
    if let Some(text) = environment(name).filter(|text| !text.trim().is_empty()) {
        return Ok(Some(text.trim().to_owned()));
    }
    let file_variable = format!("{name}_FILE");
    match environment(&file_variable) {
        Some(file) => secret_file(
            At {
                file: "environment",
            },
            &file_variable,
            &file,
        )
        .map(Some),
        None => Ok(None),
    }
}

pub(super) fn secret_file(at: At<'_>, key: &str, file: &str) -> Result<String, ConfigError> {
    let text = bounded::text(Path::new(file), bounded::SECRET).map_err(|cause| {
        at.error(
            key,
            format!("{file} cannot be read ({cause})"),
            "name a file that this user can read",
        )
    })?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        let remedy = "write the secret into it, or leave the key out";
        return Err(at.error(key, format!("{file} is empty"), remedy));
    }
    Ok(text.to_owned())
}
