//! For every reason to hold the dome heartbeat: `status`, the log (once for each change) and the
//! metric name the first cause.

use embassy_time::Duration;
use jiff::Timestamp;
use lvmbeat_core::{Cause, Decision, Outcome};
use tracing::Level;

use super::super::testing::Watched;

const HALF: Duration = Duration::from_millis(500);
const SECOND: Duration = Duration::from_secs(1);
const INFO: Level = Level::INFO;
const WARN: Level = Level::WARN;
const DEBUG: Level = Level::DEBUG;

fn held(decision: &Result<Decision, lvmbeat_core::BeatError>) -> Option<Cause> {
    match decision {
        Ok(Decision::Hold(reason)) => Some(reason.cause()),
        Ok(Decision::Emit(_) | Decision::Noted) | Err(_) => None,
    }
}

#[test]
fn s5_a_heartbeat_that_was_never_seen_and_one_that_is_stale_are_named() {
    let mut watched = Watched::start(2, false);
    let text = watched.shown("heartbeat_never_seen");
    assert_eq!(text, "heartbeat c0 has not been received in this session");
    watched.beat("c1").unwrap();
    assert!(watched.shown("heartbeat_never_seen").contains("c0"));
    watched.unproven_beat("c0").unwrap();
    let text = watched.shown("heartbeat_unconfirmed");
    assert_eq!(
        text,
        "heartbeat c0 has been received, and its next beat confirms it"
    );
    let ticket = watched.emit("c0");
    watched.ended(ticket, Outcome::Acknowledged);
    watched.pass(SECOND);
    watched.beat("c1").unwrap();
    // Both are silent from now on, and c0 has been so for longer.
    watched.pass(SECOND * 2);
    assert_eq!(
        watched.shown("heartbeat_stale"),
        "heartbeat c0 was last received 3 s ago and may have been sent 3 s ago (timeout 3 s)"
    );
    let mut logged = watched.logged();
    logged.retain(|(level, _)| *level != DEBUG);
    assert_eq!(
        logged,
        [
            (INFO, "heartbeat_never_seen"),
            (INFO, "heartbeat_unconfirmed"),
            (INFO, "released"),
            (WARN, "heartbeat_stale"),
        ]
    );
    // Its age grows, and that is no change.
    watched.pass(SECOND * 2);
    assert_eq!(watched.logged(), []);
    // Another subject is one.
    let decision = watched.beat("c0");
    assert_eq!(held(&decision), Some(Cause::Stale));
    assert!(watched.shown("heartbeat_stale").contains("c1"));
    assert_eq!(watched.logged(), [(WARN, "heartbeat_stale")]);
    let holds = watched.metric("lvmbeat_holds_total{reason=\"heartbeat_stale\"}");
    assert!((holds - 1.0).abs() < f64::EPSILON);
}

#[test]
fn s1_a_link_that_is_unproven_and_one_that_is_down_are_named() {
    let mut watched = Watched::start(1, true);
    watched.beat("c0").unwrap();
    let text = watched.shown("link_unproven");
    assert_eq!(text, "network link lco has not been reached yet");
    for _ in 0..8 {
        watched.probed(false);
    }
    let text = watched.shown("link_down");
    assert_eq!(text, "network link lco is down (8 failed probes in a row)");
    assert_eq!(held(&watched.beat("c0")), Some(Cause::LinkDown));
    watched.probed(true);
    let _ = watched.emit("c0");
    assert_eq!(
        watched.logged()[1..],
        [
            (INFO, "link_unproven"),
            (WARN, "link_down"),
            (INFO, "released"),
            (DEBUG, "in_flight"),
        ]
    );
}

#[test]
fn s6_an_emission_in_flight_and_a_pause_after_a_failed_one_are_named() {
    let mut watched = Watched::start(1, false);
    watched.logged();
    watched.unproven_beat("c0").unwrap();
    let ticket = watched.emit("c0");
    let text = watched.shown("in_flight");
    assert_eq!(text, "a heartbeat is on its way to lvmecp");
    assert_eq!(held(&watched.beat("c0")), Some(Cause::InFlight));
    watched.ended(ticket, Outcome::TimedOut);
    let text = watched.shown("retry");
    assert_eq!(
        text,
        "the last heartbeat failed a moment ago; the next attempt in 0.2 s"
    );
    assert_eq!(held(&watched.beat("c0")), Some(Cause::Retry));
    for reason in ["in_flight", "retry"] {
        let name = format!("lvmbeat_paced_total{{reason=\"{reason}\"}}");
        assert!((watched.metric(&name) - 1.0).abs() < f64::EPSILON);
    }
    // That is the pace, and no fault: it is logged once each, for those who ask for more.
    assert_eq!(
        watched.logged(),
        [
            (INFO, "heartbeat_unconfirmed"),
            (INFO, "released"),
            (DEBUG, "in_flight"),
            (DEBUG, "retry"),
        ]
    );
    let hold = &watched.snapshot().keywords(Timestamp::UNIX_EPOCH)["hold"];
    assert_eq!(hold["fault"], false);
    assert!(hold["seconds"].is_null());
}

#[test]
fn the_cut_off_after_a_success_is_named() {
    let mut watched = Watched::start(1, false);
    let ticket = watched.emit("c0");
    watched.ended(ticket, Outcome::Acknowledged);
    watched.logged();
    assert_eq!(
        watched.shown("cut_off"),
        "the last heartbeat was emitted a moment ago; the next one in 0.6 s"
    );
    assert_eq!(held(&watched.beat("c0")), Some(Cause::CutOff));
    let holds = watched.metric("lvmbeat_paced_total{reason=\"cut_off\"}");
    assert!((holds - 1.0).abs() < f64::EPSILON);
    assert_eq!(watched.logged(), []);
    watched.pass(SECOND);
    let _ = watched.emit("c0");
    assert_eq!(watched.logged(), [(DEBUG, "in_flight")]);
}

#[test]
fn s3_a_process_that_was_stopped_says_so_until_something_is_received() {
    let mut watched = Watched::start(1, false);
    let _ = watched.emit("c0");
    watched.logged();
    watched.freeze(SECOND * 2);
    let stopped = "lvmbeat itself was not running for 2 s; what waited meanwhile does not count, and every critical heartbeat has to be received anew";
    assert_eq!(watched.shown("not_attentive"), stopped);
    assert_eq!(held(&watched.beat("c0")), Some(Cause::NotAttentive));
    watched.end_session();
    watched.open_session();
    // It is why nothing is known, and is shown until something is.
    assert_eq!(watched.shown("not_attentive"), stopped);
    watched.pass(SECOND);
    assert_eq!(watched.logged(), [(WARN, "not_attentive")]);
    watched.unproven_beat("c0").unwrap();
    let _ = watched.emit("c0");
    assert_eq!(
        watched.logged(),
        [
            (INFO, "heartbeat_unconfirmed"),
            (INFO, "released"),
            (DEBUG, "in_flight"),
        ]
    );
}

#[test]
fn s5_after_a_stop_what_is_still_missing_is_named_once_something_is_received() {
    let mut watched = Watched::start(2, false);
    watched.logged();
    watched.freeze(SECOND * 2);
    watched.end_session();
    watched.open_session();
    watched.shown("not_attentive");
    watched.unproven_beat("c0").unwrap();
    watched.beat("c0").unwrap();
    assert!(watched.shown("heartbeat_never_seen").contains("c1"));
    assert_eq!(
        watched.logged(),
        [
            (WARN, "not_attentive"),
            (INFO, "heartbeat_unconfirmed"),
            (INFO, "heartbeat_never_seen"),
        ]
    );
}

#[test]
fn s5_without_a_session_that_is_named_and_nothing_is_known() {
    let mut watched = Watched::start(1, false);
    let ticket = watched.emit("c0");
    watched.ended(ticket, Outcome::Acknowledged);
    watched.shown("cut_off");
    let current = "lvmbeat_heartbeat_current{name=\"c0\"}";
    assert!(watched.metric(current) > 0.5);
    watched.logged();
    watched.end_session();
    let text = watched.shown("path_slow");
    assert_eq!(text, "there is no session with the broker");
    // Its beat, and the emission, were of a session that is over.
    assert!(watched.metric(current) < 0.5);
    assert_eq!(watched.logged(), [(INFO, "path_slow")]);
    let cause = crate::clu::bus::Shown::ours("gone");
    let error = crate::clu::bus::BusError::Closed { cause };
    watched.state.session_failed(&error);
    let text = watched.shown("path_slow");
    assert_eq!(
        text,
        format!("there is no session with the broker: {error}")
    );
    watched.open_session();
    watched.shown("heartbeat_never_seen");
}

#[test]
fn s3_a_process_that_was_stopped_without_a_session_shows_that_until_it_has_one() {
    let mut watched = Watched::start(1, false);
    watched.logged();
    watched.end_session();
    watched.shown("path_slow");
    watched.freeze(SECOND * 2);
    watched.shown("not_attentive");
    watched.open_session();
    watched.shown("not_attentive");
    watched.unproven_beat("c0").unwrap();
    let _ = watched.emit("c0");
    assert_eq!(
        watched.logged(),
        [
            (INFO, "path_slow"),
            (WARN, "not_attentive"),
            (INFO, "heartbeat_unconfirmed"),
            (INFO, "released"),
            (DEBUG, "in_flight"),
        ]
    );
}

#[test]
fn s3_a_set_that_waited_on_a_slow_way_does_not_count() {
    let mut watched = Watched::start(1, false);
    let ticket = watched.emit("c0");
    watched.ended(ticket, Outcome::Acknowledged);
    watched.pass(SECOND);
    watched.logged();
    watched.stall(SECOND + HALF);
    assert_eq!(
        watched.shown("path_slow"),
        "what arrives may have been on its way for 1.5 s; at most 1.5 s are allowed"
    );
    assert_eq!(held(&watched.unproven_beat("c0")), Some(Cause::PathSlow));
    watched.stall(HALF);
    assert_eq!(watched.logged(), [(WARN, "path_slow")]);
    // One that is prompt counts.
    watched.pass(HALF);
    let _ = watched.emit("c0");
}

#[test]
fn what_was_seen_is_shown_across_sessions_and_only_if_it_counted() {
    let mut watched = Watched::start(1, false);
    let seen = |watched: &Watched, name: &str| {
        let keywords = watched.snapshot().keywords(Timestamp::UNIX_EPOCH);
        keywords["heartbeats"][name]["last_seen"].is_string()
    };
    watched.stall(SECOND * 2);
    watched.beat("c0").unwrap();
    assert!(!seen(&watched, "c0"), "it did not count");
    watched.pass(HALF);
    watched.beat("extra").unwrap();
    assert!(seen(&watched, "extra") && !seen(&watched, "c0"));
    let ticket = watched.emit("c0");
    assert!(watched.snapshot().last_emitted_ecp.is_none());
    watched.ended(ticket, Outcome::Acknowledged);
    watched.end_session();
    assert!(seen(&watched, "c0"));
    assert!(watched.snapshot().last_emitted_ecp.is_some());
    // What is not configured counts for nothing.
    assert!(watched.beat("nobody").is_err());
    assert_eq!(watched.snapshot().counters.beats, 3);
}

#[test]
fn s5_the_end_of_an_emission_of_an_earlier_session_changes_nothing() {
    let mut watched = Watched::start(1, false);
    let ticket = watched.emit("c0");
    watched.end_session();
    let before = watched.snapshot().emissions;
    watched.ended(ticket, Outcome::Acknowledged);
    assert_eq!(watched.snapshot().emissions, before);
    assert!(watched.snapshot().last_emitted_ecp.is_none());
}
