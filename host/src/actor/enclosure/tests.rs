use super::said::LONGEST_STATUS;
use super::*;
use crate::clu::message::{Code, Keywords, ReplyAddress, encode_reply};

fn observe(enclosure: &mut Enclosure, keywords: &Value, seconds: u64) {
    enclosure.observe(keywords.as_object().unwrap(), at(seconds));
}

fn at(seconds: u64) -> Moment {
    Moment {
        now: Instant::from_secs(seconds),
        wall: Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap(),
    }
}

fn after(seconds: u64) -> Instant {
    Instant::from_secs(seconds)
}

#[test]
fn every_keyword_that_says_where_the_dome_is_is_taken() {
    // As lvmecp and its stand-in write them.
    for (says, dome) in [
        (
            json!({"registers": {"dome_open": true, "dome_closed": false, "drive_enabled": false}}),
            Some(Dome::Open),
        ),
        (
            json!({"registers": {"dome_open": false, "dome_closed": true}}),
            Some(Dome::Closed),
        ),
        (
            json!({"registers": {"dome_open": false, "dome_closed": false}}),
            Some(Dome::Between),
        ),
        (
            json!({"registers": {"dome_open": false, "dome_closed": true, "drive_enabled": true}}),
            Some(Dome::Moving),
        ),
        (json!({"dome_status": "0x8001"}), Some(Dome::Open)),
        (json!({"dome_status": 0x8002}), Some(Dome::Closed)),
        (json!({"dome_status": "0x8074"}), Some(Dome::Moving)),
        (json!({"dome_status": "0x8010"}), Some(Dome::Between)),
        (
            json!({"dome_status_labels": "OPEN,DRIVE_AVAILABLE"}),
            Some(Dome::Open),
        ),
        (
            json!({"dome_status_labels": "CLOSED, DRIVE_AVAILABLE"}),
            Some(Dome::Closed),
        ),
        (
            json!({"dome_status_labels": "MOVING,POSITION_UNKNOWN,DRIVE_ENABLED,MOTOR_OPENING"}),
            Some(Dome::Moving),
        ),
        (
            json!({"dome_status": "0x8001", "dome_status_labels": "OPEN,DRIVE_AVAILABLE"}),
            Some(Dome::Open),
        ),
        // Contradictions, and where it is not.
        (
            json!({"registers": {"dome_open": true, "dome_closed": true}}),
            None,
        ),
        (json!({"dome_status": "0x8003"}), None),
        (json!({"registers": {"dome_open": false}}), None),
        (
            json!({"dome_status": "0x8001", "dome_status_labels": "CLOSED,DRIVE_AVAILABLE"}),
            None,
        ),
    ] {
        let mut enclosure = Enclosure::default();
        observe(&mut enclosure, &says, 10);
        assert_eq!(enclosure.dome(after(11)), dome, "{says}");
        let since = enclosure.dome_unknown_since(after(11));
        assert_eq!(since.is_none(), dome.is_some(), "{says}");
    }
}

#[test]
fn a_reply_that_says_nothing_of_the_dome_does_not_renew_it() {
    let mut enclosure = Enclosure::default();
    observe(
        &mut enclosure,
        &json!({"dome_status": "0x8002", "engineering_mode": false}),
        10,
    );
    for second in 11..100 {
        let says = json!({"registers": {"hb_ack": true}, "dome_status": "0x8000", "dome_status_labels": "DRIVE_AVAILABLE", "text": "pong"});
        observe(&mut enclosure, &says, second);
    }
    let report = enclosure.report(after(99)).unwrap();
    assert_eq!(
        (report.dome, report.dome_closed),
        (Some(Dome::Closed), Some(true))
    );
    // It is unknown since it was last said, not since it expired.
    let now = after(100);
    let report = enclosure.report(now).unwrap();
    assert_eq!(
        (report.dome, report.dome_open, report.dome_closed),
        (None, None, None)
    );
    assert_eq!(report.dome_age, Some(90.0));
    assert_eq!(report.engineering_mode, None);
    assert_eq!(report.plc_acknowledges, Some(true));
    assert_eq!(enclosure.dome_unknown_since(now), Some(at(10).wall));
    let keywords = enclosure.keywords(now);
    assert_eq!(keywords["dome_unknown_since"], "1970-01-01T00:00:10Z");
    assert_eq!(keywords["dome"], Value::Null);
}

#[test]
fn a_keyword_that_says_only_where_the_dome_is_not_takes_nothing_back_and_renews_nothing() {
    let not_open = json!({"registers": {"hb_ack": true, "dome_open": false}});
    let mut enclosure = Enclosure::default();
    observe(
        &mut enclosure,
        &json!({"registers": {"dome_open": false}, "dome_status_labels": "CLOSED"}),
        10,
    );
    assert_eq!(enclosure.dome(after(10)), Some(Dome::Closed));
    observe(&mut enclosure, &not_open, 50);
    assert_eq!(enclosure.dome(after(50)), Some(Dome::Closed));
    assert_eq!(enclosure.dome(after(100)), None);
    // An open dome that is said not to be open is anywhere.
    observe(&mut enclosure, &json!({"dome_status": "0x1"}), 110);
    observe(&mut enclosure, &not_open, 111);
    assert_eq!(enclosure.dome(after(111)), None);
    let contradiction = json!({"registers": {"dome_open": false}, "dome_status": "0x1"});
    observe(&mut enclosure, &contradiction, 112);
    assert_eq!(enclosure.dome(after(112)), None);
}

#[test]
fn which_way_the_dome_moves_is_taken_from_every_keyword_that_says_it() {
    for (says, opening) in [
        (json!({"dome_status": "0x8074"}), Some(false)),
        (json!({"dome_status": "0x80b4"}), Some(true)),
        (
            json!({"dome_status_labels": "MOVING,DRIVE_ENABLED,MOTOR_CLOSING"}),
            Some(false),
        ),
        (
            json!({"registers": {"dome_open": false, "dome_closed": false, "drive_enabled": true, "motor_direction": true}}),
            Some(true),
        ),
        (json!({"dome_status": "0x8004"}), None),
        // It does not move.
        (json!({"dome_status": "0x8041"}), None),
    ] {
        let mut enclosure = Enclosure::default();
        observe(&mut enclosure, &says, 10);
        assert_eq!(enclosure.dome_opening(after(10)), opening, "{says}");
        assert_eq!(enclosure.dome_opening(after(100)), None, "{says}");
    }
}

#[test]
fn x2_a_status_of_more_than_512_bytes_says_nothing() {
    for (labels, known) in [("OPEN", true), ("DRIVE_AVAILABLE,OPEN", true)] {
        let mut said = labels.to_owned();
        said.extend(std::iter::repeat_n(' ', LONGEST_STATUS - labels.len()));
        for (said, known) in [(said.clone(), known), (said + " ", false)] {
            let mut enclosure = Enclosure::default();
            observe(&mut enclosure, &json!({"dome_status_labels": said}), 10);
            let dome = enclosure.dome(after(10));
            assert_eq!(dome.is_some(), known, "{} bytes", said.len());
        }
    }
    let bits = |zeros: usize| json!({"dome_status": format!("0x{}1", "0".repeat(zeros))});
    let mut enclosure = Enclosure::default();
    observe(&mut enclosure, &bits(LONGEST_STATUS - 2), 10);
    assert_eq!(enclosure.dome(after(10)), None);
    observe(&mut enclosure, &bits(LONGEST_STATUS - 3), 10);
    assert_eq!(enclosure.dome(after(10)), Some(Dome::Open));
}

#[test]
fn a_dome_that_moves_is_neither_said_to_be_open_nor_closed() {
    let mut enclosure = Enclosure::default();
    observe(&mut enclosure, &json!({"dome_status": "0x80a6"}), 10);
    let report = enclosure.report(after(10)).unwrap();
    assert_eq!((report.dome_open, report.dome_closed), (None, Some(false)));
}

#[test]
fn what_the_plc_does_when_its_time_runs_out_is_not_known_from_before() {
    let runs_out = Some(after(60));
    for (dome, closed) in [
        ("0x1", false),
        ("0x84", false),
        ("0x10", false),
        ("0x2", true),
    ] {
        let mut enclosure = Enclosure::default();
        let registers = json!({"hb_ack": true, "hb_error": false});
        observe(
            &mut enclosure,
            &json!({"dome_status": dome, "registers": registers}),
            30,
        );
        enclosure.plc_runs_out(runs_out, after(59));
        assert!(enclosure.dome(after(59)).is_some(), "{dome}");
        assert_eq!(enclosure.plc_heartbeat_error(after(59)), Some(false));
        // A dome that was closed stays closed.
        let known = |second| enclosure.dome(after(second)).is_some();
        assert_eq!(known(60), closed, "{dome}");
        assert_eq!(enclosure.plc_heartbeat_error(after(60)), None);
        assert_eq!(enclosure.plc_acknowledges(after(60)), None);
        let since = enclosure.dome_unknown_since(after(60));
        assert_eq!(since, (!closed).then(|| at(30).wall));
        // A heartbeat after that does not say where it is.
        enclosure.plc_runs_out(runs_out, after(60));
        enclosure.plc_runs_out(Some(after(125)), after(65));
        assert_eq!(enclosure.dome(after(65)).is_some(), closed, "{dome}");
        let registers = json!({"hb_ack": true, "hb_error": false});
        observe(
            &mut enclosure,
            &json!({"dome_status": "0x84", "registers": registers}),
            66,
        );
        assert_eq!(enclosure.dome(after(66)), Some(Dome::Moving));
        assert_eq!(enclosure.plc_heartbeat_error(after(66)), Some(false));
    }
    // What the PLC says of that itself goes on.
    let mut enclosure = Enclosure::default();
    let registers = json!({"hb_ack": false, "hb_error": true});
    observe(&mut enclosure, &json!({"registers": registers}), 30);
    enclosure.plc_runs_out(runs_out, after(61));
    assert_eq!(enclosure.plc_heartbeat_error(after(61)), Some(true));
    assert_eq!(enclosure.plc_acknowledges(after(61)), Some(false));
}

#[test]
fn a_dome_is_unknown_since_the_first_contradiction() {
    let mut enclosure = Enclosure::default();
    for (status, second) in [("0x1", 10), ("0x3", 20), ("0x3", 30)] {
        observe(&mut enclosure, &json!({"dome_status": status}), second);
    }
    assert_eq!(enclosure.dome_unknown_since(after(30)), Some(at(20).wall));
}

#[test]
fn x2_the_enclosures_word_is_what_it_alone_can_have_published() {
    let address = ReplyAddress {
        commander_id: Some("gort.x.lvmecp".to_owned()),
        ..ReplyAddress::default()
    };
    let (body, wall) = (Keywords::new(), Timestamp::UNIX_EPOCH);
    let message = encode_reply("lvmecp", &address, Code::Info, &body, wall);
    assert_eq!(speaker(&message, "lvmecp"), Speaker::Enclosure);
    assert_eq!(speaker(&message, "ecp"), Speaker::Other);
    let text = |text: &str| Header::Text(text.to_owned());
    let forged = |forge: &dyn Fn(&mut Message)| {
        let mut message = message.clone();
        forge(&mut message);
        speaker(&message, "lvmecp")
    };
    let header = |name: &str, value: Option<&str>| {
        forged(&|message: &mut Message| {
            message.headers.remove(name);
            if let Some(value) = value {
                message.headers.insert(name.to_owned(), text(value));
            }
        })
    };
    let key = |key: &str| forged(&|message: &mut Message| key.clone_into(&mut message.routing_key));
    assert_eq!(header("sender", Some("gort")), Speaker::Stranger);
    assert_eq!(header("sender", None), Speaker::Stranger);
    assert_eq!(header("commander_id", Some("x.lvmecp")), Speaker::Stranger);
    assert_eq!(header("commander_id", None), Speaker::Stranger);
    assert_eq!(key("reply.gort.x.lvmbeat"), Speaker::Stranger);
    assert_eq!(key("lvmbeat_replies"), Speaker::Stranger);
    let elsewhere = forged(&|message| message.from_elsewhere = true);
    assert_eq!(elsewhere, Speaker::Stranger);
    // CLU's actors broadcast, too, and anybody may.
    assert_eq!(key("reply.broadcast"), Speaker::Other);
}

#[test]
fn the_registers_of_a_status_reply_are_taken() {
    let mut enclosure = Enclosure::default();
    let registers = json!({"hb_set": false, "hb_ack": true, "hb_error": false, "dome_open": true, "dome_closed": false});
    observe(
        &mut enclosure,
        &json!({"registers": registers, "engineering_mode": {"enabled": true}}),
        10,
    );
    assert_eq!(enclosure.dome(after(10)), Some(Dome::Open));
    assert_eq!(enclosure.engineering_mode(after(10)), Some(true));
    assert_eq!(enclosure.plc_acknowledged_at, Some(Instant::from_secs(10)));
}

#[test]
fn a_time_of_acknowledgement_counts_when_it_changes() {
    let mut enclosure = Enclosure::default();
    observe(
        &mut enclosure,
        &json!({"heartbeat_ack": "2026-01-01T00:00:00Z"}),
        1,
    );
    observe(
        &mut enclosure,
        &json!({"heartbeat_ack": "2026-01-01T00:00:00Z"}),
        2,
    );
    assert_eq!(enclosure.plc_acknowledged_at, Some(Instant::from_secs(1)));
    observe(
        &mut enclosure,
        &json!({"heartbeat_ack": "2026-01-01T00:00:30Z"}),
        3,
    );
    assert_eq!(enclosure.plc_acknowledged_at, Some(Instant::from_secs(3)));
}

#[test]
fn x2_keywords_of_other_types_change_nothing() {
    let mut enclosure = Enclosure::default();
    observe(
        &mut enclosure,
        &json!({"registers": {"dome_open": true}}),
        1,
    );
    observe(
        &mut enclosure,
        &json!({"registers": [1, 2], "engineering_mode": "yes", "heartbeat_ack": null}),
        2,
    );
    assert_eq!(enclosure.dome(after(2)), Some(Dome::Open));
    assert_eq!(enclosure.engineering_mode(after(2)), None);
    assert_eq!(enclosure.plc_acknowledged_at, None);
}
