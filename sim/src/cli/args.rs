//! The arguments.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;

use clap::{Parser, Subcommand};
use embassy_time::Duration;
use lvmbeat::clu::amqp::{Amqp, UriError};

use crate::demo::{self, DemoConfig};
use crate::ecp::{EcpConfig, ModbusPort};
use crate::plc::{Fault, PlcConfig};
use crate::server::ServerConfig;
use crate::simulator::SimulatorConfig;

/// The AMQP heartbeat of lvmecp's connection.
const AMQP_HEARTBEAT: std::time::Duration = std::time::Duration::from_secs(5);

/// How long lvmecp may take for one access to the PLC.
const PORT_LIMIT: std::time::Duration = std::time::Duration::from_secs(5);

/// The dome's PLC on Modbus TCP, with its heartbeat watchdog, a dome that moves, and faults on demand.
///
/// One line is printed for each thing that happens: PLC time, what is left until the watchdog expires, the dome, and what it
/// was. The first line tells the address. It ends with SIGTERM or Ctrl-C.
#[derive(Parser, Debug)]
#[command(name = "sim", version, after_long_help = AFTER_HELP)]
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

    /// Be lvmecp, too: an actor on this AMQP broker (`amqp://user:password@host:5672/vhost`) that commands the PLC
    #[arg(long, value_name = "AMQP_URL")]
    ecp: Option<String>,

    /// What `ecp` says. Not understood by clap, which would repeat a wrong one with its password (X1).
    #[arg(skip)]
    pub(super) broker: Option<Amqp>,

    /// How often lvmecp sends itself `status` and asks lvmbeat about the network
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds, requires = "ecp")]
    ecp_interval: Duration,

    /// The PLC that lvmecp commands, if it is not the one of this programme: with it, lvmecp and the PLC can die apart
    #[arg(long, value_name = "IP:PORT", value_parser = address, requires = "ecp")]
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
    /// A night of the whole chain in about a minute: the overwatcher, lvmbeat, lvmecp, the PLC and the monitor outside in one process, no broker
    ///
    /// The dome opens, nobody outside hears of it and people are told, the overwatcher dies, the dome closes; and so on. The
    /// monitor's page can be watched meanwhile. On a terminal it is a picture (q, Esc or Ctrl-C
    /// leaves it), otherwise one line for each thing that happens. Exit code 0, or 1 with the reason if the chain does not
    /// keep what it promises.
    Demo(DemoArgs),
}

#[derive(clap::Args, Clone, Debug)]
pub(super) struct DemoArgs {
    /// How many times as fast as the clock the night goes by, from 0.1 to 40; at 1 the PLC's minute is a minute
    #[arg(long, value_name = "X", default_value = "8", value_parser = demo_speed)]
    speed: f64,

    /// Where the PLC listens; port 0 takes a free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0", value_parser = address)]
    listen: SocketAddr,

    /// Where the monitor outside serves its page; port 0 takes a free one, which is told
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0", value_parser = address)]
    monitor: SocketAddr,

    /// Print lines on a terminal, too
    #[arg(long)]
    plain: bool,
}

impl DemoArgs {
    pub(super) fn config(&self, verbose: u8) -> DemoConfig {
        // Whoever asks for the log on the same terminal wants to read it.
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
  status             tell how things stand
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
        EcpConfig {
            status_interval: self.ecp_interval.into(),
            network_interval: self.ecp_interval.into(),
            ..EcpConfig::default()
        }
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

pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Parsed {
    match Args::try_parse_from(arguments) {
        Ok(mut args) => match args.ecp.as_deref().map(broker).transpose() {
            Ok(broker) => {
                args.broker = broker;
                Parsed::Run(Box::new(args))
            }
            Err(error) => Parsed::Wrong(format!("--ecp: {error}")),
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
    format!("{what} (sim --help tells more)")
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "expected an IP address and a port, for example 127.0.0.1:5020".to_owned())
}

fn broker(url: &str) -> Result<Amqp, UriError> {
    Amqp::new(url, AMQP_HEARTBEAT)
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
    use super::*;

    fn parsed(arguments: &[&str]) -> Parsed {
        parse(
            std::iter::once("sim")
                .chain(arguments.iter().copied())
                .map(Into::into),
        )
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
    fn what_is_wrong_is_told_in_one_line() {
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
            assert!(sentence.ends_with("(sim --help tells more)"), "{sentence}");
        }
        assert!(wrong(&["--fault", "sharknado"]).contains("dome-jammed"));
        assert!(wrong(&["--listen", "5020"]).contains("127.0.0.1:5020"));
    }

    #[test]
    fn x1_a_wrong_broker_is_told_without_its_password() {
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
    fn the_help_names_every_fault() {
        let Parsed::Print(help) = parsed(&["--help"]) else {
            panic!("no help");
        };
        for fault in Fault::ALL {
            assert!(help.contains(&format!("\n  {fault} ")), "{fault}");
        }
    }
}
