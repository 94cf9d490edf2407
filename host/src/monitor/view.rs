//! What the monitor shows of itself: to `/status`, the page, metrics and health.

use std::path::PathBuf;
use std::time::Duration;

use embassy_time::Instant;
use jiff::Timestamp;
use lvmbeat_core::alarm;

use super::history::History;
pub use super::incidents::IncidentView;
use super::notice::{Notice, NoticeId};
use super::notify::Kind;
use crate::report::Report;

/// The monitor at one moment. Wall times are for showing only.
#[derive(Clone, Debug)]
pub struct View {
    /// When it was taken.
    pub at: Instant,
    /// The same by the wall clock.
    pub wall: Timestamp,
    /// When this process was started.
    pub started: Timestamp,
    /// Up, down or waiting; enabled or not; observed silence.
    pub alarm: alarm::Status,
    /// When it was heard again, if people were told that it is silent, and the all-clear waits
    /// until it has been heard for `monitor.clear_after`.
    pub clearing: Option<Timestamp>,
    /// The incidents that people know of and that are not over, oldest first.
    pub incidents: Vec<IncidentView>,
    /// Nobody is alerted until then: it is one of the times of `monitor.quiet`.
    pub quiet_until: Option<Timestamp>,
    /// Since when it is up, down or waiting, as far as known.
    pub since: Option<Timestamp>,
    /// False if it never alerts by itself (`LVMBEAT_START_MONITOR=0`).
    pub alerts: bool,
    /// The observed silence that is an alarm.
    pub alert_after: Duration,
    /// When the last beat was received.
    pub last_seen: Option<Timestamp>,
    /// When alarms are enabled again by themselves.
    pub disabled_until: Option<Timestamp>,
    /// What the actor last reported, and when.
    pub report: Option<(Report, Timestamp)>,
    /// The channels, in the order of the configuration.
    pub channels: Vec<ChannelView>,
    /// The latest notices, newest first, and what became of each.
    pub notices: Vec<NoticeView>,
    /// The last days.
    pub history: History,
    /// The state file.
    pub store: StoreView,
    /// The beat to another dead-man's service, if there is one.
    pub own_beat: Option<OwnBeat>,
    /// What was counted since the start of this process.
    pub counters: Counters,
}

impl View {
    /// Whether people were told that the observatory is silent, and not yet that this is over.
    pub fn is_active(&self) -> bool {
        self.alarm.state == alarm::State::Down || self.clearing.is_some()
    }
}

/// The monitor's own beat to another dead-man's service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnBeat {
    /// The host of the service: the rest of its address is a secret (X1).
    pub service: String,
    /// When it last took one.
    pub last_taken: Option<Timestamp>,
    /// Why it did not take the last one, if so.
    pub failure: Option<String>,
    /// Beats in a row that it did not take.
    pub failures: u32,
}

impl OwnBeat {
    /// Before the first one.
    pub(super) fn new(service: &str) -> Self {
        Self {
            service: service.to_owned(),
            last_taken: None,
            failure: None,
            failures: 0,
        }
    }
}

/// One channel.
#[derive(Clone, PartialEq, Debug)]
pub struct ChannelView {
    /// For people ([`super::notify::Channel::shown`]).
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// What it has not delivered yet, oldest first.
    pub pending: Vec<NoticeId>,
    /// A delivery is under way.
    pub delivering: bool,
    /// Tries in a row that failed.
    pub failures: u32,
    /// Why the last try failed, if it did.
    pub last_error: Option<String>,
    /// When the last message was delivered.
    pub last_delivered: Option<Timestamp>,
    /// Time until the next try, if one is waited for.
    pub retry_in: Option<Duration>,
}

/// One notice and what became of it.
#[derive(Clone, PartialEq, Debug)]
pub struct NoticeView {
    /// The notice.
    pub notice: Notice,
    /// The channels that have delivered it.
    pub delivered: Vec<String>,
    /// The channels that have not yet.
    pub pending: Vec<String>,
}

/// The state file.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct StoreView {
    /// Where it is; without one nothing survives a restart.
    pub path: Option<PathBuf>,
    /// When it was last written.
    pub saved: Option<Timestamp>,
    /// Why it cannot be written, if so: the monitor goes on from memory.
    pub failure: Option<String>,
    /// Where a file was set aside that was damaged.
    pub set_aside: Option<PathBuf>,
}

/// How often things happened since the start.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Beats that were received.
    pub beats: u64,
    /// Deliveries that succeeded.
    pub delivered: u64,
    /// Deliveries that failed.
    pub failed: u64,
    /// Lapses of attention: the monitor was not listening.
    pub lapses: u64,
}
