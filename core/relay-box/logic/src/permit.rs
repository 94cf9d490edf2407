//! The permit behind the relay: the supervisor decides whether a heartbeat counts, the watchdog how
//! long the relay stays energised.

use embassy_time::{Duration, Instant};
use lvmbeat_core::emission::Pace;
use lvmbeat_core::watchdog::{Change, Recovery};
use lvmbeat_core::{
    BeatError, Config, ConfigError, Decision, Lapse, Outcome, Reason, Supervisor, Watchdog,
};

/// The box must say that it is listening this often at least; a longer pause trips it.
pub const ATTENTION: Duration = Duration::from_secs(4);

/// How a box is set up.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Setup<const H: usize> {
    sources: Config<H, 0>,
    timeout: Duration,
    recovery: Recovery,
}

impl<const H: usize> Setup<H> {
    /// No source yet. `timeout`: the relay drops so long after the last heartbeat that counted.
    /// `cutoff`: after one that counted the next counts only so much later.
    pub fn new(timeout: Duration, cutoff: Duration, recovery: Recovery) -> Self {
        let pace = Pace {
            cutoff,
            // Closing a contact does not fail, as far as the box can tell.
            retry: Duration::MIN,
            plc_timeout: timeout,
        };
        Self {
            sources: Config::new(ATTENTION, pace),
            timeout,
            recovery,
        }
    }

    /// Adds a source of heartbeats.
    pub fn add(
        &mut self,
        name: &str,
        critical: bool,
        timeout: Duration,
    ) -> Result<(), ConfigError> {
        self.sources
            .add_heartbeat(name, critical, timeout)
            .map(|_| ())
    }
}

/// What came of a heartbeat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Beaten {
    /// What the supervisor said.
    pub decision: Decision,
    /// What it means for the relay.
    pub change: Option<Change>,
}

/// Says whether the relay may be energised. Call [`tick`](Self::tick) several times a second, and
/// [`poll`](Self::poll) when [`remaining`](Self::remaining) has passed. Each call costs at most one
/// pass over the sources.
#[derive(Clone, Debug)]
pub struct Permit<const H: usize> {
    supervisor: Supervisor<H, 0>,
    watchdog: Watchdog,
    timeout: Duration,
    recovery: Recovery,
}

impl<const H: usize> Permit<H> {
    /// S5: begins tripped, and knows of no heartbeat.
    pub fn new(setup: Setup<H>, now: Instant) -> Self {
        Self {
            supervisor: Supervisor::new(setup.sources, now),
            watchdog: Watchdog::tripped(setup.timeout, setup.recovery),
            timeout: setup.timeout,
            recovery: setup.recovery,
        }
    }

    /// A heartbeat was received.
    pub fn beat(&mut self, name: &str, now: Instant) -> Result<Beaten, BeatError> {
        let decision = self.supervisor.beat(name, now)?;
        let Decision::Emit(ticket) = decision else {
            let change = self.watchdog.poll(now);
            return Ok(Beaten { decision, change });
        };
        let change = self.watchdog.feed(now);
        // What a latch swallowed begins no cut-off: after it was armed the next heartbeat counts.
        let outcome = if self.watchdog.is_fed(now) {
            Outcome::Acknowledged
        } else {
            Outcome::Refused
        };
        self.supervisor.emission_ended(ticket, outcome, now);
        Ok(Beaten { decision, change })
    }

    /// Ends a latch. Says whether there was one.
    pub fn arm(&mut self) -> bool {
        let was_latched = self.watchdog.is_latched();
        self.watchdog.rearm();
        was_latched
    }

    /// The box listens at `now`. After a lapse it trips, and everything has to be heard anew (S3,
    /// S5).
    pub fn tick(&mut self, now: Instant) -> Result<(), Lapse> {
        let lapse = self.supervisor.tick(now);
        if lapse.is_err() {
            self.supervisor.forget(now);
            self.watchdog = Watchdog::tripped(self.timeout, self.recovery);
        }
        lapse
    }

    /// Looks at the time; gives the expiry once.
    pub fn poll(&mut self, now: Instant) -> Option<Change> {
        self.watchdog.poll(now)
    }

    /// Whether the relay may be energised at `now`.
    pub fn is_given(&self, now: Instant) -> bool {
        self.watchdog.is_fed(now)
    }

    /// How long the permit lasts; `None` without one.
    pub fn remaining(&self, now: Instant) -> Option<Duration> {
        self.watchdog.remaining(now)
    }

    /// Whether it has to be armed first.
    pub fn is_latched(&self) -> bool {
        self.watchdog.is_latched()
    }

    /// Why the next heartbeat would not count.
    pub fn hold(&self, now: Instant) -> Option<Reason> {
        self.supervisor.hold(now)
    }

    /// The place of a source among all.
    pub fn place(&self, name: &str) -> Option<usize> {
        let id = self.supervisor.heartbeats().find(name)?;
        Some(id.index())
    }

    /// How many sources there are.
    pub fn sources(&self) -> usize {
        self.supervisor.heartbeats().iter().count()
    }

    /// The name of the source that a reason is about.
    pub fn subject(&self, reason: &Reason) -> Option<&str> {
        match reason {
            Reason::NeverSeen(id)
            | Reason::Unconfirmed { heartbeat: id, .. }
            | Reason::Stale { heartbeat: id, .. } => self
                .supervisor
                .heartbeats()
                .get(*id)
                .map(|heartbeat| heartbeat.name().as_str()),
            Reason::NotAttentive(_)
            | Reason::PathSlow(_)
            | Reason::NothingCritical
            | Reason::LinkUnproven(_)
            | Reason::LinkDown(_)
            | Reason::Drill
            | Reason::InFlight(_)
            | Reason::CutOff(_)
            | Reason::Retry(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Instant = Instant::from_secs(1000);
    const TICK: Duration = Duration::from_ticks(1);
    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn permit(recovery: Recovery) -> Permit<4> {
        let mut setup = Setup::new(secs(60), secs(10), recovery);
        setup.add("a", true, secs(30)).unwrap();
        setup.add("b", true, secs(30)).unwrap();
        setup.add("c", false, secs(30)).unwrap();
        Permit::new(setup, T0)
    }

    #[test]
    fn s5_the_permit_is_given_only_after_every_critical_source_was_heard() {
        let mut permit = permit(Recovery::SelfClearing);
        assert!(!permit.is_given(T0));
        for name in ["a", "a", "c"] {
            assert_eq!(permit.beat(name, T0).unwrap().change, None);
            assert!(!permit.is_given(T0));
        }
        assert_eq!(
            permit.beat("b", T0).unwrap().change,
            Some(Change::Recovered)
        );
        assert!(permit.is_given(T0));
        assert_eq!(permit.beat("x", T0), Err(BeatError::Unknown));
    }

    #[test]
    fn a_latching_one_has_to_be_armed_first_and_then_fed() {
        let mut permit = permit(Recovery::Latching);
        for name in ["a", "b"] {
            assert_eq!(permit.beat(name, T0).unwrap().change, None);
        }
        assert!(permit.is_latched());
        assert!(permit.arm());
        assert!(!permit.arm());
        assert!(!permit.is_given(T0));
        assert_eq!(
            permit.beat("a", T0).unwrap().change,
            Some(Change::Recovered)
        );
        assert!(permit.is_given(T0));
    }

    #[test]
    fn s4_the_permit_ends_at_exactly_the_timeout() {
        let mut permit = permit(Recovery::SelfClearing);
        permit.beat("a", T0).unwrap();
        permit.beat("b", T0).unwrap();
        assert_eq!(permit.remaining(T0), Some(secs(60)));
        assert_eq!(permit.poll(T0 + secs(60) - TICK), None);
        assert_eq!(permit.poll(T0 + secs(60)), Some(Change::Expired));
        assert!(!permit.is_given(T0 + secs(60)));
    }

    #[test]
    fn s3_a_lapse_of_attention_trips() {
        for recovery in [Recovery::SelfClearing, Recovery::Latching] {
            let mut permit = permit(recovery);
            permit.arm();
            permit.beat("a", T0).unwrap();
            permit.beat("b", T0).unwrap();
            assert!(permit.is_given(T0));
            assert_eq!(permit.tick(T0 + ATTENTION - TICK), Ok(()));
            assert!(permit.is_given(T0 + ATTENTION));
            let late = T0 + ATTENTION - TICK + ATTENTION;
            assert!(permit.tick(late).is_err());
            assert!(!permit.is_given(late));
            assert_eq!(permit.is_latched(), recovery == Recovery::Latching);
            assert!(matches!(permit.hold(late), Some(Reason::NotAttentive(_))));
        }
    }

    #[test]
    fn s4_a_beat_at_the_very_end_of_the_permit_does_not_carry_it_on() {
        let mut setup = Setup::<4>::new(secs(1), secs(1), Recovery::SelfClearing);
        setup.add("a", true, secs(30)).unwrap();
        let mut permit = Permit::new(setup, T0);
        assert_eq!(
            permit.beat("a", T0).unwrap().change,
            Some(Change::Recovered)
        );
        let end = T0 + secs(1);
        assert_eq!(permit.beat("a", end).unwrap().change, Some(Change::Expired));
        assert!(!permit.is_given(end));
        assert_eq!(
            permit.beat("a", end).unwrap().change,
            Some(Change::Recovered)
        );
    }

    #[test]
    fn within_the_cut_off_a_heartbeat_makes_the_permit_no_longer() {
        let mut permit = permit(Recovery::SelfClearing);
        permit.beat("a", T0).unwrap();
        permit.beat("b", T0).unwrap();
        let soon = T0 + secs(1);
        let beaten = permit.beat("a", soon).unwrap();
        assert!(matches!(beaten.decision, Decision::Hold(Reason::CutOff(_))));
        assert_eq!(permit.remaining(soon), Some(secs(59)));
    }
}
