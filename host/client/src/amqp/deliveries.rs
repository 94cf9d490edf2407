//! The messages of one queue, each of which counts as acknowledged when it is taken (X2).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, Stream};
use lapin::options::BasicAckOptions;
use lapin::{Channel, Consumer};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::{Lease, PUBLISH_LIMIT, wire};
use crate::bus::Message;

/// The part of the prefetch that is acknowledged at once,
const SHARE: u16 = 16;
/// and the rest this long after the last acknowledgement.
const PAUSE: Duration = Duration::from_millis(50);

/// What that consumer, the only one of its channel, is given with that prefetch. Any error ends it.
///
/// An acknowledgement is not waited for; the next one is sent after it. So one that does not get
/// through stops the deliveries when the prefetch is used up, and ends the session after
/// [`PUBLISH_LIMIT`].
pub(super) fn deliveries(
    consumer: Consumer,
    channel: Channel,
    prefetch: u16,
    lease: Arc<Lease>,
) -> BoxStream<'static, Message> {
    let now = Instant::now();
    let deliveries = Deliveries {
        consumer,
        channel,
        taken: Taken::new(prefetch, now),
        acknowledging: None,
        calm: Box::pin(sleep_until(now)),
        _lease: lease,
    };
    deliveries.fuse().boxed()
}

struct Deliveries {
    consumer: Consumer,
    channel: Channel,
    taken: Taken,
    /// Whether that went well.
    acknowledging: Option<BoxFuture<'static, bool>>,
    /// Wakes for what is left to be acknowledged.
    calm: Pin<Box<Sleep>>,
    _lease: Arc<Lease>,
}

impl Stream for Deliveries {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            if let Some(acknowledging) = &mut self.acknowledging {
                match acknowledging.as_mut().poll(context) {
                    Poll::Ready(true) => self.acknowledging = None,
                    Poll::Ready(false) => return Poll::Ready(None),
                    Poll::Pending => break,
                }
            }
            if let Some(newest) = self.taken.due(Instant::now()) {
                let acknowledging = acknowledge(self.channel.clone(), newest);
                self.acknowledging = Some(Box::pin(acknowledging));
                continue;
            }
            let Some(at) = self.taken.due_at() else {
                break;
            };
            if self.calm.deadline() != at {
                self.calm.as_mut().reset(at);
            }
            if self.calm.as_mut().poll(context).is_pending() {
                break;
            }
        }
        match ready!(self.consumer.poll_next_unpin(context)) {
            Some(Ok(delivery)) => {
                self.taken.newest = delivery.delivery_tag;
                Poll::Ready(Some(wire::decode(delivery)))
            }
            Some(Err(_)) | None => Poll::Ready(None),
        }
    }
}

/// Acknowledges that message and all before it on the channel. lapin's `Acker` would hand it to
/// another task first.
async fn acknowledge(channel: Channel, newest: u64) -> bool {
    let sent = channel.basic_ack(newest, BasicAckOptions { multiple: true });
    matches!(timeout(PUBLISH_LIMIT, sent).await, Ok(Ok(())))
}

/// What was taken, by the numbers that the broker gives on a channel: 1, 2 and so on, those that
/// the gate drops included.
struct Taken {
    /// So many are acknowledged at once. The broker sends no more than the prefetch before that, so
    /// it is a small part of it (L1).
    together: u64,
    newest: u64,
    acknowledged: u64,
    /// When the rest may be acknowledged, too.
    calm_at: Instant,
}

impl Taken {
    fn new(prefetch: u16, now: Instant) -> Self {
        Self {
            together: u64::from(prefetch / SHARE).max(1),
            newest: 0,
            acknowledged: 0,
            calm_at: now,
        }
    }

    fn count(&self) -> u64 {
        self.newest.saturating_sub(self.acknowledged)
    }

    /// When those that are left are to be acknowledged, if any are left.
    fn due_at(&self) -> Option<Instant> {
        (self.count() > 0).then_some(self.calm_at)
    }

    /// The message up to which all are to be acknowledged at `now`, if any are.
    fn due(&mut self, now: Instant) -> Option<u64> {
        let is_calm = self.due_at()? <= now;
        if self.count() < self.together && !is_calm {
            return None;
        }
        (self.acknowledged, self.calm_at) = (self.newest, now + PAUSE);
        Some(self.newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that are acknowledged if these are taken at once.
    fn acknowledged(prefetch: u16, taken: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let now = Instant::now();
        let mut all = Taken::new(prefetch, now);
        let taken = taken.into_iter().filter_map(|number| {
            all.newest = number;
            all.due(now)
        });
        taken.collect()
    }

    #[test]
    fn with_a_small_prefetch_each_message_is_acknowledged() {
        assert_eq!(acknowledged(1, 1..=3), [1, 2, 3]);
        assert_eq!(acknowledged(8, [1, 2, 3]), [1, 2, 3]);
    }

    #[test]
    fn with_a_large_one_many_are_acknowledged_at_once() {
        assert_eq!(acknowledged(512, 1..=100), [1, 33, 65, 97]);
    }

    #[test]
    fn x2_whatever_was_taken_is_acknowledged_within_a_pause() {
        let now = Instant::now();
        let mut taken = Taken::new(512, now);
        assert_eq!(taken.due_at(), None);
        taken.newest = 1;
        assert_eq!(taken.due(now), Some(1));
        assert_eq!(taken.due_at(), None, "nothing is left");
        taken.newest = 4;
        assert_eq!(taken.due(now + PAUSE / 2), None);
        assert_eq!(taken.due_at(), Some(now + PAUSE));
        assert_eq!(taken.due(now + PAUSE), Some(4));
        assert_eq!(taken.due(now + PAUSE * 2), None, "nothing is left");
    }

    #[test]
    fn l1_what_is_dropped_unseen_counts_so_that_the_prefetch_is_never_used_up() {
        // In a flood the gate drops an eighth of the prefetch in a row.
        let passing = (1..).map(|number| number * (512 / 8 + 1));
        let taken: Vec<u64> = passing.take(100).collect();
        assert_eq!(acknowledged(512, taken.clone()), taken);
    }
}
