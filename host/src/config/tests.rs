mod addresses;

use std::error::Error as _;
use std::time::Duration;

use super::*;
use crate::errors::with_causes;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse("lvmbeat.yaml", text, &|_| None)
}

/// What `check` shows, with the monitor's part of the same text.
fn effective(config: &Config, text: &str) -> String {
    config.effective(&monitor::Monitor::parse("lvmbeat.yaml", text, &|_| None).unwrap())
}

fn parse_with(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::parse("lvmbeat.yaml", text, &|name| {
        variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    })
}

/// The sentence must name the file, the key, and a remedy behind a semicolon.
#[track_caller]
fn assert_refused(text: &str, key: &str, remedy: &str) {
    let sentence = parse(text)
        .expect_err("this configuration must be refused")
        .to_string();
    assert!(
        sentence.starts_with("lvmbeat.yaml: "),
        "no file: {sentence}"
    );
    assert!(sentence.contains(key), "no key {key}: {sentence}");
    let (_, last) = sentence
        .rsplit_once(';')
        .unwrap_or_else(|| panic!("no remedy: {sentence}"));
    assert!(last.contains(remedy), "no remedy {remedy}: {sentence}");
    assert!(!sentence.contains('\n'), "more than one line: {sentence}");
}

#[test]
fn the_documented_configuration_is_the_default_one() {
    let documented = parse(BUILT_IN).unwrap();
    let mut empty = parse("").unwrap();
    assert_eq!(
        documented.actor.log_dir,
        Some(PathBuf::from("/data/logs/lvmbeat"))
    );
    empty.actor.log_dir.clone_from(&documented.actor.log_dir);
    empty.actor.journal.clone_from(&documented.actor.journal);
    assert_eq!(effective(&documented, BUILT_IN), effective(&empty, ""));
}

#[test]
fn every_key_that_is_shown_commented_out_is_known_and_shows_its_default() {
    // Takes the comment signs off: what stands behind them has to be a valid configuration, and the
    // default one.
    let uncommented: String = BUILT_IN
        .lines()
        .filter(|line| {
            !["# user:", "# password_file:", "# token_file:"]
                .iter()
                .any(|key| line.contains(key))
        })
        .filter_map(|line| {
            let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
            let key = rest.strip_prefix("# ").unwrap_or(rest);
            let is_key = key.split_whitespace().next().is_some_and(|word| {
                word.ends_with(':')
                    && word
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || "_:".contains(c))
            });
            (is_key || rest.starts_with('-')).then(|| format!("{indent}{key}\n"))
        })
        .collect();
    assert!(
        uncommented.contains("max_close_after: 180"),
        "{uncommented}"
    );
    let config = parse(&uncommented).unwrap_or_else(|error| panic!("{error}\n{uncommented}"));
    assert!(uncommented.contains("    recipients: []"), "{uncommented}");
    assert_eq!(
        effective(&config, &uncommented),
        effective(&parse(BUILT_IN).unwrap(), BUILT_IN)
    );
}

#[test]
fn what_is_shown_as_effective_can_be_read_back() {
    let text = "emit:
  serial: {path: /dev/ttyUSB0, baud: 9600, source: dome, timeout: 1}
network:\n  hosts: {a: 'icmp://h', b: 'tcp://[::1]:80', c: h}
monitor:
  remind_every: 3600
  email: {recipients: [a@example.org], from: 'b <b@example.org>', host: smtp, tls: implicit}
  webhooks: [{name: w, url: 'https://example.org/'}]
  trusted_proxies: [10.0.0.0/8]";
    let shown = effective(&parse(text).unwrap(), text);
    assert_eq!(effective(&parse(&shown).unwrap(), &shown), shown);
}

#[test]
fn s4_the_budget_of_the_documented_configuration() {
    let config = parse(BUILT_IN).unwrap();
    // L 30, which is the timeout, + a 2 + e 5 + w 5 + P 60: a single client, whose own beat alone
    // can emit.
    assert_eq!(
        std_duration(config.budget.closing),
        Duration::from_secs(30 + 2 + 5 + 5 + 60)
    );
    // Beats every 5 s through a cut-off of 10 s: 15 s, and e 5 + w 5.
    assert_eq!(std_duration(config.budget.gap), Duration::from_secs(25));
    assert_eq!(std_duration(config.budget.margin), Duration::from_secs(35));
    assert!(
        config
            .budget_report()
            .contains("35 s before it would close"),
        "{}",
        config.budget_report()
    );
}

#[test]
fn s4_the_largest_timeout_counts_when_several_are_critical() {
    let two = parse("heartbeats: [{name: a, timeout: 20}, {name: b, timeout: 50}, {name: c, critical: false, timeout: 900}]").unwrap();
    let one = parse("heartbeats: [{name: a, timeout: 50}]").unwrap();
    assert_eq!(two.budget.closing, one.budget.closing);
}

#[test]
fn s4_a_single_clients_lateness_shortens_the_closing_time() {
    let late = parse("heartbeats: [{name: a, lateness: 12}]").unwrap();
    assert_eq!(
        std_duration(late.budget.closing),
        Duration::from_secs(12 + 2 + 5 + 5 + 60)
    );
    let report = late.budget_report();
    assert!(
        report.contains("L 12 during which a beat of a may count"),
        "{report}"
    );
}

#[test]
fn s3_a_lateness_that_no_beat_could_keep_is_refused() {
    assert_refused(
        "heartbeats: [{name: a, lateness: 6}]",
        "heartbeats[0].lateness",
        "raise it",
    );
    assert!(parse("heartbeats: [{name: a, lateness: 6, proof: required}]").is_ok());
}

#[test]
fn s4_a_closing_time_above_the_limit_is_refused() {
    assert_refused(
        "{max_close_after: 60, network: {hosts: {}}}",
        "max_close_after",
        "lower the timeouts",
    );
}

#[test]
fn s4_a_network_link_that_fails_has_a_budget_of_its_own() {
    let config = parse(BUILT_IN).unwrap();
    // Three probes every 15 s, 2 s for the last, e 5 + w 5 + P 60.
    assert_eq!(config.link_closing, Some(Duration::from_secs(45 + 2 + 70)));
    assert!(
        config
            .budget_report()
            .contains("within 117 s = 3 probes every 15 s")
    );
    assert_refused("network: {interval: 60}", "network.interval", "lower");
    assert_eq!(
        parse("network: {hosts: {}, interval: 60}")
            .unwrap()
            .link_closing,
        None
    );
}

#[test]
fn l1_a_margin_of_zero_or_less_is_refused() {
    // P 60 - (15 + 5 + 40) = 0.
    assert_refused("ecp: {command_timeout: 40}", "ecp.cutoff", "lower");
    assert!(parse("ecp: {command_timeout: 39.9}").is_ok());
}

#[test]
fn x2_unknown_keys_and_wrong_types_are_refused_with_their_place() {
    assert_refused("actor: {hots: x}", "actor.hots", "did you mean actor.host?");
    assert_refused("actor: {ulr: x}", "actor.ulr", "did you mean actor.url?");
    assert_refused("hartbeats: []", "hartbeats", "did you mean heartbeats?");
    assert_refused("zzz: 1", "zzz", "the keys here are actor, timeout");
    assert_refused(
        "heartbeats: [{name: a, timeuot: 3}]",
        "heartbeats[0].timeuot",
        "did you mean heartbeats[0].timeout?",
    );
    assert_refused("ecp: {cutoff: soon}", "ecp.cutoff", "30, or 5m");
    assert_refused("actor: {port: 70000}", "actor.port", "give one");
    assert_refused(
        "heartbeats: [{critical: true}]",
        "heartbeats[0].name",
        "give the name",
    );
    assert_refused("- a\n- b", "is a list", "key: value");
    assert_refused("actor: [", "line", "documents every key");
    assert_refused(
        "network: {hosts: {a: h, a: i}}",
        "network.hosts.a",
        "give it once",
    );
}

#[test]
fn x2_times_that_are_none_are_refused() {
    for value in [
        "0", "-1", ".nan", ".inf", "-.inf", "1e300", "0.0001", "86401",
    ] {
        assert_refused(
            &format!("heartbeats: [{{name: a, timeout: {value}}}]"),
            "heartbeats[0].timeout",
            "0.001 and 86400",
        );
        assert_refused(
            &format!("ecp: {{cutoff: {value}}}"),
            "ecp.cutoff",
            "0.001 and 86400",
        );
        assert_refused(
            &format!("actor: {{command_ttl: {value}}}"),
            "actor.command_ttl",
            "0.001 and 86400",
        );
        assert_refused(
            &format!("max_close_after: {value}"),
            "max_close_after",
            "0.001 and 86400",
        );
    }
}

#[test]
fn x2_names_that_are_none_are_refused() {
    let long = "x".repeat(33);
    assert_refused(
        &format!("heartbeats: [{{name: {long}}}]"),
        "heartbeats[0].name",
        "choose another",
    );
    assert!(parse(&format!("heartbeats: [{{name: {}}}]", &long[..32])).is_ok());
    assert_refused(
        "heartbeats: [{name: ''}]",
        "heartbeats[0].name",
        "give a value",
    );
    assert_refused(
        "heartbeats: [{name: two words}]",
        "heartbeats[0].name",
        "choose another",
    );
    assert_refused(
        "heartbeats: [{name: a}, {name: a}]",
        "heartbeats[1].name",
        "its own name",
    );
    assert_refused("actor: {name: lvm.beat}", "actor.name", "without");
    assert_refused("ecp: {actor: '#'}", "ecp.actor", "without");
    let many: String = (0..17).map(|i| format!("  - name: h{i}\n")).collect();
    assert_refused(&format!("heartbeats:\n{many}"), "heartbeats", "at most 16");
    let many: String = (0..9).map(|i| format!("    l{i}: 127.0.0.1\n")).collect();
    assert_refused(
        &format!("network:\n  hosts:\n{many}"),
        "network.hosts",
        "at most 8",
    );
}

#[test]
fn a_box_is_named_by_its_device_and_knows_the_actor_by_name() {
    assert_eq!(parse("emit: {serial: {baud: 9600}}").unwrap().serial, None);
    assert_eq!(parse("emit: null").unwrap().serial, None);
    let text = "{actor: {name: gate}, emit: {serial: {path: /dev/ttyUSB0}}}";
    let serial = parse(text).unwrap().serial.unwrap();
    assert_eq!(
        (serial.source.as_str(), serial.baud, serial.timeout),
        ("gate", 115_200, Duration::from_secs(2))
    );
    let refused = |serial: &str, key: &str, remedy: &str| {
        let text = format!("emit: {{serial: {{path: /dev/ttyUSB0, {serial}}}}}");
        assert_refused(&text, key, remedy);
    };
    for no_device in ["/", "/etc/passwd"] {
        let text = format!("emit: {{serial: {{path: {no_device}}}}}");
        let error = parse(&text).unwrap_err().to_string();
        let expected = format!("emit.serial.path: {no_device} is no serial device; name the box's");
        assert!(error.contains(&expected), "{error}");
    }
    refused("baud: 0", "emit.serial.baud", "from 300 to 4000000");
    refused("source: 'a b'", "emit.serial.source", "choose another");
    refused("timeout: 0", "emit.serial.timeout", "seconds");
}

#[test]
fn s1_a_configuration_without_a_critical_heartbeat_is_refused() {
    assert_refused("heartbeats: []", "heartbeats", "critical: true");
    assert_refused(
        "heartbeats: [{name: a, critical: false}]",
        "heartbeats",
        "critical: true",
    );
}

#[test]
fn a_timeout_below_the_rate_of_the_client_is_refused() {
    assert_refused(
        "heartbeats: [{name: a, timeout: 5}]",
        "heartbeats[0].timeout",
        "heartbeats[0].interval",
    );
    assert_refused(
        "heartbeats: [{name: a}, {name: b, critical: false, timeout: 5}]",
        "heartbeats[1].timeout",
        "raise it",
    );
    assert!(parse("heartbeats: [{name: a, timeout: 8, interval: 1}]").is_ok());
}

#[test]
fn x2_what_is_long_or_no_file_is_refused_in_a_short_sentence() {
    let long = "a".repeat(1_000_000);
    for text in [
        format!("actor: {{name: {}}}", long.repeat(50)),
        format!("actor: {{name: {long}}}"),
        format!("actor: {{host: '{long},b'}}"),
        format!("heartbeats: [{{name: {long}}}]"),
        format!("network: {{hosts: {{{long}: x}}}}"),
        format!("network: {{hosts: {{a: 'b/{long}'}}}}"),
        format!("actor: {{{long}: 1}}"),
    ] {
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.len() < 700, "{} bytes", error.len());
    }
    for (file, is) in [("/dev/zero", "a device"), ("/", "a directory")] {
        for key in ["actor: {password_file", "outside_monitor: {token_file"] {
            let error = parse(&format!("{key}: {file}}}")).unwrap_err().to_string();
            assert!(
                error.contains(&format!("{file} cannot be read (it is {is}")),
                "{error}"
            );
        }
        let variables = [("LVMBEAT_AMQP_URL_FILE", file)];
        let error = parse_with("", &variables).unwrap_err().to_string();
        assert!(error.contains(is), "{error}");
    }
}

#[test]
fn s4_check_says_what_a_broker_that_is_far_costs() {
    let report = |text: &str| parse(text).unwrap().budget_report();
    assert!(report("").contains("closing may take r/2 longer"));
    assert!(report("").contains("From r = 3 s on, nothing is emitted"));
    assert!(report("actor: {command_ttl: 2}").contains("From r = 1.7 s on"));
    assert!(report("ecp: {expiration: 1}").contains("From r = 1 s on"));
}

#[test]
fn x2_a_fault_keeps_its_cause_and_says_it_once() {
    let missing = Config::load(Some(Path::new("/does/not/exist"))).unwrap_err();
    let tab = parse("actor:\n\tname: x").unwrap_err();
    let secret = parse("actor: {password_file: /does/not/exist}").unwrap_err();
    for (error, cause) in [
        (missing, "No such file"),
        (tab, "a tab indents at line 2"),
        (secret, "No such file"),
    ] {
        assert!(error.source().unwrap().to_string().contains(cause));
        assert_eq!(with_causes(&error).matches(cause).count(), 1, "{error}");
    }
}

#[test]
fn s1_a_heartbeat_may_be_set_by_the_programs_that_are_named() {
    let from = |text: &str| {
        let config = parse(&format!("heartbeats: [{{name: a{text}}}]"))?;
        Ok::<_, ConfigError>(config.heartbeats[0].from.clone())
    };
    assert!(from("").unwrap().is_empty());
    assert!(from(", from: null").unwrap().is_empty());
    assert_eq!(from(", from: gort").unwrap(), ["gort"]);
    assert_eq!(
        from(", from: [Gort-client, shell]").unwrap(),
        ["Gort-client", "shell"]
    );
    for (bad, why) in [
        (", from: []", "names nobody"),
        (", from: ['']", "is empty"),
        (", from: [[a]]", "text is expected"),
    ] {
        let error = from(bad).unwrap_err().to_string();
        assert!(
            error.contains("heartbeats[0].from") && error.contains(why),
            "{error}"
        );
    }
    let config = parse("heartbeats: [{name: a, from: gort}]").unwrap();
    assert!(effective(&config, "").contains("  from:\n  - gort\n"));
}

#[test]
fn x2_days_between_drills_are_whole_days() {
    let days = |value: &str| parse(&format!("ecp: {{drill_days: {value}}}"));
    assert_eq!(parse("").unwrap().ecp.drill_days, None);
    assert_eq!(days("null").unwrap().ecp.drill_days, None);
    let monthly = days("30").unwrap();
    assert_eq!(monthly.ecp.drill_days, Some(30));
    assert!(effective(&monthly, "").contains("drill_days: 30"));
    for wrong in ["0", "3651", "-1", "1.5", "30d", "5m", "soon", "[]", "true"] {
        let text = format!("ecp: {{drill_days: {wrong}}}");
        assert_refused(&text, "ecp.drill_days", "give");
    }
}

#[test]
fn x1_a_token_for_http_opens_one_heartbeat_and_never_shows() {
    let folder = std::env::temp_dir().join(format!("lvmbeat-http-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let [one, other] = ["one", "other"].map(|name| {
        let file = folder.join(name);
        std::fs::write(&file, format!("hunter2-{name}\n")).unwrap();
        file.display().to_string()
    });
    let config = |http: &str, a: &str, b: &str| {
        let text = format!(
            "actor: {{{http}}}\nheartbeats: [{{name: a, http_token_file: '{a}'}}, {{name: b, http_token_file: '{b}'}}]"
        );
        parse(&text)
    };
    let http = "http: '127.0.0.1:8081'";
    let found = config(http, &one, &other).unwrap();
    let tokens = found.heartbeats.iter().map(|it| it.http_token.as_ref());
    let tokens: Vec<_> = tokens.map(|token| token.unwrap().reveal()).collect();
    assert_eq!(tokens, ["hunter2-one", "hunter2-other"]);
    assert!(!format!("{found:?}").contains("hunter2"));
    let shown = crate::peer::shown(b"a hunter2-one b", &found.secrets());
    assert!(!shown.contains("hunter2"), "{shown}");
    for (http, a, b, words) in [
        (http, &one, &one, "holds the token of another heartbeat"),
        ("", &one, &other, "has no use without actor.http"),
    ] {
        let error = config(http, a, b).unwrap_err().to_string();
        assert!(
            error.contains(words) && !error.contains("hunter2"),
            "{error}"
        );
    }
    std::fs::remove_dir_all(folder).unwrap();
    // The variable is for the first one.
    let environment = |name: &str| (name == "LVMBEAT_SET_TOKEN").then(|| "hunter2".to_owned());
    let text = "actor: {http: '127.0.0.1:8081'}\nheartbeats: [{name: a}, {name: b}]";
    let found = Config::parse("", text, &environment).unwrap();
    let tokens = found.heartbeats.iter().map(|it| it.http_token.is_some());
    assert_eq!(tokens.collect::<Vec<_>>(), [true, false]);
}
