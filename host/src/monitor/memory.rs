//! Everything that the monitor knows, owned by its one loop. Pure: no I/O, time is an argument.

mod view;

use std::collections::BTreeMap;
use std::time::Duration;

use embassy_time::Instant;
use jiff::{SignedDuration, Timestamp};
use lvmbeat_core::alarm::{self, Alarm, Notification, State};
use lvmbeat_core::attention::Lapse;
use uuid::Uuid;

use super::clearing::{self, Clearing};
use super::held::{Held, Limits, News};
use super::history::History;
use super::incidents::{Incidents, LinkToken, Which};
use super::notice::{Event, Notice, Silence};
use super::notify::{Failure, Undelivered};
use super::outbox::{Delivery, Outbox, Way};
use super::routine::{self, Routine};
use super::saved::{Loaded, Saved};
use super::view::Counters;
use crate::clock::{Moment, seconds};
use crate::config::monitor::{Monitor, Quiet};
use crate::config::{core_duration, std_duration};
use crate::report::{Dome, Report, before};

/// All of it.
#[derive(Debug)]
pub(super) struct Memory {
    alarm: Alarm,
    /// False: never alert by itself.
    alerts: bool,
    /// What was known is lost: people may have been notified of `Down`, and nobody knows. The next
    /// beat raises an all-clear (M2).
    unsure: bool,
    /// The silence that is going on.
    incident: Option<Uuid>,
    clearing: Clearing,
    held: Held,
    incidents: Incidents,
    quiet: Vec<Quiet>,
    routine: Routine,
    /// The actor's farewell, if nothing was heard since.
    farewell: Option<String>,
    state: State,
    since: Option<Timestamp>,
    last_seen: Option<Timestamp>,
    report: Option<(Report, Timestamp)>,
    pub(super) outbox: Outbox,
    history: History,
    counters: Counters,
    started: Timestamp,
}

impl Memory {
    /// Goes on from what was found on the disk, and begins to listen at that moment.
    pub(super) fn restore<'a>(
        thresholds: alarm::Config,
        config: &Monitor,
        found: Loaded,
        channels: impl Iterator<Item = impl Into<Way<'a>>>,
        at: Moment,
    ) -> Self {
        let nothing = Saved::nothing(at.wall);
        let saved = match found {
            Loaded::Nothing => nothing,
            Loaded::Saved(saved) => *saved,
            Loaded::Python(python) => Saved {
                alarm: alarm::Saved {
                    down: python.active,
                    ever_seen: python.last_seen.is_some(),
                    ..alarm::Saved::default()
                },
                last_seen: python.last_seen,
                history: History {
                    begins: python.last_seen,
                    ..History::default()
                },
                ..nothing
            },
            // Silence begins anew (M3), and alarms anew, although people may know (M2). Alarms are
            // enabled.
            Loaded::Lost | Loaded::Later(_) => Saved {
                unsure: true,
                ..nothing
            },
        };
        let mut history = saved.history;
        history.blind(saved.wall, at.wall);
        // The one thing that the wall clock has a say in: how long the monitor was not running. If
        // it is wrong, a timed disable ends early or late.
        let not_running = at.wall.duration_since(saved.wall).max(SignedDuration::ZERO);
        let not_running = not_running.unsigned_abs();
        let mut incidents = Incidents::restore(saved.incidents, not_running, at.now);
        let not_running = core_duration(not_running);
        let alarm = Alarm::restore(thresholds, saved.alarm.aged(not_running), at.now);
        let clear_after = core_duration(config.clear_after);
        let clearing = Clearing::restore(clear_after, saved.clearing, at.now);
        let limits = Limits {
            after: config.held_after.map(core_duration),
            clear_after,
            remind_every: config.remind_every.map(core_duration),
        };
        let held = Held::restore(limits, saved.held, at.now);
        let waits = clearing.waits_since().is_some();
        let (outbox, dropped) = Outbox::restore(saved.outbox, channels);
        if dropped > 0 {
            tracing::warn!(
                notices = dropped,
                "not delivered: their channels are no longer configured"
            );
        }
        let state = alarm.status(at.now).state;
        let incident = saved.incident.filter(|_| waits || state == State::Down);
        // Those that an earlier version has raised.
        for open in incident.into_iter().chain(held.incident()) {
            incidents.begin(open, at);
        }
        Self {
            incident,
            clearing,
            held,
            incidents,
            quiet: config.quiet.clone(),
            routine: Routine::restore(config, saved.routine, at.wall),
            farewell: saved.farewell,
            since: match state {
                State::Waiting => saved.since.or(Some(at.wall)),
                State::Up | State::Down => saved.since,
            },
            alarm,
            alerts: config.alerts,
            unsure: saved.unsure,
            state,
            last_seen: saved.last_seen,
            report: saved.report,
            outbox,
            history,
            counters: Counters::default(),
            started: at.wall,
        }
    }

    /// What has to survive a restart.
    pub(super) fn save(&self, at: Moment) -> Saved {
        Saved {
            wall: at.wall,
            writer: None,
            alarm: self.alarm.save(at.now),
            unsure: self.unsure,
            incident: self.incident,
            clearing: self.clearing.save(),
            held: self.held.save(at.now),
            incidents: self.incidents.save(at.now),
            threads: BTreeMap::new(),
            routine: self.routine.save(),
            farewell: self.farewell.clone(),
            since: self.since,
            last_seen: self.last_seen,
            report: self.report.clone(),
            outbox: self.outbox.save(),
            history: self.history.clone(),
        }
    }

    /// The monitor is listening. A lapse is given once.
    pub(super) fn tick(&mut self, at: Moment) -> Result<(), Lapse> {
        let listened = self.alarm.tick(at.now);
        if let Err(lapse) = listened {
            self.counters.lapses += 1;
            self.clearing.lapse(at.now);
            self.held.lapse();
            if let Lapse::Gap(gap) = lapse {
                let gap = SignedDuration::try_from(std_duration(gap));
                let from = gap.map_or(at.wall, |gap| earlier(at.wall, gap));
                self.history.blind(from, at.wall);
            }
        }
        let silence = self.alarm.status(at.now).silence;
        if let Some(last_seen) = self.last_seen
            && silence >= self.alarm.config().alert_after()
        {
            self.history.silent(last_seen, at.wall);
        }
        listened
    }

    /// Decides whether people have to be notified (M1). Nothing, if it never alerts by itself.
    /// Gives whether a channel has to hear of something that others know.
    pub(super) fn check(&mut self, at: Moment) -> bool {
        let is_quiet = self.quiet_until(at.wall).is_some();
        if self.alerts && !is_quiet {
            while let Some(notification) = self.alarm.check(at.now) {
                self.raise(notification, at);
            }
        }
        let is_enabled = self.alarm.status(at.now).mode.is_enabled();
        let may_raise = self.alerts && is_enabled && !is_quiet;
        while let Some(news) = self.held.check(may_raise, at) {
            self.tell(news, at);
        }
        self.routine(at);
        if !may_raise {
            return false;
        }
        // What seems to be over calls nobody else.
        let silence = self
            .incident
            .filter(|_| self.clearing.waits_since().is_none());
        let held = self.held.incident().filter(|_| !self.held.seems_over());
        let mut is_news = false;
        for (incident, open_for) in self.incidents.unseen(at.now) {
            if [silence, held].contains(&Some(incident)) {
                is_news |= self.outbox.escalate(incident, open_for);
            }
        }
        is_news
    }

    /// What is sent at its time whether or not anything is wrong.
    fn routine(&mut self, at: Moment) {
        if self.routine.test(at.wall) {
            tracing::info!("the scheduled test message is sent");
            self.outbox.push(Uuid::new_v4(), at.wall, Event::Test);
        }
        if let Some(from) = self.routine.summary(at.wall) {
            let mut summary = routine::summary(self.outbox.log(), from, at.wall);
            summary.open = self.incidents.view().len();
            summary.last_seen = self.last_seen;
            let failing = self.outbox.queues().iter();
            summary.failing = failing.filter(|queue| queue.failures > 0).count();
            let event = Event::Summary(summary);
            self.outbox.push(Uuid::new_v4(), at.wall, event);
        }
    }

    /// When alarms are raised again, if this is a time of the day at which they are not.
    fn quiet_until(&self, wall: Timestamp) -> Option<Timestamp> {
        let ends = self.quiet.iter().filter_map(|quiet| quiet.until(wall));
        ends.max()
    }

    /// Somebody has seen these incidents: nobody is reminded of them or called for them any more.
    pub(super) fn acknowledge(&mut self, which: &Which, at: Moment) -> Vec<Uuid> {
        let acknowledged = self.incidents.acknowledge(which, at);
        for incident in &acknowledged {
            tracing::info!(%incident, "the incident is acknowledged");
        }
        acknowledged
    }

    /// The incident that these notices are about at last, with the secret of its link, if nobody
    /// has acknowledged it.
    pub(super) fn link(&self, notices: &[Notice]) -> Option<(Uuid, &LinkToken)> {
        let incident = notices.last()?.incident;
        Some((incident, self.incidents.link(incident)?))
    }

    fn tell(&mut self, news: News, at: Moment) {
        let (incident, event) = match news {
            News::Begun(incident, trouble) => {
                let causes = trouble.causes_in_words();
                tracing::warn!(%incident, causes, "alarm: the dome heartbeat is withheld");
                self.incidents.begin(incident, at);
                (incident, Event::Held(Box::new(trouble)))
            }
            News::GoesOn(incident, _) if self.incidents.is_acknowledged(incident) => return,
            News::GoesOn(incident, trouble) => {
                tracing::warn!(%incident, "reminder: the dome heartbeat is still withheld");
                (incident, Event::HeldReminder(Box::new(trouble)))
            }
            News::Over(incident, trouble) => {
                tracing::info!(%incident, "all-clear: the dome is not about to close any more");
                self.incidents.end(incident);
                (incident, Event::Released(Box::new(trouble)))
            }
        };
        self.outbox.push(incident, at.wall, event);
    }

    /// A beat was received.
    pub(super) fn beat(&mut self, report: Option<Report>, at: Moment) {
        self.counters.beats += 1;
        self.history.heard(at.wall);
        let stopping = report.as_ref().and_then(|report| report.stopping.as_ref());
        let farewell = stopping.map(|stopping| stopping.text.clone());
        if let Some(report) = report {
            self.held.report(&report, at);
            self.history.reported(&report, at.wall);
            let yields = self.report.as_ref().is_some_and(|(earlier, received)| {
                report.yields_to(earlier, at.wall.duration_since(*received).as_secs_f64())
            });
            if !yields {
                self.report = Some((report, at.wall));
            }
        }
        let silence = self.alarm.status(at.now).silence;
        if self.alarm.beat(at.now).is_some() {
            // One that an earlier version has raised.
            if self.clearing.outage().from.is_none() {
                self.clearing.notified(self.last_seen, None);
            }
            self.clearing.heard_again(silence, at);
        }
        if let Some(outage) = self.clearing.beat(at.now) {
            self.all_clear(&outage, at);
        } else if self.unsure {
            let by_hand = false;
            self.raise(Notification::Up { silence, by_hand }, at);
        }
        self.farewell = farewell;
        self.last_seen = Some(at.wall);
        self.follow(at);
    }

    /// Raises alarms again. Gives false, and changes nothing, if they are not disabled.
    pub(super) fn enable(&mut self, at: Moment) -> bool {
        let was_disabled = self.alarm.enable(at.now);
        if was_disabled {
            tracing::info!("alarms are enabled");
        }
        was_disabled
    }

    /// Raises no alarms, for good or for some time.
    pub(super) fn disable(&mut self, period: Option<Duration>, at: Moment) {
        self.alarm.disable(period.map(core_duration), at.now);
        let seconds = period.map(|period| period.as_secs_f64());
        tracing::info!(seconds, "alarms are disabled");
    }

    /// Notifies people of `down` by hand. Gives whether they are notified.
    pub(super) fn notify_down(&mut self, force: bool, at: Moment) -> bool {
        if !force && self.clearing.waits_since().is_some() {
            return false;
        }
        let notification = self.alarm.notify_down(force, at.now);
        self.notify(notification, at)
    }

    /// Notifies people of `up` by hand. Gives whether they are notified.
    pub(super) fn notify_up(&mut self, force: bool, at: Moment) -> bool {
        let mut notification = self.alarm.notify_up(force, at.now);
        if self.clearing.end().is_some() {
            notification.get_or_insert(Notification::Up {
                silence: embassy_time::Duration::MIN,
                by_hand: true,
            });
        }
        self.notify(notification, at)
    }

    fn notify(&mut self, notification: Option<Notification>, at: Moment) -> bool {
        if let Some(notification) = notification {
            self.raise(notification, at);
        }
        notification.is_some()
    }

    /// The next delivery that is due; see [`Outbox::take_due`].
    pub(super) fn take_due(&mut self, at: Moment) -> Option<Delivery> {
        self.outbox.take_due(at.now)
    }

    /// The delivery of this channel that was under way has ended. Gives whether this has to be
    /// saved: that it succeeded, or that it may have (M4).
    pub(super) fn delivery_ended(
        &mut self,
        channel: usize,
        result: Result<(), Undelivered>,
        jitter: f64,
        at: Moment,
    ) -> bool {
        match result {
            Ok(()) => {
                self.counters.delivered += 1;
                self.outbox.delivered(channel, at.wall);
                true
            }
            Err(error) => {
                self.counters.failed += 1;
                let may_have = error.failure == Failure::Unanswered;
                self.outbox.failed(channel, error, at.now, jitter);
                may_have
            }
        }
    }

    fn raise(&mut self, notification: Notification, at: Moment) {
        let (incident, event) = match notification {
            Notification::Down { by_hand: false, .. } if self.clearing.relapsed() => {
                tracing::warn!("the observatory is silent again before its all-clear");
                self.follow(at);
                return;
            }
            Notification::Down {
                silence, by_hand, ..
            } => {
                self.clearing
                    .notified(self.last_seen, self.farewell.clone());
                let silence = self.silence(silence, by_hand);
                // Also one that is forced while people know already: it is an alarm of its own, and
                // its e-mail must not be taken for a copy of the first one.
                if let Some(before) = self.incident.take() {
                    self.incidents.end(before);
                }
                let incident = self.incident();
                self.incidents.begin(incident, at);
                (incident, Event::Down(silence))
            }
            Notification::Reminder { .. } if self.is_acknowledged() => return,
            Notification::Reminder { silence, .. } => {
                let silence = self.silence(silence, false);
                (self.incident(), Event::Reminder(silence))
            }
            Notification::Up { silence, by_hand } => {
                let silence = self.silence(silence, by_hand);
                (self.incident_ends(), Event::Up(silence))
            }
            Notification::EnabledAgain => (Uuid::new_v4(), Event::EnabledAgain),
        };
        match &event {
            Event::Down(silence) => tracing::warn!(
                silence = silence.observed,
                by_hand = silence.by_hand,
                "alarm: the observatory is silent"
            ),
            Event::Reminder(silence) => tracing::warn!(
                silence = silence.observed,
                "reminder: the observatory is still silent"
            ),
            Event::Up(silence) => tracing::info!(
                silence = silence.observed,
                by_hand = silence.by_hand,
                "all-clear: the observatory is heard"
            ),
            Event::Held(_)
            | Event::HeldReminder(_)
            | Event::Released(_)
            | Event::Test
            | Event::Summary(_) => {}
            Event::EnabledAgain => {
                tracing::info!(
                    "alarms are enabled again: the time for which they were disabled is over"
                );
            }
        }
        if !matches!(event, Event::EnabledAgain) {
            self.unsure = false;
        }
        self.outbox.push(incident, at.wall, event);
        self.follow(at);
    }

    /// The observatory has been heard for long enough.
    fn all_clear(&mut self, outage: &clearing::Outage, at: Moment) {
        let mut silence = self.silence(embassy_time::Duration::MIN, false);
        silence.last_seen = outage.from;
        silence.observed = outage.observed;
        silence.heard_again = outage.heard_again;
        silence.relapses = outage.relapses;
        silence.stopped.clone_from(&outage.stopped);
        tracing::info!(
            silence = silence.observed,
            relapses = silence.relapses,
            "all-clear: the observatory is heard"
        );
        let incident = self.incident_ends();
        self.unsure = false;
        self.outbox.push(incident, at.wall, Event::Up(silence));
    }

    fn is_acknowledged(&self) -> bool {
        let incident = self.incident;
        incident.is_some_and(|incident| self.incidents.is_acknowledged(incident))
    }

    /// The incident that was going on, or one of its own.
    fn incident_ends(&mut self) -> Uuid {
        let incident = self.incident.take().unwrap_or_else(Uuid::new_v4);
        self.incidents.end(incident);
        incident
    }

    /// The incident that is going on, or one that begins.
    fn incident(&mut self) -> Uuid {
        *self.incident.get_or_insert_with(Uuid::new_v4)
    }

    fn silence(&self, observed: embassy_time::Duration, by_hand: bool) -> Silence {
        let report = self.report.as_ref().map(|(report, _)| report);
        let enclosure = report.and_then(|report| report.enclosure.as_ref());
        // As it was when it was reported: an alarm always comes later.
        let (dome, age) = enclosure
            .map(|enclosure| enclosure.dome_after(0.0))
            .unwrap_or_default();
        let received = self.report.as_ref().map(|(_, received)| *received);
        let unknown_since = received.zip(age).filter(|_| dome.is_none());
        let unknown_since = unknown_since.and_then(|(received, age)| before(received, age));
        Silence {
            last_seen: self.last_seen,
            observed: seconds(observed),
            by_hand,
            // Between two emissions the pace holds the heartbeat, and that is nothing to tell
            // people of.
            last_hold: report
                .and_then(|report| report.hold.as_ref())
                .filter(|hold| hold.fault)
                .map(|hold| hold.text.clone()),
            dome,
            dome_unknown_since: unknown_since,
            heard_again: None,
            relapses: 0,
            stopped: self.farewell.clone(),
            dome_open: dome.and_then(Dome::is_open),
            engineering_mode: enclosure.and_then(|enclosure| enclosure.engineering_mode),
        }
    }

    /// Notes since when the state is what it is.
    fn follow(&mut self, at: Moment) {
        let state = self.alarm.status(at.now).state;
        if state != self.state {
            self.state = state;
            self.since = Some(at.wall);
        }
    }

    /// Whether any silence was observed since the last beat.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        self.alarm.status(now).silence > embassy_time::Duration::MIN
    }
}

fn earlier(wall: Timestamp, by: SignedDuration) -> Timestamp {
    wall.saturating_sub(by).unwrap_or(wall)
}
