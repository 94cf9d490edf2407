//! The configuration in force, for people.

use std::fmt::Write as _;
use std::time::Duration;

use super::monitor::Monitor;
use super::raw::{
    InOrder, OneOrMany, RawActor, RawConfig, RawEcp, RawEmit, RawHeartbeat, RawNetwork, RawOutside,
    RawSerial,
};
use super::{Config, Target, std_duration};
use crate::clu::amqp::PUBLISH_LIMIT;

#[expect(
    clippy::unnecessary_wraps,
    reason = "every key of the file is optional"
)]
fn seconds(duration: Duration) -> Option<f64> {
    Some(duration.as_secs_f64())
}

pub(super) fn yaml(config: &Config, monitor: &Monitor) -> String {
    let heartbeats = config.heartbeats.iter().map(|heartbeat| RawHeartbeat {
        name: heartbeat.name.clone(),
        critical: Some(heartbeat.critical),
        timeout: seconds(heartbeat.timeout),
        interval: seconds(heartbeat.interval),
        lateness: seconds(heartbeat.lateness),
        proof: Some(heartbeat.proof.as_str().to_owned()),
        from: (!heartbeat.from.is_empty()).then(|| heartbeat.from.clone()),
    });
    let hosts = config
        .network
        .hosts
        .iter()
        .map(|host| (host.name.clone(), Some(host.target.to_string())));
    let raw = RawConfig {
        actor: RawActor {
            name: Some(config.actor.name.clone()),
            url: OneOrMany(
                config
                    .actor
                    .brokers
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            ),
            management_url: config.actor.management.as_ref().map(ToString::to_string),
            log_dir: config.actor.log_dir.clone(),
            journal: config.actor.journal.clone(),
            http: config.actor.http.map(|address| address.to_string()),
            command_ttl: seconds(config.actor.command_ttl),
            amqp_heartbeat: u16::try_from(config.actor.amqp_heartbeat.as_secs()).ok(),
            open_timeout: seconds(config.actor.open_timeout),
            attention: seconds(config.actor.attention),
            burst: seconds(config.actor.burst),
            ..RawActor::default()
        },
        // Each heartbeat shows its own.
        timeout: None,
        heartbeats: Some(heartbeats.collect()),
        ecp: RawEcp {
            actor: Some(config.ecp.actor.clone()),
            cutoff: seconds(config.ecp.cutoff),
            retry: seconds(config.ecp.retry),
            expiration: seconds(config.ecp.expiration),
            command_timeout: seconds(config.ecp.command_timeout),
            plc_timeout: seconds(config.ecp.plc_timeout),
            facts_expire: seconds(config.ecp.facts_expire),
            drill_days: config.ecp.drill_days,
        },
        emit: config.serial.as_ref().map(|serial| RawEmit {
            serial: Some(RawSerial {
                path: Some(serial.path.clone()),
                baud: Some(serial.baud),
                source: Some(serial.source.to_string()),
                timeout: seconds(serial.timeout),
            }),
        }),
        network: RawNetwork {
            interval: seconds(config.network.interval),
            timeout: seconds(config.network.timeout),
            failures: Some(config.network.failures.get()),
            hosts: Some(InOrder(hosts.collect())),
        },
        outside_monitor: RawOutside {
            url: OneOrMany(
                config
                    .outside
                    .urls
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            ),
            // It shows as the password of the first URL.
            token_file: None,
            interval: seconds(config.outside.interval),
            timeout: seconds(config.outside.timeout),
            send_email_after: seconds(monitor.alert_after),
            check_heartbeat_every: seconds(monitor.check_every),
        },
        max_close_after: seconds(config.max_close_after),
        monitor: super::monitor::effective::raw(monitor),
    };
    let text =
        serde_yaml::to_string(&raw).unwrap_or_else(|cause| format!("# cannot be shown: {cause}\n"));
    // Keys without a value are those that others replace (host by url), or secret, or not
    // configured.
    text.lines()
        .filter(|line| !line.ends_with(": null"))
        .fold(String::new(), |mut shown, line| {
            shown.push_str(line);
            shown.push('\n');
            shown
        })
}

pub(super) fn budget(config: &Config) -> String {
    let chain = &config.chain;
    let s = |duration: embassy_time::Duration| std_duration(duration).as_secs_f64();
    let mut critical = config.heartbeats.iter().filter(|one| one.critical);
    let counts = match (critical.next(), critical.next()) {
        (Some(only), None) => format!(
            "L {{counts}} during which a beat of {} may count",
            only.name
        ),
        _ => "T {counts} during which the other critical clients can still cause emissions"
            .to_owned(),
    };
    let counts = counts.replace("{counts}", &s(config.budget.counts).to_string());
    // A difference of durations, and not of the fractions that are shown.
    let beats = [chain.expiration, chain.write]
        .iter()
        .fold(config.budget.gap, |left, part| {
            left.checked_sub(*part).unwrap_or_default()
        });
    let mut report = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        report,
        "S4  If any single part dies, the dome begins to close within {closing} s of the last heartbeat that a critical client sent\n    \
         = {counts}, counted from the earliest time at which it can have been sent,\n      \
         + a {a} of inattention + e {e} to deliver an emission + w {w} for {ecp} to write it + P {p} until the PLC closes.\n    \
         {link}At most {limit} s are allowed (max_close_after).\n\
         L1  While all is well the PLC receives a heartbeat at least every {gap} s, {margin} s before it would close\n    \
         = P {p} - (beats through the cut-off {beats} + e {e} + w {w}).\n",
        closing = s(config.budget.closing),
        a = s(chain.attention),
        e = s(chain.expiration),
        w = s(chain.write),
        p = s(chain.plc),
        ecp = config.ecp.actor,
        link = config.link_closing.map_or(String::new(), |closing| format!(
            "After a network link has failed, within {} s = {} probes every {} s + {} s for the last one + e + w + P.\n    ",
            closing.as_secs_f64(),
            config.network.failures,
            config.network.interval.as_secs_f64(),
            config.network.timeout.as_secs_f64(),
        )),
        limit = config.max_close_after.as_secs_f64(),
        gap = s(config.budget.gap),
        margin = s(config.budget.margin),
        beats = s(beats),
    );
    for heartbeat in &config.heartbeats {
        let silence = s(chain.silence(&heartbeat.source()));
        let timeout = heartbeat.timeout.as_secs_f64();
        // Writing to a String cannot fail.
        let _ = writeln!(
            report,
            "    {name} beats every {interval} s; its last confirmed sign of life is at most {silence} s old, {left} s less than its timeout T {timeout}.",
            name = heartbeat.name,
            interval = heartbeat.interval.as_secs_f64(),
            left = timeout - silence,
        );
    }
    report + &far(config)
}

/// S3, S4: what a broker that is far costs. The age of what arrives is measured by a round trip,
/// eight times within q.
fn far(config: &Config) -> String {
    let most = [
        config.actor.command_ttl * 7 / 8,
        config.ecp.expiration,
        PUBLISH_LIMIT,
    ];
    let most = most.into_iter().min().unwrap_or_default();
    format!(
        "    With a round trip time r to the broker, what arrives counts as r older (S3), and closing may take r/2 longer. \
         From r = {} s on, nothing is emitted.\n",
        (most.as_secs_f64() * 10.0).floor() / 10.0
    )
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bracketed = |host: &str| {
            if host.contains(':') {
                format!("[{host}]")
            } else {
                host.to_owned()
            }
        };
        match self {
            Self::Icmp(host) => write!(f, "icmp://{}", bracketed(host)),
            Self::Tcp(host, port) => write!(f, "tcp://{}:{port}", bracketed(host)),
            Self::Either(host, port) => write!(f, "{}:{port}", bracketed(host)),
        }
    }
}
