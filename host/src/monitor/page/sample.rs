//! Views for tests: one for each state that the page can show.

mod between;
mod night;

use std::time::Duration;

use embassy_time::{Duration as Ticks, Instant};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lvmbeat_core::alarm::{self, Mode};
use uuid::Uuid;

use super::Setting;
use crate::monitor::history::{History, Period, What};
use crate::monitor::http::mount;
use crate::monitor::notice::{Event, Notice, NoticeId, Silence};
use crate::monitor::notify::Kind;
use crate::monitor::view::{
    ChannelView, Counters, IncidentView, NoticeView, OwnBeat, StoreView, View,
};
use crate::report::{
    DeliveryReport, Dome, EmissionReport, EnclosureReport, Health, HealthReport, HeartbeatReport,
    HoldReport, LinkReport, Report,
};
pub use between::{
    closed_by_watchdog, closing, earlier_actor, held, late, late_beat, not_arriving, stand_by,
    stopped,
};

/// The wall time of all samples: 4:12 in the morning at the observatory.
pub const NOW: Timestamp = Timestamp::constant(1_767_424_325, 0);
/// Their boot time.
pub const AT: Instant = Instant::from_secs(700_000);

const MAIL: &str = "e-mail to a…@observatory.example";
const SLACK: &str = "Slack #lvm-alerts";
const HOOK: &str = "webhook pager";

/// So long before [`NOW`].
pub fn ago(seconds: i64) -> Timestamp {
    NOW.saturating_sub(SignedDuration::from_secs(seconds))
        .unwrap_or(NOW)
}

/// A monitor with both tokens, in Chile.
pub fn setting() -> Setting {
    Setting {
        root: mount::root("", "/"),
        subject: "LCO internet".to_owned(),
        action: None,
        time_zone: TimeZone::get("America/Santiago").unwrap_or(TimeZone::UTC),
        beat_every: Duration::from_secs(15),
        ping_token: true,
        admin_token: true,
    }
}

/// All states by name.
pub fn all() -> Vec<(&'static str, View)> {
    vec![
        ("up", up()),
        ("down", down()),
        ("waiting", waiting()),
        ("disabled-for-a-time", disabled_for_a_time()),
        ("disabled-for-good", disabled_for_good()),
        ("not-alerting", not_alerting()),
        ("undelivered", undelivered()),
        ("without-report", without_report()),
        ("engineering-mode", engineering_mode()),
        ("old-report", old_report()),
        ("without-state-file", without_state_file()),
        ("late-beat", late_beat()),
        ("late", late()),
        ("held", held()),
        ("not-arriving", not_arriving()),
        ("closing", closing()),
        ("closed-by-watchdog", closed_by_watchdog()),
        ("stand-by", stand_by()),
        ("stopped", stopped()),
        ("earlier-actor", earlier_actor()),
    ]
}

/// All is well; there were an outage and two blind stretches this week.
pub fn up() -> View {
    let hour = 3600;
    let period = |what, from, lasted| Period {
        what,
        from: ago(from),
        to: Some(ago(from - lasted)),
    };
    let (course, incidents) = night::night();
    View {
        at: AT,
        wall: NOW,
        started: ago(70 * hour),
        alarm: alarm::Status {
            state: alarm::State::Up,
            mode: Mode::Enabled,
            ever_seen: true,
            silence: Ticks::from_secs(4),
        },
        since: Some(ago(9 * hour + 1200)),
        clearing: None,
        incidents: Vec::new(),
        quiet_until: None,
        alerts: true,
        alert_after: Duration::from_secs(300),
        last_seen: Some(ago(4)),
        disabled_until: None,
        report: Some((report(), ago(4))),
        channels: vec![
            channel(MAIL, Kind::Email),
            channel(SLACK, Kind::Slack),
            channel(HOOK, Kind::Webhook),
        ],
        notices: vec![
            notice(
                12,
                9 * hour + 1200,
                Event::Up(silence(1560.0)),
                &[MAIL, SLACK, HOOK],
                &[],
            ),
            notice(
                11,
                9 * hour + 2460,
                Event::Down(silence(300.0)),
                &[MAIL, SLACK, HOOK],
                &[],
            ),
        ],
        history: History {
            begins: Some(ago(40 * 86_400)),
            periods: vec![
                period(What::Silent, 5 * 86_400 + 7000, 2 * hour + 900),
                period(What::Blind, 70 * hour + 140, 140),
                period(What::Silent, 9 * hour + 2760, 1560),
                period(What::Blind, 3 * hour, 600),
            ],
            course,
            incidents,
        },
        store: StoreView {
            path: Some("/data/lvmbeat-monitor.json".into()),
            saved: Some(ago(4)),
            failure: None,
            set_aside: None,
        },
        own_beat: Some(OwnBeat {
            service: "hc.example".to_owned(),
            last_taken: Some(ago(41)),
            failure: None,
            failures: 0,
        }),
        counters: Counters {
            beats: 16_784,
            delivered: 12,
            failed: 1,
            lapses: 2,
        },
    }
}

/// It is silent, and everybody has been alerted.
pub fn down() -> View {
    let mut view = up();
    view.alarm.state = alarm::State::Down;
    view.alarm.silence = Ticks::from_secs(1140);
    view.since = Some(ago(840));
    view.last_seen = Some(ago(1140));
    view.report = Some((report(), ago(1140)));
    view.notices.insert(
        0,
        notice(
            13,
            840,
            Event::Down(silence(300.0)),
            &[MAIL, SLACK, HOOK],
            &[],
        ),
    );
    view.incidents = vec![IncidentView {
        id: Uuid::from_u128(13),
        begun: ago(840),
        acknowledged: Some(ago(600)),
    }];
    view.history.periods.push(Period {
        what: What::Silent,
        from: ago(1140),
        to: None,
    });
    view
}

/// It was never heard.
pub fn waiting() -> View {
    View {
        started: ago(130),
        alarm: alarm::Status {
            state: alarm::State::Waiting,
            mode: Mode::Enabled,
            ever_seen: false,
            silence: Ticks::from_secs(130),
        },
        since: Some(ago(130)),
        last_seen: None,
        report: None,
        channels: vec![ChannelView {
            last_delivered: None,
            ..channel(MAIL, Kind::Email)
        }],
        notices: Vec::new(),
        history: History::default(),
        counters: Counters::default(),
        ..up()
    }
}

/// Disabled for some hours.
pub fn disabled_for_a_time() -> View {
    let mut view = up();
    view.alarm.mode = Mode::DisabledFor(Ticks::from_secs(9000));
    view.disabled_until = NOW.checked_add(SignedDuration::from_secs(9000)).ok();
    view
}

/// Disabled until somebody enables it; meanwhile it has become silent.
pub fn disabled_for_good() -> View {
    let mut view = up();
    view.alarm.mode = Mode::DisabledForGood;
    view.alarm.silence = Ticks::from_secs(4000);
    view.last_seen = Some(ago(4000));
    view.report = Some((report(), ago(4000)));
    view
}

/// Alerting is switched off.
pub fn not_alerting() -> View {
    View {
        alerts: false,
        ..up()
    }
}

/// An alarm that one channel has delivered, one delivers and one cannot.
pub fn undelivered() -> View {
    let mut view = down();
    view.notices[0].delivered = vec![SLACK.to_owned()];
    view.notices[0].pending = vec![MAIL.to_owned(), HOOK.to_owned()];
    view.channels[0].pending = vec![NoticeId(13)];
    view.channels[0].failures = 5;
    view.channels[0].last_error = Some(
        "the server mail.example:587 refuses the login: 535 5.7.8 authentication failed".to_owned(),
    );
    view.channels[0].retry_in = Some(Duration::from_secs(95));
    view.channels[2].pending = vec![NoticeId(13)];
    view.channels[2].delivering = true;
    view
}

/// Beats come, without reports.
pub fn without_report() -> View {
    View {
        report: None,
        ..up()
    }
}

/// Engineering mode holds the dome open although the overwatcher is dead.
pub fn engineering_mode() -> View {
    let mut view = up();
    if let Some((report, _)) = &mut view.report {
        report.hold = Some(HoldReport {
            reason: "heartbeat_stale".to_owned(),
            fault: true,
            text: "heartbeat overwatcher was last received 431.5 s ago (timeout 30 s)".to_owned(),
            seconds: Some(401.5),
        });
        for heartbeat in report
            .heartbeats
            .iter_mut()
            .filter(|heartbeat| heartbeat.critical)
        {
            heartbeat.current = false;
            heartbeat.age = Some(431.5);
        }
        if let Some(enclosure) = &mut report.enclosure {
            enclosure.engineering_mode = Some(true);
        }
        report.health = Some(health(Health::Bypassed, 401.5, &[]));
    }
    view
}

/// Beats come, but the last report is an hour old.
pub fn old_report() -> View {
    let mut view = up();
    if let Some((_, received)) = &mut view.report {
        *received = ago(3700);
    }
    view
}

/// Nothing would survive a restart.
pub fn without_state_file() -> View {
    View {
        store: StoreView::default(),
        ..up()
    }
}

fn health(state: Health, seconds: f64, late: &[&str]) -> HealthReport {
    HealthReport {
        state: Some(state),
        seconds: Some(seconds),
        text: String::new(),
        late: late.iter().map(|&text| text.to_owned()).collect(),
    }
}

fn report() -> Report {
    Report {
        version: "0.1.0".to_owned(),
        uptime: Some(273_600.0),
        heartbeats: vec![
            HeartbeatReport {
                name: "overwatcher".to_owned(),
                critical: true,
                current: true,
                age: Some(2.1),
                timeout: Some(30.0),
                smallest_margin: Some(23.4),
            },
            HeartbeatReport {
                name: "scheduler".to_owned(),
                critical: false,
                current: true,
                age: Some(41.0),
                timeout: Some(60.0),
                smallest_margin: Some(8.0),
            },
        ],
        hold: None,
        emission: EmissionReport {
            last_outcome: Some("acknowledged".to_owned()),
            acknowledged_age: Some(7.3),
            smallest_margin: Some(46.9),
        },
        enclosure: Some(EnclosureReport {
            age: Some(12.0),
            dome: Some(Dome::Open),
            dome_age: Some(12.0),
            facts_expire: Some(90.0),
            dome_open: Some(true),
            dome_closed: Some(false),
            engineering_mode: Some(false),
            engineering_mode_age: Some(12.0),
            plc_acknowledges: Some(true),
            plc_acknowledges_age: Some(12.0),
            plc_heartbeat_error: Some(false),
            plc_heartbeat_error_age: Some(12.0),
            plc_acknowledged_age: Some(12.0),
        }),
        health: Some(health(Health::Ok, 33_600.0, &[])),
        delivery: Some(DeliveryReport {
            seconds: Some(7.3),
            closes_in: Some(52.7),
            least_left: Some(0.0),
            ..DeliveryReport::default()
        }),
        beat_every: Some(15.0),
        network: vec![
            LinkReport {
                name: "lco".to_owned(),
                up: true,
            },
            LinkReport {
                name: "outside".to_owned(),
                up: true,
            },
        ],
        ..Report::default()
    }
}

fn channel(name: &str, kind: Kind) -> ChannelView {
    ChannelView {
        name: name.to_owned(),
        kind,
        pending: Vec::new(),
        delivering: false,
        failures: 0,
        last_error: None,
        last_delivered: Some(ago(9 * 3600 + 1195)),
        retry_in: None,
    }
}

fn notice(id: u64, raised: i64, event: Event, delivered: &[&str], pending: &[&str]) -> NoticeView {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    NoticeView {
        notice: Notice {
            id: NoticeId(id),
            incident: Uuid::from_u128(id.into()),
            raised: ago(raised),
            event,
        },
        delivered: names(delivered),
        pending: names(pending),
    }
}

fn silence(observed: f64) -> Silence {
    Silence {
        last_seen: Some(ago(9 * 3600 + 2760)),
        observed,
        by_hand: false,
        last_hold: None,
        dome: None,
        dome_unknown_since: None,
        heard_again: None,
        relapses: 0,
        stopped: None,
        dome_open: Some(true),
        engineering_mode: Some(false),
    }
}
