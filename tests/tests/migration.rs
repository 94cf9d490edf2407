//! The section "From the Python version, and back" of config/DEPLOY.md, followed literally with the
//! published Python version: its commands are run in their order, in one shell.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use lvmbeat_tests::client::RawClient;
use lvmbeat_tests::ecp::FakeEcp;
use lvmbeat_tests::mail::{MailOptions, MailServer};
use lvmbeat_tests::port::Port;
use lvmbeat_tests::process::{Launch, Process, built};
use lvmbeat_tests::scratch::Scratch;
use lvmbeat_tests::{broker, eventually, http};
use serde_json::{Value, json};

/// For Python programs to start, on the slowest machine.
const SOON: Duration = Duration::from_secs(60);
const DOCUMENT: &str = include_str!("../../config/DEPLOY.md");
const HEADING: &str = "\n## From the Python version, and back\n";

/// Answers for every host that it is up, and asks none.
const NMAP: &str = r#"#!/bin/sh
for host; do case $host in [0-9]*) break ;; esac; done
printf '<nmaprun><host><status state="up" reason="x" reason_ttl="0"/><address addr="%s" addrtype="ipv4"/></host></nmaprun>' "$host"
"#;

/// The blocks of commands, in their order.
fn blocks() -> Vec<&'static str> {
    let (_, section) = DOCUMENT.split_once(HEADING).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("```sh\n").skip(1);
    blocks
        .map(|block| block.split_once("```").unwrap().0)
        .collect()
}

/// Where tests/run installs the Python version.
fn python() -> PathBuf {
    let bin = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/lvmbeat/bin");
    assert!(
        bin.join("lvmbeat").is_file(),
        "no Python version of lvmbeat at {}; tests/run installs it",
        bin.display()
    );
    bin
}

/// A shell in a folder with `config.yaml`, where the Python version runs.
struct Shell {
    process: Process,
    folder: Scratch,
    done: usize,
}

impl Shell {
    fn start(config: &Value, state: &str, mail: u16, port: &Port) -> Self {
        let folder = Scratch::new();
        let path = folder.path().to_owned();
        for made in ["bin", ".config", ".config/sdss"] {
            fs::create_dir(path.join(made)).unwrap();
        }
        let config = config.to_string();
        folder.write("config.yaml", &config);
        // Where the Python monitor reads it.
        folder.write(".config/sdss/lvmbeat.yaml", &config);
        folder.write("state", state);
        symlink(built("lvmbeat"), path.join("bin/lvmbeat")).unwrap();
        let nmap = folder.write("bin/nmap", NMAP);
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(nmap, executable).unwrap();
        let search = format!("{}:/usr/bin:/bin", path.join("bin").display());
        let process = Launch::other("/bin/sh".into())
            .env("HOME", &path)
            .env("PATH", search)
            .env("python", python())
            .env("LVMBEAT_STATE_FILE", path.join("state"))
            .env("LVMBEAT_LISTEN", port.address().to_string())
            .env("UVICORN_HOST", "127.0.0.1")
            .env("UVICORN_PORT", port.number().to_string())
            .env("LVMBEAT_EMAIL_RECIPIENTS", "jane.doe@lco.cl")
            .env("LVMBEAT_EMAIL_FROM_ADDRESS", "lvmbeat@sdss.org")
            .env("LVMBEAT_EMAIL_HOST", "localhost")
            .env("LVMBEAT_EMAIL_PORT", mail.to_string())
            .start();
        Self {
            process,
            folder,
            done: 0,
        }
    }

    /// Runs commands, and waits for their end.
    async fn run(&mut self, commands: &str) {
        self.done += 1;
        let done = format!("done {}", self.done);
        for line in commands.lines() {
            self.process.say(line).await;
        }
        self.process.say(&format!("echo {done}")).await;
        self.process.wait_for_line(SOON, |line| line == done).await;
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).unwrap()
    }
}

/// Of the monitor that serves now.
async fn monitor(port: &Port) -> Result<Value, String> {
    let (_, status) = http::get(port.address(), "/status").await?;
    serde_json::from_str(&status).map_err(|error| error.to_string())
}

async fn until_active(port: &Port, active: bool) -> Value {
    eventually(SOON, async || {
        let status = monitor(port).await?;
        if status["active"] == active {
            Ok(status)
        } else {
            Err(status.to_string())
        }
    })
    .await
}

/// Beats to the monitor until people are told that the observatory is back.
async fn until_all_clear(port: &Port, mail: &MailServer, already: usize) {
    let resolved = || {
        let all = mail.messages().into_iter();
        all.filter(|it| it.field("subject").to_string().contains("RESOLVED"))
            .count()
    };
    eventually(SOON, async || {
        http::get(port.address(), "/heartbeat").await?;
        if resolved() == already + 1 {
            Ok(())
        } else {
            Err(format!("{:?}", mail.messages()))
        }
    })
    .await;
}

/// Waits until an actor answers: ours, or Python's, which says another version.
async fn until_answered_by(ours: bool, client: &RawClient) {
    eventually(SOON, async || {
        let answer = client.try_command("lvmbeat", "version", Duration::from_secs(2));
        let answer = answer.await?;
        let version = answer.keyword("version").and_then(Value::as_str);
        let is_ours = version == Some(lvmbeat::VERSION);
        (is_ours == ours)
            .then_some(())
            .ok_or(format!("{version:?}"))
    })
    .await;
}

#[tokio::test]
async fn m2_s5_the_way_from_the_python_version_and_back_is_as_the_document_says() {
    let [check, monitor_there, actor_there, monitor_back, actor_back] = blocks()[..] else {
        panic!("the section has other blocks: {:#?}", blocks())
    };
    let vhost = broker::inspectable_vhost().await;
    let (host, broker_port) = vhost.address();
    let config = json!({
        "actor": {"name": "lvmbeat", "host": host, "port": broker_port, "user": "guest",
            "password": "guest", "virtualhost": vhost.name(), "log_dir": null},
        "timeout": 30,
        "outside_monitor": {"url": null, "send_email_after": 3, "check_heartbeat_every": 0.5},
        "heartbeats": [{"name": "overwatcher", "critical": true}],
        // The Python version knows no such section.
        "network": {"hosts": {}},
    });
    let client = RawClient::connect(&vhost.url(), "gort").await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    let mail = MailServer::start(MailOptions::default()).await;
    let port = Port::reserve();

    // The Python version runs, and its monitor has alerted people.
    let seen = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() - 1000;
    let mut shell = Shell::start(&config, &format!("1,{seen}.5"), mail.port, &port);
    shell
        .run(
            "cd \"$HOME\"
             \"$python/uvicorn\" lvmbeat.monitor:app &
             python_monitor=$!
             \"$python/lvmbeat\" -c config.yaml actor start --debug &
             python_actor=$!",
        )
        .await;
    until_active(&port, true).await;
    until_answered_by(false, &client).await;
    client.beat("lvmbeat", "overwatcher", SOON).await;
    ecp.wait_for_heartbeats(1, SOON).await;

    // There.
    shell.run(check).await;
    shell.run(monitor_there).await;
    let status = until_active(&port, true).await;
    assert!(status["channels"].is_array(), "it is ours: {status}");
    assert_eq!(shell.read("state-before"), format!("1,{seen}.5"));
    until_all_clear(&port, &mail, 0).await;
    // As people would, while it waits for its turn, and then.
    let beats = async {
        until_answered_by(true, &client).await;
        eventually(SOON, async || {
            let answer = client.beat("lvmbeat", "overwatcher", SOON).await;
            (answer.codes() == ">:").then_some(()).ok_or(answer.codes())
        })
        .await;
    };
    tokio::join!(shell.run(actor_there), beats);
    ecp.wait_for_heartbeats(2, SOON).await;

    // Back, with an alert of ours that is on.
    let raised = until_active(&port, true).await;
    shell.run(monitor_back).await;
    let expected = raised["last_seen"].clone();
    let status = until_active(&port, true).await;
    assert!(status.get("channels").is_none(), "it is Python's: {status}");
    assert_eq!(status["last_seen"], expected);
    // It is over with the next beat; whether Python's mail arrives is not ours to show.
    let _ = http::get(port.address(), "/heartbeat").await;
    until_active(&port, false).await;
    shell.run(actor_back).await;
    until_answered_by(false, &client).await;
    let before = ecp.heartbeats().len();
    client.beat("lvmbeat", "overwatcher", SOON).await;
    ecp.wait_for_heartbeats(before + 1, SOON).await;
    shell.process.close_input();
}

#[tokio::test]
async fn the_python_versions_words_are_answered_with_what_to_do_here() {
    for (word, remedy) in [
        ("stop", "systemctl stop"),
        ("restart", "systemctl restart"),
        ("status", "lvmbeat status"),
    ] {
        let said = Launch::lvmbeat(["actor", word]).finish(SOON).await;
        assert_eq!(said.code(), Some(2), "{said:?}");
        assert!(said.stderr.contains(remedy), "{said:?}");
    }
}
