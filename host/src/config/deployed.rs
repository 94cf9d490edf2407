//! What is deployed with the Python version works as it is, or is refused with what to write
//! instead.

use std::time::Duration;

use super::monitor::Monitor;
use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    parse_with(text, &[])
}

fn parse_with(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::parse("lvmbeat.yaml", text, &|name| {
        let given = variables.iter().find(|(known, _)| *known == name);
        given.map(|(_, value)| (*value).to_owned())
    })
}

/// Each fault as its key and its remedy.
fn faults(text: &str) -> Vec<(String, String)> {
    let said = parse(text).expect_err("it must be refused").to_string();
    said.lines()
        .map(|line| {
            let line = line.strip_prefix("lvmbeat.yaml: ").expect(line);
            let (key, rest) = line.split_once(": ").expect(line);
            let (_, remedy) = rest.rsplit_once("; ").expect(line);
            (key.to_owned(), remedy.to_owned())
        })
        .collect()
}

#[track_caller]
fn assert_refused(text: &str, key: &str, remedy: &str) {
    let faults = faults(text);
    let [(found, said)] = faults.as_slice() else {
        panic!("one fault of {text}: {faults:?}")
    };
    assert_eq!(found, key, "{text}");
    assert!(said.contains(remedy), "no {remedy}: {said}");
}

fn broker(text: &str) -> String {
    parse(text).unwrap().actor.brokers[0].reveal().to_string()
}

#[test]
fn s1_the_file_of_every_published_version_works_as_it_is() {
    let actor = "{name: lvmbeat, host: localhost, port: 5672, log_dir: /data/logs/lvmbeat}";
    let watched = "[{name: overwatcher, critical: true}]";
    for (version, timeout, monitor) in [
        ("0.1.0", "", "{url: null, send_email_after: 300}"),
        (
            "0.1.1, 0.1.2, 0.2.1",
            "timeout: 30\n",
            "{url: null, interval: 15, send_email_after: 300}",
        ),
        (
            "0.2.2, 0.3.0",
            "timeout: 30\n",
            "{url: null, interval: 15, send_email_after: 300, check_heartbeat_every: 120}",
        ),
    ] {
        let text =
            format!("actor: {actor}\n{timeout}outside_monitor: {monitor}\nheartbeats: {watched}");
        let config = parse(&text).unwrap_or_else(|error| panic!("{version}: {error}"));
        let monitor = Monitor::parse("", &text, &|_| None).unwrap();
        let built_in = Config::parse("", BUILT_IN, &|_| None).unwrap();
        assert_eq!(config.effective(&monitor), built_in.effective(&monitor));
    }
}

#[test]
fn s1_the_timeout_at_the_top_is_that_of_every_heartbeat_without_its_own() {
    let text = "timeout: 20\nheartbeats: [{name: a}, {name: b, timeout: 40}]";
    let timeouts: Vec<_> = parse(text)
        .unwrap()
        .heartbeats
        .iter()
        .map(|h| h.timeout)
        .collect();
    assert_eq!(timeouts, [20, 40].map(Duration::from_secs));
    assert_refused("timeout: 0", "timeout", "between 0.001 and 86400");
    assert_refused("timeout: 5", "heartbeats[0].timeout", "raise it");
}

#[test]
fn what_the_base_class_takes_under_actor_works_or_is_named() {
    assert_eq!(
        broker(
            "actor: {host: h, port: 5671, user: me, password: secret, virtualhost: lvm, ssl: true}"
        ),
        "amqps://me:secret@h:5671/lvm"
    );
    assert_eq!(
        broker("actor: {ssl: yes}"),
        "amqps://guest:guest@localhost:5671"
    );
    assert_eq!(
        broker("actor: {ssl: false}"),
        "amqp://guest:guest@localhost:5672"
    );
    assert_eq!(
        broker("actor: {virtualhost: /}"),
        "amqp://guest:guest@localhost:5672"
    );
    let slashed = broker("actor: {virtualhost: /lvm%41}");
    assert_eq!(slashed, "amqp://guest:guest@localhost:5672/%2Flvm%2541");
    for beside in ["host: h", "port: 1", "virtualhost: v", "ssl: true"] {
        let text = format!("actor: {{url: 'amqp://h', {beside}}}");
        assert_refused(&text, "actor.url", "its parts");
    }
    let both = "actor: {password: a, password_file: b}";
    assert_refused(both, "actor.password", "only one of them");
    for (key, remedy) in [
        ("vhost", "actor.virtualhost"),
        ("login", "actor.user"),
        ("version", "leave it out"),
        ("schema", "leave it out"),
        ("models", "leave it out"),
        ("store", "leave it out"),
        ("validate", "leave it out"),
        ("additional_properties", "leave it out"),
        ("parser", "leave it out"),
        ("log", "actor.log_dir"),
        ("verbose", "-v"),
        ("config", "into this file"),
        ("heartbeats", "at the top level"),
    ] {
        assert_refused(
            &format!("actor: {{{key}: x}}"),
            &format!("actor.{key}"),
            remedy,
        );
    }
    assert_refused("client: {name: x}", "client", "call the section actor");
}

#[test]
fn x1_a_password_of_the_file_is_never_shown() {
    let text = "actor: {host: h, password: hunter2}";
    let config = parse(text).unwrap();
    let monitor = Monitor::parse("", text, &|_| None).unwrap();
    assert!(!config.effective(&monitor).contains("hunter2"));
    assert!(!format!("{config:?}").contains("hunter2"));
    let said = parse("actor: {host: 'h h', password: hunter2$HOME}").unwrap_err();
    assert!(!said.to_string().contains("hunter2"), "{said}");
}

#[test]
fn s1_what_sdsstools_replaces_is_replaced_or_refused() {
    let text = "actor:
  host: ${RABBITMQ_HOST}
  port: ${RABBITMQ_PORT|5671}
  log_dir: ~/logs
  http: !env 127.0.0.1:${HTTP}
timeout: ${T|20}
heartbeats:
  - name: ${WHO}
    critical: ${CRITICAL}";
    let variables = [
        ("RABBITMQ_HOST", "rabbit"),
        ("HOME", "/home/me"),
        ("HTTP", "8081"),
        ("WHO", "gort"),
        ("CRITICAL", "yes"),
    ];
    let config = parse_with(text, &variables).unwrap();
    assert_eq!(
        config.actor.brokers[0].reveal().as_str(),
        "amqp://guest:guest@rabbit:5671"
    );
    assert_eq!(config.actor.log_dir, Some("/home/me/logs".into()));
    assert_eq!(config.actor.http.unwrap().port(), 8081);
    let [heartbeat] = config.heartbeats.as_slice() else {
        panic!("{:?}", config.heartbeats)
    };
    assert_eq!(
        (heartbeat.name.as_str(), heartbeat.critical),
        ("gort", true)
    );
    assert_eq!(heartbeat.timeout, Duration::from_secs(20));
    for (text, key, remedy) in [
        (
            "actor:\n  host: ${HOST}",
            "actor.host",
            "set it, or write ${HOST|DEFAULT}",
        ),
        (
            "actor: {log_dir: $HOME/logs}",
            "actor.log_dir",
            "write ${HOME}",
        ),
        ("actor: {host: $(host)}", "actor.host", "the value itself"),
        ("variables: {host: h}", "variables", "where they are used"),
        ("actor: {host: !include x}", "actor.host", "without it"),
        (
            "actor: {host: !!python/name:os.system x}",
            "line 1",
            "without it",
        ),
        (
            "# a\n\n #!extends base.yaml\nactor: {}",
            "#!extends",
            "into one file",
        ),
        (
            "outside_monitor.interval: 5",
            "outside_monitor.interval",
            "below outside_monitor",
        ),
    ] {
        assert_refused(text, key, remedy);
    }
}

#[test]
fn s1_a_file_is_merged_over_another_as_in_the_python_version() {
    let lower = "{actor: {host: low, port: 7}, timeout: 50, heartbeats: [{name: a}, {name: b}]}";
    let upper =
        "{actor: {host: up, user: me}, outside_monitor: {url: null}, heartbeats: [{name: c}]}";
    let mut source = Source::text("low", lower);
    source.texts.push(("up".to_owned(), upper.to_owned()));
    source.texts.push(("empty".to_owned(), String::new()));
    let config = Config::read(&source, &|_| None).unwrap();
    assert_eq!(
        config.actor.brokers[0].reveal().as_str(),
        "amqp://me:guest@up:7"
    );
    let names: Vec<_> = config.heartbeats.iter().map(|h| h.name.as_str()).collect();
    assert_eq!(names, ["c"]);
    assert_eq!(config.heartbeats[0].timeout, Duration::from_secs(50));
    // A value that is empty wins, too.
    let mut source = Source::text("low", "outside_monitor: {url: 'http://m'}");
    source.texts.push(("up".to_owned(), upper.to_owned()));
    assert!(
        Config::read(&source, &|_| None)
            .unwrap()
            .outside
            .urls
            .is_empty()
    );
    // A fault of YAML names its file.
    let mut source = Source::text("low", "actor: [");
    source.texts.push(("up".to_owned(), upper.to_owned()));
    let said = Config::read(&source, &|_| None).unwrap_err().to_string();
    assert!(said.starts_with("low: "), "{said}");
}

#[test]
fn x2_shapes_that_people_write_mean_what_they_say() {
    let text = "\u{feff}x: &x\r\n  timeout: '20'\r\n  critical: yes\r\nheartbeats:\r\n  - {name: a, <<: *x}\r\n";
    assert_eq!(faults(text)[0].0, "x", "an anchor needs a known place");
    let text = "\u{feff}heartbeats:\r\n  - &x\r\n    name: a\r\n    timeout: '20'\r\n    critical: \"Off\"\r\n  - <<: *x\r\n    name: b\r\n    critical: on\r\n  - <<: [{critical: 1}, *x]\r\n    name: c\r\n";
    let config = parse(text).unwrap();
    let seen: Vec<_> = config
        .heartbeats
        .iter()
        .map(|h| (h.name.as_str(), h.critical, h.timeout.as_secs()))
        .collect();
    assert_eq!(seen, [("a", false, 20), ("b", true, 20), ("c", true, 20)]);
    assert_eq!(
        broker("actor: {port: '5673'}"),
        "amqp://guest:guest@localhost:5673"
    );
    let long = parse("ecp: {cutoff: 1_0}\nactor: {command_ttl: 4s}\nmax_close_after: 3m").unwrap();
    assert_eq!(long.ecp.cutoff, Duration::from_secs(10));
    assert_eq!(long.max_close_after, Duration::from_secs(180));
    assert_eq!(parse("actor: {log_dir: ''}").unwrap().actor.log_dir, None);
    assert!(
        parse("outside_monitor: {url: ''}")
            .unwrap()
            .outside
            .urls
            .is_empty()
    );
    assert_eq!(
        parse("actor:\necp: ~\nnetwork: null\n")
            .unwrap()
            .network
            .hosts
            .len(),
        2
    );
    for (text, key, remedy) in [
        ("heartbeats: [overwatcher]", "heartbeats[0]", "key: value"),
        (
            "heartbeats: {overwatcher: {critical: true}}",
            "heartbeats",
            "begin each entry with `- `",
        ),
        (
            "actor: {port: 05672}",
            "actor.port",
            "without leading zeros",
        ),
        (
            "actor: {port: 5672.5}",
            "actor.port",
            "without leading zeros",
        ),
        ("timeout: 1:30", "timeout", "30, or 5m"),
        ("timeout: 030", "timeout", "30, or 5m"),
        ("timeout: true", "timeout", "30, or 5m"),
        ("actor: {user: 12345}", "actor.user", "in quotes"),
        (
            "heartbeats: [{name: a, critical: maybe}]",
            "heartbeats[0].critical",
            "true or false",
        ),
        ("1: x", "the whole file", "in quotes"),
        ("actor: {host: ''}", "actor.host", "leave it out"),
        (
            "heartbeats: [{name: a, <<: 7}]",
            "heartbeats[0]",
            "anchor of a mapping",
        ),
    ] {
        assert_refused(text, key, remedy);
    }
    let flow = parse("actor: {host: ${HOST}}").unwrap_err().to_string();
    assert!(flow.contains("\"${NAME}\" in quotes"), "{flow}");
    assert_refused(
        "outside_monitor: {url: 'http://h:0'}",
        "outside_monitor.url",
        "give http",
    );
    assert_refused(
        "actor: {http: '127.0.0.1:0'}",
        "actor.http",
        "127.0.0.1:8080",
    );
    let tab = parse("actor:\n\thost: x").unwrap_err().to_string();
    assert!(tab.contains("a tab indents at line 2"), "{tab}");
}

#[test]
fn s1_a_host_that_is_null_is_not_probed() {
    for none in ["null", "~", ""] {
        let text = format!("network:\n  hosts:\n    lco: {none}\n    outside: 8.8.8.8");
        let hosts = parse(&text).unwrap().network.hosts;
        let names: Vec<_> = hosts.iter().map(|host| host.name.as_str()).collect();
        assert_eq!(names, ["outside"]);
    }
    // An empty variable is no such wish.
    let text = "network:\n  hosts:\n    lco: ${LCO|}";
    assert_refused(text, "network.hosts.lco", "leave it out");
    assert_refused(
        "network: {hosts: {lco: false}}",
        "network.hosts.lco",
        "null for none",
    );
}

#[test]
fn x2_all_faults_are_reported_and_each_once() {
    let text = "actr: {}
actor: {prot: 1, port: x, name: a b, amqp_heartbeat: 0, command_ttl: 0, http: x}
timeout: -1
heartbeats: [{nam: a, timeout: 0, interval: 0}, {name: b, critical: perhaps}]
ecp: {cutoff: soon, retry: 0, actor: '#'}
emit: {serial: {path: x, baud: 1, timeout: 0}}
network: {interval: 0, failures: 0, hosts: {a: 'x:0', b: 'tcp://y'}}
outside_monitor: {url: [ftp://m, 'http://h:0'], interval: 0, timeout: 0}
max_close_after: 0";
    let found: Vec<_> = faults(text).into_iter().map(|(key, _)| key).collect();
    let shown = [
        "actr",
        "actor.prot",
        "actor.port",
        "heartbeats[0].nam",
        "heartbeats[1].critical",
        "ecp.cutoff",
        "actor.amqp_heartbeat",
        "actor.name",
        "actor.command_ttl",
        "actor.http",
        "timeout",
        "heartbeats[0].name",
        "heartbeats[0].timeout",
        "heartbeats[0].interval",
        "ecp.actor",
        "ecp.retry",
        "emit.serial.baud",
        "emit.serial.timeout",
        "network.interval",
    ];
    assert_eq!(found.get(..shown.len()).unwrap_or(&found), shown);
}

#[test]
fn x2_a_file_that_holds_too_much_is_refused() {
    // Anchors that name anchors; a mapping with very many keys; a key and a name without end.
    let mut bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
    for level in 1..9 {
        let lower = vec![format!("*a{}", level - 1); 10].join(", ");
        let line = format!("a{level}: &a{level} [{lower}]\n");
        bomb += &line;
    }
    let wide: String = (0..2000).map(|index| format!("k{index}: 1\n")).collect();
    let flat = format!("- &a [{}]\n", "1,".repeat(20_000)) + &"- *a\n".repeat(20_000);
    for text in [bomb, wide, flat] {
        let said = parse(&text).unwrap_err().to_string();
        assert!(said.len() < 300 && said.lines().count() == 1, "{said}");
    }
    let long = "x".repeat(900_000);
    for text in [
        format!("{long}: 1"),
        format!("heartbeats: [{{name: {long}}}]"),
        format!("actor: {{name: {long}}}"),
        format!("actor: {{host: \"a\\n\\e{long}\"}}"),
        format!("network: {{hosts: {{{long}: h h}}}}"),
        format!("{long}: [{}]", "[],".repeat(30_000)),
    ] {
        let said = parse(&text).unwrap_err().to_string();
        assert!(said.len() < 2000, "{}", said.len());
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(!said.contains('\u{1b}'), "{said}");
    }
}
