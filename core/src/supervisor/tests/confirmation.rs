use super::*;

const BURST: Duration = secs(1);

/// Watches `a`, which is critical, and whose beats have to be confirmed.
fn confirming() -> Small {
    let mut config = config().with_burst(BURST);
    config.add_heartbeat("a", true, TIMEOUT).unwrap();
    Supervisor::new(config, T0)
}

fn unconfirmed(sent_before: Option<Duration>) -> Reason {
    Reason::Unconfirmed {
        heartbeat: HeartbeatId(0),
        sent_before,
    }
}

#[test]
fn s3_the_first_beat_of_a_session_only_knocks() {
    let mut supervisor = confirming();
    assert_eq!(holds(&mut supervisor, "a", T0), unconfirmed(None));
    assert_eq!(supervisor.hold(T0 + secs(1)), Some(unconfirmed(None)));
    emits(&mut supervisor, "a", T0 + secs(5));
    supervisor.forget(T0 + secs(6));
    assert_eq!(holds(&mut supervisor, "a", T0 + secs(7)), unconfirmed(None));
}

#[test]
fn s3_what_a_stall_lets_go_does_not_count_but_the_beat_after_it() {
    let mut supervisor = confirming();
    supervisor.beat("a", T0).unwrap();
    acknowledged(&mut supervisor, "a", T0 + secs(5));
    for millis in [45_000, 45_001, 45_900] {
        let now = T0 + Duration::from_millis(millis);
        let stalled = Duration::from_millis(millis - 5000);
        // Its greatest age is that of the beat before it that is proven: the one at 5 s.
        assert_eq!(holds(&mut supervisor, "a", now), unconfirmed(Some(stalled)));
    }
    emits(&mut supervisor, "a", T0 + secs(50));
}

#[test]
fn s1_a_client_that_has_died_is_stale_when_its_timeout_has_passed_since_it_was_proven_alive() {
    let mut supervisor = confirming();
    supervisor.beat("a", T0).unwrap();
    acknowledged(&mut supervisor, "a", T0 + secs(5));
    assert_eq!(supervisor.hold(T0 + TIMEOUT - TICK), None);
    assert_eq!(
        supervisor.hold(T0 + TIMEOUT),
        Some(Reason::Stale {
            heartbeat: HeartbeatId(0),
            silent_for: TIMEOUT - secs(5),
        })
    );
}

#[test]
fn s3_a_knock_that_nothing_follows_is_silence_after_the_timeout() {
    let mut supervisor = confirming();
    supervisor.beat("a", T0).unwrap();
    let almost = T0 + TIMEOUT - TICK;
    assert_eq!(supervisor.hold(almost), Some(unconfirmed(None)));
    assert!(matches!(
        supervisor.hold(T0 + TIMEOUT),
        Some(Reason::Stale { .. })
    ));
}

#[test]
fn s4_a_beat_as_old_as_the_lateness_does_not_emit() {
    let mut config = config().with_burst(BURST);
    let a = config.add_heartbeat("a", true, TIMEOUT).unwrap();
    config.limit_lateness(a, secs(12));
    let mut supervisor = Supervisor::new(config, T0);
    supervisor.beat("a", T0).unwrap();
    let mut late = supervisor.clone();
    let now = T0 + secs(12);
    assert_eq!(holds(&mut late, "a", now), unconfirmed(Some(secs(12))));
    // It is alive enough for others to emit.
    assert_eq!(late.hold(now), None);
    emits(&mut supervisor, "a", now - TICK);
}

#[test]
fn s3_a_beat_that_proves_when_it_was_sent_needs_no_other() {
    let mut supervisor = confirming();
    let answer = supervisor.beat_proven("a", T0, T0 + TIMEOUT);
    assert_eq!(answer, Ok(Decision::Hold(unconfirmed(Some(TIMEOUT)))));
    let now = T0 + TIMEOUT;
    let answer = supervisor.beat_proven("a", now, now);
    assert!(matches!(answer, Ok(Decision::Emit(_))));
}

#[test]
fn s3_where_a_proof_is_required_nothing_else_counts() {
    let mut config = config().with_burst(BURST);
    let a = config.add_heartbeat("a", true, TIMEOUT).unwrap();
    config.require_proof(a);
    let mut supervisor = Supervisor::new(config, T0);
    for beat in 0..3 {
        let refused = Err(BeatError::ProofMissing(a));
        assert_eq!(supervisor.beat("a", T0 + secs(5 * beat)), refused);
    }
    assert_eq!(supervisor.hold(T0 + secs(10)), Some(Reason::NeverSeen(a)));
    // Beats that trickle out of a stall, each with an old value, confirm nothing.
    for beat in 0..20 {
        let now = T0 + secs(40) + secs(2 * beat);
        let answer = supervisor.beat_proven("a", T0, now);
        assert!(matches!(answer, Ok(Decision::Hold(_))), "{answer:?}");
    }
    let now = T0 + secs(90);
    let answer = supervisor.beat_proven("a", now, now);
    assert!(matches!(answer, Ok(Decision::Emit(_))));
}

#[test]
fn s3_a_beat_that_waited_in_the_queue_confirms_no_later_than_it_entered() {
    let mut config = config().with_burst(BURST).with_path_limit(secs(5));
    config.add_heartbeat("a", true, TIMEOUT).unwrap();
    let mut supervisor = Supervisor::new(config, T0);
    supervisor.path_proven(T0);
    supervisor.beat("a", T0 + secs(4)).unwrap();
    supervisor.path_proven(T0 + secs(30));
    // Sent after the first one entered, which may have been at T0.
    assert_eq!(
        holds(&mut supervisor, "a", T0 + TIMEOUT),
        unconfirmed(Some(TIMEOUT))
    );
}

#[test]
fn l1_beats_of_five_seconds_never_go_stale_though_one_is_lost_and_others_jitter() {
    let mut supervisor = confirming();
    supervisor.beat("a", T0).unwrap();
    for beat in (1..200_u64).filter(|beat| beat % 10 != 7) {
        let due = T0 + secs(5 * beat) + Duration::from_millis(beat * 7919 % 1000);
        supervisor.tick(due - TICK).unwrap();
        if beat > 1 {
            assert_eq!(supervisor.hold(due - TICK).filter(Reason::is_fault), None);
        }
        supervisor.beat("a", due).unwrap();
    }
    let (_, heartbeat) = supervisor.heartbeats().iter().next().unwrap();
    assert!(heartbeat.smallest_margin().unwrap() > TIMEOUT - secs(16));
}

#[test]
fn s3_a_beat_that_came_another_way_confirms_no_beat_and_proves_only_what_it_repeats() {
    for burst in [Some(BURST), None] {
        let mut config = config();
        if let Some(burst) = burst {
            config = config.with_burst(burst);
        }
        config.add_heartbeat("a", true, TIMEOUT).unwrap();
        let mut supervisor = Supervisor::new(config, T0);
        let mut apart = |proof, now| supervisor.beat_apart(HeartbeatId(0), proof, now).unwrap();
        assert!(matches!(apart(T0, T0 + secs(1)), Decision::Emit(_)));
        // Both were held up, and overtook each other: neither says that its client lives.
        for seconds in [20, 25] {
            apart(T0, T0 + secs(seconds));
        }
        let stale = |it: &Small| matches!(it.hold(T0 + TIMEOUT), Some(Reason::Stale { .. }));
        assert!(stale(&supervisor), "{burst:?}");
        // Nor does one that waited on the path meanwhile.
        if burst.is_some() {
            supervisor.beat("a", T0 + secs(28)).unwrap();
            assert!(stale(&supervisor));
        }
    }
}
