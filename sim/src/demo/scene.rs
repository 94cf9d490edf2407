//! What the screen shows at one moment: plain data, so that a picture is a function of it.

use std::net::SocketAddr;

use lvmbeat::report::Health;
use tokio::sync::watch;

use super::chronicle::{Chapter, Chronicle, Entry};
use super::expect::Outage;
use super::facts::Facts;
use super::narrator::why;
use super::parts::Site;
use super::scale::seconds;
use crate::plc::{DomeState, FULL_OPEN_MM};

/// More entries than any screen has lines.
const ENTRIES: usize = 100;
/// How long the all-clear is shown, in site seconds.
const SHOWN: f64 = 40.0;

/// What the screen shows. Times are site seconds, except those of the pulses.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Scene {
    pub(super) now: f64,
    pub(super) speed: f64,
    pub(super) chapter: Option<Chapter>,
    pub(super) overwatcher_lives: bool,
    pub(super) beats: u64,
    /// The age of the overwatcher's last beat as lvmbeat knows it.
    pub(super) beat_age: Option<f64>,
    /// How all of it is, in lvmbeat's word.
    pub(super) health: Option<Health>,
    pub(super) gate: Gate,
    pub(super) emitted: u32,
    pub(super) lvmecp_hangs: bool,
    pub(super) heartbeats: u64,
    /// Until the PLC's watchdog expires.
    pub(super) countdown: f64,
    pub(super) expired: bool,
    pub(super) dome: DomeState,
    /// How far the dome is open, from 0 to 1.
    pub(super) open: f64,
    pub(super) smallest_margin: Option<f64>,
    pub(super) outage: Option<OutageScene>,
    pub(super) outside: Outside,
    /// The machine's seconds since something last went from the overwatcher, lvmbeat and lvmecp to
    /// the next one.
    pub(super) pulses: [Option<f64>; 3],
    /// The last ones, the oldest first.
    pub(super) entries: Vec<Entry>,
}

/// What lvmbeat does with beats.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Gate {
    /// It is not running yet.
    Unknown,
    /// All is well.
    Passes,
    /// All is well on this side, and lvmecp does not take the heartbeat.
    Unheard,
    /// Something is wrong; this.
    Holds(String),
}

/// How an outage goes, measured by S4.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct OutageScene {
    /// What the time is counted from.
    pub(super) what: &'static str,
    /// Since then; until closing began, if it has.
    pub(super) lasts: f64,
    pub(super) closing: bool,
    pub(super) limit: f64,
}

/// What is seen of the monitor outside. Times are site seconds, except that of the pulse.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Outside {
    /// Where its page is.
    pub(super) page: SocketAddr,
    /// Since it took a beat, if it ever did.
    pub(super) silence: Option<f64>,
    /// The network to it is cut.
    pub(super) cut: bool,
    /// People were alerted that the observatory is silent.
    pub(super) alarm: bool,
    /// M1: they are alerted by then.
    pub(super) limit: f64,
    /// The last notification, if it is new.
    pub(super) mail: Option<String>,
    /// The machine's seconds since it took a beat.
    pub(super) pulse: Option<f64>,
}

/// Looks at the chain.
pub(super) fn look(
    site: &Site,
    chronicle: &Chronicle,
    facts: &watch::Sender<Facts>,
    outage: &watch::Sender<Option<Outage>>,
) -> Scene {
    let plc = site.plc.snapshot();
    let now = seconds(plc.plc);
    let facts = facts.borrow().clone();
    let beats = site.overwatcher.beats();
    let lvmbeat = site.lvmbeat.borrow();
    let lvmbeat = lvmbeat.as_ref();
    let health = lvmbeat.map(|snapshot| snapshot.health.state);
    let gate = lvmbeat.map_or(Gate::Unknown, |snapshot| match &snapshot.hold {
        Some(hold) if hold.fault => Gate::Holds(why(site, snapshot, hold)),
        _ if snapshot.health.state.closes_the_dome() => Gate::Unheard,
        _ => Gate::Passes,
    });
    let beat_age = lvmbeat.and_then(|snapshot| {
        let age = snapshot.heartbeats.first()?.age?;
        Some(site.age_now(snapshot, age))
    });
    let real = |at: Option<f64>| at.map(|at| (now - at).max(0.0) / site.scale.speed());
    let tried = match (facts.last_heartbeat, facts.last_failure) {
        (Some(heartbeat), Some(failure)) => Some(heartbeat.max(failure)),
        (heartbeat, failure) => heartbeat.or(failure),
    };
    Scene {
        now,
        speed: site.scale.speed(),
        chapter: chronicle.chapter(),
        overwatcher_lives: site.overwatcher.is_alive(),
        beats: beats.sent,
        beat_age,
        health,
        gate,
        emitted: lvmbeat.map_or(0, |snapshot| snapshot.emissions.acknowledged),
        lvmecp_hangs: *site.lvmecp_hangs.borrow(),
        heartbeats: plc.heartbeats,
        countdown: seconds(plc.countdown),
        expired: plc.expired,
        dome: plc.dome,
        open: f64::from(plc.position_mm) / f64::from(FULL_OPEN_MM),
        smallest_margin: facts.smallest_margin,
        outage: outage.borrow().map(|outage| {
            let closing = facts.closing_since(outage.since);
            OutageScene {
                what: outage.what,
                lasts: closing.map_or(now, |(at, _)| at) - outage.since,
                closing: closing.is_some(),
                limit: site.closing_limit(),
            }
        }),
        outside: outside(site, &facts, now),
        pulses: [
            real(beats.last_sent),
            real(tried),
            real(facts.last_heartbeat),
        ],
        entries: chronicle.last(ENTRIES),
    }
}

fn outside(site: &Site, facts: &Facts, now: f64) -> Outside {
    let alarm = facts.alarm();
    let mail = facts.mail.as_ref();
    let mail = mail.filter(|(at, _)| alarm || now - at < SHOWN);
    let silence = facts.heard.map(|heard| (now - heard).max(0.0));
    Outside {
        page: site.page,
        silence,
        cut: *site.network_cut.borrow(),
        alarm,
        limit: site.scale.alert_limit(),
        mail: mail.map(|(_, mail)| mail.text.lines().next().unwrap_or_default().to_owned()),
        pulse: silence.map(|silence| silence / site.scale.speed()),
    }
}
