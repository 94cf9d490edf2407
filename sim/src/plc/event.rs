//! What happens in the PLC, as it is shown to people and to tests.

use std::collections::VecDeque;
use std::fmt;

use embassy_time::{Duration, Instant};
use serde::Serialize;

use super::dome::DomeState;
use super::fault::Fault;
use super::registers::Light;

/// One thing that happened.
///
/// Serialized it is an object with the field `event` (the variant in `snake_case`) beside the
/// variant's own fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A pulse of `hb_set` fed the watchdog.
    HeartbeatReceived,
    /// A write to `hb_set` came and fed nothing: fault `heartbeat-ignored` or `coil-stuck`.
    HeartbeatIgnored,
    /// No heartbeat for the watchdog's time: the dome has to close.
    WatchdogExpired,
    /// The first heartbeat after that.
    WatchdogRecovered,
    /// The drive was started towards the open end.
    DomeOpening,
    /// The open end is reached; the drive is off.
    DomeOpened,
    /// The drive was started towards the closed end.
    DomeClosing {
        /// By whom.
        cause: CloseCause,
    },
    /// The closed end is reached; the drive is off.
    DomeClosed,
    /// The drive was stopped before an end.
    DomeStopped {
        /// By whom.
        cause: StopCause,
    },
    /// A command from afar has no effect.
    CommandRefused {
        /// Which.
        command: MotionCommand,
        /// Why.
        reason: Refusal,
    },
    /// The emergency stop was pressed. It lasts until the relays are reset.
    EStop,
    /// The relays of the emergency stop were reset.
    EStopReset,
    /// The drive has tripped. It lasts until the error is reset.
    DriveError,
    /// The error of the drive was reset.
    DriveErrorReset,
    /// A reset came while the cause is still there (the button is held, the drive is broken).
    ResetRefused,
    /// The coil `network_failure` was set.
    NetworkFailure,
    /// The coil `network_failure` was cleared.
    NetworkRestored,
    /// A light was switched.
    LightSwitched {
        /// Which.
        light: Light,
        /// Whether it is on now.
        on: bool,
    },
    /// A fault begins.
    FaultOn {
        /// Which.
        fault: Fault,
    },
    /// A fault is over.
    FaultOff {
        /// Which.
        fault: Fault,
    },
}

/// Why the dome closes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseCause {
    /// By command.
    Command,
    /// No heartbeat in time.
    Watchdog,
    /// The rain sensor.
    Rain,
    /// The coil `network_failure`.
    NetworkFailure,
}

/// Why the dome stopped on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// By command.
    Command,
    /// The emergency stop.
    EStop,
    /// The lockout.
    Lockout,
    /// The drive has tripped.
    DriveError,
    /// The key switch was turned to local while a command from afar moved the dome.
    Local,
}

/// What was commanded from afar.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MotionCommand {
    /// Drive to the open end.
    Open,
    /// Drive to the closed end.
    Close,
    /// Stop the drive.
    Stop,
}

/// Why a command has no effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The emergency stop has not been reset.
    EStop,
    /// The dome is locked out.
    Lockout,
    /// The error of the drive has not been reset.
    DriveError,
    /// The key switch stands at local.
    Local,
    /// The watchdog has expired: the dome has to close.
    Watchdog,
    /// It rains: the dome has to close.
    Rain,
    /// The network has failed: the dome has to close.
    NetworkFailure,
}

impl From<CloseCause> for Option<Refusal> {
    fn from(cause: CloseCause) -> Self {
        match cause {
            CloseCause::Command => None,
            CloseCause::Watchdog => Some(Refusal::Watchdog),
            CloseCause::Rain => Some(Refusal::Rain),
            CloseCause::NetworkFailure => Some(Refusal::NetworkFailure),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeartbeatReceived => f.write_str("heartbeat"),
            Self::HeartbeatIgnored => f.write_str("heartbeat ignored"),
            Self::WatchdogExpired => f.write_str("watchdog expired"),
            Self::WatchdogRecovered => f.write_str("watchdog recovered"),
            Self::DomeOpening => f.write_str("dome opening"),
            Self::DomeOpened => f.write_str("dome open"),
            Self::DomeClosing { cause } => write!(f, "dome closing ({})", cause.words()),
            Self::DomeClosed => f.write_str("dome closed"),
            Self::DomeStopped { cause } => write!(f, "dome stopped ({})", stop_word(*cause)),
            Self::CommandRefused { command, reason } => {
                let command = match command {
                    MotionCommand::Open => "open",
                    MotionCommand::Close => "close",
                    MotionCommand::Stop => "stop",
                };
                write!(f, "{command} refused ({})", refusal_word(*reason))
            }
            Self::EStop => f.write_str("emergency stop"),
            Self::EStopReset => f.write_str("emergency stop reset"),
            Self::DriveError => f.write_str("drive error"),
            Self::DriveErrorReset => f.write_str("drive error reset"),
            Self::ResetRefused => f.write_str("reset refused: the cause is still there"),
            Self::NetworkFailure => f.write_str("network failure"),
            Self::NetworkRestored => f.write_str("network restored"),
            Self::LightSwitched { light, on } => {
                write!(
                    f,
                    "light {} {}",
                    light.name(),
                    if *on { "on" } else { "off" }
                )
            }
            Self::FaultOn { fault } => write!(f, "fault {fault} on"),
            Self::FaultOff { fault } => write!(f, "fault {fault} off"),
        }
    }
}

impl CloseCause {
    /// In words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Command => "commanded",
            Self::Watchdog => "no heartbeat",
            Self::Rain => "rain",
            Self::NetworkFailure => "network failure",
        }
    }
}

fn stop_word(cause: StopCause) -> &'static str {
    match cause {
        StopCause::Command => "commanded",
        StopCause::EStop => "emergency stop",
        StopCause::Lockout => "lockout",
        StopCause::DriveError => "drive error",
        StopCause::Local => "local mode",
    }
}

fn refusal_word(reason: Refusal) -> &'static str {
    match reason {
        Refusal::EStop => "emergency stop",
        Refusal::Lockout => "lockout",
        Refusal::DriveError => "drive error",
        Refusal::Local => "local mode",
        Refusal::Watchdog => "no heartbeat",
        Refusal::Rain => "rain",
        Refusal::NetworkFailure => "network failure",
    }
}

/// An event, and how things stood just after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record {
    /// PLC time since it was switched on.
    pub at: Duration,
    /// What happened.
    pub event: Event,
    /// PLC time until the watchdog expires; zero when it has.
    pub countdown: Duration,
    /// Millimetres from the closed end.
    pub position_mm: u16,
    /// What the dome does.
    pub dome: DomeState,
}

/// The records that nobody has taken yet. When nobody ever does, the oldest give way.
#[derive(Clone, Default, Debug)]
pub(super) struct Journal {
    records: VecDeque<Record>,
    lost: u64,
}

impl Journal {
    const CAPACITY: usize = 1024;

    pub(super) fn push(&mut self, record: Record) {
        if self.records.len() == Self::CAPACITY {
            self.records.pop_front();
            self.lost = self.lost.saturating_add(1);
        }
        self.records.push_back(record);
    }

    pub(super) fn pop(&mut self) -> Option<Record> {
        self.records.pop_front()
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}

/// The time between two instants, nothing if they are the wrong way round.
pub(super) fn since(start: Instant, now: Instant) -> Duration {
    now.checked_duration_since(start).unwrap_or(Duration::MIN)
}
