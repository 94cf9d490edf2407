//! The CLU actor protocol over AMQP 0-9-1 (sdss-clu 2.6).
//!
//! | module | what lives there |
//! |---|---|
//! | [`bus`] | what is needed of a broker |
//! | [`amqp`], [`local`] | RabbitMQ, and a broker in memory with the same semantics |
//! | [`message`] | commands and replies, encoded and decoded |
//! | [`command`] | an actor's command language |
//! | [`schema`] | the JSON schema of lvmbeat's replies |
//! | [`client`] | commanding other actors |
//! | [`connection`] | an actor's session: opened, lost, opened again |
//! | `quota` | what each sender may have |
//!
//! An actor's way: `Bus::open` → `Session::commands` → [`message::decode_command`] → reply
//! [`message::Code::Running`] → [`command::Grammar::handle`] → further replies, the last of them
//! final.

pub mod amqp;
pub mod bus;
pub mod client;
pub mod command;
pub mod connection;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod local;
pub mod message;
pub(crate) mod quota;
pub mod schema;

pub use amqp::Amqp;
pub use bus::{Bus, BusError, Message, Publisher, Routing, Session, SessionSpec, Shown};
pub use client::{Client, CommandError, CommandOptions};
pub use command::{Answer, Grammar, Handled};
pub use local::LocalBroker;
pub use message::{Code, Command, Keywords, Reply, ReplyAddress};
