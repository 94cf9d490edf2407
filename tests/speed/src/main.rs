//! Measures lvmbeat beside a floor, and prints a table. `tests/bench` builds and runs it.
//!
//! Machines are shared and noisy. So what is compared is measured in turns, each round gives one
//! figure, and the table shows medians.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that people run"
)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else a broker sends is not expected"
)]
#![expect(
    clippy::cast_precision_loss,
    reason = "counts of a few thousands, and megabytes"
)]

mod commander;
mod floor;
mod parts;
mod scale;
mod table;
mod usage;
mod web;
mod wire;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use tokio::time::Instant;

use commander::Commander;
use parts::{Place, Program};
use scale::Extent;
use table::{Figure, Goal};
use usage::Usage;

const USAGE: &str = "usage: tests/bench [--short] [--rounds N] [--idle SECONDS] [--python INTERPRETER] [--binary FILE] [--scale]";
const OUTSTANDING: usize = 50;
/// A little more than the timeout of a heartbeat.
const QUIET: Duration = Duration::from_secs(31);

#[derive(Debug)]
struct Options {
    date: String,
    rounds: usize,
    one_by_one: usize,
    together: usize,
    requesting: Duration,
    idle: Duration,
    python: Option<PathBuf>,
    binary: Option<PathBuf>,
    /// Only the tables of [`scale`].
    scale: bool,
    extent: Extent,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            date: "no date".to_owned(),
            rounds: 7,
            one_by_one: 1000,
            together: 5000,
            requesting: Duration::from_secs(1),
            idle: Duration::from_secs(60),
            python: None,
            binary: None,
            scale: false,
            extent: Extent::FULL,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().context(USAGE);
            match argument.as_str() {
                "--short" => {
                    options = Self {
                        rounds: 1,
                        one_by_one: 100,
                        together: 200,
                        requesting: Duration::from_millis(200),
                        idle: Duration::from_secs(2),
                        extent: Extent::SHORT,
                        ..options
                    }
                }
                "--scale" => options.scale = true,
                "--date" => options.date = value()?,
                "--rounds" => options.rounds = value()?.parse()?,
                "--idle" => options.idle = Duration::from_secs(value()?.parse()?),
                "--binary" => options.binary = Some(value()?.into()),
                "--python" => options.python = Some(value()?.into()),
                _ => bail!(USAGE),
            }
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let port = std::env::args().nth(2).and_then(|port| port.parse().ok());
    let result = match (arguments.peek().map(String::as_str), port) {
        (Some("floor"), Some(port)) => floor::serve(port),
        (Some("axum"), Some(port)) => web::serve(port),
        _ => Options::parse(arguments).and_then(|options| measure(&options)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tests/bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Result<()> {
    let place = Place::find(options.binary.clone())?;
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    if options.scale {
        println!("{}, {}\n", options.date, machine());
        println!("{}", scale::measure(&place, options.extent)?);
        return Ok(());
    }
    let mut client = Commander::connect(place.broker)?;
    let (monitor, at) = place.monitor()?;
    let mut figures = Vec::new();

    let start = cold_starts(&place, &mut client, options.rounds)?;
    let (floor, actor) = (place.floor()?, place.actor()?);
    let mut rivals = vec![(floor::NAME, &floor), ("lvmbeat", &actor)];
    let python = options
        .python
        .as_ref()
        .map(|it| place.python(it))
        .transpose()?;
    if let Some(python) = &python {
        rivals.push(("pybeat", python));
    }
    // The floor takes anything for a `set`.
    for (name, _) in &rivals {
        client.until_it_answers(name)?;
        client.send(name, 50, 1)?;
    }
    let idle = idle(&[&actor, &monitor], python.as_ref(), options.idle);
    figures.extend(sets(&mut client, &rivals, options)?);
    figures.push(start);
    figures.extend(idle);
    let mut resident = Figure::new("resident memory of the actor, MB", Goal::AtMost(10.0));
    resident.ours.push(megabytes(usage::resident(actor.id())));
    resident.floor.push(megabytes(usage::resident(floor.id())));
    resident
        .python
        .extend(python.map(|it| megabytes(usage::resident(it.id()))));
    figures.push(resident);
    figures.extend(requests(&monitor, at, options)?);
    let mut binary = Figure::new("binary, MB", Goal::AtMost(8.0));
    binary.ours.push(megabytes(place.binary()?));
    figures.push(binary);

    let machine = machine();
    let load = load.trim();
    println!("{}, {machine}, load before: {load}", options.date);
    println!(
        "{} rounds, medians\n\n{}",
        options.rounds,
        table::markdown(&figures)
    );
    let all = json!({
        "date": options.date,
        "machine": machine,
        "load_before": load,
        "rounds": options.rounds,
        "figures": table::json(&figures),
    });
    println!("{all}");
    Ok(())
}

/// From the start of the process to the answer to the first ping.
fn cold_starts(place: &Place, client: &mut Commander, rounds: usize) -> Result<Figure> {
    let mut start = Figure::new("cold start to first ping, ms", Goal::AtMostOfFloor(1.3));
    for _ in 0..rounds {
        for (name, figures) in [
            (floor::NAME, &mut start.floor),
            ("lvmbeat", &mut start.ours),
        ] {
            let begin = Instant::now();
            let _running = match name {
                floor::NAME => place.floor()?,
                _ => place.actor()?,
            };
            client.until_it_answers(name)?;
            figures.push(milliseconds(begin.elapsed()));
        }
    }
    Ok(start)
}

/// What is used while nobody sends anything.
fn idle(ours: &[&Program], python: Option<&Program>, span: Duration) -> Vec<Figure> {
    let used = || {
        let all = ours.iter().copied().chain(python);
        all.map(|it| Usage::of(it.id())).collect::<Vec<_>>()
    };
    // The actor takes a client that has just beaten for one that beats, until its timeout.
    std::thread::sleep(span.min(QUIET));
    let before = used();
    std::thread::sleep(span);
    let seconds = span.as_secs_f64();
    let since = used().into_iter().zip(before);
    let since: Vec<_> = since.map(|(now, before)| now.since(before)).collect();
    let cpu = |used: &Usage| used.cpu.as_secs_f64() * 3600.0 / seconds;
    let wakeups = |used: &Usage| used.wakeups as f64 / seconds;
    let figure = |what, goal, place: usize, value: &dyn Fn(&Usage) -> f64| {
        let mut figure = Figure::new(what, goal);
        figure.ours.extend(since.get(place).map(value));
        if place == 0 {
            figure.python.extend(since.get(ours.len()).map(value));
        }
        figure
    };
    vec![
        figure("idle CPU of the actor, s/h", Goal::AtMost(1.0), 0, &cpu),
        figure("its wakeups a second", Goal::AtMost(3.0), 0, &wakeups),
        figure("idle CPU of the monitor, s/h", Goal::AtMost(1.0), 1, &cpu),
        figure("its wakeups a second", Goal::AtMost(3.0), 1, &wakeups),
    ]
}

/// The way of a `set`: one at a time, and many at a time.
fn sets(
    client: &mut Commander,
    rivals: &[(&str, &Program)],
    options: &Options,
) -> Result<Vec<Figure>> {
    let mut figures = vec![
        Figure::new("`set`, one at a time, p50, ms", Goal::AtMostOfFloor(1.1)),
        Figure::new("p99, ms", Goal::AtMostOfFloor(1.3)),
        Figure::new("CPU of the actor a command, ms", Goal::AtMost(0.1)),
        Figure::new("its wakeups a command", Goal::None),
        Figure::new("CPU of the client a command, ms", Goal::AtMostOfFloor(1.05)),
        Figure::new("commands/s, 50 outstanding", Goal::AtLeastOfFloor(0.95)),
        Figure::new("CPU of the actor a command then, ms", Goal::None),
    ];
    for _ in 0..options.rounds {
        for (name, program) in rivals {
            let before = Usage::of(program.id());
            let single = client.send(name, options.one_by_one, 1)?;
            let used = Usage::of(program.id()).since(before);
            let count = options.one_by_one as f64;
            let before = Usage::of(program.id());
            let many = client.send(name, options.together, OUTSTANDING)?;
            let used_then = Usage::of(program.id()).since(before);
            let values = [
                milliseconds(single.p50),
                milliseconds(single.p99),
                milliseconds(used.cpu) / count,
                used.wakeups as f64 / count,
                milliseconds(single.cpu) / count,
                options.together as f64 / many.all.as_secs_f64(),
                milliseconds(used_then.cpu) / options.together as f64,
            ];
            for (figure, value) in figures.iter_mut().zip(values) {
                match *name {
                    floor::NAME => figure.floor.push(value),
                    "lvmbeat" => figure.ours.push(value),
                    _ => figure.python.push(value),
                }
            }
        }
    }
    Ok(figures)
}

fn requests(monitor: &Program, at: SocketAddr, options: &Options) -> Result<Vec<Figure>> {
    let (_axum, bare) = parts::bare_axum()?;
    let goal = Goal::AtLeastOfFloor(0.85);
    let mut figures = Vec::new();
    for (what, path) in [
        (
            "monitor `/heartbeat`, requests/s (floor: axum)",
            "/heartbeat",
        ),
        ("monitor `/status`, requests/s (floor: axum)", "/status"),
    ] {
        let mut figure = Figure::new(what, goal);
        for _ in 0..options.rounds {
            figure
                .floor
                .push(web::rate(bare, path, options.requesting)?);
            figure.ours.push(web::rate(at, path, options.requesting)?);
        }
        figures.push(figure);
    }
    let mut resident = Figure::new("resident memory of the monitor, MB", Goal::AtMost(10.0));
    resident.ours.push(megabytes(usage::resident(monitor.id())));
    figures.push(resident);
    Ok(figures)
}

fn milliseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Its processors.
fn machine() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut names = processors
        .lines()
        .filter_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map(|(_, name)| name.trim());
    let name = names.next().unwrap_or("unknown processor");
    format!("{} × {name}", names.count() + 1)
}
