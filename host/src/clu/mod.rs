//! The CLU actor protocol over AMQP 0-9-1 (sdss-clu 2.6): what an actor needs beyond what
//! [`lvmbeat_client`] has for every client.
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

pub mod command;
pub mod connection;
pub mod schema;

#[cfg(feature = "contract")]
pub use lvmbeat_client::contract;
pub(crate) use lvmbeat_client::quota;
pub use lvmbeat_client::{amqp, bus, client, local, message};

pub use amqp::Amqp;
pub use bus::{Bus, BusError, Message, Publisher, Routing, Session, SessionSpec, Shown};
pub use client::{Client, CommandError, CommandOptions};
pub use command::{Answer, Grammar, Handled};
pub use local::LocalBroker;
pub use message::{Code, Command, Keywords, Reply, ReplyAddress};
