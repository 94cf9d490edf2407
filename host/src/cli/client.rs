//! Talking to a running actor.

use std::time::Duration;

use serde_json::Value;

use super::{Failure, print, say, service};
use crate::clock::{BootClock, Clock as _};
use crate::clu::client::{self, Client};
use crate::clu::message::{Code, Reply};
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

/// Sends a command, prints the replies as the CLU shell does, and fails as the command fails.
pub(super) fn send(
    config: &Config,
    actor: &str,
    command: &str,
    limit: Duration,
) -> Result<(), Failure> {
    with_client(config, async |client| {
        let mut running = client.begin(actor, command, options(limit)).await?;
        let mut last = None;
        while let Some(reply) = running.next().await? {
            last = Some(reply.code);
            if let Err(failure) = show(&reply, actor) {
                return Ok(Err(failure));
            }
        }
        Ok(ended(last))
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
            // It has no use for whoever reads this.
            reply.body.shift_remove("seen");
            if let Err(failure) = show(reply, actor) {
                return Ok(Err(failure));
            }
        }
        Ok(ended(Some(finished.code)))
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

fn options(limit: Duration) -> CommandOptions {
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

/// What became of a conversation that did not fail by itself.
type Said = Result<Result<(), Failure>, CommandError>;

/// Opens a session, talks, and closes it.
fn with_client(config: &Config, talk: impl AsyncFnOnce(&Client) -> Said) -> Result<(), Failure> {
    on_a_runtime(async {
        let bus = config.actor.bus()?;
        let id = uuid::Uuid::new_v4().simple().to_string();
        let name = format!("lvmbeat-cli-{}", id.get(..8).unwrap_or_default());
        let session = client::connect(&bus, &name).await?;
        let result = talk(&session.client).await;
        session.close().await;
        result?
    })
}

fn on_a_runtime<T>(talk: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    service::authorities()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let result = runtime.block_on(talk);
    // A name lookup that hangs must not keep the program from ending.
    runtime.shutdown_background();
    result
}

/// `HH:MM:SS.mmm lvmbeat : {json}`, in UTC. That the command has begun is not worth a line.
fn show(reply: &Reply, actor: &str) -> Result<(), Failure> {
    if reply.code == Code::Running && reply.body.is_empty() {
        return Ok(());
    }
    let time = BootClock.wall().strftime("%H:%M:%S%.3f");
    let body = Value::Object(reply.body.clone());
    let sender = reply.sender.as_deref().unwrap_or(actor);
    print(&format!("{time} {sender} {} {body}\n", reply.code.as_str()))
}
