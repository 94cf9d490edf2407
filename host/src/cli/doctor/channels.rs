//! The channels by which the monitor notifies people, where they are configured: tried without a
//! message, or with a test message if asked.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::certificate;
use super::finding::Finding;
use crate::clock::{BootClock, Clock as _};
use crate::config::monitor::Monitor;
use crate::monitor::notify::{Channel, DeliveryError, LetIn, Message, channels};

/// A mail server may take its time.
const LONGEST: Duration = Duration::from_secs(60);

pub(super) async fn look(config: &Monitor, send_test: bool) -> Vec<Finding> {
    let all = match channels(config) {
        Ok(all) => all,
        Err(error) => {
            let remedy = "correct what the message names";
            return vec![Finding::wrong("people", error.to_string(), remedy)];
        }
    };
    let mut found = Vec::new();
    let mut servers: Vec<&str> = Vec::new();
    for channel in &all {
        if send_test {
            found.push(tested(channel).await);
            continue;
        }
        // The recipients of one server share its login.
        if let Some(server) = channel.server() {
            if servers.contains(&server) {
                continue;
            }
            servers.push(server);
        }
        found.extend(checked(channel).await);
    }
    found
}

async fn tested(channel: &Arc<dyn Channel>) -> Finding {
    let sent = timeout(LONGEST, channel.deliver(&Message::Test)).await;
    match sent.unwrap_or_else(|_| Err(late())) {
        Ok(()) => Finding::well(
            "people",
            format!("{}: the test message was taken", channel.shown()),
        ),
        Err(error) => Finding::wrong(
            "people",
            format!(
                "{}: the test message was not sent: {error}",
                channel.shown()
            ),
            "correct what the message names: nobody would be alerted by this channel",
        ),
    }
}

async fn checked(channel: &Arc<dyn Channel>) -> Vec<Finding> {
    let checked = timeout(LONGEST, channel.check()).await;
    judged(
        channel.server().unwrap_or(channel.shown()),
        checked.unwrap_or_else(|_| Err(late())),
    )
}

fn late() -> DeliveryError {
    DeliveryError {
        cause: format!("no answer within {} s", LONGEST.as_secs()),
        retry_after: None,
    }
}

fn judged(whose: &str, checked: Result<Option<LetIn>, DeliveryError>) -> Vec<Finding> {
    match checked {
        Ok(Some(LetIn { logged_in, expires })) => {
            let text = if logged_in {
                format!("{whose} accepts the credentials")
            } else {
                format!("{whose} answers, and no login is configured")
            };
            let end = expires.map(|end| certificate::until(whose, end, BootClock.wall()));
            [Some(Finding::well("people", text)), end]
                .into_iter()
                .flatten()
                .collect()
        }
        Ok(None) => vec![Finding::unknown(
            "people",
            format!("whether {whose} works is not known: only a message tells"),
            "lvmbeat doctor --send-test",
        )],
        Err(error) => vec![Finding::wrong(
            "people",
            format!("{whose}: {error}"),
            "correct what the message names: nobody would be alerted by this channel",
        )],
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn m2_each_answer_of_a_channel_is_as_bad_as_it_is() {
        let verdicts = |checked| -> Vec<_> {
            let found = judged("it", checked).into_iter();
            found
                .map(|finding| (finding.what, finding.verdict))
                .collect()
        };
        let mut let_in = LetIn::default();
        assert_eq!(verdicts(Ok(Some(let_in))), [("people", Verdict::Well)]);
        let_in.logged_in = true;
        let_in.expires = Some(BootClock.wall());
        assert_eq!(
            verdicts(Ok(Some(let_in))),
            [("people", Verdict::Well), ("certificate", Verdict::Warning)]
        );
        assert_eq!(verdicts(Ok(None)), [("people", Verdict::Unknown)]);
        assert_eq!(verdicts(Err(late())), [("people", Verdict::Wrong)]);
    }
}
