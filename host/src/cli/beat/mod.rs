//! `lvmbeat beat`: one heartbeat over one connection, while a command lives and a check succeeds.
//!
//! A beat says that what is guarded was well when it was sent (S1). So there is none that is not
//! preceded by a look at it within the period, none after the command's end, and none that waits
//! here for a connection (S3).

mod guard;
mod standing;

use std::convert::Infallible;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use embassy_time::Instant;
use lvmbeat_client::Pulse;
use tokio::time::sleep;

use self::guard::{Guarded, Orders};
use self::standing::Standing;
use super::{Failure, client, say};
use crate::clock::{BootClock, Clock as _, core_duration};
use crate::config::Config;

pub(super) use self::guard::become_command;

/// Without an answer, the next attempt follows that soon.
const RETRY: Duration = Duration::from_secs(1);
/// A look at what is guarded is good for so long, however short the period is.
const FRESH: Duration = Duration::from_secs(1);

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
    // A wrong URL or name keeps the command from being started.
    let bus = Arc::new(config.actor.bus()?);
    client::on_a_runtime(async {
        let mut orders = Orders::new(!beat.command.is_empty())?;
        let (name, actor) = (client::name(), &config.actor.name);
        let pulse = Pulse::new(bus, &name, actor, beat.heartbeat, beat.every)?;
        let mut guarded = Guarded::start(beat.command)?;
        let mut heart = Heart {
            pulse,
            beat,
            life: guarded.life(),
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
                    never = &mut beating => match never {},
                }
            }
        };
        heart.pulse.end().await;
        ended
    })
}

struct Heart<'a> {
    pulse: Pulse,
    beat: &'a Beat<'a>,
    life: guard::Life,
    standing: Standing,
}

impl Heart<'_> {
    async fn go_on(&mut self) -> Infallible {
        loop {
            let begun = tokio::time::Instant::now();
            // Without one it took too long to be true: it is looked at anew.
            if let Some(standing) = self.turn().await {
                self.tell(standing);
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

    /// One look, and one beat if all is well: unless the look at what it says is too old when it
    /// is to be sent, or that has ended meanwhile (S1).
    async fn turn(&mut self) -> Option<Standing> {
        let looked = BootClock.now();
        let (life, every) = (self.life, self.beat.every);
        let hindrance = life.hindrance();
        if hindrance.is_some() {
            return hindrance;
        }
        if let Some(check) = self.beat.check
            && let Err(why) = guard::check(check, every).await
        {
            return Some(Standing::Unsound(why));
        }
        let may = || match life.hindrance() {
            None if !is_late(looked, BootClock.now(), every) => Ok(()),
            hindrance => Err(hindrance),
        };
        let answer = self.pulse.beat(may).await;
        answer.map_or_else(|hindrance| hindrance, |answer| Some(answer.into()))
    }

    fn tell(&mut self, standing: Standing) {
        for line in standing.news(&self.standing, self.beat.heartbeat) {
            say(&line);
        }
        self.standing = standing;
    }
}

/// By the boot-time clock, which counts the time that the machine was suspended.
fn is_late(looked: Instant, now: Instant, every: Duration) -> bool {
    now.saturating_duration_since(looked) > core_duration(every.max(FRESH))
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
