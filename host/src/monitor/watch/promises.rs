//! Commands whose answer waits until what they changed is on the disk, or says that it is not.

use std::time::Duration;

use embassy_time::Instant;
use tokio::sync::oneshot;

use super::super::handle::Done;
use crate::config::core_duration;

/// No answer waits for longer than this.
const SLOW: Duration = Duration::from_secs(3);
/// So many may wait: more than there are connections to ask by.
const MOST: usize = 1024;

/// Answers that wait for the disk.
#[derive(Default)]
pub(super) struct Promises(Vec<Promise>);

struct Promise {
    since: Instant,
    /// The save under way holds it.
    is_in_save: bool,
    answer: Box<dyn FnOnce(Option<String>) + Send>,
}

impl Promises {
    /// Something has changed; whoever asked for it gets `value` when it is saved.
    pub(super) fn add<T: Send + 'static>(
        &mut self,
        value: T,
        answer: oneshot::Sender<Done<T>>,
        now: Instant,
    ) {
        let answer = Box::new(move |unsaved| {
            // Nobody may wait for the answer any more.
            let _ = answer.send(Done { value, unsaved });
        });
        if self.0.len() >= MOST {
            self.give_up("too many changes wait for it");
        }
        self.0.push(Promise {
            since: now,
            is_in_save: false,
            answer,
        });
    }

    /// A save is begun, which holds all that has changed.
    pub(super) fn save_begins(&mut self) {
        for promise in &mut self.0 {
            promise.is_in_save = true;
        }
    }

    /// The save under way has ended, or has failed for this cause.
    pub(super) fn save_ended(&mut self, failure: Option<&String>) {
        self.answer(|promise| promise.is_in_save, failure);
    }

    /// There is nothing to wait for.
    pub(super) fn give_up(&mut self, why: &str) {
        self.answer(|_| true, Some(&why.to_owned()));
    }

    /// Answers those who have waited too long.
    pub(super) fn tick(&mut self, now: Instant) {
        let is_late = |promise: &mut Promise| {
            let waited = now.checked_duration_since(promise.since);
            waited.is_none_or(|waited| waited >= core_duration(SLOW))
        };
        self.answer(is_late, Some(&"the disk does not answer".to_owned()));
    }

    fn answer(&mut self, which: impl Fn(&mut Promise) -> bool, unsaved: Option<&String>) {
        for promise in self.0.extract_if(.., |promise| which(promise)) {
            (promise.answer)(unsaved.cloned());
        }
    }
}
