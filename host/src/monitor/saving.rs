//! When to save, and what waits for it. Pure: no I/O, time is an argument.
//!
//! One save at a time; what changes meanwhile is saved by the next one, all at once, so that a slow
//! disk makes no queue. What has to survive at once is saved at once. Beside that there is a save
//! every few seconds, so that the silence that was observed adds up although the process is killed
//! again and again (M3).

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

    /// Whether the silence that was saved is over with a beat: it would count again after a crash
    /// (M3).
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

    /// The one under way has ended. Whether or not it succeeded, the notices before the one that it
    /// gives need not wait any more (M2).
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
                "the state file cannot be written; continuing from memory, which a restart would lose"
            ),
            (None, Some(_)) => tracing::info!(file, "the state file can be written again"),
            _ => {}
        }
        self.view.failure = failure;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Instant = Instant::from_secs(10_000);
    const WALL: Timestamp = Timestamp::UNIX_EPOCH;
    const END: NoticeId = NoticeId(7);

    fn secs(secs: u64) -> embassy_time::Duration {
        embassy_time::Duration::from_secs(secs)
    }

    fn with(path: Option<&str>, alert_after: u64) -> Saving {
        let alert_after = Duration::from_secs(alert_after);
        Saving::new(path.map(PathBuf::from), None, alert_after, T0)
    }

    /// One that has just saved.
    fn saved() -> Saving {
        let mut saving = with(Some("state.json"), 300);
        saving.begin(T0, END, false);
        assert_eq!(saving.ended(None, WALL), Some(END));
        saving
    }

    #[test]
    fn the_first_save_is_due_at_once_and_none_without_a_file() {
        assert!(with(Some("state.json"), 300).is_due(T0));
        assert!(!with(None, 300).is_due(T0 + secs(1000)));
    }

    #[test]
    fn m2_what_has_to_survive_is_saved_at_once() {
        let mut saving = saved();
        assert!(!saving.is_due(T0));
        saving.want();
        assert!(saving.is_due(T0));
        saving.begin(T0, END, false);
        saving.ended(None, WALL);
        assert!(!saving.is_due(T0));
    }

    #[test]
    fn m3_silence_is_saved_every_few_seconds_and_more_often_than_it_alarms() {
        for (alert_after, every) in [(300, 5), (100, 5), (60, 3), (20, 1)] {
            let mut saving = with(Some("state.json"), alert_after);
            saving.begin(T0, END, false);
            saving.ended(None, WALL);
            let almost = T0 + secs(every) - embassy_time::Duration::from_ticks(1);
            assert!(!saving.is_due(almost), "{alert_after}");
            assert!(saving.is_due(T0 + secs(every)), "{alert_after}");
        }
    }

    #[test]
    fn a_clock_that_went_back_makes_a_save_due() {
        assert!(saved().is_due(T0 - secs(1)));
    }

    #[test]
    fn one_save_at_a_time_and_what_changed_meanwhile_is_in_the_next() {
        let mut saving = saved();
        saving.want();
        saving.begin(T0, END, false);
        saving.want();
        assert!(!saving.is_due(T0 + secs(1000)));
        assert_eq!(saving.ended(None, WALL), Some(END));
        assert!(saving.is_due(T0));
        // Nothing is under way.
        assert_eq!(saving.ended(None, WALL), None);
    }

    #[test]
    fn m2_nothing_waits_for_a_save_that_failed() {
        let mut saving = saved();
        saving.begin(T0, NoticeId(9), false);
        let failure = Some("no space".to_owned());
        assert_eq!(saving.ended(failure.clone(), WALL), Some(NoticeId(9)));
        assert_eq!(saving.view().failure, failure);
        // Tried again with the next.
        assert!(saving.is_due(T0 + secs(5)));
        saving.begin(T0 + secs(5), NoticeId(9), false);
        saving.ended(None, WALL);
        assert_eq!(saving.view().failure, None);
    }

    #[test]
    fn m2_nothing_waits_for_a_disk_that_does_not_answer_for_three_seconds() {
        let mut saving = saved();
        assert!(!saving.is_hopeless(T0 + secs(1000)));
        saving.begin(T0, END, false);
        let almost = T0 + secs(3) - embassy_time::Duration::from_ticks(1);
        assert!(!saving.is_hopeless(almost));
        assert_eq!(saving.view().failure, None);
        assert!(saving.is_hopeless(T0 + secs(3)));
        let failure = saving.view().failure.as_deref();
        assert_eq!(failure, Some("the disk does not answer"));
        saving.ended(None, WALL);
        assert_eq!(saving.view().failure, None);
        assert!(!saving.is_hopeless(T0 + secs(1000)));
    }

    #[test]
    fn m2_nothing_waits_where_there_is_no_file() {
        assert!(with(None, 300).is_hopeless(T0));
    }

    #[test]
    fn when_it_was_last_written_is_shown() {
        let mut saving = saved();
        assert_eq!(saving.view().saved, Some(WALL));
        saving.begin(T0, END, false);
        let later = WALL + jiff::SignedDuration::from_secs(9);
        saving.ended(Some("no".to_owned()), later);
        assert_eq!(saving.view().saved, Some(WALL));
    }

    #[test]
    fn m3_it_knows_whether_silence_is_on_the_disk() {
        let mut saving = saved();
        assert!(!saving.holds_silence());
        saving.begin(T0, END, true);
        assert!(saving.holds_silence());
        // What was read at the start may hold some.
        assert!(with(Some("state.json"), 300).holds_silence());
    }
}
