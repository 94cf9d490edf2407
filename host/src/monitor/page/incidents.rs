//! What went wrong, each with its causes and its course.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::Page;
use super::between::by_whom;
use super::report::verdict;
use super::standing::Now;
use super::words::{clip, count, elapsed, growing, span};
use crate::monitor::history::incident::{Cause, Happened, Incident, Step};
use crate::report::Health;

/// The newest are unfolded.
const UNFOLDED: usize = 3;
/// No more are shown than this.
const MOST: usize = 20;
/// So many of them have a link at the strip.
const LINKED: usize = 6;

pub(super) fn section(page: &Page) -> Markup {
    let all = &page.view.history.incidents.0;
    let shown = all.split_at(all.len().saturating_sub(MOST)).1;
    let (older, newest) = shown.split_at(shown.len().saturating_sub(UNFOLDED));
    html! {
        section.card #incidents aria-labelledby="incidents-title" {
            h2 #incidents-title { "Incidents" }
            @if all.is_empty() { p.empty { "None in the last days." } }
            @for incident in newest.iter().rev() { (article(page, incident)) }
            @if !older.is_empty() {
                details #earlier-incidents {
                    summary { (count(older.len() as u64, "earlier incident", "earlier incidents")) }
                    @for incident in older.iter().rev() { (article(page, incident)) }
                }
            }
            @if let Some(left @ 1..) = all.len().checked_sub(MOST) { p.note { "And " (left) " earlier." } }
        }
    }
}

/// Links to the incidents of that time, newest first.
pub(super) fn links(page: &Page, length: SignedDuration) -> Markup {
    let from = page.now.saturating_sub(length).unwrap_or(Timestamp::MIN);
    let all = page.view.history.incidents.0.iter().rev();
    let recent: Vec<&Incident> = all
        .filter(|incident| incident.to.is_none_or(|to| to >= from))
        .collect();
    html! {
        @if !recent.is_empty() {
            p.links-to-incidents {
                (if recent.len() == 1 { "Incident: " } else { "Incidents: " })
                @for (number, incident) in recent.iter().take(LINKED).enumerate() {
                    @if number > 0 { ", " }
                    a href=(format!("#{}", id(incident))) { (incident.from.strftime("%H:%M").to_string()) " " (words(incident)) }
                }
                @if recent.len() > LINKED { ", " a href="#incidents" { "and earlier ones" } }
                "."
            }
        }
    }
}

fn id(incident: &Incident) -> String {
    format!("incident-{}", incident.from.as_second())
}

/// What it was, in the order in which it became that: `held, closing`.
fn words(incident: &Incident) -> String {
    let mut words: Vec<&str> = Vec::new();
    for step in &incident.course {
        let word = match &step.what {
            Happened::Stopped(_) => "stopped",
            Happened::Silent => "silent",
            Happened::Health(Health::Held) => "held",
            Happened::Health(Health::NotArriving) => "not arriving",
            Happened::Health(Health::Closing) => "closing",
            Happened::Health(Health::ClosedByWatchdog) => "closed by watchdog",
            Happened::Health(Health::Ok | Health::Late | Health::Bypassed | Health::Unknown)
            | Happened::Dome(_)
            | Happened::DomeUnknown
            | Happened::TimeRanOut
            | Happened::Heard
            | Happened::Blind(_) => continue,
        };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(", ")
}

fn article(page: &Page, incident: &Incident) -> Markup {
    let words = words(incident);
    html! {
        article.incident #(id(incident)) {
            h3 { (words.chars().take(1).flat_map(char::to_uppercase).collect::<String>()) (words.get(1..).unwrap_or_default()) }
            p { (lasted(page, incident)) }
            @if !incident.causes.is_empty() {
                p.note { "Causes:" }
                ul.causes-of { @for cause in &incident.causes { li { (self::cause(page, cause)) } } }
            }
            p.note { "Course:" }
            ol.course { @for step in &incident.course { (self::step(page, step)) } }
            @if incident.left_out > 0 { p.note { (count(incident.left_out.into(), "step", "steps")) " in the middle left out." } }
        }
    }
}

fn lasted(page: &Page, incident: &Incident) -> Markup {
    html! {
        "From " (page.moment(incident.from))
        @if let Some(to) = incident.to {
            " to " (page.moment(to)) ", " (span(elapsed(incident.from, to))) "."
        } @else if incident.is_withheld() && !matches!(page.standing.now, Now::Reported(_)) {
            "; whether it is over is not known"
            @if let Some((_, received)) = page.standing.last { " since " (page.moment(received)) }
            "."
        } @else {
            ", for " (growing(elapsed(incident.from, page.now))) ": " (verdict(false, "it goes on")) "."
        }
    }
}

fn cause(page: &Page, cause: &Cause) -> Markup {
    html! {
        bdi { (clip(&cause.text)) } ", from " (page.moment(cause.from))
        @if let Some(to) = cause.to {
            @if elapsed(cause.from, to) > Duration::ZERO { " to " (page.moment(to)) }
        }
    }
}

fn step(page: &Page, step: &Step) -> Markup {
    html! {
        li {
            span.when { (page.moment(step.at)) }
            span {
                @match &step.what {
                    Happened::Health(Health::Held) => "dome heartbeat held",
                    Happened::Health(Health::NotArriving) => "dome heartbeat sent, and not acknowledged",
                    Happened::Health(Health::Closing) => "dome not known to be closed",
                    Happened::Health(Health::ClosedByWatchdog) => "closed by the watchdog",
                    Happened::Health(Health::Bypassed) => "engineering mode on: lvmecp itself feeds the PLC",
                    Happened::Health(Health::Ok | Health::Late) => "released: the dome heartbeat arrived again",
                    Happened::Health(Health::Unknown) => "on stand-by",
                    Happened::Dome(dome) => { "dome " (dome.words()) }
                    Happened::DomeUnknown => "dome unknown",
                    Happened::TimeRanOut => "the PLC's time ran out",
                    Happened::Stopped(text) => { "the actor was stopped " (by_whom(text)) }
                    Happened::Silent => "last beat before the silence",
                    Happened::Heard => "heard again",
                    Happened::Blind(until) => { "this monitor was not listening until " (page.moment(*until)) }
                }
            }
        }
    }
}
