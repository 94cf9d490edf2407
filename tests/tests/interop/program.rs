//! The command line, with our actor and with Python ones.

use lvmbeat_tests::client::RawClient;
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::process::{Finished, Launch, Process};
use lvmbeat_tests::{broker, python};
use serde_json::{Value, json};

use crate::{PYTHON, SOON, start};

async fn lvmbeat(config: &ActorConfig, words: &[&str]) -> Finished {
    let path = config.write().display().to_string();
    let launch = Launch::lvmbeat(["-c", &path]).args(words);
    launch.finish(SOON).await
}

/// `HH:MM:SS.mmm SENDER CODE {json}`: the sender, the code and the keywords of each reply; the JSON
/// may be indented.
fn printed(finished: &Finished) -> Vec<(String, String, Value)> {
    let mut replies: Vec<String> = Vec::new();
    for line in finished.stdout.lines() {
        match replies.last_mut() {
            Some(reply) if line.starts_with([' ', '}']) => reply.push_str(line),
            _ => replies.push(line.to_owned()),
        }
    }
    let reply = |line: &String| {
        let mut words = line.splitn(4, ' ');
        let time = words.next().unwrap();
        let shape: String = time
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect();
        assert_eq!(shape, "00:00:00.000", "{line}");
        let mut word = || words.next().unwrap_or_else(|| panic!("{line}")).to_owned();
        let (sender, code) = (word(), word());
        (sender, code, serde_json::from_str(&word()).unwrap())
    };
    replies.iter().map(reply).collect()
}

fn of(sender: &str, replies: &[(&str, Value)]) -> Vec<(String, String, Value)> {
    let line = |(code, keywords): &(&str, Value)| {
        (sender.to_owned(), (*code).to_owned(), keywords.clone())
    };
    replies.iter().map(line).collect()
}

async fn lvmecp(url: &str) -> Process {
    let mut lvmecp = python::script("clu_actor.py", ["--url", url]).start();
    lvmecp.wait_for_event(0, PYTHON, "ready").await;
    lvmecp
}

#[tokio::test]
async fn send_commands_a_python_actor_and_prints_each_of_its_replies() {
    let vhost = broker::vhost().await;
    let config = ActorConfig::new(&vhost.url());
    let mut lvmecp = lvmecp(&vhost.url()).await;

    let sent = lvmbeat(&config, &["send", "lvmecp", "echo", "one", "two words"]).await;
    assert_eq!(sent.code(), Some(0), "{}", sent.stderr);
    let expected = [
        ("d", json!({"text": "debug"})),
        ("i", json!({"words": ["one", "two words"]})),
        ("w", json!({"text": "warning"})),
        ("e", json!({"error": "error"})),
        (":", json!({"text": "done"})),
    ];
    assert_eq!(printed(&sent), of("lvmecp", &expected));
    assert_eq!(sent.stderr, "");

    // As one argument, it is sent as it was typed.
    let sent = lvmbeat(&config, &["send", "lvmecp", "echo 'two words' three"]).await;
    assert_eq!(
        printed(&sent)[1].2,
        json!({"words": ["two words", "three"]})
    );

    let sent = lvmbeat(&config, &["send", "lvmecp", "heartbeat"]).await;
    assert_eq!(sent.code(), Some(0), "{}", sent.stderr);
    assert_eq!(printed(&sent), of("lvmecp", &[(":", json!({}))]));

    let mark = lvmecp.mark();
    lvmecp.say("fail").await;
    lvmecp.wait_for_event(mark, SOON, "behaviour").await;
    let sent = lvmbeat(&config, &["send", "lvmecp", "heartbeat"]).await;
    assert_eq!(sent.code(), Some(1), "{}", sent.stdout);
    let error = json!({"error": "Failed to set heartbeat."});
    assert_eq!(printed(&sent), of("lvmecp", &[("f", error)]));

    let sent = lvmbeat(&config, &["send", "lvmecp", "status", "--no-registers"]).await;
    assert_eq!(sent.code(), Some(0), "{}", sent.stderr);
    let codes: String = printed(&sent)
        .into_iter()
        .map(|(_, code, _)| code)
        .collect();
    assert_eq!(codes, "ddii:");

    let sent = lvmbeat(&config, &["send", "lvmecp", "no-such-command"]).await;
    assert_eq!(sent.code(), Some(1));
    assert_eq!(printed(&sent).last().unwrap().1, "f");
}

#[tokio::test]
async fn send_says_that_there_is_no_answer_and_why() {
    let vhost = broker::vhost().await;
    let config = ActorConfig::new(&vhost.url());
    let sent = lvmbeat(&config, &["send", "lvmecp", "ping"]).await;
    assert_eq!((sent.code(), sent.stdout.as_str()), (Some(3), ""));
    assert!(sent.stderr.contains("lvmecp"), "{}", sent.stderr);

    let mut lvmecp = lvmecp(&vhost.url()).await;
    lvmecp.say("hang").await;
    lvmecp.wait_for_event(0, SOON, "behaviour").await;
    let sent = lvmbeat(
        &config,
        &["send", "--timeout", "0.5", "lvmecp", "heartbeat"],
    )
    .await;
    assert_eq!((sent.code(), sent.stdout.as_str()), (Some(3), ""));
    assert!(sent.stderr.contains("lvmecp"), "{}", sent.stderr);

    // The Python CLU never answers this one.
    let sent = lvmbeat(&config, &["send", "--timeout", "0.5", "lvmecp", ""]).await;
    assert_eq!(sent.code(), Some(3));
}

#[tokio::test]
async fn our_commands_talk_to_our_actor() {
    let vhost = broker::vhost().await;
    let raw = RawClient::connect(&vhost.url(), "harness").await;
    let config = ActorConfig::new(&vhost.url());
    for command in [&["status"][..], &["ping"], &["set", "overwatcher"]] {
        let absent = lvmbeat(&config, command).await;
        assert_eq!((absent.code(), absent.stdout.as_str()), (Some(3), ""));
    }
    let _actor = start(&config, &raw).await;
    let done = |text: &str| of("lvmbeat", &[(":", json!({"text": text}))]);

    let ping = lvmbeat(&config, &["ping"]).await;
    assert_eq!((ping.code(), printed(&ping)), (Some(0), done("Pong.")));
    let set = lvmbeat(&config, &["set", "overwatcher"]).await;
    assert_eq!(
        (set.code(), printed(&set)),
        (Some(0), done("Heartbeat set."))
    );
    let status = lvmbeat(&config, &["status"]).await;
    assert_eq!(status.code(), Some(0));
    let (sender, code, keywords) = printed(&status).remove(0);
    assert_eq!((sender.as_str(), code.as_str()), ("lvmbeat", ":"));
    assert_eq!(keywords["heartbeats"]["overwatcher"]["current"], true);

    for name in ["nope", "two words", "'", ""] {
        let set = lvmbeat(&config, &["set", name]).await;
        let error = format!("Heartbeat '{name}' not found. Configured: overwatcher.");
        let error = json!({ "error": error });
        assert_eq!(printed(&set), of("lvmbeat", &[("f", error)]), "{name:?}");
        assert_eq!(set.code(), Some(1), "{name:?}");
    }
}

#[tokio::test]
async fn our_commands_talk_to_the_python_lvmbeat() {
    let vhost = broker::vhost().await;
    let config = ActorConfig::new(&vhost.url());
    let mut actor = python::script("lvmbeat_actor.py", ["--url", &vhost.url()]).start();
    actor.wait_for_event(0, PYTHON, "ready").await;
    let done = |text: &str| of("lvmbeat", &[(":", json!({"text": text}))]);

    let ping = lvmbeat(&config, &["ping"]).await;
    assert_eq!((ping.code(), printed(&ping)), (Some(0), done("Pong.")));
    let set = lvmbeat(&config, &["set", "overwatcher"]).await;
    assert_eq!(
        (set.code(), printed(&set)),
        (Some(0), done("Heartbeat set."))
    );
    let set = actor.wait_for_event(0, SOON, "set").await;
    let commander = set.field("commander").as_str().unwrap();
    assert!(commander.ends_with(".lvmbeat"), "{commander}");
    let set = lvmbeat(&config, &["set", "nope"]).await;
    let error = json!({"error": "Heartbeat 'nope' not found."});
    assert_eq!(printed(&set), of("lvmbeat", &[("f", error)]));
    assert_eq!(set.code(), Some(1));
    let status = lvmbeat(&config, &["status"]).await;
    assert_eq!(status.code(), Some(0), "{}", status.stderr);
    let (_, code, keywords) = printed(&status).remove(0);
    assert_eq!(code, ":");
    assert_eq!(keywords["heartbeats"]["overwatcher"]["current"], true);
}
