//! The whole chain on real parts: clients, the actor, `lvmecp`, the PLC. Each part is a process of
//! its own, so that each can die alone.

use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::client::{Outgoing, Session};
use crate::config::ActorConfig;
use crate::dome::Dome;
use crate::eventually;
use crate::process::{Event, Launch, Process};
use crate::proxy::Proxy;

/// For a part to start, among other tests that start theirs.
const START_LIMIT: Duration = Duration::from_secs(30);
/// For the PLC to hear a heartbeat when all is well.
const BEAT_LIMIT: Duration = Duration::from_secs(15);

/// The PLC's timeout in [`config`].
pub const PLC_TIMEOUT: Duration = Duration::from_secs(4);
/// The timeout of the clients' heartbeats in [`config`].
pub const TIMEOUT: Duration = Duration::from_secs(3);
/// How often clients beat in [`config`].
pub const INTERVAL: Duration = Duration::from_millis(300);

/// An actor with that many critical heartbeats, `c0` and so on. A heartbeat reaches the PLC once a
/// second or so, and the PLC closes after four: a busy machine may be late by three seconds before
/// a dome closes that should stay open.
pub fn config(url: &str, critical: usize) -> ActorConfig {
    let config = ActorConfig::new(url)
        .set("heartbeats", serde_json::json!([]))
        .set("actor.command_ttl", 1.5)
        .set("actor.attention", 1.5)
        .set("actor.burst", 0.1)
        .set("ecp.cutoff", 0.6)
        .set("ecp.plc_timeout", PLC_TIMEOUT.as_secs_f64());
    (0..critical).fold(config, |config, number| {
        let (timeout, interval) = (TIMEOUT.as_secs_f64(), INTERVAL.as_secs_f64());
        config.heartbeat(&format!("c{number}"), true, timeout, interval)
    })
}

/// The chain, running.
#[derive(Debug)]
pub struct Chain {
    /// The actor.
    pub actor: Process,
    /// The PLC.
    pub dome: Dome,
    /// `lvmecp`, a `sim` whose own PLC is not used.
    pub ecp: Process,
    /// Between `lvmecp` and the PLC.
    pub modbus: Proxy,
    /// Whoever beats.
    pub clients: Vec<Client>,
    /// S4: what `lvmbeat check` says.
    pub budget: Duration,
    /// With the files of the actor.
    pub config: ActorConfig,
    url: String,
}

impl Chain {
    /// Starts all but the clients. Nothing beats, and the dome is closed.
    pub async fn start(url: &str, config: ActorConfig) -> Self {
        Self::start_with(url, config, &[]).await
    }

    /// The same with further arguments for the `sim` that is `lvmecp`.
    pub async fn start_with(url: &str, config: ActorConfig, ecp: &[&str]) -> Self {
        let dome = Dome::start([
            "--timeout",
            &PLC_TIMEOUT.as_secs_f64().to_string(),
            "--travel",
            "0.5",
        ])
        .await;
        let modbus = Proxy::start(("127.0.0.1", dome.address().port())).await;
        let ecp = start_ecp_with(url, modbus.port(), ecp).await;
        let budget = budget(&config.write()).await;
        let mut actor = Launch::lvmbeat(config.actor()).start();
        actor
            .wait_for_line(START_LIMIT, |line| line.contains("session open"))
            .await;
        Self {
            actor,
            dome,
            ecp,
            modbus,
            clients: Vec::new(),
            budget,
            config,
            url: url.to_owned(),
        }
    }

    /// Starts it, with as many clients as there are critical heartbeats, and opens the dome.
    pub async fn observing(url: &str, critical: usize) -> Self {
        let mut chain = Self::start(url, config(url, critical)).await;
        for number in 0..critical {
            chain.beat(&format!("c{number}")).await;
        }
        chain.open().await;
        chain
    }

    /// Adds a client that beats.
    pub async fn beat(&mut self, heartbeat: &str) {
        let client = Client::start(&self.url, heartbeat, INTERVAL).await;
        self.clients.push(client);
    }

    /// Opens the dome, when the PLC has heard a heartbeat.
    pub async fn open(&mut self) {
        self.next_heartbeat().await;
        self.dome.open(BEAT_LIMIT).await;
    }

    /// Waits for the next heartbeat that the PLC takes.
    pub async fn next_heartbeat(&mut self) -> Event {
        let mark = self.dome.mark();
        self.dome
            .wait_for(mark, BEAT_LIMIT, "heartbeat_received")
            .await
    }

    /// The dome stays open for that long, and the PLC never waits for its whole time.
    pub async fn stays_open(&mut self, time: Duration) {
        let mark = self.dome.mark();
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.next_heartbeat().await;
        }
        assert_eq!(self.dome.state().await, "open");
        for bad in ["watchdog_expired", "dome_closing"] {
            let mut events = self.dome.events(bad);
            events.retain(|event| event.line.number >= mark);
            assert!(events.is_empty(), "{events:?}");
        }
    }

    /// Kills that client, as a crash would, and says when it last beat.
    pub async fn kill_client(&mut self, heartbeat: &str) -> Instant {
        let place = self
            .clients
            .iter()
            .position(|client| client.heartbeat == heartbeat);
        let client = self.clients.remove(place.expect("there is such a client"));
        client.kill().await
    }

    /// S4: the dome begins to close within the budget that `lvmbeat check` has printed, counted
    /// from that moment, because the PLC has waited in vain; and not before it has.
    pub async fn closes_in_time(&mut self, mark: u64, since: Instant) {
        let closing = self
            .dome
            .wait_for(mark, 2 * self.budget, "dome_closing")
            .await;
        let elapsed = closing.line.at.saturating_duration_since(since);
        assert!(elapsed <= self.budget, "{elapsed:?} of {:?}", self.budget);
        assert_eq!(closing.field("cause"), "watchdog");
        let taken = self.dome.events("heartbeat_received");
        let last = taken
            .iter()
            .rfind(|event| event.line.number < closing.line.number)
            .expect("there were heartbeats");
        let waited = plc_seconds(&closing) - plc_seconds(last);
        let whole = PLC_TIMEOUT.as_secs_f64();
        // The PLC says milliseconds.
        assert!((whole - 0.002..whole + 0.5).contains(&waited), "{waited}");
    }
}

fn plc_seconds(event: &Event) -> f64 {
    event
        .field("plc_s")
        .as_f64()
        .expect("each event has its time")
}

/// `lvmecp` in a process of its own, for the PLC at that port.
pub async fn start_ecp(url: &str, plc: u16) -> Process {
    start_ecp_with(url, plc, &[]).await
}

/// The same with further arguments.
pub async fn start_ecp_with(url: &str, plc: u16, more: &[&str]) -> Process {
    let mut ecp = Launch::sim(["--listen", "127.0.0.1:0", "--json", "--control"])
        .args(["--ecp-plc", &format!("127.0.0.1:{plc}")])
        .args(more)
        .env("SIM_ECP_URL", url)
        .start();
    ecp.wait_for_event(0, START_LIMIT, "ecp_connected").await;
    ecp
}

/// S4: the number that `lvmbeat check` prints for that file.
pub async fn budget(file: &Path) -> Duration {
    let file = file.display().to_string();
    let checked = Launch::lvmbeat(["check", "-c", &file])
        .finish(START_LIMIT)
        .await;
    assert_eq!(checked.code(), Some(0), "{}", checked.stderr);
    let seconds = checked
        .stdout
        .split_once("the dome begins to close within ")
        .and_then(|(_, rest)| rest.split_once(" s of"))
        .and_then(|(number, _)| number.parse().ok());
    Duration::from_secs_f64(
        seconds.unwrap_or_else(|| panic!("no number of S4 in\n{}", checked.stdout)),
    )
}

/// A client that beats, on a connection of its own. It dies when this is dropped.
#[derive(Debug)]
pub struct Client {
    /// With which name it beats.
    pub heartbeat: String,
    last: watch::Receiver<Option<Instant>>,
    task: JoinHandle<()>,
}

impl Client {
    /// Starts one that beats at that interval, whatever becomes of its beats.
    pub async fn start(url: &str, heartbeat: &str, every: Duration) -> Self {
        let session = eventually(START_LIMIT, async || Session::open(url).await).await;
        let (client, command) = (format!("client-{heartbeat}"), format!("set {heartbeat}"));
        let (sent, last) = watch::channel(None);
        let task = tokio::spawn(async move {
            let mut ticks = interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let message = Outgoing::command(&client, "lvmbeat", &command);
                sent.send_replace(Some(Instant::now()));
                // The actor, or the broker, may be dead: a client beats on.
                let _ = timeout(every, session.try_publish(&message)).await;
            }
        });
        Self {
            heartbeat: heartbeat.to_owned(),
            last,
            task,
        }
    }

    /// Kills it, and says when it last beat.
    pub async fn kill(mut self) -> Instant {
        self.task.abort();
        let _ = (&mut self.task).await;
        self.last.borrow().expect("it has beaten")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}
