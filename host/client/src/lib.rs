//! Makes a program beat for lvmbeat, which keeps a telescope's dome open only while the programs
//! that guard it are alive.
//!
//! A beat says: *the program that keeps the dome safe is doing its work now.* So it comes from the
//! loop that does the work, after a round that has succeeded:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use lvmbeat_client::{Amqp, Heart, Rhythm};
//!
//! # async fn observe() -> Result<(), Box<dyn std::error::Error>> { Ok(()) }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let broker = Amqp::new("amqp://localhost", Duration::from_secs(4))?;
//! let heart = Heart::start(broker, "overwatcher", &Rhythm::default())?;
//! loop {
//!     observe().await?; // the work; if it hangs or fails, there is no beat
//!     heart.alive();
//!     # break;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! - [`Heart::alive`] never waits. The [`Heart`] connects, connects again when the connection is
//!   lost, proves when each beat was sent (`heartbeats[].proof: required` accepts it), and sends no
//!   more beats than its [`Rhythm`] says.
//! - It beats only when it is told that the loop is alive, at that moment, and never by a timer. If
//!   the loop hangs there is no beat; when it ends, fails, panics or is aborted, the heart is
//!   dropped, and there is no beat (S1).
//! - What the broker does not take at once is not sent later (S3).
//! - [`Heart::standing`] says what became of the last beat: whether the dome heartbeat is held, and
//!   why. [`Heart::watch`] does so for others, such as a user interface.
//!
//! What to guard, and how to choose `interval` and `timeout`, is for the whole site to decide: see
//! CLIENTS.md of lvmbeat.
//!
//! The rest is CLU (sdss-clu 2.6) over AMQP 0-9-1, as a client speaks it:
//!
//! | module | what lives there |
//! |---|---|
//! | [`heart`] | beats for a loop |
//! | [`pulse`] | one heartbeat over one connection, for whoever has another ground to beat |
//! | [`client`] | commanding actors |
//! | [`message`] | commands and replies, encoded and decoded |
//! | [`bus`] | what is needed of a broker |
//! | [`amqp`], [`local`] | RabbitMQ, and a broker in memory with the same semantics, for tests |
#![deny(missing_docs)]

pub mod amqp;
pub mod bus;
pub mod client;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod heart;
pub mod local;
pub mod message;
pub mod pulse;

// What lvmbeat shares with this crate. Not an interface for others.
#[doc(hidden)]
pub mod clock;
#[doc(hidden)]
pub mod dial;
#[doc(hidden)]
pub mod errors;
#[doc(hidden)]
pub mod peer;
#[doc(hidden)]
pub mod quota;

pub use amqp::Amqp;
pub use bus::{Bus, BusError, Message, Publisher, Routing, Session, SessionSpec, Shown};
pub use client::{Client, CommandError, CommandOptions};
pub use heart::{Heart, Rhythm, Standing, StartError};
pub use local::LocalBroker;
pub use message::{Code, Command, Keywords, Reply, ReplyAddress};
pub use pulse::{Answer, NotAName, Pulse};
