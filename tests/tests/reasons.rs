//! For every reason to hold the dome heartbeat: `status`, the log (once for each change) and the
//! metric name the first cause.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::time::Duration;

use lvmbeat_tests::broker::{self, Vhost};
use lvmbeat_tests::chain;
use lvmbeat_tests::client::RawClient;
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::ecp::{Behaviour, FakeEcp};
use lvmbeat_tests::port::Port;
use lvmbeat_tests::process::{Launch, Process};
use lvmbeat_tests::proxy::{Flow, Proxy};
use lvmbeat_tests::target::Target;
use lvmbeat_tests::{eventually, throughout, view};

const SOON: Duration = Duration::from_secs(20);

/// An actor that is watched from all sides, behind a proxy.
struct Watched {
    actor: Process,
    ecp: FakeEcp,
    client: RawClient,
    proxy: Proxy,
    http: Port,
    vhost: Vhost,
    _config: ActorConfig,
}

impl Watched {
    /// With that many critical heartbeats and further configuration. It has a session.
    async fn start(critical: usize, change: impl FnOnce(ActorConfig) -> ActorConfig) -> Self {
        let mut watched = Self::prepare(critical, change).await;
        watched.until_session(0).await;
        watched
    }

    async fn prepare(critical: usize, change: impl FnOnce(ActorConfig) -> ActorConfig) -> Self {
        Self::on(broker::vhost().await, critical, change).await
    }

    async fn on(
        vhost: Vhost,
        critical: usize,
        change: impl FnOnce(ActorConfig) -> ActorConfig,
    ) -> Self {
        let (host, port) = vhost.address();
        let (proxy, http) = (Proxy::start((&host, port)).await, Port::reserve());
        let config = chain::config(&vhost.url_via(proxy.port()), critical)
            .set("actor.http", http.address().to_string());
        let config = change(config);
        Self {
            ecp: FakeEcp::start(&vhost.url()).await,
            client: RawClient::connect(&vhost.url(), "observer").await,
            actor: Launch::lvmbeat(config.actor()).args(["-v"]).start(),
            proxy,
            http,
            vhost,
            _config: config,
        }
    }

    async fn until_session(&mut self, mark: u64) {
        self.actor
            .wait_for_line_after(mark, SOON, |line| line.contains("session open"))
            .await;
    }

    /// Until the metric names that reason, and no other.
    async fn until_metric(&self, reason: &str) {
        let address = self.http.address();
        eventually(SOON, async || match view::metric_reason(address).await {
            Ok(shown) if shown == reason => Ok(()),
            Ok(shown) => Err(format!("'{shown}' is not '{reason}'")),
            Err(why) => {
                let lines = self.actor.lines().into_iter();
                Err(lines.fold(why, |text, line| text + "\n" + &line.text))
            }
        })
        .await;
    }

    /// Until `status` and the metric name that reason. Gives the words of `status`.
    async fn until_shown(&self, reason: &str) -> String {
        let hold = eventually(SOON, async || {
            let hold = view::hold(&self.client).await?;
            (hold["reason"] == reason)
                .then_some(hold.clone())
                .ok_or(hold.to_string())
        })
        .await;
        self.until_metric(reason).await;
        hold["text"].as_str().unwrap().to_owned()
    }

    async fn set(&self, heartbeat: &str) {
        let answer = self.client.beat("lvmbeat", heartbeat, SOON).await;
        assert_eq!(answer.codes(), ">:", "{answer:?}");
    }

    async fn metric(&self, name: &str) -> f64 {
        view::metric(self.http.address(), name).await.unwrap()
    }

    /// Until the log has said just that since that place, of what is wrong. It is written in the
    /// background.
    async fn until_logged(&self, mark: u64, expected: &[&str]) {
        eventually(SOON, async || {
            let logged = self.logged(mark);
            (logged == expected).then_some(()).ok_or(logged)
        })
        .await;
    }

    /// Until it waits for the first heartbeat, and the log has said so. Gives the place after that.
    async fn until_waiting(&mut self) -> u64 {
        self.until_shown("heartbeat_never_seen").await;
        let line = self
            .actor
            .wait_for_line(SOON, |line| line.contains("heartbeat_never_seen"));
        line.await.number + 1
    }

    /// All that the log has said since that place, of what is wrong.
    fn logged(&self, mark: u64) -> Vec<String> {
        let mut logged = self.logged_with_pace(mark);
        logged.retain(|reason| !["in_flight", "cut_off", "retry"].contains(&reason.as_str()));
        logged
    }

    /// Likewise, with what is only the pace, and is told to those who ask for more.
    fn logged_with_pace(&self, mark: u64) -> Vec<String> {
        view::logged_reasons(&self.actor, mark)
    }

    async fn until_logged_with_pace(&self, mark: u64, expected: &[&str]) {
        eventually(SOON, async || {
            let logged = self.logged_with_pace(mark);
            (logged == expected).then_some(()).ok_or(logged)
        })
        .await;
    }

    /// The log has told of that one only to those who ask for more.
    fn only_logged_at_debug(&self, reason: &str) {
        let lines = self.actor.lines();
        let name = format!("reason=\"{reason}\"");
        let mut told = lines.iter().filter(|line| line.text.contains(&name));
        assert!(told.all(|line| line.text.contains("DEBUG")), "{lines:?}");
    }
}

/// A pace so slow that each step of it can be looked at, and heartbeats that stay fresh meanwhile.
fn slowly(config: ActorConfig) -> ActorConfig {
    config
        .set("heartbeats", serde_json::json!([]))
        .heartbeat("c0", true, 60.0, 0.3)
        .set("ecp.plc_timeout", 60)
        .set("ecp.expiration", 5)
        .set("ecp.cutoff", 30)
        .set("ecp.retry", 30)
        .set("max_close_after", 180)
}

#[tokio::test]
async fn s5_a_heartbeat_that_was_never_seen_and_one_that_is_stale_are_named() {
    let watched = Watched::start(2, |config| config).await;
    assert!(
        watched
            .until_shown("heartbeat_never_seen")
            .await
            .contains("c0")
    );
    watched.set("c1").await;
    assert!(
        watched
            .until_shown("heartbeat_never_seen")
            .await
            .contains("c0")
    );
    watched.set("c0").await;
    watched.ecp.wait_for_heartbeats(1, SOON).await;
    watched.set("c1").await;
    // Both are silent from now on, and c0 has been so for longer.
    let text = watched.until_shown("heartbeat_stale").await;
    assert!(
        text.starts_with("heartbeat c0 was last received "),
        "{text}"
    );
    assert!(text.contains(" s ago and may have been sent 3"), "{text}");
    assert!(text.ends_with("(timeout 3 s)"), "{text}");
    let expected = [
        "heartbeat_never_seen",
        "heartbeat_unconfirmed",
        "released",
        "heartbeat_stale",
    ];
    let logged = || {
        let mut logged = watched.logged(0);
        // Before there is a session.
        logged.retain(|reason| reason != "path_slow");
        logged
    };
    eventually(SOON, async || logged().len() >= expected.len()).await;
    assert_eq!(logged(), expected);
    // Its age grows, and that is no change.
    throughout(Duration::from_secs(2), async || {
        logged().len() == expected.len()
    })
    .await;
    // Another subject is one.
    let mark = watched.actor.mark();
    watched.set("c0").await;
    assert!(watched.until_shown("heartbeat_stale").await.contains("c1"));
    watched
        .until_logged(mark, &["heartbeat_unconfirmed", "heartbeat_stale"])
        .await;
    let held = "lvmbeat_holds_total{reason=\"heartbeat_stale\"}";
    eventually(SOON, async || watched.metric(held).await >= 1.0).await;
}

#[tokio::test]
async fn s1_a_link_that_is_unproven_and_one_that_is_down_are_named() {
    let mut target = Target::start().await;
    target.go_away().await;
    let url = target.url();
    let watched = Watched::start(1, |config| {
        slowly(config)
            .host("lco", &url)
            .set("network.interval", 1)
            .set("network.failures", 8)
    })
    .await;
    watched.set("c0").await;
    assert!(watched.until_shown("link_unproven").await.contains("lco"));
    assert!(
        watched
            .until_shown("link_down")
            .await
            .contains("(8 failed probes in a row)")
    );
    let both = ["link_unproven", "link_down"].map(str::to_owned);
    eventually(SOON, async || watched.logged(0).ends_with(&both)).await;
    target.come_back().await;
    watched.set("c0").await;
    eventually(SOON, async || {
        watched.set("c0").await;
        watched.ecp.heartbeats().len() == 1
    })
    .await;
    let released = || {
        watched
            .logged(0)
            .last()
            .is_some_and(|last| last == "released")
    };
    eventually(SOON, async || released()).await;
}

#[tokio::test]
async fn s6_an_emission_in_flight_and_a_pause_after_a_failed_one_are_named() {
    let mut watched = Watched::start(1, slowly).await;
    watched.ecp.on("heartbeat", Behaviour::Hang);
    let mark = watched.until_waiting().await;
    watched.set("c0").await;
    assert!(watched.until_shown("in_flight").await.contains("lvmecp"));
    watched.set("c0").await;
    assert!(
        watched
            .until_shown("retry")
            .await
            .contains("the next attempt in ")
    );
    assert_eq!(watched.ecp.heartbeats().len(), 1);
    for reason in ["in_flight", "retry"] {
        watched.set("c0").await;
        let name = format!("lvmbeat_holds_total{{reason=\"{reason}\"}}");
        eventually(SOON, async || watched.metric(&name).await >= 1.0).await;
    }
    // That is the pace, and no fault: it is only said, once each, to those who ask for more. The
    // log tells the outcome instead, once.
    watched
        .until_logged_with_pace(
            mark,
            &["heartbeat_unconfirmed", "released", "in_flight", "retry"],
        )
        .await;
    for reason in ["in_flight", "retry"] {
        watched.only_logged_at_debug(reason);
    }
    let lines = watched.actor.lines();
    let told = lines
        .iter()
        .filter(|line| line.text.contains("dome heartbeat not emitted"));
    assert_eq!(told.count(), 1);
    let hold = view::hold(&watched.client).await.unwrap();
    assert_eq!(hold["fault"], false);
}

#[tokio::test]
async fn the_cut_off_after_a_success_is_named() {
    let mut watched = Watched::start(1, slowly).await;
    let mark = watched.until_waiting().await;
    watched.set("c0").await;
    assert!(
        watched
            .until_shown("cut_off")
            .await
            .contains("the next one in ")
    );
    watched.set("c0").await;
    let counted = async || {
        watched
            .metric("lvmbeat_holds_total{reason=\"cut_off\"}")
            .await
            >= 1.0
    };
    eventually(SOON, counted).await;
    assert_eq!(watched.ecp.heartbeats().len(), 1);
    watched
        .until_logged_with_pace(
            mark,
            &["heartbeat_unconfirmed", "released", "in_flight", "cut_off"],
        )
        .await;
    watched.only_logged_at_debug("cut_off");
}

#[tokio::test]
async fn s3_a_process_that_was_stopped_says_so_and_counts_nothing_that_waited() {
    let mut watched = Watched::start(1, |config| {
        slowly(config) // The broker does not give the connection up before that.
            .set("actor.amqp_heartbeat", 30)
            .set("ecp.cutoff", 1)
            .set("ecp.retry", 0.2)
    })
    .await;
    watched.set("c0").await;
    watched.ecp.wait_for_heartbeats(1, SOON).await;
    watched.actor.freeze();
    let mark = watched.actor.mark();
    // For longer than the attention of 1.5 s, and than the cut-off; sets wait in the broker and in
    // the socket meanwhile.
    throughout(Duration::from_secs(2), async || {
        let set = watched.client.outgoing("lvmbeat", "set c0");
        watched.client.post(&set).await;
        true
    })
    .await;
    watched.actor.thaw();
    watched.until_session(mark).await;
    let held = watched
        .actor
        .wait_for_line_after(mark, SOON, |line| line.contains("not_attentive"))
        .await;
    assert!(
        held.text.contains("lvmbeat itself was not running for "),
        "{}",
        held.text
    );
    // It is why nothing is known, and is shown until something is.
    let text = watched.until_shown("not_attentive").await;
    assert!(
        text.starts_with("lvmbeat itself was not running for "),
        "{text}"
    );
    watched.until_logged(mark, &["not_attentive"]).await;
    eventually(SOON, async || {
        watched.metric("lvmbeat_attention_lapses_total").await > 0.5
    })
    .await;
    throughout(Duration::from_secs(2), async || {
        watched.ecp.heartbeats().len() == 1
    })
    .await;
    watched.until_logged(mark, &["not_attentive"]).await;
    watched.set("c0").await;
    watched.ecp.wait_for_heartbeats(2, SOON).await;
    watched
        .until_logged(
            mark,
            &["not_attentive", "heartbeat_unconfirmed", "released"],
        )
        .await;
}

#[tokio::test]
async fn s5_after_a_stop_what_is_still_missing_is_named_once_something_is_received() {
    let mut watched = Watched::start(2, |config| config.set("actor.amqp_heartbeat", 30)).await;
    let mark = watched.until_waiting().await;
    watched.actor.freeze();
    // For longer than the attention of 1.5 s.
    throughout(Duration::from_secs(2), async || true).await;
    watched.actor.thaw();
    watched.until_shown("not_attentive").await;
    watched.set("c0").await;
    let text = watched.until_shown("heartbeat_never_seen").await;
    assert!(text.contains("c1"), "{text}");
    watched
        .until_logged(
            mark,
            &[
                "not_attentive",
                "heartbeat_unconfirmed",
                "heartbeat_never_seen",
            ],
        )
        .await;
}

#[tokio::test]
async fn s5_without_a_session_that_is_named_and_nothing_is_known() {
    let mut watched = Watched::start(1, slowly).await;
    watched.set("c0").await;
    watched.ecp.wait_for_heartbeats(1, SOON).await;
    watched.until_shown("cut_off").await;
    let current = "lvmbeat_heartbeat_current{name=\"c0\"}";
    assert!(watched.metric(current).await > 0.5);
    let mark = watched.actor.mark();
    watched.proxy.refuse().await;
    watched.proxy.cut();
    watched.until_metric("path_slow").await;
    // Its beat, and the emission, were of a session that is over.
    assert!(watched.metric(current).await < 0.5);
    watched.until_logged(mark, &["path_slow"]).await;
    let held = watched
        .actor
        .wait_for_line_after(mark, SOON, |line| line.contains("path_slow"))
        .await;
    let text = &held.text;
    assert!(
        text.contains("there is no session with the broker"),
        "{text}"
    );
    watched.proxy.accept_again().await;
    watched.until_shown("heartbeat_never_seen").await;
}

#[tokio::test]
async fn s3_a_process_that_was_stopped_without_a_session_shows_that_until_it_has_one() {
    let mut watched = Watched::prepare(1, |config| config).await;
    let mark = watched.until_waiting().await;
    watched.proxy.refuse().await;
    watched.proxy.cut();
    watched.until_metric("path_slow").await;
    watched.until_logged(mark, &["path_slow"]).await;
    watched.actor.freeze();
    // Longer than the attention of 1.5 s.
    throughout(Duration::from_secs(2), async || {
        watched.logged(mark).len() == 1
    })
    .await;
    watched.actor.thaw();
    watched.until_metric("not_attentive").await;
    watched
        .until_logged(mark, &["path_slow", "not_attentive"])
        .await;
    watched.proxy.accept_again().await;
    watched.until_shown("not_attentive").await;
    watched.set("c0").await;
    watched
        .until_logged(
            mark,
            &[
                "path_slow",
                "not_attentive",
                "heartbeat_unconfirmed",
                "released",
            ],
        )
        .await;
}

#[tokio::test]
async fn s3_a_set_that_waited_on_a_slow_way_does_not_count() {
    let watched = Watched::start(1, |config| {
        // A connection that stalls is not given up within this test.
        slowly(config)
            .set("ecp.cutoff", 1)
            .set("ecp.retry", 0.2)
            .set("actor.amqp_heartbeat", 30)
    })
    .await;
    watched.set("c0").await;
    watched.ecp.wait_for_heartbeats(1, SOON).await;
    watched.until_shown("cut_off").await;
    let other = RawClient::connect(&watched.vhost.url(), "late").await;
    let mark = watched.actor.mark();
    watched.proxy.set_to_client(Flow::Stall);
    let set = other.outgoing("lvmbeat", "set c0");
    assert!(other.publish(&set).await);
    // Longer than the 1.5 s that it may be on its way.
    throughout(Duration::from_secs(2), async || {
        watched.ecp.heartbeats().len() == 1
    })
    .await;
    watched.until_metric("path_slow").await;
    watched.until_logged(mark, &["path_slow"]).await;
    let slow = watched
        .actor
        .lines()
        .into_iter()
        .rfind(|line| line.text.contains("path_slow"))
        .unwrap();
    assert!(
        slow.text.contains("at most 1.5 s are allowed"),
        "{}",
        slow.text
    );
    watched.proxy.set_to_client(Flow::Pass);
    // The way is whole again, and what waited on it has come, or has expired in the broker.
    eventually(SOON, async || {
        watched.metric("lvmbeat_hold{reason=\"path_slow\"}").await == 0.0
    })
    .await;
    throughout(Duration::from_secs(2), async || {
        watched.ecp.heartbeats().len() == 1
    })
    .await;
    let answers = other.replies_since(0);
    let mut answers = answers
        .iter()
        .filter(|reply| reply.command_id() == Some(set.id()));
    assert!(!answers.any(|reply| reply.code() == ":"), "it was counted");
    assert_eq!(
        watched
            .logged(mark)
            .iter()
            .filter(|reason| *reason == "path_slow")
            .count(),
        1
    );
    // One that is prompt counts.
    watched.set("c0").await;
    watched.ecp.wait_for_heartbeats(2, SOON).await;
}

/// On a way that is slow, what asks is slow, too: this `status` waits as long as a `set` may not.
#[tokio::test]
async fn s3_a_status_that_came_by_a_slow_way_names_it() {
    let vhost = broker::inspectable_vhost().await;
    let mut watched = Watched::on(vhost, 1, |config| {
        slowly(config).set("actor.amqp_heartbeat", 30)
    })
    .await;
    let mark = watched.until_waiting().await;
    // With none of the actor's own messages under way the `status` is the one that is on the
    // connection, where the broker cannot drop it.
    eventually(SOON, async || {
        watched.proxy.set_to_server(Flow::Stall);
        if watched.vhost.queue_length("lvmbeat_commands").await == Some(0) {
            return true;
        }
        watched.proxy.set_to_server(Flow::Pass);
        false
    })
    .await;
    watched.proxy.set_to_client(Flow::Stall);
    let status = watched.client.outgoing("lvmbeat", "status");
    assert!(watched.client.publish(&status).await);
    watched.until_metric("path_slow").await;
    watched.proxy.set(Flow::Pass);
    let answer = watched
        .client
        .wait_for_reply(0, SOON, |reply| {
            reply.command_id() == Some(status.id()) && reply.is_last()
        })
        .await
        .unwrap();
    watched
        .until_logged(mark, &["path_slow", "heartbeat_never_seen"])
        .await;
    let hold = &answer.body["hold"];
    assert_eq!(hold["reason"], "path_slow", "{hold}");
    let text = hold["text"].as_str().unwrap();
    assert!(text.ends_with("at most 1.5 s are allowed"), "{text}");
}
