//! The relay box without its hardware: from bytes to a decision about the relay, and what has to be
//! true for the hardware watchdog to be fed.
//!
//! Everything is a pure machine with time as an argument, like `lvmbeat-core`, which decides: the
//! [`Supervisor`] whether a heartbeat counts, the [`Watchdog`] how long the relay stays energised
//! after one that did.
//!
//! | module | what lives there |
//! |---|---|
//! | [`input`] | bytes of the serial line → typed lines and frames |
//! | [`command`] | what can be said to the box |
//! | [`intake`] | what of it is refused: old, repeated, unknown, too much; and counted |
//! | [`machine`] | all of that together, and what is reported |
//! | [`permit`] | the supervisor and the watchdog behind the relay |
//! | [`vitals`] | may the hardware watchdog be fed: every task ran, and time moves as it should |
//! | [`record`] | what outlives a reset: why there was one |
//! | [`scenario`] | a file that says what happens when, for tests on both sides |
//!
//! [`Supervisor`]: lvmbeat_core::Supervisor
//! [`Watchdog`]: lvmbeat_core::Watchdog
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

pub mod command;
pub mod input;
pub mod intake;
pub mod machine;
pub mod permit;
pub mod record;
pub mod scenario;
pub mod vitals;
