//! Our actor commands a Python `lvmecp`.

use std::time::Duration;

use lvmbeat_tests::client::{Answer, RawClient, Reply};
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::process::Process;
use lvmbeat_tests::{broker, eventually, python, throughout};
use serde_json::Value;

use crate::{PYTHON, SOON, start};

struct Chain {
    lvmecp: Process,
    raw: RawClient,
    _actor: Process,
    _config: ActorConfig,
    _vhost: broker::Vhost,
}

impl Chain {
    async fn start() -> Self {
        let vhost = broker::vhost().await;
        let raw = RawClient::connect(&vhost.url(), "harness").await;
        let mut lvmecp = python::script("clu_actor.py", ["--url", &vhost.url()]).start();
        lvmecp.wait_for_event(0, PYTHON, "ready").await;
        let config = ActorConfig::new(&vhost.url());
        let actor = start(&config, &raw).await;
        Self {
            lvmecp,
            raw,
            _actor: actor,
            _config: config,
            _vhost: vhost,
        }
    }

    async fn set(&self) -> Answer {
        self.raw.beat("lvmbeat", "overwatcher", SOON).await
    }

    async fn status(&self, keyword: &str) -> Value {
        let answer = self.raw.command("lvmbeat", "status", SOON).await;
        answer.keyword(keyword).cloned().unwrap_or_default()
    }

    async fn behave(&mut self, behaviour: &str) {
        let mark = self.lvmecp.mark();
        self.lvmecp.say(behaviour).await;
        self.lvmecp.wait_for_event(mark, SOON, "behaviour").await;
    }

    fn heartbeats(&self) -> usize {
        let events = self.lvmecp.events();
        let is_one = |event: &&lvmbeat_tests::process::Event| event.field("event") == "heartbeat";
        events.iter().filter(is_one).count()
    }

    /// Beats until that has become of an emission.
    async fn beat_until(&self, outcome: &str) {
        eventually(SOON, async || {
            self.set().await;
            let found = self.status("ecp").await["last_outcome"].clone();
            (found == outcome).then_some(()).ok_or(found)
        })
        .await;
    }
}

#[tokio::test]
async fn a_python_lvmecp_gets_our_heartbeat_and_its_answer_is_understood() {
    let mut chain = Chain::start().await;
    assert_eq!(chain.status("last_emitted_ecp").await, Value::Null);
    assert_eq!(chain.set().await.codes(), ">:");
    let heartbeat = chain.lvmecp.wait_for_event(0, SOON, "heartbeat").await;
    assert_eq!(heartbeat.field("commander"), "lvmbeat.lvmecp");
    assert_eq!(heartbeat.field("count"), 1);
    eventually(SOON, async || {
        chain.status("ecp").await["last_outcome"] == "acknowledged"
    })
    .await;
    assert!(chain.status("last_emitted_ecp").await.is_string());
    // The ping before it was answered by the Python CLU, too, and was ours.
    let replies = chain.raw.replies_since(0);
    let mut to_us = replies
        .iter()
        .filter(|reply| reply.routing_key == "reply.lvmbeat.lvmecp");
    let codes: String = to_us.clone().map(Reply::code).collect();
    assert_eq!(codes, ">:>:");
    assert!(to_us.any(|reply| reply.body.get("text").is_some_and(|text| text == "Pong.")));
}

#[tokio::test]
async fn a_python_lvmecp_that_fails_is_understood_and_one_that_is_well_again_is_used() {
    let mut chain = Chain::start().await;
    chain.behave("fail").await;
    chain.beat_until("refused").await;
    assert_eq!(chain.status("last_emitted_ecp").await, Value::Null);
    chain.behave("done").await;
    chain.beat_until("acknowledged").await;
}

#[tokio::test]
async fn s6_a_python_lvmecp_that_hangs_is_waited_for_with_a_limit_and_holds_up_no_set() {
    let mut chain = Chain::start().await;
    chain.behave("hang").await;
    let beating = async {
        loop {
            let answer = chain.set().await;
            assert_eq!(answer.codes(), ">:");
            assert!(answer.took < Duration::from_millis(500), "{answer:?}");
        }
    };
    // One at a time: at most one in each command timeout (1 s), and each of them is given up.
    let three_seconds = Duration::from_secs(3);
    assert!(tokio::time::timeout(three_seconds, beating).await.is_err());
    let heartbeats = chain.heartbeats();
    assert!((1..=4).contains(&heartbeats), "{heartbeats} heartbeats");
    chain.beat_until("timed_out").await;
    chain.behave("done").await;
    chain.beat_until("acknowledged").await;
}

#[tokio::test]
async fn s3_a_python_lvmecp_that_was_frozen_gets_no_heartbeat_that_is_old() {
    let chain = Chain::start().await;
    chain.beat_until("acknowledged").await;
    chain.lvmecp.freeze();
    chain.lvmecp.until_frozen(SOON).await;
    chain.beat_until("timed_out").await;
    // The heartbeats' expiration is a second; nobody beats any more.
    let held = |hold: Value| hold["reason"] == "heartbeat_stale";
    eventually(SOON, async || held(chain.status("hold").await)).await;
    let before = chain.heartbeats();
    chain.lvmecp.thaw();
    let pong = chain.raw.command("lvmecp", "ping", SOON).await;
    assert_eq!(pong.codes(), ">:");
    throughout(Duration::from_secs(1), async || {
        chain.heartbeats() == before
    })
    .await;
    chain.beat_until("acknowledged").await;
    assert!(chain.heartbeats() > before);
}

#[tokio::test]
async fn what_a_python_lvmecp_says_of_itself_is_heard_and_shown() {
    let chain = Chain::start().await;
    assert_eq!(chain.status("enclosure").await, Value::Null);
    chain.raw.command("lvmecp", "status", SOON).await;
    let enclosure = eventually(SOON, async || {
        let enclosure = chain.status("enclosure").await;
        // What it says last of what is looked at.
        enclosure["engineering_mode"]
            .is_boolean()
            .then_some(enclosure)
    })
    .await;
    assert_eq!(enclosure["dome_open"], false);
    assert_eq!(enclosure["dome_closed"], true);
    assert_eq!(enclosure["engineering_mode"], false);
    assert_eq!(enclosure["plc_acknowledges"], false);
    assert_eq!(enclosure["plc_acknowledged_age"], Value::Null);
    chain.beat_until("acknowledged").await;
    chain.raw.command("lvmecp", "status", SOON).await;
    eventually(SOON, async || {
        let enclosure = chain.status("enclosure").await;
        enclosure["plc_acknowledges"] == true && enclosure["plc_acknowledged_age"].is_number()
    })
    .await;
}
