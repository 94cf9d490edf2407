//! Talking to a running actor.

use std::time::Duration;

use serde::Serialize as _;
use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};

use super::{Failure, print, say, service};
use crate::clock::{BootClock, Clock as _};
use crate::clu::client::{self, Client, Connected, Finished};
use crate::clu::message::{Code, Keywords, Reply};
use crate::clu::{CommandError, CommandOptions, SessionSpec};
use crate::config::Config;
use crate::journal::Entry;

/// Makes one command string of words, each quoted where it has to be.
pub(super) fn join(words: &[String]) -> Result<String, Failure> {
    shlex::try_join(words.iter().map(String::as_str)).map_err(|_| Failure::Nul)
}

/// A command that was quoted as a whole is sent as it was typed; words are quoted one by one.
pub(super) fn as_typed(words: &[String]) -> Result<String, Failure> {
    match words {
        [whole] => Ok(whole.clone()),
        _ => join(words),
    }
}

/// How replies are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// A line each, as they come: the time, the actor, the code and the keywords.
    Line,
    /// The same, the keywords indented as the CLU shell does it.
    Indented,
    /// At the end one document with the keywords of all.
    Json,
}

/// Sends a command, prints the replies, and fails as the command fails.
pub(super) fn send(
    config: &Config,
    actor: &str,
    command: &str,
    limit: Duration,
    form: Form,
) -> Result<(), Failure> {
    if form == Form::Json {
        let Finished { replies, code } = ask(config, actor, command, limit)?;
        print_all(&replies, actor, form)?;
        return ended(Some(code));
    }
    with_client(config, async |client| {
        let mut running = client.begin(actor, command, options(limit)).await?;
        let mut last = None;
        while let Some(reply) = running.next().await? {
            last = Some(reply.code);
            if let Err(failure) = show(&reply, actor, form) {
                return Ok(Err(failure));
            }
        }
        Ok(ended(last))
    })
}

/// Sends a command and waits for its end.
pub(super) fn ask(
    config: &Config,
    actor: &str,
    command: &str,
    limit: Duration,
) -> Result<Finished, Failure> {
    on_a_runtime(async {
        let session = connect(config).await?;
        let finished = session.client.command(actor, command, options(limit)).await;
        session.close().await;
        Ok(finished?)
    })
}

/// Sets a heartbeat. A first `set` is answered with a value, which the second one repeats: so it
/// counts at once, though no earlier beat confirms it (S3). Of the two, the last is shown. A Python
/// actor gives no value, and needs none.
pub(super) fn set(
    config: &Config,
    actor: &str,
    heartbeat: &str,
    limit: Duration,
    form: Form,
) -> Result<(), Failure> {
    let command = join(&["set".to_owned(), heartbeat.to_owned()])?;
    with_client(config, async |client| {
        let mut finished = client.command(actor, &command, options(limit)).await?;
        let last = finished.replies.last();
        if let Some(seen) = last.and_then(|reply| reply.body.get("seen")?.as_str()) {
            let Ok(seen) = shlex::try_quote(seen) else {
                return Ok(Err(Failure::Answered));
            };
            let proven = format!("{command} --seen {seen}");
            finished = client.command(actor, &proven, options(limit)).await?;
        }
        for reply in &mut finished.replies {
            // It is of no use to the reader.
            reply.body.shift_remove("seen");
        }
        let printed = print_all(&finished.replies, actor, form);
        Ok(printed.and_then(|()| ended(Some(finished.code))))
    })
}

/// Asks the actor for its journal, as much as it has in memory: the entries, the oldest first, and
/// how many older ones its answer has no room for.
pub(super) fn history(config: &Config, limit: Duration) -> Result<(Vec<Entry>, u64), Failure> {
    let mut history = None;
    let name = &config.actor.name;
    with_client(config, async |client| {
        let finished = client.command(name, "history", options(limit)).await?;
        if let Some(reply) = finished.replies.last() {
            history = reply.body.get("history").cloned();
            if let Some(error) = reply.body.get("error").and_then(Value::as_str) {
                say(error);
            }
        }
        Ok(ended(Some(finished.code)))
    })?;
    let history = history.ok_or(Failure::NoHistory)?;
    let entries = history.get("entries").and_then(Value::as_array);
    // What a later version writes in another way is left out.
    let entries = entries.into_iter().flatten();
    let entries = entries.filter_map(|entry| serde_json::from_value(entry.clone()).ok());
    let left_out = history.get("left_out").and_then(Value::as_u64);
    Ok((entries.collect(), left_out.unwrap_or_default()))
}

pub(super) fn options(limit: Duration) -> CommandOptions {
    CommandOptions {
        internal: false,
        expiration: Some(limit),
        limit,
    }
}

fn ended(last: Option<Code>) -> Result<(), Failure> {
    if last == Some(Code::Done) {
        Ok(())
    } else {
        Err(Failure::Answered)
    }
}

/// What the broker's user may do although lvmbeat does not need it, as `check` says it.
pub(super) fn permissions(config: &Config) -> Result<String, Failure> {
    let excess = on_a_runtime(async {
        let bus = config.actor.bus()?;
        let spec = SessionSpec::client(&config.actor.name);
        Ok(bus.excess(&spec, &config.ecp.actor).await?)
    })?;
    let lines: String = excess.iter().map(|what| format!("    {what}\n")).collect();
    Ok(if lines.is_empty() {
        "X1  The broker's user has none of the permissions that were looked for and that lvmbeat does not need.\n"
            .to_owned()
    } else {
        format!(
            "X1  The broker's user may do what lvmbeat does not need; SECURITY.md says how to revoke it:\n{lines}"
        )
    })
}

/// What became of a conversation that itself did not fail.
type Said = Result<Result<(), Failure>, CommandError>;

/// Opens a session, talks, and closes it.
fn with_client(config: &Config, talk: impl AsyncFnOnce(&Client) -> Said) -> Result<(), Failure> {
    on_a_runtime(async {
        let session = connect(config).await?;
        let result = talk(&session.client).await;
        session.close().await;
        result?
    })
}

/// A session of its own, under a new name.
pub(super) async fn connect(config: &Config) -> Result<Connected, Failure> {
    let bus = config.actor.bus()?;
    let connected = client::connect(&bus, &name()).await;
    connected.map_err(|error| {
        if config.is_built_in() {
            Failure::NoBrokerOfBuiltIn(error)
        } else {
            error.into()
        }
    })
}

/// A client's name that nobody else has.
pub(super) fn name() -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    format!("lvmbeat-cli-{}", id.get(..8).unwrap_or_default())
}

pub(super) fn on_a_runtime<T>(
    talk: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    service::authorities()?;
    service::tls();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let result = runtime.block_on(talk);
    // A name lookup that hangs must not keep the program from ending.
    runtime.shutdown_background();
    result
}

/// Prints what a command that has ended was answered.
pub(super) fn print_all(replies: &[Reply], actor: &str, form: Form) -> Result<(), Failure> {
    if form == Form::Json {
        return print(&format!("{}\n", indented(&keywords(replies))));
    }
    replies
        .iter()
        .try_for_each(|reply| show(reply, actor, form))
}

/// Those of all replies; what is said later holds.
pub(super) fn keywords(replies: &[Reply]) -> Keywords {
    replies
        .iter()
        .flat_map(|reply| reply.body.clone())
        .collect()
}

/// `HH:MM:SS.mmm lvmbeat : {json}`, in UTC. That the command has begun is not worth a line.
fn show(reply: &Reply, actor: &str, form: Form) -> Result<(), Failure> {
    if reply.code == Code::Running && reply.body.is_empty() {
        return Ok(());
    }
    let time = BootClock.wall().strftime("%H:%M:%S%.3f");
    let body = match form {
        Form::Line => Value::Object(reply.body.clone()).to_string(),
        Form::Indented | Form::Json => indented(&reply.body),
    };
    let sender = reply.sender.as_deref().unwrap_or(actor);
    print(&format!("{time} {sender} {} {body}\n", reply.code.as_str()))
}

/// By four spaces, as the CLU shell does it.
fn indented(keywords: &Keywords) -> String {
    let mut text = Vec::new();
    let formatter = PrettyFormatter::with_indent(b"    ");
    let mut serializer = Serializer::with_formatter(&mut text, formatter);
    // Keywords are texts, and a Vec takes everything.
    let _ = keywords.serialize(&mut serializer);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_indented_as_the_clu_shell_does_it() {
        let keywords = serde_json::json!({"a": {"b": [1, null]}, "c": {}, "d": "x"});
        // json.dumps(keywords, indent=4)
        let expected = "{
    \"a\": {
        \"b\": [
            1,
            null
        ]
    },
    \"c\": {},
    \"d\": \"x\"
}";
        assert_eq!(indented(keywords.as_object().unwrap()), expected);
    }
}
