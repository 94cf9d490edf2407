//! Any bytes from AMQP: nothing stops, nothing is lost, and each sender that can be answered is
//! (X2).
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

mod commands;
mod properties;
mod random;
mod replies;

use std::time::Duration;

use lapin::types::{AMQPValue, FieldArray, FieldTable};
use lvmbeat_tests::actor::Actor;
use lvmbeat_tests::broker::Vhost;
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::eventually;

const SOON: Duration = Duration::from_secs(20);

async fn start(vhost: &Vhost) -> Actor {
    let config = ActorConfig::new(&vhost.url())
        .timeout(20.0)
        .set("actor.command_ttl", 20)
        .set("actor.attention", 10)
        .set("actor.amqp_heartbeat", 10)
        .set("ecp.cutoff", 0.3)
        .set("ecp.expiration", 5)
        .set("ecp.command_timeout", 5)
        .set("ecp.plc_timeout", 60)
        .set("max_close_after", 300);
    Actor::start(config, &vhost.url()).await
}

/// All messages are acknowledged, and it is the same process, on the same connection, that answers.
async fn survives(actor: &mut Actor, vhost: &Vhost, what: &str) {
    actor.until_it_answers(SOON).await;
    for queue in ["lvmbeat_commands", "lvmbeat_replies"] {
        // Its own echoes come and go.
        eventually(SOON, async || vhost.queue_length(queue).await == Some(0)).await;
    }
    assert!(actor.process.is_running(), "{what}");
    assert_eq!(actor.sessions(), 1, "{what}");
}

/// A header of that many tables and lists in each other.
fn table(depth: usize) -> AMQPValue {
    let mut value = AMQPValue::Boolean(true);
    for level in 0..depth {
        value = if level % 2 == 0 {
            let mut table = FieldTable::default();
            table.insert("deeper".into(), value);
            AMQPValue::FieldTable(table)
        } else {
            AMQPValue::FieldArray(FieldArray::from(vec![value]))
        };
    }
    value
}
