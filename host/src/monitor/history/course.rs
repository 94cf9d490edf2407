//! What the reports said in the last days, in short: how the dome heartbeat was, where the dome
//! was, and how much time was left at the PLC.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::KEPT;
use crate::report::{Dome, Health, Report, before};

/// What was said holds until the next report, but no longer than this.
const HOLDS: SignedDuration = SignedDuration::from_secs(90);
/// How many stretches of each kind are kept, the latest.
const MAX_STRETCHES: usize = 500;
/// How far back the margins go.
const MARGINS_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// Of each such time the least margin is kept.
const STEP: i64 = 120;
/// No PLC waits for longer than this (X2).
const LONGEST: f64 = 3600.0;

/// All of it, oldest first.
#[derive(Serialize, Deserialize, Clone, PartialEq, Default, Debug)]
#[serde(default)]
pub struct Course {
    /// How the dome heartbeat was. What was only late is `Ok` here.
    pub health: Vec<Stretch<Health>>,
    /// Where the dome was. Between two stretches nobody knew.
    pub dome: Vec<Stretch<Dome>>,
    /// How much time was left at the PLC.
    pub margins: Vec<Margin>,
}

/// A time in which every report said the same.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug)]
pub struct Stretch<T> {
    /// What they said.
    pub what: T,
    /// Since when.
    pub from: Timestamp,
    /// The last one that said so, or the first that said something else.
    pub to: Timestamp,
}

/// The least time that was left at the PLC in one step of time.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug)]
pub struct Margin {
    /// When it was reported.
    pub at: Timestamp,
    /// Seconds until the PLC would have closed the dome; 0 where its time had run out.
    pub left: f64,
    /// The dome heartbeat was held or did not arrive.
    pub withheld: bool,
}

impl Course {
    pub(super) fn reported(&mut self, report: &Report, wall: Timestamp) {
        self.clean(wall);
        let mut health = report.standing();
        if health == Health::Late {
            health = Health::Ok;
        }
        let since = report.health.as_ref().and_then(|health| health.seconds);
        extend(&mut self.health, health, since, wall);
        let enclosure = report.enclosure.as_ref();
        if let Some((Some(dome), _)) = enclosure.map(|enclosure| enclosure.dome_after(0.0)) {
            extend(&mut self.dome, dome, None, wall);
        }
        if let Some(margin) = margin(report, health, wall) {
            self.note(margin);
        }
    }

    fn note(&mut self, margin: Margin) {
        let step = |at: Timestamp| at.as_second().div_euclid(STEP);
        match self.margins.last_mut() {
            Some(last) if step(last.at) == step(margin.at) => {
                if margin.left < last.left {
                    *last = margin;
                }
            }
            Some(_) | None => self.margins.push(margin),
        }
    }

    /// Forgets what is too old, and what would not have happened yet.
    pub(super) fn clean(&mut self, wall: Timestamp) {
        trim(&mut self.health, wall);
        trim(&mut self.dome, wall);
        let oldest = wall.saturating_sub(MARGINS_KEPT).unwrap_or(Timestamp::MIN);
        self.margins
            .retain(|margin| margin.at > oldest && margin.at <= wall);
    }
}

/// How much is left, if the report says so and it is the PLC's business: in engineering mode lvmecp
/// feeds it.
fn margin(report: &Report, health: Health, wall: Timestamp) -> Option<Margin> {
    let delivery = report.delivery.as_ref()?;
    let ran_out = delivery.closing_for.map(|_| 0.0);
    let left = ran_out.or(delivery.closes_in)?;
    (health != Health::Bypassed).then(|| Margin {
        at: wall,
        left: (left.clamp(0.0, LONGEST) * 10.0).round() / 10.0,
        withheld: health.closes_the_dome(),
    })
}

/// Adds what a report says at `wall`, and has been so for some seconds if it says that.
fn extend<T: PartialEq + Copy>(
    stretches: &mut Vec<Stretch<T>>,
    what: T,
    since: Option<f64>,
    wall: Timestamp,
) {
    let mut from = wall;
    if let Some(last) = stretches.last_mut()
        && wall.duration_since(last.to) < HOLDS
    {
        if last.what == what {
            last.to = wall;
            return;
        }
        // It became so after the last report, and before this one.
        let began = since.and_then(|since| before(wall, since)).unwrap_or(wall);
        from = began.clamp(last.to, wall);
        last.to = from;
    }
    stretches.push(Stretch {
        what,
        from,
        to: wall,
    });
}

fn trim<T>(stretches: &mut Vec<Stretch<T>>, wall: Timestamp) {
    let oldest = wall.saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
    stretches.retain_mut(|stretch| {
        stretch.to = stretch.to.min(wall);
        stretch.from <= wall && stretch.to > oldest
    });
    let many = stretches.len().saturating_sub(MAX_STRETCHES - 1);
    stretches.drain(..many);
}

impl<T> Stretch<T> {
    /// Its end as it is known at `now`: what was said last holds for a while.
    pub fn end(&self, is_last: bool, now: Timestamp) -> Timestamp {
        let holds = self.to.saturating_add(HOLDS).unwrap_or(self.to);
        if is_last { holds.min(now) } else { self.to }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{DeliveryReport, EnclosureReport, HealthReport};

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + secs).unwrap()
    }

    fn report(health: Health, seconds: f64, left: f64) -> Report {
        Report {
            health: Some(HealthReport {
                state: Some(health),
                seconds: Some(seconds),
                ..HealthReport::default()
            }),
            delivery: Some(DeliveryReport {
                closes_in: Some(left),
                ..DeliveryReport::default()
            }),
            enclosure: Some(EnclosureReport {
                dome: Some(Dome::Open),
                ..EnclosureReport::default()
            }),
            ..Report::default()
        }
    }

    fn short<T: Copy>(stretches: &[Stretch<T>]) -> Vec<(T, i64, i64)> {
        let secs = |time: Timestamp| time.duration_since(at(0)).as_secs();
        let short = |stretch: &Stretch<T>| (stretch.what, secs(stretch.from), secs(stretch.to));
        stretches.iter().map(short).collect()
    }

    #[test]
    fn reports_that_say_the_same_make_one_stretch_and_a_change_begins_when_the_actor_saw_it() {
        let mut course = Course::default();
        course.reported(&report(Health::Ok, 900.0, 50.0), at(0));
        course.reported(&report(Health::Late, 3.0, 50.0), at(15));
        course.reported(&report(Health::Held, 4.0, 40.0), at(30));
        course.reported(&report(Health::Held, 19.0, 25.0), at(45));
        // It cannot have begun before what was said last.
        course.reported(&report(Health::Ok, 500.0, 50.0), at(60));
        assert_eq!(
            short(&course.health),
            [
                (Health::Ok, 0, 26),
                (Health::Held, 26, 45),
                (Health::Ok, 45, 60)
            ]
        );
        assert_eq!(short(&course.dome), [(Dome::Open, 0, 60)]);
    }

    #[test]
    fn what_nobody_said_for_a_while_is_not_known() {
        let mut course = Course::default();
        course.reported(&report(Health::Ok, 900.0, 50.0), at(0));
        course.reported(&report(Health::Ok, 990.0, 50.0), at(90));
        assert_eq!(
            short(&course.health),
            [(Health::Ok, 0, 0), (Health::Ok, 90, 90)]
        );
        let last = course.health[1];
        assert_eq!(last.end(true, at(100)), at(100));
        assert_eq!(last.end(true, at(500)), at(180));
        assert_eq!(last.end(false, at(500)), at(90));
        // A position that has expired at the actor is none.
        let mut unknown = report(Health::Ok, 0.0, 50.0);
        unknown.enclosure.as_mut().unwrap().dome = None;
        course.reported(&unknown, at(105));
        assert_eq!(short(&course.dome).last(), Some(&(Dome::Open, 90, 90)));
    }

    #[test]
    fn of_each_two_minutes_the_least_margin_is_kept_and_whether_it_was_withheld() {
        let mut course = Course::default();
        course.reported(&report(Health::Ok, 0.0, 50.04), at(0));
        course.reported(&report(Health::Held, 0.0, 12.0), at(15));
        course.reported(&report(Health::Ok, 0.0, 55.0), at(30));
        let mut ran_out = report(Health::Closing, 0.0, 0.0);
        ran_out.delivery.as_mut().unwrap().closing_for = Some(4.0);
        course.reported(&ran_out, at(STEP));
        course.reported(&report(Health::Bypassed, 0.0, 1.0), at(2 * STEP));
        let margin = |secs, left, withheld| Margin {
            at: at(secs),
            left,
            withheld,
        };
        assert_eq!(
            course.margins,
            [margin(15, 12.0, true), margin(STEP, 0.0, true)]
        );
    }

    #[test]
    fn x2_however_much_is_reported_it_stays_small_and_can_be_read_again() {
        let mut course = Course::default();
        for step in 0..5000 {
            let health = if step % 2 == 0 {
                Health::Ok
            } else {
                Health::Held
            };
            let left = [f64::MAX, f64::MIN, f64::NAN][usize::try_from(step).unwrap() % 3];
            course.reported(&report(health, f64::MAX, left), at(step * 40));
        }
        assert_eq!(course.health.len(), MAX_STRETCHES);
        assert!(course.margins.len() <= 721, "{}", course.margins.len());
        let text = serde_json::to_string(&course).unwrap();
        assert_eq!(serde_json::from_str::<Course>(&text).unwrap(), course);
    }

    #[test]
    fn a_wall_clock_that_was_wrong_for_a_while_does_no_lasting_harm() {
        let mut course = Course::default();
        course.reported(&report(Health::Ok, 0.0, 50.0), at(1_000_000));
        course.reported(&report(Health::Ok, 0.0, 50.0), at(10));
        assert_eq!(short(&course.health), [(Health::Ok, 10, 10)]);
        assert_eq!(course.margins.len(), 1);
    }
}
