//! The demonstration: a night of the whole chain in one process, without a broker.
//!
//! The overwatcher, lvmbeat's own actor and the stand-in for lvmecp run on the broker in memory;
//! lvmecp talks Modbus TCP to the simulated PLC over the loopback, and lvmbeat HTTP to the monitor
//! outside, whose page can be watched meanwhile. `story` breaks and mends parts of it and waits for
//! what has to come of that, `narrator` listens to all parts, and what happens is shown as a
//! picture (`screen`) or printed in lines. Where the chain does not keep what it promises, the
//! demonstration says so and fails.

mod chain;
mod chronicle;
mod dome;
mod expect;
mod facts;
mod mail;
mod narrator;
mod outside;
mod overwatcher;
mod palette;
mod parts;
mod relay;
mod scale;
mod scene;
mod screen;
mod story;
mod summary;
mod terminal;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use lvmbeat::config::ConfigError;
use tokio::sync::{oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::StartError;
use crate::print::Printer;
use crate::simulator::Died;
use chronicle::Chronicle;
use expect::{Broken, Expect, Outage};
use facts::Facts;
use narrator::Narrator;
use palette::Palette;
use parts::{Parts, Site};
use story::Story;
use summary::Summary;
use terminal::{Pictures, Signs};

/// Between two pictures.
const FRAME: Duration = Duration::from_millis(40);

/// How long what is printed or drawn last may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The slowest and the fastest that a night can go by.
pub const SPEEDS: std::ops::RangeInclusive<f64> = 0.1..=40.0;

/// Everything that can be set.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct DemoConfig {
    /// How many times as fast as the clock the site's time runs; one of [`SPEEDS`].
    pub speed: f64,
    /// Where the PLC listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the monitor serves its page; port 0 takes a free one.
    pub monitor: SocketAddr,
    /// Whether a picture is shown; otherwise lines are printed.
    pub picture: bool,
    /// Whether the picture has colours.
    pub colours: bool,
}

/// Why the demonstration has failed.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The PLC could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Nobody can listen there.
    #[error(
        "cannot listen on {address}: {cause}; choose another address for the monitor with --monitor (port 0 takes a free one)"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// The speed makes a configuration that cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The terminal or the output cannot be used.
    #[error("the terminal cannot be used: {0}; with --plain lines are printed")]
    Terminal(#[from] io::Error),
    /// A part has died.
    #[error("the demonstration cannot go on: {0}")]
    Died(#[from] Died),
    /// The chain does not do what it promises.
    #[error("{0}{hint}", hint = if *.1 { "; this machine was busy meanwhile: a lower --speed may help" } else { "" })]
    Broken(#[source] Broken, bool),
}

/// Whether a picture can be shown on the standard output.
pub fn can_show() -> bool {
    terminal::can_show()
}

/// Plays the night, until it is over or `stop` resolves, and prints on standard output what
/// happened.
pub async fn run(config: DemoConfig, stop: impl Future<Output = ()>) -> Result<(), DemoError> {
    // One TLS provider for the whole process; a second call changes nothing. Nothing here speaks
    // TLS, but the HTTP client wants one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (mut parts, site) = Parts::start(&config).await?;
    let played = if config.picture {
        show(&mut parts, &site, config, stop).await
    } else {
        print(&mut parts, &site, stop).await
    };
    parts.end().await;
    played
}

/// How the night came to its end.
enum End {
    Over(Summary),
    /// Somebody did not want to see the rest.
    Left,
}

async fn show(
    parts: &mut Parts,
    site: &Site,
    config: DemoConfig,
    stop: impl Future<Output = ()>,
) -> Result<(), DemoError> {
    let palette = Palette {
        colours: config.colours,
    };
    let (pictures, Signs { mut closed, leave }) = Pictures::start(palette)?;
    let play = Play::new(None);
    let end = {
        let draw = async {
            let mut frames = interval(FRAME);
            frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                frames.tick().await;
                pictures.show(play.scene(site));
            }
        };
        tokio::select! {
            biased;
            end = play.run(parts, site) => end,
            () = stop => Ok(End::Left),
            () = wanted(leave) => Ok(End::Left),
            ended = &mut closed => match ended {
                // Nobody looks any more.
                Ok(()) => Ok(End::Left),
                Err(_) => Err(Died::quietly("the screen").into()),
            },
            () = draw => Ok(End::Left),
        }
    };
    let (last_scene, words) = (play.scene(site), play.words(site, &end));
    pictures.show(last_scene);
    drop(pictures);
    if !closed.is_terminated() {
        let _ = timeout(LAST_WORDS, closed).await;
    }
    // If the terminal takes nothing, this much can be done all the same.
    terminal::put_back();
    let (printer, done) = Printer::start()?;
    printer.print(words);
    drop(printer);
    let _ = timeout(LAST_WORDS, done).await;
    end.map(|_| ())
}

async fn wanted(leave: oneshot::Receiver<()>) {
    if leave.await.is_err() {
        // Nobody can say so.
        std::future::pending::<()>().await;
    }
}

async fn print(
    parts: &mut Parts,
    site: &Site,
    stop: impl Future<Output = ()>,
) -> Result<(), DemoError> {
    let (printer, mut closed) = Printer::start()?;
    let play = Play::new(Some(printer));
    let end = tokio::select! {
        biased;
        end = play.run(parts, site) => end,
        () = stop => Ok(End::Left),
        // Nobody reads any more.
        _ = &mut closed => return Ok(()),
    };
    let words = play.words(site, &end);
    play.chronicle.close(&words);
    let _ = timeout(LAST_WORDS, closed).await;
    end.map(|_| ())
}

/// The story and those who watch it.
struct Play {
    chronicle: Chronicle,
    facts: watch::Sender<Facts>,
    outage: watch::Sender<Option<Outage>>,
}

impl Play {
    fn new(printer: Option<Printer>) -> Self {
        Self {
            chronicle: Chronicle::new(printer),
            facts: watch::Sender::default(),
            outage: watch::Sender::new(None),
        }
    }

    async fn run(&self, parts: &mut Parts, site: &Site) -> Result<End, DemoError> {
        let narrator = Narrator {
            site,
            chronicle: &self.chronicle,
            facts: &self.facts,
            plc: parts.simulator.events(),
            lvmecp: parts.ecp.events(),
            mails: site.mails.subscribe(),
        };
        let expect = Expect {
            site,
            facts: &self.facts,
            outage: &self.outage,
        };
        let story = Story {
            expect,
            chronicle: &self.chronicle,
        };
        story.opening();
        tokio::select! {
            biased;
            died = parts.watch(site.lvmecp_hangs.subscribe()) => Err(died.into()),
            () = narrator.run() => Err(Died::quietly("the PLC").into()),
            () = site.overwatcher.run(site.scale, &site.broker, &site.plc) => {
                Err(Died::quietly("the overwatcher").into())
            }
            played = story.play() => match played {
                Ok(summary) => Ok(End::Over(summary)),
                Err(broken) => Err(DemoError::Broken(broken, self.facts.borrow().lapses > 0)),
            },
        }
    }

    fn scene(&self, site: &Site) -> scene::Scene {
        scene::look(site, &self.chronicle, &self.facts, &self.outage)
    }

    /// What is printed at the end.
    fn words(&self, site: &Site, end: &Result<End, DemoError>) -> String {
        match end {
            Ok(End::Over(summary)) => summary.to_string(),
            Ok(End::Left) => format!("Left after {:.0} s of the site's time.\n", site.now()),
            Err(_) => {
                let last = self.chronicle.last(10);
                let last: String = last.iter().map(|entry| format!("{entry}\n")).collect();
                format!(
                    "Ended after {:.0} s of the site's time. The last that happened:\n{last}",
                    site.now()
                )
            }
        }
    }
}
