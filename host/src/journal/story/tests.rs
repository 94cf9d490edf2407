use super::*;

fn at(second: i64, event: Event) -> Entry {
    Entry {
        at: Timestamp::from_second(second).unwrap(),
        event,
    }
}

fn health(second: i64, state: &str) -> Entry {
    at(
        second,
        Event::Health {
            state: state.to_owned(),
            text: "…".to_owned(),
            causes: Vec::new(),
        },
    )
}

fn dome(second: i64, state: &str) -> Entry {
    let state = state.to_owned();
    at(second, Event::Dome { state })
}

fn held(second: i64) -> Entry {
    at(
        second,
        Event::Held {
            cause: "heartbeat_stale".to_owned(),
            causes: vec!["overwatcher silent for 31 s".to_owned()],
        },
    )
}

fn ran_out(second: i64) -> Entry {
    at(second, Event::PlcTimeRanOut { silence: 60.0 })
}

fn started(second: i64) -> Entry {
    let version = "1".to_owned();
    at(second, Event::Started { version })
}

fn released(second: i64) -> Entry {
    let held_for = Some(20.0);
    at(second, Event::Released { held_for })
}

fn emissions(second: i64, outcome: &str, text: Option<&str>) -> Entry {
    at(
        second,
        Event::Emissions {
            outcome: outcome.to_owned(),
            text: text.map(str::to_owned),
            before: None,
        },
    )
}

fn closing(entries: &[Entry]) -> Closing {
    last_closing(entries, &TimeZone::UTC).unwrap()
}

/// Each started, opened, and well.
fn night() -> Vec<Entry> {
    vec![
        at(
            0,
            Event::Started {
                version: "1".to_owned(),
            },
        ),
        dome(5, "closed"),
        health(10, "ok"),
        dome(100, "moving"),
        dome(120, "open"),
    ]
}

#[test]
fn the_plcs_own_word_after_the_first_heartbeat_is_of_the_time_that_ran_out_before() {
    for (said, once_more) in [(1202, false), (1259, false), (1300, true)] {
        let mut entries = night();
        entries.extend([
            emissions(1000, "timed_out", Some("lvmecp did not answer")),
            ran_out(1060),
            dome(1060, "unknown"),
            emissions(1200, "acknowledged", None),
            at(said, Event::PlcError { on: true }),
            dome(said, "closed"),
        ]);
        let summary = closing(&entries).summary;
        let first = "the PLC's time ran out at 1970-01-01 00:17:40";
        assert_eq!(!summary.contains(first), once_more, "{said}: {summary}");
    }
}

#[test]
fn a_closing_by_the_watchdog_is_told_from_its_first_cause_to_the_release() {
    let mut entries = night();
    entries.extend([
        held(1000),
        health(1000, "held"),
        at(1040, Event::PlcTimeRanOut { silence: 60.0 }),
        dome(1050, "moving"),
        dome(1070, "closed"),
        at(
            1200,
            Event::Released {
                held_for: Some(200.0),
            },
        ),
        health(1200, "ok"),
        dome(1300, "open"),
    ]);
    let closing = closing(&entries);
    assert_eq!(closing.verdict, Verdict::Watchdog);
    assert_eq!(
        closing.summary,
        "The dome closed because the PLC's time ran out at 1970-01-01 00:17:20: no heartbeat had been acknowledged for 1 min 0 s. \
         It was heard to be closed at 1970-01-01 00:17:50. The dome heartbeat was held: overwatcher silent for 31 s. \
         The dome heartbeat was released after 3 min 20 s."
    );
    assert_eq!(closing.entries[..2], [dome(120, "open"), held(1000)]);
    let last = closing.entries.last().map(|entry| &entry.event);
    assert!(matches!(last, Some(Event::Released { .. })), "{last:?}");
}

#[test]
fn a_dome_that_somebody_closed_is_not_said_to_be_lvmbeats_work() {
    let mut entries = night();
    entries.extend([dome(500, "moving"), dome(520, "closed")]);
    let closing = closing(&entries);
    assert_eq!(closing.verdict, Verdict::NotLvmbeat);
    assert!(closing.summary.contains("somebody or something else"));
}

#[test]
fn a_dome_that_was_not_heard_to_close_is_not_said_to_be_closed() {
    let mut entries = night();
    entries.extend([
        health(1000, "not_arriving"),
        at(1040, Event::PlcTimeRanOut { silence: 60.0 }),
        dome(1100, "unknown"),
    ]);
    let closing = closing(&entries);
    assert_eq!(closing.verdict, Verdict::NotHeardToClose);
    assert!(closing.summary.contains("nobody said that the dome closed"));
    assert!(!closing.summary.contains("closed because"));
}

#[test]
fn a_heartbeat_that_returns_before_the_dome_is_heard_to_close_changes_nothing_of_the_cause() {
    let mut entries = night();
    entries.extend([
        held(1000),
        ran_out(1040),
        released(1045),
        dome(1060, "closing"),
        dome(1100, "closed"),
    ]);
    let closing = closing(&entries);
    assert_eq!(closing.verdict, Verdict::Watchdog);
    assert!(closing.summary.contains("overwatcher silent for 31 s"));
    assert_eq!(closing.entries.last(), Some(&dome(1100, "closed")));
}

#[test]
fn all_that_held_in_the_end_is_named_and_what_did_not_arrive_too() {
    let mut entries = night();
    entries.extend([
        emissions(990, "refused", Some("the PLC does not answer")),
        held(1000),
        at(
            1005,
            Event::Held {
                cause: "heartbeat_stale".to_owned(),
                causes: vec![
                    "overwatcher silent for 36 s".to_owned(),
                    "guider silent for 31 s".to_owned(),
                ],
            },
        ),
        ran_out(1040),
        dome(1060, "closed"),
    ]);
    let summary = closing(&entries).summary;
    for part in [
        "held: overwatcher silent for 36 s; guider silent for 31 s.",
        "did not arrive: a heartbeat to the PLC was not acknowledged: the PLC does not answer.",
    ] {
        assert!(summary.contains(part), "{summary}");
    }
}

#[test]
fn a_time_that_ran_out_hours_before_is_not_the_cause_of_a_later_closing() {
    let mut entries = night();
    entries.extend([
        held(1000),
        ran_out(1040),
        released(1045),
        emissions(1046, "acknowledged", None),
        dome(9000, "closing"),
        dome(9060, "closed"),
    ]);
    assert_eq!(closing(&entries).verdict, Verdict::NotLvmbeat);
}

#[test]
fn a_time_that_runs_out_over_a_closed_dome_is_no_closing() {
    let mut entries = night();
    entries.extend([
        held(1000),
        ran_out(1040),
        dome(1060, "closed"),
        released(1100),
        held(50_000),
        ran_out(50_030),
    ]);
    let closing = closing(&entries);
    assert_eq!(closing.verdict, Verdict::Watchdog);
    assert!(closing.summary.contains("00:17:20"), "{}", closing.summary);
}

#[test]
fn a_dome_that_closed_while_lvmbeat_was_not_running_is_said_to_have() {
    let mut entries = night();
    entries.extend([started(1000), dome(1010, "closed"), released(1020)]);
    let closing = closing(&entries);
    assert_eq!(closing.verdict, Verdict::WhileNotRunning);
    assert!(
        closing.summary.starts_with(
            "The dome closed between 1970-01-01 00:02:00 and 1970-01-01 00:16:50. \
             lvmbeat was not running all that time; it started at 1970-01-01 00:16:40."
        ),
        "{}",
        closing.summary
    );
    // An actor that has heard the dome open since is not to blame.
    let mut entries = night();
    entries.extend([started(1000), dome(1010, "open"), dome(2000, "closed")]);
    assert_eq!(
        last_closing(&entries, &TimeZone::UTC).unwrap().verdict,
        Verdict::NotLvmbeat
    );
}

#[test]
fn an_actor_that_is_killed_and_started_again_tells_the_rest() {
    let mut entries = night();
    entries.extend([
        held(1000),
        started(1010),
        dome(1012, "open"),
        at(
            1012,
            Event::Held {
                cause: "heartbeat_never_seen".to_owned(),
                causes: vec!["overwatcher not heard in this session".to_owned()],
            },
        ),
        at(1035, Event::PlcError { on: true }),
        ran_out(1070),
        dome(1080, "closed"),
        released(1200),
    ]);
    let closing = closing(&entries);
    assert_eq!(closing.verdict, Verdict::Watchdog);
    assert!(
        closing
            .summary
            .contains("the PLC said at 1970-01-01 00:17:15")
    );
    assert!(
        closing
            .summary
            .contains("overwatcher not heard in this session")
    );
    assert!(closing.entries.contains(&held(1000)), "{closing:?}");
    assert_eq!(closing.entries.last(), Some(&released(1200)));
}

#[test]
fn one_that_stands_by_knows_no_cause() {
    let mut entries = night();
    let state = "stand_by".to_owned();
    let text = String::new();
    entries.extend([
        at(200, Event::Session { state, text }),
        dome(1080, "closed"),
    ]);
    assert!(closing(&entries).summary.contains("standing by"));
}

#[test]
fn what_is_heard_first_of_a_closed_dome_is_no_closing() {
    let mut entries = night();
    entries.truncate(3);
    entries.extend(night());
    entries.truncate(5);
    assert_eq!(last_closing(&entries, &TimeZone::UTC), None);
    assert_eq!(last_closing(&[], &TimeZone::UTC), None);
}

#[test]
fn how_things_stood_before_a_moment_is_known() {
    let mut entries = night();
    entries.extend([held(1000), released(1100), dome(1200, "closed")]);
    let then = |second| before(&entries, Timestamp::from_second(second).unwrap());
    assert_eq!(then(1050), [dome(120, "open"), held(1000)]);
    assert_eq!(then(1150), [dome(120, "open")]);
    assert_eq!(then(0), []);
}

#[test]
fn a_timeline_has_a_line_for_each_day_and_each_entry() {
    let entries = [dome(86_390, "open"), dome(86_410, "closed")];
    assert_eq!(
        timeline(&entries, &TimeZone::UTC),
        "Thursday 1970-01-01, UTC\n  23:59:50  dome open\nFriday 1970-01-02, UTC\n  00:00:10  dome closed\n"
    );
}
