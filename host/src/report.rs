//! What the actor reports to the outside monitor with a beat: enough for people to see from outside
//! what the observatory last knew.

mod enclosure;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

pub use self::enclosure::{Dome, EnclosureReport};
pub(crate) use self::enclosure::{FACTS_EXPIRE, before};
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
    /// How the whole is. Nothing: an actor of an earlier version.
    pub health: Option<HealthReport>,
    /// Whether the dome heartbeat arrives at the PLC.
    pub delivery: Option<DeliveryReport>,
    /// Whether it is proved that the PLC closes the dome without the dome heartbeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillReport>,
    /// The actor's farewell: it was stopped in order, and this is its last report.
    pub stopping: Option<StoppingReport>,
    /// The actor sends a beat this often.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beat_every: Option<f64>,
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
        if let Some(health) = &mut self.health {
            clean(&mut health.text);
            health.late.truncate(MAX_HEARTBEATS + MAX_LINKS + 1);
            health.late.iter_mut().for_each(clean);
        }
        if let Some(delivery) = &mut self.delivery {
            delivery.cause.iter_mut().for_each(clean);
            delivery.text.iter_mut().for_each(clean);
        }
        if let Some(stopping) = &mut self.stopping {
            clean(&mut stopping.text);
        }
        self
    }

    /// How the whole is; of an actor that does not say it, what follows from the rest.
    pub(crate) fn standing(&self) -> Health {
        let said = self.health.as_ref().and_then(|health| health.state);
        said.unwrap_or_else(|| self.inferred())
    }

    /// Why no heartbeat arrives although none is held, in the actor's words.
    pub(crate) fn undelivered(&self) -> Option<&String> {
        let delivery = self.delivery.as_ref()?;
        let is_held = delivery.cause.as_deref() == Some("held");
        delivery.text.as_ref().filter(|_| !is_held)
    }

    /// Whether the PLC's time has run out so many seconds after it, unless a heartbeat came since.
    fn may_have_run_out(&self, seconds: f64) -> bool {
        let left = self.delivery.as_ref().and_then(|it| it.closes_in);
        left.is_some_and(|left| left <= seconds)
    }

    /// Where the dome is so many seconds after it, if that is known then, and how long ago it was
    /// last said. One that was not closed may be closing when the PLC's time has run out.
    pub(crate) fn dome_after(&self, seconds: f64) -> (Option<Dome>, Option<f64>) {
        let enclosure = self.enclosure.as_ref();
        let (dome, said) = enclosure
            .map(|enclosure| enclosure.dome_after(seconds))
            .unwrap_or_default();
        let lasts = |dome: &Dome| *dome == Dome::Closed || !self.may_have_run_out(seconds);
        (dome.filter(lasts), said)
    }

    /// The same of whether the PLC sees the heartbeat.
    pub(crate) fn plc_acknowledges_after(&self, seconds: f64) -> (Option<bool>, Option<f64>) {
        let enclosure = self.enclosure.as_ref();
        let (sees, said) = enclosure
            .map(|enclosure| enclosure.plc_acknowledges_after(seconds))
            .unwrap_or_default();
        (
            sees.filter(|sees| !*sees || !self.may_have_run_out(seconds)),
            said,
        )
    }

    /// Whether it says less than one that came so many seconds before: an actor on stand-by beats
    /// beside the active one.
    pub(crate) fn yields_to(&self, earlier: &Self, seconds: f64) -> bool {
        self.standing() == Health::Unknown
            && earlier.standing() != Health::Unknown
            && (0.0..FACTS_EXPIRE).contains(&seconds)
    }

    fn inferred(&self) -> Health {
        let enclosure = self.enclosure.as_ref();
        let is =
            |fact: fn(&EnclosureReport) -> Option<bool>| enclosure.and_then(fact) == Some(true);
        let held = self.hold.as_ref().is_some_and(|hold| hold.fault);
        let stale = |heartbeat: &HeartbeatReport| !heartbeat.current && heartbeat.age.is_some();
        if is(|enclosure| enclosure.engineering_mode) {
            Health::Bypassed
        } else if is(|enclosure| enclosure.plc_heartbeat_error) {
            let dome = enclosure.and_then(|enclosure| enclosure.dome_after(0.0).0);
            match dome {
                Some(Dome::Closed) => Health::ClosedByWatchdog,
                Some(Dome::Open | Dome::Moving | Dome::Between) | None => Health::Closing,
            }
        } else if held {
            Health::Held
        } else if self.heartbeats.iter().any(stale) || self.network.iter().any(|link| !link.up) {
            Health::Late
        } else {
            Health::Ok
        }
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
    /// The least that was ever left of the timeout when the next beat came, between two beats of
    /// one session; zero if the heartbeat went stale in between.
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
    /// L1: the PLC's timeout minus the longest time between two acknowledged ones, of those between
    /// which nothing but the pace withheld one.
    pub smallest_margin: Option<f64>,
}

/// How the whole is, in one word. The order is from good to bad, but for the last two.
#[derive(Serialize, Deserialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// The dome heartbeat arrives, and everything is on time.
    Ok,
    /// Something misses its expected time; nothing is withheld because of it yet.
    Late,
    /// The dome heartbeat is held.
    Held,
    /// The dome heartbeat is sent, and not acknowledged.
    NotArriving,
    /// The PLC's time has run out, and the dome is not known to be closed.
    Closing,
    /// The PLC's time has run out, and the dome is known to be closed.
    ClosedByWatchdog,
    /// Engineering mode: `lvmecp` beats to the PLC by itself, whatever lvmbeat decides.
    Bypassed,
    /// Not known: another actor is active.
    Unknown,
}

impl Health {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::Late,
        Self::Held,
        Self::NotArriving,
        Self::Closing,
        Self::ClosedByWatchdog,
        Self::Bypassed,
        Self::Unknown,
    ];

    /// As `status` and metrics name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Late => "late",
            Self::Held => "held",
            Self::NotArriving => "not_arriving",
            Self::Closing => "closing",
            Self::ClosedByWatchdog => "closed_by_watchdog",
            Self::Bypassed => "bypassed",
            Self::Unknown => "unknown",
        }
    }

    /// For people, wherever they read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Late => "LATE",
            Self::Held => "HELD",
            Self::NotArriving => "NOT ARRIVING",
            Self::Closing => "CLOSING",
            Self::ClosedByWatchdog => "CLOSED BY WATCHDOG",
            Self::Bypassed => "BYPASSED",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// Whether the PLC gets no heartbeat of lvmbeat, so that it closes the dome or has done so.
    pub fn closes_the_dome(self) -> bool {
        match self {
            Self::Held | Self::NotArriving | Self::Closing | Self::ClosedByWatchdog => true,
            Self::Ok | Self::Late | Self::Bypassed | Self::Unknown => false,
        }
    }
}

/// A state that a later version names is not known here.
fn health_or_nothing<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Health>, D::Error> {
    let name = Option::<String>::deserialize(deserializer)?;
    Ok(name.and_then(|name| Health::ALL.into_iter().find(|one| one.as_str() == name)))
}

/// How the whole is.
#[derive(Serialize, Deserialize, ToSchema, Clone, PartialEq, Default, Debug)]
#[serde(default)]
pub struct HealthReport {
    /// In one word.
    #[serde(deserialize_with = "health_or_nothing")]
    pub state: Option<Health>,
    /// How long it has been so.
    pub seconds: Option<f64>,
    /// In one sentence.
    pub text: String,
    /// Everything that is stale or late, a sentence each, what is critical first.
    pub late: Vec<String>,
}

/// Whether the dome heartbeat arrives at the PLC.
#[derive(Serialize, Deserialize, ToSchema, Clone, PartialEq, Default, Debug)]
#[serde(default)]
pub struct DeliveryReport {
    /// Time since a dome heartbeat was last acknowledged, or since the start.
    pub seconds: Option<f64>,
    /// Why nothing is acknowledged, if something is the matter: `held`, `unroutable`, `no_answer`,
    /// `refused`, `lost`, or `plc`: the PLC says that it misses it.
    pub cause: Option<String>,
    /// The same in words; what the enclosure said, if it refused.
    pub text: Option<String>,
    /// The PLC closes the dome in so many seconds, at the latest, if nothing arrives.
    pub closes_in: Option<f64>,
    /// The PLC's time ran out so long ago.
    pub closing_for: Option<f64>,
    /// Whether the PLC's registers confirm that its time ran out; nothing if they have not been
    /// heard since.
    pub confirmed: Option<bool>,
    /// The least that was left of the PLC's time in the last 24 hours, while the dome was not known
    /// to be closed: whatever the heartbeat was missing for.
    pub least_left: Option<f64>,
}

/// How a drill ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DrillVerdict {
    /// The PLC missed the heartbeat, and heard it again.
    Passed,
    /// It did not, or not as configured.
    Failed,
    /// Nothing is proved, either way.
    Aborted,
}

impl DrillVerdict {
    /// As `status` and the journal name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
        }
    }
}

/// Drills, which prove that the PLC closes the dome without the dome heartbeat.
#[derive(Serialize, Deserialize, ToSchema, Clone, PartialEq, Default, Debug)]
#[serde(default)]
pub struct DrillReport {
    /// When one last passed, as far as that is known.
    pub proved_at: Option<Timestamp>,
    /// One is due.
    pub due: bool,
    /// One is under way.
    pub under_way: bool,
}

/// The farewell of an actor.
#[derive(Serialize, Deserialize, ToSchema, Clone, PartialEq, Default, Debug)]
#[serde(default)]
pub struct StoppingReport {
    /// By what: `stopped by SIGTERM`.
    pub text: String,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dome_is_known_until_its_own_age_and_the_reports_are_too_much() {
        let report = EnclosureReport {
            age: Some(1.0),
            dome: Some(Dome::Closed),
            dome_age: Some(60.0),
            facts_expire: Some(90.0),
            ..EnclosureReport::default()
        };
        assert_eq!(report.dome_after(29.0), (Some(Dome::Closed), Some(89.0)));
        assert_eq!(report.dome_after(30.0), (None, Some(90.0)));
    }

    #[test]
    fn an_old_report_does_not_know_what_the_plc_did_when_its_time_ran_out() {
        for dome in Dome::ALL {
            let report = Report {
                enclosure: Some(EnclosureReport {
                    dome: Some(dome),
                    dome_age: Some(10.0),
                    plc_acknowledges: Some(true),
                    plc_acknowledges_age: Some(10.0),
                    ..EnclosureReport::default()
                }),
                delivery: Some(DeliveryReport {
                    closes_in: Some(40.0),
                    ..DeliveryReport::default()
                }),
                ..Report::default()
            };
            assert_eq!(report.dome_after(39.0), (Some(dome), Some(49.0)));
            let known = Some(dome).filter(|dome| *dome == Dome::Closed);
            assert_eq!(report.dome_after(40.0), (known, Some(50.0)));
            assert_eq!(report.plc_acknowledges_after(39.0).0, Some(true));
            assert_eq!(report.plc_acknowledges_after(40.0).0, None);
        }
    }

    #[test]
    fn an_earlier_actor_says_what_its_switches_say_and_never_more() {
        for (open, closed, dome) in [
            (Some(true), Some(false), Some(Dome::Open)),
            (Some(false), Some(true), Some(Dome::Closed)),
            (Some(false), Some(false), Some(Dome::Between)),
            (Some(false), None, None),
            (Some(true), Some(true), None),
            (None, None, None),
        ] {
            let report = EnclosureReport {
                dome_open: open,
                dome_closed: closed,
                ..EnclosureReport::default()
            };
            assert_eq!(report.dome_after(0.0).0, dome, "{open:?} {closed:?}");
        }
    }

    #[test]
    fn each_fact_of_the_enclosure_is_known_until_its_own_age_is_too_much() {
        let report = EnclosureReport {
            age: Some(1.0),
            facts_expire: Some(90.0),
            engineering_mode: Some(false),
            engineering_mode_age: Some(70.0),
            plc_acknowledges: Some(true),
            plc_acknowledges_age: Some(60.0),
            plc_heartbeat_error: Some(false),
            ..EnclosureReport::default()
        };
        let known = |seconds| {
            (
                report.engineering_mode_after(seconds).0,
                report.plc_acknowledges_after(seconds).0,
                report.plc_heartbeat_error_after(seconds).0,
            )
        };
        assert_eq!(known(19.0), (Some(false), Some(true), Some(false)));
        assert_eq!(known(20.0), (None, Some(true), Some(false)));
        assert_eq!(known(30.0), (None, None, Some(false)));
        // An actor that says no age of it: of the age of the last word.
        assert_eq!(known(89.0), (None, None, None));
        assert_eq!(report.engineering_mode_after(20.0).1, Some(90.0));
    }

    #[test]
    fn an_earlier_actor_has_the_health_that_follows_from_what_it_says() {
        let mut report = Report::default();
        assert_eq!(report.standing(), Health::Ok);
        report.heartbeats = vec![HeartbeatReport::default()];
        assert_eq!(
            report.standing(),
            Health::Ok,
            "a source that was never heard"
        );
        report.heartbeats = vec![HeartbeatReport {
            age: Some(70.0),
            ..HeartbeatReport::default()
        }];
        assert_eq!(report.standing(), Health::Late);
        report.hold = Some(HoldReport::default());
        assert_eq!(report.standing(), Health::Late, "the pace");
        report.hold = Some(HoldReport {
            fault: true,
            ..HoldReport::default()
        });
        assert_eq!(report.standing(), Health::Held);
        report.enclosure = Some(EnclosureReport {
            plc_heartbeat_error: Some(true),
            ..EnclosureReport::default()
        });
        assert_eq!(report.standing(), Health::Closing);
        report.enclosure.as_mut().unwrap().dome = Some(Dome::Closed);
        assert_eq!(report.standing(), Health::ClosedByWatchdog);
        report.enclosure.as_mut().unwrap().engineering_mode = Some(true);
        assert_eq!(report.standing(), Health::Bypassed);
        report.health = Some(HealthReport {
            state: Some(Health::NotArriving),
            ..HealthReport::default()
        });
        assert_eq!(report.standing(), Health::NotArriving, "as it is said");
    }

    #[test]
    fn a_stand_by_beside_the_active_actor_hides_nothing() {
        let of = |state| Report {
            health: Some(HealthReport {
                state: Some(state),
                ..HealthReport::default()
            }),
            ..Report::default()
        };
        let (active, stand_by) = (of(Health::Held), of(Health::Unknown));
        assert!(stand_by.yields_to(&active, 15.0));
        assert!(!stand_by.yields_to(&active, 90.0), "the active one is gone");
        assert!(!stand_by.yields_to(&stand_by, 15.0));
        assert!(!active.yields_to(&stand_by, 15.0));
    }

    #[test]
    fn x2_a_position_of_a_later_version_is_not_known() {
        let report: EnclosureReport = serde_json::from_str(r#"{"dome": "upside down"}"#).unwrap();
        assert_eq!(report, EnclosureReport::default());
    }
}
