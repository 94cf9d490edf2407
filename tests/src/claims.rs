//! Is what people are told true? Each statement on the dome, on the PLC's time and on the dome
//! heartbeat is compared with the PLC's registers as they were when it was made.
//!
//! Pure: texts and registers go in, what is false comes out. A statement on them in words that are
//! not known here is a fault, too: nobody could say whether it is true.

mod json;
mod phrase;
#[cfg(test)]
mod tests;
mod truth;

pub use self::json::sentences;
pub use self::truth::{Position, Registers, Truth};

use self::phrase::{Claim, PHRASES, neutral, speaks_of};

/// Clocks differ by so much, and machines are so slow.
const SLACK: f64 = 0.6;

/// Something that was said. Moments are seconds since the beginning.
#[derive(Clone, Debug)]
pub struct Statement {
    /// By whom: `status`, `page`, `mail`.
    pub who: String,
    /// Not before this moment.
    pub from: f64,
    /// Not after this one.
    pub to: f64,
    /// What.
    pub text: String,
}

/// What came of comparing.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Verdict {
    /// So many claims were compared.
    pub compared: usize,
    /// What was false, or not understood.
    pub faults: Vec<String>,
}

impl Truth {
    /// Compares every statement.
    pub fn judge<'a>(&self, said: impl IntoIterator<Item = &'a Statement>) -> Verdict {
        let mut verdict = Verdict::default();
        for statement in said {
            for line in statement.text.lines() {
                self.line(statement, line, &mut verdict);
            }
        }
        verdict
    }

    fn line(&self, statement: &Statement, line: &str, verdict: &mut Verdict) {
        let line = line.to_lowercase();
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = line.replace('’', "'");
        let (mut from, mut to, mut rest) = (statement.from, statement.to, line.as_str());
        // A line of a timeline is of its own moment.
        if let Some((time, text)) = phrase::timed(&line) {
            from = self.moment(time, to);
            (to, rest) = (from + 1.0, text);
        }
        let mut rest = neutral(rest);
        for (pattern, claim) in PHRASES.iter() {
            let mut left = String::new();
            let mut end = 0;
            for found in pattern.captures_iter(&rest) {
                let all = found.get(0).expect("the whole match");
                left.push_str(&rest[end..all.start()]);
                left.push_str(" … ");
                end = all.end();
                verdict.compared += 1;
                let value = found.name("value").map_or("", |value| value.as_str());
                let at = found.name("at").map(|at| at.as_str());
                if let Err(why) = self.claim(*claim, value, at, (from, to)) {
                    let (who, said) = (&statement.who, all.as_str());
                    verdict.faults.push(format!(
                        "{who}, at {from:.2} to {to:.2}, says `{said}`, and {why}; in: {line}"
                    ));
                }
            }
            left.push_str(&rest[end..]);
            rest = left;
        }
        if speaks_of(&rest) {
            let who = &statement.who;
            let fault = format!("{who} says what nobody here understands: `{rest}`; in: {line}");
            verdict.faults.push(fault);
        }
    }

    /// `at`: the time of day that is named with it; then it is of that moment.
    fn claim(
        &self,
        claim: Claim,
        value: &str,
        at: Option<&str>,
        said: (f64, f64),
    ) -> Result<(), String> {
        let named = at.map(|at| self.moment(at, said.1));
        let (from, to) = named.map_or(said, |at| (at, at + 1.0));
        let (from, to) = (from - self.lag, to + SLACK);
        let expect = |is: bool, why: &str| is.then_some(()).ok_or_else(|| why.to_owned());
        match claim {
            Claim::Dome => {
                let is = |shown: &Registers| phrase::fits(value, shown.dome);
                expect(self.was(from, to, is), "it was not there")
            }
            Claim::NotDome => {
                let is = |shown: &Registers| !phrase::fits(value, shown.dome);
                expect(self.was(from, to, is), "it was there")
            }
            // It was heard at any time before.
            Claim::DomeWas => {
                let is = |shown: &Registers| phrase::fits(value, shown.dome);
                expect(self.was(f64::MIN, to, is), "it never was there")
            }
            Claim::DomeClosedSince => {
                let closed = |shown: &Registers| phrase::fits("closed", shown.dome);
                expect(
                    self.was(from, to, closed) && self.was(said.0 - self.lag, said.1, closed),
                    "it was not",
                )
            }
            Claim::UnknownSince => expect(
                named.is_some_and(|at| (-1.0..=said.1 + SLACK).contains(&at)),
                "that is not in the past",
            ),
            Claim::RanOut => expect(
                self.was(from, to, |shown| shown.expired),
                "it had not run out",
            ),
            Claim::NotRunOut => {
                expect(self.was(from, to, |shown| !shown.expired), "it had run out")
            }
            Claim::RanOutAt => {
                if !value.is_empty() {
                    self.silence(value, (from + self.lag, to - SLACK))?;
                }
                expect(
                    self.expiries().any(|at| (from..=to).contains(&at)),
                    "it did not run out then",
                )
            }
            Claim::RanOutAgo => {
                let ago = phrase::seconds(value);
                let (early, late) = (said.0 - ago - self.lag, said.1 - ago + SLACK + ROUNDED);
                expect(
                    self.expiries().any(|at| (early..=late).contains(&at)),
                    "it did not run out then",
                )
            }
            Claim::ClosesIn => {
                let left = phrase::seconds(value);
                self.closes(said.0 + left, said.1 + left, said)
            }
            Claim::ClosesAt => self.closes(from + self.lag, to - SLACK, said),
            Claim::Silence => self.silence(value, said),
            Claim::Missing => expect(
                !self.arrives_steadily(said) || self.mode_was(true, from, to),
                "heartbeats arrive",
            ),
            Claim::MissingSince => {
                // A second after: the one in flight. A lag before: what is over may be said.
                let end = said.1 - self.lag;
                expect(
                    !self.is_fed(to + 1.0, end) || self.mode_was(true, from, to),
                    "heartbeats arrived since then",
                )
            }
            Claim::Arrives => expect(self.is_fed(from - self.timeout, to), "no heartbeat arrived"),
            Claim::EngineeringOn => expect(self.mode_was(true, from, to), "it was off"),
            Claim::EngineeringOff => expect(self.mode_was(false, from, to), "it was on"),
        }
    }

    /// That the last heartbeat came so long before.
    fn silence(&self, value: &str, said: (f64, f64)) -> Result<(), String> {
        let silence = phrase::seconds(value);
        let meant = (said.0 - silence - self.lag)..=(said.1 - silence + SLACK + ROUNDED);
        // lvmbeat's own is meant; those of engineering mode come beside.
        if self.mode_was(true, *meant.start(), said.1) {
            return Ok(());
        }
        let mut fed = self.fed(said.0 - self.lag, said.1);
        fed.any(|at| meant.contains(&at))
            .then_some(())
            .ok_or_else(|| "the PLC got its last heartbeat at another time".to_owned())
    }

    /// That the PLC closes the dome then, at the latest, if nothing arrives.
    fn closes(&self, early: f64, late: f64, said: (f64, f64)) -> Result<(), String> {
        if !self.was(said.0 - self.lag, said.1, |shown| !shown.expired) {
            return Err("its time had run out".to_owned());
        }
        let closes = self.fed(said.0 - self.lag, said.1);
        let closes: Vec<f64> = closes.map(|fed| fed + self.timeout).collect();
        let meant = (early - self.lag)..=(late + SLACK + ROUNDED);
        if closes.iter().any(|at| meant.contains(at)) {
            return Ok(());
        }
        Err(format!(
            "it closes at {closes:.2?}, not from {early:.2} to {late:.2}"
        ))
    }

    /// Heartbeats came before it was said, when it was, and after.
    fn arrives_steadily(&self, said: (f64, f64)) -> bool {
        let lag = self.lag;
        self.is_fed(said.0 - 2.0 * lag, said.0 - lag)
            && self.is_fed(said.0 - lag, said.1)
            && self.is_fed(said.1, said.1 + lag)
    }
}

/// Whole seconds are shown.
const ROUNDED: f64 = 1.0;
