//! What a Modbus client sees and does.

use std::slice;

use lvmbeat_core::watchdog::Change;

use super::Plc;
use super::dome::{Direction, DomeState};
use super::event::{CloseCause, Event, MotionCommand, Refusal, StopCause};
use super::fault::Fault;
use super::registers::{Coil, Exception, Holding, Light, span};

/// The oxygen of good air, in tenths of a per cent.
const GOOD_AIR: u16 = 209;

/// Pulses of the dome's encoder for a millimetre.
const PULSES_PER_MM: u16 = 4;

/// The drive's nominal values while it runs: hundredths of Hz, tenths of A free and blocked, tenths
/// of V, 1/min.
const FREQUENCY: u16 = 5000;
const CURRENT: u16 = 42;
const BLOCKED_CURRENT: u16 = 95;
const VOLTAGE: u16 = 4000;
const RPM: u16 = 1450;

/// What `drive_status1` and the fault record say of a tripped drive.
const TRIPPED: u16 = 1;

impl Plc {
    /// Function 1. The limit of the count is the function's; here only what exists counts.
    pub fn read_coils(&self, address: u16, count: u16) -> Result<Vec<bool>, Exception> {
        let span = span(address, count)?;
        self.readable()?;
        Ok(span
            .map(|address| Coil::at(address).is_some_and(|coil| self.coil(coil)))
            .collect())
    }

    /// Function 3, likewise.
    pub fn read_holding(&self, address: u16, count: u16) -> Result<Vec<u16>, Exception> {
        let span = span(address, count)?;
        self.readable()?;
        Ok(span
            .map(|address| Holding::at(address).map_or(0, |register| self.holding(register)))
            .collect())
    }

    /// Function 5.
    pub fn write_coil(&mut self, address: u16, value: bool) -> Result<(), Exception> {
        self.write_coils(address, slice::from_ref(&value))
    }

    /// Function 15. Either all of them can be written or none is: a coil that is read-only or has
    /// no name is an illegal address. They are written in the order of their addresses.
    pub fn write_coils(&mut self, address: u16, values: &[bool]) -> Result<(), Exception> {
        let count = u16::try_from(values.len()).map_err(|_| Exception::IllegalAddress)?;
        let mut writes = Vec::with_capacity(values.len());
        for (address, value) in span(address, count)?.zip(values) {
            let coil = Coil::at(address)
                .filter(|coil| coil.is_writable())
                .ok_or(Exception::IllegalAddress)?;
            writes.push((coil, *value));
        }
        self.writable()?;
        for (coil, value) in writes {
            self.set(coil, value);
        }
        Ok(())
    }

    /// Functions 6 and 16. No holding register can be written.
    pub fn write_holding(&mut self, address: u16, values: &[u16]) -> Result<(), Exception> {
        let count = u16::try_from(values.len()).map_err(|_| Exception::IllegalAddress)?;
        match span(address, count)?.len() {
            0 => Ok(()),
            _ => Err(Exception::IllegalAddress),
        }
    }

    /// The value of a coil.
    pub fn coil(&self, coil: Coil) -> bool {
        match coil {
            Coil::DoorLocked | Coil::DoorClosed => true,
            Coil::Local => self.faults.has(Fault::Local),
            Coil::DriveModeOvercurrent => self.drive_mode_overcurrent,
            Coil::DriveEnabled => self.dome.driven().is_some(),
            Coil::MotorDirection => self.dome.direction() == Direction::Opening,
            Coil::NeLimit | Coil::NwLimit | Coil::DomeOpen => self.dome.is_open(),
            Coil::SeLimit | Coil::SwLimit | Coil::DomeClosed => self.dome.is_closed(),
            Coil::DomeLockout => self.faults.has(Fault::Lockout),
            Coil::DomeError => self.drive_error,
            Coil::EStatus => self.e_stop,
            Coil::HbSet => self.heartbeats.set,
            Coil::HbAck => self.heartbeats.ack,
            Coil::HbError => !self.watchdog.is_fed(self.now),
            Coil::NetworkFailure => self.network_failure,
            Coil::RainSensorAlarm => self.faults.has(Fault::Rain),
            Coil::BypassHardwareRemote | Coil::BypassHardwareStatus => self.bypass_hardware,
            Coil::BypassSoftwareRemote | Coil::BypassSoftwareStatus => self.bypass_software,
            Coil::CrStatus
            | Coil::UrStatus
            | Coil::SrStatus
            | Coil::UmaStatus
            | Coil::TbStatus
            | Coil::TrStatus => Light::shown_by(coil)
                .and_then(|light| self.lights.get(light as usize).copied())
                .unwrap_or(false),
            // Pulses that are reset in the scan that sees them.
            Coil::DomeErrorReset
            | Coil::EStop
            | Coil::ERelayReset
            | Coil::CrNew
            | Coil::UrNew
            | Coil::SrNew
            | Coil::UmaNew
            | Coil::TbNew
            | Coil::TrNew => false,
        }
    }

    /// The value of a holding register.
    pub fn holding(&self, register: Holding) -> u16 {
        let driven = self.dome.driven().is_some();
        let while_driven = |value| if driven { value } else { 0 };
        match register {
            Holding::DomePosition => self.dome.position_mm(),
            Holding::DomeCounter => self.dome.position_mm().saturating_mul(PULSES_PER_MM),
            Holding::DomeSpeed if self.moves() => self.dome.nominal_speed_mm_s(),
            Holding::DomeOutputCurrent if self.faults.has(Fault::DomeJammed) => {
                while_driven(BLOCKED_CURRENT)
            }
            Holding::DomeOutputCurrent => while_driven(CURRENT),
            Holding::DomeOutputFrequency => while_driven(FREQUENCY),
            Holding::DomeOutputVoltage => while_driven(VOLTAGE),
            Holding::DomeMotorCurrentRpm if self.moves() => RPM,
            Holding::DriveStatus2 => while_driven(1),
            Holding::DriveStatus1 | Holding::DomePresentFaultRecord => {
                if self.drive_error {
                    TRIPPED
                } else {
                    0
                }
            }
            Holding::DomeSetFrequency => FREQUENCY,
            Holding::OxygenReadUtilitiesRoom | Holding::OxygenReadSpectrographRoom => GOOD_AIR,
            Holding::RainSensorCount => self.showers,
            Holding::DomeSpeed
            | Holding::DomeMotorCurrentRpm
            | Holding::OxygenErrorCodeUtilitiesRoom
            | Holding::OxygenErrorCodeSpectrographRoom
            | Holding::RainSensorCountdown => 0,
        }
    }

    /// Writes a coil, as a client does. One that is read-only stays as it is.
    pub fn set(&mut self, coil: Coil, value: bool) {
        match coil {
            Coil::HbSet => self.write_heartbeat(value),
            Coil::DriveEnabled => self.write_drive(value),
            Coil::MotorDirection => self.write_direction(value),
            Coil::DriveModeOvercurrent => self.drive_mode_overcurrent = value,
            Coil::NetworkFailure => self.write_network_failure(value),
            Coil::BypassHardwareRemote => self.bypass_hardware = value,
            Coil::BypassSoftwareRemote => self.bypass_software = value,
            Coil::EStop if value => self.press_e_stop(),
            Coil::ERelayReset if value && self.e_stop => {
                self.e_stop = self.faults.has(Fault::EStop);
                self.record_reset(self.e_stop, Event::EStopReset);
            }
            Coil::DomeErrorReset if value && self.drive_error => {
                self.drive_error = self.faults.has(Fault::DriveError);
                self.record_reset(self.drive_error, Event::DriveErrorReset);
            }
            Coil::CrNew | Coil::UrNew | Coil::SrNew | Coil::UmaNew | Coil::TbNew | Coil::TrNew
                if value =>
            {
                self.toggle_light(coil);
            }
            // A pulse that is not there, and what is read-only.
            Coil::EStop
            | Coil::ERelayReset
            | Coil::DomeErrorReset
            | Coil::CrNew
            | Coil::UrNew
            | Coil::SrNew
            | Coil::UmaNew
            | Coil::TbNew
            | Coil::TrNew
            | Coil::DoorLocked
            | Coil::DoorClosed
            | Coil::Local
            | Coil::NeLimit
            | Coil::SeLimit
            | Coil::NwLimit
            | Coil::SwLimit
            | Coil::DomeClosed
            | Coil::DomeOpen
            | Coil::DomeLockout
            | Coil::DomeError
            | Coil::EStatus
            | Coil::CrStatus
            | Coil::UrStatus
            | Coil::SrStatus
            | Coil::UmaStatus
            | Coil::TbStatus
            | Coil::TrStatus
            | Coil::HbAck
            | Coil::HbError
            | Coil::RainSensorAlarm
            | Coil::BypassHardwareStatus
            | Coil::BypassSoftwareStatus => {}
        }
        self.settle();
    }

    fn record_reset(&mut self, still: bool, done: Event) {
        self.record(if still { Event::ResetRefused } else { done });
    }

    fn write_network_failure(&mut self, value: bool) {
        if value == self.network_failure {
            return;
        }
        self.network_failure = value;
        self.record(if value {
            Event::NetworkFailure
        } else {
            Event::NetworkRestored
        });
    }

    /// A light changes with each pulse of its switch.
    fn toggle_light(&mut self, coil: Coil) {
        let Some(light) = Light::switched_by(coil) else {
            return;
        };
        if let Some(lit) = self.lights.get_mut(light as usize) {
            *lit = !*lit;
            let on = *lit;
            self.record(Event::LightSwitched { light, on });
        }
    }

    fn write_heartbeat(&mut self, value: bool) {
        if self.faults.has(Fault::CoilStuck) {
            if value {
                self.record(Event::HeartbeatIgnored);
            }
            return;
        }
        // The PLC sees the edge: 1 written onto a pulse that has not ended yet is the same
        // heartbeat.
        let edge = value && !self.heartbeats.set;
        self.heartbeats.set = value;
        if !edge {
            return;
        }
        self.heartbeats.pulsed = self.now;
        if self.faults.has(Fault::HeartbeatIgnored) {
            self.record(Event::HeartbeatIgnored);
            return;
        }
        let margin = self.countdown();
        self.heartbeats.smallest_countdown = self.heartbeats.smallest_countdown.min(margin);
        self.heartbeats.received = self.heartbeats.received.saturating_add(1);
        if !self.faults.has(Fault::AckStuck) {
            self.heartbeats.ack = true;
        }
        let change = self.watchdog.feed(self.now);
        self.record(Event::HeartbeatReceived);
        if change == Some(Change::Recovered) {
            self.record(Event::WatchdogRecovered);
        }
    }

    fn write_direction(&mut self, open: bool) {
        let direction = if open {
            Direction::Opening
        } else {
            Direction::Closing
        };
        match self.must_close().and_then(Into::into) {
            // It stays at closing.
            Some(reason) if open => self.refuse(MotionCommand::Open, reason),
            Some(_) => {}
            None if self.dome.driven().is_some() => self.command(direction),
            None => self.dome.turn(direction),
        }
    }

    fn write_drive(&mut self, enable: bool) {
        if enable {
            self.command(self.dome.direction());
        } else if self.dome.driven().is_some() {
            match self.must_close().and_then(Into::into) {
                Some(reason) => self.refuse(MotionCommand::Stop, reason),
                None => self.stop(StopCause::Command),
            }
        }
    }

    /// Drives there if nothing speaks against it.
    fn command(&mut self, direction: Direction) {
        let command = match direction {
            Direction::Opening => MotionCommand::Open,
            Direction::Closing => MotionCommand::Close,
        };
        let refusal = match self.immobile() {
            Some(StopCause::EStop) => Some(Refusal::EStop),
            Some(StopCause::Lockout) => Some(Refusal::Lockout),
            Some(StopCause::DriveError) => Some(Refusal::DriveError),
            Some(StopCause::Command | StopCause::Local) | None => None,
        };
        let local = self.faults.has(Fault::Local).then_some(Refusal::Local);
        if let Some(reason) = refusal.or(local) {
            self.refuse(command, reason);
            return;
        }
        let there = match direction {
            Direction::Opening => self.dome.state() == DomeState::Open,
            Direction::Closing => self.dome.state() == DomeState::Closed,
        };
        if !there && self.dome.driven() != Some(direction) {
            self.start(direction, CloseCause::Command);
        }
    }

    fn refuse(&mut self, command: MotionCommand, reason: Refusal) {
        self.record(Event::CommandRefused { command, reason });
    }

    fn readable(&self) -> Result<(), Exception> {
        self.healthy(Fault::ReadException)
    }

    fn writable(&self) -> Result<(), Exception> {
        self.healthy(Fault::WriteException)
    }

    fn healthy(&self, fault: Fault) -> Result<(), Exception> {
        if self.faults.has(fault) {
            Err(Exception::DeviceFailure)
        } else {
            Ok(())
        }
    }
}
