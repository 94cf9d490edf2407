//! Commands that are refused before anything decodes them (L1).
//!
//! lapin takes a few thousand messages a second in, one client sends some ten thousand. So what is
//! no `set`, no echo, and more than its commander may have, does not even get to lapin. Everything
//! else keeps its order, so that an echo proves what it proved (S3). A message that is dropped is
//! acknowledged with the next one that is not (`multiple`); there is one at least in each few.
//!
//! A body that is longer than anything that is ever taken does not get through either: its message
//! comes without it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use embassy_time::Instant;

use super::{BODY, CONTENT, CONTENT_HEADER, FRAME_HEADER, METHOD, Reader};
use crate::clu::bus::{ECHO, Header, Message};
use crate::clu::message::{MAX_COMMAND_BYTES, may_be_set};
use crate::clu::quota::{Limit, Quota};

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
/// A command with a longer body arrives without it. One with a longer body than is taken is told
/// so, if it is no longer than this.
const LONGEST_COMMAND: usize = 2 * MAX_COMMAND_BYTES;
/// A longer body is looked at by nobody here.
const SHORT_BODY: usize = 512;
/// `set`s of one commander; of all together there is no limit, as one of them keeps the dome open.
const SETS: Limit = Limit {
    burst: 5000,
    each: Duration::from_micros(333),
};
const NO_LIMIT: Limit = Limit {
    burst: u32::MAX,
    each: Duration::from_nanos(1),
};
/// More echoes are not under way.
const ECHOES: usize = 256;

/// What the session and its gate share.
#[derive(Default)]
pub(in super::super) struct Shared {
    /// How many commands were dropped.
    pub(in super::super) dropped: Arc<AtomicU64>,
    /// The numbers of the session's own echoes that are under way.
    echoes: Mutex<VecDeque<String>>,
}

impl Shared {
    /// The session is about to send that message.
    pub(in super::super) fn sends(&self, message: &Message) {
        if let Some(Header::Text(number)) = message.headers.get(ECHO) {
            let mut echoes = self.echoes.lock().unwrap_or_else(PoisonError::into_inner);
            if echoes.len() >= ECHOES {
                echoes.pop_front();
            }
            echoes.push_back(number.clone());
        }
    }

    /// Whether this is an echo of the session; it is one once.
    fn is_expected(&self, number: &[u8]) -> bool {
        let mut echoes = self.echoes.lock().unwrap_or_else(PoisonError::into_inner);
        let place = echoes.iter().position(|echo| echo.as_bytes() == number);
        place.and_then(|place| echoes.remove(place)).is_some()
    }
}

/// Decides which commands pass.
pub(in super::super) struct Gate {
    quota: Quota,
    sets: Quota,
    started: tokio::time::Instant,
    /// So many are dropped in a row.
    most_dropped: u16,
    dropped_in_a_row: u16,
    shared: Arc<Shared>,
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
}

impl Gate {
    /// For a consumer with that prefetch.
    pub(in super::super) fn new(prefetch: u16, shared: Arc<Shared>) -> Self {
        Self {
            quota: Quota::new(COMMANDER, EVERYBODY, Instant::MIN),
            sets: Quota::new(SETS, NO_LIMIT, Instant::MIN),
            started: tokio::time::Instant::now(),
            most_dropped: prefetch / 8,
            dropped_in_a_row: 0,
            shared,
            held: None,
            skipping: None,
        }
    }

    /// Whether it has to see the bodies that come now.
    pub(super) fn wants_bodies(&self) -> bool {
        self.held.is_some() || self.skipping.is_some()
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
        match kind {
            METHOD if is_command(payload) => {
                // One that never got its header: not to be understood here.
                self.release(ready);
                self.held = Some(Held {
                    channel,
                    bytes: std::mem::take(frame),
                    header: None,
                    body: Vec::new(),
                });
            }
            CONTENT => self.content(channel, frame, ready),
            BODY => self.body(channel, frame, ready),
            _ => {
                if self.is_holding(channel) {
                    self.release(ready);
                }
                ready.append(frame);
            }
        }
    }

    fn content(&mut self, channel: Channel, frame: &mut Vec<u8>, ready: &mut Vec<u8>) {
        let size = body_size(frame);
        if self.is_holding(channel) && size > LONGEST_COMMAND as u64 {
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
        if size == 0 || size > SHORT_BODY {
            self.decide(ready);
        }
    }

    fn body(&mut self, channel: Channel, frame: &mut Vec<u8>, ready: &mut Vec<u8>) {
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
            self.decide(ready);
        }
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
    fn decide(&mut self, ready: &mut Vec<u8>) {
        let Some(mut held) = self.held.take() else {
            return;
        };
        let (sender, size) = held.header.take().unwrap_or_default();
        let elapsed = self.started.elapsed();
        let now = Instant::from_micros(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX));
        let commander = sender.commander.as_str();
        let echo = sender.echo.as_ref();
        let passes = echo.is_some_and(|number| self.shared.is_expected(number))
            || may_be_set(&held.body) && self.sets.take(commander, now)
            || self.quota.take(commander, now)
            || self.dropped_in_a_row >= self.most_dropped;
        if passes {
            self.dropped_in_a_row = 0;
            ready.append(&mut held.bytes);
            return;
        }
        self.dropped_in_a_row += 1;
        self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        let left = size.saturating_sub(held.body.len());
        if left > 0 {
            self.skipping = Some((held.channel, left as u64));
        }
    }
}

/// Whether that method delivers a command.
fn is_command(payload: &[u8]) -> bool {
    const DELIVER: [u8; 4] = [0, 60, 0, 60];
    payload
        .strip_prefix(&DELIVER)
        .and_then(|arguments| Reader(arguments).short_string())
        .is_some_and(|tag| tag == COMMANDS.as_bytes())
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
        if flags & (1 << 13) == 0 {
            return Some(sender);
        }
        let mut table = Reader(self.long()?);
        while !table.0.is_empty() {
            let name = table.short_string()?;
            if name == b"commander_id" && table.0.first() == Some(&b'S') {
                table.byte()?;
                let commander = str::from_utf8(table.long()?).unwrap_or_default();
                commander.clone_into(&mut sender.commander);
                continue;
            }
            if name == ECHO.as_bytes() && table.0.first() == Some(&b'S') {
                table.byte()?;
                sender.echo = Some(table.long()?.to_vec());
                continue;
            }
            table.value(super::MAX_DEPTH)?;
        }
        Some(sender)
    }
}

#[cfg(test)]
mod tests;
