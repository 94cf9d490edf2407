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
use crate::clu::message::Code;
use crate::config::Config;

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
    if json || !io::stdout().is_terminal() {
        return client::send(config, actor, "status", limit, form);
    }
    let finished = client::ask(config, actor, "status", limit)?;
    if finished.code != Code::Done {
        client::print_all(&finished.replies, actor, form)?;
        return Err(Failure::Answered);
    }
    let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
    let look = look();
    let keywords = client::keywords(&finished.replies);
    print(&lines::text(
        &table::table(Seen {
            actor,
            keywords: &keywords,
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
