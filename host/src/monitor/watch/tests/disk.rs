//! A disk that does not take what is written.

use super::*;

#[tokio::test(start_paused = true)]
async fn m2_with_a_disk_that_cannot_be_written_people_are_told_from_memory() {
    let mut station = Station::with_file(quick(), None).await;
    station.beats(60).await;
    assert_eq!(station.view().store.failure, None);
    assert!(station.view().store.saved.is_some());
    let folder = station.folder.path().to_owned();
    fs::remove_dir_all(&folder).unwrap();
    after(302).await;
    assert_eq!(station.first.told(), [["down"]]);
    assert!(station.view().store.failure.is_some());
    // It is tried again, and what is known then is saved.
    fs::create_dir(&folder).unwrap();
    after(6).await;
    assert_eq!(station.view().store.failure, None);
    station.kill().await;
    station.start().await;
    assert_eq!(station.view().alarm.state, State::Down);
    after(600).await;
    assert_eq!(station.first.told(), [["down"]]);
}

#[tokio::test(start_paused = true)]
async fn m2_a_notice_is_on_the_disk_when_it_is_tried() {
    let mut station = Station::with_file(quick(), None).await;
    station.first.does(Does::Hang);
    station.second.does(Does::Hang);
    station.handle().notify_down(false).await.unwrap();
    // The try begins after the save, which begins after the answer.
    while station.first.tried() == 0 {
        tokio::task::yield_now().await;
    }
    station.kill().await;
    station.second.does(Does::Deliver);
    station.start().await;
    after(1).await;
    assert_eq!(station.second.told(), [["down"]]);
}

#[tokio::test(start_paused = true)]
async fn every_command_is_on_the_disk_at_once() {
    let mut station = Station::with_file(quick(), None).await;
    after(1).await;
    station.handle().disable(None).await.unwrap();
    sleep(Duration::from_millis(1)).await;
    station.kill().await;
    station.start().await;
    assert_eq!(station.view().alarm.mode, Mode::DisabledForGood);
    after(1).await;
    station.handle().enable().await.unwrap();
    sleep(Duration::from_millis(1)).await;
    station.kill().await;
    station.start().await;
    assert_eq!(station.view().alarm.mode, Mode::Enabled);
}
