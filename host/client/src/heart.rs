//! Beats for a loop that works, and for nothing else.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use embassy_time::Instant;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::bus::Bus;
use crate::clock::{BootClock, Clock, core_duration};
use crate::message::new_command_id;
use crate::pulse::{Answer, NotAName, Pulse};

/// Without an answer, another attempt is made no sooner than this.
const RETRY: Duration = Duration::from_secs(1);
/// After so many periods without a sign of life the heart says so.
const SILENCE: u32 = 3;
/// A shorter period is taken for this, and a younger sign of life for fresh.
const SHORTEST: Duration = Duration::from_millis(100);
const FRESH: Duration = Duration::from_secs(1);

/// Beats for the loop that owns it: see [the crate's documentation](crate).
///
/// It has no timer that beats. A beat leaves at a call of [`alive`](Self::alive), and each call
/// leads to one beat at most. So there is none any more as soon as the loop hangs, waits, or ends,
/// whether by itself, by an error, by a panic or by being aborted: then the heart is dropped, which
/// also ends its connection.
///
/// It belongs to one loop. In an `Arc` that outlives the loop, or called from a task that has a
/// timer of its own, it proves nothing.
#[must_use = "a heart that is dropped beats no more"]
pub struct Heart {
    signs: watch::Sender<Option<Instant>>,
    standing: watch::Receiver<Standing>,
    clock: Arc<dyn Clock>,
}

/// How a [`Heart`] beats.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rhythm {
    /// The program's name, by which the actor knows it (`last_by`, `heartbeats[].from`). A number
    /// is appended that makes it unique. By default the heartbeat's name.
    pub program: Option<String>,
    /// The name of lvmbeat's actor: `actor.name`, by default `lvmbeat`.
    pub actor: String,
    /// A loop that is quicker beats no more often than this; by default 4 s, which suits every loop
    /// whose rounds take 10 s or less. Beats are apart by this and one round at the most. A sign of
    /// life that is older than this, because the broker was not there, leads to no beat (S3).
    pub every: Duration,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            program: None,
            actor: "lvmbeat".to_owned(),
            every: Duration::from_secs(4),
        }
    }
}

/// How it stands with a heartbeat.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// The loop has given no sign of life yet, or the first beat is on its way.
    Starting,
    /// The loop has given no sign of life for three times [`Rhythm::every`], and no beat is sent.
    Silent,
    /// What became of the last beat: whether the dome heartbeat is held, and why.
    Answered(Answer),
    /// The heart beats no more: its runtime has ended, or its loop has dropped it.
    Ended,
}

/// Why a heart cannot start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StartError {
    /// The heartbeat's name cannot be one.
    #[error(transparent)]
    Name(#[from] NotAName),
    /// It was not started by a task of tokio.
    #[error("a heart needs a tokio runtime: start it in an async function that tokio runs")]
    NoRuntime,
}

impl Heart {
    /// Starts to wait for signs of life. The connection is made at the first one.
    pub fn start(bus: impl Bus, heartbeat: &str, rhythm: &Rhythm) -> Result<Self, StartError> {
        Self::with_clock(Arc::new(bus), heartbeat, rhythm, Arc::new(BootClock))
    }

    fn with_clock(
        bus: Arc<dyn Bus>,
        heartbeat: &str,
        rhythm: &Rhythm,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let id = new_command_id();
        let program = rhythm.program.as_deref().unwrap_or(heartbeat);
        let client = format!("{program}-{}", id.get(..8).unwrap_or_default());
        let pulse = Pulse::new(bus, &client, &rhythm.actor, heartbeat, rhythm.every)?;
        let (signs, heard) = watch::channel(None);
        let (tell, standing) = watch::channel(Standing::Starting);
        let beating = Beating {
            pulse,
            every: rhythm.every.max(SHORTEST),
            clock: Arc::clone(&clock),
            tell,
        };
        // It ends with its heart, and tells its end.
        runtime.spawn(beating.run(heard));
        Ok(Self {
            signs,
            standing,
            clock,
        })
    }

    /// A sign of life: this round of the loop has done its work. Sends a beat if one is due. Never
    /// waits, whatever the broker does.
    pub fn alive(&self) {
        self.signs.send_replace(Some(self.clock.now()));
    }

    /// How it stands at this moment.
    pub fn standing(&self) -> Standing {
        if self.standing.has_changed().is_err() {
            return Standing::Ended;
        }
        self.standing.borrow().clone()
    }

    /// The same for others, who can wait for a change. It does not keep the heart beating.
    pub fn watch(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }
}

struct Beating {
    pulse: Pulse,
    every: Duration,
    clock: Arc<dyn Clock>,
    tell: watch::Sender<Standing>,
}

impl Beating {
    /// Until the heart is dropped.
    async fn run(mut self, signs: watch::Receiver<Option<Instant>>) {
        let mut heart = signs.clone();
        tokio::select! {
            // S1: that its loop has ended is looked for before anything is sent.
            biased;
            () = async { while heart.changed().await.is_ok() {} } => {}
            () = self.beat(signs) => {}
        }
        self.tell.send_replace(Standing::Ended);
        self.pulse.end().await;
    }

    async fn beat(&mut self, mut signs: watch::Receiver<Option<Instant>>) {
        let mut due = Instant::MIN;
        loop {
            match timeout(self.every.saturating_mul(SILENCE), signs.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) => {
                    self.tell.send_if_modified(|standing| {
                        let is_news = !matches!(standing, Standing::Starting | Standing::Silent);
                        if is_news {
                            *standing = Standing::Silent;
                        }
                        is_news
                    });
                    continue;
                }
            }
            let Some(sign) = *signs.borrow_and_update() else {
                continue;
            };
            if sign < due {
                continue;
            }
            let answer = self.answer(sign).await;
            let every = core_duration(self.every);
            let (from, pause) = match answer {
                Answer::NoAnswer(_) => (self.clock.now(), every.min(core_duration(RETRY))),
                Answer::Refused(_) | Answer::Held(_) | Answer::NotArriving(_) | Answer::Well => {
                    (sign, every)
                }
            };
            due = from.checked_add(pause).unwrap_or(Instant::MAX);
            tell(&self.tell, answer);
        }
    }

    /// What becomes of one beat.
    async fn answer(&mut self, sign: Instant) -> Answer {
        let late = || Answer::NoAnswer(format!("nobody has within {:?}", self.every));
        let limit = core_duration(self.every.max(FRESH));
        // S3: it may have waited for the broker, or this machine was suspended.
        let may = || {
            let fresh = is_fresh(sign, self.clock.now(), limit);
            if fresh { Ok(()) } else { Err(late()) }
        };
        let mut beat = pin!(self.pulse.beat(may));
        let answer = tokio::select! {
            answer = &mut beat => answer,
            () = sleep(self.every) => {
                tell(&self.tell, late());
                beat.await
            }
        };
        answer.unwrap_or_else(|late| late)
    }
}

fn tell(standing: &watch::Sender<Standing>, answer: Answer) {
    let now = Standing::Answered(answer);
    standing.send_if_modified(|before| {
        let is_news = *before != now;
        *before = now;
        is_news
    });
}

/// Equality is old, as everywhere.
fn is_fresh(sign: Instant, now: Instant, every: embassy_time::Duration) -> bool {
    now.checked_duration_since(sign)
        .is_some_and(|age| age < every)
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("no beat has been answered yet"),
            Self::Silent => f.write_str("no beat: the loop gives no sign of life"),
            Self::Answered(answer) => answer.fmt(f),
            Self::Ended => f.write_str("no beat: the heart has ended"),
        }
    }
}

impl fmt::Debug for Heart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heart")
            .field("standing", &self.standing())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
