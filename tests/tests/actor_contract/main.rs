//! The actor behaves on RabbitMQ as on the broker in memory: the same test bodies with its own code
//! on both. What the simulation shows in paused time stands on that.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod scene;

use std::sync::Arc;
use std::time::Duration;

use lvmbeat::actor::SessionState;
use lvmbeat::clock::{BootClock, RuntimeClock};
use lvmbeat::clu::bus::{Message, Routing, SessionSpec};
use lvmbeat::clu::message::Code;
use lvmbeat::clu::{Amqp, LocalBroker};
use lvmbeat_tests::{broker, eventually, throughout};
use scene::{Does, SOON, Stage, is_locked};
use tokio::time::Instant;

macro_rules! on_both {
    ($($(#[$doc:meta])+ $name:ident($stage:ident) $body:block)+) => {
        mod bodies {
            use super::*;

            $($(#[$doc])+
            pub(crate) async fn $name($stage: &Stage) $body)+
        }

        mod in_memory {
            use super::*;

            $(#[tokio::test(start_paused = true)]
            async fn $name() {
                bodies::$name(&in_memory_stage()).await;
            })+
        }

        mod on_rabbitmq {
            use super::*;

            $(#[tokio::test]
            async fn $name() {
                let vhost = broker::vhost().await;
                let bus = Amqp::new(&vhost.url(), Duration::from_secs(4)).unwrap();
                let stage = Stage { bus: Arc::new(bus), clock: Arc::new(BootClock) };
                bodies::$name(&stage).await;
            })+
        }
    };
}

fn in_memory_stage() -> Stage {
    Stage {
        bus: Arc::new(LocalBroker::new()),
        clock: Arc::new(RuntimeClock::new(jiff::Timestamp::UNIX_EPOCH)),
    }
}

/// Not as long as the cut-off (1 s), the expiration (1 s) or a heartbeat's timeout (2 s).
const SHORT: Duration = Duration::from_millis(400);

on_both! {
    /// A ping and then one heartbeat reach the enclosure, both with what is left of the expiration.
    s3_a_set_reaches_the_enclosure_as_a_ping_and_a_heartbeat_that_expire(stage) {
        let (_actor, enclosure, client) = stage.play().await;
        client.set("a").await;
        throughout(SHORT, async || enclosure.taken().is_empty()).await;
        client.set("b").await;
        enclosure.wait_for_heartbeats(1).await;
        let taken = enclosure.taken();
        let commands: Vec<&str> = taken.iter().map(|(command, _)| command.as_str()).collect();
        assert_eq!(commands, ["ping", "heartbeat"]);
        for (command, expiration) in taken {
            let expiration = expiration.unwrap();
            assert!(expiration <= Duration::from_secs(1), "{command}: {expiration:?}");
            assert!(expiration > SHORT, "{command}: {expiration:?}");
        }
        client.outcome("acknowledged").await;
        assert!(client.status("last_emitted_ecp").await.is_string());
    }

    /// However many beats there are, two emissions are a cut-off apart; and after a last beat there
    /// is none.
    s2_emissions_answer_sets_and_keep_the_cut_off(stage) {
        let (_actor, enclosure, client) = stage.play().await;
        let start = Instant::now();
        client.set("a").await;
        while start.elapsed() < Duration::from_millis(3500) {
            client.set("b").await;
            client.set("a").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let heartbeats = enclosure.heartbeats();
        assert!((3..=4).contains(&heartbeats), "{heartbeats} in 3.5 s");
        client.outcome("acknowledged").await;
        let heartbeats = enclosure.heartbeats();
        throughout(Duration::from_millis(2500), async || enclosure.heartbeats() == heartbeats).await;
    }

    /// A critical heartbeat that is stale holds, with the first cause; one that is not critical
    /// neither holds nor emits.
    s1_a_stale_critical_heartbeat_holds(stage) {
        let (_actor, enclosure, client) = stage.play().await;
        assert_eq!(client.status("hold").await["reason"], "heartbeat_never_seen");
        client.set("a").await;
        client.set("b").await;
        enclosure.wait_for_heartbeats(1).await;
        let stale = async || {
            client.set("a").await;
            client.set("c").await;
            let hold = client.status("hold").await;
            hold["reason"] == "heartbeat_stale" && hold["text"].as_str().is_some_and(|text| text.contains('b'))
        };
        eventually(SOON, stale).await;
        let held = enclosure.heartbeats();
        throughout(SHORT, async || stale().await && enclosure.heartbeats() == held).await;
        client.set("b").await;
        enclosure.wait_for_heartbeats(held + 1).await;
    }

    /// A refusal is understood, does not start the cut-off, and is tried again by a later beat
    /// only.
    an_enclosure_that_refuses_is_tried_again_by_the_next_beat(stage) {
        let (_actor, enclosure, client) = stage.play().await;
        enclosure.does(Does::Refuse);
        client.set("a").await;
        client.set("b").await;
        client.outcome("refused").await;
        throughout(SHORT, async || enclosure.heartbeats() == 1).await;
        assert!(client.status("last_emitted_ecp").await.is_null());
        enclosure.does(Does::It);
        let refused = Instant::now();
        client.set("b").await;
        enclosure.wait_for_heartbeats(2).await;
        assert!(refused.elapsed() < Duration::from_millis(900), "the cut-off counts from a success");
        client.outcome("acknowledged").await;
    }

    /// One that hangs is given up after a while; meanwhile beats are taken at once and nothing
    /// piles up.
    s6_an_enclosure_that_hangs_delays_no_set(stage) {
        let (_actor, enclosure, client) = stage.play().await;
        enclosure.does(Does::Hang);
        client.set("a").await;
        client.set("b").await;
        enclosure.wait_for_heartbeats(1).await;
        for _ in 0..10 {
            let sent = Instant::now();
            client.set("b").await;
            assert!(sent.elapsed() < SHORT, "{:?}", sent.elapsed());
        }
        assert_eq!(enclosure.heartbeats(), 1, "one in flight");
        client.outcome("timed_out").await;
        // Another beat tries again, though not at once.
        enclosure.does(Does::It);
        eventually(SOON, async || {
            client.set("a").await;
            client.set("b").await;
            enclosure.heartbeats() == 2
        }).await;
        client.outcome("acknowledged").await;
    }

    /// That nobody is there is known from the message that comes back, not from a time-out.
    an_enclosure_that_is_absent_is_known_at_once(stage) {
        let (_actor, enclosure, client) = stage.play().await;
        drop(enclosure);
        eventually(SOON, async || !is_locked(&*stage.bus, "lvmecp").await).await;
        let sent = Instant::now();
        client.set("a").await;
        client.set("b").await;
        client.outcome("unroutable").await;
        assert!(sent.elapsed() < Duration::from_millis(900), "{:?}", sent.elapsed());
        let enclosure = stage.enclosure().await;
        eventually(SOON, async || {
            client.set("a").await;
            client.set("b").await;
            enclosure.heartbeats() == 1
        }).await;
    }

    /// The second actor stands by, and starts from nothing when the first ends.
    s5_a_second_actor_stands_by_and_takes_over_from_nothing(stage) {
        let (first, enclosure, client) = stage.play().await;
        client.set("a").await;
        client.set("b").await;
        enclosure.wait_for_heartbeats(1).await;
        let second = stage.actor();
        let session = || second.snapshots.borrow().as_ref().map(|snapshot| snapshot.session);
        eventually(SOON, async || session() == Some(SessionState::StandBy)).await;
        client.set("a").await;
        first.end().await;
        eventually(SOON, async || session() == Some(SessionState::Open)).await;
        assert_eq!(client.status("hold").await["reason"], "heartbeat_never_seen");
        client.set("a").await;
        throughout(SHORT, async || enclosure.heartbeats() == 1).await;
        client.set("b").await;
        enclosure.wait_for_heartbeats(2).await;
    }

    /// Whatever is no command, and a task, is taken from the queue, and the next command is
    /// answered.
    x2_what_is_malformed_stops_nothing(stage) {
        let (_actor, enclosure, client) = stage.play().await;
        let vandal = stage.bus.open(&SessionSpec::client("vandal")).await.unwrap();
        let task = ("task".to_owned(), lvmbeat::clu::bus::Header::Bool(true));
        for body in ["", "{", "[]", "null", r#"{"command_string": 5}"#, r#"{"task": "x"}"#, "\u{0}"] {
            for headers in [vec![], vec![task.clone()]] {
                let message = Message {
                    routing_key: "command.lvmbeat".to_owned(),
                    headers: headers.into_iter().collect(),
                    body: body.as_bytes().to_vec(),
                    ..Message::default()
                };
                assert_eq!(vandal.publisher.publish(message).await.unwrap(), Routing::Routed);
            }
        }
        assert_eq!(client.run("ping").await.0, Code::Done);
        client.set("a").await;
        client.set("b").await;
        enclosure.wait_for_heartbeats(1).await;
    }
}
