//! The keywords of `status`.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Snapshot;
use crate::actor::Undelivered;

impl Snapshot {
    /// The keywords of `status`. The first four are those of the Python version, with its meanings.
    pub fn keywords(&self) -> Map<String, Value> {
        let heartbeats: Map<String, Value> = self
            .heartbeats
            .iter()
            .map(|heartbeat| {
                let view = json!({
                    "current": heartbeat.current,
                    "last_seen": heartbeat.last_seen.map(time),
                    "critical": heartbeat.critical,
                    "age": heartbeat.age,
                    "proven_age": heartbeat.proven_age,
                    "timeout": heartbeat.timeout,
                    "smallest_margin": heartbeat.smallest_margin,
                    "beats": heartbeat.beats,
                    "last_by": heartbeat.setters.last_by,
                    "also_by": heartbeat.setters.also_by,
                    "refused": heartbeat.setters.refused,
                    "refused_from": heartbeat.setters.refused_from,
                });
                (heartbeat.name.clone(), view)
            })
            .collect();
        let last_outside = self
            .outside
            .iter()
            .filter_map(|monitor| monitor.last_beat)
            .max();
        let delivery = &self.delivery;
        let keywords = json!({
            "heartbeats": heartbeats,
            "last_emitted_ecp": self.last_emitted_ecp.map(time),
            "last_emitted_outside": last_outside.map(time),
            "network": self.network(),
            "health": {
                "state": self.health.state,
                "seconds": self.health.seconds,
                "text": self.health.text,
                "late": self.late(),
            },
            "delivery": {
                "cause": delivery.cause.map(Undelivered::as_str),
                "text": delivery.text,
                "seconds": delivery.seconds,
                "acknowledged": delivery.acknowledged,
                "failures": delivery.failures,
                "closes_in": delivery.closes_in,
                "closing_for": delivery.closing_for,
                "confirmed": delivery.confirmed,
                "least_left": delivery.least_left,
            },
            "hold": self.hold.as_ref().map(|hold| json!({
                "reason": hold.cause.as_str(),
                "fault": hold.fault,
                "text": hold.text,
                "seconds": hold.seconds.filter(|_| hold.fault),
            })),
            "ecp": {
                "actor": self.ecp,
                "last_outcome": self.last_outcome,
                "acknowledged_age": self.acknowledged_age,
                "in_flight": self.in_flight,
                "smallest_margin": self.smallest_margin,
            },
            "enclosure": self.enclosure.keywords(self.at),
            "relay_box": self.relay_box.as_ref().map(|relay_box| json!({
                "path": relay_box.path,
                "energised": relay_box.energised,
                "latched": relay_box.latched,
                "hold": relay_box.hold,
                "last_counted": relay_box.last_counted.map(time),
                "failure": relay_box.failure,
            })),
            "outside_monitors": self.outside.iter().map(|monitor| json!({
                "url": monitor.url,
                "last_beat": monitor.last_beat.map(time),
                "failure": monitor.failure,
            })).collect::<Vec<_>>(),
            "uptime": self.uptime,
        });
        match keywords {
            Value::Object(keywords) => keywords,
            // `json!({…})` is an object.
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Map::new(),
        }
    }

    /// The user's documentation calls the second network `outside`, the deployed lvmecp reads
    /// `internet`: both are sent. What is not probed is not known to be down.
    fn network(&self) -> Map<String, Value> {
        let state = |names: &[&str]| {
            !self
                .links
                .iter()
                .any(|link| names.contains(&link.name.as_str()) && !link.up)
        };
        let mut network = Map::new();
        network.insert("lco".to_owned(), state(&["lco"]).into());
        network.insert("outside".to_owned(), state(&["outside", "internet"]).into());
        network.insert(
            "internet".to_owned(),
            state(&["outside", "internet"]).into(),
        );
        for link in &self.links {
            network
                .entry(link.name.clone())
                .or_insert_with(|| link.up.into());
        }
        network
    }
}

/// RFC 3339, UTC, whole seconds.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use embassy_time::Instant;
    use lvmbeat_core::LinkState;

    use super::super::tests::snapshot;
    use super::super::{BoxView, LinkView};
    use super::*;
    use crate::clock::Moment;

    #[test]
    fn status_holds_what_the_python_version_holds_with_the_same_meaning() {
        let keywords = snapshot().keywords();
        assert_eq!(keywords["heartbeats"]["overwatcher"]["current"], false);
        assert_eq!(
            keywords["heartbeats"]["overwatcher"]["last_seen"],
            "2026-01-02T03:04:05Z"
        );
        assert_eq!(keywords["last_emitted_ecp"], Value::Null);
        assert_eq!(keywords["last_emitted_outside"], Value::Null);
        assert_eq!(
            keywords["network"],
            json!({"lco": true, "outside": true, "internet": true})
        );
    }

    #[test]
    fn the_network_outside_is_called_by_both_names() {
        for name in ["outside", "internet"] {
            let mut snapshot = snapshot();
            snapshot.links = vec![LinkView {
                name: name.to_owned(),
                state: LinkState::Down,
                up: false,
                failures: 3,
            }];
            let network = snapshot.keywords()["network"].clone();
            assert_eq!(
                network,
                json!({"lco": true, "outside": false, "internet": false})
            );
        }
    }

    #[test]
    fn every_status_validates_against_the_schema() {
        let validator = jsonschema::validator_for(&crate::clu::schema::lvmbeat()).unwrap();
        let mut snapshot = snapshot();
        let keywords = Value::Object(snapshot.keywords());
        assert!(validator.is_valid(&keywords), "{keywords}");
        snapshot.hold = None;
        snapshot.relay_box = Some(BoxView::default());
        snapshot.last_emitted_ecp = Some(Timestamp::UNIX_EPOCH);
        snapshot.enclosure.observe(
            &Map::new(),
            Moment {
                now: Instant::from_secs(99),
                wall: Timestamp::UNIX_EPOCH,
            },
        );
        let keywords = Value::Object(snapshot.keywords());
        assert!(validator.is_valid(&keywords), "{keywords}");
    }
}
