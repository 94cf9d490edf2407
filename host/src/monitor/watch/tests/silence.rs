//! M1, and M3 without restarts.

use super::*;

#[tokio::test(start_paused = true)]
async fn m1_an_alarm_is_raised_when_it_is_due_and_not_at_the_next_look() {
    // As deployed: the Python version looked every 120 s.
    for check_every in [1, 120, 1000] {
        for first in [1, 50, 119] {
            let station = Station::new(Monitor {
                check_every: Duration::from_secs(check_every),
                ..config()
            })
            .await;
            after(first).await;
            station.beat().await;
            let beaten = station.now();
            after(299).await;
            assert_eq!(station.first.delivered().len(), 0);
            after(4).await;
            let messages = station.first.messages();
            let [(delivered, notices)] = messages.as_slice() else {
                panic!("{messages:?} for {check_every}, {first}");
            };
            let silence = delivered.checked_sub(beaten).unwrap();
            let limit = Duration::from_secs(300) + TICK;
            assert!(
                (Duration::from_secs(300)..=limit).contains(&silence),
                "{silence:?}"
            );
            assert!(matches!(&notices[0].event, Event::Down(silence) if silence.observed >= 300.0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_that_comes_and_goes_is_one_incident() {
    let station = Station::new(Monitor {
        clear_after: Duration::from_secs(120),
        ..config()
    })
    .await;
    let begun = station.view().wall;
    station.beat().await;
    for cycle in 0..5 {
        after(310).await;
        // Up for a minute.
        station.beats(60).await;
        assert!(station.view().is_active(), "{cycle}");
        assert_eq!(station.view().alarm.state, State::Up);
    }
    assert_eq!(station.first.delivered(), [["down"]]);
    station.beats(180).await;
    assert_eq!(station.first.delivered(), [["down"], ["up"]]);
    assert!(!station.view().is_active());
    let messages = station.first.messages();
    assert_eq!(messages[0].1[0].incident, messages[1].1[0].incident);
    let Event::Up(silence) = &messages[1].1[0].event else {
        panic!("{messages:?}");
    };
    assert_eq!(silence.relapses, 4);
    assert!(silence.observed >= 5.0 * 300.0, "{silence:?}");
    // It was down from the last beat before all of it.
    let from = silence.last_seen.unwrap().duration_since(begun);
    assert!(from < jiff::SignedDuration::from_secs(1), "{from:?}");
    assert!(silence.heard_again.unwrap() < messages[1].1[0].raised);
}

#[tokio::test(start_paused = true)]
async fn a_silence_after_the_all_clear_is_an_incident_of_its_own() {
    let station = Station::new(Monitor {
        clear_after: Duration::from_secs(120),
        ..config()
    })
    .await;
    for _ in 0..2 {
        after(310).await;
        station.beats(150).await;
    }
    let delivered = station.first.delivered();
    assert_eq!(delivered, [["down"], ["up"], ["down"], ["up"]]);
}

#[tokio::test(start_paused = true)]
async fn m1_a_beat_just_before_the_threshold_puts_the_alarm_off() {
    let station = Station::new(quick()).await;
    for _ in 0..10 {
        station.beat().await;
        sleep(Duration::from_millis(299_700)).await;
    }
    assert_eq!(station.first.tried(), 0);
    after(5).await;
    assert_eq!(station.first.delivered(), [["down"]]);
}

#[tokio::test(start_paused = true)]
async fn m1_a_monitor_that_never_heard_a_beat_alarms() {
    let station = Station::new(quick()).await;
    assert_eq!(station.view().alarm.state, State::Waiting);
    after(305).await;
    let messages = station.first.messages();
    assert!(matches!(&messages[0].1[0].event, Event::Down(silence) if silence.last_seen.is_none()));
    station.beat().await;
    after(1).await;
    assert_eq!(station.first.delivered(), [["down"], ["up"]]);
}

#[tokio::test(start_paused = true)]
async fn an_alarm_and_its_all_clear_are_of_one_incident_and_the_next_alarm_of_another() {
    let station = Station::new(quick()).await;
    for _ in 0..2 {
        station.beats(60).await;
        after(400).await;
    }
    station.beats(60).await;
    assert_eq!(
        station.first.delivered(),
        [["down"], ["up"], ["down"], ["up"]]
    );
    let messages = station.first.messages();
    let incidents: Vec<_> = messages
        .iter()
        .map(|(_, notices)| notices[0].incident)
        .collect();
    assert_eq!(incidents[0], incidents[1]);
    assert_eq!(incidents[2], incidents[3]);
    assert_ne!(incidents[1], incidents[2]);
    let history = &station.view().history;
    assert_eq!(history.periods.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn flapping_below_the_threshold_is_no_alarm() {
    let station = Station::new(config()).await;
    for _ in 0..100 {
        station.beat().await;
        after(250).await;
    }
    assert_eq!(station.first.tried(), 0);
}

#[tokio::test(start_paused = true)]
async fn reminders_come_at_their_interval_until_there_is_a_beat() {
    let station = Station::new(Monitor {
        remind_every: Some(Duration::from_secs(600)),
        ..quick()
    })
    .await;
    after(300 + 2 * 600 + 60).await;
    station.beats(1200).await;
    let delivered = station.first.delivered();
    assert_eq!(delivered, [["down"], ["reminder"], ["reminder"], ["up"]]);
}

#[tokio::test(start_paused = true)]
async fn m3_a_machine_that_was_suspended_raises_no_alarm_by_itself() {
    let station = Station::new(quick()).await;
    station.beat().await;
    after(200).await;
    station.clock.suspend(Duration::from_secs(10_000));
    after(90).await;
    assert_eq!(station.first.tried(), 0);
    let silence = station.silence();
    assert!((288..=290).contains(&silence), "{silence}");
    assert_eq!(station.view().counters.lapses, 1);
    // What was observed before counts.
    after(15).await;
    assert_eq!(station.first.delivered(), [["down"]]);
}

#[tokio::test(start_paused = true)]
async fn m3_a_beat_that_waited_through_a_suspension_is_taken_before_the_next_check() {
    let station = Station::new(quick()).await;
    station.beat().await;
    sleep(Duration::from_millis(299_500)).await;
    station.clock.suspend(Duration::from_secs(10_000));
    // In the socket at first: it takes the server a moment to receive it.
    sleep(Duration::from_millis(700)).await;
    station.beat().await;
    after(60).await;
    assert_eq!(station.first.tried(), 0);
}

#[tokio::test(start_paused = true)]
async fn m3_steps_of_the_wall_clock_change_nothing() {
    let station = Station::new(quick()).await;
    let hours = jiff::SignedDuration::from_hours;
    for step in [hours(24 * 365), hours(-24 * 700), hours(1), hours(-1)] {
        station.beat().await;
        station.clock.step_wall(step);
        after(299).await;
        assert_eq!(station.first.tried(), 0);
    }
    station.clock.step_wall(hours(-10_000));
    after(4).await;
    assert_eq!(station.first.delivered(), [["down"]]);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_beats_does_not_keep_a_check_back() {
    let station = Station::new(quick()).await;
    station.handle().notify_down(false).await.unwrap();
    let handle = station.handle().clone();
    let flood = tokio::spawn(async move {
        loop {
            handle.beat(None).await.unwrap();
        }
    });
    // The flood leaves the paused clock no idle moment: only ticks that are taken in spite of it
    // move the view.
    let before = station.view().at;
    for _ in 0..100 {
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    assert!(station.view().at - before >= embassy_time::Duration::from_secs(9));
    flood.abort();
}
