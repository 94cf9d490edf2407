//! Under systemd: a socket of the test stands in for it. The units themselves are checked by
//! systemd's own tool.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lvmbeat_tests::broker;
use lvmbeat_tests::chain;
use lvmbeat_tests::port::Port;
use lvmbeat_tests::process::{Launch, Process, built};
use lvmbeat_tests::project;
use lvmbeat_tests::scratch::Scratch;
use lvmbeat_tests::throughout;
use rustix::process::Signal;
use tokio::net::UnixDatagram;
use tokio::time::timeout;

use super::{SOON, ends_in_order, until};

/// What the program hears as `WATCHDOG_USEC`; it says that it lives three times as often.
const WATCHDOG: Duration = Duration::from_millis(900);

/// The stand-in for systemd.
struct Manager {
    socket: UnixDatagram,
    scratch: Scratch,
}

impl Manager {
    fn new() -> Self {
        let scratch = Scratch::new();
        let socket = UnixDatagram::bind(scratch.path().join("notify")).unwrap();
        Self { socket, scratch }
    }

    fn start(&self, program: Launch) -> Process {
        program
            .env("NOTIFY_SOCKET", self.scratch.path().join("notify"))
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())
            .start()
    }

    /// Waits until it says that.
    async fn hears(&self, state: &str) {
        let heard = async {
            let mut buffer = [0; 256];
            loop {
                let length = self.socket.recv(&mut buffer).await.unwrap();
                let said = String::from_utf8_lossy(&buffer[..length]).into_owned();
                if said.lines().any(|line| line == state) {
                    return;
                }
            }
        };
        let heard = timeout(SOON, heard).await;
        assert!(heard.is_ok(), "systemd does not hear {state}");
    }

    /// Whether anything was said that was not yet heard.
    fn is_told(&self) -> bool {
        self.socket.try_recv(&mut [0; 256]).is_ok()
    }

    /// It says that it is ready, that it lives while its loop runs, and that it ends.
    async fn sees_it_live(&self, program: &mut Process) {
        self.hears("READY=1").await;
        for _ in 0..3 {
            self.hears("WATCHDOG=1").await;
        }
        program.freeze();
        program.until_frozen(SOON).await;
        while self.is_told() {}
        throughout(WATCHDOG * 2, async || !self.is_told()).await;
        program.thaw();
        self.hears("WATCHDOG=1").await;
    }
}

#[tokio::test]
async fn l1_an_actor_without_a_broker_is_ready_and_lives_while_its_loop_runs() {
    let systemd = Manager::new();
    let nobody = Port::reserve();
    let url = format!("amqp://guest:guest@{}/%2f", nobody.address());
    let config = chain::config(&url, 1);
    let mut actor = systemd.start(Launch::lvmbeat(config.actor()));
    systemd.sees_it_live(&mut actor).await;
    ends_in_order(&mut actor, Signal::TERM).await;
    systemd.hears("STOPPING=1").await;
}

#[tokio::test]
async fn l1_an_actor_that_stands_by_is_ready_and_lives() {
    let vhost = broker::vhost().await;
    let config = chain::config(&vhost.url(), 1);
    let mut active = Launch::lvmbeat(config.actor()).start();
    until(&mut active, "session open").await;
    let systemd = Manager::new();
    let mut second = systemd.start(Launch::lvmbeat(config.actor()));
    until(&mut second, "standing by").await;
    systemd.hears("READY=1").await;
    systemd.hears("WATCHDOG=1").await;
    while systemd.is_told() {}
    systemd.hears("WATCHDOG=1").await;
}

#[tokio::test]
async fn m1_the_monitor_is_ready_and_lives_while_its_loop_runs() {
    let systemd = Manager::new();
    let port = Port::reserve();
    let listen = port.address().to_string();
    let mut monitor = systemd.start(Launch::lvmbeat(["monitor", "--listen", &listen]));
    systemd.sees_it_live(&mut monitor).await;
    ends_in_order(&mut monitor, Signal::TERM).await;
    systemd.hears("STOPPING=1").await;
}

#[tokio::test]
async fn the_simulator_is_ready_and_lives_while_its_loop_runs() {
    let systemd = Manager::new();
    let mut sim = systemd.start(Launch::sim(["--listen", "127.0.0.1:0"]));
    systemd.sees_it_live(&mut sim).await;
    sim.terminate();
    systemd.hears("STOPPING=1").await;
    assert_eq!(sim.exit(SOON).await.code(), Some(0));
}

fn units() -> Vec<PathBuf> {
    let folder = project("config/systemd");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let is_unit = |file: &PathBuf| file.extension().is_some_and(|is| is == "service");
    let units: Vec<_> = files.filter(is_unit).collect();
    assert_eq!(units.len(), 3, "{units:?}");
    units
}

async fn analyze(arguments: &[&str], unit: &Path) {
    let done = Launch::other("/usr/bin/systemd-analyze".into())
        .args(arguments)
        .args([unit])
        .finish(SOON)
        .await;
    assert_eq!(done.code(), Some(0), "{}: {done:?}", unit.display());
    assert!(done.stderr.is_empty(), "{}: {done:?}", unit.display());
}

#[tokio::test]
async fn x1_the_units_are_valid_and_their_exposure_is_at_most_two() {
    let scratch = Scratch::new();
    for unit in units() {
        // Tenths.
        analyze(&["security", "--offline=true", "--threshold=20"], &unit).await;
        let mut text = fs::read_to_string(&unit).unwrap();
        for program in ["lvmbeat", "sim"] {
            let (named, there) = (format!("={program} "), built(program));
            text = text.replace(&named, &format!("={} ", there.display()));
        }
        let name = unit.file_name().unwrap().to_str().unwrap();
        analyze(&["verify", "--man=no"], &scratch.write(name, &text)).await;
    }
}

#[tokio::test]
async fn the_configuration_for_the_units_is_valid_and_logs_where_the_unit_allows() {
    let file = units().remove(0).with_file_name("config.yaml");
    let check = Launch::lvmbeat(["check", "-c"])
        .args([file])
        .finish(SOON)
        .await;
    assert_eq!(check.code(), Some(0), "{check:?}");
    assert!(check.stderr.is_empty(), "{check:?}");
    let in_force = check.stdout.lines();
    let folders: Vec<_> = in_force.filter(|line| line.contains("log_dir:")).collect();
    assert_eq!(folders, ["  log_dir: /var/log/lvmbeat"]);
}

/// What a unit has its program say is what the stand-in hears.
#[test]
fn l1_systemd_restarts_each_program_whose_loop_hangs() {
    for unit in units() {
        let text = fs::read_to_string(&unit).unwrap();
        for line in ["Type=notify", "WatchdogSec=10", "Restart=always"] {
            let has = text.lines().any(|is| is == line);
            assert!(has, "{}: no {line}", unit.display());
        }
    }
}
