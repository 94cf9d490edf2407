//! The page at `/`: what a person has to know, within a second, half asleep and on a phone.
//!
//! [`render`] makes the whole page from a [`View`], on the server; without script it is complete,
//! only not live. The script fetches the same page again every few seconds and changes what
//! differs. All that comes from outside, the report above all, is text and is escaped (X1): nothing
//! here is `PreEscaped`. Nothing is inline, and nothing comes from another host, so that the page
//! can forbid both.

mod about;
mod alerts;
mod between;
mod controls;
mod document;
mod done;
mod headline;
mod icon;
mod incidents;
mod margin;
mod report;
mod routes;
#[cfg(any(test, feature = "contract"))]
pub mod sample;
mod standing;
mod state;
mod strip;
#[cfg(test)]
mod tests;
mod warnings;
mod window;
mod words;

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::Markup;

use super::http::mount::{self, Root};
use super::view::View;
use crate::config::monitor::Monitor;
pub use done::Done;
pub(super) use done::{after, alone, not_done};
pub use routes::router;
use standing::Standing;
use state::{Mute, State};
use warnings::{Level, Warning};

/// What the page says of the configuration.
#[derive(Clone, Debug)]
pub struct Setting {
    /// What is down or up: "LCO internet".
    pub subject: String,
    /// What people have to do when it is down.
    pub action: Option<String>,
    /// Times are shown in UTC first, and in this zone second.
    pub time_zone: TimeZone,
    /// How often the actor beats, unless its report says so.
    pub beat_every: Duration,
    /// Where the page is, for its links.
    root: Root,
    /// Beats need a token.
    pub ping_token: bool,
    /// Whatever changes or sends needs a token.
    pub admin_token: bool,
}

impl Setting {
    /// Without the secrets (X1).
    pub fn of(config: &Monitor) -> Self {
        Self {
            subject: config.wording.subject.clone(),
            action: config.wording.action.clone(),
            time_zone: config.wording.time_zone.clone(),
            beat_every: config.beat_every,
            root: mount::root(mount::prefix(config), "/"),
            ping_token: config.ping_token.is_some(),
            admin_token: config.admin_token.is_some(),
        }
    }
}

/// The whole page. `age` is the time since the view was taken: a view that is old was made by a
/// loop that does not run any more, and the page says so. `done` is what a person has just asked
/// for.
pub fn render(view: &View, setting: &Setting, age: Duration, done: Option<Done>) -> Markup {
    document::document(&Page::new(view, setting, age, done))
}

/// All that the parts of the page are made of.
struct Page<'a> {
    view: &'a View,
    setting: &'a Setting,
    /// How old the view is.
    age: Duration,
    /// The wall time of the rendering.
    now: Timestamp,
    done: Option<Done>,
    standing: Standing<'a>,
    state: State,
    mute: Option<Mute>,
    warnings: Vec<Warning>,
}

impl<'a> Page<'a> {
    fn new(view: &'a View, setting: &'a Setting, age: Duration, done: Option<Done>) -> Self {
        let now = view.wall.saturating_add(age).unwrap_or(view.wall);
        let standing = Standing::of(view, setting.beat_every, age, now);
        let (state, mute) = state::state(view, &standing, age);
        let mut page = Self {
            view,
            setting,
            age,
            now,
            done,
            standing,
            state,
            mute,
            warnings: Vec::new(),
        };
        page.warnings = warnings::all(&page);
        page
    }

    /// What is down or up.
    fn subject(&self) -> &str {
        &self.setting.subject
    }

    /// A link to what is at that path below the monitor's root.
    fn link(&self, to: &str) -> String {
        self.setting.root.link(to)
    }

    /// How many warnings cannot wait until morning.
    fn urgent(&self) -> usize {
        let urgent = |warning: &&Warning| warning.level == Level::Urgent;
        self.warnings.iter().filter(urgent).count()
    }

    fn moment(&self, at: Timestamp) -> Markup {
        words::moment(at, self.now, &self.setting.time_zone)
    }
}
