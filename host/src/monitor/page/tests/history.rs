//! What the page keeps of the reports: strips, the plot of the margin, incidents.

use super::*;
use crate::monitor::history::course::{Margin, Stretch};
use crate::monitor::history::incident::{Happened, Incident, Step};
use crate::report::Health;

#[test]
fn incidents_are_shown_with_causes_and_course_and_linked_from_the_strip() {
    let html = page(&sample::up());
    says(
        &html,
        &[
            "Incidents: 02:53 held, closing, closed by watchdog, 21:26 silent.",
            "Held, closing, closed by watchdog From 02:53:45 UTC (23:53 Santiago) to 02:57:25 UTC (23:57 Santiago), 3 min 40 s.",
            "no beat of overwatcher, from 02:53:15 UTC (23:53 Santiago) to 02:57:25 UTC",
            "link lco is down, from 02:54:15 UTC",
            "02:54:38 UTC (23:54 Santiago) the PLC's time ran out",
            "closed by the watchdog",
            "02:57:25 UTC (23:57 Santiago) released: the dome heartbeat arrived again",
            "Silent From 2 Jan 21:26 UTC",
            "1 earlier incident",
        ],
    );
    for link in html.split("href=\"#incident-").skip(1) {
        let (id, _) = link.split_once('"').unwrap();
        assert!(html.contains(&format!("id=\"incident-{id}\"")), "{id}");
    }
    let mut view = sample::up();
    view.history.incidents.0.clear();
    let html = page(&view);
    says(&html, &["Incidents None in the last days."]);
    assert!(!html.contains("#incident-"));
}

#[test]
fn an_incident_that_goes_on_is_not_said_to_be_over_nor_to_go_on_where_nobody_knows() {
    let mut view = sample::held();
    let incident = Incident {
        from: sample::ago(27),
        to: None,
        causes: Vec::new(),
        course: vec![Step {
            at: sample::ago(27),
            what: Happened::Health(Health::Held),
        }],
        left_out: 0,
    };
    view.history.incidents.0.push(incident);
    says(&page(&view), &["for 27 s: ✗ it goes on."]);
    view.last_seen = Some(sample::ago(200));
    view.report.as_mut().unwrap().1 = sample::ago(200);
    let html = page(&view);
    says(
        &html,
        &["; whether it is over is not known since 07:08:45 UTC (04:08 Santiago)."],
    );
    does_not_say(&html, &["it goes on"]);
}

#[test]
fn l1_the_least_that_was_left_is_named_with_its_window_and_counts_what_was_withheld() {
    let html = page(&sample::up());
    says(
        &html,
        &[
            "Time left at the PLC, last 24 hours none at 02:56:05 UTC (23:56 Santiago), when its time had run out; 48.5 s while nothing was withheld",
            "Least left, last 24 h 0 s while the dome was not known to be closed, by the actor's count. As reported here: none at 02:56:05 UTC",
            "46.9 s left before the PLC would have closed the dome, between two heartbeats that nothing withheld, since the actor was started: 31 Dec 03:12 UTC",
        ],
    );
    let mut view = sample::up();
    view.history.course.margins = vec![Margin {
        at: sample::ago(60),
        left: 31.5,
        withheld: true,
    }];
    says(
        &page(&view),
        &["least 31.5 s at 07:11:05 UTC (04:11 Santiago), while the dome heartbeat was withheld"],
    );
    view.history.course.margins.clear();
    let html = page(&view);
    says(&html, &["As reported here: not known yet"]);
    assert!(!html.contains("margin-line"));
}

#[test]
fn x1_and_x2_the_texts_of_incidents_are_text_and_however_much_was_kept_the_page_stays_small() {
    const EVIL: &str = "<script>alert(1)</script>";
    let mut view = sample::up();
    let course = &mut view.history.course;
    let health = |number: i64| Stretch {
        what: Health::ALL[usize::try_from(number).unwrap() % 8],
        from: sample::ago(40_000 - number * 60),
        to: sample::ago(40_000 - number * 60 - 60),
    };
    course.health = (0..500).map(health).collect();
    let margin = |number: i64| Margin {
        at: sample::ago(86_400 - number * 120),
        left: f64::from(i32::try_from(number).unwrap()),
        withheld: true,
    };
    course.margins = (0..720).map(margin).collect();
    let mut incident = view.history.incidents.0.pop().unwrap();
    EVIL.clone_into(&mut incident.causes[0].text);
    incident.course[0].what = Happened::Stopped(EVIL.to_owned());
    incident.causes = vec![incident.causes[0].clone(); 16];
    incident.course = vec![incident.course[0].clone(); 24];
    view.history.incidents.0 = vec![incident; 64];
    let html = page(&view);
    says(&html, &["And 44 earlier."]);
    assert!(!html.contains(EVIL));
    assert!(html.len() < 400_000, "{}", html.len());
}
