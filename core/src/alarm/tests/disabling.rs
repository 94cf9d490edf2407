use super::*;

const HOUR: Duration = secs(3600);

#[test]
fn while_disabled_for_good_nothing_is_raised() {
    let mut alarm = beaten();
    alarm.disable(None, T0);
    listen(&mut alarm, T0, T0 + HOUR);
    assert_eq!(notified(&mut alarm, T0 + HOUR), []);
    let status = alarm.status(T0 + HOUR);
    assert_eq!(status.mode, Mode::DisabledForGood);
    assert_eq!(status.state, State::Up);
}

#[test]
fn m1_silence_observed_while_disabled_counts_once_it_is_enabled() {
    let mut alarm = beaten();
    alarm.disable(None, T0);
    listen(&mut alarm, T0, T0 + HOUR);
    assert!(alarm.enable(T0 + HOUR));
    assert_eq!(notified(&mut alarm, T0 + HOUR), [alarmed(HOUR)]);
}

#[test]
fn a_beat_while_disabled_ends_the_silence() {
    let mut alarm = beaten();
    alarm.disable(None, T0);
    listen(&mut alarm, T0, T0 + secs(400));
    assert_eq!(alarm.beat(T0 + secs(400)), None);
    assert!(alarm.enable(T0 + secs(500)));
    assert_eq!(notified(&mut alarm, T0 + secs(500)), []);
    assert_eq!(silence(&alarm, T0 + secs(500)), secs(100));
}

#[test]
fn a_timed_disable_ends_by_itself_at_exactly_its_end_and_says_so_once() {
    let mut alarm = beaten();
    alarm.disable(Some(HOUR), T0);
    let end = T0 + HOUR;
    listen(&mut alarm, T0, end - secs(1));
    assert_eq!(alarm.beat(end - TICK), None);
    assert_eq!(notified(&mut alarm, end - TICK), []);
    assert_eq!(alarm.status(end - TICK).mode, Mode::DisabledFor(TICK));
    assert_eq!(alarm.status(end).mode, Mode::Enabled);
    assert_eq!(notified(&mut alarm, end), [Notification::EnabledAgain]);
    assert_eq!(notified(&mut alarm, end + secs(1)), []);
}

#[test]
fn m1_silence_that_goes_on_at_the_end_of_a_timed_disable_alarms_at_once() {
    let mut alarm = beaten();
    alarm.disable(Some(HOUR), T0);
    listen(&mut alarm, T0, T0 + HOUR);
    assert_eq!(
        notified(&mut alarm, T0 + HOUR),
        [Notification::EnabledAgain, alarmed(HOUR)]
    );
}

#[test]
fn a_disable_for_no_time_ends_at_once() {
    let mut alarm = beaten();
    alarm.disable(Some(Duration::MIN), T0);
    assert_eq!(alarm.status(T0).mode, Mode::Enabled);
    assert_eq!(notified(&mut alarm, T0), [Notification::EnabledAgain]);
}

#[test]
fn m3_a_timed_disable_goes_on_while_nobody_listens() {
    let mut alarm = beaten();
    alarm.disable(Some(HOUR), T0);
    assert!(alarm.tick(T0 + secs(3000)).is_err());
    let status = alarm.status(T0 + secs(3000));
    assert_eq!(status.mode, Mode::DisabledFor(secs(600)));
    assert_eq!(
        notified(&mut alarm, T0 + HOUR),
        [Notification::EnabledAgain]
    );
}

#[test]
fn m3_a_clock_that_goes_back_does_not_move_the_end_of_a_timed_disable() {
    let mut alarm = beaten();
    alarm.disable(Some(HOUR), T0);
    listen(&mut alarm, T0, T0 + secs(600));
    let back = T0 - secs(9000);
    assert!(alarm.tick(back).is_err());
    assert_eq!(alarm.status(back).mode, Mode::DisabledFor(secs(3000)));
}

#[test]
fn the_last_disable_is_the_one_that_holds() {
    let mut alarm = beaten();
    alarm.disable(None, T0);
    alarm.disable(Some(secs(100)), T0);
    assert_eq!(alarm.status(T0).mode, Mode::DisabledFor(secs(100)));
    alarm.disable(Some(secs(50)), T0 + secs(10));
    let status = alarm.status(T0 + secs(20));
    assert_eq!(status.mode, Mode::DisabledFor(secs(40)));
    alarm.disable(None, T0 + secs(20));
    assert_eq!(alarm.status(T0 + secs(200)).mode, Mode::DisabledForGood);
}

#[test]
fn enabling_by_hand_is_not_reported() {
    let mut alarm = beaten();
    alarm.disable(Some(HOUR), T0);
    assert!(alarm.enable(T0 + secs(1)));
    assert_eq!(notified(&mut alarm, T0 + secs(1)), []);
    assert!(!alarm.enable(T0 + secs(1)));
}

#[test]
fn enabling_what_has_come_back_by_itself_does_not_keep_that_from_being_reported() {
    let mut alarm = beaten();
    alarm.disable(Some(secs(100)), T0);
    assert!(!alarm.enable(T0 + secs(100)));
    assert_eq!(
        notified(&mut alarm, T0 + secs(100)),
        [Notification::EnabledAgain]
    );
}

#[test]
fn m4_the_all_clear_comes_even_while_disabled() {
    let mut alarm = down();
    alarm.disable(None, T0 + secs(301));
    let beat = T0 + secs(310);
    assert_eq!(alarm.beat(beat), Some(recovered(secs(310))));
    listen(&mut alarm, beat, beat + AFTER);
    assert_eq!(notified(&mut alarm, beat + AFTER), []);
}

#[test]
fn m4_disabled_while_down_and_enabled_again_it_is_still_down_and_only_reminds() {
    let config = config().with_reminders(EVERY).unwrap();
    let start = T0 + AFTER;
    let mut alarm = Alarm::restore(config, down().save(start), start);
    alarm.disable(None, start);
    listen(&mut alarm, start, start + HOUR);
    assert_eq!(notified(&mut alarm, start + HOUR), []);
    assert!(alarm.enable(start + HOUR));
    let expected = Notification::Reminder {
        silence: AFTER + HOUR,
        ever_seen: true,
    };
    assert_eq!(notified(&mut alarm, start + HOUR), [expected]);
}
