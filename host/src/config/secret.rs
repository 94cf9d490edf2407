//! Texts that must not be shown (X1).

use std::fmt;

use reqwest::Url;
use subtle::ConstantTimeEq as _;

/// A text that never shows in a log, an error or a debug print.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself: only for handing it to whom it is for.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether that is the text; in constant time, but for the length.
    pub(crate) fn is(&self, presented: &str) -> bool {
        self.0.as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A URL that may carry a password or a token. It is shown without both.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl {
    url: Url,
    secret_path: bool,
}

impl SecretUrl {
    /// Hides the password and the query of a URL.
    pub fn new(url: Url) -> Self {
        Self {
            url,
            secret_path: false,
        }
    }

    /// Hides everything but the host: anybody who knows the address of a webhook can use it.
    pub fn with_secret_path(url: Url) -> Self {
        Self {
            url,
            secret_path: true,
        }
    }

    /// The same URL with a token as the password, unless it has one already.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        let url = &mut self.url;
        if url.password().is_none() {
            // Both setters fail only on URLs that can hold neither. The user does not matter.
            if url.username().is_empty() {
                let _ = url.set_username("lvmbeat");
            }
            // As it is written: the URL is decoded before it is sent.
            let _ = url.set_password(Some(&token.replace('%', "%25")));
        }
        self
    }

    /// Whether knowing its path is enough to use it.
    pub(crate) fn has_secret_path(&self) -> bool {
        self.secret_path
    }

    /// The whole URL: only for connecting to it.
    pub fn reveal(&self) -> &Url {
        &self.url
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.url.clone();
        // The setters fail only on URLs that can hold neither.
        if self.secret_path {
            let _ = shown.set_username("");
            let _ = shown.set_password(None);
            shown.set_query(None);
            if shown.path() != "/" {
                shown.set_path("/***");
            }
        }
        if shown.password().is_some() {
            let _ = shown.set_password(Some("***"));
        }
        if shown.query().is_some() {
            shown.set_query(Some("***"));
        }
        shown.set_fragment(None);
        f.write_str(shown.as_str())
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x1_a_secret_shows_in_neither_way_of_printing() {
        let secret = Secret::new("hunter2".to_owned());
        assert!(!format!("{secret:?}").contains("hunter2"));
        let url = SecretUrl::new(
            "amqp://me:hunter2@broker:5672/v?token=hunter2#hunter2"
                .parse()
                .unwrap(),
        );
        assert_eq!(url.to_string(), "amqp://me:***@broker:5672/v?***");
        assert_eq!(format!("{url:?}"), url.to_string());
    }

    #[test]
    fn x1_of_a_url_with_a_secret_path_only_the_host_is_shown() {
        let url = "https://hunter2:hunter2@hooks.example:8443/hunter2/x?t=hunter2#hunter2";
        let url = SecretUrl::with_secret_path(url.parse().unwrap());
        assert_eq!(url.to_string(), "https://hooks.example:8443/***");
        assert_eq!(format!("{url:?}"), url.to_string());
        let bare = SecretUrl::with_secret_path("http://hooks.example?hunter2".parse().unwrap());
        assert_eq!(bare.to_string(), "http://hooks.example/");
    }
}
