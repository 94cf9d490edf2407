//! The keywords of `status`.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{LinkView, Snapshot};
use crate::actor::Undelivered;
use crate::actor::drill::Phase;
use crate::report::before;

impl Snapshot {
    /// The keywords of `status`, for a snapshot that was taken at that time by the wall clock. The
    /// first four are those of the Python version, with its meanings.
    pub fn keywords(&self, wall: Timestamp) -> Map<String, Value> {
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
                "closing_since": delivery.closing_for.and_then(|ago| before(wall, ago)).map(time),
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
            "drill": self.drill_keyword(),
            "outside_monitors": self.outside.iter().map(|monitor| json!({
                "url": monitor.url,
                "last_beat": monitor.last_beat.map(time),
                "failure": monitor.failure,
            })).collect::<Vec<_>>(),
            "journal": self.journal.as_ref().map(|disk| json!({
                "failure": disk.failure,
                "unwritten": disk.unwritten,
            })),
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

    fn drill_keyword(&self) -> Value {
        let drill = &self.drill;
        json!({
            "state": drill.phase.map(Phase::as_str),
            "seconds": drill.phase.map(|_| drill.seconds),
            "proved_at": drill.proved_at.map(time),
            "due": drill.due,
            "last": drill.last.as_ref().map(|last| json!({
                "at": time(last.at),
                "verdict": last.verdict.as_str(),
                "text": last.text,
                "tripped_after": last.tripped_after,
                "people": last.people.as_ref().map(|people| json!({
                    "at": time(people.at),
                    "reached": people.reached,
                    "text": people.text,
                })),
            })),
        })
    }

    /// The user's documentation calls the second network `outside`, the deployed lvmecp reads
    /// `internet`: both are sent. What is not configured is absent: lvmecp then takes it to be up,
    /// and would take null to be down.
    fn network(&self) -> Map<String, Value> {
        let mut network = Map::new();
        for names in [&["lco"][..], &["outside", "internet"]] {
            let is = |link: &&LinkView| names.contains(&link.name.as_str());
            let links: Vec<&LinkView> = self.links.iter().filter(is).collect();
            let up = links.iter().all(|link| link.up);
            for name in names.iter().filter(|_| !links.is_empty()) {
                network.insert((*name).to_owned(), up.into());
            }
        }
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
    use lvmbeat_core::{Cause, LinkState, Outcome};

    use super::super::tests::snapshot;
    use super::super::{BoxView, OutsideView};
    use super::*;
    use crate::clock::Moment;

    #[test]
    fn status_holds_what_the_python_version_holds_with_the_same_meaning() {
        let keywords = snapshot().keywords(Timestamp::UNIX_EPOCH);
        assert_eq!(keywords["heartbeats"]["overwatcher"]["current"], false);
        assert_eq!(
            keywords["heartbeats"]["overwatcher"]["last_seen"],
            "2026-01-02T03:04:05Z"
        );
        assert_eq!(keywords["last_emitted_ecp"], Value::Null);
        assert_eq!(keywords["last_emitted_outside"], Value::Null);
        assert_eq!(keywords["network"], json!({"lco": true}));
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
            let network = snapshot.keywords(Timestamp::UNIX_EPOCH)["network"].clone();
            assert_eq!(network, json!({"outside": false, "internet": false}));
        }
    }

    /// With everything that there can be.
    fn whole() -> Snapshot {
        let mut snapshot = snapshot();
        snapshot.relay_box = Some(BoxView::default());
        snapshot.outside = vec![OutsideView::default()];
        snapshot.last_emitted_ecp = Some(Timestamp::UNIX_EPOCH);
        snapshot.delivery.closing_for = Some(3.0);
        snapshot.heartbeats[0].setters.also_by = Some("notebook".to_owned());
        let at = Moment {
            now: Instant::from_secs(99),
            wall: Timestamp::UNIX_EPOCH,
        };
        let registers =
            json!({"dome_open": true, "dome_closed": false, "hb_ack": true, "hb_error": false});
        let said = json!({"registers": registers, "engineering_mode": true});
        snapshot.enclosure.observe(said.as_object().unwrap(), at);
        snapshot
    }

    #[test]
    fn since_when_the_plc_closes_the_dome_is_said_as_a_time_too() {
        let mut closing = snapshot();
        let wall = "2026-01-02T03:04:05.5Z".parse().unwrap();
        let since = |shown: &Snapshot| shown.keywords(wall)["delivery"]["closing_since"].clone();
        assert_eq!(since(&closing), Value::Null);
        closing.delivery.closing_for = Some(6.0);
        assert_eq!(since(&closing), "2026-01-02T03:03:59Z");
    }

    #[test]
    fn every_status_validates_against_the_schema() {
        let validator = jsonschema::validator_for(&crate::clu::schema::lvmbeat()).unwrap();
        let mut bare = snapshot();
        bare.hold = None;
        bare.links.clear();
        let mut silent = whole();
        silent.at = Instant::from_secs(1000);
        for snapshot in [snapshot(), bare, whole(), silent] {
            let keywords = Value::Object(snapshot.keywords(Timestamp::UNIX_EPOCH));
            let faults: Vec<String> = validator
                .iter_errors(&keywords)
                .map(|fault| format!("{}: {fault}", fault.instance_path()))
                .collect();
            assert_eq!(faults, Vec::<String>::new(), "{keywords:#}");
        }
    }

    /// Another key anywhere in a status is one that the schema does not describe, but where names
    /// are the configuration's.
    #[test]
    fn the_schema_describes_every_key_of_a_status_to_the_leaf() {
        fn places(value: &Value, path: &str, found: &mut Vec<String>) {
            match value {
                Value::Object(inner) => {
                    found.push(path.to_owned());
                    for (name, value) in inner {
                        places(value, &format!("{path}/{name}"), found);
                    }
                }
                Value::Array(inner) => {
                    for (index, value) in inner.iter().enumerate() {
                        places(value, &format!("{path}/{index}"), found);
                    }
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let schema = crate::clu::schema::lvmbeat();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let keywords = Value::Object(whole().keywords(Timestamp::UNIX_EPOCH));
        for name in keywords.as_object().unwrap().keys() {
            assert!(schema["properties"].get(name).is_some(), "{name}");
        }
        let mut found = Vec::new();
        places(&keywords, "", &mut found);
        assert!(found.len() > 10, "{found:?}");
        for place in found {
            let mut more = keywords.clone();
            let object = more.pointer_mut(&place).unwrap().as_object_mut().unwrap();
            object.insert("undescribed".to_owned(), json!("x"));
            let open = place.is_empty();
            assert_eq!(validator.is_valid(&more), open, "{place}");
        }
    }

    fn leaves<'a>(schema: &'a Value, found: &mut Vec<&'a Value>) {
        let inner = schema.get("properties").and_then(Value::as_object);
        for leaf in inner.into_iter().flat_map(|inner| inner.values()) {
            found.push(leaf);
            leaves(leaf, found);
        }
    }

    #[test]
    fn the_schema_lists_every_cause_and_every_outcome() {
        let schema = crate::clu::schema::lvmbeat();
        let listed = |pointer: &str| {
            let listed = schema.pointer(pointer).unwrap().as_array().unwrap();
            let names = listed.iter().filter_map(Value::as_str);
            names.map(str::to_owned).collect::<Vec<_>>()
        };
        let properties = "/properties/hold/properties/reason/enum";
        assert!(
            listed(properties)
                .iter()
                .eq(Cause::ALL.map(Cause::as_str).iter())
        );
        let properties = "/properties/ecp/properties/last_outcome/enum";
        assert!(
            listed(properties)
                .iter()
                .eq(Outcome::ALL.map(Outcome::as_str).iter())
        );
        let described =
            |leaf: &Value| leaf.get("type").is_none() || leaf.get("description").is_some();
        let mut found = Vec::new();
        leaves(&schema, &mut found);
        leaves(&schema["definitions"]["heartbeat"], &mut found);
        assert!(found.len() > 60 && found.into_iter().all(described));
    }
}
