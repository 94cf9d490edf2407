//! What can be said to the box, by a person or in a frame.

use lvmbeat_core::Name;
use lvmbeat_core::serial::{Frame, Kind, Refusal};

/// One command.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Command {
    /// Are you there?
    Ping,
    /// What do you know?
    Status,
    /// Ends a latch (the relay comes back with the next heartbeat that counts, not before).
    Arm,
    /// A heartbeat of this source.
    Set(Name),
    /// This source begins to send frames: give it a session.
    Hello(Name),
}

impl From<&Frame> for Command {
    /// The command that it carries.
    fn from(frame: &Frame) -> Self {
        match frame.kind {
            Kind::Hello => Self::Hello(frame.source.clone()),
            Kind::Set => Self::Set(frame.source.clone()),
            Kind::Arm => Self::Arm,
            Kind::Ping => Self::Ping,
            Kind::Status => Self::Status,
        }
    }
}

/// What was received, whole and without a fault of transmission.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Received {
    /// A line that was typed.
    Line(Command),
    /// A frame that a program sent.
    Frame(Frame),
    /// A fault to be shown, on the test bench.
    Fault(Fault),
}

/// The kinds of failure that the test bench asks the firmware to show. The firmware as it is
/// shipped refuses them all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Fault {
    /// The deciding task never comes back.
    Hang,
    /// The serial task never comes back, and nobody else gets to run.
    HangUart,
    /// The serial task waits without end, while all others run.
    StallUart,
    /// Interrupts stay off.
    InterruptsOff,
    /// A panic.
    Panic,
    /// The stack grows until it has no room.
    StackOverflow,
    /// An access to where nothing is.
    BusFault,
    /// The clock stops.
    ClockStops,
    /// The clock runs at half its rate.
    ClockSlow,
    /// The clock runs at twice its rate.
    ClockFast,
    /// The clock goes back by ten seconds.
    ClockBack,
}

impl Fault {
    /// Every fault with its name.
    pub const ALL: [(&'static str, Self); 11] = [
        ("hang", Self::Hang),
        ("hang-uart", Self::HangUart),
        ("stall-uart", Self::StallUart),
        ("interrupts-off", Self::InterruptsOff),
        ("panic", Self::Panic),
        ("stack-overflow", Self::StackOverflow),
        ("bus-fault", Self::BusFault),
        ("clock-stops", Self::ClockStops),
        ("clock-slow", Self::ClockSlow),
        ("clock-fast", Self::ClockFast),
        ("clock-back", Self::ClockBack),
    ];
}

/// Reads a line that was typed: one or two words.
pub fn parse_line(line: &str) -> Result<Received, Refusal> {
    let mut words = line.split_ascii_whitespace();
    let command = match (words.next(), words.next(), words.next()) {
        (Some("ping"), None, None) => Command::Ping,
        (Some("status"), None, None) => Command::Status,
        (Some("arm"), None, None) => Command::Arm,
        (Some("set"), Some(name), None) => {
            Command::Set(Name::new(name).map_err(|_| Refusal::Unknown)?)
        }
        (Some("fault"), Some(name), None) => {
            let fault = Fault::ALL.iter().find(|(known, _)| *known == name);
            return fault
                .map(|(_, fault)| Received::Fault(*fault))
                .ok_or(Refusal::Malformed);
        }
        _ => return Err(Refusal::Malformed),
    };
    Ok(Received::Line(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<Command, Refusal> {
        let received = parse_line(text)?;
        let Received::Line(command) = received else {
            panic!("{received:?}");
        };
        Ok(command)
    }

    #[test]
    fn what_a_person_types_is_understood() {
        assert_eq!(line("ping"), Ok(Command::Ping));
        assert_eq!(line("status"), Ok(Command::Status));
        assert_eq!(line(" arm "), Ok(Command::Arm));
        assert_eq!(
            line("set  overwatcher"),
            Ok(Command::Set(Name::new("overwatcher").unwrap()))
        );
    }

    #[test]
    fn x2_what_is_no_command_is_refused() {
        for text in [
            "",
            "pin",
            "ping pong",
            "set",
            "set a b",
            "SET a",
            "fault",
            "fault none",
            "hello a",
        ] {
            assert_eq!(parse_line(text), Err(Refusal::Malformed), "{text:?}");
        }
        let long = "set a-name-that-is-longer-than-any-name-may-be";
        assert_eq!(parse_line(long), Err(Refusal::Unknown));
    }

    #[test]
    fn each_fault_has_its_name() {
        for (name, fault) in Fault::ALL {
            assert_eq!(
                parse_line(&format!("fault {name}")),
                Ok(Received::Fault(fault))
            );
        }
    }
}
