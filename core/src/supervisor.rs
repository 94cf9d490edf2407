//! Emit or hold: composes heartbeats, links, attention and emission into one decision.

use core::fmt;
use core::mem;

use embassy_time::{Duration, Instant};
use heapless::Vec;

use crate::attention::{Attention, Lapse};
use crate::emission::{Emission, Outcome, Ticket};
use crate::heartbeat::{Heartbeat, HeartbeatId, Received, Table};
use crate::link::{Link, LinkChange, LinkId, LinkState};
use crate::path::Path;
use crate::reason::Reason;

mod config;

pub use config::{Config, ConfigError};

/// The answer to a beat that was received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Decision {
    /// Send one heartbeat to the dome, and report to [`Supervisor::emission_ended`] what became of
    /// it.
    Emit(Ticket),
    /// Send none; this is the first cause.
    Hold(Reason),
    /// The source is not critical: its beat was noted, and decides nothing.
    Noted,
}

/// A beat that is refused, and changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum BeatError {
    /// It names no heartbeat of the configuration.
    Unknown,
    /// It does not prove when it was sent, and this source's have to.
    ProofMissing(HeartbeatId),
}

/// Decides whether the dome's controller receives a heartbeat.
///
/// Call [`tick`](Self::tick) several times a second, and [`beat`](Self::beat) for each heartbeat as
/// it is received; only `beat` ever says `Emit` (S2), and only for a critical source. After `Emit`
/// ask [`may_send`](Self::may_send) just before sending, and call
/// [`emission_ended`](Self::emission_ended) once. When a new session with the broker starts, and
/// after every [`Lapse`], throw away what waited unread and call [`forget`](Self::forget) (S3, S5).
///
/// Each call costs at most three passes over the heartbeats and one over the links. An instant
/// before one of an earlier call is a lapse of attention: everything is held until `forget`. So let
/// the caller read the clock, just before each call.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Supervisor<const H: usize, const L: usize> {
    attention: Attention,
    /// The last lapse, until a critical heartbeat is received after the `forget` that ends it:
    /// until then it is why none is known.
    lapse: Option<Lapse>,
    /// That lapse holds everything, until `forget`.
    lapsed: bool,
    /// `tick` has still to report that lapse.
    unreported: bool,
    path: Option<Path>,
    burst: Option<Duration>,
    heartbeats: Table<H>,
    links: Vec<Link, L>,
    drill: bool,
    emission: Emission,
}

/// How a beat came here.
#[derive(Clone, Copy)]
enum Way {
    /// By the path, which keeps the order.
    Path,
    /// By another one, which does not.
    Apart,
}

impl<const H: usize, const L: usize> Supervisor<H, L> {
    /// Knows nothing yet: every critical heartbeat has to be received first (S5).
    pub fn new(config: Config<H, L>, now: Instant) -> Self {
        Self {
            attention: Attention::new(config.attention_limit, now),
            lapse: None,
            lapsed: false,
            unreported: false,
            path: config.path_limit.map(Path::new),
            burst: config.burst,
            heartbeats: config.heartbeats,
            links: config.links,
            drill: false,
            emission: Emission::new(config.pace),
        }
    }

    /// Says that the process is listening at `now`. A lapse forgets every heartbeat and holds
    /// everything until [`forget`](Self::forget). It is returned once: by the `tick` that
    /// notices it, or by the first `tick` after another call noticed it.
    pub fn tick(&mut self, now: Instant) -> Result<(), Lapse> {
        if let Err(lapse) = self.attention.stamp(now) {
            self.note_lapse(lapse, now);
        }
        match self.lapse {
            Some(lapse) if mem::take(&mut self.unreported) => Err(lapse),
            _ => Ok(()),
        }
    }

    /// Takes a heartbeat that was received at `now`, and decides.
    ///
    /// A beat that is found after a lapse of attention does not count, whether or not `tick`
    /// noticed the lapse first.
    pub fn beat(&mut self, name: &str, now: Instant) -> Result<Decision, BeatError> {
        self.beat_named(name, None, now)
    }

    /// The same for a beat that proves that it was sent after `sent_after`, because it repeats what
    /// its client had its answer then (S3).
    pub fn beat_proven(
        &mut self,
        name: &str,
        sent_after: Instant,
        now: Instant,
    ) -> Result<Decision, BeatError> {
        self.beat_named(name, Some(sent_after), now)
    }

    fn beat_named(
        &mut self,
        name: &str,
        proof: Option<Instant>,
        now: Instant,
    ) -> Result<Decision, BeatError> {
        self.look(now);
        let id = self.heartbeats.find(name).ok_or(BeatError::Unknown)?;
        self.received(id, proof, Way::Path, now)
    }

    /// The same for a heartbeat that was found in [`heartbeats`](Self::heartbeats) before, with a
    /// proof or without.
    pub fn beat_of(
        &mut self,
        id: HeartbeatId,
        proof: Option<Instant>,
        now: Instant,
    ) -> Result<Decision, BeatError> {
        self.look(now);
        self.received(id, proof, Way::Path, now)
    }

    /// The same for a beat that came by another way than the [path](crate::path), which keeps no
    /// order: it proves what it repeats, and confirms no other beat (S3).
    pub fn beat_apart(
        &mut self,
        id: HeartbeatId,
        proof: Instant,
        now: Instant,
    ) -> Result<Decision, BeatError> {
        self.look(now);
        self.received(id, Some(proof), Way::Apart, now)
    }

    /// Of the time at which it looked before. Looking twice would make another lapse of it.
    fn received(
        &mut self,
        id: HeartbeatId,
        proof: Option<Instant>,
        way: Way,
        now: Instant,
    ) -> Result<Decision, BeatError> {
        if let Some(cause) = self.unheard(now) {
            // Nobody knows when it was sent: it does not count.
            self.emission.break_streak();
            return Ok(Decision::Hold(cause));
        }
        let was_fresh = self.heartbeats.first_not_fresh(now).is_none();
        // Without a path to wait on, it enters as it is received.
        let entered = match way {
            Way::Path => self.path.as_ref().map_or(Some(now), Path::entered_after),
            // As what was sent before may come later, no other beat was sent after it came.
            Way::Apart => proof,
        };
        let heartbeat = self.heartbeats.get_mut(id).ok_or(BeatError::Unknown)?;
        if heartbeat.is_proof_required() && proof.is_none() {
            return Err(BeatError::ProofMissing(id));
        }
        let critical = heartbeat.is_critical();
        heartbeat.note(Received {
            now,
            entered: entered.unwrap_or(now),
            burst: match way {
                Way::Path => self.burst,
                Way::Apart => self.burst.or(Some(Duration::MAX)),
            },
            proof,
        });
        if !was_fresh {
            // One went stale before this beat: the pause is its client's, and no measure of the
            // margin (L1).
            self.emission.break_streak();
        }
        if !critical {
            return Ok(Decision::Noted);
        }
        self.lapse = None;
        let Some(cause) = self.first_cause(Some(id), now) else {
            return Ok(Decision::Emit(self.emission.start(now)));
        };
        if cause.is_fault() {
            self.emission.break_streak();
        }
        Ok(Decision::Hold(cause))
    }

    /// Whether the heartbeat of this ticket may still be sent at `now`: it is the one under way,
    /// and no fault came up since the decision.
    ///
    /// To be asked just before the heartbeat is handed to the network. Between the decision and
    /// that moment the process may have been stopped, for as long as you like (S1, S3). After a
    /// false do not send, and report to [`emission_ended`](Self::emission_ended) that it was
    /// [`Lost`](Outcome::Lost).
    #[must_use = "a heartbeat that may not be sent any more must not be sent"]
    pub fn may_send(&self, ticket: Ticket, now: Instant) -> bool {
        self.emission.in_flight_since().is_some() && self.stands(ticket, now)
    }

    /// Takes the outcome of an emission. Gives false for a ticket that is not the one under way;
    /// its answer changes nothing.
    pub fn emission_ended(&mut self, ticket: Ticket, outcome: Outcome, now: Instant) -> bool {
        self.look(now);
        self.emission.ended(ticket, outcome, now)
    }

    /// Takes the result of one probe of a link. An unknown link changes nothing.
    pub fn link_probed(&mut self, link: LinkId, reached: bool) -> Option<LinkChange> {
        self.links.get_mut(link.index())?.probed(reached)
    }

    /// Withholds the dome heartbeat for a drill, or ends that. It is for the caller to know that
    /// the dome is closed.
    pub fn drill(&mut self, on: bool) {
        self.drill = on;
    }

    /// S5: a new session knows nothing. Forgets all heartbeats, ends a lapse of attention, and
    /// abandons the emission that is under way. What was waiting unread must be gone before.
    /// All statistics stay, and so do a drill and the links' states: a link that failed in the
    /// meantime is found by its probes, as at any other time.
    pub fn forget(&mut self, now: Instant) {
        self.heartbeats.forget();
        self.emission.abandon(now);
        self.lapsed = false;
        self.unreported = false;
        if let Some(path) = &mut self.path {
            path.forget();
        }
        self.attention = Attention::new(self.attention.limit(), now);
    }

    /// What is received from now on was sent after `sent`: the way is no older than that, or an
    /// echo that was sent then has come back on it (see [`path`](crate::path)).
    pub fn path_proven(&mut self, sent: Instant) {
        if let Some(path) = &mut self.path {
            path.proven(sent);
        }
    }

    /// The first cause why no heartbeat goes to the dome at `now`. `None`: any critical beat that
    /// arrives now will emit, unless it is itself late ([`Heartbeat::lateness`]).
    ///
    /// A heartbeat that only waits for its next beat is not a cause until it is stale. If the cause
    /// is that one alone was never seen or is stale, its own next beat ends the cause and may
    /// emit; or the one after that, which confirms it.
    ///
    /// The same as [`beat`](Self::beat) would decide on, with one difference: what is not known
    /// because of a lapse of attention, that lapse stands for, also after `forget`, until a
    /// critical heartbeat is received.
    pub fn hold(&self, now: Instant) -> Option<Reason> {
        let cause = self.first_cause(None, now)?;
        match self.lapse {
            Some(lapse) if cause.is_ignorance() => Some(Reason::NotAttentive(lapse)),
            _ => Some(cause),
        }
    }

    /// All heartbeats in the order of the configuration.
    pub fn heartbeats(&self) -> &Table<H> {
        &self.heartbeats
    }

    /// All links in the order of the configuration.
    pub fn links(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        (0..=u8::MAX).map(LinkId).zip(&self.links)
    }

    /// The link, unless the id is of another supervisor with more links.
    pub fn link(&self, id: LinkId) -> Option<&Link> {
        self.links.get(id.index())
    }

    /// How old what is received may be; `None` without a limit on that.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_ref()
    }

    /// The emissions: pace, outcomes, margin.
    pub fn emission(&self) -> &Emission {
        &self.emission
    }

    /// Notices a lapse that no `tick` noticed first.
    fn look(&mut self, now: Instant) {
        if let Err(lapse) = self.attention.look(now) {
            self.note_lapse(lapse, now);
        }
    }

    fn note_lapse(&mut self, lapse: Lapse, now: Instant) {
        self.lapse = Some(lapse);
        self.lapsed = true;
        self.unreported = true;
        self.heartbeats.forget();
        self.emission.break_streak();
        self.attention = Attention::new(self.attention.limit(), now);
    }

    /// Whether this ticket is of the last decision of this session, and no fault came up since.
    pub(crate) fn stands(&self, ticket: Ticket, now: Instant) -> bool {
        let fault = self.first_cause(None, now).filter(Reason::is_fault);
        self.emission.is_newest(ticket) && fault.is_none()
    }

    /// The rule (S1, S3, S5, S6), said once: the first cause why no heartbeat may go to the dome at
    /// `now`; of those that come with a beat, why not with one of `beating`, which was just
    /// received.
    fn first_cause(&self, beating: Option<HeartbeatId>, now: Instant) -> Option<Reason> {
        self.unheard(now)
            .or_else(|| self.heartbeat_fault(beating, now))
            .or_else(|| self.link_fault())
            .or_else(|| self.drill.then_some(Reason::Drill))
            .or_else(|| self.emission.wait(now))
    }

    /// Why nothing that is received at `now` counts: this process was not listening, or it may have
    /// waited for too long (S3).
    fn unheard(&self, now: Instant) -> Option<Reason> {
        let lapse = self.lapse.filter(|_| self.lapsed);
        if let Some(lapse) = lapse.or_else(|| self.attention.check(now).err()) {
            return Some(Reason::NotAttentive(lapse));
        }
        let path = self.path.as_ref().filter(|path| !path.is_prompt(now))?;
        Some(Reason::PathSlow(path.greatest_age(now)))
    }

    fn heartbeat_fault(&self, beating: Option<HeartbeatId>, now: Instant) -> Option<Reason> {
        if !self.heartbeats.iter().any(|(_, row)| row.is_critical()) {
            return Some(Reason::NothingCritical);
        }
        if let Some((id, heartbeat)) = self.heartbeats.first_not_fresh(now) {
            return Some(match heartbeat.age(now) {
                None => Reason::NeverSeen(id),
                Some(age) if heartbeat.is_unconfirmed() && age < heartbeat.timeout() => {
                    unconfirmed(id, heartbeat)
                }
                Some(silent_for) => Reason::Stale {
                    heartbeat: id,
                    silent_for,
                },
            });
        }
        let id = beating?;
        let heartbeat = self.heartbeats.get(id)?;
        heartbeat
            .is_unconfirmed()
            .then(|| unconfirmed(id, heartbeat))
    }

    fn link_fault(&self) -> Option<Reason> {
        self.links().find_map(|(id, link)| match link.state() {
            LinkState::Up => None,
            LinkState::Unproven => Some(Reason::LinkUnproven(id)),
            LinkState::Down => Some(Reason::LinkDown(id)),
        })
    }
}

fn unconfirmed(id: HeartbeatId, heartbeat: &Heartbeat) -> Reason {
    let at = heartbeat.last_seen();
    Reason::Unconfirmed {
        heartbeat: id,
        sent_before: at.and_then(|at| heartbeat.greatest_age(at)),
    }
}

impl fmt::Display for BeatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no heartbeat of that name is configured",
            Self::ProofMissing(_) => "this heartbeat counts only if it proves when it was sent",
        })
    }
}

impl core::error::Error for BeatError {}

#[cfg(test)]
mod tests;
