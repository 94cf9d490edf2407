//! `with-broker COMMAND...` runs a command with a RabbitMQ node for the tests beside it:
//! `LVMBEAT_TEST_BROKER` names its folder. The node ends with the command, and the command with
//! this. The exit code is the command's.
#![expect(
    clippy::print_stderr,
    clippy::expect_used,
    reason = "a program that people run by hand"
)]

use std::process::ExitCode;

use lvmbeat_tests::broker::Broker;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("usage: with-broker COMMAND...");
        return ExitCode::from(2);
    };
    let mut interrupt = signal(SignalKind::interrupt()).expect("signals can be caught");
    let mut terminate = signal(SignalKind::terminate()).expect("signals can be caught");
    let run = async {
        let broker = Broker::start().await;
        let child = Command::new(&program)
            .args(arguments)
            .env("LVMBEAT_TEST_BROKER", broker.folder())
            .kill_on_drop(true)
            .spawn();
        let status = match child {
            Ok(mut child) => child.wait().await.ok().and_then(|status| status.code()),
            Err(cause) => {
                eprintln!("{} cannot be started: {cause}", program.display());
                Some(127)
            }
        };
        ExitCode::from(status.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
    };
    tokio::select! {
        code = run => code,
        _ = interrupt.recv() => ExitCode::from(130),
        _ = terminate.recv() => ExitCode::from(143),
    }
}
