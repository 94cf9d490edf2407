//! What has changed from one view of the actor to the next. Pure: the view and the time go in.

mod flaps;

use jiff::Timestamp;
use lvmbeat_core::Outcome;
use lvmbeat_core::emission::Counts;

use super::entry::{Event, Run};
use crate::actor::{Kind, SessionState, Snapshot};
use crate::report::{Dome, Health};
use flaps::Flaps;

/// Remembers what the last view showed.
#[derive(Default, Debug)]
pub struct Changes {
    session: Option<Session>,
    lapses: u64,
    health: Option<Health>,
    held: Option<Held>,
    emissions: Counts,
    run: Option<Run>,
    ran_out: bool,
    dome: Option<&'static str>,
    engineering_mode: Option<bool>,
    plc_error: bool,
    flaps: Flaps,
    /// Whether a drill is under way, and when the last one ended.
    drill: (bool, Option<Timestamp>),
    /// When it was noted whether people were reached after it.
    people: Option<Timestamp>,
}

/// The session with the broker, as it was shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Session {
    state: SessionState,
    opened: u64,
    /// Why there is none has been shown.
    explained: bool,
}

/// What withholds the dome heartbeat.
#[derive(Debug)]
struct Held {
    /// Without numbers, which change all the time.
    causes: Vec<(Kind, String)>,
    since: Timestamp,
}

impl Changes {
    /// What this view shows that the last one did not, in order.
    pub fn observe(&mut self, shown: &Snapshot, wall: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        if shown.counters.lapses > self.lapses {
            self.lapses = shown.counters.lapses;
            events.push(Event::Lapse);
        }
        self.session(shown, &mut events);
        // A drill that began is why the dome heartbeat is held.
        self.drill(shown, &mut events);
        self.hold(shown, wall, &mut events);
        self.emissions(shown, wall, &mut events);
        self.plc(shown, &mut events);
        // What follows from all that.
        self.health(shown, wall, &mut events);
        events
    }

    fn session(&mut self, shown: &Snapshot, events: &mut Vec<Event>) {
        let error = shown.session_error.as_deref();
        let error = error.filter(|_| shown.session == SessionState::Connecting);
        let now = Session {
            state: shown.session,
            opened: shown.counters.sessions,
            explained: error.is_some(),
        };
        let before = self.session.replace(now);
        let is_new =
            before.is_none_or(|before| before.state != now.state || before.opened != now.opened);
        if !is_new && before.is_some_and(|before| before.explained || !now.explained) {
            // One error after the other is no change.
            self.session = before;
            return;
        }
        let was_open = before.is_some_and(|before| before.state == SessionState::Open);
        let lost = |then: &str| {
            let cause = shown.session_ended.unwrap_or("it ended");
            format!("the session with the broker was lost ({cause}){then}")
        };
        let (state, text) = match (shown.session, error) {
            // An actor that starts; the next view says more.
            (SessionState::Connecting, None) if before.is_none() => return,
            (SessionState::Connecting, None) if was_open => ("connecting", lost("")),
            (SessionState::Connecting, None) => {
                ("connecting", "no session with the broker".to_owned())
            }
            (SessionState::Connecting, Some(error)) => {
                ("connecting", format!("no session with the broker: {error}"))
            }
            (SessionState::StandBy, _) => (
                "stand_by",
                "another lvmbeat is active; this one stands by".to_owned(),
            ),
            (SessionState::Blocked, _) => ("blocked", "the broker accepts no messages".to_owned()),
            // Between two views.
            (SessionState::Open, _) if was_open => ("open", lost("; another one is open")),
            (SessionState::Open, _) => ("open", "session with the broker open".to_owned()),
        };
        events.push(Event::Session {
            state: state.to_owned(),
            text,
        });
    }

    fn drill(&mut self, shown: &Snapshot, events: &mut Vec<Event>) {
        let drill = &shown.drill;
        let last = drill.last.as_ref();
        let now = (drill.phase.is_some(), last.map(|last| last.at));
        let before = std::mem::replace(&mut self.drill, now);
        if let Some(last) = last.filter(|_| before.1 != now.1) {
            events.push(Event::Drill {
                state: last.verdict.as_str().to_owned(),
                text: last.text.clone(),
            });
        }
        let people = last.and_then(|last| last.people.as_ref());
        let noted = people.map(|people| people.at);
        if let Some(people) = people.filter(|_| self.people != noted) {
            let verdict = if people.reached {
                "reached"
            } else {
                "not reached"
            };
            events.push(Event::Drill {
                state: format!("people {verdict}"),
                text: people.text.clone(),
            });
        }
        self.people = noted;
        if now.0 && (!before.0 || before.1 != now.1) {
            events.push(Event::Drill {
                state: "began".to_owned(),
                text: "the dome heartbeat is withheld until the PLC misses it".to_owned(),
            });
        }
    }

    /// A source that is late and well again all night is told in few entries, so that they do not
    /// take the room of what else happened.
    fn health(&mut self, shown: &Snapshot, wall: Timestamp, events: &mut Vec<Event>) {
        let health = &shown.health;
        let before = self.health.replace(health.state);
        let mild = |state| matches!(state, Health::Ok | Health::Late);
        let is_flap = mild(health.state) && before.is_none_or(mild) && events.is_empty();
        if !is_flap {
            // What was counted happened before what happens now.
            let told = std::mem::take(&mut self.flaps).told();
            events.splice(0..0, told);
        }
        let is_new = before != Some(health.state);
        let causes = || health.late.iter().map(|late| late.text.clone()).collect();
        if is_new && is_flap && self.flaps.counts(health.state, causes, shown.at, wall) {
            return;
        }
        events.extend(self.flaps.due(shown.at));
        if is_new {
            events.push(Event::Health {
                state: health.state.as_str().to_owned(),
                text: health.text.clone(),
                causes: causes(),
            });
        }
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
        let unfed = shown.delivery.unfed;
        if let Some(silence) = unfed.filter(|_| !self.ran_out) {
            events.push(Event::PlcTimeRanOut { silence });
        }
        self.ran_out = unfed.is_some();
        let error = shown.enclosure.plc_heartbeat_error(shown.at);
        if let Some(on) = error.filter(|on| *on != self.plc_error) {
            self.plc_error = on;
            events.push(Event::PlcError { on });
        }
        let dome = dome(shown);
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

/// Where the dome is, and which way it moves if that is known.
fn dome(shown: &Snapshot) -> &'static str {
    match (
        shown.enclosure.dome(shown.at),
        shown.enclosure.dome_opening(shown.at),
    ) {
        (None, _) => "unknown",
        (Some(Dome::Moving), Some(true)) => "opening",
        (Some(Dome::Moving), Some(false)) => "closing",
        (Some(dome), _) => dome.as_str(),
    }
}

#[cfg(test)]
mod tests;
