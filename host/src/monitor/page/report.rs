//! What the observatory last said of itself.

use jiff::Timestamp;
use maud::{Markup, html};

use super::Page;
use super::icon::dome;
use super::warnings::OLD_REPORT;
use super::words::{clip, elapsed, growing, seconds};
use crate::report::{EmissionReport, EnclosureReport, HeartbeatReport, LinkReport, Report, before};

/// Of heartbeats and of links no more are shown than this (X2).
const MOST: usize = 24;

pub(super) fn section(page: &Page) -> Markup {
    html! {
        section.card #report aria-labelledby="report-title" {
            h2 #report-title { "Last report from the observatory" }
            @match &page.view.report {
                None if page.view.last_seen.is_some() => p.empty {
                    "None: its beats carry no report. An actor of this version sends one with each beat."
                },
                None => p.empty { "Nothing yet." },
                Some((report, received)) => {
                    @let age = elapsed(*received, page.now);
                    @let old = age >= OLD_REPORT;
                    p.age-of-report.old[old] {
                        @if old { strong { "Old: " } "said " } @else { "Said " }
                        (growing(age)) " ago"
                        @if !report.version.is_empty() { ", by lvmbeat " bdi { (clip(&report.version)) } }
                        @if let Some(uptime) = report.uptime { ", running for " (seconds(uptime)) }
                        "."
                        @if old { " Much may have changed since." }
                    }
                    div.said.old[old] { (said(page, report, *received)) }
                }
            }
        }
    }
}

/// What is old was so, and is not shown in the colours of what is.
fn said(page: &Page, report: &Report, received: Timestamp) -> Markup {
    html! {
        h3 { "Dome" }
        (enclosure(page, report.enclosure.as_ref(), received))
        h3 { "Heartbeat to the PLC" }
        (emission(report))
        h3 { "Heartbeats" }
        @if report.heartbeats.is_empty() { p.empty { "None reported." } }
        @else {
            ul.heartbeats {
                @for heartbeat in report.heartbeats.iter().take(MOST) { (source(heartbeat)) }
            }
            (more(report.heartbeats.len()))
        }
        h3 { "Network" }
        @if report.network.is_empty() { p.empty { "None reported." } }
        @else {
            ul.links { @for link in report.network.iter().take(MOST) { (self::link(link)) } }
            (more(report.network.len()))
        }
    }
}

fn more(all: usize) -> Markup {
    html! {
        @if let Some(left @ 1..) = all.checked_sub(MOST) { p.note { "And " (left) " more." } }
    }
}

/// What is shown of the dome has its own age and the report's, and ends as unknown.
fn enclosure(page: &Page, enclosure: Option<&EnclosureReport>, received: Timestamp) -> Markup {
    let Some(said) = enclosure else {
        return html! {
            div.dome-state { (dome(None)) div { p { strong { "Dome unknown" } } p.note { "The enclosure was not heard." } } }
        };
    };
    let (state, age) = said.dome_after(elapsed(received, page.now).as_secs_f64());
    let since = age.and_then(|age| before(page.now, age));
    html! {
        div.dome-state {
            (dome(state))
            div {
                p {
                    strong {
                        "Dome "
                        @match (state, since) {
                            (Some(state), _) => (state.words()),
                            (None, Some(since)) => { "unknown since " (page.moment(since)) }
                            (None, None) => "unknown",
                        }
                    }
                }
                @if said.engineering_mode == Some(true) {
                    p.bad { strong { "Engineering mode is on" } ": the dome may be open whatever lvmbeat decides." }
                }
                p.note {
                    @match said.engineering_mode {
                        Some(true) => {}
                        Some(false) => "Engineering mode is off. ",
                        None => "Whether engineering mode is on is unknown. ",
                    }
                    @if let Some(age) = said.age { "The enclosure was heard " (seconds(age)) " before." }
                }
            }
        }
    }
}

/// The PLC's side of it: what it said, what was sent, and how near it ever came to closing.
fn emission(report: &Report) -> Markup {
    let EmissionReport {
        last_outcome,
        acknowledged_age,
        smallest_margin,
    } = &report.emission;
    let plc = report.enclosure.as_ref();
    html! {
        dl.facts {
            (hold(report))
            @if let Some(plc) = plc {
                div {
                    dt { "PLC" }
                    dd {
                        @match (plc.plc_heartbeat_error, plc.plc_acknowledges) {
                            (Some(true), _) => (verdict(false, "misses the heartbeat and closes the dome")),
                            (_, Some(true)) => (verdict(true, "sees the heartbeat")),
                            (_, Some(false)) => (verdict(false, "does not see the heartbeat")),
                            (_, None) => "does not say whether it sees the heartbeat",
                        }
                        @if let Some(age) = plc.plc_acknowledged_age { "; last seen " (seconds(age)) " before" }
                    }
                }
            }
            div {
                dt { "Last heartbeat" }
                dd {
                    @if let Some(age) = acknowledged_age { "acknowledged " (seconds(*age)) " before" } @else { "none acknowledged yet" }
                    @if let Some(outcome) = last_outcome { "; last outcome: " bdi { (clip(&outcome.replace('_', " "))) } }
                }
            }
            div {
                dt { "Smallest margin" }
                dd {
                    @match smallest_margin {
                        Some(margin) if *margin > 0.0 => { (seconds(*margin)) " left before the PLC would have closed the dome" }
                        Some(margin) => { (verdict(false, "none left")) " (" (seconds(*margin)) ")" }
                        None => "not measured yet",
                    }
                }
            }
        }
    }
}

fn hold(report: &Report) -> Markup {
    html! {
        div {
            dt { "lvmbeat" }
            dd {
                @match &report.hold {
                    None => (verdict(true, "passes the heartbeat on")),
                    Some(hold) if hold.fault => {
                        (verdict(false, "holds the heartbeat")) ": " bdi { (clip(&hold.text)) }
                        @if let Some(held) = hold.seconds { "; for " (seconds(held)) }
                    }
                    Some(hold) => {
                        (verdict(true, "passes the heartbeat on")) ", at its pace"
                        @if !hold.text.is_empty() { " (" bdi { (clip(&hold.text)) } ")" }
                    }
                }
            }
        }
    }
}

/// One source: how much of its timeout has passed, as a bar and in words.
fn source(heartbeat: &HeartbeatReport) -> Markup {
    let part = match (heartbeat.age, heartbeat.timeout) {
        (Some(age), Some(timeout)) if timeout > 0.0 => (age / timeout * 100.0).clamp(0.0, 100.0),
        // Never heard, or for a time that is not known: as if it had run out, unless it is said to
        // be current.
        _ if heartbeat.current => 0.0,
        _ => 100.0,
    };
    html! {
        li.stale[!heartbeat.current] {
            div.line {
                span.name { bdi { (clip(&heartbeat.name)) } @if !heartbeat.critical { " " span.note { "not critical" } } }
                (verdict(heartbeat.current, if heartbeat.current { "fresh" } else if heartbeat.age.is_none() { "never heard" } else { "stale" }))
            }
            svg.bar width="100%" height="6" aria-hidden="true" {
                rect.track width="100%" height="6" rx="3" {}
                rect.fill width=(format!("{part:.1}%")) height="6" rx="3" {}
            }
            p.note {
                @match (heartbeat.age, heartbeat.timeout) {
                    (Some(age), Some(timeout)) => { (seconds(age)) " of " (seconds(timeout)) }
                    (Some(age), None) => { (seconds(age)) " old" }
                    (None, Some(timeout)) => { "timeout " (seconds(timeout)) }
                    (None, None) => "no times reported",
                }
                @if let Some(margin) = heartbeat.smallest_margin { "; smallest margin: " (seconds(margin)) }
            }
        }
    }
}

fn link(link: &LinkReport) -> Markup {
    html! {
        li { bdi.name { (clip(&link.name)) } " " (verdict(link.up, if link.up { "up" } else { "down" })) }
    }
}

/// A word with its sign, so that colour alone does not carry it.
pub(super) fn verdict(well: bool, word: &str) -> Markup {
    html! {
        span.verdict-word.(if well { "good" } else { "bad" }) {
            span.glyph aria-hidden="true" { @if well { "✓" } @else { "✗" } } (word)
        }
    }
}
