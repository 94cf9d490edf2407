//! The state in one word, and why nobody would be alerted.

use std::time::Duration;

use lvmbeat_core::alarm;

use super::words::span;
use crate::monitor::view::{ChannelView, View};

/// The word at the top. The first that is true, in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// The monitor would tell nobody although nobody has disabled it; whatever else it shows.
    NotAlerting,
    /// An alarm is on.
    Down,
    /// Somebody has disabled alerts.
    Disabled,
    /// It was never heard.
    Waiting,
    /// It is heard.
    Up,
}

impl State {
    pub(super) const ALL: [Self; 5] = [
        Self::NotAlerting,
        Self::Down,
        Self::Disabled,
        Self::Waiting,
        Self::Up,
    ];

    /// For people.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::NotAlerting => "NOT ALERTING",
            Self::Down => "DOWN",
            Self::Disabled => "DISABLED",
            Self::Waiting => "WAITING",
            Self::Up => "UP",
        }
    }

    /// For the stylesheet, and the name of its icon.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::NotAlerting => "not-alerting",
            Self::Down => "down",
            Self::Disabled => "disabled",
            Self::Waiting => "waiting",
            Self::Up => "up",
        }
    }
}

/// Why nobody would be alerted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mute {
    /// The loop has not run for so long: the view is old.
    Stuck(Duration),
    /// `LVMBEAT_START_MONITOR=0`.
    ByConfiguration,
    /// There is no channel.
    NoChannel,
    /// Every channel has failed at its last try.
    NoWay,
}

/// A view that is older than this was not made by a loop that runs.
const STUCK: Duration = Duration::from_secs(10);

impl Mute {
    pub(super) fn of(view: &View, age: Duration) -> Option<Self> {
        let fails = |channel: &ChannelView| channel.failures > 0;
        if age >= STUCK {
            Some(Self::Stuck(age))
        } else if !view.alerts {
            Some(Self::ByConfiguration)
        } else if view.channels.is_empty() {
            Some(Self::NoChannel)
        } else if view.channels.iter().all(fails) {
            Some(Self::NoWay)
        } else {
            None
        }
    }

    /// What is the matter, and what to do.
    pub(super) fn said(self) -> (String, &'static str) {
        match self {
            Self::Stuck(age) => (
                format!(
                    "This monitor has stopped watching: nothing here is newer than {}.",
                    span(age)
                ),
                "Restart the monitor and look at its log. Until then, check on the observatory another way.",
            ),
            Self::ByConfiguration => (
                "Alerting is switched off in this monitor's configuration.".to_owned(),
                "Start it without LVMBEAT_START_MONITOR=0.",
            ),
            Self::NoChannel => (
                "This monitor has no way to alert anybody.".to_owned(),
                "Set up e-mail (LVMBEAT_EMAIL_…), Slack (SLACK_API_TOKEN) or a webhook, and restart it.",
            ),
            Self::NoWay => (
                "Nothing that this monitor sends arrives: every channel fails.".to_owned(),
                "See Channels below for the reason. The monitor keeps trying.",
            ),
        }
    }
}

/// The state and, if nobody would be alerted, why. An alarm that is on outranks a monitor that
/// cannot tell of it, unless the monitor does not even look.
pub(super) fn state(view: &View, age: Duration) -> (State, Option<Mute>) {
    let mute = Mute::of(view, age);
    let state = match (mute, view.alarm.state) {
        (Some(Mute::Stuck(_)), _) => State::NotAlerting,
        (_, alarm::State::Down) => State::Down,
        (Some(_), _) => State::NotAlerting,
        _ if !view.alarm.mode.is_enabled() => State::Disabled,
        (None, alarm::State::Waiting) => State::Waiting,
        (None, alarm::State::Up) => State::Up,
    };
    (state, mute)
}
