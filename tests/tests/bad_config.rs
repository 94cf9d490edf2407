//! A configuration that cannot work is refused before anything runs, with one sentence that says
//! where, what, and what to do.

use std::time::Duration;

use lvmbeat_tests::process::{Finished, Launch};
use lvmbeat_tests::scratch::Scratch;

const SOON: Duration = Duration::from_secs(20);

/// Both `check` and `actor` refuse the text: exit code 2, nothing on standard output, one line on
/// standard error, which names the file, the key, the problem and the remedy, and shows no secret.
async fn refused(text: &str, key: &str, problem: &str, remedy: &str) {
    refused_by(&["check", "actor"], text, key, problem, remedy).await;
}

async fn refused_by(commands: &[&str], text: &str, key: &str, problem: &str, remedy: &str) {
    let scratch = Scratch::new();
    let file = scratch.write("site.yaml", text).display().to_string();
    for command in commands {
        let refused = Launch::lvmbeat([*command, "-c", &file]).finish(SOON).await;
        is_refused(&refused, &file, key, problem, remedy);
    }
}

fn is_refused(refused: &Finished, file: &str, key: &str, problem: &str, remedy: &str) {
    assert_eq!(refused.code(), Some(2), "{refused:?}");
    assert_eq!(refused.stdout, "", "{refused:?}");
    let mut lines = refused.stderr.lines();
    let sentence = lines.next().unwrap_or_default();
    assert_eq!(lines.next(), None, "one sentence: {}", refused.stderr);
    assert!(
        sentence.starts_with(&format!("lvmbeat: {file}: {key}")),
        "{sentence}"
    );
    for part in [problem, remedy] {
        assert!(sentence.contains(part), "no '{part}' in: {sentence}");
    }
    assert!(!sentence.contains("hunter2"), "X1: {sentence}");
}

const CORRECT_IT: &str = "correct it (config/config.yaml documents every key)";

#[tokio::test]
async fn x2_a_key_that_is_not_known_is_refused() {
    for (text, key, meant) in [
        ("acto: {name: x}", "acto: ", "actor"),
        ("actor: {nam: x}", "actor.nam: ", "actor.name"),
        ("ecp: {cut_off: 3}", "ecp.cut_off: ", "ecp.cutoff"),
        (
            "heartbeats: [{name: a, crit: true}]",
            "heartbeats[0].crit: ",
            "heartbeats[0].critical",
        ),
        ("network: {host: {}}", "network.host: ", "network.hosts"),
        (
            "outside_monitor: {urls: null}",
            "outside_monitor.urls: ",
            "outside_monitor.url",
        ),
    ] {
        let remedy = format!("did you mean {meant}?");
        refused(text, key, "is not known", &remedy).await;
    }
}

#[tokio::test]
async fn x2_a_value_of_the_wrong_type_is_refused() {
    for (text, key, problem, remedy) in [
        (
            "ecp: {cutoff: soon}",
            "ecp.cutoff: ",
            "a number of seconds",
            "for example 30",
        ),
        (
            "actor: {port: 99999}",
            "actor.port: ",
            "a whole number from 0 to 65535",
            "give one",
        ),
        (
            "network: {failures: 300}",
            "network.failures: ",
            "a whole number from 0 to 255",
            "give one",
        ),
        (
            "heartbeats: {name: a}",
            "heartbeats: ",
            "but a list is expected",
            "begin each entry with `- `",
        ),
        (
            "heartbeats: [{name: a, critical: maybe}]",
            "heartbeats[0].critical: ",
            "neither true nor false",
            "give true or false",
        ),
        (
            "actor: [x]",
            "actor: ",
            "but a mapping of keys to values is expected",
            "write `key: value`",
        ),
        (
            "just a text",
            "the whole file: ",
            "but a mapping of keys to values is expected",
            "write `key: value`",
        ),
        (
            "outside_monitor: {url: {a: b}}",
            "outside_monitor.url: ",
            "but text is expected",
            "give one value",
        ),
        (
            "heartbeats: [{critical: true}]",
            "heartbeats[0].name: ",
            "is missing",
            "give the name",
        ),
    ] {
        refused(text, key, problem, remedy).await;
    }
}

#[tokio::test]
async fn x2_what_is_no_yaml_is_refused_with_its_place() {
    refused("actor: {name: x\n: y", "", "at line 2", CORRECT_IT).await;
    refused("actor:\n\tname: x", "", "at line 2", CORRECT_IT).await;
    let twice = "ecp: {cutoff: 1}\necp: {cutoff: 2}";
    refused(twice, "ecp: ", "is given twice", "give it once").await;
}

#[tokio::test]
async fn x2_a_name_that_cannot_be_is_refused() {
    let name = "n".repeat(33);
    let long = format!("heartbeats: [{{name: a}}, {{name: {name}}}]");
    refused(&long, "heartbeats[1].name: ", &name, "choose another name").await;
    let twice = "heartbeats: [{name: a}, {name: b}, {name: a}]";
    refused(
        twice,
        "heartbeats[2].name: ",
        "twice",
        "give each its own name",
    )
    .await;
    refused(
        "heartbeats: [{name: ''}]",
        "heartbeats[0].name: ",
        "is empty",
        "give a value",
    )
    .await;
    refused(
        "heartbeats: [{name: over watcher}]",
        "heartbeats[0].name: ",
        "'over watcher'",
        "choose another name",
    )
    .await;
    refused(
        "actor: {name: a.b}",
        "actor.name: ",
        "'a.b'",
        "use a name without",
    )
    .await;
    // One byte less is allowed.
    let scratch = Scratch::new();
    let file = scratch.write(
        "site.yaml",
        &format!("heartbeats: [{{name: {}}}]", "n".repeat(32)),
    );
    let file = file.display().to_string();
    let checked = Launch::lvmbeat(["check", "-c", &file]).finish(SOON).await;
    assert_eq!(checked.code(), Some(0), "{checked:?}");
}

#[tokio::test]
async fn x2_too_many_heartbeats_or_links_are_refused() {
    let rows = |count: usize| {
        (0..count).fold(String::new(), |rows, n| rows + &format!("{{name: h{n}}}, "))
    };
    let many = format!("heartbeats: [{}]", rows(17));
    refused(&many, "heartbeats: ", "more than 16", "keep at most 16").await;
    let scratch = Scratch::new();
    let file = scratch.write("site.yaml", &format!("heartbeats: [{}]", rows(16)));
    let checked = Launch::lvmbeat(["check", "-c", &file.display().to_string()]);
    assert_eq!(checked.finish(SOON).await.code(), Some(0));
    let hosts = (0..9).fold(String::new(), |rows, n| {
        rows + &format!("h{n}: 127.0.0.1, ")
    });
    let many = format!("network: {{hosts: {{{hosts}}}}}");
    refused(&many, "network.hosts: ", "more than 8", "keep at most 8").await;
}

#[tokio::test]
async fn x2_a_time_that_is_zero_negative_endless_or_no_number_is_refused() {
    let remedy = "give a number of seconds between 0.001 and 86400";
    for key in [
        "actor.command_ttl",
        "actor.attention",
        "outside_monitor.interval",
        "outside_monitor.timeout",
        "ecp.cutoff",
        "ecp.retry",
        "ecp.expiration",
        "ecp.command_timeout",
        "ecp.plc_timeout",
        "network.interval",
        "network.timeout",
    ] {
        let (section, name) = key.split_once('.').unwrap_or_default();
        let text = format!("{section}: {{{name}: 0}}");
        refused(&text, &format!("{key}: "), "0 is not a usable time", remedy).await;
    }
    // Of the monitor, which shares the file: the actor does not depend on it.
    for key in [
        "outside_monitor.send_email_after",
        "outside_monitor.check_heartbeat_every",
        "monitor.attention",
        "monitor.remind_every",
        "monitor.delivery_timeout",
        "monitor.ping_every",
    ] {
        let (section, name) = key.split_once('.').unwrap_or_default();
        let text = format!("{section}: {{{name}: 0}}");
        let (key, problem) = (format!("{key}: "), "0 is not a usable time");
        refused_by(&["check"], &text, &key, problem, remedy).await;
    }
    for value in ["-1", "-.inf", ".inf", ".nan", "1.0e300", "0.0001"] {
        let text = format!("max_close_after: {value}");
        refused(&text, "max_close_after: ", "is not a usable time", remedy).await;
        for key in ["timeout", "interval"] {
            let text = format!("heartbeats: [{{name: a, {key}: {value}}}]");
            let key = format!("heartbeats[0].{key}: ");
            refused(&text, &key, "is not a usable time", remedy).await;
        }
    }
    let text = "actor: {amqp_heartbeat: 0}";
    refused(
        text,
        "actor.amqp_heartbeat: ",
        "0 s",
        "give whole seconds from 1",
    )
    .await;
    refused(
        "network: {failures: 0}",
        "network.failures: ",
        "0",
        "give a number from 1",
    )
    .await;
}

#[tokio::test]
async fn l1_a_timeout_below_the_clients_rate_and_a_margin_of_nothing_are_refused() {
    for timeout in [3, 5] {
        let text = format!("heartbeats: [{{name: a, timeout: {timeout}, interval: 5}}]");
        let problem = "which beats every 5 s: each beat is confirmed by the next one";
        refused(&text, "heartbeats[0].timeout: ", problem, "raise it").await;
    }
    // Beats through the cut-off 50 + expiration 5 + writing 5 are the PLC's 60: not one second is
    // left.
    let problem = "heartbeats may be 60 s apart, but it waits only 60 s";
    refused(
        "ecp: {cutoff: 45}",
        "ecp.cutoff: ",
        problem,
        "lower ecp.cutoff",
    )
    .await;
    let problem = "the PLC would close the dome while all is well";
    refused(
        "ecp: {plc_timeout: 10}",
        "ecp.cutoff: ",
        problem,
        "lower ecp.cutoff",
    )
    .await;
    let nobody = "heartbeats: [{name: a, critical: false}]";
    refused(
        nobody,
        "heartbeats: ",
        "no heartbeat is critical",
        "`critical: true`",
    )
    .await;
}

#[tokio::test]
async fn s4_closing_that_would_take_longer_than_is_allowed_is_refused() {
    let text = "max_close_after: 101\nnetwork: {hosts: {}}";
    refused(
        text,
        "max_close_after: ",
        "only 102 s after",
        "lower the timeouts",
    )
    .await;
    let text = "max_close_after: 103";
    refused(
        text,
        "network.interval: ",
        "only 117 s after",
        "lower network.interval",
    )
    .await;
    let scratch = Scratch::new();
    let file = scratch.write("site.yaml", "max_close_after: 102\nnetwork: {hosts: {}}");
    let checked = Launch::lvmbeat(["check", "-c", &file.display().to_string()]);
    assert_eq!(checked.finish(SOON).await.code(), Some(0));
}

#[tokio::test]
async fn x1_no_secret_is_shown_of_what_is_refused() {
    for (text, key) in [
        ("actor: amqp://me:hunter2@broker", "actor: "),
        (
            "outside_monitor: https://x/?token=hunter2",
            "outside_monitor: ",
        ),
        ("actor: {url: 'amqp://me:hunter2@bro ker'}", "actor.url: "),
        ("actor: {url: 'https://me:hunter2@broker'}", "actor.url: "),
        (
            "outside_monitor: {url: 'ftp://me:hunter2@x'}",
            "outside_monitor.url: ",
        ),
        (
            "outside_monitor: {url: ['http://hunter2@']}",
            "outside_monitor.url: ",
        ),
        (
            "actor: {url: 'amqp://me:hunter2@x', host: y}",
            "actor.url: ",
        ),
    ] {
        refused(text, key, "", "").await;
    }
    let checked = Launch::lvmbeat(["check"])
        .env("LVMBEAT_AMQP_URL", "http://me:hunter2@x")
        .finish(SOON)
        .await;
    is_refused(
        &checked,
        "environment",
        "LVMBEAT_AMQP_URL: ",
        "is not the URL",
        "give amqp://",
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_refused() {
    let scratch = Scratch::new();
    let missing = scratch.path().join("missing.yaml").display().to_string();
    let folder = scratch.path().display().to_string();
    for file in [&missing, &folder] {
        for command in ["check", "actor", "status"] {
            let refused = Launch::lvmbeat([command, "-c", file]).finish(SOON).await;
            is_refused(
                &refused,
                file,
                "cannot be read",
                "(",
                "name an existing file with -c",
            );
        }
    }
}

#[tokio::test]
async fn the_shipped_configuration_is_valid_and_so_are_none_and_an_empty_one() {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/config.yaml");
    let scratch = Scratch::new();
    let empty = scratch.write("empty.yaml", "").display().to_string();
    let mut budgets = Vec::new();
    for arguments in [
        &["check", "-c", shipped][..],
        &["check"],
        &["check", "-c", &empty],
    ] {
        let checked = Launch::lvmbeat(arguments).finish(SOON).await;
        assert_eq!(checked.code(), Some(0), "{checked:?}");
        let warned = arguments == ["check"];
        assert_eq!(checked.stderr.contains("WARN"), warned, "{checked:?}");
        let (effective, budget) = checked.stdout.split_once("\nS4  ").unwrap_or_default();
        assert!(effective.contains(": valid. In force:\n"), "{effective}");
        budgets.push(budget.to_owned());
    }
    assert_eq!(budgets[0], budgets[1]);
    assert_eq!(budgets[1], budgets[2]);
    for part in [
        "within 102 s of",
        "(max_close_after)",
        "L1  ",
        "at least every 25 s, 35 s before",
    ] {
        assert!(budgets[0].contains(part), "{}", budgets[0]);
    }
}

#[tokio::test]
async fn x1_check_prints_what_is_in_force_with_every_default_and_without_secrets() {
    let scratch = Scratch::new();
    let text = "actor: {url: 'amqp://me:hunter2@broker:5673/site'}\n\
                heartbeats: [{name: overwatcher}, {name: guider, critical: false, timeout: 12.5}]\n\
                outside_monitor: {url: 'https://watch.example/?token=hunter2'}";
    let file = scratch.write("site.yaml", text).display().to_string();
    let checked = Launch::lvmbeat(["check", "-c", &file]).finish(SOON).await;
    assert_eq!(checked.code(), Some(0), "{checked:?}");
    for part in [
        "amqp://me:***@broker:5673/site",
        "name: guider",
        "timeout: 12.5",
        "critical: false",
        "cutoff: 10.0",
        "plc_timeout: 60.0",
        "max_close_after: 180.0",
        "watch.example/heartbeat",
    ] {
        assert!(
            checked.stdout.contains(part),
            "no {part} in\n{}",
            checked.stdout
        );
    }
    assert!(!checked.stdout.contains("hunter2"), "{}", checked.stdout);
    // What it prints is a configuration itself.
    let yaml = checked.stdout.split_once("\nS4  ").unwrap_or_default().0;
    let again = scratch.write("again.yaml", &yaml.replace("***", "x"));
    let again = Launch::lvmbeat(["check", "-c", &again.display().to_string()]);
    let again = again.finish(SOON).await;
    assert_eq!(again.code(), Some(0), "{again:?}");
}

#[tokio::test]
async fn s1_the_files_that_the_python_version_reads_are_read() {
    let home = Scratch::new();
    let two = "heartbeats: [{name: overwatcher}, {name: second}]";
    let named = home.write("named.yaml", two);
    let check = |arguments: &[&str]| {
        let launch = Launch::lvmbeat(arguments.iter().copied());
        launch.env("HOME", home.path())
    };
    let bare = check(&["check"]).finish(SOON).await;
    for place in [
        "LVMBEAT_CONFIG_PATH",
        "~/.config/sdss/lvmbeat.yaml",
        "~/.lvmbeat/lvmbeat.yml",
    ] {
        assert!(bare.stderr.contains(place), "{bare:?}");
    }
    assert_eq!(bare.stderr.lines().count(), 1, "{bare:?}");
    assert!(bare.stderr.starts_with("lvmbeat: WARN: "), "{bare:?}");
    let by_variable = check(&["check"]).env("LVMBEAT_CONFIG_PATH", &named);
    let by_variable = by_variable.finish(SOON).await;
    std::fs::create_dir_all(home.path().join(".config/sdss/lvmbeat")).expect("a folder");
    home.write(".config/sdss/lvmbeat/lvmbeat.yml", two);
    let at_home = check(&["check"]).finish(SOON).await;
    let over = home
        .write("over.yaml", "max_close_after: 170")
        .display()
        .to_string();
    let merged = check(&["check", "-c", &over]).finish(SOON).await;
    assert!(merged.stdout.contains("max_close_after: 170"), "{merged:?}");
    for checked in [by_variable, at_home, merged] {
        assert_eq!((checked.code(), checked.stderr.as_str()), (Some(0), ""));
        assert!(checked.stdout.contains("name: second"), "{checked:?}");
    }
    // What is named has to be there.
    let missing = check(&["actor"]).env("LVMBEAT_CONFIG_PATH", "/missing.yaml");
    let missing = missing.finish(SOON).await;
    let remedy = "name an existing file with LVMBEAT_CONFIG_PATH";
    is_refused(&missing, "/missing.yaml", "cannot be read", "(", remedy);
}

#[tokio::test]
async fn x2_all_faults_of_both_programs_and_of_the_environment_are_told() {
    let scratch = Scratch::new();
    let text = "actor: {prot: 1}\necp: {retry: 0}\nmonitor: {ping_every: 0}";
    let file = scratch.write("site.yaml", text).display().to_string();
    let checked = Launch::lvmbeat(["check", "-c", &file])
        .env("LVMBEAT_PING_TOKN", "hunter2")
        .env("LVMBEAT_PORT", "tcp://10.0.0.1:5672")
        .env("LVMBEAT_MONITOR_SERVICE_HOST", "10.0.0.1");
    let checked = checked.finish(SOON).await;
    assert_eq!(checked.code(), Some(2), "{checked:?}");
    let places: Vec<_> = checked
        .stderr
        .lines()
        .map(|line| line.replace(&file, "FILE"))
        .collect();
    let expected = [
        "lvmbeat: environment: LVMBEAT_PING_TOKN: is not a variable of lvmbeat; did you mean LVMBEAT_PING_TOKEN?",
        "lvmbeat: FILE: actor.prot: is not known; did you mean actor.port?",
        "lvmbeat: FILE: ecp.retry: 0 is not a usable time; give a number of seconds between 0.001 and 86400",
        "lvmbeat: FILE: monitor.ping_every: 0 is not a usable time; give a number of seconds between 0.001 and 86400",
    ];
    assert_eq!(places, expected);
}

#[tokio::test]
async fn x2_certificates_without_end_are_refused_by_every_program() {
    let folder = Scratch::new();
    let long = folder.path().join("long.pem");
    // It takes no room: nothing is written.
    let file = std::fs::File::create(&long).unwrap();
    file.set_len(17 << 20).unwrap();
    for (variable, path) in [
        ("SSL_CERT_FILE", long.as_path()),
        ("SSL_CERT_DIR", folder.path()),
    ] {
        for command in ["actor", "monitor", "status"] {
            let refused = Launch::lvmbeat([command]).env(variable, path);
            let refused = refused.finish(SOON).await;
            let problem = format!("{} cannot be read (it is longer than", path.display());
            is_refused(
                &refused,
                "environment",
                variable,
                &problem,
                "in PEM, or unset it",
            );
        }
    }
}
