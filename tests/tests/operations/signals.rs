//! Signals that programs get from logrotate, a closed terminal or `systemctl reload`: lvmbeat
//! stays, and says so once.

use std::fs;

use lvmbeat_tests::broker;
use lvmbeat_tests::chain::{self, Client, INTERVAL};
use lvmbeat_tests::ecp::FakeEcp;
use lvmbeat_tests::eventually;
use lvmbeat_tests::port::Port;
use lvmbeat_tests::process::{Launch, Process};
use rustix::process::Signal;

use super::{SOON, ends_in_order, until};

const NO_REASON_TO_END: [(Signal, &str); 7] = [
    (Signal::HUP, "SIGHUP"),
    (Signal::USR1, "SIGUSR1"),
    (Signal::USR2, "SIGUSR2"),
    (Signal::ALARM, "SIGALRM"),
    (Signal::PIPE, "SIGPIPE"),
    (Signal::IO, "SIGIO"),
    (Signal::XFSZ, "SIGXFSZ"),
];

/// Each of them twice, then SIGTERM.
async fn stays(program: &mut Process) {
    for (signal, name) in NO_REASON_TO_END {
        program.signal(signal);
        until(program, &format!("{name} is ignored: restart")).await;
        program.signal(signal);
    }
    // The last one of each has been taken when a later one has been acted upon.
    ends_in_order(program, Signal::TERM).await;
    for (_, name) in NO_REASON_TO_END {
        let lines = program.lines();
        let said = lines.iter().filter(|line| line.text.contains(name));
        assert_eq!(said.count(), 1, "{name}");
    }
}

#[tokio::test]
async fn l1_neither_a_reload_nor_a_closed_terminal_ends_the_actor() {
    let vhost = broker::vhost().await;
    let config = chain::config(&vhost.url(), 1);
    let ecp = FakeEcp::start(&vhost.url()).await;
    let mut actor = Launch::lvmbeat(config.actor()).start();
    until(&mut actor, "session open").await;
    let _beating = Client::start(&vhost.url(), "c0", INTERVAL).await;
    ecp.wait_for_heartbeats(1, SOON).await;
    actor.signal(Signal::HUP);
    until(&mut actor, "SIGHUP is ignored").await;
    let emitted = ecp.heartbeats().len();
    ecp.wait_for_heartbeats(emitted + 2, SOON).await;
    let mut another = Launch::lvmbeat(config.actor()).start();
    until(&mut another, "standing by").await;
    stays(&mut another).await;
}

#[tokio::test]
async fn m1_neither_a_reload_nor_a_closed_terminal_ends_the_monitor() {
    let port = Port::reserve();
    let listen = port.address().to_string();
    let mut monitor = Launch::lvmbeat(["monitor", "--listen", &listen]).start();
    until(&mut monitor, "lvmbeat monitor").await;
    stays(&mut monitor).await;
}

#[tokio::test]
async fn a_log_file_that_is_moved_away_is_replaced() {
    let vhost = broker::vhost().await;
    let config = chain::config(&vhost.url(), 1);
    let folder = config.folder().join("logs");
    let config = config.set("actor.log_dir", folder.display().to_string());
    let mut actor = Launch::lvmbeat(config.actor()).start();
    until(&mut actor, "session open").await;
    let logs = || -> Vec<_> {
        let files = fs::read_dir(&folder).into_iter().flatten().flatten();
        let files = files.map(|file| file.path());
        files
            .filter(|file| file.extension().is_some_and(|is| is == "log"))
            .collect()
    };
    let whole = |text: &str| {
        let files = logs().into_iter();
        let texts = files.filter_map(|file| fs::read_to_string(file).ok());
        texts
            .fold(String::new(), |all, one| all + &one)
            .contains(text)
    };
    eventually(SOON, async || whole("session open")).await;
    for file in logs() {
        fs::rename(&file, file.with_extension("rotated")).expect("the folder is ours");
    }
    actor.signal(Signal::HUP);
    eventually(SOON, async || whole("SIGHUP is ignored")).await;
    ends_in_order(&mut actor, Signal::TERM).await;
}

#[tokio::test]
async fn the_brokers_library_is_quiet_unless_it_is_named() {
    let vhost = broker::inspectable_vhost().await;
    // lapin says in its own words that the login is refused.
    let url = vhost.url().replace("guest:guest", "guest:wrong");
    let config = chain::config(&url, 1);
    for (asked, heard) in [("info", false), ("info,lapin=info", true)] {
        let mut actor = Launch::lvmbeat(config.actor())
            .env("RUST_LOG", asked)
            .start();
        until(&mut actor, "no session with the broker; trying again").await;
        if heard {
            until(&mut actor, "ERROR").await;
        }
        ends_in_order(&mut actor, Signal::TERM).await;
        let errors = actor
            .lines()
            .into_iter()
            .any(|line| line.text.contains("ERROR"));
        assert_eq!(errors, heard, "{asked}");
    }
}
