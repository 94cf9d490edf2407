//! The monitor outside the observatory: alerts people when the observatory has gone silent.

pub mod handle;
pub mod history;
pub mod http;
pub mod notice;
pub mod notify;
pub mod view;
