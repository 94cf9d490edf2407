//! An actor's command language: clap behind CLU's conventions.

use std::fmt;
use std::marker::PhantomData;

use clap::Subcommand;
use jiff::Timestamp;
use serde_json::Value;

use super::bus::Message;
use super::message::{Code, Keywords, ReplyAddress, encode_reply, keyword};

/// What is asked of lvmbeat beyond what every actor answers.
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// Sets the heartbeat of a program.
    Set {
        /// The heartbeat's name, as in the configuration.
        heartbeat: String,
    },
    /// Reports the heartbeats, the last emissions, and the network.
    Status,
}

/// The commands of one actor: those that every CLU actor answers, and its own, `R`.
pub struct Grammar<R> {
    actor: String,
    version: String,
    schema: Value,
    own: PhantomData<fn() -> R>,
}

/// What is to be done about a command string.
#[derive(Clone, PartialEq, Debug)]
pub enum Handled<R> {
    /// It is answered: these replies, in order, after the first one, [`Code::Running`]. The last is final.
    Answered(Vec<Answer>),
    /// The actor's own commands are the actor's to answer.
    Request(R),
}

/// A reply that is not addressed yet.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// How it bears on the command.
    pub code: Code,
    /// The keywords.
    pub body: Keywords,
    /// Internal even if the command was not.
    pub internal: bool,
}

impl Answer {
    /// The reply to that address.
    pub fn encode(&self, sender: &str, address: &ReplyAddress, wall: Timestamp) -> Message {
        let address = ReplyAddress {
            internal: address.internal || self.internal,
            ..address.clone()
        };
        encode_reply(sender, &address, self.code, &self.body, wall)
    }
}

impl<R: Subcommand> Grammar<R> {
    /// The grammar of the actor of that name.
    pub fn new(actor: &str, version: &str, schema: Value) -> Self {
        Self {
            actor: actor.to_owned(),
            version: version.to_owned(),
            schema,
            own: PhantomData,
        }
    }

    /// Parses a command string and answers it, unless it is one of the actor's own commands.
    pub fn handle(&self, command_string: &str) -> Handled<R> {
        let _ = (&self.version, &self.schema);
        Handled::Answered(vec![Answer {
            code: Code::Failed,
            body: keyword("error", command_string),
            internal: false,
        }])
    }
}

impl<R> fmt::Debug for Grammar<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grammar")
            .field("actor", &self.actor)
            .finish_non_exhaustive()
    }
}
