//! What is shown of it.

use std::sync::Arc;

use embassy_time::Instant;
use jiff::{SignedDuration, Timestamp};
use lvmbeat_core::alarm::Mode;

use super::Memory;
use crate::clock::Moment;
use crate::config::monitor::Monitor;
use crate::config::std_duration;
use crate::monitor::notify::Channel;
use crate::monitor::outbox::Queue;
use crate::monitor::view::{ChannelView, NoticeView, StoreView, View};

impl Memory {
    /// What is shown.
    pub(in crate::monitor) fn view(
        &self,
        at: Moment,
        config: &Monitor,
        channels: &[Arc<dyn Channel>],
        store: &StoreView,
    ) -> View {
        let alarm = self.alarm.status(at.now);
        let shown = |id: &str| {
            let channel = channels.iter().find(|channel| channel.id() == id);
            channel.map_or("a former channel", |channel| channel.shown())
        };
        let queues = self.outbox.queues();
        let notices = self.outbox.log().iter().rev().map(|entry| {
            let holds = |queue: &&Queue| queue.pending.contains(&entry.notice.id);
            let pending = queues.iter().filter(holds);
            let delivered = entry.delivered.iter();
            NoticeView {
                notice: entry.notice.clone(),
                delivered: delivered.map(|id| shown(id).to_owned()).collect(),
                pending: pending
                    .map(|queue| shown(&queue.channel).to_owned())
                    .collect(),
            }
        });
        View {
            at: at.now,
            wall: at.wall,
            started: self.started,
            alarm,
            since: self.since,
            clearing: self.clearing.waits_since(),
            incidents: self.incidents.view(),
            quiet_until: self.quiet_until(at.wall),
            alerts: self.alerts,
            alert_after: config.alert_after,
            last_seen: self.last_seen,
            disabled_until: match alarm.mode {
                Mode::DisabledFor(left) => until(at.wall, left),
                Mode::Enabled | Mode::DisabledForGood => None,
            },
            report: self.report.clone(),
            channels: channels
                .iter()
                .zip(queues)
                .map(|(channel, queue)| channel_view(channel.as_ref(), queue, at.now))
                .collect(),
            notices: notices.collect(),
            history: self.history.clone(),
            store: store.clone(),
            own_beat: None,
            counters: self.counters,
        }
    }
}

fn channel_view(channel: &dyn Channel, queue: &Queue, now: Instant) -> ChannelView {
    ChannelView {
        name: channel.shown().to_owned(),
        kind: channel.kind(),
        pending: queue.pending.clone(),
        delivering: queue.is_delivering(),
        failures: queue.failures,
        last_error: queue.last_error.clone(),
        last_delivered: queue.last_delivered,
        retry_in: queue.retry_in(now).map(std_duration),
    }
}

/// To the second, as the two clocks are not read at the very same moment.
fn until(wall: Timestamp, left: embassy_time::Duration) -> Option<Timestamp> {
    let left = SignedDuration::try_from(std_duration(left)).ok()?;
    let end = wall.checked_add(left).ok()?;
    end.round(jiff::Unit::Second).ok()
}
