use serde_json::json;

use super::super::lines::{Look, text as as_text};
use super::*;
use crate::report::Health;

/// Observing: all is well.
fn open() -> Value {
    json!({
        "heartbeats": {
            "weather": {"current": false, "last_seen": null, "critical": false, "age": null, "proven_age": null,
                "timeout": 60.0, "smallest_margin": null},
            "overwatcher": {"current": true, "last_seen": "2026-11-25T02:31:02Z", "critical": true, "age": 2.1,
                "proven_age": 7.1, "timeout": 30.0, "smallest_margin": 18.0, "last_by": "Gort-client-1a2b"},
        },
        "last_emitted_ecp": "2026-11-25T02:31:00Z",
        "last_emitted_outside": "2026-11-25T02:30:55Z",
        "network": {"lco": true, "outside": true, "internet": true},
        "hold": null,
        "health": {"state": "ok", "seconds": 11_520.0, "text": "the dome heartbeat arrives", "late": []},
        "delivery": {"seconds": 4.5, "text": null, "closes_in": 55.5, "closing_for": null},
        "ecp": {"actor": "lvmecp", "last_outcome": "acknowledged", "acknowledged_age": 4.5, "in_flight": false,
            "smallest_margin": 44.9},
        "enclosure": {"age": 3.2, "dome": "open", "dome_age": 3.2, "facts_expire": 90.0,
            "engineering_mode": false, "plc_acknowledges": true, "plc_heartbeat_error": false,
            "plc_acknowledged_age": 3.2, "dome_unknown_since": null},
        "relay_box": null,
        "outside_monitors": [{"url": "https://lvm.example/heartbeat", "last_beat": "2026-11-25T02:30:55Z", "failure": null}],
        "uptime": 11_525.0,
    })
}

/// Everything is wrong.
fn closing() -> Value {
    json!({
        "heartbeats": {
            "overwatcher": {"current": false, "last_seen": "2026-11-25T02:29:31Z", "critical": true, "age": 91.5,
                "proven_age": 96.5, "timeout": 30.0, "smallest_margin": 18.0, "last_by": "Gort-client-1a2b",
                "also_by": "notebook", "refused": 3, "refused_from": "intruder"},
            "guider": {"current": false, "last_seen": null, "critical": true, "age": null, "proven_age": null,
                "timeout": 30.0, "smallest_margin": null, "last_by": null},
        },
        "network": {"lco": true, "outside": false, "internet": false},
        "hold": {"reason": "heartbeat_stale", "fault": true, "text": "heartbeat overwatcher was last received 91.5 s ago", "seconds": 61.5},
        "health": {"state": "closing", "seconds": 6.5,
            "text": "the PLC's time ran out 6.5 s ago, and the dome is not known to be closed: heartbeat overwatcher was last received 91.5 s ago",
            "late": ["heartbeat overwatcher was last received 91.5 s ago", "network link outside is down"]},
        "delivery": {"cause": "refused", "seconds": 66.5, "text": "lvmecp refused it: Failed to set heartbeat.", "closes_in": null, "closing_for": 6.5},
        "ecp": {"actor": "lvmecp", "last_outcome": "failed", "acknowledged_age": 66.5, "in_flight": false, "smallest_margin": 44.9},
        "enclosure": {"age": 95.0, "dome": null, "dome_age": 95.0, "facts_expire": 90.0, "engineering_mode": true,
            "plc_acknowledges": false, "plc_heartbeat_error": true, "plc_acknowledged_age": 70.0,
            "dome_unknown_since": "2026-11-25T02:29:28Z"},
        "relay_box": {"path": "/dev/ttyACM0", "energised": false, "latched": false, "hold": "stale", "last_counted": null, "failure": null},
        "outside_monitors": [
            {"url": "https://lvm.example/heartbeat", "last_beat": null, "failure": null},
            {"url": "https://other.example/heartbeat", "last_beat": "2026-11-25T02:30:55Z", "failure": "it answers 401"},
        ],
        "uptime": 11_525.0,
    })
}

fn shown(keywords: &Value, width: usize, colours: bool) -> String {
    let seen = Seen {
        actor: "lvmbeat",
        keywords: keywords.as_object().unwrap(),
        at: "2026-11-25T02:31:04Z".parse().unwrap(),
        zone: &TimeZone::UTC,
        width,
    };
    as_text(&table(seen), Look { width, colours })
}

#[test]
fn what_is_well_is_seen_at_a_glance() {
    assert_eq!(
        shown(&open(), 80, false),
        "\
lvmbeat                                              02:31:04 UTC, up 3 h 12 min

● OK for 3 h 12 min
  the dome heartbeat arrives
PLC closes      in 55.5 s
                ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━─────
dome heartbeat  ● lvmecp acknowledged the last one 4.5 s ago
                smallest margin so far: 44.9 s (L1)

heartbeats
● overwatcher   7.1 s of 30 s       ━━━━╸───────────────  by Gort-client-1a2b
○ weather       not heard           not critical

network         ● lco   ● outside
dome            □ open, said 3.2 s ago
PLC             ● acknowledges the heartbeat, last seen to 3.2 s ago
lvmecp          ● heard 3.2 s ago
monitors        ● https://lvm.example/heartbeat took a beat at 02:30:55 UTC
"
    );
}

#[test]
fn everything_that_is_wrong_is_seen() {
    assert_eq!(
        shown(&closing(), 80, false),
        "\
lvmbeat                                              02:31:04 UTC, up 3 h 12 min

▼ CLOSING for 6.5 s
  the PLC's time ran out 6.5 s ago, and the dome is not known to be closed:
  heartbeat overwatcher was last received 91.5 s ago
  ! network link outside is down
PLC closes      now: its time ran out 6.5 s ago
dome heartbeat  ✗ the last one: failed; the last acknowledged one was 66.5 s ago
                lvmecp refused it: Failed to set heartbeat.
                smallest margin so far: 44.9 s (L1)

heartbeats
✗ overwatcher   96.5 s of 30 s      ━━━━━━━━━━━━━━━━━━━━  by Gort-client-1a2b
                ! set by notebook as well: two programs beat
                ! 3 refused, last from intruder
? guider        not heard

network         ● lco   ✗ outside is down
dome            ? unknown since 02:29:28 UTC
PLC             ✗ has had no heartbeat for its whole timeout (hb_error)
lvmecp          ! engineering mode: lvmecp beats to the PLC by itself
monitors        ○ https://lvm.example/heartbeat has not taken a beat yet
                ✗ https://other.example/heartbeat: it answers 401
relay box       ■ relay released: stale
"
    );
}

#[test]
fn what_is_wrong_is_red_and_what_is_well_is_not() {
    let red: Vec<String> = shown(&closing(), 80, true)
        .lines()
        .filter_map(|line| line.split_once("\x1b[1;31m")?.1.split_once('\x1b'))
        .map(|(red, _)| red.trim().chars().take(9).collect())
        .collect();
    let expected = [
        "▼ CLOSING",
        "now: its ",
        "✗ the las",
        "✗ overwat",
        "? guider",
        "✗ outside",
        "✗ has had",
        "✗ https:/",
        "■ relay r",
    ];
    assert_eq!(red, expected);
    assert!(!shown(&open(), 80, true).contains("\x1b[1;31m"));
    assert!(!shown(&closing(), 80, false).contains('\x1b'));
}

#[test]
fn every_health_has_its_word() {
    for health in Health::ALL {
        let mut keywords = open();
        keywords["health"]["state"] = health.as_str().into();
        let (_, word, _) = headline(health.as_str());
        assert!(
            shown(&keywords, 80, false).contains(&format!("{word} for 3 h")),
            "{word}"
        );
        assert_eq!(word == "UNKNOWN", health == Health::Unknown, "{word}");
    }
}

#[test]
fn an_actor_of_another_version_is_shown_as_far_as_it_says_anything() {
    // An earlier one.
    let mut keywords = closing();
    for later in ["health", "delivery"] {
        keywords.as_object_mut().unwrap().remove(later);
    }
    let text = shown(&keywords, 80, false);
    assert!(
        text.contains("■ HELD for 61.5 s\n  heartbeat overwatcher was last"),
        "{text}"
    );
    // The Python one.
    let python = json!({
        "heartbeats": {"overwatcher": {"current": true, "last_seen": "2026-11-25T02:31:02Z"}},
        "last_emitted_ecp": null,
        "last_emitted_outside": null,
        "network": {"lco": true, "outside": true},
    });
    let text = shown(&python, 80, false);
    assert!(text.contains("? UNKNOWN\n"), "{text}");
    assert!(
        text.contains("● overwatcher   last 2026-11-25T02:31:02Z\n"),
        "{text}"
    );
    assert!(!text.contains("dome"), "{text}");
    assert!(shown(&json!({}), 80, false).contains("? UNKNOWN"));
}

/// Each value is replaced by one of each other type, one after the other.
#[test]
fn x2_whatever_an_actor_sends_is_shown_within_the_terminal() {
    fn places(value: &Value, path: String, found: &mut Vec<String>) {
        if let Some(inner) = value.as_object() {
            for (name, value) in inner {
                places(value, format!("{path}/{name}"), found);
            }
        }
        found.push(path);
    }
    let mut found = Vec::new();
    places(&closing(), String::new(), &mut found);
    let strange = [
        json!(null),
        json!(true),
        json!(-1e300),
        json!("\x1b[2J\u{9b}31m\n".repeat(100)),
        json!([1, [2]]),
        json!({"a\x1b[2J": {"state": 1}}),
    ];
    for place in found.iter().filter(|place| !place.is_empty()) {
        for strange in &strange {
            let mut keywords = closing();
            *keywords.pointer_mut(place).unwrap() = strange.clone();
            for width in [40, 80] {
                let text = shown(&keywords, width, false);
                let longest = text.lines().map(|line| line.chars().count()).max();
                assert!(longest <= Some(width), "{place}: {text}");
                let controls = text.chars().any(|c| c.is_control() && c != '\n');
                assert!(!controls, "{place}: {text:?}");
            }
        }
    }
}
