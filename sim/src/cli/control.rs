//! Orders from the standard input, for tests and for playing.

use std::io::{self, BufRead, Read};
use std::thread;

use tokio::sync::mpsc;

use crate::plc::{Coil, Fault, UnknownFault};
use crate::{Ecp, LivePlc};

/// The longest line that is understood.
const LONGEST: u64 = 256;

/// What a line asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    Status,
    Fault(Fault, bool),
    /// Freeze the lvmecp stand-in, or let it go on.
    Hang(bool),
    /// Write these coils, one after the other.
    Write(&'static [(Coil, bool)]),
}

/// Why a line is not obeyed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum OrderError {
    #[error(
        "'{line}' is not an order; the orders are status, fault NAME on|off, dome open|close|stop, beat, network up|down, e-stop, reset, ecp hang|resume"
    )]
    Unknown { line: String },
    #[error(transparent)]
    Fault(#[from] UnknownFault),
    #[error("there is no lvmecp here: start with --ecp")]
    NoLvmecp,
}

impl Order {
    fn parse(line: &str) -> Result<Self, OrderError> {
        let words: Vec<&str> = line.split_whitespace().collect();
        Ok(match *words {
            ["status"] => Self::Status,
            ["fault", name, "on"] => Self::Fault(name.parse()?, true),
            ["fault", name, "off"] => Self::Fault(name.parse()?, false),
            ["dome", "open"] => {
                Self::Write(&[(Coil::MotorDirection, true), (Coil::DriveEnabled, true)])
            }
            ["dome", "close"] => {
                Self::Write(&[(Coil::MotorDirection, false), (Coil::DriveEnabled, true)])
            }
            ["dome", "stop"] => Self::Write(&[(Coil::DriveEnabled, false)]),
            ["beat"] => Self::Write(&[(Coil::HbSet, true)]),
            ["network", "down"] => Self::Write(&[(Coil::NetworkFailure, true)]),
            ["network", "up"] => Self::Write(&[(Coil::NetworkFailure, false)]),
            ["ecp", "hang"] => Self::Hang(true),
            ["ecp", "resume"] => Self::Hang(false),
            ["e-stop"] => Self::Write(&[(Coil::EStop, true)]),
            ["reset"] => Self::Write(&[(Coil::ERelayReset, true), (Coil::DomeErrorReset, true)]),
            _ => {
                let line = line.trim().escape_debug().to_string();
                return Err(OrderError::Unknown { line });
            }
        })
    }

    /// Does it, if it can be done.
    pub(super) fn carry_out(self, plc: &LivePlc, ecp: Option<&Ecp>) -> Result<(), OrderError> {
        match self {
            Self::Status => {}
            Self::Fault(fault, on) => plc.set_fault(fault, on),
            Self::Hang(hung) => match ecp {
                Some(ecp) => ecp.hang(hung),
                None => return Err(OrderError::NoLvmecp),
            },
            Self::Write(writes) => plc.access(|plc| {
                for (coil, value) in writes {
                    plc.set(*coil, *value);
                }
            }),
        }
        Ok(())
    }
}

/// The orders as they come, until the input ends; each understood, or what is wrong with it.
pub(super) fn orders() -> io::Result<mpsc::Receiver<Result<Order, OrderError>>> {
    let (sender, receiver) = mpsc::channel(16);
    // A thread, since reading the standard input cannot be called off; it ends with the process.
    thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || {
            let mut input = io::stdin().lock();
            while let Some(text) = line(&mut input) {
                if text.trim().is_empty() {
                    continue;
                }
                if sender.blocking_send(Order::parse(&text)).is_err() {
                    return;
                }
            }
        })?;
    Ok(receiver)
}

/// The next line, or the begin of one that is too long (X2); none at the end.
fn line(input: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    match input.take(LONGEST).read_until(b'\n', &mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(String::from_utf8_lossy(&line).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x2_a_line_without_end_is_not_read_to_its_end() {
        let mut endless = io::BufReader::new(io::repeat(b'x'));
        let begin = line(&mut endless).unwrap();
        assert_eq!(begin.len() as u64, LONGEST);
        assert!(Order::parse(&begin).is_err());
        assert_eq!(line(&mut io::empty()), None);
    }

    #[test]
    fn orders_are_understood() {
        assert_eq!(Order::parse("status\n"), Ok(Order::Status));
        assert_eq!(
            Order::parse("  fault dome-jammed   on\r\n"),
            Ok(Order::Fault(Fault::DomeJammed, true))
        );
        assert!(matches!(Order::parse("dome open"), Ok(Order::Write(_))));
    }

    #[test]
    fn a_line_that_is_not_an_order_is_refused() {
        assert!(
            Order::parse("open sesame")
                .unwrap_err()
                .to_string()
                .contains("dome open|close|stop")
        );
        assert!(
            Order::parse("fault x on")
                .unwrap_err()
                .to_string()
                .contains("dome-jammed")
        );
        assert!(
            Order::parse("fault rain")
                .unwrap_err()
                .to_string()
                .starts_with("'fault rain' is not an order")
        );
        assert!(
            !Order::parse("a\u{1b}[2Jb")
                .unwrap_err()
                .to_string()
                .contains('\u{1b}')
        );
    }
}
