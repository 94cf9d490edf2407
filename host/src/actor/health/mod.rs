//! How the whole is, in one word, with everything that is late. Pure: what is known goes in.
//!
//! Nothing is decided on it. `status`, its exit code, metrics, the report to the monitor and the
//! journal all show this one verdict.

mod delivery;
mod late;
mod least_left;

use embassy_time::Instant;

use super::snapshot::{HeartbeatView, Hold, LinkView};
use crate::clock::seconds;
use crate::journal::span;
use crate::report::{Dome, Health};

pub(super) use self::delivery::{Around, Delivery};
pub use self::delivery::{DeliveryView, PlcError, Undelivered};
pub(super) use self::late::holding;
pub use self::late::{Kind, Late};

/// After so many attempts that failed in a row the dome heartbeat does not arrive; one may fail.
const FAILURES: u32 = 2;

/// How the whole is.
#[derive(Clone, PartialEq, Debug)]
pub struct HealthView {
    /// In one word.
    pub state: Health,
    /// How long it has been so, in seconds.
    pub seconds: f64,
    /// In one sentence.
    pub text: String,
    /// Everything that is stale or late, what holds the dome heartbeat first.
    pub late: Vec<Late>,
}

/// What it follows from.
pub(super) struct Known<'a> {
    pub(super) around: &'a Around,
    pub(super) hold: Option<&'a Hold>,
    pub(super) heartbeats: &'a [HeartbeatView],
    pub(super) links: &'a [LinkView],
    pub(super) delivery: &'a DeliveryView,
    pub(super) dome: Option<Dome>,
    pub(super) ecp: &'a str,
}

/// The health at this moment. The first that is true, in the order of the code.
pub(super) fn of(known: &Known<'_>) -> HealthView {
    let delivery = known.delivery;
    let mut late = holding(known.hold, known.heartbeats, known.links);
    let in_vain = delivery.failures >= FAILURES || delivery.sent_in_vain;
    let misses = delivery.failures > 0 || delivery.overdue && !known.around.held;
    if misses && !known.around.standing_by {
        late.push(undelivered(delivery));
    }
    late.extend(late::holding_nothing(known.heartbeats, known.links));
    let state = if known.around.standing_by {
        Health::Unknown
    } else if known.around.engineering {
        Health::Bypassed
    } else if delivery.closing_for.is_some() {
        match known.dome {
            Some(Dome::Closed) => Health::ClosedByWatchdog,
            Some(Dome::Open | Dome::Moving | Dome::Between) | None => Health::Closing,
        }
    } else if known.around.held {
        Health::Held
    } else if in_vain {
        Health::NotArriving
    } else if late.is_empty() {
        Health::Ok
    } else {
        Health::Late
    };
    HealthView {
        state,
        seconds: 0.0,
        text: text(state, known, &late),
        late,
    }
}

/// Why nothing arrives although nothing is held, if that is so.
pub(super) fn not_arriving(delivery: &DeliveryView) -> Option<String> {
    let in_vain = delivery.failures >= FAILURES || delivery.sent_in_vain;
    (in_vain || delivery.closing_for.is_some()).then(|| undelivered(delivery).text)
}

fn undelivered(delivery: &DeliveryView) -> Late {
    let since = if delivery.acknowledged {
        format!("no heartbeat acknowledged for {}", span(delivery.seconds))
    } else {
        format!(
            "no heartbeat acknowledged since the start, {} ago",
            span(delivery.seconds)
        )
    };
    let text = match &delivery.text {
        Some(text) if delivery.cause != Some(Undelivered::Held) => format!("{since}: {text}"),
        Some(_) | None => since,
    };
    Late::so_far(Kind::Delivery, "", text)
}

/// What there is to know, in one sentence; the causes last, since they may be many.
fn text(state: Health, known: &Known<'_>, late: &[Late]) -> String {
    let causes = || joined(late);
    let dome = || known.dome.map_or("not known to be closed", Dome::words);
    let why = || match (late.is_empty(), &known.delivery.text) {
        (true, Some(text)) => text.clone(),
        (true, None) => "the first heartbeat since then is not acknowledged yet".to_owned(),
        (false, _) => causes(),
    };
    match state {
        Health::Ok => "the dome heartbeat arrives, and everything is on time".to_owned(),
        Health::Late => causes(),
        Health::Held => format!(
            "the dome heartbeat is held{}: {}",
            countdown(known),
            causes()
        ),
        Health::NotArriving => {
            format!(
                "the dome heartbeat does not arrive{}: {}",
                countdown(known),
                causes()
            )
        }
        Health::Closing | Health::ClosedByWatchdog => format!(
            "the PLC's time ran out {} ago, and the dome is {}: {}",
            span(known.delivery.closing_for.unwrap_or_default()),
            dome(),
            why()
        ),
        Health::Bypassed => format!(
            "engineering mode is on: {} feeds the PLC, whatever lvmbeat decides",
            known.ecp
        ),
        Health::Unknown => "another lvmbeat is active; this one stands by".to_owned(),
    }
}

/// When the PLC closes a dome that is not closed.
fn countdown(known: &Known<'_>) -> String {
    match (known.dome, known.delivery.closes_in) {
        (Some(Dome::Closed), _) => ", and the dome is closed".to_owned(),
        (_, Some(left)) => format!(
            ", and the PLC closes the dome in {} at the latest",
            span(left)
        ),
        (_, None) => String::new(),
    }
}

/// All of them in one line.
pub(super) fn joined(late: &[Late]) -> String {
    let texts: Vec<_> = late.iter().map(|late| late.text.as_str()).collect();
    texts.join("; ")
}

/// Since when it is as it is.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Standing(Option<(Health, Instant)>);

impl Standing {
    /// It is so at `now`. Gives for how long it has been, in seconds.
    pub(super) fn lasted(&self, state: Health, now: Instant) -> f64 {
        let since = self.0.filter(|(before, _)| *before == state);
        let lasted = since.and_then(|(_, since)| now.checked_duration_since(since));
        lasted.map(seconds).unwrap_or_default()
    }

    /// To be called several times a second.
    pub(super) fn look(&mut self, state: Health, now: Instant) {
        if self.0.is_none_or(|(before, _)| before != state) {
            self.0 = Some((state, now));
        }
    }
}

#[cfg(test)]
mod tests;
