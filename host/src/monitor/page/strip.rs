//! The last day and the last week as strips: when the observatory was heard, how the dome heartbeat
//! was, and where the dome was.

use jiff::Timestamp;
use maud::{Markup, html};

use super::window::{DAY, WEEK, Window, percent, scale};
use super::words::{count, elapsed, span};
use super::{Page, incidents, margin};
use crate::monitor::history::{History, Period, What};
use crate::report::{Dome, Health};

/// The list shows no more than this, the newest.
const MOST: usize = 50;

pub(super) fn section(page: &Page) -> Markup {
    let history = &page.view.history;
    html! {
        section.card #history aria-labelledby="history-title" {
            h2 #history-title { "The last days" }
            @if let Some(begins) = history.begins {
                @let day = Window::new(history, begins, page.now, DAY);
                (strip("day", "Last 24 hours", &day, &incidents::links(page, DAY)))
                (margin::plot(page, &day))
                (strip("week", "Last 7 days", &Window::new(history, begins, page.now, WEEK), &html! {}))
                (legend())
                (list(page, history))
            } @else {
                p.empty { "Nothing heard yet." }
            }
        }
    }
}

/// The rows of a strip, from the top: how far down each begins.
const ROWS: [u32; 3] = [0, 36, 72];

fn strip(id: &str, title: &str, window: &Window, links: &Markup) -> Markup {
    let (title_id, summary_id) = (format!("{id}-title"), format!("{id}-summary"));
    html! {
        figure.strip {
            figcaption {
                strong #(title_id) { (title) }
                span #(summary_id) { (window.summary()) }
            }
            svg width="100%" height="132" role="img" aria-labelledby=(title_id) aria-describedby=(summary_id) {
                (beats(window, ROWS[0]))
                (heartbeat(window, ROWS[1]))
                (dome(window, ROWS[2]))
                (scale(window, 108))
            }
            (links)
        }
    }
}

/// A stretch of a row: `top` and `height` in it.
fn bar(
    window: &Window,
    class: &str,
    row: u32,
    (top, height): (u32, u32),
    from: Timestamp,
    to: Timestamp,
) -> Markup {
    let (left, right) = (window.place(from), window.place(to));
    html! {
        rect.(class) x=(percent(left)) y=(row + top) width=(percent(right - left)) height=(height) {}
    }
}

fn row(name: &str, top: u32) -> Markup {
    html! {
        text x="0" y=(top + 11) { (name) }
        line.unknown x1="0" y1=(top + 23) x2="100%" y2=(top + 23) {}
    }
}

fn beats(window: &Window, top: u32) -> Markup {
    html! {
        (row("beats", top))
        (bar(window, "heard", top, (19, 8), window.begins, window.now()))
        @for (period, from, to) in &window.periods {
            @match period.what {
                What::Silent => (bar(window, "silent", top, (16, 14), *from, *to)),
                What::Blind => (bar(window, "blind", top, (17, 12), *from, *to)),
            }
        }
    }
}

fn heartbeat(window: &Window, top: u32) -> Markup {
    html! {
        (row("dome heartbeat", top))
        @for (health, from, to) in &window.health {
            @match health {
                Health::Ok | Health::Late => (bar(window, "heard", top, (19, 8), *from, *to)),
                Health::Held => (bar(window, "withheld-bar", top, (16, 14), *from, *to)),
                Health::NotArriving => (bar(window, "lost-on-the-way", top, (16, 14), *from, *to)),
                Health::Closing => (bar(window, "silent", top, (16, 14), *from, *to)),
                Health::ClosedByWatchdog => (bar(window, "shut", top, (25, 5), *from, *to)),
                Health::Bypassed => (bar(window, "bypass", top, (17, 12), *from, *to)),
                Health::Unknown => {}
            }
        }
    }
}

fn dome(window: &Window, top: u32) -> Markup {
    html! {
        (row("dome", top))
        @for (dome, from, to) in &window.dome {
            @match dome {
                Dome::Open => (bar(window, "dome-open", top, (16, 14), *from, *to)),
                Dome::Moving | Dome::Between => (bar(window, "dome-between", top, (20, 10), *from, *to)),
                Dome::Closed => (bar(window, "shut", top, (25, 5), *from, *to)),
            }
        }
    }
}

/// What the shapes mean; the hatching is drawn here once for all.
fn legend() -> Markup {
    let key = |words: &str, shape: Markup| {
        html! { li { svg width="22" height="18" aria-hidden="true" { (shape) } (words) } }
    };
    html! {
        ul.legend {
            (key("heard; the heartbeat arrives", html! { rect.heard y="6" width="22" height="8" {} }))
            (key("silent; the dome is closing", html! { rect.silent x="1" y="1" width="20" height="15" {} }))
            (key("held", html! { rect.withheld-bar x="1" y="1" width="20" height="15" {} }))
            (key("does not arrive", html! {
                defs {
                    (hatch("hatch", "hatching"))
                    (hatch("hatch-lost", "hatching-lost"))
                }
                rect.lost-on-the-way x="1" y="1" width="20" height="15" {}
            }))
            (key("engineering mode", html! { rect.bypass x="1" y="3" width="20" height="12" {} }))
            (key("dome open", html! { rect.dome-open y="1" width="22" height="15" {} }))
            (key("moving or in between", html! { rect.dome-between y="5" width="22" height="11" {} }))
            (key("dome closed", html! { rect.shut y="11" width="22" height="5" {} }))
            (key("the monitor was not listening", html! { rect.blind x="1" y="4" width="20" height="12" {} }))
            (key("nothing known", html! { line.unknown x1="0" y1="11" x2="22" y2="11" {} }))
        }
        p.note { "The scale is in UTC." }
    }
}

fn hatch(id: &str, class: &str) -> Markup {
    html! {
        pattern #(id) width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
            rect.(class) width="3" height="6" {}
        }
    }
}

fn list(page: &Page, history: &History) -> Markup {
    let from = page.now.saturating_sub(WEEK).unwrap_or(Timestamp::MIN);
    let recent: Vec<&Period> = history
        .periods
        .iter()
        .filter(|period| period.to.is_none_or(|to| to >= from))
        .collect();
    html! {
        @if recent.is_empty() {
            p { "No outage, and the monitor was listening all the time." }
        } @else {
            details #periods {
                summary { "List of " (count(recent.len() as u64, "stretch", "stretches")) }
                table {
                    caption { "Outages and blind stretches of the last 7 days, newest first" }
                    thead { tr { th scope="col" { "What" } th scope="col" { "From" } th scope="col" { "To" } th scope="col" { "Lasted" } } }
                    tbody {
                        @for period in recent.iter().rev().take(MOST) {
                            tr {
                                th scope="row" { (match period.what { What::Silent => "Silent", What::Blind => "Not listening" }) }
                                td { (page.moment(period.from)) }
                                td { @if let Some(to) = period.to { (page.moment(to)) } @else { "ongoing" } }
                                td { (span(elapsed(period.from, period.to.unwrap_or(page.now)))) }
                            }
                        }
                    }
                }
                @if let Some(left @ 1..) = recent.len().checked_sub(MOST) { p.note { "And " (left) " earlier." } }
            }
        }
    }
}
