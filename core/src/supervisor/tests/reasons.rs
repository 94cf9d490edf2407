use super::*;

/// Everything fails at once; then one cause after the other is taken away.
#[test]
fn the_first_cause_is_named() {
    let mut config = config();
    config.add_heartbeat("a", true, TIMEOUT).unwrap();
    config.add_heartbeat("b", true, TIMEOUT).unwrap();
    let lco = config.add_link("lco", THREE).unwrap();
    let outside = config.add_link("outside", THREE).unwrap();
    let mut supervisor = Supervisor::new(config, T0);
    let (a, b) = (id(&supervisor, "a"), id(&supervisor, "b"));
    for _ in 0..3 {
        supervisor.link_probed(lco, false);
    }
    let mut now = T0 + ATTENTION;
    supervisor.tick(now).unwrap_err();
    assert_eq!(
        supervisor.hold(now),
        Some(Reason::NotAttentive(Lapse::Gap(ATTENTION)))
    );
    // Nothing is known, because of the lapse.
    supervisor.forget(now);
    assert_eq!(
        supervisor.hold(now),
        Some(Reason::NotAttentive(Lapse::Gap(ATTENTION)))
    );
    assert_eq!(holds(&mut supervisor, "a", now), Reason::NeverSeen(b));
    supervisor.forget(now);
    assert_eq!(supervisor.hold(now), Some(Reason::NeverSeen(a)));
    assert_eq!(holds(&mut supervisor, "a", now), Reason::NeverSeen(b));
    now += TIMEOUT;
    assert_eq!(
        holds(&mut supervisor, "b", now),
        Reason::Stale {
            heartbeat: a,
            silent_for: TIMEOUT
        }
    );
    assert_eq!(holds(&mut supervisor, "a", now), Reason::LinkDown(lco));
    supervisor.link_probed(lco, true);
    assert_eq!(
        holds(&mut supervisor, "a", now),
        Reason::LinkUnproven(outside)
    );
    supervisor.link_probed(outside, true);
    assert_eq!(supervisor.hold(now), None);
    let ticket = emission_of(&mut supervisor, "a", now);
    assert_eq!(holds(&mut supervisor, "a", now), Reason::InFlight(now));
    supervisor.emission_ended(ticket, Outcome::Acknowledged, now);
    assert_eq!(holds(&mut supervisor, "a", now), Reason::CutOff(CUTOFF));
    let ticket = emission_of(&mut supervisor, "a", now + CUTOFF);
    supervisor.emission_ended(ticket, Outcome::Lost, now + CUTOFF);
    assert_eq!(
        holds(&mut supervisor, "a", now + CUTOFF),
        Reason::Retry(RETRY)
    );
}

#[test]
fn s3_what_may_have_waited_too_long_does_not_count() {
    let limit = Duration::from_secs(5);
    let mut config = Config::new(Duration::MAX, PACE).with_path_limit(limit);
    config.add_heartbeat("a", true, TIMEOUT).unwrap();
    config.add_heartbeat("b", false, TIMEOUT).unwrap();
    let mut supervisor = Supervisor::new(config, T0);
    // Nothing is proven yet: not even a beat that decides nothing is noted (S5).
    assert_eq!(holds(&mut supervisor, "a", T0), Reason::PathSlow(None));
    assert_eq!(holds(&mut supervisor, "b", T0), Reason::PathSlow(None));
    supervisor.path_proven(T0);
    let late = T0 + limit;
    assert_eq!(
        holds(&mut supervisor, "a", late),
        Reason::PathSlow(Some(limit))
    );
    assert_eq!(supervisor.hold(late), Some(Reason::PathSlow(Some(limit))));
    supervisor.path_proven(late);
    // The beats before did not count, so this is the first one.
    assert!(matches!(supervisor.hold(late), Some(Reason::NeverSeen(_))));
    let ticket = emission_of(&mut supervisor, "a", late);
    assert!(supervisor.may_send(ticket, late));
    assert!(!supervisor.may_send(ticket, late + limit));
    supervisor.forget(late);
    assert_eq!(supervisor.hold(late), Some(Reason::PathSlow(None)));
}

/// A drill can only close the dome: it withholds, also what is under way, and emits nothing itself.
#[test]
fn s1_s2_a_drill_withholds_every_heartbeat_until_it_ends() {
    let mut supervisor = single();
    let ticket = emission_of(&mut supervisor, "a", T0);
    supervisor.drill(true);
    assert!(!supervisor.may_send(ticket, T0));
    supervisor.emission_ended(ticket, Outcome::Lost, T0);
    assert_eq!(holds(&mut supervisor, "a", T0 + RETRY), Reason::Drill);
    assert_eq!(supervisor.hold(T0 + RETRY), Some(Reason::Drill));
    // What is really wrong is named first, and a new session does not end it.
    supervisor.forget(T0 + RETRY);
    let a = id(&supervisor, "a");
    assert_eq!(supervisor.hold(T0 + RETRY), Some(Reason::NeverSeen(a)));
    assert_eq!(holds(&mut supervisor, "a", T0 + RETRY), Reason::Drill);
    supervisor.drill(false);
    emits(&mut supervisor, "a", T0 + RETRY);
}
