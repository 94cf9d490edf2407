//! `lvmbeat doctor`: looks at a live site from where it runs, and says what is wrong and what to do
//! about it. It changes nothing, sets no heartbeat, and sends nobody anything unless asked.

mod certificate;
mod channels;
mod finding;
mod machine;
mod management;
mod monitor;
mod site;

use std::path::Path;

use self::finding::{Finding, Verdict};
use super::args::{DoctorArgs, Program};
use super::{Failure, client, notices, print};
use crate::config::monitor::Monitor;
use crate::config::{self, Config, ConfigError};

/// Looks at everything, and shows it.
pub(super) fn run(file: Option<&Path>, asked: &DoctorArgs) -> Result<(), Failure> {
    let mut found = Vec::new();
    let warnings = config::warnings(file);
    found.extend(
        warnings
            .into_iter()
            .map(|warning| Finding::new("configuration", Verdict::Warning, warning)),
    );
    found.extend(machine::secrets(&config::secret_files(file)));
    let monitor = read(Monitor::load(file), &mut found);
    if asked.program != Some(Program::Monitor)
        && let Some(config) = read(Config::load(file), &mut found)
    {
        found.push(configuration(&config));
        found.extend(machine::look(&config));
        found.extend(client::on_a_runtime(async {
            Ok(of_the_site(&config, monitor.as_ref(), asked).await)
        })?);
    }
    if asked.program != Some(Program::Actor)
        && let Some(monitor) = monitor
    {
        if asked.program == Some(Program::Monitor) {
            found.extend(missing(&monitor));
        }
        found.extend(machine::state(monitor.state_file.as_deref()));
        found.extend(client::on_a_runtime(async {
            Ok(channels::look(&monitor, asked.send_test).await)
        })?);
    }
    if asked.program == Some(Program::Monitor) {
        found.extend(machine::sleep());
    }
    print(&if asked.wait.json {
        finding::json(&found)
    } else {
        finding::table(&found)
    })?;
    match finding::worst(&found) {
        Verdict::Well | Verdict::Unknown => Ok(()),
        Verdict::Warning => Err(Failure::NotWell),
        Verdict::Wrong => Err(Failure::Answered),
    }
}

/// What is configured, or a finding for each fault, once.
fn read<T>(config: Result<T, ConfigError>, found: &mut Vec<Finding>) -> Option<T> {
    let faults = match config {
        Ok(config) => return Some(config),
        Err(error) => error.to_string(),
    };
    for fault in faults.lines() {
        let fault = Finding::new("configuration", Verdict::Wrong, fault);
        if !found.contains(&fault) {
            found.push(fault);
        }
    }
    None
}

async fn of_the_site(
    config: &Config,
    monitor: Option<&Monitor>,
    asked: &DoctorArgs,
) -> Vec<Finding> {
    let limit = asked.wait.timeout;
    let (site, management, monitors, certificates) = tokio::join!(
        site::look(config, limit),
        management::look(config, limit),
        monitor::look(config, limit),
        certificate::look(config, limit)
    );
    let mut found = [site, management, monitors, certificates].concat();
    if asked.send_test {
        let admin = monitor.and_then(|monitor| monitor.admin_token.as_ref());
        let tested = notices::send(config, admin).await;
        found.extend(tested.into_iter().filter_map(monitor::tested));
    }
    found
}

/// What a monitor that watches over an observatory has, and this one has not. Where the actor runs
/// there may be no such thing.
fn missing(monitor: &Monitor) -> Vec<Finding> {
    let has_channel =
        monitor.email.is_some() || monitor.slack.is_some() || !monitor.webhooks.is_empty();
    let looked_at = [
        (
            has_channel,
            "people",
            "no channel is configured here: nobody is alerted",
            "configure e-mail, Slack or a webhook, and run doctor with the monitor's environment",
        ),
        (
            monitor.state_file.is_some(),
            "state",
            "no state file is configured here: a restart forgets what people were alerted of",
            "set LVMBEAT_STATE_FILE, and run doctor with the monitor's environment",
        ),
        (
            monitor.ping_token.is_some() && monitor.admin_token.is_some(),
            "token",
            "a token is missing here: anybody may beat, or silence the monitor",
            "set LVMBEAT_PING_TOKEN and LVMBEAT_ADMIN_TOKEN, and run doctor with the monitor's environment",
        ),
    ];
    let missing = looked_at.into_iter().filter(|(is_there, ..)| !is_there);
    missing
        .map(|(_, what, text, remedy)| Finding::warning(what, text, remedy))
        .collect()
}

fn configuration(config: &Config) -> Finding {
    let closing = config::std_duration(config.budget.closing).as_secs_f64();
    let text = format!(
        "{}: valid; if any single part dies, the dome begins to close within {closing:.0} s",
        config.source
    );
    Finding::new("configuration", Verdict::Well, text)
}
