//! The incidents that people know of and that are not over: how old each is, whether somebody has
//! acknowledged it, and the secret by which a link in a message does so. Pure: no I/O, time is an
//! argument.

use std::time::Duration;

use embassy_time::Instant;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::clock::Moment;
use crate::config::std_duration;

/// More cannot be open at once: one silence and one withheld heartbeat.
const MOST: usize = 8;

/// Which incidents somebody acknowledges.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Which {
    /// All that are open.
    All,
    /// This one.
    One(Uuid),
    /// This one, by the secret of a link, which is spent by that.
    ByLink(Uuid, LinkToken),
}

/// The secret of a link. It is not shown (X1).
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq)]
#[serde(transparent)]
pub struct LinkToken(String);

impl LinkToken {
    /// One that somebody presents.
    pub fn presented(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// For the link itself.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    fn new() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }

    fn is(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl std::fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkToken(…)")
    }
}

/// Those that are open, oldest first.
#[derive(Default, Debug)]
pub(super) struct Incidents(Vec<Incident>);

#[derive(Clone, Debug)]
struct Incident {
    known: Known,
    listening_since: Instant,
}

/// What survives a restart of one of them.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub(super) struct Known {
    id: Uuid,
    begun: Timestamp,
    /// How long it was open before this process.
    open_for: Duration,
    acknowledged: Option<Timestamp>,
    /// Spent by its use.
    link: Option<LinkToken>,
}

/// One incident, for whoever shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IncidentView {
    /// Its id, as in its notices.
    pub id: Uuid,
    /// When people were notified.
    pub begun: Timestamp,
    /// When somebody acknowledged it, if so.
    pub acknowledged: Option<Timestamp>,
}

impl Incidents {
    pub(super) fn restore(saved: Vec<Known>, not_running: Duration, now: Instant) -> Self {
        let restored = saved.into_iter().take(MOST).map(|mut known| {
            known.open_for = known.open_for.saturating_add(not_running);
            Incident {
                known,
                listening_since: now,
            }
        });
        Self(restored.collect())
    }

    pub(super) fn save(&self, now: Instant) -> Vec<Known> {
        let saved = self.0.iter().map(|incident| Known {
            open_for: incident.age(now),
            ..incident.known.clone()
        });
        saved.collect()
    }

    /// People are notified of it.
    pub(super) fn begin(&mut self, id: Uuid, at: Moment) {
        if self.find(id).is_some() {
            return;
        }
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push(Incident {
            known: Known {
                id,
                begun: at.wall,
                open_for: Duration::ZERO,
                acknowledged: None,
                link: Some(LinkToken::new()),
            },
            listening_since: at.now,
        });
    }

    /// It is over.
    pub(super) fn end(&mut self, id: Uuid) {
        self.0.retain(|incident| incident.known.id != id);
    }

    /// Somebody has seen it. Gives those that are acknowledged now, whether or not they were
    /// before; none if there is no such incident, or the link is spent or wrong.
    pub(super) fn acknowledge(&mut self, which: &Which, at: Moment) -> Vec<Uuid> {
        let mut acknowledged = Vec::new();
        for Incident { known, .. } in &mut self.0 {
            let is_meant = match which {
                Which::All => true,
                Which::One(id) => known.id == *id,
                Which::ByLink(id, token) => {
                    let fits = known.link.as_ref().is_some_and(|link| link.is(token));
                    known.id == *id && fits
                }
            };
            if is_meant {
                known.acknowledged.get_or_insert(at.wall);
                known.link = None;
                acknowledged.push(known.id);
            }
        }
        acknowledged
    }

    pub(super) fn is_acknowledged(&self, id: Uuid) -> bool {
        let known = self.find(id);
        known.is_some_and(|incident| incident.known.acknowledged.is_some())
    }

    /// The secret by which a link acknowledges it, unless somebody has.
    pub(super) fn link(&self, id: Uuid) -> Option<&LinkToken> {
        self.find(id)?.known.link.as_ref()
    }

    /// Those that nobody has acknowledged, each with the time that it has been open.
    pub(super) fn unseen(&self, now: Instant) -> impl Iterator<Item = (Uuid, Duration)> {
        let unseen = self.0.iter();
        let unseen = unseen.filter(|incident| incident.known.acknowledged.is_none());
        unseen.map(move |incident| (incident.known.id, incident.age(now)))
    }

    pub(super) fn view(&self) -> Vec<IncidentView> {
        let shown = self.0.iter().map(|Incident { known, .. }| IncidentView {
            id: known.id,
            begun: known.begun,
            acknowledged: known.acknowledged,
        });
        shown.collect()
    }

    fn find(&self, id: Uuid) -> Option<&Incident> {
        self.0.iter().find(|incident| incident.known.id == id)
    }
}

impl Incident {
    fn age(&self, now: Instant) -> Duration {
        let listened = now.checked_duration_since(self.listening_since);
        let listened = listened.map_or(Duration::ZERO, std_duration);
        self.known.open_for.saturating_add(listened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Moment {
        Moment {
            now: Instant::from_secs(100 + secs),
            wall: Timestamp::UNIX_EPOCH,
        }
    }

    fn two() -> (Incidents, Uuid, Uuid) {
        let mut incidents = Incidents::default();
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        incidents.begin(one, at(0));
        incidents.begin(other, at(10));
        (incidents, one, other)
    }

    #[test]
    fn x1_a_link_acknowledges_its_own_incident_and_only_once() {
        let none: Vec<Uuid> = Vec::new();
        let (mut incidents, one, other) = two();
        let link = incidents.link(one).unwrap().clone();
        let by = |id, token: &LinkToken| Which::ByLink(id, token.clone());
        assert_eq!(incidents.acknowledge(&by(other, &link), at(20)), none);
        let wrong = LinkToken::presented("");
        assert_eq!(incidents.acknowledge(&by(one, &wrong), at(20)), none);
        assert_eq!(incidents.acknowledge(&by(one, &link), at(20)), [one]);
        assert!(incidents.is_acknowledged(one) && !incidents.is_acknowledged(other));
        assert_eq!(incidents.acknowledge(&by(one, &link), at(20)), none);
        assert_eq!(incidents.link(one), None);
        assert!(!format!("{incidents:?}").contains(incidents.link(other).unwrap().reveal()));
    }

    #[test]
    fn with_a_token_one_or_all_are_acknowledged() {
        let none: Vec<Uuid> = Vec::new();
        let (mut incidents, one, other) = two();
        let unknown = Which::One(Uuid::from_u128(9));
        assert_eq!(incidents.acknowledge(&unknown, at(1)), none);
        assert_eq!(incidents.acknowledge(&Which::One(other), at(1)), [other]);
        assert_eq!(
            incidents.unseen(at(30).now).collect::<Vec<_>>(),
            [(one, Duration::from_secs(30))]
        );
        assert_eq!(incidents.acknowledge(&Which::All, at(1)), [one, other]);
        assert_eq!(incidents.unseen(at(30).now).count(), 0);
    }

    #[test]
    fn m4_what_was_acknowledged_is_so_after_a_restart_and_time_goes_on_meanwhile() {
        let (mut incidents, one, other) = two();
        incidents.acknowledge(&Which::One(other), at(20));
        let saved = serde_json::to_string(&incidents.save(at(60).now)).unwrap();
        let not_running = Duration::from_secs(40);
        let saved = serde_json::from_str(&saved).unwrap();
        let restored = Incidents::restore(saved, not_running, Instant::from_secs(1));
        assert!(restored.is_acknowledged(other));
        assert_eq!(restored.link(one), incidents.link(one));
        let unseen: Vec<_> = restored.unseen(Instant::from_secs(6)).collect();
        assert_eq!(unseen, [(one, Duration::from_secs(105))]);
    }
}
