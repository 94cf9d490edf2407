//! M3 and M4 across restarts.

use super::*;

#[tokio::test(start_paused = true)]
async fn m4_a_restart_during_an_outage_does_not_alarm_again_and_the_all_clear_is_delivered() {
    let mut station = Station::with_file(quick(), None).await;
    station.beat().await;
    after(310).await;
    for _ in 0..5 {
        station.kill().await;
        after(5).await;
        station.start().await;
        after(500).await;
    }
    assert_eq!(station.first.delivered(), [["down"]]);
    station.beat().await;
    after(1).await;
    assert_eq!(station.first.delivered(), [["down"], ["up"]]);
    let messages = station.first.messages();
    assert_eq!(messages[0].1[0].incident, messages[1].1[0].incident);
}

#[tokio::test(start_paused = true)]
async fn m4_a_restart_shortly_after_an_outage_tells_nothing() {
    let mut station = Station::with_file(quick(), None).await;
    after(310).await;
    station.beat().await;
    after(1).await;
    station.kill().await;
    station.start().await;
    after(290).await;
    assert_eq!(station.view().alarm.state, State::Up);
    assert_eq!(station.first.delivered(), [["down"], ["up"]]);
}

#[tokio::test(start_paused = true)]
async fn m3_a_monitor_that_is_killed_every_200_s_alarms_once() {
    for check_every in [1, 120] {
        let mut station = Station::with_file(
            Monitor {
                check_every: Duration::from_secs(check_every),
                ..config()
            },
            None,
        )
        .await;
        station.beat().await;
        for _ in 0..10 {
            after(200).await;
            station.kill().await;
            station.start().await;
        }
        assert_eq!(station.first.delivered(), [["down"]]);
        let at = station.first.messages()[0].0;
        assert!(at < Duration::from_secs(300 + 120 + 15), "{at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn m3_a_monitor_that_is_killed_more_often_than_it_checks_alarms() {
    let mut station = Station::with_file(config(), None).await;
    station.beat().await;
    for _ in 0..30 {
        after(20).await;
        station.kill().await;
        station.start().await;
    }
    assert_eq!(station.first.delivered(), [["down"]]);
}

#[tokio::test(start_paused = true)]
async fn m3_the_time_that_it_was_not_running_is_no_silence() {
    let mut station = Station::with_file(quick(), None).await;
    station.beat().await;
    after(200).await;
    station.kill().await;
    after(10_000).await;
    station.start().await;
    after(90).await;
    assert_eq!(station.first.tried(), 0);
    let silence = station.silence();
    assert!((280..=290).contains(&silence), "{silence}");
}

#[tokio::test(start_paused = true)]
async fn m3_silence_that_a_beat_has_ended_does_not_come_back_with_a_restart() {
    let mut station = Station::with_file(quick(), None).await;
    for _ in 0..20 {
        after(280).await;
        station.beat().await;
        sleep(Duration::from_millis(300)).await;
        station.kill().await;
        station.start().await;
        sleep(Duration::from_millis(300)).await;
        assert!(station.silence() < 2, "{}", station.silence());
    }
    assert_eq!(station.first.tried(), 0);
}

#[tokio::test(start_paused = true)]
async fn m3_a_stop_in_order_keeps_all_of_the_silence() {
    let mut station = Station::with_file(quick(), None).await;
    station.beat().await;
    for _ in 0..99 {
        after(3).await;
        station.stop().await;
        station.start().await;
    }
    assert_eq!(station.first.tried(), 0);
    after(6).await;
    assert_eq!(station.first.delivered(), [["down"]]);
}

#[tokio::test(start_paused = true)]
async fn without_a_state_file_a_restart_forgets_everything() {
    let mut station = Station::new(quick()).await;
    after(301).await;
    station.kill().await;
    station.start().await;
    assert_eq!(station.view().alarm.state, State::Waiting);
    after(301).await;
    assert_eq!(station.first.delivered(), [["down"], ["down"]]);
}

#[tokio::test(start_paused = true)]
async fn m4_the_file_of_the_python_version_is_gone_on_from() {
    let mut station = Station::with_file(quick(), Some("1,1735230745")).await;
    let view = station.view();
    assert_eq!(view.alarm.state, State::Down);
    assert_eq!(view.last_seen.unwrap().as_second(), 1_735_230_745);
    after(1000).await;
    assert_eq!(station.first.tried(), 0);
    station.beat().await;
    after(1).await;
    assert_eq!(station.first.delivered(), [["up"]]);
    station.kill().await;
    let file = fs::read_to_string(station.folder.file()).unwrap();
    assert!(file.starts_with("{\"version\":1,"), "{file}");
}

#[tokio::test(start_paused = true)]
async fn m2_after_a_state_was_lost_the_first_beat_is_notified_as_an_all_clear() {
    let mut station = Station::with_file(quick(), Some("{\"vers")).await;
    let view = station.view();
    assert!(
        view.store
            .set_aside
            .as_ref()
            .is_some_and(|aside| aside.exists())
    );
    after(100).await;
    // That it is lost is not lost.
    station.kill().await;
    station.start().await;
    station.beats(600).await;
    assert_eq!(station.first.delivered(), [["up"]]);
    after(310).await;
    assert_eq!(station.first.delivered(), [["up"], ["down"]]);
}

#[tokio::test(start_paused = true)]
async fn x1_what_an_earlier_version_saved_is_not_shown_if_it_holds_a_secret() {
    let mut station = Station::with_file(quick(), None).await;
    let report = Report {
        hold: Some(crate::report::HoldReport {
            text: "the token is hunter2-hunter2".to_owned(),
            fault: true,
            ..Default::default()
        }),
        ..Default::default()
    };
    let beat = station.handle().beat(Some(Box::new(report)));
    beat.await.unwrap();
    after(310).await;
    assert!(format!("{:?}", station.view()).contains("hunter2"));
    station.stop().await;
    station.config.ping_token = Some(crate::config::Secret::new("Hunter2-hunter2".to_owned()));
    station.start().await;
    let view = station.view();
    assert!(matches!(view.notices[0].notice.event, Event::Down(_)));
    let shown = format!("{:?} {:?}", view.notices, view.report);
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn m2_after_a_state_was_lost_silence_alarms() {
    let station = Station::with_file(quick(), Some("\0")).await;
    after(310).await;
    station.beats(60).await;
    assert_eq!(station.first.delivered(), [["down"], ["up"]]);
}

#[tokio::test(start_paused = true)]
async fn a_restart_is_shown_as_a_time_in_which_the_monitor_did_not_listen() {
    let mut station = Station::with_file(quick(), None).await;
    station.beats(60).await;
    station.kill().await;
    after(100).await;
    station.start().await;
    let view = station.view();
    let [blind] = view.history.periods.as_slice() else {
        panic!("{:?}", view.history);
    };
    assert_eq!(blind.what, super::super::super::history::What::Blind);
    let length = blind.to.unwrap().duration_since(blind.from).as_secs();
    assert!((100..=105).contains(&length), "{length}");
}
