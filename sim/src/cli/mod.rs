//! The command line: parse, run, print, end.

mod args;
mod control;
mod log;
mod output;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use lvmbeat::clock::{BootClock, Clock as _};
use lvmbeat::systemd::Systemd;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{interval, timeout};

use crate::demo::{self, DemoConfig, DemoError};
use crate::ecp::{Ecp, EcpEvent};
use crate::plc::Record;
use crate::print;
use crate::simulator::{Died, Simulator, StartError};
use args::{Args, Command, Parsed};
use control::{Order, OrderError};
use output::{Format, Output};

/// How often systemd may hear that the PLC can be looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long what is printed last may take to be printed.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Runs the programme: 0 after it was stopped or the demonstration is over, 1 when it could not run
/// or go on, 2 when the arguments are wrong.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match args::parse(arguments, &|name| std::env::var(name).ok()) {
        Parsed::Run(args) => args,
        Parsed::Print(text) => {
            // Nobody reads it: that is no failure of ours.
            let _ = print::stdout(&text);
            return ExitCode::SUCCESS;
        }
        Parsed::Wrong(sentence) => {
            output::complain(&sentence);
            return ExitCode::from(2);
        }
    };
    let demo = args.command.as_ref().map(|command| match command {
        Command::Demo(demo) => demo.config(args.verbose),
    });
    let _log = log::start(args.verbose, demo.is_some_and(|demo| demo.picture));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(async {
                match demo {
                    Some(demo) => play(demo).await,
                    None => run(&args).await,
                }
            });
            // Whatever still hangs in a thread, a resolver for instance, is not waited for.
            runtime.shutdown_background();
            result
        }
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

/// What can be said on the command line, for its manual.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Why it could not run or go on.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Demo(#[from] DemoError),
    #[error("the simulator cannot go on: {0}")]
    Died(#[source] Died),
    #[error("the runtime cannot be set up: {0}")]
    Runtime(#[from] std::io::Error),
}

async fn play(config: DemoConfig) -> Result<(), Failure> {
    let stop = stop()?;
    Ok(demo::run(config, stop).await?)
}

/// Resolves at SIGTERM or Ctrl-C.
fn stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

async fn run(args: &Args) -> Result<(), Failure> {
    let stop = stop()?;
    let simulator = Simulator::start(args.config()).await?;
    let format = if args.json {
        Format::Json
    } else {
        Format::Words
    };
    let (output, mut closed) = Output::start(format)?;
    let orders = if args.control {
        control::orders()?
    } else {
        // No sender: there will never be one.
        mpsc::channel(1).1
    };
    let mut stage = Stage::set(args, simulator, output);
    // The reader may act on it: what comes of that must not be missed.
    let address = stage.simulator.local_addr();
    stage.output.listening(address, &stage.simulator.snapshot());
    let result = tokio::select! {
        died = stage.play(orders) => Err(Failure::Died(died)),
        () = stop => Ok(()),
        // Nobody reads any more.
        _ = &mut closed => {
            stage.clear().await;
            return Ok(());
        }
    };
    // Either the printer then ends by itself, or it hangs on a reader that does not read.
    stage.clear().await;
    let _ = timeout(LAST_WORDS, closed).await;
    result
}

/// Everything that runs.
struct Stage {
    simulator: Simulator,
    events: broadcast::Receiver<Record>,
    ecp: Option<(Ecp, broadcast::Receiver<EcpEvent>)>,
    output: Output,
    systemd: Systemd,
}

impl Stage {
    fn set(args: &Args, simulator: Simulator, output: Output) -> Self {
        let events = simulator.events();
        for fault in &args.fault {
            simulator.set_fault(*fault, true);
        }
        let ecp = args.broker.clone().map(|broker| {
            let plc = args.ecp_plc.unwrap_or_else(|| simulator.local_addr());
            let port = Arc::new(args::port(plc));
            let clock = Arc::new(BootClock);
            let ecp = Ecp::start(args.ecp_config(), Arc::new(broker), port, clock);
            let events = ecp.events();
            (ecp, events)
        });
        Self {
            simulator,
            events,
            ecp,
            output,
            systemd: Systemd::from_environment(),
        }
    }

    /// Prints what happens and obeys, until a part ends that should not.
    async fn play(&mut self, mut orders: mpsc::Receiver<Result<Order, OrderError>>) -> Died {
        let mut ticks = interval(LOOK_EVERY);
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    let _looked = self.simulator.snapshot();
                    self.systemd.alive(BootClock.now());
                }
                event = self.events.recv() => match event {
                    Ok(record) => self.output.record(&record),
                    Err(RecvError::Lagged(missed)) => {
                        self.output.missed(missed, &self.simulator.snapshot());
                    }
                    // The PLC lives as long as the simulator.
                    Err(RecvError::Closed) => return Died::quietly("the PLC"),
                },
                next = ecp(&mut self.ecp) => match next {
                    Ok(event) => self.output.ecp(&event, &self.simulator.snapshot()),
                    Err(died) => return died,
                },
                Some(order) = orders.recv() => self.obey(&order),
                died = self.simulator.died() => return died,
            }
        }
    }

    /// Does what a line of the standard input asks for. Its answer comes after the events that it
    /// causes.
    fn obey(&mut self, order: &Result<Order, OrderError>) {
        let plc = self.simulator.plc();
        let ecp = self.ecp.as_ref().map(|(ecp, _)| ecp);
        let obeyed = order.clone().and_then(|order| order.carry_out(plc, ecp));
        let snapshot = plc.snapshot();
        drain(&mut self.events, &self.output);
        match obeyed {
            Ok(()) => self.output.status(&snapshot),
            Err(error) => self.output.error(&error.to_string(), &snapshot),
        }
    }

    /// Ends everything in order.
    async fn clear(mut self) {
        self.systemd.stopping();
        if let Some((ecp, _)) = self.ecp.take() {
            ecp.end().await;
        }
        let last = self.simulator.snapshot();
        drain(&mut self.events, &self.output);
        self.output.ended(&last);
        self.simulator.end().await;
    }
}

/// The next event of the lvmecp stand-in, if there is one; an error when it has died.
async fn ecp(ecp: &mut Option<(Ecp, broadcast::Receiver<EcpEvent>)>) -> Result<EcpEvent, Died> {
    let Some((ecp, events)) = ecp else {
        return std::future::pending().await;
    };
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => return Ok(event),
                // Missed ones do not matter, and the other branch reports the end.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Err(ecp.died().await),
            },
            died = ecp.died() => return Err(died),
        }
    }
}

fn drain(events: &mut broadcast::Receiver<Record>, output: &Output) {
    while let Ok(record) = events.try_recv() {
        output.record(&record);
    }
}
