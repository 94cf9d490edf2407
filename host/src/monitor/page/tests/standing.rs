//! What is said between up and down: each sentence is true at the moment of the page, or says since
//! when it is not known.

use super::*;
use crate::report::{DeliveryReport, Report};

/// The page of a view that nothing was added to for so many seconds, and the monitor running.
fn after(mut view: View, seconds: u64) -> String {
    let wall = sample::NOW.saturating_add(Duration::from_secs(seconds));
    view.wall = wall.unwrap();
    let silence = view.alarm.silence + embassy_time::Duration::from_secs(seconds);
    view.alarm.silence = silence;
    page(&view)
}

fn report(view: &mut View) -> &mut Report {
    &mut view.report.as_mut().unwrap().0
}

#[test]
fn held_is_said_with_the_countdown_all_causes_and_what_to_do() {
    let html = page(&sample::held());
    assert_eq!(word(&html), "HELD");
    says(
        &html,
        &[
            "The dome heartbeat is held: while this lasts, the PLC closes the dome.",
            // 27 s were left in a report that is 4 s old.
            "The PLC closes the dome in at most 23 s unless a heartbeat arrives.",
            "So since 07:11:38 UTC (04:11 Santiago), for 27 s.",
            "What to do: bring back what is named below.",
            "Dome open. Reported 4 s ago: overwatcher silent for 53 s (timeout 30 s) \
             scheduler (not critical) silent for 41 s (it beats every 20 s)",
        ],
    );
    // Said once, at the top.
    does_not_say(&html, &["Urgent: The dome heartbeat is held"]);
}

#[test]
fn the_countdown_ends_with_the_moment_at_which_the_plcs_time_ran_out() {
    says(
        &after(sample::held(), 22),
        &["The PLC closes the dome in at most 1 s"],
    );
    let html = after(sample::held(), 23);
    says(
        &html,
        &["Unless a heartbeat arrived in time, the PLC's time ran out at 07:12:28 UTC"],
    );
    does_not_say(&html, &["at most"]);
    says(
        &page(&sample::closing()),
        &["As its registers say, the PLC's time ran out at 07:11:53 UTC (04:11 Santiago)."],
    );
}

#[test]
fn a_dome_that_is_closed_is_not_said_to_be_about_to_close() {
    let mut view = sample::held();
    report(&mut view).enclosure.as_mut().unwrap().dome = Some(Dome::Closed);
    let html = page(&view);
    says(
        &html,
        &[
            "The dome heartbeat is held; the dome is closed.",
            "What to do: find the cause below before the dome is opened.",
        ],
    );
    does_not_say(&html, &["closes the dome"]);
    assert!(!html.contains(" loud\""), "calm");
    assert!(page(&sample::held()).contains(" loud\""));
    // Not known any more: nobody says closed.
    report(&mut view).enclosure.as_mut().unwrap().dome_age = Some(86.0);
    let html = page(&view);
    says(
        &html,
        &[
            "while this lasts, the PLC closes the dome",
            "Dome unknown since 07:10:35 UTC",
        ],
    );
    does_not_say(&html, &["dome is closed", "Dome closed"]);
}

#[test]
fn a_heartbeat_that_does_not_arrive_is_as_bad_as_one_that_is_held() {
    let html = page(&sample::not_arriving());
    assert_eq!(word(&html), "NOT ARRIVING");
    says(
        &html,
        &[
            "The dome heartbeat is sent, and nobody acknowledges it.",
            "The PLC closes the dome in at most 15 s",
            "no heartbeat acknowledged for 41 s: lvmecp does not answer",
            "What to do: check that lvmecp runs and reaches the PLC.",
        ],
    );
    assert!(html.contains(" loud\""));
}

#[test]
fn closing_and_closed_by_the_watchdog_are_said_apart() {
    let html = page(&sample::closing());
    assert_eq!(word(&html), "CLOSING");
    says(
        &html,
        &[
            "The PLC's time has run out, and the dome is not known to be closed.",
            "What to do: make sure that the dome closes",
            "Dome moving",
        ],
    );
    let html = page(&sample::closed_by_watchdog());
    assert_eq!(word(&html), "CLOSED BY WATCHDOG");
    says(
        &html,
        &[
            "The PLC's time has run out, and the dome is closed.",
            "the PLC's time ran out at 07:10:50 UTC",
            "What to do: find the cause below before the dome is opened again.",
        ],
    );
}

#[test]
fn a_beat_is_late_after_three_intervals_and_the_last_report_is_said_as_of_then() {
    let late = |every: Option<f64>, seconds: u64| {
        let mut view = sample::up();
        report(&mut view).beat_every = every;
        // The last beat was 4 s before.
        word(&after(view, seconds - 4))
    };
    assert_eq!(late(Some(15.0), 44), "UP");
    assert_eq!(late(Some(15.0), 45), "LATE");
    assert_eq!(late(Some(20.0), 59), "UP");
    assert_eq!(late(Some(20.0), 60), "LATE");
    // An earlier actor does not say how often: as configured here.
    assert_eq!(late(None, 44), "UP");
    assert_eq!(late(None, 45), "LATE");
    for odd in [0.0, -1.0, f64::MAX, f64::NAN] {
        assert_eq!(late(Some(odd), 45), "LATE", "x2: {odd}");
    }

    let html = page(&sample::late_beat());
    says(
        &html,
        &[
            "No beat for 1 min 02 s; one is due every 15 s. LCO internet may be down.",
            "What to do: find out whether the actor runs and the network is up. Silence of 5 min raises the alarm.",
        ],
    );
    does_not_say(&html, &["LCO internet is up"]);
    let mut held = sample::held();
    held.alerts = true;
    let html = after(held, 60);
    assert_eq!(word(&html), "LATE");
    says(
        &html,
        &["Unless a heartbeat arrived in time, the PLC's time ran out at 07:12:28 UTC"],
    );
    does_not_say(&html, &["The dome heartbeat is held:", "So since"]);
}

#[test]
fn all_that_is_late_is_named_and_what_was_never_heard_and_is_not_critical_is_no_fault() {
    let html = page(&sample::late());
    assert_eq!(word(&html), "LATE");
    says(
        &html,
        &[
            "Something is late; nothing is withheld because of it yet.",
            "scheduler (not critical) silent for 1 min 15 s (timeout 60 s)",
            "weather not critical not heard yet",
        ],
    );
    let weather = html.split_once("<bdi>weather</bdi>").unwrap();
    let (_, li) = weather.0.rsplit_once("<li").unwrap();
    assert!(!li.contains("stale") && !li.contains("late"), "{li}");
    let (bar, _) = weather.1.split_once("</svg>").unwrap();
    assert!(bar.contains("class=\"fill\" width=\"0.0%\""), "{bar}");
}

#[test]
fn an_actor_of_an_earlier_version_is_said_to_be_held_by_its_hold() {
    let html = page(&sample::earlier_actor());
    assert_eq!(word(&html), "HELD");
    says(
        &html,
        &[
            "Reported 4 s ago: heartbeat overwatcher was last received 53 s ago (timeout 30 s)",
            "heartbeat overwatcher is stale, 53 s old",
        ],
    );
    does_not_say(&html, &["at most"]);
}

#[test]
fn a_farewell_is_not_a_failure_of_the_network_until_another_actor_beats() {
    let html = page(&sample::stopped());
    assert_eq!(word(&html), "STOPPED");
    says(
        &html,
        &[
            "The actor was stopped by SIGTERM at 07:12:01 UTC (04:12 Santiago), and none has reported since.",
            "The PLC closes the dome in at most 49 s unless a heartbeat arrives.",
            "What to do: start the actor again",
        ],
    );
    assert_eq!(word(&after(sample::stopped(), 120)), "STOPPED");
    let mut view = sample::stopped();
    view.alarm.state = lvmbeat_core::alarm::State::Down;
    let html = after(view, 400);
    assert_eq!(word(&html), "DOWN");
    says(
        &html,
        &["LCO internet is down. The actor was stopped by SIGTERM at 07:12:01 UTC"],
    );
    // Beats come without a report: somebody is there again.
    let mut view = sample::stopped();
    view.last_seen = Some(sample::ago(1));
    assert_eq!(word(&page(&view)), "UP");
    for (text, said) in [
        ("", "stopped in order at"),
        ("a slip", "stopped ( a slip ) at"),
    ] {
        let mut view = sample::stopped();
        report(&mut view).stopping.as_mut().unwrap().text = text.to_owned();
        says(&page(&view), &[said]);
    }
}

#[test]
fn what_only_a_stand_by_reports_is_unknown() {
    let html = page(&sample::stand_by());
    assert_eq!(word(&html), "UNKNOWN");
    says(&html, &["on stand-by", "What to do: ask the active actor"]);
}

#[test]
fn engineering_mode_and_what_the_plc_sees_are_aged_by_the_reports_own_age_too() {
    let mut view = sample::engineering_mode();
    view.last_seen = Some(sample::ago(0));
    // Heard 12 s before a report that is 4 s old.
    says(
        &page(&view),
        &[
            "Engineering mode is on",
            "PLC ✓ sees the heartbeat; last seen 16 s ago",
        ],
    );
    let received = |view: &mut View, seconds| {
        view.report.as_mut().unwrap().1 = sample::ago(seconds);
    };
    received(&mut view, 78);
    let html = page(&view);
    says(
        &html,
        &[
            "Whether engineering mode is on is unknown since 07:10:35 UTC",
            "PLC whether it sees the heartbeat is unknown since 07:10:35 UTC",
        ],
    );
    does_not_say(&html, &["sees the heartbeat;", "Engineering mode is off"]);
    received(&mut view, 300);
    let html = page(&view);
    says(
        &html,
        &["Urgent: Engineering mode was on. Whether it still is, is unknown since 07:06:53 UTC"],
    );
    does_not_say(&html, &["Engineering mode is on"]);
}

#[test]
fn a_heartbeat_that_was_held_in_an_old_report_is_not_said_to_be_held() {
    let mut view = sample::held();
    view.report.as_mut().unwrap().1 = sample::ago(300);
    let html = page(&view);
    assert_eq!(word(&html), "UP");
    says(
        &html,
        &[
            "does not report how the dome heartbeat is. Last reported, at 07:07:05 UTC (04:07 Santiago): the dome heartbeat was held.",
            "Urgent: The dome heartbeat was held.",
        ],
    );
    does_not_say(&html, &["heartbeat is held", "While this lasts"]);
}

#[test]
fn what_happens_to_the_dome_is_said_although_nobody_would_be_alerted() {
    let mut view = sample::held();
    view.alarm.mode = lvmbeat_core::alarm::Mode::DisabledForGood;
    let html = page(&view);
    assert_eq!(word(&html), "HELD");
    says(&html, &["Alerts are disabled: nobody is alerted."]);
    assert!(html.contains("action=\"./enable\""));
    view.channels.clear();
    let html = page(&view);
    assert_eq!(word(&html), "HELD");
    says(&html, &["This monitor has no way to alert anybody."]);
    // What is only late is not more than that.
    let mut view = sample::late();
    view.channels.clear();
    assert_eq!(word(&page(&view)), "NOT ALERTING");
}

#[test]
fn x2_any_numbers_of_a_delivery_are_shown_somehow() {
    for odd in [f64::MAX, f64::MIN, -1.0, 0.0, f64::NAN] {
        for closes in [true, false] {
            let mut view = sample::held();
            report(&mut view).delivery = Some(DeliveryReport {
                closes_in: closes.then_some(odd),
                closing_for: (!closes).then_some(odd),
                ..DeliveryReport::default()
            });
            report(&mut view).health.as_mut().unwrap().seconds = Some(odd);
            assert_eq!(word(&page(&view)), "HELD");
        }
    }
}
