//! Beats that must not count, or must not be sent.

use super::*;

/// Nothing that the actor sends counts: it says so once, without a secret, and people hear that the
/// observatory is silent.
async fn is_told_once(actor: &mut Process, monitor: &mut Monitor, hook: &Hook, cause: &str) {
    said(actor, "the outside monitor cannot be reached").await;
    eventually(SOON, async || hook.notified() == ["down"]).await;
    let status = monitor.status().await;
    assert!(status["last_seen"].is_null(), "{status}");
    assert_eq!(status["counters"]["heartbeats"], 0, "{status}");
    assert!(status["last_report"].is_null(), "{status}");
    // By now it has tried many times.
    let failed = |line: &str| line.contains("the outside monitor cannot be reached");
    let failed: Vec<_> = actor
        .lines()
        .into_iter()
        .filter(|line| failed(&line.text))
        .collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].text.contains(cause), "{failed:?}");
    tells_no_token(actor);
    tells_no_token(monitor.process());
}

#[tokio::test]
async fn x1_an_actor_with_another_token_says_so_once_without_it_and_the_monitor_alerts() {
    let vhost = broker::vhost().await;
    let hook = Hook::start().await;
    let mut monitor = monitor(&hook).await;
    let config = config(&vhost, &format!("http://{}", monitor.address()));
    let mut actor = Launch::lvmbeat(config.actor())
        .env("LVMBEAT_PING_TOKEN", "another-Hunter2")
        .start();
    let cause = "it answered 401 Unauthorized; give the monitor's ping token in LVMBEAT_PING_TOKEN";
    is_told_once(&mut actor, &mut monitor, &hook, cause).await;
}

#[tokio::test]
async fn x1_a_monitor_that_cannot_prove_who_it_is_is_told_nothing() {
    let vhost = broker::vhost().await;
    let hook = Hook::start().await;
    let mut monitor = monitor(&hook).await;
    let (known, impostor) = (Authority::new(), Authority::new());
    let entrance = TlsEntrance::start(&impostor, monitor.address()).await;
    let config = config(&vhost, &format!("https://localhost:{}", entrance.port()));
    let mut actor = Launch::lvmbeat(config.actor())
        .env("LVMBEAT_PING_TOKEN", PING_TOKEN)
        .env("SSL_CERT_FILE", &known.root)
        .start();
    is_told_once(&mut actor, &mut monitor, &hook, "certificate").await;
}
