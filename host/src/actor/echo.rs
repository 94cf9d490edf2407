//! The echo: a message of the actor to itself, through its own command queue (S3).
//!
//! The way from the broker keeps the order. So a `set` that arrives after an echo was sent after that echo was, and is at most as old as
//! it; wherever it waited, in the queue, on a stalled connection, or in this process ([`lvmbeat_core::path`]).

use std::time::Duration;

use embassy_time::Instant;
use uuid::Uuid;

use crate::clu::bus::{Header, Message};
use crate::config::core_duration;

const HEADER: &str = "lvmbeat_echo";

/// The echoes of one session.
pub(super) struct Echo {
    routing_key: String,
    period: Duration,
    expiration: Duration,
    /// Tells this session's echoes from those of anybody else.
    session: String,
    last_sent: Option<Instant>,
}

impl Echo {
    /// For the actor of that name, whose commands may be at most as old as `limit`.
    pub(super) fn new(actor: &str, period: Duration, limit: Duration) -> Self {
        Self {
            // Bound to the command queue, as `command.NAME.#` is.
            routing_key: format!("command.{actor}.echo"),
            period,
            expiration: limit,
            session: Uuid::new_v4().simple().to_string(),
            last_sent: None,
        }
    }

    /// The echo to be sent at `now`, if one is due.
    pub(super) fn due(&mut self, now: Instant) -> Option<Message> {
        let since = self.last_sent.and_then(|at| now.checked_duration_since(at));
        if since.is_some_and(|since| since < core_duration(self.period)) {
            return None;
        }
        self.last_sent = Some(now);
        let text = format!("{} {}", self.session, now.as_ticks());
        Some(Message {
            routing_key: self.routing_key.clone(),
            expiration: Some(self.expiration),
            headers: [(HEADER.to_owned(), Header::Text(text))].into(),
            ..Message::default()
        })
    }

    /// When the echo was sent that this message is. `None` for any other message.
    pub(super) fn returned(&self, message: &Message) -> Option<Instant> {
        let Some(Header::Text(text)) = message.headers.get(HEADER) else {
            return None;
        };
        let (session, ticks) = text.split_once(' ')?;
        if session != self.session {
            return None;
        }
        ticks.parse().ok().map(Instant::from_ticks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(4);
    const PERIOD: Duration = Duration::from_millis(500);

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn an_echo_is_due_once_in_a_period() {
        let mut echo = Echo::new("lvmbeat", PERIOD, LIMIT);
        let message = echo.due(at(1000)).unwrap();
        assert_eq!(message.routing_key, "command.lvmbeat.echo");
        assert!(echo.due(at(1499)).is_none());
        assert!(echo.due(at(1500)).is_some());
    }

    #[test]
    fn s3_an_echo_tells_when_it_was_sent() {
        let mut echo = Echo::new("lvmbeat", PERIOD, LIMIT);
        let message = echo.due(at(1000)).unwrap();
        assert_eq!(echo.returned(&message), Some(at(1000)));
    }

    #[test]
    fn s3_nobody_elses_message_is_taken_for_an_echo() {
        let mut other = Echo::new("lvmbeat", PERIOD, LIMIT);
        let mut message = other.due(at(1000)).unwrap();
        let echo = Echo::new("lvmbeat", PERIOD, LIMIT);
        assert_eq!(echo.returned(&message), None);
        for text in [
            "",
            " ",
            "1000",
            "x 1000",
            &echo.session,
            &format!("{} soon", echo.session),
        ] {
            message
                .headers
                .insert(HEADER.to_owned(), Header::Text(text.to_owned()));
            assert_eq!(echo.returned(&message), None, "{text}");
        }
        assert_eq!(echo.returned(&Message::default()), None);
    }
}
