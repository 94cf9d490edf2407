//! What can be said on the command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

use super::client::Form;
use crate::log::LogFormat;
use crate::version::of_build;

/// Keeps a telescope dome open only while every program that must be alive says so.
#[derive(Parser, Debug)]
#[command(name = "lvmbeat", version, max_term_width = 100)]
#[command(long_version = of_build(env!("BUILD_COMMIT"), env!("BUILD_SECONDS")))]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong command line or configuration, 3 no answer, 4 status: the dome heartbeat does not reach the PLC, doctor: warnings; beat: those of its command."
)]
pub(super) struct Cli {
    /// The configuration file, over the one that `LVMBEAT_CONFIG_PATH` names or that is in the
    /// home folder [default: the built-in one]
    #[arg(
        short,
        long = "config",
        value_name = "FILE",
        global = true,
        env = "LVMBEAT_CONFIG_FILE"
    )]
    pub(super) config: Option<PathBuf>,

    /// Log more; twice for every message, three times also what the libraries say (the variable
    /// `RUST_LOG` wins over it)
    #[arg(short, long, action = clap::ArgAction::Count, global = true, env = "LVMBEAT_VERBOSE")]
    pub(super) verbose: u8,

    /// How the actor and the monitor log
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "text",
        global = true,
        env = "LVMBEAT_LOG_FORMAT"
    )]
    pub(super) log_format: LogFormat,

    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Subcommand, Debug)]
pub(super) enum Command {
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
    /// Send a heartbeat again and again, while a command lives and a check succeeds
    ///
    /// One of the two at least: a heartbeat of nothing but a timer would keep the dome open for
    /// nothing.
    ///
    /// One connection, opened again when it is lost. On standard error it says when the dome
    /// heartbeat is held or does not arrive, when nobody answers, and when that is over. Ends when
    /// the command ends, with its exit code (128 and the signal's number if one has ended it; 127
    /// if it is not found, 126 if it cannot be run), and without a command on SIGTERM or Ctrl-C.
    /// SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 are forwarded to the command, which
    /// gets SIGTERM if this program is killed.
    #[command(
        override_usage = "lvmbeat beat [OPTIONS] <NAME> [-- COMMAND...]",
        group = ArgGroup::new("guarded").args(["check", "shell", "command"]).required(true).multiple(true)
    )]
    Beat {
        /// The heartbeat's name, as in the configuration
        name: String,
        /// How often to beat
        #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = period)]
        every: Duration,
        /// Run by `sh -c` before each beat: there is no beat unless it succeeds within the time of
        /// `--every`. What it prints is not shown
        #[arg(long, value_name = "CMD")]
        check: Option<String>,
        /// The same as `-- sh -c CMD`: beats while this shell command lives
        #[arg(long = "while", value_name = "CMD", conflicts_with = "command")]
        shell: Option<String>,
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
    /// once, and so does Ctrl-C. Exit code 0 if it passed, 1 if it did not or if `--alert` did not
    /// reach people, 3 without an answer.
    Drill(DrillArgs),
    /// Look at the whole site from here, and say what is wrong and what to do about it
    ///
    /// The configuration, this machine, the broker with what its user may do and its policies, the
    /// actor, the enclosure, the links, the monitors with their tokens and clocks, certificates,
    /// and the logins of the channels to people that are configured here. It changes nothing, and
    /// sends nobody anything unless asked. Exit code 0 if all is well or not known, 4 with
    /// warnings, 1 if something does not work.
    Doctor(DoctorArgs),
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Args, Debug)]
pub(super) struct DrillArgs {
    /// End the drill under way
    #[arg(long)]
    pub(super) stop: bool,
    /// After a drill that passed, have each monitor send a test message by all its channels, and
    /// note what became of it; needs the monitor's admin token (`LVMBEAT_ADMIN_TOKEN`)
    #[arg(long, conflicts_with = "stop")]
    pub(super) alert: bool,
    #[command(flatten)]
    pub(super) wait: Wait,
}

#[derive(Args, Debug)]
pub(super) struct DoctorArgs {
    /// Look only at what the actor, or the monitor, needs [default: both]
    #[arg(value_enum)]
    pub(super) program: Option<Program>,
    /// Send a test message by every channel: of those configured here, and of the monitors; these
    /// need their admin token (`LVMBEAT_ADMIN_TOKEN`)
    #[arg(long)]
    pub(super) send_test: bool,
    #[command(flatten)]
    pub(super) wait: Wait,
}

#[derive(Args, Debug)]
pub(super) struct ActorArgs {
    /// Accepted for the command line of the deployed containers, `actor start --debug`
    #[arg(value_enum)]
    pub(super) word: Option<Word>,
    /// The same as `-v`
    #[arg(long)]
    pub(super) debug: bool,
}

/// What the Python version's command line says after `actor`.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Word {
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
    pub(super) fn instead(self) -> Option<&'static str> {
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

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Program {
    Actor,
    Monitor,
}

#[derive(Args, Debug)]
pub(super) struct Wait {
    /// How long to wait for the answer
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(super) timeout: Duration,
    /// Print the answer as one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

impl Wait {
    pub(super) fn form(&self) -> Form {
        if self.json { Form::Json } else { Form::Line }
    }
}

#[derive(ValueEnum, Clone, Copy, Debug)]
pub(super) enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "expected a number of seconds".to_owned())?;
    if (0.001..=86_400.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("expected seconds between 0.001 and 86400".to_owned())
    }
}

pub(super) fn period(text: &str) -> Result<Duration, String> {
    let period = seconds(text)?;
    let most = Duration::from_secs(3600);
    if (Duration::from_millis(100)..=most).contains(&period) {
        Ok(period)
    } else {
        Err("expected seconds between 0.1 and 3600".to_owned())
    }
}
