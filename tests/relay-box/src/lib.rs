//! Builds the relay box's firmware, runs it in QEMU, and plays the same scenario through the core
//! on the host.
//!
//! Everything but [`live`] runs in QEMU's virtual time: the same in every run, and an hour in a
//! moment.

pub mod build;
pub mod live;
pub mod played;
pub mod run;
pub mod sizes;
pub mod stack;
