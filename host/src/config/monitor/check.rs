//! From what is written to what can work.

mod server;

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use lettre::message::Mailbox;
use lvmbeat_core::alarm;
use reqwest::Url;

use super::raw::{RawEmail, RawMonitor, RawSlack, RawWebhook};
use super::{Email, EmailTls, Format, Monitor, Schedule, Slack, Webhook, Wording, quiet};
use crate::config::at::At;
use crate::config::faults::Faults;
use crate::config::given::{Given, Reader};
use crate::config::raw::RawOutside;
use crate::config::{ConfigError, Secret, SecretUrl, health};

/// The actor's default.
const BEAT_EVERY: Duration = Duration::from_secs(15);
/// Of the monitor, unless it is lower because the alarm comes sooner.
const ATTENTION: Duration = Duration::from_secs(5);
/// The all-clear, likewise: long enough for a link that comes and goes.
const CLEAR_AFTER: Duration = Duration::from_secs(120);

pub(super) fn check(
    read: Reader<'_>,
    raw: RawMonitor,
    outside: &RawOutside,
    mut faults: Faults,
) -> Result<Monitor, ConfigError> {
    let at = read.at;
    let alert_after = faults
        .keep(read.seconds(
            "LVMBEAT_SEND_EMAIL_AFTER",
            "outside_monitor.send_email_after",
            outside.send_email_after,
        ))
        .unwrap_or(Duration::from_secs(300));
    let listen = read
        .text("LVMBEAT_LISTEN", "monitor.listen", raw.listen)
        .and_then(|given| given.map_or(Ok(health::MONITOR), |given| given.socket()));
    let time_zone = faults
        .note(zone(read, raw.time_zone))
        .unwrap_or(TimeZone::UTC);
    let quiet = quiet::read(read, raw.quiet.unwrap_or_default(), &time_zone);
    let token = |name, key, file: Option<PathBuf>| {
        let given = read.secret(Some(name), key, None, file.as_deref())?;
        given.map(Given::token).transpose()
    };
    let networks = read.list(
        "LVMBEAT_TRUSTED_PROXIES",
        "monitor.trusted_proxies",
        raw.trusted_proxies,
    );
    let ping_url = read.secret(
        Some("LVMBEAT_PING_URL"),
        "monitor.ping_url",
        raw.ping_url,
        raw.ping_url_file.as_deref(),
    );
    let monitor = Monitor {
        listen: faults.note(listen).unwrap_or(health::MONITOR),
        state_file: faults
            .keep(read.text("LVMBEAT_STATE_FILE", "", None))
            .map(|given| given.text.into())
            .or(raw.state_file),
        alerts: faults.keep(read.truth("LVMBEAT_START_MONITOR", raw.alerts, true)),
        debug: faults.keep(read.truth("LVMBEAT_DEBUG", raw.debug, false)),
        alert_after,
        check_every: faults.keep(at.seconds(
            "outside_monitor.check_heartbeat_every",
            outside.check_heartbeat_every,
            120.0,
        )),
        beat_every: beat_every(outside),
        attention: faults.keep(at.seconds(
            "monitor.attention",
            raw.attention,
            ATTENTION.min(alert_after).as_secs_f64(),
        )),
        remind_every: faults.keep(read.seconds(
            "LVMBEAT_REMIND_EVERY",
            "monitor.remind_every",
            raw.remind_every,
        )),
        clear_after: faults.keep(clear_after(at, raw.clear_after, alert_after)),
        held_after: faults.keep(held_after(at, raw.held_after, raw.held_alerts)),
        quiet: faults.keep(quiet),
        test_at: faults.keep(schedule(at, "monitor.test_at", raw.test_at)),
        summary_at: faults.keep(schedule(at, "monitor.summary_at", raw.summary_at)),
        ping_token: faults.keep(token(
            "LVMBEAT_PING_TOKEN",
            "monitor.ping_token",
            raw.ping_token_file,
        )),
        admin_token: faults.keep(token(
            "LVMBEAT_ADMIN_TOKEN",
            "monitor.admin_token",
            raw.admin_token_file,
        )),
        trusted_proxies: faults
            .keep(networks)
            .iter()
            .filter_map(|given| faults.note(given.network()))
            .collect(),
        delivery_timeout: faults.keep(at.seconds(
            "monitor.delivery_timeout",
            raw.delivery_timeout,
            30.0,
        )),
        email: faults.keep(email(read, raw.email.unwrap_or_default())),
        slack: faults.keep(slack(read, raw.slack.unwrap_or_default())),
        webhooks: faults.keep(webhooks(read, raw.webhooks.unwrap_or_default())),
        ping_url: faults
            .keep(ping_url)
            .and_then(|given| faults.note(given.http()))
            .map(SecretUrl::with_secret_path),
        ping_every: faults.keep(at.seconds("monitor.ping_every", raw.ping_every, 60.0)),
        wording: Wording {
            subject: raw.subject.unwrap_or_else(|| "LCO internet".to_owned()),
            action: raw.action,
            page: faults
                .keep(read.text("LVMBEAT_PAGE_URL", "monitor.page_url", raw.page_url))
                .and_then(|given| faults.note(page(&given))),
            time_zone,
        },
    };
    // What follows from several values is worked out of right ones only.
    let monitor = faults.or(monitor)?;
    monitor.alarm().map_err(|error| impossible(at, error))?;
    Ok(monitor)
}

/// Where times of the day are, unless they say otherwise.
fn zone(read: Reader<'_>, given: Option<String>) -> Result<TimeZone, ConfigError> {
    let given = read.text("LVMBEAT_TIME_ZONE", "monitor.time_zone", given)?;
    let default = || read.key("monitor.time_zone", "America/Santiago");
    quiet::time_zone(&given.unwrap_or_else(default))
}

/// `None`: people are not alerted of it.
fn held_after(
    at: At<'_>,
    after: Option<f64>,
    alerts: Option<bool>,
) -> Result<Option<Duration>, ConfigError> {
    let after = at.seconds("monitor.held_after", after, 20.0)?;
    Ok(Some(after).filter(|_| alerts.unwrap_or(true)))
}

/// Zero is possible. By default not longer than it takes to alarm.
fn clear_after(
    at: At<'_>,
    given: Option<f64>,
    alert_after: Duration,
) -> Result<Duration, ConfigError> {
    if given == Some(0.0) {
        return Ok(Duration::ZERO);
    }
    let default = CLEAR_AFTER.min(alert_after).as_secs_f64();
    at.seconds("monitor.clear_after", given, default)
}

/// The core's word on the alarm, as the file's keys are called.
fn impossible(at: At<'_>, error: alarm::ConfigError) -> ConfigError {
    let (key, remedy) = match error {
        alarm::ConfigError::AttentionLimitTooLong => (
            "monitor.attention",
            "lower it, or raise outside_monitor.send_email_after (LVMBEAT_SEND_EMAIL_AFTER)",
        ),
        alarm::ConfigError::ZeroAttentionLimit => ("monitor.attention", "raise it"),
        alarm::ConfigError::ZeroAlertAfter => ("outside_monitor.send_email_after", "raise it"),
        alarm::ConfigError::ZeroReminder => ("monitor.remind_every", "raise it, or leave it out"),
    };
    at.error(key, error.to_string(), remedy)
}

fn schedule(at: At<'_>, key: &str, given: Option<String>) -> Result<Option<Schedule>, ConfigError> {
    let Some(given) = given else {
        return Ok(None);
    };
    let schedule = Schedule::parse(&given).ok_or_else(|| {
        let remedy =
            "give a time in quotes, with a day if it is once a week: \"09:00\", \"mon 12:00\"";
        at.error(key, format!("{given:?} is not a time"), remedy)
    });
    schedule.map(Some)
}

/// How long a channel waits before it is notified; none by default.
fn wait(at: At<'_>, key: &str, after: Option<f64>) -> Result<Duration, ConfigError> {
    match after {
        None | Some(0.0) => Ok(Duration::ZERO),
        after => at.seconds(key, after, 0.0),
    }
}

/// `None` if nothing of it is given. What is given in part would be found out only when an alert is
/// lost.
fn email(read: Reader<'_>, raw: RawEmail) -> Result<Option<Email>, ConfigError> {
    let recipients = recipients(read, raw.recipients)?;
    let from = read.text("LVMBEAT_EMAIL_FROM_ADDRESS", "monitor.email.from", raw.from)?;
    let reply_to = read.text(
        "LVMBEAT_EMAIL_REPLY_TO",
        "monitor.email.reply_to",
        raw.reply_to,
    )?;
    let host = read.text("LVMBEAT_EMAIL_HOST", "monitor.email.host", raw.host)?;
    let tls = read
        .text("LVMBEAT_EMAIL_TLS", "monitor.email.tls", raw.tls)?
        .map_or(Ok(EmailTls::None), |given| server::tls(&given))?;
    let port = read.text(
        "LVMBEAT_EMAIL_PORT",
        "monitor.email.port",
        raw.port.map(|port| port.to_string()),
    )?;
    let username = read.text(
        "LVMBEAT_EMAIL_USERNAME",
        "monitor.email.username",
        raw.username,
    )?;
    let password = read.secret(
        Some("LVMBEAT_EMAIL_PASSWORD"),
        "monitor.email.password",
        None,
        raw.password_file.as_deref(),
    )?;
    let helo = read.text("LVMBEAT_EMAIL_HELO", "monitor.email.helo", raw.helo)?;
    let missing = |key: &str, problem: &str, variable: &str| {
        Err(read.at.error(
            &format!("monitor.email.{key}"),
            problem,
            format!("set it or {variable}, or remove all e-mail settings"),
        ))
    };
    if recipients.is_empty() {
        let parts = [&from, &reply_to, &host, &port, &username, &password, &helo];
        if parts.into_iter().all(Option::is_none) {
            return Ok(None);
        }
        let problem = "is empty, although other e-mail settings are given";
        return missing("recipients", problem, "LVMBEAT_EMAIL_RECIPIENTS");
    }
    let Some(host) = host else {
        let problem = "is missing, although there are recipients";
        return missing("host", problem, "LVMBEAT_EMAIL_HOST");
    };
    let Some(from) = from else {
        let problem = "is missing, although there are recipients";
        return missing("from", problem, "LVMBEAT_EMAIL_FROM_ADDRESS");
    };
    let login = match (username, password) {
        (None, None) => None,
        (Some(user), Some(password)) => Some((user.text, Secret::new(password.text))),
        (Some(_), None) => {
            let problem = "is missing, although there is a user name";
            return missing("password_file", problem, "LVMBEAT_EMAIL_PASSWORD");
        }
        (None, Some(_)) => {
            let problem = "is missing, although there is a password";
            return missing("username", problem, "LVMBEAT_EMAIL_USERNAME");
        }
    };
    Ok(Some(Email {
        after: wait(read.at, "monitor.email.after", raw.after)?,
        recipients,
        from: from.mailbox()?,
        reply_to: reply_to.map(|given| given.mailbox()).transpose()?,
        host: server::host(&host)?,
        port: server::port(port.as_ref(), tls)?,
        tls,
        login,
        helo: helo.map(|given| server::helo(&given)).transpose()?,
    }))
}

fn recipients(read: Reader<'_>, values: Option<Vec<String>>) -> Result<Vec<Mailbox>, ConfigError> {
    let key = "monitor.email.recipients";
    let given = read.text("LVMBEAT_EMAIL_RECIPIENTS", key, None)?;
    let recipients = if let Some(given) = &given {
        given.mailboxes()?
    } else {
        let values = values.unwrap_or_default().into_iter().enumerate();
        values
            .map(|(index, text)| read.key(&format!("{key}[{index}]"), text).mailbox())
            .collect::<Result<_, _>>()?
    };
    // Each is a channel of its own, known by its address.
    let mut known = HashSet::new();
    if recipients
        .iter()
        .all(|recipient| known.insert(recipient.email.to_string().to_ascii_lowercase()))
    {
        Ok(recipients)
    } else {
        let place = given.unwrap_or_else(|| read.key(key, ""));
        Err(place.error("contains the same address twice", "give each once"))
    }
}

/// `None` without a token.
fn slack(read: Reader<'_>, raw: RawSlack) -> Result<Option<Slack>, ConfigError> {
    let token = read.secret(
        Some("SLACK_API_TOKEN"),
        "monitor.slack.token",
        None,
        raw.token_file.as_deref(),
    )?;
    let channel = read
        .text(
            "LVMBEAT_SLACK_CHANNEL",
            "monitor.slack.channel",
            raw.channel,
        )?
        .unwrap_or_else(|| read.key("monitor.slack.channel", "lvm-alerts"));
    if channel.text.trim().is_empty() {
        return Err(channel.error("is empty", "give the channel's name or ID"));
    }
    let mut api = raw
        .api
        .unwrap_or_else(|| "https://slack.com/api/".to_owned());
    // Methods are named relative to it.
    if !api.ends_with('/') {
        api.push('/');
    }
    let api = read.key("monitor.slack.api", api).http()?;
    let after = wait(read.at, "monitor.slack.after", raw.after)?;
    Ok(token.map(Given::token).transpose()?.map(|token| Slack {
        after,
        token,
        channel: channel.text,
        mention: raw.mention.unwrap_or_else(|| "<!here>".to_owned()),
        api,
    }))
}

/// Those of the file, or the one of the environment instead.
fn webhooks(read: Reader<'_>, raw: Vec<RawWebhook>) -> Result<Vec<Webhook>, ConfigError> {
    let webhook = |name: String, url: &Given<'_>, token: Option<Given<'_>>, after, format| {
        Ok::<_, ConfigError>(Webhook {
            after,
            format,
            name,
            url: SecretUrl::with_secret_path(url.http()?),
            token: token.map(Given::token).transpose()?,
        })
    };
    if let Some(url) = read.text("LVMBEAT_WEBHOOK_URL", "", None)? {
        let token = read.text("LVMBEAT_WEBHOOK_TOKEN", "", None)?;
        return Ok(vec![webhook(
            "webhook".to_owned(),
            &url,
            token,
            Duration::ZERO,
            Format::Json,
        )?]);
    }
    let mut names = HashSet::new();
    let mut webhooks = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let key = |name: &str| format!("monitor.webhooks[{index}].{name}");
        let name = read.key(&key("name"), raw.name);
        if name.text.trim().is_empty() || !names.insert(name.text.clone()) {
            return Err(name.error("is empty or given twice", "give each its own name"));
        }
        let url = read
            .secret(None, &key("url"), raw.url, raw.url_file.as_deref())?
            .ok_or_else(|| {
                let remedy = "give it or url_file, an http:// or https:// address";
                read.at.error(&key("url"), "is missing", remedy)
            })?;
        let token = read.secret(None, &key("token"), None, raw.token_file.as_deref())?;
        let after = wait(read.at, &key("after"), raw.after)?;
        let format = format(read, &key("format"), raw.format)?;
        if matches!(format, Format::PagerDuty | Format::Opsgenie) && token.is_none() {
            let problem = format!("is missing, which {} needs", format.as_str());
            let remedy = "name the file that holds its key";
            return Err(read.at.error(&key("token_file"), problem, remedy));
        }
        webhooks.push(webhook(name.text, &url, token, after, format)?);
    }
    Ok(webhooks)
}

fn format(read: Reader<'_>, key: &str, given: Option<String>) -> Result<Format, ConfigError> {
    let Some(given) = given else {
        return Ok(Format::Json);
    };
    let found = Format::ALL
        .into_iter()
        .find(|format| format.as_str() == given);
    found.ok_or_else(|| {
        let names = Format::ALL.map(Format::as_str).join(", ");
        let problem = format!("{given:?} is not a format");
        read.at.error(key, problem, format!("give one of {names}"))
    })
}

/// The page's address goes into every notification.
fn page(given: &Given<'_>) -> Result<Url, ConfigError> {
    let url = given.http()?;
    if url.username().is_empty() && url.password().is_none() {
        Ok(url)
    } else {
        Err(given.error(
            "contains a user or a password, which everyone who is notified would see",
            "give the address without them",
        ))
    }
}

/// The actor's key, for showing only: a slip in it is for the actor to refuse.
fn beat_every(outside: &RawOutside) -> Duration {
    let given = outside
        .interval
        .and_then(|given| Duration::try_from_secs_f64(given).ok());
    given.filter(|given| !given.is_zero()).unwrap_or(BEAT_EVERY)
}
