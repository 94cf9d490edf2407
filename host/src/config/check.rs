//! From what is written to what can work.

use std::fs;
use std::num::NonZeroU8;
use std::os::unix::fs::FileTypeExt as _;
use std::time::Duration;

use lvmbeat_core::budget::{Budget, Chain, Impossible, Source};
use lvmbeat_core::emission::Pace;
use lvmbeat_core::{ConfigError as CoreError, supervisor};

use super::address::{brokers, management_url, monitor_token, monitor_url, target};
use super::at::At;
use super::environment::{ENVIRONMENT, variable};
use super::faults::Faults;
use super::given::Reader;
use super::raw::{RawActor, RawConfig, RawHeartbeat, RawNetwork, RawOutside, RawSerial};
use super::{
    Actor, Config, ConfigError, Ecp, Environment, Heartbeat, Host, MAX_HEARTBEATS, MAX_LINKS,
    Network, Outside, Proof, Serial, core_duration, std_duration,
};

/// S1: of a heartbeat, unless the file says otherwise.
const TIMEOUT: f64 = 30.0;

pub(super) fn check(
    source: &str,
    raw: RawConfig,
    environment: Environment<'_>,
    mut faults: Faults,
) -> Result<Config, ConfigError> {
    let at = At { file: source };
    let actor = faults.note(actor(at, &raw.actor, environment));
    let timeout = faults
        .note(at.seconds("timeout", raw.timeout, TIMEOUT))
        .unwrap_or(Duration::from_secs_f64(TIMEOUT));
    let heartbeats = faults.keep(heartbeats(at, raw.heartbeats, timeout));
    let ecp = Ecp {
        actor: faults.keep(word(at, "ecp.actor", raw.ecp.actor, "lvmecp")),
        cutoff: faults.keep(at.seconds("ecp.cutoff", raw.ecp.cutoff, 10.0)),
        retry: faults.keep(at.seconds("ecp.retry", raw.ecp.retry, 1.0)),
        expiration: faults.keep(at.seconds("ecp.expiration", raw.ecp.expiration, 5.0)),
        command_timeout: faults.keep(at.seconds(
            "ecp.command_timeout",
            raw.ecp.command_timeout,
            5.0,
        )),
        plc_timeout: faults.keep(at.seconds("ecp.plc_timeout", raw.ecp.plc_timeout, 60.0)),
        facts_expire: faults.keep(at.seconds(
            "ecp.facts_expire",
            raw.ecp.facts_expire,
            super::DEFAULT_FACTS_EXPIRE.as_secs_f64(),
        )),
        drill_days: faults.keep(drill_days(at, raw.ecp.drill_days)),
    };
    let serial = faults.keep(serial(
        at,
        raw.emit.and_then(|emit| emit.serial).unwrap_or_default(),
        actor.as_ref().map_or("lvmbeat", |actor| &actor.name),
    ));
    let network = faults.note(network(at, raw.network));
    let outside = faults.note(outside(at, raw.outside_monitor, environment));
    let max_close_after = faults.keep(at.seconds("max_close_after", raw.max_close_after, 180.0));
    let (Some(actor), Some(network), Some(outside)) = (actor, network, outside) else {
        return faults.error();
    };
    // What follows from several values is worked out of right ones only.
    faults.or(())?;
    let mut faults = Faults::default();

    // Names, numbers of rows and time-outs as the core sees them.
    let pace = Pace {
        cutoff: core_duration(ecp.cutoff),
        retry: core_duration(ecp.retry),
        plc_timeout: core_duration(ecp.plc_timeout),
    };
    faults.note(supervisor(source, &actor, pace, &heartbeats, &network));
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
    let link_closing = faults.keep(link_closing(at, &ecp, &network, max_close_after));
    let budget = faults.note(budget(at, &chain, &heartbeats, max_close_after));
    let Some(budget) = budget else {
        return faults.error();
    };
    faults.or(Config {
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
    let mut faults = Faults::default();
    // Also a heartbeat that is not critical has to be able to be fresh.
    for (index, heartbeat) in heartbeats.iter().enumerate() {
        let source = heartbeat.source();
        let limits = [
            ("timeout", heartbeat.timeout, chain.silence(&source)),
            ("lateness", heartbeat.lateness, chain.lateness(&source)),
        ];
        // One is enough: without its own the lateness is the timeout.
        let mut too_short = limits
            .into_iter()
            .filter(|(_, limit, needed)| core_duration(*limit) <= *needed);
        if let Some((key, limit, needed)) = too_short.next() {
            let needed = std_duration(needed).as_secs_f64();
            faults.push(at.error(
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
    faults.or(())?;
    let critical: Vec<Source> = heartbeats
        .iter()
        .filter(|heartbeat| heartbeat.critical)
        .map(Heartbeat::source)
        .collect();
    let budget = Budget::new(chain, &critical).map_err(|impossible| match impossible {
        Impossible::NothingCritical => at.error(
            "heartbeats",
            "no heartbeat is critical, so nothing would ever keep the dome open",
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
                "the PLC would close the dome while all is well: heartbeats may be {} s apart, but it waits only {} s",
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
                "the dome might begin to close only {} s after the last heartbeat; at most {} s are allowed",
                closing.as_secs_f64(),
                max_close_after.as_secs_f64()
            ),
            "lower the timeouts (`lvmbeat check` with a larger max_close_after shows how they add up), or allow more",
        ));
    }
    Ok(budget)
}

/// S4 for a network link that fails just after a probe: so many further probes have to fail, and
/// the last emission before that has its own time and the PLC's.
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
                "the dome might begin to close only {} s after a network link fails; at most {} s are allowed \
                 (max_close_after)",
                closing.as_secs_f64(),
                max_close_after.as_secs_f64()
            ),
            "lower network.interval, network.failures or network.timeout, or allow more",
        ));
    }
    Ok(Some(closing))
}

fn actor(at: At<'_>, raw: &RawActor, environment: Environment<'_>) -> Result<Actor, ConfigError> {
    let mut faults = Faults::default();
    let http = Reader { at, environment }
        .text("LVMBEAT_ACTOR_HTTP", "actor.http", raw.http.clone())
        .and_then(|given| given.map(|given| given.socket()).transpose());
    // RabbitMQ counts in whole seconds, and 0 would switch detection off (S4).
    let amqp_heartbeat = raw.amqp_heartbeat.unwrap_or(4);
    if !(1..=60).contains(&amqp_heartbeat) {
        faults.push(at.error(
            "actor.amqp_heartbeat",
            format!("{amqp_heartbeat} s is out of range"),
            "give whole seconds from 1 to 60",
        ));
    }
    let name = faults.keep(word(at, "actor.name", raw.name.clone(), "lvmbeat"));
    let command_ttl = faults.keep(at.seconds("actor.command_ttl", raw.command_ttl, 5.0));
    let burst = faults.keep(at.seconds("actor.burst", raw.burst, 1.0));
    let attention = faults.keep(at.seconds("actor.attention", raw.attention, 2.0));
    let http = faults.keep(http);
    let log_dir = raw
        .log_dir
        .clone()
        .filter(|folder| !folder.as_os_str().is_empty());
    let given = raw.journal.clone();
    let journal = given
        .filter(|file| !file.as_os_str().is_empty())
        .or_else(|| Some(log_dir.as_ref()?.join("journal.jsonl")));
    let open_timeout = faults.keep(at.seconds("actor.open_timeout", raw.open_timeout, 30.0));
    let brokers = faults.keep(brokers(at, raw, environment));
    let management = raw.management_url.as_deref();
    let management = management.map(|text| management_url(at, text, &brokers));
    let management = faults.keep(management.transpose());
    faults.or(Actor {
        name,
        brokers,
        management,
        open_timeout,
        amqp_heartbeat: Duration::from_secs(amqp_heartbeat.into()),
        log_dir,
        journal,
        http,
        command_ttl,
        attention,
        burst,
    })
}

fn heartbeats(
    at: At<'_>,
    raw: Option<Vec<RawHeartbeat>>,
    timeout: Duration,
) -> Result<Vec<Heartbeat>, ConfigError> {
    let raw = raw.unwrap_or_else(|| {
        vec![RawHeartbeat {
            name: "overwatcher".to_owned(),
            ..RawHeartbeat::default()
        }]
    });
    let mut faults = Faults::default();
    let mut heartbeats = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let key = |key: &str| format!("heartbeats[{index}].{key}");
        if raw.name.is_empty() {
            let remedy = "give the name that the program sets, as in `lvmbeat set overwatcher`";
            faults.push(at.error(&key("name"), "is missing", remedy));
        }
        let timeout = at.seconds(&key("timeout"), raw.timeout, timeout.as_secs_f64());
        let timeout = faults
            .note(timeout)
            .unwrap_or(Duration::from_secs_f64(TIMEOUT));
        let lateness = at.seconds(&key("lateness"), raw.lateness, timeout.as_secs_f64());
        let proof = match raw.proof.as_deref() {
            None | Some("optional") => Ok(Proof::Optional),
            Some("required") => Ok(Proof::Required),
            Some(other) => Err(at.error(
                &key("proof"),
                format!("'{other}' is not known"),
                "give optional or required",
            )),
        };
        let from = match raw.from {
            None => Vec::new(),
            Some(from) if from.is_empty() => {
                let remedy = "name the programs that set it, or leave it out for anybody";
                faults.push(at.error(&key("from"), "names nobody", remedy));
                Vec::new()
            }
            Some(from) => from,
        };
        heartbeats.push(Heartbeat {
            from,
            critical: raw.critical.unwrap_or(true),
            timeout,
            lateness: faults.keep(lateness),
            proof: faults.keep(proof),
            interval: faults.keep(at.seconds(&key("interval"), raw.interval, 5.0)),
            name: raw.name,
        });
    }
    faults.or(heartbeats)
}

/// A box, if one is named.
fn serial(at: At<'_>, raw: RawSerial, name: &str) -> Result<Option<Serial>, ConfigError> {
    let Some(path) = raw.path else {
        return Ok(None);
    };
    let mut faults = Faults::default();
    // One that is not there may be plugged in later.
    if fs::metadata(&path).is_ok_and(|found| !found.file_type().is_char_device()) {
        faults.push(at.error(
            "emit.serial.path",
            format!("{} is no serial device", path.display()),
            "name the box's, for example /dev/serial/by-id/usb-…",
        ));
    }
    let baud = raw.baud.unwrap_or(115_200);
    if !(300..=4_000_000).contains(&baud) {
        faults.push(at.error(
            "emit.serial.baud",
            format!("{baud} bits per second is out of range"),
            "give the box's rate, from 300 to 4000000",
        ));
    }
    let key = "emit.serial.source";
    let source = raw.source.as_deref().unwrap_or(name);
    let source = lvmbeat_core::Name::new(source)
        .map_err(|error| at.error(key, format!("'{source}': {error}"), "choose another name"));
    let timeout = faults.keep(at.seconds("emit.serial.timeout", raw.timeout, 2.0));
    let Some(source) = faults.note(source) else {
        return faults.error();
    };
    faults.or(Some(Serial {
        path,
        baud,
        source,
        timeout,
    }))
}

/// How often a drill has to pass.
fn drill_days(at: At<'_>, days: Option<u16>) -> Result<Option<u16>, ConfigError> {
    if days.is_none_or(|days| (1..=3650).contains(&days)) {
        return Ok(days);
    }
    Err(at.error(
        "ecp.drill_days",
        "it is not a usable number of days".to_owned(),
        "give a whole number between 1 and 3650, or null",
    ))
}

fn network(at: At<'_>, raw: RawNetwork) -> Result<Network, ConfigError> {
    let mut faults = Faults::default();
    let failures = NonZeroU8::new(raw.failures.unwrap_or(3)).ok_or_else(|| {
        at.error(
            "network.failures",
            "with 0 failures every link would always be down",
            "give a number from 1 to 255",
        )
    });
    let interval = faults.keep(at.seconds("network.interval", raw.interval, 15.0));
    let timeout = faults.keep(at.seconds(
        "network.timeout",
        raw.timeout,
        interval.as_secs_f64().clamp(0.001, 2.0),
    ));
    let named = |name: &str, host: &str| (name.to_owned(), Some(host.to_owned()));
    let hosts = raw.hosts.map_or_else(
        || vec![named("lco", "10.8.8.46"), named("outside", "8.8.8.8")],
        |hosts| hosts.0,
    );
    let mut links = Vec::new();
    // A host that is null is not probed.
    for (name, host) in hosts {
        let key = format!("network.hosts.{name}");
        let target = host.map(|host| target(at, &key, &host)).transpose();
        if let Some(target) = faults.keep(target) {
            links.push(Host { name, target });
        }
    }
    let Some(failures) = faults.note(failures) else {
        return faults.error();
    };
    faults.or(Network {
        interval,
        timeout,
        failures,
        hosts: links,
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
            (ENVIRONMENT, "LVMBEAT_OUTSIDE_MONITOR_URL", texts)
        }
        None => (at, "outside_monitor.url", raw.url.0),
    };
    let mut faults = Faults::default();
    let texts = texts.iter().filter(|text| !text.is_empty());
    let mut urls: Vec<_> = texts
        .filter_map(|text| faults.note(monitor_url(url_at, key, text)))
        .collect();
    let token = faults.keep(monitor_token(at, raw.token_file.as_deref(), environment));
    // X1: a token is sent to one monitor only.
    if let (Some(url), Some(token)) = (urls.first_mut(), token) {
        *url = url.clone().with_token(&token);
    }
    let interval = faults.keep(at.seconds("outside_monitor.interval", raw.interval, 15.0));
    let timeout = faults.keep(at.seconds("outside_monitor.timeout", raw.timeout, 5.0));
    faults.or(Outside {
        urls,
        interval,
        timeout,
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
    let mut faults = Faults::default();
    let mut config = supervisor::Config::new(core_duration(actor.attention), pace)
        .with_path_limit(core_duration(actor.command_ttl))
        .with_burst(core_duration(actor.burst));
    for (index, heartbeat) in heartbeats.iter().enumerate() {
        let timeout = core_duration(heartbeat.timeout);
        let name = &heartbeat.name;
        let added = config.add_heartbeat(name, heartbeat.critical, timeout);
        let added = faults.note(added.map_err(|error| {
            let key = format!("heartbeats[{index}].name");
            core_error(at, "heartbeats", &key, name, error, MAX_HEARTBEATS)
        }));
        let Some(id) = added else {
            continue;
        };
        config.limit_lateness(id, core_duration(heartbeat.lateness));
        if heartbeat.proof == Proof::Required {
            config.require_proof(id);
        }
    }
    for Host { name, .. } in &network.hosts {
        let added = config.add_link(name, network.failures);
        faults.note(added.map_err(|error| {
            let key = format!("network.hosts.{name}");
            core_error(at, "network.hosts", &key, name, error, MAX_LINKS)
        }));
    }
    faults.or(config)
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
            at.error(key, format!("'{name}': {error}"), "choose another name")
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
        .map_err(|error| at.error(key, format!("'{name}': {error}"), "choose another name"))?;
    if name.contains(['.', '*', '#']) {
        return Err(at.error(
            key,
            format!("'{name}' contains a character that has a meaning in routing keys"),
            "use a name without `.`, `*` and `#`",
        ));
    }
    Ok(name)
}
