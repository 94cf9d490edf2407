//! A dome that closes, or is about to, in words. Every sentence is true when it is sent: what comes
//! late says as of when it is.

use super::words::{clock, span};
use super::{About, Speaker, Text, seconds_between};
use crate::monitor::notice::{Cause, Event, Notice, Trouble};
use crate::report::{Dome, Health};

/// Causes that a subject names.
const IN_SUBJECT: usize = 3;

/// One incident, as far as its notices are in one message.
#[derive(Debug)]
pub(super) struct Incident<'a> {
    /// Its alarm is in this message: the reader does not know of it yet.
    is_new: bool,
    is_over: bool,
    newest: &'a Notice,
    trouble: &'a Trouble,
}

/// The incidents of some notices, in their order.
pub(super) fn of(notices: &[Notice]) -> Vec<Incident<'_>> {
    let mut incidents: Vec<Incident<'_>> = Vec::new();
    for notice in notices {
        let (Event::Held(trouble) | Event::HeldReminder(trouble) | Event::Released(trouble)) =
            &notice.event
        else {
            continue;
        };
        let same = |known: &&mut Incident<'_>| known.newest.incident == notice.incident;
        let is_new = matches!(notice.event, Event::Held(_));
        let is_over = matches!(notice.event, Event::Released(_));
        match incidents.iter_mut().find(same) {
            Some(known) => {
                known.is_new |= is_new;
                (known.is_over, known.newest, known.trouble) = (is_over, notice, trouble);
            }
            None => incidents.push(Incident {
                is_new,
                is_over,
                newest: notice,
                trouble,
            }),
        }
    }
    incidents
}

impl Trouble {
    /// Why the PLC gets no heartbeat: as of the notification.
    pub(in crate::monitor) fn causes_in_words(&self) -> String {
        words(&self.causes, IN_SUBJECT)
    }
}

fn words(causes: &[Cause], most: usize) -> String {
    let named: Vec<String> = causes.iter().take(most).map(ToString::to_string).collect();
    let mut text = named.join(", ");
    if let Some(left @ 1..) = causes.len().checked_sub(most) {
        text = format!("{text} and {left} more");
    }
    text
}

/// The state of the dome heartbeat in a word or two.
fn state(health: Health) -> &'static str {
    match health {
        Health::NotArriving => "not arriving",
        Health::Closing | Health::ClosedByWatchdog => "missing, the PLC closes the dome",
        Health::Held | Health::Ok | Health::Late | Health::Bypassed | Health::Unknown => "held",
    }
}

/// Where the dome is, never a guess: `open`, `unknown since 21:04:12 UTC`.
fn dome(trouble: &Trouble) -> String {
    match (trouble.dome, trouble.dome_unknown_since) {
        (Some(dome), _) => dome.words().to_owned(),
        (None, Some(since)) => format!("unknown since {}", clock(since)),
        (None, None) => "unknown".to_owned(),
    }
}

/// The same for a subject: what is known cannot be overlooked.
fn dome_loud(trouble: &Trouble) -> String {
    match trouble.dome {
        Some(dome) => dome.words().to_uppercase(),
        None => dome(trouble),
    }
}

impl Speaker<'_> {
    pub(super) fn trouble(&self, last: &Incident<'_>) -> Text {
        let trouble = last.trouble;
        let (about, subject) = match (last.is_over, last.is_new) {
            (true, _) => (About::Released, over_subject(trouble)),
            (false, true) => (About::Held, self.held_subject(last)),
            (false, false) => {
                let subject = format!(
                    "REMINDER: LVM dome heartbeat still {}: {} — dome {}",
                    state(trouble.health),
                    trouble.causes_in_words(),
                    self.as_of(last, &dome_loud(trouble)),
                );
                (About::HeldReminder, subject)
            }
        };
        Text {
            about,
            subject,
            headline: self.trouble_headline(last),
            notes: Vec::new(),
            facts: self.trouble_facts(last),
            action: None,
            page: self.wording.page.clone(),
            acknowledge: None,
        }
    }

    fn held_subject(&self, last: &Incident<'_>) -> String {
        let trouble = last.trouble;
        let state = state(trouble.health);
        let causes = trouble.causes_in_words();
        let dome = dome_loud(trouble);
        if self.is_late(last.newest.raised) {
            let (since, at) = (clock(trouble.began), clock(last.newest.raised));
            return format!(
                "LVM dome heartbeat {state} since {since}: at {at} {causes} — dome {dome}"
            );
        }
        format!("LVM dome heartbeat {state}: {causes} — dome {dome}")
    }

    /// What is only known as of then, if that is a while ago.
    fn as_of(&self, last: &Incident<'_>, text: &str) -> String {
        if self.is_late(last.newest.raised) {
            return format!("{text} at {}", clock(last.newest.raised));
        }
        text.to_owned()
    }

    /// One sentence or two, which say it all.
    pub(super) fn trouble_headline(&self, last: &Incident<'_>) -> String {
        let trouble = last.trouble;
        let began = self.time(trouble.began);
        let causes = words(&trouble.causes, trouble.causes.len());
        if !last.is_over {
            let dome = dome(trouble);
            let dome = if self.is_late(last.newest.raised) {
                let then = self.time(last.newest.raised);
                format!("This was so at {then}; the dome was then: {dome}.")
            } else {
                format!("Dome: {dome}.")
            };
            return format!(
                "The PLC of the dome has had no heartbeat since {began}: {causes}. {dome}"
            );
        }
        let ended = trouble.ended.unwrap_or(last.newest.raised);
        let (lasted, ended) = (
            span(seconds_between(trouble.began, ended)),
            self.time(ended),
        );
        let all = words(&trouble.all_causes, trouble.all_causes.len());
        let over = match trouble.health {
            Health::Bypassed => format!(
                "Engineering mode has been on since {ended}: lvmecp beats to the PLC by itself. \
                 lvmbeat withheld the dome heartbeat for {lasted}"
            ),
            Health::Held | Health::NotArriving | Health::Closing | Health::ClosedByWatchdog => {
                format!(
                    "The dome has been closed since {ended}. The PLC has had no heartbeat since {began}"
                )
            }
            Health::Ok | Health::Late | Health::Unknown => format!(
                "The PLC of the dome gets heartbeats again since {ended}. It got none for {lasted}"
            ),
        };
        format!("{over}: {all}. {}", did(trouble))
    }

    fn trouble_facts(&self, last: &Incident<'_>) -> Vec<(&'static str, String)> {
        let trouble = last.trouble;
        let mut facts = vec![("Since", self.time(trouble.began))];
        if last.is_over {
            let ended = trouble.ended.unwrap_or(last.newest.raised);
            facts.push(("Over since", self.time(ended)));
            facts.push(("Lasted", span(seconds_between(trouble.began, ended))));
        } else if let Some(closes) = trouble.plc_closes {
            let is_past = closes <= last.newest.raised;
            let when = self.time(closes);
            facts.push((
                "The PLC closes the dome",
                if is_past {
                    format!("its time ran out at {when}")
                } else {
                    format!("at {when} at the latest, if it gets no heartbeat before")
                },
            ));
        }
        for cause in &trouble.all_causes {
            facts.push(("Cause", cause.to_string()));
        }
        for moved in &trouble.moves {
            let dome = moved.dome.map_or("not known any more", Dome::words);
            facts.push(("Dome", format!("{dome} at {}", self.time(moved.at))));
        }
        if trouble.engineering_mode == Some(true) {
            facts.push(("Engineering mode", "ON".to_owned()));
        }
        facts.push(("Last report", self.time(trouble.reported)));
        facts.push(("As of", self.time(last.newest.raised)));
        facts
    }
}

fn over_subject(trouble: &Trouble) -> String {
    let dome = dome_loud(trouble);
    match trouble.health {
        Health::Bypassed => format!("RESOLVED: LVM engineering mode is on — dome {dome}"),
        health @ (Health::Held
        | Health::NotArriving
        | Health::Closing
        | Health::ClosedByWatchdog) => {
            format!(
                "RESOLVED: LVM dome is closed, its heartbeat still {}",
                held(health)
            )
        }
        Health::Ok | Health::Late | Health::Unknown => {
            format!("RESOLVED: LVM dome heartbeat arrives again — dome {dome}")
        }
    }
}

fn held(health: Health) -> &'static str {
    if health == Health::NotArriving {
        "not arriving"
    } else {
        "held"
    }
}

/// What the dome did meanwhile.
fn did(trouble: &Trouble) -> String {
    match trouble.moves.as_slice() {
        [] => "Nothing was heard of the dome.".to_owned(),
        [only] => match only.dome {
            Some(dome) => format!("The dome was {} whenever it was heard.", dome.words()),
            None => "Where the dome was is not known.".to_owned(),
        },
        moves => {
            let said: Vec<String> = moves
                .iter()
                .map(|moved| {
                    let dome = moved.dome.map_or("unknown", Dome::words);
                    format!("{dome} at {}", clock(moved.at))
                })
                .collect();
            format!("The dome was heard to be {}.", said.join(", "))
        }
    }
}
