//! The reference: a list of everything that happened, and answers that are read off the whole of
//! it.

use embassy_time::{Duration, Instant};
use lvmbeat_core::delivery::Step;
use lvmbeat_core::emission::Counts;
use lvmbeat_core::{Decision, HeartbeatId, Lapse, LinkId, LinkState, Outcome, Reason, Ticket};

#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) start: u64,
    pub(crate) attention: u64,
    /// Limit of the age of what is received.
    pub(crate) path: Option<u64>,
    /// Beats closer together than this count as one; `None`: each counts as sent when it is
    /// received.
    pub(crate) burst: Option<u64>,
    pub(crate) cutoff: u64,
    pub(crate) retry: u64,
    pub(crate) plc: u64,
    /// Limits of a delivery.
    pub(crate) expiration: u64,
    pub(crate) answer: u64,
    pub(crate) heartbeats: Vec<Source>,
    /// Failures to down.
    pub(crate) links: Vec<u8>,
}

#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) critical: bool,
    pub(crate) timeout: u64,
    pub(crate) lateness: Option<u64>,
    pub(crate) proof_required: bool,
}

/// What happened, with the answer where the answer is part of the story.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Tick,
    /// Which, what it proves, what the answer was.
    Beat(usize, Option<u64>, Result<Decision, ()>),
    End(Ticket, Outcome),
    Probe(usize, bool),
    /// A drill begins or ends.
    Drill(bool),
    /// What was sent before then is not received any more.
    Proven(u64),
    /// What followed for the delivery.
    Said(Step),
    Forget,
}

/// One emission, as read from the history.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flight {
    pub(crate) ticket: Ticket,
    pub(crate) start: u64,
    /// Index in the history, instant, outcome.
    pub(crate) end: Option<(usize, u64, Outcome)>,
}

pub(crate) struct History<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) ids: &'a [HeartbeatId],
    pub(crate) links: &'a [LinkId],
    pub(crate) events: Vec<(u64, Event)>,
}

pub(crate) fn ticks(ticks: u64) -> Duration {
    Duration::from_ticks(ticks)
}

/// What is left of a waiting time; on a clock that went back all of it is.
pub(crate) fn left(length: u64, since: u64, now: u64) -> Option<Duration> {
    let over = u128::from(since) + u128::from(length);
    let rest = over.checked_sub(u128::from(now.max(since)))?;
    u64::try_from(rest).ok().filter(|rest| *rest > 0).map(ticks)
}

impl History<'_> {
    /// Index of the first event of the session that was going on before event `end`.
    pub(crate) fn session(&self, end: usize) -> usize {
        self.events[..end]
            .iter()
            .rposition(|(_, event)| matches!(event, Event::Forget))
            .map_or(0, |forget| forget + 1)
    }

    /// All lapses of the session before event `end`, with the index of the event that noticed it;
    /// and what `now` would be.
    pub(crate) fn lapses(&self, end: usize, now: Option<u64>) -> Vec<(usize, Lapse)> {
        let begin = self.session(end);
        let origin = match begin.checked_sub(1) {
            None => self.setup.start,
            Some(forget) => self.events[forget].0,
        };
        let timed = self.events[begin..end]
            .iter()
            .enumerate()
            .filter(|(_, (_, event))| {
                !matches!(
                    event,
                    Event::Probe(..) | Event::Drill(_) | Event::Proven(_) | Event::Said(_)
                )
            })
            .map(|(index, (at, event))| (begin + index, *at, matches!(event, Event::Tick)))
            .chain(now.map(|now| (end, now, false)));
        let mut lapses = Vec::new();
        let mut stamps = vec![origin];
        let mut seen = vec![origin];
        for (index, at, is_tick) in timed {
            let latest = *seen.iter().max().unwrap_or(&0);
            let gap = at.saturating_sub(stamps[stamps.len() - 1]);
            let lapse = if at < latest {
                Some(Lapse::ClockWentBack(ticks(latest - at)))
            } else if gap >= self.setup.attention {
                Some(Lapse::Gap(ticks(gap)))
            } else {
                None
            };
            if lapse.is_some() || is_tick {
                stamps.push(at);
                seen.clear();
            }
            seen.push(at);
            lapses.extend(lapse.map(|lapse| (index, lapse)));
        }
        lapses
    }

    /// Whether it is proven to have been alive less than its timeout ago.
    pub(crate) fn fresh(&self, end: usize, heartbeat: usize, now: u64) -> bool {
        self.lapses(end, None).is_empty()
            && self.sent_after(end, heartbeat).is_some_and(|sent| {
                sent <= now
                    && u128::from(now - sent) < u128::from(self.setup.heartbeats[heartbeat].timeout)
            })
    }

    /// The beats of the session that count, disregarding lapses: index and instant.
    fn beats(
        &self,
        end: usize,
        heartbeat: usize,
    ) -> impl DoubleEndedIterator<Item = (usize, u64, Option<u64>)> {
        let begin = self.session(end);
        self.events[begin..end]
            .iter()
            .enumerate()
            .filter_map(move |(index, (at, event))| match event {
                Event::Beat(which, proof, Ok(_)) if *which == heartbeat => {
                    let prompt = self.slow(begin + index, *at).is_none();
                    prompt.then_some((begin + index, *at, *proof))
                }
                _ => None,
            })
    }

    pub(crate) fn counted(
        &self,
        end: usize,
        heartbeat: usize,
    ) -> impl DoubleEndedIterator<Item = u64> {
        self.beats(end, heartbeat).map(|(_, at, _)| at)
    }

    /// When the newest beat was sent, at the earliest: what it proves itself, or when the last beat
    /// entered that was received at least a burst before it entered. Of beats that are closer
    /// together only the first counts for that.
    pub(crate) fn sent_after(&self, end: usize, heartbeat: usize) -> Option<u64> {
        let proofs = self.beats(end, heartbeat).filter_map(|(_, _, proof)| proof);
        if self.setup.heartbeats[heartbeat].proof_required {
            return proofs.max();
        }
        let Some(burst) = self.setup.burst else {
            let last = self.counted(end, heartbeat).next_back();
            return last.max(proofs.max());
        };
        let mut firsts: Vec<(u64, u64)> = Vec::new();
        for (index, at, _) in self.beats(end, heartbeat) {
            let entered = if self.setup.path.is_some() {
                self.proofs(index).max().unwrap_or(at)
            } else {
                at
            };
            let apart = |(_, received): &(u64, u64)| i128::from(entered) - i128::from(*received);
            if firsts
                .last()
                .is_none_or(|last| apart(last) >= i128::from(burst))
            {
                firsts.push((entered, at));
            }
        }
        firsts.pop();
        firsts
            .iter()
            .map(|(entered, _)| *entered)
            .chain(proofs)
            .max()
    }

    /// The last beat came, and how old it can have been then, if that is known.
    fn last_beat(&self, end: usize, heartbeat: usize) -> Option<(u64, Option<u64>)> {
        let at = self.counted(end, heartbeat).next_back()?;
        let sent = self.sent_after(end, heartbeat);
        Some((at, sent.and_then(|sent| at.checked_sub(sent))))
    }

    /// Why its last beat alone does not emit.
    fn late(&self, end: usize, heartbeat: usize) -> Option<Reason> {
        let source = &self.setup.heartbeats[heartbeat];
        let (_, age) = self.last_beat(end, heartbeat)?;
        let limit = source.lateness.unwrap_or(u64::MAX).min(source.timeout);
        if age.is_some_and(|age| age < limit) {
            return None;
        }
        Some(Reason::Unconfirmed {
            heartbeat: self.ids[heartbeat],
            sent_before: age.map(ticks),
        })
    }

    fn proofs(&self, end: usize) -> impl Iterator<Item = u64> {
        self.events[self.session(end)..end]
            .iter()
            .filter_map(|(_, event)| match event {
                Event::Proven(sent) => Some(*sent),
                _ => None,
            })
    }

    /// What is received at `now`, in the session before event `end`, may be this old.
    pub(crate) fn slow(&self, end: usize, now: u64) -> Option<Reason> {
        let limit = self.setup.path?;
        let age = self
            .proofs(end)
            .max()
            .and_then(|sent| now.checked_sub(sent));
        if age.is_some_and(|age| age < limit) {
            return None;
        }
        Some(Reason::PathSlow(age.map(ticks)))
    }

    pub(crate) fn link(&self, end: usize, link: usize) -> LinkState {
        let mut probes = self.events[..end]
            .iter()
            .rev()
            .filter_map(|(_, event)| match event {
                Event::Probe(which, reached) if *which == link => Some(*reached),
                _ => None,
            });
        let failures = probes.by_ref().take_while(|reached| !reached).count();
        let ever = self.events[..end]
            .iter()
            .any(|(_, event)| matches!(event, Event::Probe(which, true) if *which == link));
        if failures >= usize::from(self.setup.links[link]) {
            LinkState::Down
        } else if ever {
            LinkState::Up
        } else {
            LinkState::Unproven
        }
    }

    pub(crate) fn flights(&self, end: usize) -> Vec<Flight> {
        let events = || self.events[..end].iter().enumerate();
        let starts = events().filter_map(|(index, (at, event))| match event {
            Event::Beat(_, _, Ok(Decision::Emit(ticket))) => Some((index, *at, *ticket)),
            _ => None,
        });
        starts
            .map(|(begin, start, ticket)| Flight {
                ticket,
                start,
                end: events()
                    .skip(begin)
                    .find_map(|(index, (at, event))| match event {
                        Event::End(ended, outcome) if *ended == ticket => {
                            Some((index, *at, *outcome))
                        }
                        Event::Forget => Some((index, *at, Outcome::Lost)),
                        _ => None,
                    }),
            })
            .collect()
    }

    /// An instant of long ago, as it counts after each `forget` from event `index` on: never in the
    /// future.
    pub(crate) fn clamped(&self, at: u64, index: usize, end: usize) -> u64 {
        self.events[index..end]
            .iter()
            .filter(|(_, event)| matches!(event, Event::Forget))
            .map(|(forgot, _)| *forgot)
            .fold(at, u64::min)
    }

    pub(crate) fn fault(&self, end: usize, now: u64) -> Option<Reason> {
        self.fault_of(end, now, None)
    }

    /// The fault that holds the beat of this heartbeat, which is the last event.
    pub(crate) fn fault_of(&self, end: usize, now: u64, beating: Option<usize>) -> Option<Reason> {
        if let Some((_, lapse)) = self.lapses(end, None).last() {
            return Some(Reason::NotAttentive(*lapse));
        }
        if let Some((_, lapse)) = self.lapses(end, Some(now)).last() {
            return Some(Reason::NotAttentive(*lapse));
        }
        if let Some(slow) = self.slow(end, now) {
            return Some(slow);
        }
        let critical =
            (0..self.setup.heartbeats.len()).filter(|one| self.setup.heartbeats[*one].critical);
        if critical.clone().count() == 0 {
            return Some(Reason::NothingCritical);
        }
        for one in critical {
            if !self.fresh(end, one, now) {
                let Some((at, _)) = self.last_beat(end, one) else {
                    return Some(Reason::NeverSeen(self.ids[one]));
                };
                return match self.late(end, one) {
                    Some(late) if now - at < self.setup.heartbeats[one].timeout => Some(late),
                    _ => Some(Reason::Stale {
                        heartbeat: self.ids[one],
                        silent_for: ticks(now - at),
                    }),
                };
            }
        }
        if let Some(late) = beating.and_then(|beating| self.late(end, beating)) {
            return Some(late);
        }
        (0..self.links.len())
            .find_map(|link| match self.link(end, link) {
                LinkState::Up => None,
                LinkState::Unproven => Some(Reason::LinkUnproven(self.links[link])),
                LinkState::Down => Some(Reason::LinkDown(self.links[link])),
            })
            .or_else(|| self.drill(end).then_some(Reason::Drill))
    }

    fn drill(&self, end: usize) -> bool {
        let mut events = self.events[..end].iter().rev();
        events.find_map(|(_, event)| match event {
            Event::Drill(on) => Some(*on),
            _ => None,
        }) == Some(true)
    }

    pub(crate) fn wait(&self, end: usize, now: u64) -> Option<Reason> {
        let flights = self.flights(end);
        if let Some(flight) = flights.iter().find(|flight| flight.end.is_none()) {
            return Some(Reason::InFlight(Instant::from_ticks(flight.start)));
        }
        let success = flights.iter().rev().find_map(|flight| match flight.end {
            Some((index, _, Outcome::Acknowledged)) => Some(self.clamped(flight.start, index, end)),
            _ => None,
        });
        let failure = flights.last().and_then(|flight| match flight.end {
            None | Some((_, _, Outcome::Acknowledged)) => None,
            Some((index, at, _)) => Some(self.clamped(at, index, end)),
        });
        success
            .and_then(|at| left(self.setup.cutoff, at, now))
            .map(Reason::CutOff)
            .or_else(|| {
                failure
                    .and_then(|at| left(self.setup.retry, at, now))
                    .map(Reason::Retry)
            })
    }

    /// What is shown: where nothing was received yet, the lapse of an earlier session is to blame,
    /// if no critical heartbeat was received since.
    pub(crate) fn hold(&self, end: usize, now: u64) -> Option<Reason> {
        let cause = self.fault(end, now).or_else(|| self.wait(end, now));
        let blamed = match cause {
            Some(Reason::PathSlow(None) | Reason::NeverSeen(_)) => self.blamed(end),
            _ => None,
        };
        blamed.map(Reason::NotAttentive).or(cause)
    }

    fn blamed(&self, mut end: usize) -> Option<Lapse> {
        let critical = |one: &usize| self.setup.heartbeats[*one].critical;
        loop {
            let mut all = 0..self.setup.heartbeats.len();
            if all.any(|one| critical(&one) && self.counted(end, one).next().is_some()) {
                return None;
            }
            let forgot = self.session(end).checked_sub(1)?;
            if let Some((_, lapse)) = self.lapses(forgot, None).last() {
                return Some(*lapse);
            }
            end = forgot;
        }
    }

    pub(crate) fn may_send(&self, ticket: Ticket, now: u64) -> bool {
        let end = self.events.len();
        self.flights(end)
            .iter()
            .any(|flight| flight.ticket == ticket && flight.end.is_none())
            && self.fault(end, now).is_none()
    }

    pub(crate) fn counts(&self) -> Counts {
        let flights = self.flights(self.events.len());
        let count = |wanted| {
            let ended = flights.iter().filter_map(|flight| flight.end);
            u32::try_from(ended.filter(|(_, _, outcome)| *outcome == wanted).count())
                .unwrap_or(u32::MAX)
        };
        Counts {
            acknowledged: count(Outcome::Acknowledged),
            refused: count(Outcome::Refused),
            unroutable: count(Outcome::Unroutable),
            timed_out: count(Outcome::TimedOut),
            lost: count(Outcome::Lost),
        }
    }

    /// Whether event `index` shows that something else than the pace withholds the heartbeat.
    pub(crate) fn is_fault(&self, index: usize) -> bool {
        let (at, event) = &self.events[index];
        let noticed = self.lapses(index + 1, None);
        noticed.iter().any(|(noticer, _)| *noticer == index)
            || match event {
                Event::Forget => true,
                Event::Beat(_, _, Ok(Decision::Hold(reason))) if reason.is_fault() => true,
                Event::Beat(_, _, Ok(_)) => (0..self.setup.heartbeats.len())
                    .any(|one| self.setup.heartbeats[one].critical && !self.fresh(index, one, *at)),
                _ => false,
            }
    }

    pub(crate) fn last_seen(&self, heartbeat: usize) -> Option<u64> {
        let end = self.events.len();
        let last = self.counted(end, heartbeat).next_back();
        last.filter(|_| self.lapses(end, None).is_empty())
    }

    pub(crate) fn last_acknowledged(&self) -> Option<u64> {
        let end = self.events.len();
        self.flights(end)
            .iter()
            .rev()
            .find_map(|flight| match flight.end {
                Some((index, at, Outcome::Acknowledged)) => Some(self.clamped(at, index, end)),
                _ => None,
            })
    }

    pub(crate) fn smallest_emission_margin(&self) -> Option<Duration> {
        let acknowledged: Vec<_> = self
            .flights(self.events.len())
            .iter()
            .filter_map(|flight| flight.end)
            .filter(|(_, _, outcome)| *outcome == Outcome::Acknowledged)
            .map(|(index, at, _)| (index, at))
            .collect();
        acknowledged
            .windows(2)
            .filter(|pair| !(pair[0].0 + 1..=pair[1].0).any(|index| self.is_fault(index)))
            .filter_map(|pair| pair[1].1.checked_sub(pair[0].1))
            .map(|gap| ticks(self.setup.plc.saturating_sub(gap)))
            .min()
    }

    pub(crate) fn smallest_heartbeat_margin(&self, heartbeat: usize) -> Option<Duration> {
        let sessions = self
            .events
            .iter()
            .enumerate()
            .filter(|(_, (_, event))| matches!(event, Event::Forget))
            .map(|(index, _)| index)
            .chain([self.events.len()]);
        sessions
            .flat_map(|end| {
                // Beats after a lapse do not count until the session ends.
                let end = self
                    .lapses(end, None)
                    .first()
                    .map_or(end, |(index, _)| *index);
                let beats: Vec<_> = self.beats(end, heartbeat).skip(1).collect();
                let silences = beats.iter().filter_map(|(index, at, _)| {
                    at.checked_sub(self.sent_after(*index, heartbeat)?)
                });
                silences.collect::<Vec<_>>()
            })
            .map(|silence| {
                let timeout = self.setup.heartbeats[heartbeat].timeout;
                ticks(timeout.saturating_sub(silence))
            })
            .min()
    }
}
