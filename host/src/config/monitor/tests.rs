use std::collections::HashMap;

use super::*;
use crate::config::{BUILT_IN, Config};

mod mail;

const EMAIL: [(&str, &str); 3] = [
    (
        "LVMBEAT_EMAIL_RECIPIENTS",
        "Ann <ann@example.org>, bob@example.org",
    ),
    ("LVMBEAT_EMAIL_FROM_ADDRESS", "lvmbeat <beat@example.org>"),
    ("LVMBEAT_EMAIL_HOST", "smtp.example.org"),
];

fn parse_with(text: &str, variables: &[(&str, &str)]) -> Result<Monitor, ConfigError> {
    // The last one of a name counts, so that a test can change one of EMAIL.
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    Monitor::parse("lvmbeat.yaml", text, &|name| {
        variables.get(name).map(|value| (*value).to_owned())
    })
}

fn parse(text: &str) -> Result<Monitor, ConfigError> {
    parse_with(text, &[])
}

/// One line that begins with that place and key, and ends with the remedy.
#[track_caller]
fn assert_refused(refused: Result<Monitor, ConfigError>, place: &str, remedy: &str) {
    let sentence = refused.expect_err("this must be refused").to_string();
    assert!(sentence.starts_with(&format!("{place}: ")), "{sentence}");
    let (_, last) = sentence.rsplit_once(';').unwrap_or_default();
    assert!(last.contains(remedy), "no {remedy}: {sentence}");
    assert!(
        !sentence.contains('\n') && !sentence.contains("hunter2"),
        "{sentence}"
    );
}

fn effective(monitor: &Monitor) -> String {
    Config::parse("", "", &|_| None).unwrap().effective(monitor)
}

#[test]
fn without_anything_it_listens_locally_alerts_after_five_minutes_and_notifies_nobody() {
    for text in ["", BUILT_IN] {
        let monitor = parse(text).unwrap();
        assert_eq!(monitor.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(monitor.alert_after, Duration::from_secs(300));
        assert_eq!(monitor.check_every, Duration::from_secs(120));
        assert!(monitor.alerts && !monitor.debug);
        assert!(monitor.email.is_none() && monitor.slack.is_none());
        assert!(monitor.webhooks.is_empty() && monitor.ping_url.is_none());
        assert!(monitor.ping_token.is_none() && monitor.admin_token.is_none());
        assert_eq!(monitor.state_file, None);
        assert_eq!(effective(&monitor), effective(&parse("").unwrap()));
    }
}

#[test]
fn the_deployed_environment_is_understood_and_wins_over_the_file() {
    let text = "outside_monitor: {send_email_after: 60}
monitor:
  state_file: /a
  alerts: false
  email: {recipients: [file@example.org], from: file@example.org, host: file, port: 1, tls: implicit}
  slack: {channel: file, mention: ''}";
    let file = parse(text).unwrap();
    assert_eq!(file.alert_after, Duration::from_secs(60));
    assert!(!file.alerts && file.slack.is_none());
    let email = file.email.unwrap();
    assert_eq!(
        (email.host.as_str(), email.port, email.tls),
        ("file", 1, EmailTls::Implicit)
    );

    let mut variables = EMAIL.to_vec();
    variables.extend([
        ("LVMBEAT_EMAIL_REPLY_TO", "reply@example.org"),
        ("LVMBEAT_EMAIL_PORT", "2525"),
        ("LVMBEAT_EMAIL_TLS", "Yes"),
        ("LVMBEAT_EMAIL_USERNAME", "me"),
        ("LVMBEAT_EMAIL_PASSWORD", "hunter2"),
        ("LVMBEAT_SEND_EMAIL_AFTER", "90.5"),
        ("LVMBEAT_STATE_FILE", "/data/state"),
        ("LVMBEAT_START_MONITOR", "1"),
        ("LVMBEAT_DEBUG", "true"),
        ("SLACK_API_TOKEN", "xoxb-hunter2"),
        ("LVMBEAT_SLACK_CHANNEL", "C123"),
        ("LVMBEAT_LISTEN", "0.0.0.0:80"),
        ("LVMBEAT_PING_TOKEN", "ping-hunter2"),
        ("LVMBEAT_ADMIN_TOKEN", "admin-hunter2"),
        ("LVMBEAT_TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("LVMBEAT_REMIND_EVERY", "3600"),
        ("LVMBEAT_WEBHOOK_URL", "https://hooks.example/hunter2"),
        ("LVMBEAT_WEBHOOK_TOKEN", "hunter2"),
        ("LVMBEAT_PING_URL", "https://pings.example/hunter2"),
        ("LVMBEAT_PAGE_URL", "https://monitor.example/"),
        ("LVMBEAT_TIME_ZONE", "UTC"),
    ]);
    let monitor = parse_with(text, &variables).unwrap();
    assert_eq!(monitor.alert_after, Duration::from_millis(90_500));
    assert_eq!(monitor.state_file, Some("/data/state".into()));
    assert!(monitor.alerts && monitor.debug);
    assert_eq!(monitor.listen.to_string(), "0.0.0.0:80");
    assert_eq!(monitor.remind_every, Some(Duration::from_secs(3600)));
    assert_eq!(
        monitor.ping_token.as_ref().unwrap().reveal(),
        "ping-hunter2"
    );
    assert_eq!(
        monitor.admin_token.as_ref().unwrap().reveal(),
        "admin-hunter2"
    );
    assert_eq!(
        monitor.trusted_proxies,
        ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]
    );
    let email = monitor.email.as_ref().unwrap();
    let recipients: Vec<_> = email.recipients.iter().map(ToString::to_string).collect();
    assert_eq!(recipients, ["Ann <ann@example.org>", "bob@example.org"]);
    assert_eq!(email.from.to_string(), "lvmbeat <beat@example.org>");
    assert_eq!(
        email.reply_to.as_ref().unwrap().to_string(),
        "reply@example.org"
    );
    assert_eq!(
        (email.host.as_str(), email.port),
        ("smtp.example.org", 2525)
    );
    assert_eq!(email.tls, EmailTls::StartTls);
    let (user, password) = email.login.as_ref().unwrap();
    assert_eq!((user.as_str(), password.reveal()), ("me", "hunter2"));
    let slack = monitor.slack.as_ref().unwrap();
    assert_eq!(
        (slack.token.reveal(), slack.channel.as_str()),
        ("xoxb-hunter2", "C123")
    );
    assert_eq!(slack.mention, "");
    let [webhook] = monitor.webhooks.as_slice() else {
        panic!("{:?}", monitor.webhooks)
    };
    assert_eq!(webhook.url.reveal().path(), "/hunter2");
    assert_eq!(webhook.token.as_ref().unwrap().reveal(), "hunter2");
    assert_eq!(
        monitor.ping_url.as_ref().unwrap().reveal().path(),
        "/hunter2"
    );
    assert_eq!(monitor.wording.time_zone, TimeZone::UTC);

    // X1: neither way of showing it shows a secret.
    for shown in [
        effective(&monitor),
        monitor.report(),
        format!("{monitor:?}"),
    ] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    // What is shown is a configuration itself.
    let again = parse(&effective(&monitor)).unwrap();
    assert_eq!(
        effective(&again).lines().count(),
        effective(&monitor).lines().count() - 5,
        "slack, which has no token there"
    );
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let monitor = parse_with(
        "",
        &[("LVMBEAT_EMAIL_HOST", " "), ("LVMBEAT_PING_TOKEN", "")],
    )
    .unwrap();
    assert!(monitor.email.is_none() && monitor.ping_token.is_none());
}

#[test]
fn x1_secrets_are_read_from_files_named_by_variable_or_by_key() {
    let folder = std::env::temp_dir().join(format!("lvmbeat-secrets-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (ping, admin) = (file("ping", "p-hunter2\n"), file("admin", "a-hunter2\r\n"));
    let (password, token) = (file("password", "hunter2"), file("token", "t-hunter2"));
    let url = file("url", "https://h.example/hunter2\n");
    let mut variables = EMAIL.to_vec();
    variables.extend([
        ("LVMBEAT_EMAIL_USERNAME", "me"),
        ("LVMBEAT_EMAIL_PASSWORD_FILE", password.as_str()),
        ("SLACK_API_TOKEN_FILE", token.as_str()),
        ("LVMBEAT_PING_TOKEN_FILE", ping.as_str()),
        ("LVMBEAT_ADMIN_TOKEN_FILE", admin.as_str()),
        ("LVMBEAT_PING_URL_FILE", url.as_str()),
    ]);
    let by_variable =
        parse_with("monitor: {ping_token_file: /does/not/exist}", &variables).unwrap();
    let text = format!(
        "monitor:
  ping_token_file: {ping}
  admin_token_file: {admin}
  ping_url_file: {url}
  email: {{username: me, password_file: {password}}}
  slack: {{token_file: {token}}}
  webhooks: [{{name: w, url_file: {url}, token_file: {token}}}]"
    );
    let by_key = parse_with(&text, &EMAIL).unwrap();
    assert_eq!(
        by_key.webhooks[0].token.as_ref().unwrap().reveal(),
        "t-hunter2"
    );
    for monitor in [by_variable, by_key] {
        assert_eq!(monitor.ping_token.unwrap().reveal(), "p-hunter2");
        assert_eq!(monitor.admin_token.unwrap().reveal(), "a-hunter2");
        assert_eq!(monitor.email.unwrap().login.unwrap().1.reveal(), "hunter2");
        assert_eq!(monitor.slack.unwrap().token.reveal(), "t-hunter2");
        assert_eq!(monitor.ping_url.unwrap().reveal().path(), "/hunter2");
    }
    let empty = file("empty", "\n");
    let refused = parse(&format!("monitor: {{ping_token_file: {empty}}}"));
    assert_refused(
        refused,
        "lvmbeat.yaml: monitor.ping_token_file",
        "write the secret into it",
    );
    let refused = parse_with("", &[("LVMBEAT_ADMIN_TOKEN_FILE", "/does/not/exist")]);
    assert_refused(refused, "environment: LVMBEAT_ADMIN_TOKEN_FILE", "can read");
    let refused = parse(&format!(
        "monitor: {{ping_url: 'http://x', ping_url_file: {url}}}"
    ));
    assert_refused(
        refused,
        "lvmbeat.yaml: monitor.ping_url",
        "only one of them",
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn x1_the_file_itself_holds_no_secret() {
    for text in [
        "monitor: {ping_token: hunter2}",
        "monitor: {email: {password: hunter2}}",
        "monitor: {slack: {token: hunter2}}",
        "monitor: {webhooks: [{name: a, token: hunter2}]}",
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(
            error.contains("is not known; do not write a secret here")
                && !error.contains("hunter2"),
            "{error}"
        );
    }
}

#[test]
fn m2_email_that_is_given_in_part_is_refused_with_the_part_that_is_missing() {
    let without = |name: &str| {
        let variables: Vec<_> = EMAIL
            .into_iter()
            .filter(|(known, _)| *known != name)
            .collect();
        parse_with("", &variables)
    };
    for (key, name) in [
        ("recipients", "LVMBEAT_EMAIL_RECIPIENTS"),
        ("from", "LVMBEAT_EMAIL_FROM_ADDRESS"),
        ("host", "LVMBEAT_EMAIL_HOST"),
    ] {
        assert_refused(
            without(name),
            &format!("lvmbeat.yaml: monitor.email.{key}"),
            name,
        );
    }
    let refused = parse_with("monitor: {email: {username: me}}", &EMAIL);
    assert_refused(
        refused,
        "lvmbeat.yaml: monitor.email.password_file",
        "LVMBEAT_EMAIL_PASSWORD",
    );
    let mut variables = EMAIL.to_vec();
    variables.push(("LVMBEAT_EMAIL_PASSWORD", "hunter2"));
    assert_refused(
        parse_with("", &variables),
        "lvmbeat.yaml: monitor.email.username",
        "LVMBEAT_EMAIL_USERNAME",
    );
    for name in ["REPLY_TO", "PORT", "USERNAME", "PASSWORD"] {
        let refused = parse_with("", &[(&format!("LVMBEAT_EMAIL_{name}"), "1@example.org")]);
        assert_refused(
            refused,
            "lvmbeat.yaml: monitor.email.recipients",
            "remove all e-mail settings",
        );
    }
}

#[test]
fn the_port_follows_from_the_way_of_tls() {
    for (tls, port, expected) in [
        ("", 25, EmailTls::None),
        ("0", 25, EmailTls::None),
        ("False", 25, EmailTls::None),
        ("no", 25, EmailTls::None),
        ("none", 25, EmailTls::None),
        ("1", 587, EmailTls::StartTls),
        ("true", 587, EmailTls::StartTls),
        ("YES", 587, EmailTls::StartTls),
        ("starttls", 587, EmailTls::StartTls),
        ("implicit", 465, EmailTls::Implicit),
    ] {
        let mut variables = EMAIL.to_vec();
        variables.push(("LVMBEAT_EMAIL_TLS", tls));
        let email = parse_with("", &variables).unwrap().email.unwrap();
        assert_eq!((email.tls, email.port), (expected, port), "{tls}");
    }
}

#[test]
fn recipients_are_addresses_with_or_without_names_each_once() {
    let recipients = |text: &str| {
        let mut variables = EMAIL.to_vec();
        variables.push(("LVMBEAT_EMAIL_RECIPIENTS", text));
        parse_with("", &variables)
    };
    let named = recipients("\"Doe, Jane\" <jane@example.org> , b@example.org,").unwrap();
    let named = named.email.unwrap().recipients;
    assert_eq!(named.len(), 2);
    assert_eq!(named[0].name.as_deref(), Some("Doe, Jane"));
    for bad in [
        "jane",
        "jane@example.org bob@example.org",
        "jane@example.org;bob@example.org",
        "a@example.org, hunter2",
    ] {
        assert_refused(
            recipients(bad),
            "environment: LVMBEAT_EMAIL_RECIPIENTS",
            "with commas",
        );
    }
    let twice = recipients("Ann <ann@example.org>, ANN@example.org");
    assert_refused(
        twice,
        "environment: LVMBEAT_EMAIL_RECIPIENTS",
        "give each once",
    );
    let refused = parse("monitor: {email: {recipients: [a@example.org, hunter2]}}");
    assert_refused(
        refused,
        "lvmbeat.yaml: monitor.email.recipients[1]",
        "give address@host",
    );
}

#[test]
fn x2_a_value_that_cannot_be_is_refused_with_its_place_and_a_remedy() {
    for (name, value, remedy) in [
        ("LVMBEAT_LISTEN", "hunter2", "for example 127.0.0.1:8080"),
        ("LVMBEAT_START_MONITOR", "maybe", "1, true or yes"),
        ("LVMBEAT_DEBUG", "2", "1, true or yes"),
        ("LVMBEAT_SEND_EMAIL_AFTER", "soon", "for example 300, or 5m"),
        ("LVMBEAT_SEND_EMAIL_AFTER", "nan", "for example 300, or 5m"),
        ("LVMBEAT_SEND_EMAIL_AFTER", "25h", "between 0.001 and 86400"),
        ("LVMBEAT_PING_URL", "http://h:0", "give http://"),
        ("LVMBEAT_SEND_EMAIL_AFTER", "0", "between 0.001 and 86400"),
        ("LVMBEAT_REMIND_EVERY", "-1", "between 0.001 and 86400"),
        (
            "LVMBEAT_TRUSTED_PROXIES",
            "10.0.0.0/8, hunter2",
            "for example 10.0.0.0/8",
        ),
        ("LVMBEAT_PING_TOKEN", "hunter2 hunter2", "without spaces"),
        ("LVMBEAT_ADMIN_TOKEN", "hünter2", "ASCII letters"),
        ("SLACK_API_TOKEN", "xoxb hunter2", "without spaces"),
        ("LVMBEAT_WEBHOOK_URL", "ftp://hunter2", "give http://"),
        ("LVMBEAT_PING_URL", "hunter2", "give http://"),
        (
            "LVMBEAT_PAGE_URL",
            "https://me:hunter2@example.org",
            "without",
        ),
        ("LVMBEAT_TIME_ZONE", "hunter2", "America/Santiago"),
    ] {
        assert_refused(
            parse_with("", &[(name, value)]),
            &format!("environment: {name}"),
            remedy,
        );
    }
    for (text, key, remedy) in [
        ("listen: '80'", "listen", "for example 127.0.0.1:8080"),
        ("attention: 0", "attention", "between 0.001 and 86400"),
        ("attention: 301", "attention", "LVMBEAT_SEND_EMAIL_AFTER"),
        (
            "remind_every: .nan",
            "remind_every",
            "between 0.001 and 86400",
        ),
        (
            "trusted_proxies: ['10.0.0.0/8', x]",
            "trusted_proxies[1]",
            "for example 10.0.0.0/8",
        ),
        ("slack: {channel: ' '}", "slack.channel", "give a value"),
        ("slack: {api: x}", "slack.api", "give http://"),
        ("webhooks: [{name: a}]", "webhooks[0].url", "url_file"),
        (
            "webhooks: [{name: a, url: 'http://x'}, {name: a, url: 'http://y'}]",
            "webhooks[1].name",
            "its own name",
        ),
        ("time_zone: Nowhere/City", "time_zone", "America/Santiago"),
    ] {
        assert_refused(
            parse(&format!("monitor: {{{text}}}")),
            &format!("lvmbeat.yaml: monitor.{key}"),
            remedy,
        );
    }
    for (port, tls) in [("0", "1"), ("70000", "1"), ("25", "perhaps")] {
        let mut variables = EMAIL.to_vec();
        variables.extend([("LVMBEAT_EMAIL_PORT", port), ("LVMBEAT_EMAIL_TLS", tls)]);
        let key = if tls == "1" { "PORT" } else { "TLS" };
        assert_refused(
            parse_with("", &variables),
            &format!("environment: LVMBEAT_EMAIL_{key}"),
            "give",
        );
    }
}

#[test]
fn m3_a_gap_in_listening_cannot_be_longer_than_the_silence_that_alarms() {
    let short = parse("outside_monitor: {send_email_after: 2}").unwrap();
    assert_eq!(short.attention, Duration::from_secs(2));
    assert_eq!(
        short.alarm().unwrap().alert_after(),
        embassy_time::Duration::from_secs(2)
    );
    assert!(parse("outside_monitor: {send_email_after: 2}\nmonitor: {attention: 2.1}").is_err());
    let reminding = parse("monitor: {remind_every: 7}")
        .unwrap()
        .alarm()
        .unwrap();
    assert_eq!(
        reminding.remind_every(),
        Some(embassy_time::Duration::from_secs(7))
    );
}

#[test]
fn neither_program_is_kept_from_starting_by_the_others_part() {
    let monitors = "outside_monitor: {send_email_after: -1}\nmonitor: {email: {host: x}, ping_token_file: /does/not/exist}";
    assert!(parse(monitors).is_err());
    assert!(Config::parse("", monitors, &|_| None).is_ok());
    let actors = "actor: {password_file: /does/not/exist}\nheartbeats: []";
    assert!(Config::parse("", actors, &|_| None).is_err());
    assert!(parse(actors).is_ok());
}

#[test]
fn people_are_told_of_a_withheld_heartbeat_unless_that_is_switched_off() {
    let after = |text| parse(text).unwrap().held_after;
    assert_eq!(after(""), Some(Duration::from_secs(20)));
    let fifteen = after("monitor: {held_after: 15}");
    assert_eq!(fifteen, Some(Duration::from_secs(15)));
    assert_eq!(after("monitor: {held_alerts: false}"), None);
    let off = parse("monitor: {held_alerts: false}").unwrap();
    assert!(effective(&off).contains("held_alerts: false"));
    assert_refused(
        parse("monitor: {held_after: 0}"),
        "lvmbeat.yaml: monitor.held_after",
        "seconds",
    );
}

#[test]
fn the_all_clear_waits_no_longer_than_the_alarm_unless_that_is_said() {
    let after = |text| parse(text).unwrap().clear_after;
    assert_eq!(after(""), Duration::from_secs(120));
    let short = "outside_monitor: {send_email_after: 30}";
    assert_eq!(after(short), Duration::from_secs(30));
    assert_eq!(after("monitor: {clear_after: 0}"), Duration::ZERO);
    assert_eq!(
        after("monitor: {clear_after: 600}"),
        Duration::from_secs(600)
    );
}

#[test]
fn a_webhook_has_a_format_that_is_known_and_the_token_that_it_needs() {
    let text = |rest: &str| {
        format!("monitor: {{webhooks: [{{name: a, url: 'https://a.example/', {rest}}}]}}")
    };
    let format = parse(&text("format: discord")).unwrap().webhooks[0].format;
    assert_eq!(format, Format::Discord);
    assert_refused(
        parse(&text("format: pager")),
        "lvmbeat.yaml: monitor.webhooks[0].format",
        "pagerduty",
    );
    assert_refused(
        parse(&text("format: pagerduty")),
        "lvmbeat.yaml: monitor.webhooks[0].token_file",
        "key",
    );
}

#[test]
fn a_quiet_time_needs_two_different_times_and_a_zone_that_exists() {
    let quiet = |rest: &str| parse(&format!("monitor: {{quiet: [{{{rest}}}]}}"));
    let right = quiet("from: '08:00', to: '16:00'").unwrap();
    assert_eq!(right.quiet.len(), 1);
    assert!(
        effective(&right).contains("from: 08:00:00"),
        "{}",
        effective(&right)
    );
    for (wrong, place, remedy) in [
        ("from: '25:00', to: '16:00'", "from", "08:00"),
        ("from: '08:00'", "to", "08:00"),
        ("from: '08:00', to: '08:00'", "to", "two times"),
        (
            "from: '08:00', to: '09:00', zone: Moon",
            "zone",
            "America/Santiago",
        ),
    ] {
        let place = format!("lvmbeat.yaml: monitor.quiet[0].{place}");
        assert_refused(quiet(wrong), &place, remedy);
    }
}
