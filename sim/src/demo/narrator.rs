//! Listens to every part, and narrates and notes what happens.

use lvmbeat::actor::snapshot::{Hold, Snapshot};
use lvmbeat_core::{Cause, Outcome};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

use super::chronicle::{Chronicle, Entry, Weight, Who};
use super::facts::Facts;
use super::mail::{Mail, News};
use super::parts::Site;
use super::scale::{BEAT_OUTSIDE, OVERWATCHER, PLC, TIMEOUT, seconds};
use crate::ecp::EcpEvent;
use crate::plc::{Event, Record};

/// Listens to every part.
pub(super) struct Narrator<'a> {
    pub(super) site: &'a Site,
    pub(super) chronicle: &'a Chronicle,
    pub(super) facts: &'a watch::Sender<Facts>,
    pub(super) plc: broadcast::Receiver<Record>,
    pub(super) lvmecp: broadcast::Receiver<EcpEvent>,
    pub(super) mails: broadcast::Receiver<Mail>,
}

impl Narrator<'_> {
    /// Narrates what happens, until it is dropped.
    pub(super) async fn run(mut self) {
        let mut lvmbeat = self.site.lvmbeat.clone();
        loop {
            tokio::select! {
                biased;
                record = self.plc.recv() => match record {
                    Ok(record) => self.of_plc(&record),
                    Err(RecvError::Lagged(_)) => {}
                    // The task that started the PLC notices that it is gone.
                    Err(RecvError::Closed) => return,
                },
                Ok(event) = self.lvmecp.recv() => {
                    self.catch_up();
                    self.of_lvmecp(&event);
                }
                Ok(mail) = self.mails.recv() => {
                    self.catch_up();
                    self.of_monitor(&mail);
                }
                Ok(()) = lvmbeat.changed() => {
                    self.catch_up();
                    let snapshot = lvmbeat.borrow_and_update().clone();
                    if let Some(snapshot) = snapshot {
                        self.of_lvmbeat(&snapshot);
                    }
                }
            }
        }
    }

    /// Narrates what the PLC has done until now, so that the next entry does not come before it.
    fn catch_up(&mut self) {
        self.site.plc.access(|_| ());
        while let Ok(record) = self.plc.try_recv() {
            self.of_plc(&record);
        }
    }

    fn tell(&self, at: f64, who: Who, weight: Weight, text: &str, detail: &str) {
        self.chronicle.tell(Entry {
            at,
            who,
            weight,
            text: text.to_owned(),
            detail: detail.to_owned(),
        });
    }

    fn of_plc(&self, record: &Record) {
        let mut margin = None;
        self.facts.send_modify(|facts| margin = facts.plc(record));
        let (weight, text) = if record.event == Event::HeartbeatReceived {
            let text = match margin {
                Some(left) if left > 0.0 => {
                    format!("heartbeat, with {left:.1} s left")
                }
                _ => "heartbeat".to_owned(),
            };
            (Weight::Routine, text)
        } else if record.event == Event::WatchdogExpired {
            let text = format!("watchdog expired: no heartbeat for {PLC} s");
            (Weight::Alarm, text)
        } else if matches!(
            record.event,
            Event::DomeClosing { .. } | Event::DomeStopped { .. } | Event::CommandRefused { .. }
        ) {
            (Weight::Alarm, record.event.to_string())
        } else {
            (Weight::News, record.event.to_string())
        };
        self.tell(seconds(record.at), Who::Plc, weight, &text, "");
    }

    fn of_lvmecp(&self, event: &EcpEvent) {
        let (weight, text, detail) = match event {
            EcpEvent::Disconnected { cause } => {
                (Weight::Alarm, "is disconnected", cause.to_string())
            }
            // The story waits for the first, and the PLC reports the other.
            EcpEvent::Connected | EcpEvent::HeartbeatWritten => return,
            EcpEvent::HeartbeatFailed { cause } => {
                (Weight::Alarm, "cannot set the heartbeat", cause.to_string())
            }
            EcpEvent::EngineeringMode { on: true } => {
                (Weight::Alarm, "engineering mode is on", String::new())
            }
            EcpEvent::EngineeringMode { on: false } => {
                (Weight::News, "engineering mode is off", String::new())
            }
        };
        self.tell(self.site.now(), Who::Lvmecp, weight, text, &detail);
    }

    fn of_monitor(&self, mail: &Mail) {
        let now = self.site.now();
        let speed = self.site.scale.speed();
        self.facts.send_modify(|facts| facts.mail(mail, now, speed));
        let (weight, detail) = match mail.news {
            News::Down(observed) => {
                let silence = format!("after {:.1} s of silence", observed * speed);
                (Weight::Alarm, silence)
            }
            News::Up => (Weight::News, String::new()),
            News::Asked => (Weight::News, "somebody has asked for it".to_owned()),
        };
        let text = format!("mail to people: {}", mail.subject);
        self.tell(now, Who::Monitor, weight, &text, &detail);
        self.chronicle.quote(&mail.text);
    }

    fn of_lvmbeat(&self, snapshot: &Snapshot) {
        let now = self.site.now();
        let before = self.facts.borrow().clone();
        self.facts.send_modify(|facts| facts.lvmbeat(snapshot, now));
        let after = self.facts.borrow().clone();
        let tell = |weight, text, detail: &str| self.tell(now, Who::Lvmbeat, weight, text, detail);
        if after.lapses > before.lapses {
            tell(
                Weight::Alarm,
                "was not running for a while",
                "this machine is busy",
            );
        }
        if before.hold.map(|(reason, _)| reason) != after.hold.map(|(reason, _)| reason) {
            match &snapshot.hold {
                Some(hold) if hold.fault => {
                    // Before the first beat there is nothing wrong with holding it.
                    let weight = if after.heartbeats == 0 {
                        Weight::News
                    } else {
                        Weight::Alarm
                    };
                    let why = why(self.site, snapshot, hold);
                    tell(weight, "holds the dome heartbeat", &why);
                }
                _ => tell(
                    Weight::News,
                    "releases the dome heartbeat",
                    "every critical heartbeat is fresh",
                ),
            }
        }
        if before.outcome != after.outcome
            && let Some(outcome) = after.outcome
        {
            let weight = if outcome == Outcome::Acknowledged {
                Weight::News
            } else {
                Weight::Alarm
            };
            tell(weight, outcome_words(outcome), "");
        }
        match (before.unreachable, after.unreachable) {
            (false, true) => tell(
                Weight::Alarm,
                "cannot reach the monitor",
                "it goes on trying, and everything else goes on",
            ),
            (true, false) => tell(Weight::News, "reaches the monitor again", ""),
            (true, true) | (false, false) => {}
        }
        if before.heard.is_none() && after.heard.is_some() {
            let every = format!("a beat every {BEAT_OUTSIDE} s, with what lvmbeat knows");
            self.tell(now, Who::Monitor, Weight::News, "hears lvmbeat", &every);
        }
    }
}

fn outcome_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Acknowledged => "emits, and lvmecp writes the heartbeat",
        Outcome::Refused => "hears that lvmecp could not write the heartbeat",
        Outcome::Unroutable => "finds no lvmecp to take the heartbeat",
        Outcome::TimedOut => "gets no answer from lvmecp: no heartbeat is sent",
        Outcome::Lost => "has cancelled a heartbeat",
    }
}

/// Why lvmbeat holds the dome heartbeat, in the site's seconds.
/// Not the actor's words: they give limits in seconds of the machine, from its configuration.
pub(super) fn why(site: &Site, snapshot: &Snapshot, hold: &Hold) -> String {
    match hold.cause {
        Cause::Stale => {
            let age = snapshot
                .heartbeats
                .iter()
                .find_map(|heartbeat| heartbeat.proven_age.filter(|_| !heartbeat.current));
            let age = age.map_or(TIMEOUT, |age| site.age_now(snapshot, age));
            format!(
                "heartbeat {OVERWATCHER} may have been sent {age:.1} s ago (timeout {TIMEOUT} s)"
            )
        }
        Cause::Unconfirmed => {
            format!("the first beat of {OVERWATCHER} does not count yet; its next one confirms it")
        }
        // The others' numbers would be the machine's seconds.
        Cause::NotAttentive => {
            "lvmbeat itself was not running for a while; what waited does not count".to_owned()
        }
        Cause::PathSlow if snapshot.path_age.is_some() => {
            "what arrives may have been on its way for too long".to_owned()
        }
        Cause::InFlight => "a heartbeat is on its way to lvmecp".to_owned(),
        Cause::CutOff => "the last heartbeat was emitted a moment ago".to_owned(),
        Cause::Retry => "the last heartbeat failed a moment ago".to_owned(),
        Cause::PathSlow
        | Cause::NothingCritical
        | Cause::NeverSeen
        | Cause::LinkUnproven
        | Cause::LinkDown
        | Cause::Drill => hold.text.clone(),
    }
}
