//! The state in one word, and why nobody would be alerted.

use std::time::Duration;

use lvmbeat_core::alarm;

use super::standing::{Now, Standing};
use super::words::span;
use crate::monitor::view::{ChannelView, View};
use crate::report::Health;

/// The word at the top. The first that is true, in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// The monitor would tell nobody although nobody has disabled it; whatever else it shows.
    NotAlerting,
    /// An alarm is on.
    Down,
    /// The PLC's time has run out, and the dome is not known to be closed.
    Closing,
    /// The dome heartbeat is not acknowledged.
    NotArriving,
    /// The dome heartbeat is held.
    Held,
    /// The PLC's time has run out, and the dome is closed.
    ClosedByWatchdog,
    /// Engineering mode.
    Bypassed,
    /// Somebody has disabled alerts.
    Disabled,
    /// It was never heard.
    Waiting,
    /// The actor said that it ends.
    Stopped,
    /// A beat is missing, or something else is late.
    Late,
    /// Only a stand-by reports.
    Unknown,
    /// It is heard.
    Up,
}

impl State {
    pub(super) const ALL: [Self; 13] = [
        Self::NotAlerting,
        Self::Down,
        Self::Closing,
        Self::NotArriving,
        Self::Held,
        Self::ClosedByWatchdog,
        Self::Bypassed,
        Self::Disabled,
        Self::Waiting,
        Self::Stopped,
        Self::Late,
        Self::Unknown,
        Self::Up,
    ];

    /// For people.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::NotAlerting => "NOT ALERTING",
            Self::Down => "DOWN",
            Self::Closing => Health::Closing.word(),
            Self::NotArriving => Health::NotArriving.word(),
            Self::Held => Health::Held.word(),
            Self::ClosedByWatchdog => Health::ClosedByWatchdog.word(),
            Self::Bypassed => Health::Bypassed.word(),
            Self::Disabled => "DISABLED",
            Self::Waiting => "WAITING",
            Self::Stopped => "STOPPED",
            Self::Late => Health::Late.word(),
            Self::Unknown => Health::Unknown.word(),
            Self::Up => "UP",
        }
    }

    /// For the stylesheet, and the name of its icon.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::NotAlerting => "not-alerting",
            Self::Down => "down",
            Self::Closing => "closing",
            Self::NotArriving => "not-arriving",
            Self::Held => "held",
            Self::ClosedByWatchdog => "closed-by-watchdog",
            Self::Bypassed => "bypassed",
            Self::Disabled => "disabled",
            Self::Waiting => "waiting",
            Self::Stopped => "stopped",
            Self::Late => "late",
            Self::Unknown => "unknown-state",
            Self::Up => "up",
        }
    }

    /// Between up and down: amber.
    pub(super) fn is_between(self) -> bool {
        match self {
            Self::Closing
            | Self::NotArriving
            | Self::Held
            | Self::ClosedByWatchdog
            | Self::Bypassed
            | Self::Stopped
            | Self::Late
            | Self::Unknown => true,
            Self::NotAlerting | Self::Down | Self::Disabled | Self::Waiting | Self::Up => false,
        }
    }

    /// Of what was reported, or of the beats.
    fn of(standing: &Standing) -> Self {
        match standing.now {
            Now::Stopped => Self::Stopped,
            Now::NothingKnown | Now::Reported(Health::Ok) => Self::Up,
            Now::Silent | Now::Reported(Health::Late) => Self::Late,
            Now::Reported(Health::Held) => Self::Held,
            Now::Reported(Health::NotArriving) => Self::NotArriving,
            Now::Reported(Health::Closing) => Self::Closing,
            Now::Reported(Health::ClosedByWatchdog) => Self::ClosedByWatchdog,
            Now::Reported(Health::Bypassed) => Self::Bypassed,
            Now::Reported(Health::Unknown) => Self::Unknown,
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
/// cannot tell of it, unless the monitor does not even look; so does what happens to the dome.
pub(super) fn state(view: &View, standing: &Standing, age: Duration) -> (State, Option<Mute>) {
    let mute = Mute::of(view, age);
    let observatory = State::of(standing);
    let about_the_dome = match observatory {
        State::Closing
        | State::NotArriving
        | State::Held
        | State::ClosedByWatchdog
        | State::Bypassed => true,
        State::NotAlerting
        | State::Down
        | State::Disabled
        | State::Waiting
        | State::Stopped
        | State::Late
        | State::Unknown
        | State::Up => false,
    };
    let state = match (mute, view.alarm.state) {
        (Some(Mute::Stuck(_)), _) => State::NotAlerting,
        (_, alarm::State::Down) => State::Down,
        _ if about_the_dome => observatory,
        (Some(_), _) => State::NotAlerting,
        _ if !view.alarm.mode.is_enabled() => State::Disabled,
        (None, alarm::State::Waiting) => State::Waiting,
        (None, alarm::State::Up) => observatory,
    };
    (state, mute)
}
