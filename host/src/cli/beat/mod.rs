//! `lvmbeat beat`: one heartbeat over one connection, while a command lives and a check succeeds.
//!
//! A beat says that what is guarded was well when it was sent (S1). So there is none that is not
//! preceded by a look at it within the period, none after the command's end, and none that waits
//! here for a connection (S3).

mod guard;
mod standing;

use std::ffi::OsString;
use std::time::Duration;

use embassy_time::Instant;
use serde_json::Value;
use tokio::time::sleep;

use self::guard::{Guarded, Orders};
use self::standing::Standing;
use super::status::clean;
use super::{Failure, client, say};
use crate::clock::{BootClock, Clock as _, core_duration};
use crate::clu::CommandOptions;
use crate::clu::client::Connected;
use crate::config::Config;
use crate::errors::with_causes;

pub(super) use self::guard::become_command;

/// Without an answer, the next attempt follows that soon.
const RETRY: Duration = Duration::from_secs(1);
/// A beat may be on its way, and its answer, at least and at most for so long.
const QUICKEST: Duration = Duration::from_secs(1);
const SLOWEST: Duration = Duration::from_secs(10);
/// A busy actor answers within it, however short the period is.
const PATIENCE: Duration = Duration::from_secs(3);
/// X2: a longer value of `seen` is nobody's, and as much of an actor's words is shown.
const LONGEST: usize = 400;

/// What is to be beaten, and while what is well.
#[derive(Debug)]
pub(super) struct Beat<'a> {
    pub(super) heartbeat: &'a str,
    pub(super) every: Duration,
    pub(super) check: Option<&'a str>,
    pub(super) command: &'a [OsString],
}

/// Beats until the command ends, and ends like it; with a check alone until it is told to end.
pub(super) fn run(config: &Config, beat: &Beat<'_>) -> Result<(), Failure> {
    // A wrong URL keeps the command from being started.
    config.actor.bus()?;
    client::on_a_runtime(async {
        let mut orders = Orders::new(!beat.command.is_empty())?;
        let mut guarded = Guarded::start(beat.command)?;
        let mut heart = Heart {
            config,
            beat,
            life: guarded.life(),
            session: None,
            seen: None,
            standing: Standing::Well,
        };
        let ended = {
            let mut beating = std::pin::pin!(heart.go_on());
            loop {
                tokio::select! {
                    // S1: its end is looked for before anything is sent.
                    biased;
                    ended = guarded.end() => break ended,
                    signal = orders.next() => match signal {
                        Some(signal) if guarded.is_one() => guarded.forward(signal),
                        _ => break Ok(()),
                    },
                    failure = &mut beating => break Err(failure),
                }
            }
        };
        if let Some(session) = heart.session.take() {
            session.close().await;
        }
        ended
    })
}

struct Heart<'a> {
    config: &'a Config,
    beat: &'a Beat<'a>,
    life: guard::Life,
    session: Option<Connected>,
    /// The value in the last answer, which proves when the next beat was sent.
    seen: Option<String>,
    standing: Standing,
}

impl Heart<'_> {
    /// Until something is wrong that stays wrong.
    async fn go_on(&mut self) -> Failure {
        loop {
            let begun = tokio::time::Instant::now();
            match self.turn().await {
                Ok(Some(standing)) => self.tell(standing),
                // It took too long to be true: it is looked at anew.
                Ok(None) => {}
                Err(failure) => return failure,
            }
            let pause = match self.standing {
                Standing::NoAnswer(_) => RETRY.min(self.beat.every),
                Standing::Starting => guard::STARTING.min(self.beat.every),
                Standing::Stopped
                | Standing::Unsound(_)
                | Standing::Refused(_)
                | Standing::Held(_)
                | Standing::NotArriving(_)
                | Standing::Well => self.beat.every,
            };
            // A turn that takes longer than its period is followed by the next one, not by those
            // that it has missed.
            sleep(pause.saturating_sub(begun.elapsed())).await;
        }
    }

    /// One look, and one beat if all is well; a second one to prove the first, where it needs it.
    async fn turn(&mut self) -> Result<Option<Standing>, Failure> {
        let looked = BootClock.now();
        if let Some(standing) = self.life.hindrance() {
            return Ok(Some(standing));
        }
        if let Some(check) = self.beat.check
            && let Err(why) = guard::check(check, self.beat.every).await
        {
            return Ok(Some(Standing::Unsound(why)));
        }
        let is_new = self.session.is_none();
        if is_new {
            match client::connect(self.config).await {
                Ok(session) => self.session = Some(session),
                Err(failure @ Failure::NoBroker(_)) => {
                    return Ok(Some(no_answer(&failure)));
                }
                Err(failure) => return Err(failure),
            }
        }
        let first = self.send(looked).await?;
        // S3: the first beat of a session, of ours or of the actor's, is confirmed by the next one.
        let again = match &first {
            Some(Standing::Held(_) | Standing::Refused(_)) => {
                is_new || self.standing == Standing::Well
            }
            Some(Standing::Well | Standing::NotArriving(_)) => is_new,
            Some(
                Standing::Stopped
                | Standing::Starting
                | Standing::Unsound(_)
                | Standing::NoAnswer(_),
            )
            | None => false,
        };
        if again && self.seen.is_some() {
            return self.send(looked).await;
        }
        Ok(first)
    }

    /// One beat, unless the look at what it says is too old, or that has ended meanwhile (S1).
    async fn send(&mut self, looked: Instant) -> Result<Option<Standing>, Failure> {
        let mut words = vec!["set".to_owned(), self.beat.heartbeat.to_owned()];
        if let Some(seen) = &self.seen {
            words.extend(["--seen".to_owned(), seen.clone()]);
        }
        let command = client::join(&words)?;
        let Some(session) = &self.session else {
            return Ok(None);
        };
        if let Some(standing) = self.life.hindrance() {
            return Ok(Some(standing));
        }
        if is_late(looked, BootClock.now(), self.beat.every) {
            return Ok(None);
        }
        let actor = &self.config.actor.name;
        let options = CommandOptions {
            internal: false,
            expiration: Some(self.beat.every.clamp(QUICKEST, SLOWEST)),
            limit: self.beat.every.clamp(PATIENCE, SLOWEST),
        };
        match session.client.command(actor, &command, options).await {
            Ok(finished) => {
                let keywords = client::keywords(&finished.replies);
                let text = |name: &str| keywords.get(name).and_then(Value::as_str);
                let seen = text("seen").filter(|seen| seen.len() <= LONGEST);
                self.seen = seen.map(str::to_owned);
                let shown = |name: &str| text(name).map(|text| clean(text, LONGEST));
                Ok(Some(Standing::answered(finished.code, shown)))
            }
            Err(error) => {
                // S3: what was not taken goes with its connection, and is not sent later.
                if let Some(session) = self.session.take() {
                    session.close().await;
                }
                Ok(Some(no_answer(&error)))
            }
        }
    }

    fn tell(&mut self, standing: Standing) {
        for line in standing.news(&self.standing, self.beat.heartbeat) {
            say(&line);
        }
        self.standing = standing;
    }
}

fn no_answer(error: &dyn std::error::Error) -> Standing {
    Standing::NoAnswer(clean(&with_causes(error), LONGEST))
}

/// By the boot-time clock, which counts the time that the machine was suspended.
fn is_late(looked: Instant, now: Instant, every: Duration) -> bool {
    now.saturating_duration_since(looked) > core_duration(every.max(QUICKEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_a_look_that_is_older_than_the_period_is_no_ground_for_a_beat() {
        let looked = Instant::from_secs(100);
        let every = Duration::from_secs(5);
        assert!(!is_late(looked, Instant::from_secs(105), every));
        assert!(is_late(looked, Instant::from_millis(105_001), every));
    }
}
