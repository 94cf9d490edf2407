//! The examples of config/examples on real parts, where each beat has to prove when it was sent.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lvmbeat_tests::actor::Actor;
use lvmbeat_tests::broker::{self, Vhost};
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::ecp::FakeEcp;
use lvmbeat_tests::eventually;
use lvmbeat_tests::port::Port;
use lvmbeat_tests::process::{Launch, Process};
use lvmbeat_tests::python;
use lvmbeat_tests::scratch::Scratch;
use serde_json::json;

const SOON: Duration = Duration::from_secs(30);

/// The other heartbeats last longer, as tests set them by hand.
fn config(url: &str, names: &[&str]) -> ActorConfig {
    let heartbeat = |name: &&str| {
        let timeout = if *name == "overwatcher" { 3 } else { 20 };
        json!({"name": name, "critical": true, "timeout": timeout, "interval": 0.5, "proof": "required"})
    };
    let heartbeats: Vec<_> = names.iter().map(heartbeat).collect();
    ActorConfig::new(url)
        .set("heartbeats", heartbeats)
        .set("max_close_after", 60)
}

/// An actor, an `lvmecp`, and the file that both the actor and `lvmbeat beat` read.
struct Site {
    vhost: Vhost,
    actor: Actor,
    ecp: FakeEcp,
    file: String,
}

impl Site {
    async fn with(names: &[&str]) -> Self {
        Self::with_more(names, |config| config).await
    }

    async fn with_more(names: &[&str], more: impl FnOnce(ActorConfig) -> ActorConfig) -> Self {
        let vhost = broker::vhost().await;
        let ecp = FakeEcp::start(&vhost.url()).await;
        let config = more(config(&vhost.url(), names));
        let file = config.write().display().to_string();
        let actor = Actor::start(config, &vhost.url()).await;
        Self {
            vhost,
            actor,
            ecp,
            file,
        }
    }

    /// Gives the program work until its heartbeat is fresh.
    async fn work_until_fresh(&self, program: &mut Process) {
        eventually(SOON, async || {
            program.say("a frame").await;
            self.actor.status("/heartbeats/overwatcher/current").await == json!(true)
        })
        .await;
    }

    /// Waits until the heartbeat is fresh, or not.
    async fn until_fresh(&self, name: &str, fresh: bool) {
        let pointer = format!("/heartbeats/{name}/current");
        eventually(SOON, async || {
            self.actor.status(&pointer).await == json!(fresh)
        })
        .await;
    }
}

fn example(name: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.join("../config/examples").join(name)
}

#[tokio::test]
async fn the_python_examples_beat() {
    let site = Site::with(&["with_clu", "with_aio_pika"]).await;
    let url = site.vhost.url();
    let start = |name: &str| {
        let script = example(&format!("{name}.py")).canonicalize().unwrap();
        python::script(script.to_str().unwrap(), [&url, name, "0.4"]).start()
    };
    let _programs = ["with_clu", "with_aio_pika"].map(start);
    site.ecp.wait_for_heartbeats(3, SOON).await;
}

#[tokio::test]
async fn the_examples_of_shell_and_cron_beat() {
    let site = Site::with(&["overwatcher", "disks"]).await;
    let test = std::env::current_exe().unwrap();
    let mut path = OsString::from(test.ancestors().nth(2).unwrap());
    path.push(":/usr/bin:/bin");
    let launch = |program: PathBuf| {
        Launch::other(program)
            .env("PATH", &path)
            .env("LVMBEAT_CONFIG_FILE", &site.file)
    };
    let crontab = fs::read_to_string(example("crontab")).unwrap();
    let job = crontab
        .lines()
        .find_map(|line| line.strip_prefix("* * * * *"));
    let job = launch("/bin/sh".into()).args(["-c", job.unwrap()]);
    let finished = job.finish(SOON).await;
    assert_eq!(finished.code(), Some(0), "{finished:?}");
    let last_seen = "/heartbeats/disks/last_seen";
    assert_ne!(site.actor.status(last_seen).await, json!(null));
    let program = ["overwatcher", &site.file, "sh", "-c", "read line; exit 3"];
    let mut beating = launch(example("with_shell.sh")).args(program).start();
    site.until_fresh("overwatcher", true).await;
    beating.say("enough").await;
    assert_eq!(beating.exit(SOON).await.code(), Some(3));
}

#[tokio::test]
async fn s1_the_rust_example_beats_while_its_loop_works() {
    let site = Site::with(&["overwatcher"]).await;
    let url = site.vhost.url();
    let arguments = [url.as_str(), "overwatcher", "0.3"];
    let mut program = Launch::program("guarded-loop", arguments).start();
    // Each line is a round of its loop; without one it hangs.
    site.work_until_fresh(&mut program).await;
    site.ecp.wait_for_heartbeats(1, SOON).await;
    site.until_fresh("overwatcher", false).await;
    site.work_until_fresh(&mut program).await;
    program.say("rain").await;
    assert_eq!(program.exit(SOON).await.code(), Some(1));
    site.until_fresh("overwatcher", false).await;
}

#[tokio::test]
async fn s1_the_example_of_curl_beats_over_http_while_its_loop_works() {
    let (port, secrets) = (Port::reserve(), Scratch::new());
    let token = secrets
        .write("token", "correct-horse\n")
        .display()
        .to_string();
    let http = port.address().to_string();
    let config = |config: ActorConfig| {
        let overwatcher = json!({
            "name": "overwatcher", "critical": true, "timeout": 3, "interval": 0.5,
            "proof": "required", "from": "http", "http_token_file": token,
        });
        config
            .set("actor.http", http.as_str())
            .set("heartbeats", json!([overwatcher]))
    };
    let site = Site::with_more(&[], config).await;
    let url = format!("http://{http}");
    let arguments = [url.as_str(), "overwatcher", &token, "0.3"];
    let path = Launch::other(example("with_curl.sh")).env("PATH", "/usr/bin:/bin");
    let mut program = path.args(arguments).start();
    site.work_until_fresh(&mut program).await;
    site.ecp.wait_for_heartbeats(1, SOON).await;
    let by = site.actor.status("/heartbeats/overwatcher/last_by").await;
    assert_eq!(by, "http");
    program.close_input();
    site.until_fresh("overwatcher", false).await;
}
