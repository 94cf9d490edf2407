use super::*;

#[test]
fn s3_a_beat_that_waited_through_a_gap_does_not_count() {
    let mut supervisor = single();
    let late = T0 + ATTENTION;
    let lapse = Lapse::Gap(ATTENTION);
    assert_eq!(
        holds(&mut supervisor, "a", late),
        Reason::NotAttentive(lapse)
    );
    let a = id(&supervisor, "a");
    assert_eq!(supervisor.heartbeats().get(a).unwrap().last_seen(), None);
    // Nor do those that come after it, until what waited is thrown away.
    assert_eq!(
        holds(&mut supervisor, "a", late + secs(1)),
        Reason::NotAttentive(lapse)
    );
    supervisor.forget(late + secs(2));
    emits(&mut supervisor, "a", late + secs(3));
}

#[test]
fn a_beat_one_tick_before_the_gap_is_too_long_counts() {
    emits(&mut single(), "a", T0 + ATTENTION - TICK);
}

#[test]
fn l1_ticks_keep_it_attentive() {
    let mut supervisor = single();
    for step in 1..10 {
        assert_eq!(supervisor.tick(T0 + secs(50 * step)), Ok(()));
    }
    emits(&mut supervisor, "a", T0 + secs(500));
}

#[test]
fn s3_a_beat_does_not_stand_in_for_a_tick() {
    let mut supervisor = single();
    supervisor.beat("a", T0 + secs(50)).unwrap();
    assert_eq!(supervisor.tick(T0 + ATTENTION), Err(Lapse::Gap(ATTENTION)));
}

#[test]
fn s3_a_lapse_that_a_tick_notices_holds_until_forget() {
    let mut supervisor = single();
    let late = T0 + ATTENTION;
    assert_eq!(supervisor.tick(late), Err(Lapse::Gap(ATTENTION)));
    assert_eq!(supervisor.tick(late + secs(1)), Ok(()));
    let reason = Reason::NotAttentive(Lapse::Gap(ATTENTION));
    assert_eq!(supervisor.hold(late + secs(1)), Some(reason));
    assert_eq!(holds(&mut supervisor, "a", late + secs(1)), reason);
    supervisor.forget(late + secs(1));
    emits(&mut supervisor, "a", late + secs(1));
}

#[test]
fn s5_a_lapse_forgets_every_heartbeat() {
    let mut supervisor = several();
    for name in ["a", "b", "x"] {
        supervisor.beat(name, T0).unwrap();
    }
    supervisor.tick(T0 + ATTENTION).unwrap_err();
    assert!(
        supervisor
            .heartbeats()
            .iter()
            .all(|(_, heartbeat)| heartbeat.last_seen().is_none())
    );
}

#[test]
fn l1_a_lapse_that_a_beat_noticed_first_is_reported_by_the_next_tick_once() {
    let mut supervisor = single();
    holds(&mut supervisor, "a", T0 + ATTENTION);
    assert_eq!(
        supervisor.tick(T0 + ATTENTION + TICK),
        Err(Lapse::Gap(ATTENTION))
    );
    assert_eq!(supervisor.tick(T0 + ATTENTION + TICK), Ok(()));
}

#[test]
fn a_lapse_that_forget_ended_is_not_reported() {
    let mut supervisor = single();
    holds(&mut supervisor, "a", T0 + ATTENTION);
    supervisor.forget(T0 + ATTENTION);
    assert_eq!(supervisor.tick(T0 + ATTENTION), Ok(()));
}

#[test]
fn s3_a_beat_of_an_unknown_name_notices_a_lapse_too() {
    let mut supervisor = single();
    assert_eq!(
        supervisor.beat("unknown", T0 + ATTENTION),
        Err(BeatError::Unknown)
    );
    assert_eq!(supervisor.tick(T0 + ATTENTION), Err(Lapse::Gap(ATTENTION)));
}

#[test]
fn s3_a_clock_that_goes_back_behind_a_tick_holds() {
    let mut supervisor = single();
    supervisor.tick(T0 + secs(5)).unwrap();
    let reason = Reason::NotAttentive(Lapse::ClockWentBack(TICK));
    assert_eq!(supervisor.hold(T0 + secs(5) - TICK), Some(reason));
    assert_eq!(holds(&mut supervisor, "a", T0 + secs(5) - TICK), reason);
    assert_eq!(holds(&mut supervisor, "a", T0 + secs(6)), reason);
}

#[test]
fn s3_a_clock_that_goes_back_behind_a_beat_holds() {
    let mut supervisor = single();
    acknowledged(&mut supervisor, "a", T0 + secs(20));
    let reason = Reason::NotAttentive(Lapse::ClockWentBack(secs(5)));
    assert_eq!(supervisor.hold(T0 + secs(15)), Some(reason));
    assert_eq!(holds(&mut supervisor, "a", T0 + secs(15)), reason);
    assert_eq!(
        supervisor.tick(T0 + secs(16)),
        Err(Lapse::ClockWentBack(secs(5)))
    );
}

#[test]
fn s3_a_clock_that_goes_back_behind_the_end_of_an_emission_holds() {
    let mut supervisor = single();
    let ticket = emission_of(&mut supervisor, "a", T0);
    supervisor.emission_ended(ticket, Outcome::Acknowledged, T0 + secs(40));
    assert_eq!(
        holds(&mut supervisor, "a", T0 + secs(20)),
        Reason::NotAttentive(Lapse::ClockWentBack(secs(20)))
    );
}

#[test]
fn s3_the_end_of_an_emission_notices_a_clock_that_went_back_and_counts() {
    let mut supervisor = single();
    let ticket = emission_of(&mut supervisor, "a", T0 + secs(20));
    assert!(supervisor.emission_ended(ticket, Outcome::Acknowledged, T0 + secs(19)));
    assert_eq!(supervisor.emission().counts().acknowledged, 1);
    assert_eq!(
        supervisor.tick(T0 + secs(20)),
        Err(Lapse::ClockWentBack(secs(1)))
    );
}

#[test]
fn l1_after_the_clock_went_back_and_forget_the_new_time_counts() {
    let mut supervisor = single();
    acknowledged(&mut supervisor, "a", T0 + secs(50));
    supervisor.tick(T0).unwrap_err();
    supervisor.forget(T0);
    assert_eq!(holds(&mut supervisor, "a", T0), Reason::CutOff(CUTOFF));
    emits(&mut supervisor, "a", T0 + CUTOFF);
}

#[test]
fn the_last_lapse_is_the_one_that_is_shown() {
    let mut supervisor = single();
    supervisor.tick(T0 + ATTENTION).unwrap_err();
    assert_eq!(supervisor.tick(T0), Err(Lapse::ClockWentBack(ATTENTION)));
    assert_eq!(
        supervisor.hold(T0),
        Some(Reason::NotAttentive(Lapse::ClockWentBack(ATTENTION)))
    );
}

#[test]
fn after_forget_a_lapse_is_named_until_a_critical_heartbeat_is_received() {
    let mut supervisor = several();
    let (late, lapse) = (T0 + ATTENTION, Lapse::Gap(ATTENTION));
    supervisor.tick(late).unwrap_err();
    let reason = Some(Reason::NotAttentive(lapse));
    // A session that is lost, and one that is opened.
    for _ in 0..2 {
        supervisor.forget(late);
        assert_eq!(supervisor.hold(late), reason);
    }
    assert_eq!(supervisor.beat("x", late), Ok(Decision::Noted));
    assert_eq!(supervisor.hold(late), reason);
    let a = Reason::NeverSeen(id(&supervisor, "a"));
    assert_eq!(holds(&mut supervisor, "b", late), a);
    assert_eq!(supervisor.hold(late), Some(a));
    // A session that is lost later has nothing to do with it.
    supervisor.forget(late);
    assert_eq!(supervisor.hold(late), Some(a));
}

#[test]
fn a_lapse_that_is_only_named_holds_nothing() {
    let mut supervisor = single();
    supervisor.tick(T0 + ATTENTION).unwrap_err();
    supervisor.forget(T0 + ATTENTION);
    let reason = Some(Reason::NotAttentive(Lapse::Gap(ATTENTION)));
    assert_eq!(supervisor.hold(T0 + ATTENTION), reason);
    let ticket = emission_of(&mut supervisor, "a", T0 + ATTENTION);
    assert!(supervisor.may_send(ticket, T0 + ATTENTION));
    assert_eq!(supervisor.tick(T0 + ATTENTION), Ok(()));
}

#[test]
fn a_lapse_is_named_for_what_nobody_knows_and_not_for_a_way_that_is_known_to_be_slow() {
    let limit = secs(5);
    let mut config = config().with_path_limit(limit);
    config.add_heartbeat("a", true, TIMEOUT).unwrap();
    let mut supervisor = Supervisor::<3, 2>::new(config, T0);
    let (late, lapse) = (T0 + ATTENTION, Lapse::Gap(ATTENTION));
    supervisor.tick(late).unwrap_err();
    supervisor.forget(late);
    // No session yet.
    assert_eq!(supervisor.hold(late), Some(Reason::NotAttentive(lapse)));
    assert_eq!(holds(&mut supervisor, "a", late), Reason::PathSlow(None));
    assert_eq!(supervisor.hold(late), Some(Reason::NotAttentive(lapse)));
    supervisor.path_proven(late);
    assert_eq!(supervisor.hold(late), Some(Reason::NotAttentive(lapse)));
    let slow = Some(Reason::PathSlow(Some(limit)));
    assert_eq!(supervisor.hold(late + limit), slow);
    supervisor.path_proven(late + limit);
    assert_eq!(
        supervisor.hold(late + limit),
        Some(Reason::NotAttentive(lapse))
    );
    emits(&mut supervisor, "a", late + limit);
}
