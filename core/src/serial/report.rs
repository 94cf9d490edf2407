//! What the box says: one line of text each, for people and for programs.
//!
//! ```text
//! 0 boot cause=power_on starts=1 place=0x0 relay=released      it has started
//! 12 relay energised                                           its relay has changed
//! 60012 relay released cause=expired
//! 20 set lvmbeat counted seq=3                                 answers; to a frame with its number
//! 20 set lvmbeat held reason=heartbeat_stale source=overwatcher seq=3
//! 20 status relay=energised latched=no remaining_ms=59000 hold=cut_off refused: flood=2 seq=4
//! ```
//!
//! A line begins with the time since the start in milliseconds.

use core::fmt;

use heapless::String;

use super::words::{Counts, Refusal, Release, ResetCause};
use crate::name::Name;
use crate::reason::Cause;

/// The longest report in bytes: a status with every number as large as it can be.
pub const MAX_REPORT: usize = 384;

/// One line from the box.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Report {
    /// When, in milliseconds since the box has started.
    pub at_ms: u64,
    /// What.
    pub what: What,
    /// The frame that it answers.
    pub sequence: Option<u32>,
}

/// What a report is about.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum What {
    /// The box has started.
    Started(Start),
    /// The relay is energised.
    Energised,
    /// The relay is released, for this.
    Released(Release),
    /// A heartbeat counted: the relay stays energised, or may be.
    Counted(Name),
    /// A heartbeat was heard, and this is why it does not count.
    Held {
        /// Whose it was.
        source: Name,
        /// Why.
        hold: Hold,
    },
    /// A heartbeat of a source that is not critical was heard.
    Noted(Name),
    /// It was armed; or there was nothing to arm.
    Armed(bool),
    /// A source has a session.
    Session(Name, u32),
    /// It is there.
    Pong,
    /// What it knows.
    Status(Status),
    /// What was received does not count.
    Refused(Refusal),
}

/// How the box has started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Start {
    /// Why it was reset.
    pub cause: ResetCause,
    /// How often it has started since it was given power.
    pub starts: u32,
    /// Where the reset has its cause: the line of a panic, or the program counter.
    pub place: u32,
    /// Whether the relay was energised until then.
    pub was_energised: bool,
}

/// Why a heartbeat does not count.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Hold {
    /// The first cause.
    pub cause: Cause,
    /// The source that it is about.
    pub source: Option<Name>,
}

/// What the box knows.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Status {
    /// Whether the relay is energised.
    pub energised: bool,
    /// Whether it has to be armed first.
    pub latched: bool,
    /// How long the relay stays energised, in milliseconds.
    pub remaining_ms: Option<u64>,
    /// Why the next heartbeat would not count.
    pub hold: Option<Hold>,
    /// What was refused.
    pub refused: Counts,
}

/// A line that the box cannot have sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NotAReport;

impl Report {
    /// The line, without its end.
    pub fn emit(&self) -> String<MAX_REPORT> {
        let mut line = Line(String::new());
        line.number(self.at_ms).text(" ").what(&self.what);
        if let Some(sequence) = self.sequence {
            line.text(" seq=").number(sequence.into());
        }
        line.0
    }

    /// Reads a line without its end. Only what [`emit`](Self::emit) writes is a report, byte for
    /// byte: what a disturbance has changed is not taken for anything (X2).
    pub fn parse(line: &str) -> Result<Self, NotAReport> {
        let report = read(line).ok_or(NotAReport)?;
        if report.emit() == line {
            Ok(report)
        } else {
            Err(NotAReport)
        }
    }
}

/// A line that is being written. There is room for the longest report.
struct Line(String<MAX_REPORT>);

impl Line {
    fn what(&mut self, what: &What) -> &mut Self {
        match what {
            What::Started(start) => self.start(start),
            What::Energised => self.text("relay energised"),
            What::Released(release) => self.text("relay released cause=").text(release.as_str()),
            What::Counted(name) => self.text("set ").text(name.as_str()).text(" counted"),
            What::Noted(name) => self.text("set ").text(name.as_str()).text(" noted"),
            What::Held { source, hold } => self
                .text("set ")
                .text(source.as_str())
                .text(" held reason=")
                .hold(hold),
            What::Armed(true) => self.text("armed"),
            What::Armed(false) => self.text("armed already"),
            What::Session(name, session) => self
                .text("session ")
                .text(name.as_str())
                .text(" ")
                .number((*session).into()),
            What::Pong => self.text("pong"),
            What::Status(status) => self.status(status),
            What::Refused(refusal) => self.text("refused ").text(refusal.as_str()),
        }
    }

    fn start(&mut self, start: &Start) -> &mut Self {
        self.text("boot cause=")
            .text(start.cause.as_str())
            .text(" starts=")
            .number(start.starts.into())
            .text(" place=0x")
            .digits(start.place.into(), &HEXADECIMAL)
            .text(" relay=")
            .text(relay(start.was_energised))
    }

    fn status(&mut self, status: &Status) -> &mut Self {
        self.text("status relay=")
            .text(relay(status.energised))
            .text(" latched=")
            .text(if status.latched { "yes" } else { "no" });
        if let Some(remaining) = status.remaining_ms {
            self.text(" remaining_ms=").number(remaining);
        }
        if let Some(hold) = &status.hold {
            self.text(" hold=").hold(hold);
        }
        self.text(" refused:");
        for refusal in Refusal::ALL {
            let count = status.refused.of(refusal);
            if count > 0 {
                self.text(" ").text(refusal.as_str());
                self.text("=").number(count.into());
            }
        }
        self
    }

    fn hold(&mut self, hold: &Hold) -> &mut Self {
        self.text(hold.cause.as_str());
        if let Some(source) = &hold.source {
            self.text(" source=").text(source.as_str());
        }
        self
    }

    /// Once, and not in each place that calls it: flash.
    #[inline(never)]
    fn text(&mut self, text: &str) -> &mut Self {
        let _ = self.0.push_str(text);
        self
    }

    fn number(&mut self, value: u64) -> &mut Self {
        self.digits(value, &DECIMAL)
    }

    /// Not by `core::fmt`, which costs more flash than all the rest, and calls through pointers, so
    /// that its stack is not known. And without a division: a microcontroller has none of 64 bits.
    #[inline(never)]
    fn digits(&mut self, mut value: u64, powers: &[u64]) -> &mut Self {
        let mut is_leading = true;
        for power in powers {
            let mut digit = 0usize;
            while let Some(rest) = value.checked_sub(*power) {
                value = rest;
                digit = digit.saturating_add(1);
            }
            is_leading &= digit == 0 && *power > 1;
            if !is_leading {
                self.text("0123456789abcdef".get(digit..=digit).unwrap_or_default());
            }
        }
        self
    }
}

/// What the digits stand for.
const DECIMAL: [u64; 20] = powers(10);
const HEXADECIMAL: [u64; 8] = powers(16);

/// The powers of `base`, the smallest last.
const fn powers<const N: usize>(base: u64) -> [u64; N] {
    let mut powers = [1; N];
    let mut rest: &mut [u64] = &mut powers;
    let mut power: u64 = 1;
    while let Some((last, larger)) = rest.split_last_mut() {
        *last = power;
        power = power.wrapping_mul(base);
        rest = larger;
    }
    powers
}

fn relay(energised: bool) -> &'static str {
    if energised { "energised" } else { "released" }
}

/// The words of a line, from the first to the last.
#[derive(Clone)]
struct Words<'a>(core::str::Split<'a, char>);

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    /// What follows `key` in the next word; otherwise that word is left.
    fn value(&mut self, key: &str) -> Option<&'a str> {
        let mut ahead = self.clone();
        let value = ahead.next()?.strip_prefix(key)?;
        *self = ahead;
        Some(value)
    }

    fn name(&mut self) -> Option<Name> {
        name(self.next()?)
    }

    fn relay(&mut self) -> Option<bool> {
        flag(self.value("relay=")?, "energised", "released")
    }

    fn hold(&mut self, key: &str) -> Option<Hold> {
        let cause = named(&Cause::ALL, Cause::as_str, self.value(key)?)?;
        let source = self.value("source=").and_then(name);
        Some(Hold { cause, source })
    }

    fn status(&mut self) -> Option<Status> {
        let energised = self.relay()?;
        let latched = flag(self.value("latched=")?, "yes", "no")?;
        let remaining_ms = self.value("remaining_ms=").and_then(|ms| ms.parse().ok());
        let hold = self.hold("hold=");
        self.value("refused:")?;
        let mut refused = Counts::default();
        while let Some((refusal, count)) = self.clone().next().and_then(|w| w.split_once('=')) {
            let Some(refusal) = named(&Refusal::ALL, Refusal::as_str, refusal) else {
                break;
            };
            refused.set(refusal, count.parse().ok()?);
            self.next();
        }
        Some(Status {
            energised,
            latched,
            remaining_ms,
            hold,
            refused,
        })
    }

    fn start(&mut self) -> Option<Start> {
        Some(Start {
            cause: named(&ResetCause::ALL, ResetCause::as_str, self.value("cause=")?)?,
            starts: self.value("starts=")?.parse().ok()?,
            place: u32::from_str_radix(self.value("place=0x")?, 16).ok()?,
            was_energised: self.relay()?,
        })
    }

    fn what(&mut self) -> Option<What> {
        Some(match self.next()? {
            "boot" => What::Started(self.start()?),
            "relay" => match self.next()? {
                "energised" => What::Energised,
                "released" => What::Released(named(
                    &Release::ALL,
                    Release::as_str,
                    self.value("cause=")?,
                )?),
                _ => return None,
            },
            "set" => {
                let source = self.name()?;
                match self.next()? {
                    "counted" => What::Counted(source),
                    "noted" => What::Noted(source),
                    "held" => What::Held {
                        source,
                        hold: self.hold("reason=")?,
                    },
                    _ => return None,
                }
            }
            "armed" => What::Armed(self.value("already").is_none()),
            "session" => What::Session(self.name()?, self.next()?.parse().ok()?),
            "pong" => What::Pong,
            "status" => What::Status(self.status()?),
            "refused" => What::Refused(named(&Refusal::ALL, Refusal::as_str, self.next()?)?),
            _ => return None,
        })
    }
}

/// What a line says, if it says at least that. Whether there is more in it is not looked at.
fn read(line: &str) -> Option<Report> {
    let mut words = Words(line.split(' '));
    Some(Report {
        at_ms: words.next()?.parse().ok()?,
        what: words.what()?,
        sequence: words.value("seq=").and_then(|number| number.parse().ok()),
    })
}

fn name(word: &str) -> Option<Name> {
    Name::new(word).ok()
}

fn flag(word: &str, yes: &str, no: &str) -> Option<bool> {
    match word {
        _ if word == yes => Some(true),
        _ if word == no => Some(false),
        _ => None,
    }
}

/// The one of `all` that has this word.
fn named<T: Copy>(all: &[T], as_str: fn(T) -> &'static str, word: &str) -> Option<T> {
    all.iter().copied().find(|one| as_str(*one) == word)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.emit())
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Line(String::new()).what(self).0)
    }
}

impl fmt::Display for NotAReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a line that the watchdog box sends")
    }
}

impl core::error::Error for NotAReport {}

#[cfg(test)]
mod tests;
