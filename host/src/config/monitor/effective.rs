//! The monitor's configuration in force, for people.

use std::fmt::Write as _;

use super::raw::{RawEmail, RawMonitor, RawQuiet, RawSlack, RawWebhook};
use super::{Email, EmailTls, Monitor};

/// The keys as they would be written. What is secret is left out: only a file may hold it, and it
/// may not come from one.
pub(in crate::config) fn raw(monitor: &Monitor) -> RawMonitor {
    let webhook = |webhook: &super::Webhook| RawWebhook {
        format: Some(webhook.format.as_str().to_owned()),
        after: Some(webhook.after.as_secs_f64()),
        name: webhook.name.clone(),
        url: Some(webhook.url.to_string()),
        url_file: None,
        token_file: None,
    };
    let quiet = |quiet: &super::Quiet| RawQuiet {
        from: quiet.from.strftime("%H:%M:%S").to_string(),
        to: quiet.to.strftime("%H:%M:%S").to_string(),
        zone: quiet.zone.iana_name().map(str::to_owned),
    };
    let networks = monitor.trusted_proxies.iter().map(ToString::to_string);
    let wording = &monitor.wording;
    RawMonitor {
        listen: Some(monitor.listen.to_string()),
        state_file: monitor.state_file.clone(),
        alerts: Some(monitor.alerts),
        debug: Some(monitor.debug),
        attention: Some(monitor.attention.as_secs_f64()),
        remind_every: monitor.remind_every.map(|every| every.as_secs_f64()),
        clear_after: Some(monitor.clear_after.as_secs_f64()),
        held_alerts: Some(monitor.held_after.is_some()),
        held_after: monitor.held_after.map(|after| after.as_secs_f64()),
        test_at: monitor.test_at.map(|at| at.to_string()),
        summary_at: monitor.summary_at.map(|at| at.to_string()),
        quiet: Some(monitor.quiet.iter().map(quiet).collect()),
        delivery_timeout: Some(monitor.delivery_timeout.as_secs_f64()),
        trusted_proxies: Some(networks.collect()),
        email: monitor.email.as_ref().map(|email| RawEmail {
            after: Some(email.after.as_secs_f64()),
            recipients: Some(email.recipients.iter().map(ToString::to_string).collect()),
            from: Some(email.from.to_string()),
            reply_to: email.reply_to.as_ref().map(ToString::to_string),
            host: Some(email.host.clone()),
            port: Some(email.port),
            tls: Some(email.tls.name().to_owned()),
            // The user name counts only beside the password.
            username: None,
            password_file: None,
            helo: email.helo.clone(),
        }),
        slack: monitor.slack.as_ref().map(|slack| RawSlack {
            after: Some(slack.after.as_secs_f64()),
            token_file: None,
            channel: Some(slack.channel.clone()),
            mention: Some(slack.mention.clone()),
            api: Some(slack.api.to_string()),
        }),
        webhooks: Some(monitor.webhooks.iter().map(webhook).collect()),
        ping_url: monitor.ping_url.as_ref().map(ToString::to_string),
        ping_every: Some(monitor.ping_every.as_secs_f64()),
        subject: Some(wording.subject.clone()),
        action: wording.action.clone(),
        page_url: wording.page.as_ref().map(ToString::to_string),
        time_zone: wording.time_zone.iana_name().map(str::to_owned),
        ..RawMonitor::default()
    }
}

pub(super) fn report(monitor: &Monitor) -> String {
    let mut report = String::new();
    let alert = monitor.alert_after.as_secs_f64();
    // Writing to a String cannot fail.
    let _ = if monitor.alerts {
        writeln!(
            report,
            "M1  The monitor alerts within {} s of the last beat that it received\n    \
             = {alert} s of silence (send_email_after) + 1 s;\n    \
             time in which it was not listening does not count.",
            alert + 1.0
        )
    } else {
        writeln!(
            report,
            "M1  The monitor raises no alarms on its own (LVMBEAT_START_MONITOR or monitor.alerts is off)."
        )
    };
    let _ = match monitor.held_after.filter(|_| monitor.alerts) {
        Some(after) => writeln!(
            report,
            "    It also alerts when the dome heartbeat was withheld for {} s and the dome is not known to be closed.",
            after.as_secs_f64()
        ),
        None => writeln!(
            report,
            "    Nobody is alerted when the dome heartbeat is withheld (monitor.held_alerts, monitor.alerts)."
        ),
    };
    let tokens = match (&monitor.ping_token, &monitor.admin_token) {
        (Some(_), Some(_)) => "needed to beat, to change and to send",
        (Some(_), None) => "needed to beat; anybody may change and send: set LVMBEAT_ADMIN_TOKEN",
        (None, Some(_)) => "needed to change and to send; anybody may beat: set LVMBEAT_PING_TOKEN",
        (None, None) => {
            "none: anybody may beat, change and send; set LVMBEAT_PING_TOKEN and LVMBEAT_ADMIN_TOKEN"
        }
    };
    let lines = [
        (
            "e-mail",
            monitor.email.as_ref().map_or_else(
                || "not configured (LVMBEAT_EMAIL_RECIPIENTS and others)".to_owned(),
                email,
            ),
        ),
        (
            "Slack",
            monitor.slack.as_ref().map_or_else(
                || "not configured (SLACK_API_TOKEN)".to_owned(),
                |slack| format!("channel {}", slack.channel),
            ),
        ),
        ("webhooks", webhooks(monitor)),
        ("tokens", tokens.to_owned()),
        (
            "memory",
            monitor.state_file.as_ref().map_or_else(
                || {
                    "none: a restart loses undelivered alerts and a disable; set LVMBEAT_STATE_FILE"
                        .to_owned()
                },
                |file| file.display().to_string(),
            ),
        ),
        (
            "pings",
            monitor.ping_url.as_ref().map_or_else(
                || "not configured (LVMBEAT_PING_URL)".to_owned(),
                |url| format!("{url} every {} s", monitor.ping_every.as_secs_f64()),
            ),
        ),
    ];
    for (name, text) in lines {
        let _ = writeln!(report, "    {name:<9} {text}");
    }
    report
}

fn email(email: &Email) -> String {
    let count = email.recipients.len();
    let plural = if count == 1 { "" } else { "s" };
    let tls = match email.tls {
        EmailTls::None => "without TLS",
        EmailTls::StartTls => "STARTTLS",
        EmailTls::Implicit => "TLS",
    };
    let login = match (&email.login, email.tls) {
        (None, _) => "without login".to_owned(),
        (Some((user, _)), EmailTls::None) => {
            format!("as {user}, with a password that anybody on the way can read")
        }
        (Some((user, _)), EmailTls::StartTls | EmailTls::Implicit) => format!("as {user}"),
    };
    format!(
        "{count} recipient{plural} by {}:{}, {tls}, {login}",
        email.host, email.port
    )
}

fn webhooks(monitor: &Monitor) -> String {
    let shown: Vec<_> = monitor
        .webhooks
        .iter()
        .map(|webhook| format!("{} ({})", webhook.name, webhook.url))
        .collect();
    if shown.is_empty() {
        "not configured (LVMBEAT_WEBHOOK_URL or monitor.webhooks)".to_owned()
    } else {
        shown.join(", ")
    }
}

impl EmailTls {
    /// As the configuration calls it.
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::StartTls => "starttls",
            Self::Implicit => "implicit",
        }
    }
}
