//! The monitor's doors, from outside: the real program, with requests good and bad, and clients
//! that mean it no good.
//!
//! That `/healthz` fails when the watch loop hangs is shown in `host/src/monitor/http/tests`: a
//! process that is stopped as a whole answers nothing at all.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what is not there fails the test"
)]

mod documented;
mod ends;
mod hostile;
mod python;
mod scene;
mod who;
