use super::*;

/// After a restart the boot-time clock may be anywhere.
const T1: Instant = Instant::from_secs(3);

fn restart(alarm: &Alarm, stop: Instant) -> Alarm {
    Alarm::restore(*alarm.config(), alarm.save(stop), T1)
}

#[test]
fn m3_observed_silence_adds_up_across_a_restart() {
    let mut alarm = beaten();
    listen(&mut alarm, T0, T0 + secs(199));
    let mut alarm = restart(&alarm, T0 + secs(200));
    assert_eq!(silence(&alarm, T1), secs(200));
    listen(&mut alarm, T1, T1 + secs(99));
    assert_eq!(notified(&mut alarm, T1 + secs(100) - TICK), []);
    assert_eq!(notified(&mut alarm, T1 + secs(100)), [alarmed(AFTER)]);
}

#[test]
fn m3_a_restart_raises_no_alarm_by_itself() {
    let mut alarm = beaten();
    listen(&mut alarm, T0, T0 + secs(20));
    let mut alarm = restart(&alarm, T0 + secs(20));
    assert_eq!(notified(&mut alarm, T1), []);
    assert_eq!(state(&alarm, T1), State::Up);
}

#[test]
fn m3_a_restart_every_200_seconds_does_not_put_an_alarm_off_for_ever() {
    let mut alarm = Alarm::new(config(), T1);
    listen(&mut alarm, T1, T1 + secs(200));
    assert_eq!(notified(&mut alarm, T1 + secs(200)), []);
    let mut alarm = restart(&alarm, T1 + secs(200));
    listen(&mut alarm, T1, T1 + secs(100));
    assert_eq!(notified(&mut alarm, T1 + secs(100)).len(), 1);
}

#[test]
fn m3_what_was_not_listened_to_before_a_save_is_not_saved() {
    let alarm = beaten();
    assert_eq!(alarm.save(T0 + secs(299)).silence, secs(299));
    assert_eq!(alarm.save(T0 + ATTENTION).silence, Duration::MIN);
    assert_eq!(alarm.save(T0 - TICK).silence, Duration::MIN);
}

#[test]
fn m4_an_alarm_that_was_reported_is_not_reported_again_after_a_restart() {
    let mut alarm = restart(&down(), T0 + AFTER);
    assert_eq!(state(&alarm, T1), State::Down);
    listen(&mut alarm, T1, T1 + AFTER);
    assert_eq!(notified(&mut alarm, T1 + AFTER), []);
    assert_eq!(alarm.beat(T1 + AFTER), Some(recovered(AFTER + AFTER)));
}

#[test]
fn m4_an_all_clear_that_was_reported_is_not_reported_again_after_a_restart() {
    let mut alarm = down();
    assert!(alarm.beat(T0 + secs(301)).is_some());
    let mut alarm = restart(&alarm, T0 + secs(301));
    assert_eq!(alarm.beat(T1), None);
    assert_eq!(notified(&mut alarm, T1), []);
}

#[test]
fn m2_what_was_reported_but_not_saved_is_reported_again() {
    let mut alarm = beaten();
    listen(&mut alarm, T0, T0 + AFTER);
    let saved = alarm.save(T0 + AFTER);
    assert_eq!(notified(&mut alarm, T0 + AFTER), [alarmed(AFTER)]);
    let mut alarm = Alarm::restore(config(), saved, T1);
    assert_eq!(notified(&mut alarm, T1), [alarmed(AFTER)]);
}

#[test]
fn a_disable_for_good_survives_a_restart() {
    let mut alarm = beaten();
    alarm.disable(None, T0);
    let mut alarm = restart(&alarm, T0);
    listen(&mut alarm, T1, T1 + AFTER);
    assert_eq!(notified(&mut alarm, T1 + AFTER), []);
}

#[test]
fn a_timed_disable_survives_a_restart_with_what_is_left_of_it() {
    let mut alarm = beaten();
    alarm.disable(Some(secs(3600)), T0);
    listen(&mut alarm, T0, T0 + secs(600));
    let saved = alarm.save(T0 + secs(601));
    assert_eq!(saved.mode, Mode::DisabledFor(secs(2999)));
    // It was down for 2000 s by the wall clock.
    let mut alarm = Alarm::restore(config(), saved.aged(secs(2000)), T1);
    assert_eq!(silence(&alarm, T1), secs(601));
    assert_eq!(alarm.beat(T1), None);
    assert_eq!(notified(&mut alarm, T1 + secs(999) - TICK), []);
    let expected = [Notification::EnabledAgain];
    assert_eq!(
        notified(&mut alarm, T1 + secs(999)).get(..1),
        Some(&expected[..])
    );
}

#[test]
fn m4_the_end_of_a_timed_disable_is_reported_once_wherever_the_restart_is() {
    let mut alarm = beaten();
    alarm.disable(Some(secs(100)), T0);
    let mut before = restart(&alarm, T0 + secs(100));
    assert_eq!(notified(&mut before, T1), [Notification::EnabledAgain]);
    assert_eq!(
        notified(&mut alarm, T0 + secs(100)),
        [Notification::EnabledAgain]
    );
    let mut after = restart(&alarm, T0 + secs(100));
    assert_eq!(notified(&mut after, T1), []);
}

#[test]
fn ageing_changes_nothing_but_a_timed_disable_and_stops_at_its_end() {
    let saved = Saved {
        ever_seen: true,
        down: true,
        silence: AFTER,
        since_reported: secs(1),
        mode: Mode::DisabledForGood,
    };
    assert_eq!(saved.aged(Duration::MAX), saved);
    let timed = Saved {
        mode: Mode::DisabledFor(secs(5)),
        ..saved
    };
    let over = Saved {
        mode: Mode::DisabledFor(Duration::MIN),
        ..saved
    };
    assert_eq!(timed.aged(secs(6)), over);
}

#[test]
fn m4_the_state_of_the_python_version_can_be_restored() {
    for (active, last_seen, expected) in [
        (false, false, State::Waiting),
        (false, true, State::Up),
        (true, true, State::Down),
        (true, false, State::Down),
    ] {
        let saved = Saved {
            down: active,
            ever_seen: last_seen,
            ..Saved::default()
        };
        let mut alarm = Alarm::restore(config(), saved, T1);
        assert_eq!(state(&alarm, T1), expected);
        assert_eq!(notified(&mut alarm, T1), []);
        assert_eq!(alarm.beat(T1).is_some(), active);
    }
}

#[test]
fn the_thresholds_are_those_of_the_configuration_that_it_is_restored_with() {
    let saved = beaten().save(T0 + secs(100));
    let config = Config::new(secs(100), secs(2)).unwrap();
    let mut alarm = Alarm::restore(config, saved, T1);
    assert_eq!(notified(&mut alarm, T1), [alarmed(secs(100))]);
}

#[test]
fn x2_any_values_can_be_restored() {
    for mode in [
        Mode::Enabled,
        Mode::DisabledForGood,
        Mode::DisabledFor(Duration::MAX),
    ] {
        for (ever_seen, down) in [(false, false), (false, true), (true, false), (true, true)] {
            let saved = Saved {
                ever_seen,
                down,
                silence: Duration::MAX,
                since_reported: Duration::MAX,
                mode,
            };
            let config = config().with_reminders(EVERY).unwrap();
            let mut alarm = Alarm::restore(config, saved, T1);
            listen(&mut alarm, T1, T1 + secs(5));
            let expected = usize::from(mode == Mode::Enabled);
            assert_eq!(notified(&mut alarm, T1 + secs(5)).len(), expected);
            assert!(alarm.notify_down(true, T1 + secs(5)).is_some());
            assert_eq!(alarm.beat(T1 + secs(5)), Some(recovered(Duration::MAX)));
            assert_eq!(state(&alarm, T1 + secs(5)), State::Up);
        }
    }
}
