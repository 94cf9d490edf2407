//! The actor: collects heartbeats, decides, and has the dome heartbeat emitted.
//!
//! One loop owns everything that is known (`state::State`); no lock guards it. What takes time (an
//! emission, a probe, a beat to the outside, sending a reply) is done by tasks that report back, so
//! that nothing on the way from a `set` to its answer waits for the world (S6). Each task is
//! watched: an actor that has lost one ends, and the dome closes.

mod echo;
mod ecp;
mod enclosure;
mod intake;
mod network;
mod outside;
mod relay_box;
mod seen;
pub mod snapshot;
mod state;

use std::sync::Arc;
use std::time::Duration;

use embassy_time::Instant;
use futures_util::FutureExt as _;
use lvmbeat_core::{BeatError, Decision, LinkChange, LinkId, Reason, Ticket};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use self::echo::{Echoes, Returned};
pub use self::enclosure::Enclosure;
use self::enclosure::Speaker;
use self::intake::{Admission, Intake};
pub use self::network::{ProbeError, probe};
use self::relay_box::{BoxEvent, Feeder};
use self::seen::Seen;
pub use self::snapshot::{BoxView, Counters, SessionState, Snapshot};
use self::state::{Foreign, State};
use crate::clock::Clock;
use crate::clu::bus::{Bus, CommandQueue, Message, SessionSpec};
use crate::clu::client::{Client, Dispatched};
use crate::clu::command::{Answer, Grammar, Handled, Request};
use crate::clu::connection::{Connection, Lane, Step};
use crate::clu::message::{self, Code, ReplyAddress, keyword};
use crate::clu::schema;
use crate::config::{Config, ConfigError, Supervisor};
use crate::peer::Secrets;
use crate::telemetry::with_causes;

/// The version that the actor reports.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// How long ending in order may take.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(1);
/// A session is given up if the actor's own messages take this long, or twice what a command may
/// take.
const DEAF_AFTER: Duration = Duration::from_secs(5);
/// So many messages are taken before the loop looks at anything else.
const BATCH: usize = 256;
/// So many commands may be on their way from the broker to this process. They do not expire there:
/// the echo tells their age (S3).
const PREFETCH: u16 = 512;
/// Reports of the tasks that wait to be taken; each task waits for the last one to be taken.
const EVENTS: usize = 64;

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

/// What the tasks report.
enum Event {
    /// An emission is about to be sent, and asks whether it still may be.
    AboutToSend {
        ticket: Ticket,
        may_send: oneshot::Sender<bool>,
    },
    /// The watchdog box is about to be fed, and whether it still may be is asked.
    AboutToFeed {
        may_feed: oneshot::Sender<bool>,
    },
    Box(BoxEvent),
    Probed {
        link: LinkId,
        reached: bool,
    },
    BeatOutside {
        index: usize,
        failure: Option<String>,
    },
}

/// Runs the actor until it is told to stop. What it knows is published on `snapshots` several times
/// a second.
pub async fn run(
    config: Config,
    bus: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
    snapshots: watch::Sender<Option<Snapshot>>,
    shutdown: CancellationToken,
) -> Result<(), ActorError> {
    let (events, mut reports) = mpsc::channel(EVENTS);
    let mut actor = Actor::new(Arc::new(config), bus, clock, events)?;
    let mut tasks = actor.spawn_tasks(&snapshots)?;
    let mut ticks = interval(actor.tick_period());
    // After a pause one tick is enough; it is the gap that counts.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // In order: a lapse of attention has to be noticed before what waited meanwhile is looked
        // at (S3).
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            _ = ticks.tick() => {
                actor.tick();
                snapshots.send_replace(Some(actor.state.snapshot()));
            }
            Some(ended) = tasks.join_next() => return Err(ActorError::TaskDied(describe(ended))),
            Some(ended) = actor.emissions.join_next() => actor.emission_ended(ended),
            Some(event) = reports.recv() => actor.event(event),
            step = actor.connection.next() => {
                actor.step(step);
                // What has arrived already: a flood is taken faster so (L1).
                for _ in 1..BATCH {
                    let Some(step) = actor.connection.next().now_or_never() else { break };
                    actor.step(step);
                }
            }
        }
    }
    tracing::info!("stopping");
    tasks.shutdown().await;
    actor.emissions.shutdown().await;
    actor.connection.close(SHUTDOWN_LIMIT).await;
    Ok(())
}

/// What lives as long as a session does.
struct OpenSession {
    client: Client,
    echoes: Echoes,
    seen: Seen,
}

struct Actor {
    state: State,
    connection: Connection,
    grammar: Grammar<Request>,
    intake: Intake,
    session: Option<OpenSession>,
    events: mpsc::Sender<Event>,
    emissions: JoinSet<ecp::Ended>,
    in_flight: Option<Ticket>,
    /// Tells the time of each decision to emit to whoever feeds the watchdog box.
    decisions: watch::Sender<Option<Instant>>,
}

impl Actor {
    fn new(
        config: Arc<Config>,
        bus: Arc<dyn Bus>,
        clock: Arc<dyn Clock>,
        events: mpsc::Sender<Event>,
    ) -> Result<Self, ActorError> {
        let supervisor = Supervisor::new(config.supervisor()?, clock.now());
        let name = config.actor.name.clone();
        let commands = Some(CommandQueue {
            ttl: config.actor.command_ttl,
        });
        let spec = SessionSpec {
            name: name.clone(),
            commands,
            // What the enclosure says of itself, to whomever (see `enclosure`).
            overhears: Some(format!("#.{}", config.ecp.actor)),
            prefetch: PREFETCH,
        };
        Ok(Self {
            connection: Connection::new(bus, spec, clock.clone()),
            grammar: Grammar::new(&name, VERSION, schema::lvmbeat()),
            intake: Intake::new(clock.now()),
            state: State::new(config, supervisor, clock),
            session: None,
            events,
            emissions: JoinSet::new(),
            in_flight: None,
            decisions: watch::Sender::new(None),
        })
    }

    fn spawn_tasks(
        &self,
        snapshots: &watch::Sender<Option<Snapshot>>,
    ) -> Result<JoinSet<()>, ActorError> {
        let (config, events) = (&self.state.config, &self.events);
        let mut tasks = JoinSet::new();
        for ((link, _), host) in self.state.supervisor.links().zip(&config.network.hosts) {
            let (period, limit) = (config.network.interval, config.network.timeout);
            tasks.spawn(network::watch(
                link,
                host.target.clone(),
                period,
                limit,
                events.clone(),
            ));
        }
        let secrets = Secrets::of_actor(config);
        for (index, url) in config.outside.urls.iter().enumerate() {
            let limit = config.outside.timeout;
            let monitor = outside::Monitor::new(url.clone(), limit, secrets.clone())?;
            tasks.spawn(outside::beat(
                index,
                monitor,
                config.outside.interval,
                snapshots.subscribe(),
                events.clone(),
            ));
        }
        if let Some(serial) = &config.serial {
            let feeder = Feeder {
                config: serial.clone(),
                expiration: config.ecp.expiration,
                events: events.clone(),
                clock: self.state.clock(),
            };
            tasks.spawn(feeder.run(self.decisions.subscribe()));
        }
        if config.outside.urls.is_empty() {
            tracing::warn!(
                "no outside monitor is configured: nobody is alerted when the observatory goes silent"
            );
        }
        Ok(tasks)
    }

    /// Several stamps within each attention limit, so that only a real gap is one.
    fn tick_period(&self) -> Duration {
        (self.state.config.actor.attention / 8)
            .clamp(Duration::from_millis(5), Duration::from_millis(200))
    }

    fn tick(&mut self) {
        let now = self.state.now();
        if self.state.supervisor.tick(now).is_err() {
            self.lapsed();
        }
        self.echo(now);
        self.state.busy(self.connection.refused());
        self.state.log_cause();
    }

    /// S3: keeps proving that the session's queues get what they should, and how old a command can
    /// be when it is received. A session on which the actor's own messages do not arrive is of
    /// no use.
    fn echo(&mut self, now: Instant) {
        let wall = self.state.wall();
        let Some(session) = &mut self.session else {
            return;
        };
        let deaf = session.echoes.deaf(now);
        for echo in session.echoes.due(now, wall) {
            self.send(echo, Lane::First);
        }
        if let Some(cause) = deaf {
            self.session_over(cause);
            self.connection.restart();
        }
    }

    /// S3: this process was not listening. Whatever waits may be old, here, in the sockets and in
    /// the broker: the session goes, and the next one knows nothing (S5).
    fn lapsed(&mut self) {
        self.state.counters.lapses += 1;
        self.state.log_cause();
        // Without a session there is nothing that could have waited.
        if self.session.is_none() {
            return;
        }
        self.session_over("lvmbeat was not listening; what waited does not count");
        self.connection.restart();
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Opened { since, broker } => self.session_opened(since, &broker),
            Step::Failed(error) => self.state.session_failed(&error),
            Step::Blocked(error) => {
                self.session_over("the broker blocks all who publish");
                self.state.session_failed(&error);
            }
            Step::Unblocked => self.state.session_ended("the broker takes messages again"),
            Step::Ended(cause) => self.session_over(cause),
            Step::Command(message) => self.command(&message),
            Step::Reply(message) => self.reply(&message),
        }
    }

    fn session_opened(&mut self, since: Instant, broker: &str) {
        let Some(publisher) = self.connection.publisher() else {
            return;
        };
        let (actor, ecp) = (&self.state.config.actor, &self.state.config.ecp.actor);
        let deaf_after = (actor.command_ttl * 2).max(DEAF_AFTER);
        let now = self.state.now();
        self.session = Some(OpenSession {
            client: Client::new(&actor.name, publisher),
            echoes: Echoes::new(
                &actor.name,
                ecp,
                actor.echo_period(),
                actor.command_ttl,
                deaf_after,
                now,
            ),
            seen: Seen::new(),
        });
        self.state.session_opened(since, broker);
    }

    fn session_over(&mut self, cause: &'static str) {
        self.emissions.abort_all();
        if let Some(session) = self.session.take() {
            session.client.disconnected();
        }
        self.state.session_ended(cause);
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Probed { link, reached } => {
                let change = self.state.supervisor.link_probed(link, reached);
                let name = self
                    .state
                    .supervisor
                    .link(link)
                    .map(|link| link.name().to_string());
                match change {
                    Some(LinkChange::WentDown) => {
                        tracing::warn!(link = name, "network link is down");
                    }
                    Some(LinkChange::CameUp) => tracing::info!(link = name, "network link is up"),
                    None => {}
                }
                self.state.log_cause();
            }
            Event::AboutToSend { ticket, may_send } => {
                let still = self.state.supervisor.may_send(ticket, self.state.now());
                // An emission that has gone away sends nothing.
                let _ = may_send.send(still);
            }
            Event::AboutToFeed { may_feed } => {
                let still = self.state.is_released();
                // A feeder that has gone away feeds nothing.
                let _ = may_feed.send(still);
            }
            Event::Box(event) => self.state.relay_box(event),
            Event::BeatOutside { index, failure } => self.state.beaten_outside(index, failure),
        }
    }

    fn reply(&mut self, message: &Message) {
        let Some(session) = &mut self.session else {
            return;
        };
        match session.echoes.reply_returned(message) {
            Some(Returned::SentAt(_)) => return,
            Some(Returned::Foreign) => return self.state.foreign(Foreign::Echo, message),
            None => {}
        }
        let dispatched = session.client.dispatch(message);
        let speaker = enclosure::speaker(message, &self.state.config.ecp.actor);
        // Whoever else says that it is lvmecp is not heard (S1).
        if dispatched == Dispatched::Foreign || speaker == Speaker::Stranger {
            return self.state.foreign(Foreign::Reply, message);
        }
        if speaker == Speaker::Enclosure
            && let Ok(reply) = message::decode_reply(message)
        {
            let now = self.state.now();
            self.state.enclosure.observe(&reply.body, now);
        }
    }

    fn command(&mut self, message: &Message) {
        let returned = self
            .session
            .as_mut()
            .and_then(|session| session.echoes.commands.returned(message));
        match returned {
            Some(Returned::SentAt(sent)) => return self.state.supervisor.path_proven(sent),
            Some(Returned::Foreign) => return self.state.foreign(Foreign::Echo, message),
            None => {}
        }
        let admission = self.intake.admit(message, self.state.now());
        let lane = match admission {
            Admission::Admitted => Lane::First,
            // L1: it may be a heartbeat that the dome stays open by.
            Admission::Busy | Admission::Unanswered if message::may_be_set(&message.body) => {
                Lane::Later
            }
            Admission::Busy | Admission::Unanswered => return self.refuse(message, admission),
        };
        let command = match message::decode_command(message) {
            Ok(command) => command,
            Err(_) if admission != Admission::Admitted => return self.refuse(message, admission),
            Err(malformed) => {
                self.state.malformed(message, &malformed.cause);
                for reply in malformed.replies(&self.state.config.actor.name, self.state.wall()) {
                    self.send(reply, lane);
                }
                return;
            }
        };
        let critical = self.state.critical(&command.command_string);
        if critical.is_none() && admission != Admission::Admitted {
            return self.refuse(message, admission);
        }
        self.state.counters.commands += 1;
        tracing::trace!(
            command = command.command_string,
            commander = command.address.commander_id,
            "command"
        );
        let running = Answer::new(Code::Running, message::Keywords::new());
        self.answer(&command.address, &running, lane);
        if let Some((heartbeat, seen)) = critical {
            return self.set(&command.address, heartbeat, seen, lane);
        }
        match self.grammar.handle(&command.command_string) {
            Handled::Answered(answers) => {
                for answer in &answers {
                    self.answer(&command.address, answer, Lane::Later);
                }
            }
            Handled::Request(Request::Status) => {
                let body = self.state.snapshot().keywords();
                let status = Answer::new(Code::Done, body);
                self.answer(&command.address, &status, Lane::Later);
            }
            Handled::Request(Request::Set { heartbeat, seen }) => {
                self.set(&command.address, &heartbeat, seen.as_deref(), lane);
            }
        }
    }

    /// Refuses a command without decoding it.
    fn refuse(&mut self, message: &Message, admission: Admission) {
        self.state.busy(1);
        let address = ReplyAddress::of(message);
        if admission == Admission::Busy && !address.is_anonymous() {
            let error = "lvmbeat is busy: more commands come than it answers. Send fewer, and this one again.";
            let busy = Answer::new(Code::Failed, keyword("error", error));
            self.answer(&address, &busy, Lane::Later);
        }
    }

    /// The answer does not wait for the emission (S6). The Python version's does, and hangs with
    /// the enclosure.
    fn set(&mut self, address: &ReplyAddress, heartbeat: &str, seen: Option<&str>, lane: Lane) {
        let decided = self.state.now();
        let values = self.session.as_ref().map(|session| &session.seen);
        let sent_after = values
            .zip(seen)
            .and_then(|(values, seen)| values.made_at(seen));
        let value = values.map(|values| values.value(decided));
        let decision = self.state.beat(heartbeat, sent_after);
        let (code, mut body) = self.said_of(heartbeat, &decision);
        if let Some(value) = value.filter(|_| decision != Err(BeatError::Unknown)) {
            body.insert("seen".to_owned(), value.into());
        }
        self.answer(address, &Answer::new(code, body), lane);
        match decision {
            Ok(Decision::Emit(ticket)) => self.emit(ticket, decided),
            Ok(Decision::Hold(Reason::NotAttentive(_))) => self.lapsed(),
            Ok(Decision::Hold(_) | Decision::Noted) | Err(_) => {}
        }
    }

    /// What a client is told of its `set`. `text` is what the Python version says; `held` is why
    /// the dome does not hear of it.
    fn said_of(
        &self,
        heartbeat: &str,
        decision: &Result<Decision, BeatError>,
    ) -> (Code, message::Keywords) {
        let failed = |error: String| (Code::Failed, keyword("error", error));
        match decision {
            Err(BeatError::Unknown) => failed(format!("Heartbeat '{heartbeat}' not found.")),
            Err(BeatError::ProofMissing(_)) => failed(format!(
                "Heartbeat not counted: '{heartbeat}' has to prove when it was sent; send 'set {heartbeat} --seen VALUE' with the value of 'seen' in this reply."
            )),
            Ok(Decision::Hold(reason @ (Reason::NotAttentive(_) | Reason::PathSlow(_)))) => failed(
                format!("Heartbeat not counted: {}.", self.state.describe(reason)),
            ),
            Ok(decision) => {
                let mut body = keyword("text", "Heartbeat set.");
                if let Decision::Hold(reason) = decision
                    && reason.is_fault()
                {
                    body.insert("held".to_owned(), self.state.describe(reason).into());
                }
                (Code::Done, body)
            }
        }
    }

    fn emit(&mut self, ticket: Ticket, decided: Instant) {
        self.decisions.send_replace(Some(decided));
        let Some(client) = self.session.as_ref().map(|session| session.client.clone()) else {
            self.state.emission_ended(&ecp::Ended::lost(ticket));
            return;
        };
        self.in_flight = Some(ticket);
        let emission = ecp::Emission {
            ticket,
            decided,
            client,
            events: self.events.clone(),
        };
        self.emissions
            .spawn(emission.run(self.state.config.ecp.clone(), self.state.clock()));
    }

    fn emission_ended(&mut self, ended: Result<ecp::Ended, JoinError>) {
        match ended {
            Ok(ended) => self.state.emission_ended(&ended),
            // Aborted with its session: the supervisor has abandoned it then.
            Err(died) if died.is_cancelled() => {}
            Err(died) => {
                tracing::error!(%died, "an emission has died; this is a defect of lvmbeat");
                if let Some(ticket) = self.in_flight.take() {
                    self.state.emission_ended(&ecp::Ended::lost(ticket));
                }
            }
        }
    }

    fn answer(&mut self, address: &ReplyAddress, answer: &Answer, lane: Lane) {
        let reply = answer.encode(&self.state.config.actor.name, address, self.state.wall());
        self.send(reply, lane);
    }

    fn send(&mut self, message: Message, lane: Lane) {
        if !self.connection.send(message, lane) {
            self.state.counters.dropped_replies += 1;
            tracing::debug!("a reply was dropped: the connection does not move");
        }
    }
}

fn describe(ended: Result<(), JoinError>) -> String {
    ended.map_or_else(|died| died.to_string(), |()| "it came to an end".to_owned())
}
