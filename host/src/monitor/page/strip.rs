//! The last day and the last week as strips: when the observatory was heard, silent, and when
//! nobody was listening.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::Page;
use super::words::{count, elapsed, span, times};
use crate::monitor::history::{History, Period, What};

/// The list shows no more than this, the newest.
const MOST: usize = 50;

const DAY: SignedDuration = SignedDuration::from_hours(24);
const WEEK: SignedDuration = SignedDuration::from_hours(24 * 7);

pub(super) fn section(page: &Page) -> Markup {
    let history = &page.view.history;
    html! {
        section.card #history aria-labelledby="history-title" {
            h2 #history-title { "The last days" }
            @if let Some(begins) = history.begins {
                (strip("day", "Last 24 hours", &Window::new(history, begins, page.now, DAY)))
                (strip("week", "Last 7 days", &Window::new(history, begins, page.now, WEEK)))
                (legend())
                (list(page, history))
            } @else {
                p.empty { "Nothing heard yet." }
            }
        }
    }
}

/// A stretch of time up to now, and what is known of it.
struct Window<'a> {
    from: Timestamp,
    now: Timestamp,
    begins: Timestamp,
    periods: Vec<(&'a Period, Timestamp, Timestamp)>,
}

impl<'a> Window<'a> {
    fn new(
        history: &'a History,
        begins: Timestamp,
        now: Timestamp,
        length: SignedDuration,
    ) -> Self {
        let from = now.saturating_sub(length).unwrap_or(Timestamp::MIN);
        let periods = history
            .periods
            .iter()
            .filter_map(|period| {
                let (start, end) = (period.from.max(from), period.to.unwrap_or(now).min(now));
                (start <= end).then_some((period, start, end))
            })
            .collect();
        Self {
            from,
            now,
            begins: begins.clamp(from, now),
            periods,
        }
    }

    /// Where a moment is, in percent from the left.
    fn place(&self, at: Timestamp) -> f64 {
        let all = self.now.duration_since(self.from).as_secs_f64();
        (at.duration_since(self.from).as_secs_f64() / all * 100.0).clamp(0.0, 100.0)
    }

    /// How often and for how long in all.
    fn sum(&self, what: What) -> (usize, Duration) {
        let those = self
            .periods
            .iter()
            .filter(|(period, ..)| period.what == what);
        those.fold((0, Duration::ZERO), |(number, sum), (_, from, to)| {
            (number + 1, sum + elapsed(*from, *to))
        })
    }

    fn summary(&self) -> String {
        let (outages, silent) = self.sum(What::Silent);
        let (stretches, blind) = self.sum(What::Blind);
        let known = elapsed(self.begins, self.now);
        let heard = known
            .saturating_sub(silent)
            .saturating_sub(blind)
            .as_secs_f64();
        let mut parts = Vec::new();
        if !known.is_zero() {
            // Rounded down: 100 % is said of nothing less.
            parts.push(format!(
                "heard {} % of the time",
                (heard / known.as_secs_f64() * 1000.0).floor() / 10.0
            ));
        }
        parts.push(match outages {
            0 => "no outage".to_owned(),
            _ => format!(
                "{} ({})",
                count(outages as u64, "outage", "outages"),
                span(silent)
            ),
        });
        if stretches > 0 {
            parts.push(format!(
                "not listening {} ({})",
                times(stretches as u64),
                span(blind)
            ));
        }
        if self.begins > self.from {
            parts.push(format!("nothing known before the last {}", span(known)));
        }
        parts.join(", ")
    }

    fn is_week(&self) -> bool {
        self.now.duration_since(self.from) > DAY
    }

    /// The hours or midnights (UTC) at which the scale has a mark, with their names.
    fn marks(&self) -> Vec<(f64, String)> {
        let (step, name) = if self.is_week() {
            (86_400, "%-d %b")
        } else {
            (6 * 3600, "%H:%M")
        };
        let mut marks = Vec::new();
        let mut second = self.from.as_second().div_euclid(step) * step + step;
        while let Ok(at) = Timestamp::from_second(second)
            && at < self.now
        {
            marks.push((self.place(at), at.strftime(name).to_string()));
            second += step;
        }
        marks
    }
}

fn strip(id: &str, title: &str, window: &Window) -> Markup {
    let known = window.place(window.begins);
    let percent = |value: f64| format!("{value:.3}%");
    let (title_id, summary_id) = (format!("{id}-title"), format!("{id}-summary"));
    html! {
        figure.strip {
            figcaption {
                strong #(title_id) { (title) }
                span #(summary_id) { (window.summary()) }
            }
            svg width="100%" height="56" role="img" aria-labelledby=(title_id) aria-describedby=(summary_id) {
                @if known > 0.0 { line.unknown x1="0" y1="28" x2=(percent(known)) y2="28" {} }
                rect.heard x=(percent(known)) y="24" width=(percent(100.0 - known)) height="8" {}
                @for (period, from, to) in &window.periods {
                    @let (left, right) = (window.place(*from), window.place(*to));
                    @match period.what {
                        What::Silent => rect.silent x=(percent(left)) y="2" width=(percent(right - left)) height="30" {},
                        What::Blind => rect.blind x=(percent(left)) y="12" width=(percent(right - left)) height="20" fill="url(#hatch)" {},
                    }
                }
                @for (number, (place, name)) in window.marks().into_iter().enumerate() {
                    line.mark x1=(percent(place)) y1="34" x2=(percent(place)) y2="40" {}
                    // Where there is room beside "now" and the left edge; on a phone every other
                    // one of many.
                    @if (4.0..88.0).contains(&place) {
                        text.spare[window.is_week() && number % 2 == 1] x=(percent(place)) y="53" text-anchor="middle" { (name) }
                    }
                }
                text x="100%" y="53" text-anchor="end" { "now" }
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
            (key("heard", html! { rect.heard y="6" width="22" height="8" {} }))
            (key("silent: an outage", html! { rect.silent x="1" y="1" width="20" height="15" {} }))
            (key("the monitor was not listening", html! {
                defs {
                    pattern #hatch width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                        rect.hatching width="3" height="6" {}
                    }
                }
                rect.blind x="1" y="4" width="20" height="12" fill="url(#hatch)" {}
            }))
            (key("nothing known", html! { line.unknown x1="0" y1="11" x2="22" y2="11" {} }))
        }
        p.note { "The scale is in UTC." }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn history(periods: Vec<Period>) -> History {
        History {
            begins: Some(at("2026-01-01T00:00:00Z")),
            periods,
        }
    }

    #[test]
    fn a_strip_sums_up_only_what_is_in_its_window() {
        let now = at("2026-01-10T12:00:00Z");
        let history = history(vec![
            Period {
                what: What::Silent,
                from: at("2026-01-08T12:00:00Z"),
                to: Some(at("2026-01-08T13:00:00Z")),
            },
            Period {
                what: What::Silent,
                from: at("2026-01-09T11:00:00Z"),
                to: Some(at("2026-01-09T12:14:24Z")),
            },
            Period {
                what: What::Blind,
                from: at("2026-01-10T11:59:00Z"),
                to: None,
            },
        ]);
        let day = Window::new(&history, history.begins.unwrap(), now, DAY);
        // 14 min 24 s are one percent of a day, and one minute is less than a tenth of one.
        assert_eq!(
            day.summary(),
            "heard 98.9 % of the time, 1 outage (14 min 24 s), not listening once (1 min)"
        );
        let week = Window::new(&history, history.begins.unwrap(), now, WEEK);
        assert!(
            week.summary().contains("2 outages (2 h 14 min)"),
            "{}",
            week.summary()
        );
    }

    #[test]
    fn nothing_is_said_of_the_time_before_the_first_beat() {
        let now = at("2026-01-01T02:00:00Z");
        let history = history(Vec::new());
        let day = Window::new(&history, history.begins.unwrap(), now, DAY);
        assert_eq!(
            day.summary(),
            "heard 100 % of the time, no outage, nothing known before the last 2 h"
        );
    }

    #[test]
    fn the_scale_is_marked_at_round_hours_and_at_midnights() {
        let now = at("2026-01-10T07:30:00Z");
        let history = history(Vec::new());
        let names = |length| {
            let window = Window::new(&history, history.begins.unwrap(), now, length);
            window
                .marks()
                .into_iter()
                .map(|(_, name)| name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(DAY), ["12:00", "18:00", "00:00", "06:00"]);
        assert_eq!(names(WEEK).len(), 7);
        assert_eq!(names(WEEK)[0], "4 Jan");
    }

    #[test]
    fn x2_periods_that_lie_in_the_future_or_end_before_they_begin_do_no_harm() {
        let now = at("2026-01-10T07:30:00Z");
        let history = history(vec![
            Period {
                what: What::Silent,
                from: at("2027-01-01T00:00:00Z"),
                to: None,
            },
            Period {
                what: What::Blind,
                from: at("2026-01-10T05:00:00Z"),
                to: Some(at("2026-01-10T04:00:00Z")),
            },
        ]);
        let day = Window::new(&history, history.begins.unwrap(), now, DAY);
        assert_eq!(day.summary(), "heard 100 % of the time, no outage");
        let late = Window::new(&history, at("2027-01-01T00:00:00Z"), now, DAY);
        assert_eq!(
            late.summary(),
            "no outage, nothing known before the last 0 s"
        );
    }
}
