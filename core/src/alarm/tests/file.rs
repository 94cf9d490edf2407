//! What stands in a file.

use super::*;

use serde_json::{Value, from_value, json, to_value};

fn full() -> (Saved, Value) {
    let saved = Saved {
        ever_seen: true,
        down: true,
        silence: secs(301),
        since_reported: Duration::from_millis(1500),
        mode: Mode::DisabledFor(secs(60)),
    };
    let text = json!({
        "ever_seen": true,
        "down": true,
        "silence": 301_000,
        "since_reported": 1500,
        "mode": {"disabled_for": 60_000},
    });
    (saved, text)
}

#[test]
fn it_is_saved_in_milliseconds_and_read_again() {
    let (saved, text) = full();
    assert_eq!(to_value(saved).unwrap(), text);
    assert_eq!(from_value::<Saved>(text).unwrap(), saved);
}

#[test]
fn every_mode_is_saved_and_read_again() {
    for (mode, text) in [
        (Mode::Enabled, json!("enabled")),
        (Mode::DisabledForGood, json!("disabled_for_good")),
        (Mode::DisabledFor(Duration::MIN), json!({"disabled_for": 0})),
    ] {
        assert_eq!(to_value(mode).unwrap(), text);
        assert_eq!(from_value::<Mode>(text).unwrap(), mode);
    }
}

#[test]
fn m3_saving_never_adds_silence() {
    let mut alarm = beaten();
    let mut now = T0;
    for _ in 0..100 {
        let stop = now + Duration::from_ticks(12_345);
        let before = silence(&alarm, stop);
        let text = to_value(alarm.save(stop)).unwrap();
        alarm = Alarm::restore(config(), from_value(text).unwrap(), T0);
        now = T0;
        let after = silence(&alarm, now);
        assert!(after <= before && before - after < Duration::from_millis(1));
    }
}

#[test]
fn x2_what_is_missing_has_its_default_and_what_is_unknown_is_passed_over() {
    assert_eq!(from_value::<Saved>(json!({})).unwrap(), Saved::default());
    let some = json!({"down": true, "version": 7, "colour": ["red"]});
    let expected = Saved {
        down: true,
        ..Saved::default()
    };
    assert_eq!(from_value::<Saved>(some).unwrap(), expected);
}

#[test]
fn x2_a_duration_that_is_too_long_is_the_longest() {
    let garbage = json!({"silence": u64::MAX, "mode": {"disabled_for": u64::MAX}});
    let expected = Saved {
        silence: Duration::MAX,
        mode: Mode::DisabledFor(Duration::MAX),
        ..Saved::default()
    };
    assert_eq!(from_value::<Saved>(garbage).unwrap(), expected);
}

#[test]
fn x2_what_is_not_of_its_kind_is_an_error() {
    for garbage in [
        json!(null),
        json!("down"),
        json!({"down": 1}),
        json!({"silence": -1}),
        json!({"silence": 1.5}),
        json!({"silence": "long"}),
        json!({"mode": "off"}),
        json!({"mode": {"disabled_for": null}}),
    ] {
        assert!(from_value::<Saved>(garbage.clone()).is_err(), "{garbage}");
    }
}

#[test]
fn notifications_are_written_and_read_again() {
    for (notification, text) in [
        (
            alarmed(secs(1)),
            json!({"down": {"silence": 1000, "ever_seen": true, "by_hand": false}}),
        ),
        (
            Notification::Reminder {
                silence: secs(2),
                ever_seen: false,
            },
            json!({"reminder": {"silence": 2000, "ever_seen": false}}),
        ),
        (
            recovered(secs(3)),
            json!({"up": {"silence": 3000, "by_hand": false}}),
        ),
        (Notification::EnabledAgain, json!("enabled_again")),
    ] {
        assert_eq!(to_value(notification).unwrap(), text);
        assert_eq!(from_value::<Notification>(text).unwrap(), notification);
    }
}

#[test]
fn what_is_known_is_shown() {
    let shown = to_value(beaten().status(T0 + secs(5))).unwrap();
    let expected = json!({"state": "up", "mode": "enabled", "ever_seen": true, "silence": 5000});
    assert_eq!(shown, expected);
}
