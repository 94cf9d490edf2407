//! How fast the night goes by. Site time is what the observatory's clocks would show, in seconds;
//! it starts with the PLC.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use lvmbeat::config::monitor::Monitor;
use lvmbeat::config::{Config, ConfigError, std_duration};

use crate::ecp::{EcpConfig, Patience};
use crate::plc::PlcConfig;

/// The critical program.
pub(super) const OVERWATCHER: &str = "overwatcher";
/// It beats this often.
pub(super) const BEAT: f64 = 5.0;
/// lvmbeat counts its beat for this long.
pub(super) const TIMEOUT: f64 = 30.0;
/// The PLC closes the dome after this long without a heartbeat.
pub(super) const PLC: f64 = 60.0;
/// The dome takes this long from one end to the other.
pub(super) const TRAVEL: f64 = 60.0;

/// The monitor outside alerts people after so much silence. Where it is deployed it waits for five
/// minutes.
pub(super) const ALERT_AFTER: f64 = 60.0;
/// How often it looks; two minutes where it is deployed.
pub(super) const CHECK: f64 = 10.0;
/// lvmbeat beats to it this often.
pub(super) const BEAT_OUTSIDE: f64 = 15.0;

/// What a busy machine can hold, whatever the speed: how long a process may not get to run, and how
/// long a few messages may take.
const SHORTEST_ATTENTION: Duration = Duration::from_secs(1);
const SHORTEST_WAY: Duration = Duration::from_millis(500);
const SHORTEST_ACCESS: Duration = Duration::from_millis(500);
const SHORTEST_LOOK: Duration = Duration::from_millis(50);

/// What a mail asks its reader to do.
const ACTION: &str = "This is the demonstration. Nobody has to do anything.";

/// Site time against the machine's.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Scale {
    speed: f64,
}

impl Scale {
    /// Site time runs `speed` times as fast as the machine's.
    pub(super) fn new(speed: f64) -> Self {
        Self { speed }
    }

    pub(super) fn speed(self) -> f64 {
        self.speed
    }

    /// The machine's time in which so many seconds of the site go by.
    pub(super) fn real(self, seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds / self.speed).unwrap_or(Duration::ZERO)
    }

    fn real_or(self, seconds: f64, least: Duration) -> Duration {
        self.real(seconds).max(least)
    }

    /// Site seconds of the core's durations, which are the machine's.
    pub(super) fn site(self, real: embassy_time::Duration) -> f64 {
        std_duration(real).as_secs_f64() * self.speed
    }

    /// lvmbeat's configuration: the documented defaults on this scale, and a monitor at that
    /// address.
    pub(super) fn lvmbeat(self, monitor: SocketAddr) -> Result<Config, ConfigError> {
        let mut yaml = String::new();
        // Writing to a String cannot fail.
        let _ = write!(
            yaml,
            "actor: {{host: in-memory, log_dir: null, command_ttl: {ttl}, attention: {attention}, burst: {burst}}}\n\
             heartbeats: [{{name: {OVERWATCHER}, critical: true, timeout: {timeout}, interval: {interval}}}]\n\
             ecp: {{cutoff: {cutoff}, retry: {retry}, expiration: {way}, command_timeout: {access}, plc_timeout: {plc}}}\n\
             network: {{hosts: {{}}}}\n\
             outside_monitor: {{url: 'http://{monitor}', interval: {outside}, timeout: {answer}}}\n\
             max_close_after: {limit}\n",
            ttl = self.real_or(5.0, SHORTEST_WAY).as_secs_f64(),
            attention = self.real_or(2.0, SHORTEST_ATTENTION).as_secs_f64(),
            burst = self.real(1.0).as_secs_f64(),
            timeout = self.real(TIMEOUT).as_secs_f64(),
            interval = self.real(BEAT).as_secs_f64(),
            cutoff = self.real(10.0).as_secs_f64(),
            retry = self.real(1.0).as_secs_f64(),
            way = self.access().as_secs_f64(),
            access = self.access().as_secs_f64(),
            plc = self.real(PLC).as_secs_f64(),
            outside = self.real(BEAT_OUTSIDE).as_secs_f64(),
            answer = self.real_or(5.0, SHORTEST_WAY).as_secs_f64(),
            limit = self.real(180.0).as_secs_f64(),
        );
        // No variable of the environment has a say in it.
        Config::parse("the demonstration's configuration", &yaml, &|_| None)
    }

    /// The configuration of the monitor outside, whose page is at that address. It counts in the
    /// machine's time.
    pub(super) fn monitor(self, page: SocketAddr) -> Result<Monitor, ConfigError> {
        let yaml = format!(
            "outside_monitor: {{send_email_after: {alert}, check_heartbeat_every: {check}}}\n\
             monitor: {{attention: {attention}, clear_after: 0, held_alerts: false, page_url: 'http://{page}/', action: {ACTION}}}\n",
            alert = self.real(ALERT_AFTER).as_secs_f64(),
            check = self.real(CHECK).as_secs_f64(),
            attention = self.monitor_attention().as_secs_f64(),
        );
        Monitor::parse("the demonstration's configuration", &yaml, &|_| None)
    }

    /// The monitor counts no silence over a gap of this length in its own running.
    fn monitor_attention(self) -> Duration {
        self.real_or(5.0, SHORTEST_ATTENTION)
    }

    /// M1: people are alerted after so many seconds of observed silence, at the latest.
    /// It may have stood still for a while just before it would have looked.
    pub(super) fn alert_limit(self) -> f64 {
        ALERT_AFTER + CHECK + self.monitor_attention().as_secs_f64() * self.speed
    }

    /// How long lvmecp may take for one access to the PLC.
    pub(super) fn access(self) -> Duration {
        self.real_or(5.0, SHORTEST_ACCESS)
    }

    pub(super) fn lvmecp(self) -> EcpConfig {
        EcpConfig {
            status_interval: self.real_or(30.0, SHORTEST_WAY),
            network_interval: self.real_or(30.0, SHORTEST_WAY),
            network_limit: self.real_or(5.0, SHORTEST_WAY),
            patience: Patience {
                look: self.real_or(0.5, SHORTEST_LOOK),
                after_stop: self.real(5.0),
                limit: self.real(300.0),
            },
            ..EcpConfig::default()
        }
    }

    /// The PLC itself counts in site time.
    pub(super) fn plc() -> PlcConfig {
        PlcConfig {
            timeout: embassy(PLC),
            full_travel: embassy(TRAVEL),
        }
    }
}

/// Site seconds of the PLC's durations, which are the site's.
pub(super) fn seconds(site: embassy_time::Duration) -> f64 {
    std_duration(site).as_secs_f64()
}

fn embassy(seconds: f64) -> embassy_time::Duration {
    lvmbeat::config::core_duration(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::SPEEDS;

    fn monitor() -> SocketAddr {
        ([127, 0, 0, 1], 8080).into()
    }

    #[test]
    fn at_speed_1_it_is_the_documented_configuration() {
        let config = Scale::new(1.0).lvmbeat(monitor()).unwrap();
        let built_in = Config::parse("", lvmbeat::config::BUILT_IN, &|_| None).unwrap();
        assert_eq!(config.budget, built_in.budget);
        assert_eq!(config.chain, built_in.chain);
        assert_eq!(config.heartbeats, built_in.heartbeats);
        assert_eq!(config.ecp, built_in.ecp);
        assert_eq!(config.outside.interval, built_in.outside.interval);
        assert_eq!(config.outside.timeout, built_in.outside.timeout);
    }

    #[test]
    fn every_speed_that_can_be_given_has_a_configuration_that_can_work() {
        for speed in [*SPEEDS.start(), 0.5, 1.0, 8.0, 30.0, *SPEEDS.end()] {
            let scale = Scale::new(speed);
            let config = scale.lvmbeat(monitor()).unwrap();
            assert!(config.actor.attention >= SHORTEST_ATTENTION);
            assert!(scale.site(config.budget.margin) > 4.0, "{speed}");
            let monitor = scale.monitor(monitor()).unwrap();
            assert!(monitor.attention >= SHORTEST_ATTENTION);
            // One beat that is lost is no alarm.
            let two_beats = config.outside.interval * 2 + config.outside.timeout;
            assert!(monitor.alert_after > two_beats, "{speed}");
        }
    }

    #[test]
    fn there_and_back_is_the_same() {
        let scale = Scale::new(8.0);
        assert_eq!(scale.real(60.0), Duration::from_millis(7500));
        assert!((scale.site(embassy_time::Duration::from_millis(7500)) - 60.0).abs() < 1e-9);
    }
}
