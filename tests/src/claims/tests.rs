use serde_json::json;

use super::*;

/// Heartbeats come until 10.5 s; the PLC waits for 8 s, and the dome closes. From 30 s on they come
/// again. `lvmecp` is in engineering mode from 40 s to 50 s.
fn truth() -> Truth {
    let shown = |at, dome, expired| Registers { at, dome, expired };
    Truth {
        begin: "2026-01-02T23:59:50Z".parse().unwrap(),
        registers: vec![
            shown(0.0, Position::Closed, false),
            shown(1.0, Position::Opening, false),
            shown(2.0, Position::Open, false),
            shown(18.5, Position::Closing, true),
            shown(20.0, Position::Closed, true),
            shown(30.5, Position::Closed, false),
        ],
        heartbeats: (0..=10)
            .chain(30..60)
            .map(|second| f64::from(second) + 0.5)
            .collect(),
        engineering: vec![(40.0, true), (50.0, false)],
        timeout: 8.0,
        lag: 1.0,
    }
}

fn judge(at: f64, text: &str) -> Verdict {
    let said = Statement {
        who: "somebody".to_owned(),
        from: at,
        to: at + 0.1,
        text: text.to_owned(),
    };
    truth().judge([&said])
}

fn holds(at: f64, text: &str) {
    let verdict = judge(at, text);
    assert!(verdict.faults.is_empty(), "{:?}", verdict.faults);
    assert!(verdict.compared > 0, "nothing is claimed by `{text}`");
}

fn is_false(at: f64, text: &str) {
    let verdict = judge(at, text);
    assert!(verdict.compared > 0, "nothing is claimed by `{text}`");
    assert_eq!(verdict.faults.len(), 1, "at {at}: `{text}` passed");
}

#[test]
fn where_the_dome_is_is_compared() {
    for text in [
        "Dome open.",
        "Dome: open.",
        "the dome is open",
        "LVM … — dome OPEN",
    ] {
        holds(10.0, text);
        // A second late it may be, and no more.
        holds(19.0, text);
        is_false(22.0, text);
        is_false(0.5, text);
    }
    holds(22.0, "the dome is closed");
    is_false(10.0, "the dome is closed");
    is_false(10.0, "Dome closed.");
    holds(1.5, "Dome moving");
    holds(19.0, "dome closing");
    holds(1.5, "dome opening");
    is_false(10.0, "dome opening");
    is_false(1.5, "dome closing");
    is_false(1.5, "dome between open and closed");
    holds(10.0, "dome not closed");
    is_false(10.0, "dome not open");
}

#[test]
fn what_was_is_compared_with_what_was() {
    holds(22.0, "The dome was open.");
    is_false(0.5, "The dome was open.");
    holds(
        22.0,
        "The dome was heard to be open at 23:59:55 UTC, closed at 00:00:10 UTC.",
    );
    is_false(
        22.0,
        "The dome was heard to be open at 23:59:55 UTC, closed at 23:59:58 UTC.",
    );
    holds(22.0, "Dome: closed at 2026-01-03 00:00:11 UTC");
    is_false(22.0, "Dome: closed at 2026-01-03 00:00:05 UTC");
    holds(
        35.0,
        "RESOLVED. It began with: LVM dome heartbeat held: c0 — dome OPEN",
    );
    is_false(
        0.5,
        "RESOLVED. It began with: LVM dome heartbeat held: c0 — dome OPEN",
    );
    holds(22.0, "Dome unknown since 00:00:11 UTC");
    is_false(22.0, "Dome unknown since 00:01:11 UTC");
    holds(35.0, "The dome has been closed since 00:00:10 UTC.");
    is_false(10.0, "The dome has been closed since 00:00:00 UTC.");
}

#[test]
fn a_line_of_a_timeline_is_of_its_own_moment() {
    holds(
        35.0,
        "  23:59:53  dome open\n  00:00:08  dome closing\n  00:00:10  dome closed",
    );
    is_false(35.0, "  23:59:53  dome closed");
    holds(
        35.0,
        "  00:00:08  the PLC's time ran out: no heartbeat acknowledged for 8.1 s\n",
    );
    let verdict = judge(35.0, "  00:00:00  the PLC's time ran out");
    assert_eq!(verdict.faults.len(), 1);
}

#[test]
fn when_the_plc_closes_and_that_its_time_ran_out_are_compared() {
    holds(13.0, "the PLC closes the dome in 5.5 s at the latest");
    holds(
        13.0,
        "The PLC closes the dome in at most 5 s unless a heartbeat arrives.",
    );
    is_false(13.0, "the PLC closes the dome in 12 s at the latest");
    is_false(13.0, "the PLC closes the dome in 1.0 s at the latest");
    is_false(21.0, "the PLC closes the dome in 1.0 s at the latest");
    holds(
        13.0,
        "The PLC closes the dome: at 2026-01-03 00:00:08 UTC at the latest, if …",
    );
    is_false(
        13.0,
        "The PLC closes the dome: at 2026-01-03 00:00:28 UTC at the latest",
    );
    holds(
        21.0,
        "the PLC's time ran out 2.5 s ago, and the dome is closed",
    );
    is_false(21.0, "the PLC's time ran out 6.0 s ago");
    is_false(13.0, "the PLC's time ran out 2.0 s ago");
    holds(21.0, "the PLC's time ran out at 00:00:08 UTC");
    is_false(21.0, "the PLC's time ran out at 00:00:03 UTC");
    let summary = "the PLC's time ran out at 2026-01-03 00:00:08: no heartbeat had been";
    holds(35.0, &format!("{summary} acknowledged for 8.1 s"));
    is_false(35.0, &format!("{summary} acknowledged for 5.1 s"));
    let misses = "The PLC misses the heartbeat. It has received none for its whole timeout";
    holds(21.0, &format!("{misses} and closes the dome."));
    is_false(13.0, &format!("{misses} and closes the dome."));
    holds(21.0, "The PLC's time has run out.");
    is_false(13.0, "The PLC's time has run out.");
    is_false(25.0, "the PLC's time has not run out");
}

#[test]
fn whether_heartbeats_arrive_is_compared() {
    holds(13.0, "the dome heartbeat is held");
    is_false(5.0, "the dome heartbeat is held");
    is_false(5.0, "the dome heartbeat does not arrive");
    // Engineering mode feeds the PLC, whatever lvmbeat holds.
    holds(45.0, "the dome heartbeat is held");
    holds(5.0, "the dome heartbeat arrives, and everything is on time");
    is_false(
        21.0,
        "the dome heartbeat arrives, and everything is on time",
    );
    holds(13.0, "no heartbeat acknowledged for 2.5 s");
    is_false(13.0, "no heartbeat acknowledged for 8.5 s");
    holds(25.0, "has had no heartbeat since 2026-01-03 00:00:01 UTC");
    is_false(35.0, "has had no heartbeat since 2026-01-03 00:00:01 UTC");
    holds(32.0, "gets heartbeats again since 2026-01-03 00:00:20 UTC");
    is_false(
        25.0,
        "gets heartbeats again since 2026-01-03 00:00:15 UTC. It got none for 9 s",
    );
}

#[test]
fn engineering_mode_is_compared() {
    holds(45.0, "engineering mode is on: lvmecp feeds the PLC");
    is_false(35.0, "Engineering mode is on");
    is_false(55.0, "engineering mode ON: lvmecp feeds the PLC");
    holds(55.0, "Engineering mode is off.");
    is_false(45.0, "Engineering mode is off.");
}

#[test]
fn each_sentence_of_several_is_compared() {
    let said = "the dome heartbeat is held, and the PLC closes the dome in 5 s at the latest: \
                no heartbeat acknowledged for 2.5 s; the dome is closed";
    let verdict = judge(13.0, said);
    assert_eq!((verdict.compared, verdict.faults.len()), (4, 1));
}

#[test]
fn words_that_nobody_here_understands_are_a_fault() {
    for said in [
        "The dome has probably closed.",
        "dome perhaps open",
        "The PLC's time is up.",
        "The PLC soon closes the dome.",
        "engineering mode was active",
    ] {
        let verdict = judge(13.0, said);
        assert_eq!((verdict.compared, verdict.faults.len()), (0, 1), "{said}");
    }
    let neutral = "While this lasts, the PLC closes the dome. Make sure that the dome closes.";
    assert_eq!(judge(13.0, neutral), Verdict::default());
}

#[test]
fn a_document_says_what_its_fields_say() {
    let document = json!({
        "health": {"state": "held", "text": "the dome heartbeat is held", "late": ["c0 silent"]},
        "delivery": {"closes_in": 5.5, "closing_for": null},
        "enclosure": {"dome": "open", "dome_open": true, "dome_closed": false,
                      "engineering_mode": false, "plc_heartbeat_error": false},
    });
    let said = sentences(&document);
    let verdict = judge(13.0, &said);
    assert_eq!(
        (verdict.compared, verdict.faults.len()),
        (8, 0),
        "{said}\n{verdict:?}"
    );
    let mut wrong = document;
    wrong["enclosure"]["dome_closed"] = true.into();
    wrong["delivery"]["closing_for"] = 1.0.into();
    assert_eq!(judge(13.0, &sentences(&wrong)).faults.len(), 2);
    let since = |since: &str| sentences(&json!({ "closing_since": since }));
    holds(21.0, &since("2026-01-03T00:00:08Z"));
    is_false(21.0, &since("2026-01-03T00:00:02Z"));
}
