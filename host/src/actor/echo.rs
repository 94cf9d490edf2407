//! Echoes: messages of the actor to itself, by which it proves that a queue of its session still
//! gets what it should.
//!
//! Through the command queue they also tell how old a `set` can be (S3). The way from the broker
//! keeps the order. So a `set` that arrives after an echo was sent after that echo was, and is at
//! most as old as it; wherever it waited, in the queue, on a stalled connection, or in this process
//! ([`lvmbeat_core::path`]). The times are the actor's own: what travels is a number that nobody
//! can guess before it was sent, so that no message, by whomever, makes anything look younger than
//! it is.
//!
//! Through the replies queue they find a binding that somebody has removed, which looks like an
//! enclosure that never answers.

use std::collections::VecDeque;
use std::time::Duration;

use embassy_time::Instant;
use jiff::Timestamp;
use uuid::Uuid;

use crate::clu::bus::{ECHO, Header, Message};
use crate::clu::message::{Code, Keywords, ReplyAddress, encode_reply};
use crate::config::core_duration;

/// Everybody who listens to all replies gets those echoes, too: no more of them than are needed.
/// They go out with the next one through the command queue.
const REPLIES_PERIOD: Duration = Duration::from_secs(2);
/// More are never under way in a session that is not given up; what is older proves nothing.
const UNDER_WAY: usize = 64;

/// All that a session needs, proved by use.
pub(super) struct Echoes {
    /// When the last `set` came in this session, whether or not it counted.
    beaten_at: Option<Instant>,
    quiet_after: Duration,
    /// The command queue.
    pub(super) commands: Echo,
    /// Each binding of the replies queue that the actor relies on.
    pub(super) replies: [Echo; 2],
}

impl Echoes {
    /// For the actor of that name and its enclosure, in a session that was opened at `now`.
    /// Commands may be at most `ttl` old, and a way on which nothing came back for `deaf_after` is
    /// given up. Who has not beaten for `quiet_after` does not beat.
    pub(super) fn new(
        actor: &str,
        ecp: &str,
        quiet_after: Duration,
        ttl: Duration,
        deaf_after: Duration,
        now: Instant,
    ) -> Self {
        let reply = |what, commander: String| Echo {
            what,
            // Each key fits one of the two bindings only: `reply.ACTOR.#`, and `reply.#.ECP`.
            envelope: Envelope::Reply {
                actor: actor.to_owned(),
                commander,
            },
            period: REPLIES_PERIOD.min(deaf_after / 8),
            expiration: deaf_after,
            deaf_after,
            under_way: VecDeque::new(),
            last_sent: None,
            proven: now,
        };
        Self {
            beaten_at: None,
            quiet_after,
            commands: Echo {
                what: "the actor's own messages do not arrive",
                // Bound to the command queue, as `command.NAME.#` is.
                envelope: Envelope::Command {
                    routing_key: format!("command.{actor}.echo"),
                },
                // While nobody beats: the age of the path stays below `ttl`, so that the first
                // beat is not taken for too old.
                period: ttl / 2,
                expiration: ttl,
                deaf_after,
                under_way: VecDeque::new(),
                last_sent: None,
                proven: now,
            },
            replies: [
                reply(
                    "replies to the actor do not arrive",
                    format!("{actor}.echo"),
                ),
                reply(
                    "replies of the enclosure do not arrive",
                    format!("{actor}_echo.{ecp}"),
                ),
            ],
        }
    }

    /// Somebody beats, so that the age of the path has to be known.
    pub(super) fn beaten(&mut self, now: Instant) {
        self.beaten_at = Some(now);
    }

    fn is_quiet(&self, now: Instant) -> bool {
        let Some(last) = self.beaten_at else {
            return true;
        };
        let age = now.checked_duration_since(last);
        age.is_some_and(|age| age >= core_duration(self.quiet_after))
    }

    /// The echoes that are to be sent at `now`. While somebody beats, the command queue is proved
    /// each time; otherwise nobody waits for the answer, and it is proved less often.
    pub(super) fn due(&mut self, now: Instant, wall: Timestamp) -> Vec<Message> {
        if self.is_quiet(now) && !self.commands.is_due(now) {
            return Vec::new();
        }
        let first = self.commands.send(now, wall);
        let others = self.replies.iter_mut();
        let others = others.filter(|echo| echo.is_due(now));
        let others = others.map(|echo| echo.send(now, wall));
        std::iter::once(first).chain(others).collect()
    }

    /// What does not arrive any more, if anything: the session is of no use then.
    pub(super) fn deaf(&self, now: Instant) -> Option<&'static str> {
        let mut all = std::iter::once(&self.commands).chain(&self.replies);
        all.find(|echo| echo.is_deaf(now)).map(|echo| echo.what)
    }

    /// Takes a message from the replies queue. Whether it is an echo, or says that it is.
    pub(super) fn reply_returned(&mut self, message: &Message) -> Option<Returned> {
        let [own, overheard] = &mut self.replies;
        match own.returned(message)? {
            Returned::Foreign => overheard.returned(message),
            returned @ Returned::SentAt(_) => Some(returned),
        }
    }
}

/// What an echo that arrives is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Returned {
    /// The one that was sent then.
    SentAt(Instant),
    /// None that is under way: somebody else's message.
    Foreign,
}

enum Envelope {
    Command { routing_key: String },
    Reply { actor: String, commander: String },
}

/// The echoes on one way.
pub(super) struct Echo {
    /// What is the matter if they do not come back.
    what: &'static str,
    envelope: Envelope,
    period: Duration,
    expiration: Duration,
    deaf_after: Duration,
    /// In the order in which they were sent: their numbers, and when that was.
    under_way: VecDeque<(String, Instant)>,
    last_sent: Option<Instant>,
    /// When the newest one was sent that came back; in the beginning, when the session was opened.
    proven: Instant,
}

impl Echo {
    fn is_due(&self, now: Instant) -> bool {
        let since = self.last_sent.and_then(|at| now.checked_duration_since(at));
        since.is_none_or(|since| since >= core_duration(self.period))
    }

    fn send(&mut self, now: Instant, wall: Timestamp) -> Message {
        self.last_sent = Some(now);
        if self.under_way.len() >= UNDER_WAY {
            self.under_way.pop_front();
        }
        let number = Uuid::new_v4().simple().to_string();
        self.under_way.push_back((number.clone(), now));
        let mut message = self.envelope.message(wall);
        message.expiration = Some(self.expiration);
        message
            .headers
            .insert(ECHO.to_owned(), Header::Text(number));
        message
    }

    /// Takes a message. `None` if it does not even say that it is an echo.
    pub(super) fn returned(&mut self, message: &Message) -> Option<Returned> {
        let header = message.headers.get(ECHO)?;
        let place = self
            .under_way
            .iter()
            .position(|(number, _)| matches!(header, Header::Text(text) if text == number))
            .filter(|_| self.envelope.is_of(message));
        let Some(place) = place else {
            return Some(Returned::Foreign);
        };
        // Those before it are lost, as the way keeps the order, and would prove less.
        let (_, sent) = self.under_way.drain(..=place).next_back()?;
        self.proven = self.proven.max(sent);
        Some(Returned::SentAt(sent))
    }

    /// S3: whether it is not known that something came back within the limit. A clock that is
    /// behind the last proof knows nothing.
    fn is_deaf(&self, now: Instant) -> bool {
        let age = now.checked_duration_since(self.proven);
        age.is_none_or(|age| age >= core_duration(self.deaf_after))
    }
}

impl Envelope {
    fn message(&self, wall: Timestamp) -> Message {
        match self {
            Self::Command { routing_key } => Message {
                routing_key: routing_key.clone(),
                ..Message::default()
            },
            // A whole reply, to nobody: CLU's clients log what is none.
            Self::Reply { actor, commander } => {
                let address = ReplyAddress {
                    commander_id: Some(commander.clone()),
                    command_id: None,
                    internal: true,
                };
                encode_reply(actor, &address, Code::Debug, &Keywords::new(), wall)
            }
        }
    }

    fn is_of(&self, message: &Message) -> bool {
        match self {
            Self::Command { routing_key } => message.routing_key == *routing_key,
            Self::Reply { commander, .. } => {
                message.routing_key.strip_prefix("reply.") == Some(commander)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET_AFTER: Duration = Duration::from_secs(30);
    const TTL: Duration = Duration::from_secs(4);
    const DEAF_AFTER: Duration = Duration::from_secs(8);

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn echoes() -> Echoes {
        Echoes::new("lvmbeat", "lvmecp", QUIET_AFTER, TTL, DEAF_AFTER, at(1000))
    }

    /// The next message of that key.
    fn due(echoes: &mut Echoes, now: Instant, key: &str) -> Option<Message> {
        let mut due = echoes.due(now, Timestamp::UNIX_EPOCH).into_iter();
        due.find(|message| message.routing_key == key)
    }

    fn command(echoes: &mut Echoes, now: Instant) -> Message {
        echoes.beaten(now);
        due(echoes, now, "command.lvmbeat.echo").unwrap()
    }

    #[test]
    fn s3_the_path_is_proved_each_time_while_somebody_beats_and_else_within_the_limit() {
        let mut echoes = echoes();
        let due =
            |echoes: &mut Echoes, millis| !echoes.due(at(millis), Timestamp::UNIX_EPOCH).is_empty();
        assert!(due(&mut echoes, 1000));
        assert!(!due(&mut echoes, 2999));
        assert!(due(&mut echoes, 3000));
        echoes.beaten(at(3000));
        for millis in [3001, 3002, 32_999] {
            assert!(due(&mut echoes, millis));
        }
        assert!(!due(&mut echoes, 33_000));
        assert!(due(&mut echoes, 34_999));
        // A clock that is behind the last beat says nothing.
        echoes.beaten(at(60_000));
        assert!(due(&mut echoes, 35_000));
    }

    #[test]
    fn s3_an_echo_tells_when_it_was_sent() {
        let mut echoes = echoes();
        let message = command(&mut echoes, at(1000));
        let returned = echoes.commands.returned(&message);
        assert_eq!(returned, Some(Returned::SentAt(at(1000))));
    }

    #[test]
    fn s3_what_is_no_echo_under_way_is_foreign() {
        let mut echoes = echoes();
        let message = command(&mut echoes, at(1000));
        // Another session's, and what somebody makes up; with the largest of times, too.
        let mut others = self::echoes();
        let other = command(&mut others, at(1000));
        let Some(Header::Text(number)) = message.headers.get(ECHO) else {
            panic!("{message:?}")
        };
        let mut made_up: Vec<Header> = [
            "",
            " ",
            "1000",
            &number[1..],
            &number.to_uppercase(),
            &format!("{number} 18446744073709551615"),
            &format!("{number} 1000"),
        ]
        .map(|text| Header::Text(text.to_owned()))
        .into();
        made_up.retain(|header| *header != Header::Text(number.clone()));
        made_up.extend([Header::Null, Header::Int(i64::MAX), Header::Other]);
        made_up.extend(other.headers.get(ECHO).cloned());
        for header in made_up {
            let mut forged = message.clone();
            forged.headers.insert(ECHO.to_owned(), header);
            let returned = echoes.commands.returned(&forged);
            assert_eq!(returned, Some(Returned::Foreign), "{forged:?}");
        }
        // The same number by another way.
        let elsewhere = Message {
            routing_key: "command.lvmbeat".to_owned(),
            ..message.clone()
        };
        assert_eq!(
            echoes.commands.returned(&elsewhere),
            Some(Returned::Foreign)
        );
        assert_eq!(echoes.reply_returned(&message), Some(Returned::Foreign));
        assert_eq!(echoes.commands.returned(&Message::default()), None);
        // None of this has moved anything.
        assert_eq!(echoes.commands.proven, at(1000));
        let returned = echoes.commands.returned(&message);
        assert_eq!(returned, Some(Returned::SentAt(at(1000))));
    }

    #[test]
    fn s3_an_echo_counts_once_and_an_older_one_not_after_it() {
        let mut echoes = echoes();
        let older = command(&mut echoes, at(1000));
        let newer = command(&mut echoes, at(1500));
        let returned = echoes.commands.returned(&newer);
        assert_eq!(returned, Some(Returned::SentAt(at(1500))));
        for copy in [newer, older] {
            assert_eq!(echoes.commands.returned(&copy), Some(Returned::Foreign));
        }
    }

    #[test]
    fn s3_no_two_echoes_have_a_number_that_could_be_known_before() {
        let mut echoes = echoes();
        let first = command(&mut echoes, at(1000));
        let second = command(&mut echoes, at(1500));
        assert_ne!(first.headers.get(ECHO), second.headers.get(ECHO));
    }

    /// The one rule: unless it is known that something came back within the limit, the session is
    /// given up.
    #[test]
    fn s3_a_way_whose_age_is_unknown_or_at_the_limit_is_given_up() {
        let deaf = |echoes: &Echoes, millis| echoes.deaf(at(millis));
        let mut echoes = echoes();
        assert_eq!(deaf(&echoes, 1000), None);
        assert_eq!(deaf(&echoes, 8999), None);
        let what = Some("the actor's own messages do not arrive");
        assert_eq!(deaf(&echoes, 9000), what);
        // A clock that is behind: unknown.
        assert_eq!(deaf(&echoes, 999), what);
        // Each way by itself.
        for message in echoes.due(at(5000), Timestamp::UNIX_EPOCH) {
            assert!(deaf(&echoes, 9000).is_some());
            let returned = match message.routing_key.as_str() {
                "command.lvmbeat.echo" => echoes.commands.returned(&message),
                _ => echoes.reply_returned(&message),
            };
            assert_eq!(returned, Some(Returned::SentAt(at(5000))));
        }
        assert_eq!(deaf(&echoes, 9000), None);
        assert_eq!(deaf(&echoes, 13_000), what);
    }

    #[test]
    fn each_binding_of_the_replies_queue_has_an_echo_of_its_own() {
        for (key, what) in [
            ("reply.lvmbeat.echo", "to the actor"),
            ("reply.lvmbeat_echo.lvmecp", "of the enclosure"),
        ] {
            let mut echoes = echoes();
            let mut due = echoes.due(at(2000), Timestamp::UNIX_EPOCH);
            due.retain(|message| message.routing_key != key);
            for message in &due {
                let _ = echoes.commands.returned(message);
                let _ = echoes.reply_returned(message);
            }
            let deaf = echoes.deaf(at(9000)).unwrap();
            assert!(deaf.contains(what), "{deaf}");
        }
    }

    #[test]
    fn what_is_under_way_has_a_bound() {
        let mut echoes = echoes();
        for second in 1..1000 {
            command(&mut echoes, at(second * 1000));
        }
        assert_eq!(echoes.commands.under_way.len(), UNDER_WAY);
    }
}
