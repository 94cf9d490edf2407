use super::*;

const NOW: Instant = Instant::from_secs(10_010);

fn by_hand_down(silence: Duration) -> Notification {
    Notification::Down {
        silence,
        ever_seen: true,
        by_hand: true,
    }
}

fn by_hand_up(silence: Duration) -> Notification {
    Notification::Up {
        silence,
        by_hand: true,
    }
}

#[test]
fn down_by_hand_is_an_alarm_that_the_next_beat_ends() {
    for force in [false, true] {
        let mut alarm = beaten();
        let notified = alarm.notify_down(force, NOW);
        assert_eq!(notified, Some(by_hand_down(secs(10))));
        assert_eq!(state(&alarm, NOW), State::Down);
        assert_eq!(alarm.check(NOW), None);
        assert_eq!(alarm.beat(NOW), Some(recovered(secs(10))));
    }
}

#[test]
fn m4_silence_that_reaches_the_threshold_after_down_by_hand_is_not_reported_again() {
    let mut alarm = beaten();
    assert!(alarm.notify_down(false, NOW).is_some());
    listen(&mut alarm, NOW, T0 + secs(400));
    assert_eq!(notified(&mut alarm, T0 + secs(400)), []);
}

#[test]
fn down_by_hand_while_down_is_reported_only_by_force() {
    let now = T0 + secs(310);
    let mut alarm = down();
    assert_eq!(alarm.notify_down(false, now), None);
    assert_eq!(alarm.notify_down(true, now), Some(by_hand_down(secs(310))));
    assert_eq!(alarm.beat(now), Some(recovered(secs(310))));
}

#[test]
fn down_by_force_moves_the_next_reminder() {
    let config = config().with_reminders(EVERY).unwrap();
    let start = T0 + AFTER;
    let mut alarm = Alarm::restore(config, down().save(start), start);
    listen(&mut alarm, start, start + secs(500));
    let forced = start + secs(500);
    assert!(alarm.notify_down(true, forced).is_some());
    listen(&mut alarm, forced, forced + EVERY - secs(1));
    assert_eq!(notified(&mut alarm, forced + EVERY - TICK), []);
    assert_eq!(notified(&mut alarm, forced + EVERY).len(), 1);
}

#[test]
fn up_by_hand_ends_an_alarm_and_the_silence_begins_anew() {
    for force in [false, true] {
        let mut alarm = down();
        let now = T0 + secs(310);
        assert_eq!(alarm.notify_up(force, now), Some(by_hand_up(secs(310))));
        assert_eq!(state(&alarm, now), State::Up);
        assert_eq!(silence(&alarm, now), Duration::MIN);
        listen(&mut alarm, now, now + secs(299));
        assert_eq!(notified(&mut alarm, now + AFTER - TICK), []);
        assert_eq!(notified(&mut alarm, now + AFTER), [alarmed(AFTER)]);
    }
}

#[test]
fn up_by_hand_while_up_is_reported_only_by_force_and_changes_nothing() {
    let mut alarm = beaten();
    assert_eq!(alarm.notify_up(false, NOW), None);
    let before = alarm.clone();
    assert_eq!(alarm.notify_up(true, NOW), Some(by_hand_up(secs(10))));
    assert_eq!(alarm, before);
}

#[test]
fn up_by_hand_is_no_beat() {
    let mut alarm = Alarm::new(config(), T0);
    assert_eq!(alarm.notify_up(false, NOW), None);
    assert_eq!(alarm.notify_up(true, NOW), Some(by_hand_up(secs(10))));
    assert!(alarm.notify_down(false, NOW).is_some());
    assert!(alarm.notify_up(false, NOW).is_some());
    assert_eq!(state(&alarm, NOW), State::Waiting);
}

#[test]
fn what_is_asked_for_by_hand_is_reported_even_while_disabled() {
    let mut alarm = beaten();
    alarm.disable(None, T0);
    assert_eq!(alarm.notify_down(false, NOW), Some(by_hand_down(secs(10))));
    assert_eq!(alarm.notify_up(false, NOW), Some(by_hand_up(secs(10))));
    assert_eq!(alarm.status(NOW).mode, Mode::DisabledForGood);
}
