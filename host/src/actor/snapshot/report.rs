//! What the monitor outside learns with a beat.

use super::Snapshot;
use crate::VERSION;
use crate::report::{
    DeliveryReport, DrillReport, EmissionReport, HealthReport, HeartbeatReport, HoldReport,
    LinkReport, Report, StoppingReport,
};

impl Snapshot {
    /// All that is late, in words.
    pub(super) fn late(&self) -> Vec<String> {
        self.health
            .late
            .iter()
            .map(|late| late.text.clone())
            .collect()
    }

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
            health: Some(HealthReport {
                state: Some(self.health.state),
                seconds: Some(self.health.seconds),
                text: self.health.text.clone(),
                late: self.late(),
            }),
            delivery: Some(DeliveryReport {
                seconds: Some(self.delivery.seconds),
                cause: self.delivery.cause.map(|cause| cause.as_str().to_owned()),
                text: self.delivery.text.clone(),
                closes_in: self.delivery.closes_in,
                closing_for: self.delivery.closing_for,
                confirmed: self.delivery.confirmed,
                least_left: self.delivery.least_left,
            }),
            drill: Some(DrillReport {
                proved_at: self.drill.proved_at,
                due: self.drill.due,
                under_way: self.drill.phase.is_some(),
            }),
            stopping: self.stopping.clone().map(|text| StoppingReport { text }),
            beat_every: None,
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
                    "plc_acknowledges_age": 2.0,
                    "plc_heartbeat_error": false,
                    "plc_heartbeat_error_age": 2.0,
                    "plc_acknowledged_age": 2.0,
                },
                "network": [{"name": "lco", "up": true}],
                "health": {
                    "state": "held",
                    "seconds": 1.5,
                    "text": "the dome heartbeat is held, and the PLC closes the dome in 27 s at the latest: overwatcher silent for 32 s (timeout 30 s)",
                    "late": ["overwatcher silent for 32 s (timeout 30 s)"],
                },
                "delivery": {
                    "seconds": 33.0,
                    "cause": "held",
                    "text": "it is held",
                    "closes_in": 27.0,
                    "closing_for": null,
                    "confirmed": null,
                    "least_left": 27.0,
                },
                "drill": {"proved_at": null, "due": false, "under_way": false},
                "stopping": null,
            })
        );
    }
}
