use embassy_time::Duration;
use lvmbeat_core::Outcome;

use super::super::testing::{T0, Watched};
use super::*;

fn id(watched: &Watched, name: &str) -> HeartbeatId {
    watched
        .state
        .known
        .supervisor
        .heartbeats()
        .find(name)
        .unwrap()
}

fn describe(watched: &Watched, reason: &Reason) -> String {
    watched.state.words(watched.now).describe(reason)
}

/// The words of the reasons that a configuration that works, on a clock that works, does not meet;
/// `state` has the others.
#[test]
fn every_reason_has_its_words() {
    let watched = Watched::start(1, false);
    let says = |reason, text| assert_eq!(describe(&watched, &reason), text);
    says(
        Reason::NotAttentive(Lapse::ClockWentBack(Duration::from_millis(1500))),
        "the machine's clock went back by 1.5 s; every critical heartbeat has to be received anew",
    );
    says(Reason::NothingCritical, "no heartbeat is critical");
    says(
        Reason::Unconfirmed {
            heartbeat: id(&watched, "c0"),
            sent_before: Some(Duration::from_millis(3250)),
        },
        "heartbeat c0 may have been sent 3.25 s before it was received (limit 3 s); its next beat confirms it",
    );
    // Nothing is known of when it was sent.
    says(
        Reason::Stale {
            heartbeat: id(&watched, "c0"),
            silent_for: Duration::from_secs(4),
        },
        "heartbeat c0 was last received 4 s ago (timeout 3 s)",
    );
    says(Reason::InFlight(T0), "a heartbeat is on its way to lvmecp");
}

#[test]
fn a_set_is_answered_as_by_the_python_version_and_says_what_holds() {
    let mut watched = Watched::start(2, false);
    let answer = |watched: &Watched, name: &str, decision| {
        watched.state.words(watched.now).of_set(name, &decision)
    };
    let set = |held: Option<&str>| {
        let mut body = keyword("text", "Heartbeat set.");
        if let Some(held) = held {
            body.insert("held".to_owned(), held.into());
        }
        (Code::Done, body)
    };
    let decision = watched.beat("c0");
    let held = "heartbeat c1 has not been received in this session";
    assert_eq!(answer(&watched, "c0", decision), set(Some(held)));
    let decision = watched.beat("extra");
    assert_eq!(answer(&watched, "extra", decision), set(None));
    let ticket = watched.emit("c1");
    // The pace is no fault.
    let decision = watched.beat("c1");
    assert_eq!(answer(&watched, "c1", decision), set(None));
    watched.ended(ticket, Outcome::Acknowledged);

    let failed = |error: &str| (Code::Failed, keyword("error", error));
    let decision = watched.beat("nobody");
    let unknown = failed("Heartbeat 'nobody' not found. Configured: extra, c0, c1.");
    assert_eq!(answer(&watched, "nobody", decision), unknown);
    // Bounded, whatever was sent (X2).
    let long = "x".repeat(60_000);
    let decision = watched.beat(&long);
    let (_, body) = answer(&watched, &long, decision);
    let error = body["error"].as_str().unwrap();
    assert!(error.starts_with("Heartbeat 'xxx") && error.ends_with("extra, c0, c1."));
    assert!(error.len() < 300, "{} bytes", error.len());
    let missing = Err(BeatError::ProofMissing(id(&watched, "c0")));
    let (code, body) = answer(&watched, "c0", missing);
    assert_eq!(code, Code::Failed);
    assert_eq!(
        body["error"],
        "Heartbeat not counted: 'c0' has to prove when it was sent; send 'set c0 --seen VALUE' with the value of 'seen' in this reply."
    );
}

#[test]
fn s3_a_set_that_may_have_waited_fails_with_the_reason() {
    let mut watched = Watched::start(1, false);
    watched.stall(Duration::from_secs(2));
    let decision = watched.beat("c0");
    let (code, body) = watched.state.words(watched.now).of_set("c0", &decision);
    assert_eq!(code, Code::Failed);
    assert_eq!(
        body["error"],
        "Heartbeat not counted: what arrives may have been on its way for 2 s; at most 1.5 s are allowed."
    );
    watched.freeze(Duration::from_secs(2));
    let decision = watched.beat("c0");
    let (code, body) = watched.state.words(watched.now).of_set("c0", &decision);
    assert_eq!(code, Code::Failed);
    let error = body["error"].as_str().unwrap();
    assert!(
        error.starts_with("Heartbeat not counted: lvmbeat itself was not running for 2 s; "),
        "{error}"
    );
}
