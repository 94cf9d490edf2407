//! Whether the dome heartbeat arrives at the PLC, and when the PLC closes the dome if it does not.
//!
//! The PLC heard a heartbeat no later than `lvmecp` acknowledged it. So it closes the dome, at the
//! latest, when the last acknowledgement is as old as the PLC's time; and what its registers say
//! later than that confirms it, or not. Pure: time is an argument.

use embassy_time::{Duration, Instant};

use super::least_left::LeastLeft;
use crate::clock::seconds;
use crate::config::{Config, core_duration};

/// Why the dome heartbeat is not acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Undelivered {
    /// The dome heartbeat is held: nothing is sent.
    Held,
    /// Nobody takes commands for the enclosure.
    Unroutable,
    /// The enclosure did not answer in time.
    NoAnswer,
    /// The enclosure answered that it could not write it.
    Refused,
    /// The connection to the broker failed under it.
    Lost,
    /// The enclosure acknowledges it, and the PLC says that it misses it (`hb_error`).
    Plc,
}

impl Undelivered {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Held,
        Self::Unroutable,
        Self::NoAnswer,
        Self::Refused,
        Self::Lost,
        Self::Plc,
    ];

    /// As `status` and metrics name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Unroutable => "unroutable",
            Self::NoAnswer => "no_answer",
            Self::Refused => "refused",
            Self::Lost => "lost",
            Self::Plc => "plc",
        }
    }
}

/// How the delivery stands. All times are seconds.
#[derive(Clone, PartialEq, Debug)]
pub struct DeliveryView {
    /// Why nothing is acknowledged, if something is the matter.
    pub cause: Option<Undelivered>,
    /// In words.
    pub text: Option<String>,
    /// Attempts that failed since the last one that was acknowledged.
    pub failures: u32,
    /// Time since one was acknowledged, or since the start.
    pub seconds: f64,
    /// Whether any was acknowledged since the start.
    pub acknowledged: bool,
    /// The PLC closes the dome after so long, at the latest, if nothing arrives.
    pub closes_in: Option<f64>,
    /// The PLC's time ran out so long ago.
    pub closing_for: Option<f64>,
    /// Whether the PLC itself says that its time ran out; nothing if it has not been heard since.
    pub confirmed: Option<bool>,
    /// The least that was left of the PLC's time in the last 24 hours, while the dome was not known
    /// to be closed.
    pub least_left: Option<f64>,
    /// Nobody can have fed the PLC for so long, this actor or another, and that is all its time.
    pub(crate) unfed: Option<f64>,
    /// Nothing was acknowledged for longer than there may be between two of them (L1).
    pub(in crate::actor) overdue: bool,
    /// Nothing held the dome heartbeat for so long, either, and an attempt failed. Without one
    /// nothing was sent, for want of a beat.
    pub(in crate::actor) sent_in_vain: bool,
}

/// What the PLC was heard to say of its time (register `hb_error`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PlcError {
    /// Whether it has run out.
    pub on: bool,
    /// It says so since then.
    pub since: Instant,
    /// When it last said so.
    pub said: Instant,
}

/// What the view depends on beside what is remembered here.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(in crate::actor) struct Around {
    /// A fault holds the dome heartbeat.
    pub(in crate::actor) held: bool,
    /// Engineering mode is known to be on: the enclosure feeds the PLC.
    pub(in crate::actor) engineering: bool,
    /// Another actor is the active one.
    pub(in crate::actor) standing_by: bool,
    /// The dome is known to be closed.
    pub(in crate::actor) closed: bool,
    /// As long as it is known.
    pub(in crate::actor) error: Option<PlcError>,
}

/// When the PLC's time runs out.
struct PlcTime {
    /// If nobody feeds it; by the count, unless the PLC itself says otherwise.
    runs_out: Option<Instant>,
    /// It did then.
    ran_out: Option<Instant>,
    /// Nobody can have fed it for so long, and that is all its time.
    unfed: Option<Duration>,
    /// The PLC itself says that it did.
    missed: bool,
    /// The PLC itself says that it did not.
    refuted: bool,
}

/// What is remembered of the emissions.
pub(in crate::actor) struct Delivery {
    /// L1: while all is well, two acknowledgements are at most so far apart.
    gap: Duration,
    plc_timeout: Duration,
    /// The enclosure may take so long to read or write the PLC.
    write: Duration,
    ecp: String,
    started: Instant,
    failures: u32,
    failure: Option<(Undelivered, String)>,
    acknowledged: Option<Instant>,
    /// Acknowledgements have come in time since this one.
    run: Option<Instant>,
    /// The PLC was fed at the latest then. Before the start, others may have.
    fed: Instant,
    /// Somebody is known to have fed it then.
    is_known: bool,
    /// The dome heartbeat is not held since then.
    released: Instant,
    least_left: LeastLeft,
}

impl Delivery {
    pub(in crate::actor) fn new(config: &Config, now: Instant) -> Self {
        Self {
            gap: config.budget.gap,
            plc_timeout: core_duration(config.ecp.plc_timeout),
            write: core_duration(config.ecp.command_timeout),
            ecp: config.ecp.actor.clone(),
            started: now,
            failures: 0,
            failure: None,
            acknowledged: None,
            run: None,
            fed: now,
            is_known: false,
            released: now,
            least_left: LeastLeft::default(),
        }
    }

    /// The enclosure acknowledged one at `now`.
    pub(in crate::actor) fn acknowledged(&mut self, now: Instant) {
        self.failures = 0;
        self.failure = None;
        let goes_on = self
            .acknowledged
            .is_some_and(|last| age(last, now) <= self.gap);
        self.run = self.run.filter(|_| goes_on).or(Some(now));
        self.acknowledged = Some(now);
        (self.fed, self.is_known) = (now, true);
    }

    /// One was sent, and failed.
    pub(in crate::actor) fn failed(&mut self, cause: Undelivered, text: String) {
        self.failures = self.failures.saturating_add(1);
        self.failure = Some((cause, text));
    }

    /// To be called several times a second.
    pub(in crate::actor) fn look(&mut self, around: &Around, now: Instant) {
        if around.held {
            self.released = now;
        }
        if around.standing_by {
            // What the other one does is not known here.
            (self.fed, self.is_known) = (now, false);
        } else if around.engineering {
            (self.fed, self.is_known) = (now, true);
        } else if self.is_known && !around.closed {
            let left = self.plc_timeout.checked_sub(age(self.fed, now));
            self.least_left.note(left.map_or(0.0, seconds), now);
        }
    }

    /// When the PLC's time runs out if nobody feeds it, or ran out.
    pub(in crate::actor) fn runs_out(&self, around: &Around, now: Instant) -> Option<Instant> {
        let plc = self.plc(around, now);
        plc.ran_out.or(plc.runs_out)
    }

    fn plc(&self, around: &Around, now: Instant) -> PlcTime {
        let others_feed = around.engineering || around.standing_by;
        let error = around.error.filter(|_| !others_feed);
        let missed = error.filter(|error| self.stands(error));
        let counted = self.fed.checked_add(self.plc_timeout);
        let counted = counted.filter(|_| !others_feed);
        let is_refuted = counted.is_some_and(|at| self.is_refuted(at, error));
        let counted = counted.filter(|_| !is_refuted);
        let runs_out = counted.filter(|_| self.is_known);
        let ran_out = runs_out.filter(|at| *at <= now);
        // As the PLC itself says; it may have run out before that was heard.
        let said = missed.map(|error| self.run.map_or(error.since, |run| run.max(error.since)));
        PlcTime {
            runs_out,
            ran_out: [ran_out, said].into_iter().flatten().min(),
            unfed: counted.filter(|at| *at <= now).map(|_| age(self.fed, now)),
            missed: missed.is_some(),
            refuted: is_refuted && self.is_known,
        }
    }

    pub(in crate::actor) fn view(&self, around: &Around, now: Instant) -> DeliveryView {
        let since = self.acknowledged.unwrap_or(self.started);
        let silence = age(since, now);
        let overdue = silence > self.gap;
        let plc = self.plc(around, now);
        let (cause, text) = self.why(around, plc.missed && !overdue);
        DeliveryView {
            cause,
            text,
            failures: self.failures,
            seconds: seconds(silence),
            acknowledged: self.acknowledged.is_some(),
            closes_in: plc
                .runs_out
                .filter(|_| plc.ran_out.is_none())
                .map(|at| seconds(age(now, at))),
            closing_for: plc.ran_out.map(|at| seconds(age(at, now))),
            confirmed: match (plc.missed, plc.refuted) {
                (true, _) => Some(true),
                (false, true) => Some(false),
                (false, false) => None,
            },
            unfed: plc.unfed.map(seconds),
            least_left: self.least_left.get(now),
            overdue,
            sent_in_vain: overdue
                && self.failures > 0
                && age(self.released.max(since), now) > self.gap,
        }
    }

    fn why(&self, around: &Around, missed: bool) -> (Option<Undelivered>, Option<String>) {
        let (cause, text) = match &self.failure {
            Some((cause, text)) => (*cause, text.clone()),
            None if around.held => (Undelivered::Held, "it is held".to_owned()),
            None if missed => (
                Undelivered::Plc,
                format!(
                    "{} acknowledges it, and the PLC says that it misses it (hb_error)",
                    self.ecp
                ),
            ),
            None => return (None, None),
        };
        (Some(cause), Some(text))
    }

    /// The PLC says that its time has run out, and that was not said before the present run of
    /// acknowledgements, or while its first one was being written.
    fn stands(&self, error: &PlcError) -> bool {
        error.on && self.run.is_none_or(|run| self.is_later(error.said, run))
    }

    /// The PLC says that its time has not run out although it should have: somebody else feeds it.
    fn is_refuted(&self, runs_out: Instant, error: Option<PlcError>) -> bool {
        error.is_some_and(|error| !error.on && self.is_later(error.said, runs_out))
    }

    /// What the enclosure says may be older by the time that it takes to read the PLC.
    fn is_later(&self, said: Instant, than: Instant) -> bool {
        than.checked_add(self.write)
            .is_some_and(|than| said >= than)
    }
}

fn age(at: Instant, now: Instant) -> Duration {
    now.checked_duration_since(at).unwrap_or(Duration::MIN)
}
