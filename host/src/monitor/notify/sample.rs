//! Notices for tests.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::config::monitor::Wording;
use crate::monitor::notice::{Cause, Event, Moved, Notice, NoticeId, Silence, Trouble};
use crate::report::{Dome, Health};

pub(super) fn wording() -> Wording {
    Wording {
        subject: "LCO internet".to_owned(),
        action: Some("The dome closes by itself.\nCall the observers.\n".to_owned()),
        page: Some("https://monitor.example/".parse().unwrap()),
        time_zone: TimeZone::get("America/Santiago").unwrap(),
    }
}

pub(super) fn silence() -> Silence {
    Silence {
        last_seen: Some(at("2025-06-01T03:12:05Z")),
        observed: 300.0,
        by_hand: false,
        last_hold: Some("overwatcher <silent> for 61 s".to_owned()),
        dome: None,
        dome_unknown_since: None,
        heard_again: None,
        relapses: 0,
        stopped: None,
        dome_open: Some(true),
        engineering_mode: Some(false),
    }
}

pub(super) fn notice(id: u64, incident: Uuid, event: Event) -> Notice {
    let raised = match event {
        Event::Down(_) => "2025-06-01T03:17:05Z",
        Event::Reminder(_) => "2025-06-01T04:12:05Z",
        Event::Up(_) => "2025-06-01T04:40:00Z",
        Event::Held(_) => "2025-06-01T03:12:36Z",
        Event::HeldReminder(_) => "2025-06-01T03:42:36Z",
        Event::Released(_) => "2025-06-01T03:50:00Z",
        Event::Test | Event::Summary(_) | Event::EnabledAgain => "2025-06-01T03:00:00Z",
    };
    Notice {
        id: NoticeId(id),
        incident,
        raised: at(raised),
        event,
    }
}

pub(super) fn down(id: u64, incident: u64) -> Notice {
    of(id, incident, 300.0, Event::Down)
}

pub(super) fn reminder(id: u64, incident: u64) -> Notice {
    of(id, incident, 3600.0, Event::Reminder)
}

pub(super) fn up(id: u64, incident: u64) -> Notice {
    of(id, incident, 4800.0, Event::Up)
}

/// The overwatcher died with the dome open, 31 s ago.
pub(super) fn trouble() -> Trouble {
    let causes = vec![Cause::new("overwatcher", "silent 31 s")];
    Trouble {
        lasted: 20.0,
        reported: at("2025-06-01T03:12:35Z"),
        all_causes: causes.clone(),
        causes,
        plc_closes: Some(at("2025-06-01T03:13:05Z")),
        dome: Some(Dome::Open),
        engineering_mode: Some(false),
        moves: vec![Moved {
            at: at("2025-06-01T03:12:20Z"),
            dome: Some(Dome::Open),
        }],
        ..Trouble::begins(at("2025-06-01T03:12:16Z"), Health::Held)
    }
}

pub(super) fn enabled_again(id: u64) -> Notice {
    notice(id, Uuid::from_u128(0), Event::EnabledAgain)
}

fn of(id: u64, incident: u64, observed: f64, event: fn(Silence) -> Event) -> Notice {
    let silence = Silence {
        observed,
        ..silence()
    };
    notice(id, Uuid::from_u128(incident.into()), event(silence))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}
