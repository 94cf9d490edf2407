//! Why no heartbeat goes to the dome.

use embassy_time::{Duration, Instant};

use crate::attention::Lapse;
use crate::heartbeat::HeartbeatId;
use crate::link::LinkId;

/// The first cause why no heartbeat goes to the dome, with what is known of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Reason {
    /// The process was not listening. Until [`Supervisor::forget`](crate::Supervisor::forget)
    /// nothing counts (S3); after it this is why nothing is known, until a critical heartbeat has
    /// been received.
    NotAttentive(Lapse),
    /// What is received now may have waited for too long; for so long, if that is known (S3).
    PathSlow(Option<Duration>),
    /// No heartbeat is critical, so nothing could ever withhold the dome heartbeat.
    NothingCritical,
    /// This critical heartbeat was not received yet in this session (S5).
    NeverSeen(HeartbeatId),
    /// This critical heartbeat was received, but may have been sent too long ago: the next one
    /// confirms it (S3).
    Unconfirmed {
        /// Which.
        heartbeat: HeartbeatId,
        /// The greatest age that it can have had when it was received, if anything is known of
        /// that.
        sent_before: Option<Duration>,
    },
    /// This critical heartbeat is too old (S1).
    Stale {
        /// Which.
        heartbeat: HeartbeatId,
        /// Time since its last beat was received.
        silent_for: Duration,
    },
    /// This link was not reached yet (S5).
    LinkUnproven(LinkId),
    /// This link is down (S1).
    LinkDown(LinkId),
    /// A drill withholds it, to prove that the PLC closes the dome without it.
    Drill,
    /// An emission is under way and started then (S6: never a second one).
    InFlight(Instant),
    /// The last successful emission is too young by this much.
    CutOff(Duration),
    /// The last failed emission is too young by this much.
    Retry(Duration),
}

impl Reason {
    /// Its kind.
    pub const fn cause(&self) -> Cause {
        match self {
            Self::NotAttentive(_) => Cause::NotAttentive,
            Self::PathSlow(_) => Cause::PathSlow,
            Self::NothingCritical => Cause::NothingCritical,
            Self::NeverSeen(_) => Cause::NeverSeen,
            Self::Unconfirmed { .. } => Cause::Unconfirmed,
            Self::Stale { .. } => Cause::Stale,
            Self::LinkUnproven(_) => Cause::LinkUnproven,
            Self::LinkDown(_) => Cause::LinkDown,
            Self::Drill => Cause::Drill,
            Self::InFlight(_) => Cause::InFlight,
            Self::CutOff(_) => Cause::CutOff,
            Self::Retry(_) => Cause::Retry,
        }
    }

    /// Whether something is wrong. Otherwise it is only the pace of emissions.
    pub fn is_fault(&self) -> bool {
        self.cause().is_fault()
    }

    /// Whether it says no more than that nothing has been received yet in this session.
    pub(crate) fn is_ignorance(&self) -> bool {
        matches!(self, Self::PathSlow(None) | Self::NeverSeen(_))
    }
}

/// A [`Reason`] without its numbers: what is counted, compared and named. The order of the cases is
/// the order in which causes are looked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(missing_docs, reason = "each is that of the reason of its name")]
pub enum Cause {
    NotAttentive,
    PathSlow,
    NothingCritical,
    NeverSeen,
    Unconfirmed,
    Stale,
    LinkUnproven,
    LinkDown,
    Drill,
    InFlight,
    CutOff,
    Retry,
}

impl Cause {
    /// Every cause, in its order, for tables and metrics.
    pub const ALL: [Self; 12] = [
        Self::NotAttentive,
        Self::PathSlow,
        Self::NothingCritical,
        Self::NeverSeen,
        Self::Unconfirmed,
        Self::Stale,
        Self::LinkUnproven,
        Self::LinkDown,
        Self::Drill,
        Self::InFlight,
        Self::CutOff,
        Self::Retry,
    ];

    /// Its place in [`ALL`](Self::ALL).
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its name, as in `status`, metrics, logs and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAttentive => "not_attentive",
            Self::PathSlow => "path_slow",
            Self::NothingCritical => "nothing_critical",
            Self::NeverSeen => "heartbeat_never_seen",
            Self::Unconfirmed => "heartbeat_unconfirmed",
            Self::Stale => "heartbeat_stale",
            Self::LinkUnproven => "link_unproven",
            Self::LinkDown => "link_down",
            Self::Drill => "drill",
            Self::InFlight => "in_flight",
            Self::CutOff => "cut_off",
            Self::Retry => "retry",
        }
    }

    /// Whether something is wrong. Otherwise it is only the pace of emissions.
    pub fn is_fault(self) -> bool {
        self < Self::InFlight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_its_place_and_its_own_name() {
        for (place, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause.index(), place);
            let named = |other: &Cause| other.as_str() == cause.as_str();
            assert_eq!(Cause::ALL.iter().position(named), Some(place));
        }
    }

    #[test]
    fn every_reason_is_of_its_cause() {
        let (heartbeat, now) = (HeartbeatId(0), Instant::MIN);
        let reasons = [
            Reason::NotAttentive(Lapse::Gap(Duration::MIN)),
            Reason::PathSlow(None),
            Reason::NothingCritical,
            Reason::NeverSeen(heartbeat),
            Reason::Unconfirmed {
                heartbeat,
                sent_before: None,
            },
            Reason::Stale {
                heartbeat,
                silent_for: Duration::MIN,
            },
            Reason::LinkUnproven(LinkId(0)),
            Reason::LinkDown(LinkId(0)),
            Reason::Drill,
            Reason::InFlight(now),
            Reason::CutOff(Duration::MIN),
            Reason::Retry(Duration::MIN),
        ];
        assert_eq!(reasons.map(|reason| reason.cause()), Cause::ALL);
    }

    #[test]
    fn only_the_pace_is_no_fault() {
        let pace = Cause::ALL.into_iter().filter(|cause| !cause.is_fault());
        assert!(pace.eq([Cause::InFlight, Cause::CutOff, Cause::Retry]));
    }
}
