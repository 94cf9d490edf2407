//! What an error of lapin's means while a session is opened.

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};

use super::Node;
use crate::clu::bus::BusError;

impl Node {
    pub(super) fn classify(&self, error: &lapin::Error) -> BusError {
        let address = self.address();
        let cause = error.to_string();
        match error.kind() {
            ErrorKind::ProtocolError(error) => match error.kind() {
                AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => BusError::Foreign {
                    what: "what this actor declares".to_owned(),
                    cause,
                },
                AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)
                | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => {
                    BusError::Refused { address, cause }
                }
                AMQPErrorKind::Soft(_) | AMQPErrorKind::Hard(_) => {
                    BusError::Unreachable { address, cause }
                }
            },
            // A certificate that does not hold, or a login that is not offered.
            ErrorKind::IOError(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                BusError::Refused { address, cause }
            }
            ErrorKind::ParsingError(_) => BusError::Unreachable {
                address,
                cause: "what answers there does not speak AMQP".to_owned(),
            },
            _ => BusError::Unreachable { address, cause },
        }
    }
}

pub(super) fn is_locked(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error)
        if matches!(error.kind(), AMQPErrorKind::Soft(AMQPSoftError::RESOURCELOCKED)))
}
