//! The actor: one future that does everything, so that freezing it freezes everything.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use lvmbeat::clock::Clock;
use lvmbeat::clu::bus::{Bus, CommandQueue, Message, Publisher, SessionSpec};
use lvmbeat::clu::client::{Client, CommandOptions};
use lvmbeat::clu::command::{Answer, Grammar, Handled};
use lvmbeat::clu::connection::{Connection, Step};
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
use super::{Disconnection, EcpConfig, EcpEvent, status};
use crate::plc::Coil;

/// lvmecp's queue has no limit of its own: what comes late comes late. A day is as good.
const COMMAND_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// How many commands run beside each other; one too many fails at once.
const COMMANDS: usize = 64;

/// How long ending in order may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

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

/// Runs until `stop` is true.
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
    let spec = SessionSpec {
        commands: Some(CommandQueue { ttl: COMMAND_TTL }),
        ..SessionSpec::client(&context.config.name)
    };
    let mut connection = Connection::new(bus, spec, Arc::clone(&context.clock));
    tokio::select! {
        () = context.sessions(&mut connection) => {}
        () = context.engineer() => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    connection.close(CLOSE_LIMIT).await;
}

impl Context {
    fn report(&self, event: EcpEvent) {
        // An error means that nobody listens.
        let _ = self.events.send(event);
    }

    /// One session after the other, without end.
    async fn sessions(self: &Arc<Self>, connection: &mut Connection) {
        let mut reported = false;
        loop {
            let step = connection.next().await;
            let cause = if let Step::Failed(error) = step {
                Disconnection::from(error)
            } else if let (Step::Opened { .. }, Some(publisher)) = (step, connection.publisher()) {
                self.report(EcpEvent::Connected);
                reported = false;
                self.session(connection, publisher).await
            } else {
                // What is left of a session that is over.
                continue;
            };
            if !reported {
                self.report(EcpEvent::Disconnected { cause });
                reported = true;
            }
        }
    }

    /// One session, until it is over; says why it is.
    async fn session(
        self: &Arc<Self>,
        connection: &mut Connection,
        publisher: Arc<dyn Publisher>,
    ) -> Disconnection {
        let client = Client::new(&self.config.name, Arc::clone(&publisher));
        let mut commands: FuturesUnordered<BoxFuture<'static, ()>> = FuturesUnordered::new();
        let mut chores = std::pin::pin!(async {
            tokio::join!(self.send_status(&client), self.watch_network(&client))
        });
        let cause = loop {
            tokio::select! {
                step = connection.next() => match step {
                    Step::Command(message) if commands.len() < COMMANDS => {
                        let run = command(Arc::clone(self), message, Arc::clone(&publisher));
                        commands.push(Box::pin(run));
                    }
                    Step::Command(message) => self.refuse(&message, &*publisher).await,
                    Step::Reply(message) => {
                        // A reply to none of our commands is ignored.
                        let _ = client.dispatch(&message);
                    }
                    Step::Ended(cause) => break Disconnection::Ended(cause),
                    Step::Failed(error) | Step::Blocked(error) => break error.into(),
                    Step::Opened { .. } | Step::Unblocked => {}
                },
                Some(()) = commands.next(), if !commands.is_empty() => {}
                _ = &mut chores => {}
            }
        };
        client.disconnected();
        cause
    }

    /// Sends itself `status`, for everybody to hear.
    async fn send_status(&self, client: &Client) {
        loop {
            let options = CommandOptions {
                internal: true,
                expiration: None,
                limit: STATUS_LIMIT,
            };
            let sent = client.command(&self.config.name, "status", options).await;
            if let Err(error) = sent {
                tracing::debug!(%error, "own status");
            }
            sleep(self.config.status_interval).await;
        }
    }

    /// Asks lvmbeat how the network is, and writes that to the PLC. Without an answer, the PLC
    /// keeps what it has.
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

    /// Beats on its own in engineering mode. Never ends.
    async fn engineer(&self) {
        loop {
            self.engineering.begun().await;
            self.report(EcpEvent::EngineeringMode { on: true });
            while self.engineering.is_on() {
                // A heartbeat that fails is reported, and followed by the next.
                let _ = self.beat().await;
                self.engineering
                    .pause(self.config.engineering_interval)
                    .await;
            }
            self.report(EcpEvent::EngineeringMode { on: false });
        }
    }

    async fn beat(&self) -> Result<(), Arc<PortError>> {
        let written = self.port.write(Coil::HbSet, true).await.map_err(Arc::new);
        self.report(match &written {
            Ok(()) => EcpEvent::HeartbeatWritten,
            Err(error) => EcpEvent::HeartbeatFailed {
                cause: Arc::clone(error),
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
            // Best effort: the end of the session is noticed elsewhere.
            let _ = publisher.post(reply).await;
        }
    }

    async fn request(
        &self,
        request: EcpRequest,
        replies: &Replies<'_>,
    ) -> Result<Keywords, String> {
        match request {
            EcpRequest::Heartbeat => {
                // lvmecp does not say why, either.
                let beaten = self.beat().await;
                beaten.map_err(|_| "Failed to set heartbeat.".to_owned())?;
                Ok(Keywords::new())
            }
            EcpRequest::Status { no_registers, .. } => {
                let read = self.read().await.map_err(|error| error.to_string())?;
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

    async fn dome(&self, request: DomeRequest, replies: &Replies<'_>) -> Result<Keywords, String> {
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
                return stopped.map(|()| Keywords::new()).map_err(describe);
            }
            DomeRequest::Status => {
                let read = self.read().await.map_err(|error| error.to_string())?;
                replies.send(Code::Debug, status::dome(&read)).await;
                return Ok(Keywords::new());
            }
            DomeRequest::Reset => {
                let reset = port.write(Coil::DomeErrorReset, true).await;
                return reset
                    .map(|()| Keywords::new())
                    .map_err(|error| error.to_string());
            }
        };
        replies.send(Code::Info, keyword("text", begins)).await;
        let moved = movement.run(port, patience).await;
        moved.map_err(|error| format!("{failed}: {error}"))?;
        let read = self.read().await.map_err(|error| error.to_string())?;
        replies.send(Code::Debug, status::dome(&read)).await;
        Ok(keyword("text", done))
    }

    async fn engineering_mode(&self, request: EngineeringRequest) -> Result<Keywords, String> {
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
            let written = self.port.write(coil, value).await;
            written.map_err(|error| error.to_string())?;
        }
        let read = self.read().await.map_err(|error| error.to_string())?;
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
            Err(error) => replies.send(Code::Failed, keyword("error", error)).await,
        },
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn describe(error: DomeError) -> String {
    error.to_string()
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
