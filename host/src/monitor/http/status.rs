//! `/status` and `/version`: what is known.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use lvmbeat_core::alarm;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{VERSION, Web, whole};
use crate::clock::seconds;
use crate::monitor::notice::{Notice, NoticeId};
use crate::monitor::notify::Kind;
use crate::monitor::view::{
    ChannelView, Counters, IncidentView, NoticeView, OwnBeat, StoreView, View,
};
use crate::report::Report;

pub(super) fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(version))
}

/// What the monitor knows
///
/// Times are those of the wall clock, in UTC; durations are seconds.
#[utoipa::path(get, path = "/status", responses((status = 200, description = "What is known", body = Status)))]
async fn status(State(web): State<Web>) -> Json<Status> {
    Json(Status::of(&web.handle.view()))
}

/// The version of the monitor
#[utoipa::path(get, path = "/version", responses((status = 200, description = "The version", body = Version)))]
async fn version() -> Json<Version> {
    Json(Version { version: VERSION })
}

/// The version.
#[derive(Serialize, ToSchema)]
struct Version {
    /// As released.
    version: &'static str,
}

/// What the monitor knows. The first three have their meaning from the Python version.
#[derive(Serialize, ToSchema)]
struct Status {
    /// Whether alarms are raised.
    enabled: bool,
    /// Whether an alarm is on: people were notified that the observatory is silent.
    active: bool,
    /// When the last heartbeat was received, if ever.
    last_seen: Option<Timestamp>,
    /// What is known of the observatory.
    state: Known,
    /// When it was heard again, if an alarm is on and the all-clear waits until it has been heard
    /// for long enough.
    heard_again: Option<Timestamp>,
    /// What people were alerted of and is not over, oldest first.
    incidents: Vec<Incident>,
    /// Nobody is alerted until then: it is a quiet time of the day.
    quiet_until: Option<Timestamp>,
    /// Since when that is so, as far as known.
    since: Option<Timestamp>,
    /// Silence that was observed since the last heartbeat. It may have lasted longer: only what
    /// the monitor listened to counts.
    observed_silence: f64,
    /// The observed silence that is an alarm.
    alert_after: f64,
    /// When alarms are enabled again by themselves, if they are disabled for some time.
    disabled_until: Option<Timestamp>,
    /// False if alerting is switched off by configuration.
    alerts: bool,
    /// What the actor last reported.
    last_report: Option<LastReport>,
    /// The channels by which people are notified.
    channels: Vec<Channel>,
    /// What has not been delivered by each channel yet: how many messages that is.
    outbox: usize,
    /// The latest notices, newest first.
    notices: Vec<NoticeStatus>,
    /// The memory that outlives a restart.
    state_file: StateFile,
    /// The beat to another dead-man's service, if there is one.
    own_beat: Option<Own>,
    /// When the monitor was started.
    started: Timestamp,
    /// What was counted since.
    counters: Counted,
    /// The version of the monitor.
    version: &'static str,
}

/// What is known of the observatory.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Known {
    /// Nothing: no heartbeat was ever received.
    Waiting,
    /// It is heard, or has not been silent for long enough.
    Up,
    /// It is silent.
    Down,
}

/// What the actor last reported.
#[derive(Serialize, ToSchema)]
struct LastReport {
    /// When it was received.
    received: Timestamp,
    /// How long ago that is, by the wall clock.
    age: f64,
    /// The report itself.
    report: Report,
}

/// What people were alerted of and is not over.
#[derive(Serialize, ToSchema)]
struct Incident {
    /// Its id, as in its notices.
    id: Uuid,
    /// When people were alerted.
    begun: Timestamp,
    /// When somebody acknowledged it, if so: nobody is reminded of it any more.
    acknowledged: Option<Timestamp>,
}

/// The channels by which people are notified.
#[derive(Serialize, ToSchema)]
struct Channel {
    /// For people.
    name: String,
    /// Its kind.
    kind: &'static str,
    /// The numbers of the notices that it has not delivered yet, oldest first.
    pending: Vec<NoticeId>,
    /// Whether a delivery is under way.
    delivering: bool,
    /// Tries in a row that failed.
    failures: u32,
    /// Why the last try failed, if it did.
    last_error: Option<String>,
    /// When the last message was delivered.
    last_delivered: Option<Timestamp>,
    /// Time until the next try, if one is waited for.
    retry_in: Option<f64>,
}

/// A notice, and what became of it.
#[derive(Serialize, ToSchema)]
struct NoticeStatus {
    /// The notice itself.
    #[serde(flatten)]
    notice: Notice,
    /// The channels that have delivered it.
    delivered: Vec<String>,
    /// The channels that have not yet.
    pending: Vec<String>,
}

/// The memory that outlives a restart.
#[derive(Serialize, ToSchema)]
struct StateFile {
    /// Where it is; without one nothing outlives a restart.
    path: Option<String>,
    /// When it was last written.
    saved: Option<Timestamp>,
    /// Why it cannot be written, if so.
    failure: Option<String>,
    /// Where a file was set aside that was damaged.
    set_aside: Option<String>,
}

/// The monitor's own beat to another dead-man's service.
#[derive(Serialize, ToSchema)]
struct Own {
    /// The host of the service.
    service: String,
    /// When it last took a beat.
    last_taken: Option<Timestamp>,
    /// Why it did not take the last one, if so.
    failure: Option<String>,
    /// Beats in a row that it did not take.
    failures: u32,
}

/// What was counted since the start.
#[derive(Serialize, ToSchema)]
struct Counted {
    /// Heartbeats.
    heartbeats: u64,
    /// Deliveries that succeeded.
    delivered: u64,
    /// Deliveries that failed.
    failed: u64,
    /// Times that the monitor was not listening.
    lapses: u64,
}

impl Status {
    fn of(view: &View) -> Self {
        Self {
            enabled: view.alarm.mode.is_enabled(),
            active: view.is_active(),
            last_seen: view.last_seen.map(whole),
            state: match view.alarm.state {
                alarm::State::Waiting => Known::Waiting,
                alarm::State::Up => Known::Up,
                alarm::State::Down => Known::Down,
            },
            heard_again: view.clearing.map(whole),
            incidents: view.incidents.iter().map(Incident::of).collect(),
            quiet_until: view.quiet_until.map(whole),
            since: view.since.map(whole),
            observed_silence: seconds(view.alarm.silence),
            alert_after: view.alert_after.as_secs_f64(),
            disabled_until: view.disabled_until.map(whole),
            alerts: view.alerts,
            last_report: view.report.as_ref().map(|(report, received)| LastReport {
                received: whole(*received),
                age: age(view, *received),
                report: report.clone(),
            }),
            outbox: view
                .channels
                .iter()
                .map(|channel| channel.pending.len())
                .sum(),
            channels: view.channels.iter().map(Channel::of).collect(),
            notices: view.notices.iter().map(NoticeStatus::of).collect(),
            state_file: StateFile::of(&view.store),
            own_beat: view.own_beat.as_ref().map(Own::of),
            started: whole(view.started),
            counters: Counted::of(view.counters),
            version: VERSION,
        }
    }
}

/// How long ago that was, in seconds. Never negative, though the wall clock may have been stepped.
pub(super) fn age(view: &View, at: Timestamp) -> f64 {
    view.wall.duration_since(at).as_secs_f64().max(0.0)
}

/// The name of a kind of channels.
pub(super) const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Email => "email",
        Kind::Slack => "slack",
        Kind::Webhook => "webhook",
    }
}

impl Incident {
    fn of(incident: &IncidentView) -> Self {
        Self {
            id: incident.id,
            begun: whole(incident.begun),
            acknowledged: incident.acknowledged.map(whole),
        }
    }
}

impl Channel {
    fn of(channel: &ChannelView) -> Self {
        Self {
            name: channel.name.clone(),
            kind: kind(channel.kind),
            pending: channel.pending.clone(),
            delivering: channel.delivering,
            failures: channel.failures,
            last_error: channel.last_error.clone(),
            last_delivered: channel.last_delivered.map(whole),
            retry_in: channel.retry_in.map(|time| time.as_secs_f64()),
        }
    }
}

impl NoticeStatus {
    fn of(shown: &NoticeView) -> Self {
        let mut notice = shown.notice.clone();
        notice.raised = whole(notice.raised);
        Self {
            notice,
            delivered: shown.delivered.clone(),
            pending: shown.pending.clone(),
        }
    }
}

impl StateFile {
    fn of(store: &StoreView) -> Self {
        let shown = |path: &std::path::PathBuf| path.display().to_string();
        Self {
            path: store.path.as_ref().map(shown),
            saved: store.saved.map(whole),
            failure: store.failure.clone(),
            set_aside: store.set_aside.as_ref().map(shown),
        }
    }
}

impl Own {
    fn of(own: &OwnBeat) -> Self {
        Self {
            service: own.service.clone(),
            last_taken: own.last_taken.map(whole),
            failure: own.failure.clone(),
            failures: own.failures,
        }
    }
}

impl Counted {
    fn of(counters: Counters) -> Self {
        Self {
            heartbeats: counters.beats,
            delivered: counters.delivered,
            failed: counters.failed,
            lapses: counters.lapses,
        }
    }
}
