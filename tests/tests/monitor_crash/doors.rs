//! Nobody who hangs holds anybody up: not another channel, not a beat, not the end.

use lvmbeat_tests::hook::Answer;

use super::*;

#[tokio::test]
async fn m2_a_webhook_that_answers_nothing_holds_up_no_other_and_no_beat() {
    let (silent, good) = (Hook::start().await, Hook::start().await);
    silent.answer(Answer::Hold);
    let mut monitor = Monitor::new(&[&silent, &good]);
    monitor.start().await;
    notified(&good, &["down"]).await;
    monitor.beat().await;
    notified(&good, &["down", "up"]).await;
    let status = monitor.status().await;
    assert_eq!(status["channels"][0]["delivering"], true);
    assert_eq!(status["channels"][1]["delivering"], false);
    assert_eq!(silent.posts().len(), 1, "one at a time");
    silent.answer(Answer::Take);
    eventually(SOON, async || monitor.status().await["outbox"] == 0).await;
}

#[tokio::test]
async fn m2_a_webhook_that_answers_too_late_is_tried_again() {
    let hook = Hook::start().await;
    hook.answer(Answer::Hold);
    let mut monitor = Monitor::new(&[&hook]).set("monitor.delivery_timeout", 0.5);
    monitor.start().await;
    eventually(SOON, async || hook.posts().len() >= 2).await;
    assert_eq!(hook.notified().len(), 0);
    hook.answer(Answer::Take);
    notified(&hook, &["down"]).await;
}

#[tokio::test]
async fn m2_a_webhook_that_refuses_is_tried_again_and_says_why() {
    let hook = Hook::start().await;
    hook.answer(Answer::Refuse(503));
    let mut monitor = Monitor::new(&[&hook]);
    monitor.start().await;
    eventually(SOON, async || hook.posts().len() >= 2).await;
    let status = monitor.status().await;
    let error = status["channels"][0]["last_error"].as_str().unwrap();
    assert!(error.contains("503"), "{error}");
    hook.answer(Answer::Take);
    notified(&hook, &["down"]).await;
}

#[tokio::test]
async fn sigterm_ends_it_in_order_with_all_of_the_silence_saved() {
    let hook = Hook::start().await;
    let mut monitor = Monitor::new(&[&hook])
        // Between two saves that nothing has asked for there are 5 s.
        .set("outside_monitor.send_email_after", 300);
    monitor.start().await;
    monitor.beat().await;
    eventually(SOON, async || {
        let status = monitor.status().await;
        status["observed_silence"].as_f64() >= Some(2.0)
    })
    .await;
    assert_eq!(monitor.terminate().await.code(), Some(0));
    let saved = monitor.saved();
    let silence = saved["alarm"]["silence"].as_u64();
    assert!(silence >= Some(2000), "{saved}");
}

#[tokio::test]
async fn m2_sigterm_during_a_delivery_that_hangs_ends_it_and_the_delivery_is_made_later() {
    let hook = Hook::start().await;
    hook.answer(Answer::Hold);
    let mut monitor = Monitor::new(&[&hook]);
    monitor.start().await;
    eventually(SOON, async || hook.posts().len() == 1).await;
    // Long before the delivery's own limit of 60 s.
    assert_eq!(monitor.terminate().await.code(), Some(0));
    hook.answer(Answer::Take);
    monitor.start().await;
    notified(&hook, &["down"]).await;
}

#[tokio::test]
async fn m4_sigterm_waits_for_a_delivery_that_is_about_to_end() {
    let hook = Hook::start().await;
    hook.answer(Answer::Hold);
    let mut monitor = Monitor::new(&[&hook]);
    monitor.start().await;
    eventually(SOON, async || hook.posts().len() == 1).await;
    let (status, ()) = tokio::join!(monitor.terminate(), async {
        hook.answer(Answer::TakeAfter(Duration::from_millis(100)));
    });
    assert_eq!(status.code(), Some(0));
    assert_eq!(monitor.recorded().len(), 1);
    monitor.start().await;
    calm(&hook, &monitor).await;
    assert_eq!(hook.notified(), ["down"]);
}
