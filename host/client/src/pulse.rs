//! One heartbeat over one connection: sent, proved, and sent over a new connection when that is
//! lost.
//!
//! It has no pace and no ground of its own: [`Heart`](crate::Heart) beats for a loop of this
//! program, `lvmbeat beat` for another program.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::bus::Bus;
use crate::client::{CommandError, CommandOptions, Connected, Finished, connect};
use crate::errors::with_causes;
use crate::message::{Code, Keywords};
use crate::peer::one_line;

/// A beat may be on its way, and its answer, at least and at most for so long.
const QUICKEST: Duration = Duration::from_secs(1);
const SLOWEST: Duration = Duration::from_secs(10);
/// A busy actor answers within it, however short the period is.
const PATIENCE: Duration = Duration::from_secs(3);
/// X2: a longer value of `seen` is nobody's, and as much of an actor's words is shown.
const LONGEST: usize = 400;

/// What became of a beat. In the order in which a beat gets past them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Answer {
    /// No broker, no actor, or none in time; and why.
    NoAnswer(String),
    /// The actor does not count it, in its words.
    Refused(String),
    /// It counts, and the dome heartbeat is held all the same; why, in the actor's words.
    Held(String),
    /// It counts, and the dome heartbeat is not acknowledged; why, in the actor's words.
    NotArriving(String),
    /// It counts, and nothing is known to be wrong.
    Well,
}

/// No heartbeat can have that name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "a heartbeat's name is one word without control characters, as the actor's configuration has it"
)]
pub struct NotAName;

/// Sends one heartbeat, and proves when each beat was sent. What it is told to send it sends at
/// once or not at all (S3).
pub struct Pulse {
    bus: Arc<dyn Bus>,
    client: String,
    actor: String,
    set: String,
    every: Duration,
    session: Option<Connected>,
    /// No beat has been answered over this connection yet.
    is_new: bool,
    /// The value in the last answer, which proves when the next beat was sent.
    seen: Option<String>,
    was_well: bool,
}

impl Pulse {
    /// A client of that name, which is unique at the broker, that sets that heartbeat of that
    /// actor. What takes much longer than `every` is given up.
    pub fn new(
        bus: Arc<dyn Bus>,
        client: &str,
        actor: &str,
        heartbeat: &str,
        every: Duration,
    ) -> Result<Self, NotAName> {
        let is_word = |c: char| !c.is_whitespace() && !c.is_control();
        if heartbeat.is_empty() || !heartbeat.chars().all(is_word) {
            return Err(NotAName);
        }
        let quoted = shlex::try_quote(heartbeat).map_err(|_| NotAName)?;
        Ok(Self {
            bus,
            client: client.to_owned(),
            actor: actor.to_owned(),
            set: format!("set {quoted}"),
            every,
            session: None,
            is_new: true,
            seen: None,
            was_well: false,
        })
    }

    /// One beat, and a second one where it proves the first. `may` is asked before anything is
    /// sent, as time has passed: an error says why there is no ground for a beat any more (S1).
    pub async fn beat<W>(&mut self, mut may: impl FnMut() -> Result<(), W>) -> Result<Answer, W> {
        let answer = loop {
            if self.session.is_none() {
                match connect(&*self.bus, &self.client).await {
                    Ok(session) => self.session = Some(session),
                    Err(error) => break no_answer(&error),
                }
                self.is_new = true;
            }
            let is_new = self.is_new;
            let first = self.send(&mut may).await?;
            // S3: the first beat of a session, ours or the actor's, is confirmed by the next one.
            let again = match &first {
                Answer::Held(_) | Answer::Refused(_) => is_new || self.was_well,
                Answer::Well | Answer::NotArriving(_) => is_new,
                // The connection may have been lost since the last beat.
                Answer::NoAnswer(_) if !is_new && may().is_ok() => continue,
                Answer::NoAnswer(_) => false,
            };
            if again && self.seen.is_some() {
                break self.send(&mut may).await?;
            }
            break first;
        };
        self.was_well = answer == Answer::Well;
        Ok(answer)
    }

    async fn send<W>(&mut self, may: &mut impl FnMut() -> Result<(), W>) -> Result<Answer, W> {
        may()?;
        let seen = self.seen.as_deref();
        let seen = seen.and_then(|seen| shlex::try_quote(seen).ok());
        let proof = seen.map(|seen| format!(" --seen {seen}"));
        let command = format!("{}{}", self.set, proof.unwrap_or_default());
        let options = CommandOptions {
            internal: false,
            expiration: Some(self.every.clamp(QUICKEST, SLOWEST)),
            limit: self.every.clamp(PATIENCE, SLOWEST),
        };
        match self.command(&command, options).await {
            Ok(finished) => {
                let keywords = finished.replies.into_iter().flat_map(|reply| reply.body);
                let keywords: Keywords = keywords.collect();
                let seen = text(&keywords, "seen").filter(|seen| seen.len() <= LONGEST);
                self.seen = seen.map(str::to_owned);
                self.is_new = false;
                Ok(Answer::of(finished.code, &keywords))
            }
            Err(error) => {
                // S3: what was not taken goes with its connection, and is not sent later.
                self.end().await;
                Ok(no_answer(&error))
            }
        }
    }

    async fn command(
        &self,
        command: &str,
        options: CommandOptions,
    ) -> Result<Finished, CommandError> {
        let Some(session) = &self.session else {
            return Err(CommandError::TimedOut {
                actor: self.actor.clone(),
                limit: Duration::ZERO,
            });
        };
        session.client.command(&self.actor, command, options).await
    }

    /// Ends the connection in order, in a bounded time. The next beat opens another.
    pub async fn end(&mut self) {
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }
}

impl Answer {
    /// What the keywords of a reply say of it.
    fn of(code: Code, keywords: &Keywords) -> Self {
        let shown = |name| text(keywords, name).map(|words| one_line(words, LONGEST));
        if code != Code::Done {
            let why = shown("error").unwrap_or_else(|| "the actor does not say why".to_owned());
            Self::Refused(why)
        } else if let Some(why) = shown("held") {
            Self::Held(why)
        } else if let Some(why) = shown("not_arriving") {
            Self::NotArriving(why)
        } else {
            Self::Well
        }
    }
}

/// One sentence, for people.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer(why) => write!(f, "the beat is not answered: {why}"),
            Self::Refused(why) => write!(f, "the beat is refused: {why}"),
            Self::Held(why) => write!(f, "the dome heartbeat is held: {why}"),
            Self::NotArriving(why) => write!(f, "the dome heartbeat does not arrive: {why}"),
            Self::Well => f.write_str("the beat counts, and the dome heartbeat is not held"),
        }
    }
}

impl fmt::Debug for Pulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pulse")
            .field("broker", &self.bus.address())
            .field("client", &self.client)
            .field("set", &self.set)
            .finish_non_exhaustive()
    }
}

fn text<'a>(keywords: &'a Keywords, name: &str) -> Option<&'a str> {
    keywords.get(name).and_then(Value::as_str)
}

fn no_answer(error: &dyn std::error::Error) -> Answer {
    Answer::NoAnswer(one_line(&with_causes(error), LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(names: &[&str], words: &str) -> Keywords {
        let keyword = |name: &&str| ((*name).to_owned(), words.into());
        names.iter().map(keyword).collect()
    }

    #[test]
    fn an_answer_says_the_first_thing_that_is_wrong() {
        let all = said(&["not_arriving", "held", "error"], "x");
        let x = || "x".to_owned();
        assert_eq!(Answer::of(Code::Failed, &all), Answer::Refused(x()));
        assert_eq!(Answer::of(Code::Done, &all), Answer::Held(x()));
        let late = said(&["not_arriving"], "x");
        assert_eq!(Answer::of(Code::Done, &late), Answer::NotArriving(x()));
        assert_eq!(Answer::of(Code::Done, &Keywords::new()), Answer::Well);
    }

    #[test]
    fn x2_words_of_an_actor_are_one_line_of_bounded_length() {
        let words = said(&["held"], &"a\u{1b}[31m\n".repeat(1000));
        let Answer::Held(shown) = Answer::of(Code::Done, &words) else {
            unreachable!("it says that it is held");
        };
        assert_eq!(shown.chars().count(), LONGEST);
        assert!(!shown.contains(char::is_control));
    }

    #[test]
    fn x2_what_is_not_one_word_is_no_name() {
        let bus: Arc<dyn Bus> = Arc::new(crate::LocalBroker::new());
        for name in ["", "a b", "a\0", "\n"] {
            let pulse = Pulse::new(Arc::clone(&bus), "c", "lvmbeat", name, QUICKEST);
            assert_eq!(pulse.unwrap_err(), NotAName, "{name:?}");
        }
    }
}
