//! Everything that is decided about what was received: intake and permit together, and what is
//! reported of it.

use core::fmt;

use embassy_time::{Duration, Instant};
use heapless::Vec;
use lvmbeat_core::watchdog::Change;
use lvmbeat_core::{Cause, Decision, Name, Reason};

use crate::command::{Command, Received};
use crate::intake::{Counts, Intake, Limiter, Refusal};
use crate::permit::{Permit, Setup};

/// One line of what the box says.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Report {
    /// When.
    pub at: Instant,
    /// The frame that it answers.
    pub sequence: Option<u32>,
    /// What.
    pub what: What,
}

/// What the box says.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum What {
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
        cause: Cause,
        /// Which source the reason is about.
        subject: Option<Name>,
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

/// Why the relay was released.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Release {
    /// No heartbeat counted for too long.
    Expired,
    /// The box was not listening.
    NotAttentive,
}

/// What the box knows.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Status {
    /// Whether the relay is energised.
    pub energised: bool,
    /// Whether it has to be armed first.
    pub latched: bool,
    /// How long the relay stays energised.
    pub remaining: Option<Duration>,
    /// Why the next heartbeat would not count, and which source that is about.
    pub hold: Option<(Cause, Option<Name>)>,
    /// What was refused.
    pub refused: Counts,
}

/// At most so many things are reported at a time.
pub type Reports = Vec<Report, 2>;

/// Owns all that decides. Each call costs at most one pass over the sources.
#[derive(Clone, Debug)]
pub struct Machine<const H: usize> {
    permit: Permit<H>,
    intake: Intake<H>,
    /// Refusals are counted always, and told as often as this allows: an answer to each byte of
    /// noise would be a flood of our own.
    complaints: Limiter,
    /// Sets sessions of this start apart from those before.
    chance: u32,
}

impl<const H: usize> Machine<H> {
    /// S5: begins tripped.
    pub fn new(setup: Setup<H>, chance: u32, now: Instant) -> Self {
        let permit = Permit::new(setup, now);
        Self {
            intake: Intake::new(permit.sources(), now),
            permit,
            complaints: Limiter::new(10, Duration::from_secs(1), now),
            chance,
        }
    }

    /// The permit, to be seen.
    pub fn permit(&self) -> &Permit<H> {
        &self.permit
    }

    /// The box listens at `now`, and looks at the time.
    pub fn tick(&mut self, now: Instant) -> Reports {
        let mut reports = Reports::new();
        let was_given = self.permit.is_given(now);
        if self.permit.poll(now) == Some(Change::Expired) {
            say(&mut reports, now, None, What::Released(Release::Expired));
        }
        if self.permit.tick(now).is_err() {
            self.intake.end_sessions();
            if was_given {
                say(
                    &mut reports,
                    now,
                    None,
                    What::Released(Release::NotAttentive),
                );
            }
        }
        reports
    }

    /// Takes what was received, or what was found wrong with it.
    pub fn take(&mut self, received: Result<Received, Refusal>, now: Instant) -> Reports {
        let mut reports = Reports::new();
        let sequence = match &received {
            Ok(Received::Frame(frame)) => Some(frame.sequence),
            Ok(Received::Line(_) | Received::Fault(_)) | Err(_) => None,
        };
        if let Err(refusal) =
            received.and_then(|received| self.command(&received, now, &mut reports))
        {
            self.intake.counts.count(refusal);
            if self.complaints.lets_through(now) {
                say(&mut reports, now, sequence, What::Refused(refusal));
            }
        }
        reports
    }

    fn command(
        &mut self,
        received: &Received,
        now: Instant,
        reports: &mut Reports,
    ) -> Result<(), Refusal> {
        let (command, sequence) = match received {
            Received::Fault(_) => return Err(Refusal::NotOnBench),
            Received::Line(command) => (command.clone(), None),
            Received::Frame(frame) => {
                let place = self
                    .permit
                    .place(frame.source.as_str())
                    .ok_or(Refusal::Unknown)?;
                self.intake.may_speak(Some(place), now)?;
                self.intake.frame(place, frame)?;
                (Command::from(frame), Some(frame.sequence))
            }
        };
        if sequence.is_none() {
            let place = match &command {
                Command::Set(name) => {
                    Some(self.permit.place(name.as_str()).ok_or(Refusal::Unknown)?)
                }
                Command::Ping | Command::Status | Command::Arm | Command::Hello(_) => None,
            };
            self.intake.may_speak(place, now)?;
        }
        let what = match command {
            Command::Ping => What::Pong,
            Command::Status => What::Status(self.status(now)),
            Command::Arm => What::Armed(self.permit.arm()),
            Command::Hello(name) => {
                let place = self.permit.place(name.as_str()).ok_or(Refusal::Unknown)?;
                let ticks = u32::try_from(now.as_ticks() & u64::from(u32::MAX)).unwrap_or_default();
                let session = self
                    .intake
                    .hello(place, self.chance ^ ticks.rotate_left(16))?;
                What::Session(name, session)
            }
            Command::Set(name) => {
                let beaten = self
                    .permit
                    .beat(name.as_str(), now)
                    .map_err(|_| Refusal::Unknown)?;
                let what = match beaten.decision {
                    Decision::Emit(_) => What::Counted(name),
                    Decision::Noted => What::Noted(name),
                    Decision::Hold(reason) => What::Held {
                        source: name,
                        cause: reason.cause(),
                        subject: self.subject(&reason),
                    },
                };
                say(reports, now, sequence, what);
                match beaten.change {
                    Some(Change::Recovered) => say(reports, now, None, What::Energised),
                    Some(Change::Expired) => {
                        say(reports, now, None, What::Released(Release::Expired));
                    }
                    None => {}
                }
                return Ok(());
            }
        };
        say(reports, now, sequence, what);
        Ok(())
    }

    fn subject(&self, reason: &Reason) -> Option<Name> {
        self.permit
            .subject(reason)
            .and_then(|name| Name::new(name).ok())
    }

    fn status(&self, now: Instant) -> Status {
        Status {
            energised: self.permit.is_given(now),
            latched: self.permit.is_latched(),
            remaining: self.permit.remaining(now),
            hold: self
                .permit
                .hold(now)
                .map(|reason| (reason.cause(), self.subject(&reason))),
            refused: self.intake.counts,
        }
    }
}

fn say(reports: &mut Reports, at: Instant, sequence: Option<u32>, what: What) {
    // There is room: a command is answered once, and changes the relay once.
    let _ = reports.push(Report { at, sequence, what });
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.at.as_millis(), self.what)?;
        self.sequence
            .map_or(Ok(()), |sequence| write!(f, " seq={sequence}"))
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Energised => f.write_str("relay energised"),
            Self::Released(Release::Expired) => f.write_str("relay released cause=expired"),
            Self::Released(Release::NotAttentive) => {
                f.write_str("relay released cause=not_attentive")
            }
            Self::Counted(name) => write!(f, "set {name} counted"),
            Self::Noted(name) => write!(f, "set {name} noted"),
            Self::Held {
                source,
                cause,
                subject,
            } => {
                write!(f, "set {source} held reason={}", cause.as_str())?;
                about(f, subject.as_ref())
            }
            Self::Armed(true) => f.write_str("armed"),
            Self::Armed(false) => f.write_str("armed already"),
            Self::Session(name, session) => write!(f, "session {name} {session}"),
            Self::Pong => f.write_str("pong"),
            Self::Status(status) => status.fmt(f),
            Self::Refused(refusal) => write!(f, "refused {}", refusal.as_str()),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let relay = if self.energised {
            "energised"
        } else {
            "released"
        };
        let latched = if self.latched { "yes" } else { "no" };
        write!(f, "status relay={relay} latched={latched}")?;
        if let Some(remaining) = self.remaining {
            write!(f, " remaining_ms={}", remaining.as_millis())?;
        }
        if let Some((cause, subject)) = &self.hold {
            write!(f, " hold={}", cause.as_str())?;
            about(f, subject.as_ref())?;
        }
        write!(f, " refused:{}", self.refused)
    }
}

fn about(f: &mut fmt::Formatter<'_>, subject: Option<&Name>) -> fmt::Result {
    subject.map_or(Ok(()), |name| write!(f, " source={name}"))
}

#[cfg(test)]
mod tests;
