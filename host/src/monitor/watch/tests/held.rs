//! A dome heartbeat that is withheld while the dome is not known to be closed.

use super::super::super::testing::reported;
use super::*;
use crate::report::{Dome, Health};

impl Station {
    /// Reports so for some time, each 15 s.
    async fn reports(&self, secs: u64, health: Health, dome: Dome) {
        for _ in 0..secs.div_ceil(15) {
            self.report(reported(health, 0.0, Some(dome))).await;
            after(15).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn m1_m2_people_are_told_that_the_dome_is_about_to_close_and_that_it_is_over() {
    let station = Station::new(config()).await;
    station.reports(60, Health::Ok, Dome::Open).await;
    let begun = station.now();
    station
        .report(reported(Health::Held, 0.0, Some(Dome::Open)))
        .await;
    after(19).await;
    assert_eq!(station.first.tried(), 0);
    after(3).await;
    assert_eq!(station.first.delivered(), [["held"]]);
    let (at, _) = station.first.messages()[0];
    let took = at.checked_sub(begun).unwrap();
    assert!(took <= Duration::from_secs(20) + TICK, "{took:?}");
    station.reports(60, Health::Closing, Dome::Moving).await;
    station.reports(150, Health::Ok, Dome::Closed).await;
    assert_eq!(station.first.delivered(), [["held"], ["released"]]);
    let messages = station.first.messages();
    assert_eq!(messages[0].1[0].incident, messages[1].1[0].incident);
}

#[tokio::test(start_paused = true)]
async fn m2_m4_an_alarm_that_cannot_be_delivered_survives_restarts_and_comes_once() {
    let mut station = Station::with_file(config(), None).await;
    station.first.does(Does::Fail);
    station.reports(30, Health::Held, Dome::Open).await;
    assert_eq!(station.second.delivered(), [["held"]]);
    for _ in 0..3 {
        station.kill().await;
        station.start().await;
        station.reports(30, Health::Held, Dome::Open).await;
    }
    station.first.does(Does::Deliver);
    station.reports(700, Health::Held, Dome::Open).await;
    assert_eq!(station.first.delivered(), [["held"]]);
    assert_eq!(station.second.delivered(), [["held"]]);
}

#[tokio::test(start_paused = true)]
async fn while_alarms_are_disabled_nobody_is_told() {
    let station = Station::new(config()).await;
    station.handle().disable(None).await.unwrap();
    station.reports(60, Health::Held, Dome::Open).await;
    assert_eq!(station.first.tried(), 0);
    station.handle().enable().await.unwrap();
    after(3).await;
    assert_eq!(station.first.delivered(), [["held"]]);
}

#[tokio::test(start_paused = true)]
async fn it_can_be_switched_off() {
    let station = Station::new(Monitor {
        held_after: None,
        ..config()
    })
    .await;
    station.reports(100, Health::Held, Dome::Open).await;
    assert_eq!(station.first.tried(), 0);
}

#[tokio::test(start_paused = true)]
async fn m3_a_suspended_monitor_raises_nothing_from_what_it_knew_before() {
    let station = Station::new(config()).await;
    station
        .report(reported(Health::Held, 0.0, Some(Dome::Open)))
        .await;
    after(5).await;
    station.clock.suspend(Duration::from_secs(10_000));
    after(60).await;
    assert_eq!(station.first.tried(), 0);
    station
        .report(reported(Health::Ok, 0.0, Some(Dome::Open)))
        .await;
    after(60).await;
    assert_eq!(station.first.tried(), 0);
}
