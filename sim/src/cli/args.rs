//! The arguments.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::path::Path;

use clap::{Parser, Subcommand};
use embassy_time::Duration;
use lvmbeat::clu::amqp::Amqp;
use lvmbeat::config::text_file;
use lvmbeat::version::of_build;

use crate::demo::{self, DemoConfig};
use crate::ecp::{EcpConfig, ModbusPort};
use crate::plc::{Fault, PlcConfig};
use crate::server::ServerConfig;
use crate::simulator::SimulatorConfig;

/// Gives lvmecp's broker, with the password out of sight.
const BROKER_VARIABLE: &str = "SIM_ECP_URL";
/// Names a file that holds it.
const BROKER_FILE_VARIABLE: &str = "SIM_ECP_URL_FILE";
/// What is read of such a file, in bytes.
const LONGEST_URL: u64 = 64 * 1024;

/// The AMQP heartbeat of lvmecp's connection.
const AMQP_HEARTBEAT: std::time::Duration = std::time::Duration::from_secs(5);

/// How long lvmecp may take for one access to the PLC.
const PORT_LIMIT: std::time::Duration = std::time::Duration::from_secs(5);

/// The dome's PLC on Modbus TCP, with its heartbeat watchdog, a dome that moves, and faults on
/// demand.
///
/// One line is printed for each thing that happens: PLC time, what is left until the watchdog
/// expires, the dome, and what it was. The first line shows the address. It ends with SIGTERM or
/// Ctrl-C.
#[derive(Parser, Debug)]
#[command(name = "sim", version, after_long_help = AFTER_HELP)]
#[command(long_version = of_build(env!("BUILD_COMMIT"), env!("BUILD_SECONDS")))]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Option<Command>,

    /// Log more on the standard error; up to three times (the variable `RUST_LOG` wins over it)
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(super) verbose: u8,

    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:5020", value_parser = address)]
    listen: SocketAddr,

    /// The longest time without a heartbeat, in PLC seconds
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    timeout: Duration,

    /// How long the dome takes from one end to the other, in PLC seconds
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    travel: Duration,

    /// How many times as fast as the clock PLC time runs
    #[arg(long, value_name = "X", default_value = "1", value_parser = speed)]
    speed: f64,

    /// Break something from the start; can be given several times (names: --help)
    #[arg(long, value_name = "NAME")]
    pub(super) fault: Vec<Fault>,

    /// How late answers are under the fault response-delay
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    delay: Duration,

    /// How many Modbus connections there may be at a time
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: u16,

    /// How long a Modbus connection may be silent
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    idle: Duration,

    /// Be lvmecp, too: an actor on this AMQP broker (`amqp://user:password@host:5672/vhost`) that
    /// commands the PLC
    ///
    /// Everybody on the machine can read a command line: a URL with a password is better given by
    /// the variable `SIM_ECP_URL`, or in a file that the variable `SIM_ECP_URL_FILE` names.
    #[arg(long, value_name = "AMQP_URL")]
    ecp: Option<String>,

    /// What `ecp` says. Not understood by clap, which would repeat a wrong one with its password
    /// (X1).
    #[arg(skip)]
    pub(super) broker: Option<Amqp>,

    /// How often lvmecp sends itself `status` and asks lvmbeat about the network [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    ecp_interval: Option<Duration>,

    /// The PLC that lvmecp commands, if it is not the one of this programme: with it, lvmecp and
    /// the PLC can die apart
    #[arg(long, value_name = "IP:PORT", value_parser = address)]
    pub(super) ecp_plc: Option<SocketAddr>,

    /// Print one JSON object a line
    #[arg(long)]
    pub(super) json: bool,

    /// Take orders from the standard input, one a line (see --help)
    #[arg(long)]
    pub(super) control: bool,
}

/// What else it can do.
#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// A night of the whole chain in about a minute: the overwatcher, lvmbeat, lvmecp, the PLC and
    /// the monitor outside in one process, no broker
    ///
    /// The dome opens, nobody outside hears of it and people are alerted, the overwatcher dies, the
    /// dome closes; and so on. The monitor's page can be watched meanwhile. On a terminal it is
    /// a picture (q, Esc or Ctrl-C leaves it), otherwise one line for each thing that happens.
    /// Exit code 0, or 1 with the reason if the chain does not keep what it promises.
    Demo(DemoArgs),
}

#[derive(clap::Args, Clone, Debug)]
pub(super) struct DemoArgs {
    /// How many times as fast as the clock the night goes by, from 0.1 to 40; at 1 the PLC's
    /// minute is a minute
    #[arg(long, value_name = "X", default_value = "8", value_parser = demo_speed)]
    speed: f64,

    /// Where the PLC listens; port 0 takes a free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0", value_parser = address)]
    listen: SocketAddr,

    /// Where the monitor outside serves its page; port 0 takes a free one, which is shown
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0", value_parser = address)]
    monitor: SocketAddr,

    /// Print lines on a terminal, too
    #[arg(long)]
    plain: bool,
}

impl DemoArgs {
    pub(super) fn config(&self, verbose: u8) -> DemoConfig {
        // Who asks for the log on the same terminal wants to read it.
        let log_disturbs = verbose > 0 && io::stderr().is_terminal();
        DemoConfig {
            speed: self.speed,
            listen: self.listen,
            monitor: self.monitor,
            picture: !self.plain && !log_disturbs && demo::can_show(),
            // no-color.org: present and not empty.
            colours: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }
}

const AFTER_HELP: &str = "\
Faults:
  heartbeat-ignored  hb_set is taken and reset, but feeds nothing
  ack-stuck          hb_ack keeps its value
  coil-stuck         hb_set keeps its value: no new pulse is seen
  dome-jammed        the drive runs and the dome does not move
  read-exception     every read is answered with exception 4
  write-exception    every write is answered with exception 4, and is not done
  response-delay     every answer comes late (--delay)
  connection-drop    the connection is closed in place of an answer
  half-open          connections are accepted and nothing is ever answered
  e-stop             the emergency stop is held pressed
  lockout            the dome is locked out
  drive-error        the drive has an error that cannot be reset
  local              the key switch stands at local
  rain               it rains

Orders (--control), each answered by one line `status` (or `error`), after the events that it causes:
  status             show the state
  fault NAME on|off  break something, or end that
  dome open|close|stop
                     write the coils that lvmecp writes for it
  beat               write 1 to hb_set
  network up|down    write the coil network_failure
  e-stop             write 1 to e_stop
  reset              write 1 to e_relay_reset and to dome_error_reset
  ecp hang|resume    freeze lvmecp, or let it go on (--ecp)

JSON lines (--json) have at least these fields:
  event        listening, heartbeat_received, heartbeat_ignored, watchdog_expired, watchdog_recovered, dome_opening,
               dome_opened, dome_closing (cause), dome_closed, dome_stopped (cause), command_refused (command, reason),
               e_stop, e_stop_reset, drive_error, drive_error_reset, reset_refused, network_failure, network_restored,
               light_switched (light, on), fault_on (fault), fault_off (fault), status, error (message), missed (events), ended;
               of lvmecp: ecp_connected, ecp_disconnected (cause), ecp_heartbeat_failed (cause),
               ecp_engineering_mode (on)
  plc_s        PLC seconds since it was switched on
  countdown_s  PLC seconds until the watchdog expires; 0 when it has
  position_mm  of the dome: 0 closed, 9480 open
  dome         closed, opening, open, closing, stopped
`listening` has `address`; `status` and `ended` have `smallest_countdown_s`, `heartbeats`, `expired`, `acknowledged`,
`must_close` (null, watchdog, rain, network_failure), `e_stop`, `drive_error`, `network_failure` and `faults`.";

impl Args {
    pub(super) fn config(&self) -> SimulatorConfig {
        SimulatorConfig {
            listen: self.listen,
            plc: PlcConfig {
                timeout: self.timeout,
                full_travel: self.travel,
            },
            server: ServerConfig {
                connections: usize::from(self.connections),
                idle: self.idle.into(),
                delay: self.delay.into(),
            },
            speed: self.speed,
        }
    }

    pub(super) fn ecp_config(&self) -> EcpConfig {
        let defaults = EcpConfig::default();
        let interval = self.ecp_interval.map(Into::into);
        EcpConfig {
            status_interval: interval.unwrap_or(defaults.status_interval),
            network_interval: interval.unwrap_or(defaults.network_interval),
            ..defaults
        }
    }

    /// Finds the broker of lvmecp, if there is to be one.
    fn find_broker(&mut self, environment: Environment<'_>) -> Result<(), String> {
        if self.command.is_some() {
            return Ok(());
        }
        if let Some((source, url)) = broker_url(self.ecp.take(), environment)? {
            let broker = Amqp::new(&url, AMQP_HEARTBEAT);
            self.broker = Some(broker.map_err(|error| format!("{source}: {error}"))?);
        } else if self.ecp_plc.is_some() || self.ecp_interval.is_some() {
            return Err(format!(
                "--ecp-plc and --ecp-interval are for lvmecp, which needs a broker: --ecp, {BROKER_VARIABLE} or \
                 {BROKER_FILE_VARIABLE} (see sim --help)"
            ));
        }
        Ok(())
    }
}

/// lvmecp's way to the PLC.
pub(super) fn port(address: SocketAddr) -> ModbusPort {
    ModbusPort {
        address,
        limit: PORT_LIMIT,
    }
}

/// What the arguments ask for.
pub(super) enum Parsed {
    Run(Box<Args>),
    /// Help or the version.
    Print(String),
    /// What is wrong, in one sentence.
    Wrong(String),
}

/// Gives the value of a variable.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

pub(super) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: Environment<'_>,
) -> Parsed {
    match Args::try_parse_from(arguments) {
        Ok(mut args) => match args.find_broker(environment) {
            Ok(()) => Parsed::Run(Box::new(args)),
            Err(sentence) => Parsed::Wrong(sentence),
        },
        Err(error) if !error.use_stderr() => Parsed::Print(error.to_string()),
        Err(error) => Parsed::Wrong(sentence(&error.to_string())),
    }
}

/// What clap says in several lines: the first paragraph is what is wrong.
fn sentence(error: &str) -> String {
    let words: Vec<&str> = error
        .lines()
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let text = words.join(" ");
    let what = text.strip_prefix("error: ").unwrap_or(&text);
    format!("{what} (see sim --help)")
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "expected an IP address and a port, for example 127.0.0.1:5020".to_owned())
}

/// The broker's URL, and what has given it. An empty variable counts as not set.
fn broker_url(
    argument: Option<String>,
    environment: Environment<'_>,
) -> Result<Option<(&'static str, String)>, String> {
    let variable = |name| environment(name).filter(|text| !text.trim().is_empty());
    if let Some(url) = argument {
        return Ok(Some(("--ecp", url)));
    }
    if let Some(url) = variable(BROKER_VARIABLE) {
        return Ok(Some((BROKER_VARIABLE, url.trim().to_owned())));
    }
    let Some(file) = variable(BROKER_FILE_VARIABLE) else {
        return Ok(None);
    };
    match text_file::read(Path::new(&file), LONGEST_URL) {
        Ok(url) => Ok(Some((BROKER_FILE_VARIABLE, url.trim().to_owned()))),
        Err(cause) => Err(format!(
            "{BROKER_FILE_VARIABLE}: {file} cannot be read ({cause}); name a file that this user can read"
        )),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || "expected seconds above 0, for example 60 or 0.5".to_owned();
    let seconds: f64 = text.parse().map_err(|_| wrong())?;
    if !(seconds > 0.0 && seconds <= 1e9) {
        return Err(wrong());
    }
    let time = std::time::Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
    let micros = u64::try_from(time.as_micros()).map_err(|_| wrong())?;
    // Anything above nothing is at least one tick.
    Ok(Duration::from_micros(micros.max(1)))
}

fn demo_speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok();
    speed
        .filter(|speed| demo::SPEEDS.contains(speed))
        .ok_or_else(|| "expected a number from 0.1 to 40, for example 8".to_owned())
}

fn speed(text: &str) -> Result<f64, String> {
    let wrong = || "expected a number above 0 and up to 100000, for example 10".to_owned();
    let speed: f64 = text.parse().map_err(|_| wrong())?;
    if speed > 0.0 && speed <= 1e5 {
        Ok(speed)
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use lvmbeat::clu::Bus as _;

    use super::*;

    fn parsed(arguments: &[&str]) -> Parsed {
        parsed_with(arguments, &[])
    }

    fn parsed_with(arguments: &[&str], environment: &[(&str, &str)]) -> Parsed {
        parse(
            std::iter::once("sim")
                .chain(arguments.iter().copied())
                .map(Into::into),
            &|name| {
                let mut variables = environment.iter();
                let (_, value) = variables.find(|(known, _)| *known == name)?;
                Some((*value).to_owned())
            },
        )
    }

    fn broker(arguments: &[&str], environment: &[(&str, &str)]) -> Option<String> {
        match parsed_with(arguments, environment) {
            Parsed::Run(args) => args.broker.map(|broker| broker.address()),
            Parsed::Print(text) | Parsed::Wrong(text) => panic!("{arguments:?}: {text}"),
        }
    }

    fn wrong(arguments: &[&str]) -> String {
        match parsed(arguments) {
            Parsed::Wrong(sentence) => sentence,
            Parsed::Run(_) | Parsed::Print(_) => panic!("{arguments:?} is taken"),
        }
    }

    #[test]
    fn the_defaults_are_the_dome() {
        let Parsed::Run(args) = parsed(&[]) else {
            panic!("no arguments are refused");
        };
        let config = args.config();
        assert_eq!(config.listen.to_string(), "127.0.0.1:5020");
        assert_eq!(config.plc, PlcConfig::default());
        assert_eq!(config.server, ServerConfig::default());
    }

    #[test]
    fn a_wrong_argument_is_reported_in_one_line() {
        for arguments in [
            &["--listen", "5020"][..],
            &["--timeout", "0"],
            &["--timeout", "-1"],
            &["--timeout", "NaN"],
            &["--timeout", "1e300"],
            &["--speed", "inf"],
            &["--speed", "0"],
            &["--connections", "0"],
            &["--fault", "sharknado"],
            &["--frobnicate"],
            &["open"],
            &["--timeout"],
            &["demo", "--speed", "41"],
            &["demo", "--speed", "NaN"],
            &["demo", "--fault", "rain"],
            &["--timeout", "5", "demo"],
        ] {
            let sentence = wrong(arguments);
            assert!(!sentence.contains('\n'), "{sentence}");
            assert!(sentence.ends_with("(see sim --help)"), "{sentence}");
        }
        assert!(wrong(&["--fault", "sharknado"]).contains("dome-jammed"));
        assert!(wrong(&["--listen", "5020"]).contains("127.0.0.1:5020"));
    }

    #[test]
    fn x1_a_wrong_broker_is_reported_without_its_password() {
        for url in [
            "http://gort:hunter2@lco",
            "amqp://gort:hunter2@lco:port/%zz",
            "hunter2",
        ] {
            let sentence = wrong(&["--ecp", url]);
            assert!(sentence.starts_with("--ecp: "), "{sentence}");
            assert!(!sentence.contains("hunter2"), "{sentence}");
        }
    }

    #[test]
    fn x1_the_broker_can_be_given_out_of_sight() {
        let (url, shown) = ("amqp://gort:hunter2@lco/lvm", "amqp://gort@lco:5672/lvm");
        let other = "amqp://gort:hunter2@other/";
        let folder = std::env::temp_dir().join(format!("sim-args-{}", std::process::id()));
        std::fs::write(&folder, format!("{url}\n")).unwrap();
        let file = folder.to_str().unwrap();
        for (arguments, environment) in [
            (&["--ecp", url][..], &[("SIM_ECP_URL", other)][..]),
            (&[], &[("SIM_ECP_URL", url), ("SIM_ECP_URL_FILE", "/nope")]),
            (&[], &[("SIM_ECP_URL", " "), ("SIM_ECP_URL_FILE", file)]),
            (
                &["--ecp-interval", "1", "--ecp-plc", "127.0.0.1:5020"],
                &[("SIM_ECP_URL", url)],
            ),
        ] {
            let found = broker(arguments, environment);
            assert_eq!(found.as_deref(), Some(shown), "{environment:?}");
        }
        std::fs::remove_file(&folder).unwrap();
        assert_eq!(broker(&[], &[("SIM_ECP_URL", "")]), None);
        assert_eq!(broker(&["demo"], &[("SIM_ECP_URL", "hunter2")]), None);
        for environment in [("SIM_ECP_URL", "hunter2"), ("SIM_ECP_URL_FILE", "/nope")] {
            let Parsed::Wrong(sentence) = parsed_with(&[], &[environment]) else {
                panic!("{environment:?} is taken");
            };
            assert!(sentence.starts_with(environment.0), "{sentence}");
            assert!(!sentence.contains("hunter2"), "{sentence}");
        }
    }

    #[test]
    fn what_is_for_lvmecp_needs_a_broker() {
        for arguments in [["--ecp-plc", "127.0.0.1:5020"], ["--ecp-interval", "1"]] {
            let sentence = wrong(&arguments);
            assert!(sentence.contains("SIM_ECP_URL_FILE"), "{sentence}");
        }
    }

    #[test]
    fn the_help_tells_how_to_hide_a_password() {
        let Parsed::Print(help) = parsed(&["--help"]) else {
            panic!("no help");
        };
        assert!(help.contains("`SIM_ECP_URL_FILE`"), "{help}");
    }

    #[test]
    fn the_help_names_every_fault() {
        let Parsed::Print(help) = parsed(&["--help"]) else {
            panic!("no help");
        };
        for fault in Fault::ALL {
            assert!(help.contains(&format!("\n  {fault} ")), "{fault}");
        }
    }
}
