//! Every malformed command that there can be, and what it gets.

use std::collections::BTreeMap;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use lvmbeat_tests::broker;
use lvmbeat_tests::client::{Outgoing, Reply, text};
use serde_json::json;

use crate::{start, survives, table};

/// What a message has to get.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Gets {
    /// `f`, at its commander.
    Failed,
    /// `:`, at its commander.
    Done,
    /// `f`, at `reply.None`.
    FailedAtNobody,
    /// `:`, at `reply.None`.
    DoneAtNobody,
    /// An error to everybody.
    Broadcast,
    /// Nothing, as nobody is known.
    Nothing,
}

fn json_depth(depth: usize) -> Vec<u8> {
    let mut body = b"{\"command_string\":".to_vec();
    body.extend(vec![b'['; depth]);
    body.extend(vec![b']'; depth]);
    body.push(b'}');
    body
}

fn bodies(good: &Outgoing) -> Vec<(&'static str, Outgoing, Gets)> {
    let body = |body: Vec<u8>| good.clone().with_body(body);
    let object =
        |value: serde_json::Value| body(json!({ "command_string": value }).to_string().into());
    let command = |command: &str| object(command.into());
    vec![
        ("an empty body", body(vec![]), Gets::Failed),
        ("no JSON", body(b"set overwatcher".to_vec()), Gets::Failed),
        (
            "half of a JSON",
            body(b"{\"command_string\": \"pi".to_vec()),
            Gets::Failed,
        ),
        (
            "invalid UTF-8",
            body(b"{\"command_string\": \"\xff\xfe\"}".to_vec()),
            Gets::Failed,
        ),
        ("only zeros", body(vec![0; 1000]), Gets::Failed),
        ("null", body(b"null".to_vec()), Gets::Failed),
        ("a number", body(b"1e999".to_vec()), Gets::Failed),
        ("a string", body(b"\"ping\"".to_vec()), Gets::Failed),
        ("a list", body(b"[\"ping\"]".to_vec()), Gets::Failed),
        (
            "no command_string",
            body(b"{\"command\": \"ping\"}".to_vec()),
            Gets::Failed,
        ),
        ("command_string null", object(json!(null)), Gets::Failed),
        ("command_string a number", object(json!(7)), Gets::Failed),
        (
            "command_string a list",
            object(json!(["ping"])),
            Gets::Failed,
        ),
        (
            "command_string an object",
            object(json!({ "ping": 1 })),
            Gets::Failed,
        ),
        ("1 MiB", command(&"x".repeat(1 << 20)), Gets::Failed),
        ("1 MiB of nothing", body(vec![b' '; 1 << 20]), Gets::Failed),
        ("100 000 levels", body(json_depth(100_000)), Gets::Failed),
        ("10 000 levels", body(json_depth(10_000)), Gets::Failed),
        (
            "levels without an end",
            body(vec![b'['; 50_000]),
            Gets::Failed,
        ),
        (
            "a huge command",
            command(&"set ".repeat(12_000)),
            Gets::Failed,
        ),
        ("a huge word", command(&"s".repeat(60_000)), Gets::Failed),
        (
            "a huge option",
            command(&format!("ping --{}", "o".repeat(50_000))),
            Gets::Failed,
        ),
        ("an empty command", command(""), Gets::Failed),
        ("only spaces", command("   "), Gets::Failed),
        (
            "an unclosed quote",
            command("set \"overwatcher"),
            Gets::Failed,
        ),
        (
            "an unclosed single quote",
            command("set 'overwatcher"),
            Gets::Failed,
        ),
        ("a backslash at the end", command("set \\"), Gets::Failed),
        ("a lone option", command("--foo"), Gets::Failed),
        ("two hyphens", command("--"), Gets::Failed),
        ("a NUL", command("ping\0"), Gets::Failed),
        ("NULs", command("\0\0\0"), Gets::Failed),
        (
            "a NUL in a name",
            command("set over\0watcher"),
            Gets::Failed,
        ),
        ("lines", command("ping\nping"), Gets::Failed),
        ("colours", command("set \u{1b}[31m"), Gets::Failed),
        ("no such command", command("föö \u{202e}"), Gets::Failed),
        ("no such heartbeat", command("set nobody"), Gets::Failed),
        (
            "a twofold key",
            body(b"{\"command_string\": 1, \"command_string\": \"ping\"}".to_vec()),
            Gets::Done,
        ),
        (
            "more keys",
            body(b"{\"command_string\": \"ping\", \"x\": [{}]}".to_vec()),
            Gets::Done,
        ),
    ]
}

fn headers(good: &Outgoing) -> Vec<(&'static str, Outgoing, Gets)> {
    let with = |name: &str, value: AMQPValue| good.clone().with_header(name, value);
    let without = |names: &[&str]| {
        let mut message = good.clone();
        let headers = message.headers.take().unwrap_or_default();
        let kept = headers.inner().iter();
        let kept = kept.filter(|(name, _)| !names.contains(&name.as_str()));
        let kept: BTreeMap<_, _> = kept.map(|(n, v)| (n.clone(), v.clone())).collect();
        message.headers = Some(kept.into());
        message
    };
    let mut empty = good.clone();
    empty.headers = Some(FieldTable::default());
    let mut bare = good.clone().without_headers();
    bare.properties = BasicProperties::default();
    let bytes = AMQPValue::LongString(vec![0xff, 0xfe, 0x00].into());
    let huge = text(&"x".repeat(20_000));
    let mut many = good.clone();
    for number in 0..500 {
        many = many.with_header(&format!("h{number}"), AMQPValue::LongInt(number));
    }
    vec![
        (
            "no headers",
            good.clone().without_headers(),
            Gets::DoneAtNobody,
        ),
        ("no properties", bare.clone(), Gets::DoneAtNobody),
        ("no properties, no body", bare.with_body(""), Gets::Nothing),
        ("empty headers", empty.clone(), Gets::DoneAtNobody),
        (
            "empty headers, no JSON",
            empty.with_body("x"),
            Gets::Nothing,
        ),
        ("no command id", without(&["command_id"]), Gets::Done),
        (
            "no commander",
            without(&["commander_id"]),
            Gets::DoneAtNobody,
        ),
        (
            "no commander, no JSON",
            without(&["commander_id"]).with_body("x"),
            Gets::FailedAtNobody,
        ),
        (
            "an integer id",
            with("command_id", AMQPValue::LongLongInt(7)),
            Gets::Done,
        ),
        (
            "a boolean id",
            with("command_id", AMQPValue::Boolean(true)),
            Gets::Done,
        ),
        ("a list for an id", with("command_id", table(2)), Gets::Done),
        (
            "an id of bytes",
            with("command_id", bytes.clone()),
            Gets::Done,
        ),
        ("a huge id", with("command_id", huge.clone()), Gets::Done),
        (
            "another id",
            with("command_id", text("another")),
            Gets::Done,
        ),
        (
            "an integer commander",
            with("commander_id", AMQPValue::LongInt(1)),
            Gets::DoneAtNobody,
        ),
        (
            "a void commander",
            with("commander_id", AMQPValue::Void),
            Gets::DoneAtNobody,
        ),
        (
            "a commander of bytes",
            with("commander_id", bytes),
            Gets::DoneAtNobody,
        ),
        (
            "a huge commander",
            with("commander_id", huge),
            Gets::DoneAtNobody,
        ),
        ("internal a text", with("internal", text("x")), Gets::Done),
        ("internal a table", with("internal", table(1)), Gets::Done),
        (
            "write_to_log a float",
            with("write_to_log", AMQPValue::Double(1.5)),
            Gets::Done,
        ),
        ("a table of 10 levels", with("x", table(10)), Gets::Done),
        ("500 headers", many, Gets::Done),
    ]
}

fn tasks(good: &Outgoing) -> Vec<(&'static str, Outgoing, Gets)> {
    let with = |is_task| {
        let message = good.clone();
        message.with_header("task", AMQPValue::Boolean(is_task))
    };
    let named = with(true).with_body(json!({ "task": "get_keys" }).to_string());
    vec![
        ("a task", named, Gets::Broadcast),
        ("a task without a name", with(true), Gets::Broadcast),
        (
            "a task, no JSON",
            with(true).with_body("x"),
            Gets::Broadcast,
        ),
        ("no task", with(false), Gets::Done),
    ]
}

#[tokio::test]
async fn x2_every_malformed_command_is_acknowledged_and_answered_where_somebody_is_known() {
    let vhost = broker::inspectable_vhost().await;
    let mut actor = start(&vhost).await;
    let good = || actor.client.outgoing("lvmbeat", "ping");
    let mut cases = bodies(&good());
    cases.extend(headers(&good()));
    cases.extend(tasks(&good()));
    for (what, message, gets) in cases {
        let place = actor.client.reply_count();
        assert!(actor.client.publish(&message).await, "{what}");
        // Answers are given in order: when this one is there, all of the message's are.
        let ping = actor.command("ping").await;
        let mut replies = actor.client.replies_since(place);
        let ours = ping.last().command_id();
        // The actor's messages to itself are nobody's answer.
        replies.retain(|reply| reply.header("lvmbeat_echo").is_none());
        replies.retain(|reply| reply.sender() == "lvmbeat" && reply.command_id() != ours);
        let found: String = replies.iter().map(Reply::code).collect();
        let key = replies.last().map_or("", |reply| &reply.routing_key);
        let (codes, expected) = match gets {
            Gets::Failed => ("f", "reply.tester.lvmbeat"),
            Gets::Done => (":", "reply.tester.lvmbeat"),
            Gets::FailedAtNobody => ("f", "reply.None"),
            Gets::DoneAtNobody => (":", "reply.None"),
            Gets::Broadcast => ("e", "reply.broadcast"),
            Gets::Nothing => ("", ""),
        };
        assert_eq!(key, expected, "{what}: {replies:?}");
        // `>`, perhaps a help text, and the end.
        let shown = found.trim_start_matches('>').trim_start_matches('w');
        assert_eq!(shown, codes, "{what}: {replies:?}");
        if found.ends_with('f') {
            let error = replies.last().unwrap().body["error"].as_str();
            assert!(error.is_some_and(|error| error.len() < 70_000), "{what}");
        }
    }
    survives(&mut actor, &vhost, "all of them").await;
}
