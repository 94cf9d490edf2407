//! How near the PLC came to closing the dome, as the reports said.

use jiff::SignedDuration;
use maud::{Markup, html};

use super::Page;
use super::window::{Window, scale};
use super::words::seconds;
use crate::monitor::history::course::Margin;

/// The height of the plot.
const HEIGHT: f64 = 80.0;
/// The line is not drawn over a longer time without a report.
const GAP: SignedDuration = SignedDuration::from_secs(300);

/// The time left at the PLC over the last day, below the strip of that day.
pub(super) fn plot(page: &Page, day: &Window) -> Markup {
    let margins = &page.view.history.course.margins;
    let top = margins
        .iter()
        .map(|margin| margin.left)
        .fold(60.0, f64::max);
    html! {
        @if !margins.is_empty() {
            figure.strip.margins {
                figcaption {
                    strong #margins-title { "Time left at the PLC, last 24 hours" }
                    span #margins-summary { (least(page)) }
                }
                svg width="100%" height="116" role="img" aria-labelledby="margins-title" aria-describedby="margins-summary" {
                    rect.plot y="8" width="100%" height=(HEIGHT + 4.0) {}
                    svg y="10" width="100%" height=(HEIGHT) viewBox=(format!("0 0 1000 {HEIGHT}")) preserveAspectRatio="none" aria-hidden="true" {
                        path.margin-line d=(line(margins, day, top)) {}
                        path.withheld d=(dots(margins, day, top)) {}
                    }
                    text x="4" y="22" { (seconds(top.round())) }
                    text x="4" y="88" { "0 s" }
                    (scale(day, 92))
                }
                p.note { "The least of each 2 min. A dot: the dome heartbeat was withheld." }
            }
        }
    }
}

/// Where a margin is, in the plot's own units.
fn place(margin: &Margin, day: &Window, top: f64) -> String {
    let (x, y) = (
        day.place(margin.at) * 10.0,
        (1.0 - margin.left / top) * HEIGHT,
    );
    format!("{x:.1} {y:.1}")
}

fn line(margins: &[Margin], day: &Window, top: f64) -> String {
    let mut line = String::new();
    let mut last = None;
    for margin in margins {
        let goes_on = last.is_some_and(|last| margin.at.duration_since(last) < GAP);
        line.push(if goes_on { 'L' } else { 'M' });
        line.push_str(&place(margin, day, top));
        if !goes_on {
            // A point alone is a line of no length, which is drawn as a dot.
            line.push_str("h0");
        }
        last = Some(margin.at);
    }
    line
}

fn dots(margins: &[Margin], day: &Window, top: f64) -> String {
    let withheld = margins.iter().filter(|margin| margin.withheld);
    let dot = |margin| format!("M{}h0", place(margin, day, top));
    withheld.map(dot).collect()
}

/// The least that was left in the last day, and when; with and without the times in which the dome
/// heartbeat was withheld.
pub(super) fn least(page: &Page) -> Markup {
    let margins = &page.view.history.course.margins;
    let least = |those: &dyn Fn(&&Margin) -> bool| {
        let those = margins.iter().filter(those);
        those.min_by(|one, other| one.left.total_cmp(&other.left))
    };
    let all = least(&|_| true);
    html! {
        @match all {
            None => "not known yet",
            Some(margin) if margin.left <= 0.0 => { "none at " (page.moment(margin.at)) ", when its time had run out" }
            Some(margin) => {
                "least " (seconds(margin.left)) " at " (page.moment(margin.at))
                @if margin.withheld { ", while the dome heartbeat was withheld" }
            }
        }
        @if all.is_some_and(|margin| margin.withheld)
            && let Some(fed) = least(&|margin| !margin.withheld) {
            "; " (seconds(fed.left)) " while nothing was withheld"
        }
    }
}
