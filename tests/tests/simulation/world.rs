//! The whole chain in one process on paused time: clients, the actor's own code, the lvmecp
//! stand-in and the PLC, over the broker in memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use embassy_time::Instant;
use jiff::{SignedDuration, Timestamp};
use lvmbeat::actor::snapshot::Snapshot;
use lvmbeat::actor::{self, ActorError};
use lvmbeat::clock::{Clock, RuntimeClock};
use lvmbeat::clu::client::{Connected, connect};
use lvmbeat::clu::message::{Code, Keywords};
use lvmbeat::clu::{CommandError, CommandOptions, LocalBroker};
use lvmbeat::config::{Config, std_duration};
use lvmbeat::systemd::Systemd;
use lvmbeat_core::Cause;
use sim::ecp::{DirectPort, Ecp, EcpConfig};
use sim::plc::{Coil, DomeState, Event, Record};
use sim::{LivePlc, PlcConfig};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// A clock on paused time that can do what the machine's can: jump over a suspend, and be stepped.
#[derive(Debug)]
pub(crate) struct TestClock {
    runtime: RuntimeClock,
    suspended_micros: AtomicU64,
    stepped: Mutex<SignedDuration>,
}

impl Clock for TestClock {
    fn now(&self) -> Instant {
        let suspended = self.suspended_micros.load(Ordering::SeqCst);
        Instant::from_micros(self.runtime.now().as_micros() + suspended)
    }

    fn wall(&self) -> Timestamp {
        self.runtime.wall() + *self.stepped.lock().unwrap()
    }
}

impl TestClock {
    /// The machine sleeps: boot time goes on, and nothing runs. Whatever waits has waited for that
    /// long.
    pub(crate) fn suspend(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap();
        self.suspended_micros.fetch_add(micros, Ordering::SeqCst);
    }

    /// Somebody sets the wall clock.
    pub(crate) fn step_wall(&self, by: SignedDuration) {
        *self.stepped.lock().unwrap() += by;
    }
}

/// A heartbeat that the PLC took.
pub(crate) type Taken = Duration;

pub(crate) struct World {
    pub(crate) broker: LocalBroker,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) config: Config,
    pub(crate) plc: LivePlc,
    pub(crate) ecp: Option<Ecp>,
    /// When the PLC was switched on.
    pub(crate) started: Instant,
    pub(crate) client: Connected,
    actor: Option<(JoinHandle<Result<(), ActorError>>, CancellationToken)>,
    snapshots: watch::Receiver<Option<Snapshot>>,
    records: broadcast::Receiver<Record>,
    /// Every heartbeat that a client sent, and when.
    pub(crate) sent: Arc<Mutex<Vec<(String, Instant)>>>,
    beaters: Vec<(String, JoinHandle<()>)>,
    _looking: JoinHandle<()>,
}

impl World {
    /// Everything runs but the clients. `yaml` is the configuration; it probes nothing unless it
    /// says so.
    pub(crate) async fn new(yaml: &str) -> Self {
        let mut text = yaml.to_owned();
        if !text.contains("network:") {
            text.push_str("\nnetwork: {hosts: {}}\n");
        }
        let config = Config::parse("test", &text, &|_| None).unwrap();
        let clock = Arc::new(TestClock {
            runtime: RuntimeClock::new("2026-01-01T00:00:00Z".parse().unwrap()),
            suspended_micros: AtomicU64::new(0),
            stepped: Mutex::default(),
        });
        let broker = LocalBroker::new();
        let plc_config = PlcConfig {
            timeout: lvmbeat::config::core_duration(config.ecp.plc_timeout),
            ..PlcConfig::default()
        };
        let plc = LivePlc::new(plc_config, clock.clone(), 1.0);
        let started = clock.now();
        let records = plc.events();
        let looking = tokio::spawn(keep_looking(plc.clone()));
        let client = connect(&broker, "observer").await.unwrap();
        let (_, snapshots) = watch::channel(None);
        let mut world = Self {
            broker,
            clock,
            config,
            plc,
            ecp: None,
            started,
            client,
            actor: None,
            snapshots,
            records,
            sent: Arc::default(),
            beaters: Vec::new(),
            _looking: looking,
        };
        world.start_ecp();
        world.start_actor();
        world.run(Duration::from_millis(500)).await;
        world
    }

    pub(crate) fn start_ecp(&mut self) {
        let port = DirectPort {
            plc: self.plc.clone(),
            limit: Duration::from_secs(2),
            delay: Duration::from_secs(1),
        };
        let bus = Arc::new(self.broker.clone());
        self.ecp = Some(Ecp::start(
            EcpConfig::default(),
            bus,
            Arc::new(port),
            self.clock.clone(),
        ));
    }

    pub(crate) fn kill_ecp(&mut self) {
        self.ecp = None;
    }

    pub(crate) fn hang_ecp(&self, hung: bool) {
        self.ecp.as_ref().unwrap().hang(hung);
    }

    pub(crate) fn start_actor(&mut self) {
        let (show, shown) = watch::channel(None);
        let stop = CancellationToken::new();
        let bus = Arc::new(self.broker.clone());
        let task = tokio::spawn(actor::run(
            self.config.clone(),
            bus,
            self.clock.clone(),
            show,
            Systemd::default(),
            actor::http::set::Posts::none(),
            stop.clone(),
        ));
        self.snapshots = shown;
        self.actor = Some((task, stop));
    }

    /// As SIGKILL does.
    pub(crate) fn kill_actor(&mut self) {
        if let Some((task, _)) = self.actor.take() {
            task.abort();
        }
    }

    /// As SIGTERM does.
    pub(crate) async fn stop_actor(&mut self) -> Result<(), ActorError> {
        let (task, stop) = self.actor.take().unwrap();
        stop.cancel();
        timeout(Duration::from_secs(2), task)
            .await
            .expect("it must end within 2 s")
            .unwrap()
    }

    /// A client that beats at that interval until it is killed, and connects again when it has to.
    pub(crate) fn beat(&mut self, name: &str, every: Duration) {
        let (broker, clock, sent) = (self.broker.clone(), self.clock.clone(), self.sent.clone());
        let heartbeat = name.to_owned();
        let task = tokio::spawn(async move {
            let mut connected = None;
            let mut ticks = tokio::time::interval(every);
            loop {
                ticks.tick().await;
                if connected.is_none() {
                    let name = format!("client-{heartbeat}-{}", uuid::Uuid::new_v4());
                    connected = connect(&broker, &name).await.ok();
                }
                let Some(connection) = &connected else {
                    continue;
                };
                sent.lock().unwrap().push((heartbeat.clone(), clock.now()));
                let command = format!("set {heartbeat}");
                let limit = within(Duration::from_secs(5).min(every));
                if let Err(CommandError::Bus(_)) =
                    connection.client.command("lvmbeat", &command, limit).await
                {
                    connected = None;
                }
            }
        });
        self.beaters.push((name.to_owned(), task));
    }

    pub(crate) fn kill_client(&mut self, name: &str) {
        self.beaters.retain(|(known, task)| {
            if known == name {
                task.abort();
            }
            known != name
        });
    }

    /// Lets time pass.
    pub(crate) async fn run(&self, duration: Duration) {
        sleep(duration).await;
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Opens the dome at the PLC itself, and does not wait for it.
    pub(crate) fn plc_opens(&self) {
        self.plc.access(|plc| {
            plc.set(Coil::MotorDirection, true);
            plc.set(Coil::DriveEnabled, true);
        });
    }

    /// PLC time.
    pub(crate) fn plc_time(&self) -> Duration {
        std_duration(self.plc.snapshot().plc)
    }

    /// Sends a command and gives the final reply.
    pub(crate) async fn command(&self, actor: &str, command: &str) -> (Code, Keywords) {
        let options = within(Duration::from_secs(300));
        let finished = self
            .client
            .client
            .command(actor, command, options)
            .await
            .unwrap();
        (finished.code, finished.replies.last().unwrap().body.clone())
    }

    /// A heartbeat that proves when it was sent, with what a first one is answered.
    pub(crate) async fn set(&self, name: &str) -> (Code, Keywords) {
        let (_, body) = self.command("lvmbeat", &format!("set {name}")).await;
        let seen = body["seen"].as_str().unwrap();
        self.command("lvmbeat", &format!("set {name} --seen {seen}"))
            .await
    }

    /// Opens the dome, and waits until it is open.
    pub(crate) async fn open_dome(&self) {
        let (code, body) = self.command("lvmecp", "dome open").await;
        assert_eq!(code, Code::Done, "{body:?}");
        assert_eq!(self.dome(), DomeState::Open);
    }

    pub(crate) fn dome(&self) -> DomeState {
        self.plc.snapshot().dome
    }

    /// Whether the dome has begun to close, or is closed.
    pub(crate) fn is_closing(&self) -> bool {
        matches!(self.dome(), DomeState::Closing | DomeState::Closed)
    }

    /// Waits until the dome has begun to close, and gives how long that took.
    pub(crate) async fn until_closing(&self, limit: Duration) -> Option<Duration> {
        let start = tokio::time::Instant::now();
        let closing = async {
            while !self.is_closing() {
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(limit, closing).await.ok().map(|()| start.elapsed())
    }

    /// What the actor shows now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.snapshots.borrow().clone().expect("the actor runs")
    }

    /// The first cause why the dome heartbeat is held, if something is wrong.
    pub(crate) fn fault(&self) -> Option<Cause> {
        self.snapshot()
            .hold
            .filter(|hold| hold.fault)
            .map(|hold| hold.cause)
    }

    /// The heartbeats that the PLC took since the last call, in PLC time.
    pub(crate) fn taken(&mut self) -> Vec<Taken> {
        let mut taken = Vec::new();
        loop {
            match self.records.try_recv() {
                Ok(Record {
                    at,
                    event: Event::HeartbeatReceived,
                    ..
                }) => taken.push(std_duration(at)),
                Ok(_) => {}
                Err(broadcast::error::TryRecvError::Lagged(missed)) => {
                    panic!("{missed} events were missed")
                }
                Err(_) => return taken,
            }
        }
    }
}

/// Less often than the simulator itself does, as nobody waits for what it prints: a night has to
/// pass in no time.
async fn keep_looking(plc: LivePlc) {
    loop {
        plc.access(|_| ());
        sleep(Duration::from_millis(250)).await;
    }
}

/// A command that may take that long.
pub(crate) fn within(limit: Duration) -> CommandOptions {
    CommandOptions {
        internal: false,
        expiration: None,
        limit,
    }
}
