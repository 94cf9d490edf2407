//! What the PLC's registers showed, from moment to moment.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::process::Event;

/// Where the dome is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Position {
    /// At its upper switch.
    Open,
    /// At its lower switch.
    Closed,
    /// Driven open.
    Opening,
    /// Driven closed.
    Closing,
    /// At rest, and at neither switch.
    Stopped,
}

impl Position {
    fn named(name: &str) -> Self {
        match name {
            "open" => Self::Open,
            "closed" => Self::Closed,
            "opening" => Self::Opening,
            "closing" => Self::Closing,
            "stopped" => Self::Stopped,
            other => panic!("the simulator knows no dome that is {other}"),
        }
    }
}

/// The registers from a moment on, until the next.
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    /// Seconds since the beginning.
    pub at: f64,
    /// Where the dome is.
    pub dome: Position,
    /// The PLC's time has run out (`hb_error`).
    pub expired: bool,
}

/// All that was true in the course of a test. Moments are seconds since its beginning.
#[derive(Clone, Debug)]
pub struct Truth {
    /// The beginning, by the wall clock.
    pub begin: Timestamp,
    /// In order.
    pub registers: Vec<Registers>,
    /// The PLC got a heartbeat then. In order.
    pub heartbeats: Vec<f64>,
    /// Engineering mode was switched then. In order; it is off in the beginning.
    pub engineering: Vec<(f64, bool)>,
    /// The PLC's time.
    pub timeout: f64,
    /// What is said may be as old as this: it has to be overheard, reported and fetched.
    pub lag: f64,
}

impl Truth {
    /// From what the simulated PLC and the stand-in for `lvmecp` have printed since the beginning.
    pub fn of(plc: &[Event], ecp: &[Event], begin: (Instant, Timestamp)) -> Self {
        let seconds = |at: Instant| {
            let after = at.saturating_duration_since(begin.0).as_secs_f64();
            after - begin.0.saturating_duration_since(at).as_secs_f64()
        };
        // A line may be read late, and never early: the PLC's own clock says when it was.
        let offset = plc.iter().map(|it| seconds(it.line.at) - plc_s(it));
        let offset = offset.fold(f64::INFINITY, f64::min);
        let mut truth = Self {
            begin: begin.1,
            registers: Vec::new(),
            heartbeats: Vec::new(),
            engineering: Vec::new(),
            timeout: 0.0,
            lag: 0.0,
        };
        let mut expired = false;
        for event in plc {
            let at = plc_s(event) + offset;
            match event.field("event").as_str().unwrap_or_default() {
                "heartbeat_received" => truth.heartbeats.push(at),
                "watchdog_expired" => expired = true,
                "watchdog_recovered" => expired = false,
                _ => {}
            }
            let dome = Position::named(event.field("dome").as_str().unwrap_or_default());
            truth.registers.push(Registers { at, dome, expired });
        }
        let modes = ecp
            .iter()
            .filter(|it| it.field("event") == "ecp_engineering_mode");
        truth.engineering = modes
            .map(|it| (seconds(it.line.at), it.field("on") == true))
            .collect();
        truth
    }

    /// Whether that was so at any moment from one to the other.
    pub(super) fn was(&self, from: f64, to: f64, is: impl Fn(&Registers) -> bool) -> bool {
        let ends = self.registers.iter().skip(1).map(|next| next.at);
        let ends = ends.chain([f64::INFINITY]);
        let mut shown = self.registers.iter().zip(ends);
        shown.any(|(shown, end)| shown.at <= to && end > from && is(shown))
    }

    /// Whether engineering mode was that at any moment from one to the other.
    pub(super) fn mode_was(&self, on: bool, from: f64, to: f64) -> bool {
        let (before, within): (Vec<_>, Vec<_>) = self
            .engineering
            .iter()
            .filter(|(at, _)| *at <= to)
            .partition(|(at, _)| *at < from);
        let first = before.last().is_some_and(|(_, on)| *on);
        first == on || within.iter().any(|(_, is)| *is == on)
    }

    /// Whether the PLC got a heartbeat between those moments.
    pub(super) fn is_fed(&self, from: f64, to: f64) -> bool {
        self.heartbeats.iter().any(|at| (from..to).contains(at))
    }

    /// The moments at which the PLC's time ran out.
    pub(super) fn expiries(&self) -> impl Iterator<Item = f64> {
        let later = self.registers.windows(2).filter_map(|pair| {
            let [before, after] = pair else { return None };
            (!before.expired && after.expired).then_some(after.at)
        });
        let first = self.registers.first().filter(|first| first.expired);
        first.map(|first| first.at).into_iter().chain(later)
    }

    /// The last heartbeats that may have been known at that moment.
    pub(super) fn fed(&self, from: f64, to: f64) -> impl Iterator<Item = f64> {
        let before = self.heartbeats.iter().rfind(|at| **at < from);
        let within = self
            .heartbeats
            .iter()
            .filter(move |at| (from..=to).contains(*at));
        before.into_iter().chain(within).copied()
    }

    /// The moment that is meant by that time of day, the nearest to another moment.
    pub(super) fn moment(&self, time: &str, near: f64) -> f64 {
        let at = self.begin + SignedDuration::from_secs_f64(near);
        let parts: Vec<f64> = time
            .split(':')
            .filter_map(|part| part.parse().ok())
            .collect();
        let [hours, minutes, seconds] = parts[..] else {
            panic!("{time} is no time of day");
        };
        let of_day = hours * 3600.0 + minutes * 60.0 + seconds;
        let day = 86_400.0;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of our days")]
        let now = at.as_millisecond() as f64 / 1000.0;
        let off = (of_day - now).rem_euclid(day);
        near + if off > day / 2.0 { off - day } else { off }
    }
}

fn plc_s(event: &Event) -> f64 {
    let at = event.field("plc_s").as_f64();
    at.expect("each line of the simulator has its time")
}
