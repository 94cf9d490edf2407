//! What has changed from one view of the actor to the next. Pure: the view and the time go in.

use jiff::Timestamp;
use lvmbeat_core::Outcome;
use lvmbeat_core::emission::Counts;

use super::entry::{Event, Run};
use crate::actor::{Kind, SessionState, Snapshot};
use crate::report::{Dome, Health};

/// Remembers what the last view showed.
#[derive(Default, Debug)]
pub struct Changes {
    session: Option<SessionState>,
    lapses: u64,
    health: Option<Health>,
    held: Option<Held>,
    emissions: Counts,
    run: Option<Run>,
    ran_out: bool,
    dome: Option<&'static str>,
    engineering_mode: Option<bool>,
    plc_error: bool,
}

/// What withholds the dome heartbeat.
#[derive(Debug)]
struct Held {
    /// Without numbers, which change all the time.
    causes: Vec<(Kind, String)>,
    since: Timestamp,
}

impl Changes {
    /// Nothing was seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What this view shows that the last one did not, in the order in which it is told.
    pub fn observe(&mut self, shown: &Snapshot, wall: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        self.session(shown, &mut events);
        if shown.counters.lapses > self.lapses {
            self.lapses = shown.counters.lapses;
            events.push(Event::Lapse);
        }
        self.health(shown, &mut events);
        self.hold(shown, wall, &mut events);
        self.emissions(shown, wall, &mut events);
        self.plc(shown, &mut events);
        events
    }

    fn session(&mut self, shown: &Snapshot, events: &mut Vec<Event>) {
        if self.session == Some(shown.session) {
            return;
        }
        self.session = Some(shown.session);
        let (state, text) = match shown.session {
            SessionState::Connecting => ("connecting", "no session with the broker"),
            SessionState::StandBy => ("stand_by", "another lvmbeat is active; this one stands by"),
            SessionState::Blocked => ("blocked", "the broker accepts no messages"),
            SessionState::Open => ("open", "session with the broker open"),
        };
        let error = shown.session_error.as_deref();
        events.push(Event::Session {
            state: state.to_owned(),
            text: match error.filter(|_| shown.session == SessionState::Connecting) {
                Some(error) => format!("{text}: {error}"),
                None => text.to_owned(),
            },
        });
    }

    fn health(&mut self, shown: &Snapshot, events: &mut Vec<Event>) {
        let health = &shown.health;
        if self.health.replace(health.state) == Some(health.state) {
            return;
        }
        events.push(Event::Health {
            state: health.state.as_str().to_owned(),
            text: health.text.clone(),
            causes: health.late.iter().map(|late| late.text.clone()).collect(),
        });
    }

    fn hold(&mut self, shown: &Snapshot, wall: Timestamp, events: &mut Vec<Event>) {
        let Some(first) = shown.hold.as_ref().filter(|hold| hold.fault) else {
            if let Some(held) = self.held.take() {
                let held_for = wall.duration_since(held.since).as_secs_f64();
                events.push(Event::Released {
                    held_for: Some(held_for.max(0.0)),
                });
            }
            return;
        };
        let all = || shown.health.late.iter().filter(|late| late.holds);
        let keys: Vec<_> = all().map(|late| late.key.clone()).collect();
        if self.held.as_ref().is_some_and(|held| held.causes == keys) {
            return;
        }
        let since = self.held.take().map_or(wall, |held| held.since);
        self.held = Some(Held {
            causes: keys,
            since,
        });
        events.push(Event::Held {
            cause: first.cause.as_str().to_owned(),
            causes: all().map(|late| late.text.clone()).collect(),
        });
    }

    fn emissions(&mut self, shown: &Snapshot, wall: Timestamp, events: &mut Vec<Event>) {
        // The newest outcome last: several may have ended since the last view.
        let newest = shown.last_outcome;
        let others = Outcome::ALL.into_iter().filter(|it| Some(*it) != newest);
        for outcome in others.chain(newest) {
            let ended = shown
                .emissions
                .of(outcome)
                .saturating_sub(self.emissions.of(outcome));
            if ended == 0 {
                continue;
            }
            let failed = outcome != Outcome::Acknowledged && shown.delivery.failures > 0;
            match &mut self.run {
                Some(run) if run.outcome == outcome.as_str() => {
                    run.count = run.count.saturating_add(ended.into());
                }
                run => {
                    let before = run.replace(Run {
                        outcome: outcome.as_str().to_owned(),
                        count: ended.into(),
                        since: wall,
                    });
                    events.push(Event::Emissions {
                        outcome: outcome.as_str().to_owned(),
                        text: shown.delivery.text.clone().filter(|_| failed),
                        before,
                    });
                }
            }
        }
        self.emissions = shown.emissions;
    }

    fn plc(&mut self, shown: &Snapshot, events: &mut Vec<Event>) {
        let delivery = &shown.delivery;
        // Before anything was acknowledged only the PLC itself can say so.
        let ran_out = delivery.closing_for.is_some() && delivery.acknowledged;
        if ran_out && !self.ran_out {
            let silence = delivery.seconds;
            events.push(Event::PlcTimeRanOut { silence });
        }
        self.ran_out = ran_out;
        let error = shown.enclosure.plc_heartbeat_error(shown.at);
        if let Some(on) = error.filter(|on| *on != self.plc_error) {
            self.plc_error = on;
            events.push(Event::PlcError { on });
        }
        let known = shown.enclosure.dome(shown.at);
        let dome = known.map_or("unknown", Dome::as_str);
        if self.dome != Some(dome) && (self.dome.is_some() || dome != "unknown") {
            self.dome = Some(dome);
            events.push(Event::Dome {
                state: dome.to_owned(),
            });
        }
        let mode = shown.enclosure.engineering_mode(shown.at);
        if self.engineering_mode != mode {
            // That it is off, where it was not known, is nothing to tell.
            if self.engineering_mode.is_some() || mode == Some(true) {
                events.push(Event::EngineeringMode { on: mode });
            }
            self.engineering_mode = mode;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::story::{Verdict, last_closing};
    use super::super::{Entry, Journal};
    use super::*;
    use crate::actor::snapshot::tests::{assessed, delivered, snapshot as snapshot_for_tests};
    use crate::actor::snapshot::{HeartbeatView, Hold, LinkView};
    use crate::clock::Moment;
    use lvmbeat_core::{Cause, LinkState};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Two critical heartbeats and a link, all well.
    fn well() -> Snapshot {
        let mut shown = snapshot_for_tests();
        let heartbeat = |name: &str| HeartbeatView {
            name: name.to_owned(),
            current: true,
            age: Some(1.0),
            ..shown.heartbeats[0].clone()
        };
        shown.heartbeats = vec![heartbeat("overwatcher"), heartbeat("guider")];
        shown.links = vec![LinkView {
            name: "lco".to_owned(),
            state: LinkState::Up,
            up: true,
            failures: 0,
        }];
        shown.hold = None;
        shown.acknowledged_age = Some(1.0);
        shown.delivery = delivered();
        shown.last_outcome = Some(Outcome::Acknowledged);
        shown
    }

    fn held(shown: &mut Snapshot, cause: Cause, text: &str) {
        shown.hold = Some(Hold {
            cause,
            fault: true,
            text: text.to_owned(),
            seconds: None,
        });
    }

    fn changes() -> Changes {
        let mut changes = Changes::new();
        events(&mut changes, &well(), at(0));
        changes
    }

    /// What the journal says beside how the whole is.
    fn events(changes: &mut Changes, shown: &Snapshot, wall: Timestamp) -> Vec<Event> {
        let mut events = changes.observe(&assessed(shown), wall);
        events.retain(|event| !matches!(event, Event::Health { .. }));
        events
    }

    #[test]
    fn each_change_of_health_is_told_with_everything_that_is_late() {
        let mut changes = Changes::new();
        let mut health = |shown: &Snapshot| {
            let told = changes.observe(&assessed(shown), at(0));
            told.into_iter().find_map(|event| {
                if let Event::Health { state, causes, .. } = event {
                    Some((state, causes))
                } else {
                    None
                }
            })
        };
        assert_eq!(health(&well()), Some(("ok".to_owned(), vec![])));
        assert_eq!(health(&well()), None);
        let mut shown = well();
        held(&mut shown, Cause::Stale, "overwatcher is stale");
        for heartbeat in &mut shown.heartbeats {
            heartbeat.current = false;
            heartbeat.age = Some(31.0);
        }
        let causes = ["overwatcher", "guider"];
        let causes = causes.map(|name| format!("{name} silent for 31 s (timeout 30 s)"));
        assert_eq!(health(&shown), Some(("held".to_owned(), causes.to_vec())));
    }

    #[test]
    fn what_stays_as_it_is_is_told_once() {
        let mut changes = changes();
        assert_eq!(events(&mut changes, &well(), at(1)), []);
        let mut shown = well();
        shown.acknowledged_age = Some(9.0);
        assert_eq!(events(&mut changes, &shown, at(2)), []);
    }

    #[test]
    fn a_hold_is_told_with_all_its_causes_and_again_when_they_change() {
        let mut changes = changes();
        let mut shown = well();
        held(&mut shown, Cause::Stale, "overwatcher is stale");
        shown.heartbeats[0].current = false;
        shown.heartbeats[0].age = Some(31.0);
        let told = events(&mut changes, &shown, at(10));
        let causes = |causes: &[&str]| causes.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [Event::Held {
                cause: "heartbeat_stale".to_owned(),
                causes: causes(&["overwatcher silent for 31 s (timeout 30 s)"]),
            }]
        );
        shown.heartbeats[0].age = Some(33.0);
        assert_eq!(events(&mut changes, &shown, at(12)), []);
        shown.heartbeats[1].current = false;
        shown.heartbeats[1].age = Some(30.0);
        shown.links[0].state = LinkState::Down;
        let told = events(&mut changes, &shown, at(15));
        assert_eq!(
            told,
            [Event::Held {
                cause: "heartbeat_stale".to_owned(),
                causes: causes(&[
                    "overwatcher silent for 33 s (timeout 30 s)",
                    "guider silent for 30 s (timeout 30 s)",
                    "network link lco down"
                ]),
            }]
        );
        let told = events(&mut changes, &well(), at(40));
        assert_eq!(
            told,
            [Event::Released {
                held_for: Some(30.0)
            }]
        );
    }

    #[test]
    fn outcomes_are_told_in_runs() {
        let mut changes = changes();
        let mut shown = well();
        shown.emissions.acknowledged += 400;
        assert_eq!(events(&mut changes, &shown, at(100)).len(), 0);
        shown.emissions.timed_out += 1;
        shown.last_outcome = Some(Outcome::TimedOut);
        let told = events(&mut changes, &shown, at(110));
        let [
            Event::Emissions {
                outcome,
                before: Some(before),
                ..
            },
        ] = told.as_slice()
        else {
            panic!("{told:?}")
        };
        assert_eq!(outcome, "timed_out");
        assert_eq!(
            (before.outcome.as_str(), before.count),
            ("acknowledged", 403)
        );
        shown.emissions.timed_out += 3;
        assert_eq!(events(&mut changes, &shown, at(120)), []);
    }

    #[test]
    fn that_the_plcs_time_ran_out_is_told_once_and_not_where_somebody_else_feeds_it() {
        let mut changes = changes();
        let mut shown = well();
        let silent_for = |shown: &mut Snapshot, silence: f64| {
            shown.delivery.seconds = silence;
            shown.delivery.closes_in = None;
            shown.delivery.closing_for = Some(silence - 60.0);
        };
        silent_for(&mut shown, 60.0);
        let ran_out = [Event::PlcTimeRanOut { silence: 60.0 }];
        assert_eq!(events(&mut changes, &shown, at(60)), ran_out);
        silent_for(&mut shown, 61.0);
        assert_eq!(events(&mut changes, &shown, at(61)), []);
        assert_eq!(events(&mut changes, &well(), at(62)), []);
        shown.session = SessionState::StandBy;
        shown.delivery.closing_for = None;
        let told = events(&mut changes, &shown, at(63));
        assert!(
            matches!(told.as_slice(), [Event::Session { .. }]),
            "{told:?}"
        );
    }

    /// The whole way: views go in, a story comes out.
    #[test]
    fn a_night_that_ends_with_a_dead_overwatcher_is_told_as_such() {
        let mut changes = Changes::new();
        let mut journal = Journal::new(None);
        let mut show = |second: i64, change: &dyn Fn(&mut Snapshot)| {
            let mut shown = well();
            change(&mut shown);
            for event in changes.observe(&assessed(&shown), at(second)) {
                journal.add(at(second), event);
            }
        };
        let dome = |shown: &mut Snapshot, open: bool, closed: bool| {
            let registers = serde_json::json!({"dome_open": open, "dome_closed": closed});
            let said = serde_json::json!({ "registers": registers });
            let now = shown.at;
            let heard = Moment { now, wall: at(0) };
            shown.enclosure.observe(said.as_object().unwrap(), heard);
        };
        show(0, &|shown| dome(shown, false, true));
        show(100, &|shown| dome(shown, true, false));
        let dead = |shown: &mut Snapshot, silent: f64| {
            held(shown, Cause::Stale, "stale");
            shown.heartbeats[0].current = false;
            shown.heartbeats[0].age = Some(silent);
            shown.delivery.seconds = silent;
            shown.delivery.closing_for = Some(silent - 60.0).filter(|ago| *ago >= 0.0);
        };
        show(1000, &|shown| {
            dome(shown, true, false);
            dead(shown, 31.0);
        });
        show(1030, &|shown| {
            dome(shown, true, false);
            dead(shown, 61.0);
        });
        show(1050, &|shown| {
            dome(shown, false, true);
            dead(shown, 81.0);
        });
        let entries: Vec<Entry> = journal.recent().cloned().collect();
        let closing = last_closing(&entries, &jiff::tz::TimeZone::UTC).unwrap();
        assert_eq!(closing.verdict, Verdict::Watchdog);
        assert!(
            closing.summary.contains(
                "The dome heartbeat was held: overwatcher silent for 31 s (timeout 30 s)."
            ),
            "{}",
            closing.summary
        );
    }
}
