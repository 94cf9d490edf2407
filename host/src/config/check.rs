//! From what is written to what can work.

use std::num::NonZeroU8;
use std::time::Duration;

use lvmbeat_core::budget::{Budget, Chain, Impossible, Source};
use lvmbeat_core::emission::Pace;
use lvmbeat_core::{ConfigError as CoreError, supervisor};

use super::address::{brokers, monitor_token, monitor_url, target, variable};
use super::given::Reader;
use super::raw::{RawActor, RawConfig, RawHeartbeat, RawNetwork, RawOutside, RawSerial};
use super::{
    Actor, Config, ConfigError, Ecp, Heartbeat, Host, MAX_HEARTBEATS, MAX_LINKS, Network, Outside,
    Proof, Serial, core_duration, std_duration,
};

pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Nothing in lvmbeat is meant to take longer than a day; a larger number is a slip of the unit.
const MAX_SECONDS: f64 = 86_400.0;

/// Says where a value stands, so that an error can name it.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) file: &'a str,
}

impl At<'_> {
    pub(super) fn error(
        self,
        key: &str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ConfigError {
        ConfigError::Value {
            file: self.file.to_owned(),
            key: brief(key),
            problem: brief(&problem.into()),
            remedy: remedy.into(),
        }
    }

    /// A time in seconds: a positive, finite number.
    pub(super) fn seconds(
        self,
        key: &str,
        value: Option<f64>,
        default: f64,
    ) -> Result<Duration, ConfigError> {
        let seconds = value.unwrap_or(default);
        // Below a millisecond everything would be stale at once, and RabbitMQ counts in milliseconds.
        if !(0.001..=MAX_SECONDS).contains(&seconds) {
            return Err(self.error(
                key,
                format!("{seconds} is not a usable time"),
                "give a number of seconds between 0.001 and 86400",
            ));
        }
        Ok(Duration::from_secs_f64(seconds))
    }
}

/// A text that may repeat what was written, which may be long; its end says what is wrong with it.
pub(super) fn brief(text: &str) -> String {
    const BEGIN: usize = 100;
    const END: usize = 200;
    let length = text.chars().count();
    if length <= BEGIN + END {
        return text.to_owned();
    }
    let (begin, end) = (text.chars().take(BEGIN), text.chars().skip(length - END));
    begin.chain(['…']).chain(end).collect()
}

pub(super) fn check(
    source: &str,
    raw: RawConfig,
    environment: Environment<'_>,
) -> Result<Config, ConfigError> {
    let at = At { file: source };
    let actor = actor(at, raw.actor, environment)?;
    let heartbeats = heartbeats(at, raw.heartbeats)?;
    let ecp = Ecp {
        actor: word(at, "ecp.actor", raw.ecp.actor, "lvmecp")?,
        cutoff: at.seconds("ecp.cutoff", raw.ecp.cutoff, 10.0)?,
        retry: at.seconds("ecp.retry", raw.ecp.retry, 1.0)?,
        expiration: at.seconds("ecp.expiration", raw.ecp.expiration, 5.0)?,
        command_timeout: at.seconds("ecp.command_timeout", raw.ecp.command_timeout, 5.0)?,
        plc_timeout: at.seconds("ecp.plc_timeout", raw.ecp.plc_timeout, 60.0)?,
    };
    let serial = serial(
        at,
        raw.emit.and_then(|emit| emit.serial).unwrap_or_default(),
        &actor.name,
    )?;
    let network = network(at, raw.network)?;
    let outside = outside(at, raw.outside_monitor, environment)?;
    let max_close_after = at.seconds("max_close_after", raw.max_close_after, 180.0)?;

    // Names, numbers of rows and time-outs as the core sees them.
    let pace = Pace {
        cutoff: core_duration(ecp.cutoff),
        retry: core_duration(ecp.retry),
        plc_timeout: core_duration(ecp.plc_timeout),
    };
    supervisor(source, &actor, pace, &heartbeats, &network)?;
    let chain = Chain {
        burst: core_duration(actor.burst),
        // One proof is under way while the next is due.
        echo: core_duration(actor.echo_period() * 2),
        attention: core_duration(actor.attention),
        cutoff: core_duration(ecp.cutoff),
        expiration: core_duration(ecp.expiration),
        write: core_duration(ecp.command_timeout),
        plc: core_duration(ecp.plc_timeout),
    };
    let budget = budget(at, &chain, &heartbeats, max_close_after)?;
    let link_closing = link_closing(at, &ecp, &network, max_close_after)?;
    Ok(Config {
        source: source.to_owned(),
        actor,
        heartbeats,
        ecp,
        serial,
        network,
        outside,
        max_close_after,
        budget,
        link_closing,
        chain,
    })
}

/// S4 and L1: computes the two numbers and refuses a configuration that cannot keep them.
fn budget(
    at: At<'_>,
    chain: &Chain,
    heartbeats: &[Heartbeat],
    max_close_after: Duration,
) -> Result<Budget, ConfigError> {
    // Also a heartbeat that is not critical has to be able to be fresh.
    for (index, heartbeat) in heartbeats.iter().enumerate() {
        let source = heartbeat.source();
        for (key, limit, needed) in [
            ("timeout", heartbeat.timeout, chain.silence(&source)),
            ("lateness", heartbeat.lateness, chain.lateness(&source)),
        ] {
            let needed = std_duration(needed).as_secs_f64();
            if limit.as_secs_f64() <= needed {
                return Err(at.error(
                    &format!("heartbeats[{index}].{key}"),
                    format!(
                        "{} s is too short for {}, which beats every {} s: each beat is confirmed by the next one, which takes up to {needed} s",
                        limit.as_secs_f64(),
                        heartbeat.name,
                        heartbeat.interval.as_secs_f64()
                    ),
                    format!(
                        "raise it, or set heartbeats[{index}].interval if the program beats more often than that"
                    ),
                ));
            }
        }
    }
    let critical: Vec<Source> = heartbeats
        .iter()
        .filter(|heartbeat| heartbeat.critical)
        .map(Heartbeat::source)
        .collect();
    let budget = Budget::new(chain, &critical).map_err(|impossible| match impossible {
        Impossible::NothingCritical => at.error(
            "heartbeats",
            "no heartbeat is critical, so that nothing would ever keep the dome open",
            "name at least one program with `critical: true`",
        ),
        // Excluded above, for every heartbeat.
        Impossible::TimeoutTooShort(_) | Impossible::LatenessTooShort(_) => at.error(
            "heartbeats",
            "a timeout is not longer than the interval",
            "raise the timeout",
        ),
        Impossible::NoMargin { gap } => at.error(
            "ecp.cutoff",
            format!(
                "the PLC would close the dome although all is well: two heartbeats may be {} s apart, and it waits for {} s",
                std_duration(gap).as_secs_f64(),
                std_duration(chain.plc).as_secs_f64()
            ),
            "lower ecp.cutoff, ecp.expiration or ecp.command_timeout, or the interval of the critical heartbeats",
        ),
    })?;
    let closing = std_duration(budget.closing);
    if closing > max_close_after {
        return Err(at.error(
            "max_close_after",
            format!(
                "after the last heartbeat it could take {} s until the dome begins to close, and {} s are allowed",
                closing.as_secs_f64(),
                max_close_after.as_secs_f64()
            ),
            "lower the timeouts (`lvmbeat check` with a larger max_close_after shows what adds up to it), or allow more",
        ));
    }
    Ok(budget)
}

/// S4 for a network link that fails just after a probe: so many further probes have to fail, and the last emission before
/// that has its own time and the PLC's.
fn link_closing(
    at: At<'_>,
    ecp: &Ecp,
    network: &Network,
    max_close_after: Duration,
) -> Result<Option<Duration>, ConfigError> {
    if network.hosts.is_empty() {
        return Ok(None);
    }
    let period = network.interval.max(network.timeout);
    let found = period * u32::from(network.failures.get()) + network.timeout;
    let closing = found + ecp.expiration + ecp.command_timeout + ecp.plc_timeout;
    if closing > max_close_after {
        return Err(at.error(
            "network.interval",
            format!(
                "after a network link has failed it could take {} s until the dome begins to close, and {} s are allowed \
                 (max_close_after)",
                closing.as_secs_f64(),
                max_close_after.as_secs_f64()
            ),
            "lower network.interval, network.failures or network.timeout, or allow more",
        ));
    }
    Ok(Some(closing))
}

fn actor(at: At<'_>, raw: RawActor, environment: Environment<'_>) -> Result<Actor, ConfigError> {
    let name = word(at, "actor.name", raw.name.clone(), "lvmbeat")?;
    let http = Reader { at, environment }
        .text("LVMBEAT_ACTOR_HTTP", "actor.http", raw.http.clone())?
        .map(|given| given.socket());
    // RabbitMQ counts in whole seconds, and 0 would switch detection off (S4).
    let amqp_heartbeat = raw.amqp_heartbeat.unwrap_or(4);
    if !(1..=60).contains(&amqp_heartbeat) {
        return Err(at.error(
            "actor.amqp_heartbeat",
            format!("{amqp_heartbeat} s is not usable"),
            "give whole seconds from 1 to 60",
        ));
    }
    Ok(Actor {
        http: http.transpose()?,
        amqp_heartbeat: Duration::from_secs(amqp_heartbeat.into()),
        command_ttl: at.seconds("actor.command_ttl", raw.command_ttl, 5.0)?,
        attention: at.seconds("actor.attention", raw.attention, 2.0)?,
        burst: at.seconds("actor.burst", raw.burst, 1.0)?,
        log_dir: raw.log_dir.clone(),
        open_timeout: at.seconds("actor.open_timeout", raw.open_timeout, 30.0)?,
        brokers: brokers(at, raw, environment)?,
        name,
    })
}

fn heartbeats(at: At<'_>, raw: Option<Vec<RawHeartbeat>>) -> Result<Vec<Heartbeat>, ConfigError> {
    let raw = raw.unwrap_or_else(|| {
        vec![RawHeartbeat {
            name: "overwatcher".to_owned(),
            critical: None,
            timeout: None,
            interval: None,
            lateness: None,
            proof: None,
        }]
    });
    raw.into_iter()
        .enumerate()
        .map(|(index, heartbeat)| {
            let timeout = at.seconds(
                &format!("heartbeats[{index}].timeout"),
                heartbeat.timeout,
                30.0,
            )?;
            Ok(Heartbeat {
                critical: heartbeat.critical.unwrap_or(true),
                timeout,
                lateness: at.seconds(
                    &format!("heartbeats[{index}].lateness"),
                    heartbeat.lateness,
                    timeout.as_secs_f64(),
                )?,
                proof: heartbeat.proof.unwrap_or_default(),
                interval: at.seconds(
                    &format!("heartbeats[{index}].interval"),
                    heartbeat.interval,
                    5.0,
                )?,
                name: heartbeat.name,
            })
        })
        .collect()
}

/// A box, if one is named.
fn serial(at: At<'_>, raw: RawSerial, name: &str) -> Result<Option<Serial>, ConfigError> {
    let Some(path) = raw.path else {
        return Ok(None);
    };
    let baud = raw.baud.unwrap_or(115_200);
    if !(300..=4_000_000).contains(&baud) {
        return Err(at.error(
            "emit.serial.baud",
            format!("{baud} bits per second is not usable"),
            "give the box's rate, from 300 to 4000000",
        ));
    }
    let key = "emit.serial.source";
    let source = raw.source.as_deref().unwrap_or(name);
    let source = lvmbeat_core::Name::new(source)
        .map_err(|error| at.error(key, format!("'{source}': {error}"), "choose another one"))?;
    Ok(Some(Serial {
        path,
        baud,
        source,
        timeout: at.seconds("emit.serial.timeout", raw.timeout, 2.0)?,
    }))
}

fn network(at: At<'_>, raw: RawNetwork) -> Result<Network, ConfigError> {
    let failures = NonZeroU8::new(raw.failures.unwrap_or(3)).ok_or_else(|| {
        at.error(
            "network.failures",
            "0 failures would call every link down",
            "give a number from 1 to 255",
        )
    })?;
    let interval = at.seconds("network.interval", raw.interval, 15.0)?;
    let timeout = at.seconds(
        "network.timeout",
        raw.timeout,
        interval.as_secs_f64().min(2.0),
    )?;
    let hosts = raw.hosts.map_or_else(
        || {
            vec![
                ("lco".to_owned(), "10.8.8.46".to_owned()),
                ("outside".to_owned(), "8.8.8.8".to_owned()),
            ]
        },
        |hosts| hosts.0,
    );
    let hosts = hosts
        .into_iter()
        .map(|(name, text)| {
            Ok(Host {
                target: target(at, &format!("network.hosts.{name}"), &text)?,
                name,
            })
        })
        .collect::<Result<_, ConfigError>>()?;
    Ok(Network {
        interval,
        timeout,
        failures,
        hosts,
    })
}

fn outside(
    at: At<'_>,
    raw: RawOutside,
    environment: Environment<'_>,
) -> Result<Outside, ConfigError> {
    let from_environment = variable("LVMBEAT_OUTSIDE_MONITOR_URL", environment)?;
    let (url_at, key, texts) = match from_environment {
        Some(text) => {
            let texts = text
                .split([',', ' '])
                .filter(|url| !url.is_empty())
                .map(str::to_owned)
                .collect();
            (
                At {
                    file: "environment",
                },
                "LVMBEAT_OUTSIDE_MONITOR_URL",
                texts,
            )
        }
        None => (at, "outside_monitor.url", raw.url.0),
    };
    let mut urls = texts
        .iter()
        .map(|text| monitor_url(url_at, key, text))
        .collect::<Result<Vec<_>, _>>()?;
    let token = monitor_token(at, raw.token_file.as_deref(), environment)?;
    // One token is told to one monitor only, not to whoever else is beaten (X1).
    if let (Some(url), Some(token)) = (urls.first_mut(), token) {
        *url = url.clone().with_token(&token);
    }
    Ok(Outside {
        urls,
        interval: at.seconds("outside_monitor.interval", raw.interval, 15.0)?,
        timeout: at.seconds("outside_monitor.timeout", raw.timeout, 5.0)?,
    })
}

pub(super) fn supervisor(
    source: &str,
    actor: &Actor,
    pace: Pace,
    heartbeats: &[Heartbeat],
    network: &Network,
) -> Result<supervisor::Config<MAX_HEARTBEATS, MAX_LINKS>, ConfigError> {
    let at = At { file: source };
    let mut config = supervisor::Config::new(core_duration(actor.attention), pace)
        .with_path_limit(core_duration(actor.command_ttl))
        .with_burst(core_duration(actor.burst));
    for (index, heartbeat) in heartbeats.iter().enumerate() {
        let timeout = core_duration(heartbeat.timeout);
        let id = config
            .add_heartbeat(&heartbeat.name, heartbeat.critical, timeout)
            .map_err(|error| {
                core_error(
                    at,
                    "heartbeats",
                    &format!("heartbeats[{index}].name"),
                    &heartbeat.name,
                    error,
                    MAX_HEARTBEATS,
                )
            })?;
        config.limit_lateness(id, core_duration(heartbeat.lateness));
        if heartbeat.proof == Proof::Required {
            config.require_proof(id);
        }
    }
    for host in &network.hosts {
        config
            .add_link(&host.name, network.failures)
            .map_err(|error| {
                core_error(
                    at,
                    "network.hosts",
                    &format!("network.hosts.{}", host.name),
                    &host.name,
                    error,
                    MAX_LINKS,
                )
            })?;
    }
    Ok(config)
}

fn core_error(
    at: At<'_>,
    list: &str,
    key: &str,
    name: &str,
    error: CoreError,
    most: usize,
) -> ConfigError {
    match error {
        CoreError::Full => at.error(
            list,
            format!("there are more than {most}"),
            format!("keep at most {most}"),
        ),
        CoreError::Duplicate => at.error(
            key,
            format!("'{name}' is given twice"),
            "give each its own name",
        ),
        CoreError::Name(_) | CoreError::ZeroTimeout => {
            at.error(key, format!("'{name}': {error}"), "choose another one")
        }
    }
}

/// An actor's name: one word of a command, and of a routing key.
fn word(
    at: At<'_>,
    key: &str,
    value: Option<String>,
    default: &str,
) -> Result<String, ConfigError> {
    let name = value.unwrap_or_else(|| default.to_owned());
    lvmbeat_core::Name::new(&name)
        .map_err(|error| at.error(key, format!("'{name}': {error}"), "choose another one"))?;
    if name.contains(['.', '*', '#']) {
        return Err(at.error(
            key,
            format!("'{name}' holds a character with a meaning in routing keys"),
            "use a name without `.`, `*` and `#`",
        ));
    }
    Ok(name)
}
