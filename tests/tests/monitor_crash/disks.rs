//! Disks that take nothing any more.

use lvmbeat_tests::disk::Disk;
use lvmbeat_tests::hook::Answer;

use super::*;

const CANNOT: &str = "the state file cannot be written";
const CAN_AGAIN: &str = "the state file can be written again";

fn said(monitor: &mut Monitor, what: &str) -> usize {
    let lines = monitor.process().lines().into_iter();
    lines.filter(|line| line.text.contains(what)).count()
}

/// Alerts from memory while nothing can be written, says that once, and records it when it can.
async fn is_survived(fails: impl AsyncFn(&Disk), works_again: impl AsyncFn(&Disk), cause: &str) {
    let hook = Hook::start().await;
    let mut monitor = Monitor::on_disk(&[&hook], Disk::new().await);
    monitor.start().await;
    monitor.beat().await;
    eventually(SOON, async || {
        fails(monitor.disk()).await;
        let status = monitor.status().await;
        let failure = status["state_file"]["failure"].as_str();
        failure.is_some_and(|failure| failure.contains(cause))
    })
    .await;
    notified(&hook, &["down"]).await;
    assert_eq!(monitor.recorded().len(), 0, "nothing can be recorded");
    // It fails many times a second.
    monitor.beat().await;
    notified(&hook, &["down", "up"]).await;
    assert_eq!(said(&mut monitor, CANNOT), 1);
    works_again(monitor.disk()).await;
    monitor.has_recorded(2).await;
    monitor
        .process()
        .wait_for_line(SOON, |line| line.contains(CAN_AGAIN))
        .await;
    eventually(SOON, async || {
        monitor.status().await["state_file"]["failure"].is_null()
    })
    .await;
    notified(&hook, &["down", "up", "down"]).await;
    monitor.has_recorded(3).await;
    monitor.restart().await;
    calm(&hook, &monitor).await;
}

#[tokio::test]
async fn m2_a_full_disk_is_reported_once_and_gone_on_from_memory() {
    is_survived(
        async |disk| disk.fill(),
        async |disk| disk.clear(),
        "No space left",
    )
    .await;
}

#[tokio::test]
async fn m2_a_read_only_disk_is_reported_once_and_gone_on_from_memory() {
    is_survived(
        async |disk| disk.read_only(true).await,
        async |disk| disk.read_only(false).await,
        "Read-only",
    )
    .await;
}

#[tokio::test]
async fn m2_a_disk_that_does_not_answer_is_reported_once_and_gone_on_from_memory() {
    let hook = Hook::start().await;
    let mut monitor = Monitor::new(&[&hook]);
    monitor.start().await;
    monitor.beat().await;
    monitor.hang_disk().await;
    notified(&hook, &["down"]).await;
    monitor.beat().await;
    notified(&hook, &["down", "up"]).await;
    assert_eq!(monitor.recorded().len(), 0, "nothing can be recorded");
    let status = monitor.status().await;
    assert_eq!(status["state_file"]["failure"], "the disk does not answer");
    assert_eq!(said(&mut monitor, CANNOT), 1);
    monitor.wake_disk();
    monitor.has_recorded(2).await;
    eventually(SOON, async || {
        monitor.status().await["state_file"]["failure"].is_null()
    })
    .await;
}

#[tokio::test]
async fn m2_a_command_that_is_not_on_the_disk_is_answered_so() {
    let mut monitor = Monitor::new(&[]);
    monitor.start().await;
    let done = monitor.get("/disable").await;
    assert!(done["warning"].is_null(), "{done}");
    monitor.hang_disk().await;
    let done = monitor.get("/enable").await;
    assert_eq!(done["message"], "Heartbeat monitor enabled.");
    assert_eq!(
        done["warning"],
        "This could not be saved (the disk does not answer): a restart would lose it."
    );
    monitor.wake_disk();
    eventually(SOON, async || {
        monitor.get("/disable").await["warning"].is_null()
    })
    .await;
}

#[tokio::test]
async fn a_disk_that_does_not_answer_holds_up_no_end() {
    let hook = Hook::start().await;
    let mut monitor = Monitor::new(&[&hook]);
    monitor.start().await;
    hook.answer(Answer::Hold);
    monitor.hang_disk().await;
    monitor.is("down").await;
    assert_eq!(monitor.terminate().await.code(), Some(0));
}
