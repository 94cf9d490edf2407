//! The way to the mail server: a new connection for each message.

use std::error::Error;
use std::time::Duration;
use std::{fmt, io, iter};

use lettre::transport::smtp;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use tokio::time::{Instant, timeout, timeout_at};

use super::super::peer::masked;
use super::super::text::one_line;
use super::ChannelsError;
use crate::config::Secret;
use crate::config::monitor::{Email, EmailTls};

/// The longest answer of a server that is told, in characters.
const LONGEST_ANSWER: usize = 300;

/// A mail server, and how to speak to it.
pub(super) struct Server {
    host: String,
    port: u16,
    security: Security,
    login: Option<(Credentials, Secret)>,
    limit: Duration,
}

enum Security {
    None,
    StartTls(TlsParameters),
    Implicit(TlsParameters),
}

/// What is done with a server, one after the other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Connect,
    Secure,
    LogIn,
    Send,
}

impl Server {
    /// Reads the authorities that are trusted, if there is TLS.
    pub(super) fn new(config: &Email, limit: Duration) -> Result<Self, ChannelsError> {
        let tls = || {
            TlsParameters::new(config.host.clone())
                .map_err(|error| ChannelsError(error.to_string()))
        };
        let login = config.login.as_ref().map(|(user, password)| {
            let credentials = Credentials::new(user.clone(), password.reveal().to_owned());
            (credentials, password.clone())
        });
        Ok(Self {
            host: config.host.clone(),
            port: config.port,
            security: match config.tls {
                EmailTls::None => Security::None,
                EmailTls::StartTls => Security::StartTls(tls()?),
                EmailTls::Implicit => Security::Implicit(tls()?),
            },
            login,
            limit,
        })
    }

    /// Sends one message, or says in words why not. One limit for all of it.
    pub(super) async fn send(&self, email: &lettre::Message) -> Result<(), String> {
        let end = Instant::now() + self.limit;
        let hello = ClientId::default();
        let implicit = match &self.security {
            Security::Implicit(tls) => Some(tls.clone()),
            Security::None | Security::StartTls(_) => None,
        };
        let connect = AsyncSmtpConnection::connect_tokio1(
            (self.host.as_str(), self.port),
            // So that another address of the same name has its turn.
            Some(self.limit / 3),
            &hello,
            implicit,
            None,
        );
        let mut connection = self.step(Step::Connect, end, connect).await?;
        if let Security::StartTls(tls) = &self.security {
            let secure = connection.starttls(tls.clone(), &hello);
            self.step(Step::Secure, end, secure).await?;
        }
        if let Some((credentials, _)) = &self.login {
            let log_in = connection.auth(DEFAULT_MECHANISMS, credentials);
            self.step(Step::LogIn, end, log_in).await?;
        }
        let formatted = email.formatted();
        let send = connection.send(email.envelope(), &formatted);
        self.step(Step::Send, end, send).await?;
        // It is delivered, whatever happens now: a farewell that fails must not send it again (M4).
        let _ = timeout(self.limit / 20, connection.quit()).await;
        Ok(())
    }

    async fn step<T>(
        &self,
        step: Step,
        end: Instant,
        work: impl Future<Output = Result<T, smtp::Error>>,
    ) -> Result<T, String> {
        match timeout_at(end, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(self.failed(step, &error)),
            Err(_) => Err(self.silent(step)),
        }
    }
}

// What went wrong, in words.
impl Server {
    fn failed(&self, step: Step, error: &smtp::Error) -> String {
        let because = self.because(step, error);
        if is_untrusted(error) {
            return format!(
                "{self} cannot be trusted: {because}; authorities of your own can be named by SSL_CERT_FILE"
            );
        }
        match (step, error.status()) {
            (Step::Connect, Some(_)) => format!("{self} refuses the connection: {because}"),
            (Step::Connect, None) => format!("{self} cannot be reached: {because}"),
            (Step::Secure, _) => format!("the connection to {self} cannot be secured: {because}"),
            (Step::LogIn, Some(_)) => format!("{self} refuses the login: {because}"),
            (Step::LogIn, None) => format!("the login at {self} failed: {because}"),
            (Step::Send, Some(_)) => format!("{self} refuses the e-mail: {because}"),
            (Step::Send, None) => {
                format!("the connection to {self} broke before it took the e-mail: {because}")
            }
        }
    }

    fn silent(&self, step: Step) -> String {
        let what = match step {
            Step::Connect => "while connecting",
            Step::Secure => "while the connection was secured",
            Step::LogIn => "to the login",
            Step::Send => "to the e-mail",
        };
        let limit = self.limit.as_secs_f64();
        format!("{self} did not answer {what}, in {limit} s")
    }

    /// The cause, without secrets (X1).
    fn because(&self, step: Step, error: &smtp::Error) -> String {
        let cause = causes(error).last().map(ToString::to_string);
        let Some(code) = error.status() else {
            return self.cleaned(&cause.unwrap_or_else(|| error.to_string()));
        };
        // A server that lost its place repeats what it did not understand: here, a password.
        let repeats = step == Step::LogIn && u16::from(code) / 10 == 50;
        let answer = cause.filter(|_| !repeats).unwrap_or_default();
        self.cleaned(&format!("{code} {answer}"))
    }

    /// One line of bounded length, without the password and with masked addresses (X1, X2).
    fn cleaned(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some((_, password)) = &self.login
            && !password.reveal().is_empty()
        {
            text = text.replace(password.reveal(), "***");
        }
        let words = text.split_whitespace().map(|word| {
            let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
            match bare.parse() {
                Ok(address) => word.replace(bare, &masked(&address)),
                Err(_) if word.contains('@') => "…".to_owned(),
                Err(_) => word.to_owned(),
            }
        });
        one_line(&words.collect::<Vec<_>>().join(" "), LONGEST_ANSWER)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the mail server {}:{}", self.host, self.port)
    }
}

/// All that led to an error, the first cause last.
fn causes(error: &smtp::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    iter::successors(error.source(), |&cause| cause.source())
}

/// Whether it is the server's certificate that is wrong.
fn is_untrusted(error: &smtp::Error) -> bool {
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>()?.get_ref())
        .filter_map(|cause| cause.downcast_ref())
        .any(|cause| matches!(cause, rustls::Error::InvalidCertificate(_)))
}
