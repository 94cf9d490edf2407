//! Actors of both languages share the name, and with it the lock.

use lvmbeat_tests::client::RawClient;
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::ecp::FakeEcp;
use lvmbeat_tests::port::Port;
use lvmbeat_tests::process::{Launch, Process};
use lvmbeat_tests::{broker, eventually, http, python};
use serde_json::Value;

use crate::{PYTHON, SOON, start};

/// Of who answers as lvmbeat.
async fn version(raw: &RawClient) -> Result<Value, String> {
    let answer = raw.try_command("lvmbeat", "version", SOON).await?;
    Ok(answer.keyword("version").cloned().unwrap_or_default())
}

async fn python_lvmbeat(url: &str) -> Process {
    let mut actor = python::script("lvmbeat_actor.py", ["--url", url]).start();
    actor.wait_for_event(0, PYTHON, "ready").await;
    actor
}

#[tokio::test]
async fn s5_while_a_python_lvmbeat_is_active_ours_stands_by_and_then_takes_over_from_nothing() {
    let vhost = broker::vhost().await;
    let raw = RawClient::connect(&vhost.url(), "harness").await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    for killed in [false, true] {
        let mut python = python_lvmbeat(&vhost.url()).await;
        let port = Port::reserve();
        let config = ActorConfig::new(&vhost.url()).set("actor.http", port.address().to_string());
        let mut ours = Launch::lvmbeat(config.actor()).start();
        let ready = async || {
            http::get(port.address(), "/readyz")
                .await
                .map(|(code, _)| code)
        };
        eventually(SOON, async || ready().await == Ok(503)).await;
        ours.wait_for_line(SOON, |line| line.contains("standing by"))
            .await;

        // The beats are the other one's.
        let set = raw.beat("lvmbeat", "overwatcher", SOON).await;
        assert_eq!(set.codes(), ">:");
        python.wait_for_event(0, SOON, "set").await;
        assert_eq!(version(&raw).await.unwrap(), "0.3.0");
        assert_eq!(ready().await, Ok(503));

        if killed {
            python.kill().await;
        } else {
            python.close_input();
            assert!(python.exit(SOON).await.success());
        }
        eventually(SOON, async || ready().await == Ok(200)).await;
        let ours_is = eventually(SOON, async || version(&raw).await).await;
        assert_ne!(ours_is, "0.3.0");
        let status = raw.command("lvmbeat", "status", SOON).await;
        let hold = status.keyword("hold").unwrap();
        assert_eq!(hold["reason"], "heartbeat_never_seen", "{hold}");
        let before = ecp.heartbeats().len();
        raw.beat("lvmbeat", "overwatcher", SOON).await;
        ecp.wait_for_heartbeats(before + 1, SOON).await;
        ours.terminate();
        assert!(ours.exit(SOON).await.success());
    }
}

#[tokio::test]
async fn while_ours_is_active_a_python_lvmbeat_is_refused_and_ours_goes_on() {
    let vhost = broker::vhost().await;
    let raw = RawClient::connect(&vhost.url(), "harness").await;
    let config = ActorConfig::new(&vhost.url());
    let mut ours = start(&config, &raw).await;
    let is = version(&raw).await.unwrap();

    let refused = python::script("lvmbeat_actor.py", ["--url", &vhost.url()]);
    let refused = refused.finish(PYTHON).await;
    assert_eq!(refused.code(), Some(1));
    let why = "another instance of the same actor is running";
    assert!(refused.stderr.contains(why), "{}", refused.stderr);

    assert_eq!(version(&raw).await.unwrap(), is);
    assert!(ours.is_running());
    // In the order of the deployment guide: ours ends, and the Python one can start.
    ours.terminate();
    assert!(ours.exit(SOON).await.success());
    let _python = python_lvmbeat(&vhost.url()).await;
    assert_eq!(version(&raw).await.unwrap(), "0.3.0");
}
