//! The reference: a list of everything that happened, and answers that are read off the whole of
//! it.

use embassy_time::Duration;
use lvmbeat_core::alarm::{Mode, Saved, State, Status};
use lvmbeat_core::{Lapse, Notification};

#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) start: u64,
    pub(crate) alert_after: u64,
    pub(crate) attention: u64,
    pub(crate) remind_every: Option<u64>,
    /// What is restored at the start.
    pub(crate) origin: Saved,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum What {
    Tick,
    Check,
    Beat,
    Disable(Option<u64>),
    Enable,
    /// A call that did nothing, but was a moment of listening.
    Spurious,
    NotifyDown {
        force: bool,
    },
    NotifyUp {
        force: bool,
    },
    /// Saved at the instant of the event, and restored at `start`, so much later by another clock.
    Restart {
        start: u64,
        later: u64,
    },
}

/// What happened, with the answer, which is part of the story.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) at: u64,
    pub(crate) what: What,
    pub(crate) reported: Option<Notification>,
}

pub(crate) struct History<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) events: Vec<Event>,
}

pub(crate) fn ticks(ticks: u64) -> Duration {
    Duration::from_ticks(ticks)
}

fn sum(first: Duration, terms: impl Iterator<Item = u64>) -> Duration {
    let sum = u128::from(first.as_ticks()) + terms.map(u128::from).sum::<u128>();
    ticks(u64::try_from(sum).unwrap_or(u64::MAX))
}

fn is_down(reported: &Notification) -> Option<bool> {
    match reported {
        Notification::Down { .. } => Some(true),
        Notification::Up { .. } => Some(false),
        Notification::Reminder { .. } | Notification::EnabledAgain => None,
    }
}

impl History<'_> {
    /// Where the stretch before event `index` begins.
    fn begin(&self, index: usize) -> u64 {
        match index.checked_sub(1).map(|before| &self.events[before]) {
            None => self.setup.start,
            Some(before) => match before.what {
                What::Restart { start, .. } => start,
                _ => before.at,
            },
        }
    }

    /// The stretches that end with the events from `first` on, and the one from the last of them to
    /// `now`; negative if the clock went back.
    fn stretches(&self, first: usize, now: u64) -> impl Iterator<Item = i128> {
        let ends = self.events.iter().map(|event| event.at).chain([now]);
        ends.enumerate()
            .skip(first)
            .map(|(index, end)| i128::from(end) - i128::from(self.begin(index)))
    }

    /// The time listened to since event `first`.
    fn listened(&self, first: usize, now: u64) -> impl Iterator<Item = u64> {
        let limit = i128::from(self.setup.attention);
        self.stretches(first, now)
            .filter(move |stretch| *stretch < limit)
            .filter_map(|stretch| u64::try_from(stretch).ok())
    }

    /// The event after the last one of which this is true.
    fn after_last(&self, is_it: impl Fn(usize, &Event) -> bool) -> Option<usize> {
        let mut events = self.events.iter().enumerate().rev();
        let (last, _) = events.find(|(index, event)| is_it(*index, event))?;
        Some(last + 1)
    }

    /// Before event `end`: the last report to people.
    fn down_before(&self, end: usize) -> bool {
        let reported = self.events[..end].iter().rev();
        reported
            .filter_map(|event| event.reported.as_ref())
            .find_map(is_down)
            .unwrap_or(self.setup.origin.down)
    }

    fn silence(&self, now: u64) -> Duration {
        let begun = self.after_last(|index, event| match event.what {
            What::Beat => true,
            What::NotifyUp { .. } => self.down_before(index),
            _ => false,
        });
        match begun {
            Some(first) => sum(Duration::MIN, self.listened(first, now)),
            None => sum(self.setup.origin.silence, self.listened(0, now)),
        }
    }

    fn since_reported(&self, now: u64) -> Duration {
        let reported = self.after_last(|_, event| {
            matches!(
                event.reported,
                Some(Notification::Down { .. } | Notification::Reminder { .. })
            )
        });
        match reported {
            Some(first) => sum(Duration::MIN, self.listened(first, now)),
            None => sum(self.setup.origin.since_reported, self.listened(0, now)),
        }
    }

    fn mode(&self, now: u64) -> Mode {
        // What is left of a time that was set just before event `first`.
        let left = |period: u64, first: usize| {
            let forth = self.stretches(first, now).filter(|stretch| *stretch > 0);
            let later = self.events[first..]
                .iter()
                .filter_map(|event| match event.what {
                    What::Restart { later, .. } => Some(i128::from(later)),
                    _ => None,
                });
            let left = i128::from(period) - forth.sum::<i128>() - later.sum::<i128>();
            Mode::DisabledFor(ticks(u64::try_from(left).unwrap_or(0)))
        };
        let mut events = self.events.iter().enumerate().rev();
        events
            .find_map(|(index, event)| match event.what {
                What::Disable(None) => Some(Mode::DisabledForGood),
                What::Disable(Some(period)) => Some(left(period, index + 1)),
                What::Check if event.reported == Some(Notification::EnabledAgain) => {
                    Some(Mode::Enabled)
                }
                What::Enable => Some(Mode::Enabled),
                _ => None,
            })
            .unwrap_or(match self.setup.origin.mode {
                Mode::DisabledFor(period) => left(period.as_ticks(), 0),
                mode => mode,
            })
    }

    pub(crate) fn disabled(&self, now: u64) -> bool {
        !matches!(
            self.mode(now),
            Mode::Enabled | Mode::DisabledFor(Duration::MIN)
        )
    }

    fn ever_seen(&self) -> bool {
        self.setup.origin.ever_seen || self.events.iter().any(|event| event.what == What::Beat)
    }

    pub(crate) fn down(&self) -> bool {
        self.down_before(self.events.len())
    }

    pub(crate) fn status(&self, now: u64) -> Status {
        Status {
            state: if self.down() {
                State::Down
            } else if self.ever_seen() {
                State::Up
            } else {
                State::Waiting
            },
            mode: if self.disabled(now) {
                self.mode(now)
            } else {
                Mode::Enabled
            },
            ever_seen: self.ever_seen(),
            silence: self.silence(now),
        }
    }

    /// `since_reported` is that of `garbage` where it means nothing.
    pub(crate) fn saved(&self, now: u64, garbage: Duration) -> Saved {
        Saved {
            ever_seen: self.ever_seen(),
            down: self.down(),
            silence: self.silence(now),
            since_reported: if self.down() {
                self.since_reported(now)
            } else {
                garbage
            },
            mode: self.mode(now),
        }
    }

    /// What is reported if this happens at `now`.
    pub(crate) fn reported(&self, what: What, now: u64) -> Option<Notification> {
        let (silence, ever_seen, was_down) = (self.silence(now), self.ever_seen(), self.down());
        let down = |by_hand| Notification::Down {
            silence,
            ever_seen,
            by_hand,
        };
        let up = |by_hand| Notification::Up { silence, by_hand };
        let is_due = self
            .setup
            .remind_every
            .is_some_and(|every| self.since_reported(now) >= ticks(every));
        match what {
            What::Beat => was_down.then(|| up(false)),
            What::NotifyDown { force } => (force || !was_down).then(|| down(true)),
            What::NotifyUp { force } => (force || was_down).then(|| up(true)),
            What::Check if self.mode(now) == Mode::DisabledFor(Duration::MIN) => {
                Some(Notification::EnabledAgain)
            }
            What::Check if self.disabled(now) => None,
            What::Check if was_down => {
                is_due.then_some(Notification::Reminder { silence, ever_seen })
            }
            What::Check => (silence >= ticks(self.setup.alert_after)).then(|| down(false)),
            _ => None,
        }
    }

    /// The lapse that a tick at `now` tells: the last one since the last tick or restart.
    pub(crate) fn unreported(&self, now: u64) -> Option<Lapse> {
        let first = self
            .after_last(|_, event| matches!(event.what, What::Tick | What::Restart { .. }))
            .unwrap_or(0);
        let lapses = self.stretches(first, now).filter_map(|stretch| {
            let length = ticks(u64::try_from(stretch.unsigned_abs()).unwrap_or(u64::MAX));
            if stretch < 0 {
                Some(Lapse::ClockWentBack(length))
            } else if stretch >= i128::from(self.setup.attention) {
                Some(Lapse::Gap(length))
            } else {
                None
            }
        });
        lapses.last()
    }
}
