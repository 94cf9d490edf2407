//! A drill proves that the PLC closes the dome without the dome heartbeat: while the dome is known
//! to be closed, the heartbeat is withheld until the PLC says that it misses it (`hb_error`), and
//! released until the PLC hears it again. Pure: what is known and the time go in.
//!
//! A drill withholds and never emits, so it cannot hold a dome open (S1, S2). Whatever is not as it
//! was at the beginning ends it at once, so that it closes no dome that somebody opens (L1).

use embassy_time::{Duration, Instant};
use jiff::{SignedDuration, Timestamp};

use super::health::PlcError;
use crate::clock::{Moment, seconds};
use crate::journal::span;
use crate::peer::one_line;
use crate::report::{Dome, DrillVerdict};

/// What was said of the dome may be so old when a drill begins.
const RECENT: Duration = Duration::from_secs(15);

/// So much is kept of what is noted beside a drill, in characters (X2).
const LONGEST: usize = 300;

/// What a drill depends on, at one moment.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    pub(super) dome: Option<Dome>,
    /// How long ago the dome's position was said.
    pub(super) dome_age: Option<f64>,
    pub(super) engineering: Option<bool>,
    pub(super) error: Option<PlcError>,
    /// A session with the broker is open.
    pub(super) connected: bool,
    /// What holds the dome heartbeat beside the drill, in words.
    pub(super) held: Option<String>,
    /// When the enclosure last acknowledged one.
    pub(super) acknowledged: Option<Instant>,
    /// Acknowledgements come as they should.
    pub(super) arrives: bool,
}

/// Why no drill begins.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub(super) enum NotNow {
    #[error("a drill is under way already")]
    UnderWay,
    #[error("no drill is under way")]
    NoDrill,
    #[error("no drill has ended since the start")]
    NoneEnded,
    #[error("the dome is {}; a drill needs a closed dome", .0.map_or("not known to be closed", Dome::words))]
    NotClosed(Option<Dome>),
    #[error("the dome was last heard to be closed {} ago; send 'status' to {ecp}, and this again", span(*.age))]
    OldNews { age: f64, ecp: String },
    #[error("engineering mode is on: lvmecp feeds the PLC whatever lvmbeat does")]
    EngineeringMode,
    #[error(
        "the PLC is not known to hear the dome heartbeat (hb_error); send 'status' to {ecp}, and this again"
    )]
    PlcUnknown { ecp: String },
    #[error("the PLC says that it misses the dome heartbeat already (hb_error)")]
    PlcMissesIt,
    #[error("the dome heartbeat is held already: {0}")]
    Held(String),
    #[error("the dome heartbeat does not arrive at the PLC")]
    NotArriving,
}

/// What became of the last drill.
#[derive(Clone, PartialEq, Debug)]
pub struct Drilled {
    /// When it ended.
    pub at: Timestamp,
    /// How.
    pub verdict: DrillVerdict,
    /// In words.
    pub text: String,
    /// So many seconds after the last heartbeat the PLC said that it misses it.
    pub tripped_after: Option<f64>,
    /// Whether people were reached by a test message after it, if somebody has tried.
    pub people: Option<People>,
}

/// What became of a test message to people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct People {
    /// When that was noted.
    pub at: Timestamp,
    /// Every channel took it.
    pub reached: bool,
    /// In words.
    pub text: String,
}

/// How far a drill is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// The dome heartbeat is withheld until the PLC says that it misses it.
    Withholding,
    /// It is released until the PLC hears it again.
    Recovering,
}

impl Phase {
    /// As `status` names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Withholding => "withholding",
            Self::Recovering => "recovering",
        }
    }
}

/// The drills, as shown.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct DrillView {
    /// How far the one under way is.
    pub phase: Option<Phase>,
    /// For how long, in seconds.
    pub seconds: f64,
    /// What became of the last one since the start.
    pub last: Option<Drilled>,
    /// When one last passed, as far as the journal knows.
    pub proved_at: Option<Timestamp>,
    /// That is longer ago than `ecp.drill_days` says.
    pub due: bool,
}

/// The one under way.
#[derive(Clone, Copy, Debug)]
struct Running {
    began: Instant,
    step: Step,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The PLC was fed then at the latest.
    Withholding { fed: Instant },
    /// The PLC missed it after so long, and the heartbeat is released since then.
    Recovering { after: Duration, since: Instant },
}

pub(super) struct Drill {
    ecp: String,
    plc_timeout: Duration,
    /// The enclosure may take so long to write the PLC.
    write: Duration,
    /// What the enclosure knows may be said so late.
    patience: Duration,
    every: Option<SignedDuration>,
    running: Option<Running>,
    last: Option<Drilled>,
    proved_at: Option<Timestamp>,
    due: bool,
}

impl Drill {
    pub(super) fn new(ecp: &crate::config::Ecp) -> Self {
        let core = crate::config::core_duration;
        Self {
            ecp: ecp.actor.clone(),
            plc_timeout: core(ecp.plc_timeout),
            write: core(ecp.command_timeout),
            patience: core(ecp.facts_expire),
            every: ecp
                .drill_days
                .map(|days| SignedDuration::from_hours(24 * i64::from(days))),
            running: None,
            last: None,
            proved_at: None,
            due: false,
        }
    }

    /// Begins one, if nothing speaks against it.
    pub(super) fn begin(&mut self, watched: &Watched, now: Instant) -> Result<(), NotNow> {
        if self.running.is_some() {
            return Err(NotNow::UnderWay);
        }
        let ecp = || self.ecp.clone();
        if watched.dome != Some(Dome::Closed) {
            return Err(NotNow::NotClosed(watched.dome));
        }
        let age = watched.dome_age.unwrap_or(f64::INFINITY);
        if age > seconds(RECENT) {
            return Err(NotNow::OldNews { age, ecp: ecp() });
        }
        if watched.engineering == Some(true) {
            return Err(NotNow::EngineeringMode);
        }
        if let Some(text) = &watched.held {
            return Err(NotNow::Held(text.clone()));
        }
        let Some(error) = watched.error else {
            return Err(NotNow::PlcUnknown { ecp: ecp() });
        };
        if error.on {
            return Err(NotNow::PlcMissesIt);
        }
        let Some(fed) = watched.acknowledged.filter(|_| watched.arrives) else {
            return Err(NotNow::NotArriving);
        };
        tracing::info!("drill: the dome heartbeat is withheld until the PLC misses it");
        self.running = Some(Running {
            began: now,
            step: Step::Withholding { fed },
        });
        Ok(())
    }

    /// Ends the one under way before its end.
    pub(super) fn stop(&mut self, wall: Timestamp) -> Result<(), NotNow> {
        self.running.as_ref().ok_or(NotNow::NoDrill)?;
        self.end(
            DrillVerdict::Aborted,
            "a command stopped it".to_owned(),
            None,
            wall,
        );
        Ok(())
    }

    /// Notes beside the last drill whether people were reached.
    pub(super) fn people(
        &mut self,
        reached: bool,
        text: &str,
        wall: Timestamp,
    ) -> Result<(), NotNow> {
        let last = self.last.as_mut().ok_or(NotNow::NoneEnded)?;
        let text = one_line(text, LONGEST);
        if reached {
            tracing::info!("drill: people reached: {text}");
        } else {
            tracing::warn!("drill: people not reached: {text}");
        }
        last.people = Some(People {
            at: wall,
            reached,
            text,
        });
        Ok(())
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.running.is_some()
    }

    /// Whether the dome heartbeat is to be withheld.
    pub(super) fn withholds(&self) -> bool {
        let step = self.running.map(|running| running.step);
        matches!(step, Some(Step::Withholding { .. }))
    }

    /// To be called several times a second, and whenever something new is known.
    pub(super) fn look(&mut self, watched: &Watched, at: Moment) {
        let Some(running) = self.running else { return };
        match running.step {
            Step::Withholding { fed } => self.withholding(running, fed, watched, at),
            Step::Recovering { after, since } => self.recovering(after, since, watched, at),
        }
    }

    fn withholding(&mut self, running: Running, fed: Instant, watched: &Watched, at: Moment) {
        if let Some(cause) = disturbed(watched) {
            return self.end(DrillVerdict::Aborted, cause, None, at.wall);
        }
        // One may have been under way when the drill began.
        let fed = watched.acknowledged.map_or(fed, |last| last.max(fed));
        let missed = watched
            .error
            .filter(|error| error.on && error.since > running.began);
        let silence = age(fed, at.now);
        if let Some(missed) = missed {
            let after = age(fed, missed.since);
            if after + self.write < self.plc_timeout {
                let text = format!(
                    "the PLC missed the heartbeat {} after the last one, and ecp.plc_timeout is {}; correct the one that is wrong",
                    span(seconds(after)),
                    span(seconds(self.plc_timeout))
                );
                return self.end(DrillVerdict::Failed, text, Some(after), at.wall);
            }
            tracing::info!(
                "drill: the PLC misses the heartbeat, {} after the last one; it is released",
                span(seconds(after))
            );
            self.running = Some(Running {
                began: running.began,
                step: Step::Recovering {
                    after,
                    since: at.now,
                },
            });
        } else if silence > self.plc_timeout + self.patience {
            let text = format!(
                "the PLC did not say within {} that it misses the heartbeat (hb_error): it may not close the dome",
                span(seconds(silence))
            );
            self.end(DrillVerdict::Failed, text, None, at.wall);
        } else {
            self.running = Some(Running {
                step: Step::Withholding { fed },
                ..running
            });
        }
    }

    fn recovering(&mut self, after: Duration, since: Instant, watched: &Watched, at: Moment) {
        let heard = watched.acknowledged.is_some_and(|last| last > since)
            && watched
                .error
                .is_some_and(|error| !error.on && error.said > since);
        if heard {
            let text = format!(
                "the PLC missed the heartbeat {} after the last one, and heard it again",
                span(seconds(after))
            );
            self.end(DrillVerdict::Passed, text, Some(after), at.wall);
        } else if age(since, at.now) > self.plc_timeout + self.patience {
            let text = "the PLC missed the heartbeat, and was not heard to hear it again";
            self.end(DrillVerdict::Failed, text.to_owned(), Some(after), at.wall);
        }
    }

    fn end(
        &mut self,
        verdict: DrillVerdict,
        text: String,
        after: Option<Duration>,
        wall: Timestamp,
    ) {
        match verdict {
            DrillVerdict::Passed => tracing::info!("drill passed: {text}"),
            DrillVerdict::Failed => tracing::error!("drill failed: {text}"),
            DrillVerdict::Aborted => tracing::warn!("drill aborted: {text}"),
        }
        if verdict == DrillVerdict::Passed {
            self.proved_at = Some(wall);
        }
        self.running = None;
        self.last = Some(Drilled {
            at: wall,
            verdict,
            text,
            tripped_after: after.map(seconds),
            people: None,
        });
        self.look_at_the_calendar(wall);
    }

    /// The journal knows that one passed then.
    pub(super) fn remember(&mut self, proved_at: Timestamp) {
        self.proved_at = self.proved_at.max(Some(proved_at));
    }

    /// The wall clock is for people only.
    pub(super) fn look_at_the_calendar(&mut self, wall: Timestamp) {
        let Some(every) = self.every else { return };
        let proved = self.proved_at.map(|at| wall.duration_since(at));
        let due = proved.is_none_or(|ago| ago > every);
        if due && !self.due {
            let ago = proved.map_or_else(
                || "the journal knows of no drill that passed".to_owned(),
                |ago| format!("the last one passed {} days ago", ago.as_hours() / 24),
            );
            tracing::warn!(
                "a drill is due (ecp.drill_days): {ago}; run `lvmbeat drill` while the dome is closed"
            );
        }
        self.due = due;
    }

    pub(super) fn view(&self, now: Instant) -> DrillView {
        let (phase, since) = match self.running.map(|running| (running.step, running.began)) {
            None => (None, now),
            Some((Step::Withholding { .. }, began)) => (Some(Phase::Withholding), began),
            Some((Step::Recovering { since, .. }, _)) => (Some(Phase::Recovering), since),
        };
        DrillView {
            phase,
            seconds: seconds(age(since, now)),
            last: self.last.clone(),
            proved_at: self.proved_at,
            due: self.due,
        }
    }
}

/// Why a drill that withholds cannot go on.
fn disturbed(watched: &Watched) -> Option<String> {
    if watched.dome != Some(Dome::Closed) {
        let dome = watched.dome.map_or("not known to be closed", Dome::words);
        return Some(format!("the dome is {dome}"));
    }
    if !watched.connected {
        return Some("the session with the broker ended".to_owned());
    }
    if watched.engineering == Some(true) {
        return Some("engineering mode is on".to_owned());
    }
    let held = watched.held.as_ref();
    held.map(|cause| format!("the dome heartbeat would be held without it, too: {cause}"))
}

fn age(at: Instant, now: Instant) -> Duration {
    now.checked_duration_since(at).unwrap_or(Duration::MIN)
}

#[cfg(test)]
mod tests;
