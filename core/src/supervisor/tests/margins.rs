use super::*;

fn margin(supervisor: &Small) -> Option<Duration> {
    supervisor.emission().smallest_margin()
}

#[test]
fn l1_the_margin_between_two_acknowledgements_is_measured() {
    let mut supervisor = single();
    acknowledged(&mut supervisor, "a", T0);
    acknowledged(&mut supervisor, "a", T0 + secs(15));
    assert_eq!(margin(&supervisor), Some(secs(45)));
}

#[test]
fn l1_a_pause_of_the_client_is_no_measure() {
    let mut supervisor = single();
    acknowledged(&mut supervisor, "a", T0);
    acknowledged(&mut supervisor, "a", T0 + TIMEOUT);
    assert_eq!(margin(&supervisor), None);
}

#[test]
fn l1_a_pause_of_another_client_that_ended_before_the_beat_is_no_measure() {
    let mut supervisor = several();
    supervisor.beat("b", T0).unwrap();
    acknowledged(&mut supervisor, "a", T0);
    supervisor.beat("a", T0 + secs(29)).unwrap();
    supervisor.forget(T0 + secs(29));
    supervisor.beat("a", T0 + secs(50)).unwrap();
    acknowledged(&mut supervisor, "b", T0 + secs(60));
    assert_eq!(margin(&supervisor), None);
}

#[test]
fn l1_a_hold_because_of_a_link_is_no_measure() {
    let (mut supervisor, lco, outside) = linked();
    supervisor.link_probed(lco, true);
    supervisor.link_probed(outside, true);
    acknowledged(&mut supervisor, "a", T0);
    for _ in 0..3 {
        supervisor.link_probed(lco, false);
    }
    holds(&mut supervisor, "a", T0 + secs(15));
    supervisor.link_probed(lco, true);
    acknowledged(&mut supervisor, "a", T0 + secs(29));
    assert_eq!(margin(&supervisor), None);
}

#[test]
fn l1_a_lapse_is_no_measure() {
    let mut supervisor = single();
    let ticket = emission_of(&mut supervisor, "a", T0);
    supervisor.emission_ended(ticket, Outcome::Acknowledged, T0);
    let ticket = emission_of(&mut supervisor, "a", T0 + CUTOFF);
    supervisor.tick(T0 + ATTENTION).unwrap_err();
    supervisor.emission_ended(ticket, Outcome::Acknowledged, T0 + ATTENTION);
    assert_eq!(margin(&supervisor), None);
}

#[test]
fn l1_the_margin_of_each_heartbeat_is_measured_too() {
    let mut supervisor = single();
    supervisor.beat("a", T0).unwrap();
    supervisor.beat("a", T0 + secs(12)).unwrap();
    let a = id(&supervisor, "a");
    assert_eq!(
        supervisor.heartbeats().get(a).unwrap().smallest_margin(),
        Some(secs(18))
    );
}

#[test]
fn l1_a_beat_that_may_have_waited_too_long_is_no_measure() {
    let mut config = Config::new(ATTENTION, PACE).with_path_limit(secs(5));
    config.add_heartbeat("a", true, TIMEOUT).unwrap();
    let mut supervisor = Supervisor::new(config, T0);
    supervisor.path_proven(T0);
    acknowledged(&mut supervisor, "a", T0);
    holds(&mut supervisor, "a", T0 + secs(15));
    supervisor.path_proven(T0 + secs(20));
    acknowledged(&mut supervisor, "a", T0 + secs(20));
    assert_eq!(margin(&supervisor), None);
}
