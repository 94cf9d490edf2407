//! What an error of lapin's means while a session is opened.

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};

use super::Node;
use crate::bus::{BusError, Shown};

impl Node {
    pub(super) fn classify(&self, error: &lapin::Error) -> BusError {
        let address = self.address();
        let cause = Shown::theirs(error, &self.secrets);
        if matches!(error.kind(), ErrorKind::ParsingError(_)) {
            let cause = Shown::ours("what answers there does not speak AMQP");
            return BusError::Unreachable { address, cause };
        }
        if let ErrorKind::ProtocolError(error) = error.kind() {
            return match error.kind() {
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
            };
        }
        // A certificate that does not hold, or a login that is not offered.
        if matches!(error.kind(), ErrorKind::IOError(error) if error.kind() == std::io::ErrorKind::InvalidData)
        {
            return BusError::Refused { address, cause };
        }
        BusError::Unreachable { address, cause }
    }
}

pub(super) fn is_locked(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error)
        if matches!(error.kind(), AMQPErrorKind::Soft(AMQPSoftError::RESOURCELOCKED)))
}

/// Whether the exchange went away while queues were bound to it.
pub(super) fn is_exchange_gone(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error)
        if matches!(error.kind(), AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND)))
}

/// By the broker's code: its words are not shown, as nothing here knows what they must not hold
/// (X1).
pub(super) fn closed(error: &lapin::Error) -> BusError {
    let cause = if let ErrorKind::ProtocolError(error) = error.kind() {
        format!("the broker ended it with the code {}", error.get_id())
    } else {
        error.to_string()
    };
    BusError::Closed {
        cause: Shown::ours(cause),
    }
}
