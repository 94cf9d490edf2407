//! CLU's messages, encoded and decoded: pure functions between [`Message`] and what it means
//! (sdss-clu 2.6).
//!
//! Whatever bytes arrive, decoding ends in a value or in an error that says what was expected (X2):
//! the size and the depth of a body are bounded, headers of another type count as absent, and
//! nothing panics.
//!
//! A *command* is published to `command.ACTOR`, a *reply* to `reply.COMMANDER`. The sender of a
//! command knows its replies by the command id, which travels twice: in the header `command_id` and
//! in the property `correlation_id`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::bus::{Header, Message};

mod body;

/// The longest body of a command, in bytes. The longest command that CLU's clients send has some
/// hundred.
pub const MAX_COMMAND_BYTES: usize = 64 * 1024;

/// The longest body of a reply, in bytes. The longest in use, a schema, has some ten thousand.
pub const MAX_REPLY_BYTES: usize = 1024 * 1024;

/// The deepest nesting of arrays and objects in a body. Below the depth at which `serde_json`
/// gives up.
pub const MAX_DEPTH: usize = 100;

/// The longest routing key, and the longest id, in bytes: an AMQP short string.
const MAX_SHORT_STRING: usize = 255;

/// What every CLU message says it is.
const CONTENT_TYPE: &str = "text/json";

/// The keywords of a reply: its body.
pub type Keywords = serde_json::Map<String, Value>;

/// The keywords of a reply that holds one.
pub fn keyword(name: &str, value: impl Into<Value>) -> Keywords {
    let mut keywords = Keywords::new();
    keywords.insert(name.to_owned(), value.into());
    keywords
}

/// How a reply bears on its command.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Code {
    /// `>`: the command was received. Always the first reply, and always internal.
    Running,
    /// `i`
    Info,
    /// `d`
    Debug,
    /// `w`
    Warning,
    /// `e`: something failed, and the command goes on.
    Error,
    /// `:`: the command is done. The last reply.
    Done,
    /// `f`: the command failed. The last reply.
    Failed,
}

impl Code {
    /// As it stands in the header `message_code`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => ">",
            Self::Info => "i",
            Self::Debug => "d",
            Self::Warning => "w",
            Self::Error => "e",
            Self::Done => ":",
            Self::Failed => "f",
        }
    }

    /// The reverse of [`as_str`](Self::as_str); CLU's clients take `!` for a failure too.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            ">" => Self::Running,
            "i" => Self::Info,
            "d" => Self::Debug,
            "w" => Self::Warning,
            "e" => Self::Error,
            ":" => Self::Done,
            "f" | "!" => Self::Failed,
            _ => return None,
        })
    }

    /// Whether no reply to the same command follows.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a commander calls its command. CLU uses UUIDs; an integer is sent back as the integer that
/// it is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum CommandId {
    /// Almost always.
    Text(String),
    /// From a header that is an integer.
    Int(i64),
}

impl CommandId {
    fn from_header(header: Option<&Header>) -> Option<Self> {
        match header? {
            Header::Text(text) if text.len() <= MAX_SHORT_STRING => Some(Self::Text(text.clone())),
            Header::Int(number) => Some(Self::Int(*number)),
            Header::Text(_) | Header::Bool(_) | Header::Null | Header::Other => None,
        }
    }

    fn to_header(&self) -> Header {
        match self {
            Self::Text(text) => Header::Text(text.clone()),
            Self::Int(number) => Header::Int(*number),
        }
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.pad(text),
            Self::Int(number) => number.fmt(f),
        }
    }
}

impl From<&str> for CommandId {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Where the replies to a command go.
///
/// Ids that are absent, of a senseless type or too long to be sent back (255 bytes) are `None`: as
/// in Python's CLU the replies then go to `reply.None` and carry null.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ReplyAddress {
    /// `<client>.<actor>`, as the client put it.
    pub commander_id: Option<String>,
    /// The command's id, as the client put it.
    pub command_id: Option<CommandId>,
    /// The client asked for replies that are marked internal.
    pub internal: bool,
}

impl ReplyAddress {
    /// Whether anybody could know a reply as theirs.
    pub const fn is_anonymous(&self) -> bool {
        self.commander_id.is_none() && self.command_id.is_none()
    }

    /// Of that command, whatever its body holds.
    pub fn of(message: &Message) -> Self {
        let headers = &message.headers;
        let commander_id = match headers.get("commander_id") {
            Some(Header::Text(text)) if "reply.".len() + text.len() <= MAX_SHORT_STRING => {
                Some(text.clone())
            }
            _ => None,
        };
        Self {
            commander_id,
            command_id: CommandId::from_header(headers.get("command_id")),
            internal: truth(headers.get("internal"), false),
        }
    }
}

/// A command as it arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    /// What to do, for the actor's parser.
    pub command_string: String,
    /// Who wants to know.
    pub address: ReplyAddress,
    /// Whether the client wants it in the log.
    pub write_to_log: bool,
}

/// Not a CLU command, though it was in the command queue.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{cause}")]
pub struct Malformed {
    /// Who wants to know, as far as the headers say.
    pub address: ReplyAddress,
    /// What is wrong with it.
    pub cause: MalformedCause,
}

impl Malformed {
    /// The replies to it, in order: for a task one broadcast error, as Python's CLU has it;
    /// otherwise a failed command, if the headers name anybody who could be waiting for it.
    pub fn replies(&self, sender: &str, wall: Timestamp) -> Vec<Message> {
        let error = keyword("error", self.cause.to_string());
        if matches!(self.cause, MalformedCause::Task { .. }) {
            return vec![encode_broadcast(sender, Code::Error, &error, wall)];
        }
        if self.address.is_anonymous() {
            return Vec::new();
        }
        let reply = |code, body| encode_reply(sender, &self.address, code, body, wall);
        vec![
            reply(Code::Running, &Keywords::new()),
            reply(Code::Failed, &error),
        ]
    }
}

/// Why a text is not JSON. Equal to another that is found at the same place.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(#[source] Arc<serde_json::Error>);

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        Self(Arc::new(error))
    }
}

impl PartialEq for JsonError {
    fn eq(&self, other: &Self) -> bool {
        let place = |error: &Self| (error.0.classify(), error.0.line(), error.0.column());
        place(self) == place(other)
    }
}

impl Eq for JsonError {}

/// Why a message in the command queue is not a CLU command.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MalformedCause {
    /// Longer than [`MAX_COMMAND_BYTES`] or [`MAX_REPLY_BYTES`].
    #[error("The body has {bytes} bytes; at most {limit} are accepted.")]
    TooLarge {
        /// How long.
        bytes: usize,
        /// Which of both.
        limit: usize,
    },
    /// Deeper than [`MAX_DEPTH`].
    #[error("The body is nested too deeply; at most {MAX_DEPTH} levels are accepted.")]
    TooDeep,
    /// Not UTF-8.
    #[error("The body is not UTF-8 (from byte {from}); a JSON object is expected.")]
    NotText {
        /// The first byte that is not.
        from: usize,
    },
    /// Not JSON.
    #[error(
        "The body is not JSON ({cause}); an object such as {{\"command_string\": \"ping\"}} is expected."
    )]
    NotJson {
        /// What the parser found.
        #[source]
        cause: JsonError,
    },
    /// JSON, and something else than an object.
    #[error("The body is {found}; an object such as {{\"command_string\": \"ping\"}} is expected.")]
    NotAnObject {
        /// What it is.
        found: &'static str,
    },
    /// An object without what matters.
    #[error(
        "The body has no command_string; an object such as {{\"command_string\": \"ping\"}} is expected."
    )]
    NoCommandString,
    /// An object with something else in it.
    #[error("The command_string is {found}; a string is expected.")]
    CommandStringNotText {
        /// What it is.
        found: &'static str,
    },
    /// A task message. No task is known here.
    #[error("Unknown task {}", name.as_ref().map_or_else(|| "None".to_owned(), |name| format!("'{name}'")))]
    Task {
        /// The task's name.
        name: Option<String>,
    },
}

/// Whether it is worth decoding that body because it may be a `set`, as CLU's clients write it.
/// Costs one look at a short body.
pub fn may_be_set(body: &[u8]) -> bool {
    set_by(body).is_some()
}

/// The arguments of the `set` that a short body is, as CLU's clients write it, and of nothing
/// else.
pub(crate) fn set_by(body: &[u8]) -> Option<&str> {
    const LONGEST: usize = 512;
    const JSON_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];
    fn after<'a>(text: &'a str, token: &str) -> Option<&'a str> {
        text.trim_start_matches(JSON_SPACE).strip_prefix(token)
    }
    let body = str::from_utf8(body).ok().filter(|it| it.len() <= LONGEST)?;
    let value = after(after(after(body, "{")?, "\"command_string\"")?, ":")?;
    let (arguments, rest) = after(value, "\"set ")?.split_once('"')?;
    let is_whole = rest.trim_matches(JSON_SPACE) == "}" && !arguments.contains('\\');
    is_whole.then_some(arguments)
}

/// Reads a message from the command queue.
pub fn decode_command(message: &Message) -> Result<Command, Malformed> {
    let address = ReplyAddress::of(message);
    match command_string(message) {
        Ok(command_string) => Ok(Command {
            command_string,
            address,
            write_to_log: truth(message.headers.get("write_to_log"), true),
        }),
        Err(cause) => Err(Malformed { address, cause }),
    }
}

fn command_string(message: &Message) -> Result<String, MalformedCause> {
    let body = body::object(&message.body, MAX_COMMAND_BYTES);
    if truth(message.headers.get("task"), false) {
        let name = match body.ok().and_then(|mut body| body.remove("task")) {
            Some(Value::String(name)) => Some(shortened(&name)),
            _ => None,
        };
        return Err(MalformedCause::Task { name });
    }
    match body?.remove("command_string") {
        Some(Value::String(command_string)) => Ok(command_string),
        Some(other) => Err(MalformedCause::CommandStringNotText {
            found: body::kind(&other),
        }),
        None => Err(MalformedCause::NoCommandString),
    }
}

/// A reply as it arrived.
#[derive(Clone, PartialEq, Debug)]
pub struct Reply {
    /// The actor that it comes from.
    pub sender: Option<String>,
    /// The command that it answers; `None` for a broadcast. This is the correlation id, which is
    /// always text.
    pub command_id: Option<String>,
    /// Whose command it answers.
    pub commander_id: Option<String>,
    /// How it bears on the command.
    pub code: Code,
    /// Not for people's eyes.
    pub internal: bool,
    /// The keywords.
    pub body: Keywords,
}

/// Why a client drops a reply. The rules are those of CLU's client.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unusable {
    /// No header `message_code`, or not one of CLU's.
    #[error("the reply has no known message_code")]
    NoCode,
    /// The header `command_id` and the property `correlation_id` differ.
    #[error("the reply's command_id is not its correlation_id")]
    IdsDiffer,
    /// The body is not what it should be.
    #[error("the reply's body cannot be used: {0}")]
    Body(#[from] MalformedCause),
}

/// Reads a message from a replies queue.
pub fn decode_reply(message: &Message) -> Result<Reply, Unusable> {
    let headers = &message.headers;
    let code = text(headers.get("message_code"))
        .and_then(|code| Code::parse(&code))
        .ok_or(Unusable::NoCode)?;
    let command_id = message.correlation_id.clone();
    // As in Python, an empty or zero header is no header, and an integer never equals the property,
    // which is text.
    match headers.get("command_id") {
        Some(Header::Text(id)) if !id.is_empty() && Some(id) != command_id.as_ref() => {
            return Err(Unusable::IdsDiffer);
        }
        Some(Header::Int(1.. | ..0) | Header::Bool(true) | Header::Other) => {
            return Err(Unusable::IdsDiffer);
        }
        Some(Header::Text(_) | Header::Int(0) | Header::Bool(false) | Header::Null) | None => {}
    }
    Ok(Reply {
        sender: text(headers.get("sender")),
        command_id,
        commander_id: text(headers.get("commander_id")),
        code,
        internal: truth(headers.get("internal"), false),
        body: body::object(&message.body, MAX_REPLY_BYTES)?,
    })
}

/// A reply to a command. [`Code::Running`] is internal whatever the address says.
pub fn encode_reply(
    sender: &str,
    address: &ReplyAddress,
    code: Code,
    body: &Keywords,
    wall: Timestamp,
) -> Message {
    let commander = address.commander_id.as_deref();
    let mut message = reply(sender, code, body, wall);
    message.routing_key = format!("reply.{}", commander.unwrap_or("None"));
    message.correlation_id = address.command_id.as_ref().map(CommandId::to_string);
    message.headers.extend([
        header("commander_id", commander.map_or(Header::Null, text_header)),
        header(
            "command_id",
            address
                .command_id
                .as_ref()
                .map_or(Header::Null, CommandId::to_header),
        ),
        header(
            "internal",
            Header::Bool(address.internal || code == Code::Running),
        ),
    ]);
    message
}

/// A reply to nobody in particular.
pub fn encode_broadcast(sender: &str, code: Code, body: &Keywords, wall: Timestamp) -> Message {
    let mut message = reply(sender, code, body, wall);
    "reply.broadcast".clone_into(&mut message.routing_key);
    message.headers.extend([
        header("commander_id", Header::Null),
        header("command_id", Header::Null),
        header("internal", Header::Bool(false)),
    ]);
    message
}

fn reply(sender: &str, code: Code, body: &Keywords, wall: Timestamp) -> Message {
    Message {
        content_type: Some(CONTENT_TYPE.to_owned()),
        message_id: Some(message_id()),
        timestamp: Some(u64::try_from(wall.as_second()).unwrap_or(0)),
        headers: BTreeMap::from([
            header("message_code", text_header(code.as_str())),
            header("sender", text_header(sender)),
        ]),
        body: body::bytes(body),
        ..Message::default()
    }
}

/// A command of `client` to `actor`. With `expiration`, the broker drops it when it has waited that
/// long in the actor's queue (S3).
pub fn encode_command(
    client: &str,
    actor: &str,
    command_string: &str,
    command_id: &str,
    internal: bool,
    expiration: Option<Duration>,
) -> Message {
    Message {
        routing_key: format!("command.{actor}"),
        content_type: Some(CONTENT_TYPE.to_owned()),
        correlation_id: Some(command_id.to_owned()),
        reply_to: Some(format!("{client}_replies")),
        message_id: Some(message_id()),
        expiration,
        headers: BTreeMap::from([
            header("command_id", text_header(command_id)),
            header("commander_id", text_header(&format!("{client}.{actor}"))),
            header("internal", Header::Bool(internal)),
            header("write_to_log", Header::Bool(true)),
        ]),
        body: body::bytes(&keyword("command_string", command_string)),
        ..Message::default()
    }
}

/// The routing key of what `actor` replies to a command of `client`, as [`encode_command`] makes
/// it.
pub fn reply_key(client: &str, actor: &str) -> String {
    format!("reply.{client}.{actor}")
}

/// A new command id, as CLU's clients make them.
pub fn new_command_id() -> String {
    Uuid::new_v4().hyphenated().to_string()
}

fn message_id() -> String {
    Uuid::new_v4().simple().to_string()
}

fn header(name: &str, value: Header) -> (String, Header) {
    (name.to_owned(), value)
}

fn text_header(text: &str) -> Header {
    Header::Text(text.to_owned())
}

fn text(header: Option<&Header>) -> Option<String> {
    match header {
        Some(Header::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

/// A header as Python's `if` sees it.
fn truth(header: Option<&Header>, default: bool) -> bool {
    match header {
        None => default,
        Some(Header::Bool(truth)) => *truth,
        Some(Header::Int(number)) => *number != 0,
        Some(Header::Text(text)) => !text.is_empty(),
        Some(Header::Null | Header::Other) => false,
    }
}

/// A foreign text cut to a length that can be sent back or logged.
pub fn shortened(text: &str) -> String {
    const MAX_CHARS: usize = 200;
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
