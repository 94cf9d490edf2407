//! The words in which people are told of the dome, of the PLC's time and of the dome heartbeat.

use std::sync::LazyLock;

use regex::Regex;

use super::Position;

/// What is claimed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Claim {
    /// The dome is there.
    Dome,
    /// It is not there.
    NotDome,
    /// It was there when it was last heard of.
    DomeWas,
    /// It is closed since then.
    DomeClosedSince,
    /// Where it is has been unknown since then.
    UnknownSince,
    /// The PLC's time has run out.
    RanOut,
    /// It has not.
    NotRunOut,
    /// It did then.
    RanOutAt,
    /// It did so long ago.
    RanOutAgo,
    /// The PLC closes the dome in so long, at the latest.
    ClosesIn,
    /// It does then, at the latest.
    ClosesAt,
    /// The last heartbeat arrived so long ago.
    Silence,
    /// No heartbeat arrives.
    Missing,
    /// None has arrived since then.
    MissingSince,
    /// Heartbeats arrive.
    Arrives,
    /// Engineering mode is on.
    EngineeringOn,
    /// It is off.
    EngineeringOff,
}

/// A time of day, with or without the date.
const AT: &str = r"(?:\d{4}-\d\d-\d\d )?(?P<at>\d\d:\d\d:\d\d)(?: utc)?";
const SPAN: &str = r"(?P<value>(?:\d+ (?:h|min) )?[\d.]+ (?:s|min))";
const WHERE: &str =
    r"(?P<value>(?:open|closed|moving|opening|closing|between open and closed|between)\b)";

/// The longer before the shorter that it contains.
pub(super) static PHRASES: LazyLock<Vec<(Regex, Claim)>> = LazyLock::new(|| {
    let phrases = [
        ("it began with: .*dome WHERE", Claim::DomeWas),
        (
            "dome(?: was then)?:? (?:is |was )?(?:unknown|not known any more) since AT",
            Claim::UnknownSince,
        ),
        (
            "where the dome (?:was|is) is unknown since AT",
            Claim::UnknownSince,
        ),
        (
            "engineering mode has been on since AT",
            Claim::EngineeringOn,
        ),
        (r"engineering mode is unknown since AT", Claim::UnknownSince),
        (
            "(?:was heard to be|heard to be) (?P<value>closed) at AT",
            Claim::Dome,
        ),
        (
            r"(?:the dome was heard to be|dome:) WHERE at AT",
            Claim::Dome,
        ),
        (r", WHERE at AT", Claim::Dome),
        (
            "dome has been (?P<value>closed) since AT",
            Claim::DomeClosedSince,
        ),
        ("dome WHERE at AT", Claim::Dome),
        ("dome (?:was )?WHERE whenever it was heard", Claim::DomeWas),
        ("dome was then: WHERE", Claim::DomeWas),
        ("dome was WHERE", Claim::DomeWas),
        ("dome, as last reported: WHERE", Claim::DomeWas),
        ("dome (?:is )?not (?P<value>open|closed)", Claim::NotDome),
        ("dome(?: is|:)? WHERE", Claim::Dome),
        // The table of `status`, with its signs.
        (r"dome [^\w\s] WHERE, said [^,]+ ago", Claim::Dome),
        (r"dome \? unknown since AT", Claim::UnknownSince),
        ("plc closes in SPAN", Claim::ClosesIn),
        (
            "plc ✗ has had no heartbeat for its whole timeout",
            Claim::RanOut,
        ),
        ("the last acknowledged one was SPAN ago", Claim::Silence),
        (
            "plc's time ran out at AT: no heartbeat had been acknowledged for SPAN",
            Claim::RanOutAt,
        ),
        ("plc's time ran out at AT", Claim::RanOutAt),
        ("its time ran out at AT", Claim::RanOutAt),
        (
            "the plc (?:had )?said at AT that it had missed the heartbeat for its whole time",
            Claim::RanOut,
        ),
        ("(?:plc's|its) time ran out SPAN ago", Claim::RanOutAgo),
        ("plc's time (?:had |has )?not run out", Claim::NotRunOut),
        (
            "plc's time (?:ran out|has run out|had run out)",
            Claim::RanOut,
        ),
        (
            "plc says that it missed the heartbeat for its whole time",
            Claim::RanOut,
        ),
        ("misses the heartbeat and closes the dome", Claim::RanOut),
        (
            "misses the heartbeat. it has received none for its whole timeout and closes the dome",
            Claim::RanOut,
        ),
        ("missing, the plc closes the dome", Claim::RanOut),
        ("plc closes the dome in SPAN at the latest", Claim::ClosesIn),
        ("plc closes the dome in at most SPAN", Claim::ClosesIn),
        ("plc closes the dome: at AT at the latest", Claim::ClosesAt),
        (
            "no heartbeat (?:had been )?acknowledged for SPAN",
            Claim::Silence,
        ),
        ("has had no heartbeat since AT", Claim::MissingSince),
        ("gets heartbeats again since AT", Claim::Arrives),
        (
            "heartbeat (?:is |still |was )?(?:held|not arriving|not acknowledged)",
            Claim::Missing,
        ),
        ("holds the heartbeat", Claim::Missing),
        (
            "heartbeat is sent, and nobody acknowledges it",
            Claim::Missing,
        ),
        (
            "(?:heartbeats? )?(?:does|did|do) not arrive",
            Claim::Missing,
        ),
        ("does not see the heartbeat", Claim::Missing),
        ("heartbeat arrives again", Claim::Arrives),
        ("heartbeat arrives", Claim::Arrives),
        ("sees the heartbeat", Claim::Arrives),
        ("hears the heartbeat again", Claim::Arrives),
        ("heartbeats to the plc are acknowledged", Claim::Arrives),
        ("engineering mode(?: is|:)? on", Claim::EngineeringOn),
        ("engineering mode(?: is|:)? off", Claim::EngineeringOff),
    ];
    let regex = |pattern: &str| {
        let pattern = pattern
            .replace("AT", AT)
            .replace("SPAN", SPAN)
            .replace("WHERE", WHERE);
        Regex::new(&pattern).expect("a phrase is a regular expression")
    };
    let phrases = phrases.into_iter();
    phrases
        .map(|(pattern, claim)| (regex(pattern), claim))
        .collect()
});

/// What claims nothing of what is: what to do, what would be, what a word means.
static NEUTRAL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        "make sure that the dome (?:is closed|closes)\
         |the dome is not known to be closed|the dome was not known to be closed\
         |while this lasts,? the plc closes the dome\
         |the plc closes the dome: make sure that it does|without it the plc closes the dome\
         |find the cause below before the dome is opened(?: again)?\
         |the dome may be open,?(?: and stays open,)? whatever lvmbeat decides\
         |nobody said that the dome closed|the dome's position is no longer known\
         |whether (?:engineering mode is on|it sees the heartbeat) is (?:unknown|no longer known)\
         |before the plc would have closed the dome\
         |switch engineering mode off when the work is done\
         |time left at the plc|unless a heartbeat arrive[sd](?: in time)?\
         |because the dome was about to close",
    )
    .expect("a regular expression")
});

static MENTIONS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        "dome\\W+(?:\\w+\\W+){0,3}(?:open|opened|opening|closed?|closes|closing|moving|between)\\b\
         |plc's time|time ran out|closes the dome|engineering mode (?:is|was) \\w+",
    )
    .expect("a regular expression")
});

static TIMED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(\d\d:\d\d:\d\d)(?: utc)? (.*)$").expect("a regular expression")
});

/// The time of a line of a timeline, and the rest.
pub(super) fn timed(line: &str) -> Option<(&str, &str)> {
    let found = TIMED.captures(line)?;
    Some((found.get(1)?.as_str(), found.get(2)?.as_str()))
}

/// Without what claims nothing.
pub(super) fn neutral(line: &str) -> String {
    NEUTRAL.replace_all(line, " … ").into_owned()
}

/// Whether a claim may be in it that no phrase has found.
pub(super) fn speaks_of(rest: &str) -> bool {
    MENTIONS.is_match(rest)
}

/// Whether a dome that is there is what that word says.
pub(super) fn fits(word: &str, dome: Position) -> bool {
    match word {
        "open" => dome == Position::Open,
        "closed" => dome == Position::Closed,
        "moving" => matches!(dome, Position::Opening | Position::Closing),
        "opening" => dome == Position::Opening,
        "closing" => dome == Position::Closing,
        _ => dome == Position::Stopped,
    }
}

/// `1 min 5 s`
pub(super) fn seconds(span: &str) -> f64 {
    let words: Vec<&str> = span.split(' ').collect();
    let parts = words.chunks(2).map(|part| {
        let number = part.first().and_then(|number| number.parse::<f64>().ok());
        let unit = match part.get(1) {
            Some(&"h") => 3600.0,
            Some(&"min") => 60.0,
            _ => 1.0,
        };
        number.unwrap_or(f64::NAN) * unit
    });
    parts.sum()
}
