use super::*;

#[test]
fn s5_after_forget_every_critical_heartbeat_has_to_be_seen_anew() {
    let mut supervisor = several();
    supervisor.beat("a", T0).unwrap();
    acknowledged(&mut supervisor, "b", T0);
    supervisor.forget(T0 + secs(20));
    let (a, b) = (id(&supervisor, "a"), id(&supervisor, "b"));
    assert_eq!(
        holds(&mut supervisor, "b", T0 + secs(20)),
        Reason::NeverSeen(a)
    );
    supervisor.forget(T0 + secs(20));
    assert_eq!(
        holds(&mut supervisor, "a", T0 + secs(20)),
        Reason::NeverSeen(b)
    );
    emits(&mut supervisor, "b", T0 + secs(21));
}

#[test]
fn forget_abandons_the_emission_under_way() {
    let mut supervisor = single();
    let ticket = emission_of(&mut supervisor, "a", T0);
    supervisor.forget(T0 + secs(1));
    assert_eq!(supervisor.emission().in_flight_since(), None);
    assert_eq!(supervisor.emission().counts().lost, 1);
    assert!(!supervisor.emission_ended(ticket, Outcome::Acknowledged, T0 + secs(1)));
    assert_eq!(
        holds(&mut supervisor, "a", T0 + secs(1)),
        Reason::Retry(RETRY)
    );
}

#[test]
fn the_cut_off_lasts_over_sessions() {
    let mut supervisor = single();
    acknowledged(&mut supervisor, "a", T0);
    supervisor.forget(T0 + secs(1));
    assert_eq!(
        holds(&mut supervisor, "a", T0 + secs(2)),
        Reason::CutOff(CUTOFF - secs(2))
    );
}

#[test]
fn forget_is_a_stamp() {
    let mut supervisor = single();
    supervisor.forget(T0 + secs(200));
    assert_eq!(supervisor.tick(T0 + secs(200) + ATTENTION - TICK), Ok(()));
}

#[test]
fn forgetting_twice_is_as_forgetting_once() {
    let mut supervisor = single();
    emits(&mut supervisor, "a", T0);
    supervisor.forget(T0 + secs(1));
    let once = supervisor.clone();
    supervisor.forget(T0 + secs(1));
    assert_eq!(supervisor, once);
}
