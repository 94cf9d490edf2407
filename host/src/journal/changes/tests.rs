use super::super::story::{Verdict, last_closing};
use super::super::{Entry, Journal};
use super::*;
use crate::actor::snapshot::tests::{assessed, delivered, snapshot as snapshot_for_tests};
use crate::actor::snapshot::{HeartbeatView, Hold, LinkView};
use crate::clock::Moment;
use lvmbeat_core::{Cause, LinkState};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Two critical heartbeats and a link, all well.
fn well() -> Snapshot {
    let mut shown = snapshot_for_tests();
    let heartbeat = |name: &str| HeartbeatView {
        name: name.to_owned(),
        current: true,
        age: Some(1.0),
        ..shown.heartbeats[0].clone()
    };
    shown.heartbeats = vec![heartbeat("overwatcher"), heartbeat("guider")];
    shown.links = vec![LinkView {
        name: "lco".to_owned(),
        state: LinkState::Up,
        up: true,
        failures: 0,
    }];
    shown.hold = None;
    shown.acknowledged_age = Some(1.0);
    shown.delivery = delivered();
    shown.last_outcome = Some(Outcome::Acknowledged);
    shown
}

fn held(shown: &mut Snapshot, cause: Cause, text: &str) {
    shown.hold = Some(Hold {
        cause,
        fault: true,
        text: text.to_owned(),
        seconds: None,
    });
}

fn changes() -> Changes {
    let mut changes = Changes::default();
    observe(&mut changes, &well(), at(0));
    changes
}

/// What the journal says beside how the whole is.
fn observe(changes: &mut Changes, shown: &Snapshot, wall: Timestamp) -> Vec<Event> {
    let mut events = changes.observe(&assessed(shown), wall);
    events.retain(|event| !matches!(event, Event::Health { .. }));
    events
}

#[test]
fn each_change_of_health_is_written_down_last_with_everything_that_is_late() {
    let mut changes = Changes::default();
    let mut health = |shown: &Snapshot| match changes.observe(&assessed(shown), at(0)).pop() {
        Some(Event::Health { state, causes, .. }) => Some((state, causes)),
        _ => None,
    };
    assert_eq!(health(&well()), Some(("ok".to_owned(), vec![])));
    assert_eq!(health(&well()), None);
    let mut shown = well();
    held(&mut shown, Cause::Stale, "overwatcher is stale");
    for heartbeat in &mut shown.heartbeats {
        heartbeat.current = false;
        heartbeat.age = Some(31.0);
    }
    let causes = ["overwatcher", "guider"];
    let causes = causes.map(|name| format!("{name} silent for 31 s (timeout 30 s)"));
    assert_eq!(health(&shown), Some(("held".to_owned(), causes.to_vec())));
}

#[test]
fn a_source_that_is_late_and_well_again_all_night_takes_little_room() {
    let mut changes = Changes::default();
    let mut entries = Vec::new();
    let mut show = |second: i64, change: &dyn Fn(&mut Snapshot)| {
        let mut shown = well();
        shown.at += embassy_time::Duration::from_secs(second.unsigned_abs());
        change(&mut shown);
        entries.extend(changes.observe(&assessed(&shown), at(second)));
    };
    let late = |shown: &mut Snapshot| shown.heartbeats[0].age = Some(12.0);
    let night = 12 * 3600;
    for second in (0..night).step_by(10) {
        show(second, &|shown| {
            if second % 20 == 0 {
                late(shown);
            }
        });
    }
    // It goes on, and something happens.
    show(night, &late);
    show(night + 10, &|shown| held(shown, Cause::Stale, "stale"));
    assert!(entries.len() < 40, "{}", entries.len());
    let late = |event: &Event| {
        if let Event::Flapped { times, .. } = event {
            return *times;
        }
        u64::from(matches!(event, Event::Health { state, .. } if state == "late"))
    };
    let times: u64 = entries.iter().map(late).sum();
    assert_eq!(times, 12 * 180 + 1, "each is counted once");
    let position = |is: &dyn Fn(&Event) -> bool| entries.iter().rposition(is).unwrap();
    let flapped = position(&|event| matches!(event, Event::Flapped { .. }));
    let held = position(&|event| matches!(event, Event::Held { .. }));
    assert!(flapped < held, "what happened before is told before");
    let Event::Flapped { causes, state, .. } = &entries[flapped] else {
        panic!("{entries:?}")
    };
    assert_eq!(state, "late");
    assert!(
        causes[0].starts_with("overwatcher silent for 12 s"),
        "{causes:?}"
    );
}

#[test]
fn a_run_of_flaps_is_told_when_it_is_quiet_and_the_next_ones_are_told_one_by_one() {
    let mut changes = Changes::default();
    let mut show = |second: u64, is_late: bool| {
        let mut shown = well();
        shown.at += embassy_time::Duration::from_secs(second);
        if is_late {
            shown.heartbeats[0].age = Some(12.0);
        }
        changes.observe(&assessed(&shown), at(0)).len()
    };
    let told: Vec<usize> = (0..8).map(|second| show(second, second % 2 == 0)).collect();
    // The first view tells of the session, the emissions and the health.
    assert_eq!(told.iter().sum::<usize>(), 3 + 4, "{told:?}");
    assert_eq!(show(606, false), 0);
    assert_eq!(show(607, false), 1);
    assert_eq!(show(608, true), 1);
}

#[test]
fn a_client_that_has_died_is_silent_before_its_timeout_has_passed_since_it_was_received() {
    let mut changes = changes();
    let mut shown = well();
    held(&mut shown, Cause::Stale, "overwatcher is stale");
    shown.heartbeats[0].current = false;
    shown.heartbeats[0].age = Some(25.0);
    shown.heartbeats[0].proven_age = Some(30.0);
    let events = observe(&mut changes, &shown, at(10));
    let [Event::Held { causes, .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(
        causes,
        &["overwatcher silent for 25 s, perhaps for 30 s (timeout 30 s)"]
    );
}

#[test]
fn what_stays_as_it_is_is_told_once() {
    let mut changes = changes();
    assert_eq!(observe(&mut changes, &well(), at(1)), []);
    let mut shown = well();
    shown.acknowledged_age = Some(9.0);
    assert_eq!(observe(&mut changes, &shown, at(2)), []);
}

#[test]
fn a_hold_is_told_with_all_its_causes_and_again_when_they_change() {
    let mut changes = changes();
    let mut shown = well();
    held(&mut shown, Cause::Stale, "overwatcher is stale");
    shown.heartbeats[0].current = false;
    shown.heartbeats[0].age = Some(31.0);
    let events = observe(&mut changes, &shown, at(10));
    let causes = |causes: &[&str]| causes.iter().map(ToString::to_string).collect();
    assert_eq!(
        events,
        [Event::Held {
            cause: "heartbeat_stale".to_owned(),
            causes: causes(&["overwatcher silent for 31 s (timeout 30 s)"]),
        }]
    );
    shown.heartbeats[0].age = Some(33.0);
    assert_eq!(observe(&mut changes, &shown, at(12)), []);
    shown.heartbeats[1].current = false;
    shown.heartbeats[1].age = Some(30.0);
    shown.links[0].state = LinkState::Down;
    let events = observe(&mut changes, &shown, at(15));
    assert_eq!(
        events,
        [Event::Held {
            cause: "heartbeat_stale".to_owned(),
            causes: causes(&[
                "overwatcher silent for 33 s (timeout 30 s)",
                "guider silent for 30 s (timeout 30 s)",
                "network link lco down"
            ]),
        }]
    );
    let events = observe(&mut changes, &well(), at(40));
    assert_eq!(
        events,
        [Event::Released {
            held_for: Some(30.0)
        }]
    );
}

#[test]
fn outcomes_are_told_in_runs() {
    let mut changes = changes();
    let mut shown = well();
    shown.emissions.acknowledged += 400;
    assert_eq!(observe(&mut changes, &shown, at(100)).len(), 0);
    shown.emissions.timed_out += 1;
    shown.last_outcome = Some(Outcome::TimedOut);
    let events = observe(&mut changes, &shown, at(110));
    let [
        Event::Emissions {
            outcome,
            before: Some(before),
            ..
        },
    ] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!(outcome, "timed_out");
    assert_eq!(
        (before.outcome.as_str(), before.count),
        ("acknowledged", 403)
    );
    shown.emissions.timed_out += 3;
    assert_eq!(observe(&mut changes, &shown, at(120)), []);
}

#[test]
fn that_the_plcs_time_ran_out_is_told_once_each_time() {
    let mut changes = changes();
    let unfed = |seconds| {
        let mut shown = well();
        shown.delivery.unfed = seconds;
        shown
    };
    let ran_out = [Event::PlcTimeRanOut { silence: 60.0 }];
    assert_eq!(observe(&mut changes, &unfed(Some(60.0)), at(60)), ran_out);
    assert_eq!(observe(&mut changes, &unfed(Some(61.0)), at(61)), []);
    assert_eq!(observe(&mut changes, &unfed(None), at(62)), []);
    assert_eq!(observe(&mut changes, &unfed(Some(60.0)), at(122)), ran_out);
}

#[test]
fn a_beat_that_waits_for_its_confirmation_is_not_said_to_be_silent() {
    let mut changes = changes();
    let mut shown = well();
    held(&mut shown, Cause::Unconfirmed, "unconfirmed");
    shown.heartbeats[0].current = false;
    shown.heartbeats[0].proven_age = None;
    let events = observe(&mut changes, &shown, at(10));
    let [Event::Held { causes, .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(
        causes,
        &["overwatcher heard 1.0 s ago, to be confirmed by its next beat"]
    );
}

#[test]
fn without_a_session_that_is_the_cause_and_not_that_nobody_is_heard() {
    let mut changes = changes();
    let mut shown = well();
    held(&mut shown, Cause::PathSlow, "there is no session");
    shown.session = SessionState::Connecting;
    shown.session_ended = Some("the broker closed it");
    for heartbeat in &mut shown.heartbeats {
        heartbeat.current = false;
        heartbeat.age = None;
    }
    shown.links[0].state = LinkState::Down;
    let mut events = observe(&mut changes, &shown, at(10)).into_iter();
    let Some(Event::Session { state, text }) = events.next() else {
        panic!("no session")
    };
    assert_eq!(state, "connecting");
    assert_eq!(
        text,
        "the session with the broker was lost (the broker closed it)"
    );
    let Some(Event::Held { causes, .. }) = events.next() else {
        panic!("not held")
    };
    assert_eq!(causes, ["there is no session", "network link lco down"]);
    // Why there is no other one is added once.
    shown.session_error = Some("nobody listens there".to_owned());
    let events = observe(&mut changes, &shown, at(11));
    assert_eq!(
        events,
        [Event::Session {
            state: "connecting".to_owned(),
            text: "no session with the broker: nobody listens there".to_owned(),
        }]
    );
    shown.session_error = Some("it does not answer".to_owned());
    assert_eq!(observe(&mut changes, &shown, at(12)), []);
}

#[test]
fn a_session_that_was_lost_and_opened_between_two_views_is_not_missed() {
    let mut changes = changes();
    let mut shown = well();
    shown.counters.sessions += 1;
    shown.session_ended = Some("lvmbeat was not listening");
    let events = observe(&mut changes, &shown, at(10));
    let [Event::Session { text, .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert!(text.contains("lvmbeat was not listening"), "{text}");
    assert!(text.ends_with("another one is open"), "{text}");
}

#[test]
fn a_failure_keeps_its_words_and_the_dome_its_direction() {
    let mut changes = changes();
    let mut shown = well();
    shown.emissions.refused += 1;
    shown.last_outcome = Some(Outcome::Refused);
    shown.delivery.failures = 1;
    shown.delivery.text = Some("lvmecp could not set the heartbeat".to_owned());
    let said = serde_json::json!({"dome_status": "0x8074"});
    let now = shown.at;
    let heard = Moment { now, wall: at(0) };
    shown.enclosure.observe(said.as_object().unwrap(), heard);
    let events = observe(&mut changes, &shown, at(10));
    let [Event::Emissions { text, .. }, Event::Dome { state }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(text.as_deref(), Some("lvmecp could not set the heartbeat"));
    assert_eq!(state, "closing");
}

/// The whole way: views go in, a story comes out.
#[test]
fn a_night_that_ends_with_a_dead_overwatcher_is_told_as_such() {
    let mut changes = Changes::default();
    let mut journal = Journal::new(None);
    let mut show = |second: i64, change: &dyn Fn(&mut Snapshot)| {
        let mut shown = well();
        change(&mut shown);
        for event in observe(&mut changes, &shown, at(second)) {
            journal.add(at(second), event);
        }
    };
    let dome = |shown: &mut Snapshot, open: bool, closed: bool| {
        let registers = serde_json::json!({"dome_open": open, "dome_closed": closed});
        let said = serde_json::json!({ "registers": registers });
        let now = shown.at;
        let heard = Moment { now, wall: at(0) };
        shown.enclosure.observe(said.as_object().unwrap(), heard);
    };
    show(0, &|shown| dome(shown, false, true));
    show(100, &|shown| dome(shown, true, false));
    let dead = |shown: &mut Snapshot, silent: f64| {
        held(shown, Cause::Stale, "stale");
        shown.heartbeats[0].current = false;
        shown.heartbeats[0].age = Some(silent);
        shown.delivery.unfed = Some(silent).filter(|silent| *silent >= 60.0);
    };
    show(1000, &|shown| {
        dome(shown, true, false);
        dead(shown, 31.0);
    });
    show(1030, &|shown| {
        dome(shown, true, false);
        dead(shown, 61.0);
    });
    show(1050, &|shown| {
        dome(shown, false, true);
        dead(shown, 81.0);
    });
    let entries: Vec<Entry> = journal.recent().cloned().collect();
    let closing = last_closing(&entries, &jiff::tz::TimeZone::UTC).unwrap();
    assert_eq!(closing.verdict, Verdict::Watchdog);
    assert!(
        closing
            .summary
            .contains("The dome heartbeat was held: overwatcher silent for 31 s (timeout 30 s)."),
        "{}",
        closing.summary
    );
}
