//! What the tests of the actor's rooms share: a configuration, and a state whose time the test
//! tells.

use std::sync::Arc;

use embassy_time::{Duration, Instant};
use jiff::Timestamp;
use lvmbeat_core::{BeatError, Decision, Outcome, Ticket};
use tracing::Level;

use super::cause::{Change, Holding};
use super::ecp::Ended;
use super::metrics;
use super::network::Probed;
use super::snapshot::Snapshot;
use super::state::State;
use crate::clock::Moment;
use crate::config::{Config, Supervisor};
use crate::probes::Form;

pub(super) const T0: Instant = Instant::from_secs(1000);
const STEP: Duration = Duration::from_millis(100);

/// With the critical heartbeats `c0`, `c1` and so on, one that is not critical (`extra`), and a
/// link if that is asked for.
pub(super) fn config(critical: usize, link: bool) -> Config {
    let mut heartbeats =
        vec!["{name: extra, critical: false, timeout: 3, interval: 0.3}".to_owned()];
    heartbeats.extend(
        (0..critical).map(|number| {
            format!("{{name: c{number}, critical: true, timeout: 3, interval: 0.3}}")
        }),
    );
    let text = format!(
        "actor: {{url: 'amqp://127.0.0.1', log_dir: null, command_ttl: 1.5, attention: 1.5, burst: 0.1, amqp_heartbeat: 1}}
heartbeats: [{}]
ecp: {{cutoff: 0.6, retry: 0.2, expiration: 1, command_timeout: 1, plc_timeout: 4}}
network: {{interval: 0.3, timeout: 0.5, failures: 8, hosts: {}}}
max_close_after: 60",
        heartbeats.join(", "),
        if link { "{lco: 'tcp://127.0.0.1:1'}" } else { "{}" }
    );
    Config::parse("lvmbeat.yaml", &text, &|_| None).unwrap()
}

pub(super) fn moment(now: Instant) -> Moment {
    let wall = Timestamp::UNIX_EPOCH;
    Moment { now, wall }
}

/// A state that is watched from all sides.
pub(super) struct Watched {
    pub(super) state: State,
    pub(super) now: Instant,
    holding: Holding,
    log: Vec<(Level, &'static str)>,
}

impl Watched {
    /// Without a session.
    pub(super) fn prepare(critical: usize, link: bool) -> Self {
        let config = config(critical, link);
        let supervisor = Supervisor::new(config.supervisor().unwrap(), T0);
        Self {
            state: State::new(Arc::new(config), supervisor, T0),
            now: T0,
            holding: Holding::default(),
            log: Vec::new(),
        }
    }

    pub(super) fn start(critical: usize, link: bool) -> Self {
        let mut watched = Self::prepare(critical, link);
        watched.open_session();
        watched
    }

    pub(super) fn open_session(&mut self) {
        self.state.session_opened(self.now, "broker", self.now);
        self.look();
    }

    pub(super) fn end_session(&mut self) {
        self.state.session_ended("gone", self.now);
        self.look();
    }

    /// Time passes in which the process listens, and its echoes come back.
    pub(super) fn pass(&mut self, duration: Duration) {
        self.wait(duration, true);
    }

    /// Time passes in which the process listens, and no echo comes back.
    pub(super) fn stall(&mut self, duration: Duration) {
        self.wait(duration, false);
    }

    fn wait(&mut self, duration: Duration, echoes: bool) {
        let end = self.now + duration;
        while self.now < end {
            self.now = end.min(self.now + STEP);
            self.state.known.supervisor.tick(self.now).unwrap();
            if echoes {
                self.state.known.supervisor.path_proven(self.now);
            }
            self.look();
        }
    }

    /// The process is stopped for so long, and then notices that.
    pub(super) fn freeze(&mut self, duration: Duration) {
        self.now += duration;
        self.state.known.supervisor.tick(self.now).unwrap_err();
        self.look();
    }

    /// A beat that is known to have been sent just now.
    pub(super) fn beat(&mut self, name: &str) -> Result<Decision, BeatError> {
        self.beat_sent_after(name, Some(self.now))
    }

    /// A beat of which nothing is known but when it was received.
    pub(super) fn unproven_beat(&mut self, name: &str) -> Result<Decision, BeatError> {
        self.beat_sent_after(name, None)
    }

    fn beat_sent_after(
        &mut self,
        name: &str,
        sent_after: Option<Instant>,
    ) -> Result<Decision, BeatError> {
        let id = self.state.known.supervisor.heartbeats().find(name);
        let decision = self.state.beat(id, sent_after, moment(self.now));
        self.look();
        decision
    }

    /// A beat that is emitted.
    pub(super) fn emit(&mut self, name: &str) -> Ticket {
        match self.beat(name) {
            Ok(Decision::Emit(ticket)) => ticket,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn ended(&mut self, ticket: Ticket, outcome: Outcome) {
        let ended = Ended {
            ticket,
            outcome,
            failure: None,
        };
        self.state.emission_ended(&ended, moment(self.now));
        self.look();
    }

    pub(super) fn probed(&mut self, reached: bool) {
        let link = self.state.known.supervisor.links().next().unwrap().0;
        self.state.probed(&Probed { link, reached }, self.now);
        self.look();
    }

    fn look(&mut self) {
        let hold = self.state.known.supervisor.hold(self.now);
        let changes = self.holding.observe(hold, self.now);
        self.log.extend(changes.map(|change| match change {
            Change::Held(reason) => (change.level(), reason.cause().as_str()),
            Change::Released(_) => (change.level(), "released"),
        }));
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.state.snapshot(self.now)
    }

    /// `status` and the metrics name that reason, and no other. Gives the words of `status`.
    #[track_caller]
    pub(super) fn shown(&self, reason: &str) -> String {
        let metrics = metrics::encode(&self.snapshot(), moment(self.now), Form::Text).unwrap();
        let mut shown = metrics.lines().filter_map(|line| {
            let held = line.strip_prefix("lvmbeat_hold{reason=\"");
            let rest = held.or_else(|| line.strip_prefix("lvmbeat_pace{reason=\""))?;
            rest.strip_suffix("\"} 1")
        });
        assert_eq!((shown.next(), shown.next()), (Some(reason), None));
        let hold = &self.snapshot().keywords(Timestamp::UNIX_EPOCH)["hold"];
        assert_eq!(hold["reason"], reason, "{hold}");
        hold["text"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub(super) fn metric(&self, name: &str) -> f64 {
        let metrics = metrics::encode(&self.snapshot(), moment(self.now), Form::Text).unwrap();
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        metrics.lines().find_map(value).unwrap()
    }

    /// What the log has said since this was last asked: the level, and the reason or `released`.
    pub(super) fn logged(&mut self) -> Vec<(Level, &'static str)> {
        std::mem::take(&mut self.log)
    }
}
