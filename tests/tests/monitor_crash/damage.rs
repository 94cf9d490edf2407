//! State files that are not what they should be.

use std::fs;

use super::*;

/// It starts all the same, keeps the file, says so, and does its work.
async fn is_survived(damage: impl Fn(Vec<u8>) -> Vec<u8>) {
    let hook = Hook::start().await;
    let mut monitor = Monitor::new(&[&hook]);
    monitor.start().await;
    monitor.beat().await;
    monitor.terminate().await;
    let damaged = damage(fs::read(monitor.state_file()).unwrap());
    fs::write(monitor.state_file(), &damaged).unwrap();
    monitor.start().await;
    let status = monitor.status().await;
    let aside = status["state_file"]["set_aside"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(fs::read(&aside).unwrap(), damaged);
    monitor
        .process()
        .wait_for_line(SOON, |line| {
            line.contains("ERROR") && line.contains("cannot be used") && line.contains(&aside)
        })
        .await;
    notified(&hook, &["down"]).await;
    monitor.beat().await;
    notified(&hook, &["down", "up"]).await;
    // What is written from now on is whole.
    monitor.has_recorded(2).await;
    monitor.restart().await;
    let status = monitor.status().await;
    assert!(status["state_file"]["set_aside"].is_null(), "{status}");
}

#[tokio::test]
async fn x2_a_truncated_state_file_is_set_aside() {
    is_survived(|mut whole| {
        whole.truncate(whole.len() / 2);
        whole
    })
    .await;
}

#[tokio::test]
async fn x2_a_state_file_with_a_flipped_bit_is_set_aside() {
    is_survived(|mut whole| {
        let place = whole.len() * 2 / 3;
        whole[place] ^= 1;
        whole
    })
    .await;
}

#[tokio::test]
async fn x2_an_empty_state_file_is_set_aside() {
    is_survived(|_| Vec::new()).await;
}

#[tokio::test]
async fn x2_somebody_elses_file_is_set_aside() {
    is_survived(|_| b"\x7fELF\x02\x01\x01\x00".repeat(1000)).await;
}

#[tokio::test]
async fn m2_a_state_file_of_a_later_version_is_left_as_it_is_and_the_monitor_does_not_start() {
    let mut monitor = Monitor::new(&[]);
    monitor.start().await;
    monitor.terminate().await;
    let text = fs::read_to_string(monitor.state_file()).unwrap();
    let later = text.replace("\"version\":1,", "\"version\":9,");
    assert_ne!(text, later);
    fs::write(monitor.state_file(), &later).unwrap();
    monitor.launch();
    let process = monitor.process();
    process
        .wait_for_line(SOON, |line| {
            line.contains("a later version of lvmbeat (format 9")
        })
        .await;
    assert_ne!(process.exit(SOON).await.code(), Some(0));
    assert_eq!(fs::read_to_string(monitor.state_file()).unwrap(), later);
}

#[tokio::test]
async fn m4_a_second_monitor_on_one_state_file_says_so_and_does_not_start() {
    let mut first = Monitor::new(&[]);
    first.start().await;
    let file = first.state_file().display().to_string();
    let mut second = Monitor::new(&[]).set("monitor.state_file", file.as_str());
    second.launch();
    let process = second.process();
    process
        .wait_for_line(SOON, |line| {
            line.contains("another monitor is using the state file") && line.contains(&file)
        })
        .await;
    assert_ne!(process.exit(SOON).await.code(), Some(0));
    first.beat().await;
    // Once the first one is gone, however it went, the second one has it.
    first.kill().await;
    second.start().await;
}

#[tokio::test]
async fn m4_the_python_versions_alarm_is_gone_on_from() {
    let hook = Hook::start().await;
    let mut monitor = Monitor::new(&[&hook]);
    fs::write(monitor.state_file(), "1,1735230745").unwrap();
    monitor.start().await;
    let status = monitor.status().await;
    assert_eq!(status["active"], true);
    assert_eq!(status["last_seen"], "2024-12-26T16:32:25Z");
    assert!(status["state_file"]["set_aside"].is_null(), "{status}");
    calm(&hook, &monitor).await;
    monitor.beat().await;
    notified(&hook, &["up"]).await;
    monitor.has_recorded(1).await;
}

#[tokio::test]
async fn the_python_versions_state_without_a_beat_is_gone_on_from() {
    let hook = Hook::start().await;
    let mut monitor = Monitor::new(&[&hook]);
    fs::write(monitor.state_file(), "0,").unwrap();
    monitor.start().await;
    let status = monitor.status().await;
    assert!(status["last_seen"].is_null(), "{status}");
    assert!(status["state_file"]["set_aside"].is_null(), "{status}");
    notified(&hook, &["down"]).await;
    monitor.beat().await;
    notified(&hook, &["down", "up"]).await;
}
