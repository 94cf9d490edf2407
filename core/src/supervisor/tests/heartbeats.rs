use super::*;

#[test]
fn a_single_critical_source_emits_with_its_first_beat() {
    emits(&mut single(), "a", T0);
}

#[test]
fn s5_nothing_is_emitted_until_every_critical_heartbeat_was_seen() {
    let mut supervisor = several();
    let b = id(&supervisor, "b");
    assert_eq!(holds(&mut supervisor, "a", T0), Reason::NeverSeen(b));
    assert_eq!(holds(&mut supervisor, "a", T0), Reason::NeverSeen(b));
    emits(&mut supervisor, "b", T0);
}

#[test]
fn s1_a_beat_is_held_while_another_is_as_old_as_its_timeout() {
    let mut supervisor = several();
    let a = id(&supervisor, "a");
    supervisor.beat("a", T0).unwrap();
    assert_eq!(
        holds(&mut supervisor, "b", T0 + TIMEOUT),
        Reason::Stale {
            heartbeat: a,
            silent_for: TIMEOUT
        }
    );
}

#[test]
fn a_beat_emits_one_tick_before_another_is_as_old_as_its_timeout() {
    let mut supervisor = several();
    supervisor.beat("a", T0).unwrap();
    emits(&mut supervisor, "b", T0 + TIMEOUT - TICK);
}

#[test]
fn s1_the_beat_of_a_source_that_is_not_critical_decides_nothing() {
    let mut supervisor = several();
    supervisor.beat("a", T0).unwrap();
    acknowledged(&mut supervisor, "b", T0);
    let later = T0 + secs(20);
    assert_eq!(supervisor.hold(later), None);
    assert_eq!(supervisor.beat("x", later), Ok(Decision::Noted));
    let x = supervisor.heartbeats().find("x").unwrap();
    assert_eq!(
        supervisor.heartbeats().get(x).unwrap().last_seen(),
        Some(later)
    );
}

#[test]
fn l1_a_source_that_is_not_critical_withholds_nothing() {
    let mut supervisor = several();
    supervisor.beat("x", T0).unwrap();
    supervisor.beat("a", T0 + TIMEOUT).unwrap();
    emits(&mut supervisor, "b", T0 + TIMEOUT);
}

#[test]
fn s1_with_nothing_critical_nothing_is_emitted() {
    let mut config = config();
    config.add_heartbeat("x", false, TIMEOUT).unwrap();
    let mut supervisor = Supervisor::new(config, T0);
    assert_eq!(supervisor.beat("x", T0), Ok(Decision::Noted));
    assert_eq!(supervisor.hold(T0), Some(Reason::NothingCritical));
}

#[test]
fn a_beat_of_an_unknown_name_is_an_error_and_changes_nothing() {
    let mut supervisor = single();
    let before = supervisor.clone();
    for name in ["", "A", "aa", "a\0", "x"] {
        assert_eq!(
            supervisor.beat(name, T0),
            Err(BeatError::Unknown),
            "{name:?}"
        );
    }
    assert_eq!(supervisor, before);
}

#[test]
fn s1_the_ends_of_time_do_not_overflow() {
    let mut config = Config::<3, 2>::new(Duration::MAX, PACE);
    config.add_heartbeat("a", true, TIMEOUT).unwrap();
    config.add_heartbeat("b", true, TIMEOUT).unwrap();
    let mut supervisor = Supervisor::new(config, Instant::MIN + TICK);
    supervisor.beat("a", Instant::MIN + TICK).unwrap();
    let a = id(&supervisor, "a");
    assert_eq!(
        holds(&mut supervisor, "b", Instant::MAX),
        Reason::Stale {
            heartbeat: a,
            silent_for: Duration::MAX - TICK
        }
    );
    let ticket = emission_of(&mut supervisor, "a", Instant::MAX);
    assert!(supervisor.emission_ended(ticket, Outcome::Acknowledged, Instant::MAX));
    assert_eq!(
        holds(&mut supervisor, "a", Instant::MAX),
        Reason::CutOff(CUTOFF)
    );
}
