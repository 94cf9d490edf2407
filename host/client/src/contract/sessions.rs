//! Sessions for the test bodies, and waiting for what happens on them.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tokio::time::{Instant, sleep, timeout};

use super::{LONG, SOON};
use crate::bus::{Bus, BusError, CommandQueue, Message, Session, SessionSpec};

pub(super) async fn open_actor(
    bus: &dyn Bus,
    name: &str,
    ttl: Duration,
) -> Result<Session, BusError> {
    bus.open(&SessionSpec {
        commands: Some(CommandQueue { ttl }),
        ..SessionSpec::client(name)
    })
    .await
}

pub(super) async fn open_client(bus: &dyn Bus, name: &str) -> Result<Session, BusError> {
    bus.open(&SessionSpec::client(name)).await
}

/// A client that overhears the replies to commanders of that pattern.
pub(super) async fn open_eavesdropper(
    bus: &dyn Bus,
    name: &str,
    commanders: &str,
) -> Result<Session, BusError> {
    bus.open(&SessionSpec {
        overhears: Some(commanders.to_owned()),
        ..SessionSpec::client(name)
    })
    .await
}

/// Opens a name that is about to become free.
pub(super) async fn reopen(bus: &dyn Bus, name: &str) -> Result<Session> {
    let end = Instant::now() + SOON;
    loop {
        match open_actor(bus, name, LONG).await {
            Err(BusError::Locked { .. }) if Instant::now() < end => {
                sleep(Duration::from_millis(20)).await;
            }
            opened => return Ok(opened?),
        }
    }
}

pub(super) fn locked(opened: Result<Session, BusError>) -> Result<String> {
    match opened {
        Err(BusError::Locked { queue }) => Ok(queue),
        Err(other) => Err(other.into()),
        Ok(_) => bail!("the queue was not locked"),
    }
}

pub(super) fn text(routing_key: &str, body: &str) -> Message {
    Message {
        routing_key: routing_key.to_owned(),
        body: body.as_bytes().to_vec(),
        ..Message::default()
    }
}

pub(super) async fn next(messages: &mut BoxStream<'static, Message>) -> Result<Message> {
    timeout(SOON, messages.next())
        .await
        .context("no message came")?
        .context("the stream ended")
}

pub(super) async fn next_that(
    messages: &mut BoxStream<'static, Message>,
    wanted: impl Fn(&Message) -> bool,
) -> Result<Message> {
    loop {
        let message = next(messages).await?;
        if wanted(&message) {
            return Ok(message);
        }
    }
}

/// The routing keys of the replies with that body, up to one whose key ends so. Other tests may be
/// talking on the same exchange.
pub(super) async fn replies_until(
    session: &mut Session,
    body: &str,
    end: &str,
) -> Result<Vec<String>> {
    let mut heard = Vec::new();
    loop {
        let wanted = |reply: &Message| reply.body == body.as_bytes();
        let key = next_that(&mut session.replies, wanted).await?.routing_key;
        let last = key.ends_with(end);
        heard.push(key);
        if last {
            return Ok(heard);
        }
    }
}

pub(super) async fn eventually<F, R>(what: &str, mut happens: F) -> Result<()>
where
    F: FnMut() -> R,
    R: Future<Output = Result<bool>>,
{
    let end = Instant::now() + SOON;
    while !happens().await? {
        ensure!(Instant::now() < end, "in vain: {what}");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
