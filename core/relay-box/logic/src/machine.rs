//! Everything that is decided about what was received: intake and permit together, and what is
//! reported of it.

use embassy_time::{Duration, Instant};
use heapless::Vec;
use lvmbeat_core::serial::{Hold, Refusal, Release, Report, Status, What};
use lvmbeat_core::watchdog::Change;
use lvmbeat_core::{Decision, Name, Reason};

use crate::command::{Command, Received};
use crate::intake::{Intake, Limiter};
use crate::permit::{Permit, Setup};

/// At most so many things are reported at a time.
pub type Reports = Vec<Report, 2>;

/// Owns all that decides. Each call costs at most one pass over the sources.
#[derive(Clone, Debug)]
pub struct Machine<const H: usize> {
    permit: Permit<H>,
    intake: Intake<H>,
    /// Refusals are always counted, and reported as often as this allows: an answer to each byte of
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
                        hold: self.because(&reason),
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

    fn because(&self, reason: &Reason) -> Hold {
        let source = self.permit.subject(reason);
        Hold {
            cause: reason.cause(),
            source: source.and_then(|name| Name::new(name).ok()),
        }
    }

    fn status(&self, now: Instant) -> Status {
        Status {
            energised: self.permit.is_given(now),
            latched: self.permit.is_latched(),
            remaining_ms: self.permit.remaining(now).map(|rest| rest.as_millis()),
            hold: self.permit.hold(now).map(|reason| self.because(&reason)),
            refused: self.intake.counts,
        }
    }
}

fn say(reports: &mut Reports, at: Instant, sequence: Option<u32>, what: What) {
    // There is room: a command is answered once, and changes the relay once.
    let _ = reports.push(Report {
        at_ms: at.as_millis(),
        what,
        sequence,
    });
}

#[cfg(test)]
mod tests;
