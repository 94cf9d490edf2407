//! What has happened so far, for the story to wait for and to judge. All times are site seconds.

use jiff::Timestamp;
use lvmbeat::actor::SessionState;
use lvmbeat::actor::snapshot::Snapshot;
use lvmbeat_core::{Cause, Outcome};

use super::mail::{Mail, News};
use super::scale::{PLC, seconds};
use crate::plc::{CloseCause, Event, Record};

/// What has happened so far.
#[derive(Clone, PartialEq, Default, Debug)]
pub(super) struct Facts {
    /// Heartbeats that the PLC has received.
    pub(super) heartbeats: u64,
    pub(super) last_heartbeat: Option<f64>,
    /// L1: what was left when a heartbeat came, at the least, while all was well.
    pub(super) smallest_margin: Option<f64>,
    /// The last one of each.
    pub(super) dome_opened: Option<f64>,
    pub(super) dome_closing: Option<(f64, CloseCause)>,
    pub(super) dome_closed: Option<f64>,
    pub(super) watchdog_recovered: Option<f64>,
    /// lvmbeat has a session.
    pub(super) lvmbeat_connected: bool,
    /// Why lvmbeat holds the dome heartbeat, if something is wrong, and since when that is known.
    pub(super) hold: Option<(Cause, f64)>,
    /// What became of the last dome heartbeat.
    pub(super) outcome: Option<Outcome>,
    /// When one was last tried that did not get through.
    pub(super) last_failure: Option<f64>,
    /// How often lvmbeat was not running for too long.
    pub(super) lapses: u64,
    /// When the monitor outside last took a beat.
    pub(super) heard: Option<f64>,
    /// Whether lvmbeat cannot reach the monitor outside.
    pub(super) unreachable: bool,
    /// The last mail, and when it was written.
    pub(super) mail: Option<(f64, Mail)>,
    /// When people were last alerted that the observatory is silent, and after how much silence.
    pub(super) alert: Option<(f64, f64)>,
    /// How often they were.
    pub(super) alerts: u32,
    /// When the last all-clear came.
    pub(super) all_clear: Option<f64>,
    /// How often they were.
    pub(super) all_clears: u32,
    failures: u32,
    last_beat_outside: Option<Timestamp>,
    /// Something was broken on purpose, or put right, since the last heartbeat.
    disturbed: bool,
}

impl Facts {
    /// An event of the PLC. Returns what was left until it would have closed, if it was a
    /// heartbeat.
    pub(super) fn plc(&mut self, record: &Record) -> Option<f64> {
        let at = seconds(record.at);
        match record.event {
            Event::HeartbeatReceived => {
                let margin = PLC - (at - self.last_heartbeat.unwrap_or(0.0));
                // The PLC was fed by being switched on; that is no heartbeat.
                if self.heartbeats > 0 && !self.disturbed {
                    let smallest = self.smallest_margin.unwrap_or(margin);
                    self.smallest_margin = Some(smallest.min(margin));
                }
                self.disturbed = false;
                self.heartbeats += 1;
                self.last_heartbeat = Some(at);
                return Some(margin);
            }
            Event::DomeOpened => self.dome_opened = Some(at),
            Event::DomeClosing { cause } => self.dome_closing = Some((at, cause)),
            Event::DomeClosed => self.dome_closed = Some(at),
            Event::WatchdogRecovered => self.watchdog_recovered = Some(at),
            Event::HeartbeatIgnored
            | Event::WatchdogExpired
            | Event::DomeOpening
            | Event::DomeStopped { .. }
            | Event::CommandRefused { .. }
            | Event::EStop
            | Event::EStopReset
            | Event::DriveError
            | Event::DriveErrorReset
            | Event::ResetRefused
            | Event::NetworkFailure
            | Event::NetworkRestored
            | Event::LightSwitched { .. }
            | Event::FaultOn { .. }
            | Event::FaultOff { .. } => {}
        }
        None
    }

    /// lvmbeat shows that.
    pub(super) fn lvmbeat(&mut self, snapshot: &Snapshot, now: f64) {
        self.lvmbeat_connected = snapshot.session == SessionState::Open;
        let reason = snapshot.hold.as_ref().filter(|hold| hold.fault);
        let reason = reason.map(|hold| hold.cause);
        if reason != self.hold.map(|(reason, _)| reason) {
            self.hold = reason.map(|reason| (reason, now));
        }
        let failures = Outcome::ALL
            .iter()
            .filter(|outcome| **outcome != Outcome::Acknowledged)
            .map(|outcome| snapshot.emissions.of(*outcome))
            .sum();
        if failures > self.failures {
            self.failures = failures;
            self.last_failure = Some(now);
        }
        self.outcome = snapshot.last_outcome;
        if snapshot.counters.lapses > self.lapses {
            // The machine stood still, and a margin is what is left while all is well.
            self.disturb();
        }
        self.lapses = snapshot.counters.lapses;
        if let Some(monitor) = snapshot.outside.first() {
            if monitor.last_beat != self.last_beat_outside {
                self.last_beat_outside = monitor.last_beat;
                self.heard = Some(now);
            }
            self.unreachable = monitor.failure.is_some();
        }
    }

    /// The monitor outside has written that.
    pub(super) fn mail(&mut self, mail: &Mail, now: f64, speed: f64) {
        match mail.news {
            News::Down(observed) => {
                self.alert = Some((now, observed * speed));
                self.alerts += 1;
            }
            News::Up => {
                self.all_clear = Some(now);
                self.all_clears += 1;
            }
            News::Asked => {}
        }
        self.mail = Some((now, mail.clone()));
    }

    /// People were alerted that the observatory is silent, and have no all-clear yet.
    pub(super) fn alarm(&self) -> bool {
        self.alert
            .is_some_and(|(at, _)| self.all_clear.is_none_or(|clear| clear < at))
    }

    /// Something is broken on purpose, or put right: what is left then is no margin. It is said of
    /// both, as a heartbeat may be on its way when something breaks.
    pub(super) fn disturb(&mut self) {
        self.disturbed = true;
    }

    /// The PLC closes the dome, or has closed it, since then.
    pub(super) fn closing_since(&self, since: f64) -> Option<(f64, CloseCause)> {
        self.dome_closing.filter(|(at, _)| *at >= since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plc::DomeState;
    use embassy_time::Duration;

    fn heartbeat(facts: &mut Facts, at: u64) -> Option<f64> {
        facts.plc(&Record {
            at: Duration::from_secs(at),
            event: Event::HeartbeatReceived,
            countdown: Duration::from_secs(60),
            position_mm: 0,
            dome: DomeState::Closed,
        })
    }

    #[test]
    fn l1_the_margin_is_what_was_left_when_the_next_heartbeat_came() {
        let mut facts = Facts::default();
        heartbeat(&mut facts, 40);
        assert_eq!(facts.smallest_margin, None);
        heartbeat(&mut facts, 55);
        assert_eq!(heartbeat(&mut facts, 65), Some(50.0));
        assert_eq!(facts.smallest_margin, Some(45.0));
    }

    #[test]
    fn an_alarm_is_on_until_its_all_clear() {
        let mail = |news| Mail {
            news,
            subject: String::new(),
            text: String::new(),
        };
        let mut facts = Facts::default();
        facts.mail(&mail(News::Asked), 1.0, 8.0);
        assert!(!facts.alarm());
        facts.mail(&mail(News::Down(8.0)), 100.0, 8.0);
        assert_eq!(facts.alert, Some((100.0, 64.0)));
        assert!(facts.alarm());
        facts.mail(&mail(News::Up), 130.0, 8.0);
        assert!(!facts.alarm());
        assert_eq!((facts.alerts, facts.all_clears), (1, 1));
    }

    #[test]
    fn l1_an_outage_on_purpose_is_no_margin() {
        let mut facts = Facts::default();
        heartbeat(&mut facts, 0);
        heartbeat(&mut facts, 15);
        facts.disturb();
        // It was on its way.
        heartbeat(&mut facts, 16);
        facts.disturb();
        heartbeat(&mut facts, 200);
        assert_eq!(facts.smallest_margin, Some(45.0));
        heartbeat(&mut facts, 220);
        assert_eq!(facts.smallest_margin, Some(40.0));
    }
}
