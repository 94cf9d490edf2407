//! What the tests of the monitor share.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use embassy_time::Instant;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::notice::{Event, Notice, Silence};
use super::notify::{Channel, DeliveryError, Kind, Message, Sending};
use crate::clock::{Clock, RuntimeClock};
use crate::config::monitor::{Monitor, Wording};
use crate::config::{core_duration, std_duration};
use crate::report::{Dome, EnclosureReport, Health, HealthReport, HeartbeatReport, Report};

/// A folder that is removed when this is dropped.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("lvmbeat-monitor-{}", Uuid::new_v4()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn file(&self) -> PathBuf {
        self.0.join("state.json")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// As deployed: an alarm after 300 s, a check every 120 s. No channel, no state file.
pub(super) fn config() -> Monitor {
    Monitor {
        listen: ([127, 0, 0, 1], 0).into(),
        state_file: None,
        alerts: true,
        debug: false,
        alert_after: Duration::from_secs(300),
        check_every: Duration::from_secs(120),
        beat_every: Duration::from_secs(15),
        clear_after: Duration::ZERO,
        held_after: Some(Duration::from_secs(20)),
        attention: Duration::from_secs(2),
        remind_every: None,
        quiet: Vec::new(),
        test_at: None,
        summary_at: None,
        ping_token: None,
        admin_token: None,
        trusted_proxies: Vec::new(),
        delivery_timeout: Duration::from_secs(30),
        email: None,
        slack: None,
        webhooks: Vec::new(),
        ping_url: None,
        ping_every: Duration::from_secs(60),
        wording: Wording {
            subject: "LCO internet".to_owned(),
            action: None,
            page: None,
            time_zone: TimeZone::UTC,
        },
    }
}

pub(super) fn silence() -> Silence {
    Silence {
        last_seen: None,
        observed: 300.0,
        by_hand: false,
        last_hold: None,
        dome: None,
        dome_unknown_since: None,
        heard_again: None,
        relapses: 0,
        stopped: None,
        dome_open: None,
        engineering_mode: None,
    }
}

/// An actor of some hours that says so, of which the overwatcher is silent.
pub(super) fn reported(health: Health, seconds: f64, dome: Option<Dome>) -> Report {
    Report {
        uptime: Some(9000.0),
        heartbeats: vec![HeartbeatReport {
            name: "overwatcher".to_owned(),
            critical: true,
            current: !health.closes_the_dome(),
            age: Some(31.0),
            ..HeartbeatReport::default()
        }],
        health: Some(HealthReport {
            state: Some(health),
            seconds: Some(seconds),
            ..HealthReport::default()
        }),
        enclosure: Some(enclosure(dome)),
        ..Report::default()
    }
}

/// Where the dome is at this moment.
pub(super) fn enclosure(dome: Option<Dome>) -> EnclosureReport {
    EnclosureReport {
        dome,
        dome_age: Some(0.0),
        facts_expire: Some(90.0),
        ..EnclosureReport::default()
    }
}

/// What a [`Fake`] does with a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Does {
    Deliver,
    Fail,
    Hang,
    Panic,
}

/// A channel that behaves as configured, and keeps what it delivered.
pub(super) struct Fake {
    id: &'static str,
    clock: Arc<dyn Clock>,
    does: Mutex<Does>,
    waits: Mutex<Duration>,
    tried: AtomicUsize,
    delivered: Mutex<Vec<(Duration, Vec<Notice>)>>,
}

impl Fake {
    pub(super) fn new(id: &'static str, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            id,
            clock,
            does: Mutex::new(Does::Deliver),
            waits: Mutex::default(),
            tried: AtomicUsize::new(0),
            delivered: Mutex::new(Vec::new()),
        })
    }

    pub(super) fn does(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }

    pub(super) fn waits(&self, after: Duration) {
        *self.waits.lock().unwrap() = after;
    }

    pub(super) fn tried(&self) -> usize {
        self.tried.load(Ordering::Relaxed)
    }

    /// The kinds of notices of each message.
    pub(super) fn delivered(&self) -> Vec<Vec<&'static str>> {
        let delivered = self.delivered.lock().unwrap();
        let kinds = |(_, notices): &(_, Vec<Notice>)| notices.iter().map(kind).collect();
        delivered.iter().map(kinds).collect()
    }

    /// The messages, each with the time since boot at which it was delivered.
    pub(super) fn messages(&self) -> Vec<(Duration, Vec<Notice>)> {
        self.delivered.lock().unwrap().clone()
    }
}

fn kind(notice: &Notice) -> &'static str {
    match notice.event {
        Event::Down(_) => "down",
        Event::Reminder(_) => "reminder",
        Event::Up(_) => "up",
        Event::Held(_) => "held",
        Event::HeldReminder(_) => "held reminder",
        Event::Released(_) => "released",
        Event::Test => "test",
        Event::Summary(_) => "summary",
        Event::EnabledAgain => "enabled again",
    }
}

#[async_trait]
impl Channel for Fake {
    fn id(&self) -> &str {
        self.id
    }

    fn shown(&self) -> &str {
        self.id
    }

    fn kind(&self) -> Kind {
        Kind::Webhook
    }

    fn after(&self) -> Duration {
        *self.waits.lock().unwrap()
    }

    async fn deliver(&self, message: &Message) -> Result<(), DeliveryError> {
        self.tried.fetch_add(1, Ordering::Relaxed);
        let does = *self.does.lock().unwrap();
        match does {
            Does::Deliver => {}
            Does::Fail => {
                return Err(DeliveryError {
                    cause: "it was made to fail".to_owned(),
                    retry_after: None,
                });
            }
            Does::Hang => std::future::pending().await,
            Does::Panic => panic!("it was made to panic"),
        }
        let Message::Notices(Sending { notices, .. }) = message else {
            return Ok(());
        };
        let at = std_duration(self.clock.now() - Instant::MIN);
        self.delivered.lock().unwrap().push((at, notices.clone()));
        Ok(())
    }
}

/// The runtime's clock, which a test may step.
pub(super) struct SteppedClock {
    clock: RuntimeClock,
    suspended: Mutex<Duration>,
    wall: Mutex<SignedDuration>,
}

impl SteppedClock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            clock: RuntimeClock::new("2026-01-02T03:04:05Z".parse().unwrap()),
            suspended: Mutex::default(),
            wall: Mutex::default(),
        })
    }

    /// The machine was suspended: both clocks go on, and nothing ran.
    pub(super) fn suspend(&self, by: Duration) {
        *self.suspended.lock().unwrap() += by;
    }

    /// The wall clock is set to another time.
    pub(super) fn step_wall(&self, by: SignedDuration) {
        *self.wall.lock().unwrap() += by;
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> Instant {
        self.clock.now() + core_duration(*self.suspended.lock().unwrap())
    }

    fn wall(&self) -> Timestamp {
        self.clock.wall() + *self.suspended.lock().unwrap() + *self.wall.lock().unwrap()
    }
}
