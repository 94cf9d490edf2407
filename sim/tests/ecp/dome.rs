//! The dome, commanded through the stand-in.

use std::time::Duration;

use lvmbeat::clu::message::Code;
use serde_json::json;
use sim::Fault;
use sim::plc::{CloseCause, Coil, DomeState, Event, StopCause};
use tokio::time::sleep;

use crate::chain::{Chain, limit};

#[tokio::test(start_paused = true)]
async fn l1_a_dome_whose_heartbeats_come_stays_open_and_s4_closes_when_they_stop() {
    let chain = Chain::start().await;
    chain.last("heartbeat").await;
    let opened = chain.client.client.clone();
    let opening = tokio::spawn(async move {
        opened
            .command("lvmecp", "dome open", limit(400))
            .await
            .unwrap()
            .code
    });
    for _ in 0..60 {
        sleep(Duration::from_secs(10)).await;
        chain.last("heartbeat").await;
    }
    assert_eq!(opening.await.unwrap(), Code::Done);
    assert_eq!(chain.plc.snapshot().dome, DomeState::Open);
    assert!(chain.plc.snapshot().smallest_countdown > embassy_time::Duration::from_secs(49));
    sleep(Duration::from_millis(59_900)).await;
    assert_eq!(chain.plc.snapshot().dome, DomeState::Open);
    sleep(Duration::from_millis(200)).await;
    assert_eq!(chain.plc.snapshot().dome, DomeState::Closing);
}

#[tokio::test(start_paused = true)]
async fn the_dome_is_opened_closed_and_its_status_is_reported() {
    let chain = Chain::start().await;
    let beats = chain.client.client.clone();
    let overwatcher = tokio::spawn(async move {
        loop {
            beats
                .command("lvmecp", "heartbeat", limit(5))
                .await
                .unwrap();
            sleep(Duration::from_secs(10)).await;
        }
    });
    let replies = chain.replies("dome open").await;
    assert_eq!(replies[0], (Code::Info, json!({"text": "Opening dome."})));
    assert_eq!(replies[1].1["dome_status_labels"], "OPEN,DRIVE_AVAILABLE");
    assert_eq!(
        replies[2],
        (Code::Done, json!({"text": "Dome is now open."}))
    );
    assert_eq!(chain.plc.snapshot().dome, DomeState::Open);
    // Once more there is nothing to do.
    let again = tokio::time::Instant::now();
    assert_eq!(chain.last("dome open").await.0, Code::Done);
    assert!(again.elapsed() < Duration::from_secs(1));
    assert_eq!(
        chain.last("dome close --overcurrent").await,
        (Code::Done, json!({"text": "Dome is now closed."}))
    );
    assert!(!chain.plc.access(|plc| plc.coil(Coil::DriveModeOvercurrent)));
    assert_eq!(
        chain.keywords("dome status").await["dome_percent_open"],
        0.0
    );
    overwatcher.abort();
}

#[tokio::test(start_paused = true)]
async fn a_moving_dome_is_stopped_and_turned() {
    let chain = Chain::start().await;
    let client = chain.client.client.clone();
    let opening = tokio::spawn(async move {
        client
            .command("lvmecp", "dome open", limit(400))
            .await
            .unwrap()
    });
    sleep(Duration::from_secs(20)).await;
    assert_eq!(chain.plc.snapshot().dome, DomeState::Opening);
    assert_eq!(chain.last("dome stop").await, (Code::Done, json!({})));
    assert_eq!(chain.plc.snapshot().dome, DomeState::Stopped);
    let finished = opening.await.unwrap();
    assert_eq!(finished.code, Code::Failed);
    let error = finished.replies.last().unwrap().body["error"]
        .as_str()
        .unwrap();
    assert!(
        error.starts_with("Dome failed to open with error"),
        "{error}"
    );
    assert_eq!(chain.last("dome close").await.0, Code::Done);
}

#[tokio::test(start_paused = true)]
async fn a_dome_that_opens_is_stopped_for_a_while_before_it_is_closed() {
    let chain = Chain::start().await;
    chain.plc.access(|plc| {
        plc.set(Coil::MotorDirection, true);
        plc.set(Coil::DriveEnabled, true);
    });
    sleep(Duration::from_secs(20)).await;
    let mut events = chain.plc.events();
    assert_eq!(chain.last("dome close").await.0, Code::Done);
    let mut seen = Vec::new();
    while let Ok(record) = events.try_recv() {
        seen.push((record.at.as_secs(), record.event));
    }
    let (stopped, closing) = (StopCause::Command, CloseCause::Command);
    assert_eq!(
        seen,
        [
            (20, Event::DomeStopped { cause: stopped }),
            (25, Event::DomeClosing { cause: closing }),
            (45, Event::DomeClosed),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_dome_is_not_moved_where_that_is_refused() {
    let chain = Chain::start().await;
    for fault in [Fault::Local, Fault::EStop, Fault::DriveError] {
        chain.plc.set_fault(fault, true);
        let (code, _) = chain.last("dome open").await;
        assert_eq!(code, Code::Failed, "{fault}");
        chain.plc.set_fault(fault, false);
        chain.plc.access(|plc| plc.set(Coil::ERelayReset, true));
        assert_eq!(chain.last("dome reset").await.0, Code::Done);
    }
    assert_eq!(chain.plc.snapshot().dome, DomeState::Closed);
    assert!(!chain.plc.snapshot().drive_error);
}
