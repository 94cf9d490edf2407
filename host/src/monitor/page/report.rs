//! What the observatory last said of itself.

use std::time::Duration;

use jiff::Timestamp;
use maud::{Markup, html};

use super::icon::dome;
use super::standing::OLD_REPORT;
use super::words::{clip, elapsed, growing, seconds};
use super::{Page, margin};
use crate::report::{
    DrillReport, EmissionReport, EnclosureReport, HeartbeatReport, LinkReport, Report, before,
};

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
        (enclosure(page, report, received))
        h3 { "Heartbeat to the PLC" }
        (emission(page, report, received))
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
fn enclosure(page: &Page, report: &Report, received: Timestamp) -> Markup {
    let Some(said) = &report.enclosure else {
        return html! {
            div.dome-state { (dome(None)) div { p { strong { "Dome unknown" } } p.note { "The enclosure was not heard." } } }
        };
    };
    let age = elapsed(received, page.now).as_secs_f64();
    html! {
        div.dome-state {
            (dome(report.dome_after(age).0))
            div {
                p { strong { (dome_now(page, report, received)) } }
                (engineering_mode(page, said, age))
            }
        }
    }
}

/// `Dome open`, `Dome unknown since 21:04:12`.
pub(super) fn dome_now(page: &Page, report: &Report, received: Timestamp) -> Markup {
    let age = elapsed(received, page.now).as_secs_f64();
    let (state, said) = report.dome_after(age);
    html! {
        "Dome "
        @match state {
            Some(state) => (state.words()),
            None => (unknown(page, said)),
        }
    }
}

/// `unknown since 21:04:12`, of what was last said so many seconds ago.
fn unknown(page: &Page, said: Option<f64>) -> Markup {
    let since = said.and_then(|said| before(page.now, said));
    html! { "unknown" @if let Some(since) = since { " since " (page.moment(since)) } }
}

fn engineering_mode(page: &Page, enclosure: &EnclosureReport, age: f64) -> Markup {
    let (is_on, said) = enclosure.engineering_mode_after(age);
    html! {
        @if is_on == Some(true) {
            p.bad { strong { "Engineering mode is on" } ": the dome may be open whatever lvmbeat decides." }
        }
        p.note {
            @match is_on {
                Some(true) => {}
                Some(false) => "Engineering mode is off. ",
                None => { "Whether engineering mode is on is " (unknown(page, said)) ". " }
            }
            @if let Some(heard) = enclosure.age {
                "The enclosure was last heard " (growing_seconds(heard + age)) " ago."
            }
        }
    }
}

/// So many seconds, which go on.
fn growing_seconds(age: f64) -> Markup {
    if let Ok(age) = Duration::try_from_secs_f64(age) {
        growing(age)
    } else {
        html! { (seconds(age)) }
    }
}

/// The PLC's side of it: what it said, what was sent, and how near it ever came to closing.
fn emission(page: &Page, report: &Report, received: Timestamp) -> Markup {
    let EmissionReport {
        last_outcome,
        acknowledged_age,
        smallest_margin,
    } = &report.emission;
    html! {
        dl.facts {
            (hold(report, elapsed(received, page.now) >= OLD_REPORT))
            @if let Some(enclosure) = &report.enclosure {
                div { dt { "PLC" } dd { (plc(page, report, enclosure, elapsed(received, page.now).as_secs_f64())) } }
            }
            div {
                dt { "Last heartbeat" }
                dd {
                    @if let Some(age) = acknowledged_age { "acknowledged " (seconds(*age)) " before" } @else { "none acknowledged yet" }
                    @if let Some(outcome) = last_outcome { "; last outcome: " bdi { (clip(&outcome.replace('_', " "))) } }
                }
            }
            div {
                dt { "Least left, last 24 h" }
                dd {
                    @if let Some(left) = report.delivery.as_ref().and_then(|delivery| delivery.least_left) {
                        (seconds(left)) " while the dome was not known to be closed, by the actor's count. As reported here: "
                    }
                    (margin::least(page))
                }
            }
            div {
                dt { "Smallest margin" }
                dd {
                    @match smallest_margin {
                        Some(margin) if *margin > 0.0 => { (seconds(*margin)) " left before the PLC would have closed the dome, between two heartbeats that nothing withheld" }
                        Some(margin) => { (verdict(false, "none left")) " (" (seconds(*margin)) ")" }
                        None => "not measured yet",
                    }
                    @if let Some(start) = report.uptime.and_then(|uptime| before(received, uptime)) {
                        ", since the actor was started: " (page.moment(start))
                    }
                }
            }
            @if let Some(drill) = &report.drill { (self::drill(page, drill)) }
        }
    }
}

/// Whether it is proved that the PLC closes the dome.
fn drill(page: &Page, drill: &DrillReport) -> Markup {
    html! {
        @if drill.under_way || drill.due || drill.proved_at.is_some() {
            div {
                dt { "Drill" }
                dd {
                    @if drill.under_way { "under way: the dome heartbeat is withheld while the dome is closed; " }
                    @else if drill.due { (verdict(false, "due")) "; " }
                    @match drill.proved_at {
                        Some(at) => { "that the PLC misses a withheld heartbeat was last proved at " (page.moment(at)) }
                        None => "that the PLC misses a withheld heartbeat is not known to be proved",
                    }
                }
            }
        }
    }
}

fn plc(page: &Page, report: &Report, enclosure: &EnclosureReport, age: f64) -> Markup {
    let (misses, _) = enclosure.plc_heartbeat_error_after(age);
    let (sees, said) = report.plc_acknowledges_after(age);
    html! {
        @match (misses, sees) {
            (Some(true), _) => (verdict(false, "misses the heartbeat and closes the dome")),
            (_, Some(true)) => (verdict(true, "sees the heartbeat")),
            (_, Some(false)) => (verdict(false, "does not see the heartbeat")),
            (_, None) => { "whether it sees the heartbeat is " (unknown(page, said)) }
        }
        @if let Some(seen) = enclosure.plc_acknowledged_age { "; last seen " (growing_seconds(seen + age)) " ago" }
    }
}

fn hold(report: &Report, old: bool) -> Markup {
    let (passes, holds) = if old {
        ("passed the heartbeat on", "held the heartbeat")
    } else {
        ("passes the heartbeat on", "holds the heartbeat")
    };
    html! {
        div {
            dt { "lvmbeat" }
            dd {
                @match &report.hold {
                    None => (verdict(true, passes)),
                    Some(hold) if hold.fault => {
                        (verdict(false, holds)) ": " bdi { (clip(&hold.text)) }
                        @if let Some(held) = hold.seconds { "; for " (seconds(held)) }
                    }
                    Some(hold) => {
                        (verdict(true, passes)) ", at its pace"
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
        // Of one that is not critical, that it was never heard is no fault.
        (None, _) if !heartbeat.critical => 0.0,
        // Never heard, or for a time that is not known: as if it had run out, unless it is said to
        // be current.
        _ if heartbeat.current => 0.0,
        _ => 100.0,
    };
    let never = heartbeat.age.is_none();
    html! {
        li.stale[!heartbeat.current && heartbeat.critical].late[!heartbeat.current && !heartbeat.critical && !never] {
            div.line {
                span.name { bdi { (clip(&heartbeat.name)) } @if !heartbeat.critical { " " span.note { "not critical" } } }
                @match (heartbeat.current, never, heartbeat.critical) {
                    (true, ..) => (verdict(true, "fresh")),
                    (false, true, false) => span.note { "not heard yet" },
                    (false, true, true) => (verdict(false, "never heard")),
                    (false, false, true) => (verdict(false, "stale")),
                    (false, false, false) => span.verdict-word.waits { span.glyph aria-hidden="true" { "…" } "late" },
                }
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
