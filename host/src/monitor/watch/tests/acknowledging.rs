//! What an acknowledgement ends; channels that wait; times of the day that are quiet.

use super::super::super::incidents::Which;
use super::super::super::testing::reported;
use super::*;
use crate::config::monitor::Quiet;
use crate::report::{Dome, Health};

const EVERY: Duration = Duration::from_secs(600);

fn reminding() -> Monitor {
    Monitor {
        remind_every: Some(EVERY),
        ..config()
    }
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_ends_the_reminders_of_that_incident_only_also_after_a_restart() {
    let mut station = Station::with_file(reminding(), None).await;
    after(310 + 605).await;
    assert_eq!(station.first.delivered(), [["down"], ["reminder"]]);
    let open = station.view().incidents.clone();
    let [incident] = open.as_slice() else {
        panic!("{open:?}");
    };
    let one = Which::One(incident.id);
    let done = station.handle().acknowledge(one).await.unwrap();
    assert_eq!((done.value, done.unsaved), (vec![incident.id], None));
    assert!(station.view().incidents[0].acknowledged.is_some());
    after(700).await;
    station.kill().await;
    station.start().await;
    after(1500).await;
    assert_eq!(station.first.delivered().len(), 2);
    // The end is announced, and the next incident reminds again.
    station.beat().await;
    after(310 + 605).await;
    let delivered = station.first.delivered().concat();
    assert_eq!(delivered, ["down", "reminder", "up", "down", "reminder"]);
}

#[tokio::test(start_paused = true)]
async fn an_acknowledged_heartbeat_that_is_withheld_reminds_nobody() {
    let station = Station::new(reminding()).await;
    station
        .report(reported(Health::Held, 0.0, Some(Dome::Open)))
        .await;
    after(25).await;
    assert_eq!(station.first.delivered(), [["held"]]);
    let done = station.handle().acknowledge(Which::All).await.unwrap();
    assert_eq!(done.value.len(), 1);
    for _ in 0..100 {
        station
            .report(reported(Health::Held, 0.0, Some(Dome::Open)))
            .await;
        after(15).await;
    }
    assert_eq!(station.first.delivered(), [["held"]]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_waits_hears_of_what_is_still_open_and_not_acknowledged() {
    let mut station = Station::with_file(config(), None).await;
    station.second_waits(EVERY).await;
    after(310 + 500).await;
    assert_eq!(station.second.tried(), 0);
    // The time goes on while the monitor is not running.
    station.kill().await;
    after(50).await;
    station.start().await;
    after(60).await;
    assert_eq!(station.second.delivered(), [["down"]]);
    station.kill().await;
    station.start().await;
    after(700).await;
    station.beat().await;
    after(2).await;
    // M4: once, and the end, too.
    assert_eq!(station.second.delivered(), [["down"], ["up"]]);
    assert_eq!(station.first.delivered(), [["down"], ["up"]]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_waits_hears_nothing_of_what_is_over_or_acknowledged_before() {
    let mut station = Station::with_file(config(), None).await;
    station.second_waits(EVERY).await;
    after(310 + 300).await;
    station.beat().await;
    after(310 + 300).await;
    station.handle().acknowledge(Which::All).await.unwrap();
    after(2000).await;
    station.beat().await;
    after(2).await;
    let delivered = station.first.delivered();
    assert_eq!(delivered, [["down"], ["up"], ["down"], ["up"]]);
    assert_eq!(station.second.tried(), 0);
}

impl Station {
    /// From now on the second channel waits so long.
    async fn second_waits(&mut self, after: Duration) {
        self.kill().await;
        self.second.waits(after);
        self.start().await;
    }
}

/// The clock begins at 03:04:05.
fn quiet(from: &str, to: &str) -> Monitor {
    let text = format!("monitor: {{quiet: [{{from: '{from}', to: '{to}', zone: UTC}}]}}");
    let parsed = Monitor::parse("", &text, &|_| None).unwrap();
    let quiet: Vec<Quiet> = parsed.quiet;
    Monitor { quiet, ..config() }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_alerted_in_a_quiet_time_and_what_lasts_past_its_end_is_alerted_then() {
    let station = Station::new(quiet("03:00", "03:30")).await;
    let until = station.view().quiet_until.unwrap();
    assert_eq!(until.to_string(), "2026-01-02T03:30:00Z");
    station
        .report(reported(Health::Held, 0.0, Some(Dome::Open)))
        .await;
    after(25 * 60).await;
    assert_eq!(station.first.tried(), 0);
    after(60).await;
    assert_eq!(station.first.delivered().concat(), ["down", "held"]);
    assert_eq!(station.view().quiet_until, None);
}

#[tokio::test(start_paused = true)]
async fn what_began_before_a_quiet_time_ends_in_it() {
    let station = Station::new(quiet("03:10", "23:00")).await;
    after(310).await;
    assert_eq!(station.first.delivered(), [["down"]]);
    after(120).await;
    assert!(station.view().quiet_until.is_some());
    station.beat().await;
    after(2000).await;
    assert_eq!(station.first.delivered(), [["down"], ["up"]]);
}

#[tokio::test(start_paused = true)]
async fn m2_m4_a_scheduled_test_and_a_summary_come_by_every_channel_once() {
    let text = "monitor: {test_at: '03:20', summary_at: '03:30', time_zone: UTC}";
    let parsed = Monitor::parse("", text, &|_| None).unwrap();
    let mut station = Station::with_file(
        Monitor {
            test_at: parsed.test_at,
            summary_at: parsed.summary_at,
            ..config()
        },
        None,
    )
    .await;
    station.first.does(Does::Fail);
    station.beats(1200).await;
    // A channel that is dead is seen as that.
    assert!(station.view().channels[0].failures > 0);
    station.kill().await;
    station.start().await;
    station.first.does(Does::Deliver);
    station.beats(1200).await;
    assert_eq!(station.first.delivered().concat(), ["test", "summary"]);
    assert_eq!(station.second.delivered(), [["test"], ["summary"]]);
}
