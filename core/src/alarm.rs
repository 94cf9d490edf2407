//! Has the observatory gone silent, and who has to hear of it? The machine of the monitor outside.
//!
//! It waits for beats, adds up the silence that it observes, and says when people must be alerted.
//! The caller delivers what it says.
//!
//! # What counts as silence
//!
//! Only silence that the monitor was listening to (M3). Each call with an instant says that the
//! process is listening then; the stretch between two calls counts if it is shorter than the
//! attention limit, and not at all if it is as long as that or if the clock went back. What was
//! observed is kept: over such a lapse, over a restart, and while disabled. Only a beat ends it, or
//! a person who says that all is well. So a process that was stopped, a machine that was suspended,
//! a clock that was stepped or a restart raises no alarm by itself (no single gap that counts is as
//! long as `alert_after`), and puts none off for longer than it lasted. A monitor that has never
//! heard a beat observes silence like any other, and alarms.
//!
//! A process that never calls within the attention limit observes nothing, and will never alarm. So
//! take many lapses in a row from [`Alarm::tick`] for a fault of the monitor.
//!
//! # What to call
//!
//! [`tick`](Alarm::tick) several times a second; [`beat`](Alarm::beat) for each beat;
//! [`check`](Alarm::check) until it gives `None` once each check interval, which may be as short as
//! that of the ticks. Silence of exactly `alert_after` is an alarm (M1). A beat that comes before
//! the check ends the silence without an alarm, however long it was: so an outage may go unreported
//! that is shorter than `alert_after` and one check interval. After a lapse take the beats that
//! wait before the next check.
//!
//! When a call gives a notification, write it down together with what [`save`](Alarm::save) gives,
//! in one step, before anything else is done: then a crash before that step finds the transition
//! still ahead (M2), and one after it does not find it again (M4). Save after each command too, and
//! every few seconds: the silence that was observed since is lost in a crash, and a monitor that is
//! killed again and again before it saves never gets anywhere.
//!
//! After a start, [`restore`](Alarm::restore). Boot-time instants mean nothing after a restart, so
//! only durations are saved. How long the monitor was not running is known to the wall clock alone,
//! and that is the owner's business: see [`Saved::aged`].
//!
//! # Down and up
//!
//! `Down` and `Up` are reported in turns, across restarts too. The exception is what is forced
//! by hand although people know it already; it changes nothing but the time of the next reminder.
//! While disabled nothing is raised and nobody is reminded, but `Up` follows a reported `Down`. A
//! beat counts even if it waited through a lapse: it was sent after the last one that was received.

mod config;
mod saved;

use embassy_time::{Duration, Instant};

use crate::attention::{Attention, Lapse};

pub use config::{Config, ConfigError};
pub use saved::{Mode, Saved};

/// What is to be reported to people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Notification {
    /// The observatory is silent.
    Down {
        /// Silence observed since the last beat.
        #[cfg_attr(feature = "serde", serde(with = "crate::as_millis"))]
        silence: Duration,
        /// Whether there ever was a beat.
        ever_seen: bool,
        /// Somebody asked for it.
        by_hand: bool,
    },
    /// It is still silent.
    Reminder {
        /// Silence observed since the last beat.
        #[cfg_attr(feature = "serde", serde(with = "crate::as_millis"))]
        silence: Duration,
        /// Whether there ever was a beat.
        ever_seen: bool,
    },
    /// It is heard again.
    Up {
        /// The observed silence that ended.
        #[cfg_attr(feature = "serde", serde(with = "crate::as_millis"))]
        silence: Duration,
        /// Somebody asked for it; nothing was heard.
        by_hand: bool,
    },
    /// The time is over for which alarms were disabled.
    EnabledAgain,
}

/// What is known of the observatory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
pub enum State {
    /// No beat was ever received, and that has not lasted for long enough to alarm.
    Waiting,
    /// People think that it is well: nothing was reported, or the end of it was.
    Up,
    /// The silence has been reported.
    Down,
}

/// What can be shown at some instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Status {
    /// What is known of the observatory.
    pub state: State,
    /// Whether alarms are raised; if not for some time, for how long from now. Never `DisabledFor`
    /// nothing.
    pub mode: Mode,
    /// Whether there ever was a beat.
    pub ever_seen: bool,
    /// Silence observed since the last beat, or since the first start if there was none.
    #[cfg_attr(feature = "serde", serde(with = "crate::as_millis"))]
    pub silence: Duration,
}

/// Decides when people are alerted that the observatory is silent, and when they get the all-clear.
///
/// What to call, and what counts: see [the module](self). Every call costs a constant number of
/// steps. An instant before one of an earlier call is a lapse: nothing is observed, and a timed
/// disable does not move. So let the caller read the clock, just before each call. Sums of
/// durations stop at the longest one.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Alarm {
    config: Config,
    /// Stamped by every call that changes something: `memory` is that of its last stamp.
    attention: Attention,
    /// The lapse that `tick` has still to report.
    unreported: Option<Lapse>,
    memory: Saved,
}

impl Alarm {
    /// Has never heard anything, and begins to listen at `now`.
    pub fn new(config: Config, now: Instant) -> Self {
        Self::restore(config, Saved::default(), now)
    }

    /// Goes on from what was saved, and begins to listen at `now`. What was reported is not
    /// reported again (M4), and what was observed counts (M3), by the thresholds of this
    /// configuration.
    pub fn restore(config: Config, saved: Saved, now: Instant) -> Self {
        Self {
            config,
            attention: Attention::new(config.attention_limit(), now),
            unreported: None,
            memory: saved,
        }
    }

    /// When it alerts.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Says that the process is listening at `now`. A lapse is returned once: by the `tick` that
    /// notices it, or by the first one after another call noticed it; the last of several
    /// stands for all.
    pub fn tick(&mut self, now: Instant) -> Result<(), Lapse> {
        self.listen(now);
        self.unreported.take().map_or(Ok(()), Err)
    }

    /// Decides; to be called until it gives `None`. At one instant it gives at most two: that a
    /// timed disable ended, and then an alarm (M1) or a reminder. However late a reminder is,
    /// there is one, and the next counts from it.
    #[must_use = "a notification that is dropped is lost (M2)"]
    pub fn check(&mut self, now: Instant) -> Option<Notification> {
        self.listen(now);
        let memory = &mut self.memory;
        if memory.mode == Mode::DisabledFor(Duration::MIN) {
            memory.mode = Mode::Enabled;
            return Some(Notification::EnabledAgain);
        }
        if !memory.mode.is_enabled() {
            return None;
        }
        if !memory.down {
            return (memory.silence >= self.config.alert_after()).then(|| self.tell_down(false));
        }
        let every = self.config.remind_every()?;
        if memory.since_reported < every {
            return None;
        }
        memory.since_reported = Duration::MIN;
        Some(Notification::Reminder {
            silence: memory.silence,
            ever_seen: memory.ever_seen,
        })
    }

    /// A beat was received at `now`: ends the silence, and an alarm, even while disabled.
    #[must_use = "a notification that is dropped is lost (M2)"]
    pub fn beat(&mut self, now: Instant) -> Option<Notification> {
        self.listen(now);
        let all_clear = self.memory.down.then(|| self.tell_up(false));
        self.memory.ever_seen = true;
        self.memory.silence = Duration::MIN;
        all_clear
    }

    /// Raises no alarm and no reminder from `now` on, for good or for some time; replaces whatever
    /// was said before. The end of such a time is `now` plus it: at exactly that instant alarms
    /// are enabled again, and the next `check` says so. The time goes on while nobody listens.
    ///
    /// Silence is observed all the same. If it goes on when alarms are enabled again, by hand or by
    /// time, the next `check` alarms.
    pub fn disable(&mut self, period: Option<Duration>, now: Instant) {
        self.listen(now);
        self.memory.mode = period.map_or(Mode::DisabledForGood, Mode::DisabledFor);
    }

    /// Raises alarms from `now` on. Gives false, and changes nothing, if they are not disabled.
    pub fn enable(&mut self, now: Instant) -> bool {
        self.listen(now);
        let was_disabled = !self.memory.mode.is_enabled();
        if was_disabled {
            self.memory.mode = Mode::Enabled;
        }
        was_disabled
    }

    /// Somebody wants to report that it is down, also while disabled. If they know already, this
    /// happens only by `force`, and then only the next reminder moves. The next beat ends it as
    /// any alarm.
    #[must_use = "a notification that is dropped is lost (M2)"]
    pub fn notify_down(&mut self, force: bool, now: Instant) -> Option<Notification> {
        self.listen(now);
        (force || !self.memory.down).then(|| self.tell_down(true))
    }

    /// Somebody wants to report that it is up, also while disabled. If it was down, the silence
    /// begins anew: it alarms again `alert_after` later. If it was not, this happens only by
    /// `force`, and changes nothing.
    #[must_use = "a notification that is dropped is lost (M2)"]
    pub fn notify_up(&mut self, force: bool, now: Instant) -> Option<Notification> {
        self.listen(now);
        let was_down = self.memory.down;
        let notified = (force || was_down).then(|| self.tell_up(true));
        if was_down {
            self.memory.silence = Duration::MIN;
        }
        notified
    }

    /// What is known at `now`.
    pub fn status(&self, now: Instant) -> Status {
        let memory = self.memory_at(now);
        Status {
            state: memory.state(),
            mode: if memory.mode.is_enabled() {
                Mode::Enabled
            } else {
                memory.mode
            },
            ever_seen: memory.ever_seen,
            silence: memory.silence,
        }
    }

    /// What has to survive a restart, at `now`.
    pub fn save(&self, now: Instant) -> Saved {
        self.memory_at(now)
    }

    fn listen(&mut self, now: Instant) {
        self.memory = self.memory_at(now);
        if let Err(lapse) = self.attention.stamp(now) {
            self.unreported = Some(lapse);
        }
    }

    fn memory_at(&self, now: Instant) -> Saved {
        match self.attention.check(now) {
            Ok(gap) => self.memory.observed(gap).aged(gap),
            Err(Lapse::Gap(gap)) => self.memory.aged(gap),
            // Nothing is known of the time in between.
            Err(Lapse::ClockWentBack(_)) => self.memory,
        }
    }

    fn tell_down(&mut self, by_hand: bool) -> Notification {
        self.memory.down = true;
        self.memory.since_reported = Duration::MIN;
        Notification::Down {
            silence: self.memory.silence,
            ever_seen: self.memory.ever_seen,
            by_hand,
        }
    }

    fn tell_up(&mut self, by_hand: bool) -> Notification {
        self.memory.down = false;
        Notification::Up {
            silence: self.memory.silence,
            by_hand,
        }
    }
}

#[cfg(test)]
mod tests;
