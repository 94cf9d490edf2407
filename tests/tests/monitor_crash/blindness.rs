//! Only silence counts that the monitor was listening to.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::*;

const AFTER: Duration = Duration::from_secs(2);

fn silence(status: &serde_json::Value) -> f64 {
    status["observed_silence"].as_f64().unwrap()
}

/// Waits until so much silence is observed, in seconds.
async fn is_silent_for(monitor: &Monitor, secs: f64) {
    eventually(SOON, async || {
        let observed = silence(&monitor.status().await);
        if observed >= secs {
            Ok(())
        } else {
            Err(observed)
        }
    })
    .await;
}

#[tokio::test]
async fn m1_a_monitor_that_never_hears_a_beat_alarms_but_not_too_early() {
    let hook = Hook::start().await;
    let mut monitor = Monitor::new(&[&hook]);
    let started = Instant::now();
    monitor.start().await;
    notified(&hook, &["down"]).await;
    let after = hook.posts()[0].at - started;
    assert!(after >= AFTER, "{after:?}");
    assert!(monitor.status().await["last_seen"].is_null());
}

#[tokio::test]
async fn m3_a_process_that_was_stopped_takes_the_beats_that_waited_before_it_alarms() {
    let hook = Hook::start().await;
    // Each beat is just in time, but for the stop.
    let mut monitor = Monitor::new(&[&hook])
        .set("outside_monitor.send_email_after", 4)
        .set("outside_monitor.check_heartbeat_every", 0.02);
    monitor.start().await;
    for _ in 0..2 {
        monitor.beat().await;
        is_silent_for(&monitor, 3.0).await;
        monitor.process().freeze();
        monitor.process().until_frozen(SOON).await;
        let mut beat = TcpStream::connect(monitor.address()).await.unwrap();
        let request = b"GET /heartbeat HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        beat.write_all(request).await.unwrap();
        sleep(Duration::from_secs(5)).await;
        monitor.process().thaw();
        let mut answer = String::new();
        beat.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let status = monitor.status().await;
    assert!(silence(&status) < 3.0, "{status}");
    assert!(status["counters"]["lapses"].as_u64() >= Some(2), "{status}");
    assert_eq!(hook.posts().len(), 0);
    // Silence that goes on raises an alert as ever.
    notified(&hook, &["down"]).await;
}

#[tokio::test]
async fn m3_the_time_that_a_process_was_stopped_is_no_silence() {
    let hook = Hook::start().await;
    let mut monitor = Monitor::new(&[&hook])
        .set("outside_monitor.send_email_after", 20)
        .set("outside_monitor.check_heartbeat_every", 0.02);
    monitor.start().await;
    monitor.beat().await;
    is_silent_for(&monitor, 1.0).await;
    monitor.process().freeze();
    sleep(Duration::from_secs(6)).await;
    monitor.process().thaw();
    let begun = Instant::now();
    eventually(SOON, async || {
        monitor.status().await["counters"]["lapses"] == 1
    })
    .await;
    let status = monitor.status().await;
    let at_most = 3.0 + begun.elapsed().as_secs_f64();
    assert!(silence(&status) < at_most, "{status}");
    // What was observed before is kept.
    assert!(silence(&status) >= 1.0, "{status}");
}

#[tokio::test]
async fn m3_a_monitor_that_is_killed_again_and_again_before_it_could_alarm_alarms() {
    let hook = Hook::start().await;
    let mut monitor = Monitor::new(&[&hook]);
    monitor.start().await;
    monitor.beat().await;
    let begun = Instant::now();
    let mut runs = 0;
    while hook.notified().is_empty() {
        // What is lost in a crash is a small part of it.
        assert!(
            runs < 4,
            "{} s were observed",
            silence(&monitor.status().await)
        );
        runs += 1;
        sleep(AFTER.mul_f64(0.6)).await;
        monitor.restart().await;
    }
    let after = hook.posts()[0].at - begun;
    assert!(after >= AFTER, "{after:?}");
    assert_eq!(hook.notified(), ["down"]);
}

#[tokio::test]
async fn m4_a_restart_shortly_after_an_outage_tells_nothing_again() {
    let hook = Hook::start().await;
    let mut monitor = Monitor::new(&[&hook]).set("outside_monitor.send_email_after", 5);
    monitor.start().await;
    notified(&hook, &["down"]).await;
    monitor.has_recorded(1).await;
    // During it.
    monitor.restart().await;
    monitor.beat().await;
    notified(&hook, &["down", "up"]).await;
    monitor.has_recorded(2).await;
    monitor.restart().await;
    let status = monitor.status().await;
    assert_eq!(status["state"], "up");
    assert!(silence(&status) < 5.0, "{status}");
    for _ in 0..10 {
        monitor.beat().await;
        sleep(Duration::from_millis(600)).await;
    }
    assert_eq!(hook.notified(), ["down", "up"]);
}

#[tokio::test]
async fn a_timed_disable_goes_on_across_a_restart_and_ends_by_itself() {
    let hook = Hook::start().await;
    let mut monitor = Monitor::new(&[&hook]);
    monitor.start().await;
    let begun = Instant::now();
    monitor.get("/disable?for=6").await;
    let until = monitor.status().await["disabled_until"].clone();
    assert!(until.is_string(), "{until}");
    eventually(SOON, async || {
        let mode = monitor.saved()["alarm"]["mode"].clone();
        if mode["disabled_for"].is_u64() {
            Ok(())
        } else {
            Err(mode)
        }
    })
    .await;
    monitor.restart().await;
    let status = monitor.status().await;
    assert_eq!(status["enabled"], false);
    is_silent_for(&monitor, 2.5).await;
    eventually(SOON, async || !hook.notified().is_empty()).await;
    // To the millisecond, by the wall clock.
    let after = begun.elapsed();
    assert!(after >= Duration::from_millis(5900), "{after:?}");
    eventually(SOON, async || {
        hook.notified().join("+") == "enabled_again+down"
    })
    .await;
    assert_eq!(monitor.status().await["enabled"], true);
}

#[tokio::test]
async fn every_outage_of_many_is_told_with_its_end() {
    let hook = Hook::start().await;
    let mut monitor = Monitor::new(&[&hook]);
    monitor.start().await;
    let mut expected = Vec::new();
    for _ in 0..5 {
        expected.push("down");
        notified(&hook, &expected).await;
        monitor.beat().await;
        expected.push("up");
        notified(&hook, &expected).await;
    }
}
