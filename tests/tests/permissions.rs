//! The commands of SECURITY.md, tried on RabbitMQ: who they keep out, and that lvmbeat works with
//! what they leave it.

use std::time::Duration;

use lvmbeat_tests::broker::{self, Vhost};
use lvmbeat_tests::client::{Outgoing, RawClient, text};
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::ecp::FakeEcp;
use lvmbeat_tests::eventually;
use lvmbeat_tests::process::Launch;

const SOON: Duration = Duration::from_secs(20);

/// What SECURITY.md has the operator of the broker type: the words of each line.
fn commands() -> Vec<Vec<String>> {
    let document = include_str!("../../SECURITY.md");
    let lines = document.lines();
    let commands: Vec<_> = lines
        .filter_map(|line| line.strip_prefix("rabbitmqctl "))
        .map(|line| {
            let words = line.split(' ').map(|word| word.trim_matches('\''));
            words.map(str::to_owned).collect()
        })
        .collect();
    assert_eq!(commands.len(), 7, "{commands:?}");
    commands
}

/// Runs them on that virtual host, with users of its own.
async fn apply(vhost: &Vhost) {
    for user in ["lvmbeat", "lvmecp", "overwatcher"] {
        vhost.add_bare_user(user).await;
    }
    for command in commands() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        match words[..] {
            ["set_permissions", "-p", "/", user, configure, write, read] => {
                vhost.permit(user, [configure, write, read]).await;
            }
            [
                "set_topic_permissions",
                "-p",
                "/",
                user,
                exchange,
                write,
                read,
            ] => {
                vhost.permit_topics(user, exchange, [write, read]).await;
            }
            ["clear_permissions", "-p", "/", "guest"] => vhost.forbid("guest").await,
            _ => unreachable!("{command:?}"),
        }
    }
}

#[tokio::test]
async fn x1_with_the_permissions_of_security_md_lvmbeat_works_and_nobody_speaks_as_lvmecp() {
    let vhost = broker::inspectable_vhost().await;
    apply(&vhost).await;
    let ecp = FakeEcp::start(&vhost.url_as("lvmecp")).await;
    let config = ActorConfig::new(&vhost.url_as("lvmbeat"));
    let file = config.write().display().to_string();
    let actor = Launch::lvmbeat(config.actor()).start();
    let url = vhost.url_as("overwatcher");
    let client = RawClient::connect(&url, "overwatcher").await;
    // Long enough for every echo to be needed.
    let started = tokio::time::Instant::now();
    eventually(SOON, async || {
        let set = client.try_command("lvmbeat", "set overwatcher", SOON).await;
        set.is_ok() && !ecp.heartbeats().is_empty() && started.elapsed() > SOON / 2
    })
    .await;
    let lines = actor.lines();
    let mut opened = lines
        .iter()
        .filter(|line| line.text.contains("session open"));
    assert_eq!(opened.by_ref().count(), 1);

    let status = Launch::lvmbeat(["status", "-c", &file]).finish(SOON).await;
    assert_eq!(status.code(), Some(0), "{}", status.stderr);

    let nothing = "has none of the permissions that were looked for";
    let said = check(&file).await;
    assert!(said.contains(nothing), "{said}");

    // Being refused costs a channel: each attempt has a connection of its own.
    client.close().await;
    for key in [
        "reply.lvmbeat.lvmecp",
        "reply.overwatcher.lvmecp",
        "command.lvmecp",
        "command.lvmbeat.echo",
    ] {
        let stranger = RawClient::connect(&url, "overwatcher").await;
        let mut forged = Outgoing::command("overwatcher", "lvmecp", "x");
        key.clone_into(&mut forged.routing_key);
        let refused = stranger
            .try_publish(&forged.with_header("sender", text("lvmecp")))
            .await;
        assert!(refused.unwrap_err().contains("ACCESS_REFUSED"), "{key}");
        stranger.close().await;
    }
    // Nor by another name, nor by an exchange of its own.
    let other = RawClient::try_connect(&url, "lvmbeat").await;
    assert!(other.unwrap_err().contains("ACCESS_REFUSED"));
}

async fn check(file: &str) -> String {
    let checked = Launch::lvmbeat(["check", "--broker", "-c", file])
        .finish(SOON)
        .await;
    assert_eq!(checked.code(), Some(0), "{}", checked.stderr);
    checked.stdout
}

#[tokio::test]
async fn x1_check_says_what_the_brokers_user_may_do_without_need() {
    let vhost = broker::inspectable_vhost().await;
    let config = ActorConfig::new(&vhost.url());
    let file = config.write().display().to_string();
    let ear = RawClient::connect(&vhost.url(), "ear").await;
    let said = check(&file).await;
    for excess in [
        "publish answers in the name of lvmecp",
        "put messages into any queue",
        "read and empty any queue",
        "make and delete any queue",
    ] {
        assert!(said.contains(excess), "{said}");
    }
    // Nothing was sent by trying.
    assert_eq!(ear.reply_count(), 0);
    assert_eq!(vhost.queues().await, ["ear_replies"]);
}
