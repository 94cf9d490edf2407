//! The dome's PLC, without any input or output: time and Modbus accesses go in, register values and
//! events come out.
//!
//! What is modelled, and where the real PLC's programme is not public, what was assumed:
//!
//! * **Watchdog.** `hb_set` is a pulse: written 1, it feeds the watchdog and resets itself a scan
//!   later. `hb_ack` says that a heartbeat was seen and that it has not expired since; `hb_error`
//!   that it has. At power-on the watchdog runs as if fed then (S5 of the chain is the actor's: the
//!   PLC only counts).
//! * **Closing.** As long as the watchdog has expired, it rains or `network_failure` is set, the
//!   dome is driven closed, even out of an opening, and neither an open nor a stop command has any
//!   effect: the condition is a level, not an edge. A closing once begun goes on when the condition
//!   ends; then commands count again.
//! * **Not able to move.** Under an emergency stop, a lockout or a drive error nothing moves, not
//!   even to close; as soon as it is over (the first and the last of them: reset) the dome closes
//!   if it still has to.
//! * **Local mode.** Commands from afar do not move the dome, and one that they move stops. The
//!   PLC's own closing goes on.
//! * **Bypasses.** Their status follows the remote coil. What they bypass in the real PLC is not
//!   published; here, nothing.
//! * **Motion.** lvmecp writes `motor_direction` (1: open) and then `drive_enabled`; the PLC takes
//!   the drive away at the end. A stop is `drive_enabled` written 0. The drive has no ramps. The
//!   northern limit switches are the open end's.

mod access;
mod dome;
mod event;
mod fault;
#[cfg(test)]
mod properties;
mod registers;
#[cfg(test)]
mod tests;

use embassy_time::{Duration, Instant};
use lvmbeat_core::Watchdog;
use lvmbeat_core::watchdog::{Change, Recovery};

use dome::Dome;
use event::{Journal, since};

pub use dome::{Direction, DomeState, FULL_OPEN_MM};
pub use event::{CloseCause, Event, MotionCommand, Record, Refusal, StopCause};
pub use fault::{Fault, Faults, UnknownFault};
pub use registers::{COUNT, Coil, Exception, Holding, Light};

/// How long `hb_set` stays set: a scan of the PLC's programme.
const PULSE: Duration = Duration::from_millis(100);

/// What can be set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PlcConfig {
    /// The longest time without a heartbeat.
    pub timeout: Duration,
    /// How long the dome takes from one end to the other.
    pub full_travel: Duration,
}

impl Default for PlcConfig {
    /// One minute each.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            full_travel: Duration::from_secs(60),
        }
    }
}

/// The PLC.
///
/// Time is PLC time and an argument: call [`advance`](Self::advance) before each access with the
/// time of that access, and now and then without one; accesses happen at the time last advanced to.
/// However far it advances at once, everything happens at its own moment and in order; the cost is
/// that of the events in between, a handful at most, since nobody writes meanwhile. Time that goes
/// backwards stands still.
#[expect(clippy::struct_excessive_bools, reason = "a PLC is a box of bits")]
#[derive(Clone, Debug)]
pub struct Plc {
    started: Instant,
    now: Instant,
    watchdog: Watchdog,
    heartbeats: Heartbeats,
    dome: Dome,
    /// Who started the drive; only of meaning while it runs.
    cause: CloseCause,
    e_stop: bool,
    drive_error: bool,
    drive_mode_overcurrent: bool,
    network_failure: bool,
    bypass_hardware: bool,
    bypass_software: bool,
    lights: [bool; Light::COUNT],
    showers: u16,
    faults: Faults,
    journal: Journal,
}

/// The heartbeat's side of the watchdog.
#[derive(Clone, Debug)]
struct Heartbeats {
    set: bool,
    ack: bool,
    pulsed: Instant,
    received: u64,
    smallest_countdown: Duration,
}

impl Plc {
    /// Switched on at `now`, with the dome closed and at rest.
    pub fn new(config: PlcConfig, now: Instant) -> Self {
        Self {
            started: now,
            now,
            watchdog: Watchdog::fed_at(now, config.timeout, Recovery::SelfClearing),
            heartbeats: Heartbeats {
                set: false,
                ack: false,
                pulsed: now,
                received: 0,
                smallest_countdown: config.timeout,
            },
            dome: Dome::closed(config.full_travel),
            cause: CloseCause::Command,
            e_stop: false,
            drive_error: false,
            drive_mode_overcurrent: false,
            network_failure: false,
            bypass_hardware: false,
            bypass_software: false,
            lights: [false; Light::COUNT],
            showers: 0,
            faults: Faults::default(),
            journal: Journal::default(),
        }
    }

    /// Lets time pass until `now`.
    pub fn advance(&mut self, now: Instant) {
        loop {
            self.settle();
            let left = since(self.now, now);
            if left == Duration::MIN {
                return;
            }
            // The next moment at which something happens by itself. None of them is at no distance
            // after `settle`.
            let step = [
                self.pulse_left(),
                self.watchdog.remaining(self.now),
                self.time_to_end(),
            ]
            .into_iter()
            .flatten()
            .fold(left, Duration::min);
            if self.moves() {
                self.dome.travel(step);
            }
            self.now = Instant::from_ticks(self.now.as_ticks().saturating_add(step.as_ticks()));
        }
    }

    /// Breaks something, or ends that.
    ///
    /// A fault is the cause; what it caused may outlast it: an emergency stop until the relays are
    /// reset, a drive error until that is.
    pub fn set_fault(&mut self, fault: Fault, on: bool) {
        if !self.faults.switch(fault, on) {
            return;
        }
        self.record(if on {
            Event::FaultOn { fault }
        } else {
            Event::FaultOff { fault }
        });
        match (fault, on) {
            (Fault::EStop, true) => self.press_e_stop(),
            (Fault::DriveError, true) if !self.drive_error => {
                self.drive_error = true;
                self.record(Event::DriveError);
            }
            (Fault::Rain, true) => self.showers = self.showers.saturating_add(1),
            // The pulse was held up; it ends from now on.
            (Fault::CoilStuck, false) => self.heartbeats.pulsed = self.now,
            _ => {}
        }
        self.settle();
    }

    /// The next event that nobody has taken yet, the oldest first.
    pub fn take_event(&mut self) -> Option<Record> {
        self.journal.pop()
    }

    /// How things stand.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            plc: since(self.started, self.now),
            countdown: self.countdown(),
            smallest_countdown: self.heartbeats.smallest_countdown.min(self.countdown()),
            heartbeats: self.heartbeats.received,
            expired: !self.watchdog.is_fed(self.now),
            acknowledged: self.heartbeats.ack,
            position_mm: self.dome.position_mm(),
            dome: self.dome.state(),
            must_close: self.must_close(),
            e_stop: self.e_stop,
            drive_error: self.drive_error,
            network_failure: self.network_failure,
            faults: self.faults,
            lost_events: self.journal.lost(),
        }
    }

    /// The faults that are on.
    pub fn faults(&self) -> Faults {
        self.faults
    }

    /// Time until the watchdog expires; zero when it has.
    pub fn countdown(&self) -> Duration {
        self.watchdog.remaining(self.now).unwrap_or(Duration::MIN)
    }

    fn record(&mut self, event: Event) {
        self.journal.push(Record {
            at: since(self.started, self.now),
            event,
            countdown: self.countdown(),
            position_mm: self.dome.position_mm(),
            dome: self.dome.state(),
        });
    }

    /// Brings everything that follows from something else up to date. A second call at once does
    /// nothing.
    fn settle(&mut self) {
        if self.watchdog.poll(self.now) == Some(Change::Expired) {
            if !self.faults.has(Fault::AckStuck) {
                self.heartbeats.ack = false;
            }
            self.heartbeats.smallest_countdown = Duration::MIN;
            self.record(Event::WatchdogExpired);
        }
        if self.pulse_left() == Some(Duration::MIN) {
            self.heartbeats.set = false;
        }
        if let Some(end) = self.dome.end_reached() {
            self.dome.stop();
            self.record(match end {
                Direction::Opening => Event::DomeOpened,
                Direction::Closing => Event::DomeClosed,
            });
        }
        if let Some(cause) = self.immobile() {
            self.stop(cause);
            return;
        }
        if let Some(cause) = self.must_close() {
            if self.dome.is_closed() {
                self.dome.turn(Direction::Closing);
            } else {
                self.start(Direction::Closing, cause);
            }
        } else if self.faults.has(Fault::Local) && self.cause == CloseCause::Command {
            self.stop(StopCause::Local);
        }
    }

    fn start(&mut self, direction: Direction, cause: CloseCause) {
        let before = self.dome.driven();
        self.dome.start(direction);
        self.cause = cause;
        if before != Some(direction) {
            self.record(match direction {
                Direction::Opening => Event::DomeOpening,
                Direction::Closing => Event::DomeClosing { cause },
            });
        }
    }

    fn stop(&mut self, cause: StopCause) {
        if self.dome.driven().is_some() {
            self.dome.stop();
            self.record(Event::DomeStopped { cause });
        }
    }

    fn press_e_stop(&mut self) {
        if !self.e_stop {
            self.e_stop = true;
            self.record(Event::EStop);
        }
    }

    /// Why nothing can move, the strongest reason first.
    fn immobile(&self) -> Option<StopCause> {
        if self.e_stop {
            Some(StopCause::EStop)
        } else if self.faults.has(Fault::Lockout) {
            Some(StopCause::Lockout)
        } else if self.drive_error {
            Some(StopCause::DriveError)
        } else {
            None
        }
    }

    /// Why the dome has to be closed.
    fn must_close(&self) -> Option<CloseCause> {
        if !self.watchdog.is_fed(self.now) {
            Some(CloseCause::Watchdog)
        } else if self.faults.has(Fault::Rain) {
            Some(CloseCause::Rain)
        } else if self.network_failure {
            Some(CloseCause::NetworkFailure)
        } else {
            None
        }
    }

    fn moves(&self) -> bool {
        self.dome.driven().is_some() && !self.faults.has(Fault::DomeJammed)
    }

    fn time_to_end(&self) -> Option<Duration> {
        self.dome.time_to_end().filter(|_| self.moves())
    }

    /// How much longer `hb_set` stays set by itself.
    fn pulse_left(&self) -> Option<Duration> {
        if !self.heartbeats.set || self.faults.has(Fault::CoilStuck) {
            return None;
        }
        let age = since(self.heartbeats.pulsed, self.now);
        Some(PULSE.checked_sub(age).unwrap_or(Duration::MIN))
    }
}

/// How things stand in the PLC.
#[expect(clippy::struct_excessive_bools, reason = "a PLC is a box of bits")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// PLC time since it was switched on.
    pub plc: Duration,
    /// PLC time until the watchdog expires; zero when it has.
    pub countdown: Duration,
    /// The smallest countdown that there ever was: the margin of L1.
    pub smallest_countdown: Duration,
    /// How many heartbeats fed the watchdog.
    pub heartbeats: u64,
    /// The coil `hb_error`: the watchdog has expired.
    pub expired: bool,
    /// The coil `hb_ack`.
    pub acknowledged: bool,
    /// Millimetres from the closed end.
    pub position_mm: u16,
    /// What the dome does.
    pub dome: DomeState,
    /// Why the dome has to be closed, if it has.
    pub must_close: Option<CloseCause>,
    /// The emergency stop was pressed and has not been reset.
    pub e_stop: bool,
    /// The drive has tripped and has not been reset.
    pub drive_error: bool,
    /// The coil `network_failure`.
    pub network_failure: bool,
    /// The faults that are on.
    pub faults: Faults,
    /// Events that gave way because nobody took them.
    pub lost_events: u64,
}
