//! What people are told of the dome is what was heard of it, and ends as unknown: `lvmecp` dies or
//! freezes just after it said that the dome is open, and nobody says that it is closed, whoever is
//! asked: `status`, the report, metrics, the page, mail, Slack.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lvmbeat_tests::actor::Actor;
use lvmbeat_tests::broker::{self, Vhost};
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::dome::Dome;
use lvmbeat_tests::ecp::FakeEcp;
use lvmbeat_tests::mail::{MailOptions, MailServer};
use lvmbeat_tests::monitor::Monitor;
use lvmbeat_tests::port::Port;
use lvmbeat_tests::process::Launch;
use lvmbeat_tests::slack::Slack;
use lvmbeat_tests::{eventually, http, page, throughout};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);
/// What was not said for so long is not known any more, in seconds.
const EXPIRE: f64 = 4.0;

/// Everybody who tells people of the dome.
struct Everybody {
    actor: Actor,
    config: String,
    metrics: Port,
    monitor: Monitor,
    mail: MailServer,
    slack: Slack,
}

impl Everybody {
    async fn start(vhost: &Vhost) -> Self {
        let mail = MailServer::start(MailOptions::default()).await;
        let slack = Slack::start().await;
        let mut monitor = Monitor::that_notifies(&mail, &slack);
        monitor.start().await;
        let metrics = Port::reserve();
        let config = ActorConfig::new(&vhost.url())
            .set("actor.http", metrics.address().to_string())
            .set("ecp.facts_expire", EXPIRE)
            .set(
                "outside_monitor.url",
                format!("http://{}", monitor.address()),
            )
            .set("outside_monitor.interval", 0.3)
            .set("outside_monitor.timeout", 1);
        let file = config.write().display().to_string();
        let actor = Actor::start(config, &vhost.url()).await;
        Self {
            actor,
            config: file,
            metrics,
            monitor,
            mail,
            slack,
        }
    }

    /// What the actor, its metrics, the report and the page say now.
    async fn voices(&self) -> Result<Vec<(&'static str, String)>, String> {
        let asked = self.actor.client.try_command("lvmbeat", "status", SOON);
        let status = asked.await?.last().body.to_string();
        let (_, metrics) = http::get(self.metrics.address(), "/metrics").await?;
        let shown = Launch::lvmbeat(["status", "-c", &self.config]);
        let shown = shown.finish(SOON).await;
        let mut voices = vec![
            ("status", status),
            ("metrics", metrics),
            ("lvmbeat status", shown.stdout),
        ];
        voices.extend(self.outside().await?);
        Ok(voices)
    }

    /// What the monitor says now.
    async fn outside(&self) -> Result<Vec<(&'static str, String)>, String> {
        let (_, report) = http::get(self.monitor.address(), "/status").await?;
        let (_, page) = http::get(self.monitor.address(), "/").await?;
        let (_, metrics) = http::get(self.monitor.address(), "/metrics").await?;
        Ok(vec![
            ("report", report),
            ("page", page::now(&page)),
            ("metrics of the monitor", metrics),
        ])
    }

    /// The next mail that says that the observatory is silent, and what Slack was told.
    async fn alarm(&mut self) -> Vec<(&'static str, String)> {
        let mail = loop {
            let mail = self.mail.message().await;
            if mail["subject"] == "LCO internet is down" {
                break mail.to_string();
            }
        };
        let slack = eventually(SOON, async || {
            let posts = self.slack.posts();
            let found = posts.iter().find(|post| post.text.contains("is down"));
            found.map(|post| post.text.clone()).ok_or(posts)
        })
        .await;
        vec![("mail", mail), ("Slack", slack)]
    }

    /// All of them know that the dome is open.
    async fn until_open(&self) {
        eventually(SOON, async || {
            let status =
                self.actor.command("status").await.last().body["enclosure"]["dome"].clone();
            let page = page::now(&http::get(self.monitor.address(), "/").await?.1);
            let open = status == "open" && page.contains("Dome open");
            open.then_some(()).ok_or(format!("{status} {page}"))
        })
        .await;
    }

    /// From now on nothing is heard of the dome. Nobody says that it is closed, meanwhile or in the
    /// end, and in the end all say since when it is not known.
    async fn ends_as_unknown(&self, meanwhile: impl AsyncFn()) {
        let silent = Duration::from_secs_f64(EXPIRE * 2.0);
        throughout(silent, async || {
            meanwhile().await;
            let voices = self.voices().await?;
            none_says_closed(&voices)
        })
        .await;
        let status = self.actor.command("status").await.last().body.clone();
        let enclosure = &status["enclosure"];
        assert_eq!(enclosure["dome"], Value::Null, "{status}");
        assert_eq!(enclosure["dome_open"], Value::Null, "{status}");
        let since = enclosure["dome_unknown_since"].as_str().unwrap();
        let since: Timestamp = since.parse().unwrap();
        for (who, said) in self.voices().await.unwrap() {
            match who {
                "metrics" => {
                    assert!(!said.contains("lvmbeat_dome{"), "{said}");
                    assert!(!said.contains("lvmbeat_dome_open "), "{said}");
                }
                "page" => says_unknown_since(&said, since),
                "report" => {
                    let report: Value = serde_json::from_str(&said).unwrap();
                    let said = &report["last_report"]["report"]["enclosure"];
                    assert!(said.is_object(), "{report}");
                    assert_eq!(said["dome"], Value::Null, "{report}");
                }
                _ => {}
            }
        }
    }
}

/// It says so, and the moment, to a second: whoever works it out from an age rounds.
fn says_unknown_since(text: &str, since: Timestamp) {
    let lower = text.to_lowercase();
    let rest = lower.split("unknown since").nth(1);
    let rest: String = rest.unwrap_or_default().chars().take(40).collect();
    let said = (-1..=1).any(|more| {
        let moment = since + SignedDuration::from_secs(more);
        rest.contains(&moment.strftime("%H:%M:%S").to_string())
    });
    assert!(said, "not unknown since {since}: {text}");
}

fn none_says_closed(voices: &[(&'static str, String)]) -> Result<(), String> {
    for (who, said) in voices {
        let lower = said.to_lowercase();
        for claim in [
            "dome closed",
            "dome is closed",
            "dome was closed",
            "dome: closed",
            "dome not open",
            "dome is not open",
            "dome was not open",
            r#""dome":"closed""#,
            r#""dome_closed":true"#,
            r#""dome_open":false"#,
            r#"dome{state="closed"} 1"#,
            "dome_open 0",
            "closed_by_watchdog\"",
        ] {
            // Metrics list every state, with 0.
            let claims = lower.lines().any(|line| {
                line.contains(claim) && !line.starts_with('#') && !line.ends_with(" 0")
                    || claim == "dome_open 0" && line.ends_with(claim)
            });
            if claims {
                return Err(format!("{who} says `{claim}`: {said}"));
            }
        }
    }
    Ok(())
}

/// lvmecp's own status, in the form of lvmecp 1.3.
async fn says_open(ecp: &FakeEcp) {
    let registers = json!({
        "hb_set": false, "hb_ack": true, "hb_error": false, "dome_open": true,
        "dome_closed": false, "drive_enabled": false, "motor_direction": true,
        "dome_position": 9480,
    });
    ecp.says(&json!({"registers": registers})).await;
    let labels = "OPEN,DRIVE_AVAILABLE";
    ecp.says(
        &json!({"dome_status": "0x8001", "dome_status_labels": labels, "dome_percent_open": 100.0}),
    )
    .await;
    ecp.says(&json!({"safety_status": "0x6", "safety_status_labels": "DOOR_CLOSED,DOOR_LOCKED"}))
        .await;
    ecp.says(&json!({"engineering_mode": {"enabled": false, "started_at": null, "ends_at": null}}))
        .await;
    ecp.says(&json!({"heartbeat_ack": null})).await;
}

/// The stand-in, whose dome is open and was said to be.
async fn open_stand_in(vhost: &Vhost, everybody: &Everybody) -> Dome {
    let mut dome = Dome::start([
        "--ecp-interval",
        "0.3",
        "--travel",
        "0.3",
        "--timeout",
        "600",
        "--ecp",
        &vhost.url(),
    ])
    .await;
    dome.order("beat").await;
    dome.open(SOON).await;
    everybody.until_open().await;
    dome
}

#[tokio::test]
async fn a_killed_lvmecp_that_said_open_is_followed_by_unknown_and_never_by_closed() {
    let vhost = broker::vhost().await;
    let mut everybody = Everybody::start(&vhost).await;
    let mut dome = open_stand_in(&vhost, &everybody).await;
    dome.process.kill().await;
    everybody.ends_as_unknown(async || {}).await;
    // The observatory falls silent as well.
    everybody.actor.process.kill().await;
    let told = everybody.alarm().await;
    none_says_closed(&told).unwrap();
    for (who, text) in &told {
        assert!(
            text.to_lowercase().contains("unknown since"),
            "{who}: {text}"
        );
    }
}

#[tokio::test]
async fn a_frozen_lvmecp_that_said_open_is_followed_by_unknown_and_never_by_closed() {
    let vhost = broker::vhost().await;
    let everybody = Everybody::start(&vhost).await;
    let dome = open_stand_in(&vhost, &everybody).await;
    dome.process.freeze();
    dome.process.until_frozen(SOON).await;
    everybody.ends_as_unknown(async || {}).await;
    dome.process.thaw();
    everybody.until_open().await;
}

#[tokio::test]
async fn replies_of_the_real_lvmecp_that_say_nothing_of_the_dome_do_not_renew_it() {
    let vhost = broker::vhost().await;
    let everybody = Everybody::start(&vhost).await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    says_open(&ecp).await;
    everybody.until_open().await;
    // It lives, and answers commands; only its PLC is gone.
    everybody
        .ends_as_unknown(async || {
            everybody.actor.set("overwatcher").await;
            ecp.says(&json!({"text": "Failed to read the PLC.", "dome_status": null}))
                .await;
            ecp.says(
                &json!({"registers": {"hb_ack": true}, "dome_status_labels": "DRIVE_AVAILABLE"}),
            )
            .await;
        })
        .await;
    assert!(!ecp.heartbeats().is_empty(), "its answers were heard");
    says_open(&ecp).await;
    everybody.until_open().await;
}

#[tokio::test]
async fn labels_alone_are_enough_to_know_and_both_die_at_once_without_a_word_of_closed() {
    let vhost = broker::vhost().await;
    let mut everybody = Everybody::start(&vhost).await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    ecp.says(&json!({"dome_status_labels": "OPEN,DRIVE_AVAILABLE"}))
        .await;
    everybody.until_open().await;
    ecp.stop().await;
    everybody.actor.process.kill().await;
    let told = everybody.alarm().await;
    none_says_closed(&told).unwrap();
    // What the last report said ends in the page, too, though nobody reports any more.
    eventually(SOON, async || {
        let voices = everybody.outside().await?;
        none_says_closed(&voices)?;
        let page = &voices[1].1;
        let unknown = page.contains("Dome unknown since");
        unknown.then_some(()).ok_or(page.clone())
    })
    .await;
}
