//! The way from a reason for holding to people, on real parts: `status`, the log (once for each
//! change), the metrics and the reply to a `set` name the first cause. Each reason alone is a
//! test of the actor (`host/src/actor/state/tests.rs`).
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::time::Duration;

use serde_json::Value;

use lvmbeat_tests::broker;
use lvmbeat_tests::chain;
use lvmbeat_tests::client::{Answer, RawClient};
use lvmbeat_tests::ecp::{Behaviour, FakeEcp};
use lvmbeat_tests::port::Port;
use lvmbeat_tests::process::{Launch, Process};
use lvmbeat_tests::{eventually, view};

const SOON: Duration = Duration::from_secs(20);

/// An actor that is watched from all sides.
struct Watched {
    actor: Process,
    client: RawClient,
    http: Port,
}

impl Watched {
    /// Until `status` and the metrics name that reason, and no other. Gives the words of `status`.
    async fn until_shown(&self, reason: &str) -> String {
        let hold = eventually(SOON, async || {
            let hold = view::hold(&self.client).await?;
            (hold["reason"] == reason)
                .then_some(hold.clone())
                .ok_or(hold.to_string())
        })
        .await;
        let address = self.http.address();
        eventually(SOON, async || match view::metric_reason(address).await {
            Ok(shown) if shown == reason => Ok(()),
            Ok(shown) => Err(format!("'{shown}' is not '{reason}'")),
            Err(why) => Err(why),
        })
        .await;
        hold["text"].as_str().unwrap().to_owned()
    }

    async fn set(&self, heartbeat: &str) -> Answer {
        let answer = self.client.beat("lvmbeat", heartbeat, SOON).await;
        assert_eq!(answer.codes(), ">:", "{answer:?}");
        answer
    }

    /// The log has named that one only for those who ask for more.
    fn only_logged_at_debug(&self, reason: &str) {
        let lines = self.actor.lines();
        let name = format!("reason=\"{reason}\"");
        let mut named = lines.iter().filter(|line| line.text.contains(&name));
        assert!(named.all(|line| line.text.contains("DEBUG")), "{lines:?}");
    }
}

#[tokio::test]
async fn s5_what_holds_is_named_by_status_log_metrics_and_reply() {
    let vhost = broker::vhost().await;
    let http = Port::reserve();
    // A pace so slow that each step of it can be looked at, and heartbeats that stay fresh.
    let mut config = chain::config(&vhost.url(), 0)
        .set("actor.http", http.address().to_string())
        .set("ecp.plc_timeout", 60)
        .set("ecp.expiration", 5)
        .set("ecp.cutoff", 30)
        .set("ecp.retry", 30)
        .set("max_close_after", 180);
    for name in ["c0", "c1"] {
        config = config.heartbeat(name, true, 60.0, 0.3);
    }
    let ecp = FakeEcp::start(&vhost.url()).await;
    ecp.on("heartbeat", Behaviour::Hang);
    let mut watched = Watched {
        client: RawClient::connect(&vhost.url(), "observer").await,
        actor: Launch::lvmbeat(config.actor()).args(["-v"]).start(),
        http,
    };
    let waiting = |line: &str| line.contains("heartbeat_never_seen");
    let mark = watched.actor.wait_for_line(SOON, waiting).await.number;
    assert!(
        watched
            .until_shown("heartbeat_never_seen")
            .await
            .contains("c0")
    );
    let held = watched.set("c1").await;
    let held = held
        .keyword("held")
        .and_then(Value::as_str)
        .unwrap_or_default();
    assert_eq!(held, "heartbeat c0 has not been received in this session");
    assert!(
        watched
            .until_shown("heartbeat_never_seen")
            .await
            .contains("c0")
    );
    watched.set("c0").await;
    assert!(watched.until_shown("in_flight").await.contains("lvmecp"));
    watched.set("c0").await;
    let text = watched.until_shown("retry").await;
    assert!(text.contains("the next attempt in "), "{text}");
    let shown = view::hold(&watched.client).await.unwrap();
    assert_eq!(shown["fault"], false);
    watched.set("c0").await;
    assert_eq!(ecp.heartbeats().len(), 1);
    let address = watched.http.address();
    for reason in ["in_flight", "retry"] {
        let name = format!("lvmbeat_paced_total{{reason=\"{reason}\"}}");
        let counted = async || {
            view::metric(address, &name)
                .await
                .is_ok_and(|count| count >= 1.0)
        };
        eventually(SOON, counted).await;
    }
    // That is the pace, and no fault: it is logged once each, for those who ask for more. The
    // outcome is logged instead, once.
    let expected = [
        "heartbeat_never_seen",
        "heartbeat_unconfirmed",
        "released",
        "in_flight",
        "retry",
    ];
    eventually(SOON, async || {
        let logged = view::logged_reasons(&watched.actor, mark);
        (logged == expected).then_some(()).ok_or(logged)
    })
    .await;
    for reason in ["in_flight", "retry"] {
        watched.only_logged_at_debug(reason);
    }
    let lines = watched.actor.lines();
    let emitted = lines
        .iter()
        .filter(|line| line.text.contains("dome heartbeat not emitted"));
    assert_eq!(emitted.count(), 1);
}
