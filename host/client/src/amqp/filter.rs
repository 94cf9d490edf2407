//! What lapin must not be given to read.
//!
//! A message's properties come from its sender, and the broker passes them on as they are.
//! lapin 4.12 ends the connection when a short string or a header's name in them is not UTF-8, and
//! overflows the stack of its thread, which ends the program, when tables or arrays in them are
//! nested a few thousand deep: one message from anybody who may publish. Neither must stop anything
//! (X2). So the bytes from the broker pass through here first. Properties that cannot be
//! read, or that are absurdly long or deep, are taken off their message, which then arrives without
//! any; a routing key that is not UTF-8 has its foreign bytes replaced by question marks. A body
//! that is longer than any that is decoded is cut to one byte more than that, so that it takes no
//! memory and is still refused as too long. Everything else passes unchanged.
//!
//! A pure state machine over bytes (AMQP 0-9-1, 4.2): [`Filter::push`] takes what was read, in
//! pieces of any size, and [`Filter::pull`] gives what lapin may read. It holds back at most one
//! frame, of at most [`MAX_FRAME`] bytes.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::message::MAX_REPLY_BYTES;

mod gate;

pub(super) use gate::{COMMANDS, Gate, REPLIES, Shared};

/// A frame's kind, channel and length.
const FRAME_HEADER: usize = 7;
/// A content header's class, weight and body size; its properties follow.
const CONTENT_HEADER: usize = 12;
/// The longest properties that a message may have. A CLU message has some hundred bytes.
pub(super) const MAX_PROPERTIES: usize = 32 * 1024;
/// The deepest nesting of tables and arrays in properties.
const MAX_DEPTH: usize = 16;
/// A longer frame is not AMQP between us and the broker (131072 bytes are the broker's default
/// limit); it passes, for lapin to refuse.
const MAX_FRAME: usize = 1024 * 1024;

/// So much of a message's body passes.
const MAX_BODY: u64 = MAX_REPLY_BYTES as u64 + 1;
/// Channels with a body under way that is cut; lapin opens three in all.
const MAX_CUT: usize = 16;

const METHOD: u8 = 1;
const CONTENT: u8 = 2;
const BODY: u8 = 3;

/// What is left of a body that is cut.
#[derive(Clone, Copy)]
struct Cut {
    passes: u64,
    arrives: u64,
}

/// What was read from the broker, on its way to lapin.
#[derive(Default)]
pub(super) struct Filter {
    /// An incomplete frame.
    held: Vec<u8>,
    /// How many bytes of the current frame pass as they are.
    passing: usize,
    /// By channel.
    cut: BTreeMap<[u8; 2], Cut>,
    /// This is no AMQP; all passes.
    foreign: bool,
    ready: Vec<u8>,
    pulled: usize,
    changed: u64,
    logins: Option<String>,
    blocking: Option<Blocking>,
    /// For a session that takes commands.
    gate: Option<Gate>,
}

/// What the broker says of publishers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Blocking {
    /// It takes nothing from them, for this reason.
    Blocked(String),
    /// It takes their messages again.
    Unblocked,
}

impl Filter {
    /// One that lets through what the gate does.
    pub(super) fn with(gate: Option<Gate>) -> Self {
        Self {
            gate,
            ..Self::default()
        }
    }

    /// Takes bytes in the order in which they arrived.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.foreign {
                self.ready.extend_from_slice(bytes);
                return;
            }
            if self.passing > 0 {
                let (passing, rest) = bytes.split_at(self.passing.min(bytes.len()));
                self.ready.extend_from_slice(passing);
                self.passing -= passing.len();
                bytes = rest;
                continue;
            }
            let wanted = self.wanted().saturating_sub(self.held.len());
            let (held, rest) = bytes.split_at(wanted.min(bytes.len()));
            self.held.extend_from_slice(held);
            bytes = rest;
            if self.held.len() >= self.wanted() {
                self.take_frame();
            }
        }
    }

    /// Gives as many bytes as there are room for and ready; how many.
    pub(super) fn pull(&mut self, into: &mut [u8]) -> usize {
        let ready = self.ready.get(self.pulled..).unwrap_or_default();
        let count = ready.len().min(into.len());
        let (from, to) = (ready.get(..count), into.get_mut(..count));
        if let (Some(from), Some(to)) = (from, to) {
            to.copy_from_slice(from);
        }
        self.pulled += count;
        if self.pulled == self.ready.len() {
            self.ready.clear();
            self.pulled = 0;
        }
        count
    }

    /// How many messages have been changed since this was last asked.
    pub(super) fn changed(&mut self) -> u64 {
        std::mem::take(&mut self.changed)
    }

    /// The mechanisms that the broker offers to log in by, with spaces between them, once.
    pub(super) fn logins(&mut self) -> Option<String> {
        self.logins.take()
    }

    /// The broker's last word on publishers, once.
    pub(super) fn blocking(&mut self) -> Option<Blocking> {
        self.blocking.take()
    }

    /// How many bytes have to be held before something can be done with them.
    fn wanted(&self) -> usize {
        match self.held.first_chunk::<FRAME_HEADER>() {
            Some(&header) if self.is_inspected(header) => FRAME_HEADER + payload_length(header) + 1,
            _ => FRAME_HEADER,
        }
    }

    /// `held` is the header of a frame that passes, or a whole frame that is looked at.
    fn take_frame(&mut self) {
        let Some(&header) = self.held.first_chunk::<FRAME_HEADER>() else {
            return;
        };
        let length = payload_length(header);
        if self.is_inspected(header) {
            let payload = self.held.get(FRAME_HEADER..FRAME_HEADER + length);
            let payload = payload.unwrap_or_default();
            if header.first() == Some(&METHOD) {
                self.logins = offered_logins(payload).or(self.logins.take());
                self.blocking = blocking(payload).or(self.blocking.take());
                if let Some(range) = foreign_routing_key(payload) {
                    self.replace_foreign(range);
                }
            } else if header.first() == Some(&CONTENT) {
                if payload.len() > CONTENT_HEADER && !properties_can_be_read(payload) {
                    self.strip_properties();
                }
                self.cut_content(header);
            } else {
                self.cut_body(header);
            }
            if let Some(gate) = &mut self.gate {
                gate.frame(&mut self.held, &mut self.ready);
                self.held.clear();
            }
        } else if matches!(header.first(), Some(1..=8)) && length <= MAX_FRAME {
            self.passing = length + 1;
        } else {
            self.foreign = true;
        }
        self.ready.append(&mut self.held);
    }

    /// Whether a frame with that header is looked at.
    fn is_inspected(&self, header: [u8; FRAME_HEADER]) -> bool {
        let [kind, channel @ .., _, _, _, _] = header;
        payload_length(header) <= MAX_FRAME
            && match kind {
                METHOD | CONTENT => true,
                BODY => {
                    self.cut.contains_key(&channel)
                        || self.gate.as_ref().is_some_and(Gate::wants_bodies)
                }
                _ => false,
            }
    }

    /// `held` is a content header, the body of which may be too long.
    fn cut_content(&mut self, header: [u8; FRAME_HEADER]) {
        const SIZE: Range<usize> = FRAME_HEADER + 4..FRAME_HEADER + CONTENT_HEADER;
        let [_, channel @ .., _, _, _, _] = header;
        let size = self.held.get_mut(SIZE).unwrap_or_default();
        let Some(&announced) = size.first_chunk() else {
            return;
        };
        let arrives = u64::from_be_bytes(announced);
        if arrives <= MAX_BODY {
            self.cut.remove(&channel);
            return;
        }
        size.copy_from_slice(&MAX_BODY.to_be_bytes());
        if self.cut.len() < MAX_CUT || self.cut.contains_key(&channel) {
            let passes = MAX_BODY;
            self.cut.insert(channel, Cut { passes, arrives });
            self.changed += 1;
        }
    }

    /// `held` is a part of a body that is cut.
    fn cut_body(&mut self, header: [u8; FRAME_HEADER]) {
        let [_, channel @ .., _, _, _, _] = header;
        let Some(cut) = self.cut.get_mut(&channel) else {
            return;
        };
        let length = payload_length(header);
        let passes = usize::try_from(cut.passes)
            .unwrap_or(usize::MAX)
            .min(length);
        cut.passes -= passes as u64;
        cut.arrives = cut.arrives.saturating_sub(length as u64);
        if cut.arrives == 0 {
            self.cut.remove(&channel);
        }
        let end = self.held.last().copied();
        self.held.truncate(FRAME_HEADER + passes);
        let shorter = u32::try_from(passes).unwrap_or_default().to_be_bytes();
        if let Some(length) = self.held.get_mut(3..FRAME_HEADER) {
            length.copy_from_slice(&shorter);
        }
        self.held.extend(end);
        if passes == 0 {
            self.held.clear();
        }
    }

    fn replace_foreign(&mut self, key: Range<usize>) {
        let key = FRAME_HEADER + key.start..FRAME_HEADER + key.end;
        let key = self.held.get_mut(key).unwrap_or_default();
        for byte in key.iter_mut().filter(|byte| !byte.is_ascii()) {
            *byte = b'?';
        }
        self.changed += 1;
    }

    fn strip_properties(&mut self) {
        const LENGTH: [u8; 4] = [0, 0, 0, 12 + 2];
        const NO_PROPERTY: [u8; 2] = [0, 0];
        let end = self.held.last().copied();
        self.held.truncate(FRAME_HEADER + CONTENT_HEADER);
        if let Some(length) = self.held.get_mut(3..FRAME_HEADER) {
            length.copy_from_slice(&LENGTH);
        }
        self.held.extend_from_slice(&NO_PROPERTY);
        self.held.extend(end);
        self.changed += 1;
    }
}

fn payload_length(header: [u8; FRAME_HEADER]) -> usize {
    let [_, _, _, length @ ..] = header;
    usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX)
}

/// Where the routing key of a delivery stands in the frame, if lapin could not read it.
fn foreign_routing_key(payload: &[u8]) -> Option<Range<usize>> {
    const DELIVER: [u8; 4] = [0, 60, 0, 60];
    let mut reader = Reader(payload.strip_prefix(&DELIVER)?);
    reader.short_string()?; // the consumer's tag
    reader.take(8 + 1)?; // the delivery tag, and whether it was delivered before
    reader.short_string()?; // the exchange
    let start = payload.len() - reader.0.len() + 1;
    let key = reader.short_string()?;
    str::from_utf8(key)
        .is_err()
        .then(|| start..start + key.len())
}

/// The login mechanisms in the broker's first frame.
fn offered_logins(payload: &[u8]) -> Option<String> {
    const START: [u8; 4] = [0, 10, 0, 10];
    let mut reader = Reader(payload.strip_prefix(&START)?);
    reader.take(2)?; // the version
    reader.long()?; // what the broker is
    Some(String::from_utf8_lossy(reader.long()?).into_owned())
}

fn blocking(payload: &[u8]) -> Option<Blocking> {
    const BLOCKED: [u8; 4] = [0, 10, 0, 60];
    const UNBLOCKED: [u8; 4] = [0, 10, 0, 61];
    if payload.starts_with(&UNBLOCKED) {
        return Some(Blocking::Unblocked);
    }
    let mut reader = Reader(payload.strip_prefix(&BLOCKED)?);
    let reason = String::from_utf8_lossy(reader.short_string().unwrap_or_default());
    Some(Blocking::Blocked(reason.escape_debug().to_string()))
}

/// Whether lapin can read the properties in the payload of a content header.
fn properties_can_be_read(payload: &[u8]) -> bool {
    payload.len() <= MAX_PROPERTIES
        && payload
            .get(CONTENT_HEADER..)
            .is_some_and(|properties| Reader(properties).properties().is_some())
}

/// Reads from the front. `None` is: this cannot be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn short_string(&mut self) -> Option<&'a [u8]> {
        let length = self.byte()?;
        self.take(length.into())
    }

    fn text(&mut self) -> Option<()> {
        str::from_utf8(self.short_string()?).ok().map(drop)
    }

    /// A long string, or what is in a table or an array.
    fn long(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_be_bytes(*self.take(4)?.first_chunk()?);
        self.take(usize::try_from(length).ok()?)
    }

    fn properties(&mut self) -> Option<()> {
        let flags = u16::from_be_bytes(*self.take(2)?.first_chunk()?);
        // From the highest bit: content type, encoding, headers, delivery mode, priority,
        // correlation id, reply-to, expiration, message id, timestamp, type, user,
        // application, cluster. The last two bits have no property.
        for bit in (0..16).rev().filter(|bit| flags & (1 << bit) != 0) {
            match bit {
                0 | 1 => return None,
                13 => Reader(self.long()?).table(MAX_DEPTH)?,
                11 | 12 => self.take(1).map(drop)?,
                6 => self.take(8).map(drop)?,
                _ => self.text()?,
            }
        }
        self.0.is_empty().then_some(())
    }

    fn table(mut self, depth: usize) -> Option<()> {
        while !self.0.is_empty() {
            self.text()?;
            self.value(depth)?;
        }
        Some(())
    }

    fn array(mut self, depth: usize) -> Option<()> {
        while !self.0.is_empty() {
            self.value(depth)?;
        }
        Some(())
    }

    /// The types that lapin knows.
    fn value(&mut self, depth: usize) -> Option<()> {
        match self.byte()? {
            b'F' => return Reader(self.long()?).table(depth.checked_sub(1)?),
            b'A' => return Reader(self.long()?).array(depth.checked_sub(1)?),
            b'S' | b'x' => self.long(),
            b'V' => self.take(0),
            b't' | b'b' | b'B' => self.take(1),
            b's' | b'U' | b'u' => self.take(2),
            b'I' | b'i' | b'f' => self.take(4),
            b'D' => self.take(5),
            b'L' | b'l' | b'd' | b'T' => self.take(8),
            _ => None,
        }
        .map(drop)
    }
}

#[cfg(test)]
mod tests;
