//! Faults on demand.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// What can be broken, for as long as somebody wants it broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum Fault {
    /// `hb_set` is taken and reset as ever, but feeds nothing.
    HeartbeatIgnored = 1,
    /// `hb_ack` keeps the value that it has.
    AckStuck = 1 << 1,
    /// `hb_set` keeps the value that it has, so that the PLC sees no new pulse.
    CoilStuck = 1 << 2,
    /// The drive runs and the dome does not move.
    DomeJammed = 1 << 3,
    /// Every read is answered with a device failure.
    ReadException = 1 << 4,
    /// Every write is answered with a device failure, and is not done.
    WriteException = 1 << 5,
    /// Every answer comes late.
    ResponseDelay = 1 << 6,
    /// The connection is closed in place of an answer.
    ConnectionDrop = 1 << 7,
    /// Connections are accepted and nothing is ever answered.
    HalfOpen = 1 << 8,
    /// Somebody holds the emergency stop pressed.
    EStop = 1 << 9,
    /// The dome is locked out: the drive has no power.
    Lockout = 1 << 10,
    /// The drive reports an error that cannot be reset.
    DriveError = 1 << 11,
    /// The key switch stands at local: commands from afar do not move the dome.
    Local = 1 << 12,
    /// It rains.
    Rain = 1 << 13,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::HeartbeatIgnored,
        Self::AckStuck,
        Self::CoilStuck,
        Self::DomeJammed,
        Self::ReadException,
        Self::WriteException,
        Self::ResponseDelay,
        Self::ConnectionDrop,
        Self::HalfOpen,
        Self::EStop,
        Self::Lockout,
        Self::DriveError,
        Self::Local,
        Self::Rain,
    ];

    /// The name by which it is asked for.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HeartbeatIgnored => "heartbeat-ignored",
            Self::AckStuck => "ack-stuck",
            Self::CoilStuck => "coil-stuck",
            Self::DomeJammed => "dome-jammed",
            Self::ReadException => "read-exception",
            Self::WriteException => "write-exception",
            Self::ResponseDelay => "response-delay",
            Self::ConnectionDrop => "connection-drop",
            Self::HalfOpen => "half-open",
            Self::EStop => "e-stop",
            Self::Lockout => "lockout",
            Self::DriveError => "drive-error",
            Self::Local => "local",
            Self::Rain => "rain",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(name: &str) -> Result<Self, UnknownFault> {
        Self::ALL
            .into_iter()
            .find(|fault| fault.name() == name)
            .ok_or_else(|| UnknownFault(name.to_owned()))
    }
}

/// There is no fault of that name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownFault(String);

impl fmt::Display for UnknownFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no fault '{}'; the faults are ", self.0)?;
        for (place, fault) in Fault::ALL.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownFault {}

/// The faults that are on.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Faults(u16);

impl Faults {
    /// Whether it is on.
    pub const fn has(self, fault: Fault) -> bool {
        self.0 & fault as u16 != 0
    }

    /// Those that are on.
    pub fn iter(self) -> impl Iterator<Item = Fault> {
        Fault::ALL.into_iter().filter(move |fault| self.has(*fault))
    }

    /// Switches one; returns whether that changed anything.
    pub(crate) fn switch(&mut self, fault: Fault, on: bool) -> bool {
        let before = self.0;
        if on {
            self.0 |= fault as u16;
        } else {
            self.0 &= !(fault as u16);
        }
        self.0 != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_found_by_its_name() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(fault));
        }
    }

    #[test]
    fn an_unknown_fault_is_answered_with_the_names_of_all() {
        let error = "jam".parse::<Fault>().unwrap_err().to_string();
        assert!(error.starts_with("there is no fault 'jam'; the faults are heartbeat-ignored, "));
        for fault in Fault::ALL {
            assert!(error.contains(fault.name()), "{error}");
        }
    }

    #[test]
    fn each_fault_is_switched_by_itself() {
        for fault in Fault::ALL {
            let mut faults = Faults::default();
            assert!(faults.switch(fault, true));
            assert!(!faults.switch(fault, true));
            assert_eq!(faults.iter().collect::<Vec<_>>(), [fault]);
            assert!(faults.switch(fault, false));
            assert_eq!(faults, Faults::default());
        }
    }
}
