//! The protocol of the serial line between a program and a watchdog box that may stand beside the
//! dome.
//!
//! | direction | what goes over the line | type |
//! |---|---|---|
//! | to the box | frames with a checksum, a session and a sequence number | [`Frame`] |
//! | from the box | one line of text for each answer and each change of the relay | [`Report`] |
//!
//! Both ends use these types. What is written and how it is read stand side by side: [`frame`] for
//! the one direction, [`report`] for the other, [`words`] for the words in a report.
//!
//! Nothing here allocates or panics, and everything has a bound: a frame has at most [`MAX_WIRE`]
//! bytes, a report at most [`MAX_REPORT`].

pub mod crc;
pub mod frame;
pub mod report;
pub mod words;

pub use crc::crc32;
pub use frame::{Escaped, Frame, FrameError, Kind, MAX_BODY, MAX_WIRE, STX, Unescape};
pub use report::{Hold, MAX_REPORT, NotAReport, Report, Start, Status, What};
pub use words::{Counts, Refusal, Release, ResetCause, Sick};
