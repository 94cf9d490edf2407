use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::LocalBroker;
use crate::bus::{CommandQueue, Message, Session};
use crate::message::{CommandId, Keywords, ReplyAddress, decode_command, encode_reply, keyword};

const OPTIONS: CommandOptions = CommandOptions {
    internal: false,
    expiration: None,
    limit: Duration::from_secs(5),
};

async fn open(broker: &LocalBroker, name: &str) -> Session {
    let spec = SessionSpec {
        commands: Some(CommandQueue {
            ttl: Duration::from_secs(60),
        }),
        ..SessionSpec::client(name)
    };
    broker.open(&spec).await.unwrap()
}

/// Answers the next command with these.
async fn answer(actor: &mut Session, replies: &[(Code, Keywords)]) -> Message {
    let message = actor.commands.next().await.unwrap();
    let command = decode_command(&message).unwrap();
    for (code, body) in replies {
        let reply = encode_reply("echo", &command.address, *code, body, Timestamp::UNIX_EPOCH);
        actor.publisher.post(reply).await.unwrap();
    }
    message
}

#[tokio::test(start_paused = true)]
async fn a_command_is_answered() {
    let broker = LocalBroker::new();
    let mut actor = open(&broker, "echo").await;
    let connected = connect(&broker, "tester").await.unwrap();
    let actor = tokio::spawn(async move {
        let replies = [
            (Code::Running, Keywords::new()),
            (Code::Info, keyword("text", "soon")),
            (Code::Done, keyword("text", "done")),
        ];
        answer(&mut actor, &replies).await
    });
    let options = CommandOptions {
        internal: true,
        expiration: Some(Duration::from_secs(3)),
        ..OPTIONS
    };
    let finished = connected
        .client
        .command("echo", "say it", options)
        .await
        .unwrap();
    let said: Vec<_> = finished
        .replies
        .iter()
        .map(|reply| (reply.code, reply.body.get("text").cloned()))
        .collect();
    let expected = [
        (Code::Running, None),
        (Code::Info, Some(json!("soon"))),
        (Code::Done, Some(json!("done"))),
    ];
    assert_eq!(said, expected);
    assert_eq!(finished.code, Code::Done);
    assert!(finished.replies.iter().all(|reply| reply.internal));
    let message = actor.await.unwrap();
    assert_eq!(message.expiration, Some(Duration::from_secs(3)));
    assert_eq!(decode_command(&message).unwrap().command_string, "say it");
    assert_eq!(connected.client.under_way(), 0);
}

#[tokio::test(start_paused = true)]
async fn replies_are_taken_one_by_one_and_end_after_the_final_one() {
    let broker = LocalBroker::new();
    let mut actor = open(&broker, "echo").await;
    let connected = connect(&broker, "tester").await.unwrap();
    let mut running = connected.client.begin("echo", "x", OPTIONS).await.unwrap();
    let final_replies = [
        (Code::Running, Keywords::new()),
        (Code::Failed, keyword("error", "no")),
        (Code::Done, Keywords::new()),
    ];
    answer(&mut actor, &final_replies).await;
    assert_eq!(running.next().await.unwrap().unwrap().code, Code::Running);
    assert_eq!(running.next().await.unwrap().unwrap().code, Code::Failed);
    assert_eq!(running.next().await.unwrap(), None);
    assert_eq!(running.next().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn s1_each_command_gets_its_own_replies_and_no_forged_ones() {
    let broker = LocalBroker::new();
    let mut actor = open(&broker, "echo").await;
    let connected = connect(&broker, "tester").await.unwrap();
    let client = &connected.client;
    let mut first = client.begin("echo", "first", OPTIONS).await.unwrap();
    let mut second = client.begin("echo", "second", OPTIONS).await.unwrap();
    assert_eq!(client.under_way(), 2);
    let ids = [
        answer(&mut actor, &[]).await.correlation_id,
        answer(&mut actor, &[]).await.correlation_id,
    ];
    let reply = |id: &Option<String>, text: &str| {
        let address = ReplyAddress {
            commander_id: Some("tester.echo".to_owned()),
            command_id: id.as_deref().map(CommandId::from),
            internal: false,
        };
        let body = keyword("text", text);
        encode_reply("echo", &address, Code::Done, &body, Timestamp::UNIX_EPOCH)
    };
    let dispatch = |id: &Option<String>, text| client.dispatch(&reply(id, text));
    assert_eq!(dispatch(&ids[1], "second"), Dispatched::Taken);
    // S1: of another sender, by another key, or by way of another exchange, it is somebody else's.
    let forgeries: [fn(&mut Message); 6] = [
        |message| {
            let sender = Header::Text("stranger".to_owned());
            message.headers.insert("sender".to_owned(), sender);
        },
        |message| drop(message.headers.remove("sender")),
        |message| drop(message.headers.remove("command_id")),
        |message| "reply.tester.stranger".clone_into(&mut message.routing_key),
        |message| "reply.broadcast".clone_into(&mut message.routing_key),
        |message| message.from_elsewhere = true,
    ];
    for forge in forgeries {
        let mut message = reply(&ids[0], "forged");
        forge(&mut message);
        assert_eq!(client.dispatch(&message), Dispatched::Foreign);
    }
    assert_eq!(dispatch(&ids[0], "first"), Dispatched::Taken);
    // Too late, of somebody else, and of nobody.
    assert_eq!(dispatch(&ids[0], "again"), Dispatched::Unclaimed);
    let other = Some("other".to_owned());
    assert_eq!(dispatch(&other, "x"), Dispatched::Unclaimed);
    assert_eq!(dispatch(&None, "x"), Dispatched::Unclaimed);
    assert_eq!(first.next().await.unwrap().unwrap().body["text"], "first");
    assert_eq!(second.next().await.unwrap().unwrap().body["text"], "second");
}

#[tokio::test(start_paused = true)]
async fn an_absent_actor_is_known_at_once() {
    let broker = LocalBroker::new();
    let connected = connect(&broker, "tester").await.unwrap();
    let start = Instant::now();
    let error = connected
        .client
        .command("nobody", "x", OPTIONS)
        .await
        .unwrap_err();
    assert!(matches!(&error, CommandError::Unroutable { actor } if actor == "nobody"));
    assert_eq!(
        error.to_string(),
        "no actor nobody is running: nobody takes its commands"
    );
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(connected.client.under_way(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_hangs_is_waited_for_until_the_limit() {
    let broker = LocalBroker::new();
    let mut actor = open(&broker, "echo").await;
    let connected = connect(&broker, "tester").await.unwrap();
    let start = Instant::now();
    let mut running = connected.client.begin("echo", "x", OPTIONS).await.unwrap();
    answer(&mut actor, &[(Code::Running, Keywords::new())]).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(running.next().await.unwrap().unwrap().code, Code::Running);
    let error = running.next().await.unwrap_err();
    assert!(matches!(error, CommandError::TimedOut { .. }));
    assert_eq!(start.elapsed(), OPTIONS.limit);
    drop(running);
    assert_eq!(connected.client.under_way(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_ends_its_commands() {
    let broker = LocalBroker::new();
    let _actor = open(&broker, "echo").await;
    let connected = connect(&broker, "tester").await.unwrap();
    let client = connected.client.clone();
    let command = tokio::spawn(async move { client.command("echo", "x", OPTIONS).await });
    tokio::time::sleep(Duration::from_millis(1)).await;
    let start = Instant::now();
    broker.kill_sessions();
    let error = command.await.unwrap().unwrap_err();
    assert!(matches!(error, CommandError::Bus(BusError::Closed { .. })));
    assert_eq!(start.elapsed(), Duration::ZERO);
    let error = connected
        .client
        .command("echo", "x", OPTIONS)
        .await
        .unwrap_err();
    assert!(matches!(error, CommandError::Bus(BusError::Closed { .. })));
    assert_eq!(connected.client.under_way(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_given_up_leaves_nothing_behind() {
    let broker = LocalBroker::new();
    let _actor = open(&broker, "echo").await;
    let connected = connect(&broker, "tester").await.unwrap();
    let given_up = tokio::time::timeout(
        Duration::from_secs(1),
        connected.client.command("echo", "x", OPTIONS),
    );
    assert!(given_up.await.is_err());
    assert_eq!(connected.client.under_way(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_replies_is_bounded_and_does_not_hide_the_final_one() {
    let broker = LocalBroker::new();
    let mut actor = open(&broker, "echo").await;
    let connected = connect(&broker, "tester").await.unwrap();
    let mut running = connected.client.begin("echo", "x", OPTIONS).await.unwrap();
    let mut flood = vec![(Code::Info, Keywords::new()); 3 * REPLIES];
    flood.push((Code::Done, Keywords::new()));
    answer(&mut actor, &flood).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let mut count = 0;
    let mut last = Code::Running;
    while let Some(reply) = running.next().await.unwrap() {
        (count, last) = (count + 1, reply.code);
    }
    assert_eq!((count, last), (REPLIES, Code::Done));
}

#[tokio::test(start_paused = true)]
async fn dropping_or_closing_a_connected_client_ends_its_session() {
    let broker = LocalBroker::new();
    let connected = connect(&broker, "tester").await.unwrap();
    let client = connected.client.clone();
    drop(connected);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(broker.sessions(), [""; 0]);
    assert!(client.command("echo", "x", OPTIONS).await.is_err());
    connect(&broker, "tester").await.unwrap().close().await;
    assert_eq!(broker.sessions(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_does_not_answer_does_not_stretch_the_limit() {
    struct Hangs;

    #[async_trait]
    impl Publisher for Hangs {
        async fn publish(&self, _: Message) -> Result<Routing, BusError> {
            std::future::pending().await
        }

        async fn post(&self, _: Message) -> Result<(), BusError> {
            std::future::pending().await
        }

        async fn close(&self) {}
    }

    let client = Client::new("tester", Arc::new(Hangs));
    let start = Instant::now();
    let error = client.command("echo", "x", OPTIONS).await.unwrap_err();
    assert!(matches!(error, CommandError::TimedOut { .. }));
    assert_eq!(start.elapsed(), OPTIONS.limit);
    assert_eq!(client.under_way(), 0);
}
