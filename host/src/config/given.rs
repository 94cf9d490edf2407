//! Where a value stands: in the environment, which wins, or in the file.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;
use lettre::message::Mailbox;
use reqwest::Url;

use super::at::At;
use super::environment::{ENVIRONMENT, secret_file, variable};
use super::{ConfigError, Environment, Secret, scalar};

/// The file and the environment over it.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) at: At<'a>,
    pub(super) environment: Environment<'a>,
}

/// A text with its place, so that an error can name it. No error shows the text: it may be a secret
/// in the wrong place (X1).
pub(super) struct Given<'a> {
    at: At<'a>,
    key: String,
    pub(super) text: String,
}

impl<'a> Reader<'a> {
    /// The variable's text, else the file's.
    pub(super) fn text(
        self,
        name: &str,
        key: &str,
        value: Option<String>,
    ) -> Result<Option<Given<'a>>, ConfigError> {
        if let Some(text) = variable(name, self.environment)? {
            return Ok(Some(Given::new(ENVIRONMENT, name, text)));
        }
        Ok(value.map(|text| Given::new(self.at, key, text)))
    }

    /// A text of the file alone.
    pub(super) fn key(self, key: &str, text: impl Into<String>) -> Given<'a> {
        Given::new(self.at, key, text.into())
    }

    /// The variable's text, else the file's, else what the file holds that `KEY_file` names.
    pub(super) fn secret(
        self,
        name: Option<&str>,
        key: &str,
        value: Option<String>,
        file: Option<&Path>,
    ) -> Result<Option<Given<'a>>, ConfigError> {
        // Nothing is read that does not count: the file may be missing where the variable is set.
        if let Some(name) = name
            && let Some(text) = variable(name, self.environment)?
        {
            return Ok(Some(Given::new(ENVIRONMENT, name, text)));
        }
        match (value, file) {
            (Some(_), Some(_)) => Err(self.at.error(
                key,
                format!("cannot be combined with {key}_file"),
                "give only one of them",
            )),
            (Some(text), None) => Ok(Some(self.key(key, text))),
            (None, Some(file)) => {
                let key = format!("{key}_file");
                let text = secret_file(self.at, &key, &file.display().to_string())?;
                Ok(Some(self.key(&key, text)))
            }
            (None, None) => Ok(None),
        }
    }

    pub(super) fn seconds(
        self,
        name: &str,
        key: &str,
        value: Option<f64>,
    ) -> Result<Option<Duration>, ConfigError> {
        let Some(text) = variable(name, self.environment)? else {
            return value
                .map(|seconds| self.at.seconds(key, Some(seconds), seconds))
                .transpose();
        };
        let seconds = scalar::seconds(&text).ok_or_else(|| {
            ENVIRONMENT.error(
                name,
                "is not a number of seconds",
                "give one between 0.001 and 86400, for example 300, or 5m",
            )
        })?;
        ENVIRONMENT.seconds(name, Some(seconds), seconds).map(Some)
    }

    pub(super) fn truth(
        self,
        name: &str,
        value: Option<bool>,
        default: bool,
    ) -> Result<bool, ConfigError> {
        let given = self.text(name, "", None)?;
        given.map_or(Ok(value.unwrap_or(default)), |given| {
            scalar::truth(&given.text).ok_or_else(|| {
                given.error(
                    "is neither yes nor no",
                    "give 1, true or yes, or 0, false or no",
                )
            })
        })
    }

    /// The variable's list with commas between, else the file's.
    pub(super) fn list(
        self,
        name: &str,
        key: &str,
        values: Option<Vec<String>>,
    ) -> Result<Vec<Given<'a>>, ConfigError> {
        if let Some(text) = variable(name, self.environment)? {
            let texts = text.split(',').map(str::trim).filter(|t| !t.is_empty());
            return Ok(texts
                .map(|text| Given::new(ENVIRONMENT, name, text.to_owned()))
                .collect());
        }
        let texts = values.unwrap_or_default().into_iter().enumerate();
        Ok(texts
            .map(|(index, text)| self.key(&format!("{key}[{index}]"), text))
            .collect())
    }
}

impl<'a> Given<'a> {
    fn new(at: At<'a>, key: &str, text: String) -> Self {
        Self {
            at,
            key: key.to_owned(),
            text,
        }
    }

    pub(super) fn error(&self, problem: &str, remedy: &str) -> ConfigError {
        self.at.error(&self.key, problem, remedy)
    }

    pub(super) fn socket(&self) -> Result<SocketAddr, ConfigError> {
        let address = self.text.parse().ok();
        // Port 0 is any that is free, where nobody would look for it.
        address
            .filter(|address: &SocketAddr| address.port() > 0)
            .ok_or_else(|| {
                self.error(
                    "is not an address",
                    "give an IP address and a port, for example 127.0.0.1:8080",
                )
            })
    }

    /// A network, or a single address.
    pub(super) fn network(&self) -> Result<IpNet, ConfigError> {
        let single = || self.text.parse::<IpAddr>().map(IpNet::from);
        self.text.parse().or_else(|_| single()).map_err(|_| {
            self.error(
                "is not a network",
                "give addresses or networks, for example 10.0.0.0/8",
            )
        })
    }

    pub(super) fn mailbox(&self) -> Result<Mailbox, ConfigError> {
        self.text.trim().parse().map_err(|_| {
            self.error(
                "is not an e-mail address",
                "give address@host or Name <address@host>",
            )
        })
    }

    /// Several with commas between, which names in quotes may hold too. One at the end does no
    /// harm.
    pub(super) fn mailboxes(&self) -> Result<Vec<Mailbox>, ConfigError> {
        let remedy = "give address@host or Name <address@host>, with commas between them";
        let mut mailboxes = Vec::new();
        for (index, text) in listed(self.text.trim_matches([',', ' ']))
            .iter()
            .enumerate()
        {
            let text = text.trim();
            if text.is_empty() {
                return Err(self.error("has nothing between two of its commas", remedy));
            }
            let parsed = text.parse().map_err(|_| {
                let which = index + 1;
                let problem =
                    format!("is not a list of e-mail addresses: number {which} is not one");
                self.error(&problem, remedy)
            });
            mailboxes.push(parsed?);
        }
        Ok(mailboxes)
    }

    /// An HTTP address.
    pub(super) fn http(&self) -> Result<Url, ConfigError> {
        let remedy = "give http://HOST[:PORT]/… or https://HOST[:PORT]/…";
        let url: Url = self
            .text
            .parse()
            .map_err(|cause| self.error(&format!("is not a URL ({cause})"), remedy))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(self.error("is not an HTTP address", remedy));
        }
        if url.port() == Some(0) {
            return Err(self.error("has port 0, on which nothing can listen", remedy));
        }
        Ok(url)
    }

    /// A token that an HTTP header can carry.
    pub(super) fn token(self) -> Result<Secret, ConfigError> {
        if !self.text.is_empty() && self.text.chars().all(|c| c.is_ascii_graphic()) {
            return Ok(Secret::new(self.text));
        }
        Err(self.error(
            "is not a token that HTTP can carry",
            "use ASCII letters, digits and punctuation, without spaces",
        ))
    }
}

/// What is between the commas that are not in quotes.
fn listed(text: &str) -> Vec<String> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let (mut is_quoted, mut is_escaped) = (false, false);
    for c in text.chars() {
        match c {
            ',' if !is_quoted => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            '"' if !is_escaped => is_quoted = !is_quoted,
            _ => {}
        }
        is_escaped = c == '\\' && !is_escaped;
        part.push(c);
    }
    parts.push(part);
    parts
}
