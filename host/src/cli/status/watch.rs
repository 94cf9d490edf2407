//! `lvmbeat status --watch`: asks again and again, and says since when there was no answer.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::lines::{self, Line, Tone, clean, wrapped};
use super::look;
use super::screen::Screen;
use super::table::{self, Seen};
use crate::cli::{Failure, client};
use crate::clock::{BootClock, Clock as _};
use crate::clu::message::{Code, Keywords};
use crate::config::Config;
use crate::errors::with_causes;

/// The screen is drawn at least this often, so that its times grow.
const DRAWN: Duration = Duration::from_secs(1);
/// An answer that is so much later than it should be is missed.
const LATE: Duration = Duration::from_secs(3);

/// What is known.
#[derive(Clone, Default)]
struct Known {
    /// The last answer, and when it came.
    answer: Option<(Keywords, Timestamp, Instant)>,
    /// Why there was none since, if there was none.
    failure: Option<String>,
}

pub(super) fn run(config: &Config, period: Duration, limit: Duration) -> Result<(), Failure> {
    client::on_a_runtime(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(Failure::Signals)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::Signals)?;
        let (tell, mut known) = watch::channel(Known::default());
        let started = (BootClock.wall(), Instant::now());
        let screen = match Screen::new() {
            Ok(screen) => screen,
            Err(cause) => return unless_closed(cause),
        };
        let mut draws = interval(DRAWN.min(period));
        draws.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asked = std::pin::pin!(ask(config, period, limit, tell));
        loop {
            tokio::select! {
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
                failure = &mut asked => return Err(failure),
                _ = draws.tick(), if screen.is_live() => {}
                changed = known.changed() => if changed.is_err() { return Ok(()) },
            }
            let picture = picture(config, &known.borrow_and_update(), period, started);
            if let Err(cause) = screen.show(&picture) {
                return unless_closed(cause);
            }
        }
    })
}

/// Whoever closes the output early has seen enough.
fn unless_closed(cause: io::Error) -> Result<(), Failure> {
    if cause.kind() == io::ErrorKind::BrokenPipe {
        Ok(())
    } else {
        Err(Failure::Output(cause))
    }
}

/// Asks until the program ends, on one session for as long as that lives.
async fn ask(
    config: &Config,
    period: Duration,
    limit: Duration,
    tell: watch::Sender<Known>,
) -> Failure {
    let actor = &config.actor.name;
    loop {
        let failed = |cause: &dyn std::error::Error| {
            let failure = with_causes(cause);
            tell.send_modify(|known| known.failure = Some(failure));
        };
        let session = match client::connect(config).await {
            Ok(session) => session,
            // No broker; whatever else is wrong stays wrong.
            Err(failure @ Failure::NoBroker(_)) => {
                failed(&failure);
                sleep(period).await;
                continue;
            }
            Err(failure) => return failure,
        };
        loop {
            let options = client::options(limit);
            match session.client.command(actor, "status", options).await {
                Ok(finished) if finished.code == Code::Done => {
                    let answer = (
                        client::keywords(&finished.replies),
                        BootClock.wall(),
                        Instant::now(),
                    );
                    tell.send_replace(Known {
                        answer: Some(answer),
                        failure: None,
                    });
                }
                Ok(finished) => {
                    let body = client::keywords(&finished.replies);
                    let error = body.get("error").and_then(|error| error.as_str());
                    let failure = error.unwrap_or("the command failed").to_owned();
                    tell.send_modify(|known| known.failure = Some(failure));
                }
                Err(error) => {
                    failed(&error);
                    break;
                }
            }
            sleep(period).await;
        }
        session.close().await;
        sleep(period).await;
    }
}

/// The last answer; if it is not the latest news, then what was known, and since when there is
/// none.
fn picture(
    config: &Config,
    known: &Known,
    period: Duration,
    started: (Timestamp, Instant),
) -> String {
    let (look, zone) = (look(), TimeZone::try_system().unwrap_or(TimeZone::UTC));
    let (since, heard) = known
        .answer
        .as_ref()
        .map_or(started, |(_, wall, at)| (*wall, *at));
    let missing = known.failure.is_some() || heard.elapsed() > period + LATE;
    let mut shown = Vec::new();
    if missing {
        let why = known
            .failure
            .as_deref()
            .map_or_else(String::new, |why| format!(": {why}"));
        let said = format!("✗ no answer since {}{why}", table::clock(since, &zone));
        let rows = wrapped(&clean(&said, 400), look.width);
        shown.extend(rows.into_iter().map(|row| Line::new(Tone::Bad, row)));
    }
    match &known.answer {
        None if !missing => shown.push(Line::new(Tone::Dim, "waiting for an answer")),
        None => {}
        Some((keywords, at, _)) => {
            let table = table::table(Seen {
                actor: &config.actor.name,
                keywords,
                at: *at,
                zone: &zone,
                width: look.width,
            });
            if missing {
                let then = format!("What was known at {}:", table::clock(*at, &zone));
                shown.extend([Line::default(), Line::new(Tone::Bold, then)]);
                shown.extend(table.into_iter().map(Line::dimmed));
            } else {
                shown.extend(table);
            }
        }
    }
    lines::text(&shown, look)
}
