//! What a [`Bus`] has to do, as test bodies that run on any of them: in this crate on
//! [`LocalBroker`](super::LocalBroker), in the end-to-end tests on RabbitMQ. So the broker in
//! memory is held to what the real one does.
//!
//! Each takes a prefix for its names, so that several can run on one broker at a time. They sleep
//! only for what has to expire.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::StreamExt as _;
use tokio::time::{Instant, sleep, timeout};

use super::bus::{Bus, Header, Message, Routing};
use sessions::{
    eventually, locked, next, next_that, open_actor, open_client, open_eavesdropper, reopen,
    replies_until, text,
};

mod sessions;

/// Longer than a broker ever takes for anything.
const SOON: Duration = Duration::from_secs(10);
/// A TTL that is not reached in a test.
const LONG: Duration = Duration::from_secs(600);
/// A TTL that is.
const SHORT: Duration = Duration::from_millis(300);
/// After this it has been reached, even if a busy broker looks at its timers late.
const EXPIRED: Duration = Duration::from_secs(3);

/// A test body. The string is the prefix of its names.
pub type Body =
    for<'a> fn(&'a dyn Bus, &'a str) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

macro_rules! bodies {
    ($($(#[$doc:meta])+ $name:ident($bus:ident, $prefix:ident) $body:block)+) => {
        $($(#[$doc])+
        pub async fn $name($bus: &dyn Bus, $prefix: &str) -> Result<()> $body)+

        /// All of them, with their names.
        pub const ALL: &[(&str, Body)] = &[
            $((stringify!($name), |bus, prefix| Box::pin($name(bus, prefix)))),+
        ];
    };
}

bodies! {
    /// A command arrives at the actor's queue as it was sent, whatever follows the actor's name in
    /// its key.
    a_command_arrives_as_it_was_sent(bus, prefix) {
        let (actor, client) = (format!("{prefix}-actor"), format!("{prefix}-client"));
        let mut actor_session = open_actor(bus, &actor, LONG).await?;
        let client_session = open_client(bus, &client).await?;
        for key in [format!("command.{actor}"), format!("command.{actor}.sub.key")] {
            let sent = Message {
                routing_key: key,
                content_type: Some("text/json".to_owned()),
                correlation_id: Some("4dc3156b-d88d-4efc-bcf0-77655e9622b6".to_owned()),
                reply_to: Some(format!("{client}_replies")),
                message_id: Some("f02fc86758ba4f0dba90c505133e9051".to_owned()),
                timestamp: Some(1_795_000_000),
                expiration: Some(LONG),
                from_elsewhere: false,
                headers: BTreeMap::from([
                    ("text".to_owned(), Header::Text("töxt".to_owned())),
                    ("empty".to_owned(), Header::Text(String::new())),
                    ("truth".to_owned(), Header::Bool(true)),
                    ("number".to_owned(), Header::Int(-7)),
                    ("nothing".to_owned(), Header::Null),
                ]),
                body: vec![0, 0xff, 0xfe, b'{'],
            };
            ensure!(client_session.publisher.publish(sent.clone()).await? == Routing::Routed);
            let arrived = next(&mut actor_session.commands).await?;
            ensure!(arrived == sent, "sent {sent:?}, arrived {arrived:?}");
        }
        Ok(())
    }

    /// A body of a mebibyte arrives whole, and so does an empty one.
    a_long_body_arrives_whole(bus, prefix) {
        let mut actor = open_actor(bus, prefix, LONG).await?;
        for length in [0, 1, 4096, 131_072, 1 << 20] {
            let body: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
            let sent = Message { routing_key: format!("command.{prefix}"), body, ..Message::default() };
            ensure!(actor.publisher.publish(sent.clone()).await? == Routing::Routed);
            let arrived = next(&mut actor.commands).await?;
            ensure!(arrived.body == sent.body, "{length} bytes became {}", arrived.body.len());
        }
        Ok(())
    }

    /// A command to an actor that does not exist, or no longer, is unroutable.
    a_command_to_nobody_is_unroutable(bus, prefix) {
        let (actor, client) = (format!("{prefix}-actor"), format!("{prefix}-client"));
        let client = open_client(bus, &client).await?;
        let command = || text(&format!("command.{actor}"), "ping");
        ensure!(client.publisher.publish(command()).await? == Routing::Unroutable);
        let actor_session = open_actor(bus, &actor, LONG).await?;
        ensure!(client.publisher.publish(command()).await? == Routing::Routed);
        actor_session.publisher.close().await;
        eventually("the queue goes", || async {
            Ok(client.publisher.publish(command()).await? == Routing::Unroutable)
        }).await?;
        // A key that AMQP cannot express has no queue either.
        let key = format!("command.{}", "x".repeat(300));
        ensure!(client.publisher.publish(text(&key, "ping")).await? == Routing::Unroutable);
        client.publisher.post(text(&key, "ping")).await?;
        Ok(())
    }

    /// Published one beside the other, each message gets the answer that belongs to it.
    answers_are_not_mixed_up(bus, prefix) {
        let session = open_actor(bus, prefix, LONG).await?;
        let there = format!("command.{prefix}");
        let absent = format!("command.{prefix}-absent");
        let publish = |number: usize| {
            let publisher = &session.publisher;
            let key = if number.is_multiple_of(3) { &there } else { &absent };
            async move { publisher.publish(text(key, "x")).await }
        };
        let answers = futures_util::future::join_all((0..60).map(publish)).await;
        for (number, answer) in answers.into_iter().enumerate() {
            let expected = if number.is_multiple_of(3) { Routing::Routed } else { Routing::Unroutable };
            ensure!(answer? == expected, "message {number}");
        }
        Ok(())
    }

    /// Every session hears the replies to its own name and the broadcasts, each once, no matter who
    /// sends them, and neither commands nor the replies to anybody else, its own answers included.
    a_reply_reaches_whom_it_is_for(bus, prefix) {
        let names = [format!("{prefix}-a"), format!("{prefix}-b")];
        let mut sessions = [open_actor(bus, &names[0], LONG).await?, open_client(bus, &names[1]).await?];
        let [a, b] = &names;
        let keys = [
            format!("reply.{a}"),
            format!("reply.{b}"),
            format!("reply.{a}.{b}"),
            format!("reply.{b}.x.{a}"),
            "reply.broadcast".to_owned(),
            format!("reply.{a}x.y"),
            format!("reply.x.{a}"),
            format!("command.{a}"),
            "reply.None".to_owned(),
            "reply".to_owned(),
            format!("reply.{a}.{a}.end"),
            format!("reply.{b}.{b}.end"),
        ];
        for key in &keys {
            sessions[0].publisher.post(text(key, prefix)).await?;
        }
        for (session, expected) in sessions.iter_mut().zip([[0, 2, 4, 10], [1, 3, 4, 11]]) {
            let heard = replies_until(session, prefix, ".end").await?;
            let expected = expected.map(|number| keys[number].as_str());
            ensure!(heard == expected, "{heard:?} is not {expected:?}");
        }
        Ok(())
    }

    /// Who overhears an actor hears what it answers to anybody, each reply once, and what no other
    /// actor answers.
    an_actor_is_overheard(bus, prefix) {
        let (ear, ecp) = (format!("{prefix}-ear"), format!("{prefix}-ecp"));
        let mut session = open_eavesdropper(bus, &ear, &format!("#.{ecp}")).await?;
        let keys = [
            format!("reply.x.{ecp}"),
            format!("reply.x.y.z.{ecp}"),
            format!("reply.{ecp}.{ecp}"),
            format!("reply.{ecp}"),
            format!("reply..{ecp}"),
            format!("reply.{ear}.{ecp}"),
            "reply.broadcast".to_owned(),
            format!("reply.{ecp}.x"),
            format!("reply.x.{ecp}x"),
            format!("reply.x{ecp}"),
            format!("command.{ecp}"),
            format!("reply.{prefix}.x"),
            format!("reply.{ear}.x.end"),
        ];
        for key in &keys {
            session.publisher.post(text(key, prefix)).await?;
        }
        let heard = replies_until(&mut session, prefix, ".end").await?;
        let expected: Vec<&str> = keys[..7].iter().chain(&keys[12..]).map(String::as_str).collect();
        ensure!(heard == expected, "{heard:?} is not {expected:?}");
        // Everything is a pattern, too.
        let mut everything = open_eavesdropper(bus, &format!("{prefix}-all"), "#").await?;
        for key in &keys {
            session.publisher.post(text(key, prefix)).await?;
        }
        let heard = replies_until(&mut everything, prefix, ".end").await?;
        let expected: Vec<&str> = keys.iter().map(String::as_str).filter(|key| key.starts_with("reply.")).collect();
        ensure!(heard == expected, "{heard:?} is not {expected:?}");
        Ok(())
    }

    /// A name belongs to one session at a time, as actor and as client, and is free when that
    /// session is over, whether it was closed or dropped.
    a_name_belongs_to_one_session(bus, prefix) {
        let first = open_actor(bus, prefix, LONG).await?;
        ensure!(locked(open_actor(bus, prefix, LONG).await)? == format!("{prefix}_commands"));
        ensure!(locked(open_client(bus, prefix).await)? == format!("{prefix}_replies"));
        // Who failed has left nothing behind, and has not disturbed the owner.
        ensure!(first.publisher.publish(text(&format!("command.{prefix}"), "x")).await? == Routing::Routed);
        first.publisher.close().await;
        let second = reopen(bus, prefix).await?;
        ensure!(first.publisher.publish(text(&format!("command.{prefix}"), "x")).await.is_err());
        // The old session's remains do the new one no harm.
        drop(first);
        ensure!(second.publisher.publish(text(&format!("command.{prefix}"), "x")).await? == Routing::Routed);
        drop(second);
        reopen(bus, prefix).await?;
        Ok(())
    }

    /// A session whose streams are dropped is over, even if its publisher is kept.
    a_kept_publisher_keeps_no_session(bus, prefix) {
        let session = open_actor(bus, prefix, LONG).await?;
        let publisher = session.publisher.clone();
        drop(session);
        reopen(bus, prefix).await?;
        eventually("the publisher fails", || async {
            Ok(publisher.publish(text("reply.x", "x")).await.is_err())
        }).await
    }

    /// What waited in a queue when its session ended is gone; a new session finds nothing (S5).
    a_new_session_finds_nothing_old(bus, prefix) {
        let first = open_actor(bus, prefix, LONG).await?;
        for _ in 0..3 {
            first.publisher.publish(text(&format!("command.{prefix}"), "old")).await?;
        }
        drop(first);
        let mut second = reopen(bus, prefix).await?;
        second.publisher.publish(text(&format!("command.{prefix}"), "new")).await?;
        ensure!(next(&mut second.commands).await?.body == b"new");
        Ok(())
    }

    /// First in, first out, in both queues, and whichever way a message is sent.
    messages_keep_their_order(bus, prefix) {
        let mut session = open_actor(bus, prefix, LONG).await?;
        let key = format!("command.{prefix}");
        for number in 0..50 {
            session.publisher.post(text(&key, &number.to_string())).await?;
        }
        for number in 0..50 {
            ensure!(next(&mut session.commands).await?.body == number.to_string().as_bytes());
        }
        let reply = format!("reply.{prefix}");
        for number in 0..50 {
            session.publisher.publish(text(&reply, &number.to_string())).await?;
        }
        for number in 0..50 {
            let arrived = next_that(&mut session.replies, |message| message.routing_key == reply).await?;
            ensure!(arrived.body == number.to_string().as_bytes());
        }
        Ok(())
    }

    /// What two sessions publish, each after the other's was taken by the broker, arrives in that
    /// order.
    two_publishers_keep_their_order(bus, prefix) {
        let mut actor = open_actor(bus, prefix, LONG).await?;
        let one = open_client(bus, &format!("{prefix}-one")).await?;
        let other = open_client(bus, &format!("{prefix}-other")).await?;
        let key = format!("command.{prefix}");
        for number in 0..20 {
            let publisher = if number % 2 == 0 { &one.publisher } else { &other.publisher };
            publisher.publish(text(&key, &number.to_string())).await?;
        }
        for number in 0..20 {
            let arrived = next(&mut actor.commands).await?.body;
            ensure!(arrived == number.to_string().as_bytes(), "{number}: {arrived:?}");
        }
        Ok(())
    }

    /// An actor gets what is sent to its own name, and no one else's: names are compared whole, and
    /// in their case.
    a_name_is_compared_whole(bus, prefix) {
        let mut actor = open_actor(bus, prefix, LONG).await?;
        for key in [
            format!("command.{prefix}x"),
            format!("command.x{prefix}"),
            format!("command.x.{prefix}"),
            format!("Command.{prefix}"),
            format!("command.{}", prefix.to_uppercase()),
            format!("command..{prefix}"),
            format!("{prefix}_commands"),
            "command".to_owned(),
            "command.#".to_owned(),
            "command.*".to_owned(),
            String::new(),
        ] {
            ensure!(actor.publisher.publish(text(&key, "x")).await? == Routing::Unroutable, "{key}");
        }
        for key in [format!("command.{prefix}"), format!("command.{prefix}."), format!("command.{prefix}.#")] {
            ensure!(actor.publisher.publish(text(&key, &key)).await? == Routing::Routed, "{key}");
            ensure!(next(&mut actor.commands).await?.routing_key == key);
        }
        Ok(())
    }

    /// A command that has waited longer than the queue's TTL is not delivered (S3). One message is
    /// at the consumer already and no longer expires.
    a_command_expires_in_the_queue(bus, prefix) {
        let mut session = open_actor(bus, prefix, SHORT).await?;
        let key = format!("command.{prefix}");
        for body in ["prefetched", "expires", "expires too"] {
            session.publisher.publish(text(&key, body)).await?;
        }
        sleep(EXPIRED).await;
        session.publisher.publish(text(&key, "fresh")).await?;
        ensure!(next(&mut session.commands).await?.body == b"prefetched");
        ensure!(next(&mut session.commands).await?.body == b"fresh");
        Ok(())
    }

    /// A message expires by its own expiration where that is shorter than the queue's TTL, and not
    /// before (S3).
    a_message_expires_by_itself(bus, prefix) {
        let mut session = open_actor(bus, prefix, LONG).await?;
        let key = format!("command.{prefix}");
        let send = |body: &str, expiration| {
            session.publisher.publish(Message { expiration, ..text(&key, body) })
        };
        send("prefetched", None).await?;
        send("expires", Some(SHORT)).await?;
        send("stays", Some(LONG)).await?;
        send("expires too", Some(SHORT)).await?;
        send("stays too", None).await?;
        sleep(EXPIRED).await;
        for body in ["prefetched", "stays", "stays too"] {
            let arrived = next(&mut session.commands).await?;
            ensure!(arrived.body == body.as_bytes(), "{body}: {arrived:?}");
        }
        Ok(())
    }

    /// A queue's TTL is not longer than it says for a message that would live longer.
    the_shorter_expiration_holds(bus, prefix) {
        let mut session = open_actor(bus, prefix, SHORT).await?;
        let key = format!("command.{prefix}");
        session.publisher.publish(text(&key, "prefetched")).await?;
        session.publisher.publish(Message { expiration: Some(LONG), ..text(&key, "expires") }).await?;
        sleep(EXPIRED).await;
        session.publisher.publish(text(&key, "fresh")).await?;
        ensure!(next(&mut session.commands).await?.body == b"prefetched");
        ensure!(next(&mut session.commands).await?.body == b"fresh");
        Ok(())
    }

    /// A message that may not wait at all is handed over to a consumer that is free, and is lost
    /// behind one that is not taken yet (S3).
    what_may_not_wait_is_handed_over_or_lost(bus, prefix) {
        let mut session = open_actor(bus, prefix, LONG).await?;
        let key = format!("command.{prefix}");
        let at_once = |body| Message { expiration: Some(Duration::ZERO), ..text(&key, body) };
        ensure!(session.publisher.publish(at_once("first")).await? == Routing::Routed);
        ensure!(next(&mut session.commands).await?.body == b"first");
        session.publisher.publish(text(&key, "not taken yet")).await?;
        ensure!(session.publisher.publish(at_once("lost")).await? == Routing::Routed);
        session.publisher.publish(text(&key, "last")).await?;
        ensure!(next(&mut session.commands).await?.body == b"not taken yet");
        ensure!(next(&mut session.commands).await?.body == b"last");
        Ok(())
    }

    /// Giving up waiting for a message loses none.
    a_wait_given_up_loses_nothing(bus, prefix) {
        let mut session = open_actor(bus, prefix, LONG).await?;
        let key = format!("command.{prefix}");
        let mut taken = Vec::new();
        let end = Instant::now() + SOON;
        for number in 0..20 {
            session.publisher.post(text(&key, &number.to_string())).await?;
        }
        while taken.len() < 20 {
            ensure!(Instant::now() < end, "only {taken:?} came");
            if let Ok(message) = timeout(Duration::from_micros(200), session.commands.next()).await {
                taken.push(String::from_utf8(message.context("the stream ended")?.body)?);
            }
        }
        ensure!(taken.iter().enumerate().all(|(number, body)| number.to_string() == *body), "{taken:?}");
        Ok(())
    }

    /// A session that is closed is over: both streams end and stay ended, and nothing can be sent.
    a_closed_session_is_over(bus, prefix) {
        let mut session = open_actor(bus, prefix, LONG).await?;
        session.publisher.close().await;
        for _ in 0..2 {
            ensure!(timeout(SOON, session.commands.next()).await?.is_none());
            ensure!(timeout(SOON, session.replies.next()).await?.is_none());
        }
        ensure!(session.publisher.publish(text("reply.x", "x")).await.is_err());
        ensure!(session.publisher.post(text("reply.x", "x")).await.is_err());
        // Again does no harm.
        session.publisher.close().await;
        Ok(())
    }

    /// A client has no command queue: its commands never come, and the session stays.
    a_client_has_no_commands(bus, prefix) {
        let mut client = open_client(bus, prefix).await?;
        ensure!(client.publisher.publish(text(&format!("command.{prefix}"), "x")).await? == Routing::Unroutable);
        ensure!(timeout(SHORT, client.commands.next()).await.is_err());
        client.publisher.post(text("reply.broadcast", prefix)).await?;
        next_that(&mut client.replies, |reply| reply.body == prefix.as_bytes()).await?;
        Ok(())
    }
}
