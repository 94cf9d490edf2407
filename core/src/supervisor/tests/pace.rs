use super::*;

#[test]
fn s6_a_beat_during_an_emission_is_held() {
    let mut supervisor = single();
    let ticket = emission_of(&mut supervisor, "a", T0);
    assert_eq!(
        holds(&mut supervisor, "a", T0 + secs(20)),
        Reason::InFlight(T0)
    );
    assert!(supervisor.emission_ended(ticket, Outcome::Acknowledged, T0 + secs(21)));
    emits(&mut supervisor, "a", T0 + secs(22));
}

#[test]
fn a_beat_within_the_cut_off_is_held_and_noted() {
    let mut supervisor = single();
    acknowledged(&mut supervisor, "a", T0);
    let just_before = T0 + CUTOFF - TICK;
    assert_eq!(
        holds(&mut supervisor, "a", just_before),
        Reason::CutOff(TICK)
    );
    let a = id(&supervisor, "a");
    assert_eq!(
        supervisor.heartbeats().get(a).unwrap().last_seen(),
        Some(just_before)
    );
}

#[test]
fn s2_the_end_of_the_cut_off_emits_nothing_by_itself() {
    let mut supervisor = single();
    acknowledged(&mut supervisor, "a", T0);
    assert_eq!(supervisor.tick(T0 + CUTOFF), Ok(()));
    assert_eq!(supervisor.emission().in_flight_since(), None);
    assert_eq!(supervisor.hold(T0 + CUTOFF), None);
    emits(&mut supervisor, "a", T0 + CUTOFF);
}

#[test]
fn a_beat_soon_after_a_failed_emission_is_held() {
    let mut supervisor = single();
    let ticket = emission_of(&mut supervisor, "a", T0);
    supervisor.emission_ended(ticket, Outcome::Refused, T0 + secs(1));
    assert_eq!(
        holds(&mut supervisor, "a", T0 + secs(2)),
        Reason::Retry(secs(2))
    );
    emits(&mut supervisor, "a", T0 + secs(4));
}

#[test]
fn s3_a_late_answer_to_an_abandoned_emission_changes_nothing() {
    let mut supervisor = single();
    let old = emission_of(&mut supervisor, "a", T0);
    supervisor.forget(T0 + secs(1));
    let new = emission_of(&mut supervisor, "a", T0 + secs(5));
    assert!(!supervisor.emission_ended(old, Outcome::Acknowledged, T0 + secs(6)));
    assert_eq!(
        holds(&mut supervisor, "a", T0 + secs(6)),
        Reason::InFlight(T0 + secs(5))
    );
    assert!(supervisor.emission_ended(new, Outcome::Acknowledged, T0 + secs(6)));
}

#[test]
fn s1_what_was_decided_may_be_sent_as_long_as_nothing_fails() {
    let mut supervisor = several();
    supervisor.beat("a", T0).unwrap();
    let ticket = emission_of(&mut supervisor, "b", T0 + secs(1));
    assert!(supervisor.may_send(ticket, T0 + secs(1)));
    assert!(supervisor.may_send(ticket, T0 + TIMEOUT - TICK));
    assert!(!supervisor.may_send(ticket, T0 + TIMEOUT));
}

#[test]
fn s3_what_was_decided_before_a_stop_may_not_be_sent_after_it() {
    let mut supervisor = single();
    let ticket = emission_of(&mut supervisor, "a", T0);
    supervisor.tick(T0 + secs(1)).unwrap();
    assert!(!supervisor.may_send(ticket, T0));
    supervisor.tick(T0 + secs(1) + ATTENTION).unwrap_err();
    supervisor.beat("a", T0 + secs(1) + ATTENTION).unwrap();
    assert!(!supervisor.may_send(ticket, T0 + secs(1) + ATTENTION));
}

#[test]
fn s3_what_has_ended_may_not_be_sent() {
    let mut supervisor = single();
    let ticket = emission_of(&mut supervisor, "a", T0);
    supervisor.emission_ended(ticket, Outcome::TimedOut, T0);
    assert!(!supervisor.may_send(ticket, T0));

    let old = emission_of(&mut supervisor, "a", T0 + secs(10));
    supervisor.forget(T0 + secs(10));
    let new = emission_of(&mut supervisor, "a", T0 + secs(20));
    assert!(!supervisor.may_send(old, T0 + secs(20)));
    assert!(supervisor.may_send(new, T0 + secs(20)));
}

#[test]
fn s1_what_was_decided_may_not_be_sent_once_a_link_is_down() {
    let (mut supervisor, lco, outside) = linked();
    supervisor.link_probed(lco, true);
    supervisor.link_probed(outside, true);
    let ticket = emission_of(&mut supervisor, "a", T0);
    for _ in 0..3 {
        assert!(supervisor.may_send(ticket, T0));
        supervisor.link_probed(lco, false);
    }
    assert!(!supervisor.may_send(ticket, T0));
}
