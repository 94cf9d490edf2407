extern crate std;

use core::num::NonZeroU8;
use std::format;
use std::string::ToString;

use super::*;
use crate::emission::Pace;
use crate::name::NameError;

mod configuration;
mod confirmation;
mod heartbeats;
mod lapses;
mod links;
mod margins;
mod pace;
mod reasons;
mod sessions;

const T0: Instant = Instant::from_secs(1000);
const TICK: Duration = Duration::from_ticks(1);
const TIMEOUT: Duration = Duration::from_secs(30);
const CUTOFF: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(3);
/// Long, so that it plays a part only where a test is about it.
const ATTENTION: Duration = Duration::from_secs(100);
const PACE: Pace = Pace {
    cutoff: CUTOFF,
    retry: RETRY,
    plc_timeout: Duration::from_secs(60),
};
const THREE: NonZeroU8 = NonZeroU8::new(3).unwrap();

type Small = Supervisor<3, 2>;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn config() -> Config<3, 2> {
    Config::new(ATTENTION, PACE)
}

/// Watches `a` alone, which is critical.
fn single() -> Small {
    let mut config = config();
    config.add_heartbeat("a", true, TIMEOUT).unwrap();
    Supervisor::new(config, T0)
}

/// Watches `a` and `b`, both critical, and `x`, which is not.
fn several() -> Small {
    let mut config = config();
    config.add_heartbeat("a", true, TIMEOUT).unwrap();
    config.add_heartbeat("x", false, TIMEOUT).unwrap();
    config.add_heartbeat("b", true, TIMEOUT).unwrap();
    Supervisor::new(config, T0)
}

/// Watches `a`, which is critical, and two links.
fn linked() -> (Small, LinkId, LinkId) {
    let mut config = config();
    config.add_heartbeat("a", true, TIMEOUT).unwrap();
    let lco = config.add_link("lco", THREE).unwrap();
    let outside = config.add_link("outside", THREE).unwrap();
    (Supervisor::new(config, T0), lco, outside)
}

fn id(supervisor: &Small, name: &str) -> HeartbeatId {
    supervisor.heartbeats().find(name).unwrap()
}

#[track_caller]
fn emission_of(supervisor: &mut Small, name: &str, now: Instant) -> Ticket {
    match supervisor.beat(name, now) {
        Ok(Decision::Emit(ticket)) => ticket,
        other => panic!("{name} should have emitted, and got {other:?}"),
    }
}

#[track_caller]
fn emits(supervisor: &mut Small, name: &str, now: Instant) {
    let _ = emission_of(supervisor, name, now);
}

#[track_caller]
fn holds(supervisor: &mut Small, name: &str, now: Instant) -> Reason {
    match supervisor.beat(name, now) {
        Ok(Decision::Hold(reason)) => reason,
        other => panic!("{name} should have been held, and got {other:?}"),
    }
}

/// Emits for `name` and lets the enclosure acknowledge at once.
#[track_caller]
fn acknowledged(supervisor: &mut Small, name: &str, now: Instant) {
    let ticket = emission_of(supervisor, name, now);
    assert!(supervisor.emission_ended(ticket, Outcome::Acknowledged, now));
}
