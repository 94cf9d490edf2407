use super::*;

#[test]
fn m1_silence_of_exactly_the_threshold_alarms() {
    let mut alarm = beaten();
    listen(&mut alarm, T0, T0 + secs(200));
    assert_eq!(alarm.check(T0 + AFTER), Some(alarmed(AFTER)));
    assert_eq!(state(&alarm, T0 + AFTER), State::Down);
}

#[test]
fn silence_one_tick_shorter_does_not_alarm() {
    let mut alarm = beaten();
    listen(&mut alarm, T0, T0 + secs(200));
    let early = T0 + AFTER - TICK;
    assert_eq!(alarm.check(early), None);
    assert_eq!(state(&alarm, early), State::Up);
}

#[test]
fn m1_a_monitor_that_has_never_heard_anything_alarms_too() {
    let mut alarm = Alarm::new(config(), T0);
    listen(&mut alarm, T0, T0 + secs(299));
    assert_eq!(state(&alarm, T0 + secs(299)), State::Waiting);
    assert_eq!(alarm.check(T0 + secs(299)), None);
    let expected = Notification::Down {
        silence: AFTER,
        ever_seen: false,
        by_hand: false,
    };
    assert_eq!(alarm.check(T0 + AFTER), Some(expected));
    assert_eq!(state(&alarm, T0 + AFTER), State::Down);
    assert!(!alarm.status(T0 + AFTER).ever_seen);
}

#[test]
fn m1_silence_between_two_checks_is_reported_by_the_second_with_its_whole_length() {
    let mut alarm = beaten();
    assert_eq!(alarm.check(T0 + secs(240)), None);
    assert_eq!(alarm.check(T0 + secs(360)), Some(alarmed(secs(360))));
}

#[test]
fn m4_an_alarm_is_reported_once() {
    let mut alarm = down();
    for step in 1..100 {
        assert_eq!(alarm.check(T0 + AFTER + secs(200) * step), None);
    }
}

#[test]
fn a_beat_begins_the_whole_time_anew() {
    let mut alarm = beaten();
    let beat = T0 + AFTER - TICK;
    assert_eq!(alarm.beat(beat), None);
    assert_eq!(silence(&alarm, beat), Duration::MIN);
    assert_eq!(alarm.check(beat + secs(200)), None);
    assert_eq!(alarm.check(beat + AFTER - TICK), None);
    assert_eq!(alarm.check(beat + AFTER), Some(alarmed(AFTER)));
}

#[test]
fn the_first_beat_ends_the_waiting() {
    let mut alarm = Alarm::new(config(), T0);
    assert_eq!(state(&alarm, T0), State::Waiting);
    assert_eq!(alarm.beat(T0), None);
    assert_eq!(state(&alarm, T0), State::Up);
    assert!(alarm.status(T0).ever_seen);
}

#[test]
fn a_beat_before_the_check_ends_even_a_long_silence_without_an_alarm() {
    let mut alarm = beaten();
    listen(&mut alarm, T0, T0 + secs(310));
    assert_eq!(alarm.beat(T0 + secs(310)), None);
    assert_eq!(alarm.check(T0 + secs(310)), None);
}

#[test]
fn a_beat_after_an_alarm_gives_the_all_clear_once() {
    let mut alarm = down();
    let beat = T0 + secs(400);
    assert_eq!(alarm.beat(beat), Some(recovered(secs(400))));
    assert_eq!(state(&alarm, beat), State::Up);
    assert_eq!(alarm.beat(beat), None);
    assert_eq!(notified(&mut alarm, beat), []);
}

#[test]
fn m1_each_outage_has_its_alarm() {
    let mut alarm = down();
    let beat = T0 + secs(400);
    assert_eq!(alarm.beat(beat), Some(recovered(secs(400))));
    listen(&mut alarm, beat, beat + secs(299));
    assert_eq!(notified(&mut alarm, beat + secs(299)), []);
    assert_eq!(notified(&mut alarm, beat + AFTER), [alarmed(AFTER)]);
}

#[test]
fn m3_a_gap_of_exactly_the_attention_limit_is_not_silence() {
    let mut alarm = beaten();
    let late = T0 + ATTENTION;
    assert_eq!(silence(&alarm, late), Duration::MIN);
    assert_eq!(alarm.check(late), None);
    assert_eq!(silence(&alarm, late), Duration::MIN);
    assert_eq!(alarm.tick(late), Err(Lapse::Gap(ATTENTION)));
}

#[test]
fn m3_a_gap_one_tick_shorter_is_silence() {
    let mut alarm = beaten();
    let later = T0 + ATTENTION - TICK;
    assert_eq!(silence(&alarm, later), ATTENTION - TICK);
    assert_eq!(alarm.tick(later), Ok(()));
    assert_eq!(silence(&alarm, later), ATTENTION - TICK);
}

#[test]
fn m3_a_monitor_that_was_stopped_for_a_day_does_not_alarm() {
    let mut alarm = beaten();
    let day = secs(86_400);
    listen(&mut alarm, T0, T0 + secs(10));
    assert_eq!(alarm.check(T0 + day), None);
    assert_eq!(silence(&alarm, T0 + day), secs(10));
}

#[test]
fn m3_silence_before_and_after_a_lapse_adds_up() {
    let mut alarm = beaten();
    listen(&mut alarm, T0, T0 + secs(200));
    let awake = T0 + secs(10_000);
    assert!(alarm.tick(awake).is_err());
    listen(&mut alarm, awake, awake + secs(99));
    assert_eq!(alarm.check(awake + secs(100) - TICK), None);
    assert_eq!(alarm.check(awake + secs(100)), Some(alarmed(AFTER)));
}

#[test]
fn m3_a_lapse_every_few_seconds_does_not_put_an_alarm_off_for_ever() {
    let mut alarm = beaten();
    let mut now = T0;
    for _ in 0..60 {
        assert_eq!(alarm.check(now), None);
        listen(&mut alarm, now, now + secs(5));
        now += secs(1000);
        assert!(alarm.tick(now).is_err());
    }
    assert_eq!(alarm.check(now), Some(alarmed(AFTER)));
}

#[test]
fn m3_a_clock_that_goes_back_is_not_silence_and_takes_none_away() {
    let mut alarm = beaten();
    listen(&mut alarm, T0, T0 + secs(200));
    let back = T0 - secs(5000);
    assert_eq!(silence(&alarm, back), secs(200));
    let lapse = Lapse::ClockWentBack(secs(5200));
    assert_eq!(alarm.tick(back), Err(lapse));
    assert_eq!(silence(&alarm, back), secs(200));
    listen(&mut alarm, back, back + secs(99));
    assert_eq!(notified(&mut alarm, back + secs(100)), [alarmed(AFTER)]);
}

#[test]
fn m3_a_clock_that_goes_back_by_one_tick_is_a_lapse() {
    let mut alarm = beaten();
    assert_eq!(alarm.beat(T0 - TICK), None);
    assert_eq!(alarm.tick(T0 - TICK), Err(Lapse::ClockWentBack(TICK)));
}

#[test]
fn m3_a_beat_that_waited_through_a_lapse_counts() {
    let mut alarm = down();
    let late = T0 + secs(5000);
    assert_eq!(alarm.beat(late), Some(recovered(AFTER)));
    assert_eq!(state(&alarm, late), State::Up);
}

#[test]
fn a_lapse_that_another_call_notices_is_reported_by_the_next_tick_and_once() {
    let calls: [fn(&mut Alarm, Instant); 6] = [
        |alarm, now| assert_eq!(alarm.check(now), None),
        |alarm, now| assert_eq!(alarm.beat(now), None),
        |alarm, now| alarm.disable(None, now),
        |alarm, now| assert!(!alarm.enable(now)),
        |alarm, now| assert!(alarm.notify_down(false, now).is_some()),
        |alarm, now| assert_eq!(alarm.notify_up(false, now), None),
    ];
    for call in calls {
        let mut alarm = beaten();
        let late = T0 + secs(1000);
        call(&mut alarm, late);
        assert_eq!(alarm.tick(late), Err(Lapse::Gap(secs(1000))));
        assert_eq!(alarm.tick(late), Ok(()));
    }
}

#[test]
fn of_several_lapses_the_last_is_reported() {
    let mut alarm = beaten();
    assert_eq!(alarm.check(T0 + secs(1000)), None);
    assert_eq!(alarm.check(T0 + secs(3000)), None);
    assert_eq!(alarm.tick(T0 + secs(3000)), Err(Lapse::Gap(secs(2000))));
}

#[test]
fn every_call_is_a_moment_of_listening() {
    let mut alarm = beaten();
    assert_eq!(alarm.beat(T0 + secs(200)), None);
    assert_eq!(alarm.tick(T0 + secs(400)), Ok(()));
    assert_eq!(silence(&alarm, T0 + secs(400)), secs(200));
}

#[test]
fn looking_changes_nothing() {
    let alarm = beaten();
    let before = alarm.clone();
    for now in [T0 - secs(1), T0 + secs(1), T0 + secs(1000)] {
        let _ = (alarm.status(now), alarm.save(now));
        assert_eq!(alarm, before);
    }
}

#[test]
fn the_ends_of_time_do_not_overflow() {
    let config = Config::new(Duration::MAX, Duration::MAX).unwrap();
    let mut alarm = Alarm::new(config, Instant::MIN);
    assert_eq!(alarm.tick(Instant::MAX - TICK), Ok(()));
    assert_eq!(alarm.check(Instant::MAX - TICK), None);
    assert!(alarm.check(Instant::MAX).is_some());
    assert!(alarm.tick(Instant::MIN).is_err());
    assert_eq!(alarm.tick(Instant::MAX - TICK), Ok(()));
    assert_eq!(silence(&alarm, Instant::MAX), Duration::MAX);
    let Saved { since_reported, .. } = alarm.save(Instant::MAX);
    assert_eq!(since_reported, Duration::MAX);
}
