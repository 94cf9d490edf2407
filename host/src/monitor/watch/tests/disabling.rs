//! Disabling, and what is asked for by hand.

use super::*;

#[tokio::test(start_paused = true)]
async fn nothing_is_notified_while_disabled_and_a_silence_that_goes_on_is_notified_then() {
    let mut station = Station::with_file(quick(), None).await;
    station.handle().disable(None).await.unwrap();
    assert_eq!(station.view().alarm.mode, Mode::DisabledForGood);
    after(1000).await;
    station.kill().await;
    station.start().await;
    after(1000).await;
    assert_eq!(station.view().alarm.mode, Mode::DisabledForGood);
    assert_eq!(station.first.tried(), 0);
    assert!(station.handle().enable().await.unwrap().value);
    assert!(!station.handle().enable().await.unwrap().value);
    after(2).await;
    assert_eq!(station.first.delivered(), [["down"]]);
}

#[tokio::test(start_paused = true)]
async fn a_timed_disable_ends_by_itself_says_when_and_is_notified() {
    let station = Station::new(quick()).await;
    let hour = Duration::from_secs(3600);
    station.handle().disable(Some(hour)).await.unwrap();
    let view = station.view();
    assert_eq!(
        view.disabled_until.unwrap(),
        view.wall.round(jiff::Unit::Second).unwrap() + hour
    );
    station.beats(3590).await;
    assert_eq!(station.first.tried(), 0);
    station.beats(30).await;
    assert_eq!(station.view().alarm.mode, Mode::Enabled);
    assert_eq!(station.view().disabled_until, None);
    assert_eq!(station.first.delivered(), [["enabled again"]]);
}

#[tokio::test(start_paused = true)]
async fn a_timed_disable_goes_on_while_the_monitor_is_not_running() {
    let mut station = Station::with_file(quick(), None).await;
    let hour = Duration::from_secs(3600);
    station.handle().disable(Some(hour)).await.unwrap();
    let until = station.view().disabled_until;
    after(600).await;
    station.kill().await;
    after(2000).await;
    station.start().await;
    assert_eq!(station.view().disabled_until, until);
    after(990).await;
    assert_eq!(station.first.tried(), 0);
    after(20).await;
    let delivered = station.first.delivered();
    assert_eq!(delivered.concat(), ["enabled again", "down"]);
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_went_back_while_the_monitor_was_not_running_ends_no_disable() {
    let mut station = Station::with_file(quick(), None).await;
    station
        .handle()
        .disable(Some(Duration::from_secs(600)))
        .await
        .unwrap();
    after(6).await;
    station.kill().await;
    station
        .clock
        .step_wall(jiff::SignedDuration::from_hours(-100));
    station.start().await;
    after(580).await;
    assert_ne!(station.view().alarm.mode, Mode::Enabled);
    after(30).await;
    assert_eq!(station.view().alarm.mode, Mode::Enabled);
}

#[tokio::test(start_paused = true)]
async fn by_hand_people_are_notified_if_it_changes_or_is_forced() {
    let station = Station::new(quick()).await;
    station.beat().await;
    let handle = station.handle();
    assert!(!handle.notify_up(false).await.unwrap().value);
    assert!(handle.notify_down(false).await.unwrap().value);
    after(1).await;
    assert!(!handle.notify_down(false).await.unwrap().value);
    assert!(handle.notify_down(true).await.unwrap().value);
    after(1).await;
    assert!(handle.notify_up(false).await.unwrap().value);
    after(1).await;
    assert!(handle.notify_up(true).await.unwrap().value);
    after(1).await;
    assert_eq!(
        station.first.delivered(),
        [["down"], ["down"], ["up"], ["up"]]
    );
    let messages = station.first.messages();
    let notice = |index: usize| -> &Notice { &messages[index].1[0] };
    // One that is forced is an alarm of its own, and no copy of the first.
    assert_ne!(notice(0).incident, notice(1).incident);
    assert_eq!(notice(1).incident, notice(2).incident);
    assert_ne!(notice(2).incident, notice(3).incident);
    for (_, notices) in &messages {
        let (Event::Down(silence) | Event::Up(silence)) = &notices[0].event else {
            panic!("{notices:?}");
        };
        assert!(silence.by_hand);
    }
}

#[tokio::test(start_paused = true)]
async fn without_alerts_nobody_is_notified_except_by_hand() {
    let station = Station::new(Monitor {
        alerts: false,
        remind_every: Some(Duration::from_secs(60)),
        ..quick()
    })
    .await;
    after(1000).await;
    station.beat().await;
    after(1000).await;
    assert_eq!(station.first.tried(), 0);
    let done = station.handle().notify_down(false).await.unwrap();
    assert!(done.value);
    after(1000).await;
    station.beat().await;
    after(1).await;
    assert_eq!(station.first.delivered(), [["down"], ["up"]]);
}

#[tokio::test(start_paused = true)]
async fn a_notice_says_what_the_observatory_last_reported() {
    let station = Station::new(quick()).await;
    let report = Report {
        hold: Some(crate::report::HoldReport {
            text: "heartbeat overwatcher is stale".to_owned(),
            fault: true,
            ..Default::default()
        }),
        enclosure: Some(crate::report::EnclosureReport {
            dome_open: Some(true),
            engineering_mode: Some(false),
            ..Default::default()
        }),
        ..Default::default()
    };
    let before = station.view().wall;
    station
        .handle()
        .beat(Some(Box::new(report.clone())))
        .await
        .unwrap();
    after(1).await;
    // A beat without a report leaves the last one.
    station.beat().await;
    after(310).await;
    let messages = station.first.messages();
    let Event::Down(silence) = &messages[0].1[0].event else {
        panic!("{messages:?}");
    };
    assert_eq!(
        silence.last_hold.as_deref(),
        Some("heartbeat overwatcher is stale")
    );
    assert_eq!(silence.dome_open, Some(true));
    assert_eq!(silence.engineering_mode, Some(false));
    assert!(silence.last_seen.unwrap() > before);
    assert_eq!(station.view().report.as_ref().unwrap().0, report);
}

/// The pace holds the heartbeat between any two emissions: in an alert it would read as a cause.
#[tokio::test(start_paused = true)]
async fn a_notice_does_not_call_the_pace_a_cause() {
    let station = Station::new(quick()).await;
    let report = Report {
        hold: Some(crate::report::HoldReport {
            text: "the last heartbeat was emitted a moment ago".to_owned(),
            fault: false,
            ..Default::default()
        }),
        ..Default::default()
    };
    let beat = station.handle().beat(Some(Box::new(report)));
    beat.await.unwrap();
    after(310).await;
    let messages = station.first.messages();
    let Event::Down(silence) = &messages[0].1[0].event else {
        panic!("{messages:?}");
    };
    assert_eq!(silence.last_hold, None);
}
