//! Talking to a running actor.

use std::time::Duration;

use super::{Failure, print};
use crate::clock::{BootClock, Clock as _};
use crate::clu::message::{Code, Reply};
use crate::clu::{Amqp, CommandError, CommandOptions, SessionSpec, client};
use crate::config::Config;

/// Makes one command string of words, each quoted where it has to be.
pub(super) fn join(words: &[String]) -> Result<String, Failure> {
    shlex::try_join(words.iter().map(String::as_str))
        .map_err(|_| Failure::NoAnswer("a command cannot hold the character NUL".to_owned()))
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
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| Failure::Running(format!("the runtime cannot be set up: {cause}")))?;
    let result = runtime.block_on(conversation(config, actor, command, limit));
    // A name lookup that hangs must not keep the program from ending.
    runtime.shutdown_background();
    result
}

/// What the broker's user may do although lvmbeat does not need it, as `check` says it.
pub(super) fn permissions(config: &Config) -> Result<String, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| Failure::Running(format!("the runtime cannot be set up: {cause}")))?;
    let excess = runtime.block_on(async {
        let bus = Amqp::new(
            config.actor.broker.reveal().as_str(),
            config.actor.amqp_heartbeat,
        )
        .map_err(|error| Failure::NoAnswer(error.to_string()))?;
        let spec = SessionSpec::client(&config.actor.name);
        bus.excess(&spec, &config.ecp.actor)
            .await
            .map_err(|error| Failure::NoAnswer(error.to_string()))
    });
    runtime.shutdown_background();
    let lines: String = excess?.iter().map(|what| format!("    {what}\n")).collect();
    Ok(if lines.is_empty() {
        "X1  The broker's user may do nothing that was looked for and lvmbeat does not need.\n"
            .to_owned()
    } else {
        format!(
            "X1  The broker's user may do what lvmbeat does not need; SECURITY.md says how to take it away:\n{lines}"
        )
    })
}

async fn conversation(
    config: &Config,
    actor: &str,
    command: &str,
    limit: Duration,
) -> Result<(), Failure> {
    let bus = Amqp::new(
        config.actor.broker.reveal().as_str(),
        config.actor.amqp_heartbeat,
    )
    .map_err(|error| Failure::NoAnswer(error.to_string()))?;
    let id = uuid::Uuid::new_v4().simple().to_string();
    let name = format!("lvmbeat-cli-{}", id.get(..8).unwrap_or_default());
    let no_answer = |error: &dyn std::fmt::Display| Failure::NoAnswer(error.to_string());
    let session = client::connect(&bus, &name)
        .await
        .map_err(|error| no_answer(&error))?;
    let result = async {
        let options = CommandOptions {
            internal: false,
            expiration: Some(limit),
            limit,
        };
        let mut running = session.client.begin(actor, command, options).await?;
        let mut last = None;
        while let Some(reply) = running.next().await? {
            last = Some(reply.code);
            if let Err(failure) = show(&reply, actor) {
                return Ok(Err(failure));
            }
        }
        Ok::<_, CommandError>(if last == Some(Code::Done) {
            Ok(())
        } else {
            Err(Failure::Answered)
        })
    }
    .await;
    session.close().await;
    result.unwrap_or_else(|error| Err(no_answer(&error)))
}

/// `HH:MM:SS.mmm lvmbeat : {json}`, in UTC. That the command has begun is not worth a line.
fn show(reply: &Reply, actor: &str) -> Result<(), Failure> {
    if reply.code == Code::Running && reply.body.is_empty() {
        return Ok(());
    }
    let time = BootClock.wall().strftime("%H:%M:%S%.3f");
    let body = serde_json::Value::Object(reply.body.clone());
    let sender = reply.sender.as_deref().unwrap_or(actor);
    print(&format!("{time} {sender} {} {body}\n", reply.code.as_str()))
}
