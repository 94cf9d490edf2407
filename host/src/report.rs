//! What the actor tells the monitor outside with a beat: enough for people to see from outside what
//! the observatory last knew.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::{MAX_HEARTBEATS, MAX_LINKS};
use crate::peer::{self, Secrets};

/// The actor's report, the body of `POST /heartbeat`. All ages, margins and times are seconds.
///
/// A field that is missing is not known; one that is unknown is ignored, so that actor and monitor
/// may be of different versions.
#[derive(Serialize, Deserialize, ToSchema, Clone, PartialEq, Default, Debug)]
#[serde(default)]
pub struct Report {
    /// The actor's version.
    pub version: String,
    /// Time since the actor's start.
    pub uptime: Option<f64>,
    /// The sources of heartbeats.
    pub heartbeats: Vec<HeartbeatReport>,
    /// Why the dome heartbeat is held, if it is.
    pub hold: Option<HoldReport>,
    /// The emissions to the dome.
    pub emission: EmissionReport,
    /// What the enclosure says of itself, if it was heard.
    pub enclosure: Option<EnclosureReport>,
    /// The network links.
    pub network: Vec<LinkReport>,
}

impl Report {
    /// As it may be shown: whoever can beat has written it, and may be anybody (X1, X2).
    pub(crate) fn shown(mut self, secrets: &Secrets) -> Self {
        let clean = |text: &mut String| *text = peer::shown(text.as_bytes(), secrets);
        self.heartbeats.truncate(MAX_HEARTBEATS);
        self.network.truncate(MAX_LINKS);
        clean(&mut self.version);
        self.heartbeats
            .iter_mut()
            .for_each(|heartbeat| clean(&mut heartbeat.name));
        self.network
            .iter_mut()
            .for_each(|link| clean(&mut link.name));
        self.emission.last_outcome.iter_mut().for_each(clean);
        if let Some(hold) = &mut self.hold {
            clean(&mut hold.reason);
            clean(&mut hold.text);
        }
        self
    }
}

/// One source of heartbeats.
#[derive(Serialize, Deserialize, ToSchema, Clone, PartialEq, Default, Debug)]
#[serde(default)]
pub struct HeartbeatReport {
    /// Its name.
    pub name: String,
    /// Whether the dome heartbeat is withheld without it.
    pub critical: bool,
    /// Whether it was received within its timeout.
    pub current: bool,
    /// Time since its last beat.
    pub age: Option<f64>,
    /// A beat counts for less than this.
    pub timeout: Option<f64>,
    /// The least that was ever left of the timeout when the next beat came.
    pub smallest_margin: Option<f64>,
}

/// The first cause why the dome heartbeat is held.
#[derive(Serialize, Deserialize, ToSchema, Clone, PartialEq, Default, Debug)]
#[serde(default)]
pub struct HoldReport {
    /// Its name, as in the actor's metrics.
    pub reason: String,
    /// Whether something is wrong; otherwise it is only the pace of emissions.
    pub fault: bool,
    /// In words.
    pub text: String,
    /// How long it has been the first cause.
    pub seconds: Option<f64>,
}

/// The emissions to the dome.
#[derive(Serialize, Deserialize, ToSchema, Clone, PartialEq, Default, Debug)]
#[serde(default)]
pub struct EmissionReport {
    /// What became of the last one.
    pub last_outcome: Option<String>,
    /// Time since the enclosure last acknowledged one.
    pub acknowledged_age: Option<f64>,
    /// L1: the PLC's timeout minus the longest time between two acknowledged ones.
    pub smallest_margin: Option<f64>,
}

/// What the enclosure says of itself.
#[derive(Serialize, Deserialize, ToSchema, Clone, PartialEq, Default, Debug)]
#[serde(default)]
pub struct EnclosureReport {
    /// Time since it last said anything.
    pub age: Option<f64>,
    /// The dome is open.
    pub dome_open: Option<bool>,
    /// The dome is closed. Neither of both: it is in between.
    pub dome_closed: Option<bool>,
    /// Engineering mode: `lvmecp` beats to the PLC by itself, whatever lvmbeat decides.
    pub engineering_mode: Option<bool>,
    /// The PLC sees the heartbeat.
    pub plc_acknowledges: Option<bool>,
    /// The PLC has missed the heartbeat for its whole timeout.
    pub plc_heartbeat_error: Option<bool>,
    /// Time since the PLC was last heard to acknowledge.
    pub plc_acknowledged_age: Option<f64>,
}

/// One network link.
#[derive(Serialize, Deserialize, ToSchema, Clone, PartialEq, Default, Debug)]
#[serde(default)]
pub struct LinkReport {
    /// Its name.
    pub name: String,
    /// Whether it is not known to be down.
    pub up: bool,
}
