//! `lvmbeat beat`: it says that a command lives and that a check succeeds, and says it no longer.

use std::path::PathBuf;
use std::time::Duration;

use lvmbeat_tests::actor::Actor;
use lvmbeat_tests::broker::{self, Vhost};
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::ecp::FakeEcp;
use lvmbeat_tests::eventually;
use lvmbeat_tests::process::Launch;
use lvmbeat_tests::proxy::{Flow, Proxy};
use lvmbeat_tests::scratch::Scratch;
use rustix::process::{Pid, Signal, test_kill_process};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);
const EVERY: &str = "0.5";

fn file(config: &ActorConfig) -> String {
    config.write().display().to_string()
}

/// `lvmbeat beat overwatcher` with that configuration.
fn beat(file: &str, more: &[&str]) -> Launch {
    Launch::lvmbeat(["beat", "overwatcher", "-c", file, "--every", EVERY]).args(more)
}

/// An actor whose heartbeat has to be proven, and what it gets. A busy machine may be late.
struct Site {
    actor: Actor,
    ecp: FakeEcp,
    file: String,
    vhost: Vhost,
}

impl Site {
    async fn start() -> Self {
        let vhost = broker::inspectable_vhost().await;
        let ecp = FakeEcp::start(&vhost.url()).await;
        let config = config(&vhost.url());
        let file = file(&config);
        let actor = Actor::start(config, &vhost.url()).await;
        Self {
            actor,
            ecp,
            file,
            vhost,
        }
    }

    /// When the last beat was received that counts.
    async fn last(&self) -> Value {
        self.actor.status("/heartbeats/overwatcher/last_seen").await
    }

    /// That many more beats count, or more.
    async fn beats_on(&self, more: usize) {
        for _ in 0..more {
            let before = self.last().await;
            eventually(SOON, async || {
                let last = self.last().await;
                (!last.is_null() && last != before)
                    .then_some(())
                    .ok_or(last)
            })
            .await;
        }
    }

    /// S1: the heartbeat goes stale, with no beat after those that there are now.
    async fn falls_silent(&self) {
        let before = self.last().await;
        eventually(SOON, async || {
            let hold = self.actor.status("/hold").await;
            let is_stale = hold["reason"] == "heartbeat_stale";
            is_stale.then_some(()).ok_or(hold)
        })
        .await;
        assert_eq!(self.last().await, before);
    }
}

fn config(url: &str) -> ActorConfig {
    let overwatcher = json!({
        "name": "overwatcher", "critical": true, "timeout": 4.0, "interval": 0.5,
        "proof": "required",
    });
    ActorConfig::new(url)
        .set("heartbeats", json!([overwatcher]))
        .set("ecp.plc_timeout", 10)
}

/// The process that a command has said it is.
#[expect(clippy::panic, reason = "what is not there fails the test")]
fn pid(line: &str) -> Pid {
    let id = line.rsplit(' ').next().and_then(|id| id.parse().ok());
    id.and_then(Pid::from_raw)
        .unwrap_or_else(|| panic!("no process in {line}"))
}

async fn is_gone(id: Pid) {
    eventually(SOON, async || test_kill_process(id).is_err()).await;
}

#[tokio::test]
async fn s1_a_command_is_beaten_for_while_it_lives_over_one_connection() {
    let site = Site::start().await;
    let others = site.vhost.connections().await;
    let script = "echo 'I am' $$; read line; echo \"got $line\"; exit 7";
    let mut beat = beat(&site.file, &["--", "sh", "-c", script]).start();
    beat.wait_for_line(SOON, |line| line.starts_with("I am"))
        .await;
    // Each beat is proven: others are refused, and none reaches the dome.
    site.ecp.wait_for_heartbeats(2, SOON).await;
    site.beats_on(4).await;
    assert_eq!(site.vhost.connections().await, others + 1);
    let by = site.actor.status("/heartbeats/overwatcher/last_by").await;
    assert_eq!(by, "lvmbeat-cli");
    beat.say("rain").await;
    beat.wait_for_line(SOON, |line| line == "got rain").await;
    assert_eq!(beat.exit(SOON).await.code(), Some(7));
    site.falls_silent().await;
    beat.complete(SOON).await;
    let said: Vec<_> = beat.lines().into_iter().map(|line| line.text).collect();
    assert_eq!(said.len(), 2, "all was well: {said:?}");
}

#[tokio::test]
async fn s1_a_check_that_fails_or_a_command_that_is_stopped_is_not_beaten_for() {
    let site = Site::start().await;
    let folder = Scratch::new();
    let sound = folder.write("sound", "");
    let check = format!("test -e '{}'", sound.display());
    let script = "echo I am $$; exec sleep 1000";
    let more = ["--check", &check, "--", "sh", "-c", script];
    let mut beat = beat(&site.file, &more).start();
    let command = beat
        .wait_for_line(SOON, |line| line.starts_with("I am"))
        .await;
    site.beats_on(2).await;
    std::fs::remove_file(&sound).unwrap();
    beat.wait_for_line(SOON, |line| {
        line == "lvmbeat: no beat: the check failed with 1"
    })
    .await;
    site.falls_silent().await;
    std::fs::write(&sound, "").unwrap();
    beat.wait_for_line(SOON, |line| {
        line.starts_with("lvmbeat: the check succeeds again")
    })
    .await;
    site.beats_on(2).await;

    let id = pid(&command.text);
    rustix::process::kill_process(id, Signal::STOP).unwrap();
    beat.wait_for_line(SOON, |line| {
        line.contains("no beat: the command is stopped")
    })
    .await;
    site.falls_silent().await;
    rustix::process::kill_process(id, Signal::CONT).unwrap();
    site.beats_on(2).await;
    rustix::process::kill_process(id, Signal::KILL).unwrap();
    assert_eq!(beat.exit(SOON).await.code(), Some(137));
    let checks = beat.lines().into_iter();
    let failed = checks.filter(|line| line.text.contains("the check failed"));
    assert_eq!(failed.count(), 1, "it is said once");
}

#[tokio::test]
async fn signals_reach_the_command_and_it_is_not_left_behind() {
    let site = Site::start().await;
    let script = "trap 'echo ending; exit 3' TERM; trap 'echo hup' HUP; echo I am $$; \
                  while :; do sleep 0.1; done";
    let mut first = beat(&site.file, &["--", "sh", "-c", script]).start();
    first
        .wait_for_line(SOON, |line| line.starts_with("I am"))
        .await;
    first.signal(Signal::HUP);
    first.wait_for_line(SOON, |line| line == "hup").await;
    site.beats_on(2).await;
    first.terminate();
    first.wait_for_line(SOON, |line| line == "ending").await;
    assert_eq!(first.exit(SOON).await.code(), Some(3));

    let script = "echo I am $$; exec sleep 1000";
    let mut second = beat(&site.file, &["--", "sh", "-c", script]).start();
    let command = second
        .wait_for_line(SOON, |line| line.starts_with("I am"))
        .await;
    // Not its process group: the command has to hear of it by itself.
    second.signal(Signal::KILL);
    second.exit(SOON).await;
    is_gone(pid(&command.text)).await;
    site.falls_silent().await;
}

#[tokio::test]
async fn s3_a_stalled_connection_is_given_up_and_nothing_arrives_late() {
    let vhost = broker::inspectable_vhost().await;
    let (host, port) = vhost.address();
    let proxy = Proxy::start((&host, port)).await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    let config = config(&vhost.url());
    let actor = Actor::start(config, &vhost.url()).await;
    let client = self::config(&vhost.url_via(proxy.port()));
    let client_file = file(&client);
    let mut beat = beat(&client_file, &["--", "sleep", "1000"]).start();
    ecp.wait_for_heartbeats(1, SOON).await;
    proxy.set(Flow::Stall);
    beat.wait_for_line(SOON, |line| {
        line.contains("heartbeat overwatcher is not answered")
    })
    .await;
    eventually(SOON, async || {
        actor.status("/hold").await["reason"] == "heartbeat_stale"
    })
    .await;
    let last = async || actor.status("/heartbeats/overwatcher/last_seen").await;
    let before = last().await;
    // It ends while nothing moves: what it has sent must not come when everything moves again.
    beat.terminate();
    assert_eq!(beat.exit(SOON).await.code(), Some(143));
    proxy.set(Flow::Pass);
    eventually(SOON, async || proxy.open_connections() == 0).await;
    actor.until_it_answers(SOON).await;
    assert_eq!(last().await, before);
}

#[tokio::test]
async fn l1_it_beats_again_by_itself_when_the_actor_or_the_broker_was_away() {
    let mut site = Site::start().await;
    let (host, port) = site.vhost.address();
    let mut proxy = Proxy::start((&host, port)).await;
    let through = config(&site.vhost.url_via(proxy.port()));
    let mut beat = beat(&file(&through), &["--check", "true"]).start();
    site.beats_on(2).await;

    site.actor.process.kill().await;
    beat.wait_for_line(SOON, |line| line.contains("no actor lvmbeat is running"))
        .await;
    let mark = beat.mark();
    site.actor.process = Launch::lvmbeat(["actor", "-c", &site.file]).start();
    // The other actor knows nothing of what this one gave as proof.
    beat.wait_for_line_after(mark, SOON, |line| line.contains("is answered again"))
        .await;
    site.actor.until_it_answers(SOON).await;
    site.beats_on(2).await;

    let mark = beat.mark();
    proxy.refuse().await;
    proxy.cut();
    beat.wait_for_line_after(mark, SOON, |line| line.contains("is not answered: "))
        .await;
    proxy.accept_again().await;
    beat.wait_for_line_after(mark, SOON, |line| line.contains("is answered again"))
        .await;
    site.beats_on(2).await;
    beat.terminate();
    assert_eq!(beat.exit(SOON).await.code(), Some(0));
    site.falls_silent().await;
}

#[tokio::test]
async fn a_command_that_cannot_be_started_ends_it_as_the_shell_would() {
    let site = Site::start().await;
    let folder = Scratch::new();
    let text: PathBuf = folder.write("text", "not a program");
    let text = text.display().to_string();
    for (command, code) in [("/nonexistent/command", 127), (text.as_str(), 126)] {
        let ended = beat(&site.file, &["--", command]).finish(SOON).await;
        assert_eq!(ended.code(), Some(code), "{ended:?}");
        let says = format!("lvmbeat: the command {command} cannot be started: ");
        assert!(ended.stderr.contains(&says), "{ended:?}");
    }
    // S1: what never lived was never beaten for.
    assert!(site.last().await.is_null());
    // A shell command is one, too.
    let ended = beat(&site.file, &["--while", "exit 9"]).finish(SOON).await;
    assert_eq!(ended.code(), Some(9), "{ended:?}");
    for wrong in [
        &["--every", "0", "--", "true"][..],
        &["--while", "true", "--", "true"],
        &[],
    ] {
        let ended = beat(&site.file, wrong).finish(SOON).await;
        assert_eq!(ended.code(), Some(2), "{ended:?}");
    }
}
