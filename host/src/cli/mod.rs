//! The command line.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | done; for `actor` and `monitor`: ended in order by SIGTERM or Ctrl-C |
//! | 1 | the command was answered with a failure; or the program failed while running |
//! | 2 | the command line or the configuration is wrong |
//! | 3 | no answer: no broker, no such actor, or none in time |
//! | 4 | `status`: the dome heartbeat is held, or does not arrive, or lvmbeat does not feed the PLC |
//! | any | `beat`: the command's own; 126 or 127 if it cannot be started |

#![expect(
    clippy::result_large_err,
    reason = "a failure is returned once, and the process ends with it"
)]

mod actor;
mod beat;
mod client;
mod doctor;
mod drill;
mod healthcheck;
mod monitor;
mod service;
mod status;
mod why;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use self::client::Form;
use crate::clu::amqp::UriError;
use crate::clu::{BusError, CommandError};
use crate::config::monitor::Monitor;
use crate::config::{self, Config, ConfigError};
use crate::errors::with_causes;
use crate::log::{LogFormat, LogOptions};

/// Keeps a telescope dome open only while every program that must be alive says so.
#[derive(Parser, Debug)]
#[command(name = "lvmbeat", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong command line or configuration, 3 no answer, 4 status: the dome heartbeat does not reach the PLC; beat: those of its command."
)]
struct Cli {
    /// The configuration file, over the one that `LVMBEAT_CONFIG_PATH` names or that is in the
    /// home folder [default: the built-in one]
    #[arg(
        short,
        long = "config",
        value_name = "FILE",
        global = true,
        env = "LVMBEAT_CONFIG_FILE"
    )]
    config: Option<PathBuf>,

    /// Log more; twice for every message, three times also what the libraries say (the variable
    /// `RUST_LOG` wins over it)
    #[arg(short, long, action = clap::ArgAction::Count, global = true, env = "LVMBEAT_VERBOSE")]
    verbose: u8,

    /// How the actor and the monitor log
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "text",
        global = true,
        env = "LVMBEAT_LOG_FORMAT"
    )]
    log_format: LogFormat,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the actor: collect heartbeats, and have the dome heartbeat emitted while all is well
    Actor(ActorArgs),
    /// Run the monitor outside the observatory: alert people when the observatory has gone silent
    Monitor {
        /// Where to serve HTTP [default: `LVMBEAT_LISTEN` or `monitor.listen`, else
        /// 127.0.0.1:8080]
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<SocketAddr>,
        /// Print the state file as the Python version reads it, and exit: for the way back
        #[arg(long, conflicts_with = "listen")]
        python_state: bool,
    },
    /// Show what the running actor knows: a table on a terminal, a reply of CLU in a pipe
    ///
    /// Exit code 0 if its health is `ok` or `late`, 4 if the dome heartbeat is held, does not
    /// arrive, or is bypassed, 3 without an answer.
    Status {
        #[command(flatten)]
        wait: Wait,
        /// Live until Ctrl-C, asking this often [default: every 2 seconds]
        #[arg(
            long,
            value_name = "SECONDS",
            num_args = 0..=1,
            default_missing_value = "2",
            value_parser = seconds,
            conflicts_with = "json"
        )]
        watch: Option<Duration>,
    },
    /// Send one heartbeat to the running actor
    Set {
        /// The heartbeat's name, as in the configuration
        name: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Send a heartbeat again and again, while a command lives and a check succeeds; one of them at
    /// least, as a heartbeat of nothing but a timer would keep the dome open for nothing
    ///
    /// One connection, opened again when it is lost. On standard error it says when the dome
    /// heartbeat is held or does not arrive, when nobody answers, and when that is over. Ends when
    /// the command ends, with its exit code (128 and the signal's number if one has ended it; 127
    /// if it is not found, 126 if it cannot be run), and without a command on SIGTERM or Ctrl-C.
    /// SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 are forwarded to the command, which
    /// gets SIGTERM if this program is killed.
    Beat {
        /// The heartbeat's name, as in the configuration
        name: String,
        /// How often to beat
        #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = period)]
        every: Duration,
        /// Run by `sh -c` before each beat: there is no beat unless it succeeds within the time of
        /// `--every`. What it prints is not shown
        #[arg(
            long,
            value_name = "CMD",
            visible_alias = "while",
            required_unless_present = "command"
        )]
        check: Option<String>,
        /// The command and its arguments; a beat says that it lives
        #[arg(last = true)]
        command: Vec<OsString>,
    },
    /// Becomes the command of `lvmbeat beat`, in a process of its own
    #[command(hide = true)]
    Become {
        parent: u32,
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// Ask the running actor for a sign of life
    Ping(Wait),
    /// Send a command to any CLU actor
    Send {
        #[command(flatten)]
        wait: Wait,
        /// The actor's name
        actor: String,
        /// The command and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Validate the configuration; print the one in force and how long closing takes in the worst
    /// case
    Check {
        /// Also ask the broker whether its user may do more than lvmbeat needs
        #[arg(long)]
        broker: bool,
    },
    /// Ask the actor or monitor of this machine whether it is well, for containers: exit code 0 or
    /// 1
    Healthcheck {
        /// Which of them [default: the actor if it serves HTTP, else the monitor]
        #[arg(value_enum)]
        program: Option<Program>,
        /// Ask this URL instead, by plain HTTP
        #[arg(long, conflicts_with = "program")]
        url: Option<String>,
    },
    /// Explain why the dome closed last, or what happened since a moment: from the actor's journal
    /// if it is on this machine, or else from what the actor answers
    Why {
        /// Everything since then: `2h`, `20:00`, `yesterday 20:00`, or a date and time
        #[arg(long, value_name = "MOMENT")]
        since: Option<String>,
        /// The last closing of the dome [the default]
        #[arg(long, conflicts_with = "since")]
        last: bool,
        /// Ask the actor, even if its journal is on this machine
        #[arg(long)]
        ask: bool,
        #[command(flatten)]
        wait: Wait,
    },
    /// Prove that the PLC closes the dome without the dome heartbeat, while the dome is closed
    ///
    /// The actor withholds the dome heartbeat until the PLC says that it misses it, and releases it
    /// again. Anything that changes meanwhile, a dome that opens first of all, ends the drill at
    /// once, and so does Ctrl-C. Exit code 0 if it passed, 1 if not, 3 without an answer.
    Drill {
        /// End the drill under way
        #[arg(long)]
        stop: bool,
        #[command(flatten)]
        wait: Wait,
    },
    /// Look at the whole site from here, and say what is wrong and what to do about it
    ///
    /// The configuration, this machine, the broker and what its user may do, the actor, the
    /// enclosure, the links, and the monitors with their clocks. It changes nothing and sends nobody
    /// anything. Exit code 0 if all is well, 4 with warnings, 1 if something does not work.
    Doctor(Wait),
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Args, Debug)]
struct ActorArgs {
    /// Accepted for the command line of the deployed containers, `actor start --debug`
    #[arg(value_enum)]
    word: Option<Word>,
    /// The same as `-v`
    #[arg(long)]
    debug: bool,
}

/// What the Python version's command line says after `actor`.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Word {
    /// Stay in the foreground
    Start,
    #[value(hide = true)]
    Stop,
    #[value(hide = true)]
    Restart,
    #[value(hide = true)]
    Status,
}

impl Word {
    /// What to do here instead.
    fn instead(self) -> Option<&'static str> {
        match self {
            Self::Start => None,
            Self::Stop => Some(
                "`actor stop`: lvmbeat does not run in the background by itself; stop it where it was started (systemctl stop, docker stop, kubectl scale, Ctrl-C)",
            ),
            Self::Restart => Some(
                "`actor restart`: lvmbeat does not run in the background by itself; restart it where it was started (systemctl restart, docker restart, kubectl rollout restart)",
            ),
            Self::Status => Some("`actor status`: ask the running actor by `lvmbeat status`"),
        }
    }
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum Program {
    Actor,
    Monitor,
}

#[derive(Args, Debug)]
struct Wait {
    /// How long to wait for the answer
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    timeout: Duration,
    /// Print the answer as one JSON document
    #[arg(long)]
    json: bool,
}

impl Wait {
    fn form(&self) -> Form {
        if self.json { Form::Json } else { Form::Line }
    }
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "expected a number of seconds".to_owned())?;
    if (0.001..=86_400.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("expected seconds between 0.001 and 86400".to_owned())
    }
}

fn period(text: &str) -> Result<Duration, String> {
    let period = seconds(text)?;
    let most = Duration::from_secs(3600);
    if (Duration::from_millis(100)..=most).contains(&period) {
        Ok(period)
    } else {
        Err("expected seconds between 0.1 and 3600".to_owned())
    }
}

/// Why the program failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Actor(#[from] crate::actor::ActorError),
    #[error(transparent)]
    Monitor(#[from] crate::monitor::MonitorError),
    /// The broker's URL, of which the configuration has checked most.
    #[error(transparent)]
    Broker(#[from] UriError),
    #[error("the runtime cannot be set up: {0}")]
    Runtime(#[source] io::Error),
    #[error("signals cannot be received: {0}")]
    Signals(#[source] io::Error),
    #[error("standard output cannot be written: {0}")]
    Output(#[source] io::Error),
    #[error("{given_by}: cannot listen on {address} ({cause}); choose another address")]
    Listen {
        given_by: String,
        address: SocketAddr,
        #[source]
        cause: io::Error,
    },
    #[error(transparent)]
    Unhealthy(#[from] healthcheck::Unhealthy),
    /// No session with the broker.
    #[error(transparent)]
    NoBroker(#[from] BusError),
    /// A session, but no end of the command.
    #[error(transparent)]
    NoAnswer(#[from] CommandError),
    #[error("the actor does not know the command 'history': it is of an earlier version")]
    NoHistory,
    #[error("the drill has not ended; 'lvmbeat status' shows how it stands")]
    NoDrillEnd,
    #[error("the command {} cannot be started: {cause}", command.display())]
    NotStarted {
        command: OsString,
        #[source]
        cause: io::Error,
    },
    /// The guarded command has ended, with that exit code; it has said why.
    #[error("")]
    Guarded(u8),
    /// A word of the Python version's command line.
    #[error("{0}")]
    Python(&'static str),
    #[error(transparent)]
    Moment(#[from] crate::journal::when::NoMoment),
    #[error("a command cannot contain the character NUL")]
    Nul,
    /// The answer was printed; it says why.
    #[error("")]
    Answered,
    /// The status was printed; its health says why.
    #[error("")]
    NotWell,
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Actor(crate::actor::ActorError::Config(_))
            | Self::Config(_)
            | Self::Broker(_)
            | Self::Python(_)
            | Self::Moment(_) => 2,
            Self::NoBroker(_) | Self::NoAnswer(_) | Self::Nul => 3,
            Self::NotWell => 4,
            Self::Guarded(code) => *code,
            Self::NotStarted { cause, .. } if cause.kind() == io::ErrorKind::NotFound => 127,
            Self::NotStarted { .. } => 126,
            Self::Actor(_)
            | Self::Monitor(_)
            | Self::Runtime(_)
            | Self::Signals(_)
            | Self::Output(_)
            | Self::Listen { .. }
            | Self::NoHistory
            | Self::NoDrillEnd
            | Self::Unhealthy(_)
            | Self::Answered => 1,
        })
    }
}

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
            command,
        } => {
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
        Command::Doctor(wait) => doctor::run(file, wait.timeout, wait.json),
        Command::Drill { stop, wait } => {
            drill::run(&Config::load(file)?, wait.timeout, stop, wait.json)
        }
        Command::Completions { shell } => completions(shell),
    }
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
    generate(shell, &mut Cli::command(), "lvmbeat", &mut script);
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
