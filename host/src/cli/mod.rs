//! The command line.
//!
//! * 0: done; for `actor` and `monitor`: ended in order by SIGTERM or Ctrl-C
//! * 1: the command was answered with a failure; or the program failed while running
//! * 2: the command line or the configuration is wrong
//! * 3: no answer: no broker, no such actor, or none in time
//! * 4: `status`: the dome heartbeat is held, or does not arrive, or lvmbeat does not feed the PLC
//! * any: `beat`: the command's own; 126 or 127 if it cannot be started

#![expect(
    clippy::result_large_err,
    reason = "a failure is returned once, and the process ends with it"
)]

mod actor;
mod answer;
mod args;
mod beat;
mod client;
mod doctor;
mod drill;
mod failure;
mod healthcheck;
mod monitor;
mod notices;
mod service;
mod status;
mod why;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use self::args::{Cli, Command, DrillArgs, Program, Shell, Word};
use self::failure::Failure;
use crate::config::monitor::Monitor;
use crate::config::{self, Config, ConfigError};
use crate::errors::with_causes;
use crate::log::LogOptions;

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&with_causes(&failure));
            failure.exit_code()
        }
    }
}

/// What can be said on the command line, for its manual.
pub fn command() -> clap::Command {
    Cli::command()
}

/// To the caller's standard error, beside the output.
fn say(text: &str) {
    for line in text.lines() {
        let _ = writeln!(io::stderr(), "lvmbeat: {line}");
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let file = cli.config.as_deref();
    let mut log = LogOptions {
        verbosity: cli.verbose,
        format: cli.log_format,
    };
    // Each program reads its own part of the configuration, so that a slip in the other's does not
    // keep it from starting.
    match cli.command {
        Command::Actor(args) => {
            if let Some(instead) = args.word.and_then(Word::instead) {
                return Err(Failure::Python(instead));
            }
            log.verbosity = log.verbosity.max(args.debug.into());
            actor::run(Config::load(file)?, config::warnings(file), log)
        }
        Command::Monitor {
            python_state: true, ..
        } => {
            let file = Monitor::load(file)?.state_file;
            print(&crate::monitor::python_state(file.as_deref())?)
        }
        Command::Monitor { listen, .. } => {
            let warnings = config::warnings(file);
            monitor::run(Monitor::load(file)?, warnings, listen, log)
        }
        Command::Status { wait, watch } => {
            let config = Config::load(file)?;
            status::run(&config, wait.timeout, wait.json, watch)
        }
        Command::Ping(wait) => {
            let config = Config::load(file)?;
            client::send(
                &config,
                &config.actor.name,
                "ping",
                wait.timeout,
                wait.form(),
            )
        }
        Command::Set { name, wait } => {
            let config = Config::load(file)?;
            client::set(
                &config,
                &config.actor.name,
                &name,
                wait.timeout,
                wait.form(),
            )
        }
        Command::Beat {
            name,
            every,
            check,
            shell,
            command,
        } => {
            let shell = shell.map(|text| ["sh".into(), "-c".into(), text.into()].to_vec());
            let command = shell.unwrap_or(command);
            let beat = beat::Beat {
                heartbeat: &name,
                every,
                check: check.as_deref(),
                command: &command,
            };
            beat::run(&Config::load(file)?, &beat)
        }
        Command::Become { parent, command } => Err(beat::become_command(parent, &command)),
        Command::Send {
            wait,
            actor,
            command,
        } => client::send(
            &Config::load(file)?,
            &actor,
            &client::as_typed(&command)?,
            wait.timeout,
            wait.form(),
        ),
        Command::Check { broker } => check(file, broker),
        Command::Healthcheck { program, url } => healthcheck::run(file, program, url.as_deref()),
        Command::Why {
            since,
            last: _,
            ask,
            wait,
        } => {
            let question = why::Question {
                since: since.as_deref(),
                as_json: wait.json,
                ask,
                limit: wait.timeout,
            };
            why::run(&Config::load(file)?, &question)
        }
        Command::Doctor(args) => doctor::run(file, &args),
        Command::Drill(args) => drill(file, &args),
        Command::Completions { shell } => completions(shell),
    }
}

fn drill(file: Option<&Path>, args: &DrillArgs) -> Result<(), Failure> {
    let config = Config::load(file)?;
    let what = if args.stop {
        drill::What::Stop
    } else if args.alert {
        // The monitor's part may be for another machine.
        drill::What::DrillAndAlert(Monitor::load(file).ok().and_then(|it| it.admin_token))
    } else {
        drill::What::Drill
    };
    drill::run(&config, args.wait.timeout, &what, args.wait.json)
}

fn check(file: Option<&Path>, broker: bool) -> Result<(), Failure> {
    let (config, monitor) = match (Config::load(file), Monitor::load(file)) {
        (Ok(config), Ok(monitor)) => (config, monitor),
        (config, monitor) => {
            let errors = [config.err(), monitor.err()].into_iter().flatten();
            return Ok(ConfigError::all(errors)?);
        }
    };
    for warning in config::warnings(file) {
        say(&format!("WARN: {warning}"));
    }
    print(&format!(
        "# {}: valid. In force:\n{}\n{}{}",
        config.source,
        config.effective(&monitor),
        config.budget_report(),
        monitor.report()
    ))?;
    if broker {
        print(&client::permissions(&config)?)?;
    }
    Ok(())
}

fn completions(shell: Shell) -> Result<(), Failure> {
    use clap_complete::{Shell as Known, generate};
    let shell = match shell {
        Shell::Bash => Known::Bash,
        Shell::Elvish => Known::Elvish,
        Shell::Fish => Known::Fish,
        Shell::Powershell => Known::PowerShell,
        Shell::Zsh => Known::Zsh,
    };
    let mut script = Vec::new();
    generate(shell, &mut command(), "lvmbeat", &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// Writes to standard output. A reader that closes it early (`| head`) has seen enough.
fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(cause)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::args::ActorArgs;
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_deployed_containers_command_line_is_accepted() {
        let cli =
            Cli::try_parse_from(["lvmbeat", "-c", "/config.yaml", "actor", "start", "--debug"])
                .unwrap();
        assert!(matches!(
            cli.command,
            Command::Actor(ActorArgs {
                word: Some(Word::Start),
                debug: true
            })
        ));
    }

    #[test]
    fn a_command_for_another_actor_may_hold_options() {
        let cli =
            Cli::try_parse_from(["lvmbeat", "send", "lvmecp", "dome", "open", "--force"]).unwrap();
        let Command::Send { command, .. } = cli.command else {
            panic!("{:?}", cli.command)
        };
        assert_eq!(command, ["dome", "open", "--force"]);
    }
}
