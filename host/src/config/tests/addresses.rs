//! Addresses of brokers, hosts and monitors, and the secrets in them (X1).

use super::*;

#[test]
fn hosts_are_read_in_every_form_and_in_their_order() {
    let config = parse(
        "network:\n  hosts: {z: 8.8.8.8, a: 'host:99', i: 'icmp://::1', t: 'tcp://[::1]:80', v: '::1', b: '[::1]:7'}",
    )
    .unwrap();
    let hosts: Vec<_> = config
        .network
        .hosts
        .into_iter()
        .map(|host| (host.name, host.target))
        .collect();
    let expected = [
        ("z", Target::Either("8.8.8.8".into(), 443)),
        ("a", Target::Either("host".into(), 99)),
        ("i", Target::Icmp("::1".into())),
        ("t", Target::Tcp("::1".into(), 80)),
        ("v", Target::Either("::1".into(), 443)),
        ("b", Target::Either("::1".into(), 7)),
    ];
    assert_eq!(
        hosts,
        expected.map(|(name, target)| (name.to_owned(), target))
    );
}

#[test]
fn hosts_that_are_none_are_refused() {
    for host in [
        "tcp://h",
        "icmp://h:1",
        "udp://h:1",
        "h:0",
        "h:70000",
        "two words",
        "[::1",
        "a/b",
    ] {
        assert_refused(
            &format!("network: {{hosts: {{a: '{host}'}}}}"),
            "network.hosts.a",
            "give HOST",
        );
    }
}

#[test]
fn the_broker_is_given_by_host_or_by_url_and_the_environment_wins() {
    let broker = |config: Config| config.actor.brokers[0].reveal().to_string();
    assert_eq!(
        broker(parse("").unwrap()),
        "amqp://guest:guest@localhost:5672"
    );
    assert_eq!(
        broker(parse("actor: {host: h, port: 1, user: me}").unwrap()),
        "amqp://me:guest@h:1"
    );
    assert_eq!(
        broker(parse("actor: {host: '::1'}").unwrap()),
        "amqp://guest:guest@[::1]:5672"
    );
    assert_eq!(
        broker(parse("actor: {url: 'amqps://u:p@h:1/v'}").unwrap()),
        "amqps://u:p@h:1/v"
    );
    let config = parse_with(
        "actor: {host: h}",
        &[("LVMBEAT_AMQP_URL", "amqp://u:p@env/v")],
    )
    .unwrap();
    assert_eq!(broker(config), "amqp://u:p@env/v");
    assert_refused("actor: {url: 'amqp://h', host: h}", "actor.url", "either");
    assert_refused("actor: {url: 'http://h'}", "actor.url", "amqp://");
    assert_refused("actor: {url: h}", "actor.url", "amqp://");
}

#[test]
fn several_brokers_are_a_list_and_not_hosts_in_one_url() {
    let brokers = |config: Config| -> Vec<String> {
        let brokers = config.actor.brokers.iter();
        brokers.map(|url| url.reveal().to_string()).collect()
    };
    let listed = "actor: {url: ['amqp://a', 'amqp://me:p@b:1/v'], user: u}";
    assert_eq!(
        brokers(parse(listed).unwrap()),
        ["amqp://u:guest@a", "amqp://u:p@b:1/v"]
    );
    let variable = "amqp://me:p,q@a/v, amqps://b";
    let config = parse_with("actor: {user: u}", &[("LVMBEAT_AMQP_URL", variable)]).unwrap();
    assert_eq!(brokers(config), ["amqp://me:p,q@a/v", "amqps://u:guest@b"]);
    for text in [
        "actor: {host: 'a,b'}",
        "actor: {url: 'amqp://a,b'}",
        "actor: {url: 'amqp://u:p@a%2Cb:5672'}",
    ] {
        assert_refused(text, "actor.", "as a list of URLs");
    }
    assert_refused("actor: {port: 0}", "actor.port", "5672");
    assert_refused("actor: {url: 'amqp://a:0'}", "actor.url", "5672");
}

#[test]
fn a_user_and_a_password_are_sent_as_they_are_written() {
    let file = std::env::temp_dir().join(format!("lvmbeat-as-written-{}", std::process::id()));
    let written = "p%41/@:,# %";
    std::fs::write(&file, written).unwrap();
    let text = format!(
        "actor: {{user: 'u%41@', password_file: '{}'}}",
        file.display()
    );
    let config = parse(&text).unwrap();
    std::fs::remove_file(file).unwrap();
    // What lapin makes of it.
    let uri: lapin::uri::AMQPUri = config.actor.brokers[0].reveal().as_str().parse().unwrap();
    assert_eq!(uri.authority.userinfo.username, "u%41@");
    assert_eq!(uri.authority.userinfo.password, written);
    // In a URL it means what it means in any.
    let config = parse("actor: {url: 'amqp://u%41:p%41@h'}").unwrap();
    let uri: lapin::uri::AMQPUri = config.actor.brokers[0].reveal().as_str().parse().unwrap();
    assert_eq!(uri.authority.userinfo.username, "uA");
    assert_eq!(uri.authority.userinfo.password, "pA");
}

#[test]
fn outside_monitors_are_none_one_or_many_and_get_their_path() {
    let urls = |config: Config| -> Vec<String> {
        config
            .outside
            .urls
            .iter()
            .map(|url| url.reveal().to_string())
            .collect()
    };
    assert!(urls(parse("outside_monitor: {url: null}").unwrap()).is_empty());
    assert_eq!(
        urls(parse("outside_monitor: {url: 'https://m/'}").unwrap()),
        ["https://m/heartbeat"]
    );
    assert_eq!(
        urls(parse("outside_monitor: {url: ['http://m/heartbeat', 'http://n/x?t=1']}").unwrap()),
        ["http://m/heartbeat", "http://n/x/heartbeat?t=1"]
    );
    let config = parse_with(
        "outside_monitor: {url: 'http://m'}",
        &[("LVMBEAT_OUTSIDE_MONITOR_URL", "http://e")],
    )
    .unwrap();
    assert_eq!(urls(config), ["http://e/heartbeat"]);
    assert_refused(
        "outside_monitor: {url: 'ftp://m'}",
        "outside_monitor.url",
        "http",
    );
    assert_refused(
        "outside_monitor: {url: 7}",
        "outside_monitor.url",
        "in quotes",
    );
}

#[test]
fn x1_a_token_goes_to_the_first_monitor_only_and_not_over_its_own() {
    let file = std::env::temp_dir().join(format!("lvmbeat-token-{}", std::process::id()));
    std::fs::write(&file, "hunt/er2\n").unwrap();
    let yaml = |urls: &str| {
        let file = file.display();
        format!("outside_monitor: {{url: {urls}, token_file: '{file}'}}")
    };
    let urls = |config: &Config| -> Vec<String> {
        let urls = config.outside.urls.iter();
        urls.map(|url| url.reveal().to_string()).collect()
    };
    let config = parse(&yaml("['https://m', 'https://n']")).unwrap();
    assert_eq!(
        urls(&config),
        [
            "https://lvmbeat:hunt%2Fer2@m/heartbeat",
            "https://n/heartbeat"
        ]
    );
    assert!(!effective(&config, "").contains("hunt"));
    let config = parse(&yaml("'https://any:own@m'")).unwrap();
    assert_eq!(urls(&config), ["https://any:own@m/heartbeat"]);
    let environment = [("LVMBEAT_PING_TOKEN", "other")];
    let config = parse_with(&yaml("'https://m'"), &environment).unwrap();
    assert_eq!(urls(&config), ["https://lvmbeat:other@m/heartbeat"]);
    std::fs::remove_file(&file).unwrap();
    assert_refused(
        &yaml("'https://m'"),
        "outside_monitor.token_file",
        "can read",
    );
}

#[test]
fn x1_no_error_and_no_view_shows_a_password() {
    let refused = parse("actor: {url: 'amqp://me:hunter2@ho st/'}").unwrap_err();
    assert!(!refused.to_string().contains("hunter2"), "{refused}");
    let refused = parse("outside_monitor: {url: 'ftp://me:hunter2@m?token=hunter2'}").unwrap_err();
    assert!(!refused.to_string().contains("hunter2"), "{refused}");
    let config = parse("actor: {url: 'amqp://me:hunter2@h'}\noutside_monitor: {url: 'http://u:hunter2@m?token=hunter2'}").unwrap();
    let shown = effective(&config, "");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn x1_secrets_are_read_from_files() {
    let file = std::env::temp_dir().join(format!("lvmbeat-secret-{}", std::process::id()));
    std::fs::write(&file, "hunter2\n").unwrap();
    let config = parse(&format!(
        "actor: {{host: h, password_file: '{}'}}",
        file.display()
    ))
    .unwrap();
    assert_eq!(config.actor.brokers[0].reveal().password(), Some("hunter2"));
    std::fs::write(&file, "http://monitor\n").unwrap();
    let config = parse_with(
        "",
        &[(
            "LVMBEAT_OUTSIDE_MONITOR_URL_FILE",
            &file.display().to_string(),
        )],
    )
    .unwrap();
    assert_eq!(config.outside.urls.len(), 1);
    std::fs::remove_file(&file).unwrap();
    assert_refused(
        &format!("actor: {{password_file: '{}'}}", file.display()),
        "actor.password_file",
        "can read",
    );
}

#[test]
fn x1_a_value_in_the_wrong_place_is_not_shown() {
    for yaml in [
        "actor: amqp://me:hunter2@broker",
        "amqp://me:hunter2@broker",
        "outside_monitor: 'https://x/?token=\", expected hunter2'",
        "ecp: {cutoff: 'hunter2\", expected hunter2'}",
        "heartbeats: hunter2",
        "actor: {port: hunter2}",
        "network: {hosts: hunter2}",
        "actor: !hunter2 x",
    ] {
        let error = Config::parse("test", yaml, &|_| None).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    let error = Config::parse("test", "ecp: {cutoff: soon}", &|_| None).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("test: ecp.cutoff: is text, but a number of seconds is expected"),
        "{error}"
    );
}

#[test]
fn x1_the_management_api_has_the_brokers_user_unless_it_has_its_own() {
    let given = |url: &str| {
        parse(&format!(
            "actor: {{url: 'amqp://me:hunter2@broker', management_url: '{url}'}}"
        ))
    };
    let revealed = |url: &str| {
        let management = given(url).unwrap().actor.management.unwrap();
        assert!(!management.to_string().contains("hunter2"), "{management}");
        management.reveal().to_string()
    };
    assert_eq!(
        revealed("http://broker:15672"),
        "http://me:hunter2@broker:15672/"
    );
    assert_eq!(
        revealed("https://you:other@broker:15671/rabbit"),
        "https://you:other@broker:15671/rabbit"
    );
    for bad in [
        "broker:15672",
        "amqp://hunter2@broker",
        "http://hunter2@broker:0",
    ] {
        let error = given(bad).unwrap_err().to_string();
        assert!(error.contains("actor.management_url"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn x1_every_file_that_holds_a_secret_is_known() {
    let text = "actor: {password_file: a}
outside_monitor: {token_file: b}
monitor:
  state_file: s
  ping_token_file: c
  admin_token_file: d
  ping_url_file: e
  email: {password_file: f}
  slack: {token_file: g}
  webhooks: [{name: w, url_file: h, token_file: i}]
";
    let source = Source::text("test", text);
    let raw = raw::RawConfig::read(&source, &|_| None, &mut Faults::default());
    let files: Vec<_> = raw
        .secret_files()
        .into_iter()
        .map(|(_, file)| file)
        .collect();
    let files: Vec<_> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    assert_eq!(files.join(""), "abcdefghi");
    let environment = |name: &str| (name == "SLACK_API_TOKEN_FILE").then(|| "slack".to_owned());
    let named = environment::secret_files(&environment);
    assert_eq!(named, [("SLACK_API_TOKEN_FILE".to_owned(), "slack".into())]);
}
