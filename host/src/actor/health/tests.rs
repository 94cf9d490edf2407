//! The table of states: what is true at each moment is what is said.

use lvmbeat_core::{Cause, LinkState};

use super::*;
use crate::actor::snapshot::Setters;

const T0: Instant = Instant::from_secs(1000);

fn at(seconds: u64) -> Instant {
    T0 + embassy_time::Duration::from_secs(seconds)
}

/// A gap of 20 s, a PLC that waits for 60 s, and an enclosure that takes at most 5 s.
fn delivery() -> Delivery {
    let text = "actor: {log_dir: null}\nheartbeats: [{name: overwatcher, critical: true}]";
    let config = crate::config::Config::parse("lvmbeat.yaml", text, &|_| None).unwrap();
    let gap = seconds(config.budget.gap);
    assert!((15.0..30.0).contains(&gap), "{gap}");
    Delivery::new(&config, T0)
}

const FREE: Around = Around {
    held: false,
    engineering: false,
    standing_by: false,
    closed: false,
    error: None,
};

const HELD: Around = Around { held: true, ..FREE };

fn heartbeat(name: &str, critical: bool, age: Option<f64>) -> HeartbeatView {
    HeartbeatView {
        name: name.to_owned(),
        critical,
        current: age.is_some_and(|age| age < 30.0),
        last_seen: None,
        age,
        proven_age: age,
        timeout: 30.0,
        interval: 5.0,
        smallest_margin: None,
        beats: 1,
        setters: Setters::default(),
    }
}

fn link(state: LinkState, failures: u8) -> LinkView {
    LinkView {
        name: "lco".to_owned(),
        state,
        up: state != LinkState::Down,
        failures,
    }
}

fn stale(seconds: f64) -> Hold {
    Hold {
        cause: Cause::Stale,
        fault: true,
        text: format!("heartbeat overwatcher was last received {seconds} s ago"),
        seconds: None,
    }
}

/// What is shown at one moment.
struct Moment<'a> {
    around: Around,
    hold: Option<Hold>,
    heartbeats: Vec<HeartbeatView>,
    links: Vec<LinkView>,
    delivery: &'a Delivery,
    dome: Option<Dome>,
}

impl<'a> Moment<'a> {
    fn well(delivery: &'a Delivery) -> Self {
        Self {
            around: FREE,
            hold: None,
            heartbeats: vec![heartbeat("overwatcher", true, Some(1.0))],
            links: vec![link(LinkState::Up, 0)],
            delivery,
            dome: Some(Dome::Open),
        }
    }

    fn silent(delivery: &'a Delivery, age: f64) -> Self {
        Self {
            around: HELD,
            hold: Some(stale(age)),
            heartbeats: vec![heartbeat("overwatcher", true, Some(age))],
            ..Self::well(delivery)
        }
    }

    fn health(&self, now: Instant) -> HealthView {
        let closed = self.dome == Some(Dome::Closed);
        let around = Around {
            closed,
            ..self.around
        };
        of(&Known {
            around: &around,
            hold: self.hold.as_ref(),
            heartbeats: &self.heartbeats,
            links: &self.links,
            delivery: &self.delivery.view(&around, now),
            dome: self.dome,
            ecp: "lvmecp",
        })
    }

    #[track_caller]
    fn is(&self, now: Instant, state: Health, text: &str) {
        let health = self.health(now);
        assert_eq!((health.state, health.text.as_str()), (state, text));
    }
}

fn error(on: bool, since: u64, said: u64) -> PlcError {
    PlcError {
        on,
        since: at(since),
        said: at(said),
    }
}

/// The overwatcher's last beat and the last acknowledgement are at 0 s.
#[test]
fn a_dead_overwatcher_is_late_then_held_then_the_dome_closes_and_is_closed() {
    let mut delivery = delivery();
    delivery.acknowledged(T0);
    Moment::well(&delivery).is(
        at(1),
        Health::Ok,
        "the dome heartbeat arrives, and everything is on time",
    );
    let late = Moment {
        heartbeats: vec![heartbeat("overwatcher", true, Some(10.0))],
        ..Moment::well(&delivery)
    };
    late.is(
        at(10),
        Health::Late,
        "overwatcher silent for 10 s (it beats every 5.0 s)",
    );
    Moment::silent(&delivery, 31.0).is(
        at(31),
        Health::Held,
        "the dome heartbeat is held, and the PLC closes the dome in 29 s at the latest: overwatcher silent for 31 s (timeout 30 s)",
    );
    let view = delivery.view(&HELD, at(31));
    assert_eq!((view.closes_in, view.closing_for), (Some(29.0), None));
    assert_eq!(view.cause, Some(Undelivered::Held));
    let just_before = at(60) - embassy_time::Duration::from_ticks(1);
    assert_eq!(
        Moment::silent(&delivery, 60.0).health(just_before).state,
        Health::Held
    );
    for (dome, said) in [
        (Some(Dome::Open), "open"),
        (Some(Dome::Moving), "moving"),
        (Some(Dome::Between), "between open and closed"),
        (None, "not known to be closed"),
    ] {
        let closing = Moment {
            dome,
            ..Moment::silent(&delivery, 70.0)
        };
        let text = format!(
            "the PLC's time ran out 10 s ago, and the dome is {said}: overwatcher silent for 1 min 10 s (timeout 30 s)"
        );
        closing.is(at(70), Health::Closing, &text);
        assert_eq!(closing.health(at(60)).state, Health::Closing);
    }
    let closed = Moment {
        dome: Some(Dome::Closed),
        ..Moment::silent(&delivery, 90.0)
    };
    closed.is(
        at(90),
        Health::ClosedByWatchdog,
        "the PLC's time ran out 30 s ago, and the dome is closed: overwatcher silent for 1 min 30 s (timeout 30 s)",
    );
    // It beats again; until the first acknowledgement the dome stays closed for that reason.
    let released = Moment {
        dome: Some(Dome::Closed),
        ..Moment::well(&delivery)
    };
    assert_eq!(released.health(at(100)).state, Health::ClosedByWatchdog);
    delivery.acknowledged(at(100));
    assert_eq!(Moment::well(&delivery).health(at(100)).state, Health::Ok);
}

#[test]
fn everything_that_is_late_is_named_what_is_critical_first() {
    let mut delivery = delivery();
    delivery.acknowledged(T0);
    delivery.failed(Undelivered::NoAnswer, "no answer".to_owned());
    let moment = Moment {
        heartbeats: vec![
            heartbeat("camera", false, Some(400.0)),
            heartbeat("never", false, None),
            heartbeat("overwatcher", true, Some(36.0)),
            heartbeat("guider", true, Some(31.0)),
            heartbeat("mirror", true, Some(12.0)),
            heartbeat("slow", false, Some(11.0)),
        ],
        links: vec![link(LinkState::Down, 3), link(LinkState::Up, 1)],
        ..Moment::silent(&delivery, 36.0)
    };
    let late = moment.health(at(36)).late;
    let texts: Vec<_> = late
        .iter()
        .map(|late| (late.holds, late.text.as_str()))
        .collect();
    assert_eq!(
        texts,
        [
            (true, "overwatcher silent for 36 s (timeout 30 s)"),
            (true, "guider silent for 31 s (timeout 30 s)"),
            (true, "network link lco down"),
            (false, "no heartbeat acknowledged for 36 s: no answer"),
            (false, "mirror silent for 12 s (it beats every 5.0 s)"),
            (false, "network link lco failed 1 probe"),
            (
                false,
                "camera (not critical) silent for 6 min 40 s (timeout 30 s)"
            ),
            (
                false,
                "slow (not critical) silent for 11 s (it beats every 5.0 s)"
            ),
        ]
    );
}

#[test]
fn one_failure_is_late_and_two_do_not_arrive_with_the_enclosures_own_words() {
    let mut delivery = delivery();
    delivery.acknowledged(T0);
    let words = "lvmecp could not set the heartbeat: Failed to set heartbeat.";
    delivery.failed(Undelivered::Refused, words.to_owned());
    let text = "no heartbeat acknowledged for 12 s: lvmecp could not set the heartbeat: Failed to set heartbeat.";
    Moment::well(&delivery).is(at(12), Health::Late, text);
    delivery.failed(Undelivered::Refused, words.to_owned());
    Moment::well(&delivery).is(
        at(12),
        Health::NotArriving,
        &format!("the dome heartbeat does not arrive, and the PLC closes the dome in 48 s at the latest: {text}"),
    );
    let view = delivery.view(&FREE, at(12));
    assert_eq!((view.cause, view.failures), (Some(Undelivered::Refused), 2));
    assert_eq!(view.text.as_deref(), Some(words));
    assert_eq!(not_arriving(&view).as_deref(), Some(text));
    delivery.acknowledged(at(13));
    assert_eq!(Moment::well(&delivery).health(at(13)).state, Health::Ok);
    assert_eq!(not_arriving(&delivery.view(&FREE, at(13))), None);
}

#[test]
fn silence_beyond_what_is_planned_does_not_arrive_unless_it_was_just_released() {
    let mut delivery = delivery();
    delivery.acknowledged(T0);
    delivery.look(&FREE, at(1));
    // Nobody has beaten since, and so nothing was sent.
    assert_eq!(Moment::well(&delivery).health(at(31)).state, Health::Late);
    delivery.failed(Undelivered::NoAnswer, "no answer".to_owned());
    assert_eq!(
        Moment::well(&delivery).health(at(31)).state,
        Health::NotArriving
    );
    // It was held until a moment ago: the next beat will show.
    delivery.look(&HELD, at(30));
    assert_eq!(Moment::well(&delivery).health(at(31)).state, Health::Late);
    assert_eq!(
        Moment::well(&delivery).health(at(59)).state,
        Health::NotArriving
    );
}

#[test]
fn a_dome_that_is_closed_is_not_said_to_be_about_to_close() {
    let mut delivery = delivery();
    delivery.acknowledged(T0);
    let closed = Moment {
        dome: Some(Dome::Closed),
        ..Moment::silent(&delivery, 31.0)
    };
    closed.is(
        at(31),
        Health::Held,
        "the dome heartbeat is held, and the dome is closed: overwatcher silent for 31 s (timeout 30 s)",
    );
}

#[test]
fn nothing_is_said_of_the_plcs_time_before_anything_was_acknowledged() {
    let delivery = delivery();
    let view = delivery.view(&HELD, at(300));
    assert_eq!((view.closes_in, view.closing_for), (None, None));
    assert!(!view.acknowledged);
    assert_eq!(
        Moment::silent(&delivery, 31.0).health(at(300)).state,
        Health::Held
    );
    // Its registers know.
    let told = Moment {
        around: Around {
            error: Some(error(true, 200, 290)),
            ..HELD
        },
        ..Moment::silent(&delivery, 31.0)
    };
    let health = told.health(at(300));
    assert_eq!(health.state, Health::Closing);
    let view = delivery.view(&told.around, at(300));
    assert_eq!(
        (view.closing_for, view.confirmed),
        (Some(100.0), Some(true))
    );
}

#[test]
fn nobody_can_have_fed_the_plc_for_its_whole_time_after_the_start_or_what_others_fed() {
    let mut delivery = delivery();
    let unfed =
        |delivery: &Delivery, around: &Around, second| delivery.view(around, at(second)).unfed;
    assert_eq!(unfed(&delivery, &HELD, 59), None);
    assert_eq!(unfed(&delivery, &HELD, 60), Some(60.0));
    let standing_by = Around {
        standing_by: true,
        ..HELD
    };
    let engineering = Around {
        engineering: true,
        ..HELD
    };
    for (others, until) in [(standing_by, 100), (engineering, 300)] {
        assert_eq!(unfed(&delivery, &others, until), None);
        delivery.look(&others, at(until));
        assert_eq!(unfed(&delivery, &HELD, until + 59), None);
        assert_eq!(unfed(&delivery, &HELD, until + 60), Some(60.0));
    }
    delivery.acknowledged(at(400));
    assert_eq!(unfed(&delivery, &FREE, 459), None);
    assert_eq!(unfed(&delivery, &FREE, 461), Some(61.0));
    // The PLC itself says that somebody feeds it.
    let fed = Around {
        error: Some(error(false, 470, 470)),
        ..FREE
    };
    assert_eq!(unfed(&delivery, &fed, 471), None);
}

#[test]
fn the_plcs_own_word_confirms_or_refutes_what_is_computed() {
    let mut delivery = delivery();
    delivery.acknowledged(T0);
    let heard = |error| Around { error, ..HELD };
    let view = |delivery: &Delivery, error, now| {
        let view = delivery.view(&heard(error), at(now));
        (view.closing_for, view.confirmed)
    };
    assert_eq!(view(&delivery, None, 70), (Some(10.0), None));
    // Heard before it ran out, and so soon after that it may have been read before.
    assert_eq!(
        view(&delivery, Some(error(false, 0, 59)), 70),
        (Some(10.0), None)
    );
    assert_eq!(
        view(&delivery, Some(error(false, 0, 61)), 70),
        (Some(10.0), None)
    );
    assert_eq!(
        view(&delivery, Some(error(true, 62, 62)), 70),
        (Some(10.0), Some(true))
    );
    // Somebody else feeds it.
    assert_eq!(
        view(&delivery, Some(error(false, 0, 70)), 70),
        (None, Some(false))
    );
    // A new run of acknowledgements takes back what was said before it began.
    delivery.acknowledged(at(80));
    assert_eq!(view(&delivery, Some(error(true, 62, 62)), 81), (None, None));
    assert_eq!(view(&delivery, Some(error(true, 62, 82)), 82), (None, None));
}

#[test]
fn a_plc_that_misses_what_is_acknowledged_is_closing() {
    let mut delivery = delivery();
    for second in [0, 10, 20, 30, 40, 50, 60, 70, 80] {
        delivery.acknowledged(at(second));
    }
    let around = Around {
        error: Some(error(true, 75, 75)),
        ..FREE
    };
    let deaf = Moment {
        around,
        ..Moment::well(&delivery)
    };
    deaf.is(
        at(81),
        Health::Closing,
        "the PLC's time ran out 6.0 s ago, and the dome is open: lvmecp acknowledges it, and the PLC says that it misses it (hb_error)",
    );
    let view = delivery.view(&around, at(81));
    assert_eq!(
        (view.cause, view.confirmed),
        (Some(Undelivered::Plc), Some(true))
    );
}

#[test]
fn engineering_mode_bypasses_everything_and_the_plcs_time_counts_from_its_end() {
    let mut delivery = delivery();
    delivery.acknowledged(T0);
    let engineering = Around {
        engineering: true,
        ..HELD
    };
    for second in 1..300 {
        delivery.look(&engineering, at(second));
    }
    let bypassed = Moment {
        around: engineering,
        ..Moment::silent(&delivery, 299.0)
    };
    bypassed.is(
        at(299),
        Health::Bypassed,
        "engineering mode is on: lvmecp feeds the PLC, whatever lvmbeat decides",
    );
    let view = delivery.view(&engineering, at(299));
    assert_eq!((view.closes_in, view.closing_for), (None, None));
    let over = delivery.view(&HELD, at(309));
    assert_eq!((over.closes_in, over.closing_for), (Some(50.0), None));
}

#[test]
fn one_that_stands_by_knows_nothing() {
    let mut delivery = delivery();
    delivery.acknowledged(T0);
    let standing_by = Around {
        standing_by: true,
        ..HELD
    };
    delivery.look(&standing_by, at(100));
    let moment = Moment {
        around: standing_by,
        ..Moment::silent(&delivery, 100.0)
    };
    moment.is(
        at(100),
        Health::Unknown,
        "another lvmbeat is active; this one stands by",
    );
    // Whether the other one fed the PLC is not known afterwards, either.
    assert_eq!(delivery.view(&HELD, at(101)).closing_for, None);
}

#[test]
fn l1_what_was_left_counts_whatever_the_heartbeat_was_missing_for_but_for_a_closed_dome() {
    let mut delivery = delivery();
    let least = |delivery: &Delivery, now| delivery.view(&FREE, at(now)).least_left;
    assert_eq!(least(&delivery, 0), None);
    delivery.acknowledged(T0);
    delivery.look(&FREE, at(10));
    assert_eq!(least(&delivery, 10), Some(50.0));
    // Withheld, and released in time.
    delivery.look(&HELD, at(45));
    delivery.acknowledged(at(46));
    delivery.look(&FREE, at(47));
    assert_eq!(least(&delivery, 47), Some(15.0));
    let closed = Around {
        closed: true,
        ..HELD
    };
    delivery.look(&closed, at(300));
    assert_eq!(least(&delivery, 300), Some(15.0));
    delivery.look(&HELD, at(301));
    assert_eq!(least(&delivery, 301), Some(0.0));
}

#[test]
fn it_is_as_it_is_since_it_became_so() {
    let mut standing = Standing::default();
    assert_eq!(
        standing.lasted(Health::Ok, at(5)).to_bits(),
        0.0f64.to_bits()
    );
    standing.look(Health::Ok, at(5));
    standing.look(Health::Ok, at(9));
    assert_eq!(
        standing.lasted(Health::Ok, at(15)).to_bits(),
        10.0f64.to_bits()
    );
    assert_eq!(
        standing.lasted(Health::Held, at(15)).to_bits(),
        0.0f64.to_bits()
    );
    standing.look(Health::Held, at(15));
    assert_eq!(
        standing.lasted(Health::Held, at(16)).to_bits(),
        1.0f64.to_bits()
    );
}

#[test]
fn the_schema_lists_every_state_and_every_cause() {
    let schema = crate::clu::schema::lvmbeat();
    let properties = &schema["properties"];
    let states = Health::ALL.map(Health::as_str);
    let listed = &properties["health"]["properties"]["state"]["enum"];
    assert_eq!(listed, &serde_json::json!(states));
    let causes = Undelivered::ALL.map(|cause| Some(cause.as_str()));
    let causes: Vec<_> = causes.into_iter().chain([None]).collect();
    let listed = &properties["delivery"]["properties"]["cause"]["enum"];
    assert_eq!(listed, &serde_json::json!(causes));
}

#[test]
fn s3_a_beat_that_counts_from_when_it_was_sent_is_silent_and_one_of_unknown_age_unconfirmed() {
    let mut delivery = delivery();
    delivery.acknowledged(T0);
    let late = |age: f64, proven: Option<f64>| {
        let mut moment = Moment::silent(&delivery, age);
        moment.heartbeats[0].current = false;
        moment.heartbeats[0].proven_age = proven;
        moment.health(at(20)).late[0].text.clone()
    };
    let perhaps = "overwatcher silent for 26 s, perhaps for 30 s (timeout 30 s)";
    assert_eq!(late(26.0, Some(30.2)), perhaps);
    let heard = "overwatcher heard 2.0 s ago, to be confirmed by its next beat";
    assert_eq!(late(2.0, None), heard);
    assert_eq!(late(2.0, Some(33.0)), heard);
}
