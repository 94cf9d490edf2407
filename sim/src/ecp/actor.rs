//! The actor: one future that does everything, so that freezing it freezes everything.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use lvmbeat::clock::Clock;
use lvmbeat::clu::bus::{Bus, CommandQueue, Message, Publisher, Session, SessionSpec};
use lvmbeat::clu::client::{Client, CommandOptions};
use lvmbeat::clu::command::{Answer, Grammar, Handled};
use lvmbeat::clu::message::{
    Code, Command, Keywords, ReplyAddress, decode_command, encode_reply, keyword,
};
use serde_json::Value;
use tokio::sync::{broadcast, watch};
use tokio::time::sleep;

use super::dome::{self, DomeError, Move};
use super::engineering::{Engineering, iso};
use super::port::{PlcPort, PortError, Registers};
use super::request::{DomeRequest, EcpRequest, EngineeringRequest, schema};
use super::{EcpConfig, EcpEvent, status};
use crate::plc::Coil;

/// lvmecp's queue has no limit of its own: what comes late comes late. A day is as good.
const COMMAND_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// How many commands run beside each other; one too many fails at once.
const COMMANDS: usize = 64;

/// The first and the longest pause between two attempts to open a session.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(1600);

/// How long its own `status` may take.
const STATUS_LIMIT: Duration = Duration::from_secs(30);

struct Context {
    config: EcpConfig,
    port: Arc<dyn PlcPort>,
    clock: Arc<dyn Clock>,
    grammar: Grammar<EcpRequest>,
    engineering: Engineering,
    acknowledged: Mutex<Option<Timestamp>>,
    events: broadcast::Sender<EcpEvent>,
}

/// Runs until it is asked to stop.
pub(super) async fn run(
    config: EcpConfig,
    bus: Arc<dyn Bus>,
    port: Arc<dyn PlcPort>,
    clock: Arc<dyn Clock>,
    events: broadcast::Sender<EcpEvent>,
    mut stop: watch::Receiver<bool>,
) {
    let context = Arc::new(Context {
        grammar: Grammar::new(&config.name, env!("CARGO_PKG_VERSION"), schema()),
        config,
        port,
        clock,
        engineering: Engineering::off(),
        acknowledged: Mutex::new(None),
        events,
    });
    let open = Open::default();
    {
        let mut sessions = std::pin::pin!(sessions(&context, &*bus, &open));
        tokio::select! {
            () = &mut sessions => {}
            () = context.engineer() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        // While its streams are still there, so that it is closed in order.
        if let Some(publisher) = take(&open) {
            publisher.close().await;
        }
    }
}

type Open = Mutex<Option<Arc<dyn Publisher>>>;

fn take(open: &Open) -> Option<Arc<dyn Publisher>> {
    open.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Opens one session after the other, for ever.
async fn sessions(context: &Arc<Context>, bus: &dyn Bus, open: &Open) {
    let spec = SessionSpec {
        commands: Some(CommandQueue { ttl: COMMAND_TTL }),
        ..SessionSpec::client(&context.config.name)
    };
    let mut pause = FIRST_PAUSE;
    let mut reported = false;
    loop {
        let cause = match bus.open(&spec).await {
            Ok(session) => {
                *open.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(Arc::clone(&session.publisher));
                context.tell(EcpEvent::Connected);
                (pause, reported) = (FIRST_PAUSE, false);
                let cause = context.session(session).await;
                if let Some(publisher) = take(open) {
                    publisher.close().await;
                }
                cause.to_owned()
            }
            Err(error) => error.to_string(),
        };
        if !reported {
            context.tell(EcpEvent::Disconnected { cause });
            reported = true;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

impl Context {
    fn tell(&self, event: EcpEvent) {
        // An error means that nobody listens.
        let _ = self.events.send(event);
    }

    /// One session, until it is over; tells why.
    async fn session(self: &Arc<Self>, mut session: Session) -> &'static str {
        let client = Client::new(&self.config.name, Arc::clone(&session.publisher));
        let mut commands: FuturesUnordered<BoxFuture<'static, ()>> = FuturesUnordered::new();
        let mut chores = std::pin::pin!(async {
            tokio::join!(self.tell_status(&client), self.watch_network(&client))
        });
        let cause = loop {
            tokio::select! {
                delivered = session.commands.next() => match delivered {
                    Some(message) if commands.len() < COMMANDS => {
                        let run = command(Arc::clone(self), message, Arc::clone(&session.publisher));
                        commands.push(Box::pin(run));
                    }
                    Some(message) => self.refuse(&message, &*session.publisher).await,
                    None => break "the command queue is gone",
                },
                reply = session.replies.next() => match reply {
                    Some(message) => {
                        // What answers no command of ours is for nobody.
                        let _ = client.dispatch(&message);
                    }
                    None => break "the replies queue is gone",
                },
                Some(()) = commands.next(), if !commands.is_empty() => {}
                _ = &mut chores => {}
            }
        };
        client.disconnected();
        cause
    }

    /// Sends itself `status`, for everybody to hear.
    async fn tell_status(&self, client: &Client) {
        loop {
            let options = CommandOptions {
                internal: true,
                expiration: None,
                limit: STATUS_LIMIT,
            };
            let done = client.command(&self.config.name, "status", options).await;
            if let Err(error) = done {
                tracing::debug!(%error, "own status");
            }
            sleep(self.config.status_interval).await;
        }
    }

    /// Asks lvmbeat how the network is, and tells the PLC. Without an answer, the PLC keeps what it
    /// has.
    async fn watch_network(&self, client: &Client) {
        loop {
            sleep(self.config.network_interval).await;
            let options = CommandOptions {
                internal: true,
                expiration: None,
                limit: self.config.network_limit,
            };
            let asked = client
                .command(&self.config.lvmbeat, "status", options)
                .await;
            let replies = match asked {
                Ok(finished) => finished.replies,
                Err(error) => {
                    tracing::debug!(%error, "the state of the network is not known");
                    continue;
                }
            };
            let network = replies
                .iter()
                .rev()
                .find_map(|reply| reply.body.get("network"));
            let Some(Value::Object(network)) = network else {
                continue;
            };
            // Only what is said to be down is down.
            let up = |link: &str| network.get(link).and_then(Value::as_bool) != Some(false);
            let failure = !(up("internet") && up("lco"));
            if let Err(error) = self.port.write(Coil::NetworkFailure, failure).await {
                tracing::debug!(%error, "network_failure is not written");
            }
        }
    }

    /// Beats by itself in engineering mode. For ever.
    async fn engineer(&self) {
        loop {
            self.engineering.begun().await;
            self.tell(EcpEvent::EngineeringMode { on: true });
            while self.engineering.is_on() {
                // A failure is reported; the next beat follows.
                let _ = self.beat().await;
                self.engineering
                    .pause(self.config.engineering_interval)
                    .await;
            }
            self.tell(EcpEvent::EngineeringMode { on: false });
        }
    }

    async fn beat(&self) -> Result<(), PortError> {
        let written = self.port.write(Coil::HbSet, true).await;
        self.tell(match &written {
            Ok(()) => EcpEvent::HeartbeatWritten,
            Err(error) => EcpEvent::HeartbeatFailed {
                cause: error.to_string(),
            },
        });
        written
    }

    async fn read(&self) -> Result<Registers, PortError> {
        let read = self.port.read().await?;
        if read.coil(Coil::HbAck) {
            *self.acknowledged() = Some(self.clock.wall());
        }
        Ok(read)
    }

    fn acknowledged(&self) -> std::sync::MutexGuard<'_, Option<Timestamp>> {
        self.acknowledged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that there is too much to do.
    async fn refuse(&self, message: &Message, publisher: &dyn Publisher) {
        if let Ok(Command { address, .. }) = decode_command(message) {
            let body = keyword("error", "Too many commands at a time.");
            let reply = encode_reply(
                &self.config.name,
                &address,
                Code::Failed,
                &body,
                self.clock.wall(),
            );
            // Best effort: a session that is over is noticed by itself.
            let _ = publisher.post(reply).await;
        }
    }

    async fn request(
        &self,
        request: EcpRequest,
        replies: &Replies<'_>,
    ) -> Result<Keywords, RequestError> {
        match request {
            EcpRequest::Heartbeat => {
                self.beat().await.map_err(RequestError::Heartbeat)?;
                Ok(Keywords::new())
            }
            EcpRequest::Status { no_registers, .. } => {
                let read = self.read().await?;
                if !no_registers {
                    replies.send(Code::Info, status::registers(&read)).await;
                }
                replies.send(Code::Debug, status::dome(&read)).await;
                replies.send(Code::Debug, status::safety(&read)).await;
                replies.send(Code::Debug, status::lights(&read)).await;
                replies.send(Code::Info, status::oxygen(&read)).await;
                replies
                    .send(Code::Info, self.engineering_keyword(&read))
                    .await;
                let acknowledged = self.acknowledged().map(iso);
                replies
                    .send(Code::Info, keyword("heartbeat_ack", acknowledged))
                    .await;
                Ok(Keywords::new())
            }
            EcpRequest::Dome { request } => self.dome(request, replies).await,
            EcpRequest::EngineeringMode { request } => self.engineering_mode(request).await,
        }
    }

    async fn dome(
        &self,
        request: DomeRequest,
        replies: &Replies<'_>,
    ) -> Result<Keywords, RequestError> {
        let patience = self.config.patience;
        let port = &*self.port;
        let (movement, begins, done, failed) = match request {
            DomeRequest::Open { force } => (
                Move {
                    open: true,
                    force,
                    overcurrent: false,
                },
                "Opening dome.",
                "Dome is now open.",
                "Dome failed to open with error",
            ),
            DomeRequest::Close { force, overcurrent } => (
                Move {
                    open: false,
                    force,
                    overcurrent,
                },
                "Closing dome.",
                "Dome is now closed.",
                "Dome failed to close with error",
            ),
            DomeRequest::Stop => {
                replies
                    .send(Code::Warning, keyword("text", "Stopping the dome."))
                    .await;
                let stopped = dome::stop(port, patience).await;
                return Ok(stopped.map(|()| Keywords::new())?);
            }
            DomeRequest::Status => {
                let read = self.read().await?;
                replies.send(Code::Debug, status::dome(&read)).await;
                return Ok(Keywords::new());
            }
            DomeRequest::Reset => {
                let reset = port.write(Coil::DomeErrorReset, true).await;
                return Ok(reset.map(|()| Keywords::new())?);
            }
        };
        replies.send(Code::Info, keyword("text", begins)).await;
        let moved = movement.run(port, patience).await;
        moved.map_err(|error| RequestError::Move(failed, error))?;
        let read = self.read().await?;
        replies.send(Code::Debug, status::dome(&read)).await;
        Ok(keyword("text", done))
    }

    async fn engineering_mode(
        &self,
        request: EngineeringRequest,
    ) -> Result<Keywords, RequestError> {
        let mut writes = Vec::new();
        match request {
            EngineeringRequest::Enable {
                hardware_bypass,
                software_bypass,
            } => {
                self.engineering
                    .enable(self.clock.wall(), self.config.engineering_limit);
                if hardware_bypass {
                    writes.push((Coil::BypassHardwareRemote, true));
                }
                if software_bypass {
                    writes.push((Coil::BypassSoftwareRemote, true));
                }
            }
            EngineeringRequest::Disable => {
                self.engineering.disable();
                writes.push((Coil::BypassHardwareRemote, false));
                writes.push((Coil::BypassSoftwareRemote, false));
            }
            EngineeringRequest::Status => {}
        }
        for (coil, value) in writes {
            self.port.write(coil, value).await?;
        }
        let read = self.read().await?;
        Ok(self.engineering_keyword(&read))
    }

    fn engineering_keyword(&self, read: &Registers) -> Keywords {
        status::engineering(read, self.engineering.shown())
    }
}

/// One command, from its message to its last reply.
async fn command(context: Arc<Context>, message: Message, publisher: Arc<dyn Publisher>) {
    let command = match decode_command(&message) {
        Ok(command) => command,
        Err(malformed) => {
            for reply in malformed.replies(&context.config.name, context.clock.wall()) {
                let _ = publisher.post(reply).await;
            }
            return;
        }
    };
    let replies = Replies {
        context: &context,
        publisher: &*publisher,
        address: &command.address,
    };
    replies.send(Code::Running, Keywords::new()).await;
    match context.grammar.handle(&command.command_string) {
        Handled::Answered(answers) => {
            for answer in &answers {
                replies.answer(answer).await;
            }
        }
        Handled::Request(request) => match context.request(request, &replies).await {
            Ok(body) => replies.send(Code::Done, body).await,
            Err(error) => {
                replies
                    .send(Code::Failed, keyword("error", error.to_string()))
                    .await;
            }
        },
    }
}

/// Why a request was not carried out, in lvmecp's words.
#[derive(Debug, thiserror::Error)]
enum RequestError {
    /// lvmecp does not say why, either.
    #[error("Failed to set heartbeat.")]
    Heartbeat(#[source] PortError),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(transparent)]
    Dome(#[from] DomeError),
    #[error("{0}: {1}")]
    Move(&'static str, #[source] DomeError),
}

/// Sends the replies to one command.
struct Replies<'a> {
    context: &'a Context,
    publisher: &'a dyn Publisher,
    address: &'a ReplyAddress,
}

impl Replies<'_> {
    async fn send(&self, code: Code, body: Keywords) {
        let internal = false;
        self.answer(&Answer {
            code,
            body,
            internal,
        })
        .await;
    }

    async fn answer(&self, answer: &Answer) {
        let context = self.context;
        let reply = answer.encode(&context.config.name, self.address, context.clock.wall());
        if let Err(error) = self.publisher.post(reply).await {
            tracing::debug!(%error, "a reply is lost");
        }
    }
}
