//! The stand-in on the broker in memory, with a PLC behind it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use lvmbeat::clock::{Clock, RuntimeClock};
use lvmbeat::clu::LocalBroker;
use lvmbeat::clu::bus::{Bus as _, CommandQueue, Session, SessionSpec};
use lvmbeat::clu::client::{CommandError, CommandOptions, Connected, Finished, connect};
use lvmbeat::clu::message::{Code, Reply, decode_command, encode_reply, keyword};
use serde_json::Value;
use sim::ecp::{DirectPort, EcpEvent};
use sim::plc::PlcConfig;
use sim::{Ecp, EcpConfig, LivePlc};
use tokio::task::JoinHandle;

/// How a command is sent that takes at most that many seconds.
pub(crate) fn limit(seconds: u64) -> CommandOptions {
    CommandOptions {
        internal: false,
        expiration: None,
        limit: Duration::from_secs(seconds),
    }
}

pub(crate) struct Chain {
    pub(crate) broker: LocalBroker,
    pub(crate) plc: LivePlc,
    pub(crate) ecp: Ecp,
    pub(crate) client: Connected,
    clock: JoinHandle<()>,
}

impl Drop for Chain {
    fn drop(&mut self) {
        self.clock.abort();
    }
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(RuntimeClock::new(jiff::Timestamp::UNIX_EPOCH))
}

impl Chain {
    pub(crate) async fn start() -> Self {
        Self::start_with(EcpConfig::default()).await
    }

    pub(crate) async fn start_with(config: EcpConfig) -> Self {
        let broker = LocalBroker::new();
        let clock = clock();
        let plc = LivePlc::new(PlcConfig::default(), Arc::clone(&clock), 1.0);
        let port = DirectPort {
            plc: plc.clone(),
            limit: Duration::from_secs(5),
            delay: Duration::from_secs(2),
        };
        let ecp = Ecp::start(config, Arc::new(broker.clone()), Arc::new(port), clock);
        let first = ecp.events().recv().await.unwrap();
        assert!(matches!(first, EcpEvent::Connected), "{first:?}");
        Self {
            client: connect(&broker, "gort").await.unwrap(),
            clock: tokio::spawn(plc.clone().keep_looking()),
            broker,
            plc,
            ecp,
        }
    }

    pub(crate) async fn command(&self, command: &str) -> Result<Finished, CommandError> {
        self.client
            .client
            .command("lvmecp", command, limit(400))
            .await
    }

    /// The command's replies after the first.
    pub(crate) async fn replies(&self, command: &str) -> Vec<(Code, Value)> {
        let finished = self.command(command).await.unwrap();
        let (first, rest) = finished.replies.split_first().unwrap();
        assert_eq!((first.code, first.internal), (Code::Running, true));
        assert!(first.body.is_empty());
        let content = |reply: &Reply| (reply.code, Value::Object(reply.body.clone()));
        rest.iter().map(content).collect()
    }

    pub(crate) async fn last(&self, command: &str) -> (Code, Value) {
        self.replies(command).await.pop().unwrap()
    }

    /// All keywords of a command's replies.
    pub(crate) async fn keywords(&self, command: &str) -> serde_json::Map<String, Value> {
        let finished = self.command(command).await.unwrap();
        assert_eq!(finished.code, Code::Done);
        finished
            .replies
            .into_iter()
            .flat_map(|reply| reply.body)
            .collect()
    }

    /// Somebody who only hears.
    pub(crate) async fn ear(&self) -> Session {
        let spec = SessionSpec {
            overhears: Some("#".to_owned()),
            ..SessionSpec::client("ear")
        };
        self.broker.open(&spec).await.unwrap()
    }
}

/// A `lvmbeat` that says that the network is like that.
pub(crate) async fn lvmbeat(broker: &LocalBroker, network: Value) -> JoinHandle<()> {
    let spec = SessionSpec {
        commands: Some(CommandQueue {
            ttl: Duration::from_secs(5),
        }),
        ..SessionSpec::client("lvmbeat")
    };
    let mut session = broker.open(&spec).await.unwrap();
    tokio::spawn(async move {
        while let Some(message) = session.commands.next().await {
            let command = decode_command(&message).unwrap();
            assert_eq!(command.command_string, "status");
            assert!(command.address.internal);
            let body = keyword("network", network.clone());
            let wall = jiff::Timestamp::UNIX_EPOCH;
            let reply = encode_reply("lvmbeat", &command.address, Code::Done, &body, wall);
            session.publisher.publish(reply).await.unwrap();
        }
    })
}
