//! A night as the reports had it.

use super::ago;
use crate::monitor::history::course::{Course, Margin, Stretch};
use crate::monitor::history::incident::{Cause, Happened, Incident, Incidents, Step};
use crate::report::{Dome, Health};

/// The overwatcher died once; there were outages before.
pub(super) fn night() -> (Course, Incidents) {
    let stretch = |from, to| (ago(from), ago(to));
    let health = |what, (from, to)| Stretch { what, from, to };
    let dome = |what, (from, to)| Stretch { what, from, to };
    let margin = |number: i32| {
        let at = 24_000 - i64::from(number) * 120;
        let left = match number {
            71 => 31.0,
            72 => 0.0,
            73 => 48.5,
            _ => 52.0 + f64::from(number * 7 % 11) / 4.0,
        };
        Margin {
            at: ago(at),
            left,
            withheld: (71..=72).contains(&number),
        }
    };
    let course = Course {
        health: vec![
            health(Health::Ok, stretch(30_000, 15_500)),
            health(Health::Held, stretch(15_500, 15_447)),
            health(Health::Closing, stretch(15_447, 15_380)),
            health(Health::ClosedByWatchdog, stretch(15_380, 15_280)),
            health(Health::Ok, stretch(15_280, 4)),
        ],
        dome: vec![
            dome(Dome::Closed, stretch(30_000, 25_000)),
            dome(Dome::Moving, stretch(25_000, 24_910)),
            dome(Dome::Open, stretch(24_910, 15_440)),
            dome(Dome::Moving, stretch(15_440, 15_380)),
            dome(Dome::Closed, stretch(15_380, 13_900)),
            dome(Dome::Moving, stretch(13_900, 13_810)),
            dome(Dome::Open, stretch(13_810, 4)),
        ],
        margins: (0..200).map(margin).collect(),
    };
    let step = |at, what| Step { at: ago(at), what };
    let incident = Incident {
        from: ago(15_500),
        to: Some(ago(15_280)),
        causes: vec![
            Cause {
                about: "heartbeat overwatcher".to_owned(),
                text: "no beat of overwatcher".to_owned(),
                from: ago(15_530),
                to: Some(ago(15_280)),
            },
            Cause {
                about: "link lco is down".to_owned(),
                text: "link lco is down".to_owned(),
                from: ago(15_470),
                to: Some(ago(15_400)),
            },
        ],
        course: vec![
            step(15_500, Happened::Health(Health::Held)),
            step(15_500, Happened::Dome(Dome::Open)),
            step(15_447, Happened::TimeRanOut),
            step(15_447, Happened::Health(Health::Closing)),
            step(15_440, Happened::Dome(Dome::Moving)),
            step(15_380, Happened::Health(Health::ClosedByWatchdog)),
            step(15_380, Happened::Dome(Dome::Closed)),
            step(15_280, Happened::Health(Health::Ok)),
        ],
        left_out: 0,
    };
    let outage = |from: i64, lasted: i64| Incident {
        from: ago(from),
        to: Some(ago(from - lasted)),
        causes: Vec::new(),
        course: vec![
            step(from, Happened::Silent),
            step(from - lasted, Happened::Heard),
        ],
        left_out: 0,
    };
    let outages = [5 * 86_400 + 7000, 3 * 86_400, 35_160].map(|from| outage(from, 1560));
    let incidents = outages.into_iter().chain([incident]);
    (course, Incidents(incidents.collect()))
}
