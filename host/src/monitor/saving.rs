//! When to save, and what waits for it. Pure: no I/O, time is an argument.
//!
//! One save at a time; what changes meanwhile is saved by the next one, all at once, so that a slow disk makes no queue. What has to
//! survive at once is saved at once. Beside that there is a save every few seconds, so that the silence that was observed adds up although
//! the process is killed again and again (M3).

use std::path::PathBuf;
use std::time::Duration;

use embassy_time::Instant;
use jiff::Timestamp;

use super::notice::NoticeId;
use super::view::StoreView;
use crate::config::core_duration;

/// The longest time between two saves.
const LONGEST_PERIOD: Duration = Duration::from_secs(5);
/// A part of the time before an alarm: more than one of it is not lost in a crash.
const PART: u32 = 20;
/// Nothing waits for a save for longer than this (M2).
const SLOW: Duration = Duration::from_secs(3);

/// When to save.
#[derive(Debug)]
pub(super) struct Saving {
    every: embassy_time::Duration,
    wanted: bool,
    under_way: Option<UnderWay>,
    last: Instant,
    /// The last save that was begun holds silence.
    holds_silence: bool,
    view: StoreView,
}

#[derive(Clone, Copy, Debug)]
struct UnderWay {
    since: Instant,
    /// The notices before this one are in it.
    end: NoticeId,
    is_slow: bool,
}

impl Saving {
    /// Saves to that file, if there is one.
    pub(super) fn new(
        path: Option<PathBuf>,
        set_aside: Option<PathBuf>,
        alert_after: Duration,
        now: Instant,
    ) -> Self {
        let every = (alert_after / PART).min(LONGEST_PERIOD);
        Self {
            every: core_duration(every),
            // What was read may have been of another form.
            wanted: true,
            under_way: None,
            last: now,
            holds_silence: true,
            view: StoreView {
                path,
                set_aside,
                ..StoreView::default()
            },
        }
    }

    /// Something has changed that has to survive.
    pub(super) fn want(&mut self) {
        self.wanted = true;
    }

    /// Whether the silence that was saved is over with a beat: it would count again after a crash (M3).
    pub(super) fn holds_silence(&self) -> bool {
        self.holds_silence
    }

    /// Whether a save has to be begun now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let periodic = now
            .checked_duration_since(self.last)
            .is_none_or(|since| since >= self.every);
        self.view.path.is_some() && self.under_way.is_none() && (self.wanted || periodic)
    }

    /// One is begun, with the notices before `end`.
    pub(super) fn begin(&mut self, now: Instant, end: NoticeId, holds_silence: bool) {
        self.wanted = false;
        self.last = now;
        self.holds_silence = holds_silence;
        self.under_way = Some(UnderWay {
            since: now,
            end,
            is_slow: false,
        });
    }

    /// The one under way has ended. Whether or not it succeeded, the notices before the one that it gives need not wait any more (M2).
    pub(super) fn ended(&mut self, failure: Option<String>, wall: Timestamp) -> Option<NoticeId> {
        let end = self.under_way.take()?.end;
        if failure.is_none() {
            self.view.saved = Some(wall);
        }
        self.report(failure);
        Some(end)
    }

    /// Whether nothing should wait for the disk: there is no file, or it does not answer.
    pub(super) fn is_hopeless(&mut self, now: Instant) -> bool {
        if self.view.path.is_none() {
            return true;
        }
        let Some(under_way) = &mut self.under_way else {
            return false;
        };
        let waited = now.checked_duration_since(under_way.since);
        if waited.is_none_or(|waited| waited < core_duration(SLOW)) {
            return false;
        }
        if !std::mem::replace(&mut under_way.is_slow, true) {
            self.report(Some("the disk does not answer".to_owned()));
        }
        true
    }

    /// What is shown.
    pub(super) fn view(&self) -> &StoreView {
        &self.view
    }

    /// Said when it changes.
    fn report(&mut self, failure: Option<String>) {
        let file = self.view.path.as_deref().map(|path| path.display());
        let file = file.map(tracing::field::display);
        match (&failure, &self.view.failure) {
            (Some(cause), None) => tracing::error!(
                file,
                cause,
                "the state file cannot be written; going on from memory, what is known is lost on restart"
            ),
            (None, Some(_)) => tracing::info!(file, "the state file can be written again"),
            _ => {}
        }
        self.view.failure = failure;
    }
}
