//! A mail server that is not ours (aiosmtpd), which fails on demand.

use std::time::Duration;

use serde_json::Value;

use crate::authority::Authority;
use crate::process::{Event, Process};
use crate::python;

/// A server starts and gets a message within this time, on the slowest machine.
const LIMIT: Duration = Duration::from_secs(30);

/// How it secures connections.
#[derive(Clone, Copy, Debug)]
pub enum Tls<'a> {
    /// Not at all.
    None,
    /// By STARTTLS, which it requires.
    StartTls(&'a Authority),
    /// From the first byte.
    Implicit(&'a Authority),
}

/// What a mail server is like.
#[derive(Clone, Copy, Debug)]
pub struct MailOptions<'a> {
    /// How it secures connections.
    pub tls: Tls<'a>,
    /// Who has to log in: user and password.
    pub login: Option<(&'a str, &'a str)>,
    /// How it fails from the start: see `tests/python/smtp_server.py`.
    pub fault: &'a str,
    /// Where it listens; 0: anywhere.
    pub port: u16,
}

impl Default for MailOptions<'_> {
    fn default() -> Self {
        Self {
            tls: Tls::None,
            login: None,
            fault: "none",
            port: 0,
        }
    }
}

/// A mail server at `localhost`.
#[derive(Debug)]
pub struct MailServer {
    /// Its port.
    pub port: u16,
    process: Process,
    seen: u64,
}

impl MailServer {
    /// Starts one.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(options: MailOptions<'_>) -> Self {
        let (tls, authority) = match options.tls {
            Tls::None => ("none", None),
            Tls::StartTls(authority) => ("starttls", Some(authority)),
            Tls::Implicit(authority) => ("implicit", Some(authority)),
        };
        let port = options.port.to_string();
        let arguments = ["--tls", tls, "--fault", options.fault, "--port", &port];
        let mut launch = python::script("smtp_server.py", arguments);
        if let Some(authority) = authority {
            launch = launch.args(["--certificate".as_ref(), authority.certificate.as_path()]);
            launch = launch.args(["--key".as_ref(), authority.key.as_path()]);
        }
        if let Some((user, password)) = options.login {
            launch = launch.args(["--user", user, "--password", password]);
        }
        let mut process = launch.start();
        let listening = process.wait_for_event(0, LIMIT, "listening").await;
        let port = listening.field("port").as_u64();
        Self {
            port: port.and_then(|port| port.try_into().ok()).expect("a port"),
            process,
            seen: 0,
        }
    }

    /// From now on it fails like that, or with `none` not any more.
    pub async fn fault(&mut self, fault: &str) {
        let mark = self.process.mark();
        self.process.say(fault).await;
        self.process.wait_for_event(mark, LIMIT, "fault").await;
    }

    /// The next message that it takes, or has taken.
    ///
    /// # Panics
    /// If none comes.
    pub async fn message(&mut self) -> Value {
        let event = self.process.wait_for_event(self.seen, LIMIT, "message");
        let event = event.await;
        self.seen = event.after();
        event.fields
    }

    /// All messages that it has taken so far.
    pub fn messages(&self) -> Vec<Event> {
        let mut events = self.process.events();
        events.retain(|event| event.field("event") == "message");
        events
    }

    /// How often that happened: `connected`, `login`, `message`.
    pub fn count(&self, event: &str) -> usize {
        let events = self.process.events();
        events.iter().filter(|e| e.field("event") == event).count()
    }
}
