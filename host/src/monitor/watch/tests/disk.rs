//! A disk that does not take what is written.

use super::*;

#[tokio::test(start_paused = true)]
async fn m2_with_a_disk_that_cannot_be_written_people_are_notified_from_memory() {
    let mut station = Station::with_file(quick(), None).await;
    station.beats(60).await;
    assert_eq!(station.view().store.failure, None);
    assert!(station.view().store.saved.is_some());
    let folder = station.folder.path().to_owned();
    fs::remove_dir_all(&folder).unwrap();
    after(302).await;
    assert_eq!(station.first.delivered(), [["down"]]);
    assert!(station.view().store.failure.is_some());
    // It is tried again, and what is known then is saved.
    fs::create_dir(&folder).unwrap();
    after(6).await;
    assert_eq!(station.view().store.failure, None);
    station.kill().await;
    station.start().await;
    assert_eq!(station.view().alarm.state, State::Down);
    after(600).await;
    assert_eq!(station.first.delivered(), [["down"]]);
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
    assert_eq!(station.second.delivered(), [["down"]]);
}

#[tokio::test(start_paused = true)]
async fn m2_what_was_answered_is_on_the_disk() {
    let mut station = Station::with_file(quick(), None).await;
    after(1).await;
    let done = station.handle().disable(None).await.unwrap();
    assert_eq!(done.unsaved, None);
    station.kill().await;
    station.start().await;
    assert_eq!(station.view().alarm.mode, Mode::DisabledForGood);
    after(1).await;
    let done = station.handle().enable().await.unwrap();
    assert_eq!((done.value, done.unsaved), (true, None));
    station.kill().await;
    station.start().await;
    assert_eq!(station.view().alarm.mode, Mode::Enabled);
    station.first.does(Does::Hang);
    station.second.does(Does::Hang);
    let done = station.handle().notify_down(false).await.unwrap();
    assert_eq!((done.value, done.unsaved), (true, None));
    station.kill().await;
    station.first.does(Does::Deliver);
    station.start().await;
    after(1).await;
    assert_eq!(station.first.delivered(), [["down"]]);
}

#[tokio::test(start_paused = true)]
async fn m2_an_answer_says_that_it_is_not_on_the_disk() {
    let station = Station::new(quick()).await;
    let done = station.handle().disable(None).await.unwrap();
    assert_eq!(done.unsaved.as_deref(), Some("there is no state file"));
    let station = Station::with_file(quick(), None).await;
    after(1).await;
    fs::remove_dir_all(station.folder.path()).unwrap();
    let done = station.handle().enable().await.unwrap();
    assert!(done.unsaved.unwrap().contains("No such file"));
    fs::create_dir(station.folder.path()).unwrap();
    let done = station.handle().disable(None).await.unwrap();
    assert_eq!(done.unsaved, None);
}

#[tokio::test(start_paused = true)]
async fn m4_a_second_monitor_on_one_state_file_does_not_start() {
    let mut station = Station::with_file(quick(), None).await;
    station.beat().await;
    let second = station.another().await.map(drop).unwrap_err();
    assert!(
        second
            .to_string()
            .contains("another monitor is using the state file"),
        "{second}"
    );
    station.kill().await;
    assert!(station.another().await.is_ok());
}

/// The lock is that of another file, as where locks lie.
#[tokio::test(start_paused = true)]
async fn m4_a_monitor_that_finds_anothers_stamp_stops_writing_says_so_and_still_notifies_people() {
    let station = Station::with_file(quick(), None).await;
    station.beats(30).await;
    fs::remove_file(station.folder.path().join("state.json.lock")).unwrap();
    let (second, _handle) = station.another().await.unwrap();
    let second = AbortOnDropHandle::new(tokio::spawn(second.run(
        JoinSet::new(),
        Systemd::default(),
        CancellationToken::new(),
    )));
    after(6).await;
    let failure = station.view().store.failure.clone().unwrap();
    assert!(
        failure.starts_with("another monitor also writes it"),
        "{failure}"
    );
    let done = station.handle().disable(None).await.unwrap();
    assert_eq!(done.unsaved, Some(failure));
    station.handle().enable().await.unwrap();
    after(320).await;
    assert_eq!(station.first.delivered()[0], ["down"]);
    assert!(!second.is_finished());
}

#[tokio::test(start_paused = true)]
async fn m2_a_monitor_does_not_start_on_the_state_of_a_later_version() {
    let folder = Folder::new();
    let later = r#"{"version":9,"checksum":"","state":{}}"#;
    fs::write(folder.file(), later).unwrap();
    let mut station = Station::new(quick()).await;
    station.config.state_file = Some(folder.file());
    let refused = station.another().await.map(drop).unwrap_err().to_string();
    assert!(
        refused.contains("a later version of lvmbeat (format 9"),
        "{refused}"
    );
    assert_eq!(fs::read_to_string(folder.file()).unwrap(), later);
}
