use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

use super::*;
use crate::demo::chronicle::{Chapter, Who};
use crate::demo::scene::Outside;
use crate::plc::DomeState;

/// Observing: all is well.
fn open() -> Scene {
    Scene {
        now: 93.4,
        speed: 8.0,
        chapter: Some(Chapter {
            number: 3,
            title: "Observing",
            text: "Every beat passes along the chain in time, and the dome stays open.",
        }),
        overwatcher_lives: true,
        beats: 17,
        beat_age: Some(4.9),
        health: Some(Health::Ok),
        gate: Gate::Passes,
        emitted: 9,
        lvmecp_hangs: false,
        heartbeats: 9,
        countdown: 55.2,
        expired: false,
        dome: DomeState::Open,
        open: 1.0,
        smallest_margin: Some(44.9),
        outage: None,
        outside: Outside {
            page: ([127, 0, 0, 1], 45_678).into(),
            silence: Some(4.2),
            cut: false,
            alarm: false,
            limit: 78.0,
            mail: None,
            pulse: None,
        },
        pulses: [Some(0.2), None, None],
        entries: (0..30)
            .map(|number| Entry {
                at: f64::from(number),
                who: Who::Plc,
                weight: Weight::News,
                text: format!("event {number}"),
                detail: "not shown".to_owned(),
            })
            .collect(),
    }
}

/// The overwatcher has died; the PLC still waits.
fn held() -> Scene {
    Scene {
        overwatcher_lives: false,
        beat_age: Some(41.2),
        health: Some(Health::Held),
        gate: Gate::Holds(
            "heartbeat overwatcher was last received 41.2 s ago (timeout 30 s)".to_owned(),
        ),
        countdown: 18.8,
        outage: Some(OutageScene {
            what: "the last beat",
            lasts: 41.2,
            closing: false,
            limit: 83.0,
        }),
        pulses: [None; 3],
        ..open()
    }
}

/// And now it does not.
fn closing() -> Scene {
    Scene {
        countdown: 0.0,
        expired: true,
        health: Some(Health::Closing),
        dome: DomeState::Closing,
        open: 0.41,
        outage: Some(OutageScene {
            what: "the last beat",
            lasts: 60.1,
            closing: true,
            limit: 83.0,
        }),
        ..held()
    }
}

/// The network to the monitor is cut.
fn silent() -> Scene {
    let open = open();
    Scene {
        outside: Outside {
            silence: Some(48.2),
            cut: true,
            ..open.outside.clone()
        },
        ..open
    }
}

/// And people were alerted.
fn alerted() -> Scene {
    let silent = silent();
    Scene {
        outside: Outside {
            silence: Some(68.4),
            alarm: true,
            mail: Some(MAIL.to_owned()),
            ..silent.outside.clone()
        },
        ..silent
    }
}

const MAIL: &str = "LCO internet is down: last heard at 2026-11-25 02:31:02 UTC (2026-11-24 23:31:02 Santiago). The dome was open.";

const COLOURS: Palette = Palette { colours: true };

fn drawn(scene: &Scene, (width, height): (u16, u16), palette: Palette) -> TestBackend {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, scene, palette)).unwrap();
    terminal.backend().clone()
}

fn text(scene: &Scene, size: (u16, u16)) -> String {
    drawn(scene, size, COLOURS).to_string()
}

/// What has to be read on any usable screen.
fn assert_shown(scene: &Scene, size: (u16, u16), parts: &[&str]) {
    let text = text(scene, size);
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn an_open_dome_is_seen_with_everything_that_keeps_it_open() {
    assert_shown(
        &open(),
        (80, 24),
        &[
            "3 Observing",
            "● beats",
            "● passes on",
            "● answers",
            "● fed",
            "4.9 s ago",
            "in 55.2 s",
            "● OK: lvmbeat passes heartbeats on",
            "smallest margin so far: 44.9 s of 60 s (L1)",
            "dome □ open 100 %",
            "event 29",
            "▶ monitor ● heard 4 s ago",
            "http://127.0.0.1:45678/",
        ],
    );
}

#[test]
fn m1_silence_outside_is_seen_with_its_limit_and_then_the_alert() {
    assert_shown(
        &silent(),
        (80, 24),
        &[
            "─✗",
            "▼ silence for 48 s",
            "48.2 s since the monitor heard; M1 allows 78 s",
            "● passes on",
        ],
    );
    for size in [(80, 24), (40, 16)] {
        let shown = text(&alerted(), size).replace(['"', '\n'], " ");
        let words: Vec<&str> = shown.split_whitespace().collect();
        let shown = words.join(" ");
        for part in ["✗ down, people know", "✉ LCO internet is down", "open."] {
            assert!(shown.contains(part), "{part:?} is not in {shown}");
        }
    }
}

#[test]
fn a_held_heartbeat_is_seen_with_its_reason_and_what_is_left() {
    assert_shown(
        &held(),
        (80, 24),
        &[
            "✗ dead",
            "■ holds",
            "▼ counts",
            "41.2 s ago: too old",
            "in 18.8 s",
            "■ HELD: heartbeat overwatcher was last received",
            "41.2 s since the last beat; S4 allows 83 s",
        ],
    );
}

#[test]
fn s4_a_closing_dome_is_seen_with_the_time_that_it_took() {
    assert_shown(
        &closing(),
        (80, 24),
        &[
            "✗ expired",
            "■ CLOSING: heartbeat overwatcher",
            "dome ▼ closing 41 %",
            "closing began after 60.1 s; S4 allows 83 s",
        ],
    );
}

#[test]
fn on_a_small_screen_there_are_words() {
    assert_shown(
        &open(),
        (40, 14),
        &["dome □ open 100 %", "in 55.2 s", "event 29"],
    );
    assert_shown(
        &held(),
        (40, 14),
        &["41.2 s ago: too old", "(timeout 30 s)", "41.2 s since the"],
    );
    assert_shown(
        &closing(),
        (40, 14),
        &["dome ▼ closing 41 %", "now: no heartbeat"],
    );
}

#[test]
fn no_size_is_too_small_or_too_large() {
    for scene in [open(), silent(), alerted(), held(), closing()] {
        for width in [1, 2, 5, 13, 30, 71, 72, 80, 81, 200] {
            for height in [1, 2, 3, 5, 10, 21, 22, 24, 25, 70] {
                drawn(&scene, (width, height), COLOURS);
            }
        }
    }
}

#[test]
fn the_dome_is_drawn_as_far_open_as_it_is() {
    // The top of the shutters, where they meet.
    let top = |open: f64| {
        let backend = drawn(&Scene { open, ..closing() }, (80, 24), COLOURS);
        let buffer = backend.buffer().clone();
        (9..12).any(|row| (13..15).any(|column| buffer[(column, row)].fg == Color::Red))
    };
    assert!(top(0.0));
    assert!(!top(0.5));
}

#[test]
fn a_pulse_is_seen_on_its_way_and_not_when_nothing_beats() {
    let chain = |scene: &Scene| {
        let text = text(scene, (80, 24));
        text.lines().nth(6).unwrap().matches("─●").count()
    };
    assert_eq!(chain(&open()), 1);
    assert_eq!(chain(&held()), 0);
}

#[test]
fn without_colours_there_are_none() {
    let backend = drawn(&closing(), (80, 24), Palette { colours: false });
    for cell in backend.buffer().content() {
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
    }
}
