//! Makes a program beat for lvmbeat.
#![deny(missing_docs)]

pub mod amqp;
pub mod bus;
pub mod client;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod local;
pub mod message;

// What lvmbeat shares with this crate. Not an interface for others.
#[doc(hidden)]
pub mod clock;
#[doc(hidden)]
pub mod dial;
#[doc(hidden)]
pub mod peer;
#[doc(hidden)]
pub mod quota;

pub use amqp::Amqp;
pub use bus::{Bus, BusError, Message, Publisher, Routing, Session, SessionSpec, Shown};
pub use client::{Client, CommandError, CommandOptions};
pub use local::LocalBroker;
pub use message::{Code, Command, Keywords, Reply, ReplyAddress};
