//! The actor: collects heartbeats, decides, and has the dome heartbeat emitted.
//!
//! One loop owns everything that is known (`state`); no lock guards it. It reads the clock once
//! for each thing that happens, and hands that moment down (`turn`). What takes time (a probe, a
//! beat to the outside, sending a reply) is done by tasks that report back, so that nothing on the
//! way from a `set` to its answer waits for the world (S6). Each task is watched: an
//! actor that has lost one ends, and the dome closes.

mod box_view;
mod cause;
mod commanders;
mod drill;
mod echo;
mod ecp;
mod enclosure;
mod health;
pub mod http;
mod intake;
mod known;
mod metrics;
mod network;
mod outside;
mod refused;
mod relay_box;
mod seen;
mod session_view;
pub mod snapshot;
mod state;
#[cfg(test)]
mod testing;
mod turn;
mod words;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval, timeout};

pub use self::drill::{DrillView, Drilled, Phase};
pub use self::health::{DeliveryView, HealthView, Kind, Late, PlcError, Undelivered};
pub use self::network::{ProbeError, probe};
use self::outside::Beaten;
use self::relay_box::{BoxEvent, Feeder};
pub use self::snapshot::{BoxView, Counters, Enclosure, SessionState, Snapshot};
use self::turn::Actor;
use crate::clock::{Clock, Moment, tick_within};
use crate::clu::bus::Bus;
use crate::config::{Config, ConfigError};
use crate::errors::with_causes;
use crate::stop::Stop;
use crate::systemd::Systemd;

/// How long ending in order may take.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(1);
/// How long the farewells to the monitors outside may take, meanwhile.
const FAREWELL_LIMIT: Duration = Duration::from_millis(1500);
/// Reports of one kind of task that wait to be taken; each task waits for the last one to be taken.
const REPORTS: usize = 64;

/// Why the actor ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum ActorError {
    /// The configuration cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The HTTP client for the outside monitors cannot be made.
    #[error(
        "the HTTP client for the outside monitor cannot be set up: {}; install the certificates of the public authorities (Debian: ca-certificates), or name a file of certificates in SSL_CERT_FILE",
        with_causes(.0)
    )]
    HttpClient(#[from] reqwest::Error),
    /// A task ended that never should. The actor ends with it, and the dome closes.
    #[error("an internal task has died ({0}); this is a defect of lvmbeat")]
    TaskDied(String),
}

/// Runs the actor until it is stopped. What it knows is published on `snapshots` several times a
/// second, and `systemd` hears that the loop runs, whether or not there is a broker.
pub async fn run(
    config: Config,
    bus: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
    snapshots: watch::Sender<Option<Snapshot>>,
    mut systemd: Systemd,
    mut posts: http::set::Posts,
    shutdown: impl Into<Stop>,
) -> Result<(), ActorError> {
    let shutdown = shutdown.into();
    let config = Arc::new(config);
    let mut actor = Actor::new(config.clone(), bus, clock.clone())?;
    let (mut tasks, mut reports) = spawn_tasks(&config, &actor, &clock, &snapshots)?;
    let mut ticks = interval(tick_period(&config));
    // After a pause one tick is enough; it is the gap that counts.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // S3: each turn has the time at which its thing was taken, not at which it came.
    let moment = || Moment::read(&*clock);
    loop {
        // In order: a lapse of attention has to be noticed before what waited meanwhile is looked
        // at (S3).
        tokio::select! {
            biased;
            () = shutdown.ordered() => break,
            _ = ticks.tick() => {
                let at = moment();
                actor.tick(at);
                let shown = actor.shown(at);
                snapshots.send_replace(Some(shown));
                systemd.alive(at.now);
            }
            Some(ended) = tasks.others.join_next() => return Err(ActorError::TaskDied(describe(ended))),
            Some(ended) = tasks.beats.join_next() => return Err(ActorError::TaskDied(describe(ended))),
            happened = actor.emitter.next() => actor.emission(happened, moment()),
            Some(event) = reports.relay_box.recv() => actor.relay_box(event, moment()),
            Some(probed) = reports.probes.recv() => actor.state.probed(&probed, moment().now),
            Some(beaten) = reports.beats.recv() => actor.beaten(beaten, moment()),
            Some(posted) = posts.next() => {
                actor.posted(posted, moment());
                // L1: what comes over HTTP leaves everything else its turn.
                actor.backlog(moment);
            }
            step = actor.connection.next() => {
                actor.step(step, moment());
                actor.backlog(moment);
            }
        }
    }
    systemd.stopping();
    tracing::info!("{}", shutdown.words());
    actor.recorder.stopping(clock.wall());
    let mut last = actor.state.look(moment());
    // One that stands by is missed by nobody.
    let says_farewell = last.session != SessionState::StandBy;
    last.stopping = says_farewell.then(|| shutdown.words());
    snapshots.send_replace(Some(last));
    let farewells = async { while says_farewell && tasks.beats.join_next().await.is_some() {} };
    let farewells = timeout(FAREWELL_LIMIT, farewells);
    // A farewell that takes too long is given up.
    let _ = tokio::join!(farewells, actor.connection.close(SHUTDOWN_LIMIT));
    tasks.beats.shutdown().await;
    tasks.others.shutdown().await;
    Ok(())
}

/// The tasks beside the loop.
#[derive(Default)]
struct Tasks {
    /// Each beats to a monitor, and ends with a farewell.
    beats: JoinSet<()>,
    others: JoinSet<()>,
}

/// What the tasks report, each kind in its own words.
struct Reports {
    probes: mpsc::Receiver<network::Probed>,
    beats: mpsc::Receiver<Beaten>,
    relay_box: mpsc::Receiver<BoxEvent>,
}

fn spawn_tasks(
    config: &Config,
    actor: &Actor,
    clock: &Arc<dyn Clock>,
    snapshots: &watch::Sender<Option<Snapshot>>,
) -> Result<(Tasks, Reports), ActorError> {
    let (to_probes, probes) = mpsc::channel(REPORTS);
    let (to_beats, beats) = mpsc::channel(REPORTS);
    let (to_relay_box, relay_box) = mpsc::channel(REPORTS);
    let mut tasks = Tasks::default();
    let links = actor.state.known.supervisor.links();
    for ((link, _), host) in links.zip(&config.network.hosts) {
        let (period, limit) = (config.network.interval, config.network.timeout);
        let target = host.target.clone();
        tasks.others.spawn(network::watch(
            link,
            target,
            period,
            limit,
            to_probes.clone(),
        ));
    }
    let secrets = config.secrets();
    for (place, url) in config.outside.urls.iter().enumerate() {
        let limit = config.outside.timeout;
        let monitor = outside::Monitor::new(url.clone(), limit, secrets.clone())?;
        let (period, seen) = (config.outside.interval, snapshots.subscribe());
        tasks.beats.spawn(outside::beat(
            place,
            monitor,
            period,
            seen,
            to_beats.clone(),
        ));
    }
    if let Some(serial) = &config.serial {
        let feeder = Feeder {
            config: serial.clone(),
            expiration: config.ecp.expiration,
            events: to_relay_box,
            clock: clock.clone(),
        };
        tasks.others.spawn(feeder.run(actor.decisions.subscribe()));
    }
    if config.outside.urls.is_empty() {
        tracing::warn!(
            "no outside monitor is configured: nobody is alerted when the observatory goes silent"
        );
    }
    let reports = Reports {
        probes,
        beats,
        relay_box,
    };
    Ok((tasks, reports))
}

/// While somebody beats, each tick sends an echo (S3).
fn tick_period(config: &Config) -> Duration {
    tick_within(config.actor.attention).min(config.actor.echo_period())
}

fn describe(ended: Result<(), JoinError>) -> String {
    ended.map_or_else(|died| died.to_string(), |()| "it came to an end".to_owned())
}
