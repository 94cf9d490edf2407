//! The command line: parse, run, print, end.

mod args;
mod control;
mod output;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::time::timeout;

use crate::LivePlc;
use crate::plc::Record;
use crate::simulator::{Simulator, StartError};
use args::{Args, Parsed};
use control::Order;
use output::{Format, Output};

/// How long what is printed last may take to be printed.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Runs the programme: 0 after it was told to end, 1 when it could not run or go on, 2 when the arguments are wrong.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match args::parse(arguments) {
        Parsed::Run(args) => args,
        Parsed::Print(text) => {
            // Nobody reads it: that is no failure of ours.
            let _ = output::stdout(&text);
            return ExitCode::SUCCESS;
        }
        Parsed::Wrong(sentence) => {
            output::complain(&sentence);
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(&args)),
        Err(error) => Err(Failure::Runtime(error)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Why it could not run or go on.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the simulator cannot go on: {0}")]
    Died(String),
    #[error("the machine refuses what every programme needs: {0}")]
    Runtime(#[from] std::io::Error),
}

async fn run(args: &Args) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut simulator = Simulator::start(args.config()).await?;
    let plc = simulator.plc().clone();
    let format = if args.json {
        Format::Json
    } else {
        Format::Words
    };
    let (output, mut closed) = Output::start(format)?;
    let mut events = simulator.events();
    output.listening(simulator.local_addr(), &simulator.snapshot());
    for fault in &args.fault {
        plc.set_fault(*fault, true);
    }
    let mut orders = if args.control {
        control::orders()?
    } else {
        // No sender: there will never be one.
        mpsc::channel(1).1
    };

    let result = loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(record) => output.record(&record),
                Err(RecvError::Lagged(missed)) => output.missed(missed, &plc.snapshot()),
                Err(RecvError::Closed) => break Ok(()),
            },
            Some(order) = orders.recv() => obey(&order, &plc, &mut events, &output),
            died = simulator.died() => break Err(Failure::Died(died)),
            // Nobody reads any more.
            _ = &mut closed => {
                simulator.end().await;
                return Ok(());
            }
            _ = terminate.recv() => break Ok(()),
            _ = interrupt.recv() => break Ok(()),
        }
    };
    drain(&mut events, &output);
    output.ended(&plc.snapshot());
    simulator.end().await;
    drop(output);
    // Either the printer has ended by itself or it hangs on a reader that does not read.
    let _ = timeout(LAST_WORDS, closed).await;
    result
}

/// Does what a line of the standard input asks for. Its answer comes after the events that it causes.
fn obey(
    order: &Result<Order, String>,
    plc: &LivePlc,
    events: &mut broadcast::Receiver<Record>,
    output: &Output,
) {
    match order {
        Ok(order) => {
            order.carry_out(plc);
            let snapshot = plc.snapshot();
            drain(events, output);
            output.status(&snapshot);
        }
        Err(sentence) => output.error(sentence, &plc.snapshot()),
    }
}

fn drain(events: &mut broadcast::Receiver<Record>, output: &Output) {
    while let Ok(record) = events.try_recv() {
        output.record(&record);
    }
}
