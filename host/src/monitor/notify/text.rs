//! What people read: the same in e-mail, in Slack and in webhooks.

mod outages;
mod render;
#[cfg(test)]
mod tests;
mod troubles;
mod words;

use jiff::{SignedDuration, Timestamp};
use reqwest::Url;

use super::{Message, Sending};
use crate::config::monitor::Wording;
use crate::monitor::notice::{Event, Notice, Silence};
use crate::peer::one_line;
use outages::Outage;
pub(super) use render::escaped;
pub(in crate::monitor) use words::span;
use words::time;

/// Earlier outages that are listed one by one; there may be more if a channel failed for days.
const LISTED: usize = 10;
/// The longest cause that is shown, in characters: it comes over the network (X2).
const LONGEST_CAUSE: usize = 300;
/// A message that is sent so long after it was raised says of when it is.
const LATE: SignedDuration = SignedDuration::from_secs(30);

/// One message in words.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Text {
    /// What a message is about, by its newest news.
    pub(super) about: About,
    /// The subject of an e-mail.
    pub(super) subject: String,
    /// Says it all.
    headline: String,
    /// What else has to be said, in sentences.
    notes: Vec<String>,
    /// What is known, each with a label.
    facts: Vec<(&'static str, String)>,
    /// What is being done, and what the reader should do.
    action: Option<String>,
    /// Where to look.
    pub(super) page: Option<Url>,
    /// Where to acknowledge it.
    pub(super) acknowledge: Option<Url>,
}

/// What a message is about, by its newest news.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum About {
    /// The observatory is silent, and the reader does not know it yet.
    Down,
    /// It is still silent.
    Reminder,
    /// It is heard again.
    Up,
    /// The dome is about to close, and the reader does not know it yet.
    Held,
    /// That goes on.
    HeldReminder,
    /// That is over.
    Released,
    /// The time is over for which alarms were disabled.
    EnabledAgain,
    /// Nothing: somebody has asked for a test.
    Test,
    /// Nothing: it is the test that is sent from time to time.
    ScheduledTest,
    /// What happened since the last one.
    Summary,
}

impl Text {
    /// Says a message. Ages and durations are those of the moment at which each notice was raised:
    /// the message may be late.
    pub(super) fn new(message: &Message, wording: &Wording) -> Self {
        match message {
            Message::Notices(sending) => Self {
                acknowledge: sending.acknowledge.clone(),
                ..Self::of_notices(sending, wording)
            },
            Message::Test => Self::test(wording),
        }
    }

    /// Whether people are called, and not only informed.
    pub(super) fn calls(&self) -> bool {
        match self.about {
            About::Down | About::Reminder | About::Held | About::HeldReminder | About::Test => true,
            About::Up
            | About::Released
            | About::EnabledAgain
            | About::ScheduledTest
            | About::Summary => false,
        }
    }

    fn test(wording: &Wording) -> Self {
        let subject = format!("TEST: {} is down", name(wording));
        Self {
            about: About::Test,
            headline: format!("{subject}. This is a test message. Please ignore."),
            subject,
            notes: Vec::new(),
            facts: Vec::new(),
            action: None,
            page: wording.page.clone(),
            acknowledge: None,
        }
    }

    fn of_notices(sending: &Sending, wording: &Wording) -> Self {
        let notices = &sending.notices;
        let enabled_again = notices
            .iter()
            .rfind(|notice| notice.event == Event::EnabledAgain)
            .map(|notice| notice.raised);
        let outages = outages::of(notices);
        let speaker = Speaker {
            name: name(wording),
            wording,
            now: sending.at,
        };
        let troubles = troubles::of(notices);
        let newest = notices.iter().rfind(|notice| notice.event.is_of_incident());
        let is_trouble = newest.is_some_and(|newest| newest.event.is_trouble());
        match (outages.split_last(), troubles.split_last()) {
            (outages, Some((last, earlier))) if is_trouble => {
                let mut text = speaker.trouble(last);
                let before = earlier.iter();
                text.notes
                    .extend(before.map(|other| speaker.trouble_headline(other)));
                if let Some((last, earlier)) = outages {
                    let outages = earlier.iter().chain([last]);
                    text.notes
                        .extend(outages.map(|other| speaker.earlier(other)));
                }
                text.notes.extend(speaker.enabled(enabled_again));
                text
            }
            (Some((last, earlier)), troubles) => {
                let mut text = speaker.outages(last, earlier, enabled_again);
                if let Some((last, earlier)) = troubles {
                    let troubles = earlier.iter().chain([last]);
                    text.notes
                        .extend(troubles.map(|other| speaker.trouble_headline(other)));
                }
                text
            }
            (None, _) => notices
                .iter()
                .rev()
                .find_map(|notice| speaker.routine(notice))
                .unwrap_or_else(|| speaker.enabled_again(enabled_again)),
        }
    }
}

/// What is down or up.
fn name(wording: &Wording) -> String {
    one_line(&wording.subject, 100)
}

/// Puts it into words.
struct Speaker<'a> {
    name: String,
    wording: &'a Wording,
    /// When the message is sent, if that is known.
    now: Option<Timestamp>,
}

impl Speaker<'_> {
    fn time(&self, at: Timestamp) -> String {
        time(at, &self.wording.time_zone)
    }

    /// Whether what was true then may be no more.
    fn is_late(&self, raised: Timestamp) -> bool {
        let late = |now: Timestamp| now.duration_since(raised) > LATE;
        self.now.is_some_and(late)
    }

    fn enabled(&self, at: Option<Timestamp>) -> Option<String> {
        let at = self.time(at?);
        Some(format!(
            "Alarms are enabled again since {at}: the time for which they were disabled is over."
        ))
    }

    /// Nothing but that alarms are enabled again.
    fn enabled_again(&self, at: Option<Timestamp>) -> Text {
        let since = at.map_or_else(String::new, |at| format!(" since {}", self.time(at)));
        Text {
            about: About::EnabledAgain,
            subject: format!("{}: alarms are enabled again", self.name),
            headline: format!(
                "{}: alarms are enabled again{since}. The time for which they were disabled is over.",
                self.name
            ),
            notes: Vec::new(),
            facts: Vec::new(),
            action: None,
            page: self.wording.page.clone(),
            acknowledge: None,
        }
    }

    /// What is sent at its time whether or not anything is wrong.
    fn routine(&self, notice: &Notice) -> Option<Text> {
        let (about, subject, headline) = match &notice.event {
            Event::Test => (
                About::ScheduledTest,
                "TEST: this channel of the lvmbeat monitor works".to_owned(),
                "This is the scheduled test message. If the next one does not arrive, this channel is dead.".to_owned(),
            ),
            Event::Summary(summary) => {
                let alerts = summary.silences.saturating_add(summary.held);
                let heard = summary.last_seen.map_or_else(|| "never".to_owned(), |at| self.time(at));
                let subject = match (alerts, summary.open) {
                    (0, 0) => format!("{}: no alerts", self.name),
                    (alerts, open) => format!("{}: {alerts} alerts, {open} open", self.name),
                };
                let headline = format!(
                    "From {} to {}: {} alarms because the observatory was silent, {} because the dome was about to close; {} open now. Last heard: {heard}. Channels that fail: {}.",
                    self.time(summary.from),
                    self.time(summary.to),
                    summary.silences,
                    summary.held,
                    summary.open,
                    summary.failing,
                );
                (About::Summary, subject, headline)
            }
            Event::Down(_)
            | Event::Reminder(_)
            | Event::Up(_)
            | Event::EnabledAgain
            | Event::Held(_)
            | Event::HeldReminder(_)
            | Event::Released(_) => return None,
        };
        Some(Text {
            about,
            subject,
            headline,
            notes: Vec::new(),
            facts: Vec::new(),
            action: None,
            page: self.wording.page.clone(),
            acknowledge: None,
        })
    }

    /// The last outage, and in short what was before it.
    fn outages(
        &self,
        last: &Outage<'_>,
        earlier: &[Outage<'_>],
        enabled_again: Option<Timestamp>,
    ) -> Text {
        let about = match (last.ended, last.is_new) {
            (Some(_), _) => About::Up,
            (None, true) => About::Down,
            (None, false) => About::Reminder,
        };
        let name = &self.name;
        let (subject, headline) = match last.ended {
            Some(ended) if last.silence.stopped.is_some() => (
                "RESOLVED: the lvmbeat actor is back".to_owned(),
                self.up(last, ended, earlier.len()),
            ),
            Some(ended) => (
                format!("RESOLVED: {name} is up"),
                self.up(last, ended, earlier.len()),
            ),
            None if last.silence.stopped.is_some() => {
                let prefix = if last.is_new { "" } else { "REMINDER: " };
                (
                    format!("{prefix}the lvmbeat actor was stopped and has not come back"),
                    self.down(last),
                )
            }
            None if last.is_new => (format!("{name} is down"), self.down(last)),
            None => (format!("REMINDER: {name} is still down"), self.down(last)),
        };
        let is_down = last.ended.is_none();
        Text {
            about,
            subject,
            headline,
            notes: self.notes(last, earlier, enabled_again),
            facts: self.facts(last),
            action: self.wording.action.clone().filter(|_| is_down),
            page: self.wording.page.clone(),
            acknowledge: None,
        }
    }

    fn down(&self, outage: &Outage<'_>) -> String {
        let is = match (outage.silence.by_hand, outage.is_new) {
            (true, _) => "was declared down by hand",
            (false, true) => "is down",
            (false, false) => "is still down",
        };
        let heard = match outage.silence.last_seen {
            Some(at) => format!("last heard at {}", self.time(at)),
            None => "it was never heard".to_owned(),
        };
        let silence = outage.silence;
        if let (Some(stopped), Some(at)) = (&silence.stopped, silence.last_seen) {
            let (stopped, at) = (one_line(stopped, LONGEST_CAUSE), self.time(at));
            let dome = self.dome(silence);
            return format!(
                "The lvmbeat actor was stopped ({stopped} at {at}) and has not come back.{dome}"
            );
        }
        format!("{} {is}: {heard}.{}", self.name, self.dome(silence))
    }

    /// Where the dome was when it was last heard, as a further sentence.
    fn dome(&self, silence: &Silence) -> String {
        match (silence.dome(), silence.engineering_mode) {
            (Some(dome), Some(true)) => {
                format!(" The dome was {}, in engineering mode.", dome.words())
            }
            (Some(dome), _) => format!(" The dome was {}.", dome.words()),
            (None, _) => silence
                .dome_unknown_since
                .map_or_else(String::new, |since| {
                    format!(" Where the dome was is unknown since {}.", self.time(since))
                }),
        }
    }

    fn up(&self, outage: &Outage<'_>, ended: &Notice, earlier: usize) -> String {
        let name = &self.name;
        let heard = outage.silence.heard_again.unwrap_or(ended.raised);
        let until = self.time(heard);
        let how_often = match earlier {
            0 => String::new(),
            n => format!(" {} times, the last time", n + 1),
        };
        match outage.silence.last_seen {
            _ if outage.silence.by_hand => format!("{name} was declared up by hand, at {until}."),
            Some(from) if outage.silence.stopped.is_some() && earlier == 0 => format!(
                "The lvmbeat actor has been back since {until}. It was stopped for {}.",
                span(seconds_between(from, heard))
            ),
            Some(from) if outage.is_new || earlier > 0 => format!(
                "{name} was down{how_often} from {} to {until}, and is up again.",
                self.time(from)
            ),
            Some(from) => format!(
                "{name} has been up again since {until}. It was down for {}.",
                span(seconds_between(from, heard))
            ),
            None => format!("{name} is up: heard for the first time at {until}."),
        }
    }

    fn notes(
        &self,
        last: &Outage<'_>,
        earlier: &[Outage<'_>],
        enabled_again: Option<Timestamp>,
    ) -> Vec<String> {
        let mut notes = Vec::new();
        if last.silence.by_hand {
            notes.push("This message was requested by hand.".to_owned());
        }
        if last.silence.relapses > 0 {
            let times = last.silence.relapses;
            notes.push(format!(
                "Meanwhile it was heard for a short time, {}.",
                if times == 1 {
                    "once".to_owned()
                } else {
                    format!("{times} times")
                }
            ));
        }
        if last.is_new && last.ended.is_some() {
            notes.push("The alarm could not be delivered while it lasted.".to_owned());
        }
        let unlisted = earlier.len().saturating_sub(LISTED);
        if unlisted > 0 {
            notes.push(format!(
                "Before that it was down {} times; the last {LISTED}:",
                earlier.len()
            ));
        }
        for outage in earlier.iter().skip(unlisted) {
            notes.push(self.earlier(outage));
        }
        notes.extend(self.enabled(enabled_again));
        notes
    }

    fn earlier(&self, outage: &Outage<'_>) -> String {
        let by_hand = if outage.silence.by_hand {
            ", declared by hand"
        } else {
            ""
        };
        let from = outage
            .silence
            .last_seen
            .map_or_else(|| "the beginning".to_owned(), |from| self.time(from));
        match outage.ended {
            Some(ended) => format!(
                "Before: down from {from} to {}{by_hand}.",
                self.time(outage.silence.heard_again.unwrap_or(ended.raised))
            ),
            None => format!("Before: down since {from}{by_hand}."),
        }
    }

    fn facts(&self, outage: &Outage<'_>) -> Vec<(&'static str, String)> {
        let Silence {
            last_seen,
            observed,
            by_hand: _,
            last_hold,
            dome: _,
            dome_unknown_since,
            heard_again,
            relapses: _,
            stopped,
            dome_open: _,
            engineering_mode,
        } = outage.silence;
        let mut facts = vec![(
            "Last heard",
            last_seen.map_or_else(|| "never".to_owned(), |at| self.time(at)),
        )];
        if let Some(ended) = outage.ended {
            facts.push(("Up again", self.time(heard_again.unwrap_or(ended.raised))));
            facts.push(("Observed silence", span(*observed)));
        } else {
            facts.push(("Silent for", format!("at least {}", span(*observed))));
            facts.push(("As of", self.time(outage.newest.raised)));
        }
        if outage.reminders > 0 && outage.is_new {
            facts.push(("Reminders", outage.reminders.to_string()));
        }
        if let Some(stopped) = stopped {
            facts.push(("Farewell of the actor", one_line(stopped, LONGEST_CAUSE)));
        }
        if let Some(hold) = last_hold {
            let hold = one_line(hold, LONGEST_CAUSE);
            facts.push(("Dome heartbeat, as last reported", format!("held: {hold}")));
        }
        let dome = outage.silence.dome();
        if let Some(dome) = dome {
            facts.push(("Dome, as last reported", dome.words().to_owned()));
        }
        if let Some(on) = engineering_mode {
            let state = if *on {
                "ON: the dome stays open whatever happens to the heartbeat"
            } else {
                "off"
            };
            facts.push(("Engineering mode, as last reported", state.to_owned()));
        }
        if dome.is_none() {
            match dome_unknown_since {
                Some(since) => {
                    facts.push(("Dome", format!("unknown since {}", self.time(*since))));
                }
                None if outage.ended.is_none() => facts.push(("Dome", "not known".to_owned())),
                None => {}
            }
        }
        facts
    }
}

#[expect(clippy::cast_precision_loss, reason = "for showing, to the second")]
fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    to.as_second().saturating_sub(from.as_second()) as f64
}
