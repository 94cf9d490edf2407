//! Commands that are refused before anything decodes them (L1).
//!
//! lapin takes a few thousand messages a second in, one client sends some ten thousand. So what is
//! no `set` that keeps the dome open, no echo, and more than its commander may have, does not even
//! get to lapin. Everything else keeps its order, so that an echo proves what it proved (S3). A
//! message that is dropped is acknowledged with the next one that is not (`multiple`); there is one
//! at least in each few.
//!
//! A body that is longer than anything that is ever taken does not get through either: its message
//! comes without it.
//!
//! The same holds for replies, of which anybody may overhear many: those to the session's own
//! commands pass, and the others as far as their commander's limit goes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use embassy_time::Instant;

use super::{BODY, CONTENT, CONTENT_HEADER, FRAME_HEADER, METHOD, Reader};
use crate::bus::{ECHO, Header, Message};
use crate::message::{MAX_COMMAND_BYTES, set_by};
use crate::quota::{Limit, Quota};

/// The consumer of the commands.
pub(in super::super) const COMMANDS: &str = "commands";
/// Commands of one commander: a little more than the actor answers, so that it can say that it is
/// busy.
const COMMANDER: Limit = Limit {
    burst: 1000,
    each: Duration::from_millis(4),
};
/// Commands of all commanders together.
const EVERYBODY: Limit = Limit {
    burst: 1500,
    each: Duration::from_micros(2500),
};
/// Replies to one command of this session.
const ANSWERS: Limit = Limit {
    burst: 1000,
    each: Duration::from_millis(1),
};
/// The consumer of the replies.
pub(in super::super) const REPLIES: &str = "replies";
/// A message with a longer body arrives without it, so that what waits in memory has a bound. The
/// answer to a command that is longer than what is accepted, but no longer than this, says so.
const LONGEST_BODY: usize = 2 * MAX_COMMAND_BYTES;
/// A longer body is looked at by nobody here.
const SHORT_BODY: usize = 512;
/// `set`s of one heartbeat: whoever has sent them, each that passes is a beat of it.
const SETS: Limit = Limit {
    burst: 5000,
    each: Duration::from_micros(333),
};
const NO_LIMIT: Limit = Limit {
    burst: u32::MAX,
    each: Duration::from_nanos(1),
};
/// More echoes, or commands, are not under way.
const UNDER_WAY: usize = 256;

/// What the session and its gate share.
#[derive(Default)]
pub(in super::super) struct Shared {
    /// By which the dome stays open.
    heartbeats: Vec<String>,
    /// How many commands were dropped.
    pub(in super::super) dropped: Arc<AtomicU64>,
    /// The numbers of the session's own echoes that are under way.
    echoes: Mutex<VecDeque<String>>,
    /// The session's own last commands.
    asked: Mutex<VecDeque<String>>,
}

impl Shared {
    /// Of a session that prefers `set`s of these heartbeats.
    pub(in super::super) fn new(heartbeats: &[String]) -> Self {
        Self {
            heartbeats: heartbeats.to_vec(),
            ..Self::default()
        }
    }

    /// What a `set` with these arguments is counted by, if it is preferred: the heartbeat, and
    /// whether it proves when it was sent, so that those that do not leave the others alone.
    fn counted_by<'a>(&self, arguments: &'a str) -> Option<&'a str> {
        const SEEN: &str = " --seen ";
        let (heartbeat, proof) = match arguments.find(SEEN) {
            Some(place) => arguments.split_at(place),
            None => (arguments, ""),
        };
        let by = arguments.get(..heartbeat.len() + proof.len().min(SEEN.len()))?;
        self.heartbeats
            .iter()
            .any(|it| it == heartbeat)
            .then_some(by)
    }

    /// The session is about to send that message.
    pub(in super::super) fn sends(&self, message: &Message) {
        if let Some(Header::Text(number)) = message.headers.get(ECHO) {
            remember(&self.echoes, number);
        }
    }

    /// The session is about to send that command.
    pub(in super::super) fn asks(&self, command: &Message) {
        if let Some(id) = &command.correlation_id {
            remember(&self.asked, id);
        }
    }

    fn has_asked(&self, id: &[u8]) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().any(|asked| asked.as_bytes() == id)
    }

    /// Whether this is an echo of the session; it is one once.
    fn is_expected(&self, number: &[u8]) -> bool {
        let mut echoes = self.echoes.lock().unwrap_or_else(PoisonError::into_inner);
        let place = echoes.iter().position(|echo| echo.as_bytes() == number);
        place.and_then(|place| echoes.remove(place)).is_some()
    }
}

fn remember(all: &Mutex<VecDeque<String>>, one: &str) {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    if all.len() >= UNDER_WAY {
        all.pop_front();
    }
    all.push_back(one.to_owned());
}

/// Decides which messages pass.
pub(in super::super) struct Gate {
    commands: Lane,
    replies: Lane,
    started: tokio::time::Instant,
    shared: Arc<Shared>,
}

/// What one consumer gets, on a channel of its own.
struct Lane {
    tag: &'static str,
    quota: Quota,
    /// Of what goes before.
    preferred: Quota,
    /// So many are dropped in a row.
    most_dropped: u16,
    dropped_in_a_row: u16,
    /// A message that is not whole yet.
    held: Option<Held>,
    /// The channel and what is left of a body that is not let through.
    skipping: Option<(Channel, u64)>,
}

type Channel = [u8; 2];

struct Held {
    channel: Channel,
    bytes: Vec<u8>,
    /// What its properties say, and how much of the body is to come, when they are there.
    header: Option<(Sender, usize)>,
    body: Vec<u8>,
}

#[derive(Default)]
struct Sender {
    commander: String,
    echo: Option<Vec<u8>>,
    /// The command that this answers.
    command: Option<Vec<u8>>,
    /// It may be a task, whatever its body says.
    is_task: bool,
}

impl Gate {
    /// For consumers of commands and of replies with this prefetch. What the broker may send before
    /// an acknowledgement has to be more than is dropped in a row, or a flood waits for each (L1).
    pub(in super::super) fn new(prefetch: u16, shared: Arc<Shared>) -> Self {
        Self {
            commands: Lane::new(COMMANDS, SETS, prefetch / 8),
            replies: Lane::new(REPLIES, ANSWERS, prefetch / 8),
            started: tokio::time::Instant::now(),
            shared,
        }
    }

    /// Whether it has to see the bodies that come now.
    pub(super) fn wants_bodies(&self) -> bool {
        let lanes = [&self.commands, &self.replies];
        lanes
            .iter()
            .any(|lane| lane.held.is_some() || lane.skipping.is_some())
    }

    /// Takes one whole frame, and adds to `ready` what passes, in order.
    pub(super) fn frame(&mut self, frame: &mut Vec<u8>, ready: &mut Vec<u8>) {
        if frame.is_empty() {
            return;
        }
        let (Some(&kind), Some(&channel)) = (
            frame.first(),
            frame.get(1..).and_then(|rest| rest.first_chunk::<2>()),
        ) else {
            return ready.append(frame);
        };
        let payload = frame
            .get(FRAME_HEADER..frame.len().saturating_sub(1))
            .unwrap_or_default();
        let tag = consumer(payload).filter(|_| kind == METHOD);
        let (elapsed, shared) = (self.started.elapsed(), &self.shared);
        let now = Instant::from_micros(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX));
        let mut lanes = [&mut self.commands, &mut self.replies];
        let mut delivered_to = lanes.iter_mut();
        if let Some(lane) = delivered_to.find(|lane| tag == Some(lane.tag.as_bytes())) {
            // One that never got its header: not to be understood here.
            lane.release(ready);
            lane.held = Some(Held {
                channel,
                bytes: std::mem::take(frame),
                header: None,
                body: Vec::new(),
            });
            return;
        }
        match lanes.iter_mut().find(|lane| lane.is_on(channel)) {
            Some(lane) if kind == CONTENT => lane.content(channel, frame, ready, shared, now),
            Some(lane) if kind == BODY => lane.body(channel, frame, ready, shared, now),
            Some(lane) => {
                if lane.is_holding(channel) {
                    lane.release(ready);
                }
                ready.append(frame);
            }
            None => ready.append(frame),
        }
    }
}

impl Lane {
    fn new(tag: &'static str, preferred: Limit, most_dropped: u16) -> Self {
        Self {
            tag,
            quota: Quota::new(COMMANDER, EVERYBODY, Instant::MIN),
            preferred: Quota::new(preferred, NO_LIMIT, Instant::MIN),
            most_dropped,
            dropped_in_a_row: 0,
            held: None,
            skipping: None,
        }
    }

    fn content(
        &mut self,
        channel: Channel,
        frame: &mut Vec<u8>,
        ready: &mut Vec<u8>,
        shared: &Shared,
        now: Instant,
    ) {
        let size = body_size(frame);
        let is_reply = self.tag == REPLIES;
        if self.is_holding(channel) && size > LONGEST_BODY as u64 {
            // X2: it would be refused for its length, after it had taken so much memory.
            if let Some(size) = frame.get_mut(FRAME_HEADER + 4..FRAME_HEADER + CONTENT_HEADER) {
                size.fill(0);
            }
            self.skipping = Some((channel, size));
        }
        let size = body_size(frame);
        let Some(held) = self.held.as_mut().filter(|held| held.channel == channel) else {
            return ready.append(frame);
        };
        let payload = frame.get(FRAME_HEADER..frame.len().saturating_sub(1));
        let properties = payload.and_then(|payload| payload.get(CONTENT_HEADER..));
        let sender = properties.and_then(|it| Reader(it).sender());
        held.bytes.append(frame);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        held.header = Some((sender.unwrap_or_default(), size));
        // What a reply says matters to nobody here.
        if size == 0 || size > SHORT_BODY || is_reply {
            self.decide(ready, shared, now);
        }
    }

    fn body(
        &mut self,
        channel: Channel,
        frame: &mut Vec<u8>,
        ready: &mut Vec<u8>,
        shared: &Shared,
        now: Instant,
    ) {
        let payload = frame
            .get(FRAME_HEADER..frame.len().saturating_sub(1))
            .unwrap_or_default();
        if let Some((of, left)) = &mut self.skipping
            && *of == channel
        {
            *left = left.saturating_sub(payload.len() as u64);
            if *left == 0 {
                self.skipping = None;
            }
            return frame.clear();
        }
        let Some(held) = self.held.as_mut().filter(|held| held.channel == channel) else {
            return ready.append(frame);
        };
        held.body.extend_from_slice(payload);
        held.bytes.append(frame);
        if held
            .header
            .as_ref()
            .is_none_or(|(_, size)| held.body.len() >= *size)
        {
            self.decide(ready, shared, now);
        }
    }

    /// Whether what comes on that channel is, or belongs to, a message of this consumer.
    fn is_on(&self, channel: Channel) -> bool {
        self.is_holding(channel) || self.skipping.is_some_and(|(of, _)| of == channel)
    }

    fn is_holding(&self, channel: Channel) -> bool {
        self.held
            .as_ref()
            .is_some_and(|held| held.channel == channel)
    }

    /// What cannot be understood passes.
    fn release(&mut self, ready: &mut Vec<u8>) {
        if let Some(held) = &mut self.held.take() {
            ready.append(&mut held.bytes);
        }
    }

    /// All is known that is needed of the message.
    fn decide(&mut self, ready: &mut Vec<u8>, shared: &Shared, now: Instant) {
        let Some(mut held) = self.held.take() else {
            return;
        };
        let (sender, size) = held.header.take().unwrap_or_default();
        let commander = sender.commander.as_str();
        let is_preferred = match &sender.command {
            _ if self.tag == COMMANDS => set_by(&held.body)
                .filter(|_| !sender.is_task)
                .and_then(|arguments| shared.counted_by(arguments))
                .is_some_and(|by| self.preferred.take(by, now)),
            Some(id) if shared.has_asked(id) => {
                self.preferred.take(&String::from_utf8_lossy(id), now)
            }
            _ => false,
        };
        let echo = sender.echo.as_ref();
        let passes = echo.is_some_and(|number| shared.is_expected(number))
            || is_preferred
            || self.quota.take(commander, now)
            || self.dropped_in_a_row >= self.most_dropped;
        if passes {
            self.dropped_in_a_row = 0;
            ready.append(&mut held.bytes);
            return;
        }
        self.dropped_in_a_row += 1;
        shared.dropped.fetch_add(1, Ordering::Relaxed);
        let left = size.saturating_sub(held.body.len());
        if left > 0 {
            self.skipping = Some((held.channel, left as u64));
        }
    }
}

/// The consumer that a method delivers to, if it does.
fn consumer(payload: &[u8]) -> Option<&[u8]> {
    const DELIVER: [u8; 4] = [0, 60, 0, 60];
    Reader(payload.strip_prefix(&DELIVER)?).short_string()
}

fn body_size(frame: &[u8]) -> u64 {
    let size = frame.get(FRAME_HEADER + 4..).and_then(<[u8]>::first_chunk);
    size.map_or(0, |size| u64::from_be_bytes(*size))
}

impl Reader<'_> {
    /// What the properties say of the sender, as far as that is needed here. They are known to be
    /// readable.
    fn sender(&mut self) -> Option<Sender> {
        let flags = u16::from_be_bytes(*self.take(2)?.first_chunk()?);
        for bit in [15, 14] {
            if flags & (1 << bit) != 0 {
                self.short_string()?;
            }
        }
        let mut sender = Sender::default();
        if flags & (1 << 13) != 0 {
            Reader(self.long()?).headers(&mut sender)?;
        }
        for bit in [12, 11] {
            if flags & (1 << bit) != 0 {
                self.byte()?;
            }
        }
        if flags & (1 << 10) != 0 {
            sender.command = Some(self.short_string()?.to_vec());
        }
        Some(sender)
    }

    fn headers(&mut self, sender: &mut Sender) -> Option<()> {
        while !self.0.is_empty() {
            let name = self.short_string()?;
            if name == b"commander_id" && self.0.first() == Some(&b'S') {
                self.byte()?;
                let commander = str::from_utf8(self.long()?).unwrap_or_default();
                commander.clone_into(&mut sender.commander);
                continue;
            }
            if name == ECHO.as_bytes() && self.0.first() == Some(&b'S') {
                self.byte()?;
                sender.echo = Some(self.long()?.to_vec());
                continue;
            }
            sender.is_task |= name == b"task";
            self.value(super::MAX_DEPTH)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;
