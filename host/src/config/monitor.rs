//! The configuration of the monitor outside.
//!
//! It shares the file with the actor, but each program checks only its own part and reads only its
//! own secrets: a slip in the monitor's must not keep the actor from starting, nor the other way
//! round. `lvmbeat check` checks both.

mod check;
pub(super) mod effective;
mod quiet;
pub(super) mod raw;
mod schedule;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use jiff::tz::TimeZone;
use lettre::message::Mailbox;
use lvmbeat_core::alarm;
use reqwest::Url;

pub use quiet::Quiet;
pub use schedule::Schedule;

use super::at::At;
use super::faults::Faults;
use super::given;
use super::source::Source;
use super::{ConfigError, Environment, Secret, SecretUrl, core_duration};

/// The monitor outside.
#[derive(Clone, Debug)]
pub struct Monitor {
    /// Where it serves HTTP, unless the command line says otherwise.
    pub listen: SocketAddr,
    /// Where its memory is kept; without one nothing survives a restart.
    pub state_file: Option<PathBuf>,
    /// False: alerting is switched off.
    pub alerts: bool,
    /// Log more.
    pub debug: bool,
    /// The observed silence that is an alarm.
    pub alert_after: Duration,
    /// How often the Python version looked; the alarm is raised when it is due.
    pub check_every: Duration,
    /// How often the actor beats, unless it says so itself.
    pub beat_every: Duration,
    /// The all-clear comes when the observatory has been heard for so long.
    pub clear_after: Duration,
    /// People are alerted of a dome heartbeat that is withheld for so long, if the dome is not
    /// known to be closed; nothing: it is not.
    pub held_after: Option<Duration>,
    /// A gap in listening of this length is no observed silence (M3).
    pub attention: Duration,
    /// The observed silence between two reminders, if there are any.
    pub remind_every: Option<Duration>,
    /// When nobody is alerted.
    pub quiet: Vec<Quiet>,
    /// When a test message is sent by every channel.
    pub test_at: Option<Schedule>,
    /// When a summary is.
    pub summary_at: Option<Schedule>,
    /// Who may beat; anybody if there is none.
    pub ping_token: Option<Secret>,
    /// Who may change and send; anybody if there is none.
    pub admin_token: Option<Secret>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// A try to deliver one message may take this long.
    pub delivery_timeout: Duration,
    /// E-mail.
    pub email: Option<Email>,
    /// Slack.
    pub slack: Option<Slack>,
    /// Webhooks.
    pub webhooks: Vec<Webhook>,
    /// Another dead-man's service, which the monitor beats to.
    pub ping_url: Option<SecretUrl>,
    /// How often.
    pub ping_every: Duration,
    /// How it speaks.
    pub wording: Wording,
}

/// E-mail by SMTP.
#[derive(Clone, Debug)]
pub struct Email {
    /// It is notified of what is still the matter after so long, and that nobody has
    /// acknowledged.
    pub after: Duration,
    /// Whom to; never empty.
    pub recipients: Vec<Mailbox>,
    /// From whom.
    pub from: Mailbox,
    /// Whom to answer.
    pub reply_to: Option<Mailbox>,
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is secured.
    pub tls: EmailTls,
    /// User and password.
    pub login: Option<(String, Secret)>,
    /// What the monitor calls itself when it greets the server.
    pub helo: Option<String>,
}

/// How the connection to the mail server is secured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EmailTls {
    /// Not at all.
    None,
    /// STARTTLS, required.
    StartTls,
    /// From the first byte.
    Implicit,
}

/// Slack by `chat.postMessage`.
#[derive(Clone, Debug)]
pub struct Slack {
    /// As for e-mail.
    pub after: Duration,
    /// The bot's token.
    pub token: Secret,
    /// The channel, for example `lvm-alerts`.
    pub channel: String,
    /// Who is mentioned on a new alarm, for example `<!here>`; may be empty.
    pub mention: String,
    /// The API, `https://slack.com/api/` unless tests say otherwise.
    pub api: Url,
}

/// What a webhook gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "each is what it is called")]
pub enum Format {
    /// All that is known, in lvmbeat's own form.
    Json,
    PagerDuty,
    Opsgenie,
    Ntfy,
    Discord,
}

impl Format {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::Json,
        Self::PagerDuty,
        Self::Opsgenie,
        Self::Ntfy,
        Self::Discord,
    ];

    /// As the configuration calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::PagerDuty => "pagerduty",
            Self::Opsgenie => "opsgenie",
            Self::Ntfy => "ntfy",
            Self::Discord => "discord",
        }
    }
}

/// A POST of JSON to any address.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// What it gets.
    pub format: Format,
    /// As for e-mail.
    pub after: Duration,
    /// Its name, for the state file and for people.
    pub name: String,
    /// Where to.
    pub url: SecretUrl,
    /// The bearer token to send; for PagerDuty the routing key, for Opsgenie the API key.
    pub token: Option<Secret>,
}

/// How the monitor speaks.
#[derive(Clone, Debug)]
pub struct Wording {
    /// What is down or up: "LCO internet".
    pub subject: String,
    /// What is being done, and what the reader should do.
    pub action: Option<String>,
    /// The monitor's own page, for people to look at.
    pub page: Option<Url>,
    /// Times are shown in UTC first, and in this zone second.
    pub time_zone: TimeZone,
}

impl Monitor {
    /// Reads and checks the monitor's part of the file, or of the built-in configuration, with the
    /// process's environment over it.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        super::load(file, Self::read)
    }

    /// Checks the monitor's part of a text, with an environment over it.
    pub fn parse(
        source: &str,
        text: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        Self::read(&Source::text(source, text), environment)
    }

    pub(super) fn read(source: &Source, environment: Environment<'_>) -> Result<Self, ConfigError> {
        let mut faults = Faults::default();
        let raw = super::raw::RawConfig::read(source, environment, &mut faults);
        let at = At { file: &source.name };
        let read = given::Reader { at, environment };
        check::check(read, raw.monitor, &raw.outside_monitor, faults)
    }

    /// When to notify, in the core's terms.
    pub fn alarm(&self) -> Result<alarm::Config, alarm::ConfigError> {
        let attention = core_duration(self.attention);
        let alarm = alarm::Config::new(core_duration(self.alert_after), attention)?;
        match self.remind_every {
            Some(every) => alarm.with_reminders(core_duration(every)),
            None => Ok(alarm),
        }
    }

    /// What it will do and what is not configured, for people, without secrets (X1).
    pub fn report(&self) -> String {
        effective::report(self)
    }
}

impl EmailTls {
    /// The port where servers expect it.
    pub fn default_port(self) -> u16 {
        match self {
            Self::None => 25,
            Self::StartTls => 587,
            Self::Implicit => 465,
        }
    }
}
