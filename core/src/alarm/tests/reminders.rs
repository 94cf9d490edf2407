use super::*;

fn reminded(silence: Duration) -> Notification {
    Notification::Reminder {
        silence,
        ever_seen: true,
    }
}

/// As `down`, with reminders.
fn reminding() -> Alarm {
    let config = config().with_reminders(EVERY).unwrap();
    Alarm::restore(config, down().save(T0 + AFTER), T0 + AFTER)
}

#[test]
fn reminders_come_each_time_that_so_much_more_silence_was_observed() {
    let mut alarm = reminding();
    let alarmed = T0 + AFTER;
    for round in 1..4 {
        let due = alarmed + EVERY * round;
        listen(&mut alarm, due - EVERY, due - secs(1));
        assert_eq!(notified(&mut alarm, due - TICK), []);
        assert_eq!(notified(&mut alarm, due), [reminded(AFTER + EVERY * round)]);
    }
}

#[test]
fn a_late_reminder_comes_once_and_the_next_counts_from_it() {
    let mut alarm = reminding();
    let late = T0 + AFTER + EVERY * 3;
    listen(&mut alarm, T0 + AFTER, late);
    assert_eq!(notified(&mut alarm, late), [reminded(AFTER + EVERY * 3)]);
    listen(&mut alarm, late, late + EVERY - secs(1));
    assert_eq!(notified(&mut alarm, late + EVERY - TICK), []);
    assert_eq!(notified(&mut alarm, late + EVERY).len(), 1);
}

#[test]
fn m3_a_lapse_brings_no_reminder() {
    let mut alarm = reminding();
    assert_eq!(notified(&mut alarm, T0 + secs(86_400)), []);
}

#[test]
fn nobody_is_reminded_of_what_is_over() {
    let mut alarm = reminding();
    let beat = T0 + secs(400);
    assert_eq!(alarm.beat(beat), Some(recovered(secs(400))));
    for step in 1..100 {
        assert_eq!(alarm.beat(beat + secs(15) * step), None);
        assert_eq!(notified(&mut alarm, beat + secs(15) * step), []);
    }
}

#[test]
fn the_first_reminder_of_an_alarm_counts_from_it_and_not_from_the_one_before() {
    let mut alarm = reminding();
    listen(&mut alarm, T0 + AFTER, T0 + secs(800));
    let beat = T0 + secs(800);
    assert_eq!(alarm.beat(beat), Some(recovered(secs(800))));
    listen(&mut alarm, beat, beat + AFTER);
    assert_eq!(notified(&mut alarm, beat + AFTER), [alarmed(AFTER)]);
    let due = beat + AFTER + EVERY;
    listen(&mut alarm, beat + AFTER, due - secs(1));
    assert_eq!(notified(&mut alarm, due - TICK), []);
    assert_eq!(notified(&mut alarm, due), [reminded(AFTER + EVERY)]);
}

#[test]
fn a_reminder_says_that_nothing_was_ever_heard() {
    let saved = Saved {
        down: true,
        silence: AFTER,
        since_reported: EVERY,
        ..Saved::default()
    };
    let config = config().with_reminders(EVERY).unwrap();
    let mut alarm = Alarm::restore(config, saved, T0);
    let expected = Notification::Reminder {
        silence: AFTER,
        ever_seen: false,
    };
    assert_eq!(notified(&mut alarm, T0), [expected]);
}

#[test]
fn m4_the_time_to_the_next_reminder_survives_a_restart() {
    let mut alarm = reminding();
    let stop = T0 + AFTER + secs(500);
    listen(&mut alarm, T0 + AFTER, stop);
    let start = Instant::from_secs(7);
    let mut alarm = Alarm::restore(*alarm.config(), alarm.save(stop), start);
    assert_eq!(notified(&mut alarm, start + secs(100) - TICK), []);
    assert_eq!(
        notified(&mut alarm, start + secs(100)),
        [reminded(secs(900))]
    );
}
