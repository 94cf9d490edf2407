//! The real monitor, killed, stopped and starved at every moment: no alert is lost (M2), none comes
//! from blindness (M3), and none is sent again that was recorded as delivered (M4).
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

mod blindness;
mod damage;
mod disks;
mod doors;
mod killed;
mod sweep;

use std::time::Duration;

use lvmbeat_tests::hook::Hook;
use lvmbeat_tests::monitor::Monitor;
use lvmbeat_tests::{eventually, throughout};

/// Longer than it takes to alarm on the slowest machine.
const SOON: Duration = Duration::from_secs(30);
/// Long enough for what must not happen to happen: longer than the time before an alarm.
const CALM: Duration = Duration::from_secs(3);

/// Waits until the hook has taken exactly that.
async fn notified(hook: &Hook, expected: &[&str]) {
    eventually(SOON, async || {
        let notified = hook.notified();
        if notified == expected {
            Ok(())
        } else {
            Err(notified)
        }
    })
    .await;
}

/// Nothing more is posted for a while, although the monitor runs.
async fn calm(hook: &Hook, monitor: &Monitor) {
    let posts = hook.posts().len();
    throughout(CALM, async || {
        monitor.status().await;
        hook.posts().len() == posts
    })
    .await;
}
