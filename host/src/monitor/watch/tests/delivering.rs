//! M2: every channel for itself.

use super::*;

#[tokio::test(start_paused = true)]
async fn m2_a_channel_that_hangs_holds_no_other_back_and_is_tried_again() {
    let station = Station::new(quick()).await;
    station.first.does(Does::Hang);
    after(302).await;
    assert_eq!(station.second.delivered(), [["down"]]);
    assert!(station.view().channels[0].delivering);
    station.beat().await;
    after(1).await;
    assert_eq!(station.second.delivered(), [["down"], ["up"]]);
    after(30).await;
    let error = station.view().channels[0].last_error.clone();
    assert_eq!(error.as_deref(), Some("it took longer than 30 s"));
    station.first.does(Does::Deliver);
    after(60).await;
    assert_eq!(station.first.delivered(), [["down", "up"]]);
}

#[tokio::test(start_paused = true)]
async fn m2_a_delivery_that_panics_counts_as_failed() {
    let station = Station::new(quick()).await;
    station.first.does(Does::Panic);
    after(310).await;
    assert_eq!(station.second.delivered(), [["down"]]);
    assert!(station.view().channels[0].failures > 1);
    station.first.does(Does::Deliver);
    after(600).await;
    assert_eq!(station.first.delivered(), [["down"]]);
}

#[tokio::test(start_paused = true)]
async fn m2_a_channel_that_fails_for_hours_tells_everything_once_it_works() {
    let station = Station::new(Monitor {
        remind_every: Some(Duration::from_secs(600)),
        ..config()
    })
    .await;
    station.beat().await;
    station.first.does(Does::Fail);
    after(6 * 3600).await;
    station.beats(3600).await;
    let tried = station.first.tried();
    // Patiently, but never for longer than ten minutes without a try.
    assert!((6 * 7..=6 * 7 + 60).contains(&tried), "{tried}");
    let view = station.view();
    assert_eq!(view.channels[0].pending.len(), 2);
    assert_eq!(
        view.channels[0].last_error.as_deref(),
        Some("it was made to fail")
    );
    assert!(view.channels[0].retry_in.is_some());
    assert_eq!(view.counters.failed, tried as u64);
    assert!(view.notices.iter().any(|shown| shown.pending == ["first"]));
    station.first.does(Does::Deliver);
    station.beats(600).await;
    assert_eq!(station.first.delivered(), [["down", "up"]]);
    let view = station.view();
    assert_eq!(view.channels[0].failures, 0);
    assert_eq!(view.channels[0].last_error, None);
    assert!(view.channels[0].last_delivered.is_some());
    let up = &view.notices[0];
    assert_eq!(up.delivered, ["second", "first"]);
    assert_eq!(up.pending, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn m2_what_a_channel_could_not_deliver_survives_restarts() {
    let mut station = Station::with_file(quick(), None).await;
    station.first.does(Does::Fail);
    after(302).await;
    station.kill().await;
    station.start().await;
    after(60).await;
    station.beat().await;
    after(1).await;
    station.kill().await;
    station.first.does(Does::Deliver);
    station.start().await;
    after(1).await;
    assert_eq!(station.first.delivered(), [["down", "up"]]);
    assert_eq!(station.second.delivered(), [["down"], ["up"]]);
}

#[tokio::test(start_paused = true)]
async fn m2_what_is_under_way_when_it_is_killed_is_delivered_after_the_restart() {
    let mut station = Station::with_file(quick(), None).await;
    station.first.does(Does::Hang);
    after(302).await;
    assert_eq!(station.first.tried(), 1);
    station.kill().await;
    station.first.does(Does::Deliver);
    station.start().await;
    after(1).await;
    assert_eq!(station.first.delivered(), [["down"]]);
    assert_eq!(station.second.delivered(), [["down"]]);
}

#[tokio::test(start_paused = true)]
async fn m4_what_was_delivered_is_not_delivered_again_however_often_it_is_killed() {
    let mut station = Station::with_file(quick(), None).await;
    for _ in 0..3 {
        station.beat().await;
        after(302).await;
        for _ in 0..5 {
            station.kill().await;
            station.start().await;
            after(3).await;
        }
    }
    station.beats(60).await;
    let delivered = station.first.delivered().concat();
    assert_eq!(delivered, ["down", "up", "down", "up", "down", "up"]);
}

#[tokio::test(start_paused = true)]
async fn m4_an_end_in_order_waits_for_a_delivery_but_not_for_one_that_hangs() {
    let mut station = Station::with_file(quick(), None).await;
    station.first.does(Does::Hang);
    after(302).await;
    let begun = station.now();
    station.stop().await;
    assert!(station.now() <= begun + Duration::from_secs(2));
}
