//! Everything that is stale or late, what is critical first. Pure.

use lvmbeat_core::{Cause, LinkState};

use crate::actor::snapshot::{HeartbeatView, Hold, LinkView};
use crate::journal::span;

/// One thing that is not as it should be.
#[derive(Clone, PartialEq, Debug)]
pub struct Late {
    /// Its kind and whom it is about. Without numbers, which change all the time.
    pub key: (Kind, String),
    /// Whether the dome heartbeat is held because of it.
    pub holds: bool,
    /// In words.
    pub text: String,
}

/// What is late.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// What holds the dome heartbeat, of that cause.
    Holds(Cause),
    /// A heartbeat that counts has missed a whole beat.
    Beat,
    /// A heartbeat that is not critical does not count any more.
    NotCritical,
    /// A link that is up has failed a probe.
    Probe,
    /// The dome heartbeat was not acknowledged.
    Delivery,
}

impl Late {
    fn holding(cause: Cause, subject: &str, text: String) -> Self {
        Self {
            key: (Kind::Holds(cause), subject.to_owned()),
            holds: true,
            text,
        }
    }

    pub(super) fn so_far(kind: Kind, subject: &str, text: String) -> Self {
        Self {
            key: (kind, subject.to_owned()),
            holds: false,
            text,
        }
    }
}

/// All that holds the dome heartbeat: what is about lvmbeat itself first, then each heartbeat and
/// each link, in the order of the configuration.
pub(in crate::actor) fn holding(
    hold: Option<&Hold>,
    heartbeats: &[HeartbeatView],
    links: &[LinkView],
) -> Vec<Late> {
    let Some(hold) = hold.filter(|hold| hold.fault) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    if !has_subject(hold.cause) {
        all.push(Late::holding(hold.cause, "", hold.text.clone()));
    }
    // Where nobody can be heard, that nobody is heard is no cause of its own.
    let deaf = matches!(hold.cause, Cause::NotAttentive | Cause::PathSlow);
    let silent = heartbeats.iter().filter(|it| it.critical && !it.current);
    let silent = silent.filter(|it| !(deaf && it.age.is_none()));
    all.extend(silent.map(silence));
    all.extend(links.iter().filter_map(down));
    // A beat that was received too late to emit makes no heartbeat stale.
    if all.is_empty() {
        all.push(Late::holding(hold.cause, "", hold.text.clone()));
    }
    all
}

/// What is late and holds nothing yet; what is critical first.
pub(super) fn holding_nothing(heartbeats: &[HeartbeatView], links: &[LinkView]) -> Vec<Late> {
    let missed =
        |it: &&HeartbeatView| it.current && it.age.is_some_and(|age| age >= 2.0 * it.interval);
    let late = |it: &HeartbeatView| {
        let silent = format!(
            "{}{} silent for {}",
            it.name,
            aside(it),
            span(it.age.unwrap_or_default())
        );
        Late::so_far(
            Kind::Beat,
            &it.name,
            format!("{silent} (it beats every {})", span(it.interval)),
        )
    };
    let critical = heartbeats.iter().filter(|it| it.critical).filter(missed);
    let mut all: Vec<Late> = critical.map(late).collect();
    let probes = links
        .iter()
        .filter(|link| link.state == LinkState::Up && link.failures > 0);
    all.extend(probes.map(|link| {
        let failed = if link.failures == 1 {
            "probe"
        } else {
            "probes in a row"
        };
        let text = format!(
            "network link {} failed {} {failed}",
            link.name, link.failures
        );
        Late::so_far(Kind::Probe, &link.name, text)
    }));
    let others = || heartbeats.iter().filter(|it| !it.critical);
    // One that was never heard was perhaps never started.
    let stale = others().filter(|it| !it.current && it.age.is_some_and(|age| age >= it.timeout));
    all.extend(
        stale
            .map(|it| Late {
                key: (Kind::NotCritical, it.name.clone()),
                ..silence(it)
            })
            .map(|it| Late { holds: false, ..it }),
    );
    all.extend(others().filter(missed).map(late));
    all
}

/// Those causes are named for each heartbeat and each link.
fn has_subject(cause: Cause) -> bool {
    match cause {
        Cause::NeverSeen
        | Cause::Unconfirmed
        | Cause::Stale
        | Cause::LinkUnproven
        | Cause::LinkDown => true,
        Cause::NotAttentive
        | Cause::PathSlow
        | Cause::NothingCritical
        | Cause::Drill
        | Cause::InFlight
        | Cause::CutOff
        | Cause::Retry => false,
    }
}

fn aside(heartbeat: &HeartbeatView) -> &'static str {
    if heartbeat.critical {
        ""
    } else {
        " (not critical)"
    }
}

/// A heartbeat that does not count.
fn silence(it: &HeartbeatView) -> Late {
    let name = format!("{}{}", it.name, aside(it));
    let (cause, text) = match it.age {
        None => (
            Cause::NeverSeen,
            format!("{name} not heard in this session"),
        ),
        Some(age) if is_unconfirmed(it, age) => (
            Cause::Unconfirmed,
            format!(
                "{name} heard {} ago, to be confirmed by its next beat",
                span(age)
            ),
        ),
        Some(age) if age < it.timeout => (
            Cause::Stale,
            format!(
                "{name} silent for {}, perhaps for {} (timeout {})",
                span(age),
                span(it.proven_age.unwrap_or(age)),
                span(it.timeout)
            ),
        ),
        Some(age) => (
            Cause::Stale,
            format!(
                "{name} silent for {} (timeout {})",
                span(age),
                span(it.timeout)
            ),
        ),
    };
    Late::holding(cause, &it.name, text)
}

/// It was received in time, and may have been sent too long before (S3).
fn is_unconfirmed(it: &HeartbeatView, age: f64) -> bool {
    let in_time = |proven: f64| proven - age < it.timeout;
    age < it.timeout && !it.proven_age.is_some_and(in_time)
}

fn down(link: &LinkView) -> Option<Late> {
    let name = &link.name;
    let (cause, text) = match link.state {
        LinkState::Up => return None,
        LinkState::Down => (Cause::LinkDown, format!("network link {name} down")),
        LinkState::Unproven => (
            Cause::LinkUnproven,
            format!("network link {name} not reached yet"),
        ),
    };
    Some(Late::holding(cause, name, text))
}
