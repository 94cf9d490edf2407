//! Is the dome about to close, and who has to know? Pure: no I/O, time is an argument.
//!
//! *Trouble* is: the actor says that the PLC gets no heartbeat, and the dome is not known to be
//! closed. Trouble that has lasted for `after` is an incident, which people are notified of once;
//! it is over when it has not come back for `clear_after`, and people are notified of that once
//! (M4).
//!
//! Only reports begin and end trouble. After a start or a lapse of attention nothing is raised
//! before a report has confirmed it (M3). A report that does not say how the whole is (an earlier
//! actor's, or one of an actor in stand-by) changes nothing.
//!
//! Call [`report`](Held::report) for each report, [`lapse`](Held::lapse) for each lapse, and
//! [`check`](Held::check) several times a second until it gives `None`. Each call costs a constant
//! number of steps, but for the lists of one report.

mod cause;
mod dome;

use embassy_time::{Duration, Instant};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::notice::{Moved, Trouble};
use crate::clock::{Moment, seconds};
use crate::report::{Dome, Health, Report};
use dome::LastDome;

/// Moves of the dome that one incident keeps: the first and the latest.
const MOST_MOVES: usize = 32;

/// When to tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Limits {
    /// Trouble that has lasted for so long raises an alert; `None`: never.
    pub(super) after: Option<Duration>,
    /// What is over and has not come back for so long raises the all-clear.
    pub(super) clear_after: Duration,
    /// The time between two reminders, if there are any.
    pub(super) remind_every: Option<Duration>,
}

/// What people have to be notified of, with its incident.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum News {
    Begun(Uuid, Trouble),
    GoesOn(Uuid, Trouble),
    Over(Uuid, Trouble),
}

/// The machine.
#[derive(Debug)]
pub(super) struct Held {
    limits: Limits,
    dome: LastDome,
    /// The last report that said how the whole is, if one came since the start or the last lapse.
    heard: Option<Heard>,
    trouble: Option<Going>,
    /// The heartbeat was withheld at the last report, whether or not that was trouble.
    withheld: bool,
}

/// What the last report said.
#[derive(Clone, PartialEq, Debug)]
struct Heard {
    at: Moment,
    report: Report,
    health: Health,
}

/// Trouble that goes on.
#[derive(Clone, PartialEq, Debug)]
struct Going {
    began: Instant,
    /// The incident, if people were notified.
    notified: Option<Uuid>,
    /// When they were last notified that it goes on.
    reminded: Instant,
    /// It seems to be over since then.
    over: Option<Over>,
    story: Trouble,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Over {
    since: Instant,
    /// The last report that said so.
    heard: Instant,
}

/// What survives a restart. Times are milliseconds; that during which the monitor was not running
/// does not count.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub(super) struct Saved {
    lasted: u64,
    notified: Option<Uuid>,
    since_told: u64,
    over: Option<u64>,
    story: Trouble,
}

impl Saved {
    /// The words of others in it.
    pub(super) fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        self.story.texts()
    }
}

impl Held {
    /// Goes on from what was saved, and begins to listen at `now`.
    pub(super) fn restore(limits: Limits, saved: Option<Saved>, now: Instant) -> Self {
        let before = |millis: u64| back(now, Duration::from_millis(millis.min(MOST_MILLIS)));
        let saved = saved.filter(|_| limits.after.is_some());
        let trouble = saved.map(|saved| Going {
            began: before(saved.lasted),
            notified: saved.notified,
            reminded: before(saved.since_told),
            over: saved.over.map(|since| Over {
                since: before(since),
                heard: before(since),
            }),
            story: saved.story,
        });
        Self {
            limits,
            dome: LastDome::default(),
            heard: None,
            withheld: trouble.is_some(),
            trouble,
        }
    }

    /// What has to survive a restart.
    pub(super) fn save(&self, now: Instant) -> Option<Saved> {
        let going = self.trouble.as_ref()?;
        Some(Saved {
            lasted: age(going.began, now).as_millis(),
            notified: going.notified,
            since_told: age(going.reminded, now).as_millis(),
            over: going.over.map(|over| age(over.since, now).as_millis()),
            story: going.story.clone(),
        })
    }

    /// The process was not listening: what it knows may be long over.
    pub(super) fn lapse(&mut self) {
        self.heard = None;
    }

    /// The actor has reported.
    pub(super) fn report(&mut self, report: &Report, at: Moment) {
        if let Some(enclosure) = &report.enclosure {
            let closes_in = report.delivery.as_ref().and_then(|it| it.closes_in);
            self.dome.report(enclosure, closes_in, at);
        }
        let Some(health) = health(report) else {
            return;
        };
        let was_withheld = std::mem::replace(&mut self.withheld, health.closes_the_dome());
        self.heard = Some(Heard {
            at,
            report: report.clone(),
            health,
        });
        self.look(was_withheld, at);
    }

    /// What people have to be notified of, if anything; to be called until it gives `None`. Nothing
    /// begins, and nobody is reminded, unless `may_raise`; the end of what they know is.
    #[must_use = "news that are dropped are lost (M2)"]
    pub(super) fn check(&mut self, may_raise: bool, at: Moment) -> Option<News> {
        // The dome may not be known any more, although nobody has said anything.
        self.look(self.withheld, at);
        let after = self.limits.after?;
        let heard = self.heard.as_ref()?;
        let going = self.trouble.as_mut()?;
        let lasted = age(going.began, at.now);
        if let Some(over) = going.over {
            let stable = age(over.since, over.heard.max(over.since));
            if stable < self.limits.clear_after {
                return None;
            }
            let notified = going.notified?;
            let story = going.story.clone();
            self.trouble = None;
            return Some(News::Over(notified, story));
        }
        if !may_raise || lasted < after {
            return None;
        }
        tell(&mut going.story, heard, &self.dome, lasted, at);
        if let Some(incident) = going.notified {
            let every = self.limits.remind_every?;
            if age(going.reminded, at.now) < every {
                return None;
            }
            going.reminded = at.now;
            return Some(News::GoesOn(incident, going.story.clone()));
        }
        let incident = Uuid::new_v4();
        going.notified = Some(incident);
        going.reminded = at.now;
        Some(News::Begun(incident, going.story.clone()))
    }

    /// Whether it seems to be over; for how long that lasts is not known yet.
    pub(super) fn seems_over(&self) -> bool {
        let over = |going: &Going| going.over.is_some();
        self.trouble.as_ref().is_some_and(over)
    }

    /// The incident that people were notified of and that is not over.
    pub(super) fn incident(&self) -> Option<Uuid> {
        self.trouble.as_ref()?.notified
    }

    /// Follows what is known: trouble begins, goes on, or is over.
    fn look(&mut self, was_withheld: bool, at: Moment) {
        let Some(heard) = &self.heard else {
            return;
        };
        let since_report = age(heard.at.now, at.now);
        let is_young = heard
            .report
            .uptime
            .is_some_and(|uptime| uptime + seconds(since_report) < self.dome.expire());
        let is_closed = self.dome.is_closed(is_young, at.now);
        let is_trouble = heard.health.closes_the_dome() && !is_closed;
        let is_report = heard.at == at;
        match (&mut self.trouble, is_trouble) {
            (None, false) => {}
            (None, true) => {
                // The actor says for how long, if the report that said so came late. A dome that
                // opens under a heartbeat that is held begins it now.
                let held = heard
                    .report
                    .health
                    .as_ref()
                    .and_then(|health| health.seconds);
                let held = held.filter(|_| !was_withheld && is_report).unwrap_or(0.0);
                let began = back(at.now, duration(held));
                let lasted = seconds(age(began, at.now));
                let began_wall = crate::report::before(at.wall, lasted).unwrap_or(at.wall);
                let mut going = Going {
                    began,
                    notified: None,
                    reminded: at.now,
                    over: None,
                    story: Trouble::begins(began_wall, heard.health),
                };
                tell(&mut going.story, heard, &self.dome, age(began, at.now), at);
                self.trouble = Some(going);
            }
            (Some(going), true) => {
                going.over = None;
                going.story.ended = None;
                if is_report {
                    let lasted = age(going.began, at.now);
                    tell(&mut going.story, heard, &self.dome, lasted, at);
                }
            }
            (Some(going), false) if going.notified.is_none() => self.trouble = None,
            (Some(going), false) => {
                let gap = |over: &Over| age(over.heard, at.now);
                let over = going
                    .over
                    .filter(|over| gap(over) < self.limits.clear_after.max(GAP));
                let over = over.unwrap_or_else(|| {
                    going.story.ended.get_or_insert(at.wall);
                    Over {
                        since: at.now,
                        heard: at.now,
                    }
                });
                let heard_at = if is_report { at.now } else { over.heard };
                going.over = Some(Over {
                    since: over.since,
                    heard: heard_at,
                });
                let lasted = age(going.began, over.since);
                tell(&mut going.story, heard, &self.dome, lasted, at);
            }
        }
    }
}

/// Two reports that are this far apart say nothing of the time between them, however short
/// `clear_after` is.
const GAP: Duration = Duration::from_secs(60);
/// Longer times are no times (X2).
const MOST_MILLIS: u64 = 366 * 86_400 * 1000;

/// How the whole is, if the report says so. One that is not known is that of an actor in stand-by.
fn health(report: &Report) -> Option<Health> {
    let health = report.health.as_ref()?.state?;
    (health != Health::Unknown).then_some(health)
}

/// Brings what people are notified of up to that moment.
fn tell(story: &mut Trouble, heard: &Heard, dome: &LastDome, lasted: Duration, at: Moment) {
    let since_report = seconds(age(heard.at.now, at.now));
    let report = &heard.report;
    story.health = heard.health;
    story.lasted = seconds(lasted);
    story.reported = heard.at.wall;
    if heard.health.closes_the_dome() {
        story.causes = cause::of(report, heard.health, since_report);
        story.remember();
        let left = report
            .delivery
            .as_ref()
            .and_then(|delivery| delivery.closes_in);
        let left = left.and_then(|left| SignedDuration::try_from_secs_f64(left).ok());
        let closes = left.and_then(|left| heard.at.wall.checked_add(left).ok());
        story.plc_closes = closes.or(story.plc_closes);
    }
    let enclosure = report.enclosure.as_ref();
    story.engineering_mode = enclosure.and_then(|enclosure| enclosure.engineering_mode);
    story.dome = dome.known(at.now);
    story.dome_unknown_since = dome.unknown_since(at.now);
    follow_dome(&mut story.moves, story.dome, dome.said(), at.wall);
}

/// What the dome did. When it moved is when it was first heard to be elsewhere.
fn follow_dome(
    moves: &mut Vec<Moved>,
    dome: Option<Dome>,
    said: Option<Timestamp>,
    wall: Timestamp,
) {
    if moves.last().is_some_and(|last| last.dome == dome) {
        return;
    }
    if moves.len() >= MOST_MOVES {
        moves.remove(1);
    }
    moves.push(Moved {
        at: said.filter(|_| dome.is_some()).unwrap_or(wall),
        dome,
    });
}

/// Nothing if the clock went back.
fn age(since: Instant, now: Instant) -> Duration {
    now.checked_duration_since(since).unwrap_or(Duration::MIN)
}

fn back(now: Instant, by: Duration) -> Instant {
    now.checked_sub(by).unwrap_or(Instant::MIN)
}

/// Any number that JSON can hold (X2).
fn duration(seconds: f64) -> Duration {
    let std = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let millis = u64::try_from(std.as_millis()).unwrap_or(MOST_MILLIS);
    Duration::from_millis(millis.min(MOST_MILLIS))
}

#[cfg(test)]
mod tests;
