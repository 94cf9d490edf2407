//! Views between up and down.

use embassy_time::Duration as Ticks;
use uuid::Uuid;

use super::{ago, health, report, up};
use crate::monitor::view::{IncidentView, View};
use crate::report::{
    DeliveryReport, Dome, Health, HeartbeatReport, HoldReport, Report, StoppingReport,
};

/// Up, and reports this.
fn reporting(change: impl FnOnce(&mut Report)) -> View {
    let mut view = up();
    if let Some((report, _)) = &mut view.report {
        change(report);
    }
    view
}

/// Nothing was heard for four beats.
pub fn late_beat() -> View {
    let mut view = up();
    view.alarm.silence = Ticks::from_secs(62);
    view.last_seen = Some(ago(62));
    view.report = Some((report(), ago(62)));
    view
}

/// What is not critical has gone silent.
pub fn late() -> View {
    reporting(|report| {
        report.heartbeats[1].current = false;
        report.heartbeats[1].age = Some(75.0);
        report.heartbeats.push(HeartbeatReport {
            name: "weather".to_owned(),
            timeout: Some(120.0),
            ..HeartbeatReport::default()
        });
        let late = ["scheduler (not critical) silent for 1 min 15 s (timeout 60 s)"];
        report.health = Some(health(Health::Late, 15.0, &late));
    })
}

fn overwatcher_is_dead(report: &mut Report) {
    report.heartbeats[0].current = false;
    report.heartbeats[0].age = Some(53.0);
    report.hold = Some(HoldReport {
        reason: "heartbeat_stale".to_owned(),
        fault: true,
        text: "heartbeat overwatcher was last received 53 s ago (timeout 30 s)".to_owned(),
        seconds: Some(23.0),
    });
    report.emission.acknowledged_age = Some(33.0);
    let late = [
        "overwatcher silent for 53 s (timeout 30 s)",
        "scheduler (not critical) silent for 41 s (it beats every 20 s)",
    ];
    report.health = Some(health(Health::Held, 23.0, &late));
    report.delivery = Some(DeliveryReport {
        seconds: Some(33.0),
        cause: Some("held".to_owned()),
        text: Some("it is held".to_owned()),
        closes_in: Some(27.0),
        ..DeliveryReport::default()
    });
}

/// The overwatcher is dead, and the dome open.
pub fn held() -> View {
    let mut view = reporting(overwatcher_is_dead);
    view.incidents = vec![IncidentView {
        id: Uuid::from_u128(14),
        begun: ago(7),
        acknowledged: None,
    }];
    view
}

/// lvmecp does not answer.
pub fn not_arriving() -> View {
    reporting(|report| {
        report.emission.last_outcome = Some("no_answer".to_owned());
        report.emission.acknowledged_age = Some(41.0);
        let late = ["no heartbeat acknowledged for 41 s: lvmecp does not answer"];
        report.health = Some(health(Health::NotArriving, 12.0, &late));
        report.delivery = Some(DeliveryReport {
            seconds: Some(41.0),
            cause: Some("no_answer".to_owned()),
            text: Some("lvmecp does not answer".to_owned()),
            closes_in: Some(19.0),
            ..DeliveryReport::default()
        });
    })
}

/// The PLC's time has run out, and the dome moves.
pub fn closing() -> View {
    reporting(|report| {
        overwatcher_is_dead(report);
        let late = ["overwatcher silent for 1 min 28 s (timeout 30 s)"];
        report.health = Some(health(Health::Closing, 8.0, &late));
        report.delivery = Some(DeliveryReport {
            seconds: Some(68.0),
            closing_for: Some(8.0),
            confirmed: Some(true),
            ..DeliveryReport::default()
        });
        if let Some(enclosure) = &mut report.enclosure {
            (enclosure.dome, enclosure.dome_open) = (Some(Dome::Moving), None);
            enclosure.plc_heartbeat_error = Some(true);
            enclosure.plc_acknowledges = Some(false);
        }
    })
}

/// The same, a minute later.
pub fn closed_by_watchdog() -> View {
    let mut view = closing();
    if let Some((report, _)) = &mut view.report {
        report.health = Some(health(Health::ClosedByWatchdog, 12.0, &[]));
        if let Some(delivery) = &mut report.delivery {
            delivery.closing_for = Some(71.0);
        }
        if let Some(enclosure) = &mut report.enclosure {
            enclosure.dome = Some(Dome::Closed);
            enclosure.dome_closed = Some(true);
        }
    }
    view
}

/// Only an actor on stand-by reports.
pub fn stand_by() -> View {
    reporting(|report| report.health = Some(health(Health::Unknown, 400.0, &[])))
}

/// The actor has said farewell.
pub fn stopped() -> View {
    reporting(|report| {
        report.stopping = Some(StoppingReport {
            text: "stopped by SIGTERM".to_owned(),
        });
        report.delivery = Some(DeliveryReport {
            closes_in: Some(53.0),
            ..DeliveryReport::default()
        });
    })
}

/// The overwatcher is dead, and the actor says nothing of its health.
pub fn earlier_actor() -> View {
    let mut view = held();
    if let Some((report, _)) = &mut view.report {
        (report.health, report.delivery) = (None, None);
    }
    view
}
