//! Channels that wait before they hear of an incident.

use std::time::Duration;

use uuid::Uuid;

use super::{MAX_PENDING, Outbox};
use crate::monitor::notice::NoticeId;

impl Outbox {
    /// The channels that wait so long hear of this incident, with all that was raised of it. Gives
    /// whether one did not know yet.
    pub(in crate::monitor) fn escalate(&mut self, incident: Uuid, open_for: Duration) -> bool {
        let of_it = self.log.iter().map(|entry| &entry.notice);
        let of_it = of_it.filter(|notice| notice.incident == incident);
        let ids: Vec<NoticeId> = of_it.map(|notice| notice.id).collect();
        let mut is_news = false;
        for queue in &mut self.queues {
            let waits = queue.after > Duration::ZERO && !queue.escalated.contains(&incident);
            if !waits || open_for < queue.after || ids.is_empty() {
                continue;
            }
            if queue.escalated.len() >= MAX_PENDING {
                queue.escalated.remove(0);
            }
            queue.escalated.push(incident);
            queue.pending.extend(&ids);
            queue.pending.sort_unstable();
            queue.pending.dedup();
            queue.supersede(&self.log);
            is_news = true;
        }
        is_news
    }
}
