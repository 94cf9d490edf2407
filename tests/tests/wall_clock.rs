//! The wall clock is stepped by minutes, as NTP or an operator can do it, and decides nothing.
//!
//! The actor runs under libfaketime, which gives it a wall clock that the test can step. The clock
//! of decisions is boot time, which the library does not touch, and neither does a step of the real
//! one.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what is not there fails the test"
)]

use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs};

use jiff::Timestamp;
use lvmbeat_tests::chain::{self, Client, INTERVAL, PLC_TIMEOUT, TIMEOUT};
use lvmbeat_tests::client::RawClient;
use lvmbeat_tests::ecp::FakeEcp;
use lvmbeat_tests::process::Launch;
use lvmbeat_tests::{broker, eventually, throughout, view};
use tokio::time::Instant;

const SOON: Duration = Duration::from_secs(20);
const STEP: i64 = 600;
/// A test process that does not get the processor at once sees things later than they are.
const BUSY: Duration = Duration::from_secs(4);

/// Debian's place for it, with the machine's architecture in its name.
fn libfaketime() -> PathBuf {
    let named = env::var_os("LVMBEAT_TEST_LIBFAKETIME").map(PathBuf::from);
    named.unwrap_or_else(|| {
        let mut folders = fs::read_dir("/usr/lib").unwrap();
        folders
            .find_map(|folder| {
                let library = folder.ok()?.path().join("faketime/libfaketimeMT.so.1");
                library.is_file().then_some(library)
            })
            .expect("libfaketime is not installed; tests/run installs it")
    })
}

/// The wall clock of the actor, by the last beat of `c0`, which is a moment old.
async fn wall(client: &RawClient) -> Result<Timestamp, String> {
    let status = client.try_command("lvmbeat", "status", SOON).await?;
    let heartbeats = status.keyword("heartbeats").ok_or("no heartbeats")?;
    let seen = heartbeats["c0"]["last_seen"].as_str().ok_or("no beat")?;
    seen.parse().map_err(|_| seen.to_owned())
}

#[tokio::test]
async fn s1_l1_a_wall_clock_that_is_stepped_changes_nothing() {
    let vhost = broker::vhost().await;
    let config = chain::config(&vhost.url(), 1);
    let step = config.folder().join("step");
    let set_step = |seconds: i64| {
        // Replaced as a whole: it is read all the time.
        let new = step.with_extension("new");
        fs::write(&new, format!("{seconds:+}\n")).unwrap();
        fs::rename(&new, &step).unwrap();
    };
    set_step(0);
    let ecp = FakeEcp::start(&vhost.url()).await;
    let client = RawClient::connect(&vhost.url(), "observer").await;
    let actor = Launch::lvmbeat(config.actor())
        .env("LD_PRELOAD", libfaketime())
        .env("FAKETIME_TIMESTAMP_FILE", &step)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .start();
    let beating = Client::start(&vhost.url(), "c0", INTERVAL).await;
    ecp.wait_for_heartbeats(2, SOON).await;
    let (mark, start) = (actor.mark(), Instant::now());
    let wall_at_start = wall(&client).await.unwrap();
    for seconds in [STEP, 0, -STEP, STEP] {
        let before = ecp.heartbeats().len();
        set_step(seconds);
        eventually(SOON, async || {
            let passed = wall(&client).await?.duration_since(wall_at_start);
            let stepped = passed.as_secs() - start.elapsed().as_secs().cast_signed();
            let there = (stepped - seconds).abs() < STEP / 10;
            there.then_some(()).ok_or(stepped.to_string())
        })
        .await;
        // L1: it goes on at its pace.
        let heartbeats = ecp.wait_for_heartbeats(before + 3, SOON).await;
        for pair in heartbeats.windows(2) {
            assert!(pair[1].at - pair[0].at < PLC_TIMEOUT, "{pair:?}");
        }
    }
    assert_eq!(view::logged_reasons(&actor, mark), [""; 0]);
    // S1: what goes silent is stale after its timeout, though the clock goes back just then.
    set_step(-STEP);
    let last = beating.kill().await;
    eventually(SOON, async || {
        let hold = view::hold(&client).await?;
        (hold["reason"] == "heartbeat_stale")
            .then_some(())
            .ok_or(hold.to_string())
    })
    .await;
    let stale = last.elapsed();
    // It counts from when it was sent at the earliest: two bursts, beats and echoes before, at
    // these times.
    let earlier = Duration::from_secs(2);
    let in_time = TIMEOUT.saturating_sub(earlier)..TIMEOUT + BUSY;
    assert!(in_time.contains(&stale), "{stale:?}");
    let emitted = ecp.heartbeats().len();
    set_step(STEP);
    throughout(Duration::from_secs(1), async || {
        ecp.heartbeats().len() == emitted
    })
    .await;
}
