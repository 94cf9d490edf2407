//! `lvmbeat status`: a table on a terminal, a CLU reply in a pipe, one JSON document with `--json`,
//! and live with `--watch`.

mod lines;
mod screen;
mod table;
mod watch;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use jiff::tz::TimeZone;

use self::lines::Look;
use self::table::Seen;
use super::client::{self, Form};
use super::{Failure, print};
use crate::clock::{BootClock, Clock as _};
use crate::clu::message::{Code, Keywords};
use crate::config::Config;
use crate::report::Health;

/// Shows it once, or with `period` again and again.
pub(super) fn run(
    config: &Config,
    limit: Duration,
    json: bool,
    period: Option<Duration>,
) -> Result<(), Failure> {
    if let Some(period) = period {
        return watch::run(config, period, limit);
    }
    let actor = &config.actor.name;
    let form = if json { Form::Json } else { Form::Indented };
    let finished = client::ask(config, actor, "status", limit)?;
    let keywords = client::keywords(&finished.replies);
    let in_a_pipe = json || !io::stdout().is_terminal();
    if in_a_pipe || finished.code != Code::Done {
        client::print_all(&finished.replies, actor, form)?;
    }
    if finished.code != Code::Done {
        return Err(Failure::Answered);
    }
    if !in_a_pipe {
        show(actor, &keywords)?;
    }
    well(&keywords)
}

/// What it exits with. A Python actor says nothing of its health; a state of a later version is not
/// known to be good.
fn well(keywords: &Keywords) -> Result<(), Failure> {
    let good = [Health::Ok, Health::Late].map(Health::as_str);
    let health = keywords.get("health");
    match health.and_then(|health| health.get("state")?.as_str()) {
        Some(state) if !good.contains(&state) => Err(Failure::NotWell),
        Some(_) | None => Ok(()),
    }
}

fn show(actor: &str, keywords: &Keywords) -> Result<(), Failure> {
    let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
    let look = look();
    print(&lines::text(
        &table::table(Seen {
            actor,
            keywords,
            at: BootClock.wall(),
            zone: &zone,
            width: look.width,
        }),
        look,
    ))
}

/// The terminal's, within what can be read; colours unless `NO_COLOR` is set.
fn look() -> Look {
    const NARROWEST: usize = 40;
    const WIDEST: usize = 80;
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let columns = screen::size().map_or(WIDEST, |(columns, _)| columns);
    Look {
        width: columns.clamp(NARROWEST, WIDEST),
        colours: io::stdout().is_terminal() && !plain && !screen::is_dumb(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_fails_unless_the_dome_heartbeat_reaches_the_plc() {
        let fails = |keywords: serde_json::Value| well(keywords.as_object().unwrap()).is_err();
        for health in Health::ALL {
            let good = matches!(health, Health::Ok | Health::Late);
            let keywords = json!({"health": {"state": health.as_str()}});
            assert_eq!(fails(keywords), !good, "{health:?}");
        }
        assert!(fails(json!({"health": {"state": "of a later version"}})));
        assert!(!fails(json!({"heartbeats": {}})));
    }
}
