//! Why the PLC gets no heartbeat: everything that a report says, in few words each.

use lvmbeat_core::Cause as Reason;

use crate::monitor::notice::Cause;
use crate::monitor::notify::span;
use crate::peer::one_line;
use crate::report::{Health, Report};

/// There is no session with the broker, or lvmbeat was not running.
const DEAF: [Reason; 2] = [Reason::PathSlow, Reason::NotAttentive];
/// The longest text of others that is taken over, in characters (X2).
const LONGEST: usize = 200;

/// All causes, so many seconds after the report. Never empty.
pub(super) fn of(report: &Report, health: Health, since_report: f64) -> Vec<Cause> {
    let mut causes = Vec::new();
    let is_held = report.hold.as_ref().filter(|hold| hold.fault);
    // Where nobody can be heard, that is the cause, and that nobody is heard is none of its own.
    let deaf = is_held.filter(|hold| DEAF.map(Reason::as_str).contains(&hold.reason.as_str()));
    causes.extend(deaf.map(|hold| Cause::new("", &one_line(&hold.text, LONGEST))));
    let stale = report.heartbeats.iter();
    let stale = stale.filter(|heartbeat| heartbeat.critical && !heartbeat.current);
    for heartbeat in stale.filter(|heartbeat| deaf.is_none() || heartbeat.age.is_some()) {
        let text = match heartbeat.age {
            Some(age) => format!("silent {}", span(age + since_report)),
            None => "never heard".to_owned(),
        };
        causes.push(Cause::new(&heartbeat.name, &text));
    }
    for link in report.network.iter().filter(|link| !link.up) {
        causes.push(Cause::new(&format!("link {}", link.name), "down"));
    }
    let delivery = report.delivery.as_ref();
    let undelivered = delivery.and_then(|delivery| delivery.text.as_ref());
    if let Some(text) = undelivered.filter(|_| is_held.is_none() || health == Health::NotArriving) {
        causes.push(Cause::new("", &one_line(text, LONGEST)));
    }
    if causes.is_empty() {
        let hold = is_held.map(|hold| &hold.text);
        let said = hold.or_else(|| report.health.as_ref().map(|health| &health.text));
        let said = said.map_or_else(String::new, |said| one_line(said, LONGEST));
        let said = if said.is_empty() {
            "for an unknown reason".to_owned()
        } else {
            said
        };
        causes.push(Cause::new("", &said));
    }
    causes
}
