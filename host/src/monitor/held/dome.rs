//! Where the dome was last heard to be, and for how long that is known.

use embassy_time::{Duration, Instant};
use jiff::Timestamp;

use super::{age, back, duration};
use crate::clock::{Moment, seconds};
use crate::report::{Dome, EnclosureReport, FACTS_EXPIRE, before};

/// The last position that was heard, whichever actor said it: a restart of the actor does not make
/// it forgotten.
#[derive(Clone, PartialEq, Default, Debug)]
pub(super) struct LastDome {
    fact: Option<Fact>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
struct Fact {
    dome: Dome,
    said: Instant,
    said_wall: Timestamp,
    expire: Duration,
    /// The PLC's time runs out so long after it was said, and then it may move.
    closes: Option<Duration>,
    /// The actor says that it is not known any more.
    is_withdrawn: bool,
}

impl LastDome {
    /// A dome that is not closed may be closing when the PLC's time has run out: in `closes_in`
    /// seconds, if that is known.
    pub(super) fn report(
        &mut self,
        enclosure: &EnclosureReport,
        closes_in: Option<f64>,
        at: Moment,
    ) {
        let (dome, said_ago) = enclosure.dome_after(0.0);
        let Some(dome) = dome else {
            // One that has never heard anything does not know better.
            if let (Some(fact), Some(_)) = (&mut self.fact, said_ago) {
                fact.is_withdrawn = true;
            }
            return;
        };
        let said_ago = said_ago.unwrap_or(0.0);
        let expire = enclosure.facts_expire.unwrap_or(FACTS_EXPIRE);
        let closes_in = closes_in.filter(|_| dome != Dome::Closed);
        self.fact = Some(Fact {
            dome,
            said: back(at.now, duration(said_ago)),
            said_wall: before(at.wall, said_ago).unwrap_or(at.wall),
            expire: duration(expire),
            closes: closes_in.map(|left| duration(said_ago + left)),
            is_withdrawn: false,
        });
    }

    /// Where it is, if that is known.
    pub(super) fn known(&self, now: Instant) -> Option<Dome> {
        let fact = self.fact.as_ref()?;
        let lasts = fact
            .closes
            .map_or(fact.expire, |closes| fact.expire.min(closes));
        (!fact.is_withdrawn && age(fact.said, now) < lasts).then_some(fact.dome)
    }

    /// Since when that is not known, as far as that is.
    pub(super) fn unknown_since(&self, now: Instant) -> Option<Timestamp> {
        let fact = self.fact.as_ref()?;
        self.known(now).is_none().then_some(fact.said_wall)
    }

    /// When the last position was said.
    pub(super) fn said(&self) -> Option<Timestamp> {
        self.fact.as_ref().map(|fact| fact.said_wall)
    }

    /// In seconds.
    pub(super) fn expire(&self) -> f64 {
        self.fact
            .as_ref()
            .map_or(FACTS_EXPIRE, |fact| seconds(fact.expire))
    }

    /// Whether the dome is known to be closed. An actor that has just started may not have heard
    /// yet, and a dome that was closed when it was last heard of does not open meanwhile.
    pub(super) fn is_closed(&self, is_young: bool, now: Instant) -> bool {
        match (self.known(now), &self.fact) {
            (Some(dome), _) => dome == Dome::Closed,
            (None, None) => is_young,
            (None, Some(last)) => is_young && last.dome == Dome::Closed,
        }
    }
}
