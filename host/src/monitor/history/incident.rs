//! Incidents: times in which the observatory was silent, or the PLC got no heartbeat of lvmbeat;
//! with causes and course, as far as beats and reports said so.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::KEPT;
use crate::peer::{self, Secrets};
use crate::report::{Dome, Health, HeartbeatReport, Report, before};

/// How many incidents are kept, the latest.
const MAX_INCIDENTS: usize = 64;
/// How many causes of each.
const MAX_CAUSES: usize = 16;
/// How many steps of each: the first half of them, and the latest.
const MAX_STEPS: usize = 24;
/// What begins again so soon is the same incident.
const AGAIN: SignedDuration = SignedDuration::from_secs(120);

/// One of them.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub struct Incident {
    /// Its begin: of a silence, the last beat before it.
    pub from: Timestamp,
    /// Its end; it goes on if there is none.
    pub to: Option<Timestamp>,
    /// Why, in the order in which it became known.
    pub causes: Vec<Cause>,
    /// What happened, oldest first.
    pub course: Vec<Step>,
    /// Steps in the middle that were left out.
    pub left_out: u32,
}

/// Why the PLC got no heartbeat.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub struct Cause {
    /// What it is about, without its numbers.
    pub about: String,
    /// In words.
    pub text: String,
    /// Since when.
    pub from: Timestamp,
    /// Until when; it goes on if there is none.
    pub to: Option<Timestamp>,
}

/// One thing that happened.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Happened,
}

/// What happened.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// The dome heartbeat became so.
    Health(Health),
    /// The dome was reported there.
    Dome(Dome),
    /// Nobody knew where the dome was.
    DomeUnknown,
    /// The PLC's time ran out.
    TimeRanOut,
    /// The actor's farewell.
    Stopped(String),
    /// Nothing was heard any more.
    Silent,
    /// The observatory was heard again.
    Heard,
    /// The monitor was not listening, until then.
    Blind(Timestamp),
}

/// All of them, oldest first. Only the last one may go on.
#[derive(Serialize, Deserialize, Clone, PartialEq, Default, Debug)]
#[serde(transparent)]
pub struct Incidents(pub Vec<Incident>);

impl Incidents {
    /// A report was received.
    pub(super) fn reported(&mut self, report: &Report, wall: Timestamp) {
        self.clean(wall);
        let health = report.standing();
        if health.closes_the_dome() {
            let since = report.health.as_ref().and_then(|health| health.seconds);
            let held = report.hold.as_ref().filter(|hold| hold.fault);
            let since = since.or(held.and_then(|hold| hold.seconds));
            let since = ago(wall, since.unwrap_or_default());
            let incident = self.going_on(since);
            incident.time_ran_out(report, wall);
            incident.became(health, since);
            incident.dome_is(report, wall);
            incident.is_caused_by(&causes(report, wall), wall);
        } else if let Some(incident) = self.open() {
            incident.dome_is(report, wall);
            incident.became(health, wall);
            incident.end(wall);
        }
        if let Some(stopping) = &report.stopping {
            // It belongs to the silence that follows: that begins with this beat.
            let incident = self.going_on(wall);
            incident.step(wall, Happened::Stopped(stopping.text.clone()));
        }
    }

    /// The observatory has been silent since `from`.
    pub(super) fn silent(&mut self, from: Timestamp) {
        let incident = self.going_on(from);
        incident.step(from, Happened::Silent);
    }

    /// The observatory is heard.
    pub(super) fn heard(&mut self, wall: Timestamp) {
        if let Some(incident) = self.open() {
            incident.heard(wall);
        }
    }

    /// The monitor was not listening in this time.
    pub(super) fn blind(&mut self, from: Timestamp, to: Timestamp) {
        if let Some(incident) = self.open() {
            incident.step(from, Happened::Blind(to));
        }
    }

    fn open(&mut self) -> Option<&mut Incident> {
        self.0.last_mut().filter(|last| last.to.is_none())
    }

    /// The incident that goes on, goes on again, or begins at that moment.
    fn going_on(&mut self, from: Timestamp) -> &mut Incident {
        let is_new = self
            .0
            .last()
            .is_none_or(|last| last.to.is_some_and(|to| from.duration_since(to) >= AGAIN));
        if is_new {
            self.0.push(Incident {
                from,
                to: None,
                causes: Vec::new(),
                course: Vec::new(),
                left_out: 0,
            });
        }
        let last = self.0.len() - 1;
        let incident = &mut self.0[last];
        incident.to = None;
        incident
    }

    /// Forgets what is too old, and what would not have happened yet.
    pub(super) fn clean(&mut self, wall: Timestamp) {
        let oldest = wall.saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
        self.0.retain_mut(|incident| {
            incident.to = incident.to.map(|to| to.min(wall));
            incident.from <= wall && incident.to.is_none_or(|to| to > oldest)
        });
        let many = self.0.len().saturating_sub(MAX_INCIDENTS - 1);
        self.0.drain(..many);
    }

    /// What others have written, as it may be shown (X1).
    pub(in crate::monitor) fn shown(mut self, secrets: &Secrets) -> Self {
        let clean = |text: &mut String| *text = peer::shown(text.as_bytes(), secrets);
        for incident in &mut self.0 {
            for cause in &mut incident.causes {
                clean(&mut cause.about);
                clean(&mut cause.text);
            }
            for step in &mut incident.course {
                if let Happened::Stopped(text) = &mut step.what {
                    clean(text);
                }
            }
        }
        self
    }
}

impl Incident {
    /// Whether the dome heartbeat was last reported to be withheld.
    pub fn is_withheld(&self) -> bool {
        let health = |step: &Step| {
            if let Happened::Health(health) = step.what {
                Some(health)
            } else {
                None
            }
        };
        let last = self.course.iter().rev().find_map(health);
        last.is_some_and(Health::closes_the_dome)
    }

    fn is_silent(&self) -> bool {
        let of_beats = |step: &&Step| matches!(step.what, Happened::Silent | Happened::Heard);
        let last = self.course.iter().rev().find(of_beats);
        last.is_some_and(|last| last.what == Happened::Silent)
    }

    fn heard(&mut self, wall: Timestamp) {
        if self.is_silent() {
            self.step(wall, Happened::Heard);
        }
        // Only a report says that the dome heartbeat arrives again.
        if !self.is_withheld() {
            self.end(wall);
        }
    }

    fn became(&mut self, health: Health, at: Timestamp) {
        // What is only late holds nothing.
        let health = if health == Health::Late {
            Health::Ok
        } else {
            health
        };
        let is_new = |step: &&Step| matches!(step.what, Happened::Health(_));
        let last = self.course.iter().rev().find(is_new);
        if last.is_none_or(|last| last.what != Happened::Health(health)) {
            self.step(at, Happened::Health(health));
        }
    }

    fn dome_is(&mut self, report: &Report, wall: Timestamp) {
        let Some(enclosure) = &report.enclosure else {
            return;
        };
        let (dome, age) = enclosure.dome_after(0.0);
        let what = dome.map_or(Happened::DomeUnknown, Happened::Dome);
        let of_dome = |step: &&Step| matches!(step.what, Happened::Dome(_) | Happened::DomeUnknown);
        let last = self.course.iter().rev().find(of_dome);
        if last.is_none_or(|last| last.what != what) {
            self.step(ago(wall, age.unwrap_or_default()), what);
        }
    }

    fn time_ran_out(&mut self, report: &Report, wall: Timestamp) {
        let ran_out = report.delivery.as_ref().and_then(|it| it.closing_for);
        let Some(ran_out) = ran_out else { return };
        let fed = |step: &&Step| step.what == Happened::Health(Health::Ok);
        let since_fed = self.course.iter().rev().take_while(|step| !fed(step));
        if since_fed
            .map(|step| &step.what)
            .all(|what| *what != Happened::TimeRanOut)
        {
            self.step(ago(wall, ran_out), Happened::TimeRanOut);
        }
    }

    fn is_caused_by(&mut self, now: &[Cause], wall: Timestamp) {
        for cause in &mut self.causes {
            if !now.iter().any(|one| one.about == cause.about) {
                cause.to.get_or_insert(wall);
            }
        }
        for cause in now {
            let known = self.causes.iter().position(|it| it.about == cause.about);
            match known {
                Some(known) => self.causes[known].to = None,
                None if self.causes.len() < MAX_CAUSES => self.causes.push(cause.clone()),
                None => {}
            }
        }
    }

    fn end(&mut self, wall: Timestamp) {
        self.to = Some(wall.max(self.from));
        for cause in &mut self.causes {
            cause.to.get_or_insert(wall);
        }
    }

    /// Steps are in order, whatever the ages in the reports say.
    fn step(&mut self, at: Timestamp, what: Happened) {
        let at = self.course.last().map_or(at, |last| at.max(last.at));
        if self.course.len() == MAX_STEPS {
            self.course.remove(MAX_STEPS / 2);
            self.left_out = self.left_out.saturating_add(1);
        }
        self.course.push(Step { at, what });
    }
}

/// So many seconds before, and not longer than anything is kept (X2).
fn ago(wall: Timestamp, seconds: f64) -> Timestamp {
    let oldest = wall.saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
    before(wall, seconds).unwrap_or(wall).clamp(oldest, wall)
}

/// Every cause that a report names, without ages: they grow, and the moment stays.
fn causes(report: &Report, wall: Timestamp) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut add = |about: String, text: String, age: Option<f64>| {
        causes.push(Cause {
            about,
            text,
            from: ago(wall, age.unwrap_or_default()),
            to: None,
        });
    };
    let missing = |heartbeat: &&HeartbeatReport| heartbeat.critical && !heartbeat.current;
    for heartbeat in report.heartbeats.iter().filter(missing) {
        let name = &heartbeat.name;
        let text = match heartbeat.age {
            Some(_) => format!("no beat of {name}"),
            None => format!("{name} was never heard"),
        };
        add(format!("heartbeat {name}"), text, heartbeat.age);
    }
    for link in report.network.iter().filter(|link| !link.up) {
        let text = format!("link {} is down", link.name);
        add(text.clone(), text, None);
    }
    if let Some(hold) = report.hold.as_ref().filter(|hold| hold.fault) {
        let is_named = ["heartbeat_", "link_"]
            .iter()
            .any(|of| hold.reason.starts_with(of));
        if !is_named || causes.is_empty() {
            causes.push(Cause {
                about: hold.reason.clone(),
                text: hold.text.clone(),
                from: ago(wall, hold.seconds.unwrap_or_default()),
                to: None,
            });
        }
    }
    if let Some(text) = report.undelivered() {
        let delivery = report.delivery.as_ref();
        let since = delivery.and_then(|delivery| delivery.seconds);
        causes.push(Cause {
            about: text.clone(),
            text: text.clone(),
            from: ago(wall, since.unwrap_or_default()),
            to: None,
        });
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{DeliveryReport, EnclosureReport, HealthReport, HoldReport};

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + secs).unwrap()
    }

    fn secs(time: Timestamp) -> i64 {
        time.duration_since(at(0)).as_secs()
    }

    fn report(health: Health, seconds: f64, dome: Option<Dome>) -> Report {
        Report {
            health: Some(HealthReport {
                state: Some(health),
                seconds: Some(seconds),
                ..HealthReport::default()
            }),
            enclosure: Some(EnclosureReport {
                dome,
                ..EnclosureReport::default()
            }),
            ..Report::default()
        }
    }

    fn silent(names: &[(&str, f64)]) -> Vec<HeartbeatReport> {
        let source = |&(name, age): &(&str, f64)| HeartbeatReport {
            name: name.to_owned(),
            critical: true,
            age: Some(age),
            ..HeartbeatReport::default()
        };
        names.iter().map(source).collect()
    }

    fn course(incident: &Incident) -> Vec<(i64, Happened)> {
        let short = |step: &Step| (secs(step.at), step.what.clone());
        incident.course.iter().map(short).collect()
    }

    #[test]
    fn a_closing_is_one_incident_with_all_causes_and_its_course() {
        let mut incidents = Incidents::default();
        incidents.reported(&report(Health::Ok, 900.0, Some(Dome::Open)), at(0));
        assert_eq!(incidents.0, []);
        let mut held = report(Health::Held, 2.0, Some(Dome::Open));
        held.heartbeats = silent(&[("overwatcher", 32.0)]);
        incidents.reported(&held, at(10));
        held.heartbeats = silent(&[("overwatcher", 47.0), ("weather", 31.0)]);
        incidents.reported(&held, at(25));
        let mut closing = report(Health::Closing, 3.0, Some(Dome::Moving));
        closing.delivery = Some(DeliveryReport {
            closing_for: Some(3.0),
            ..DeliveryReport::default()
        });
        closing.heartbeats = silent(&[("weather", 76.0)]);
        incidents.reported(&closing, at(70));
        incidents.reported(&closing, at(85));
        let closed = report(Health::ClosedByWatchdog, 1.0, Some(Dome::Closed));
        incidents.reported(&closed, at(100));
        incidents.reported(&report(Health::Ok, 0.0, Some(Dome::Closed)), at(130));

        let [incident] = &incidents.0[..] else {
            panic!("{incidents:?}")
        };
        assert_eq!((secs(incident.from), incident.to), (8, Some(at(130))));
        assert_eq!(
            course(incident),
            [
                (8, Happened::Health(Health::Held)),
                (10, Happened::Dome(Dome::Open)),
                (67, Happened::TimeRanOut),
                (67, Happened::Health(Health::Closing)),
                (70, Happened::Dome(Dome::Moving)),
                (99, Happened::Health(Health::ClosedByWatchdog)),
                (100, Happened::Dome(Dome::Closed)),
                (130, Happened::Health(Health::Ok)),
            ]
        );
        let causes = incident.causes.iter().map(|cause| {
            let to = cause.to.map(secs);
            (cause.text.as_str(), secs(cause.from), to)
        });
        assert_eq!(
            causes.collect::<Vec<_>>(),
            [
                ("no beat of overwatcher", -22, Some(70)),
                ("no beat of weather", -6, Some(100)),
            ]
        );
    }

    #[test]
    fn what_is_withheld_is_over_only_when_a_report_says_so() {
        let mut incidents = Incidents::default();
        incidents.reported(&report(Health::NotArriving, 0.0, None), at(0));
        incidents.heard(at(15));
        incidents.silent(at(15));
        incidents.blind(at(400), at(500));
        incidents.heard(at(600));
        let incident = incidents.0.last().unwrap();
        assert_eq!(incident.to, None);
        assert_eq!(
            course(incident),
            [
                (0, Happened::Health(Health::NotArriving)),
                (0, Happened::DomeUnknown),
                (15, Happened::Silent),
                (400, Happened::Blind(at(500))),
                (600, Happened::Heard),
            ]
        );
        incidents.reported(&report(Health::Late, 0.0, None), at(601));
        assert_eq!(incidents.0.last().unwrap().to, Some(at(601)));
    }

    #[test]
    fn a_silence_alone_is_over_with_the_next_beat() {
        let mut incidents = Incidents::default();
        incidents.silent(at(5));
        incidents.heard(at(400));
        incidents.heard(at(415));
        let incident = incidents.0.last().unwrap();
        assert_eq!((secs(incident.from), incident.to), (5, Some(at(400))));
        assert_eq!(
            course(incident),
            [(5, Happened::Silent), (400, Happened::Heard)]
        );
    }

    #[test]
    fn a_farewell_begins_what_the_silence_goes_on_with() {
        let mut incidents = Incidents::default();
        let mut farewell = report(Health::Ok, 0.0, Some(Dome::Open));
        farewell.stopping = Some(crate::report::StoppingReport {
            text: "stopped by SIGTERM".to_owned(),
        });
        incidents.heard(at(0));
        incidents.reported(&farewell, at(0));
        incidents.silent(at(0));
        incidents.heard(at(900));
        assert_eq!(
            course(incidents.0.last().unwrap()),
            [
                (0, Happened::Stopped("stopped by SIGTERM".to_owned())),
                (0, Happened::Silent),
                (900, Happened::Heard),
            ]
        );
    }

    #[test]
    fn what_begins_again_at_once_is_the_same_incident() {
        let mut incidents = Incidents::default();
        for start in [0, 60, 170, 300] {
            incidents.reported(&report(Health::Held, 0.0, None), at(start));
            incidents.reported(&report(Health::Ok, 0.0, None), at(start + 20));
        }
        let ends = incidents
            .0
            .iter()
            .map(|it| (secs(it.from), it.to.map(secs)));
        assert_eq!(ends.collect::<Vec<_>>(), [(0, Some(320))]);
        incidents.reported(&report(Health::Held, 0.0, None), at(440));
        assert_eq!(incidents.0.len(), 2);
    }

    #[test]
    fn a_hold_for_another_reason_is_a_cause_and_an_earlier_actor_is_understood() {
        let mut incidents = Incidents::default();
        let mut held = Report {
            hold: Some(HoldReport {
                reason: "path_slow".to_owned(),
                fault: true,
                text: "messages take 5.2 s".to_owned(),
                seconds: Some(4.0),
            }),
            ..Report::default()
        };
        incidents.reported(&held, at(10));
        held.hold.as_mut().unwrap().text = "messages take 6.1 s".to_owned();
        incidents.reported(&held, at(25));
        let incident = incidents.0.last().unwrap();
        assert_eq!(secs(incident.from), 6);
        let [cause] = &incident.causes[..] else {
            panic!("{incident:?}")
        };
        assert_eq!(cause.text, "messages take 5.2 s");
    }

    #[test]
    fn x2_however_much_is_reported_it_stays_small_and_can_be_read_again() {
        let mut incidents = Incidents::default();
        for step in 0..500 {
            for (offset, health) in [Health::Held, Health::Closing].into_iter().enumerate() {
                let mut held = report(health, f64::MAX, None);
                held.delivery = Some(DeliveryReport {
                    text: Some(format!("refused: {step}.{offset}")),
                    ..DeliveryReport::default()
                });
                incidents.reported(&held, at(step * 1000));
                let mut again = report(Health::Held, f64::MIN, None);
                again.heartbeats = silent(&[("a", f64::MAX), ("b", f64::NAN)]);
                for second in 0..30 {
                    let dome = Dome::ALL[usize::try_from(second).unwrap() % 4];
                    again.enclosure.as_mut().unwrap().dome = Some(dome);
                    incidents.reported(&again, at(step * 1000 + second));
                }
            }
            incidents.reported(&report(Health::Ok, 0.0, None), at(step * 1000 + 40));
        }
        assert!(incidents.0.len() <= MAX_INCIDENTS && incidents.0.len() > MAX_INCIDENTS / 2);
        for incident in &incidents.0 {
            assert!(incident.course.len() <= MAX_STEPS && incident.left_out > 0);
            assert!(incident.causes.len() <= MAX_CAUSES);
            let times = incident.course.iter().map(|step| step.at);
            assert!(times.is_sorted());
        }
        let text = serde_json::to_string(&incidents).unwrap();
        assert!(text.len() < 1_000_000, "{}", text.len());
        assert_eq!(serde_json::from_str::<Incidents>(&text).unwrap(), incidents);
    }

    #[test]
    fn a_wall_clock_that_was_wrong_for_a_while_does_no_lasting_harm() {
        let mut incidents = Incidents::default();
        incidents.reported(&report(Health::Held, 0.0, None), at(1_000_000));
        incidents.reported(&report(Health::Held, 0.0, None), at(10));
        let incident = incidents.0.last().unwrap();
        assert_eq!((incidents.0.len(), secs(incident.from)), (1, 10));
    }
}
