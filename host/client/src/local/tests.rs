use super::*;
use crate::bus::CommandQueue;
use crate::contract;

#[tokio::test(start_paused = true)]
async fn the_broker_in_memory_keeps_the_contract_of_a_bus() {
    for (name, body) in contract::ALL {
        let broker = LocalBroker::new();
        if let Err(error) = body(&broker, name).await {
            panic!("{name}: {error:#}");
        }
        assert_eq!(broker.sessions(), [""; 0], "{name} left sessions behind");
    }
}

const TTL: Duration = Duration::from_secs(5);

fn actor(name: &str) -> SessionSpec {
    SessionSpec {
        commands: Some(CommandQueue { ttl: TTL }),
        ..SessionSpec::client(name)
    }
}

fn command(body: &str) -> Message {
    Message {
        routing_key: "command.lvmbeat".to_owned(),
        body: body.as_bytes().to_vec(),
        ..Message::default()
    }
}

#[tokio::test(start_paused = true)]
async fn killing_the_sessions_ends_their_streams_and_frees_their_names() {
    let broker = LocalBroker::new();
    let mut session = broker.open(&actor("lvmbeat")).await.unwrap();
    session.publisher.publish(command("lost")).await.unwrap();
    assert_eq!(broker.depth("lvmbeat_commands"), Some(1));
    broker.kill_sessions();
    assert_eq!(session.commands.next().await, None);
    assert_eq!(session.replies.next().await, None);
    let closed = session.publisher.publish(command("x")).await;
    assert!(matches!(closed, Err(BusError::Closed { .. })));
    assert_eq!(broker.depth("lvmbeat_commands"), None);
    // The remains of the old one do the new one no harm.
    let mut second = broker.open(&actor("lvmbeat")).await.unwrap();
    drop(session);
    assert_eq!(broker.sessions(), ["lvmbeat"]);
    second.publisher.publish(command("new")).await.unwrap();
    assert_eq!(second.commands.next().await.unwrap().body, b"new");
}

#[tokio::test(start_paused = true)]
async fn a_waiting_stream_is_woken_by_the_end_of_its_session() {
    for end in [
        (|broker: &LocalBroker| broker.kill_sessions()) as fn(&LocalBroker),
        |broker| broker.set_up(false),
        |broker| assert!(broker.delete_queue("lvmbeat_commands")),
    ] {
        let broker = LocalBroker::new();
        let mut session = broker.open(&actor("lvmbeat")).await.unwrap();
        let waiting = tokio::spawn(async move { session.commands.next().await });
        tokio::task::yield_now().await;
        end(&broker);
        assert_eq!(waiting.await.unwrap(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_down_cannot_be_reached() {
    let broker = LocalBroker::new();
    broker.set_up(false);
    let down = broker.open(&actor("lvmbeat")).await;
    assert!(matches!(down, Err(BusError::Unreachable { .. })));
    broker.clone().set_up(true);
    assert!(broker.open(&actor("lvmbeat")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_deleted_queue_takes_only_its_own_stream_along() {
    let broker = LocalBroker::new();
    assert!(!broker.delete_queue("lvmbeat_commands"));
    let mut session = broker.open(&actor("lvmbeat")).await.unwrap();
    assert!(broker.delete_queue("lvmbeat_commands"));
    assert_eq!(session.commands.next().await, None);
    let published = session.publisher.publish(command("x")).await.unwrap();
    assert_eq!(published, Routing::Unroutable);
    assert_eq!(broker.sessions(), ["lvmbeat"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_expires_at_its_ttl_and_not_a_moment_sooner() {
    for (waited, expected) in [
        (Duration::from_millis(4999), "waited"),
        (TTL, "fresh"),
        (TTL * 2, "fresh"),
    ] {
        let broker = LocalBroker::new();
        let mut session = broker.open(&actor("lvmbeat")).await.unwrap();
        session
            .publisher
            .publish(command("prefetched"))
            .await
            .unwrap();
        session.publisher.publish(command("waited")).await.unwrap();
        tokio::time::sleep(waited).await;
        session.publisher.publish(command("fresh")).await.unwrap();
        assert_eq!(session.commands.next().await.unwrap().body, b"prefetched");
        let next = session.commands.next().await.unwrap();
        assert_eq!(next.body, expected.as_bytes(), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_ttl_of_zero_still_delivers_to_a_consumer_that_is_free() {
    let broker = LocalBroker::new();
    let spec = SessionSpec {
        commands: Some(CommandQueue {
            ttl: Duration::ZERO,
        }),
        ..actor("lvmbeat")
    };
    let mut session = broker.open(&spec).await.unwrap();
    for body in ["first", "dropped"] {
        session.publisher.publish(command(body)).await.unwrap();
    }
    assert_eq!(session.commands.next().await.unwrap().body, b"first");
    session.publisher.publish(command("second")).await.unwrap();
    assert_eq!(session.commands.next().await.unwrap().body, b"second");
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_drops_its_oldest() {
    let broker = LocalBroker::new();
    let mut session = broker.open(&actor("lvmbeat")).await.unwrap();
    for number in 0..QUEUE_LIMIT + 3 {
        session
            .publisher
            .post(command(&number.to_string()))
            .await
            .unwrap();
    }
    assert_eq!(broker.depth("lvmbeat_commands"), Some(QUEUE_LIMIT + 1));
    // The first one was at the consumer already.
    assert_eq!(session.commands.next().await.unwrap().body, b"0");
    assert_eq!(session.commands.next().await.unwrap().body, b"3");
}
