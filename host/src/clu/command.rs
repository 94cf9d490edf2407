//! An actor's command language: clap behind CLU's conventions.
//!
//! A command string is split as a shell would split it and parsed by clap. What every CLU actor
//! answers in the same way is answered here: `ping`, `version`, `help`, `get_schema`,
//! `get-command-model`, `keyword`, and `--help` anywhere. So is whatever cannot be parsed, the
//! empty string and unclosed quotes included: Python's CLU answers those never. The actor's
//! own commands come out as a value of its own type.
//!
//! All of it is a pure function of the command string, and any string has an answer (X2).

use std::fmt;
use std::marker::PhantomData;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Subcommand};
use jiff::Timestamp;
use serde_json::Value;

use super::bus::Message;
use super::message::{Code, Keywords, ReplyAddress, encode_reply, keyword, shortened};

mod help;
mod model;

/// What is asked of lvmbeat beyond what every actor answers.
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// Sets the heartbeat of a program.
    Set {
        /// The heartbeat's name, as in the configuration.
        heartbeat: String,
        /// The value of 'seen' in the last reply to 'set': it proves when this one was sent.
        #[arg(long, value_name = "VALUE")]
        seen: Option<String>,
    },
    /// Reports the heartbeats, the last emissions, and the network.
    Status,
    /// Proves that the PLC closes the dome without the dome heartbeat: withholds it, while the dome
    /// is closed, until the PLC misses it.
    Drill {
        /// Ends the drill under way.
        #[arg(long)]
        stop: bool,
        /// Notes after a drill that people were reached by a test message: in one sentence.
        #[arg(long, value_name = "TEXT", conflicts_with = "stop")]
        reached: Option<String>,
        /// Notes that they were not.
        #[arg(long, value_name = "TEXT", conflicts_with_all = ["stop", "reached"])]
        not_reached: Option<String>,
    },
    /// Reports what happened, or why the dome closed last.
    History {
        /// Only since then: '2h', '20:00', 'yesterday 20:00', or a date and time; without a zone in
        /// UTC.
        #[arg(long, value_name = "MOMENT", conflicts_with = "last")]
        since: Option<String>,
        /// The last closing of the dome.
        #[arg(long)]
        last: bool,
    },
}

/// The commands of one actor: those that every CLU actor answers, and its own, `R`.
pub struct Grammar<R> {
    version: String,
    schema: Value,
    root: clap::Command,
    own: PhantomData<fn() -> R>,
}

/// What is to be done about a command string.
#[derive(Clone, PartialEq, Debug)]
pub enum Handled<R> {
    /// It is answered: these replies, in order, after the first one, [`Code::Running`]. The last is
    /// final.
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
    /// As internal as the command.
    pub fn new(code: Code, body: Keywords) -> Self {
        Self {
            code,
            body,
            internal: false,
        }
    }

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
    /// The grammar of the actor of that name. The schema is what `get_schema` and `keyword` show: a
    /// JSON schema with `properties`.
    pub fn new(actor: &str, version: &str, schema: Value) -> Self {
        let root = R::augment_subcommands(clap::Command::new(actor.to_owned()))
            // Not the description of the type of its commands.
            .about(None::<&str>)
            .long_about(None::<&str>)
            .no_binary_name(true)
            .subcommand_required(true)
            .subcommands(common());
        Self {
            version: version.to_owned(),
            schema,
            root: plain(root),
            own: PhantomData,
        }
    }

    /// Parses a command string and answers it, unless it is one of the actor's own commands.
    pub fn handle(&self, command_string: &str) -> Handled<R> {
        match self.parse(command_string) {
            Ok(handled) => handled,
            Err(refusal) => {
                let error = format!(
                    "Command '{}' does not exist or cannot be parsed.",
                    shortened(command_string)
                );
                Handled::Answered(vec![
                    Answer::new(Code::Warning, keyword("help", refusal)),
                    Answer::new(Code::Failed, keyword("error", error)),
                ])
            }
        }
    }

    /// Or the reason why not, as lines of help.
    fn parse(&self, command_string: &str) -> Result<Handled<R>, Vec<String>> {
        let name = self.root.get_name();
        let words = shlex::split(command_string)
            .ok_or_else(|| vec!["A quotation mark is not closed.".to_owned()])?;
        let hint = || format!("'help' lists the commands of {name}.");
        let Some(first) = words.first() else {
            return Err(vec!["There is no command in it.".to_owned(), hint()]);
        };
        if words.iter().any(|word| word == "--help") {
            // Whatever else there is, as far as it names a command: `set overwatcher --help` is
            // help on `set`.
            let path = words.iter().filter(|word| *word != "--help");
            return Ok(self.help(path.map(String::as_str), true));
        }
        if first == "help" {
            let path = words.iter().skip(1);
            return Ok(self.help(path.flat_map(|word| word.split_whitespace()), false));
        }
        let matches = self
            .root
            .clone()
            .try_get_matches_from(&words)
            .map_err(|error| vec![refusal(&error), hint()])?;
        let argument = matches.subcommand().and_then(|(_, command)| {
            // Only the common commands call theirs so; an actor's own are not looked at.
            command.try_get_one::<String>(ARGUMENT).ok().flatten()
        });
        Ok(match matches.subcommand_name() {
            Some("ping") => done(keyword("text", "Pong.")),
            Some("version") => done(keyword("version", self.version.as_str())),
            Some("get_schema") => done(keyword("schema", self.schema.to_string())),
            Some("get-command-model") => self.model(argument.map(String::as_str)),
            Some("keyword") => self.keyword(argument.map_or("", String::as_str)),
            _ => Handled::Request(
                R::from_arg_matches(&matches).map_err(|error| vec![refusal(&error), hint()])?,
            ),
        })
    }

    /// `lenient`: words that follow a command without sub-commands are its arguments.
    fn help<'a>(&self, path: impl Iterator<Item = &'a str>, lenient: bool) -> Handled<R> {
        let mut usage = self.root.get_name().to_owned();
        let mut command = &self.root;
        for word in path {
            if lenient && !command.has_subcommands() {
                break;
            }
            let Some(found) = command.find_subcommand(word) else {
                return failed(format!(
                    "command {} not found. {}",
                    shortened(word),
                    known(command)
                ));
            };
            usage = format!("{usage} {word}");
            command = found;
        }
        done(keyword("help", help::lines(&usage, command)))
    }

    fn model(&self, name: Option<&str>) -> Handled<R> {
        let mut command = &self.root;
        for word in name.into_iter().flat_map(str::split_whitespace) {
            let Some(found) = command.find_subcommand(word) else {
                return internal(failed(format!(
                    "Cannot find command {}. {}",
                    shortened(word),
                    known(command)
                )));
            };
            command = found;
        }
        internal(done(keyword("command_model", model::of(command))))
    }

    /// One line of the keyword's schema a reply, without quotation marks and all of one length, as
    /// CLU shows them.
    fn keyword(&self, name: &str) -> Handled<R> {
        let properties = self.schema.get("properties");
        let Some(schema) = properties.and_then(|properties| properties.get(name)) else {
            let known = properties.and_then(Value::as_object).into_iter();
            let known: Vec<&str> = known.flatten().map(|(name, _)| name.as_str()).collect();
            return failed(format!(
                "Keyword '{}' is not part of the data model. The keywords are: {}.",
                shortened(name),
                known.join(", ")
            ));
        };
        let pretty = format!("{name} = {schema:#}");
        let width = pretty.lines().map(|line| line.chars().count()).max();
        let width = width.unwrap_or_default();
        let line = |line: &str| format!("{:width$}", line.replace('"', ""));
        Handled::Answered(
            pretty
                .lines()
                .map(|text| Answer::new(Code::Info, keyword("text", line(text))))
                .chain([Answer::new(Code::Done, Keywords::new())])
                .collect(),
        )
    }
}

impl<R> fmt::Debug for Grammar<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grammar")
            .field("actor", &self.root.get_name())
            .finish_non_exhaustive()
    }
}

/// How the arguments of the common commands are called inside.
const ARGUMENT: &str = "common-argument";

/// The commands of every CLU actor.
fn common() -> [clap::Command; 6] {
    let command = |name: &'static str, about: &'static str| clap::Command::new(name).about(about);
    let argument = |name: &'static str| Arg::new(ARGUMENT).value_name(name);
    [
        command("ping", "Answers, to show that the actor is there"),
        command("version", "Reports the version of the actor"),
        command("help", "Shows the commands, or one of them")
            .arg(argument("COMMAND").num_args(0..)),
        command("get_schema", "Reports the JSON schema of the replies"),
        command(
            "get-command-model",
            "Reports the commands, or one of them, as data",
        )
        .arg(argument("COMMAND")),
        command("keyword", "Shows the schema of one keyword")
            .arg(argument("KEYWORD").required(true)),
    ]
}

/// Without what clap adds by itself.
fn plain(command: clap::Command) -> clap::Command {
    command
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .disable_version_flag(true)
        .mut_subcommands(plain)
}

/// What there is instead of a command that is not known. The Python CLU does not say it.
fn known(command: &clap::Command) -> String {
    let names = command.get_subcommands().map(clap::Command::get_name);
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        return format!("{} has no subcommands.", command.get_name());
    }
    format!("The commands are: {}.", names.join(", "))
}

fn done<R>(body: Keywords) -> Handled<R> {
    Handled::Answered(vec![Answer::new(Code::Done, body)])
}

fn failed<R>(error: String) -> Handled<R> {
    Handled::Answered(vec![Answer::new(Code::Failed, keyword("error", error))])
}

fn internal<R>(mut handled: Handled<R>) -> Handled<R> {
    if let Handled::Answered(answers) = &mut handled {
        for answer in answers {
            answer.internal = true;
        }
    }
    handled
}

/// Clap's error in a line.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enum is not exhaustive, and its other cases have no need of words of their own"
)]
fn refusal(error: &clap::Error) -> String {
    let context = |kind| {
        let value = error.get(kind)?;
        if let ContextValue::Strings(texts) = value {
            return Some(shortened(&texts.join(", ")));
        }
        Some(shortened(&value.to_string()))
    };
    let argument = || context(ContextKind::InvalidArg).unwrap_or_default();
    // Clap shows a positional argument in angle brackets.
    let name = || argument().replace(['<', '>', '[', ']'], "");
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let command = context(ContextKind::InvalidSubcommand).unwrap_or_default();
            // Clap puts the most similar one last.
            let meant = match error.get(ContextKind::SuggestedSubcommand) {
                Some(ContextValue::Strings(names)) => names.last(),
                _ => None,
            };
            let meant = meant.map_or_else(String::new, |name| format!(" Did you mean {name}?"));
            format!("There is no command '{command}'.{meant}")
        }
        ErrorKind::UnknownArgument if argument().starts_with('-') => {
            format!("There is no option '{}' here.", argument())
        }
        ErrorKind::UnknownArgument => format!("The argument '{}' is not expected.", argument()),
        ErrorKind::MissingRequiredArgument => format!("The argument {} is missing.", name()),
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            "A subcommand is missing; --help lists them.".to_owned()
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let value = context(ContextKind::InvalidValue).unwrap_or_default();
            let valid = context(ContextKind::ValidValue).filter(|valid| !valid.is_empty());
            let valid =
                valid.map_or_else(String::new, |valid| format!(" Possible values: {valid}."));
            format!("'{value}' is not a value for {}.{valid}", name())
        }
        other => other
            .as_str()
            .map_or_else(|| other.to_string(), |text| format!("Clap says: {text}.")),
    }
}

#[cfg(test)]
mod tests;
