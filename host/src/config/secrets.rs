//! Which of the settings are secrets, wherever a peer might repeat them (X1).

use super::monitor::Monitor;
use super::{Config, SecretUrl};
use crate::peer::{Secrets, TELLING, unescaped};

impl Monitor {
    /// Its secrets, wherever a peer might repeat them.
    pub(crate) fn secrets(&self) -> Secrets {
        let tokens = [&self.ping_token, &self.admin_token].into_iter();
        let login = self.email.iter().flat_map(|email| &email.login);
        let mut secrets: Vec<String> = tokens
            .flatten()
            .chain(login.map(|(_, password)| password))
            .chain(self.slack.iter().map(|slack| &slack.token))
            .chain(self.webhooks.iter().flat_map(|webhook| &webhook.token))
            .map(|secret| secret.reveal().to_owned())
            .collect();
        let urls = self.webhooks.iter().map(|webhook| &webhook.url);
        for url in urls.chain(&self.ping_url) {
            secrets.extend(in_url(url));
        }
        secrets.extend(of_proxies(|name| std::env::var(name).ok()));
        Secrets::new(secrets.iter().map(String::as_str))
    }
}

impl Config {
    /// The actor's secrets, wherever a peer might repeat them.
    pub(crate) fn secrets(&self) -> Secrets {
        let urls = self.actor.brokers.iter().chain(&self.outside.urls);
        let urls = urls.chain(&self.actor.management);
        let mut secrets: Vec<String> = urls.flat_map(in_url).collect();
        let tokens = self.heartbeats.iter().flat_map(|it| &it.http_token);
        secrets.extend(tokens.map(|token| token.reveal().to_owned()));
        secrets.extend(of_proxies(|name| std::env::var(name).ok()));
        Secrets::new(secrets.iter().map(String::as_str))
    }
}

/// What of a URL is a secret: user and password, the query, and the path where it is not for
/// showing.
fn in_url(url: &SecretUrl) -> Vec<String> {
    let (secret_path, url) = (url.has_secret_path(), url.reveal());
    let mut found = vec![url.password().unwrap_or_default().to_owned()];
    found.extend(url.query().map(ToOwned::to_owned));
    found.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
    found.extend(url.fragment().map(ToOwned::to_owned));
    if secret_path {
        found.push(url.username().to_owned());
        let letters = url.path().bytes().filter(u8::is_ascii_alphanumeric);
        if letters.count() > TELLING {
            found.push(url.path().to_owned());
        }
        let segments = url.path_segments().into_iter().flatten();
        // `v1` and `ping` are said for other reasons, too.
        let telling = segments.filter(|segment| segment.len() > TELLING);
        found.extend(telling.map(ToOwned::to_owned));
    }
    let plain = found.iter().map(|text| unescaped(text.as_bytes()));
    plain
        .map(|text| String::from_utf8_lossy(&text).into_owned())
        .collect()
}

/// The passwords of the proxies that the environment names: reqwest logs in there.
fn of_proxies(variable: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let names = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"];
    let names = names
        .iter()
        .flat_map(|name| [(*name).to_owned(), name.to_lowercase()]);
    let mut found = Vec::new();
    for proxy in names.filter_map(|name| variable(&name)) {
        // The scheme may be left out.
        let proxy = if proxy.contains("://") {
            proxy
        } else {
            format!("http://{proxy}")
        };
        if let Ok(url) = proxy.trim().parse() {
            found.extend(in_url(&SecretUrl::new(url)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::shown;

    fn is_withheld(text: &str, secrets: &Secrets) -> bool {
        shown(text.as_bytes(), secrets).starts_with("(withheld")
    }

    /// `/` is in any text that is decoded long enough, and `/beat` in *heartbeat*.
    #[test]
    fn the_short_path_of_a_url_withholds_nothing() {
        for url in [
            "http://host",
            "http://host/",
            "http://host/beat",
            "http://host/v1/",
        ] {
            let url = SecretUrl::with_secret_path(url.parse().unwrap());
            let secrets = Secrets::new(in_url(&url).iter().map(String::as_str));
            for words in [
                "holds the heartbeat: overwatcher silent 31 s",
                "heartbeat overwatcher has never been received",
                "the PLC of the dome has had no heartbeat since 21:04:12 UTC",
            ] {
                assert_eq!(shown(words.as_bytes(), &secrets), words);
            }
        }
    }

    #[test]
    fn x1_of_a_url_all_that_opens_is_secret() {
        let url = "https://jane:hunter2secret@hc.example/v1/8f14e45f-ceea-467f/ping?key=a%2Fbcdefgh%26#frag-ment";
        let url = SecretUrl::with_secret_path(url.parse().unwrap());
        let found = in_url(&url);
        let secrets = Secrets::new(found.iter().map(String::as_str));
        for part in [
            "hunter2secret",
            "jane",
            "8F14E45FCEEA",
            "ceea467fping",
            "a/bcdefgh&",
            "fragment",
        ] {
            assert!(is_withheld(part, &secrets), "{part}");
        }
        for words in ["not found", "hc.example", "the ping came too late"] {
            assert_eq!(shown(words.as_bytes(), &secrets), words);
        }
    }

    #[test]
    fn x1_passwords_of_the_environments_proxies_are_secrets() {
        let variable = |name: &str| match name {
            "HTTPS_PROXY" => Some("http://me:hunter2-%41@proxy:3128".to_owned()),
            "http_proxy" => Some("me:swordfish@proxy:3128".to_owned()),
            "ALL_PROXY" => Some("http://open.proxy:3128".to_owned()),
            _ => None,
        };
        let found = of_proxies(variable);
        let secrets = Secrets::new(found.iter().map(String::as_str));
        for words in ["hunter2-A is wrong", "swordfish", "Basic bWU6aHVudGVyMi1B"] {
            assert!(is_withheld(words, &secrets), "{words}");
        }
        assert_eq!(shown(b"open.proxy refuses", &secrets), "open.proxy refuses");
    }
}
