//! The loop's turns on the broker in memory, each at the moment that the test gives it.

use std::collections::BTreeMap;

use embassy_time::Duration as Since;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::timeout;

use super::super::testing::{config, moment};
use super::*;

mod delivery;

use crate::clock::RuntimeClock;
use crate::clu::LocalBroker;
use crate::clu::bus::{Header, Session};
use crate::clu::message::{Reply, decode_reply};

const SOON: Duration = Duration::from_secs(5);

/// An actor that has a session, and a client.
struct Stage {
    actor: Actor,
    client: Session,
    /// When the session was opened.
    opened: Instant,
    bus: LocalBroker,
}

impl Stage {
    async fn start(critical: usize) -> Self {
        Self::with(config(critical, false)).await
    }

    async fn with(config: Config) -> Self {
        let (bus, epoch) = (LocalBroker::new(), jiff::Timestamp::UNIX_EPOCH);
        let clock = Arc::new(RuntimeClock::new(epoch));
        let config = Arc::new(config);
        let client = bus.open(&SessionSpec::client("client")).await.unwrap();
        let mut actor = Actor::new(config, Arc::new(bus.clone()), clock.clone()).unwrap();
        let step = actor.connection.next().await;
        assert!(matches!(step, Step::Opened { .. }));
        let opened = clock.now();
        actor.step(step, moment(opened));
        Self {
            actor,
            client,
            opened,
            bus,
        }
    }

    fn after(&self, millis: u64) -> Moment {
        moment(self.opened + Since::from_millis(millis))
    }

    /// As `takes`, from another program.
    fn takes_from(&mut self, millis: u64, commander: &str, command_string: &str) {
        let headers = [("command_id", "1"), ("commander_id", commander)];
        self.takes_with(millis, &headers, command_string);
    }

    /// The actor takes a command so long after its session was opened, without a tick before.
    fn takes(&mut self, millis: u64, command_string: &str) {
        let headers = [
            ("command_id", "1"),
            ("commander_id", "client.lvmbeat"),
            ("internal", "true"),
        ];
        self.takes_with(millis, &headers, command_string);
    }

    fn takes_with(&mut self, millis: u64, headers: &[(&str, &str)], command_string: &str) {
        let header =
            |(name, value): &(&str, &str)| ((*name).to_owned(), Header::Text((*value).to_owned()));
        let body = serde_json::json!({ "command_string": command_string });
        let command = Message {
            routing_key: "command.lvmbeat".to_owned(),
            headers: headers.iter().map(header).collect::<BTreeMap<_, _>>(),
            body: body.to_string().into_bytes(),
            ..Message::default()
        };
        let at = self.after(millis);
        self.actor.step(Step::Command(command), at);
    }

    /// The last reply to the oldest command that has not been asked for.
    async fn reply(&mut self) -> Reply {
        loop {
            let message = timeout(SOON, self.client.replies.next()).await;
            let reply = decode_reply(&message.unwrap().unwrap()).unwrap();
            if reply.code.is_final() {
                return reply;
            }
        }
    }

    /// Nothing is under way to the enclosure.
    fn is_idle(&mut self) -> bool {
        let under_way = self
            .actor
            .state
            .known
            .supervisor
            .emission()
            .in_flight_since();
        self.actor.emitter.next().now_or_never().is_none() && under_way.is_none()
    }

    fn reason(&self, millis: u64) -> Option<lvmbeat_core::Cause> {
        let hold = self.actor.state.snapshot(self.after(millis).now).hold;
        hold.map(|hold| hold.cause)
    }
}

#[tokio::test]
async fn s6_history_is_answered_a_few_times_a_second_and_as_the_schema_says() {
    let mut stage = Stage::start(1).await;
    stage.actor.shown(stage.after(0));
    stage.takes(1, "history");
    let reply = stage.reply().await;
    assert_eq!(reply.code, Code::Done);
    let entries = reply.body["history"]["entries"].as_array().unwrap();
    assert_eq!(entries[0]["event"], "started");
    let schema = jsonschema::validator_for(&schema::lvmbeat()).unwrap();
    assert!(schema.is_valid(&serde_json::Value::Object(reply.body.clone())));
    stage.takes(200, "history --last");
    let reply = stage.reply().await;
    assert_eq!(reply.code, Code::Failed, "{reply:?}");
    stage.takes(201, "history --last");
    let reply = stage.reply().await;
    assert_eq!(reply.code, Code::Done, "{reply:?}");
    let body = serde_json::Value::Object(reply.body);
    assert!(body["closing"].is_null() && schema.is_valid(&body));
    stage.takes(500, "history --since tomorrow");
    assert_eq!(stage.reply().await.code, Code::Failed);
}

/// The tick that would notice the lapse comes later than the `set` that waited.
#[tokio::test(start_paused = true)]
async fn s3_a_set_that_waited_through_a_lapse_does_not_count_whoever_notices_it() {
    let mut stage = Stage::start(1).await;
    stage.takes(2000, "set c0");
    let reply = stage.reply().await;
    assert_eq!(reply.code, Code::Failed);
    let error = reply.body["error"].as_str().unwrap();
    assert!(
        error.contains("lvmbeat itself was not running for 2 s"),
        "{error}"
    );
    assert!(
        stage.actor.session.is_none(),
        "what waits goes with its session"
    );
    assert!(stage.actor.decisions.borrow().is_none() && stage.is_idle());
    // What else waited in the batch counts no more than the first.
    stage.takes(2000, "set c0");
    stage.actor.tick(stage.after(2001));
    assert_eq!(stage.actor.state.snapshot(stage.opened).counters.lapses, 1);
    assert!(stage.is_idle());
    let step = stage.actor.connection.next().await;
    assert!(matches!(step, Step::Opened { .. }), "it opens another");
}

/// The broker has given it up meanwhile, and that is heard before any tick.
#[tokio::test(start_paused = true)]
async fn s3_a_session_that_ended_during_a_lapse_is_said_to_have_ended_by_it() {
    let mut stage = Stage::start(1).await;
    stage.actor.step(Step::Ended("gone"), stage.after(2000));
    let shown = stage.actor.state.snapshot(stage.opened);
    assert_eq!(shown.counters.lapses, 1);
    let cause = shown.session_ended.unwrap();
    assert!(cause.contains("not listening"), "{cause}");
    assert!(stage.actor.session.is_none());
}

/// Each step of a batch has its own time: the first `set` is in time, the second is not.
#[tokio::test(start_paused = true)]
async fn s3_each_step_of_a_batch_is_judged_by_its_own_moment() {
    let mut stage = Stage::start(1).await;
    stage.takes(1000, "set c0");
    assert_eq!(stage.reply().await.code, Code::Done);
    stage.actor.tick(stage.after(1400));
    stage.takes(1499, "set c0");
    assert_eq!(stage.reply().await.code, Code::Done);
    stage.takes(1500, "set c0");
    let reply = stage.reply().await;
    assert_eq!(reply.code, Code::Failed);
    let error = reply.body["error"].as_str().unwrap();
    assert!(
        error.contains("may have been on its way for 1.5 s"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn s3_a_status_that_came_by_a_slow_way_names_it() {
    let mut stage = Stage::start(1).await;
    stage.actor.tick(stage.after(1400));
    stage.takes(1600, "status");
    let reply = stage.reply().await;
    let hold = &reply.body["hold"];
    assert_eq!(hold["reason"], "path_slow", "{hold}");
    let text = hold["text"].as_str().unwrap();
    assert!(text.ends_with("at most 1.5 s are allowed"), "{text}");
}

/// The box, the ticket and the values of `seen` all get the moment of the decision.
#[tokio::test(start_paused = true)]
async fn s3_a_decision_has_the_moment_at_which_its_set_was_taken() {
    let mut stage = Stage::start(1).await;
    stage.takes(100, "set c0");
    let value = stage.reply().await.body["seen"]
        .as_str()
        .unwrap()
        .to_owned();
    let made = stage.actor.session.as_ref().unwrap().seen.made_at(&value);
    assert_eq!(made, Some(stage.after(100).now));
    assert_eq!(*stage.actor.decisions.borrow(), None);
    stage.takes(200, &format!("set c0 --seen {value}"));
    assert_eq!(*stage.actor.decisions.borrow(), Some(stage.after(200).now));
    assert!(!stage.is_idle());
    let in_flight = stage
        .actor
        .state
        .known
        .supervisor
        .emission()
        .in_flight_since();
    assert_eq!(in_flight, Some(stage.after(200).now));
}

/// The feeder gets the answer of that moment: a fault since the decision withholds it.
#[tokio::test(start_paused = true)]
async fn s1_the_feeder_asks_at_its_own_moment_whether_the_box_may_still_be_fed() {
    let mut stage = Stage::start(1).await;
    let id = stage.actor.state.known.supervisor.heartbeats().find("c0");
    let at = stage.after(100);
    stage.actor.state.beat(id, Some(at.now), at).unwrap();
    for (millis, still) in [(200, true), (1500, false)] {
        let (may_feed, answer) = tokio::sync::oneshot::channel();
        let asked = BoxEvent::AboutToFeed { may_feed };
        stage.actor.relay_box(asked, stage.after(millis));
        assert_eq!(answer.await, Ok(still), "after {millis} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn s5_a_session_that_ends_takes_what_is_known_with_it() {
    use lvmbeat_core::Cause;
    let mut stage = Stage::start(1).await;
    let id = stage.actor.state.known.supervisor.heartbeats().find("c0");
    let at = stage.after(100);
    stage.actor.state.beat(id, Some(at.now), at).unwrap();
    assert_eq!(stage.reason(100), Some(Cause::InFlight));
    stage.actor.step(Step::Ended("gone"), stage.after(200));
    assert_eq!(stage.reason(200), Some(Cause::PathSlow));
    assert!(stage.actor.session.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_set_of_a_heartbeat_that_is_not_configured_fails() {
    let mut stage = Stage::start(1).await;
    stage.takes(100, "set nobody");
    let reply = stage.reply().await;
    assert_eq!(reply.code, Code::Failed);
    assert_eq!(
        reply.body["error"],
        "Heartbeat 'nobody' not found. Configured: extra, c0."
    );
    assert!(!reply.body.contains_key("seen"));
}

/// A queue beside the actor's may hold a copy back, and each copy would confirm the one before long
/// after its sender has died.
#[tokio::test(start_paused = true)]
async fn s3_a_set_that_came_another_way_does_not_count() {
    let mut stage = Stage::start(1).await;
    let headers = [
        ("command_id", "1"),
        ("commander_id", "client.lvmbeat"),
        ("x-death", "[{queue: delay}]"),
    ];
    for millis in [100, 5100, 10_100] {
        stage.takes_with(millis, &headers, "set c0");
        let reply = stage.reply().await;
        assert_eq!(reply.code, Code::Failed);
        assert_eq!(
            reply.body["error"],
            "Heartbeat not counted: it came another way than straight through sdss_exchange (x-death), and may have waited there."
        );
        assert!(!reply.body.contains_key("seen"));
    }
    assert!(stage.actor.decisions.borrow().is_none() && stage.is_idle());
    let snapshot = stage.actor.state.snapshot(stage.after(10_200).now);
    assert_eq!(snapshot.counters.detours, 3);
    assert_eq!(snapshot.counters.beats, 0);
}

/// It proves when it was sent, and comes from elsewhere all the same.
#[tokio::test(start_paused = true)]
async fn s1_a_set_from_elsewhere_is_refused_and_never_emits() {
    let mut config = config(1, false);
    for heartbeat in &mut config.heartbeats {
        heartbeat.from = vec!["client".to_owned()];
    }
    let mut stage = Stage::with(config).await;
    stage.takes(100, "set c0");
    let reply = stage.reply().await;
    assert_eq!(reply.code, Code::Done);
    let value = reply.body["seen"].as_str().unwrap().to_owned();
    for heartbeat in ["c0", "extra"] {
        let command = format!("set {heartbeat} --seen {value}");
        stage.takes_from(200, "client2.lvmbeat", &command);
    }
    assert!(stage.actor.decisions.borrow().is_none() && stage.is_idle());
    let shown = stage.actor.state.snapshot(stage.after(200).now);
    for heartbeat in &shown.heartbeats {
        assert_eq!(heartbeat.setters.refused, 1, "{heartbeat:?}");
        assert_eq!(heartbeat.setters.refused_from.as_deref(), Some("client2"));
    }
    // Whose it is gets through.
    stage.takes(300, &format!("set c0 --seen {value}"));
    assert_eq!(*stage.actor.decisions.borrow(), Some(stage.after(300).now));
}

#[tokio::test(start_paused = true)]
async fn s1_who_is_refused_is_told_why_and_gets_no_value_to_prove_with() {
    let mut config = config(1, false);
    for heartbeat in &mut config.heartbeats {
        heartbeat.from = vec!["gort".to_owned()];
    }
    let mut stage = Stage::with(config).await;
    stage.takes(100, "set c0");
    let reply = stage.reply().await;
    assert_eq!(reply.code, Code::Failed);
    assert_eq!(
        reply.body["error"],
        "Heartbeat not counted: 'c0' is set by gort alone (heartbeats[].from), and this command came from client."
    );
    assert!(!reply.body.contains_key("seen"));
}

#[tokio::test(start_paused = true)]
async fn a_set_says_what_holds_the_dome_heartbeat_all_the_same() {
    let mut stage = Stage::start(2).await;
    stage.takes(100, "set extra");
    let set = stage.reply().await;
    assert_eq!(
        (set.code, &set.body["text"]),
        (Code::Done, &"Heartbeat set.".into())
    );
    let held = "heartbeat c0 has not been received in this session";
    assert_eq!(set.body["held"], held);
    let late = [
        "c0 not heard in this session",
        "c1 not heard in this session",
    ];
    assert_eq!(set.body["late"], serde_json::json!(late));
    let mut sole = Stage::start(1).await;
    sole.takes(100, "set extra");
    let set = sole.reply().await;
    assert_eq!(set.body["held"], held);
    assert_eq!(set.body.get("late"), None, "'held' says it all");
}
