//! Everything that the actor knows, owned by its one loop: the rooms of one subject each, what one
//! of them says to another, and the view of all of them. No I/O but the log; time is an argument.

use std::sync::Arc;

use embassy_time::Instant;
use jiff::Timestamp;
use lvmbeat_core::{BeatError, Cause, Decision, HeartbeatId, LinkChange, Outcome};

use super::box_view::BoxView;
use super::cause::{Change, Holding};
use super::commanders::Commanders;
use super::drill::{Drill, NotNow, Watched};
use super::ecp::{Ended, Failure};
use super::enclosure::Enclosure;
use super::health::{self, Around, Delivery, Late, Standing};
use super::known::Known;
use super::network::Probed;
use super::outside::OutsideView;
use super::refused::Refused;
use super::session_view::{SessionState, SessionView};
use super::snapshot::{Counters, Hold, Snapshot};
use super::words::Words;
use crate::clock::{Moment, seconds};
use crate::clu::bus::BusError;
use crate::clu::message::Keywords;
use crate::config::{Config, Supervisor};
use crate::probes::Latencies;
use crate::report::Dome;

pub(super) struct State {
    pub(super) config: Arc<Config>,
    pub(super) known: Known,
    pub(super) commanders: Commanders,
    latencies: Latencies,
    holding: Holding,
    delivery: Delivery,
    standing: Standing,
    drill: Drill,
    session: SessionView,
    pub(super) refused: Refused,
    pub(super) enclosure: Enclosure,
    pub(super) outside: Vec<OutsideView>,
    /// The watchdog box, if one is configured.
    pub(super) relay_box: Option<BoxView>,
    /// What no room counts by itself.
    pub(super) counters: Counters,
    started: Instant,
}

impl State {
    pub(super) fn new(config: Arc<Config>, supervisor: Supervisor, now: Instant) -> Self {
        let outside = config.outside.urls.iter().map(|url| OutsideView {
            url: url.to_string(),
            ..OutsideView::default()
        });
        let relay_box = config.serial.as_ref().map(|serial| BoxView {
            path: serial.path.display().to_string(),
            ..BoxView::default()
        });
        Self {
            known: Known::new(supervisor, &config),
            commanders: Commanders::new(&config),
            latencies: Latencies::default(),
            holding: Holding::default(),
            delivery: Delivery::new(&config, now),
            standing: Standing::default(),
            drill: Drill::new(&config.ecp),
            session: SessionView::default(),
            refused: Refused::default(),
            enclosure: Enclosure::new(config.ecp.facts_expire),
            outside: outside.collect(),
            relay_box,
            counters: Counters::default(),
            started: now,
            config,
        }
    }

    /// A heartbeat was received (`None`: one that is not configured), and perhaps proves that it
    /// was sent after that moment.
    pub(super) fn beat(
        &mut self,
        heartbeat: Option<HeartbeatId>,
        sent_after: Option<Instant>,
        at: Moment,
    ) -> Result<Decision, BeatError> {
        let decision = self.known.beat(heartbeat, sent_after, at)?;
        self.log_cause(at.now);
        Ok(decision)
    }

    /// Takes what became of an emission. Logged once, until something else becomes of one.
    pub(super) fn emission_ended(&mut self, ended: &Ended, at: Moment) {
        let before = self.known.supervisor.emission().last_outcome();
        let begun = self.known.supervisor.emission().in_flight_since();
        let cause = ended.failure.as_ref().map(ToString::to_string);
        let outcome = ended.outcome;
        if !self.known.emission_ended(ended, at) {
            tracing::debug!(
                ?outcome,
                cause,
                "an emission of an earlier session has ended"
            );
            return;
        }
        let took = begun.and_then(|begun| at.now.checked_duration_since(begun));
        if let (Some(took), Outcome::Acknowledged | Outcome::Refused) = (took, outcome) {
            self.latencies.add(took);
        }
        let failure = ended.failure.as_ref().and_then(Failure::kind);
        if outcome == Outcome::Acknowledged {
            self.delivery.acknowledged(at.now);
        } else if let (Some(kind), Some(text)) = (failure, &cause) {
            self.delivery.failed(kind, text.clone());
        }
        let ecp = &self.config.ecp.actor;
        match (outcome == Outcome::Acknowledged, before == Some(outcome)) {
            (true, true) => tracing::debug!(ecp, "dome heartbeat emitted"),
            (true, false) => tracing::info!(ecp, "dome heartbeat emitted"),
            (false, true) => tracing::debug!(ecp, ?outcome, cause, "dome heartbeat not emitted"),
            (false, false) => tracing::warn!(ecp, ?outcome, cause, "dome heartbeat not emitted"),
        }
        self.log_cause(at.now);
    }

    pub(super) fn probed(&mut self, probed: &Probed, now: Instant) {
        let supervisor = &mut self.known.supervisor;
        let change = supervisor.link_probed(probed.link, probed.reached);
        let link = supervisor
            .link(probed.link)
            .map(|link| link.name().to_string());
        match change {
            Some(LinkChange::WentDown) => tracing::warn!(link, "network link is down"),
            Some(LinkChange::CameUp) => tracing::info!(link, "network link is up"),
            None => {}
        }
        self.log_cause(now);
    }

    /// S5: a new session knows nothing, but that nothing waits in its queue that was sent before
    /// `since` (S3).
    pub(super) fn session_opened(&mut self, since: Instant, broker: &str, now: Instant) {
        self.known.supervisor.forget(now);
        self.known.supervisor.path_proven(since);
        self.refused.session_opened();
        self.session.opened(broker, &self.config.actor.name);
    }

    pub(super) fn session_failed(&mut self, error: &BusError) {
        self.session.failed(error);
    }

    pub(super) fn session_ended(&mut self, cause: &'static str, now: Instant) {
        // Whatever is under way has lost its connection; its end is not worth waiting for (S5).
        self.known.supervisor.forget(now);
        self.session.ended(cause);
    }

    /// Logs why the dome heartbeat is held, when that changes.
    pub(super) fn log_cause(&mut self, now: Instant) {
        let hold = self.known.supervisor.hold(now);
        for change in self.holding.observe(hold, now) {
            let all = match change {
                Change::Held(reason) if reason.is_fault() => self.holding_now(now),
                Change::Held(_) | Change::Released(_) => Vec::new(),
            };
            self.holding.is_news(&all);
            change.log(&self.words(now), &all);
        }
    }

    /// All that holds the dome heartbeat at `now`.
    fn holding_now(&self, now: Instant) -> Vec<Late> {
        let (heartbeats, links) = (
            self.known.heartbeats(now, &self.commanders),
            self.known.links(),
        );
        health::holding(self.hold(now).as_ref(), &heartbeats, &links)
    }

    fn hold(&self, now: Instant) -> Option<Hold> {
        let hold = self.known.supervisor.hold(now);
        hold.map(|reason| Hold {
            cause: reason.cause(),
            fault: reason.is_fault(),
            text: self.words(now).describe(&reason),
            seconds: self.holding.lasted(now).map(seconds),
        })
    }

    /// What else a client hears of its `set` that counts: whether the dome heartbeat is held all
    /// the same, or does not arrive, and why.
    pub(super) fn all_the_same(&self, now: Instant, body: &mut Keywords) {
        let hold = self.hold(now).filter(|hold| hold.fault);
        if let Some(hold) = hold {
            body.entry("held".to_owned())
                .or_insert_with(|| hold.text.into());
            let all = self.holding_now(now);
            if all.len() > 1 {
                let all: Vec<_> = all.into_iter().map(|late| late.text).collect();
                body.insert("late".to_owned(), all.into());
            }
        } else {
            let delivery = self.delivery.view(&self.around(now), now);
            if let Some(text) = health::not_arriving(&delivery) {
                body.insert("not_arriving".to_owned(), text.into());
            }
        }
    }

    /// For what is to be said at `now`.
    pub(super) fn words(&self, now: Instant) -> Words<'_> {
        Words {
            supervisor: &self.known.supervisor,
            session_error: self.session.error.as_deref(),
            ecp: &self.config.ecp.actor,
            command_ttl: self.config.actor.command_ttl,
            now,
        }
    }

    /// The view for this moment, from which the next one counts. To be called several times a
    /// second.
    pub(super) fn look(&mut self, at: Moment) -> Snapshot {
        let now = at.now;
        self.drill_goes_on(at);
        let around = self.around(now);
        self.delivery.look(&around, now);
        let runs_out = self.delivery.runs_out(&around, now);
        self.enclosure.plc_runs_out(runs_out, now);
        let shown = self.snapshot(now);
        let holds = shown.health.late.iter().filter(|late| late.holds);
        let holds: Vec<_> = holds.cloned().collect();
        if self.holding.is_news(&holds) {
            tracing::warn!("dome heartbeat still held: {}", health::joined(&holds));
        }
        self.standing.look(shown.health.state, now);
        shown
    }

    /// Begins a drill (S2: it only withholds).
    pub(super) fn begin_drill(&mut self, at: Moment) -> Result<(), NotNow> {
        let watched = self.watched(at.now);
        self.drill.begin(&watched, at.now)?;
        self.drill_goes_on(at);
        Ok(())
    }

    /// Ends the drill under way before its end.
    pub(super) fn stop_drill(&mut self, at: Moment) -> Result<(), NotNow> {
        self.drill.stop(at.wall)?;
        self.known.supervisor.drill(false);
        self.log_cause(at.now);
        Ok(())
    }

    /// Whether people were reached by a test message after the last drill.
    pub(super) fn drill_reached(
        &mut self,
        reached: bool,
        text: &str,
        at: Moment,
    ) -> Result<(), NotNow> {
        self.drill.people(reached, text, at.wall)
    }

    /// The journal knows that a drill passed then.
    pub(super) fn drill_passed(&mut self, then: Timestamp) {
        self.drill.remember(then);
    }

    /// Something may be known that ends a drill, or takes it further.
    pub(super) fn drill_goes_on(&mut self, at: Moment) {
        self.drill.look_at_the_calendar(at.wall);
        if self.drill.is_under_way() {
            let watched = self.watched(at.now);
            self.drill.look(&watched, at);
            self.known.supervisor.drill(self.drill.withholds());
            self.log_cause(at.now);
        }
    }

    fn watched(&self, now: Instant) -> Watched {
        let enclosure = &self.enclosure;
        let hold = self.known.supervisor.hold(now);
        let other = hold.filter(|reason| reason.is_fault() && reason.cause() != Cause::Drill);
        let delivery = self.delivery.view(&self.around(now), now);
        Watched {
            dome: enclosure.dome(now),
            dome_age: enclosure.dome_age(now),
            engineering: enclosure.engineering_mode(now),
            error: enclosure.plc_error(now),
            connected: self.session.state == SessionState::Open,
            held: other.map(|reason| self.words(now).describe(&reason)),
            acknowledged: self.known.supervisor.emission().last_acknowledged(),
            arrives: delivery.acknowledged && !delivery.overdue && delivery.failures == 0,
        }
    }

    fn around(&self, now: Instant) -> Around {
        let hold = self.known.supervisor.hold(now);
        Around {
            held: hold.is_some_and(|reason| reason.is_fault()),
            engineering: self.enclosure.engineering_mode(now) == Some(true),
            standing_by: self.session.state == SessionState::StandBy,
            closed: self.enclosure.dome(now) == Some(Dome::Closed),
            error: self.enclosure.plc_error(now),
        }
    }

    pub(super) fn snapshot(&self, now: Instant) -> Snapshot {
        let around = self.around(now);
        let delivery = self.delivery.view(&around, now);
        let (heartbeats, links) = (
            self.known.heartbeats(now, &self.commanders),
            self.known.links(),
        );
        let hold = self.hold(now);
        let mut health = health::of(&health::Known {
            around: &around,
            hold: hold.as_ref(),
            heartbeats: &heartbeats,
            links: &links,
            delivery: &delivery,
            dome: self.enclosure.dome(now),
            ecp: &self.config.ecp.actor,
        });
        health.seconds = self.standing.lasted(health.state, now);
        let supervisor = &self.known.supervisor;
        let emission = supervisor.emission();
        let age = |at: Option<Instant>| {
            at.and_then(|at| now.checked_duration_since(at))
                .map(seconds)
        };
        let path = supervisor.path();
        Snapshot {
            at: now,
            health,
            delivery,
            name: self.config.actor.name.clone(),
            ecp: self.config.ecp.actor.clone(),
            uptime: age(Some(self.started)).unwrap_or_default(),
            session: self.session.state,
            session_error: self.session.error.clone(),
            session_ended: self.session.ended,
            path_age: path.and_then(|path| path.greatest_age(now)).map(seconds),
            heartbeats,
            links,
            hold,
            last_emitted_ecp: self.known.last_emitted_ecp(),
            last_outcome: emission.last_outcome(),
            acknowledged_age: age(emission.last_acknowledged()),
            in_flight: emission.in_flight_since().is_some(),
            emissions: *emission.counts(),
            latencies: self.latencies,
            smallest_margin: emission.smallest_margin().map(seconds),
            enclosure: self.enclosure.clone(),
            outside: self.outside.clone(),
            relay_box: self.relay_box.clone(),
            drill: self.drill.view(now),
            counters: self.counters(),
            journal: None,
            stopping: None,
        }
    }

    fn counters(&self) -> Counters {
        let mut counters = Counters {
            beats: self.known.beats(),
            holds: self.known.holds,
            sessions: self.session.opened,
            failed_sessions: self.session.failed,
            ..self.counters.clone()
        };
        self.refused.count(&mut counters);
        counters
    }
}

#[cfg(test)]
mod tests;
