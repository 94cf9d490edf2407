//! A CLU client that sends `set`s and takes the time. It has a queue bound to all replies, as each
//! CLU client has.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::{AMQPValue, FieldTable};
use anyhow::{Context as _, Result, bail};
use tokio::time::Instant;
use uuid::Uuid;

use crate::usage;
use crate::wire::{Incoming, Wire};

/// For a program to start.
const START_LIMIT: Duration = Duration::from_secs(20);
const BETWEEN_TRIES: Duration = Duration::from_micros(500);

/// What a run of commands took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Took {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) all: Duration,
    /// CPU time of this client.
    pub(crate) cpu: Duration,
}

/// An answer that takes longer does not come.
const LONGEST: Duration = Duration::from_secs(30);

/// All that are set. Of one heartbeat lvmbeat takes 3000 `set`s a second and drops the rest (L1):
/// with one, the limit would be measured, and not the actor.
pub(crate) const HEARTBEATS: [&str; 8] = ["overwatcher", "b", "c", "d", "e", "f", "g", "h"];

pub(crate) struct Commander {
    wire: Wire,
    name: String,
}

impl Commander {
    pub(crate) fn connect(port: u16) -> Result<Self> {
        Self::bound(port, |_| "reply.#".to_owned())
    }

    /// One of many: it hears the replies to itself only.
    pub(crate) fn one_of_many(port: u16) -> Result<Self> {
        Self::bound(port, |name| format!("reply.{name}.#"))
    }

    /// Under a name that none has had: the broker may still hold the queue of one that has gone.
    fn bound(port: u16, replies: impl FnOnce(&str) -> String) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("speed{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut wire = Wire::connect(port)?;
        wire.consume(&format!("{name}_replies"), &replies(&name), None)?;
        Ok(Self { wire, name })
    }

    /// That many `set`s of the heartbeats in turn, of which so many wait for their answer at any
    /// time.
    pub(crate) fn send(&mut self, actor: &str, count: usize, outstanding: usize) -> Result<Took> {
        self.send_all(actor, &HEARTBEATS, count, outstanding)
    }

    /// Those of one heartbeat.
    pub(crate) fn send_to(
        &mut self,
        actor: &str,
        heartbeat: &str,
        count: usize,
        outstanding: usize,
    ) -> Result<Took> {
        self.send_all(actor, &[heartbeat], count, outstanding)
    }

    fn send_all(
        &mut self,
        actor: &str,
        heartbeats: &[&str],
        count: usize,
        outstanding: usize,
    ) -> Result<Took> {
        let mut waiting = HashMap::new();
        let mut took = Vec::with_capacity(count);
        let (begin, cpu) = (Instant::now(), usage::own_cpu());
        let (mut sent, mut answered) = (0, Instant::now());
        while took.len() < count {
            while sent < count && waiting.len() < outstanding {
                let name = heartbeats.get(sent % heartbeats.len()).unwrap_or(&"");
                let id = self.command(actor, &format!("set {name}"))?;
                waiting.insert(id, Instant::now());
                sent += 1;
            }
            self.wire.flush()?;
            loop {
                if let Some(id) = self.last_reply().with_context(|| actor.to_owned())?
                    && let Some(at) = waiting.remove(&id)
                {
                    took.push(at.elapsed());
                    answered = Instant::now();
                }
                // Others' messages come all the time.
                if answered.elapsed() > LONGEST {
                    bail!("{actor} has left a command unanswered for {LONGEST:?}");
                }
                if !self.wire.has_more() {
                    break;
                }
            }
        }
        let (all, cpu) = (begin.elapsed(), usage::own_cpu().saturating_sub(cpu));
        took.sort_unstable();
        let at = |percent: usize| {
            let place = (took.len() * percent / 100).min(took.len().saturating_sub(1));
            took.get(place).copied().unwrap_or_default()
        };
        Ok(Took {
            p50: at(50),
            p99: at(99),
            all,
            cpu,
        })
    }

    /// Pings until a ping is answered.
    pub(crate) fn until_it_answers(&mut self, actor: &str) -> Result<()> {
        let begin = Instant::now();
        while begin.elapsed() < START_LIMIT {
            let id = self.command(actor, "ping")?;
            self.wire.flush()?;
            loop {
                match self.wire.next()? {
                    Incoming::Returned => break,
                    Incoming::Message(reply) if is_last(&reply.properties) => {
                        if id_of(&reply.properties) == id {
                            return Ok(());
                        }
                    }
                    Incoming::Message(_) => {}
                }
            }
            std::thread::sleep(BETWEEN_TRIES);
        }
        bail!("{actor} does not answer within {START_LIMIT:?}")
    }

    fn command(&mut self, actor: &str, command: &str) -> Result<String> {
        let id = Uuid::new_v4().to_string();
        let text = |text: &str| AMQPValue::LongString(text.into());
        let mut headers = FieldTable::default();
        headers.insert("command_id".into(), text(&id));
        headers.insert(
            "commander_id".into(),
            text(&format!("{}.{actor}", self.name)),
        );
        headers.insert("internal".into(), AMQPValue::Boolean(false));
        headers.insert("write_to_log".into(), AMQPValue::Boolean(true));
        let properties = BasicProperties::default()
            .with_content_type("text/json".into())
            .with_delivery_mode(1)
            .with_correlation_id(id.as_str().into())
            .with_reply_to(format!("{}_replies", self.name).into())
            .with_message_id(id.as_str().into())
            .with_headers(headers);
        let body = serde_json::json!({ "command_string": command }).to_string();
        self.wire
            .publish(&format!("command.{actor}"), properties, body.as_bytes())?;
        Ok(id)
    }

    /// Waits for a message. The command's id, if it is the last reply to one.
    fn last_reply(&mut self) -> Result<Option<String>> {
        match self.wire.next()? {
            Incoming::Message(reply) if is_last(&reply.properties) => {
                Ok(Some(id_of(&reply.properties)))
            }
            Incoming::Message(_) => Ok(None),
            Incoming::Returned => bail!("nobody takes the commands any more"),
        }
    }
}

/// Other actors, that talk to each other.
pub(crate) struct Chatter {
    wire: Wire,
}

impl Chatter {
    pub(crate) fn connect(port: u16) -> Result<Self> {
        let mut wire = Wire::connect(port)?;
        wire.consume("chatter_replies", "reply.gort.#", None)?;
        Ok(Self { wire })
    }

    /// So many replies a second, for so long.
    pub(crate) fn reply(&mut self, rate: u32, span: Duration) -> Result<()> {
        const BATCH: u32 = 20;
        let begin = Instant::now();
        if rate == 0 {
            std::thread::sleep(span);
        }
        let body = br#"{"lights": true, "temperature": 11.5}"#;
        for sent in 1.. {
            if rate == 0 || begin.elapsed() >= span {
                return Ok(());
            }
            for _ in 0..BATCH {
                let headers = BasicProperties::default().with_content_type("text/json".into());
                self.wire.publish("reply.gort.lvmscp", headers, body)?;
            }
            self.wire.flush()?;
            while self.wire.has_more() {
                self.wire.next()?;
            }
            let due = begin + Duration::from_secs_f64(f64::from(sent * BATCH) / f64::from(rate));
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        Ok(())
    }
}

fn is_last(properties: &BasicProperties) -> bool {
    let headers = properties.headers().as_ref();
    let code = headers.and_then(|headers| headers.inner().get("message_code"));
    let code = code.and_then(AMQPValue::as_long_string);
    code.is_some_and(|code| matches!(code.as_bytes(), b":" | b"f"))
}

fn id_of(properties: &BasicProperties) -> String {
    let id = properties.correlation_id().as_ref();
    id.map(ToString::to_string).unwrap_or_default()
}
