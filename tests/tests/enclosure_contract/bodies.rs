//! What lvmbeat relies on in an enclosure actor, as test bodies that run with any of them on any
//! bus.
//!
//! The enclosure is called `lvmecp`, can take heartbeats, and has taken none yet.

use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::StreamExt as _;
use lvmbeat::clu::bus::{Bus, Header, Message, Routing, Session, SessionSpec};
use lvmbeat::clu::client::{Connected, connect};
use lvmbeat::clu::message::{Code, Reply, decode_reply, encode_command, new_command_id};
use lvmbeat::clu::{CommandError, CommandOptions};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

/// Longer than an enclosure takes for anything.
const SOON: Duration = Duration::from_secs(20);
/// For something that is not to happen.
const SHORT: Duration = Duration::from_millis(500);

/// A test body.
pub(crate) type Body =
    for<'a> fn(&'a dyn Bus) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

macro_rules! bodies {
    ($($(#[$doc:meta])+ $name:ident($bus:ident) $body:block)+) => {
        $($(#[$doc])+
        async fn $name($bus: &dyn Bus) -> Result<()> $body)+

        /// All of them, with their names.
        pub(crate) const ALL: &[(&str, Body)] = &[
            $((stringify!($name), |bus| Box::pin($name(bus)))),+
        ];
    };
}

bodies! {
    /// A heartbeat is begun, and done without a keyword.
    a_heartbeat_is_done_without_keywords(bus) {
        let client = client(bus).await?;
        for _ in 0..3 {
            let replies = run(&client, "heartbeat", false).await?;
            ensure!(transcript(&replies) == [(Code::Running, true, json!({})), (Code::Done, false, json!({}))], "{replies:?}");
        }
        Ok(())
    }

    /// A ping, by which lvmbeat knows that the enclosure is not frozen, is answered with the text.
    a_ping_is_answered(bus) {
        let client = client(bus).await?;
        let replies = run(&client, "ping", false).await?;
        let pong = json!({"text": "Pong."});
        ensure!(transcript(&replies) == [(Code::Running, true, json!({})), (Code::Done, false, pong)], "{replies:?}");
        Ok(())
    }

    /// It tells its version and its schema, which describes what lvmbeat reads.
    version_and_schema_are_told(bus) {
        let client = client(bus).await?;
        let replies = run(&client, "version", false).await?;
        ensure!(last(&replies)?.body["version"].is_string(), "{replies:?}");
        let replies = run(&client, "get_schema", false).await?;
        let schema = last(&replies)?.body["schema"].as_str().context("the schema is no text")?;
        let schema: Value = serde_json::from_str(schema)?;
        for keyword in ["registers", "engineering_mode", "heartbeat_ack", "dome_status", "safety_status"] {
            ensure!(schema["properties"][keyword].is_object(), "{keyword}: {schema}");
        }
        Ok(())
    }

    /// The keywords of a status that lvmbeat reads, with their types.
    a_status_has_what_is_read_of_it(bus) {
        let client = client(bus).await?;
        let replies = run(&client, "status", false).await?;
        let keywords = keywords(&replies)?;
        for register in ["hb_set", "hb_ack", "hb_error", "dome_open", "dome_closed"] {
            ensure!(keywords["registers"][register].is_boolean(), "{register}: {keywords:?}");
        }
        for text in ["dome_status", "dome_status_labels", "safety_status", "safety_status_labels"] {
            ensure!(keywords[text].is_string(), "{text}: {keywords:?}");
        }
        ensure!(keywords["dome_status"].as_str().is_some_and(|status| status.starts_with("0x")));
        let mode = &keywords["engineering_mode"];
        ensure!(mode["enabled"] == false, "{mode}");
        for bypass in ["plc_software_bypass", "plc_hardware_bypass"] {
            ensure!(mode[bypass].is_boolean(), "{mode}");
        }
        for time in ["started_at", "ends_at"] {
            ensure!(mode.get(time) == Some(&Value::Null), "{mode}");
        }
        // Only the last reply ends the command.
        let (end, before) = replies.split_last().context("no replies")?;
        ensure!(end.code == Code::Done && end.body.is_empty(), "{end:?}");
        ensure!(before.iter().all(|reply| matches!(reply.code, Code::Running | Code::Info | Code::Debug)));
        Ok(())
    }

    /// Before the first heartbeat nothing is acknowledged; after it the register says so, and when
    /// it was seen is reported.
    a_heartbeat_is_seen_in_the_status(bus) {
        let client = client(bus).await?;
        let before = keywords(&run(&client, "status", false).await?)?;
        ensure!(before["registers"]["hb_ack"] == false, "{before:?}");
        ensure!(before["heartbeat_ack"] == Value::Null, "{before:?}");
        run(&client, "heartbeat", false).await?;
        let after = keywords(&run(&client, "status", false).await?)?;
        ensure!(after["registers"]["hb_ack"] == true, "{after:?}");
        let time = after["heartbeat_ack"].as_str().context("no time is given")?;
        // ISO 8601, with an offset or without one, and a fraction or none.
        let parsed = time.parse::<jiff::Timestamp>().is_ok() || time.parse::<jiff::civil::DateTime>().is_ok();
        ensure!(parsed, "{time}");
        Ok(())
    }

    /// The options that are used of it.
    a_status_without_registers_has_none(bus) {
        let client = client(bus).await?;
        let keywords = keywords(&run(&client, "status --no-registers --no-cache", false).await?)?;
        ensure!(!keywords.contains_key("registers"), "{keywords:?}");
        ensure!(keywords.contains_key("dome_status"), "{keywords:?}");
        Ok(())
    }

    /// The answers to a status that somebody else asked for reach everybody: by these, lvmbeat
    /// knows the enclosure's state.
    everybody_hears_the_answers_to_somebodys_status(bus) {
        let client = client(bus).await?;
        let mut ear = ear(bus).await?;
        run(&client, "status", false).await?;
        let registers = heard(&mut ear, |message| {
            let reply = decode_reply(message).ok()?;
            let fits = message.routing_key == "reply.tester.lvmecp" && reply.sender.as_deref() == Some("lvmecp");
            fits.then(|| reply.body.get("registers").cloned()).flatten()
        });
        ensure!(registers.await?["hb_ack"].is_boolean());
        Ok(())
    }

    /// To an internal command all replies are internal.
    internal_stays_internal(bus) {
        let client = client(bus).await?;
        for command in ["heartbeat", "status", "ping", "frobnicate"] {
            let replies = run(&client, command, true).await?;
            ensure!(replies.iter().all(|reply| reply.internal), "{command}: {replies:?}");
        }
        Ok(())
    }

    /// An unknown command is refused with help and an error.
    an_unknown_command_is_refused(bus) {
        let client = client(bus).await?;
        for command in ["frobnicate", "heartbeat now", "HEARTBEAT", "ping --foo", "status --foo"] {
            let replies = run(&client, command, false).await?;
            let codes: Vec<Code> = replies.iter().map(|reply| reply.code).collect();
            ensure!(codes == [Code::Running, Code::Warning, Code::Failed], "{command}: {replies:?}");
            ensure!(replies[1].body["help"].is_array(), "{command}: {replies:?}");
            let error = format!("Command '{command}' does not exist or cannot be parsed.");
            ensure!(last(&replies)?.body["error"] == error, "{command}: {replies:?}");
        }
        // And has done nothing.
        let keywords = keywords(&run(&client, "status", false).await?)?;
        ensure!(keywords["registers"]["hb_ack"] == false, "{keywords:?}");
        Ok(())
    }

    /// A message that is not a command stops nothing. (A task would stop the Python one.)
    what_is_malformed_stops_nothing(bus) {
        let client = client(bus).await?;
        let ear = ear(bus).await?;
        let plain = || encode_command("tester", "lvmecp", "heartbeat", &new_command_id(), false, None);
        let with_body = |body: &[u8]| Message { body: body.to_vec(), ..plain() };
        for message in [
            with_body(b""),
            with_body(b"{"),
            with_body(b"[1, 2]"),
            with_body(b"\xff\xfe{}"),
            with_body(br#"{"command_string": 5}"#),
            with_body(br#"{"command_string": null}"#),
            with_body(br#"{"command": "heartbeat"}"#),
        ] {
            ensure!(ear.publisher.publish(message.clone()).await? == Routing::Routed);
            let replies = run(&client, "ping", false).await?;
            ensure!(last(&replies)?.code == Code::Done, "after {message:?}");
        }
        let keywords = keywords(&run(&client, "status", false).await?)?;
        ensure!(keywords["registers"]["hb_ack"] == false, "{keywords:?}");
        Ok(())
    }

    /// A heartbeat without headers is done all the same, and answered to nobody in particular.
    a_heartbeat_without_headers_is_answered_to_nobody(bus) {
        let mut ear = ear(bus).await?;
        let bare = Message {
            routing_key: "command.lvmecp".to_owned(),
            body: br#"{"command_string": "heartbeat"}"#.to_vec(),
            ..Message::default()
        };
        ensure!(ear.publisher.publish(bare).await? == Routing::Routed);
        let done = heard(&mut ear, |message| {
            let code = message.headers.get("message_code");
            let fits = message.routing_key == "reply.None" && code == Some(&Header::Text(":".to_owned()));
            fits.then(|| message.clone())
        });
        let done = done.await?;
        ensure!(done.body == b"{}" && done.correlation_id.is_none(), "{done:?}");
        ensure!(done.headers.get("command_id") == Some(&Header::Null), "{done:?}");
        Ok(())
    }

    /// Commands run beside each other: many at once are all done, each answered as its own.
    many_commands_at_once_are_all_answered(bus) {
        let client = client(bus).await?;
        let commands = (0..30).map(|number| run(&client, if number % 3 == 0 { "status" } else { "heartbeat" }, false));
        for (number, replies) in futures_util::future::join_all(commands).await.into_iter().enumerate() {
            let replies = replies?;
            ensure!(last(&replies)?.code == Code::Done, "{number}: {replies:?}");
            let reported = replies.iter().any(|reply| reply.body.contains_key("registers"));
            ensure!(reported == (number % 3 == 0), "{number}: {replies:?}");
        }
        Ok(())
    }

    /// A second of that name is refused its queues, and the first one goes on.
    its_name_is_its_own(bus) {
        let client = client(bus).await?;
        let spec = SessionSpec::client("lvmecp");
        ensure!(bus.open(&spec).await.is_err());
        ensure!(last(&run(&client, "ping", false).await?)?.code == Code::Done);
        Ok(())
    }

    /// Whoever waits for an answer of another actor than this one gets none, and this one none of
    /// its commands.
    a_command_to_another_is_not_its_own(bus) {
        let client = client(bus).await?;
        let options = CommandOptions { internal: false, expiration: None, limit: SHORT };
        let sent = client.client.command("lvmecp2", "heartbeat", options).await;
        ensure!(matches!(sent, Err(CommandError::Unroutable { .. })), "{sent:?}");
        let keywords = keywords(&run(&client, "status", false).await?)?;
        ensure!(keywords["registers"]["hb_ack"] == false, "{keywords:?}");
        Ok(())
    }
}

async fn client(bus: &dyn Bus) -> Result<Connected> {
    Ok(connect(bus, "tester").await?)
}

/// Somebody who hears all replies, and can publish anything.
async fn ear(bus: &dyn Bus) -> Result<Session> {
    let spec = SessionSpec {
        overhears: Some("#".to_owned()),
        ..SessionSpec::client("ear")
    };
    Ok(bus.open(&spec).await?)
}

/// The replies to a command, in order, the last one included.
async fn run(client: &Connected, command: &str, internal: bool) -> Result<Vec<Reply>> {
    let options = CommandOptions {
        internal,
        expiration: None,
        limit: SOON,
    };
    let finished = client.client.command("lvmecp", command, options).await;
    let replies = finished.with_context(|| command.to_owned())?.replies;
    let first = replies.first().context("no replies")?;
    ensure!(
        first.code == Code::Running && first.internal && first.body.is_empty(),
        "{first:?}"
    );
    for reply in &replies {
        ensure!(reply.sender.as_deref() == Some("lvmecp"), "{reply:?}");
        ensure!(
            reply.commander_id.as_deref() == Some("tester.lvmecp"),
            "{reply:?}"
        );
        ensure!(
            reply.code.is_final() == std::ptr::eq(reply, last(&replies)?),
            "{replies:?}"
        );
    }
    Ok(replies)
}

fn last(replies: &[Reply]) -> Result<&Reply> {
    replies.last().context("no replies")
}

fn transcript(replies: &[Reply]) -> Vec<(Code, bool, Value)> {
    let one = |reply: &Reply| {
        (
            reply.code,
            reply.internal,
            Value::Object(reply.body.clone()),
        )
    };
    replies.iter().map(one).collect()
}

/// All keywords of a command that is done.
fn keywords(replies: &[Reply]) -> Result<Map<String, Value>> {
    ensure!(last(replies)?.code == Code::Done, "{replies:?}");
    Ok(replies
        .iter()
        .flat_map(|reply| reply.body.clone())
        .collect())
}

/// The first thing to be heard of which this makes something.
async fn heard<T>(ear: &mut Session, mut make: impl FnMut(&Message) -> Option<T>) -> Result<T> {
    let hearing = async {
        while let Some(message) = ear.replies.next().await {
            if let Some(made) = make(&message) {
                return Ok(made);
            }
        }
        bail!("the session has ended")
    };
    timeout(SOON, hearing)
        .await
        .context("it is not to be heard")?
}
