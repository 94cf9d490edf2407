//! An actor that was stopped in order.

use super::*;
use crate::config::monitor::Wording;
use crate::monitor::notify::Letter;
use crate::report::StoppingReport;

fn stopping() -> Report {
    Report {
        stopping: Some(StoppingReport {
            text: "stopped by SIGTERM".to_owned(),
        }),
        ..Report::default()
    }
}

fn letter(notices: Vec<Notice>) -> Letter {
    let wording = Wording {
        subject: "LCO internet".to_owned(),
        action: None,
        page: None,
        time_zone: jiff::tz::TimeZone::UTC,
    };
    Letter::new(&notices.into(), &wording)
}

#[tokio::test(start_paused = true)]
async fn m1_an_actor_that_was_stopped_and_does_not_come_back_raises_the_alarm_and_it_says_so() {
    let mut station = Station::with_file(quick(), None).await;
    station.report(stopping()).await;
    after(60).await;
    // That is known after a restart, too.
    station.kill().await;
    station.start().await;
    after(250).await;
    station.beats(30).await;
    let messages = station.first.messages();
    let [(_, down), (_, up)] = messages.as_slice() else {
        panic!("{messages:?}");
    };
    let alarm = letter(down.clone());
    let first = alarm.text.lines().next().unwrap();
    assert!(
        first.starts_with("The lvmbeat actor was stopped (stopped by SIGTERM at 2026-01-02 03:04:05 UTC) and has not come back."),
        "{first}"
    );
    for said in [&alarm.subject, &letter(up.clone()).subject] {
        assert!(
            said.contains("the lvmbeat actor") && !said.contains("internet"),
            "{said}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_comes_back_in_time_raises_no_alarm_and_the_next_silence_is_no_stop() {
    let station = Station::new(quick()).await;
    station.report(stopping()).await;
    after(200).await;
    assert_eq!(station.first.tried(), 0);
    station.beats(60).await;
    after(310).await;
    let messages = station.first.messages();
    assert_eq!(
        letter(messages[0].1.clone()).subject,
        "LCO internet is down"
    );
}
