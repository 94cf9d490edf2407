//! The monitor outside the observatory: alerts people when the observatory has gone silent.

pub mod handle;
pub mod history;
pub mod notice;
pub mod notify;
pub mod page;
pub mod view;
