use super::*;
use crate::actor::testing::config;

const T0: u64 = 1000;

/// Makes something otherwise than a drill needs it.
type Disturb = fn(&mut Watched);

fn at(second: u64) -> Moment {
    Moment {
        now: Instant::from_secs(T0 + second),
        wall: Timestamp::from_second(i64::try_from(T0 + second).unwrap()).unwrap(),
    }
}

fn error(on: bool, since: u64, said: u64) -> PlcError {
    PlcError {
        on,
        since: at(since).now,
        said: at(said).now,
    }
}

/// All is well, the dome is closed, and a heartbeat was acknowledged at `second`.
fn well(second: u64) -> Watched {
    Watched {
        dome: Some(Dome::Closed),
        dome_age: Some(1.0),
        engineering: Some(false),
        error: Some(error(false, 0, second)),
        connected: true,
        held: None,
        acknowledged: Some(at(second).now),
        arrives: true,
    }
}

/// Nothing has arrived since the drill began, and the PLC says so since that second.
fn missed(since: u64) -> Watched {
    Watched {
        error: Some(error(true, since, since)),
        arrives: false,
        ..well(0)
    }
}

/// With a PLC that waits for 60 s, of which lvmecp says something within 90 s.
fn drill() -> Drill {
    Drill::new(&ecp())
}

fn ecp() -> crate::config::Ecp {
    let seconds = std::time::Duration::from_secs;
    crate::config::Ecp {
        plc_timeout: seconds(60),
        facts_expire: seconds(90),
        command_timeout: seconds(5),
        ..config(1, false).ecp
    }
}

fn under_way() -> Drill {
    let mut drill = drill();
    drill.begin(&well(0), at(1).now).unwrap();
    assert!(drill.withholds());
    drill
}

fn verdict(drill: &Drill) -> Option<DrillVerdict> {
    assert!(!drill.withholds() && !drill.is_under_way());
    drill.view(at(0).now).last.map(|last| last.verdict)
}

#[test]
fn a_drill_passes_when_the_plc_misses_the_heartbeat_and_hears_it_again() {
    let mut drill = under_way();
    drill.look(&well(0), at(59));
    assert!(drill.withholds());
    assert_eq!(drill.view(at(59).now).phase, Some(Phase::Withholding));
    drill.look(&missed(62), at(62));
    // S1: what is released is emitted only if all is well, as ever.
    assert!(!drill.withholds());
    assert_eq!(drill.view(at(64).now).phase, Some(Phase::Recovering));
    assert_eq!(drill.view(at(64).now).proved_at, None);
    // Acknowledged, but the PLC was not asked since; and the other way round.
    drill.look(
        &Watched {
            error: Some(error(true, 62, 62)),
            ..well(65)
        },
        at(65),
    );
    assert!(drill.is_under_way());
    drill.look(&well(66), at(66));
    assert_eq!(verdict(&drill), Some(DrillVerdict::Passed));
    let view = drill.view(at(70).now);
    assert_eq!(view.proved_at, Some(at(66).wall));
    assert_eq!(view.last.unwrap().tripped_after, Some(62.0));
}

#[test]
fn m2_whether_people_were_reached_is_noted_beside_the_last_drill() {
    let mut drill = under_way();
    let early = drill.people(true, "by e-mail", at(1).wall);
    assert_eq!(early, Err(NotNow::NoneEnded));
    drill.look(&missed(62), at(62));
    drill.look(&well(66), at(66));
    let long = format!("by e-mail\n{}", "x".repeat(1000));
    drill.people(false, &long, at(70).wall).unwrap();
    let view = drill.view(at(71).now);
    let last = view.last.unwrap();
    assert_eq!(
        last.verdict,
        DrillVerdict::Passed,
        "it is not the PLC's fault"
    );
    let people = last.people.unwrap();
    assert_eq!((people.at, people.reached), (at(70).wall, false));
    assert!(people.text.starts_with("by e-mail xxx"), "{people:?}");
    assert!(people.text.chars().count() <= LONGEST, "X2: {people:?}");
    // Of the next one nothing is known.
    drill.begin(&well(80), at(81).now).unwrap();
    drill.stop(at(82).wall).unwrap();
    assert_eq!(drill.view(at(83).now).last.unwrap().people, None);
}

#[test]
fn a_plc_that_does_not_miss_it_has_failed() {
    let mut drill = under_way();
    // 60 s of the PLC, and 90 s until lvmecp says so.
    drill.look(&well(0), at(150));
    assert!(drill.withholds());
    drill.look(&well(0), at(151));
    assert_eq!(verdict(&drill), Some(DrillVerdict::Failed));
    assert_eq!(drill.view(at(0).now).proved_at, None);
}

#[test]
fn a_plc_that_misses_it_too_early_has_failed() {
    let mut drill = under_way();
    drill.look(&missed(40), at(40));
    assert_eq!(verdict(&drill), Some(DrillVerdict::Failed));
    let text = drill.view(at(0).now).last.unwrap().text;
    assert!(
        text.contains("40 s after the last one, and ecp.plc_timeout is 1 min 0 s"),
        "{text}"
    );
}

#[test]
fn a_plc_that_does_not_hear_it_again_has_failed() {
    let mut drill = under_way();
    drill.look(&missed(61), at(61));
    drill.look(&missed(61), at(212));
    assert_eq!(verdict(&drill), Some(DrillVerdict::Failed));
}

#[test]
fn one_that_was_under_way_at_the_beginning_is_counted_from() {
    let mut drill = under_way();
    let acknowledged = Watched {
        acknowledged: Some(at(3).now),
        ..missed(63)
    };
    drill.look(&acknowledged, at(63));
    drill.look(&well(70), at(70));
    let view = drill.view(at(70).now);
    assert_eq!(view.last.unwrap().tripped_after, Some(60.0));
}

#[test]
fn an_error_that_the_plc_had_before_is_none_of_the_drill() {
    let mut drill = under_way();
    drill.look(&missed(0), at(20));
    assert!(drill.withholds());
}

#[test]
fn l1_whatever_changes_ends_a_drill_that_withholds() {
    let disturbed: [(&str, Disturb); 7] = [
        ("the dome is open", |it| it.dome = Some(Dome::Open)),
        ("the dome is moving", |it| it.dome = Some(Dome::Moving)),
        ("between open and closed", |it| {
            it.dome = Some(Dome::Between);
        }),
        ("not known to be closed", |it| it.dome = None),
        ("session with the broker", |it| it.connected = false),
        ("engineering mode is on", |it| it.engineering = Some(true)),
        ("c0 is silent", |it| {
            it.held = Some("c0 is silent".to_owned());
        }),
    ];
    for (says, disturb) in disturbed {
        let mut drill = under_way();
        let mut watched = well(0);
        disturb(&mut watched);
        drill.look(&watched, at(10));
        assert_eq!(verdict(&drill), Some(DrillVerdict::Aborted), "{says}");
        let text = drill.view(at(0).now).last.unwrap().text;
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn l1_a_drill_begins_only_where_it_disturbs_nothing_and_proves_something() {
    let refused: [(&str, Disturb); 12] = [
        ("the dome is open", |it| it.dome = Some(Dome::Open)),
        ("the dome is moving", |it| it.dome = Some(Dome::Moving)),
        ("the dome is between", |it| it.dome = Some(Dome::Between)),
        ("not known to be closed", |it| it.dome = None),
        ("30 s ago; send 'status' to lvmecp", |it| {
            it.dome_age = Some(30.0);
        }),
        ("ago; send 'status' to lvmecp", |it| it.dome_age = None),
        ("engineering mode", |it| it.engineering = Some(true)),
        ("not known to hear", |it| it.error = None),
        ("misses the dome heartbeat already", |it| {
            it.error = Some(error(true, 0, 0));
        }),
        ("held already: c0 is silent", |it| {
            it.held = Some("c0 is silent".to_owned());
        }),
        ("does not arrive", |it| it.arrives = false),
        ("does not arrive", |it| it.acknowledged = None),
    ];
    for (says, disturb) in refused {
        let mut watched = well(0);
        disturb(&mut watched);
        let mut drill = drill();
        let error = drill.begin(&watched, at(1).now).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        assert!(!drill.withholds());
    }
    let mut drill = under_way();
    assert_eq!(drill.begin(&well(0), at(2).now), Err(NotNow::UnderWay));
}

#[test]
fn a_command_ends_it_and_there_has_to_be_one() {
    let mut drill = drill();
    assert_eq!(drill.stop(at(0).wall), Err(NotNow::NoDrill));
    let mut drill = under_way();
    drill.stop(at(5).wall).unwrap();
    assert_eq!(verdict(&drill), Some(DrillVerdict::Aborted));
}

#[test]
fn one_is_due_when_none_has_passed_for_too_long() {
    let mut ecp = ecp();
    ecp.drill_days = Some(2);
    let due = |drill: &mut Drill, hour: u64| {
        let second = 3600 * hour;
        drill.look_at_the_calendar(at(second).wall);
        drill.view(at(second).now).due
    };
    let mut dutiful = Drill::new(&ecp);
    assert!(due(&mut dutiful, 0));
    dutiful.remember(at(0).wall);
    assert!(!due(&mut dutiful, 48));
    assert!(due(&mut dutiful, 49));
    // What the journal knows later is not later for that.
    dutiful.remember(at(3600 * 24).wall);
    dutiful.remember(at(3600).wall);
    assert!(!due(&mut dutiful, 49));
    // Nobody asked.
    assert!(!due(&mut drill(), 1000));
}
