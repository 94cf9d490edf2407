//! A heartbeat that waited does not count, wherever it waited: in a stopped actor, in the queue
//! before it, on the way (S3).

use std::time::Duration;

use lvmbeat_tests::actor::Actor;
use lvmbeat_tests::broker::{self, Vhost};
use lvmbeat_tests::client::Reply;
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::ecp::FakeEcp;
use lvmbeat_tests::proxy::{Flow, Proxy};
use lvmbeat_tests::{eventually, throughout};

const SOON: Duration = Duration::from_secs(15);

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn config(url: &str) -> ActorConfig {
    ActorConfig::new(url)
        .timeout(4.0)
        .set("actor.amqp_heartbeat", 5)
        .set("ecp.cutoff", 0.3)
        .set("ecp.retry", 0.2)
        .set("ecp.expiration", 5)
        .set("ecp.command_timeout", 5)
        .set("ecp.plc_timeout", 60)
        .set("max_close_after", 300)
}

/// Beats until a heartbeat has been emitted and nothing is under way.
async fn emit(actor: &Actor, ecp: &FakeEcp) {
    let before = ecp.heartbeats().len();
    eventually(SOON, async || {
        actor.set("overwatcher").await;
        ecp.heartbeats().len() > before
    })
    .await;
    eventually(SOON, async || actor.status("/ecp/in_flight").await == false).await;
}

/// Stops the actor for that long, with `set`s waiting that were sent all the time, and shows that
/// none of them counts.
async fn sets_of_a_stop_do_not_count(vhost: &Vhost, mut actor: Actor, stop: Duration) {
    let ecp = FakeEcp::start(&vhost.url()).await;
    emit(&actor, &ecp).await;
    let (emitted, asked) = (ecp.heartbeats().len(), ecp.received().len());
    let (place, mark) = (actor.client.reply_count(), actor.process.mark());

    actor.process.freeze();
    actor.process.until_frozen(SOON).await;
    let mut waiting = Vec::new();
    throughout(stop, async || {
        let set = actor.client.outgoing("lvmbeat", "set overwatcher");
        waiting.push(set.id());
        actor.client.publish(&set).await
    })
    .await;
    // The last ones are as fresh as can be, and some wait for the actor.
    assert_ne!(vhost.queue_length("lvmbeat_commands").await, Some(0));
    actor.process.thaw();

    actor.until_session(mark, SOON).await;
    actor.until_it_answers(SOON).await;
    throughout(secs(2), async || {
        ecp.received().len() == asked && ecp.heartbeats().len() == emitted
    })
    .await;
    assert_eq!(actor.status("/hold/reason").await, "not_attentive");
    assert_eq!(actor.status("/heartbeats/overwatcher/current").await, false);
    let counted = |reply: &Reply| {
        reply.code() == ":" && waiting.contains(&reply.command_id().unwrap_or_default())
    };
    let replies = actor.client.replies_since(place);
    assert!(!replies.iter().any(counted), "{replies:?}");

    // The first new one counts.
    actor.set("overwatcher").await;
    ecp.wait_for_heartbeats(emitted + 1, SOON).await;
}

#[tokio::test]
async fn s3_s5_sets_that_waited_for_a_stopped_actor_do_not_count() {
    let vhost = broker::inspectable_vhost().await;
    let config = config(&vhost.url())
        .set("actor.command_ttl", 2)
        .set("actor.attention", 2);
    let actor = Actor::start(config, &vhost.url()).await;
    // Longer than the heartbeat's timeout, 4 s.
    sets_of_a_stop_do_not_count(&vhost, actor, secs(5)).await;
}

#[tokio::test]
async fn s3_s5_a_stop_within_the_timeout_but_beyond_attention_discards_what_waited() {
    let vhost = broker::inspectable_vhost().await;
    // Neither the timeout, nor the broker, nor the echo would find them too old.
    let config = config(&vhost.url())
        .set("actor.command_ttl", 20)
        .set("actor.attention", 2)
        .set(
            "heartbeats",
            serde_json::json!([
                { "name": "overwatcher", "critical": true, "timeout": 60, "interval": 1 }
            ]),
        );
    let actor = Actor::start(config, &vhost.url()).await;
    sets_of_a_stop_do_not_count(&vhost, actor, secs(3)).await;
}

#[tokio::test]
async fn s3_a_set_that_was_held_on_a_stalled_connection_does_not_count() {
    let vhost = broker::inspectable_vhost().await;
    let (host, port) = vhost.address();
    let proxy = Proxy::start((&host, port)).await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    let ttl = secs(3);
    let config = config(&vhost.url_via(proxy.port()))
        .set("actor.command_ttl", ttl.as_secs())
        .set("actor.attention", 20);
    let actor = Actor::start(config, &vhost.url()).await;
    emit(&actor, &ecp).await;
    let (emitted, asked) = (ecp.heartbeats().len(), ecp.received().len());
    let sessions = actor.sessions();

    // With none of the actor's own messages under way, in the broker neither, the `set` is the one
    // that is on the connection, where the broker cannot drop it.
    eventually(SOON, async || {
        proxy.set_to_server(Flow::Stall);
        for _ in 0..20 {
            if vhost.queue_length("lvmbeat_commands").await != Some(0) {
                proxy.set_to_server(Flow::Pass);
                return false;
            }
        }
        true
    })
    .await;
    proxy.set_to_client(Flow::Stall);
    let set = actor.client.outgoing("lvmbeat", "set overwatcher");
    let place = actor.client.reply_count();
    assert!(actor.client.publish(&set).await);
    throughout(ttl + secs(1), async || {
        vhost.queue_length("lvmbeat_commands").await == Some(1)
    })
    .await;
    proxy.set(Flow::Pass);

    let answer = actor
        .client
        .wait_for_reply(place, SOON, |reply| {
            reply.command_id() == Some(set.id()) && reply.is_last()
        })
        .await
        .unwrap();
    assert_eq!(answer.code(), "f", "{answer:?}");
    let error = answer.body["error"].as_str().unwrap();
    assert!(error.contains("on its way"), "{error}");
    throughout(secs(1), async || ecp.received().len() == asked).await;
    // It was the same connection all the time, and now it is prompt again.
    assert_eq!(actor.sessions(), sessions);
    eventually(SOON, async || {
        let answer = actor.command("set overwatcher").await;
        answer.codes() == ">:"
    })
    .await;
    actor.set("overwatcher").await;
    ecp.wait_for_heartbeats(emitted + 1, SOON).await;
}
