//! The words for what lies between up and down. What was reported a while ago is said as of then.

use std::time::Duration;

use jiff::Timestamp;
use maud::{Markup, html};

use super::Page;
use super::report::dome_now;
use super::standing::{Now, last_beat_age};
use super::state::State;
use super::words::{clip, elapsed, growing, seconds, shrinking, span};
use crate::report::{Health, HeartbeatReport, Report, before};

/// No more of what is late is listed than this (X2).
const MOST: usize = 40;

/// Whether it has to wake somebody; the rest is amber, but calm.
pub(super) fn is_loud(page: &Page) -> bool {
    match page.state {
        State::Closing | State::NotArriving | State::Held | State::Bypassed => {
            !page.standing.dome_is_closed(page.now)
        }
        State::NotAlerting
        | State::Down
        | State::ClosedByWatchdog
        | State::Disabled
        | State::Waiting
        | State::Stopped
        | State::Late
        | State::Unknown
        | State::Up => false,
    }
}

/// One sentence: what the word means here.
pub(super) fn lead(page: &Page) -> Markup {
    let standing = &page.standing;
    html! {
        @match page.state {
            State::Closing => "The PLC's time has run out, and the dome is not known to be closed.",
            State::NotArriving => "The dome heartbeat is sent, and nobody acknowledges it.",
            State::Held if standing.dome_is_closed(page.now) => "The dome heartbeat is held; the dome is closed.",
            State::Held => "The dome heartbeat is held: while this lasts, the PLC closes the dome.",
            State::ClosedByWatchdog => "The PLC's time has run out, and the dome is closed.",
            State::Bypassed => {
                "Engineering mode is on: lvmecp itself feeds the PLC. The dome may be open, and stays open, whatever lvmbeat decides."
            }
            State::Unknown => "The actor that reports is on stand-by: only the active one knows how the dome heartbeat is.",
            State::Stopped => (stopped(page)),
            State::Late if standing.now == Now::Silent => {
                "No beat for "
                (growing(last_beat_age(page.view, page.now, page.age).unwrap_or_default()))
                "; one is due every " (span(standing.beat_every)) ". "
                (page.subject()) " may be down."
            }
            State::Late => "Something is late; nothing is withheld because of it yet.",
            State::NotAlerting | State::Down | State::Disabled | State::Waiting | State::Up => {}
        }
    }
}

/// The actor's farewell.
pub(super) fn stopped(page: &Page) -> Markup {
    let Some((stopping, at)) = page
        .standing
        .last
        .and_then(|(report, at)| Some((report.stopping.as_ref()?, at)))
    else {
        return html! {};
    };
    html! {
        "The actor was stopped " (by_whom(&stopping.text)) " at " (page.moment(at)) ", and none has reported since."
    }
}

/// What follows "stopped".
pub(super) fn by_whom(text: &str) -> Markup {
    html! {
        @match text.strip_prefix("stopped").map_or(text, str::trim_start) {
            "" => "in order",
            by if by.starts_with("by ") => bdi { (clip(by)) },
            other => { "(" bdi { (clip(other)) } ")" }
        }
    }
}

/// What was last reported, of a time that is over.
pub(super) fn last_words(page: &Page) -> Markup {
    let Some((report, received)) = page.standing.last else {
        return html! {};
    };
    let was = match report.standing() {
        Health::Ok => "the dome heartbeat arrived, and nothing was late",
        Health::Late => "something was late, and nothing was withheld",
        Health::Held => "the dome heartbeat was held",
        Health::NotArriving => "the dome heartbeat was not acknowledged",
        Health::Closing => "the PLC's time had run out, and the dome was not known to be closed",
        Health::ClosedByWatchdog => "the PLC's time had run out, and the dome was closed",
        Health::Bypassed => "engineering mode was on",
        Health::Unknown => "an actor on stand-by",
    };
    html! { "Last reported, at " (page.moment(received)) ": " (was) "." }
}

/// When the PLC closes the dome, if it gets no heartbeat: as of the report, and less its age.
pub(super) fn countdown(page: &Page) -> Markup {
    let Some((report, received)) = page.standing.last else {
        return html! {};
    };
    let runs = page.standing.now == Now::Stopped || report.standing().closes_the_dome();
    let Some(delivery) = report.delivery.as_ref().filter(|_| runs) else {
        return html! {};
    };
    let age = elapsed(received, page.now);
    let ran_out = |at: Option<Timestamp>| {
        html! { "the PLC's time ran out" @if let Some(at) = at { " at " (page.moment(at)) } "." }
    };
    html! {
        @match (delivery.closing_for, delivery.closes_in) {
            (Some(closing), _) => {
                @if delivery.confirmed == Some(true) { "As its registers say, " } @else { "By the actor's count, " }
                (ran_out(before(received, closing)))
            }
            (None, Some(_)) if page.standing.dome_is_closed(page.now) => {}
            (None, Some(left)) => {
                @let until = Duration::try_from_secs_f64(left).ok();
                @match until.and_then(|until| until.checked_sub(age)).filter(|left| !left.is_zero()) {
                    Some(left) => {
                        "The PLC closes the dome in at most " strong { (shrinking(left)) } " unless a heartbeat arrives."
                    }
                    None => { "Unless a heartbeat arrived in time, " (ran_out(before(received, -left))) }
                }
            }
            (None, None) => {}
        }
    }
}

/// Where the dome is, and all that is late: as it was reported.
pub(super) fn reported(page: &Page) -> Markup {
    let Some((report, received)) = page.standing.last else {
        return html! {};
    };
    let causes = causes(report);
    html! {
        div.causes {
            p { (dome_now(page, report, received)) "." }
            @if !causes.is_empty() {
                p { "Reported " (growing(elapsed(received, page.now))) " ago:" }
                ul { @for cause in causes.iter().take(MOST) { li { bdi { (clip(cause)) } } } }
            }
        }
    }
}

/// Everything that is wrong or late, in the actor's words, what holds the dome heartbeat first.
fn causes(report: &Report) -> Vec<String> {
    let said = report
        .health
        .as_ref()
        .filter(|health| health.state.is_some());
    let mut causes = said.map_or_else(|| stale(report), |health| health.late.clone());
    if said.is_none() || causes.is_empty() {
        let hold = report.hold.as_ref().filter(|hold| hold.fault);
        let hold = hold.map(|hold| hold.text.clone());
        causes.splice(0..0, hold.into_iter().chain(report.undelivered().cloned()));
    }
    causes.retain(|text| !text.is_empty());
    causes
}

/// What an earlier actor does not say in words.
fn stale(report: &Report) -> Vec<String> {
    let mut stale: Vec<&HeartbeatReport> = report
        .heartbeats
        .iter()
        .filter(|heartbeat| !heartbeat.current && heartbeat.age.is_some())
        .collect();
    stale.sort_by_key(|heartbeat| !heartbeat.critical);
    let heartbeats = stale.iter().map(|heartbeat| {
        let age = seconds(heartbeat.age.unwrap_or_default());
        format!("heartbeat {} is stale, {age} old", heartbeat.name)
    });
    let links = report.network.iter().filter(|link| !link.up);
    heartbeats
        .chain(links.map(|link| format!("link {} is down", link.name)))
        .collect()
}

/// Since when the state is so, by the actor's own count.
pub(super) fn since(page: &Page) -> Markup {
    let Some((report, received)) = page
        .standing
        .last
        .filter(|_| matches!(page.standing.now, Now::Reported(_)))
    else {
        return html! {};
    };
    let said = report.health.as_ref().and_then(|health| health.seconds);
    let held = report.hold.as_ref().filter(|hold| hold.fault);
    let said = said.or(held.and_then(|hold| hold.seconds));
    let since = said.and_then(|said| before(received, said));
    html! {
        @if let Some(since) = since {
            "So since " (page.moment(since)) ", for " (growing(elapsed(since, page.now))) "."
        }
    }
}

/// What a person has to do.
pub(super) fn todo(page: &Page) -> Markup {
    let closed = page.standing.dome_is_closed(page.now);
    html! {
        @match page.state {
            State::Closing => "make sure that the dome closes: look at a camera, or ask at the site. Then find the cause below.",
            State::NotArriving | State::Held if closed => "find the cause below before the dome is opened.",
            State::NotArriving => {
                "check that lvmecp runs and reaches the PLC. If it cannot be mended in time, make sure that the dome closes."
            }
            State::Held => {
                "bring back what is named below. If that cannot be done in time, the PLC closes the dome: make sure that it does."
            }
            State::ClosedByWatchdog => "find the cause below before the dome is opened again.",
            State::Bypassed => {
                "let somebody at the site watch the weather and the dome, and switch engineering mode off when the work is done."
            }
            State::Unknown => { "ask the active actor: " code { "lvmbeat status" } "." }
            State::Stopped => "start the actor again, unless it was stopped for a while on purpose. Without it the PLC closes the dome.",
            State::Late if page.standing.now == Now::Silent => {
                "find out whether the actor runs and the network is up. Silence of " (span(page.view.alert_after)) " raises the alarm."
            }
            State::Late => "look after what is named below.",
            State::NotAlerting | State::Down | State::Disabled | State::Waiting | State::Up => {}
        }
    }
}
