//! `lvmbeat doctor`: looks at a live site from where it runs, and says what is wrong and what to do
//! about it. It changes nothing, sets no heartbeat, and sends nobody anything.

mod finding;
mod machine;
mod monitor;
mod site;

use std::path::Path;
use std::time::Duration;

use self::finding::{Finding, Verdict};
use super::{Failure, client, print};
use crate::config::{self, Config};

/// Looks at everything, and shows it.
pub(super) fn run(file: Option<&Path>, limit: Duration, json: bool) -> Result<(), Failure> {
    let mut found = Vec::new();
    let warnings = config::warnings(file);
    found.extend(
        warnings
            .into_iter()
            .map(|warning| Finding::new("configuration", Verdict::Warning, warning)),
    );
    match Config::load(file) {
        Err(error) => {
            let faults = error.to_string();
            let wrong = |fault| Finding::new("configuration", Verdict::Wrong, fault);
            found.extend(faults.lines().map(wrong));
        }
        Ok(config) => {
            found.push(configuration(&config));
            found.extend(machine::look(&config));
            found.extend(client::on_a_runtime(async {
                let (site, monitors) =
                    tokio::join!(site::look(&config, limit), monitor::look(&config, limit));
                Ok([site, monitors].concat())
            })?);
        }
    }
    print(&if json {
        finding::json(&found)
    } else {
        finding::table(&found)
    })?;
    match finding::worst(&found) {
        Verdict::Well => Ok(()),
        Verdict::Warning => Err(Failure::NotWell),
        Verdict::Wrong => Err(Failure::Answered),
    }
}

fn configuration(config: &Config) -> Finding {
    let closing = config::std_duration(config.budget.closing).as_secs_f64();
    let text = format!(
        "{}: valid; if any single part dies, the dome begins to close within {closing:.0} s",
        config.source
    );
    Finding::new("configuration", Verdict::Well, text)
}
