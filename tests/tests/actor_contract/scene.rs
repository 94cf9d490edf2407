//! The actor's own code, a client, and an enclosure that obeys the test, on any bus.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use lvmbeat::actor::{self, ActorError};
use lvmbeat::clock::Clock;
use lvmbeat::clu::bus::{Bus, CommandQueue, Session, SessionSpec};
use lvmbeat::clu::client::{Connected, Finished, connect};
use lvmbeat::clu::message::{Code, Keywords, decode_command, encode_reply, keyword};
use lvmbeat::clu::{BusError, CommandOptions};
use lvmbeat::config::Config;
use lvmbeat::systemd::Systemd;
use lvmbeat_tests::eventually;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// For anything that is bound to happen.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Times that make a test take seconds, where they are real.
const CONFIG: &str = "
actor: {command_ttl: 1, attention: 1, burst: 0.05, log_dir: null}
heartbeats: [{name: a, timeout: 2, interval: 0.5}, {name: b, timeout: 2, interval: 0.5}, {name: c, timeout: 2, interval: 0.5, critical: false}]
ecp: {cutoff: 1, retry: 0.2, expiration: 1, command_timeout: 1, plc_timeout: 6}
network: {hosts: {}}
max_close_after: 30
";

/// Where it plays.
pub(crate) struct Stage {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Stage {
    /// An enclosure that obeys the test.
    pub(crate) async fn enclosure(&self) -> Enclosure {
        Enclosure::open(Arc::clone(&self.bus), Arc::clone(&self.clock)).await
    }

    /// A running actor.
    pub(crate) fn actor(&self) -> Actor {
        let config = Config::parse("test", CONFIG, &|_| None).unwrap();
        let stop = CancellationToken::new();
        let (bus, clock) = (Arc::clone(&self.bus), Arc::clone(&self.clock));
        let (show, snapshots) = watch::channel(None);
        let posts = actor::http::set::Posts::none();
        let run = actor::run(
            config,
            bus,
            clock,
            show,
            Systemd::default(),
            posts,
            stop.clone(),
        );
        Actor {
            task: tokio::spawn(run),
            stop,
            snapshots,
        }
    }

    pub(crate) async fn client(&self) -> Talk {
        Talk(connect(&*self.bus, "tester").await.unwrap())
    }

    /// All three, when the actor answers.
    pub(crate) async fn play(&self) -> (Actor, Enclosure, Talk) {
        let enclosure = self.enclosure().await;
        let (actor, client) = (self.actor(), self.client().await);
        eventually(SOON, async || client.try_run("ping").await).await;
        (actor, enclosure, client)
    }
}

pub(crate) struct Actor {
    task: JoinHandle<Result<(), ActorError>>,
    stop: CancellationToken,
    pub(crate) snapshots: watch::Receiver<Option<actor::snapshot::Snapshot>>,
}

impl Actor {
    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        (&mut self.task).await.unwrap().unwrap();
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a heartbeat gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Does {
    It,
    Refuse,
    Hang,
}

/// A command that the enclosure took, and how long it might have waited.
pub(crate) type Taken = (String, Option<Duration>);

pub(crate) struct Enclosure {
    does: Arc<Mutex<Does>>,
    taken: Arc<Mutex<Vec<Taken>>>,
    serving: JoinHandle<()>,
}

impl Enclosure {
    async fn open(bus: Arc<dyn Bus>, clock: Arc<dyn Clock>) -> Self {
        let ttl = Duration::from_secs(3600);
        let spec = SessionSpec {
            commands: Some(CommandQueue { ttl }),
            ..SessionSpec::client("lvmecp")
        };
        let session = eventually(SOON, async || bus.open(&spec).await).await;
        let (does, taken) = (Arc::new(Mutex::new(Does::It)), Arc::default());
        let serving = serve(session, clock, Arc::clone(&does), Arc::clone(&taken));
        Self {
            does,
            taken,
            serving: tokio::spawn(serving),
        }
    }

    pub(crate) fn does(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }

    pub(crate) fn heartbeats(&self) -> usize {
        let taken = self.taken.lock().unwrap();
        taken
            .iter()
            .filter(|(command, _)| command == "heartbeat")
            .count()
    }

    pub(crate) async fn wait_for_heartbeats(&self, count: usize) {
        eventually(SOON, async || self.heartbeats() >= count).await;
        assert_eq!(self.heartbeats(), count);
    }
}

impl Drop for Enclosure {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(
    mut session: Session,
    clock: Arc<dyn Clock>,
    does: Arc<Mutex<Does>>,
    taken: Arc<Mutex<Vec<Taken>>>,
) {
    while let Some(message) = session.commands.next().await {
        let command = decode_command(&message).unwrap();
        let said = (command.command_string.clone(), message.expiration);
        taken.lock().unwrap().push(said);
        let does = *does.lock().unwrap();
        let heartbeat = command.command_string == "heartbeat";
        let end = match does {
            Does::Refuse if heartbeat => {
                let error = keyword("error", "Failed to set heartbeat.");
                Some((Code::Failed, error))
            }
            Does::Hang if heartbeat => None,
            Does::It | Does::Refuse | Does::Hang => Some((Code::Done, Keywords::new())),
        };
        for (code, body) in [Some((Code::Running, Keywords::new())), end]
            .into_iter()
            .flatten()
        {
            let reply = encode_reply("lvmecp", &command.address, code, &body, clock.wall());
            session.publisher.post(reply).await.unwrap();
        }
    }
}

pub(crate) struct Talk(pub(crate) Connected);

impl Talk {
    pub(crate) async fn try_run(&self, command: &str) -> Result<Finished, String> {
        let options = CommandOptions {
            internal: false,
            expiration: None,
            limit: SOON,
        };
        let finished = self.0.client.command("lvmbeat", command, options).await;
        finished.map_err(|error| error.to_string())
    }

    pub(crate) async fn run(&self, command: &str) -> (Code, Keywords) {
        let finished = self.try_run(command).await.unwrap();
        (finished.code, finished.replies.last().unwrap().body.clone())
    }

    /// A heartbeat that has to be taken: the second one proves when it was sent, and so counts at
    /// once.
    pub(crate) async fn set(&self, name: &str) {
        let seen = self.knock(name).await;
        let (code, body) = self.run(&format!("set {name} --seen {seen}")).await;
        assert_eq!(
            (code, &body["text"]),
            (Code::Done, &"Heartbeat set.".into())
        );
    }

    /// A heartbeat alone. Gives the value that the reply carries.
    pub(crate) async fn knock(&self, name: &str) -> String {
        let (code, body) = self.run(&format!("set {name}")).await;
        assert_eq!(
            (code, &body["text"]),
            (Code::Done, &"Heartbeat set.".into())
        );
        body["seen"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn status(&self, keyword: &str) -> Value {
        self.run("status").await.1[keyword].clone()
    }

    /// Waits until that has become of the last emission.
    pub(crate) async fn outcome(&self, outcome: &str) {
        eventually(SOON, async || {
            let found = self.status("ecp").await["last_outcome"].clone();
            (found == outcome).then_some(()).ok_or(found)
        })
        .await;
    }
}

/// Whether a name is another's.
pub(crate) async fn is_locked(bus: &dyn Bus, name: &str) -> bool {
    let spec = SessionSpec::client(name);
    matches!(bus.open(&spec).await, Err(BusError::Locked { .. }))
}
