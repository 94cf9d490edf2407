//! What the monitor outside learns with a beat.

use super::Snapshot;
use crate::VERSION;
use crate::report::{EmissionReport, HeartbeatReport, HoldReport, LinkReport, Report};

impl Snapshot {
    /// What the monitor outside learns with a beat.
    pub fn report(&self) -> Report {
        let heartbeats = self.heartbeats.iter().map(|heartbeat| HeartbeatReport {
            name: heartbeat.name.clone(),
            critical: heartbeat.critical,
            current: heartbeat.current,
            age: heartbeat.age,
            timeout: Some(heartbeat.timeout),
            smallest_margin: heartbeat.smallest_margin,
        });
        let network = self.links.iter().map(|link| LinkReport {
            name: link.name.clone(),
            up: link.up,
        });
        Report {
            version: VERSION.to_owned(),
            uptime: Some(self.uptime),
            heartbeats: heartbeats.collect(),
            hold: self.hold.as_ref().map(|hold| HoldReport {
                reason: hold.cause.as_str().to_owned(),
                fault: hold.fault,
                text: hold.text.clone(),
                seconds: hold.seconds.filter(|_| hold.fault),
            }),
            emission: EmissionReport {
                last_outcome: self.last_outcome.map(|outcome| outcome.as_str().to_owned()),
                acknowledged_age: self.acknowledged_age,
                smallest_margin: self.smallest_margin,
            },
            enclosure: self.enclosure.report(self.at),
            network: network.collect(),
            health: None,
            delivery: None,
            stopping: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use embassy_time::Instant;
    use jiff::Timestamp;
    use serde_json::json;

    use super::super::tests::snapshot;
    use crate::clock::Moment;

    #[test]
    fn the_report_for_the_monitor_holds_all_that_is_known() {
        let mut snapshot = snapshot();
        let registers =
            json!({"dome_open": true, "dome_closed": false, "hb_ack": true, "hb_error": false});
        let said = json!({"registers": registers, "engineering_mode": {"enabled": false}});
        let at = Moment {
            now: Instant::from_secs(98),
            wall: Timestamp::UNIX_EPOCH,
        };
        snapshot.enclosure.observe(said.as_object().unwrap(), at);
        snapshot.smallest_margin = Some(40.5);
        assert_eq!(
            json!(snapshot.report()),
            json!({
                "version": env!("CARGO_PKG_VERSION"),
                "uptime": 100.0,
                "heartbeats": [{
                    "name": "overwatcher",
                    "critical": true,
                    "current": false,
                    "age": 31.5,
                    "timeout": 30.0,
                    "smallest_margin": 24.5,
                }],
                "hold": {
                    "reason": "heartbeat_stale",
                    "fault": true,
                    "text": "heartbeat overwatcher was last received 31.5 s ago (timeout 30 s)",
                    "seconds": 1.5,
                },
                "emission": {"last_outcome": "acknowledged", "acknowledged_age": 33.0, "smallest_margin": 40.5},
                "enclosure": {
                    "age": 2.0,
                    "dome": "open",
                    "dome_age": 2.0,
                    "facts_expire": 90.0,
                    "dome_open": true,
                    "dome_closed": false,
                    "engineering_mode": false,
                    "engineering_mode_age": 2.0,
                    "plc_acknowledges": true,
                    "plc_heartbeat_error": false,
                    "plc_acknowledged_age": 2.0,
                },
                "network": [{"name": "lco", "up": true}],
            })
        );
    }
}
